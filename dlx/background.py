"""Reference rows: random samples, k-means centres, distances between rows; each once, for all of dlx."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from dlx.arrays import filled_by_column, same
from dlx.errors import DlxError
from dlx.schema import Schema
from dlx.threads import one_thread

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
    gap = np.where(np.isnan(rows)[:, None], np.inf, np.abs(known[:, None] - fitted.cluster_centers_))
    centres = np.take_along_axis(rows, gap.argmin(axis=0), axis=0)
    return centres, np.bincount(fitted.labels_, minlength=len(centres))


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
class RowDistance:
    """The distance that counterfactuals are measured by: the sum over columns of what differs, in units of a usual difference.

    A number differs by |difference| / standard deviation of the observed rows (the median absolute deviation is 0 where
    most people have the same value), an ordered level by the difference of ranks / (levels - 1), another level by 0 or 1.
    A missing value differs from a known one by 1, and as the mean of the column (the middle level) does. A special value does
    from a number, and by 1 from another special value.
    """

    schema: Schema
    center: np.ndarray  # [features], mean of the numbers, the middle of ordered ranks
    spread: np.ndarray  # [features], standard deviation of the numbers, the span of ordered ranks

    @classmethod
    def fit(cls, observed: Dataset) -> RowDistance:
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
        return np.concatenate([self.points_of_column(rows[:, i], i) for i in range(len(self.schema))], axis=1)

    def points_of_column(self, column: np.ndarray, i: int) -> np.ndarray:
        """Return the coordinates that are about one column of codes [rows], at a position of the schema."""
        feature = self.schema.features[i]
        missing = np.isnan(column)
        if feature.is_categorical and not feature.ordered:
            return 0.5 * (np.where(missing, len(feature.levels), column)[:, None] == np.arange(len(feature.levels) + 1))
        no_number = np.isnan(feature.numbers(column))
        scaled = np.where(no_number, 0.0, (column - self.center[i]) / self.spread[i])[:, None]
        if feature.special:
            each = column[:, None] == feature.special_codes
            return np.hstack([scaled, 0.5 * np.column_stack([~no_number, missing, each])])
        return np.hstack([scaled, missing[:, None]]) if feature.missing else scaled

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
    step = max(1, CELLS // len(background))
    starts = range(0, len(rows), step)
    parts = [np.argsort(gower(schema, rows[i : i + step], background), axis=1, kind="stable")[:, :count] for i in starts]
    return np.concatenate(parts)
