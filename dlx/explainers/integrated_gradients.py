"""Integrated gradients of a net, averaged over the background: exact for a few layers of ReLUs; by captum as the reference.

Sundararajan, Taly and Yan (2017), "Axiomatic Attribution for Deep Networks", equation 1. The average over references is
the expectation of Erion et al. (2021), so that the base value is the one of SHAP. The path is straight in the dense
input; dense columns are summed, with their signs, to the original column.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch

from dlx.explainers import PATHS, AsItComes, refuse_below
from dlx.explainers._captum import average_over, copy_on_scale, on_scale
from dlx.explainers._lookups import refuse_lookups
from dlx.explanation import Attribution, LocalAccuracy
from dlx.kernels.gradients.paths import integrated_gradients
from dlx.model import NeuralModel, Scale

LABEL = "Integrated gradients"
LIBRARY = "captum"
PROMISE = LocalAccuracy(relative=0.01, remedy="the paths need more steps: raise n_steps")
MOST_DOUBLINGS = 5
BATCH_ROWS = 256
MIDPOINTS_OF_A_PIECE = 50
TOLERANCE = 0.25 * PROMISE.limit(1.0)
IS_SHAPLEY = False
IS_RANDOM, KNOWS_ERROR = False, False
COST, PREFERENCE, EVALUATES = "low", 2, PATHS
SHOWN_AS = "path"
AS_IT_COMES = AsItComes("zeros")  # captum 0.9: baselines=None; its 50 Gauss-Legendre steps differ by what both promise
QUESTION = "How much does each column add on a straight path from a reference person to this one?"


def attribute(
    model: NeuralModel, rows: np.ndarray, background: np.ndarray, *, scale: Scale, seed: int = 0, n_steps: int = 50
) -> Attribution:
    """Return integrated gradients of coded rows.

    Parameters
    ----------
    model, rows, background, scale, seed
        As in `dlx.explainers`.
    n_steps : int
        Midpoints on each path, at first; more for rows that do not add up yet. None are needed where the integral is a
        finite sum, and a fifth as many Gauss-Legendre points where the net is smooth. Of more than two or three layers of
        ReLUs, cells are taken in place of midpoints, as many as each row needs: the extra "integration_error" is what is
        estimated to be left, as a share of the row's largest contribution. Twice the steps are twice the cells.

    Raises
    ------
    MethodError
        If the net looks up codes, where gradients are 0, or `n_steps` is less than 1.
    """
    del seed
    refuse_below(1, n_steps=n_steps)
    refuse_lookups("integrated_gradients", model, rows, background)
    found = integrated_gradients(
        on_scale(model, scale),
        model.dense(rows),
        model.dense(background),
        pieces=math.ceil(n_steps / MIDPOINTS_OF_A_PIECE),
        tolerance=TOLERANCE,
    )
    return Attribution(
        values=model.encoder.fold(found.values),
        evaluations=found.evaluations,
        extras={} if found.errors is None else {"integration_error": found.errors},
    )


def reference(
    model: NeuralModel, rows: np.ndarray, background: np.ndarray, *, scale: Scale, seed: int = 0, n_steps: int = 50
) -> Attribution:
    """Return the same by captum's midpoint rule; steps are doubled for rows that do not add up, `MOST_DOUBLINGS` times at most.

    Parameters are those of `attribute`.
    """
    from captum.attr import IntegratedGradients

    del seed
    refuse_below(1, n_steps=n_steps)
    refuse_lookups("integrated_gradients", model, rows, background)
    network = copy_on_scale(model, scale)

    def summed(dense: torch.Tensor) -> torch.Tensor:
        """One sum for captum to differentiate instead of one output a row, which is what costs it its time."""
        return network(dense).sum().reshape(1)

    gradients = IntegratedGradients(summed, multiply_by_inputs=True)

    def integrated(some: np.ndarray, steps: int) -> Attribution:
        def one(persons: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
            return gradients.attribute(persons, references, n_steps=steps, method="riemann_middle")

        return average_over(one, model, some, background, evaluations_per_pair=steps)

    return _until_it_adds_up(integrated, n_steps, rows, model.predict(rows, scale), model.predict(background, scale))


def _until_it_adds_up(
    integrated: Callable[[np.ndarray, int], Attribution],
    n_steps: int,
    rows: np.ndarray,
    outputs: np.ndarray,
    references: np.ndarray,
) -> Attribution:
    """Return integrated gradients, with more steps for each row whose gap is above half of what is promised.

    A row's steps depend on itself and the background alone, so that they do not change with the rows beside it.
    """
    found = integrated(rows, n_steps)
    values, evaluations, base = found.values, found.evaluations, references.mean()
    spread = np.abs(references - base).mean()
    effect = np.full(len(rows), spread) if spread > 0 else np.abs(outputs - base)
    for doubling in range(1, MOST_DOUBLINGS + 1):
        gap = np.abs(outputs - base - values.sum(axis=1))
        open_rows = np.flatnonzero(gap > 0.5 * PROMISE.limit(1.0) * effect)
        if not len(open_rows):
            break
        finer = integrated(rows[open_rows], n_steps * 2**doubling)
        values[open_rows] = finer.values
        evaluations += finer.evaluations
    return Attribution(values, evaluations=evaluations)
