"""Text with one line a row: its encoding, its delimiter, and its lines as columns of text. Nothing is shifted or filled.

Lines above the header that start with # are left out; so is ``sep=;``, which names the delimiter. A delimiter at the end of
every line makes no column. A column without a name is called ``Unnamed: 3``, as pandas calls it.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
from collections.abc import Iterator
from itertools import islice
from typing import Any

from dlx.errors import one_line, plural
from dlx.reading.cells import Cells, Opened, columns_of, named
from dlx.schema import SchemaError

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


def read_text(content: bytes, *, delimiter: str | None = None, encoding: str | None = None) -> Opened:
    """Return the cells of a delimited file, or raise where it is no rectangle or could be read in two ways."""
    text, said = _decoded(content, encoding)
    if not text.strip():
        raise SchemaError("it is empty")
    text, start, stated = _without_preface(text)
    delimiter = NAMES.get(delimiter, delimiter) if delimiter else stated or _recognised(text)
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise SchemaError(f"delimiter must be one character, or one of {', '.join(NAMES)}; got {delimiter!r}")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns, more = _rectangular(reader, start)
    except csv.Error as error:
        raise SchemaError(
            f"{one_line(error)}, in line {reader.line_num + start}; a quote within quotes is written twice"
        ) from error
    if delimiter != "," and len(columns) > 1:
        said.append(f"separated by {DELIMITERS.get(delimiter, repr(delimiter))}")
    more += [f"{plural(start, 'line')} above the header left out"] if start else []
    return Opened(columns, said=(*said, *more), delimiter=delimiter)


def _rectangular(reader: Any, start: int) -> tuple[list[Cells], list[str]]:
    """Return the lines of csv's reader as a table, or raise if one has more or fewer fields than the header.

    A field more than the header may only be an empty one at the end of every line.
    """
    header: list[str] = next((line for line in reader if any(line)), [])
    width = empty = 0

    def checked() -> Iterator[list[str]]:
        nonlocal width, empty
        for fields in reader:
            if not any(fields):
                empty += bool(fields)
                continue
            width = width or len(header) + (len(fields) == len(header) + 1 and not fields[-1])
            if len(fields) != width or (width > len(header) and fields[-1]):
                remedy = "add the fields that it lacks, or remove it if it is a note"
                if len(fields) >= len(header):
                    remedy = "quote a value that holds the delimiter, or remove what is above the header"
                raise SchemaError(
                    f"line {reader.line_num + start} has {plural(len(fields), 'field')}, but the header has {len(header)}; "
                    f"{remedy}, or name another delimiter"
                )
            yield fields

    columns = columns_of(checked())
    if not columns:
        raise SchemaError("it has no rows")
    at_end = len(columns) > len(header) or (len(header) > 1 and not header[-1].strip() and columns[-1][0] == [""])
    table, said = named(header[: len(columns) - at_end], columns[: len(columns) - at_end])
    said += ["a delimiter at the end of each line left out"] * at_end
    return table, said + ([f"{plural(empty, 'empty line')} left out"] if empty else [])


def _decoded(content: bytes, encoding: str | None) -> tuple[str, list[str]]:
    """Return a text by what is asked, its byte order mark, or as UTF-8, or else as Windows-1252; and what was seen of it."""
    mark = next((name for mark, name in MARKS.items() if content.startswith(mark)), None)
    said = [mark.upper()] if mark and mark != "utf-8-sig" and not encoding else []
    try:
        text = content.decode(encoding or mark or "utf-8")
    except LookupError as error:
        raise SchemaError(f"there is no encoding {encoding!r}; pass for example utf-8, cp1252, latin-1, utf-16") from error
    except UnicodeError as error:
        if encoding or mark or not isinstance(error, UnicodeDecodeError):
            raise SchemaError(f"it is not in {encoding or mark}: {one_line(error)}") from error
        if not content.decode("utf-8", errors="ignore").isascii():
            line = content[: error.start].count(b"\n") + 1
            raise SchemaError(
                f"it is UTF-8 but for some bytes, first in line {line}; save it anew, or name its encoding"
            ) from error
        text, said = content.decode(FALLBACK, errors="replace"), [FALLBACK_WORDS]
        if "\ufffd" in text or {letter for letter in text if letter > "\x7f"} == {ERASED}:
            raise SchemaError(
                "it is neither UTF-8 nor Windows-1252; name its encoding: encoding=..., for example 'cp1250', 'gb18030'"
            ) from error
    if "\0" in text:
        raise SchemaError("it holds NUL bytes; if it is UTF-16, say encoding='utf-16-le' or 'utf-16-be'")
    return text.removeprefix("\ufeff"), said


def _without_preface(text: str) -> tuple[str, int, str]:
    """Return a text from its header on, how many lines were above it, and the delimiter that such a line stated."""
    above: list[str] = []
    stated = ""
    for line in io.StringIO(text, newline=""):
        if not above and line.strip().lower().startswith("sep=") and len(line.strip()) == 5:
            stated = line.strip()[-1]
        elif not line.startswith("#"):
            header = line
            break
        above.append(line)
    else:
        return text, 0, ""
    comments = above[bool(stated) :]
    fields = [max(line.count(mark) for mark in DELIMITERS) for line in (*comments[-1:], header)]
    if comments and fields[0] == fields[1]:  # "#id,age": the header itself
        above = above[: bool(stated)]
    return text[sum(map(len, above)) :], len(above), stated


def _recognised(text: str) -> str:
    """Return the delimiter that gives the first lines the same number of fields; the header's most frequent if none does.

    All lines may have one field more than the header: a delimiter at their end.
    """
    widths: dict[str, list[int]] = {mark: [] for mark in DELIMITERS}
    for mark, found in widths.items():
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
        with contextlib.suppress(csv.Error):  # which is raised, and named, where the table is read
            found.extend(len(line) for line in islice(reader, SAMPLE) if line)

    def is_even(header: int = 0, *lines: int) -> bool:
        return header > 1 and (set(lines) <= {header} or set(lines) == {header + 1})

    even = [mark for mark, found in widths.items() if is_even(*found)]
    best = [mark for mark in even if widths[mark][0] == max(widths[one][0] for one in even)]
    if len(best) > 1:
        either = " and ".join(DELIMITERS[mark] for mark in best)
        raise SchemaError(f"it could be separated by {either}; say which: delimiter=...")
    return best[0] if best else max(widths, key=lambda mark: widths[mark][:1] or [0])
