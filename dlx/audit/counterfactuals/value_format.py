"""The values that a counterfactual names, as text: what a person reads is what was tried, to the last digit."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from dlx.dataset import Dataset
from dlx.schema import Feature, Schema

DIGITS = 3  # of the standard deviation of a column whose numbers have no resolution of their own
FINEST = 4  # decimals up to which a column's numbers have a resolution


@dataclass(frozen=True)
class ValueFormat:
    """How the values of each column are printed, so that they read back as the values that were tried.

    Integers are printed as integers, numbers of up to four decimals with as many, others with three digits of the column's
    standard deviation. Levels are printed by their labels, or as the table spells them where two labels are alike.
    """

    schema: Schema
    decimals: tuple[int, ...]  # of each column; below 0 where it is printed in tens or hundreds

    @classmethod
    def of(cls, observed: Dataset) -> ValueFormat:
        """Return the format of a table's values."""
        pairs = zip(observed.schema.features, observed.rows.T, strict=True)
        return cls(observed.schema, tuple(0 if f.is_categorical else _decimals(f, column) for f, column in pairs))

    def rounded(self, column: int, values: np.ndarray) -> np.ndarray:
        """Return values of a column as they would be printed [values]."""
        if self.schema.features[column].is_categorical:
            return values
        places = self.decimals[column]
        return np.round(values * 10.0**places) / 10.0**places if places >= 0 else np.round(values / 10**-places) * 10**-places

    def text(self, column: int, value: float) -> str:
        """Return a rounded value as text with its unit: "20,200 EUR"."""
        feature = self.schema.features[column]
        if np.isnan(value) or feature.is_categorical:
            return _level_texts(feature)[-1 if np.isnan(value) else int(value)]
        return f"{value + 0.0:,.{max(0, self.decimals[column])}f} {feature.unit}".strip()

    def exact_text(self, column: int, value: float) -> str:
        """Return a value as text with all digits of its precision: "16,129.87 EUR"."""
        feature = self.schema.features[column]
        if np.isnan(value) or feature.is_categorical:
            return self.text(column, value)
        held = np.float32(value) if feature.dtype.lower() == "float32" else np.float64(value)
        number = f"{Decimal(str(held)):,f}"
        return f"{number.removesuffix('.0')} {feature.unit}".strip()

    def text_beside(self, column: int, value: float, to: str) -> str:
        """Return a person's own value as text: rounded, or exact where that reads like the value it would change to."""
        text = self.text(column, float(self.rounded(column, np.array([value]))[0]))
        return self.exact_text(column, value) if text == to else text

    def parse(self, column: int, text: str) -> float:
        """Return the value that a text says, as somebody who types it in would."""
        feature = self.schema.features[column]
        texts = _level_texts(feature)
        if feature.is_categorical or text == texts[-1]:
            return float(texts.index(text)) if text != texts[-1] else np.nan
        return float(text.removesuffix(feature.unit).replace(",", ""))


def _decimals(feature: Feature, column: np.ndarray) -> int:
    known = column[~np.isnan(column)]
    if not len(known) or "int" in feature.dtype.lower():
        return 0
    noise = 1e-7 if (known == known.astype(np.float32)).all() else 1e-14  # of a number that was held in single precision
    for places in range(FINEST + 1):
        off = np.abs(known - np.round(known, places))
        if (off <= np.minimum(noise * np.abs(known) + 1e-14, 0.1 * 10.0**-places)).all():
            return places
    spread = float(known.std()) or float(np.abs(known).max()) or 1.0
    return DIGITS - 1 - int(np.floor(np.log10(spread)))


def _level_texts(feature: Feature) -> tuple[str, ...]:
    """Return what is printed for each level, and last for a missing value; no two alike."""
    labels = (*feature.level_labels, feature.missing_label)
    return labels if len(set(labels)) == len(labels) else (*feature.levels, f"({feature.missing_label})")
