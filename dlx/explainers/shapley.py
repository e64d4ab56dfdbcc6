"""Shapley values of any model by random orders of the original columns, with standard errors.

The permutation estimator of Castro, Gómez and Tejada (2009), each order paired with its reverse (Mitchell et al. 2022),
with orders of its own for every reference row. Unbiased; adds up exactly.
"""

from __future__ import annotations

import numpy as np

from dlx.explainers import MethodError
from dlx.explanation import Attribution, LocalAccuracy
from dlx.games import Game, sampled_values
from dlx.model import Model, Scale

LABEL = "Sampled Shapley values"
LIBRARY = "dlx"
PROMISE = LocalAccuracy(absolute=1e-6)
IS_SHAPLEY = True
QUESTION = "How much does each column add, averaged over random orders in which columns are made known?"
BATCH_ROWS = 4


def attribute(
    model: Model, rows: np.ndarray, background: np.ndarray, *, scale: Scale, seed: int = 0, rounds: int = 16
) -> Attribution:
    """Return sampled interventional Shapley values of coded rows, with standard errors.

    Parameters
    ----------
    model : Model
        Anything that predicts.
    rows, background : ndarray [rows, features], [references, features]
        Coded.
    scale : {"logit", "probability", "value"}
        Unit of the contributions.
    seed : int
        Every row sees the same orders, so that the order of rows does not matter.
    rounds : int
        Orders, each with its reverse, for every reference row; at least 2. Errors fall with the root of it.
    """
    if rounds < 2:
        raise MethodError(f"rounds must be at least 2, so that there is a standard error; got {rounds}")
    game = Game(model, rows, background, scale)
    sampled = sampled_values(game, rounds=rounds, seed=seed)
    return Attribution(
        values=sampled.values,
        base_values=np.full(len(rows), game.references().mean()),
        evaluations=sampled.evaluations,
        standard_errors=sampled.standard_errors,
    )
