"""Candidates for a slice: the leaves of shallow regression trees on one or two columns, as conditions.

A column without an order is grown on the rank of its levels by their mean, which finds the best of all groupings (Fisher
1958, "On grouping for maximum homogeneity"); a missing value is a level of its own there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from dlx.audit.mispredictions.conditions import Condition
from dlx.schema import Schema

DEPTH = 2


class Column(NamedTuple):
    """A column as trees read it, and how what they ask becomes a condition."""

    position: int
    values: np.ndarray  # [rows]: numbers, codes in order, or ranks of levels
    ranks: dict[float, float] | None  # level (NaN for missing) to rank, where levels have no order


class Bounds(NamedTuple):
    """What the path to a leaf asked of a column."""

    low: float = -np.inf
    high: float = np.inf
    missing: bool = True


def candidates(schema: Schema, rows: np.ndarray, measure: np.ndarray, *, least: int) -> Iterator[tuple[Condition, ...]]:
    """Yield the leaves of trees of depth 2 on every column and every pair of columns, each at most once.

    Parameters
    ----------
    schema : Schema
        The columns.
    rows : ndarray [rows, features]
        Coded.
    measure : ndarray [rows]
        What is high in the slices that are looked for.
    least : int
        Rows that a leaf must have.
    """
    columns = [_column(schema, rows, position, measure) for position in range(len(schema))]
    columns = [column for column in columns if len(np.unique(column.values)) > 1]
    seen = set()
    for chosen in [*((one,) for one in columns), *combinations(columns, 2)]:
        for conditions in _leaves(schema, chosen, measure, least):
            if conditions and conditions not in seen:
                seen.add(conditions)
                yield conditions


def _column(schema: Schema, rows: np.ndarray, position: int, measure: np.ndarray) -> Column:
    feature, values = schema.features[position], rows[:, position]
    if not feature.is_categorical or feature.ordered:
        return Column(position, values, None)
    codes = np.where(np.isnan(values), -1.0, values)
    levels = np.unique(codes)
    means = np.array([measure[codes == level].mean() for level in levels])
    ranked = {level: float(rank) for rank, level in enumerate(levels[np.argsort(means, kind="stable")])}
    return Column(position, np.array([ranked[code] for code in codes]), ranked)


def _leaves(schema: Schema, chosen: tuple[Column, ...], measure: np.ndarray, least: int) -> Iterator[tuple[Condition, ...]]:
    from sklearn.tree import DecisionTreeRegressor

    grown = DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=least, random_state=0)
    tree = grown.fit(np.column_stack([column.values for column in chosen]), measure).tree_
    for bounds in _paths(tree, 0, {}):
        yield tuple(_condition(schema, chosen[which], asked) for which, asked in sorted(bounds.items()))


def _paths(tree: Any, node: int, bounds: dict[int, Bounds]) -> Iterator[dict[int, Bounds]]:
    """Yield the bounds of each leaf below a node, by the place of the column."""
    if tree.children_left[node] < 0:
        yield bounds
        return
    which, threshold, left = int(tree.feature[node]), float(tree.threshold[node]), bool(tree.missing_go_to_left[node])
    low, high, missing = bounds.get(which, Bounds())
    below, above = Bounds(low, min(high, threshold), missing and left), Bounds(max(low, threshold), high, missing and not left)
    yield from _paths(tree, tree.children_left[node], bounds | {which: below})
    yield from _paths(tree, tree.children_right[node], bounds | {which: above})


def _condition(schema: Schema, column: Column, asked: Bounds) -> Condition:
    feature, position = schema.features[column.position], column.position
    if column.ranks is not None:
        inside = [level for level, rank in column.ranks.items() if asked.low < rank <= asked.high]
        levels = tuple(sorted(int(level) for level in inside if level >= 0))
        return Condition(feature, position, levels=levels, missing=-1.0 in inside)
    has_missing = bool(np.isnan(column.values).any()) and asked.missing
    if feature.is_categorical:
        levels = tuple(code for code in range(len(feature.levels)) if asked.low < code <= asked.high)
        return Condition(feature, position, levels=levels, missing=has_missing)
    low, high = (_shortest(bound, column.values) for bound in (asked.low, asked.high))
    if np.isinf(low) and not (column.values <= high).any():  # a split that parts the missing from the known
        low = high
    return Condition(feature, position, low, high, missing=has_missing)


def _shortest(threshold: float, values: np.ndarray) -> float:
    """Return the number with the fewest digits that parts the known values as a threshold does."""
    if not np.isfinite(threshold):
        return threshold
    below, above = values[values <= threshold], values[values > threshold]
    if not len(below) or not len(above):
        return threshold
    for digits in range(-6, 12):
        for rounded in (round(threshold, digits), math.floor(threshold * 10.0**digits) / 10.0**digits):
            if below.max() <= rounded < above.min():
                return float(rounded)
    return threshold
