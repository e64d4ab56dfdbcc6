"""The values of a column as steps: from where to where, and who takes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlx.effects.similarity import by_similarity
from dlx.effects.support import grid_of
from dlx.schema import Schema


@dataclass(frozen=True, eq=False)
class Chain:
    """Values, steps between them, and people.

    Parameters
    ----------
    values : ndarray [points]
        Coded; NaN for missing.
    starts, ends : ndarray of int [steps]
        Positions of the values between which each step goes; every start is the first value or the end of an earlier step.
    takes : ndarray of float [people, steps]
        1 where a person takes a step.
    stands : ndarray of float [people, points]
        Where each person stands; a row sums to 1, and someone in a bin stands with half at either end.
    """

    values: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    takes: np.ndarray
    stands: np.ndarray

    @property
    def paths(self) -> np.ndarray:
        """Which steps lead from the first value to each, [points, steps]."""
        paths = np.zeros((len(self.values), len(self.starts)))
        for step, (start, end) in enumerate(zip(self.starts, self.ends, strict=True)):
            paths[end] = paths[start]
            paths[end, step] = 1
        return paths


def chain_of(schema: Schema, rows: np.ndarray, position: int, bins: int) -> Chain:
    """Return the steps along a column, for people given as coded rows [people, features]."""
    feature, column = schema.features[position], rows[:, position]
    if not feature.is_categorical:
        edges = grid_of(feature, column, bins + 1)
        return _with_missing(_numbers(edges[~np.isnan(edges)], column), column)
    if feature.ordered:
        return _with_missing(_levels(np.unique(column[~np.isnan(column)]), column), column)
    return _levels(by_similarity(schema, rows, position), column)


def _numbers(edges: np.ndarray, column: np.ndarray) -> Chain:
    steps, known = max(len(edges) - 1, 0), np.flatnonzero(~np.isnan(column))
    takes, stands = np.zeros((len(column), steps)), np.zeros((len(column), len(edges)))
    if steps:
        which = np.maximum(np.searchsorted(edges, column[known]), 1) - 1
        takes[known, which] = 1
        stands[known, which] += 0.5
        stands[known, which + 1] += 0.5
    else:
        stands[known] = 1.0
    return Chain(edges, np.arange(steps), np.arange(steps) + 1, takes, stands)


def _levels(levels: np.ndarray, column: np.ndarray) -> Chain:
    has = (column[:, None] == levels) | (np.isnan(column)[:, None] & np.isnan(levels))
    steps = np.arange(max(len(levels) - 1, 0))
    return Chain(levels, steps, steps + 1, (has[:, :-1] | has[:, 1:]).astype(float), has.astype(float))


def _with_missing(chain: Chain, column: np.ndarray) -> Chain:
    """Return the chain with one more step, from the value at the median to missing, where people lack the value."""
    lacking = np.isnan(column)
    if not lacking.any():
        return chain
    stands = np.column_stack([chain.stands, lacking])
    if lacking.all():
        return Chain(np.array([np.nan]), chain.starts, chain.ends, chain.takes, stands)
    median = int(np.abs(chain.values - np.nanmedian(column)).argmin())
    around = lacking | (chain.stands[:, median] > 0)
    return Chain(
        np.r_[chain.values, np.nan],
        np.r_[chain.starts, median].astype(int),
        np.r_[chain.ends, len(chain.values)].astype(int),
        np.column_stack([chain.takes, around]),
        stands,
    )
