"""A table with its schema: rows in original columns, outcomes, and splits that depend only on the seed."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlx.arrays import as_slice, check_seed, frozen, in_short, row_ids
from dlx.dataset.parts import TEST, TRAIN, VALIDATION, first_copies, keys_of, parts_of, rows_used, split_words
from dlx.errors import DlxError, listed, one_line, plural
from dlx.reading import Reading
from dlx.schema import Schema, SchemaError, Target
from dlx.schema.fields import conform
from dlx.schema.table import RANDOM

if TYPE_CHECKING:
    import pandas as pd


BY_ROW = ("outcomes", "index", "table", "held_out", "weights", "classes")  # what a Dataset holds of each row, beside its rows


@dataclass(frozen=True)
class Card:
    """A data card: the story of a table and its flaws, for the report.

    Parameters
    ----------
    title, summary : str
        What the table is, in a line and in a paragraph.
    source, citation, licence, notice : str
        Where it comes from, how to cite it, under which terms, and a notice that must travel with it.
    caveats : tuple of str
        What a reader must know before they believe a number, one sentence each.
    sha256 : str
        Checksum of the embedded file.
    remedy : mapping
        What a model of the table should be trained without or otherwise, and why, as `dlx.remedies.Remedy` takes it.
    """

    title: str = ""
    summary: str = ""
    source: str = ""
    citation: str = ""
    licence: str = ""
    notice: str = ""
    caveats: tuple[str, ...] = ()
    sha256: str = ""
    remedy: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        conform(self, "card", SchemaError)

    def __repr__(self) -> str:
        return f"Card({self.title!r}, {self.licence or 'no licence'}, {len(self.caveats)} caveats)"


class Splits(NamedTuple):
    """Three disjoint parts of a dataset."""

    train: Dataset
    validation: Dataset
    test: Dataset

    def __repr__(self) -> str:
        return in_short(self)


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A table: rows in original columns, their outcomes, and the schema that says what they mean.

    Parameters
    ----------
    schema : Schema
        What the columns mean.
    rows : ndarray [rows, features]
        float64, categories as codes, NaN where missing; read-only.
    outcomes : ndarray [rows] or None
        0 or 1, the class's position, or a value; None where unknown.
    index : ndarray [rows]
        The names of the rows, for example loan ids.
    name, source : str
        The name of the case, and the file that it was read from; empty for a table of Python's.
    card : Card
        Where the data come from and what is wrong with them.
    extra : dict of str to ndarray [rows]
        Columns that are no features, for example the hospital.
    table : DataFrame [rows, features + carried], optional
        The rows as they came, in the table's own order and dtypes: what a model of one's own reads.
    reading : Reading
        What each column was taken for, why, and what was done.
    held_out : ndarray [rows], optional
        Which rows are those of a test file of its own, bool.
    frames : str
        The library of the frame that the rows came in, "polars", which a model of one's own may read; empty for pandas.
    weights : ndarray [rows], optional
        How much each row counts, positive; only ratios matter. None where all count the same.
    is_limited : bool
        Whether `splits` has fewer rows of large parts, see `dlx.dataset.parts.rows_used`.
    several : Target, optional
        The target of several classes, where the outcomes only say whether a row is of one of them, see `of_class`.
    classes : ndarray [rows], optional
        The class of each row by that target, where it is known.
    """

    schema: Schema
    rows: np.ndarray
    outcomes: np.ndarray | None = None
    index: Any = None
    name: str = "table"
    card: Card = field(default_factory=Card)
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    table: pd.DataFrame | None = field(default=None, repr=False)
    reading: Reading = field(default_factory=Reading, repr=False)
    source: str = ""
    held_out: np.ndarray | None = None
    frames: str = ""
    weights: np.ndarray | None = None
    is_limited: bool = False
    several: Target | None = None
    classes: np.ndarray | None = None

    def __post_init__(self) -> None:
        rows = frozen(self.schema.check(self.rows))
        index = np.arange(len(rows)) if self.index is None else np.asarray(self.index)
        outcomes = None if self.outcomes is None else frozen(self.outcomes, np.float64)
        count_alike = self.weights is None or (len(self.weights) > 0 and np.ptp(self.weights) == 0)
        weights = None if count_alike else frozen(self.weights, np.float64)
        for name, held in {"rows": rows, "index": index, "outcomes": outcomes, "weights": weights}.items():
            object.__setattr__(self, name, held)
        for what, column in ({name: getattr(self, name) for name in BY_ROW} | self.extra).items():
            if column is not None and len(column) != len(rows):
                raise SchemaError(f"{what} must have one entry a row: {len(column)} for {plural(len(rows), 'row')}")

    def __repr__(self) -> str:
        target, known = self.schema.target, "unknown"
        if self.outcomes is not None:
            labels = target.level_labels or ("known",)
            counts = [(self.outcomes == code).sum() if target.levels else len(self) for code in range(len(labels))]
            known = listed((f"{count:,} {label}" for count, label in zip(counts, labels, strict=True)), 4)
        words = one_line(f"{self.name!r}: {plural(len(self), 'row')}; {target.label}: {known}")
        return f"Dataset({words};\n  {self.schema!r})"

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, which: Any) -> Dataset:
        """Return the rows at positions, a slice or a mask, as a Dataset."""
        which = as_slice(which, len(self))
        held = {name: column[which] for name in BY_ROW if (column := getattr(self, name)) is not None and name != "table"}
        table = None if self.table is None else self.table.iloc[which]
        extra = {name: column[which] for name, column in self.extra.items()}
        return dataclasses.replace(self, rows=self.rows[which], table=table, extra=extra, **held)

    def of_class(self, level: str) -> Dataset:
        """Return the same rows with two outcomes, one class of several or another; each is in the part that it was in.

        What was learnt from the training rows of all classes has so not seen the test rows of one.
        """
        case = self.whole
        target, outcomes = case.schema.target.of_class(level), case.outcomes
        is_it = None if outcomes is None else outcomes == case.schema.target.levels.index(level)
        schema = dataclasses.replace(case.schema, target=target)
        return dataclasses.replace(case, schema=schema, outcomes=is_it, several=case.schema.target, classes=outcomes)

    @property
    def whole(self) -> Dataset:
        """The rows with all their classes; itself where it does not tell of one of several."""
        if self.several is None:
            return self
        schema = dataclasses.replace(self.schema, target=self.several)
        return dataclasses.replace(self, schema=schema, outcomes=self.classes, several=None, classes=None)

    def split(self, seed: int = 0) -> Splits:
        """Return train (60 %), validation (20 %) and test (20 %) by the schema's `split`; a function of the table and the seed.

        At random, by time, by groups or as a column says: `dlx.dataset.parts` states the rules.
        """
        parts = parts_of(self.whole, check_seed(seed))
        return Splits(*(self[np.flatnonzero(parts == part)] for part in (TRAIN, VALIDATION, TEST)))

    @cached_property
    def splits(self) -> Splits:
        """The split of seed 0, on which models are trained."""
        parts = self.split(seed=0)
        return Splits(*(some[rows_used(some.whole, i)] for i, some in enumerate(parts))) if self.is_limited else parts

    @property
    def split_words(self) -> str:
        """How the rows are split, as a sentence goes on: "at random, by outcome"."""
        return split_words(self.whole)

    @property
    def train(self) -> Dataset:
        """Rows to train on, 60 %."""
        return self.splits.train

    @property
    def validation(self) -> Dataset:
        """Rows to stop training by, 20 %."""
        return self.splits.validation

    @property
    def test(self) -> Dataset:
        """Rows to test on, which no model that dlx trains on the case has seen; 20 % where no file or column says otherwise."""
        return self.splits.test

    @cached_property
    def first_copies(self) -> np.ndarray:
        """The position of the first row that is the same, for each row, int [rows]: they are in one part of a random split."""
        return first_copies(self.whole)

    @cached_property
    def learnt_from(self) -> np.ndarray:
        """The training and validation rows, by `dlx.arrays.row_ids`: what a model of dlx has seen."""
        return row_ids(np.vstack([self.train.rows, self.validation.rows]))

    def background(self, size: int = 100, *, seed: int = 0) -> Dataset:
        """Return reference rows, drawn from the training rows without replacement, whatever they weigh; all if fewer."""
        if size < 1:
            raise DlxError(f"a background needs at least 1 row, got size={size}")
        train = self.train
        chosen = np.random.default_rng(check_seed(seed)).permutation(len(train))[:size]
        return train[np.sort(chosen)]

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a table, with the levels and dtypes of the data."""
        return self.schema.decode(self.rows, index=self.index)

    @cached_property
    def sha256(self) -> str:
        """Hash of schema, rows, weights, outcomes and of a split that is not plainly random: which data a model was trained on.

        That of all classes, where a Dataset tells of one: models learn from all.
        """
        if self.several is not None:
            return self.whole.sha256
        digest = hashlib.sha256(self.schema.sha256.encode())
        digest.update(np.ascontiguousarray(self.rows).tobytes())
        digest.update(b"" if self.weights is None else np.ascontiguousarray(self.weights).tobytes())
        if self.outcomes is not None:
            digest.update(np.ascontiguousarray(self.outcomes).tobytes())
            has_copies = bool((self.first_copies != np.arange(len(self))).any())
            apart = [self.schema.split != RANDOM, self.held_out is not None, has_copies]
            if any(apart):
                digest.update(f"{self.schema.split} {apart}".encode() + keys_of(self).tobytes())
                digest.update(b"" if self.held_out is None else self.held_out.tobytes())
        return digest.hexdigest()
