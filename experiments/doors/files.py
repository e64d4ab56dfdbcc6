"""Files of tables: text in some dialect and encoding, compressed or not, Excel, Parquet; and what goes wrong with them."""

from __future__ import annotations

import csv
import gzip
import io
import lzma
import math
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import openpyxl
import pandas as pd

from doors.columns import Column

SUFFIXES = {"": 10, ".gz": 1, ".zip": 1, ".xz": 0.5}
ENCODINGS = {"utf-8": 10, "utf-8-sig": 2, "latin-1": 1.5, "utf-16": 1}
DELIMITERS = {",": 10, ";": 3, "\t": 2, "|": 0.5}


@dataclass(frozen=True)
class File:
    """The bytes of a table under a name.

    Parameters
    ----------
    name : str
        The file's name.
    content : bytes
        What stands in it.
    oddities : list of str
        What is odd about it.
    frame : DataFrame, optional
        What a typed file (Parquet) holds.
    """

    name: str
    content: bytes
    oddities: list[str] = field(default_factory=list)
    frame: pd.DataFrame | None = None

    def write(self, folder: Path) -> Path:
        """Write the file into a folder and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.name
        path.write_bytes(self.content)
        return path


def any_format(random: Random, stems: tuple[str, ...], columns: list[Column]) -> File:
    """Return the columns as a file of some format, a text mostly."""
    stem = stems[0] if random.random() < 0.6 else random.choice(stems)
    how = random.choices((_text, _parquet, _excel), (8, 1, 1))[0]
    return how(random, stem, columns)


def _text(random: Random, stem: str, columns: list[Column]) -> File:
    delimiter = _one_of(DELIMITERS, random)
    if any("decimal commas" in column.oddity for column in columns):
        delimiter = ";"
    suffix = ".tsv" if delimiter == "\t" and random.random() < 0.7 else ".csv"
    suffix += _one_of(SUFFIXES, random)
    suffix = suffix.upper() if random.random() < 0.08 else suffix
    quoting = csv.QUOTE_ALL if random.random() < 0.15 else csv.QUOTE_MINIMAL
    text = as_text(columns, delimiter, quoting=quoting, newline=random.choice(("\n", "\n", "\r\n")))
    encoding = _one_of(ENCODINGS, random)
    try:
        content = text.encode(encoding)
    except UnicodeEncodeError:
        encoding, content = "utf-8", text.encode()
    if content.isascii():
        encoding = "ascii"
    odd = [f"delimiter {delimiter!r}"] * (delimiter != ",") + [encoding] * (encoding not in ("ascii", "utf-8"))
    return File(stem + suffix, _packed(content, suffix.lower(), f"{stem}.csv"), [*odd, *_of_name(stem, suffix)])


def as_text(columns: list[Column], delimiter: str = ",", *, quoting: int = csv.QUOTE_MINIMAL, newline: str = "\n") -> str:
    """Return header and cells as a text, quoted where that is needed."""
    sink = io.StringIO()
    writer = csv.writer(sink, delimiter=delimiter, quoting=quoting, lineterminator=newline)
    writer.writerows(lines_of(columns))
    return sink.getvalue()


def lines_of(columns: list[Column]) -> list[list[str]]:
    """Return header and cells; the header of a saved index is empty."""
    header = ["" if column.oddity == "saved index" else column.name for column in columns]
    return [header, *map(list, zip(*(column.cells for column in columns), strict=True))]


def _packed(content: bytes, suffix: str, inside: str) -> bytes:
    if suffix.endswith(".gz"):
        return gzip.compress(content, mtime=0)
    if suffix.endswith(".xz"):
        return lzma.compress(content)
    if suffix.endswith(".zip"):
        sink = io.BytesIO()
        with zipfile.ZipFile(sink, "w") as archive:
            archive.writestr(inside, content)
        return sink.getvalue()
    return content


def _parquet(random: Random, stem: str, columns: list[Column]) -> File:
    frame = pd.DataFrame({column.name: _typed(column, random) for column in columns})
    sink = io.BytesIO()
    frame.to_parquet(sink)
    suffix = ".PARQUET" if random.random() < 0.1 else ".parquet"
    return File(stem + suffix, sink.getvalue(), ["parquet", *_of_name(stem, suffix)], frame=frame)


def _excel(random: Random, stem: str, columns: list[Column]) -> File:
    book = openpyxl.Workbook()
    lines = [[column.name for column in columns], *map(list, zip(*map(_plain, columns), strict=True))]
    for row, line in enumerate(lines, start=1):
        for place, value in enumerate(line, start=1):
            cell = book.active.cell(row, place)
            cell.value = value if _is_held(value) else str(value)  # as people must, too
            if isinstance(value, str):
                cell.data_type = "s"  # a text that starts with = is no formula
    sink = io.BytesIO()
    book.save(sink)
    suffix = ".XLSX" if random.random() < 0.1 else ".xlsx"
    return File(stem + suffix, sink.getvalue(), ["excel", *_of_name(stem, suffix)])


def _is_held(value: Any) -> bool:
    """Whether a workbook holds a value as it is: no infinity, and no digits beyond those of a double."""
    return (
        math.isfinite(value) and (isinstance(value, float) or abs(value) < 2**53) if isinstance(value, (int, float)) else True
    )


def _plain(column: Column) -> list[Any]:
    """Return what a typed file holds of a column: its meaning, or the text of a cell that a typed file would spell too."""
    is_written = "mark" in column.oddity or "word" in column.oddity
    return [c if t is None and is_written else t for c, t in zip(column.cells, column.truth, strict=True)]


def _typed(column: Column, random: Random) -> pd.Series:
    """Return the column in one of the dtypes in which pandas would hold it."""
    values = _plain(column)
    if column.kind != "levels" and any(isinstance(value, str) for value in values):  # a typed file holds no mixture
        return pd.Series([cell or None for cell in column.cells], dtype=random.choice(("object", "str", "string")))
    if column.kind == "numbers":
        return _typed_numbers(values, random)
    dtypes: dict[str, tuple[Any, ...]] = {
        "dates": ("datetime64[s]", "datetime64[ns]", "object"),
        "booleans": ("object", "boolean", *(() if None in values else ("bool",))),
        "levels": ("object", "str", "category", _ordered(values)),
    }
    return pd.Series(values, dtype=random.choice(dtypes[column.kind])) if column.kind in dtypes else pd.Series(values)


def _typed_numbers(values: list[Any], random: Random) -> pd.Series:
    whole = all(v is None or (v.is_integer() and abs(v) < 2**53) for v in values)
    dtypes = ["float64", "Float64", "object", "double[pyarrow]"]
    dtypes += ["Int64"] * whole + ["int64"] * (whole and None not in values)
    dtype = random.choice(dtypes)
    return pd.Series([v if v is None else int(v) for v in values] if dtype.lower() == "int64" else values, dtype=dtype)


def _ordered(values: list[Any]) -> pd.CategoricalDtype:
    """Return an ordered dtype whose order is that of the rows, not of the alphabet."""
    return pd.CategoricalDtype(list(dict.fromkeys(v for v in values if v is not None)), ordered=True)


def _of_name(stem: str, suffix: str) -> list[str]:
    return [f"name {stem[:12]!r}"] * (stem != "loans") + [f"suffix {suffix}"] * (suffix != ".csv")


def _one_of(weights: dict[str, float], random: Random) -> str:
    return random.choices(list(weights), list(weights.values()))[0]
