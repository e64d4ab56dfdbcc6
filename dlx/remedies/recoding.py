"""A table with fewer columns and levels, and where in it each column and level of the original table went."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dlx.dataset import Dataset
from dlx.encoder import Encoder
from dlx.errors import DlxError, did_you_mean
from dlx.schema import Feature, Schema

Groups = list[list[int]]  # codes that have become one level

NOWHERE = -1


class RemedyError(DlxError):
    """A remedy that names what the table does not have, leaves nothing, or does not suit the model."""


@dataclass(frozen=True, eq=False)
class Recoding:
    """How rows of the original table become rows of the reduced one."""

    original: Schema  # the columns of the case
    kept: tuple[int, ...]  # positions of the columns that stay, in order
    groups: dict[int, Groups]  # by position, of those columns whose levels were merged

    @cached_property
    def schema(self) -> Schema:
        """The reduced table's columns."""
        features = self.original.features
        merged = {i: merged_feature(features[i], groups) for i, groups in self.groups.items()}
        names, target = [features[i].name for i in self.kept], self.original.target
        still = tuple(name for name in target.fairness_by if name in names)
        kept = tuple(merged.get(i, features[i]) for i in self.kept)
        return Schema(kept, dataclasses.replace(target, fairness_by=still))

    @property
    def changes_nothing(self) -> bool:
        """Whether the reduced table is the original one."""
        return len(self.kept) == len(self.original) and not self.groups

    def codes(self, position: int) -> np.ndarray:
        """Return the new code of each level of a column, int [levels]."""
        found = np.arange(len(self.original.features[position].levels))
        for new, group in enumerate(self.groups.get(position, [])):
            found[group] = new
        return found

    def reduce(self, rows: np.ndarray) -> np.ndarray:
        """Return coded rows of the original table [rows, features] as rows of the reduced one."""
        columns = []
        for i in self.kept:
            column = rows[:, i]
            if i in self.groups:
                missing = np.isnan(column)
                column = np.where(missing, np.nan, self.codes(i)[np.where(missing, 0, column).astype(np.intp)])
            columns.append(column)
        return np.column_stack(columns)

    def reduced(self, dataset: Dataset) -> Dataset:
        """Return a dataset with the reduced columns, the same rows in the same order."""
        return dataclasses.replace(dataset, schema=self.schema, rows=self.reduce(dataset.rows), table=None)

    def full_encoder(self, reduced: Encoder) -> Encoder:
        """Return the encoder of the original table that standardises the kept columns as the reduced one does."""
        center, scale = np.zeros(len(self.original)), np.ones(len(self.original))
        center[list(self.kept)], scale[list(self.kept)] = reduced.center, reduced.scale
        return Encoder(self.original, center, scale)

    def sources(self, reduced: Encoder) -> np.ndarray:
        """Return which dense column of the reduced table each dense column of the original one has become; -1 for none.

        An original one-hot column becomes its group's; a step between levels that were merged becomes none.
        """
        parts = []
        for i, width in enumerate(self.full_encoder(reduced).widths):
            if i in self.kept:
                place = self.kept.index(i)
                local = self._merged_sources(i, reduced.widths[place]) if i in self.groups else np.arange(width)
                parts.append(np.where(local == NOWHERE, NOWHERE, reduced.starts[place] + local))
            else:
                parts.append(np.full(width, NOWHERE))
        return np.concatenate(parts)

    def _merged_sources(self, position: int, reduced_width: int) -> np.ndarray:
        """Return where the dense columns of a column went, counted from the first of the reduced column, [width]."""
        feature, codes = self.original.features[position], self.codes(position)
        own = np.where(codes[:-1] == codes[1:], NOWHERE, codes[:-1]) if feature.ordered else codes
        return np.append(own, reduced_width - 1) if feature.missing else own


def recoding_of(train: Dataset, *, drop: Sequence[str] = (), merge: int | None = None) -> Recoding:
    """Return the recoding that leaves columns out and merges levels that are rare in the training rows.

    `merge` is how many rows a level must have to stand alone.

    Raises
    ------
    RemedyError
        If a column to leave out is not there or no column is left, or the count is below 1.
    """
    schema = train.schema
    unknown = [name for name in drop if name not in schema.names]
    if unknown:
        raise RemedyError(
            f"columns to leave out must be in the table, but {', '.join(map(repr, unknown))} is not; "
            f"it has {', '.join(schema.names)}{did_you_mean(unknown[0], schema.names)}"
        )
    if merge is not None and merge < 1:
        raise RemedyError(f"levels are merged below a count of rows from 1 on, got {merge}")
    kept = tuple(i for i, name in enumerate(schema.names) if name not in drop)
    if not kept:
        raise RemedyError(f"a model needs at least one column, but all {len(schema)} are to be left out; keep some")
    groups = {}
    for i in kept if merge is not None else ():
        feature = schema.features[i]
        if feature.is_categorical and len(found := merged_levels(feature, train.rows[:, i], merge or 1)) < len(feature.levels):
            groups[i] = found
    return Recoding(schema, kept, groups)


def merged_levels(feature: Feature, column: np.ndarray, least: int) -> Groups:
    """Return the levels of a categorical column in groups of codes: those that are too rare do not stand alone.

    A level with an order is merged with the smaller of its neighbours, the rarest first, until all groups are large enough.
    Of the others, those that are too rare make one group, which stays as it is if it is too rare itself: a frequent level
    is not given up for it. A single rare level takes the next rarest along. A column keeps two groups at least: if it
    cannot, its levels stay as they are.
    """
    counts = np.bincount(column[~np.isnan(column)].astype(np.intp), minlength=len(feature.levels))
    apart = [[code] for code in range(len(counts))]
    if not feature.ordered:
        order = np.argsort(counts, kind="stable").tolist()
        rare = order[: max(2, int((counts < least).sum()))] if (counts < least).any() else []
        groups = [[code] for code in range(len(counts)) if code not in rare] + ([sorted(rare)] if rare else [])
        return groups if len(groups) > 1 else apart
    groups = apart.copy()
    while len(groups) > 1 and min(sizes := [int(counts[group].sum()) for group in groups]) < least:
        rarest = int(np.argmin(sizes))
        beside = [place for place in (rarest - 1, rarest + 1) if 0 <= place < len(groups)]
        first, second = sorted((rarest, min(beside, key=lambda place: sizes[place])))
        groups[first : second + 1] = [groups[first] + groups[second]]
    return groups if len(groups) > 1 else apart


def merged_feature(feature: Feature, groups: Groups) -> Feature:
    """Return the column with a level a group, which is named after those that it holds, and is what all of them are."""

    def named(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(" / ".join(names[code] for code in group) for group in groups)

    def wholly(some: tuple[str, ...]) -> tuple[str, ...]:
        inside = [all(feature.levels[code] in some for code in group) for group in groups]
        return tuple(level for level, kept in zip(named(feature.levels), inside, strict=True) if kept)

    return dataclasses.replace(
        feature,
        levels=named(feature.levels),
        level_labels=named(feature.level_labels),
        level_values=(),
        dtype="",
        level_reasons=(),
        reachable=wholly(feature.reachable),
        adverse_levels=wholly(feature.adverse_levels),
    )
