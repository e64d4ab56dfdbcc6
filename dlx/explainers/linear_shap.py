"""Linear SHAP of a linear model, by shap: coefficient times distance from the background's mean, exact.

Lundberg and Lee (2017), corollary 1, on the dense columns; one-hot columns are summed, with their signs, to the original
column, which for a linear model is the Shapley value of the original column too.
"""

from __future__ import annotations

import numpy as np

from dlx.explainers import ROWS, is_own_scale, refuse_other_scale
from dlx.explanation import Attribution, LocalAccuracy
from dlx.model import LinearModel, Scale

LABEL = "Linear SHAP"
LIBRARY = "shap"
PROMISE = LocalAccuracy(relative=1e-6)
IS_SHAPLEY = True
IS_RANDOM, KNOWS_ERROR = False, False
COST, PREFERENCE, EVALUATES = "low", 1, ROWS
exact_for = is_own_scale
QUESTION = "How far does each column's value, times its coefficient, lie from the average person's?"


def attribute(model: LinearModel, rows: np.ndarray, background: np.ndarray, *, scale: Scale, seed: int = 0) -> Attribution:
    """Return exact Shapley values of coded rows.

    Raises
    ------
    ScaleError
        If the model is not linear on the scale.
    """
    import shap

    del seed
    refuse_other_scale(model, scale)
    dense = model.encoder.transform(background).astype(np.float64)
    reference = shap.maskers.Independent(dense, max_samples=len(dense))
    explainer = shap.LinearExplainer((model.coefficients, model.intercept), reference)
    values = explainer.shap_values(model.encoder.transform(rows).astype(np.float64))
    return Attribution(
        values=model.encoder.fold(values),
        base_values=np.full(len(rows), float(np.ravel(explainer.expected_value)[0])),
        evaluations=len(rows) + len(background),
    )
