"""Percentile bootstrap: how much a number would change with other people.

The ends are expanded percentiles (Hesterberg 2015, "What teachers should know about the bootstrap", section 5.3): a plain
percentile interval of n people is too narrow by √((n − 1) / n), and by the normal distribution where Student's t is due.
`experiments/coverage_of_intervals.md` has what the intervals of dlx cover.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from dlx.stats import LEVEL, Interval, share_interval

__all__ = [
    "LEVEL",
    "RESAMPLES",
    "Interval",
    "ends_of",
    "interval_of",
    "interval_of_mean",
    "interval_of_means",
    "rarest",
    "tails",
]

RESAMPLES = 1_000


def interval_of_mean(values: np.ndarray, *, within: tuple[float, float] | None = None, seed: int = 0) -> Interval:
    """Return the mean of values [rows] with its interval over resampled rows; NaN rows are left out.

    One row has no interval: its ends are NaN. Where all rows are alike none varies, which is no proof that nobody would: with
    the limits `within` which values lie, the interval is then that of a share (Wilson's, the widest that such values may
    have); without them it has no width.
    """
    return interval_of_means(values[None], within=within, seed=seed)


def interval_of_means(values: np.ndarray, *, within: tuple[float, float] | None = None, seed: int = 0) -> Interval:
    """Return the mean of values [replicates, rows] with its interval over resampled rows and resampled replicates.

    Rows with a NaN in any replicate are left out; one row has no interval. `within` is as in `interval_of_mean`.
    """
    values = values[:, ~np.isnan(values).any(axis=0)]
    count, rows = values.shape
    if rows < 2:
        return Interval(float(values.mean()) if rows else np.nan, np.nan, np.nan)
    if within is not None and np.ptp(values) == 0:
        width = within[1] - within[0]
        low, high = share_interval(rows * (values[0, 0] - within[0]) / width, rows)[1:]
        return Interval(float(values[0, 0]), within[0] + width * low, within[0] + width * high)
    rng = np.random.default_rng(seed)
    chosen = rng.multinomial(rows, np.full(rows, 1 / rows), size=RESAMPLES) / rows
    replicates = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES) / count
    resampled = np.einsum("sc,cr,sr->s", replicates, values, chosen, optimize=True)
    return Interval(float(values.mean()), *ends_of(resampled, people=rows))


def interval_of(statistic: Callable[[np.ndarray], float], outcomes: np.ndarray, *, seed: int = 0) -> Interval:
    """Return a statistic of rows, given as positions, with its interval over resampled rows.

    Rows are drawn whatever their outcome, since the share of events would be another among other people too; a resample that
    lacks an outcome is left out. The rows of the rarest outcome count as the people; one such row has no interval.
    """
    rng, classes, people = np.random.default_rng(seed), len(np.unique(outcomes)), rarest(outcomes)
    estimate = float(statistic(np.arange(len(outcomes))))
    if people < 2:
        return Interval(estimate, np.nan, np.nan)
    drawn = (rng.integers(len(outcomes), size=len(outcomes)) for _ in range(RESAMPLES))
    resampled = np.array([statistic(rows) for rows in drawn if len(np.unique(outcomes[rows])) == classes])
    return Interval(estimate, *ends_of(resampled, people=people))


def rarest(outcomes: np.ndarray) -> int:
    """Return how many rows the rarest outcome has."""
    return int(np.unique(outcomes, return_counts=True)[1].min(initial=len(outcomes)))


@functools.cache
def tails(people: int | None = None) -> tuple[float, float]:
    """Return the shares of resampled estimates that lie below the ends of a 95 % interval of so many people.

    Without a number of people they are the plain ones: for draws of a posterior, which need no correction.
    """
    from scipy.stats import norm, t

    if people is None:
        return (1 - LEVEL) / 2, (1 + LEVEL) / 2
    if people < 2:
        return np.nan, np.nan
    below = float(norm.cdf(t.ppf((1 - LEVEL) / 2, people - 1) * (people / (people - 1)) ** 0.5))
    return below, 1 - below


def ends_of(resampled: Any, *, people: int | None = None) -> tuple[float, float]:
    """Return the ends of the 95 % interval of resampled estimates of so many people, see `tails`; NaN ones are left out."""
    known, shares = np.asarray(resampled, dtype=np.float64), tails(people)
    known = known[~np.isnan(known)]
    if not len(known) or np.isnan(shares).any():
        return np.nan, np.nan
    low, high = np.quantile(known, shares)
    return float(low), float(high)
