"""Text with one line a row: its encoding, its delimiter, and its lines as columns of text. Nothing is shifted or filled.

- The encoding is what a byte order mark says, or UTF-8, or, where the bytes are none, Windows-1252.
- The delimiter is the comma, semicolon, tab or pipe that gives all of the first lines the same number of fields.
- Lines above the header that start with # are left out; so is the line ``sep=;``, which names the delimiter.
- A delimiter at the end of every line makes no column.
- Names are stripped of blanks around them; a column without a name is called ``Unnamed: 3``, as pandas calls it.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dlx.errors import listed, one_line
from dlx.reading.cells import Cells, columns_of
from dlx.schema import SchemaError, plural
from dlx.schema.cells import quoted

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
NAMES = {"comma": ",", "semicolon": ";", "tab": "\t", "\\t": "\t", "pipe": "|", "space": " "}
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
FALLBACK, FALLBACK_WORDS = "cp1252", "no UTF-8, read as Windows-1252"
ERASED = "ÿ"  # FF: what damaged files are filled with, where it is the only letter beyond ASCII
SAMPLE = 1_000  # lines
UNNAMED = "Unnamed: {}"


class Text(NamedTuple):
    """The columns of a file; `said` is what was recognised of it, where it is not a comma-separated one in UTF-8."""

    columns: list[Cells]
    said: tuple[str, ...]
    delimiter: str


def read_text(path: Path, content: bytes, *, delimiter: str | None = None, encoding: str | None = None) -> Text:
    """Return the cells of a delimited file.

    Raises
    ------
    SchemaError
        If it is empty, in another encoding than is said, not rectangular, or its delimiter could be one or the other.
    """
    text, said = _decoded(path, content, encoding)
    if not text.strip():
        raise SchemaError(f"cannot read {path}: it is empty")
    text, start, stated = _without_preface(text)
    delimiter = _named(delimiter) if delimiter else stated or _recognised(path, text)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        columns, more = _rectangular(reader, start)
    except SchemaError as error:
        raise SchemaError(f"{path}: {error}") from error
    except csv.Error as error:
        raise SchemaError(
            f"cannot read {path}: {one_line(error)}, in line {reader.line_num + start}; a quote within quotes is written twice"
        ) from error
    if delimiter != "," and len(columns) > 1:
        more = [f"separated by {DELIMITERS.get(delimiter, repr(delimiter))}", *more]
    more += [f"{plural(start, 'line')} above the header left out"] if start else []
    return Text(columns, (*said, *more), delimiter)


def named(header: list[str], columns: list[tuple[list[str], np.ndarray]]) -> tuple[list[Cells], list[str]]:
    """Return columns under the names of a header, and what was done to these."""
    names = [name.strip() or UNNAMED.format(i) for i, name in enumerate(header)]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SchemaError(f"columns of the same name: {listed(repeated)}; rename them")
    blanks = [name for name in header if name != name.strip() and name.strip()]
    said = [f"blanks around names left out: {', '.join(map(quoted, blanks))}"] if blanks else []
    return [Cells(name, *column) for name, column in zip(names, columns, strict=True)], said


def _rectangular(reader: Any, start: int) -> tuple[list[Cells], list[str]]:
    """Return the lines of csv's reader as a table, or raise if one has more or fewer fields than the header."""
    header: list[str] = next((line for line in reader if any(line)), [])
    empty = [0]
    lines = _checked(reader, header, start, empty)
    first = next(lines, None)
    if first is None:
        raise SchemaError("has no rows")
    columns = columns_of(chain([first], lines), len(first))
    at_end = len(first) > len(header) or (len(header) > 1 and not header[-1].strip() and columns[-1][0] == [""])
    table, said = named(header[: len(first) - at_end], columns[: len(first) - at_end])
    said += ["a delimiter at the end of each line left out"] if at_end else []
    return table, [*said, *([f"{plural(empty[0], 'empty line')} left out"] if empty[0] else [])]


def _checked(reader: Any, header: list[str], start: int, empty: list[int]) -> Iterator[list[str]]:
    """Yield the lines that are not empty; a field more than the header may only be an empty one at the end of every line."""
    width = 0
    for fields in reader:
        if not any(fields):
            empty[0] += bool(fields)
            continue
        width = width or len(header) + (len(fields) == len(header) + 1 and not fields[-1])
        if len(fields) != width or (width > len(header) and fields[-1]):
            short, long = "add the fields that it lacks, or remove it if it is a note", "quote a value that holds the delimiter"
            remedy = short if len(fields) < len(header) else f"{long}, or remove what is above the header"
            raise SchemaError(
                f"line {reader.line_num + start} has {plural(len(fields), 'field')}, but the header has {len(header)}; "
                f"{remedy}, or name another delimiter"
            )
        yield fields


def _decoded(path: Path, content: bytes, encoding: str | None) -> tuple[str, list[str]]:
    mark = next((name for mark, name in MARKS.items() if content.startswith(mark)), None)
    said = [mark.upper()] if mark and mark != "utf-8-sig" and not encoding else []
    try:
        text = content.decode(encoding or mark or "utf-8")
    except LookupError as error:
        raise SchemaError(f"there is no encoding {encoding!r}; pass for example utf-8, cp1252, latin-1, utf-16") from error
    except UnicodeError as error:
        if encoding or mark:
            raise SchemaError(f"cannot read {path}: it is not in {encoding or mark}: {one_line(error)}") from error
        text, said = _in_fallback(path, content), [FALLBACK_WORDS]
    if "\0" in text:
        raise SchemaError(f"cannot read {path}: it holds NUL bytes; if it is UTF-16, say encoding='utf-16-le' or 'utf-16-be'")
    return text.removeprefix("\ufeff"), said


def _in_fallback(path: Path, content: bytes) -> str:
    rest = content.decode("utf-8", errors="ignore")
    if not rest.isascii():
        line = content[: _first_strange(content)].count(b"\n") + 1
        raise SchemaError(
            f"cannot read {path}: it is UTF-8 but for some bytes, first in line {line}; save it anew, or name its encoding"
        )
    try:
        text = content.decode(FALLBACK)
    except UnicodeError:
        text = ERASED
    if {letter for letter in text if letter > "\x7f"} == {ERASED}:
        raise SchemaError(
            f"cannot read {path}: it is neither UTF-8 nor Windows-1252; name its encoding: encoding=..., for example "
            "'cp1250', 'shift_jis', 'gb18030'"
        )
    return text


def _first_strange(content: bytes) -> int:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return len(content)


def _without_preface(text: str) -> tuple[str, int, str]:
    """Return a text from its header on, how many lines were above it, and the delimiter that such a line stated."""
    lines, stated = io.StringIO(text, newline=""), ""
    above: list[str] = []
    for line in lines:
        if not above and line.strip().lower().startswith("sep=") and len(line.strip()) == 5:
            stated = line.strip()[-1]
        elif not line.startswith("#"):
            header = line
            break
        above.append(line)
    else:
        return text, 0, ""
    comments = above[bool(stated) :]
    if comments and _fields(comments[-1]) == _fields(header):  # "#id,age": the header itself
        above = above[: bool(stated)]
    return text[sum(map(len, above)) :], len(above), stated


def _fields(line: str) -> int:
    return max(line.count(mark) for mark in DELIMITERS)


def _named(delimiter: str) -> str:
    delimiter = NAMES.get(delimiter, delimiter)
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise SchemaError(f"delimiter must be one character, or one of {', '.join(NAMES)}; got {delimiter!r}")
    return delimiter


def _recognised(path: Path, text: str) -> str:
    """Return the delimiter that gives the first lines the same number of fields; the header's most frequent if none does."""
    widths = {mark: _widths(text, mark) for mark in DELIMITERS}
    even = {mark: found[0] for mark, found in widths.items() if found and found[0] > 1 and _is_even(*found)}
    best = [mark for mark in even if even[mark] == max(even.values())]
    if len(best) > 1:
        either = " and ".join(DELIMITERS[mark] for mark in best)
        raise SchemaError(f"{path} could be separated by {either}; say which: delimiter=...")
    if best:
        return best[0]
    return max(widths, key=lambda mark: widths[mark][:1] or [0])


def _widths(text: str, delimiter: str) -> list[int]:
    """Return the number of fields of the first lines."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    widths: list[int] = []
    with contextlib.suppress(csv.Error):  # which is raised, and named, where the table is read
        widths.extend(len(line) for line in islice(reader, SAMPLE) if line)
    return widths


def _is_even(header: int, *lines: int) -> bool:
    """Whether all lines have as many fields as the header, or all one more: a delimiter at their end."""
    return set(lines) <= {header} or set(lines) == {header + 1}
