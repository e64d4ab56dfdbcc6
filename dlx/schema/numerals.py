"""Numbers of a whole column in other spellings than English without separators.

- Thousands are grouped by commas (``1,234.5``), dots (``1.234,5``), blanks (``1 234,5``) or apostrophes (``1'234.5``), if all
  numbers of the column from 1,000 on are.
- A decimal comma (``3,14``), if no number of the column has a decimal point.
- A percent sign, a sign of a currency or another unit after or before the number, if all values have the same one; letters
  after a blank, or those of `TOUCHING`, if there are more than 20 numbers.

A spelling must occur in two different values at least: one such value is a slip.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from dlx.schema.cells import FEW, number_of, plain_numbers

TOUCHING = frozenset(
    ("kg", "g", "mg", "t", "lb", "lbs", "km", "m", "cm", "mm", "mi", "ft", "l", "ml", "h", "min", "s", "ms", "kWh", "°C", "°F")
)
LONGEST = 40  # characters of a number with its unit
_BLANKS = " \u00a0\u2009\u202f"
_CURRENCY = "$€£¥₹"
_AFFIXED = re.compile(
    rf"(?P<sign>[+-]?)(?P<before>[{_CURRENCY}]?)\s?(?P<body>[+-]?[\d.,'’{_BLANKS}]*\d[\d.,]*)"
    rf"(?P<gap>\s?)(?P<after>[%‰°{_CURRENCY}]?[^\W\d_]{{0,8}}(/[^\W\d_]{{1,4}})?[²³]?)",
)


class Spelling(NamedTuple):
    """A way to write numbers: what a number looks like, and how it becomes an English one."""

    words: str
    pattern: re.Pattern[str]
    plain: Callable[[str], str]
    decimal: str


class Numerals(NamedTuple):
    """The numbers of a column in a spelling of its own: the value of each text, and what was seen, in words."""

    values: dict[str, float]
    words: str
    unit: str = ""
    decimal: str = "."


def _grouped(separator: str, decimal: str) -> re.Pattern[str]:
    """Return what numbers look like whose thousands are grouped; those below 1,000 have no separator."""
    return re.compile(rf"[+-]?(0|[1-9]\d{{0,2}}([{separator}]\d{{3}})*)({decimal}\d+)?", re.ASCII)


SPELLINGS = (
    Spelling("thousands are grouped by commas", _grouped(",", r"\."), lambda text: text.replace(",", ""), "."),
    Spelling("thousands are grouped by apostrophes", _grouped("'’", r"\."), lambda text: re.sub("['’]", "", text), "."),
    Spelling("thousands are grouped by blanks", _grouped(_BLANKS, r"\."), lambda text: re.sub(r"\s", "", text), "."),
    Spelling("decimal commas", re.compile(r"[+-]?\d+(,\d+)?", re.ASCII), lambda text: text.replace(",", "."), ","),
    Spelling(
        "decimal commas, and thousands are grouped by dots",
        _grouped(r"\.", ","),
        lambda text: text.replace(".", "").replace(",", "."),
        ",",
    ),
    Spelling(
        "decimal commas, and thousands are grouped by blanks",
        _grouped(_BLANKS, ","),
        lambda text: re.sub(r"\s", "", text).replace(",", "."),
        ",",
    ),
)


def numerals(texts: Iterable[str], *, decimal: str = "", unit: str | None = None) -> Numerals | None:
    """Return the numbers of a column whose texts are all spelled in one of the ways above, or None.

    Parameters
    ----------
    texts : iterable of str
        The different values of the column.
    decimal : str
        The decimal mark of the table, where it is known from other columns; a column that could be read with either mark
        is None without it.
    unit : str, optional
        The unit, or "", of a column that is known to hold numbers: a single value that is spelled so is no slip then.
    """
    texts = list(texts)
    if plain_numbers(texts) is not None and not (decimal == "," and are_grouped_by_dots(texts)):
        return None
    bodies, found = _without_unit([text.strip().replace("\u2212", "-") for text in texts], unit)
    if all(number_of(body) is not None for body in bodies) and not (decimal == "," and are_grouped_by_dots(bodies)):
        return _read(texts, bodies, lambda body: body, "", found, ".") if found else None
    least = 2 if unit is None else 1
    fitting = [one for one in SPELLINGS if _fits(one, bodies, least) and decimal in ("", one.decimal)]
    read = [_read(texts, bodies, one.plain, one.words, found, one.decimal) for one in fitting]
    different = [one for i, one in enumerate(read) if one.values not in [other.values for other in read[:i]]]
    return different[0] if len(different) == 1 else None


def is_ambiguous(texts: Iterable[str]) -> bool:
    """Whether a column's numbers have commas or dots that may group thousands or be decimal marks."""
    texts = list(texts)
    return numerals(texts) is None and all(numerals(texts, decimal=mark) is not None for mark in ".,")


def are_grouped_by_dots(bodies: Collection[str]) -> bool:
    """Whether English numbers could as well be whole ones whose thousands are grouped by dots."""
    return _fits(SPELLINGS[4], bodies)


def _fits(spelling: Spelling, bodies: Collection[str], least: int = 2) -> bool:
    """Whether all numbers are spelled so, and a least number of them could not be English ones without separators."""
    if not all(spelling.pattern.fullmatch(body) for body in bodies):
        return False
    own = {body for body in bodies if number_of(body) is None or (spelling.decimal == "," and "." in body)}
    return len(own) >= least


def _without_unit(texts: list[str], known: str | None) -> tuple[list[str], str]:
    """Return the numbers without the unit that all of them have, and the unit; as they are where there is none in common."""
    bodies, units = [], set()
    for text in texts:
        match = _AFFIXED.fullmatch(text) if len(text) <= LONGEST else None
        units.add((match["before"], match["after"]) if match else ("", ""))
        if match is None or len(units) > 1 or units == {("", "")} or not (match["gap"] or _may_touch(match["after"])):
            return texts, ""
        bodies.append(f"{match['sign']}{match['body']}")
    before, after = units.pop() if units else ("", "")
    if known and known == before + after:
        return bodies, known
    is_sign = bool(before) or after in (*"%‰°", *_CURRENCY)
    if (before and after) or (len(set(bodies)) < 2) or not (is_sign or len(set(bodies)) > FEW):
        return texts, ""
    return bodies, before or after


def _may_touch(unit: str) -> bool:
    """Whether a unit is written without a blank before it: letters of a code are none."""
    return not any(map(str.isalpha, unit)) or unit in TOUCHING


def _read(texts: list[str], bodies: list[str], plain: Callable[[str], str], words: str, unit: str, decimal: str) -> Numerals:
    values = {text: float(plain(body)) for text, body in zip(texts, bodies, strict=True)}
    said = [words] if words else []
    return Numerals(values, ", ".join([*said, *([f"all with {unit}"] if unit else [])]), unit, decimal)
