"""What the model does when one column changes for everybody: partial dependence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.arrays import frozen
from dlx.errors import DlxError
from dlx.model import Model, Scale, as_rows
from dlx.schema import Feature

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
    """

    feature: Feature
    grid: np.ndarray
    curves: np.ndarray
    scale: str
    model: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "grid", frozen(self.grid, np.float64))
        object.__setattr__(self, "curves", frozen(self.curves, np.float64))

    @property
    def mean(self) -> np.ndarray:
        """Mean output at each value, [points]."""
        return self.curves.mean(axis=0)

    def to_frame(self) -> pd.DataFrame:
        """Return one line a value: the mean output and the middle half of the people."""
        import pandas as pd

        low, high = np.quantile(self.curves, (0.25, 0.75), axis=0)
        return pd.DataFrame(
            {
                "model": self.model,
                "feature": self.feature.name,
                "label": self.feature.label,
                "value": [self.feature.format(x) for x in self.grid],
                "code": self.grid,
                "mean": self.mean,
                "quartile_low": low,
                "quartile_high": high,
                "scale": self.scale,
            }
        )


def partial_dependence(
    model: Model, rows: Any, feature: str, *, scale: Scale, grid_points: int = GRID_POINTS
) -> PartialDependence:
    """Return the partial dependence of a model on one column (Friedman 2001, section 8.2).

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
    """
    people = as_rows(model.schema, rows)
    if not len(people) or grid_points < 2:
        raise DlxError(f"partial dependence needs at least 1 row and 2 grid points, got {len(people)} and {grid_points}")
    position = model.schema.position(feature)
    grid = _grid(model.schema.features[position], people[:, position], grid_points)
    changed = np.repeat(people, len(grid), axis=0)
    changed[:, position] = np.tile(grid, len(people))
    curves = model.predict(changed, scale).reshape(len(people), len(grid))
    return PartialDependence(model.schema.features[position], grid, curves, scale, model.name)


def _grid(feature: Feature, column: np.ndarray, points: int) -> np.ndarray:
    known = column[~np.isnan(column)]
    missing = [np.nan] if len(known) < len(column) else []
    if feature.is_categorical:
        return np.r_[np.arange(len(feature.levels), dtype=np.float64), missing]
    if not len(known):
        return np.array(missing)
    return np.r_[np.unique(np.quantile(known, np.linspace(0, 1, points), method="nearest")), missing]
