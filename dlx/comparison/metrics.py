"""How far two explanations of the same people agree: the metrics of Krishna et al. (2022), arXiv 2202.01602, a function each.

The top k features of a person are those of largest absolute contribution. Ties share their places: they get average
ranks, and where a tie straddles place k, each tied feature belongs to the top in part. So no number depends on the order
of the columns, and an explanation agrees with itself fully (but for the sign correlation, to which a 0 has no sign).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from dlx.arrays import ratio
from dlx.comparison.alignment import pair_of, refuse_unaligned
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.stats import interval_of_mean

SHARE, CORRELATION = (0.0, 1.0), (-1.0, 1.0)
Chance = Callable[[int, int], float]


class Ordered(NamedTuple):
    """The contributions of an explanation, and the order of its columns by size."""

    values: np.ndarray  # [rows, features]
    ranks: np.ndarray  # [rows, features], 1 for the largest size, ties averaged
    top: np.ndarray  # [rows, features], 1 where a column is among the top k, 0 where not, the share of a straddling tie


@dataclass(frozen=True)
class Metric:
    """A measure of agreement: what it says in words, between which numbers it lies, and what random explanations reach."""

    of: Callable[[Ordered, Ordered], np.ndarray]
    label: str
    limits: tuple[float, float]
    chance: Chance  # of k and the number of columns


METRICS: dict[str, Metric] = {}


def metric(
    label: str, limits: tuple[float, float], chance: Chance
) -> Callable[[Callable[[Ordered, Ordered], np.ndarray]], Callable[[Ordered, Ordered], np.ndarray]]:
    """Return a decorator that makes a function of two ordered explanations, [rows], a metric of every comparison."""

    def registered(of: Callable[[Ordered, Ordered], np.ndarray]) -> Callable[[Ordered, Ordered], np.ndarray]:
        METRICS[of.__name__] = Metric(of, label, limits, chance)
        return of

    return registered


@metric("Share of the top features that both name", SHARE, lambda k, width: k / width)
def feature_agreement(a: Ordered, b: Ordered) -> np.ndarray:
    """Return the share of the top columns that both have in the top."""
    return np.minimum(a.top, b.top).sum(axis=1) / a.top.sum(axis=1)


@metric("Share of the top features that both put on the same rank", SHARE, lambda _k, width: 1 / width)
def rank_agreement(a: Ordered, b: Ordered) -> np.ndarray:
    """Return the share of the top columns that have the same rank in both."""
    return (np.minimum(a.top, b.top) * (a.ranks == b.ranks)).sum(axis=1) / a.top.sum(axis=1)


@metric("Share of the top features that both name with the same sign", SHARE, lambda k, width: k / width / 2)
def sign_agreement(a: Ordered, b: Ordered) -> np.ndarray:
    """Return the share of the top columns that are in both tops with the same sign."""
    return (np.minimum(a.top, b.top) * (np.sign(a.values) == np.sign(b.values))).sum(axis=1) / a.top.sum(axis=1)


@metric("Share of the top features on the same rank with the same sign", SHARE, lambda _k, width: 1 / width / 2)
def signed_rank_agreement(a: Ordered, b: Ordered) -> np.ndarray:
    """Return the share of the top columns that have the same rank and the same sign in both."""
    same = (a.ranks == b.ranks) & (np.sign(a.values) == np.sign(b.values))
    return (np.minimum(a.top, b.top) * same).sum(axis=1) / a.top.sum(axis=1)


@metric("Spearman correlation of the absolute contributions of all features", CORRELATION, lambda _k, _width: 0.0)
def rank_correlation(a: Ordered, b: Ordered) -> np.ndarray:
    """Return the correlation of the ranks by size."""
    return correlation(a.ranks, b.ranks)


@metric("Share of pairs of features that both order alike", SHARE, lambda _k, _width: 0.5)
def pairwise_rank_agreement(a: Ordered, b: Ordered) -> np.ndarray:
    """Return the share of pairs of columns that both order alike by size; 1 of a single column."""
    first, second = np.triu_indices(a.ranks.shape[1], k=1)
    if not len(first):
        return np.ones(len(a.ranks))
    orders = (np.sign(some.ranks[:, first] - some.ranks[:, second]) for some in (a, b))
    return np.equal(*orders).mean(axis=1)


@metric("Spearman correlation of the signed contributions of all features", CORRELATION, lambda _k, _width: 0.0)
def signed_rank_correlation(a: Ordered, b: Ordered) -> np.ndarray:
    """Return the correlation of the ranks by signed contribution."""
    return correlation(_ranks(a.values), _ranks(b.values))


@metric("Mean product of the signs of all features", CORRELATION, lambda _k, _width: 0.0)
def sign_correlation(a: Ordered, b: Ordered) -> np.ndarray:
    """Return the mean over columns of the product of both signs."""
    return (np.sign(a.values) * np.sign(b.values)).mean(axis=1)


def metrics_by_row(a: np.ndarray, b: np.ndarray, k: int) -> dict[str, np.ndarray]:
    """Return every metric of two arrays of contributions [rows, features], each [rows].

    A row in which either explanation gives all features the same absolute contribution has no order, and is NaN; so is
    one that either did not explain.
    """
    if k < 1:
        raise DlxError(f"k must be at least 1, got {k}")
    failed = ~(np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1))
    one, other = (_ordered(np.where(failed[:, None], 0.0, values), k) for values in (a, b))
    unordered = (np.ptp(one.ranks, axis=1) == 0) | (np.ptp(other.ranks, axis=1) == 0)
    unknown = failed | (unordered & (a.shape[1] > 1))
    return {name: np.where(unknown, np.nan, metric.of(one, other)) for name, metric in METRICS.items()}


def chance_level(metric: str, k: int, width: int) -> float:
    """Return what two explanations of random order and random signs reach on average."""
    return METRICS[metric].chance(min(k, width), width)


def agreement(a: Explanation, b: Explanation, *, k: int = 5, seed: int = 0) -> pd.DataFrame:
    """Return how far two explanations agree, averaged over people: a line a metric.

    Parameters
    ----------
    a, b : Explanation
        Aligned (see `dlx.compare`), or an `AlignmentError` is raised.
    k : int
        How many features count as the top; all of them where there are fewer.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        Mean over rows, 95 % bootstrap interval, chance level, the rows that have a value, and those that have none: an
        explanation failed, or gives all columns the same size, so that there is no order (`undefined`).
    """
    refuse_unaligned((a, b))
    lines, width = [], a.values.shape[1]
    for name, values in metrics_by_row(a.values, b.values, k).items():
        found = summary(values, a.failed | b.failed, within=METRICS[name].limits, seed=seed)
        lines.append(pair_of(a, b) | {"metric": name, "k": min(k, width), "chance": chance_level(name, k, width)} | found)
    return pd.DataFrame(lines)


def agreement_by_row(a: Explanation, b: Explanation, *, k: int = 5) -> pd.DataFrame:
    """Return how far two explanations agree about each person: a line a row, a column a metric."""
    refuse_unaligned((a, b))
    return pd.DataFrame(pair_of(a, b) | {"row": np.asarray(a.index)} | metrics_by_row(a.values, b.values, k))


def summary(
    values: np.ndarray, failed: np.ndarray, *, within: tuple[float, float] | None = None, seed: int = 0
) -> dict[str, float]:
    """Return the mean of values [rows] with its 95 % interval, and how many rows have a value, failed, or have none else."""
    mean, low, high = interval_of_mean(values, within=within, seed=seed)
    return {"mean": mean, "low": low, "high": high} | counted(~np.isnan(values), failed)


def counted(known: np.ndarray, failed: np.ndarray) -> dict[str, int]:
    """Return how many rows have a value, how many were not explained, and how many have no value for another reason."""
    rows, lost = int(known.sum()), int(failed.sum())
    return {"rows": rows, "failed": lost, "undefined": len(known) - rows - lost}


def correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation of each row of two arrays [rows, columns]; NaN where either does not vary."""
    a, b = (one - one.mean(axis=1, keepdims=True) for one in (a, b))
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return ratio((a * b).sum(axis=1), scale)


def _ordered(values: np.ndarray, k: int) -> Ordered:
    ranks, k = _ranks(np.abs(values)), min(k, values.shape[1])
    above = (ranks[:, :, None] > ranks[:, None, :]).sum(axis=2)
    tied = (ranks[:, :, None] == ranks[:, None, :]).sum(axis=2)
    return Ordered(values, ranks, np.clip((k - above) / tied, 0.0, 1.0))


def _ranks(sizes: np.ndarray) -> np.ndarray:
    """Return ranks [rows, features], 1 for the largest, ties averaged."""
    from scipy.stats import rankdata

    return rankdata(-sizes, axis=1)
