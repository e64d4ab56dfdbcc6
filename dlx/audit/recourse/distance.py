"""How far one person is from another, and how far real people are from each other."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dlx.dataset import Dataset
from dlx.schema import Feature, Schema

NEIGHBOURS = 5  # the distance to the fifth nearest real person says how ordinary somebody is
ORDINARY_SHARE = 0.95  # of real people, who by definition are ordinary


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
        parts = [self._place_column(feature, rows[:, i], i) for i, feature in enumerate(self.schema.features)]
        return np.concatenate(parts, axis=1)

    def between(self, row: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the distance of one coded row [features] to some rows [rows]."""
        return np.abs(self.place(rows) - self.place(row[None])).sum(axis=1)

    def _place_column(self, feature: Feature, column: np.ndarray, i: int) -> np.ndarray:
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

    @cached_property
    def _index(self) -> object:
        from sklearn.neighbors import NearestNeighbors

        return NearestNeighbors(metric="manhattan", algorithm="brute").fit(self.metric.place(self.rows))

    def _distances(self, rows: np.ndarray, skip: int) -> np.ndarray:
        count = min(NEIGHBOURS + skip, len(self.rows))
        found, _ = self._index.kneighbors(self.metric.place(rows), n_neighbors=count)  # type: ignore[attr-defined]
        return found[:, -1]
