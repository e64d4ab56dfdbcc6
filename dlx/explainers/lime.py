"""LIME of any model, by the lime package, as contributions against the background.

Ribeiro, Singh and Guestrin (2016), "Why Should I Trust You?", equation 1, with lime's tabular sampler: numeric columns in
quartile bins, a person's column "present" in a sample that falls into the same bin (or level). The surrogate is linear
in presence, so column j contributes ``w_j (1 - share of the background in the person's bin)``: its effect at the person
minus its average effect over the background. lime returns ``w_j`` alone, the slope of the surrogate in presence, which has
another unit and another zero: ``units="lime"``.

A missing value is a bin, or a level, of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from lime.discretize import QuartileDiscretizer
from lime.lime_tabular import LimeTabularExplainer

from dlx.explainers import MethodError
from dlx.explanation import Attribution, LocalAccuracy
from dlx.model import Model, Scale
from dlx.schema import Schema

LABEL = "LIME"
LIBRARY = "lime"
PROMISE = LocalAccuracy()
UNITS = ("contribution", "lime")
IS_SHAPLEY = False
QUESTION = "Which columns move a linear model that imitates the model among random people, near ones counting most?"


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
) -> Attribution:
    """Return LIME contributions of coded rows.

    Parameters
    ----------
    model : Model
        Anything that predicts.
    rows, background : ndarray [rows, features], [references, features]
        Coded; lime takes its quartiles from the background, and draws its samples from the background and the person: a
        level that nobody in the background has would otherwise occur in no sample, and its weight be noise.
    scale : {"logit", "probability", "value"}
        Unit of the contributions.
    seed : int
        Every row sees the same random numbers, so that the order of rows does not matter.
    n_samples : int
        Samples a row.
    n_features : int, optional
        Columns that may differ from 0, chosen as lime does; lime's own default is 10, here it is all.
    units : {"contribution", "lime"}
        Contributions against the background, or lime's weights with the surrogate's intercept as base value.
    """
    if n_samples < 2:
        raise MethodError(f"n_samples must be at least 2, got {n_samples}")
    if n_features is not None and n_features < 1:
        raise MethodError(f"n_features must be at least 1, got {n_features}")
    if units not in UNITS:
        raise MethodError(f"units must be one of {', '.join(UNITS)}, got {units!r}")
    codes = _CompleteCodes(model.schema, background)
    table = codes.fill(background)

    def predict(samples: np.ndarray) -> np.ndarray:
        return model.predict(codes.restore(samples), scale)

    values, base_values = np.empty(rows.shape), np.empty(len(rows))
    for i, row in enumerate(codes.fill(rows)):
        explainer = _explainer(codes, np.vstack([table, row]), seed, "none" if n_features is None else "auto")
        surrogate = explainer.explain_instance(row, predict, num_features=n_features or len(row), num_samples=n_samples)
        weights = np.zeros(len(row))
        for column, weight in surrogate.local_exp[1]:
            weights[column] = weight
        bins = explainer.discretizer.discretize
        share = (bins(table) == bins(row)).mean(axis=0) if units == "contribution" else np.zeros(len(row))
        values[i] = weights * (1 - share)
        base_values[i] = surrogate.intercept[1] + weights @ share
    return Attribution(values=values, base_values=base_values, evaluations=len(rows) * n_samples)


class _CompleteCodes:
    """Rows without NaN: a missing level is one more level, a missing number one far below all that are known."""

    def __init__(self, schema: Schema, background: np.ndarray) -> None:
        self.schema = schema
        known = [column[~np.isnan(column)] if not np.isnan(column).all() else np.zeros(1) for column in background.T]
        self.lowest = np.array([column.min() for column in known])
        self.quartiles = [np.percentile(column, (25, 50, 75)) for column in known]
        self.far = 1e6 * np.array([1 + np.ptp(column) for column in known])
        numeric = ~np.isin(np.arange(len(schema)), schema.categorical)
        levels = np.array([len(feature.levels) for feature in schema.features])
        self.missing = np.where(numeric, self.lowest - self.far, levels)

    def fill(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows with a number in place of NaN."""
        return np.where(np.isnan(rows), self.missing, rows)

    def restore(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows with NaN in place of that number."""
        return np.where(np.abs(rows - self.missing) < 0.5, np.nan, rows)

    def edges(self, column: int) -> np.ndarray:
        """Return the edges between a numeric column's bins: missing, and the quartiles."""
        return np.r_[self.lowest[column] - self.far[column] / 2, self.quartiles[column]]


class _Discretizer(QuartileDiscretizer):
    """lime's quartiles of the known values, and a bin for what is missing."""

    def __init__(self, codes: _CompleteCodes, table: np.ndarray, random_state: np.random.RandomState) -> None:
        self.codes = codes
        super().__init__(table, list(codes.schema.categorical), list(codes.schema.names), random_state=random_state)
        for column in self.to_discretize:
            known = table[table[:, column] > codes.edges(column)[0], column]
            self.mins[column][1] = np.nextafter(known.min(initial=codes.lowest[column]), -np.inf)

    def bins(self, data: np.ndarray, labels: Any) -> list[np.ndarray]:
        """Return the edges of each numeric column."""
        del data, labels
        return [self.codes.edges(column) for column in self.to_discretize]


def _explainer(codes: _CompleteCodes, table: np.ndarray, seed: int, selection: str) -> LimeTabularExplainer:
    random_state = np.random.RandomState(seed)
    categorical = codes.schema.categorical
    return LimeTabularExplainer(
        table,
        mode="regression",
        feature_names=list(codes.schema.names),
        categorical_features=list(categorical),
        categorical_names={i: [*codes.schema.features[i].levels, "missing"] for i in categorical},
        discretizer=_Discretizer(codes, table, random_state),
        feature_selection=selection,
        random_state=random_state,
    )
