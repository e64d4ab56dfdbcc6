"""Exact Shapley values of any model: every coalition of the original columns is evaluated. The judge of the others.

Shapley (1953), on the interventional game of Lundberg and Lee (2017). The cost doubles with every column.
"""

from __future__ import annotations

import numpy as np

from dlx.explainers import MethodError
from dlx.explanation import Attribution, LocalAccuracy
from dlx.games import MOST_PLAYERS, Game, exact_values
from dlx.model import Model, Scale

LABEL = "Exact Shapley values"
LIBRARY = "dlx"
PROMISE = LocalAccuracy(absolute=1e-6)
IS_SHAPLEY = True
QUESTION = "How much does each column add, averaged over all orders, with every combination of columns tried?"
BATCH_ROWS = 1


def attribute(model: Model, rows: np.ndarray, background: np.ndarray, *, scale: Scale, seed: int = 0) -> Attribution:
    """Return exact interventional Shapley values of coded rows.

    Parameters
    ----------
    model : Model
        Anything that predicts.
    rows, background : ndarray [rows, features], [references, features]
        Coded; 16 features at most.
    scale : {"logit", "probability", "value"}
        Unit of the contributions.
    seed : int
        Unused: nothing is random.

    Raises
    ------
    MethodError
        If there are more than 16 features.
    """
    del seed
    if rows.shape[1] > MOST_PLAYERS:
        raise MethodError(
            f"exact_shapley tries every combination of at most {MOST_PLAYERS} columns, got {rows.shape[1]}; "
            "use shapley, which samples them and gives standard errors"
        )
    game = Game(model, rows, background, scale)
    return Attribution(
        values=exact_values(game),
        base_values=np.full(len(rows), game.references().mean()),
        evaluations=len(rows) * len(background) * (2 ** rows.shape[1] - 2),
        standard_errors=np.zeros(rows.shape),
    )
