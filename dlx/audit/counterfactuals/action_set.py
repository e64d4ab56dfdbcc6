"""What a person can change, to which values, and how these are printed: the action set (Ustun et al., arXiv 1809.06514)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from dlx.arrays import in_short
from dlx.audit.counterfactuals.plausibility import (
    CodedLevels,
    ConditionalRange,
    Correlations,
    coded_levels,
    conditional_ranges,
)
from dlx.dataset import Dataset, refuse_bare
from dlx.errors import DlxError
from dlx.schema import Feature, Schema
from dlx.schema.features import DIRECTIONS, Direction

GRID = 20  # values of a number, evenly spaced in rank, that are tried in combination
LEAST_IMPLIED = 20  # people with a level, all of whom lack another value, before the level is taken to imply that
ORDINARY = (0.01, 0.99)  # quantiles of real people between which a number that is asked for lies
FARTHEST = 2.0  # standard deviations by which a column may change, where the schema does not say
FEWEST_LEVELS = 2.0  # that ordered levels may change by in any case
NEGATIVE = 0.05  # share of people below 0 under which nobody is asked for a negative number
DIGITS = 3  # of the standard deviation of a column whose numbers have no resolution of their own
FINEST = 4  # decimals up to which a column's numbers have a resolution

Columns = tuple[int, ...]


class RecourseError(DlxError):
    """A question about changes that cannot be asked."""


@dataclass(frozen=True)
class ValueFormat:
    """How the values of each column are printed, so that they read back as the values that were tried.

    Integers are printed as integers, numbers of up to four decimals with as many, others with three digits of the column's
    standard deviation. Levels are printed by their labels, or as the table spells them where two labels are alike.
    """

    schema: Schema
    decimals: tuple[int, ...]  # of each column; below 0 where it is printed in tens or hundreds

    @classmethod
    def of(cls, observed: Dataset) -> ValueFormat:
        """Return the format of a table's values."""
        return cls(observed.schema, tuple(map(_decimals, observed.schema.features, observed.schema.numbers(observed.rows).T)))

    def text(self, column: int, value: float, *, exact: bool = False) -> str:
        """Return a rounded value as text with its unit, "20,200 EUR", or an exact one with all digits of its precision."""
        feature = self.schema.features[column]
        if np.isnan(value) or feature.is_categorical:
            texts = (*feature.level_labels, feature.missing_label)
            texts = texts if len(set(texts)) == len(texts) else (*feature.levels, f"({feature.missing_label})")
            return texts[-1 if np.isnan(value) else int(value)]
        if value in feature.special_codes:
            return feature.format(value)
        held = np.float32(value) if feature.dtype.lower() == "float32" else np.float64(value)
        exactly = f"{Decimal(str(held)):,f}".removesuffix(".0")
        number = exactly if exact else f"{value + 0.0:,.{max(0, self.decimals[column])}f}"
        return f"{number} {feature.unit}".strip()


def _decimals(feature: Feature, column: np.ndarray) -> int:
    known = column[~np.isnan(column)]
    if feature.is_categorical or not len(known) or "int" in feature.dtype.lower():
        return 0
    noise = 1e-7 if (known == known.astype(np.float32)).all() else 1e-14  # of a number that was held in single precision
    for places in range(FINEST + 1):
        off = np.abs(known - np.round(known, places))
        if (off <= np.minimum(noise * np.abs(known) + 1e-14, 0.1 * 10.0**-places)).all():
            return places
    spread = float(known.std()) or float(np.abs(known).max()) or 1.0
    return DIGITS - 1 - int(np.floor(np.log10(spread)))


class Action(NamedTuple):
    """A column that may change, in which direction, to which values that real people have, and by how much at most."""

    column: int
    direction: Direction
    values: np.ndarray  # ascending, as they are printed
    farthest: float


@dataclass(frozen=True, eq=False)
class ActionSet:
    """The changes that are open to a person: actionable columns, their directions and values, and what confines them."""

    schema: Schema
    actions: tuple[Action, ...]  # one a column that may change
    format: ValueFormat  # how values are printed
    correlations: Correlations  # numbers that go together
    ranges: tuple[ConditionalRange, ...]  # columns that confine others
    implied: tuple[tuple[int, int, int], ...]  # column, level, and the column that goes missing with it
    coded: tuple[CodedLevels, ...]  # levels that nobody comes to without another column's special value, or with it

    __repr__ = in_short

    @classmethod
    def of(
        cls, observed: Dataset, actionable: Mapping[str, Direction] | None = None, *, accepted: np.ndarray | None = None
    ) -> ActionSet:
        """Return what may change, from the schema, or from a mapping of columns to directions.

        Values are those of the observed people: of a number, within the schema's bounds and within the 1 and 99 % quantiles
        of all and of those `accepted` by the model [rows], rounded as they are printed, and below 0 only where one in twenty
        is. A column changes by the schema's `largest_change` at most, or else by two standard deviations (ordered levels by
        two in any case). A `RecourseError` says if nothing is actionable, or a column cannot change or in no such direction.
        """
        refuse_bare(observed, "observed")
        schema, rows = observed.schema, observed.schema.numbers(observed.rows)
        if not len(observed):
            raise RecourseError("observed must hold real people, but has no rows; pass the training rows")
        if actionable is None:
            actionable = {feature.name: feature.direction for feature in schema.features if feature.actionable}
        _refuse(schema, actionable)
        columns, form = tuple(sorted(schema.position(name) for name in actionable)), ValueFormat.of(observed)
        among, actions = rows if accepted is None or not accepted.any() else rows[accepted], []
        for i in columns:
            feature, (known, granted) = schema.features[i], (some[~np.isnan(some[:, i]), i] for some in (rows, among))
            values = _values(feature, known, granted, form.decimals[i])
            actions.append(Action(i, actionable[feature.name], values, _farthest(feature, known)))
        ranges = conditional_ranges(observed, columns)
        implied, coded = _implied(observed, columns), coded_levels(observed, columns)
        return cls(schema, tuple(actions), form, Correlations.of(observed), ranges, implied, coded)

    def options(self, row: np.ndarray, *, all_observed: bool = False) -> dict[int, np.ndarray]:
        """Return the values that each column of a coded row [features] may take instead, nearest first.

        A number has at most `GRID` of them, both ends included, unless all are asked for. A missing value stays missing, a
        special one what it is, and nobody goes to a level that the schema forbids from theirs.
        """
        found, row = {}, self.schema.numbers(row[None])[0]
        for column, direction, values, farthest in self.actions:
            own = row[column]
            allowed = values[(values > own) if direction == "up" else (values < own) if direction == "down" else values != own]
            allowed = np.setdiff1d(allowed, self.schema.features[column].forbidden_from(own))
            allowed = allowed[np.abs(allowed - own) <= farthest * (1 + 1e-12)]
            if len(allowed) > GRID and not all_observed and not self.schema.features[column].is_categorical:
                allowed = allowed[np.round(np.linspace(0, len(allowed) - 1, GRID)).astype(int)]
            if len(allowed):
                found[column] = allowed[np.argsort(np.abs(allowed - own), kind="stable")]
        return found

    def moves(self, row: np.ndarray, *, all_observed: bool = False) -> dict[Columns, np.ndarray]:
        """Return what a person may do: columns that change together, and their new values [moves, columns].

        Most columns change alone. Columns that are bound together move in parallel: each normal score by as much as the
        first one's, so that the person stays where they were beside what is usual for the other value.
        """
        options, every = self.options(row, all_observed=all_observed), self.options(row, all_observed=True)
        row = self.schema.numbers(row[None])[0]
        groups, score = self.correlations.bound_groups(row), self.correlations.score
        found: dict[Columns, np.ndarray] = {
            (column,): values[:, None] for column, values in options.items() if not any(column in group for group in groups)
        }
        for group in groups:
            first, *others = group
            if options.keys() >= group.keys():
                step, moved = score(first, options[first]) - score(first, row[[first]]), [options[first]]
                for column in others:
                    wanted = score(column, row[[column]]) + group[first] * group[column] * step
                    off = np.abs(score(column, every[column]) - wanted[:, None])
                    moved.append(every[column][off.argmin(axis=1)])
                found[tuple(group)] = np.unique(np.column_stack(moved), axis=0)
        return dict(sorted(found.items()))

    def possible(self, row: np.ndarray, changed: np.ndarray) -> np.ndarray:
        """Return which changed rows [changed, features] of a person [features] keep together what goes together, bool."""
        apart = self.keeps_codes(row[None], changed)
        row, changed = self.schema.numbers(row[None])[0], self.schema.numbers(changed)
        fine = apart & self.correlations.allow(row, changed)
        for given, other, holds in self.ranges:
            new = changed[:, [given, other]]
            some = np.flatnonzero(fine & (new != row[[given, other]]).any(axis=1) & ~np.isnan(new).any(axis=1))
            fine[some] = holds(*new[some].T)
        return fine

    def keeps_codes(self, original: np.ndarray, changed: np.ndarray) -> np.ndarray:
        """Return which changed rows keep their special values, and come to no level that goes with others, bool [rows]."""
        special = [(i, feature.special_codes) for i, feature in enumerate(self.schema.features) if feature.special]
        fine = np.ones(len(changed), bool)
        for i, codes in special:  # a level may leave a number missing, but no special value
            fine &= ~np.isin(original[:, i], codes) | (changed[:, i] == original[:, i])
        for column, other, unseen in self.coded:
            levels = changed[:, column]
            new = (levels != original[:, column]) & ~np.isnan(levels)
            fine[new] &= ~unseen[levels[new].astype(int), self.schema.features[other].beside(changed[new, other])]
        return fine

    def settle(self, rows: np.ndarray, original: np.ndarray) -> np.ndarray:
        """Return coded rows [rows, features], changed from an original, or one each, with what goes missing with a level."""
        rows = np.where(np.isnan(rows), original, rows)  # what a level left missing before comes back with another
        for column, level, lacks in self.implied:
            rows[(rows[:, column] == level) & (original[..., column] != level), lacks] = np.nan
        return rows


def _refuse(schema: Schema, actionable: Mapping[str, Direction]) -> None:
    if not isinstance(actionable, Mapping):
        raise RecourseError(f"actionable maps columns to 'any', 'up' or 'down', as {{'income': 'up'}}, got {actionable!r}")
    if not actionable:
        remedy = "set actionable = true in the schema, or pass actionable={column: direction}"
        raise RecourseError(f"recourse needs a column that a person can change, but none is actionable; {remedy}")
    for name, direction in actionable.items():
        feature = schema[name]
        why = f"it follows from {', '.join(feature.derived_from)}" if feature.derived_from else feature.fixed
        if feature.protected or why:
            said = f"cannot be changed by anybody ({why})" if why else "is protected and must not be changed"
            raise RecourseError(f"column {name!r} {said}; leave it out of actionable")
        if direction not in DIRECTIONS:
            raise RecourseError(f"the direction of {name!r} must be 'any', 'up' or 'down', got {direction!r}")


def _values(feature: Feature, known: np.ndarray, accepted: np.ndarray, decimals: int) -> np.ndarray:
    """Return the values of a column that may be asked for, ascending."""
    if feature.is_categorical:
        reachable = [code for code, level in enumerate(feature.levels) if level in (feature.reachable or feature.levels)]
        return np.intersect1d(accepted, reachable)
    low, high = feature.bounds or (-np.inf, np.inf)
    for ends in (np.quantile(some, ORDINARY) for some in (known, accepted) if len(some)):
        low, high = max(low, ends[0]), min(high, ends[1])
    if (known < 0).sum() < NEGATIVE * len(known):
        low = max(low, 0.0)
    values = np.setdiff1d(np.round(known, decimals), feature.special_codes)
    return values[(values >= low) & (values <= high)]


def _farthest(feature: Feature, known: np.ndarray) -> float:
    if feature.largest_change or (feature.is_categorical and not feature.ordered) or not len(known):
        return feature.largest_change or np.inf
    spread = FARTHEST * float(np.clip(known, *np.quantile(known, ORDINARY)).std())
    return max(spread, FEWEST_LEVELS) if feature.is_categorical else spread


def _implied(observed: Dataset, columns: Columns) -> tuple[tuple[int, int, int], ...]:
    """Return which levels of actionable columns leave another actionable column missing in every observed row."""
    found = []
    for column in columns:
        for level in range(len(observed.schema.features[column].levels)):
            those = observed.rows[observed.rows[:, column] == level]
            if len(those) >= LEAST_IMPLIED:
                found += [(column, level, i) for i in columns if i != column and np.isnan(those[:, i]).all()]
    return tuple(found)
