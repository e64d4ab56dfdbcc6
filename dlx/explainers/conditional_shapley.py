"""Conditional Shapley values: what each column tells of the prediction, its companions counted in.

``v(S) = E[f(X) | X_S = x_S]`` (Aas, Jullum and Løland 2021): what the model would predict on average for people who share
the known values. The other methods ask what it predicts where the unknown values are anybody's: true to the model, while this
is true to the data (Chen, Janizek, Lundberg and Lee 2020). Of columns that do not go together both give the same.

Prefer it where columns go together and rows that mix two people's values make no sense (a rent of one, the income of
another): here nobody is asked about such rows; or where what matters is what a value tells, not what changing it would do.
Copies share their credit. Do not take it for what the model reads, for reasons that a person can act on, or for fairness: a
column that the model never looks at gets credit where it goes along with one that it does.

How columns go together is judged from the background, of which 100 rows say little about 20 columns: pass 500 or more.
"""

from __future__ import annotations

import numpy as np

from dlx.explainers import MIXTURES, AsItComes, MethodError
from dlx.explanation import Attribution, LocalAccuracy
from dlx.kernels.shapley import (
    FEWEST,
    INDEPENDENCE,
    NEIGHBOURS,
    ROUTES,
    Game,
    best_route,
    conditional_values,
    held_out_errors,
    judging,
    usual_evaluations,
)
from dlx.model import Model, Scale

LABEL = "Conditional Shapley values"
LIBRARY = "dlx"
PROMISE = LocalAccuracy(relative=1e-6)
IS_SHAPLEY = False  # not of the game that all others ask about
TRUE_TO_DATA = True
IS_RANDOM, KNOWS_ERROR = True, True
COST, PREFERENCE, EVALUATES = "medium", 9, MIXTURES
AS_IT_COMES = AsItComes("training rows", options={"dependence": {}}, aligned={"dependence": {"route": INDEPENDENCE}})
QUESTION = "How much does each column tell of the prediction, with all that it tells of the other columns?"
BATCH_ROWS = 256  # each batch judges anew how columns go together


def evaluations_for(columns: int, references: int) -> int:
    """Return of how many mixed rows the model is asked by default: to judge the routes, once, and for a row."""
    return judging(references) + usual_evaluations(columns, references)


def attribute(
    model: Model,
    rows: np.ndarray,
    background: np.ndarray,
    *,
    scale: Scale,
    seed: int = 0,
    route: str | None = None,
    budget: int | None = None,
) -> Attribution:
    """Return conditional Shapley values of coded rows, with the standard errors of sampling; 0 where nothing was sampled.

    The base value is the mean prediction of the background, as with the other methods. The option `route` of the result is the
    one that was taken; its extras "held_out_<route>" are E[(f(X) - v(S))²] of each on background rows that it had not seen.
    What a small background gets wrong about the dependence is no part of the standard errors: replicates on other backgrounds
    show it.

    Parameters
    ----------
    model, rows, background, scale, seed
        As in `dlx.explainers`; the background tells how columns go together.
    route : {"copula", "neighbours", "independence"}, optional
        How the mean of unknown columns is judged: by a Gaussian copula of all columns (levels without an order ranked by their
        mean output), by the reference rows most alike, or not at all: then the values are interventional. By default the one
        of the smallest held-out error; independence where none gains on it beyond chance, or of fewer than 30 references.
    budget : int, optional
        Evaluations of the model a row, at least 2 (columns + 1) for each reference row; by default 64 + 4 times the columns.
        With these, errors were .015 to .05 of the values, the larger the more columns; with four times as many, a third of it.

    Raises
    ------
    MethodError
        If there is no such route, or the budget is too small.
    """
    least, game = 2 * (rows.shape[1] + 1) * len(background), Game(model, rows, background, scale)
    if route is not None and route not in ROUTES:
        raise MethodError(f"route must be one of {', '.join(ROUTES)}, got {route!r}")
    if budget is not None and budget < least:
        raise MethodError(f"budget must be at least {least}, 2 (columns + 1) for each reference row, got {budget}; raise it")
    is_judged = route in (None, NEIGHBOURS) and len(background) >= FEWEST and rows.shape[1] > 1
    errors = held_out_errors(game, seed=seed) if is_judged else {}
    chosen = best_route(errors, route)
    pairs = None if budget is None else budget // len(background) // 2
    found = conditional_values(game, chosen, pairs=pairs, seed=seed)
    told = {name: min(held.mean() for (other, _), held in errors.items() if other == name) for name in ROUTES if errors}
    return Attribution(
        values=found.values,
        base_values=np.full(len(rows), game.references().mean()),
        evaluations=found.evaluations,
        standard_errors=found.standard_errors,
        extras={f"held_out_{name}": np.full(len(rows), error) for name, error in told.items()}
        | {"enumerated": found.enumerated.astype(np.float64)},
        settled={"route": chosen[0]},
    )
