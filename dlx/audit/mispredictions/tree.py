"""A small tree of the table that parts people about whom a model is often wrong from others: the error tree.

As in Microsoft's error analysis (Nushi, Kamar and Horvitz 2018, "Towards Accountable AI"), but grown on rows on which nobody
counts: what it says of other people is no better than chance allows.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

import numpy as np

from dlx.audit.mispredictions.errors import Decisions
from dlx.audit.mispredictions.slicing import Condition, Judged, columns_for_trees, condition_of, paths

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
    above = {int(child): node for children in (tree.children_left, tree.children_right) for node, child in enumerate(children)}
    for node, asked in islice(paths(tree), 1, None):  # scikit-learn numbers nodes in the order of the paths
        which = int(tree.feature[above[node]])
        nodes.append(Node(above[node], condition_of(schema, columns[which], *asked[which])))
    return nodes
