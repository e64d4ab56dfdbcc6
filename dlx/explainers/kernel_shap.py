"""Kernel SHAP of any model, by shap: interventional Shapley values of the original columns.

Lundberg and Lee (2017), "A Unified Approach to Interpreting Model Predictions", theorem 2. With a budget of all 2^d
coalitions the values are exact. shap keeps ten features by default; here it keeps all, unless asked otherwise.
"""

from __future__ import annotations

import numpy as np

from dlx.arrays import seeded
from dlx.explainers import MIXTURES, AsItComes, MethodError, refuse_below
from dlx.explanation import Attribution, LocalAccuracy
from dlx.kernels.shapley import Game
from dlx.model import Model, Scale

LABEL = "Kernel SHAP"
LIBRARY = "shap"
PROMISE = LocalAccuracy(relative=1e-6)
IS_SHAPLEY = True
IS_RANDOM, KNOWS_ERROR = True, False
COST, PREFERENCE, EVALUATES = "high", 6, MIXTURES
AS_IT_COMES = AsItComes("centres", scale="probability", options={"sampling": {"n_features": 10}})  # shap 0.51, as it advises
COMMON = (1e-4, 1e4)  # spreads of outputs at which shap's absolute limits say nothing
QUESTION = "How much does each column add, averaged over all orders in which columns could be made known?"


def exact_for(model: Model, scale: Scale) -> bool:
    """Whether the default budget tries all combinations of columns: of eleven."""
    del scale
    return bool(2 ** len(model.schema) <= 2 * len(model.schema) + 2_048)


def quick_options(columns: int) -> dict[str, int]:
    """Return a budget on which it still adds up."""
    return {"n_samples": max(512, 2 * columns)}


def evaluations_for(columns: int, references: int) -> int:
    """Return of how many mixed rows the model is asked for a row on the quick budget."""
    return references * min(2**columns, quick_options(columns)["n_samples"])


def attribute(
    model: Model,
    rows: np.ndarray,
    background: np.ndarray,
    *,
    scale: Scale,
    seed: int = 0,
    n_samples: int | None = None,
    n_features: int | None = None,
) -> Attribution:
    """Return Kernel SHAP values of coded rows.

    Parameters
    ----------
    model, rows, background, scale, seed
        As in `dlx.explainers`.
    n_samples : int, optional
        Coalitions a row; shap's own default, 2 d + 2,048, where None.
    n_features : int, optional
        Columns that may differ from 0, chosen by lasso; shap's own default is 10, here it is all.
    """
    kept, game = _kept(rows.shape[1], n_samples, n_features), Game(model, rows, background, scale)
    references = game.references()
    base, values, asked = references.mean(), np.empty(rows.shape), len(rows) + len(references)
    unit = _unit(np.append(references, game.outputs()) - base)
    varying, group = np.unique(game.differing().any(axis=1), axis=0, return_inverse=True)
    for i, players in enumerate(varying):  # with the same seed, who vary in the same columns see the same coalitions
        some = np.flatnonzero(group.ravel() == i)
        coalitions = _Coalitions(Game(model, rows[some], background, scale), unit)
        for coalitions.person, row in enumerate(some):
            with seeded(seed):
                values[row] = _by_shap(coalitions, players, n_samples, kept)
        asked += coalitions.asked
    return Attribution(values=values * unit, base_values=np.full(len(rows), base), evaluations=asked)


def _by_shap(coalitions: _Coalitions, players: np.ndarray, n_samples: int | None, kept: int | str) -> np.ndarray:
    """Return shap's values of a game, [columns]: a person of ones, against one reference of zeros."""
    import shap

    explainer = shap.KernelExplainer(coalitions.worth, np.zeros((1, len(players))))
    how = {"nsamples": "auto" if n_samples is None else n_samples, "l1_reg": kept, "silent": True}
    return explainer.shap_values(players.astype(np.float64), **how)


def _kept(columns: int, n_samples: int | None, n_features: int | None) -> int | str:
    """Return which columns shap keeps, as it is asked, or raise where the options make no sense."""
    if n_samples is not None and n_samples < 2 * columns:
        raise MethodError(f"n_samples must be at least twice the {columns} columns, got {n_samples}")
    refuse_below(1, n_features=n_features)
    return 0 if n_features is None or n_features >= columns else f"num_features({n_features})"


class _Coalitions:
    """What coalitions are worth to people who are explained in turn and asked the same, in units of their spread."""

    def __init__(self, game: Game, unit: float) -> None:
        self.game, self.unit, self.person, self.asked = game, unit, 0, 0
        self.known: dict[bytes, np.ndarray] = {}

    def worth(self, members: np.ndarray) -> np.ndarray:
        """Return what coalitions [coalitions, players] of ones and zeros are worth to the person, [coalitions]."""
        joined = members.astype(bool)
        if (key := joined.tobytes()) not in self.known:
            worth, asked = self.game.worth(joined)
            self.known[key], self.asked = worth / self.unit, self.asked + asked
        return self.known[key][self.person]


def _unit(effects: np.ndarray) -> float:
    """Return the largest effect, where it is far from 1; else 1, as shap has it: it gives 0 to a contribution below 1e-10."""
    spread = float(np.abs(effects).max())
    return 1.0 if spread == 0 or COMMON[0] <= spread <= COMMON[1] else spread
