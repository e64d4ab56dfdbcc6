"""Redundant columns: those that say the same as another, and leaks, which alone give the outcome away.

Two columns are copies where they go together, |r| > .95 by Pearson or Spearman, or where one follows from the other, whatever
the shape: a recode, a band of an age, a code beside its name. How well one follows from the other is judged in bins of the
other's values: by the adjusted correlation ratio of its ranks, or by how many of the errors about its level are spared.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from dlx.schema import Feature, Schema
from dlx.stats import Interval, auc_interval

ALIKE = 0.95  # correlation, or share of errors that are spared, beyond which two columns say the same
TELLS_ALL = 0.98  # AUC from which on a column alone tells the outcome
SURELY = 0.9  # what the lower end of that AUC's interval must reach
FEWEST = 30  # rows in which both are known
FEWEST_OUTCOMES = 5  # of either outcome
IN_A_BIN, MOST_BINS = 5, 100
MOST_ROWS = 5_000  # drawn at random from more
FOLDS = 5


class Copy(NamedTuple):
    """Two columns that say the same."""

    one: str
    other: str
    strength: float  # the correlation, with its sign; or how far one follows from the other, 0 to 1
    is_correlation: bool


class Leak(NamedTuple):
    """A column that alone tells the outcome."""

    name: str
    auc: Interval


def copies(schema: Schema, rows: np.ndarray, *, of: Collection[str] | None = None) -> list[Copy]:
    """Return pairs of columns that say the same, in the order of the schema.

    Parameters
    ----------
    schema : Schema
        What the columns mean.
    rows : ndarray [rows, features]
        Coded, NaN where missing. Fewer than 30 rows in which two are known say nothing.
    of : collection of str, optional
        Columns of which either must be one; all by default.
    """
    if len(rows) > MOST_ROWS:
        rows = rows[np.random.default_rng(0).permutation(len(rows))[:MOST_ROWS]]
    columns = [_Column.of(feature, column) for feature, column in zip(schema.features, rows.T, strict=True)]
    found = []
    for one, other in itertools.combinations([column for column in columns if column.codes.any()], 2):
        if of is not None and one.name not in of and other.name not in of:
            continue
        both = one.known & other.known
        if both.sum() < FEWEST:
            continue
        related = _correlation(one, other, both)
        strength = related if abs(related) > ALIKE else max(_follows(one, other), _follows(other, one))
        if abs(strength) > ALIKE:
            found.append(Copy(one.name, other.name, strength, is_correlation=strength == related))
    return found


def copies_by_column(found: list[Copy]) -> dict[str, tuple[str, ...]]:
    """Return, for each column that has copies, all others of its group: a copy of a copy is one too."""
    groups: list[list[str]] = []
    for copy in found:
        joined = [group for group in groups if copy.one in group or copy.other in group]
        groups = [group for group in groups if group not in joined]
        groups.append(list(dict.fromkeys([*itertools.chain(*joined), copy.one, copy.other])))
    return {name: tuple(other for other in group if other != name) for group in groups for name in group}


def leaks(schema: Schema, rows: np.ndarray, outcomes: np.ndarray, *, seed: int = 0) -> list[Leak]:
    """Return the columns that alone tell a binary outcome, the surest first.

    A column tells by the share of events in bins of its values, missing ones being a bin, as other rows have it (five folds).

    Parameters
    ----------
    schema : Schema
        What the columns mean.
    rows, outcomes : ndarray [rows, features], [rows]
        Coded; 0 or 1. Fewer than five rows of either say nothing.
    seed : int
        Seed of the folds.
    """
    fewest = min((outcomes == 1).sum(), (outcomes == 0).sum())
    if fewest < FEWEST_OUTCOMES:
        return []
    folds = np.random.default_rng(seed).permutation(np.arange(len(rows)) % FOLDS)
    told = []
    for i, feature in enumerate(schema.features):
        area = auc_interval(outcomes, _share_of_events(_bins(feature, rows[:, i]), outcomes, folds))
        if area.estimate >= TELLS_ALL and area.low >= SURELY:
            told.append(Leak(feature.name, area))
    return sorted(told, key=lambda leak: -leak.auc.estimate)


class _Column(NamedTuple):
    """A column: its values, ranks, codes and bins, each made once for all pairs."""

    name: str
    values: np.ndarray
    known: np.ndarray
    ranks: np.ndarray  # of the known values; 0 elsewhere
    codes: np.ndarray  # of the known values, from 0 on; 0 elsewhere
    bins: np.ndarray
    has_order: bool

    @classmethod
    def of(cls, feature: Feature, column: np.ndarray) -> _Column:
        from scipy.stats import rankdata

        known, ranks, codes = ~np.isnan(column), np.zeros(len(column)), np.zeros(len(column), dtype=np.intp)
        ranks[known], codes[known] = rankdata(column[known]), np.unique(column[known], return_inverse=True)[1]
        has_order = not feature.is_categorical or feature.ordered or len(feature.levels) == 2
        return cls(feature.name, column, known, ranks, codes, _bins(feature, column), has_order)


def _correlation(one: _Column, other: _Column, both: np.ndarray) -> float:
    """Return the larger of Pearson's and Spearman's correlation over some rows; 0 where a column has no order, or one value."""
    if not (one.has_order and other.has_order) or not (np.ptp(one.values[both]) and np.ptp(other.values[both])):
        return 0.0
    found = (np.corrcoef(a[both], b[both])[0, 1] for a, b in ((one.values, other.values), (one.ranks, other.ranks)))
    return float(max(found, key=abs))


def _follows(column: _Column, source: _Column) -> float:
    """Return how far a column follows from another, gaps in which tell too: 0 not at all, 1 wholly."""
    bins, codes = source.bins[column.known], column.codes[column.known]
    sizes = np.bincount(bins)
    used = int((sizes > 0).sum())
    is_sparse = len(bins) < IN_A_BIN * used
    pairs, usual = _alike(bins), _alike(codes) / (len(codes) * (len(codes) - 1))
    if is_sparse and pairs * (1 - usual) < FEWEST:  # so many values that anything would follow from them
        return 0.0
    if column.has_order:
        ranks = column.ranks[column.known]
        means = np.bincount(bins, weights=ranks) / np.maximum(sizes, 1)
        left = ((ranks - means[bins]) ** 2).sum() / (len(ranks) - used)
        return float(np.sqrt(max(0.0, 1 - left / ranks.var(ddof=1))))
    both = np.unique(bins * (codes.max() + 1) + codes, return_inverse=True)[1]
    if is_sparse:  # a bin of few people has its own level by chance, two of them have the same one seldom
        return float((_alike(both) / pairs - usual) / (1 - usual))
    most = np.zeros(len(sizes))
    np.maximum.at(most, bins, np.bincount(both)[both])
    told, most_common = most.sum() / len(codes), np.bincount(codes).max() / len(codes)
    return float((told - most_common) / (1 - most_common))


def _alike(codes: np.ndarray) -> float:
    """Return how many pairs of people, counted both ways, have the same code."""
    counts = np.bincount(codes).astype(float)
    return float(counts @ (counts - 1))


def _bins(feature: Feature, column: np.ndarray) -> np.ndarray:
    """Return the bin of each value, from 0 on: a level or value where these are few, else a quantile; missing is one too."""
    missing = np.isnan(column)
    values, places = np.unique(column[~missing], return_inverse=True)
    most = min(MOST_BINS, max(2, len(column) // (2 * IN_A_BIN)))
    if not feature.is_categorical and len(values) > most:
        edges = np.unique(np.quantile(column[~missing], np.linspace(0, 1, most + 1)[1:-1]))
        places = np.searchsorted(edges, column[~missing], side="left")
    bins = np.zeros(len(column), dtype=np.intp)
    bins[~missing] = places
    bins[missing] = places.max(initial=-1) + 1
    return np.unique(bins, return_inverse=True)[1]


def _share_of_events(bins: np.ndarray, outcomes: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Return the share of events that the other folds have in each row's bin, drawn a little to that of all, [rows]."""
    shares = np.empty(len(outcomes))
    for fold in np.unique(folds):
        held, rest = folds == fold, folds != fold
        events = np.bincount(bins[rest], weights=outcomes[rest], minlength=bins.max() + 1)
        counts = np.bincount(bins[rest], minlength=bins.max() + 1)
        shares[held] = ((events + outcomes[rest].mean()) / (counts + 1))[bins[held]]
    return shares
