"""Where people are: the values of a column on a grid, how many have them, and the gaps between them."""

from __future__ import annotations

import numpy as np

from dlx.schema import Feature

GAP_SHARE = 0.05
GAP_FACTOR = 2.0


def grid_of(feature: Feature, column: np.ndarray, points: int) -> np.ndarray:
    """Return the values that a column is set to: quantiles of a number, every level of a category, NaN last if one lacks it."""
    known = column[~np.isnan(column)]
    missing = [np.nan] if len(known) < len(column) else []
    if feature.is_categorical:
        return np.r_[np.arange(len(feature.levels), dtype=np.float64), missing]
    if not len(known):
        return np.array(missing)
    return np.r_[np.unique(np.quantile(known, np.linspace(0, 1, points), method="nearest")), missing]


def nearest(grid: np.ndarray, column: np.ndarray) -> np.ndarray:
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
    found = nearest(grid, column)
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
