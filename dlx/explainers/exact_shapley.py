"""Exact Shapley values of any model: every coalition of the original columns is evaluated. The ground truth for all others.

Shapley (1953), on the interventional game of Lundberg and Lee (2017). The cost doubles with every column in which a person
and a reference row differ; where they are alike, nothing is to be tried.
"""

from __future__ import annotations

import numpy as np

from dlx.explainers import MIXTURES, MethodError
from dlx.explanation import Attribution, LocalAccuracy
from dlx.kernels.shapley import MOST_PLAYERS, Game, evaluations, exact_values
from dlx.model import Model, Scale

LABEL = "Exact Shapley values"
LIBRARY = "dlx"
PROMISE = LocalAccuracy(relative=1e-6)
IS_SHAPLEY = True
IS_RANDOM, KNOWS_ERROR = False, True
COST, PREFERENCE, EVALUATES = "high", 5, MIXTURES
QUESTION = "How much does each column add, averaged over all orders, with every combination of columns tried?"
BATCH_ROWS = 8
MOST_DIFFERING = 20  # columns: a million combinations


def exact_for(model: Model, scale: Scale) -> bool:
    """Whether trying all combinations of the columns is a matter of seconds."""
    del scale
    return len(model.schema) <= MOST_PLAYERS


def evaluations_for(columns: int, references: int) -> int:
    """Return of how many mixed rows the model is asked for a row that differs in all columns, or in as many as are taken."""
    return references << min(columns, MOST_DIFFERING)


def attribute(model: Model, rows: np.ndarray, background: np.ndarray, *, scale: Scale, seed: int = 0) -> Attribution:
    """Return exact interventional Shapley values of coded rows.

    Raises
    ------
    MethodError
        If a person and a reference row differ in more than 20 columns.
    """
    del seed
    game = Game(model, rows, background, scale)
    most = game.differing().sum(axis=2).max(initial=0)
    if most > MOST_DIFFERING:
        raise MethodError(
            f"exact_shapley tries every combination of the columns in which a person and a reference row differ, "
            f"{MOST_DIFFERING} at most, got {most}; use shapley, which tries some of them and gives standard errors"
        )
    return Attribution(
        values=exact_values(game),
        base_values=np.full(len(rows), game.references().mean()),
        evaluations=evaluations(game),
        standard_errors=np.zeros(rows.shape),
    )
