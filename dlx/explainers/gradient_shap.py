"""Gradient SHAP of a net, by captum: integrated gradients with random references and random points on the path.

Lundberg and Lee's expected gradients, as captum samples them (Erion et al. 2021, equation 3). A sample of a few
gradients does not add up; its standard error says by how much.
"""

from __future__ import annotations

import numpy as np

from dlx.explainers import PATHS, MethodError
from dlx.explainers._captum import on_scale
from dlx.explainers._lookups import refuse_lookups
from dlx.explainers._randomness import seeded
from dlx.explanation import Attribution, LocalAccuracy
from dlx.model import NeuralModel, Scale

LABEL = "Gradient SHAP"
LIBRARY = "captum"
PROMISE = LocalAccuracy()
IS_SHAPLEY = False
IS_RANDOM, KNOWS_ERROR = True, True
COST, PREFERENCE, EVALUATES = "medium", 8, PATHS
RESTS_ON = "integrated_gradients"  # an average that is not valid has no valid sample
INSTEAD = ("integrated_gradients",)
QUESTION = "What do gradients at random points between reference people and this one add up to?"


def attribute(
    model: NeuralModel, rows: np.ndarray, background: np.ndarray, *, scale: Scale, seed: int = 0, n_samples: int = 1_000
) -> Attribution:
    """Return sampled expected gradients of coded rows, with standard errors.

    Parameters
    ----------
    model : NeuralModel
        The net.
    rows, background : ndarray [rows, features], [references, features]
        Coded.
    scale : {"logit", "probability", "value"}
        Unit of the contributions.
    seed : int
        Every row sees the same random references and points, so that the order of rows does not matter.
    n_samples : int
        Gradients a row, at least 2.

    Raises
    ------
    MethodError
        If the net looks up codes, where gradients are 0, or `n_samples` is less than 2.
    """
    from captum.attr import GradientShap

    if n_samples < 2:
        raise MethodError(f"n_samples must be at least 2, got {n_samples}")
    refuse_lookups("gradient_shap", model, rows, background)
    network = on_scale(model, scale)
    gradient_shap = GradientShap(lambda dense: network(dense).sum().reshape(1))
    references = model.dense(background)
    samples = np.empty((n_samples, len(rows), len(model.schema)))
    for i, person in enumerate(model.dense(rows)):
        with seeded(seed):
            drawn = gradient_shap.attribute(person.repeat(n_samples, 1), references, n_samples=1, stdevs=0.0)
        samples[:, i] = model.encoder.fold(drawn.detach().cpu().numpy())
    return Attribution(
        values=samples.mean(axis=0),
        base_values=np.full(len(rows), model.predict(background, scale, checked=True).mean()),
        evaluations=len(rows) * n_samples,
        standard_errors=samples.std(axis=0, ddof=1) / np.sqrt(n_samples),
    )
