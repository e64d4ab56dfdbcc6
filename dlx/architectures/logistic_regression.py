"""Logistic regression on the encoder's dense columns, by scikit-learn: the model that all others must beat."""

from __future__ import annotations

import numpy as np

from dlx.dataset import Dataset
from dlx.encoder import Encoder
from dlx.model import LinearModel

TASKS = ("binary", "multiclass")
READS_ALL = True  # of however many training rows: a draw would cost accuracy, and saves seconds


def fit(train: Dataset, *, seed: int, weights: np.ndarray | None = None, penalty: float = 10.0) -> LinearModel:
    """Return a logistic regression fitted to the training rows; the penalty is the weight of the squared coefficients."""
    from sklearn.linear_model import LogisticRegression

    del seed  # nothing is random
    encoder = Encoder.fit(train.schema, train.rows, train.weights)
    regression = LogisticRegression(C=1 / penalty, max_iter=5_000)
    regression.fit(encoder.transform(train.rows).astype(np.float64), train.outcomes, sample_weight=weights)
    return LinearModel(regression.coef_[0], float(regression.intercept_[0]), encoder, "logistic_regression")
