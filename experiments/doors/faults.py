"""What goes wrong with a table on its way: a fault takes a table and returns it as it arrives, with what is then true of it."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
from collections.abc import Callable
from dataclasses import replace
from random import Random

import numpy as np
import pandas as pd

from doors.columns import Column
from doors.files import File, as_text, lines_of
from doors.tables import Table, generated_table


def arrived(table: Table, oddity: str, *, text: str | None = None, usable: bool = False, **changes: object) -> Table:
    """Return the table as a plain csv file, of a text where one is given."""
    table = replace(table, **changes)
    text = as_text([*table.columns, table.target]) if text is None else text
    return replace(table, file=File("loans.csv", text.encode(), [oddity]), usable=usable and table.usable)


def _of_lines(lines: list[list[str]]) -> str:
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n").writerows(lines)
    return sink.getvalue()


def _lines(table: Table) -> list[list[str]]:
    return lines_of([*table.columns, table.target])


def _cut(column: Column, count: int) -> Column:
    return replace(column, truth=column.truth[:count], cells=column.cells[:count])


def ragged(table: Table, random: Random) -> Table:
    """Return the table with a line of a field too many, or too few."""
    lines = _lines(table)
    line = random.randrange(1, len(lines))
    lines[line] = [*lines[line], "1"] if random.random() < 0.5 else lines[line][:-1]
    return arrived(table, "ragged", text=_of_lines(lines))


def named_twice(table: Table, random: Random) -> Table:
    """Return the table with a column whose name is another's, the target's or a feature's."""
    is_target = random.random() < 0.5
    lines = [[*line, line[-1 if is_target else -2]] for line in _lines(table)]
    return arrived(table, "two columns of one name", text=_of_lines(lines))


def without_header(table: Table, random: Random) -> Table:
    """Return the table without its first line."""
    return arrived(table, "no header", text=_of_lines(_lines(table)[1:]))


def few_rows(table: Table, random: Random) -> Table:
    """Return the first rows of the table: none to six."""
    count = random.randint(0, 6)
    columns = [_cut(column, count) for column in table.columns]
    return arrived(table, f"{count} rows", columns=columns, target=_cut(table.target, count))


def nothing(table: Table, random: Random) -> Table:
    """Return an empty file."""
    return arrived(table, "an empty file", text="")


def one_class(table: Table, random: Random) -> Table:
    """Return the table with the same outcome in each row, or in all but one."""
    if table.target.kind != "binary":
        return table
    odd, cells = random.choice((0, 1)), table.target.cells
    cells = (*cells[:odd], *(cells[-1],) * (len(cells) - odd))
    return arrived(table, "one class", target=replace(table.target, cells=cells, truth=cells))


def unknown_outcomes(table: Table, random: Random) -> Table:
    """Return the table with two outcomes that are missing."""
    cells = tuple("" if i in (2, 5) else cell for i, cell in enumerate(table.target.cells))
    truth = tuple(None if i in (2, 5) else t for i, t in enumerate(table.target.truth))
    return arrived(table, "outcomes missing", target=replace(table.target, cells=cells, truth=truth))


def blank_lines(table: Table, random: Random) -> Table:
    """Return the table with no end of line after the last row, or with three."""
    text = as_text([*table.columns, table.target]).rstrip("\n") + random.choice(("", "\n\n\n"))
    return arrived(table, "blank lines", text=text, usable=True)


def trailing_commas(table: Table, random: Random) -> Table:
    """Return the table with a comma at the end of each line, after which nothing stands."""
    return arrived(table, "trailing commas", text=_of_lines([[*line, ""] for line in _lines(table)]), usable=True)


def marked_outcomes(table: Table, random: Random) -> Table:
    """Return the table with two outcomes that are marked as missing."""
    mark = random.choice(("NA", "?", "n/a", "nan"))
    cells = tuple(mark if i in (2, 5) else cell for i, cell in enumerate(table.target.cells))
    truth = tuple(None if i in (2, 5) else t for i, t in enumerate(table.target.truth))
    return arrived(table, "outcomes marked as missing", target=replace(table.target, cells=cells, truth=truth))


def old_lines(table: Table, random: Random) -> Table:
    """Return the table with lines that end as on an old Macintosh."""
    return arrived(table, "lines that end in CR", text=as_text([*table.columns, table.target], newline="\r"))


def broken_encoding(table: Table, random: Random) -> Table:
    """Return a UTF-8 text with a byte in its last line that is none, or UTF-16 without its mark."""
    text = as_text([*table.columns, table.target])
    content = text.encode() + b"\xff" if random.random() < 0.5 else text.encode("utf-16-le")
    return replace(table, file=File("loans.csv", content, ["a broken encoding"]), usable=False)


def preamble(table: Table, random: Random) -> Table:
    """Return the table with a line above the header."""
    return arrived(table, "a preamble", text="Export of 2024-01-01\n" + as_text([*table.columns, table.target]))


def cut_off(table: Table, random: Random) -> Table:
    """Return the table in a compressed file that ends too early."""
    packed = gzip.compress(as_text([*table.columns, table.target]).encode(), mtime=0)
    return replace(table, file=File("loans.csv.gz", packed[: len(packed) // 2], ["cut off"]), usable=False)


def not_what_it_says(table: Table, random: Random) -> Table:
    """Return a text under the suffix of another format, or of none."""
    name = random.choice(("loans.parquet", "loans.xlsx", "loans.csv.gz", "loans.txt", "loans", "loans.csv.zip"))
    content = as_text([*table.columns, table.target]).encode()
    return replace(table, file=File(name, content, [f"a text named {name}"]), usable=False)


def not_text(table: Table, random: Random) -> Table:
    """Return bytes that no encoding makes a table of."""
    noise = np.random.default_rng(random.getrandbits(32)).bytes(400)
    content = random.choice((noise, codecs.BOM_UTF8, b"\0" * 300, b"\n\n\n", b'"', b"a"))
    return replace(table, file=File("loans.csv", content, ["no table"]), usable=False)


def nested(table: Table, random: Random) -> Table:
    """Return the table with a column of lists."""
    frame = pd.DataFrame({column.name: list(column.cells) for column in (*table.columns, table.target)})
    sink = io.BytesIO()
    frame.assign(lists=[[1, 2]] * len(frame)).to_parquet(sink)
    return replace(table, file=File("loans.parquet", sink.getvalue(), ["nested"]), usable=False)


FAULTS: tuple[Callable[[Table, Random], Table], ...] = (
    *(ragged, named_twice, without_header, few_rows, nothing, one_class, unknown_outcomes, blank_lines, trailing_commas),
    *(marked_outcomes, old_lines, broken_encoding, preamble, cut_off, not_what_it_says, not_text, nested),
)
FAULTY = 0.1


def any_table(random: Random) -> Table:
    """Return a table of the kinds that people send, one in ten with a fault."""
    table = generated_table(random)
    return random.choice(FAULTS)(table, random) if random.random() < FAULTY else table
