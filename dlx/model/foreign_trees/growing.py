"""From nodes of any library to the arrays of our trees: a split of a column into runs becomes a few thresholds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dlx.errors import DlxError
from dlx.trees import LEAF

MOST_NODES = 2**18  # of one tree; sets of many categories, one below the other, multiply
LEFT, RIGHT = 2, 3  # of a node's numbers: feature, threshold, left, right, missing_left, value, cover


@dataclass(frozen=True)
class Leaf:
    """What a leaf adds, and the training rows in it."""

    value: float
    cover: float = 1.0


@dataclass(frozen=True)
class Split:
    """Runs of a column's values, each up to its threshold, and the child that each goes to; the last has no threshold.

    Parameters
    ----------
    feature : int
        The column.
    thresholds : sequence of float
        Rising; a run holds its threshold.
    children : sequence of int
        Names of nodes, one more than thresholds.
    missing : int
        Where a missing value goes.
    copies : mapping of int
        How often each child will be there.
    """

    feature: int
    thresholds: Sequence[float]
    children: Sequence[int]
    missing: int
    copies: Mapping[int, int] = field(default_factory=dict)


def runs(feature: int, thresholds: Sequence[float], children: Sequence[int], missing: int) -> Split:
    """Return a split whose neighbouring runs go to different children, one of which takes the missing values."""
    last = len(children) - 1
    ends = [i for i in range(last) if children[i] != children[i + 1]]
    thresholds, children = [thresholds[i] for i in ends], [children[i] for i in [*ends, last]]
    if missing not in children or not thresholds:  # a run of values that no row has
        thresholds, children = [-np.inf, *thresholds], [missing, *children]
    return Split(feature, thresholds, children, missing, Counter(children))


def among(feature: int, children: Sequence[int], beyond: int, missing: int) -> Split:
    """Return the split of a column of codes 0, 1, ... by the child that each goes to; any other code goes `beyond`."""
    return runs(feature, [code - 0.5 for code in range(len(children) + 1)], [beyond, *children, beyond], missing)


def grown(root: int, read: Callable[[int], Leaf | Split]) -> dict[str, np.ndarray]:
    """Return the arrays of a tree, as `trees.concatenate` takes them, parents first.

    Parameters
    ----------
    root : int
        Name of the first node.
    read : callable
        The node of a name.
    """
    numbers: list[list[float]] = []
    waiting: list[tuple[int | Split, int, int, float]] = [(root, LEAF, 0, 1.0)]
    while waiting:
        what, parent, side, share = waiting.pop()
        node = what if isinstance(what, Split) else read(what)
        if parent != LEAF:
            numbers[parent][side] = len(numbers)
        if isinstance(node, Leaf):
            numbers.append([LEAF, 0.0, LEAF, LEAF, 0.0, node.value, node.cover * share])
            continue
        middle = len(node.thresholds) // 2
        before, after = _part(node, 0, middle), _part(node, middle + 1, len(node.thresholds))
        missing_left = node.missing in node.children[: middle + 1]
        for part, side in ((after, RIGHT), (before, LEFT)):
            copies = 1 if isinstance(part, Split) else node.copies[part]
            waiting.append((part, len(numbers), side, share / copies))
        numbers.append([node.feature, node.thresholds[middle], LEAF, LEAF, missing_left, 0.0, 0.0])
        if len(numbers) > MOST_NODES:
            raise DlxError(f"a tree must have at most {MOST_NODES} nodes, once sets of categories are runs of their codes")
    return _arrays(np.array(numbers))


def _part(split: Split, first: int, last: int) -> int | Split:
    if first == last:
        return split.children[first]
    return replace(split, thresholds=split.thresholds[first:last], children=split.children[first : last + 1])


def _arrays(numbers: np.ndarray) -> dict[str, np.ndarray]:
    feature, threshold, left, right, missing_left, value, cover = numbers.T.copy()
    left, right = left.astype(np.int64), right.astype(np.int64)
    for node in np.flatnonzero(feature != LEAF)[::-1]:
        cover[node] = cover[left[node]] + cover[right[node]]
    smallest = float(np.finfo(np.float32).min)
    return {
        "feature": feature.astype(np.int64),
        "threshold": np.maximum(threshold, smallest),
        "left": left,
        "right": right,
        "missing_left": missing_left.astype(bool),
        "value": value,
        "cover": cover,
    }
