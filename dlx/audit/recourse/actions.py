"""What a person can change, and to what: the action set (Ustun et al. 2019, arXiv 1809.06514)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.schema import Schema
from dlx.schema.columns import DIRECTIONS, Direction

GRID = 20  # values of a number, evenly spaced in rank, that are tried in combination
LEAST_IMPLIED = 20  # people with a level, all of whom lack another value, before the level is taken to imply that


class RecourseError(DlxError):
    """A question about changes that cannot be asked."""


class Implied(NamedTuple):
    """Whoever has a level of a column lacks another value: who does not smoke has no cigarettes a day."""

    column: int
    level: float
    lacks: int


@dataclass(frozen=True, eq=False)
class ActionSet:
    """The columns that a person can change, their directions, and the values that real people have.

    Parameters
    ----------
    schema : Schema
        What the columns mean.
    columns : tuple of int
        Positions of the columns that may change.
    directions : tuple of str
        "any", "up" or "down", one a column.
    observed : tuple of ndarray
        All values that real people have, ascending, one array a column.
    implied : tuple of Implied
        What goes missing with a level.
    """

    schema: Schema
    columns: tuple[int, ...]
    directions: tuple[Direction, ...]
    observed: tuple[np.ndarray, ...]
    implied: tuple[Implied, ...] = ()

    @classmethod
    def of(cls, observed: Dataset, actionable: Mapping[str, Direction] | None = None) -> ActionSet:
        """Return what may change, from the schema, or from a mapping of columns to directions.

        Raises
        ------
        RecourseError
            If nothing is actionable, a column is protected, or a direction does not exist.
        SchemaError
            If there is no such column.
        """
        schema = observed.schema
        if actionable is None:
            actionable = {feature.name: feature.direction for feature in schema.features if feature.actionable}
        _refuse(schema, actionable)
        columns = tuple(sorted(schema.position(name) for name in actionable))
        values = tuple(np.unique(column[~np.isnan(column)]) for column in observed.rows[:, columns].T)
        directions = tuple(actionable[schema.names[i]] for i in columns)
        return cls(schema, columns, directions, values, _implied(observed, columns))

    def options(self, row: np.ndarray, *, all_observed: bool = False) -> dict[int, np.ndarray]:
        """Return the values that each column of a coded row [features] may take instead, nearest first.

        A number has at most `GRID` of them, both ends included, unless all are asked for. A missing value stays missing:
        it can be measured, but not changed.
        """
        found = {}
        for column, direction, values in zip(self.columns, self.directions, self.observed, strict=True):
            own = row[column]
            allowed = values[(values > own) if direction == "up" else (values < own) if direction == "down" else values != own]
            if np.isnan(own) or not len(allowed):
                continue
            if not all_observed and not self.schema.features[column].is_categorical and len(allowed) > GRID:
                allowed = allowed[np.round(np.linspace(0, len(allowed) - 1, GRID)).astype(int)]
            found[column] = allowed[np.argsort(np.abs(allowed - own), kind="stable")]
        return found

    def settle(self, rows: np.ndarray, original: np.ndarray) -> np.ndarray:
        """Return coded rows [rows, features], changed from an original [features], with what goes missing with a new level."""
        for column, level, lacks in self.implied:
            took = (rows[:, column] == level) & (original[column] != level)
            rows[took, lacks] = np.nan
        return rows


def _refuse(schema: Schema, actionable: Mapping[str, Direction]) -> None:
    if not actionable:
        raise RecourseError(
            "recourse needs a column that a person can change, but none is actionable; "
            "set actionable = true in the schema, or pass actionable={column: direction}"
        )
    for name, direction in actionable.items():
        if schema[name].protected:
            raise RecourseError(f"column {name!r} is protected and must not be changed; leave it out of actionable")
        if direction not in DIRECTIONS:
            raise RecourseError(f"the direction of {name!r} must be 'any', 'up' or 'down', got {direction!r}")


def _implied(observed: Dataset, columns: tuple[int, ...]) -> tuple[Implied, ...]:
    """Return which levels of actionable columns leave another actionable column missing in every observed row."""
    found = []
    for column in columns:
        feature, own = observed.schema.features[column], observed.rows[:, column]
        for level in range(len(feature.levels)):
            those = observed.rows[own == level]
            found += [
                Implied(column, float(level), other)
                for other in columns
                if other != column and len(those) >= LEAST_IMPLIED and np.isnan(those[:, other]).all()
            ]
    return tuple(found)
