"""A random forest, by scikit-learn, as plain trees that add up to the probability."""

from __future__ import annotations

import numpy as np

from dlx.architectures._sklearn import averaged, training_rows
from dlx.dataset import Dataset
from dlx.model import TreeModel


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
    """Return the forest, fitted.

    Parameters
    ----------
    train : Dataset
        Rows with outcomes 0 and 1.
    seed : int
        Seed of the rows and columns that each tree sees.
    weights : ndarray [rows], optional
        How much each row counts, with a mean of 1.
    trees, max_depth, min_rows : int
        Number of trees, levels of a tree, and least training rows in a leaf.
    smoothing : float
        Rows of the base rate that each leaf is given in addition.
    """
    from sklearn.ensemble import RandomForestClassifier

    rows, outcomes = training_rows(train)
    forest = RandomForestClassifier(trees, max_depth=max_depth, min_samples_leaf=min_rows, random_state=seed)
    forest.fit(rows, outcomes, sample_weight=weights)
    together = averaged(forest.estimators_, float(np.average(outcomes, weights=weights)), smoothing)
    return TreeModel(together, train.schema, "random_forest", scales=("probability", "logit"))
