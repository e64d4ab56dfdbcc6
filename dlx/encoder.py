"""Original columns to the dense input of a model and back: who owns a dense column, and signed sums."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from dlx.arrays import frozen

if TYPE_CHECKING:
    from dlx.schema import Schema


@dataclass(frozen=True, eq=False)
class Encoder:
    """Standardised numerics, one-hot levels, and an indicator where a value may be missing.

    A numeric feature takes one dense column, ``(x - center) / scale`` and 0 where missing; a categorical feature one
    column a level, all 0 where missing. Either has one more column, 1 where the value is missing, if the schema allows it.

    Parameters
    ----------
    schema : Schema
        The original columns.
    center, scale : ndarray [features]
        Mean and standard deviation of the training rows; 0 and 1 for categories.
    """

    schema: Schema
    center: np.ndarray
    scale: np.ndarray

    def __post_init__(self) -> None:
        for name, array in self.arrays().items():
            array = frozen(array, np.float64)
            if array.shape != (len(self.schema),) or not np.isfinite(array).all():
                raise ValueError(f"{name} must be {len(self.schema)} finite numbers, one a feature; got {array}")
            object.__setattr__(self, name, array)

    @classmethod
    def fit(cls, schema: Schema, rows: np.ndarray) -> Encoder:
        """Return the encoder that standardises the training rows [rows, features]."""
        center, scale = np.zeros(len(schema)), np.ones(len(schema))
        for i, feature in enumerate(schema.features):
            known = rows[~np.isnan(rows[:, i]), i]
            if not feature.is_categorical and len(known):
                center[i], scale[i] = known.mean(), known.std() or 1.0
        return cls(schema, center, scale)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what was fitted, by name, for saving."""
        return {"center": self.center, "scale": self.scale}

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Number of dense columns of each feature."""
        return tuple(
            (len(feature.levels) if feature.is_categorical else 1) + feature.missing for feature in self.schema.features
        )

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

    def transform(self, rows: np.ndarray) -> np.ndarray:
        """Return coded rows [rows, features] as dense input [rows, width], float32."""
        dense = np.zeros((len(rows), self.width), dtype=np.float32)
        everyone = np.arange(len(rows))
        for i, feature in enumerate(self.schema.features):
            start, column = self.starts[i], rows[:, i]
            missing = np.isnan(column) if feature.missing else None
            if feature.is_categorical:
                code = column if missing is None else np.where(missing, len(feature.levels), column)
                dense[everyone, start + code.astype(np.intp)] = 1.0
                continue
            scaled = (column - self.center[i]) / self.scale[i]
            if missing is not None:
                dense[:, start + 1] = missing
                scaled = np.where(missing, 0.0, scaled)
            dense[:, start] = scaled
        return dense

    def fold(self, dense: np.ndarray) -> np.ndarray:
        """Return attributions of dense columns [rows, width] summed, with their signs, to features [rows, features]."""
        return np.add.reduceat(np.asarray(dense, dtype=np.float64), self.starts, axis=1)
