"""How far one person is from another, and whether a changed person has real people near."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from dlx.background import CELLS
from dlx.dataset import Dataset
from dlx.schema import Schema

if TYPE_CHECKING:
    from sklearn.neighbors import NearestNeighbors

NEIGHBOURS = 5  # the distance to the fifth nearest real person says how ordinary somebody is
ORDINARY_SHARE = 0.95  # of real people, who by definition are ordinary


@dataclass(frozen=True, eq=False)
class RowDistance:
    """The distance between people: the sum over columns of what differs.

    A number differs by |difference| / standard deviation of the observed rows (the median absolute deviation is 0 where
    most people have the same value), an ordered level by the difference of ranks / (levels - 1), another level by 0 or 1.
    A missing value differs from a known one by 1, and as the mean of the column (the middle level) does.
    """

    schema: Schema
    center: np.ndarray  # [features], mean of the numbers, the middle of ordered ranks
    spread: np.ndarray  # [features], standard deviation of the numbers, the span of ordered ranks

    @classmethod
    def fit(cls, observed: Dataset) -> RowDistance:
        """Return the distance that is scaled by the observed rows."""
        center, spread = np.zeros(len(observed.schema)), np.ones(len(observed.schema))
        for i, (feature, column) in enumerate(zip(observed.schema.features, observed.rows.T, strict=True)):
            known = column[~np.isnan(column)]
            if feature.is_categorical:
                center[i], spread[i] = (len(feature.levels) - 1) / 2, max(1, len(feature.levels) - 1)
            elif len(known):
                center[i], spread[i] = known.mean(), known.std() or 1.0
        return cls(observed.schema, center, spread)

    def points(self, rows: np.ndarray) -> np.ndarray:
        """Return coded rows as points [rows, width], whose sum of absolute differences is the distance."""
        return np.concatenate([self.points_of_column(rows[:, i], i) for i in range(len(self.schema))], axis=1)

    def points_of_column(self, column: np.ndarray, i: int) -> np.ndarray:
        """Return the coordinates that are about one column of codes [rows], at a position of the schema."""
        feature = self.schema.features[i]
        missing = np.isnan(column)
        if feature.is_categorical and not feature.ordered:
            return 0.5 * (np.where(missing, len(feature.levels), column)[:, None] == np.arange(len(feature.levels) + 1))
        scaled = np.where(missing, 0.0, (column - self.center[i]) / self.spread[i])[:, None]
        return np.hstack([scaled, missing[:, None]]) if feature.missing else scaled

    def between(self, row: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the distance of one coded row [features] to some rows [rows]."""
        return np.abs(self.points(rows) - self.points(row[None])).sum(axis=1)


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """Real people, whose nearness makes a changed person plausible."""

    distance: RowDistance
    rows: np.ndarray  # [people, features], coded

    @cached_property
    def limit(self) -> float:
        """Distance to the fifth nearest other that 95 % of the real people do not exceed."""
        return float(np.quantile(self._to_neighbour(self.rows, NEIGHBOURS + 1), ORDINARY_SHARE))

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
