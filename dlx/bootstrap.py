"""Percentile bootstrap: how much a number would change with other people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

RESAMPLES = 1_000
LEVEL = 0.95


class Interval(NamedTuple):
    """An estimate between the ends of its 95 % bootstrap interval."""

    estimate: float
    low: float
    high: float


def interval_of_mean(values: np.ndarray, *, seed: int = 0) -> Interval:
    """Return the mean of values [rows] with its interval over resampled rows; NaN rows are left out.

    One row has no interval: its ends are NaN.
    """
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return Interval(float(values[0]) if len(values) else np.nan, np.nan, np.nan)
    chosen = np.random.default_rng(seed).integers(len(values), size=(RESAMPLES, len(values)))
    return Interval(float(values.mean()), *ends_of(values[chosen].mean(axis=1)))


def interval_of_means(values: np.ndarray, *, seed: int = 0) -> Interval:
    """Return the mean of values [replicates, rows] with its interval over resampled rows and resampled replicates.

    Rows with a NaN in any replicate are left out; one row has no interval.
    """
    values = values[:, ~np.isnan(values).any(axis=0)]
    count, rows = values.shape
    if rows < 2:
        return Interval(float(values.mean()) if rows else np.nan, np.nan, np.nan)
    rng = np.random.default_rng(seed)
    chosen = rng.multinomial(rows, np.full(rows, 1 / rows), size=RESAMPLES) / rows
    replicates = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES) / count
    resampled = np.einsum("sc,cr,sr->s", replicates, values, chosen, optimize=True)
    return Interval(float(values.mean()), *ends_of(resampled))


def interval_of(statistic: Callable[[np.ndarray], float], outcomes: np.ndarray, *, seed: int = 0) -> Interval:
    """Return a statistic of rows, given as positions, with its interval; each class is resampled for itself."""
    rng = np.random.default_rng(seed)
    classes = [np.flatnonzero(outcomes == outcome) for outcome in np.unique(outcomes)]
    resampled = [statistic(np.concatenate([rng.choice(rows, size=len(rows)) for rows in classes])) for _ in range(RESAMPLES)]
    return Interval(float(statistic(np.arange(len(outcomes)))), *ends_of(resampled))


def ends_of(resampled: Any) -> tuple[float, float]:
    """Return the ends of the 95 % interval of resampled estimates."""
    low, high = np.quantile(resampled, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)
