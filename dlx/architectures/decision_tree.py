"""One small decision tree, by scikit-learn: a model that can be read without any method."""

from __future__ import annotations

import numpy as np

from dlx.architectures.random_forest import grown
from dlx.dataset import Dataset
from dlx.model import TreeModel

READS_ALL = True  # of however many training rows: a draw would cost accuracy, and saves seconds


def fit(
    train: Dataset,
    *,
    seed: int,
    weights: np.ndarray | None = None,
    max_depth: int = 4,
    min_rows: int = 20,
    smoothing: float = 1.0,
) -> TreeModel:
    """Return a decision tree fitted to the training rows; the seed chooses between splits that are equally good.

    Parameters
    ----------
    train, seed, weights
        As in `dlx.architectures`.
    max_depth, min_rows : int
        Levels of the tree, and least training rows in a leaf.
    smoothing : float
        Rows of the base rate, or of the mean value, that each leaf is given in addition.
    """
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    kinds = (DecisionTreeClassifier, DecisionTreeRegressor)
    limits = {"max_depth": max_depth, "min_samples_leaf": min_rows, "random_state": seed}
    return grown("decision_tree", kinds, train, weights, smoothing, **limits)
