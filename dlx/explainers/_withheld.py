"""What the methods share that take columns away: how far the output falls without groups of them."""

from __future__ import annotations

import numpy as np

from dlx.explanation import Attribution
from dlx.kernels.shapley import Game
from dlx.model import Model, Scale


def withheld(model: Model, rows: np.ndarray, background: np.ndarray, scale: Scale, groups: np.ndarray) -> Attribution:
    """Return how far outputs fall on average without the groups that each column is in, its values from the reference rows.

    Parameters
    ----------
    model, rows, background, scale
        As of every method.
    groups : ndarray of bool [groups, features]
        Which columns are taken away together; each column is in one at least.
    """
    game = Game(model, rows, background, scale)
    worth, asked = game.worth(np.vstack([np.ones_like(groups[:1]), ~groups]))
    falls = worth[:, :1] - worth[:, 1:]
    return Attribution(falls @ groups / groups.sum(axis=0), evaluations=asked)
