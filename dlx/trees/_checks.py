"""What the arrays of trees must be before anything walks them: no cycle, no node out of bounds, no two parents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from dlx.trees import Trees

LEAF = -1
NO_SET = -1
KINDS = {
    "feature": np.int32,
    "threshold": np.float64,
    "left": np.int32,
    "right": np.int32,
    "missing_left": np.bool_,
    "value": np.float64,
    "cover": np.float64,
    "roots": np.int32,
}
SETS = {"set_start": np.int32, "set_size": np.int32, "words": np.uint32}


def check(trees: Trees) -> None:
    """Raise a ValueError if the arrays are not those of trees."""
    by_node = {name: getattr(trees, name) for name in (*KINDS, "set_start", "set_size") if name != "roots"}
    sizes = {name: len(array) for name, array in by_node.items()}
    flat = all(array.ndim == 1 for array in (*by_node.values(), trees.roots, trees.words))
    if not flat or len(set(sizes.values())) != 1 or not len(trees.roots) or not len(trees.feature):
        raise ValueError(f"trees need arrays of one length and a root, got {sizes} and {len(trees.roots)} roots")
    if trees.roots[0] != 0 or (np.diff(trees.ends) <= 0).any() or trees.roots[-1] >= len(trees.feature):
        raise ValueError("the roots of the trees must start at node 0 and rise")
    if trees.feature.min() < LEAF:
        raise ValueError(f"a node must ask a column, or be a leaf ({LEAF}), got {trees.feature.min()}")
    _check_children(trees)
    for name in ("threshold", "value", "cover", "base"):
        if not np.isfinite(getattr(trees, name)).all():
            raise ValueError(f"the {name}s of the trees must be finite")
    _check_sets(trees)
    if len(trees.reading.absent) and trees.reading.absent[:, 0].max() > trees.feature.max():
        raise ValueError("what counts as missing must be of a column that the trees ask")


def _check_children(trees: Trees) -> None:
    leaf, here = trees.feature == LEAF, np.arange(len(trees.feature))
    end = np.repeat(trees.ends, np.diff(np.append(trees.roots, len(trees.feature))))
    for child in (trees.left, trees.right):
        if (child[leaf] != LEAF).any() or (child[~leaf] <= here[~leaf]).any() or (child[~leaf] >= end[~leaf]).any():
            raise ValueError("a child must come after its parent, within its tree")
    parents = np.bincount(np.concatenate([trees.left[~leaf], trees.right[~leaf], trees.roots]), minlength=len(leaf))
    if (parents != 1).any():
        raise ValueError("each node of the trees must have one parent")


def _check_sets(trees: Trees) -> None:
    asks, start, size = trees.has_set, trees.set_start.astype(np.int64), trees.set_size
    ends = (start + size)[asks]
    if (start < NO_SET).any() or (size < 0).any() or size[~asks].any() or ends.max(initial=0) > len(trees.words):
        raise ValueError("a set of codes must lie within the words of all sets")
    by_set, numeric = trees.feature[asks], trees.feature[~asks]
    if (by_set == LEAF).any() or np.isin(by_set, numeric).any():
        raise ValueError("a column must be split into sets by all of its nodes, or by thresholds")
