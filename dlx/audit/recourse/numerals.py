"""The values that a way out may name: what a person reads is what was tried, to the last digit."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from dlx.dataset import Dataset
from dlx.schema import Feature, Schema

DIGITS = 3  # of the spread of a column whose numbers have no resolution of their own
FINEST = 4  # decimals up to which a column's numbers have a resolution


@dataclass(frozen=True)
class Numerals:
    """How the values of each column are written, so that they read back as they were.

    Integers are written as integers, numbers of up to four decimals with as many, others with three digits of the column's
    standard deviation. Levels are written as people read them, or as the table spells them where two read alike.

    Parameters
    ----------
    schema : Schema
        What the columns mean.
    places : tuple of int
        Decimals of each column, below 0 where it is written in tens or hundreds.
    """

    schema: Schema
    places: tuple[int, ...]

    @classmethod
    def of(cls, observed: Dataset) -> Numerals:
        """Return the numerals of a table."""
        pairs = zip(observed.schema.features, observed.rows.T, strict=True)
        return cls(observed.schema, tuple(0 if f.is_categorical else _places(f, column) for f, column in pairs))

    def rounded(self, column: int, values: np.ndarray) -> np.ndarray:
        """Return values of a column as they would be written [values]."""
        if self.schema.features[column].is_categorical:
            return values
        places = self.places[column]
        return np.round(values * 10.0**places) / 10.0**places if places >= 0 else np.round(values / 10**-places) * 10**-places

    def text(self, column: int, value: float) -> str:
        """Return a rounded value in words, with its unit: "20,200 EUR"."""
        feature = self.schema.features[column]
        if np.isnan(value) or feature.is_categorical:
            return self._words(feature)[-1 if np.isnan(value) else int(value)]
        return f"{value + 0.0:,.{max(0, self.places[column])}f} {feature.unit}".strip()

    def exactly(self, column: int, value: float) -> str:
        """Return a person's own value in words, all digits of its precision: "16,129.87 EUR"."""
        feature = self.schema.features[column]
        if np.isnan(value) or feature.is_categorical:
            return self.text(column, value)
        held = np.float32(value) if feature.dtype.lower() == "float32" else np.float64(value)
        number = f"{Decimal(str(held)):,f}"
        return f"{number.removesuffix('.0')} {feature.unit}".strip()

    def own(self, column: int, value: float, to: str) -> str:
        """Return a person's own value in words beside the one that it would change to, no longer than it need be."""
        text = self.text(column, float(self.rounded(column, np.array([value]))[0]))
        return self.exactly(column, value) if text == to else text

    def read(self, column: int, text: str) -> float:
        """Return the value that a text says, as somebody who types it in would."""
        feature = self.schema.features[column]
        words = self._words(feature)
        if feature.is_categorical or text == words[-1]:
            return float(words.index(text)) if text != words[-1] else np.nan
        return float(text.removesuffix(feature.unit).replace(",", ""))

    @staticmethod
    def _words(feature: Feature) -> tuple[str, ...]:
        """Return what is written for each level, and for a missing value; no two alike."""
        told = (*feature.level_labels, feature.missing_label)
        return told if len(set(told)) == len(told) else (*feature.levels, f"({feature.missing_label})")


def _places(feature: Feature, column: np.ndarray) -> int:
    known = column[~np.isnan(column)]
    if not len(known) or "int" in feature.dtype.lower():
        return 0
    spread = float(known.std()) or float(np.abs(known).max()) or 1.0
    few = DIGITS - 1 - int(np.floor(np.log10(spread)))
    noise = 1e-7 if (known == known.astype(np.float32)).all() else 1e-14  # of a number that was held in single precision
    for places in range(FINEST + 1):
        off = np.abs(known - np.round(known, places))
        if (off <= np.minimum(noise * np.abs(known) + 1e-14, 0.1 * 10.0**-places)).all():
            return places
    return few
