"""A random forest, by scikit-learn, as plain trees that add up to the probability."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dlx.dataset import Dataset
from dlx.model import TreeModel, trees_of
from dlx.trees import LEAF, Trees


def fit(
    train: Dataset,
    *,
    seed: int,
    weights: np.ndarray | None = None,
    trees: int = 200,
    max_depth: int = 8,
    min_rows: int = 3,
    smoothing: float = 1.0,
) -> TreeModel:
    """Return a random forest fitted to the training rows; the seed chooses the rows and columns that each tree sees.

    Parameters
    ----------
    train, seed, weights
        As in `dlx.architectures`.
    trees, max_depth, min_rows : int
        Number of trees, levels of a tree, and least training rows in a leaf.
    smoothing : float
        Rows of the base rate that each leaf is given in addition.
    """
    from sklearn.ensemble import RandomForestClassifier

    rows, outcomes = training_rows(train)
    forest = RandomForestClassifier(trees, max_depth=max_depth, min_samples_leaf=min_rows, random_state=seed)
    forest.fit(rows, outcomes, sample_weight=weights)
    smoothed = smoothed_trees(forest, float(np.average(outcomes, weights=weights)), smoothing)
    return TreeModel(smoothed, train.schema, "random_forest", scales=("probability", "logit"))


def training_rows(train: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return rows [rows, features] as the float32 numbers that our trees read, in float64, and outcomes [rows]."""
    assert train.outcomes is not None
    return train.rows.astype(np.float32).astype(np.float64), train.outcomes


def smoothed_trees(fitted: Any, base_rate: float, smoothing: float) -> Trees:
    """Return the mean probability of scikit-learn's tree or forest as a sum of trees.

    A leaf of n training rows, p of them positive, predicts (p + smoothing · base rate) / (n + smoothing): so no
    probability is exactly 0 or 1, and every logit is finite.
    """
    trees, _ = trees_of(fitted)
    share, count = trees.value * len(trees), trees.cover
    smoothed = (share * count + smoothing * base_rate) / (count + smoothing)
    return replace(trees, value=np.where(trees.feature == LEAF, smoothed / len(trees), 0.0)).in_float32()
