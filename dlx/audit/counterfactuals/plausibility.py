"""What keeps a changed person plausible: pairs of values that real people have together, and real people near."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, permutations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.stats import norm
from scipy.stats.contingency import expected_freq

from dlx.arrays import in_short
from dlx.audit.adverse_action.rules import association, bin_edges
from dlx.background import ScaledManhattan
from dlx.dataset import Dataset
from dlx.redundancy import copies
from dlx.schema import Feature

if TYPE_CHECKING:
    from sklearn.neighbors import NearestNeighbors

CORRELATED = 0.5  # correlation from which on a pair must stay plausible
BOUND = 0.8  # correlation from which on neither changes without the other
LEAST_PEOPLE = 30  # of whom both values are known, below which nothing is said of a pair
ORDINARY_PAIRS = 0.99  # of real people, whose pairs are plausible by definition
NARROWEST = 0.05  # standard deviation of one normal score given the other, at least: of a copy it is 0
MOST_BINS = 20  # of a number, of at least 30 people each
EXPECTED = 5.0  # people that two levels would share if they were independent, below which nothing is said
NEIGHBOURS = 5  # the distance to the fifth nearest real person says how ordinary somebody is
ORDINARY_PEOPLE = 0.95  # of real people, who by definition are ordinary

Holds = Callable[[np.ndarray, np.ndarray], np.ndarray]  # known values of two columns [rows] to whether real people have both


class CorrelatedPair(NamedTuple):
    """Two columns that go together, and how far one may be from what the other makes it."""

    one: int
    other: int
    correlation: float
    limits: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Correlations:
    """The pairs of numbers and ordered levels that go together, on the scale of normal scores.

    A normal score is the quantile of the normal distribution at a value's rank among real people, so that one correlation
    says how a pair goes together, whatever the shape of its columns. Given one score the other spreads around correlation ×
    score; a pair is plausible if it is no farther off than 99 % of real people are, both ways, or than the person was.
    """

    values: dict[int, np.ndarray]  # by column: those that real people have, ascending, without special values
    scores: dict[int, np.ndarray]  # their normal scores
    pairs: tuple[CorrelatedPair, ...]  # whose correlation exceeds .5

    __repr__ = in_short

    @classmethod
    def of(cls, observed: Dataset) -> Correlations:
        """Return the pairs of a table."""
        found = cls({}, {}, ())
        rows = observed.schema.numbers(observed.rows)
        for i, feature in enumerate(observed.schema.features):
            if not _is_unordered(feature):
                known = rows[~np.isnan(rows[:, i]), i]
                found.values[i], counts = np.unique(known, return_counts=True)
                middle_ranks = np.cumsum(counts) - counts / 2
                found.scores[i] = norm.ppf(middle_ranks / max(1, len(known)))
        columns = {i: found.score(i, rows[:, i]) for i in found.values if len(found.values[i]) > 1}
        pairs = (_correlated(i, columns[i], j, columns[j]) for i, j in combinations(columns, 2))
        return dataclasses.replace(found, pairs=tuple(filter(None, pairs)))

    def score(self, column: int, values: np.ndarray) -> np.ndarray:
        """Return the normal scores of values of a column [values]; NaN where missing."""
        return np.where(np.isnan(values), np.nan, np.interp(values, self.values[column], self.scores[column]))

    def allow(self, row: np.ndarray, changed: np.ndarray) -> np.ndarray:
        """Return which changed rows [changed, features] of a person [features] keep together what goes together, bool."""
        fine = np.ones(len(changed), bool)
        for one, other, correlation, limits in self.pairs:
            own, new = row[[one, other]], changed[:, [one, other]]
            some = np.flatnonzero(fine & (new != own).any(axis=1) & ~np.isnan(new + own).any(axis=1))
            left, right = (self.score(column, np.r_[row[column], changed[some, column]]) for column in (one, other))
            for off, limit in zip(_residuals(left, right, correlation), limits, strict=True):
                fine[some] &= np.abs(off[1:]) <= max(limit, abs(off[0])) + 1e-9
            if abs(correlation) >= BOUND:
                same_way = (left[1:] - left[0]) * (right[1:] - right[0]) * correlation >= 0
                fine[some] &= (new[some] != own).all(axis=1) & same_way
        return fine

    def bound_groups(self, row: np.ndarray) -> list[dict[int, float]]:
        """Return the columns that change only together for a person, each with the sign of its correlation with the others."""
        groups: dict[int, dict[int, float]] = {}  # by column
        for one, other, correlation, _ in self.pairs:
            if abs(correlation) >= BOUND and not np.isnan(row[[one, other]]).any():
                left, right = (groups.setdefault(column, {column: 1.0}) for column in (one, other))
                flip = left[one] * right[other] * np.sign(correlation)
                if left is not right:
                    left |= {column: flip * sign for column, sign in right.items()}
                    groups |= dict.fromkeys(right, left)
        return [dict(sorted(group.items())) for column, group in groups.items() if column == min(group)]


def _correlated(i: int, one: np.ndarray, j: int, other: np.ndarray) -> CorrelatedPair | None:
    known = ~np.isnan(one) & ~np.isnan(other)
    one, other = one[known], other[known]
    varies = len(one) >= LEAST_PEOPLE and one.std() > 0 and other.std() > 0
    correlation = float(np.corrcoef(one, other)[0, 1]) if varies else 0.0
    if abs(correlation) <= CORRELATED:
        return None
    left, right = (float(np.quantile(np.abs(off), ORDINARY_PAIRS)) for off in _residuals(one, other, correlation))
    return CorrelatedPair(i, j, correlation, (left, right))


def _residuals(one: np.ndarray, other: np.ndarray, correlation: float) -> tuple[np.ndarray, np.ndarray]:
    """Return how far each of two scores is from what the other makes it, in conditional standard deviations."""
    spread = max(np.sqrt(1 - correlation**2), NARROWEST)
    return (one - correlation * other) / spread, (other - correlation * one) / spread


class ConditionalRange(NamedTuple):
    """Which values of a column real people have, given the value of another: the hours of who has no job."""

    given: int
    other: int
    holds: Holds


def conditional_ranges(observed: Dataset, columns: tuple[int, ...]) -> tuple[ConditionalRange, ...]:
    """Return the conditional ranges of the pairs that some columns which may change are in.

    A pair of levels without order and anything else is one where their association is above .5 (`association`), a pair
    of numbers where one follows from the other without a correlation (`dlx.redundancy`).
    """
    features, rows = observed.schema.features, observed.schema.numbers(observed.rows)
    told = copies(observed.schema, observed.rows, of=[features[i].name for i in columns])
    follow = {frozenset((copy.one, copy.other)) for copy in told if not copy.is_correlation}
    strength, found = association(observed).to_numpy() if any(map(_is_unordered, features)) else np.empty((0, 0)), []
    for given, other in permutations(range(len(features)), 2):
        one, its = features[given], features[other]
        has_levels, others = _is_unordered(one), _is_unordered(its)
        if not {given, other} & set(columns) or (others and (not has_levels or given > other)):
            continue
        if strength[given, other] > CORRELATED if has_levels else frozenset((one.name, its.name)) in follow:
            known = ~np.isnan(rows[:, [given, other]]).any(axis=1)
            holds = _held_together(one, its, rows[known, given], rows[known, other])
            found.append(ConditionalRange(given, other, holds))
    return tuple(found)


class CodedLevels(NamedTuple):
    """Combinations that no real person has: of a level of one column, and a number or a special value of another."""

    column: int  # of levels
    other: int  # which has special values
    unseen: np.ndarray  # [levels, 1 + special + missing], see `Feature.beside`


def coded_levels(observed: Dataset, columns: tuple[int, ...]) -> tuple[CodedLevels, ...]:
    """Return which levels of some columns go with special values of others, or never do, beyond chance."""
    features, found = observed.schema.features, []
    for column in (i for i in columns if features[i].is_categorical):
        known = ~np.isnan(observed.rows[:, column])
        levels = observed.rows[known, column].astype(int)
        for other, feature in enumerate(features):
            if feature.special:
                shape = len(features[column].levels), 2 + len(feature.special)
                unseen = _unseen(levels, feature.beside(observed.rows[known, other]), shape)
                found += [CodedLevels(column, other, unseen)] * bool(unseen.any())
    return tuple(found)


def _unseen(one: np.ndarray, other: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return which pairs of codes nobody has, although some would if they were independent, bool of a shape."""
    counts = np.zeros(shape)
    np.add.at(counts, (one, other), 1)
    return (counts == 0) & (expected_freq(counts) >= EXPECTED)


def _held_together(one: Feature, other: Feature, given: np.ndarray, value: np.ndarray) -> Holds:
    """Return which levels go together as in some real people, or which numbers lie among the middle 99 % beside a value."""
    if _is_unordered(other):
        unseen = _unseen(given.astype(int), value.astype(int), (len(one.levels), len(other.levels)))
        return lambda given, value: ~unseen[given.astype(int), value.astype(int)]
    edges = bin_edges(one, given, min(MOST_BINS, len(given) // LEAST_PEOPLE))
    bins, ends = np.searchsorted(edges, given), np.tile([[-np.inf], [np.inf]], len(edges) + 1)
    for some in np.flatnonzero(np.bincount(bins) >= LEAST_PEOPLE):
        ends[:, some] = np.quantile(value[bins == some], ((1 - ORDINARY_PAIRS) / 2, (1 + ORDINARY_PAIRS) / 2))

    def holds(given: np.ndarray, value: np.ndarray) -> np.ndarray:
        low, high = ends[:, np.searchsorted(edges, given)]
        return (value >= low) & (value <= high)

    return holds


def _is_unordered(feature: Feature) -> bool:
    return feature.is_categorical and not feature.ordered


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """Real people, whose nearness makes a changed person plausible."""

    distance: ScaledManhattan
    rows: np.ndarray  # [people, features], coded

    __repr__ = in_short

    @cached_property
    def limit(self) -> float:
        """Distance to the fifth nearest other that 95 % of the real people do not exceed."""
        return float(np.quantile(self.to_fifth(self.rows, themselves=1), ORDINARY_PEOPLE))

    def to_fifth(self, rows: np.ndarray, *, themselves: int = 0) -> np.ndarray:
        """Return the distance of rows to the fifth nearest real person [rows], who may be one of themselves."""
        count = min(NEIGHBOURS + themselves, len(self.rows))
        return self._real.kneighbors(self.distance.points(rows), n_neighbors=count)[0][:, -1]

    @cached_property
    def _real(self) -> NearestNeighbors:
        from sklearn.neighbors import NearestNeighbors

        return NearestNeighbors(metric="manhattan", algorithm="brute").fit(self.distance.points(self.rows))
