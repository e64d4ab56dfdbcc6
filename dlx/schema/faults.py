"""Where what is said of a column or of a target contradicts itself, each as the end of an error."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.errors import quoted
from dlx.schema.cells import LARGEST, number_of, same_level

if TYPE_CHECKING:
    from dlx.schema.features import Feature


def faults_of_spelling(described: Any) -> Iterator[str]:
    """Yield where two levels are the same, or spell the same, or one says nothing."""
    levels = described.levels
    if len(set(levels)) != len(levels):
        yield f" names a level twice: {list(levels)}"
    if not all(level.strip() for level in levels):
        yield f" has a level without text: {list(levels)}; name it, or make these values missing: missing=['']"
    spelled: dict[str, str] = {}
    for level in levels:
        other = spelled.setdefault(same_level(level), level)
        if other != level:
            yield f" has levels that are the same but for their spelling: {other!r} and {level!r}"
    if described.level_labels and len(described.level_labels) != len(levels):
        yield f" has {len(levels)} levels and {len(described.level_labels)} level_labels"


def faults_of_feature(feature: Feature) -> Iterator[str]:
    """Yield where the fields of a feature contradict each other or its kind."""
    yield from _faults_of_kind(feature)
    yield from _faults_of_special(feature)
    yield from _faults_of_directions(feature)
    known = f"its levels: {', '.join(map(repr, feature.levels))}" if feature.levels else "it has no levels"
    named = {"reachable": feature.reachable, "adverse_levels": feature.adverse_levels}
    for name, some in (named | {"forbidden": tuple(itertools.chain(*feature.forbidden))}).items():
        if strange := [level for level in some if level not in feature.levels]:
            yield f": {name} names {strange[0]!r}, which is no level; {known}"


def _faults_of_kind(feature: Feature) -> Iterator[str]:
    """Yield what a column of numbers, or one of levels, does not have."""
    levels, cuts, bounds = feature.levels, feature.cuts, feature.bounds
    if feature.is_categorical and not levels:
        yield " is categorical and has no levels; list them in 'levels'"
    if not feature.is_categorical and levels:
        yield " has levels, but its kind is numeric; set kind = 'categorical', or leave them out"
    if feature.is_categorical and feature.date:
        yield " has dates, which are numbers, but its kind is categorical; drop one of the two"
    are_rising = all(map(np.isfinite, cuts)) and all(low < high for low, high in itertools.pairwise(cuts))
    are_ends = len(bounds) == 2 and bounds[0] < bounds[1]
    for name, said, rule in (
        ("cuts", are_rising, "increasing numbers"),
        ("bounds", are_ends, "the lowest and the highest number"),
    ):
        if (given := list(getattr(feature, name))) and (feature.is_categorical or not said):
            yield f": {name} must be {rule} of a numeric column, got {given} for a {feature.kind} one"
    for name in ("level_values", "level_reasons"):
        if (given := getattr(feature, name)) and len(given) != len(levels):
            yield f" has {len(levels)} levels and {len(given)} {name}"


def _faults_of_directions(feature: Feature) -> Iterator[str]:
    """Yield where a column that cannot change is to, or the ways of one contradict each other."""
    if feature.actionable and (feature.fixed or feature.derived_from):
        why = f"derived from {', '.join(feature.derived_from)}" if feature.derived_from else f"fixed ({feature.fixed})"
        yield f" is {why} and actionable, but nobody can change it; drop one of the two"
    if not 0 <= feature.largest_change < np.inf:
        yield f": largest_change must be a number from 0 on, got {feature.largest_change!r}"
    has_order = not feature.is_categorical or feature.ordered or len(feature.levels) <= 2
    if feature.adverse and not has_order:
        yield " has levels without order, so that none is high or low; name the adverse ones in adverse_levels"
    if (feature.expected, feature.adverse) in (("up", "low"), ("down", "high")):
        yield f" is adverse where it is {feature.adverse}, but the outcome is expected to go {feature.expected}; drop one"
    if feature.expected and not has_order:
        yield f" has levels without order, with which nothing goes {feature.expected}; leave 'expected' out"


def _faults_of_special(feature: Feature) -> Iterator[str]:
    """Yield where special values are no codes of a numeric column, or would read as something else."""
    if feature.special and feature.is_categorical:
        yield " is categorical and has special values; name these as levels"
    numbers = [number_of(str(code)) for code in feature.special]
    for code, number in zip(feature.special, numbers, strict=True):
        if number is None or not abs(number) <= LARGEST:
            yield f": a special value must be a number, as the table spells it, got {quoted(code)}"
    if len(set(numbers)) < len(numbers):
        yield f" names a special value twice: {list(feature.special)}"
    meanings = [*feature.special.values(), *[feature.missing_label] * feature.missing]
    if not all(meaning.strip() for meaning in meanings) or len(set(meanings)) < len(meanings):
        yield f": each special value needs a meaning of its own, got {meanings}"
