"""Reference rows: random samples, k-means centres, distances between rows; each once, for all of dlx.

Two distances, for two questions. Who is like whom: `gower`, in which no column counts for more than another; what is compared
with neighbours asks it, and so does the interface, in its own language (`workbench/interface/seen.js`). How far somebody must
go: `ScaledManhattan`, in which a step is measured by what is usual, since the range of a column with a long tail makes every
step in it look small; recourse asks it. Distances of ranks, within an estimate and no answer by themselves, stand where that
estimate is: `dlx.audit.fairness.proxies` and `dlx.kernels.shapley.dependence`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from dlx.arrays import filled_by_column, in_short, same
from dlx.errors import DlxError
from dlx.schema import Schema
from dlx.threads import in_chunks, one_thread

if TYPE_CHECKING:
    from dlx.dataset import Dataset

CELLS = 2**21  # numbers in one array at a time: 16 MB

Rows = TypeVar("Rows", "Dataset", np.ndarray)


def sample(rows: Rows, most: int, *, seed: int = 0) -> Rows:
    """Return at most so many rows, drawn at random without replacement, in their order."""
    return rows if len(rows) <= most else rows[np.sort(np.random.default_rng(seed).permutation(len(rows))[:most])]


def k_means(rows: np.ndarray, count: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return k-means centres as shap.kmeans gives them, [centres, features], and how many rows each stands for, [centres].

    As in shap, a missing value counts as the mean, and each number of a centre is replaced by the closest one in its
    column; here one that is known, because a mean of codes is no level (a column of which nothing is known stays missing).
    """
    from sklearn.cluster import KMeans

    if not 1 <= count <= len(rows):
        raise DlxError(f"k-means needs 1 to {len(rows)} centres, as many as there are rows, got {count}")
    known = filled_by_column(rows)
    with one_thread():
        fitted = KMeans(min(count, len(np.unique(known, axis=0))), random_state=seed, n_init=10).fit(known)
    missing, centres = np.isnan(rows), []
    for centre in fitted.cluster_centers_:
        closest = np.where(missing, np.inf, np.abs(known - centre)).argmin(axis=0)
        centres.append(rows[closest, np.arange(rows.shape[1])])
    return np.array(centres), np.bincount(fitted.labels_, minlength=len(centres))


def k_means_background(rows: np.ndarray, count: int, size: int, *, seed: int = 0) -> np.ndarray:
    """Return `size` reference rows [size, features]: k-means centres, each repeated in proportion to its rows.

    shap weighs the centres instead; seats are shared out by largest remainders.
    """
    centres, counts = k_means(rows, min(count, len(rows)), seed=seed)
    exact = counts * size / counts.sum()
    seats = np.floor(exact).astype(int)
    seats[np.argsort(seats - exact, kind="stable")[: size - seats.sum()]] += 1
    return centres[np.repeat(np.arange(len(counts)), seats)]


@dataclass(frozen=True, eq=False)
class ScaledManhattan:
    """The scaled Manhattan distance of rows: the sum over columns of differences, each in units of a usual one.

    A number differs by |difference| / standard deviation of the observed rows (the median absolute deviation is 0 where
    most people have the same value), an ordered level by the difference of ranks / (levels - 1), another level by 0 or 1.
    A missing value differs from a known one by 1, and as the mean of the column (the middle level) does. A special value does
    from a number, and by 1 from another special value.
    """

    schema: Schema
    center: np.ndarray  # [features], mean of the numbers, the middle of ordered ranks
    spread: np.ndarray  # [features], standard deviation of the numbers, the span of ordered ranks

    __repr__ = in_short

    @classmethod
    def fit(cls, observed: Dataset) -> ScaledManhattan:
        """Return the distance that is scaled by the observed rows."""
        center, spread = np.zeros(len(observed.schema)), np.ones(len(observed.schema))
        for i, (feature, column) in enumerate(zip(observed.schema.features, observed.rows.T, strict=True)):
            column = feature.numbers(column)
            known = column[~np.isnan(column)]
            if feature.is_categorical:
                center[i], spread[i] = (len(feature.levels) - 1) / 2, max(1, len(feature.levels) - 1)
            elif len(known):
                center[i], spread[i] = known.mean(), known.std() or 1.0
        return cls(observed.schema, center, spread)

    def points(self, rows: np.ndarray) -> np.ndarray:
        """Return coded rows as points [rows, width], whose sum of absolute differences is the distance."""
        owner, level, weight = self._coordinates
        columns = zip(self.schema.features, rows.T, strict=True)
        no_number = np.isnan(np.column_stack([feature.numbers(column) for feature, column in columns]))
        points = weight * (np.where(np.isnan(rows), np.inf, rows)[:, owner] == level)
        for those, told in (
            (np.isnan(level), np.where(no_number, 0.0, (rows - self.center) / self.spread)),
            (level == -np.inf, 0.5 * ~no_number),
        ):
            points[:, those] = told[:, owner[those]]
        return points

    @cached_property
    def _coordinates(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the column of each coordinate, which value has a weight there, and the weight, [width] each.

        Of the values, infinity is missing; NaN stands for the number itself, −infinity for any number.
        """
        found: list[tuple[int, float, float]] = []
        for i, feature in enumerate(self.schema.features):
            values, weight = [np.nan] + [np.inf] * feature.missing, 1.0
            if feature.is_categorical and not feature.ordered:
                values, weight = [*map(float, range(len(feature.levels))), np.inf], 0.5
            elif feature.special:
                values, weight = [np.nan, -np.inf, np.inf, *feature.special_codes], 0.5
            found += [(i, value, weight) for value in values]
        owner, level, weights = zip(*found, strict=True)
        return np.array(owner), np.array(level), np.array(weights)

    def between(self, row: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the distance of one coded row [features] to some rows [rows]."""
        return np.abs(self.points(rows) - self.points(row[None])).sum(axis=1)


def gower(schema: Schema, rows: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return Gower's distance (1971) of coded rows from a coded background, averaged over columns, [rows, references].

    Numbers differ by |difference| / range of the background, levels and special values by 0 or 1; two missing values are alike,
    a missing and a known one differ by 1. A column that is constant in the background differs by 0 or 1.
    """
    total = np.zeros((len(rows), len(background)))
    for i, feature in enumerate(schema.features):
        own, other = rows[:, i, None], background[None, :, i]
        mine, its, gap = feature.numbers(own), feature.numbers(other), ~same(own, other)
        known = its[~np.isnan(its)]
        if not feature.is_categorical and len(known) and np.ptp(known):
            between = np.abs(mine - its) / np.ptp(known)
            gap = np.where(np.isnan(between), gap, between)
        total += gap
    return total / len(schema)


def nearest(schema: Schema, rows: np.ndarray, background: np.ndarray, count: int) -> np.ndarray:
    """Return the positions of the background rows most like each person by `gower`, nearest first, [rows, count or fewer]."""

    def closest(some: np.ndarray) -> np.ndarray:
        return np.argsort(gower(schema, some, background), axis=1, kind="stable")[:, :count]

    return in_chunks(closest, rows, max(1, CELLS // len(background)), is_alone=True)
