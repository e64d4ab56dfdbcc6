"""What keeps a changed person plausible: pairs of values that real people have together, and real people near."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, permutations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlx.audit.adverse_action import pair_association
from dlx.background import CELLS, RowDistance
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

    values: dict[int, np.ndarray]  # by column: those that real people have, ascending
    scores: dict[int, np.ndarray]  # their normal scores
    pairs: tuple[CorrelatedPair, ...]  # whose correlation exceeds .5

    @classmethod
    def of(cls, observed: Dataset) -> Correlations:
        """Return the pairs of a table."""
        from scipy.stats import norm

        values, scores = {}, {}
        for i, feature in enumerate(observed.schema.features):
            if not _is_unordered(feature):
                column = observed.rows[:, i]
                values[i], counts = np.unique(column[~np.isnan(column)], return_counts=True)
                ranks = np.cumsum(counts) - counts / 2  # the middle rank of equal values
                scores[i] = norm.ppf(ranks / max(1, counts.sum()))
        unpaired = cls(values, scores, ())
        columns = {i: unpaired.score(i, observed.rows[:, i]) for i in values if len(values[i]) > 1}
        found = (_correlated(i, columns[i], j, columns[j]) for i, j in combinations(columns, 2))
        return cls(values, scores, tuple(pair for pair in found if pair is not None))

    def score(self, column: int, values: np.ndarray) -> np.ndarray:
        """Return the normal scores of values of a column [values]; NaN where missing."""
        return np.where(np.isnan(values), np.nan, np.interp(values, self.values[column], self.scores[column]))

    def allow(self, row: np.ndarray, changed: np.ndarray) -> np.ndarray:
        """Return which changed rows [changed, features] of a person [features] keep together what goes together, bool."""
        fine = np.ones(len(changed), bool)
        for one, other, correlation, limits in self.pairs:
            own, new = row[[one, other]], changed[:, [one, other]]
            if np.isnan(own).any():
                continue
            some = np.flatnonzero(fine & (new != own).any(axis=1) & ~np.isnan(new).any(axis=1))
            was, its = self.score(one, own[:1]), self.score(other, own[1:])
            new_was, new_its = self.score(one, new[some, 0]), self.score(other, new[some, 1])
            before, after = _residuals(was, its, correlation), _residuals(new_was, new_its, correlation)
            for at_first, now, limit in zip(before, after, limits, strict=True):
                fine[some] &= np.abs(now) <= max(limit, abs(float(at_first[0]))) + 1e-9
            if abs(correlation) >= BOUND:
                fine[some] &= (new[some] != own).all(axis=1) & ((new_was - was) * (new_its - its) * correlation >= 0)
        return fine

    def bound_groups(self, row: np.ndarray) -> Iterator[dict[int, float]]:
        """Yield the columns that change only together for a person, each with the sign of its correlation with the first."""
        bound = [pair for pair in self.pairs if abs(pair.correlation) >= BOUND]
        signs = {(p.one, p.other): np.sign(p.correlation) for p in bound if not np.isnan(row[[p.one, p.other]]).any()}
        left = sorted({column for both in signs for column in both})
        while left:
            group, new = {left[0]: 1.0}, [left[0]]
            while new:
                at = new.pop()
                for (one, other), sign in signs.items():
                    if at in (one, other) and (to := other if at == one else one) not in group:
                        group[to] = group[at] * sign
                        new.append(to)
            left = [column for column in left if column not in group]
            yield group


def _correlated(i: int, one: np.ndarray, j: int, other: np.ndarray) -> CorrelatedPair | None:
    known = ~np.isnan(one) & ~np.isnan(other)
    one, other = one[known], other[known]
    if len(one) < LEAST_PEOPLE or one.std() == 0 or other.std() == 0:
        return None
    correlation = float(np.corrcoef(one, other)[0, 1])
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
    edges: np.ndarray  # between the bins of a number that is given, or between its levels
    low: np.ndarray  # [bins or levels], 99 % of the other's values lie from here; -inf where too few people tell
    high: np.ndarray  # [bins or levels], to here
    unseen: np.ndarray  # [levels, levels], whom nobody is although chance would have had some; empty of a number

    def allows(self, row: np.ndarray, changed: np.ndarray) -> np.ndarray:
        """Return which changed rows [changed, features] keep to it, or have this pair as the person [features], bool."""
        pair = [self.given, self.other]
        fine = (changed[:, pair] == row[pair]).all(axis=1) | np.isnan(changed[:, pair]).any(axis=1)
        some = np.flatnonzero(~fine)
        given, value = changed[some][:, pair].T
        bins = np.searchsorted(self.edges, given)
        if self.unseen.size:
            fine[some] = ~self.unseen[bins, value.astype(int)]
        else:
            fine[some] = (value >= self.low[bins]) & (value <= self.high[bins])
        return fine


def conditional_ranges(observed: Dataset, columns: tuple[int, ...]) -> tuple[ConditionalRange, ...]:
    """Return the conditional ranges of the pairs that some columns which may change are in.

    A pair of levels without order and anything else is one where their association is above .5 (see
    `dlx.audit.adverse_action.association`), a pair of numbers where one follows from the other without a correlation
    (`dlx.redundancy`).
    """
    features, rows = observed.schema.features, observed.rows
    names = [features[i].name for i in columns]
    follow = {frozenset((copy.one, copy.other)) for copy in copies(observed.schema, rows, of=names) if not copy.is_correlation}
    found = []
    for given, other in permutations(range(len(features)), 2):
        one, its = features[given], features[other]
        has_levels, others = _is_unordered(one), _is_unordered(its)
        if not {given, other} & set(columns) or (others and (not has_levels or given > other)):
            continue
        if has_levels and pair_association(one, rows[:, given], its, rows[:, other]) <= CORRELATED:
            continue
        if has_levels or frozenset((one.name, its.name)) in follow:
            found.append(_conditional_range(observed, given, other))
    return tuple(found)


def _conditional_range(observed: Dataset, given: int, other: int) -> ConditionalRange:
    one, its = observed.schema.features[given], observed.schema.features[other]
    known = ~np.isnan(observed.rows[:, [given, other]]).any(axis=1)
    conditions, values = observed.rows[known][:, [given, other]].T
    many = min(MOST_BINS, len(conditions) // LEAST_PEOPLE)
    if one.is_categorical:
        edges = np.arange(len(one.levels) - 1) + 0.5
    else:
        edges = np.unique(np.quantile(conditions, np.arange(1, many) / many)) if many > 1 else np.empty(0)
    if _is_unordered(its):
        counts = np.zeros((len(one.levels), len(its.levels)))
        np.add.at(counts, (conditions.astype(int), values.astype(int)), 1)
        expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / max(counts.sum(), 1)
        return ConditionalRange(given, other, edges, np.empty(0), np.empty(0), (counts == 0) & (expected >= EXPECTED))
    bins = np.searchsorted(edges, conditions)
    low, high = np.full(len(edges) + 1, -np.inf), np.full(len(edges) + 1, np.inf)
    for one_bin in range(len(low)):
        inside = values[bins == one_bin]
        if len(inside) >= LEAST_PEOPLE:
            low[one_bin], high[one_bin] = np.quantile(inside, ((1 - ORDINARY_PAIRS) / 2, (1 + ORDINARY_PAIRS) / 2))
    return ConditionalRange(given, other, edges, low, high, np.empty((0, 0), bool))


def _is_unordered(feature: Feature) -> bool:
    return feature.is_categorical and not feature.ordered


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """Real people, whose nearness makes a changed person plausible."""

    distance: RowDistance
    rows: np.ndarray  # [people, features], coded

    @cached_property
    def limit(self) -> float:
        """Distance to the fifth nearest other that 95 % of the real people do not exceed."""
        return float(np.quantile(self._to_neighbour(self.rows, NEIGHBOURS + 1), ORDINARY_PEOPLE))

    def to_fifth(self, rows: np.ndarray) -> np.ndarray:
        """Return the distance of rows to the fifth nearest real person, [rows]."""
        return self._to_neighbour(rows, NEIGHBOURS)

    def has_near(self, row: np.ndarray, changed: np.ndarray, limit: float) -> np.ndarray:
        """Return which changed rows [changed, features] of a person [features] have five within a limit, bool [changed].

        The same as asking for the distance to the fifth, but only the columns that changed are computed again.
        """
        step, to_row = max(1, CELLS // len(self.rows)), np.abs(self._points - self.distance.points(row[None])).sum(axis=1)
        has = np.empty(len(changed), bool)
        for start in range(0, len(changed), step):
            some = changed[start : start + step]
            distances = np.repeat(to_row[None], len(some), axis=0)
            for column in np.flatnonzero((some != row).any(axis=0)).tolist():
                values, which = np.unique(some[:, column], return_inverse=True)
                real = self.distance.points_of_column(self.rows[:, column], column)
                own = np.abs(self.distance.points_of_column(row[[column]], column) - real).sum(axis=1)
                new = np.abs(self.distance.points_of_column(values, column)[:, None] - real).sum(axis=2)
                distances += (new - own)[which]
            has[start : start + step] = (distances <= limit + 1e-9).sum(axis=1) >= min(NEIGHBOURS, len(self.rows))
        return has

    @cached_property
    def _points(self) -> np.ndarray:
        return self.distance.points(self.rows)

    @cached_property
    def _index(self) -> NearestNeighbors:
        from sklearn.neighbors import NearestNeighbors

        return NearestNeighbors(metric="manhattan", algorithm="brute").fit(self._points)

    def _to_neighbour(self, rows: np.ndarray, which: int) -> np.ndarray:
        return self._index.kneighbors(self.distance.points(rows), n_neighbors=min(which, len(self.rows)))[0][:, -1]
