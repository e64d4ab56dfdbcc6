"""Gradient-boosted trees, by scikit-learn, as plain trees that add up to the logit, or to the value.

Categories are split by their codes: shap's TreeExplainer is silently wrong on scikit-learn's native categories.
"""

from __future__ import annotations

import numpy as np

from dlx.architectures.random_forest import LOWEST, placed, training_rows
from dlx.dataset import Dataset
from dlx.model import TreeModel, trees_of
from dlx.model.base import scales_from
from dlx.schema import Feature

MOST_VALUES = 255  # of a column, up to which scikit-learn bins each by itself


def fit(
    train: Dataset,
    *,
    seed: int,
    weights: np.ndarray | None = None,
    monotone: np.ndarray | None = None,
    trees: int = 150,
    learning_rate: float = 0.05,
    leaves: int = 4,
    min_rows: int = 20,
    l2: float = 1.0,
) -> TreeModel:
    """Return boosted trees fitted to the training rows; the seed chooses the rows that set the bins of large tables.

    Parameters
    ----------
    train, seed, weights, monotone
        As in `dlx.architectures`; a missing value is not bound.
    trees, leaves, min_rows : int
        Number of trees, most leaves of a tree, and least training rows in a leaf.
    learning_rate, l2 : float
        Share of each tree's step that is taken, and shrinkage of the leaves.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    rows, outcomes = training_rows(train)
    rows = np.column_stack([_with_codes_apart(f, column) for f, column in zip(train.schema.features, rows.T, strict=True)])
    kind = HistGradientBoostingRegressor if train.schema.target.kind == "regression" else HistGradientBoostingClassifier
    boosted = kind(
        learning_rate=learning_rate,
        max_iter=trees,
        max_leaf_nodes=leaves,
        min_samples_leaf=min_rows,
        l2_regularization=l2,
        categorical_features=None,
        monotonic_cst=monotone,
        early_stopping=False,
        random_state=seed,
    )
    boosted.fit(rows, outcomes, sample_weight=weights)
    grown, own = trees_of(boosted)
    trees_of_rows = placed(grown.in_float32(), train.schema)
    return TreeModel(trees_of_rows, train.schema, "gradient_boosting", scales=scales_from(own))


def _with_codes_apart(feature: Feature, column: np.ndarray) -> np.ndarray:
    """Return a column [rows] whose numbers leave a bin to each special value: a rare code would share one with others.

    Numbers are moved to the nearest of their quantiles, which are so many that no bin is left over.
    """
    known = column > LOWEST
    if not feature.special or len(np.unique(column[known])) + len(feature.special) <= MOST_VALUES:
        return column
    shares = np.linspace(0, 1, MOST_VALUES - len(feature.special))
    kept = np.unique(np.quantile(column[known], shares, method="nearest"))
    column[known] = kept[np.searchsorted((kept[1:] + kept[:-1]) / 2, column[known])]
    return column
