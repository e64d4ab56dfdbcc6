"""Logistic regression on the encoder's dense columns, by scikit-learn: the model that all others must beat."""

from __future__ import annotations

import numpy as np

from dlx.dataset import Dataset
from dlx.encoder import Encoder
from dlx.model import LinearModel

MAX_ITERATIONS = 5_000


def fit(train: Dataset, *, seed: int, weights: np.ndarray | None = None, penalty: float = 10.0) -> LinearModel:
    """Return a logistic regression fitted to the training rows.

    Parameters
    ----------
    train : Dataset
        Rows with outcomes 0 and 1.
    seed : int
        Unused: nothing is random.
    weights : ndarray [rows], optional
        How much each row counts, with a mean of 1.
    penalty : float
        Weight of the squared coefficients.
    """
    from sklearn.linear_model import LogisticRegression

    del seed
    encoder = Encoder.fit(train.schema, train.rows)
    regression = LogisticRegression(C=1 / penalty, max_iter=MAX_ITERATIONS)
    regression.fit(encoder.transform(train.rows).astype(np.float64), train.outcomes, sample_weight=weights)
    return LinearModel(regression.coef_[0], float(regression.intercept_[0]), encoder, "logistic_regression")
