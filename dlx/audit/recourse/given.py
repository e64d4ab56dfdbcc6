"""Pairs of which one column confines the other, whatever the shape: the hours of who has no job, the region of a city."""

from __future__ import annotations

from itertools import permutations
from typing import NamedTuple

import numpy as np

from dlx.audit.reasons.association import of_pair
from dlx.audit.recourse.together import LEAST_PEOPLE, ORDINARY_SHARE, TOGETHER
from dlx.dataset import Dataset
from dlx.redundancy import copies
from dlx.schema import Feature

MOST_BINS = 20  # of a number, of at least 30 people each
EXPECTED = 5.0  # people that two levels would share if they had nothing to do with each other, below which nothing is said


class Given(NamedTuple):
    """Which values of a column real people have, given the value of another.

    Parameters
    ----------
    source, other : int
        The column that is given, and the one that it confines.
    edges : ndarray
        Between the bins of a number that is given, or between its levels.
    low, high : ndarray [bins or levels]
        Ends of 99 % of the other's values; infinite where too few people tell, or the other has no order.
    unseen : ndarray of bool [levels, levels]
        Which levels nobody has together although chance alone would have had some; empty where the other is a number.
    """

    source: int
    other: int
    edges: np.ndarray
    low: np.ndarray
    high: np.ndarray
    unseen: np.ndarray

    def allows(self, row: np.ndarray, changed: np.ndarray) -> np.ndarray:
        """Return which changed rows [changed, features] keep to it, or have this pair as the person [features], bool."""
        pair = [self.source, self.other]
        fine = (changed[:, pair] == row[pair]).all(axis=1) | np.isnan(changed[:, pair]).any(axis=1)
        some = np.flatnonzero(~fine)
        given, value = changed[some][:, pair].T
        bins = np.searchsorted(self.edges, given)
        if self.unseen.size:
            fine[some] = ~self.unseen[bins, value.astype(int)]
        else:
            fine[some] = (value >= self.low[bins]) & (value <= self.high[bins])
        return fine


def given_pairs(observed: Dataset, columns: tuple[int, ...]) -> tuple[Given, ...]:
    """Return the pairs that some columns which may change are in.

    A pair of levels without order and anything else is one where their association is above .5 (see
    `dlx.audit.reasons.association`), a pair of numbers where one follows from the other uncorrelated (`dlx.redundancy`).
    """
    features, rows = observed.schema.features, observed.rows
    names = [features[i].name for i in columns]
    follow = {frozenset((copy.one, copy.other)) for copy in copies(observed.schema, rows, of=names) if not copy.is_correlation}
    found = []
    for source, other in permutations(range(len(features)), 2):
        one, its = features[source], features[other]
        has_levels, others = _is_unordered(one), _is_unordered(its)
        if not {source, other} & set(columns) or (others and (not has_levels or source > other)):
            continue
        if has_levels and of_pair(one, rows[:, source], its, rows[:, other]) <= TOGETHER:
            continue
        if has_levels or frozenset((one.name, its.name)) in follow:
            found.append(_given(observed, source, other))
    return tuple(found)


def _given(observed: Dataset, source: int, other: int) -> Given:
    one, its = observed.schema.features[source], observed.schema.features[other]
    known = ~np.isnan(observed.rows[:, [source, other]]).any(axis=1)
    given, values = observed.rows[known][:, [source, other]].T
    if _is_unordered(its):
        counts = np.zeros((len(one.levels), len(its.levels)))
        np.add.at(counts, (given.astype(int), values.astype(int)), 1)
        expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / max(counts.sum(), 1)
        return Given(source, other, _edges(one, given), np.empty(0), np.empty(0), (counts == 0) & (expected >= EXPECTED))
    edges = _edges(one, given)
    bins = np.searchsorted(edges, given)
    low, high = np.full(len(edges) + 1, -np.inf), np.full(len(edges) + 1, np.inf)
    for one_bin in range(len(low)):
        inside = values[bins == one_bin]
        if len(inside) >= LEAST_PEOPLE:
            low[one_bin], high[one_bin] = np.quantile(inside, ((1 - ORDINARY_SHARE) / 2, (1 + ORDINARY_SHARE) / 2))
    return Given(source, other, edges, low, high, np.empty((0, 0), bool))


def _edges(feature: Feature, known: np.ndarray) -> np.ndarray:
    if feature.is_categorical:
        return np.arange(len(feature.levels) - 1) + 0.5
    bins = min(MOST_BINS, len(known) // LEAST_PEOPLE)
    return np.unique(np.quantile(known, np.arange(1, bins) / bins)) if bins > 1 else np.empty(0)


def _is_unordered(feature: Feature) -> bool:
    return feature.is_categorical and not feature.ordered
