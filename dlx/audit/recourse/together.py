"""Numbers that go together in real people: who changes one must keep to the other, or change both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

import numpy as np

from dlx.dataset import Dataset

TOGETHER = 0.5  # correlation from which on a pair must stay plausible
BOUND = 0.8  # correlation from which on neither changes without the other
LEAST_PEOPLE = 30  # of whom both values are known, below which nothing is said of a pair
ORDINARY_SHARE = 0.99  # of real people, whose pairs are plausible by definition
NARROWEST = 0.05  # standard deviation of one normal score given the other, at least: of a copy it is 0


class Pair(NamedTuple):
    """Two columns that go together, and how far one may be from what the other makes it."""

    one: int
    other: int
    correlation: float
    limits: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Together:
    """The pairs of numbers and ordered levels that go together, on the scale of normal scores.

    A normal score is the quantile of the normal distribution at a value's rank among real people, so that one correlation
    says how a pair goes together, whatever the shape of its columns. Given one score the other spreads around correlation ×
    score; a pair is plausible if it is no farther off than 99 % of real people are, both ways, or than the person was.

    Parameters
    ----------
    values, scores : dict of int to ndarray
        Values that real people have, ascending, and their normal scores, by column.
    pairs : tuple of Pair
        Those whose correlation exceeds .5.
    """

    values: dict[int, np.ndarray]
    scores: dict[int, np.ndarray]
    pairs: tuple[Pair, ...]

    @classmethod
    def of(cls, observed: Dataset) -> Together:
        """Return the pairs of a table."""
        features = observed.schema.features
        ordered = [i for i, f in enumerate(features) if not f.is_categorical or f.ordered]
        values, scores = {}, {}
        for i in ordered:
            values[i], scores[i] = _normal_scores(observed.rows[:, i])
        alone = cls(values, scores, ())
        columns = {i: alone.score(i, observed.rows[:, i]) for i in ordered if len(values[i]) > 1}
        found = (_pair(i, columns[i], j, columns[j]) for i, j in combinations(columns, 2))
        return cls(values, scores, tuple(pair for pair in found if pair is not None))

    def score(self, column: int, values: np.ndarray) -> np.ndarray:
        """Return the normal scores of values of a column [values]; NaN where missing."""
        return np.where(np.isnan(values), np.nan, np.interp(values, self.values[column], self.scores[column]))

    def allows(self, row: np.ndarray, changed: np.ndarray) -> np.ndarray:
        """Return which changed rows [changed, features] of a person [features] keep together what goes together, bool."""
        fine = np.ones(len(changed), bool)
        for pair in self.pairs:
            here = np.flatnonzero(fine & (changed[:, [pair.one, pair.other]] != row[[pair.one, pair.other]]).any(axis=1))
            known = here[~np.isnan(changed[here][:, [pair.one, pair.other]]).any(axis=1)]
            if len(known) and not np.isnan(row[[pair.one, pair.other]]).any():
                fine[known] = self._allows(pair, row, changed[known])
        return fine

    def bound(self, row: np.ndarray) -> Iterator[dict[int, float]]:
        """Yield the columns that change only together for a person, each with the sign of its correlation with the first."""
        signs = {(p.one, p.other): np.sign(p.correlation) for p in self._bound if not np.isnan(row[[p.one, p.other]]).any()}
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

    @cached_property
    def _bound(self) -> tuple[Pair, ...]:
        return tuple(pair for pair in self.pairs if abs(pair.correlation) >= BOUND)

    def _allows(self, pair: Pair, row: np.ndarray, changed: np.ndarray) -> np.ndarray:
        one, other = (self.score(column, changed[:, column]) for column in pair[:2])
        was = [self.score(column, row[[column]]) for column in pair[:2]]
        before = [abs(float(r[0])) for r in _residuals(was[0], was[1], pair.correlation)]
        fine = np.ones(len(changed), bool)
        for off, limit, own in zip(_residuals(one, other, pair.correlation), pair.limits, before, strict=True):
            fine &= np.abs(off) <= max(limit, own) + 1e-9
        if abs(pair.correlation) >= BOUND:
            step, step_other = one - was[0], other - was[1]
            both = (changed[:, pair.one] != row[pair.one]) & (changed[:, pair.other] != row[pair.other])
            fine &= both & (step * step_other * pair.correlation >= 0)
        return fine


def _normal_scores(column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy.stats import norm

    values, counts = np.unique(column[~np.isnan(column)], return_counts=True)
    ranks = np.cumsum(counts) - counts / 2  # the middle rank of equal values
    return values, norm.ppf(ranks / max(1, counts.sum()))


def _pair(i: int, one: np.ndarray, j: int, other: np.ndarray) -> Pair | None:
    known = ~np.isnan(one) & ~np.isnan(other)
    one, other = one[known], other[known]
    if len(one) < LEAST_PEOPLE or one.std() == 0 or other.std() == 0:
        return None
    correlation = float(np.corrcoef(one, other)[0, 1])
    if abs(correlation) <= TOGETHER:
        return None
    left, right = (float(np.quantile(np.abs(off), ORDINARY_SHARE)) for off in _residuals(one, other, correlation))
    return Pair(i, j, correlation, (left, right))


def _residuals(one: np.ndarray, other: np.ndarray, correlation: float) -> Iterable[np.ndarray]:
    """Return how far each of two scores is from what the other makes it, in conditional standard deviations."""
    spread = max(np.sqrt(1 - correlation**2), NARROWEST)
    return (one - correlation * other) / spread, (other - correlation * one) / spread
