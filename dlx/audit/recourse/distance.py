"""How far one person is from another, and how far real people are from each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from dlx.dataset import Dataset
from dlx.schema import Schema

if TYPE_CHECKING:
    from sklearn.neighbors import NearestNeighbors

NEIGHBOURS = 5  # the distance to the fifth nearest real person says how ordinary somebody is
ORDINARY_SHARE = 0.95  # of real people, who by definition are ordinary
CELLS = 2**21  # numbers in one array at a time: 16 MB


@dataclass(frozen=True, eq=False)
class Metric:
    """A distance of people, the sum over columns of what differs.

    A number differs by |difference| / standard deviation of the observed rows (the median absolute deviation is 0 where
    most people have the same value), an ordered level by the difference of ranks / (levels - 1), another level by 0 or 1.
    A missing value differs from a known one by 1, and as the mean of the column (the middle level) does.

    Parameters
    ----------
    schema : Schema
        What the columns mean.
    center, spread : ndarray [features]
        Mean and standard deviation of the numbers; the middle and the span of ordered ranks.
    """

    schema: Schema
    center: np.ndarray
    spread: np.ndarray

    @classmethod
    def fit(cls, observed: Dataset) -> Metric:
        """Return the distance that is scaled by the observed rows."""
        center, spread = np.zeros(len(observed.schema)), np.ones(len(observed.schema))
        for i, (feature, column) in enumerate(zip(observed.schema.features, observed.rows.T, strict=True)):
            known = column[~np.isnan(column)]
            if feature.is_categorical:
                center[i], spread[i] = (len(feature.levels) - 1) / 2, max(1, len(feature.levels) - 1)
            elif len(known):
                center[i], spread[i] = known.mean(), known.std() or 1.0
        return cls(observed.schema, center, spread)

    def place(self, rows: np.ndarray) -> np.ndarray:
        """Return coded rows as points [rows, width], whose sum of absolute differences is the distance."""
        return np.concatenate([self.place_column(rows[:, i], i) for i in range(len(self.schema))], axis=1)

    def between(self, row: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the distance of one coded row [features] to some rows [rows]."""
        return np.abs(self.place(rows) - self.place(row[None])).sum(axis=1)

    def place_column(self, column: np.ndarray, i: int) -> np.ndarray:
        """Return the part of the points that is about one column of codes [rows], at a position of the schema."""
        feature = self.schema.features[i]
        missing = np.isnan(column)
        if feature.is_categorical and not feature.ordered:
            return 0.5 * (np.where(missing, len(feature.levels), column)[:, None] == np.arange(len(feature.levels) + 1))
        placed = np.where(missing, 0.0, (column - self.center[i]) / self.spread[i])[:, None]
        return np.hstack([placed, missing[:, None]]) if feature.missing else placed


@dataclass(frozen=True, eq=False)
class Crowd:
    """Real people, among whom a made-up one should not stand out.

    Parameters
    ----------
    metric : Metric
        The distance.
    rows : ndarray [people, features]
        The real people, coded.
    """

    metric: Metric
    rows: np.ndarray

    @cached_property
    def limit(self) -> float:
        """Distance to the fifth nearest other that 95 % of the real people do not exceed."""
        return float(np.quantile(self._distances(self.rows, skip=1), ORDINARY_SHARE))

    def loneliness(self, rows: np.ndarray) -> np.ndarray:
        """Return the distance of rows to the fifth nearest real person, [rows]."""
        return self._distances(rows, skip=0)

    def takes_in(self, row: np.ndarray, changed: np.ndarray, limit: float) -> np.ndarray:
        """Return which changed rows [changed, features] of a person [features] are no lonelier than a limit, bool [changed].

        The same as asking for their loneliness, but only the columns that changed are computed again.
        """
        step = max(1, CELLS // len(self.rows))
        to_row = np.abs(self._places - self.metric.place(row[None])).sum(axis=1)
        parts = [self._count_near(row, to_row, changed[i : i + step], limit) for i in range(0, len(changed), step)]
        return np.concatenate([np.empty(0, bool), *parts])

    def _count_near(self, row: np.ndarray, to_row: np.ndarray, changed: np.ndarray, limit: float) -> np.ndarray:
        distances = np.repeat(to_row[None], len(changed), axis=0)
        for column in np.flatnonzero((changed != row).any(axis=0)).tolist():
            values, which = np.unique(changed[:, column], return_inverse=True)
            real = self.metric.place_column(self.rows[:, column], column)
            own = np.abs(self.metric.place_column(row[[column]], column) - real).sum(axis=1)
            other = np.abs(self.metric.place_column(values, column)[:, None] - real).sum(axis=2)
            distances += (other - own)[which]
        return (distances <= limit + 1e-9).sum(axis=1) >= min(NEIGHBOURS, len(self.rows))

    @cached_property
    def _places(self) -> np.ndarray:
        return self.metric.place(self.rows)

    @cached_property
    def _index(self) -> NearestNeighbors:
        from sklearn.neighbors import NearestNeighbors

        return NearestNeighbors(metric="manhattan", algorithm="brute").fit(self._places)

    def _distances(self, rows: np.ndarray, skip: int) -> np.ndarray:
        count = min(NEIGHBOURS + skip, len(self.rows))
        found, _ = self._index.kneighbors(self.metric.place(rows), n_neighbors=count)
        return found[:, -1]
