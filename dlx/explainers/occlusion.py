"""Occlusion: how far the output falls when columns that stand side by side are taken away together.

Zeiler and Fergus (2014), "Visualizing and Understanding Convolutional Networks", section 4.2, slid a grey square over a
picture; captum's Occlusion slides a window over any input, and gives each place the mean fall of the windows that hold it. Of a
table, a window is some columns in the order of the schema; they take their values from one reference row after the other, and
falls are averaged over these. A window of one column is `ablation`.

Prefer it to ablation where neighbours do the same work (amounts month by month) and stand in for each other. It rests on the
order of the columns, as no other method does. A column that nobody reads gets the mean fall of its neighbours, and columns at
either end are in fewer windows. What it gives does not add up to the prediction.
"""

from __future__ import annotations

import numpy as np
import torch

from dlx.explainers import MIXTURES, MethodError, ablation
from dlx.explanation import Attribution, LocalAccuracy
from dlx.kernels.shapley import Game
from dlx.model import Model, Scale

LABEL = "Occlusion"
LIBRARY = "captum"
PROMISE = LocalAccuracy()
IS_SHAPLEY = False
ONE_AT_A_TIME = True
IS_RANDOM, KNOWS_ERROR = False, False
COST, PREFERENCE, EVALUATES = "low", 11, MIXTURES
evaluations_for = ablation.evaluations_for
QUESTION = "How far does the prediction fall without this column and its neighbours in the table?"


def attribute(
    model: Model, rows: np.ndarray, background: np.ndarray, *, scale: Scale, seed: int = 0, window: int = 2
) -> Attribution:
    """Return the mean fall of the output without each of the windows that a column is in, of coded rows.

    Parameters
    ----------
    model, rows, background, scale, seed
        As in `dlx.explainers`; the columns of a window have the values of one reference row after the other.
    window : int
        How many columns are taken away together; all, where there are no more.

    Raises
    ------
    MethodError
        If `window` is less than 1.
    """
    del seed
    return ablation.withheld(model, rows, background, scale, windows(rows.shape[1], window))


def reference(
    model: Model, rows: np.ndarray, background: np.ndarray, *, scale: Scale, seed: int = 0, window: int = 2
) -> Attribution:
    """Return the same by captum, of which columns are the person's (ones) and which the background's (zeros)."""
    from captum.attr import Occlusion

    del seed
    people, falls = torch.ones(1, rows.shape[1], dtype=torch.float64), []
    width = int(windows(rows.shape[1], window)[0].sum())
    for row in rows:
        game = Game(model, row[None], background, scale)
        occlusion = Occlusion(lambda some, game=game: torch.as_tensor(game.worth(some.numpy() > 0)[0][0]))
        falls.append(occlusion.attribute(people, sliding_window_shapes=(width,))[0].numpy())
    return Attribution(np.array(falls))


def windows(columns: int, window: int) -> np.ndarray:
    """Return which columns are in each window, bool [windows, columns]: from left to right, by one column each time."""
    if window < 1:
        raise MethodError(f"window must be at least 1 column, got {window}")
    starts = np.arange(max(1, columns - window + 1))[:, None]
    return (np.arange(columns) >= starts) & (np.arange(columns) < starts + window)
