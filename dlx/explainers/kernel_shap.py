"""Kernel SHAP of any model, by shap: interventional Shapley values of the original columns.

Lundberg and Lee (2017), "A Unified Approach to Interpreting Model Predictions", theorem 2. With a budget of all 2^d
coalitions the values are exact. shap keeps ten features by default; here it keeps all, unless asked otherwise.
"""

from __future__ import annotations

import logging

import numpy as np

from dlx.explainers import MIXTURES, AsItComes, MethodError
from dlx.explainers._randomness import seeded
from dlx.explanation import Attribution, LocalAccuracy
from dlx.model import Model, Scale

LABEL = "Kernel SHAP"
LIBRARY = "shap"
PROMISE = LocalAccuracy(relative=1e-6)
IS_SHAPLEY = True
IS_RANDOM, KNOWS_ERROR = True, False
COST, PREFERENCE, EVALUATES = "high", 6, MIXTURES
AS_IT_COMES = AsItComes("centres", scale="probability", options={"sampling": {"n_features": 10}})  # shap 0.51, as it advises
COLUMNS_AT_ONCE = 32  # of a pattern of differences: with the number of a reference, they fit 64 bits
COMMON = (1e-4, 1e4)  # spreads of outputs at which shap's absolute limits say nothing
QUESTION = "How much does each column add, averaged over all orders in which columns could be made known?"


def exact_for(model: Model, scale: Scale) -> bool:
    """Whether the default budget tries all combinations of columns: of eleven."""
    del scale
    return bool(2 ** len(model.schema) <= 2 * len(model.schema) + 2_048)


def quick_options(columns: int) -> dict[str, int]:
    """Return a budget on which it still adds up."""
    return {"n_samples": max(512, 2 * columns)}


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
    model : Model
        Anything that predicts.
    rows, background : ndarray [rows, features], [references, features]
        Coded.
    scale : {"logit", "probability", "value"}
        Unit of the contributions.
    seed : int
        Every row sees the same coalitions, so that the order of rows does not matter.
    n_samples : int, optional
        Coalitions a row; shap's own default, 2 d + 2,048, where None.
    n_features : int, optional
        Columns that may differ from 0, chosen by lasso; shap's own default is 10, here it is all.
    """
    import shap

    kept = _kept(rows.shape[1], n_samples, n_features)
    logging.getLogger("shap").setLevel(logging.WARNING)
    game = _Ranked(model, rows, background, scale)
    explainer = shap.KernelExplainer(game.outputs, game.ranks[len(rows) :])
    values = np.empty(rows.shape)
    for i, row in enumerate(game.ranks[: len(rows)]):
        with seeded(seed):
            values[i] = explainer.shap_values(
                row, nsamples="auto" if n_samples is None else n_samples, l1_reg=kept, silent=True
            )
    return Attribution(
        values=values * game.unit,
        base_values=np.full(len(rows), float(explainer.expected_value) * game.unit),
        evaluations=game.evaluated,
    )


def _kept(columns: int, n_samples: int | None, n_features: int | None) -> int | str:
    """Return which columns shap keeps, as it is asked, or raise where the options make no sense."""
    if n_samples is not None and n_samples < 2 * columns:
        raise MethodError(f"n_samples must be at least twice the {columns} columns, got {n_samples}")
    if n_features is not None and n_features < 1:
        raise MethodError(f"n_features must be at least 1, got {n_features}")
    return 0 if n_features is None or n_features >= columns else f"num_features({n_features})"


class _Ranked:
    """People and references as shap sees them: ranks in place of values, and outputs in units of their spread.

    Ranks, because shap gives 0 to a column whose values it finds close: times in seconds, lengths in metres of 1e-9. And tiny
    outputs in units of their spread, because it gives 0 to a contribution below 1e-10.
    """

    def __init__(self, model: Model, rows: np.ndarray, background: np.ndarray, scale: Scale) -> None:
        self.columns = [np.unique(column, return_inverse=True) for column in np.concatenate([rows, background]).T]
        self.ranks = np.column_stack([rank for _, rank in self.columns]).astype(np.float64)  # [rows + references, features]
        self.model, self.scale, self.unit = model, scale, _unit(model, rows, background, scale)
        self.references, self.evaluated = self.ranks[len(rows) :], 0
        self.which = np.unique(self.references, axis=0, return_inverse=True)[1].ravel()

    def outputs(self, table: np.ndarray) -> np.ndarray:
        """Return the outputs of a person mixed with each reference, one row a reference; rows alike are asked once.

        Such a row is known by its reference and by where it differs from it: many people share a category, and many rows
        that replace one or two columns change none.
        """
        if len(table) % len(self.references):
            return self._asked(table)
        known = np.tile(self.which, len(table) // len(self.references))
        differs = (table.reshape(-1, *self.references.shape) != self.references).reshape(table.shape).astype(np.float64)
        for start in range(0, table.shape[1], COLUMNS_AT_ONCE):
            some = differs[:, start : start + COLUMNS_AT_ONCE]
            pattern = (some @ 2.0 ** np.arange(some.shape[1])).astype(np.int64)
            _, first, known = np.unique(known * 2**COLUMNS_AT_ONCE + pattern, return_index=True, return_inverse=True)
        return self._asked(table[first])[known]

    def _asked(self, table: np.ndarray) -> np.ndarray:
        self.evaluated += len(table)
        picked = [distinct[rank] for (distinct, _), rank in zip(self.columns, table.T.astype(np.intp), strict=True)]
        return self.model.predict(np.column_stack(picked), self.scale, checked=True) / self.unit


def _unit(model: Model, rows: np.ndarray, background: np.ndarray, scale: Scale) -> float:
    """Return the largest distance of an output from the mean reference, where that is far from 1; else 1, as shap has it."""
    references = model.predict(background, scale)
    outputs = np.concatenate([references, model.predict(rows, scale)])
    spread = float(np.abs(outputs - references.mean()).max())
    return 1.0 if spread == 0 or COMMON[0] <= spread <= COMMON[1] else spread
