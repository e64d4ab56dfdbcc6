"""Who belongs to which group: people parted by protected columns, and the groups of one that other columns may give away."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dlx.arrays import same
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.schema import Feature

MIN_PEOPLE = 30  # fewer are too few to say anything of a group
FEW_VALUES = 8  # of a protected number, up to which each is a group
TAILS = (0.05, 0.1, 0.9, 0.95)  # of a protected number: a flag of who is 62 or older tells these, and hardly a quarter


class FairnessError(DlxError):
    """Columns, groups or outcomes by which nobody can be compared."""


@dataclass(frozen=True)
class Partition:
    """How people are parted into groups: those of some columns, in all combinations."""

    features: tuple[Feature, ...]  # a numeric one has cuts

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(feature.name for feature in self.features)

    @property
    def name(self) -> str:
        """The name in tables: "sex", or "sex × race"."""
        return " × ".join(self.columns)

    @property
    def label(self) -> str:
        """The name that people read."""
        return " × ".join(feature.label for feature in self.features)

    @property
    def objection(self) -> str:
        """Why these groups must not be compared; empty where they may."""
        return " ".join(feature.no_groups for feature in self.features if feature.no_groups)

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of all groups there can be, in the order of their codes."""
        return tuple(" · ".join(names) for names in itertools.product(*map(_groups_of, self.features)))

    def refuse(self) -> None:
        """Raise a `FairnessError` if these groups must not be compared."""
        if self.objection:
            raise FairnessError(f"people must not be compared by {self.name}: {self.objection}")

    def names(self, codes: np.ndarray) -> tuple[str, ...]:
        """Return the groups at some positions in `groups`."""
        return tuple(self.groups[code] for code in codes)

    def codes(self, people: Dataset) -> np.ndarray:
        """Return the group of each person as a position in `groups`, int64 [rows]; a `SchemaError` if a column is missing."""
        together = np.zeros(len(people), dtype=np.int64)
        for feature in self.features:
            column, count = people.rows[:, people.schema.position(feature.name)], len(_groups_of(feature))
            beside, first = feature.beside(column), count - len(feature.labels_beside) - 1
            known, codes = beside == 0, first + beside
            codes[known] = column[known] if feature.is_categorical else np.searchsorted(feature.cuts, column[known])
            together = together * count + codes
        return together

    def members(self, people: Dataset, group: str) -> np.ndarray:
        """Return who belongs to a group, bool [rows]; a `FairnessError` if there is no such group."""
        if group not in self.groups:
            raise FairnessError(f"{self.name} has no group {group!r}; its groups: {', '.join(map(repr, self.groups))}")
        return self.codes(people) == self.groups.index(group)


def partition(case: Dataset, *columns: str, cuts: Mapping[str, Sequence[float]] | None = None) -> Partition:
    """Return how protected columns, one or several, part the people of a case.

    Numeric columns are parted at their `cuts`, by default where the schema says, or else at the median of the training rows.

    Raises
    ------
    FairnessError
        If no column is named, or one is not protected.
    SchemaError
        If the table lacks a column, or the cuts do not fit it.
    """
    protected = [feature.name for feature in case.schema.features if feature.protected]
    if not columns:
        raise FairnessError("groups need at least one column; name a protected one")
    features = []
    for feature in map(case.schema.__getitem__, columns):
        if not feature.protected:
            raise FairnessError(
                f"groups are made by protected columns, and {feature.name!r} is not; "
                f"protected: {', '.join(protected) or 'none'}; set protected = true for it in the schema"
            )
        own = tuple((cuts or {}).get(feature.name, feature.cuts))
        if not own and not feature.is_categorical:
            own = (_middle(feature.numbers(case.train.rows[:, case.schema.position(feature.name)])),)
        features.append(dataclasses.replace(feature, cuts=own))
    return Partition(tuple(features))


def _middle(numbers: np.ndarray) -> float:
    """Return the median, or the number below it where nobody is above."""
    median, below = float(np.nanmedian(numbers)), numbers[numbers < np.nanmax(numbers)]
    return median if not len(below) or (numbers > median).any() else float(below.max())


def compared(case: Dataset) -> list[Partition]:
    """Return the partitions by each protected column, those that the target's `fairness_by` names first."""
    protected = [feature.name for feature in case.schema.features if feature.protected]
    return [partition(case, name) for name in dict.fromkeys((*case.schema.target.fairness_by, *protected))]


def _groups_of(feature: Feature) -> tuple[str, ...]:
    if feature.is_categorical:
        return (*feature.level_labels, *feature.labels_beside)
    ends = [feature.format(cut) for cut in feature.cuts]
    between = [f"over {low} up to {high}" for low, high in itertools.pairwise(ends)]
    return (f"up to {ends[0]}", *between, f"over {ends[-1]}", *feature.labels_beside)


@dataclass(frozen=True, eq=False)
class Group:
    """People with a value of a protected column."""

    column: str
    name: str  # the group in words
    inside: np.ndarray  # bool [rows], who belongs to it

    @property
    def can_be_judged(self) -> bool:
        """Whether the group and the rest have 30 people each."""
        return bool(MIN_PEOPLE <= self.inside.sum() <= len(self.inside) - MIN_PEOPLE)


def protected_groups(observed: Dataset) -> list[Group]:
    """Return the groups by each protected column: levels; of a number its quarters, middle half, tails and the schema's cuts.

    The middle half, because |age - 47| tells it without a rank correlation with age. Tails of 5 and 10 %, if
    these are 30 people. Who has no value is a group too.
    """
    found: list[Group] = []
    for feature, column in zip(observed.schema.features, observed.rows.T, strict=True):
        seen: set[bytes] = set()
        for name, inside in _parts(feature, column) if feature.protected else ():
            either = min(inside.tobytes(), (~inside).tobytes())  # to tell the rest is the same question
            if 0 < inside.sum() < len(inside) and either not in seen:
                found.append(Group(feature.name, name, inside))
                seen.add(either)
    return found


def _parts(feature: Feature, column: np.ndarray) -> list[tuple[str, np.ndarray]]:
    known = feature.beside(column) == 0
    values = np.unique(column[known])
    missing = [(feature.format(code), have) for code in (*feature.special_codes, np.nan) if (have := same(column, code)).any()]
    if feature.is_categorical or len(values) <= FEW_VALUES:
        each = [(feature.format(value), column == value) for value in values]
        return ([min(each, key=lambda part: int(part[1].sum()))] if len(each) == 2 else each) + missing
    ends = np.unique(np.quantile(column[known], (0.25, 0.5, 0.75), method="lower"))
    tails = np.quantile(column[known], TAILS, method="lower")
    column = feature.numbers(column)  # as no code is up to anything
    quarters = (-np.inf, ends[0]), (ends[-1], np.inf)
    cuts = (*((-np.inf, cut) for cut in feature.cuts), *quarters, *itertools.combinations(ends, 2))
    at_tails = (_between(feature, column, -np.inf, end) for end in tails)
    large = [(words, low) for words, low in at_tails if min(low.sum(), (~low).sum()) >= MIN_PEOPLE]
    return [*(_between(feature, column, *cut) for cut in cuts), *large, *missing]


def _between(feature: Feature, column: np.ndarray, low: float, high: float) -> tuple[str, np.ndarray]:
    """Return a range of a number in words, "over 25 years up to 50 years", and who is in it, bool [rows]."""
    words = [f"{end} {feature.format(cut)}" for end, cut in (("over", low), ("up to", high)) if np.isfinite(cut)]
    return " ".join(words), (column > low) & (column <= high)
