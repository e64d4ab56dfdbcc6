"""A table with fewer columns and levels, and where in it each column and level of the original table went."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dlx.dataset import Dataset
from dlx.encoder import Encoder
from dlx.errors import did_you_mean
from dlx.remedies.errors import RemedyError
from dlx.remedies.merging import Groups, merged_feature, merged_levels
from dlx.schema import Schema

NOWHERE = -1


@dataclass(frozen=True, eq=False)
class Recoding:
    """How rows of the original table become rows of the reduced one.

    Parameters
    ----------
    original : Schema
        The columns of the case.
    kept : tuple of int
        Positions of the columns that stay, in order.
    groups : dict of int to list of list of int
        Codes that have become one level, by position, of those columns whose levels were merged.
    """

    original: Schema
    kept: tuple[int, ...]
    groups: dict[int, Groups]

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
        return dataclasses.replace(dataset, schema=self.schema, rows=self.reduce(dataset.rows))

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

    Parameters
    ----------
    train : Dataset
        The training rows.
    drop : sequence of str
        Names of columns to leave out.
    merge : int, optional
        Rows that a level must have to stand alone.

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
