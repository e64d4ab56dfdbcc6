"""From scikit-learn's trees to ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlx.dataset import Dataset
from dlx.trees import LEAF, Trees, concatenate


def training_rows(train: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return rows [rows, features] as the float32 numbers that our trees read, in float64, and outcomes [rows]."""
    assert train.outcomes is not None
    return train.rows.astype(np.float32).astype(np.float64), train.outcomes


def averaged(fitted: Sequence[Any], base_rate: float, smoothing: float) -> Trees:
    """Return the mean probability of scikit-learn's classification trees as a sum of trees.

    A leaf of n training rows, p of them positive, predicts (p + smoothing · base rate) / (n + smoothing): so no
    probability is exactly 0 or 1, and every logit is finite.
    """
    return concatenate([_one(tree.tree_, base_rate, smoothing, len(fitted)) for tree in fitted]).in_float32()


def _one(tree: Any, base_rate: float, smoothing: float, share: int) -> dict[str, np.ndarray]:
    leaf, count = tree.children_left == LEAF, tree.weighted_n_node_samples
    share_positive = tree.value[:, 0, 1] / tree.value[:, 0].sum(axis=1)
    smoothed = (share_positive * count + smoothing * base_rate) / (count + smoothing)
    return {
        "feature": np.where(leaf, LEAF, tree.feature),
        "threshold": np.where(leaf, 0.0, tree.threshold),
        "left": tree.children_left,
        "right": tree.children_right,
        "missing_left": tree.missing_go_to_left.astype(bool),
        "value": np.where(leaf, smoothed, 0.0) / share,
        "cover": count,
    }
