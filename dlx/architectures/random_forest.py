"""A random forest, by scikit-learn, as plain trees that add up to the probability."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dlx.dataset import Dataset
from dlx.model import Scale, TreeModel, trees_of
from dlx.model.base import scales_from
from dlx.schema import Schema
from dlx.trees import LEAF, Reading, Trees

LOWEST = -(2.0**120)  # below the numbers of any table, of which float32 has some more


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
        Rows of the base rate, or of the mean value, that each leaf is given in addition.
    """
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    kinds = (RandomForestClassifier, RandomForestRegressor)
    limits = {"n_estimators": trees, "max_depth": max_depth, "min_samples_leaf": min_rows, "random_state": seed}
    return grown("random_forest", kinds, train, weights, smoothing, **limits)


def grown(
    name: str, kinds: tuple[Any, Any], train: Dataset, weights: np.ndarray | None, smoothing: float, **limits: int
) -> TreeModel:
    """Return trees of scikit-learn's, of its kind for classes or of that for values, fitted to the training rows."""
    rows, outcomes = training_rows(train)
    own: Scale = "value" if train.schema.target.kind == "regression" else "probability"
    fitted = kinds[own == "value"](**limits).fit(rows, outcomes, sample_weight=weights)
    smoothed = smoothed_trees(fitted, float(np.average(outcomes, weights=weights)), smoothing)
    return TreeModel(placed(smoothed, train.schema), train.schema, name, scales=scales_from(own))


def training_rows(train: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return rows [rows, features] as the float32 numbers that our trees read, in float64, and outcomes [rows]."""
    assert train.outcomes is not None
    return _reading(train.schema).read(train.rows).astype(np.float64), train.outcomes


def placed(trees: Trees, schema: Schema) -> Trees:
    """Return trees grown on `training_rows` as trees that read coded rows of the schema, special values included."""
    return replace(trees, reading=_reading(schema))


def _reading(schema: Schema) -> Reading:
    """Return how our trees read rows: special values below all numbers, so that one split parts them from these."""
    codes = [(i, code, k * LOWEST) for i, f in enumerate(schema.features) for k, code in enumerate(f.special_codes, 1)]
    return Reading("float32", placed=np.array(codes, dtype=np.float64).reshape(-1, 3))


def smoothed_trees(fitted: Any, base_rate: float, smoothing: float) -> Trees:
    """Return the mean probability, or value, of scikit-learn's tree or forest as a sum of trees.

    A leaf of n training rows, p of them positive, predicts (p + smoothing · base rate) / (n + smoothing): so no
    probability is exactly 0 or 1, and every logit is finite. Of values p is their sum, and the mean stands for the base rate.
    """
    trees, _ = trees_of(fitted)
    share, count = trees.value * len(trees), trees.cover
    smoothed = (share * count + smoothing * base_rate) / (count + smoothing)
    return replace(trees, value=np.where(trees.feature == LEAF, smoothed / len(trees), 0.0)).in_float32()
