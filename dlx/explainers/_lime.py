"""The lime package's explainer on coded rows: missing and special values get a number, and a bin or level, of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
from lime.discretize import QuartileDiscretizer
from lime.lime_tabular import LimeTabularExplainer

from dlx.schema import Schema


class CompleteCodes:
    """Rows without NaN: a missing level is one more level, a missing number one far below all that are known.

    A special value goes farther below. Where the package is to be as it comes (`repaired` is False), it stays the number it is.
    """

    def __init__(self, schema: Schema, background: np.ndarray, *, repaired: bool = True) -> None:
        self.schema = schema
        columns = (schema.numbers(background) if repaired else background).T
        known = [column[~np.isnan(column)] if not np.isnan(column).all() else np.zeros(1) for column in columns]
        self.lowest = np.array([column.min() for column in known])
        self.quartiles = [np.percentile(column, (25, 50, 75)) for column in known]
        self.far = 1e6 * np.array([1 + np.ptp(column) for column in known])
        numeric = ~np.isin(np.arange(len(schema)), schema.categorical)
        levels = np.array([len(feature.levels) for feature in schema.features])
        self.missing = np.where(numeric, self.lowest - self.far, levels)
        self.special = [
            (i, code, self.lowest[i] - place * self.far[i])
            for i, feature in enumerate(schema.features if repaired else ())
            for place, code in enumerate(feature.special_codes, 2)
        ]

    def fill(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows with a number in place of NaN, and of special values."""
        filled = np.where(np.isnan(rows), self.missing, rows)
        for column, code, place in self.special:
            filled[rows[:, column] == code, column] = place
        return filled

    def restore(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows with NaN, and special values, in place of those numbers."""
        restored = np.where(np.abs(rows - self.missing) < 0.5, np.nan, rows)
        for column, code, place in self.special:
            restored[np.abs(rows[:, column] - place) < 0.5, column] = code
        return restored

    def beside(self, column: int) -> int:
        """Return how many bins of a numeric column are below its numbers: those of what is special, or missing."""
        return 1 + sum(i == column for i, _, _ in self.special)

    def edges(self, column: int) -> np.ndarray:
        """Return the edges between a numeric column's bins: special values, missing, and the quartiles."""
        below = np.arange(self.beside(column))[::-1] + 0.5
        return np.r_[self.lowest[column] - below * self.far[column], self.quartiles[column]]


class _Discretizer(QuartileDiscretizer):
    """lime's quartiles of the known values, and a bin for what is missing."""

    def __init__(self, codes: CompleteCodes, table: np.ndarray, random_state: np.random.RandomState) -> None:
        self.codes = codes
        super().__init__(table, list(codes.schema.categorical), list(codes.schema.names), random_state=random_state)
        for column in self.to_discretize:
            beside = codes.beside(column)
            known = table[table[:, column] > codes.edges(column)[beside - 1], column]
            self.mins[column][beside] = np.nextafter(known.min(initial=codes.lowest[column]), -np.inf)

    def bins(self, data: np.ndarray, labels: Any) -> list[np.ndarray]:
        """Return the edges of each numeric column."""
        del data, labels
        return [self.codes.edges(column) for column in self.to_discretize]


def explainer_of(
    codes: CompleteCodes, table: np.ndarray, seed: int, selection: str, repaired: bool = True
) -> LimeTabularExplainer:
    """Return lime's explainer of a table of complete codes; `selection` is lime's `feature_selection`.

    Repaired, it has a bin for what is missing, and samples a bin of one value at that value; else it is as lime comes.
    """
    random_state = np.random.RandomState(seed)
    categorical = codes.schema.categorical
    return LimeTabularExplainer(
        table,
        mode="regression",
        feature_names=list(codes.schema.names),
        categorical_features=list(categorical),
        categorical_names={i: [*codes.schema.features[i].levels, "missing"] for i in categorical},
        discretizer=_Discretizer(codes, table, random_state) if repaired else "quartile",
        feature_selection=selection,
        random_state=random_state,
    )
