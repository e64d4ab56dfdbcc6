"""The doors of a Dataset: a file, people of another file, a table of Python's; and folders that are marked as of one file."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.dataset.rows import Card, Dataset
from dlx.errors import DlxError, quoted
from dlx.files import fits_a_folder, modules_in, write_atomically
from dlx.reading import (
    as_described,
    as_it_looks,
    aside,
    differences,
    name_of,
    naming,
    open_table,
    overridden,
    reading_of,
    refuse_misspelled,
    with_meanings,
)
from dlx.reading.cells import Opened
from dlx.redundancy import warnings_by_column
from dlx.schema import Schema, SchemaError
from dlx.schema.cells import numbers_of
from dlx.schema.description import read_described
from dlx.schema.fields import described
from dlx.schema.frames import as_pandas, kind_of_frame
from dlx.schema.table import RANDOM

if TYPE_CHECKING:
    import pandas as pd

NAMELESS = "SCHEMA.toml"  # what an option calls a schema that is no file
MARK = ".table.json"  # in a folder that holds what was made of one table


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
    drop: Collection[str] = (),
    ids: Collection[str] = (),
    special: Mapping[str, Mapping[Any, str]] | None = None,
    protected: Collection[str] = (),
    weights: str | None = None,
    split: str | None = None,
    test: str | Path | None = None,
) -> Dataset:
    """Return a file as a Dataset; `Dataset.reading` says what each column was taken for, why, and what was done.

    Without a schema a column is what most of its cells are (`dlx.reading.columns`); columns that are no features are set aside
    (`dlx.schema.inference`).

    Parameters
    ----------
    path : str or Path
        A .csv, .tsv or .txt file, also packed as .gz, .zip, .xz or .bz2; an .xlsx workbook, or a .parquet file.
    target, positive : str, optional
        The column to predict, which is needed where no schema is given; the positive outcome of two.
    schema : Schema, str or Path, optional
        A schema or the TOML file that describes one; inferred from the table by default. What else is asked for has the last
        word, and is noted.
    name : str, optional
        The name of the case; the file's name without the suffixes above by default.
    delimiter, encoding : str, optional
        What separates the fields of a text file, and how it is encoded; recognised by default.
    missing : collection of str, optional
        Texts that mean missing in every column. By default only the empty cell does; in columns of numbers, dates and truth
        values "NA", "?", "-" and the other marks of `dlx.schema.cells.MARKS` do too. An empty list leaves the empty cell alone.
    keep, categorical : collection of str
        Columns that are features, whatever they look like; those whose values are levels, even if they are numbers.
    drop, ids : collection of str
        Columns that are no features; those that tell cases apart.
    special : mapping of str to mapping, optional
        By column, the codes that are no numbers and what they mean: ``{"burden": {-9: "no record"}}``.
    protected : collection of str
        Columns that the law protects.
    weights : str, optional
        The column that says how much each row counts, in training and in every measure of people.
    split : str, optional
        How rows become train, validation and test: ``"random"``, ``"time:issued"``, ``"group:customer"`` or ``"column:part"``
        (`dlx.dataset.parts`); what the schema says by default. That column is a feature only if it is one to keep.
    test : str or Path, optional
        A file of the same columns whose rows are the test rows.

    Raises
    ------
    SchemaError
        If the file cannot be read as it is, or does not hold what the schema says.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise SchemaError(
            f"a table is read from a path, got {type(path).__name__}; pass one of Python's to dlx.dataset.from_frame"
        )
    path, special = Path(path), special or {}
    if not isinstance(special, Mapping) or not all(isinstance(codes, Mapping) for codes in special.values()):
        raise SchemaError(
            f"special must say of each column what its codes mean, {{'burden': {{-9: 'no record'}}}}, got {special}"
        )
    name, out = _case_name(path, name), aside(drop, ids, weights)
    asked: dict[str, Any] = {"positive": positive, "missing": missing, "keep": keep, "categorical": categorical, "split": split}
    opened, first = _opened(path, test, delimiter=delimiter, encoding=encoding)
    with naming(path if test is None else f"{path} with the rows of {test} after its own"):
        said, card = _described(schema)
        if said is None:
            table, found, reading = as_it_looks(opened, target, first=first, aside=out, numeric=list(special), **asked)
        else:
            refuse_misspelled(said, opened, but=["target"] * bool(target) + ["weights"] * bool(weights))
            other = overridden(said, opened, target=target, aside=out, **asked)
            table, found, reading = as_described(opened, other, missing=missing)
        found = with_meanings(found, special, protected, weights)
        held_out = None if test is None else np.arange(len(table)) >= first
        made = dataclasses.replace(from_frame(table, found, name=name, card=card), held_out=held_out)
        if found.split != RANDOM or test is not None:
            _ = made.splits  # or an error, before anything is done
    reading = reading if said is None else reading.with_notes(differences(said, made.schema))
    reading = reading.with_notes(warnings_by_column(made.schema, made.rows, made.outcomes))
    own, file = None if name == name_of(path) else name, NAMELESS if isinstance(schema, Schema) else schema
    words = {"name": own, "target": target, "delimiter": delimiter, "encoding": encoding, "schema": file, **asked}
    words |= {"drop": drop, "id": ids, "protected": protected, "weights": weights, "test": test, "special": special}
    reading = dataclasses.replace(reading, source=str(path), options=_as_options(words))
    return dataclasses.replace(made, reading=reading, source=str(path))


def _opened(path: Path, test: str | Path | None, **text: str | None) -> tuple[Opened, int]:
    """Return the cells of a file, followed by those of a file of test rows, and how many rows are the former's."""
    with naming(path):
        opened = open_table(path, **text)
    if test is None:
        return opened, opened.rows
    with naming(test):
        return opened.followed_by(open_table(Path(test), **text)), opened.rows


def _as_options(asked: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what was asked for as words of the command line; an empty list is said of what is missing only."""
    words = []
    for option, values in asked.items():
        if isinstance(values, Mapping):  # of special values
            values = [f"{column}={code}:{word}" for column, codes in values.items() for code, word in codes.items()]
        each = [values] if isinstance(values, (str, os.PathLike)) else list(values or ())
        each = [""] if option == "missing" and values is not None and not each else each
        for value in map(str, each):
            words += [f"--{option}={value}"] if value.startswith("-") else [f"--{option}", value]
    return tuple(words)


def read_people(
    path: str | Path,
    like: Dataset,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    missing: Collection[str] | None = None,
) -> Dataset:
    """Return the rows of a file as those of a case, with whose schema they are read; the options are those of `read_table`."""
    if like.several is not None:
        people = read_people(path, like.whole, delimiter=delimiter, encoding=encoding, missing=missing)
        return people.of_class(like.schema.target.levels[1])
    with naming(path):
        opened = open_table(Path(path), delimiter=delimiter, encoding=encoding)
        schema = dataclasses.replace(like.schema, split=RANDOM)  # people are not split
        table, _, reading = as_described(opened, schema, missing=missing)
        outcome = like.schema.target.name
        unknown = [outcome] if outcome in table and table[outcome].isna().all() else []
        made = from_frame(table.drop(columns=unknown), schema, name=like.name)
    return dataclasses.replace(made, reading=dataclasses.replace(reading, source=str(path)), source=str(path))


def _described(schema: Schema | str | Path | None) -> tuple[Schema | None, Card]:
    """Return a schema, or that of a file with its card; None where there is neither."""
    if schema is None or isinstance(schema, Schema):
        return schema, Card()
    if not isinstance(schema, (str, os.PathLike)):
        raise SchemaError(f"schema must be a Schema or the path of a TOML file, got {type(schema).__name__}")
    found, card = read_described(schema)
    try:
        return found, Card(**described(Card, card, "card", SchemaError))
    except SchemaError as error:
        raise SchemaError(f"{schema}: {error}") from error


def _case_name(path: Path, name: str | None) -> str:
    """Return the name of the case that a file is, or raise if it is one that dlx ships, or none of a folder."""
    own = name_of(path) if name is None else name
    if own.casefold() in shipped():
        raise SchemaError(
            f"{path} has the name of a shipped case, whose models are not its own; give the file another name, or pass name=..."
        )
    if not fits_a_folder(own):
        raise SchemaError(f"a case's name must be fit for a folder, got {quoted(own)}; pass another one: name=...")
    return own


def shipped() -> list[str]:
    """Return the names of the cases that dlx ships, sorted: the files of their folder."""
    return modules_in(Path(__file__).parents[1] / "cases")


def from_frame(table: Any, schema: Schema, *, name: str = "table", card: Card | None = None) -> Dataset:
    """Return a table as a Dataset; outcomes are taken where the table has the target's column.

    Parameters
    ----------
    table : DataFrame [rows, columns]
        Of pandas, polars, pyarrow, DuckDB or another library that narwhals knows. A query of a database is one::

            table = duckdb.connect("bank.db").sql("select * from loans where issued < '2024-01-01'")
            table = pandas.read_sql("select * from loans", sqlalchemy.create_engine("postgresql:///bank"))
            case = dlx.dataset.from_frame(table, dlx.schema.infer_schema(table, "default"))

        A model of one's own that is wrapped with the Dataset reads frames of polars or pyarrow where the table is one.
    schema : Schema
        What its columns are.
    name, card : str, Card
        The name of the case; where the data come from, and what is wrong with them.
    """
    if not isinstance(schema, Schema):
        raise SchemaError(f"schema must be a Schema, got {type(schema).__name__}; make one: dlx.infer_schema(table, target)")
    frames, table = kind_of_frame(table), as_pandas(table)
    rows, target = schema.encode(table), schema.target
    names = {*schema.names, *(column.name for column in schema.carried)}
    by = {schema.split_rule.column} & set(table.columns) - names  # what a split goes by is kept, too
    return Dataset(
        schema=schema.typed(table),
        rows=rows,
        outcomes=target.encode(table[target.name]) if target.name in table.columns else None,
        index=table.index.to_numpy(),
        name=name,
        card=card or Card(),
        extra={name: table[name].to_numpy() for name in by},
        frames=frames,
        weights=_weights(table[schema.weights]) if schema.weights in table.columns else None,
        table=table[[name for name in table.columns if name in names]],
        reading=reading_of(schema, list(table.columns), len(table)),
    )


def _weights(column: pd.Series) -> np.ndarray:
    """Return a column that weighs rows, float64 [rows], or raise unless it holds positive numbers."""
    weights = numbers_of(column)
    is_odd = ~(np.isfinite(weights) & (weights > 0))
    if is_odd.any():
        row = int(is_odd.argmax())
        raise SchemaError(
            f"{column.name!r} weighs rows, and must hold positive numbers, got {quoted(str(column.iloc[row]))} in row "
            f"{column.index[row]}; leave out rows that shall not count"
        )
    return weights


def refuse_bare(rows: Any, what: str) -> None:
    """Raise if rows are no Dataset, where their schema is needed."""
    if not isinstance(rows, Dataset):
        raise DlxError(
            f"{what} must be a Dataset, got {type(rows).__name__}; make one with dlx.dataset.from_frame(table, model.schema)"
        )


def refuse_other_tasks(case: Dataset, what: str, *, serves: Collection[str] = ("binary",)) -> None:
    """Raise a `SchemaError` where the target of a case is of another kind than is served."""
    target = case.schema.target
    if target.kind not in serves:
        held = "a value" if target.kind == "regression" else f"one of {len(target.levels)} classes"
        raise SchemaError(
            f"{what} needs a binary outcome, but {target.name!r} is {target.kind}, {held}; make two outcomes of it, "
            "or wrap a model of your own: dlx.explain and dlx.compare take any"
        )


def refuse_claimed(folder: str | Path, case: Dataset, remedy: str) -> None:
    """Raise a `DlxError` if a folder holds what was made of another file, so that files of one name overwrite nothing.

    Another file may have the folder if its rows are the same, or if the first file is there no longer; and a file whose rows
    have changed keeps its folder. The remedy is what to do instead: "pass another --output".
    """
    try:
        mark = json.loads((Path(folder) / MARK).read_text(encoding="utf-8"))
        path, rows = Path(folder) / mark["source"], mark["data_sha256"]
    except (OSError, ValueError, KeyError, TypeError):  # there is no mark that can be read
        return
    if case.source and rows != case.sha256 and path.exists() and not path.samefile(case.source):
        raise DlxError(f"{folder} holds what was made of {os.path.relpath(path)}, not of {case.source}; {remedy}")


def claim(folder: str | Path, case: Dataset) -> None:
    """Mark a folder as that of a case's file."""
    if case.source and Path(case.source).exists():
        said = {"source": os.path.relpath(case.source, folder), "data_sha256": case.sha256}
        write_atomically(Path(folder) / MARK, json.dumps(said, ensure_ascii=False) + "\n")
