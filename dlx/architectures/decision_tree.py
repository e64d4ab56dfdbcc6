"""One small decision tree, by scikit-learn: a model that can be read without any method."""

from __future__ import annotations

import numpy as np

from dlx.architectures.random_forest import placed, smoothed_trees, training_rows
from dlx.dataset import Dataset
from dlx.model import Scale, TreeModel
from dlx.model.base import scales_from

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

    rows, outcomes = training_rows(train)
    own: Scale = "value" if train.schema.target.kind == "regression" else "probability"
    kind = DecisionTreeRegressor if own == "value" else DecisionTreeClassifier
    tree = kind(max_depth=max_depth, min_samples_leaf=min_rows, random_state=seed)
    tree.fit(rows, outcomes, sample_weight=weights)
    alone = smoothed_trees(tree, float(np.average(outcomes, weights=weights)), smoothing)
    return TreeModel(placed(alone, train.schema), train.schema, "decision_tree", scales=scales_from(own))
