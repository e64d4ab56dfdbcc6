"""Linear regression of a value on the encoder's dense columns, by scikit-learn: the model that all others must beat."""

from __future__ import annotations

import numpy as np

from dlx.dataset import Dataset
from dlx.encoder import Encoder
from dlx.model import LinearModel

TASKS = ("regression",)
READS_ALL = True  # of however many training rows: a draw would cost accuracy, and saves seconds


def fit(train: Dataset, *, seed: int, weights: np.ndarray | None = None, penalty: float = 10.0) -> LinearModel:
    """Return a linear regression fitted to the training rows; the penalty is the weight of the squared coefficients."""
    from sklearn.linear_model import Ridge

    del seed  # nothing is random
    encoder = Encoder.fit(train.schema, train.rows, train.weights)
    regression = Ridge(alpha=penalty)
    regression.fit(encoder.transform(train.rows).astype(np.float64), train.outcomes, sample_weight=weights)
    return LinearModel(regression.coef_, float(regression.intercept_), encoder, "linear_regression", ("value",))
