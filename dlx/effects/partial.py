"""What the model says when one column changes for everybody: partial dependence, and each person's curve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.arrays import frozen
from dlx.effects.support import grid_of, people_at
from dlx.errors import DlxError
from dlx.model import Model, Scale, as_rows
from dlx.schema import Feature
from dlx.stats import ends_of, resampled_counts

if TYPE_CHECKING:
    import pandas as pd

GRID_POINTS = 20


@dataclass(frozen=True, eq=False)
class PartialDependence:
    """Mean output over people as one column is set to each of its values.

    Parameters
    ----------
    feature : Feature
        The column.
    grid : ndarray [points]
        The values it is set to, coded; NaN for missing, last.
    curves : ndarray [rows, points]
        Individual conditional expectation: the output of each person at each value.
    scale : str
        Unit of the outputs.
    model : str
        Name of the model.
    counts : ndarray [points], optional
        How many of the people have each level, or are nearest to each number.
    """

    feature: Feature
    grid: np.ndarray
    curves: np.ndarray
    scale: str
    model: str
    counts: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "grid", frozen(self.grid, np.float64))
        object.__setattr__(self, "curves", frozen(self.curves, np.float64))
        if self.counts is not None:
            object.__setattr__(self, "counts", frozen(self.counts))

    @property
    def mean(self) -> np.ndarray:
        """Mean output at each value, [points]."""
        return self.curves.mean(axis=0)

    @property
    def anchor(self) -> int:
        """Position of the value that centred curves start from: a number's lowest, a category's most common level."""
        return int(np.argmax(self.counts)) if self.feature.is_categorical and self.counts is not None else 0

    @property
    def centred(self) -> np.ndarray:
        """Each person's curve less its value at the anchor, [rows, points] (Goldstein et al. 2015, c-ICE)."""
        return self.curves - self.curves[:, [self.anchor]]

    def interval(self, *, centred: bool = False, seed: int = 0) -> np.ndarray:
        """Return both ends of the 95 % bootstrap interval over people of the mean (or centred mean), [2, points].

        One person has none: both are NaN.
        """
        curves = self.centred if centred else self.curves
        return ends_of(resampled_counts(len(curves), seed=seed) / len(curves) @ curves, people=len(curves))

    def to_frame(self) -> pd.DataFrame:
        """Return one line a value: the mean output, its 95 % interval over people, and the middle half of the people."""
        import pandas as pd

        quartile_low, quartile_high = np.quantile(self.curves, (0.25, 0.75), axis=0)
        (low, high), (least, most) = self.interval(), np.quantile(self.centred, (0.1, 0.9), axis=0)
        return pd.DataFrame(
            {
                "model": self.model,
                "feature": self.feature.name,
                "label": self.feature.label,
                "value": [self.feature.format(x) for x in self.grid],
                "code": self.grid,
                "mean": self.mean,
                "low": low,
                "high": high,
                "quartile_low": quartile_low,
                "quartile_high": quartile_high,
                "centred_mean": self.centred.mean(axis=0),
                "centred_decile_low": least,
                "centred_decile_high": most,
                "people": np.nan if self.counts is None else self.counts,
                "scale": self.scale,
            }
        )


def partial_dependence(
    model: Model, rows: Any, feature: str, *, scale: Scale, grid_points: int = GRID_POINTS
) -> PartialDependence:
    """Return the partial dependence of a model on one column (Friedman 2001, section 8.2), with everybody's own curve.

    Parameters
    ----------
    model : Model
        Any model.
    rows : Dataset, DataFrame or ndarray [rows, features]
        The people over whom the output is averaged.
    feature : str
        Name of the column.
    scale : {"logit", "probability", "value"}
        Unit of the output.
    grid_points : int
        Values of a numeric column: quantiles of those observed.

    Raises
    ------
    DlxError
        If there are no rows or fewer than 2 grid points.
    SchemaError
        If there is no such column.
    """
    people = as_rows(model.schema, rows)
    if not len(people) or grid_points < 2:
        raise DlxError(f"partial dependence needs at least 1 row and 2 grid points, got {len(people)} and {grid_points}")
    position = model.schema.position(feature)
    column = model.schema.features[position]
    grid = grid_of(column, people[:, position], grid_points)
    changed = np.repeat(people, len(grid), axis=0)
    changed[:, position] = np.tile(grid, len(people))
    curves = model.predict(changed, scale).reshape(len(people), len(grid))
    return PartialDependence(column, grid, curves, scale, model.name, people_at(grid, people[:, position]))
