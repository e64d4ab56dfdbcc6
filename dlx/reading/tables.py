"""A file as a table in dtypes: by what its columns look like, or by what a schema says of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.errors import did_you_mean, listed, plural, quoted
from dlx.reading import columns
from dlx.reading.cells import Cells, Missing, Opened, columns_of, named
from dlx.reading.columns import Column
from dlx.reading.delimited import read_text
from dlx.reading.files import (
    EXCEL,
    FIRST_SHEET,
    TEXT,
    content_of,
    kind_of,
    naming,
    read_excel,
    read_parquet,
    refuse_other_files,
)
from dlx.reading.record import Reading, reading_of
from dlx.schema import Carried, Schema, SchemaError, Target, infer_schema, level_text
from dlx.schema.cells import number_of
from dlx.schema.inference import holds_numbers
from dlx.schema.table import RANDOM, refuse_odd

if TYPE_CHECKING:
    import pandas as pd

MOST_ABOVE = 50  # lines of a title above a header
NO_AND_YES = {("0", "1"), ("-1", "1"), ("false", "true"), ("no", "yes"), ("n", "y")}


Read = tuple["pd.DataFrame", Schema, Reading]  # a table in dtypes, what its columns are, and how it was read


def open_table(path: Path, *, delimiter: str | None = None, encoding: str | None = None) -> Opened:
    """Return the table of a file, text as text, or raise where there is none that can be read as it is."""
    refuse_other_files(path)
    kind = kind_of(path)[0]
    if kind in TEXT:
        return read_text(content_of(path), delimiter=delimiter, encoding=encoding)
    if delimiter or encoding:
        raise SchemaError("it has neither a delimiter nor an encoding; leave them out")
    lines, said = read_excel(path) if kind in EXCEL else ([], [])
    table = None if kind in EXCEL else read_parquet(path)
    if len(lines) < 2 and (table is None or table.empty):
        raise SchemaError(f"it has no rows{_other_sheets(said)}")
    if table is not None:
        refuse_odd(table)
        return Opened([], table)
    cells, more = named(lines[0], columns_of(iter(lines[1:])))
    return Opened(cells, said=(*said, *more))


def read_frame(path: str | Path, *, delimiter: str | None = None, encoding: str | None = None) -> pd.DataFrame:
    """Return a file as a table: numbers where a column holds nothing else, text as it is spelled; the empty cell is missing."""
    import pandas as pd

    with naming(path):
        opened = open_table(Path(path), delimiter=delimiter, encoding=encoding)
        if opened.table is not None:
            return opened.table
        return pd.DataFrame({cells.name: columns.as_spelled(cells) for cells in opened.cells})


def as_it_looks(
    opened: Opened,
    target: str | None,
    *,
    positive: str | None = None,
    missing: Collection[str] | None = None,
    keep: Collection[str] = (),
    categorical: Collection[str] = (),
    numeric: Collection[str] = (),
    aside: Mapping[str, str] | None = None,
    split: str | None = None,
    first: int | None = None,
) -> Read:
    """Return a table whose columns are what most of their cells are, and the schema that it suggests.

    The `first` rows decide which columns are set aside: all, or those before a test file's.
    """
    if target is None:
        raise SchemaError(f"which column of it is the target? pass target=..., one of {listed(opened.names)}")
    refuse_lacking([target], opened)

    def decided(cells: Cells, decimal: str) -> Column:
        if cells.name == target:
            columns.refuse_unknown_outcomes(cells)
        if cells.name in categorical:
            return Column(columns.as_spelled(cells))
        if cells.name in (aside or ()):
            return columns.as_carried(cells, decimal)
        columns.refuse_totals(cells)
        return columns.as_it_looks(cells, decimal)

    table, made = _decided(opened, decided, missing)
    texts = (level for level in table[target].dropna().unique() if isinstance(level, str))
    if several := columns.alike(texts):
        raise SchemaError(
            f"the target {target!r} has outcomes apart only by blanks or case: {' and '.join(map(quoted, several[0][:2]))}; "
            "spell them alike, or name both in the levels of a schema"
        )
    asked: dict[str, Any] = {"positive": positive, "categorical": categorical, "numeric": numeric}
    schema = infer_schema(table[:first], target, keep=keep, aside=aside, split=split or RANDOM, **asked)
    if first is not None and first < len(table):
        later = table.drop(columns=[column.name for column in schema.carried])
        schema = replace(infer_schema(later, target, keep=schema.names, **asked), carried=schema.carried, split=schema.split)
    schema = replace(schema, features=tuple(replace(feature, unit=made[feature.name].unit) for feature in schema.features))
    made[target] = made[target]._replace(done=(*made[target].done, *_guessed(schema.target, positive)))
    return _read(opened, table, schema, made)


def _guessed(target: Target, positive: str | None) -> tuple[str, ...]:
    """Return a note on the positive outcome of two where nobody named it, and it is none by its own words."""
    if positive is not None or target.kind != "binary" or tuple(map(str.lower, target.levels)) in NO_AND_YES:
        return ()
    return (f"positive is {target.levels[1]!r}, a guess, as it is the last in order: --positive says which",)


def as_they_look(
    opened: Opened, names: Collection[str], *, levels: Collection[str], missing: Collection[str] | None
) -> pd.DataFrame:
    """Return some columns, each as most of its cells are; those of which the values are levels as they are spelled."""
    table = None if opened.table is None else opened.table[list(names)]
    some = opened._replace(cells=[cells for cells in opened.cells if cells.name in names], table=table)

    def decided(cells: Cells, decimal: str) -> Column:
        return Column(columns.as_spelled(cells)) if cells.name in levels else columns.as_it_looks(cells, decimal)

    return _decided(some, decided, missing)[0]


def refuse_lacking(names: Iterable[str], opened: Opened) -> None:
    """Raise if a table lacks a column that was asked for, with where it may be."""
    for name in names:
        if name not in opened.names:
            raise SchemaError(f"the table has no column {name!r}; it has {listed(opened.names)}{_found(name, opened)}")


def refuse_misspelled(schema: Schema, opened: Opened, *, but: Collection[str] = ()) -> None:
    """Raise if a schema's weights are no column of a table, or its target or a carried column is one under another spelling.

    `but` is what was asked for in its place: "target", "weights".
    """
    own = {*schema.names, schema.target.name, schema.weights, *(column.name for column in schema.carried)}
    unnamed = [name for name in opened.names if name not in own]
    spelled = {"target": [schema.target.name], "carried column": [column.name for column in schema.carried]}
    named = [(what, name) for what, names in (spelled | {"weights": [schema.weights]}).items() for name in names if name]
    for what, name in named:
        near = did_you_mean(name, unnamed)
        if name not in opened.names and what not in but and (near or what == "weights"):
            raise SchemaError(f"the schema's {what} {name!r} is no column of the table; it has {listed(opened.names)}{near}")


def as_described(opened: Opened, schema: Schema, *, missing: Collection[str] | None = None) -> Read:
    """Return a table whose columns are what a schema says, and how it was read; columns that it lacks are carried along."""
    features = {feature.name: feature for feature in (*schema.features, schema.target.as_feature)}

    def decided(cells: Cells, decimal: str) -> Column:
        if cells.name in features:
            return columns.as_described(features[cells.name], cells, decimal)
        return columns.as_carried(cells, decimal)

    table, made = _decided(opened, decided, missing)
    if not schema.carried:
        others = [name for name in made if name != schema.target.name]
        unnamed = (Carried(name, i, "not in the schema") for i, name in enumerate(others) if name not in schema.names)
        schema = replace(schema, carried=tuple(unnamed))
    return _read(opened, table, schema, made)


def _decided(
    opened: Opened, decided: Callable[[Cells, str], Column], missing: Collection[str] | None
) -> tuple[pd.DataFrame, dict[str, Column]]:
    """Return the table, and its columns as they were decided one by one, by the decimal mark that all of them show."""
    import pandas as pd

    asked, index = Missing.of(missing), None if opened.table is None else opened.table.index
    if opened.table is not None:
        made = {name: _typed(opened.table[name], asked) for name in opened.names}
    else:
        every = [replace(cells, missing=asked) for cells in opened.cells]
        decimal = columns.decimal_mark(every, opened.delimiter)
        made = {cells.name: decided(cells, decimal) for cells in every}
    return pd.DataFrame({name: column.values for name, column in made.items()}, index=index), made


def _typed(column: pd.Series, missing: Missing) -> Column:
    """Return a column of a typed file without the values that were asked for as missing, and what may surprise of its text."""
    asked_for = {*missing.texts, ""} if missing != Missing.of(None) and not holds_numbers(column) else missing.texts
    gone = [value for value in column.dropna().unique() if level_text(value).strip() in asked_for] if asked_for else []
    is_gone = column.isin(gone)
    column = column.mask(is_gone) if gone else column
    done = (f"missing: {listed(map(repr, gone))} in {plural(int(is_gone.sum()), 'row')}",) if gone else ()
    codes, texts = column.factorize()
    if not len(texts) or not all(isinstance(value, str) for value in texts):
        return Column(column, done)
    known = codes[codes >= 0]
    cells = Cells(str(column.name), [str(text) for text in texts], known, missing._replace(texts=frozenset()))
    numbers = ("text that spells numbers, kept as levels",) if cells.are_numbers else ()
    return Column(column, (*done, *numbers, *columns.surprises(cells)))


def _read(opened: Opened, table: pd.DataFrame, schema: Schema, made: dict[str, Column]) -> Read:
    reading = reading_of(schema, list(made), len(table)).with_notes({name: column.done for name, column in made.items()})
    return table, schema, replace(reading, file=opened.said)


def _found(name: str, opened: Opened) -> str:
    """Return where a column may be that a table lacks, and what to do, as the end of an error."""
    near = did_you_mean(name, opened.names)
    row = min((cells.first(name) for cells in opened.cells if name in cells.texts), default=MOST_ABOVE)
    if row < MOST_ABOVE:
        near += f"; if row {row} of the data is the header, remove what is above it"
    if any(number_of(one) is not None for one in opened.names):
        near += "; the first line must name the columns"
    if len(opened.names) == 1 and opened.delimiter:
        near += "; if it has more columns, name what separates them: delimiter=..."
    return near + _other_sheets(opened.said)


def _other_sheets(said: Iterable[str]) -> str:
    """Return that a table may be in another sheet, as the end of an error."""
    first = next((one for one in said if one.startswith(FIRST_SHEET)), "")
    return f"; this is {first}: move that of the table before it" if first else ""
