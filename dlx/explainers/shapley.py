"""Shapley values of any model, from some combinations of the original columns, with standard errors; exact where that is cheap.

Against every reference row, combinations are tried of the columns in which the person differs from it, each with its
complement (Covert and Lee 2021), and the values follow by regression: the posterior mean of a Gaussian process that
believes main effects to be large and interactions to be small (see `kernels.shapley.prior`). All combinations are tried
where there are no more of them. Adds up exactly.
"""

from __future__ import annotations

import numpy as np

from dlx.explainers import MIXTURES, MethodError
from dlx.explanation import Attribution, LocalAccuracy
from dlx.kernels.shapley import Game, sampled_values, tolerated_values, usual_evaluations
from dlx.model import Model, Scale

LABEL = "Sampled Shapley values"
LIBRARY = "dlx"
PROMISE = LocalAccuracy(relative=1e-6)
IS_SHAPLEY = True
IS_RANDOM, KNOWS_ERROR = True, True
COST, PREFERENCE, EVALUATES = "medium", 4, MIXTURES
evaluations_for = usual_evaluations
QUESTION = "How much does each column add, averaged over all orders, judged from some combinations of columns?"


def exact_for(model: Model, scale: Scale) -> bool:
    """Whether all combinations of columns are tried by default: of six columns."""
    del scale
    return bool(2 ** len(model.schema) <= 64 + 4 * len(model.schema))


def attribute(
    model: Model,
    rows: np.ndarray,
    background: np.ndarray,
    *,
    scale: Scale,
    seed: int = 0,
    budget: int | None = None,
    tolerance: float | None = None,
) -> Attribution:
    """Return interventional Shapley values of coded rows, with standard errors; 0 where all combinations were tried.

    Whether they were is told of each row by the extra "enumerated", 1 or 0.

    Parameters
    ----------
    model, rows, background, scale, seed
        As in `dlx.explainers`.
    budget : int, optional
        Evaluations of the model a row, at least 2 (columns + 1) for each reference row. By default so many that the error
        is about a hundredth of the contributions of a net: 64 + 4 times the columns that differ, for each reference row.
    tolerance : float, optional
        Instead of a budget: go on until the standard errors of a row are, in length, this share of its contributions, or
        until 16,384 evaluations for each reference row, of more than 64 columns fewer.

    Raises
    ------
    MethodError
        If the budget is too small, or the tolerance is no share, or both are given.
    """
    _refuse(budget, tolerance, least=2 * (rows.shape[1] + 1), references=len(background))
    game = Game(model, rows, background, scale)
    if tolerance is not None:
        found = tolerated_values(game, tolerance=tolerance, seed=seed)
    else:
        found = sampled_values(game, pairs=None if budget is None else max(1, budget // len(background) // 2), seed=seed)
    return Attribution(
        values=found.values,
        base_values=np.full(len(rows), game.references().mean()),
        evaluations=found.evaluations,
        standard_errors=found.standard_errors,
        extras={"enumerated": found.enumerated.astype(np.float64)},
    )


def _refuse(budget: int | None, tolerance: float | None, *, least: int, references: int) -> None:
    if budget is not None and tolerance is not None:
        raise MethodError(f"pass a budget or a tolerance, not both; got budget={budget} and tolerance={tolerance}")
    if budget is not None and budget < least * references:
        raise MethodError(
            f"budget must be at least {least * references}, 2 (columns + 1) = {least} for each of {references} reference rows, "
            f"got {budget}; raise it, or pass fewer reference rows"
        )
    if tolerance is not None and not 0 < tolerance < 1:
        raise MethodError(f"tolerance must be a share of the contributions between 0 and 1, got {tolerance}")
