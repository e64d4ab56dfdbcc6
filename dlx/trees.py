"""Trees as plain arrays: what every tree model of dlx is made of, saved as, and predicts with.

A row goes left where ``x <= threshold``. Rows are read as float32, and thresholds and leaf values are float32 numbers,
because that is what shap's interventional TreeExplainer holds: so both see the same tree, to the last bit. Leaves are
summed in float64.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.arrays import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAF = -1


@dataclass(frozen=True, eq=False)
class Trees:
    """A sum of trees, ``base + Σ leaf``, all nodes in flat arrays.

    Parameters
    ----------
    feature : ndarray of int32 [nodes]
        Column that a node asks; -1 at a leaf.
    threshold : ndarray of float64 [nodes]
        float32 numbers; a row goes left where its value is at most this.
    left, right : ndarray of int32 [nodes]
        Children, counted from the first node of all trees; -1 at a leaf.
    missing_left : ndarray of bool [nodes]
        Whether a missing value goes left.
    value : ndarray of float64 [nodes]
        float32 numbers; what a leaf adds.
    cover : ndarray of float64 [nodes]
        Training rows that reach the node.
    roots : ndarray of int32 [trees]
        First node of each tree.
    base : float
        What is added to all leaves.
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    missing_left: np.ndarray
    value: np.ndarray
    cover: np.ndarray
    roots: np.ndarray
    base: float = 0.0

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            object.__setattr__(self, name, frozen(getattr(self, name), kind))
        self._check()

    def __len__(self) -> int:
        return len(self.roots)

    @property
    def ends(self) -> np.ndarray:
        """One past the last node of each tree, [trees]."""
        return np.append(self.roots[1:], len(self.feature))

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Return the sum of the leaves of each row, float64 [rows]."""
        from dlx._leaves import sum_leaves

        rows = np.ascontiguousarray(rows, dtype=np.float32)
        total = np.full(len(rows), self.base)
        sum_leaves(
            rows,
            np.maximum(self.feature, 0),
            self.threshold.astype(np.float32),
            self._children,
            self.missing_left,
            self.value,
            self.roots,
            self._depths,
            total,
        )
        return total

    @cached_property
    def _children(self) -> np.ndarray:
        itself = np.arange(len(self.feature), dtype=np.int32)
        is_leaf = self.feature == LEAF
        return np.column_stack([np.where(is_leaf, itself, child) for child in (self.left, self.right)]).ravel()

    @cached_property
    def _depths(self) -> np.ndarray:
        """Return the longest path of each tree, [trees]; children come after their parents."""
        depth = np.zeros(len(self.feature), dtype=np.int32)
        for node in np.flatnonzero(self.feature != LEAF):
            depth[self.left[node]] = depth[self.right[node]] = depth[node] + 1
        return np.maximum.reduceat(depth, self.roots)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by name, for saving."""
        return {name: getattr(self, name) for name in _KINDS} | {"base": np.array([self.base])}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Trees:
        """Return the trees that `arrays` described."""
        return cls(**{name: arrays[name] for name in _KINDS}, base=float(arrays["base"][0]))

    def for_shap(self) -> dict[str, Any]:
        """Return the trees as the dictionary that shap.TreeExplainer takes."""
        return {
            "trees": [self._one_for_shap(start, end) for start, end in zip(self.roots, self.ends, strict=True)],
            "base_offset": np.array([self.base]),
            "tree_output": "raw_value",
            "objective": "squared_error",
            "internal_dtype": np.float64,
            "input_dtype": np.float32,
        }

    def _one_for_shap(self, start: int, end: int) -> dict[str, np.ndarray]:
        nodes = slice(start, end)
        left, right = (np.where(child[nodes] == LEAF, LEAF, child[nodes] - start) for child in (self.left, self.right))
        return {
            "children_left": left,
            "children_right": right,
            "children_default": np.where(self.missing_left[nodes], left, right),
            "features": np.maximum(self.feature[nodes], 0),
            "thresholds": self.threshold[nodes].copy(),
            "values": self.value[nodes, None].copy(),
            "node_sample_weight": self.cover[nodes].copy(),
        }

    def _check(self) -> None:
        sizes = {name: len(getattr(self, name)) for name in _KINDS if name != "roots"}
        if len(set(sizes.values())) != 1 or not len(self.roots) or not len(self.feature):
            raise ValueError(f"trees need arrays of one length and a root, got {sizes} and {len(self.roots)} roots")
        if self.roots[0] != 0 or (np.diff(self.ends) <= 0).any() or self.roots[-1] >= len(self.feature):
            raise ValueError("the roots of the trees must start at node 0 and rise")
        if self.feature.min() < LEAF:
            raise ValueError(f"a node must ask a column, or be a leaf ({LEAF}), got {self.feature.min()}")
        leaf, here = self.feature == LEAF, np.arange(len(self.feature))
        end = np.repeat(self.ends, np.diff(np.append(self.roots, len(self.feature))))
        for child in (self.left, self.right):
            if (child[leaf] != LEAF).any() or (child[~leaf] <= here[~leaf]).any() or (child[~leaf] >= end[~leaf]).any():
                raise ValueError("a child must come after its parent, within its tree")
        for name in ("threshold", "value", "cover", "base"):
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"the {name}s of the trees must be finite")
        if (self.threshold != self.threshold.astype(np.float32)).any():
            raise ValueError("the thresholds of the trees must be float32 numbers; round them with trees.concatenate")


_KINDS = {
    "feature": np.int32,
    "threshold": np.float64,
    "left": np.int32,
    "right": np.int32,
    "missing_left": np.bool_,
    "value": np.float64,
    "cover": np.float64,
    "roots": np.int32,
}
assert set(_KINDS) == {field.name for field in fields(Trees)} - {"base"}


def concatenate(trees: Sequence[dict[str, np.ndarray]], base: float = 0.0) -> Trees:
    """Return trees of local node numbers as one, thresholds and values rounded to float32 without moving a row.

    Parameters
    ----------
    trees : sequence of dict
        The arrays of `Trees` without roots, children counted within the tree.
    base : float
        What is added to all leaves.
    """
    roots = np.concatenate([[0], np.cumsum([len(tree["feature"]) for tree in trees])[:-1]])
    joined = {name: np.concatenate([tree[name] for tree in trees]) for name in _KINDS if name != "roots"}
    for child in ("left", "right"):
        joined[child] = np.concatenate(
            [np.where(tree[child] == LEAF, LEAF, tree[child] + root) for tree, root in zip(trees, roots, strict=True)]
        )
    joined["threshold"] = float32_below(joined["threshold"])
    joined["value"] = joined["value"].astype(np.float32)
    return Trees(**joined, roots=roots, base=base)


def float32_below(threshold: np.ndarray) -> np.ndarray:
    """Return the largest finite float32 that is not above each threshold: finite float32 rows go the same way at both."""
    threshold = np.minimum(threshold, np.finfo(np.float32).max)
    rounded = threshold.astype(np.float32)
    return np.where(rounded > threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded).astype(np.float64)
