"""Integrated gradients of a net, by captum, averaged over the background.

Sundararajan, Taly and Yan (2017), "Axiomatic Attribution for Deep Networks", equation 1. The average over references is
the expectation of Erion et al. (2021), so that the base value is the one of SHAP. The path is straight in the dense
input; dense columns are summed, with their signs, to the original column.
"""

from __future__ import annotations

import numpy as np
import torch

from dlx.explainers._captum import average_over, on_scale
from dlx.explanation import Attribution, LocalAccuracy
from dlx.model import NeuralModel, Scale

LABEL = "Integrated gradients"
LIBRARY = "captum"
PROMISE = LocalAccuracy(relative=0.01)
QUESTION = "How much does each column add on a straight path from a reference person to this one?"


def attribute(
    model: NeuralModel, rows: np.ndarray, background: np.ndarray, *, scale: Scale, seed: int = 0, n_steps: int = 50
) -> Attribution:
    """Return integrated gradients of coded rows.

    Parameters
    ----------
    model : NeuralModel
        The net.
    rows, background : ndarray [rows, features], [references, features]
        Coded.
    scale : {"logit", "probability", "value"}
        Unit of the contributions.
    seed : int
        Unused: nothing is random.
    n_steps : int
        Points on each path, midpoint rule.
    """
    from captum.attr import IntegratedGradients

    del seed
    network = on_scale(model, scale)

    def summed(dense: torch.Tensor) -> torch.Tensor:
        """One sum for captum to differentiate instead of one output a row, which is what costs it its time."""
        return network(dense).sum().reshape(1)

    gradients = IntegratedGradients(summed, multiply_by_inputs=True)

    def one(persons: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
        return gradients.attribute(persons, references, n_steps=n_steps, method="riemann_middle")

    return average_over(one, model, rows, background, scale, evaluations_per_pair=n_steps)
