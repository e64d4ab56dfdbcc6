"""Dense encoding: original columns to the input of a model, and attributions back, summed with their signs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlx.arrays import frozen, in_short

if TYPE_CHECKING:
    from dlx.schema import Feature, Schema


class DenseColumns:
    """Which dense columns are made of which feature, where each has a number of them, one after the other."""

    if TYPE_CHECKING:

        @property
        def schema(self) -> Schema:
            """The original columns."""

        @property
        def widths(self) -> tuple[int, ...]:
            """Number of dense columns of each feature."""

    @property
    def width(self) -> int:
        """Number of dense columns."""
        return sum(self.widths)

    @cached_property
    def owner(self) -> np.ndarray:
        """Position of the feature that each dense column belongs to, [width]."""
        return np.repeat(np.arange(len(self.schema)), self.widths)

    @cached_property
    def starts(self) -> np.ndarray:
        """First dense column of each feature, [features]."""
        return np.concatenate([[0], np.cumsum(self.widths)[:-1]])

    def fold(self, dense: np.ndarray) -> np.ndarray:
        """Return attributions of dense columns [rows, width] summed, with their signs, to features [rows, features]."""
        return np.add.reduceat(np.asarray(dense, dtype=np.float64), self.starts, axis=1)


class _Layout(NamedTuple):
    """Positions of columns, by the way in which they become dense columns."""

    plain: np.ndarray  # numbers and nothing else, [columns]
    plain_may_lack: np.ndarray  # which of them may be missing, bool
    plain_column: np.ndarray  # which dense column each is
    lacking: np.ndarray  # and which ones tell that those are missing
    level: np.ndarray  # levels without order, a dense column each, [columns]
    level_count: np.ndarray  # how many they have
    step: np.ndarray  # ordered levels, a position for each of their dense columns, [steps]
    step_column: np.ndarray  # which dense column that is
    step_rank: np.ndarray  # and the rank that it lies above of
    gap: np.ndarray  # ordered levels that may be missing
    gap_column: np.ndarray
    special: np.ndarray  # numbers beside which are codes that are none


@dataclass(frozen=True, eq=False)
class Encoder(DenseColumns):
    """An encoding of rows as dense input: standardised numbers, one-hot or cumulative levels, an indicator of missing values.

    - A numeric feature takes one dense column, ``(x - center) / scale``.
    - A categorical feature whose levels have no order takes one column a level, 1 at the level and 0 elsewhere.
    - One whose levels are ordered takes a column a step between levels, +1/2 above the step and -1/2 below it, so that
      neighbouring levels are alike.

    A missing value is 0 in all of these; where the schema allows it, one more column is 1 for it. A special value is too, each
    with a column of its own.

    Parameters
    ----------
    schema : Schema
        The original columns.
    center, scale : ndarray [features]
        Mean and standard deviation of the training rows; 0 and 1 for categories.
    keeps_codes : bool
        Whether special values, and levels that are two numbers, are read as these, as a network of one's own does.
    """

    schema: Schema
    center: np.ndarray
    scale: np.ndarray
    keeps_codes: bool = False

    __repr__ = in_short

    def __post_init__(self) -> None:
        for name, array in self.arrays().items():
            array = frozen(array, np.float64)
            if array.shape != (len(self.schema),) or not np.isfinite(array).all():
                raise ValueError(f"{name} must be {len(self.schema)} finite numbers, one a feature; got {array}")
            object.__setattr__(self, name, array)
        if (self.scale <= 0).any():
            raise ValueError(f"scale must be positive, got {self.scale.min():g}")

    @classmethod
    def fit(cls, schema: Schema, rows: np.ndarray, weights: np.ndarray | None = None) -> Encoder:
        """Return the encoder that standardises the training rows [rows, features], which may count differently [rows]."""
        center, scale = np.zeros(len(schema)), np.ones(len(schema))
        for i, feature in enumerate(schema.features):
            column = feature.numbers(rows[:, i])
            is_known = ~np.isnan(column)
            known = column[is_known]
            if not feature.is_categorical and len(known):
                center[i], scale[i] = known.mean(), known.std() or 1.0
                if weights is not None:
                    center[i] = np.average(known, weights=weights[is_known])
                    scale[i] = np.average((known - center[i]) ** 2, weights=weights[is_known]) ** 0.5 or 1.0
        return cls(schema, center, scale)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the fitted means and deviations by name, for saving."""
        return {"center": self.center, "scale": self.scale}

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Number of dense columns of each feature."""
        return tuple(len(self._names_of(feature)) for feature in self.schema.features)

    @classmethod
    def identity(cls, schema: Schema) -> Encoder:
        """Return the encoder of a table of complete numbers that leaves them as they are, flags of two numbers too."""
        ends = [level_numbers(feature) for feature in schema.features]
        low, span = np.array([(0.0, 1.0) if two is None else (two[0], two[1] - two[0]) for two in ends]).T
        return cls(schema, -low / span, 1 / span, keeps_codes=True)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of each dense column: "age", "housing = own", "savings > 100", "income is missing"."""
        return tuple(name for feature in self.schema.features for name in self._names_of(feature))

    def transform(self, rows: np.ndarray, dtype: Any = np.float32) -> np.ndarray:
        """Return coded rows [rows, features] as dense input [rows, width]; float32, or what a network of float64 reads."""
        dense = np.zeros((len(rows), self.width), dtype=dtype)
        of = self._layout  # all columns of a kind at once: a column of rows is far apart in memory
        scaled = (rows[:, of.plain] - self.center[of.plain]) / self.scale[of.plain]
        if len(of.lacking):
            gaps = np.isnan(scaled) & of.plain_may_lack
            scaled[gaps] = 0.0
            dense[:, of.lacking] = gaps[:, of.plain_may_lack]
        dense[:, of.plain_column] = scaled
        if len(of.level):
            codes = rows[:, of.level]
            which = np.where(np.isnan(codes), of.level_count, codes).astype(np.intp)  # the last one of a column is "missing"
            dense[np.arange(len(rows))[:, None], self.starts[of.level] + which] = 1.0
        if len(of.step):
            ranks = rows[:, of.step]
            dense[:, of.step_column] = np.where(np.isnan(ranks), 0.0, np.where(ranks > of.step_rank, 0.5, -0.5))
            dense[:, of.gap_column] = np.isnan(rows[:, of.gap])
        for i in of.special:
            feature, start = self.schema.features[i], self.starts[i]
            column, codes = rows[:, i], self._special_codes(feature)
            is_beside = feature.beside(column) > 0
            dense[:, start] = np.where(is_beside, 0.0, (column - self.center[i]) / self.scale[i])
            dense[:, start + 1 : start + 1 + len(codes)] = column[:, None] == codes
            if feature.missing:
                dense[:, start + self.widths[i] - 1] = np.isnan(column)
        return dense

    def plan(self, feature: int) -> dict[str, Any]:
        """Return how a feature's codes become dense columns, as plain data: what `transform` does, for another language."""
        described = self.schema.features[feature]
        return {
            "as": self._kind_of(described),
            "width": self.widths[feature],
            "special": self._special_codes(described).tolist(),
            "center": float(self.center[feature]),
            "scale": float(self.scale[feature]),
        }

    @cached_property
    def _layout(self) -> _Layout:
        """Which columns become dense columns in which way."""
        of, starts = self.schema.features, self.starts
        kinds, missing = np.array([self._kind_of(f) for f in of]), np.array([f.missing for f in of])
        has_codes, own = np.array([len(self._special_codes(f)) > 0 for f in of]), np.array(self.widths) - missing
        plain, level, ordered = (np.flatnonzero((kinds == kind) & ~has_codes) for kind in ("number", "levels", "steps"))
        step, steps = np.repeat(ordered, own[ordered]), own[ordered]
        rank = np.arange(len(step)) - np.repeat(np.cumsum(steps) - steps, steps)
        may_lack, gap = missing[plain], ordered[missing[ordered]]
        numbers = plain, may_lack, starts[plain], starts[plain[may_lack]] + 1
        return _Layout(
            *numbers, level, own[level], step, starts[step] + rank, rank, gap, starts[gap] + own[gap], np.flatnonzero(has_codes)
        )

    def _kind_of(self, feature: Feature) -> str:
        if not feature.is_categorical or (self.keeps_codes and level_numbers(feature) is not None):
            return "number"
        return "steps" if feature.ordered else "levels"

    def _special_codes(self, feature: Feature) -> np.ndarray:
        return feature.special_codes[: 0 if self.keeps_codes else None]

    def _names_of(self, feature: Feature) -> list[str]:
        special = (feature.format(code) for code in self._special_codes(feature))
        gap = [f"{feature.name} is {one}" for one in (*special, *["missing"] * feature.missing)]
        if self._kind_of(feature) == "number":
            return [feature.name, *gap]
        if feature.ordered and len(feature.levels) > 1:
            return [*(f"{feature.name} > {level}" for level in feature.levels[:-1]), *gap]
        return [*(f"{feature.name} = {level}" for level in feature.levels), *gap]


def level_numbers(feature: Feature) -> tuple[float, float] | None:
    """Return the two numbers that the levels of a flag are in the table, the lower one first; None of another column."""
    numbers = [float(value) for value in feature.level_values if isinstance(value, (int, float))]
    return (numbers[0], numbers[1]) if len(numbers) == len(feature.levels) == 2 and numbers[0] < numbers[1] else None
