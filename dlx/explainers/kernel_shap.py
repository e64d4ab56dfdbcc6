"""Kernel SHAP of any model, by shap: interventional Shapley values of the original columns.

Lundberg and Lee (2017), "A Unified Approach to Interpreting Model Predictions", theorem 2. With a budget of all 2^d
coalitions the values are exact. shap keeps ten features by default; here it keeps all (``l1_reg=0``).
"""

from __future__ import annotations

import logging

import numpy as np

from dlx.explainers._randomness import seeded
from dlx.explanation import Attribution, LocalAccuracy
from dlx.model import Model

LIBRARY = "shap"
PROMISE = LocalAccuracy(absolute=1e-6)
QUESTION = "How much does each column add, averaged over all orders in which columns could be made known?"


def attribute(
    model: Model, rows: np.ndarray, background: np.ndarray, *, scale: str, seed: int = 0, n_samples: int | None = None
) -> Attribution:
    """Return Kernel SHAP values of coded rows.

    Parameters
    ----------
    model : Model
        Anything that predicts.
    rows, background : ndarray [rows, features], [references, features]
        Coded.
    scale : {"logit", "probability", "value"}
        Unit of the contributions.
    seed : int
        Every row sees the same coalitions, so that the order of rows does not matter.
    n_samples : int, optional
        Coalitions a row; shap's own default, 2 d + 2,048, where None.
    """
    import shap

    logging.getLogger("shap").setLevel(logging.WARNING)
    evaluated = 0

    def predict(table: np.ndarray) -> np.ndarray:
        nonlocal evaluated
        evaluated += len(table)
        return model.predict(np.asarray(table, dtype=np.float64), scale)

    explainer = shap.KernelExplainer(predict, background)
    values = np.empty(rows.shape)
    for i, row in enumerate(rows):
        with seeded(seed):
            values[i] = explainer.shap_values(row, nsamples=n_samples or "auto", l1_reg=0, silent=True)
    return Attribution(
        values=values, base_values=np.full(len(rows), float(explainer.expected_value)), evaluations=evaluated
    )
