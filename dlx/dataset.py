"""A table with its schema: rows in original columns, outcomes, and splits that depend only on the seed."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlx.arrays import as_slice, check_seed, frozen
from dlx.errors import DlxError, listed
from dlx.reading import Opened, Read, Reading, as_described, as_it_looks, name_of, open_table, plain_reading, read_frame
from dlx.reading.suspicions import suspicions
from dlx.schema import Schema, SchemaError, plural, read_schema
from dlx.schema.cells import quoted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Card", "Dataset", "Splits", "from_frame", "read_frame", "read_people", "read_table", "refuse_bare", "shipped"]

VALIDATION_SHARE = 0.2
TEST_SHARE = 0.2
LONGEST_NAME = 200  # bytes, of which a folder may have 255


@dataclass(frozen=True)
class Card:
    """The story of a table and its flaws, for the report.

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
        What a model of the table should be trained without or otherwise, as `dlx.remedies.Remedy` takes it, and because of
        what; empty where nothing is known.
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


class Splits(NamedTuple):
    """Three disjoint parts of a dataset."""

    train: Dataset
    validation: Dataset
    test: Dataset


@dataclass(frozen=True, eq=False)
class Dataset:
    """Rows of a table in original columns, with their outcomes.

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
    name : str
        The name of the case.
    card : Card
        Where the data come from and what is wrong with them.
    extra : dict of str to ndarray [rows]
        Columns that are no features, for example the hospital.
    table : DataFrame [rows, features + carried], optional
        The rows as they came, in the table's own order and dtypes: what a model of one's own reads.
    reading : Reading
        What each column was taken for, why, and what was done.
    source : str
        The file that it was read from; empty for a table of Python's.
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

    def __post_init__(self) -> None:
        rows = frozen(self.schema.check(self.rows))
        index = np.arange(len(rows)) if self.index is None else np.asarray(self.index)
        object.__setattr__(self, "rows", rows)
        object.__setattr__(self, "index", index)
        if self.outcomes is not None:
            object.__setattr__(self, "outcomes", frozen(self.outcomes, np.float64))
        for what, column in {"outcomes": self.outcomes, "index": index, "table": self.table, **self.extra}.items():
            if column is not None and len(column) != len(rows):
                raise SchemaError(f"{what} must have one entry a row: {len(column)} for {plural(len(rows), 'row')}")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, which: Any) -> Dataset:
        """Return the rows at positions, a slice or a mask, as a Dataset."""
        which = as_slice(which, len(self))
        return dataclasses.replace(
            self,
            rows=self.rows[which],
            outcomes=None if self.outcomes is None else self.outcomes[which],
            index=self.index[which],
            extra={name: column[which] for name, column in self.extra.items()},
            table=None if self.table is None else self.table.iloc[which],
        )

    def split(self, seed: int = 0) -> Splits:
        """Return train (60 %), validation (20 %) and test (20 %), stratified by class; a function of the seed only."""
        from sklearn.model_selection import train_test_split

        check_seed(seed)
        if self.outcomes is None:
            raise SchemaError(f"{self.name!r} has no outcomes; a split needs them")
        strata = None if self.schema.target.kind == "regression" else self.outcomes
        everyone = np.arange(len(self))
        try:
            rest, test = train_test_split(everyone, test_size=TEST_SHARE, stratify=strata, random_state=seed)
            train, validation = train_test_split(
                rest,
                test_size=VALIDATION_SHARE / (1 - TEST_SHARE),
                stratify=None if strata is None else strata[rest],
                random_state=seed,
            )
        except ValueError as error:
            raise SchemaError(f"{self.name!r} cannot be split into train, validation and test: {error}") from error
        return Splits(self[np.sort(train)], self[np.sort(validation)], self[np.sort(test)])

    @cached_property
    def splits(self) -> Splits:
        """The split of seed 0, on which the shipped models were trained."""
        return self.split(seed=0)

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
        """Rows that no model has seen, 20 %."""
        return self.splits.test

    def background(self, size: int = 100, *, seed: int = 0) -> Dataset:
        """Return reference rows, drawn from the training rows without replacement; all of them if there are fewer."""
        if size < 1:
            raise DlxError(f"a background needs at least 1 row, got size={size}")
        train = self.train
        chosen = np.random.default_rng(check_seed(seed)).permutation(len(train))[:size]
        return train[np.sort(chosen)]

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a table, with the levels and dtypes of the data."""
        return self.schema.decode(self.rows, index=self.index)

    @property
    def sha256(self) -> str:
        """Hash of schema, rows and outcomes: which data a model was trained on."""
        digest = hashlib.sha256(self.schema.sha256.encode())
        digest.update(np.ascontiguousarray(self.rows).tobytes())
        digest.update(b"" if self.outcomes is None else np.ascontiguousarray(self.outcomes).tobytes())
        return digest.hexdigest()


def read_table(
    path: str | Path,
    *,
    target: str | None = None,
    positive: str | None = None,
    schema: Schema | str | Path | None = None,
    name: str | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
    missing: Collection[str] | None = None,
    keep: Collection[str] = (),
    categorical: Collection[str] = (),
) -> Dataset:
    """Return a file as a Dataset; `Dataset.reading` says what each column was taken for, why, and what was done.

    Without a schema a column is what most of its cells are, by the rules of `dlx.reading.columns`, and columns that are no
    features are set aside by those of `dlx.schema.inference`.

    Parameters
    ----------
    path : str or Path
        A .csv, .tsv or .txt file, also packed as .gz, .zip, .xz or .bz2; an .xlsx workbook, or a .parquet file.
    target : str, optional
        The column to predict; needed where no schema is given.
    positive : str, optional
        The positive outcome of a binary target.
    schema : Schema, str or Path, optional
        A schema or the TOML file that describes one; inferred from the table by default.
    name : str, optional
        The name of the case; the file's name without the suffixes above by default.
    delimiter, encoding : str, optional
        What separates the fields of a text file, and how it is encoded; recognised by default.
    missing : collection of str, optional
        Texts that mean missing in every column. By default only the empty cell does; in columns of numbers, dates and truth
        values "NA", "?", "-" and the other marks of `dlx.schema.cells.MARKS` do too. An empty list leaves the empty cell alone.
    keep : collection of str
        Columns that are features, whatever they look like.
    categorical : collection of str
        Columns whose values are levels, even if they are numbers.

    Raises
    ------
    SchemaError
        If the file cannot be read as it is, or does not hold what the schema says.
    """
    path = Path(path)
    name = _case_name(path, name)
    opened = open_table(path, delimiter=delimiter, encoding=encoding)
    with _naming(path):
        if schema is not None:
            read = _described(opened, schema, target, positive, missing, keep, categorical)
        elif target is None:
            names = listed(opened.names)
            raise SchemaError(f"which column of {path} is the target? pass target=..., one of {names}")
        else:
            read = as_it_looks(opened, target, positive=positive, missing=missing, keep=keep, categorical=categorical)
        made = from_frame(read.table, read.schema, name=name)
    reading = read.reading.told(suspicions(made.schema, made.rows, made.outcomes))
    return dataclasses.replace(made, reading=reading, source=str(path))


def read_people(
    path: str | Path,
    like: Dataset,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    missing: Collection[str] | None = None,
) -> Dataset:
    """Return the rows of a file as those of a case, with whose schema they are read; the options are those of `read_table`."""
    opened = open_table(path, delimiter=delimiter, encoding=encoding)
    with _naming(path):
        read = as_described(opened, like.schema, missing=missing)
        made = from_frame(read.table, like.schema, name=like.name)
    return dataclasses.replace(made, reading=read.reading, source=str(path))


@contextlib.contextmanager
def _naming(path: str | Path) -> Iterator[None]:
    """Name the file in what is raised of its table."""
    try:
        yield
    except SchemaError as error:
        raise error if str(path) in str(error) else SchemaError(f"{path}: {error}") from error


def _described(
    opened: Opened,
    schema: Schema | str | Path,
    target: str | None,
    positive: str | None,
    missing: Collection[str] | None,
    keep: Collection[str],
    categorical: Collection[str],
) -> Read:
    """Return a table as a schema describes it, or raise where what else was asked for contradicts it."""
    schema = schema if isinstance(schema, Schema) else read_schema(schema)
    said = schema.target
    if target is not None and target != said.name:
        raise SchemaError(f"the schema's target is {said.name!r}, not {target!r}; leave target out, or change the schema")
    if positive is not None and positive not in (*said.levels[-1:], *said.level_labels[-1:]):
        last = f"is its last level, {said.levels[-1]!r}" if said.levels else "is none, as it is a regression"
        raise SchemaError(
            f"the schema's positive outcome {last}, not {positive!r}; leave positive out, or change the order of the levels"
        )
    if keep or categorical:
        raise SchemaError("a schema says itself what columns are; leave keep and categorical out, or change the schema")
    return as_described(opened, schema, missing=missing)


def _case_name(path: Path, name: str | None) -> str:
    """Return the name of the case that a file is, or raise if it is one that dlx ships, or none of a folder."""
    own = name_of(path) if name is None else name
    if own.casefold() in shipped():
        raise SchemaError(
            f"{path} has the name of a shipped case, whose models are not its own; give the file another name, or pass name=..."
        )
    strange = set(own) & set('/\\:*?"<>|') or {letter for letter in own if not letter.isprintable()}
    if not own.strip() or own.startswith(".") or strange or len(own.encode()) > LONGEST_NAME:
        raise SchemaError(f"a case's name must be fit for a folder, got {quoted(own)}; pass another one: name=...")
    return own


def shipped() -> list[str]:
    """Return the names of the cases that dlx ships, sorted: the files of their folder."""
    return sorted(path.stem for path in (Path(__file__).parent / "datasets").glob("*.py") if not path.stem.startswith("_"))


def from_frame(table: pd.DataFrame, schema: Schema, *, name: str = "table", card: Card | None = None) -> Dataset:
    """Return a table as a Dataset; outcomes are taken where the table has the target's column."""
    rows, target = schema.encode(table), schema.target
    names = {*schema.names, *(column.name for column in schema.carried)}
    return Dataset(
        schema=schema.typed(table),
        rows=rows,
        outcomes=target.encode(table[target.name]) if target.name in table.columns else None,
        index=table.index.to_numpy(),
        name=name,
        card=card or Card(),
        table=table[[name for name in table.columns if name in names]],
        reading=plain_reading(schema, list(table.columns), len(table)),
    )


def refuse_bare(rows: Any, what: str) -> None:
    """Raise if rows are no Dataset, where what columns mean must be known."""
    if not isinstance(rows, Dataset):
        raise DlxError(
            f"{what} must be a Dataset, got {type(rows).__name__}; make one with dlx.from_frame(table, model.schema)"
        )
