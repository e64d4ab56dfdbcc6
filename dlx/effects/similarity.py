"""An order of levels that have none: those whose people are alike stand side by side (Apley and Zhu 2020, appendix E).

The distance of two levels is summed over the other columns: the largest gap between the two groups' distribution functions
(Kolmogorov and Smirnov's) of a number or an ordered category, half the sum of the gaps between shares of an unordered one.
Classical scaling (Torgerson 1952) lays the levels on a line. A missing value is a point of its own: below every number, or
another level.
"""

from __future__ import annotations

import numpy as np

from dlx.schema import Schema


def by_similarity(schema: Schema, rows: np.ndarray, position: int) -> np.ndarray:
    """Return the levels of a column that people have (NaN for missing), ordered so that neighbours have similar people.

    Parameters
    ----------
    schema : Schema
        What the columns mean.
    rows : ndarray [rows, features]
        Coded rows.
    position : int
        Which column.
    """
    own = np.where(np.isnan(rows[:, position]), np.inf, rows[:, position])
    levels, member = np.unique(own, return_inverse=True)
    order = np.arange(len(levels))
    if len(levels) > 2:
        others = [i for i in range(len(schema)) if i != position]
        order = _on_a_line(sum((_distances(schema, rows, i, member) for i in others), np.zeros((len(levels), len(levels)))))
    return np.where(np.isinf(levels[order]), np.nan, levels[order])


def _distances(schema: Schema, rows: np.ndarray, column: int, member: np.ndarray) -> np.ndarray:
    """Return how differently a column is distributed in every two groups of people, [groups, groups]."""
    feature = schema.features[column]
    values = np.where(np.isnan(rows[:, column]), -np.inf, rows[:, column])
    _, place = np.unique(values, return_inverse=True)
    counts = np.zeros((member.max() + 1, place.max() + 1))
    np.add.at(counts, (member, place), 1)
    shares = counts / counts.sum(axis=1, keepdims=True)
    if feature.is_categorical and not feature.ordered:
        return np.abs(shares[:, None] - shares[None]).sum(axis=2) / 2
    below = shares.cumsum(axis=1)
    return np.abs(below[:, None] - below[None]).max(axis=2)


def _on_a_line(distances: np.ndarray) -> np.ndarray:
    """Return the order of points on the line that keeps their distances best, the first point in its first half."""
    squares = distances**2
    inner = -(squares - squares.mean(axis=0) - squares.mean(axis=1, keepdims=True) + squares.mean()) / 2
    place = np.linalg.eigh(inner)[1][:, -1]
    return np.argsort(place if place[0] <= 0 else -place, kind="stable")
