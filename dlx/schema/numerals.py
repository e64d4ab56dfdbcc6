"""Numbers of a whole column in other spellings than English without separators.

- Thousands are grouped by commas, dots, blanks or apostrophes (``1'234.5``), if all numbers from 1,000 on are.
- A decimal comma (``3,14``), if no number of the column has a decimal point.
- A unit after or before the number, if all values have the same: a percent sign or that of a currency; letters after a blank,
  or those of `TOUCHING`, if there are more than 20 numbers.

A spelling must occur in two different values at least: one such value is a slip.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from dlx.schema.cells import FEW, english, number_of, numbers_in

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


class Numerals(NamedTuple):
    """The numbers of a column in a spelling of its own: the value of each text, and what was seen, in words."""

    values: dict[str, float]
    words: str
    unit: str = ""
    decimal: str = "."


@dataclass(frozen=True)
class Spelling:
    """A way to write numbers: what separates thousands, the decimal mark, and what is said of a column of them."""

    separators: str
    decimal: str
    words: str

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What numbers look like; those below 1,000 have no separator."""
        whole = rf"(0|[1-9]\d{{0,2}}([{re.escape(self.separators)}]\d{{3}})*)" if self.separators else r"\d+"
        return re.compile(rf"[+-]?{whole}({re.escape(self.decimal)}\d+)?", re.ASCII)

    def value(self, body: str) -> float:
        """Return the number that a text spells."""
        return float(body.translate(dict.fromkeys(map(ord, self.separators))).replace(self.decimal, "."))

    def fits(self, bodies: Collection[str], least: int = 2) -> bool:
        """Return whether all numbers are spelled so, and a least number could not be English ones without separators."""
        if not all(map(self.pattern.fullmatch, bodies)):
            return False
        return len({one for one in bodies if number_of(one) is None or (self.decimal == "," and "." in one)}) >= least


GROUPED = "thousands are grouped by "
BY_DOTS = Spelling(".", ",", f"decimal commas, and {GROUPED}dots")
SPELLINGS = (
    Spelling(",", ".", f"{GROUPED}commas"),
    Spelling("'’", ".", f"{GROUPED}apostrophes"),
    Spelling(_BLANKS, ".", f"{GROUPED}blanks"),
    Spelling("", ",", "decimal commas"),
    BY_DOTS,
    Spelling(_BLANKS, ",", f"decimal commas, and {GROUPED}blanks"),
)


def numerals_of(texts: Iterable[str], *, decimal: str = "", unit: str | None = None) -> Numerals | None:
    """Return the numbers of a column whose different texts are all spelled in one of the ways above, or None.

    A column that could be read with either decimal mark is None, unless other columns of the table show which it is. With a
    unit, or "", the column is known to hold numbers: a single value that is spelled so is no slip then.
    """
    texts = list(texts)

    def are_english(bodies: list[str]) -> bool:
        return not (np.isnan(numbers_in(bodies)).any() or (decimal == "," and BY_DOTS.fits(bodies)))

    bodies = list(map(english, texts))
    if are_english(bodies):
        return None
    bodies, found = _without_unit(bodies, unit)
    said = [f"all with {found}"] if found else []
    if found and are_english(bodies):
        return Numerals(dict(zip(texts, map(float, bodies), strict=True)), said[0], found)
    read: list[Numerals] = []
    for one in SPELLINGS:
        if decimal in ("", one.decimal) and one.fits(bodies, 2 if unit is None else 1):
            values = dict(zip(texts, map(one.value, bodies), strict=True))
            if values not in [other.values for other in read]:
                read.append(Numerals(values, ", ".join([one.words, *said]), found, one.decimal))
    return read[0] if len(read) == 1 else None


def is_ambiguous(texts: Iterable[str]) -> bool:
    """Return whether a column's numbers have commas or dots that may group thousands or be decimal marks."""
    texts = list(texts)
    return numerals_of(texts) is None and all(numerals_of(texts, decimal=mark) is not None for mark in ".,")


def _without_unit(texts: list[str], known: str | None) -> tuple[list[str], str]:
    """Return the numbers without the unit that all of them have, and the unit; as they are where there is none in common."""
    matches = []
    for text in texts:
        if len(text) > LONGEST or not (match := _AFFIXED.fullmatch(text)):
            return texts, ""
        matches.append(match)
    units = {(match["before"], match["after"]) for match in matches}
    if len(units) != 1 or units == {("", "")}:
        return texts, ""
    before, after = units.pop()
    is_code = any(map(str.isalpha, after)) and after not in TOUCHING and not all(match["gap"] for match in matches)
    bodies = [f"{match['sign']}{match['body']}" for match in matches]
    if known and known == before + after and not is_code:
        return bodies, known
    is_sign = bool(before) or after in (*"%‰°", *_CURRENCY)
    if is_code or (before and after) or len(set(bodies)) < 2 or not (is_sign or len(set(bodies)) > FEW):
        return texts, ""
    return bodies, before or after
