"""A small tree of the table that parts people about whom a model is often wrong from others: the error tree.

As in Microsoft's error analysis (Nushi, Kamar and Horvitz 2018, "Towards Accountable AI"), but grown on rows on which nobody
counts: what it says of other people is no better than chance allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dlx.audit.mispredictions.errors import Decisions
from dlx.audit.mispredictions.slicing import Column, Condition, Judged, columns_for_trees, condition_of
from dlx.schema import Schema

DEPTH = 3
LEAST_ROWS, LEAST_SHARE = 15, 0.05  # of a node


@dataclass(frozen=True)
class Node:
    """A part of the table in an error tree.

    Parameters
    ----------
    above : int
        Place of the node that it is a part of, -1 of everybody.
    split : Condition, optional
        What the people in it are beside those above: the column that parts it from the other half, with what the path there
        asked of it already. None of everybody.
    """

    above: int
    split: Condition | None


def error_tree(discovery: Judged) -> list[Node]:
    """Return the nodes of the error tree of a model, everybody first and each before its parts; alone where nothing parts.

    Parameters
    ----------
    discovery : Decisions or Predictions
        Of rows that the model was not fitted on: where decisions are wrong, or a value is far off. Whoever counts errors in the
        nodes takes other rows.
    """
    from sklearn.tree import DecisionTreeRegressor

    measure = discovery.wrong.astype(float) if isinstance(discovery, Decisions) else discovery.losses
    schema, rows = discovery.people.schema, discovery.people.rows
    columns, nodes = columns_for_trees(schema, rows, measure, discovery.people.weights), [Node(-1, None)]
    least = max(LEAST_ROWS, int(np.ceil(LEAST_SHARE * len(discovery))))
    if not columns or len(discovery) < 2 * least or not np.ptp(measure):
        return nodes
    grown = DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=least, random_state=0)
    values = np.column_stack([column.values for column in columns])
    tree = grown.fit(values, measure, sample_weight=discovery.people.weights).tree_
    _grow(nodes, schema, columns, tree, 0, 0, {})
    return nodes


def _grow(
    nodes: list[Node], schema: Schema, columns: list[Column], tree: Any, at: int, above: int, asked: dict[int, tuple[Any, ...]]
) -> None:
    """Add the nodes below one, the left half with all of its own first; `asked` is what the path there asks, by column."""
    if tree.children_left[at] < 0:
        return
    which, threshold, left = int(tree.feature[at]), float(tree.threshold[at]), bool(tree.missing_go_to_left[at])
    low, high, missing = asked.get(which, (-np.inf, np.inf, True))
    halves = (low, min(high, threshold), missing and left), (max(low, threshold), high, missing and not left)
    for child, bounds in zip((tree.children_left[at], tree.children_right[at]), halves, strict=True):
        nodes.append(Node(above, condition_of(schema, columns[which], *bounds)))
        _grow(nodes, schema, columns, tree, int(child), len(nodes) - 1, asked | {which: bounds})
