"""Conditions on columns that hold together: a part of a table in the words of its schema, and the trees that propose parts.

A column without an order is split on the rank of its levels by their mean, which finds the best of all groupings (Fisher
1958, "On grouping for maximum homogeneity"); a missing value is a level of its own there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from dlx.schema import Feature, Schema

DEPTH = 2


@dataclass(frozen=True)
class Condition:
    """What a column must be."""

    feature: Feature
    position: int  # where it stands among the features
    low: float = -np.inf  # a numeric value is above it
    high: float = np.inf  # and at most this
    levels: tuple[int, ...] = ()  # codes of the levels of a categorical column
    missing: bool = False  # whether a missing value is meant too

    def holds(self, rows: np.ndarray) -> np.ndarray:
        """Return of which coded rows it is true, bool [rows]."""
        column = rows[:, self.position]
        known = np.isin(column, self.levels) if self.feature.is_categorical else (column > self.low) & (column <= self.high)
        return known | (np.isnan(column) if self.missing else False)

    @property
    def words(self) -> str:
        """The condition as people read it: "Age over 25 years", "Savings: below 100 DM or 100 to 499 DM"."""
        feature = self.feature
        if feature.is_categorical:
            names = [(label, code in self.levels) for code, label in enumerate(feature.level_labels)]
            names += [(feature.missing_label, self.missing)] if feature.missing else []
            inside, outside = ([name for name, is_meant in names if is_meant == among] for among in (True, False))
            is_most = 0 < len(outside) < len(inside)
            return f"{feature.label}: any but {either(outside)}" if is_most else f"{feature.label}: {either(inside)}"
        if self.low == self.high:
            return f"{feature.label} {feature.missing_label}"
        ends = [f"over {feature.format(self.low)}"] if np.isfinite(self.low) else []
        ends += [f"up to {feature.format(self.high)}"] if np.isfinite(self.high) else []
        return f"{feature.label} {' and '.join(ends) or 'known'}" + (f" or {feature.missing_label}" if self.missing else "")


def either(names: list[str]) -> str:
    """Return "a", "a or b" or "a, b or c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


class Column(NamedTuple):
    """A column as trees read it, and how what they ask becomes a condition."""

    position: int
    values: np.ndarray  # [rows]: numbers, codes in order, or ranks of levels
    ranks: dict[float, float] | None = None  # level (-1 for missing) to rank, where levels have no order


class Bounds(NamedTuple):
    """What the path to a leaf asked of a column."""

    low: float = -np.inf
    high: float = np.inf
    missing: bool = True


def candidates(schema: Schema, rows: np.ndarray, measure: np.ndarray, *, least: int) -> Iterator[tuple[Condition, ...]]:
    """Yield the leaves of trees of depth 2 on every column and every pair of columns, each at most once.

    Rows are coded [rows, features]; the measure [rows] is high in the slices that are looked for. A leaf has at least so many
    rows.
    """
    from sklearn.tree import DecisionTreeRegressor

    columns = [_column(schema.features[position], rows[:, position], position, measure) for position in range(len(schema))]
    columns = [column for column in columns if len(np.unique(column.values)) > 1]
    seen = set()
    for chosen in [*((one,) for one in columns), *combinations(columns, 2)]:
        grown = DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=least, random_state=0)
        tree = grown.fit(np.column_stack([column.values for column in chosen]), measure).tree_
        for bounds in _paths(tree, 0, {}):
            conditions = tuple(_condition(schema, chosen[which], asked) for which, asked in sorted(bounds.items()))
            if conditions and conditions not in seen:
                seen.add(conditions)
                yield conditions


def _column(feature: Feature, values: np.ndarray, position: int, measure: np.ndarray) -> Column:
    if not feature.is_categorical or feature.ordered:
        return Column(position, values)
    levels, codes = np.unique(np.where(np.isnan(values), -1.0, values), return_inverse=True)
    means = np.array([measure[codes == code].mean() for code in range(len(levels))])
    ranks = np.argsort(np.argsort(means, kind="stable")).astype(float)
    return Column(position, ranks[codes], dict(zip(levels.tolist(), ranks.tolist(), strict=True)))


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
    below, above = values[values <= threshold], values[values > threshold]
    if not np.isfinite(threshold) or not len(below) or not len(above):
        return threshold
    for digits in range(-6, 12):
        for rounded in (round(threshold, digits), math.floor(threshold * 10.0**digits) / 10.0**digits):
            if below.max() <= rounded < above.min():
                return float(rounded)
    return threshold
