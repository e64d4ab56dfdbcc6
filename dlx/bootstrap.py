"""Percentile bootstrap: how much a number would change with other people."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

RESAMPLES = 1_000
LEVEL = 0.95


class Interval(NamedTuple):
    """An estimate between the ends of its 95 % bootstrap interval."""

    estimate: float
    low: float
    high: float


def interval_of_mean(values: np.ndarray, *, seed: int = 0) -> Interval:
    """Return the mean of values [rows] with its interval over resampled rows; NaN rows are left out."""
    values = values[~np.isnan(values)]
    if not len(values):
        return Interval(np.nan, np.nan, np.nan)
    chosen = np.random.default_rng(seed).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(values[chosen].mean(axis=1), _ends())
    return Interval(float(values.mean()), float(low), float(high))


def interval_of(statistic: Callable[[np.ndarray], float], outcomes: np.ndarray, *, seed: int = 0) -> Interval:
    """Return a statistic of rows, given as positions, with its interval; each class is resampled for itself."""
    rng = np.random.default_rng(seed)
    classes = [np.flatnonzero(outcomes == outcome) for outcome in np.unique(outcomes)]
    resampled = [statistic(np.concatenate([rng.choice(rows, size=len(rows)) for rows in classes])) for _ in range(RESAMPLES)]
    low, high = np.quantile(resampled, _ends())
    return Interval(float(statistic(np.arange(len(outcomes)))), float(low), float(high))


def _ends() -> tuple[float, float]:
    return (1 - LEVEL) / 2, (1 + LEVEL) / 2
