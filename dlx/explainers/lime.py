"""LIME of any model, all rows at once, as contributions against the background.

Ribeiro, Singh and Guestrin (2016), "Why Should I Trust You?", equation 1, with lime's tabular sampler: numeric columns in
quartile bins, a person's column "present" in a sample that falls into the same bin (or level). The surrogate is linear
in presence, so column j contributes ``w_j (1 - share of the background in the person's bin)``: its effect at the person
minus its average effect over the background. lime returns ``w_j`` alone, the slope of the surrogate in presence, which has
another unit and another zero: ``units="lime"``.

A missing value is a bin, or a level, of its own, and so is a special value. What the surrogate gives for the person is base
value + contributions; with its R2 among the samples, it is in the explanation's `extras`.
"""

from __future__ import annotations

import numpy as np

from dlx.explainers import RANDOM_PEOPLE, AsItComes, MethodError, refuse_below
from dlx.explanation import Attribution, LocalAccuracy
from dlx.kernels.lime import local_surrogates
from dlx.model import Model, Scale

LABEL = "LIME"
LIBRARY = "lime"
PROMISE = LocalAccuracy()
UNITS = ("contribution", "lime")
IS_SHAPLEY = False
IS_RANDOM, KNOWS_ERROR = True, False
COST, PREFERENCE, EVALUATES = "medium", 7, RANDOM_PEOPLE
SHOWN_AS = "cloud"
AS_IT_COMES = AsItComes(  # lime 0.2
    "training rows",
    scale="probability",
    options={"unit": {"units": "lime"}, "sampling": {"n_features": 10, "repaired": False}},
    aligned={"sampling": {"n_samples": 25_000}},
    complete_only=("repaired",),
)
QUESTION = "Which columns move a linear model that imitates the model among random people, near ones counting most?"
OURS = {"repaired": True}  # what our kernel computes; with other options lime does
BATCH_ROWS = 2_048  # each batch predicts the samples anew


def evaluations_for(columns: int, references: int) -> int:
    """Return of how many samples the model is asked for a row by default."""
    del columns, references
    return 5_000


def attribute(
    model: Model,
    rows: np.ndarray,
    background: np.ndarray,
    *,
    scale: Scale,
    seed: int = 0,
    n_samples: int = 5_000,
    n_features: int | None = None,
    units: str = "contribution",
    repaired: bool = True,
) -> Attribution:
    """Return LIME contributions of coded rows.

    Parameters
    ----------
    model, rows, background, scale, seed
        As in `dlx.explainers`; quartiles and samples come from the background. A level, or bin, that nobody in it has gets the
        mean effect of taking it.
    n_samples : int
        Samples that all rows share, the row itself included.
    n_features : int, optional
        Columns that may differ from 0, chosen as lime does; lime's own default is 10, here it is all.
    units : {"contribution", "lime"}
        Contributions against the background, or lime's weights with the surrogate's intercept as base value.
    repaired : bool
        Sample a bin that holds one value at that value; lime itself samples it at 0. Without the repair nothing may be
        missing, and the lime package computes.
    """
    assert repaired, "see OURS"
    _check_options(n_samples, n_features, units)
    made = local_surrogates(model, rows, background, scale, seed=seed, n_samples=n_samples, n_features=n_features)
    return _attribution(made.weights, made.intercepts, made.r2, made.shares, units, made.evaluations)


def reference(
    model: Model,
    rows: np.ndarray,
    background: np.ndarray,
    *,
    scale: Scale,
    seed: int = 0,
    n_samples: int = 5_000,
    n_features: int | None = None,
    units: str = "contribution",
    repaired: bool = True,
) -> Attribution:
    """Return what `attribute` does by the lime package, a row at a time; parameters are the same.

    Every row sees the same random numbers. A row with a level, or bin, that nobody in the background has joins lime's table:
    the level would otherwise occur in no sample, and its weight be noise.
    """
    from dlx.explainers._lime import CompleteCodes, explainer_of

    _check_options(n_samples, n_features, units)
    if not repaired and (np.isnan(rows).any() or np.isnan(background).any()):
        raise MethodError("lime itself takes no missing values: leave repaired=True, or fill them in")
    codes = CompleteCodes(model.schema, background, repaired=repaired)
    table = codes.fill(background)
    selection = "none" if n_features is None else "auto"

    def predict(samples: np.ndarray) -> np.ndarray:
        return model.predict(codes.restore(samples), scale)

    weights, shares = np.zeros(rows.shape), np.empty(rows.shape)
    intercepts, r2 = np.empty(len(rows)), np.empty(len(rows))
    for i, row in enumerate(codes.fill(rows)):
        explainer = explainer_of(codes, table, seed, selection, repaired)
        bins = explainer.discretizer.discretize
        shares[i] = (bins(table) == bins(row)).mean(axis=0)
        if repaired and not shares[i].all():
            explainer = explainer_of(codes, np.vstack([table, row]), seed, selection, repaired)
        surrogate = explainer.explain_instance(row, predict, num_features=n_features or len(row), num_samples=n_samples)
        for column, weight in surrogate.local_exp[1]:
            weights[i, column] = weight
        intercepts[i], r2[i] = surrogate.intercept[1], surrogate.score
    return _attribution(weights, intercepts, r2, shares, units, len(rows) * n_samples)


def _check_options(n_samples: int, n_features: int | None, units: str) -> None:
    refuse_below(2, n_samples=n_samples)
    refuse_below(1, n_features=n_features)
    if units not in UNITS:
        raise MethodError(f"units must be one of {', '.join(UNITS)}, got {units!r}")


def _attribution(
    weights: np.ndarray, intercepts: np.ndarray, r2: np.ndarray, shares: np.ndarray, units: str, evaluations: int
) -> Attribution:
    shares = shares if units == "contribution" else np.zeros_like(shares)
    return Attribution(
        values=weights * (1 - shares),
        base_values=intercepts + (weights * shares).sum(axis=1),
        evaluations=evaluations,
        extras={"surrogate_r2": r2, "local_prediction": intercepts + weights.sum(axis=1)},
    )
