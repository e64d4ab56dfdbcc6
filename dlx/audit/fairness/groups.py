"""Who belongs to which group: people parted by one protected column, or by several at once."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.schema import Feature


class FairnessError(DlxError):
    """Columns, groups or outcomes by which nobody can be compared."""


@dataclass(frozen=True)
class Partition:
    """How people are parted into groups.

    Parameters
    ----------
    features : tuple of Feature
        The columns; groups are the combinations of their groups. A numeric one has cuts.
    """

    features: tuple[Feature, ...]

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

    def codes(self, people: Dataset) -> np.ndarray:
        """Return the group of each person as a position in `groups`, int64 [rows].

        Raises
        ------
        SchemaError
            If the people's table lacks a column.
        """
        together = np.zeros(len(people), dtype=np.int64)
        for feature in self.features:
            column = people.rows[:, people.schema.position(feature.name)]
            together = together * len(_groups_of(feature)) + _codes_of(feature, column)
        return together


def partition(case: Dataset, *columns: str, cuts: Mapping[str, Sequence[float]] | None = None) -> Partition:
    """Return how some columns part the people of a case.

    Parameters
    ----------
    case : Dataset
        The table.
    *columns : str
        Names of one column or several.
    cuts : mapping of str to sequence of float, optional
        Where numeric columns are cut; by default where the schema says, or else at the median of the training rows.

    Raises
    ------
    FairnessError
        If no column is named, or one is not protected.
    SchemaError
        If the table lacks a column, or the cuts do not fit it.
    """
    if not columns:
        raise FairnessError("groups need at least one column; name a protected one")
    for name in columns:
        if not case.schema[name].protected:
            protected = ", ".join(_protected(case)) or "none"
            raise FairnessError(
                f"groups are made by protected columns, and {name!r} is not; protected: {protected}; "
                "set protected = true for it in the schema"
            )
    chosen = cuts or {}
    return Partition(tuple(_cut(case, case.schema[name], tuple(chosen.get(name, ()))) for name in columns))


def compared(case: Dataset) -> list[Partition]:
    """Return the partitions by each protected column, those that the target's `fairness_by` names first."""
    first = case.schema.target.fairness_by
    rest = [name for name in _protected(case) if name not in first]
    return [partition(case, name) for name in (*first, *rest)]


def intersections(case: Dataset, columns: Sequence[str]) -> list[Partition]:
    """Return the partitions by each pair of columns that may be compared."""
    fit = [name for name in columns if not case.schema[name].no_groups]
    return [partition(case, *pair) for pair in itertools.combinations(fit, 2)]


def _protected(case: Dataset) -> list[str]:
    return [feature.name for feature in case.schema.features if feature.protected]


def _cut(case: Dataset, feature: Feature, cuts: tuple[float, ...]) -> Feature:
    if feature.is_categorical and not cuts:
        return feature
    if not cuts and not feature.cuts:
        cuts = (float(np.nanmedian(case.train.rows[:, case.schema.position(feature.name)])),)
    return dataclasses.replace(feature, cuts=cuts or feature.cuts)


def _groups_of(feature: Feature) -> tuple[str, ...]:
    missing = (feature.missing_label,) if feature.missing else ()
    if feature.is_categorical:
        return (*feature.level_labels, *missing)
    ends = [feature.format(cut) for cut in feature.cuts]
    between = [f"over {low} up to {high}" for low, high in itertools.pairwise(ends)]
    return (f"up to {ends[0]}", *between, f"over {ends[-1]}", *missing)


def _codes_of(feature: Feature, column: np.ndarray) -> np.ndarray:
    known = ~np.isnan(column)
    codes = np.full(len(column), len(_groups_of(feature)) - 1)
    codes[known] = column[known] if feature.is_categorical else np.searchsorted(feature.cuts, column[known], side="left")
    return codes
