"""Prose that asks the tables: Markdown templates in which every number is one of a table's cells, and says which.

A template sees the tables of its section by `line` and `lines`; a number of theirs goes through a filter that rounds it
(`percent`, `two`, `interval` ...) and becomes ``<data value="0.78" data-cell="performance/0/estimate">.78</data>``: the value
as it stands in ``performance.csv``, in the line 0 below the header. A number that has no cell is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from dlx.plots import method_label, unit_of
from dlx.reporting import phrases
from dlx.rounding import percent_beside, threshold_in_percent

if TYPE_CHECKING:
    from jinja2 import Environment
HERE = Path(__file__).parent
STYLES: dict[str, Callable[..., str]] = {
    "share": phrases.share,  # ".86"
    "two": phrases.two_decimals,  # "0.86"
    "three": phrases.three_decimals,
    "fine": phrases.fine,  # ".863"
    "signed": phrases.signed,  # "+0.25"
    "hundredths": phrases.hundredths,  # "+.25"
    "thousandths": phrases.thousandths,  # "+.008"
    "amount": phrases.amount,  # in the unit of what is predicted
    "change": phrases.change,  # the same, with its sign
    "percent": phrases.percent,  # "86 %"
    "whole": lambda number, _line=None: f"{100 * number:.0f} %",  # a share that stands alone
    "count": lambda number, _line=None: f"{number:,.0f}",  # "1,200"
    "word": lambda number, _line=None: phrases.counted(round(number)),  # "three"
    "of_100": lambda number, _line=None: f"{100 * number:.0f}",  # a share, as so many of 100 people
    "times": lambda number, _line=None: f"{number:.3g}".replace("-", "−"),  # "1.25"
    "tenths": phrases.Style(1),  # "3.4"
    "threshold": lambda number, _line=None: threshold_in_percent(number),
    "risk": percent_beside,  # a probability, on its side of a threshold
}
SIGNED = ("signed", "hundredths", "thousandths", "change")
SPECIAL = re.compile(r"[\\`*_\[\]|~<>&\"']")
TEXTS: dict[str, Callable[[str], str]] = {"method": method_label, "unit": unit_of, "spaced": phrases.spaced}
TAG = re.compile(r"<[^>]+>")
UNPARTED = re.compile(r"(?<=\d) (?=%)")
LEADING = re.compile(r"^[#+\-=\d]")


class Number(float):
    """A number of a table, which knows its cell: "table/row/column"."""

    cell: str

    def __new__(cls, value: float, cell: str) -> Number:
        """Return a number of a cell."""
        made = super().__new__(cls, value)
        made.cell = cell
        return made


class Verbatim(str):
    """A text of a table: its digits are no measurement of the page."""

    __slots__ = ()


class Line:
    """A line of a table: its columns by name, numbers with their cells."""

    def __init__(self, table: str, row: int, values: Mapping[str, Any]) -> None:
        self._address, self._values = f"{table}/{row}", values

    def __getitem__(self, column: str) -> Any:
        """Return the value in a column."""
        value = self._values[column]
        if isinstance(value, str):
            return Verbatim(value)
        if isinstance(value, (bool, np.bool_)):
            return bool(value)
        return Number(float(value), f"{self._address}/{column}") if hasattr(value, "__float__") else value


class Tables:
    """The tables of a page, as a template asks them.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        By the name of their CSV.
    """

    def __init__(self, tables: Mapping[str, pd.DataFrame]) -> None:
        self.tables = {name: table.reset_index(drop=True) for name, table in tables.items()}

    def lines(self, table: str, **where: Any) -> list[Line]:
        """Return the lines of a table whose columns have a value, or one of several; none of a table that there is not."""
        found = self.tables.get(table, pd.DataFrame())
        for column, value in where.items():
            if len(found):
                found = found[found[column].isin(value if isinstance(value, (tuple, list)) else (value,))]
        return [Line(table, int(row), values) for row, values in zip(found.index, found.to_dict("records"), strict=True)]

    def line(self, table: str, **where: Any) -> Line:
        """Return the only such line of a table.

        Raises
        ------
        ValueError
            If there is none, or more than one: the template asks the wrong table.
        """
        found = self.lines(table, **where)
        if len(found) != 1:
            raise ValueError(f"{len(found)} lines of {table!r} have {where}, not one")
        return found[0]


@cache
def environment() -> Environment:
    """Return what turns templates into HTML: values are escaped, what is lacking is an error, numbers need a style."""
    made = _templates(finalize=_plain)
    for name, style in STYLES.items():
        made.filters[name] = partial(numbered, style=style)
    made.filters |= {"interval": interval, "listed": listed, "verbatim": verbatim, "within": phrases.within}
    made.filters["capital"] = lambda text: type(text)(text[:1].upper() + text[1:])
    made.filters |= TEXTS | {"article": phrases.article}
    return made


def rendered(template: str, words: Mapping[str, Any]) -> dict[str, Markup]:
    """Return the HTML of each block of a template, by its name."""
    text = environment().get_template(template)
    seen = text.new_context(dict(words))
    return {block: markdown("".join(make(seen))) for block, make in text.blocks.items()}


@cache
def layout() -> Environment:
    """Return what turns the templates of whole pages, tables and figures into HTML: every value is escaped."""
    made = _templates()
    made.filters["data_values"] = phrases.data_values
    return made


def _templates(**asked: Any) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    asked |= {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    return Environment(loader=FileSystemLoader(HERE), autoescape=True, **asked)


def interval(
    line: Line, style: str = "two", *, of: Sequence[str] = ("estimate", "low", "high"), against: float | None = None
) -> Markup:
    """Return an estimate of a line with the ends of its interval, as "0.86 (0.81 to 0.90)", each on its side of `against`.

    What has a sign is read against 0.
    """
    estimate, low, high = (line[column] for column in of)
    against = 0.0 if against is None and style in SIGNED else against
    show = partial(numbered, style=STYLES[style], line=against)
    if np.isnan([low, high]).any():
        return show(estimate)
    return Markup("{} ({}\u00a0to\u00a0{})").format(show(estimate), show(low), show(high))


def cell(line: Line, spec: str) -> str:
    """Return a cell of a table as text, by "column", "column|style" or "estimate low high|style", and "|flag" marks with ●."""
    columns, style, flag = (*spec.split("|"), "", "")[:3]
    names = columns.split()
    value = line[names[0]]
    if len(names) == 3:
        text = TAG.sub("", str(interval(line, style, of=names)))  # striptags would part what a no-break space joins
    elif style in TEXTS:
        text = TEXTS[style](value)
    elif isinstance(value, str) or not style:
        text = str(value)
    else:
        text = "–" if np.isnan(value) else STYLES[style](value, 0.0 if style in SIGNED else None)
    text = text.replace(" %", "\u00a0%") or "–"
    return f"{text}\u00a0●" if flag and line[flag] else text


def listed(parts: Sequence[Any]) -> Markup:
    """Return "a", "a and b" or "a, b and c"."""
    return Markup(phrases.listed([str(_plain(part)) for part in parts]))


def verbatim(text: Any) -> Markup:
    """Return text that is the case's own: a label, a level, a caveat; its numbers are no measurements of ours."""
    return Markup('<span class="verbatim">{}</span>').format(_plain(UNPARTED.sub("\u00a0", str(text))))


def markdown(text: str, *, inline: bool = False) -> Markup:
    """Return the HTML of Markdown, in which HTML passes; `inline` is of one paragraph, without its <p>."""
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": True})
    return Markup(reader.renderInline(text.strip()) if inline else reader.render(text))


def as_html(text: str) -> Markup:
    """Return text that is HTML already."""
    return Markup(text)


def bare(markup: Any) -> str:
    """Return the text of HTML, for an attribute."""
    return str(Markup(markup).striptags())


def table_block(caption: str, header: Sequence[str], lines: Sequence[Sequence[str]], folder: str, table: str = "") -> str:
    """Return the HTML of a table, whose columns a click sorts; `table` names the CSV that it links to."""
    macros: Any = layout().get_template("blocks.html.j2").module
    return str(macros.grid(caption, header, lines, table, folder))


def one_block(markup: str) -> Markup:
    """Return HTML as one block of Markdown: apart from what stands around it, without an empty line within."""
    return Markup("\n\n" + re.sub(r"\n\s*\n", "\n", markup.strip()) + "\n\n")


def numbered(number: Any, line: float | None = None, *, style: Callable[..., str]) -> Markup:
    """Return a number as its style prints it, with its value and its cell."""
    if not isinstance(number, Number):
        raise ValueError(f"{number!r} has no cell of a table")
    return Markup('<data value="{}" data-cell="{}">{}</data>').format(
        repr(float(number)), number.cell, "–" if np.isnan(number) else style(number, line)
    )


def _plain(value: Any) -> Any:
    """Return text that is nothing but text in Markdown and in HTML."""
    from jinja2 import Undefined

    if isinstance(value, (Markup, Undefined)):
        return value
    if isinstance(value, (int, float)):
        raise ValueError(f"the number {value!r} has no style")
    if isinstance(value, Verbatim) and any(letter.isdigit() for letter in value):
        return verbatim(value)
    return Markup(LEADING.sub(_entity, SPECIAL.sub(_entity, str(value))))


def _entity(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};"
