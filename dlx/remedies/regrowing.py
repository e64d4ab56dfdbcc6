"""Trees of a reduced table as trees of the original one.

A node that asks whether a merged code is at most a threshold asks a set of original codes. Where levels without an order
were merged that set is no interval: it takes several nodes, and what hangs below is grown more than once.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dlx.remedies.recoding import Recoding
from dlx.trees import LEAF, Trees, concatenate

Known = dict[int, "Reached"]  # by the original position of a column whose levels were merged


class Reached(NamedTuple):
    """Which values of a merged column can reach a node."""

    codes: tuple[int, ...]
    missing: bool


def regrown(trees: Trees, recoding: Recoding, rows: np.ndarray) -> Trees:
    """Return trees that answer of original rows what `trees` answer of them reduced.

    Parameters
    ----------
    trees : Trees
        Of the reduced table.
    recoding : Recoding
        From the original table to the reduced one.
    rows : ndarray [rows, features]
        Original training rows, which are counted as the cover of each node.
    """
    grown = [_Grower(trees, recoding).grown(int(root)) for root in trees.roots]
    for tree in grown:
        tree["cover"] = _cover(tree, trees.reading.read(rows))
    return concatenate(grown, base=trees.base, reading=trees.reading)


class _Grower:
    """Grows one tree anew, node by node; children come after their parents."""

    def __init__(self, trees: Trees, recoding: Recoding) -> None:
        self.trees, self.recoding = trees, recoding
        self.nodes: list[dict[str, Any]] = []

    def grown(self, root: int) -> dict[str, np.ndarray]:
        features = self.recoding.original.features
        known = {i: Reached(tuple(range(len(features[i].levels))), features[i].missing) for i in self.recoding.groups}
        self._grow(root, known)
        return {name: np.array([node[name] for node in self.nodes]) for name in self.nodes[0]}

    def _grow(self, node: int, known: Known) -> int:
        """Grow a node and all below it; return where it stands."""
        trees = self.trees
        if trees.feature[node] == LEAF:
            return self._add(LEAF, 0.0, missing_left=False, value=float(trees.value[node]))
        column, threshold = self.recoding.kept[trees.feature[node]], float(trees.threshold[node])
        below, missing_left = (int(trees.left[node]), int(trees.right[node])), bool(trees.missing_left[node])
        if column in known:
            return self._grow_merged(column, threshold, missing_left, below, known)
        place = self._add(column, threshold, missing_left=missing_left)
        self.nodes[place]["left"] = self._grow(below[0], known)
        self.nodes[place]["right"] = self._grow(below[1], known)
        return place

    def _grow_merged(self, column: int, threshold: float, missing_left: bool, below: tuple[int, int], known: Known) -> int:
        """Grow nodes that part the values which can come here, each after the first codes that go the same way."""
        codes, missing = known[column]
        sides = (self.recoding.codes(column)[list(codes)] <= threshold).tolist()
        every = sides + [missing_left] * missing
        if len(set(every)) == 1:
            return self._grow(below[0] if every[0] else below[1], known)
        first = next((i for i, side in enumerate(sides) if side != sides[0]), len(sides))
        missing_here = missing and missing_left == sides[0]
        place = self._add(column, codes[first - 1] + 0.5, missing_left=missing_here)
        here = known | {column: Reached(codes[:first], missing_here)}
        rest = known | {column: Reached(codes[first:], missing and not missing_here)}
        self.nodes[place]["left"] = self._grow(below[0] if sides[0] else below[1], here)
        self.nodes[place]["right"] = self._grow_merged(column, threshold, missing_left, below, rest)
        return place

    def _add(self, feature: int, threshold: float, *, missing_left: bool, value: float = 0.0) -> int:
        self.nodes.append(
            {
                "feature": feature,
                "threshold": threshold,
                "left": LEAF,
                "right": LEAF,
                "missing_left": missing_left,
                "value": value,
                "cover": 0.0,
            }
        )
        return len(self.nodes) - 1


def _cover(tree: dict[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Return how many rows reach each node of a tree, [nodes]."""
    reached = np.zeros((len(tree["feature"]), len(rows)), dtype=bool)
    reached[0] = True
    for node in np.flatnonzero(tree["feature"] != LEAF):  # children come after their parents
        column = rows[:, tree["feature"][node]]
        left = np.where(np.isnan(column), tree["missing_left"][node], column <= tree["threshold"][node])
        reached[tree["left"][node]] = reached[node] & left
        reached[tree["right"][node]] = reached[node] & ~left
    return reached.sum(axis=1).astype(np.float64)
