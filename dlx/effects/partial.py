"""Partial dependence: what a model says when one or two columns change for everybody; and where on its grid people are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.arrays import frozen
from dlx.errors import DlxError
from dlx.model import Model, Scale, as_rows
from dlx.schema import Feature
from dlx.stats import ends_of, resampled_counts

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PairDependence", "PartialDependence", "gaps", "pair_dependence", "partial_dependence", "people_at"]

GRID_POINTS, PAIR_POINTS = 20, 10
GAP_SHARE, GAP_FACTOR = 0.05, 2.0


@dataclass(frozen=True, eq=False)
class PartialDependence:
    """Mean output over people as one column is set to each of its values, and everybody's own curve."""

    feature: Feature
    grid: np.ndarray  # [points], the values it is set to, coded; NaN for missing, last
    curves: np.ndarray  # [rows, points], individual conditional expectation
    scale: str
    model: str
    counts: np.ndarray | None = None  # [points], how many people have each level, or are nearest to each number

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
        """Return both ends of the 95 % bootstrap interval over people of the mean, [2, points]; NaN of one person."""
        curves, people = self.centred if centred else self.curves, len(self.curves)
        return ends_of(resampled_counts(people, seed=seed) / people @ curves, people=people)

    def to_frame(self) -> pd.DataFrame:
        """Return one line a value: the mean output, its 95 % interval over people, and the middle half of the people."""
        import pandas as pd

        quartile_low, quartile_high = np.quantile(self.curves, (0.25, 0.75), axis=0)
        (low, high), (least, most) = self.interval(), np.quantile(self.centred, (0.1, 0.9), axis=0)
        return pd.DataFrame(
            {"model": self.model, "feature": self.feature.name, "label": self.feature.label}
            | {"value": [self.feature.format(x) for x in self.grid], "code": self.grid, "mean": self.mean}
            | {"low": low, "high": high, "quartile_low": quartile_low, "quartile_high": quartile_high}
            | {"centred_mean": self.centred.mean(axis=0), "centred_decile_low": least, "centred_decile_high": most}
            | {"people": np.nan if self.counts is None else self.counts, "scale": self.scale}
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
    curves = outputs_at(model, people, grid[:, None], [position], scale).T
    return PartialDependence(column, grid, curves, scale, model.name, people_at(grid, people[:, position]))


@dataclass(frozen=True, eq=False)
class PairDependence:
    """Mean output over people as two columns are set to each pair of their values."""

    feature: Feature
    other: Feature
    grid: np.ndarray  # [points], coded; NaN for missing, last
    other_grid: np.ndarray  # [other points]
    mean: np.ndarray  # [points, other points], two-way partial dependence
    own: np.ndarray  # [points], of one column alone, over the same people
    other_own: np.ndarray  # [other points]
    overall: float  # mean output of the people
    counts: np.ndarray  # [points, other points], how many observed rows are nearest to each pair of values
    scale: str
    model: str

    def __post_init__(self) -> None:
        for name in ("grid", "other_grid", "mean", "own", "other_own"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.float64))
        object.__setattr__(self, "counts", frozen(self.counts))

    @property
    def beyond(self) -> np.ndarray:
        """What the pair adds beyond both columns' own dependence, [points, other points]: 0 where a model adds them up."""
        return self.mean - self.own[:, None] - self.other_own[None] + self.overall

    def to_frame(self) -> pd.DataFrame:
        """Return one line a pair of values."""
        import pandas as pd

        first, second = (index.ravel() for index in np.indices(self.mean.shape))
        return pd.DataFrame(
            {"model": self.model, "feature": self.feature.name, "other_feature": self.other.name}
            | {"value": [self.feature.format(self.grid[i]) for i in first]}
            | {"other_value": [self.other.format(self.other_grid[j]) for j in second]}
            | {"code": self.grid[first], "other_code": self.other_grid[second], "mean": self.mean.ravel()}
            | {"beyond": self.beyond.ravel(), "people": self.counts.ravel(), "scale": self.scale}
        )


def pair_dependence(
    model: Model,
    rows: Any,
    features: tuple[str, str],
    *,
    scale: Scale,
    grid_points: int = PAIR_POINTS,
    observed: Any = None,
) -> PairDependence:
    """Return the two-way partial dependence of a model on two columns (Friedman 2001, section 8.2).

    Parameters and errors are those of `partial_dependence`, but for two:

    Parameters
    ----------
    model, rows, scale, grid_points
        As there.
    features : pair of str
        Names of two different columns.
    observed : Dataset, DataFrame or ndarray [rows, features], optional
        The rows that are counted at each pair of values, for example those that the model was trained on; `rows` by default.
    """
    people = as_rows(model.schema, rows)
    if not len(people) or grid_points < 2:
        raise DlxError(f"two-way dependence needs at least 1 row and 2 grid points, got {len(people)} and {grid_points}")
    positions = positions_of(model, features, "a pair")
    if len(positions) > 2:
        raise DlxError(f"a pair has 2 columns, got {len(positions)}: {', '.join(features)}")
    one, other = (model.schema.features[i] for i in positions)
    grids = [grid_of(f, people[:, i], grid_points) for f, i in zip((one, other), positions, strict=True)]
    cells = np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1).reshape(-1, 2)
    seen = people if observed is None else as_rows(model.schema, observed)
    places = np.array([nearest_on(grid, seen[:, i]) for grid, i in zip(grids, positions, strict=True)])
    counts = np.zeros((len(grids[0]), len(grids[1])), dtype=np.int64)
    np.add.at(counts, tuple(places[:, (places >= 0).all(axis=0)]), 1)
    own = [outputs_at(model, people, grid[:, None], [i], scale).mean(axis=1) for grid, i in zip(grids, positions, strict=True)]
    mean = outputs_at(model, people, cells, positions, scale).mean(axis=1).reshape(counts.shape)
    overall = float(model.predict(people, scale).mean())
    return PairDependence(
        one, other, grids[0], grids[1], mean, own[0], own[1], overall, counts=counts, scale=scale, model=model.name
    )


def positions_of(model: Model, features: Sequence[str], what: str) -> list[int]:
    """Return the positions of at least two different columns."""
    positions = [model.schema.position(name) for name in features]
    if len(positions) < 2:
        raise DlxError(f"{what} needs at least 2 columns, got {len(positions)}; name more of them")
    repeated = sorted({name for name in features if list(features).count(name) > 1})
    if repeated:
        raise DlxError(f"{what} needs different columns, got {', '.join(repeated)} more than once")
    return positions


def outputs_at(model: Model, people: np.ndarray, values: np.ndarray, positions: list[int], scale: Scale) -> np.ndarray:
    """Return everybody's output with some columns set to each of some values [settings, columns]: [settings, people]."""
    changed = np.tile(people, (len(values), 1))
    changed[:, positions] = np.repeat(values, len(people), axis=0)
    return model.predict(changed, scale).reshape(len(values), len(people))


def grid_of(feature: Feature, column: np.ndarray, points: int) -> np.ndarray:
    """Return the values that a column is set to: quantiles of a number, every level of a category, NaN last if one lacks it."""
    known = column[~np.isnan(column)]
    missing = [np.nan] if len(known) < len(column) else []
    if feature.is_categorical:
        return np.r_[np.arange(len(feature.levels), dtype=np.float64), missing]
    if not len(known):
        return np.array(missing)
    return np.r_[np.unique(np.quantile(known, np.linspace(0, 1, points), method="nearest")), missing]


def nearest_on(grid: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return the position in the grid of the value nearest to each person's, [rows]; -1 where the grid has none for them.

    Missing values are nearest to the NaN of the grid.
    """
    is_missing, unknown = np.isnan(column), np.isnan(grid)
    known = grid[~unknown]
    found = np.full(len(column), -1)
    if unknown.any():
        found[is_missing] = int(np.flatnonzero(unknown)[0])
    if len(known):
        middles = (known[1:] + known[:-1]) / 2
        found[~is_missing] = np.flatnonzero(~unknown)[np.searchsorted(middles, column[~is_missing])]
    return found


def people_at(grid: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return how many people are nearest to each value of a grid, [points]."""
    found = nearest_on(grid, column)
    return np.bincount(found[found >= 0], minlength=len(grid))


def gaps(column: np.ndarray) -> list[tuple[float, float]]:
    """Return where nobody is: stretches of a number wider than a twentieth of its range, and than twice the usual distance.

    The usual distance is the median one between neighbouring values, so that a number of few, even values has no gaps.
    """
    values = np.unique(column[~np.isnan(column)])
    if len(values) < 3:
        return []
    widths = np.diff(values)
    least = max(GAP_SHARE * (values[-1] - values[0]), GAP_FACTOR * float(np.median(widths)))
    return [(float(values[i]), float(values[i + 1])) for i in np.flatnonzero(widths > least)]
