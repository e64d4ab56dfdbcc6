"""Intervals, tests, resamples and areas under the ROC curve: each once, for all of dlx. Intervals hold 95 % of few people, too.

Shares have Wilson's interval, areas DeLong's. Everything else has the bootstrap's, with expanded percentiles (Hesterberg 2015,
section 5.3): a plain percentile interval of n people is too narrow by √((n − 1) / n), and by the normal distribution where
Student's t is due. `experiments/coverage_of_intervals.md` has what they cover.

Sample weights [people] make an estimate that of rows repeated so often, and no more people of them: a bootstrap draws people,
each with their weight, and other intervals are those of as many people as the weights are worth (`effective`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from dlx.arrays import ratio

LEVEL = 0.95
Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
CERTAIN = f"{100 * LEVEL:g} %"  # of an interval, as people read it
RESAMPLES = 1_000
SMALLEST = 1e-15  # a probability nearer to 0 or 1 counts as this near in the log loss
CLOSE = 1e-9  # areas that differ by less are the same
CELLS = 4_000_000  # of resamples and rows at once: 32 MB
BETWEEN: Any = "linear"  # of quantiles of people who weigh the same
Weights = np.ndarray | None  # of people, [people]; None where all count the same


class Interval(NamedTuple):
    """An estimate between the ends of its 95 % interval; NaN ends where there is none."""

    estimate: float
    low: float
    high: float

    def excludes(self, value: float) -> bool:
        """Return whether the interval leaves out a value; one without ends leaves out nothing."""
        return bool(value < self.low or value > self.high)

    def named(self, name: str) -> dict[str, float]:
        """Return it as columns of a table: `name`, `name_low` and `name_high`."""
        return dict(zip((name, f"{name}_low", f"{name}_high"), self, strict=True))


def counts_of(weights: Weights, people: int) -> np.ndarray:
    """Return how much each of some people counts, [people]: 1 where all count the same."""
    return np.ones(people) if weights is None else weights


def effective(weights: np.ndarray) -> np.ndarray:
    """Return weights that sum up to as many people as they are worth (Kish 1965): all 1 where people weigh the same."""
    return weights * (weights.sum() / max(float(weights @ weights), 1e-300))


def quantile(values: np.ndarray, shares: Any, weights: Weights = None) -> Any:
    """Return quantiles over people of values [people, ...], NumPy's; by weights, they are values that somebody has.

    How far between two people a quantile lies goes, in NumPy's way, by how many there are, which weights do not say.
    """
    if weights is None:
        return np.quantile(values, shares, axis=0, method=BETWEEN)
    return np.quantile(values, shares, axis=0, method="inverted_cdf", weights=weights)


def quantile_edges(values: np.ndarray, bins: int) -> np.ndarray:
    """Return the edges between bins of values with as many each, rising; fewer where values repeat, none of no values."""
    return np.unique(np.quantile(values, np.arange(1, bins) / bins)) if len(values) and bins else np.empty(0)


def spread(values: np.ndarray, weights: Weights = None) -> float:
    """Return the standard deviation of values [people], as NumPy's, by their weights."""
    return float(np.average((values - np.average(values, weights=weights)) ** 2, weights=weights)) ** 0.5


def interval_of_share(flags: np.ndarray, weights: Weights = None) -> Interval:
    """Return the share of true flags [people] with its 95 % interval (Wilson 1927); NaN where there is nobody."""
    if weights is None:
        return share_interval(float(np.sum(flags)), len(flags))
    counts = effective(weights)
    return share_interval(float(counts @ flags), float(counts.sum()))


def share_interval(count: float, of: float) -> Interval:
    """Return a count as a share of all, with its 95 % interval (Wilson 1927), which has a width of none and all, too."""
    if not of:
        return Interval(np.nan, np.nan, np.nan)
    share, z2 = count / of, Z**2
    middle, reach = share + z2 / (2 * of), (z2 * (share * (1 - share) / of + z2 / (4 * of**2))) ** 0.5
    low, high = ((middle + sign * reach) / (1 + z2 / of) for sign in (-1, 1))
    return Interval(share, low if count > 0 else 0.0, high if count < of else 1.0)


def auc(outcomes: np.ndarray, predicted: np.ndarray, weights: Weights = None) -> float:
    """Return the area under the ROC curve: the chance that a positive ranks above a negative, ties counting half."""
    return auc_of_ranks(outcomes, np.unique(predicted, return_inverse=True)[1], weights)


def auc_of_ranks(outcomes: np.ndarray, ranks: np.ndarray, weights: Weights = None) -> float:
    """Return `auc` of predictions that are whole numbers from 0 on."""
    counts = counts_of(weights, len(outcomes))
    positive, negative = (np.bincount(ranks, counts * some) for some in (outcomes == 1, outcomes != 1))
    return float(positive @ (negative.cumsum() - negative / 2) / (positive.sum() * negative.sum()))


def placements(outcomes: np.ndarray, predicted: np.ndarray, weights: Weights = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of the other class that each person ranks right against, ties half, [positives], [negatives]."""
    is_event, (_, place) = outcomes == 1, np.unique(predicted, return_inverse=True)
    counts = counts_of(weights, len(outcomes))
    yes, no = (np.bincount(place, counts * some) for some in (is_event, ~is_event))
    below, above = ((some.cumsum() - some / 2) / some.sum() for some in (no, yes))
    return below[place[is_event]], 1 - above[place[~is_event]]


def auc_interval(outcomes: np.ndarray, predicted: np.ndarray, weights: Weights = None) -> Interval:
    """Return the area under the ROC curve with its 95 % interval; no interval where a class has one row.

    DeLong's variance (1988) on the log-odds of the area, and Student's t with Satterthwaite's degrees of freedom (Brunner and
    Munzel 2000). Where DeLong saw no variation, as of a perfect ranking, Newcombe's method 5 (2006), whose variance follows
    from the area itself.
    """
    from scipy.special import expit, logit

    classes, counts = placements(outcomes, predicted, weights), _by_class(outcomes, weights)
    area = float(np.average(classes[0], weights=counts[0]))
    if min(map(len, classes)) < 2:
        return Interval(area, np.nan, np.nan)
    error, reached = _error(classes, counts)
    if not error or not 0 < area < 1:
        return Interval(area, *_newcombe(area, *(float(effective(some).sum()) for some in counts)))
    reach = reached * error / (area * (1 - area))
    return Interval(area, float(expit(logit(area) - reach)), float(expit(logit(area) + reach)))


def auc_difference(outcomes: np.ndarray, one: np.ndarray, other: np.ndarray, weights: Weights = None) -> Interval:
    """Return the area under the ROC curve of one ranking less that of another, of the same people, with its 95 % interval.

    The other may be several, [rankings, people], of whose areas the mean counts.
    DeLong's paired variance (1988), with Student's t as in `auc_interval`; no interval where a class has one row. Where it saw
    no variation the interval has no width if both rank everybody alike, and else is put together from those of both areas, as
    if these were of different people (Newcombe 1998, method 10), which is wider.
    """
    others, counts = np.atleast_2d(other), _by_class(outcomes, weights)
    own, *each = [placements(outcomes, some, weights) for some in (one, *others)]
    classes = [np.mean([own[of] - some[of] for some in each], axis=0) for of in (0, 1)]
    gain = float(np.average(classes[0], weights=counts[0]))
    if not any(some.any() for some in classes):
        return Interval(0.0, 0.0, 0.0)
    if min(len(some) for some in classes) < 2:
        return Interval(gain, np.nan, np.nan)
    error, reached = _error(classes, counts)
    if not error:
        (mine, worst, best), (theirs, lowest, highest) = (auc_interval(outcomes, some, weights) for some in (one, others[0]))
        reach = np.hypot((mine - worst, best - mine), (highest - theirs, theirs - lowest))
        return Interval(gain, float(gain - reach[0]), float(gain + reach[1]))
    return Interval(gain, max(gain - reached * error, -1.0), min(gain + reached * error, 1.0))


def weighted_auc(outcomes: np.ndarray, predicted: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve for some weights of people [samples, people], [samples].

    Ties count half; NaN where a class weighs nothing.
    """
    _, place = np.unique(predicted, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(place[order]) > 0])
    positive, negative = (
        np.add.reduceat(np.where(outcomes[order] == outcome, weights[:, order], 0), starts, axis=1, dtype=np.float64)
        for outcome in (1, 0)
    )
    below = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    return ratio((positive * below).sum(axis=1), pairs)


def log_losses(outcomes: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the log loss of each row, nats [rows]; probabilities are kept 1e-15 away from 0 and 1."""
    kept = np.clip(predicted, SMALLEST, 1 - SMALLEST)
    return -np.where(outcomes == 1, np.log(kept), np.log1p(-kept))


def auc_of_counts(scores: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> tuple[float, float]:
    """Return area and standard error (DeLong 1988) from how many people of either kind have each score [scores]."""
    _, which = np.unique(scores, return_inverse=True)
    inside, outside = np.bincount(which, inside), np.bincount(which, outside)
    below = (np.cumsum(outside) - outside / 2) / outside.sum()  # of the rest, at the score of one who is inside
    above = 1 - (np.cumsum(inside) - inside / 2) / inside.sum()
    area = float(inside @ below / inside.sum())
    variance = sum(
        counts @ (shares - area) ** 2 / max(counts.sum() - 1, 1) / counts.sum()
        for counts, shares in ((inside, below), (outside, above))
    )
    return area, float(np.sqrt(variance))


def _by_class(outcomes: np.ndarray, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    """Return how much each positive and each negative counts."""
    counts = counts_of(weights, len(outcomes))
    return counts[outcomes == 1], counts[outcomes != 1]


def _error(classes: Sequence[np.ndarray], counts: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return the standard error of the sum of two means, and the quantile of Student's t for it (Satterthwaite)."""
    from scipy.stats import t

    def variance_of(some: np.ndarray, shares: np.ndarray) -> float:
        if np.ptp(some) <= 1e-12:
            return 0.0
        return float((shares * (some - shares @ some)) @ (shares * (some - shares @ some)) * len(some) / (len(some) - 1))

    parts = [variance_of(some, each / each.sum()) for some, each in zip(classes, counts, strict=True)]
    variance = sum(parts)
    if not variance:
        return 0.0, np.nan
    freedom = variance**2 / sum(part**2 / (len(some) - 1) for part, some in zip(parts, classes, strict=True))
    return variance**0.5, float(t.ppf((1 + LEVEL) / 2, freedom))


def _newcombe(area: float, positives: float, negatives: float) -> tuple[float, float]:
    """Return the ends of the interval of an area: which may give the one found by chance (Newcombe 2006, method 5)."""
    from scipy.optimize import brentq

    def beyond(true: float) -> float:
        extra = ((positives + negatives) / 2 - 1) * ((1 - true) / (2 - true) + true / (1 + true))
        return (area - true) ** 2 - Z**2 * max(true * (1 - true) * (1 + extra) / (positives * negatives), 0.0)

    low = float(brentq(beyond, 0.0, area - CLOSE)) if area > CLOSE else 0.0
    high = float(brentq(beyond, area + CLOSE, 1.0)) if area < 1 - CLOSE else 1.0
    return low, high


def interval_of_mean(
    values: np.ndarray, weights: Weights = None, *, within: tuple[float, float] | None = None, seed: int = 0
) -> Interval:
    """Return the mean of values [rows] or [replicates, rows] with its interval over resampled rows, and replicates.

    Rows with a NaN are left out; one row has no interval: its ends are NaN. Where all are alike none varies, which is no proof
    that nobody would: with the limits `within` which values lie, the interval is then that of a share (Wilson's, the widest
    that such values may have); without them it has no width.
    """
    values = np.atleast_2d(values)
    known = ~np.isnan(values).any(axis=0)
    values, weights = values[:, known], None if weights is None else weights[known]
    count, rows = values.shape
    if rows < 2:
        return Interval(float(values.mean()) if rows else np.nan, np.nan, np.nan)
    if within is not None and np.ptp(values) == 0:
        width, people = within[1] - within[0], rows if weights is None else float(effective(weights).sum())
        low, high = share_interval(people * (values[0, 0] - within[0]) / width, people)[1:]
        return Interval(float(values[0, 0]), within[0] + width * low, within[0] + width * high)
    chosen, replicates = _resampled_shares(rows, count, seed)
    if weights is not None:
        chosen = chosen * weights / (chosen * weights).sum(axis=1, keepdims=True)
    resampled = np.einsum("sc,cr,sr->s", replicates, values, chosen, optimize=True)
    return Interval(float(np.average(values.mean(axis=0), weights=weights)), *ends_of(resampled, people=rows))


@functools.lru_cache(maxsize=4)
def _resampled_shares(rows: int, replicates: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares of rows and of replicates in each resample; the same of every table of a report."""
    rng = np.random.default_rng(seed)
    return resampled_counts(rows, seed=rng) / rows, resampled_counts(replicates, seed=rng) / replicates


def interval_of(statistic: Callable[[np.ndarray], float], people: int, *, seed: int = 0) -> Interval:
    """Return a statistic of so many people, given as positions, with its interval over resampled ones; one has no interval."""
    rng, estimate = np.random.default_rng(seed), float(statistic(np.arange(people)))
    if people < 2:
        return Interval(estimate, np.nan, np.nan)
    resampled = [statistic(rng.integers(people, size=people)) for _ in range(RESAMPLES)]
    return Interval(estimate, *ends_of(resampled, people=people))


def interval_over(
    statistic: Callable[[np.ndarray], np.ndarray], outcomes: np.ndarray, weights: Weights = None, *, seed: int = 0
) -> Interval:
    """Return a statistic, [resamples] of how much each row counts [resamples, rows], with its interval over resampled rows.

    Rows are drawn whatever their outcome, since the share of events would be another among other people too; a resample that
    lacks an outcome is left out. The rows of the rarest outcome count as the people; one such row has no interval.
    """
    is_class, people = np.unique(outcomes)[:, None] == outcomes, rarest(outcomes)
    if people < 2:
        return Interval(float(statistic(counts_of(weights, len(outcomes))[None])[0]), np.nan, np.nan)
    found = []
    for counts in counts_in_chunks(len(outcomes), weights, seed=seed):
        has_all = (counts @ is_class.T > 0).all(axis=1)
        found.append(statistic(counts[has_all]))
    estimate, *resampled = np.concatenate(found)
    return Interval(float(estimate), *ends_of(resampled, people=people))


def rarest(outcomes: np.ndarray) -> int:
    """Return how many rows the rarest outcome has."""
    return int(np.unique(outcomes, return_counts=True)[1].min(initial=len(outcomes)))


@functools.cache
def tails(people: int | None = None) -> tuple[float, float]:
    """Return the shares of resampled estimates that lie below the ends of a 95 % interval of so many people.

    Without a number of people they are the plain ones: for draws of a posterior, which need no correction.
    """
    from scipy.stats import t

    if people is None:
        return (1 - LEVEL) / 2, (1 + LEVEL) / 2
    if people < 2:
        return np.nan, np.nan
    below = NormalDist().cdf(float(t.ppf((1 - LEVEL) / 2, people - 1)) * (people / (people - 1)) ** 0.5)
    return below, 1 - below


def ends_of(resampled: Any, *, people: int | None = None, method: Any = BETWEEN) -> np.ndarray:
    """Return both ends of the 95 % interval of estimates [resamples, ...] of so many people, as [2, ...], see `tails`.

    NaN among the estimates of one number are left out; there are no ends (NaN) of fewer than two people.
    """
    known, shares = np.asarray(resampled, dtype=np.float64), tails(people)
    known = known[~np.isnan(known)] if known.ndim == 1 else known
    if not len(known) or np.isnan(shares).any():
        return np.full((2, *known.shape[1:]), np.nan)
    return np.quantile(known, shares, axis=0, method=method)


def interval_among(estimates: np.ndarray, *, people: int | None = None) -> Interval:
    """Return the first of some estimates [1 + resamples] between the 95 % ends of the others, which may be infinite.

    Resamples without an estimate (NaN) are left out; where the first has none, or there are fewer than two people, there is no
    interval. `people` is how many the estimate rests on, see `tails`.
    """
    if np.isnan(estimates[0]):
        return Interval(np.nan, np.nan, np.nan)
    ends = ends_of(estimates[1:], people=people, method="inverted_cdf")  # never between infinities
    return Interval(float(estimates[0]), *map(float, ends))


def resampled_counts(
    rows: int, weights: Weights = None, *, seed: int | np.random.Generator = 0, groups: np.ndarray | None = None
) -> np.ndarray:
    """Return how much each row counts in each bootstrap resample, float64 [resamples, rows], read-only.

    That is how often it is drawn, times its weight. With `groups` [rows], each group is resampled for itself, in the order of
    their values.
    """
    codes = b"" if groups is None else np.unique(groups, return_inverse=True)[1].astype(np.int64).tobytes()
    is_held = isinstance(seed, int) and rows * RESAMPLES <= CELLS  # drawing takes longer than all that is done with it
    counts = (_counts if is_held else _counts.__wrapped__)(rows, seed, codes)
    return counts if weights is None else counts * weights


@functools.lru_cache(maxsize=4)
def _counts(rows: int, seed: int | np.random.Generator, codes: bytes) -> np.ndarray:
    rng, groups = np.random.default_rng(seed), np.frombuffer(codes, np.int64) if codes else np.zeros(rows)
    drawn = np.zeros((RESAMPLES, rows))
    for inside in [np.flatnonzero(groups == group) for group in np.unique(groups)]:
        drawn[:, inside] = rng.multinomial(len(inside), np.full(len(inside), 1 / len(inside)), size=RESAMPLES)
    drawn.setflags(write=False)
    return drawn


def means_of(counts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the means of values [rows, ...] by how much each row counts [samples, rows], [samples, ...]."""
    return (counts @ values) / counts.sum(axis=1).reshape(-1, *(1,) * (values.ndim - 1))


def resampled_means(values: np.ndarray, weights: Weights = None, *, seed: int | np.random.Generator = 0) -> np.ndarray:
    """Return the mean of values [rows, ...], and then that of each bootstrap resample of the rows, [1 + resamples, ...]."""
    return np.concatenate([means_of(counts, values) for counts in counts_in_chunks(len(values), weights, seed=seed)])


def counts_in_chunks(rows: int, weights: Weights = None, *, seed: int | np.random.Generator) -> Iterator[np.ndarray]:
    """Yield how much each row counts in each resample, float64 [resamples, rows], in chunks; the very first has all once."""
    rng = np.random.default_rng(seed)
    left, first = RESAMPLES, True
    while left:
        some = min(left, max(1, CELLS // rows))
        drawn = rng.integers(rows, size=(some, rows)) + rows * np.arange(some)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=some * rows).reshape(some, rows).astype(np.float64)
        counts = np.vstack([np.ones(rows), counts]) if first else counts
        yield counts if weights is None else counts * weights
        left, first = left - some, False


def holm(chances: np.ndarray) -> np.ndarray:
    """Return p-values adjusted by Holm (1979): the family-wise error is held whatever their dependence."""
    order, count = np.argsort(chances, kind="stable"), len(chances)
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(chances[order] * (count - np.arange(count))))
    return adjusted
