"""A part of a table in the words of its schema: conditions on columns that hold together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlx.schema import Feature


@dataclass(frozen=True)
class Condition:
    """What a column must be.

    Parameters
    ----------
    feature : Feature
        The column.
    position : int
        Where it stands among the features.
    low, high : float
        A numeric value is above `low` and at most `high`.
    levels : tuple of int
        Codes of the levels of a categorical column.
    missing : bool
        Whether a missing value is meant too.
    """

    feature: Feature
    position: int
    low: float = -np.inf
    high: float = np.inf
    levels: tuple[int, ...] = ()
    missing: bool = False

    def holds(self, rows: np.ndarray) -> np.ndarray:
        """Return of which coded rows it is true, bool [rows]."""
        column = rows[:, self.position]
        known = np.isin(column, self.levels) if self.feature.is_categorical else (column > self.low) & (column <= self.high)
        return known | (np.isnan(column) if self.missing else False)

    @property
    def words(self) -> str:
        """The condition as people read it: "Age over 25 years", "Savings: below 100 DM or 100 to 499 DM"."""
        feature = self.feature
        if feature.is_categorical:
            inside, outside = self._names(among=True), self._names(among=False)
            is_most = 0 < len(outside) < len(inside)
            return f"{feature.label}: any but {either(outside)}" if is_most else f"{feature.label}: {either(inside)}"
        if self.low == self.high:
            return f"{feature.label} {feature.missing_label}"
        return f"{feature.label} {self._range}" + (f" or {feature.missing_label}" if self.missing else "")

    def _names(self, *, among: bool) -> list[str]:
        """Return the levels that are meant, or those that are not, a missing value last."""
        feature = self.feature
        names = [label for code, label in enumerate(feature.level_labels) if (code in self.levels) == among]
        return names + [feature.missing_label] * (feature.missing and self.missing == among)

    @property
    def _range(self) -> str:
        if np.isinf(self.low) and np.isinf(self.high):
            return "known"
        ends = []
        if not np.isinf(self.low):
            ends.append(f"over {self.feature.format(self.low)}")
        if not np.isinf(self.high):
            ends.append(f"up to {self.feature.format(self.high)}")
        return " and ".join(ends)


def together(conditions: Sequence[Condition], rows: np.ndarray) -> np.ndarray:
    """Return of which coded rows all conditions are true, bool [rows]."""
    return np.logical_and.reduce([condition.holds(rows) for condition in conditions])


def either(names: list[str]) -> str:
    """Return "a", "a or b" or "a, b or c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
