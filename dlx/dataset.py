"""A table with its schema: rows in original columns, outcomes, and splits that depend only on the seed."""

from __future__ import annotations

import csv
import gzip
import hashlib
import lzma
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlx.arrays import as_slice, check_seed, frozen
from dlx.errors import DlxError
from dlx.schema import Schema, SchemaError, infer_schema, plural, read_schema

if TYPE_CHECKING:
    import pandas as pd

VALIDATION_SHARE = 0.2
TEST_SHARE = 0.2


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
    """

    schema: Schema
    rows: np.ndarray
    outcomes: np.ndarray | None = None
    index: Any = None
    name: str = "table"
    card: Card = field(default_factory=Card)
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    table: pd.DataFrame | None = field(default=None, repr=False)

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
        return Dataset(
            schema=self.schema,
            rows=self.rows[which],
            outcomes=None if self.outcomes is None else self.outcomes[which],
            index=self.index[which],
            name=self.name,
            card=self.card,
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
) -> Dataset:
    """Return a csv or parquet file as a Dataset.

    Parameters
    ----------
    path : str or Path
        A file that ends in .csv, .csv.gz, .csv.xz or .parquet.
    target : str, optional
        The column to predict; needed where no schema is given.
    positive : str, optional
        The positive outcome of a binary target.
    schema : Schema, str or Path, optional
        A schema or the TOML file that describes one; inferred from the table by default.
    name : str, optional
        The name of the case; the file's name by default.

    Raises
    ------
    SchemaError
        If the file cannot be read, or does not hold what the schema says.
    """
    table = read_frame(path)
    if schema is None:
        if target is None:
            raise SchemaError(f"which column of {path} is the target? pass target=..., one of {', '.join(table.columns)}")
        schema = infer_schema(table, target, positive=positive)
    elif not isinstance(schema, Schema):
        schema = read_schema(schema)
    return from_frame(table, schema, name=name or Path(path).name.split(".")[0])


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
    )


def refuse_bare(rows: Any, what: str) -> None:
    """Raise if rows are no Dataset, where what columns mean must be known."""
    if not isinstance(rows, Dataset):
        raise DlxError(
            f"{what} must be a Dataset, got {type(rows).__name__}; make one with dlx.from_frame(table, model.schema)"
        )


def read_frame(path: str | Path) -> pd.DataFrame:
    """Return a csv or parquet file as a table; in a csv only an empty cell is missing.

    Raises
    ------
    SchemaError
        If there is no such file, it is of another kind, has no rows, or is not well formed.
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise SchemaError(f"there is no file {path}")
    if not {".csv", ".parquet"} & set(path.suffixes):
        raise SchemaError(f"{path} must be a .csv or a .parquet file")
    try:
        if ".parquet" in path.suffixes:
            table = pd.read_parquet(path)
        else:
            _refuse_ragged_lines(path)
            table = pd.read_csv(path, keep_default_na=False, na_values=[""], index_col=False)
    except SchemaError as error:
        raise SchemaError(f"{path}: {error}") from error
    except (ValueError, OSError, EOFError, csv.Error, lzma.LZMAError, zlib.error) as error:
        raise SchemaError(f"cannot read {path}: {error}") from error
    if table.empty:
        raise SchemaError(f"{path} has no rows")
    return table


def _refuse_ragged_lines(path: Path) -> None:
    """Raise if a name occurs twice, or a line has more or fewer fields than the header: pandas shifts or fills it."""
    openers: dict[str, Any] = {".gz": gzip.open, ".xz": lzma.open}
    opener = openers.get(path.suffix, open)
    with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file)
        header = next(lines, [])
        repeated = sorted({name for name in header if header.count(name) > 1})
        if repeated:
            raise SchemaError(f"columns of the same name: {', '.join(repeated)}; rename them")
        for fields in lines:
            if fields and len(fields) != len(header):
                raise SchemaError(
                    f"line {lines.line_num} has {plural(len(fields), 'field')}, but the header has {len(header)}; "
                    "quote a value that holds a comma"
                )
