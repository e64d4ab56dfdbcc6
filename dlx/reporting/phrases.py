"""Small words: names that people read, lists, percentages."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dlx.plots import decimals_of_values
from dlx.rounding import decimals_of, in_percent, rounded, side_true
from dlx.schema import Target


class Words(NamedTuple):
    """What is called otherwise where a value, or one class of several, is predicted than where the risk of an event is."""

    output: str  # what a contribution raises or lowers
    loss: str  # by which importance is measured
    skill: str  # by which models are ranked


WORDS = {"probability": Words("risk", "log loss", "ROC AUC"), "value": Words("prediction", "mean absolute error", "R²")}
WORDS_OF_A_CLASS = WORDS["probability"]._replace(output="probability")
ROUNDING = 1e-12  # a number as small is the rounding of one that is 0
COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def counted(number: int) -> str:
    """Return a small number as a word."""
    return COUNTS[number] if number < len(COUNTS) else f"{number:,}"


@dataclass(frozen=True)
class Style:
    """How numbers of one kind are printed: rounded, but never across a line that they are read against."""

    decimals: int  # where no line asks for more
    is_signed: bool = False  # whether a plus is printed: of a difference, whose interval is read against 0
    is_bare: bool = False  # whether the zero before the point is left out: of a share

    def __call__(self, number: float, line: float | None = None) -> str:
        """Return a number as text, on its own side of a line; a dash where there is none."""
        if math.isinf(number):
            return "∞" if number > 0 else "−∞"
        number = 0.0 if abs(number) < ROUNDING else number
        if number == line == 0:
            return "0"
        digits = rounded(number, self.decimals) if line is None else side_true(number, line, self.decimals, strict=True)
        size = digits.removeprefix("-")
        if self.is_bare and size.startswith("0."):
            size = size[1:]
        is_nothing = not any(digit in size for digit in "123456789")
        sign = "−" if digits.startswith("-") and not is_nothing else "+" if self.is_signed else ""
        return f"{sign}{size}"


share = Style(2, is_bare=True)  # ".86", "1.00"
fine = Style(3, is_bare=True)  # ".863"
two_decimals, three_decimals = Style(2), Style(3)
signed = Style(2, is_signed=True)  # "+0.25"
hundredths, thousandths = Style(2, is_signed=True, is_bare=True), Style(3, is_signed=True, is_bare=True)  # "+.25", "+.008"


def amount(number: float, line: float | None = None) -> str:
    """Return an amount in the unit of what is predicted: "0.123" of a probability, of a value with the decimals of its page."""
    return _grouped(Style(decimals_of_values(three_decimals.decimals))(number, line))


def change(number: float, line: float | None = None) -> str:
    """Return an amount in the unit of contributions with its sign: "+0.12", of a value with the decimals of its page."""
    return _grouped(Style(decimals_of_values(signed.decimals), is_signed=True)(number, line))


def _grouped(digits: str) -> str:
    """Return a number with a comma between thousands."""
    return re.sub(r"^(\D?)(\d{4,})", lambda found: f"{found[1]}{int(found[2]):,}", digits)


def percent(share: float, line: float | None = None) -> str:
    """Return a share as a percentage, finer where it is small or nearly all, on its own side of a line; ".0" is left out."""
    if math.isnan(share):
        return "–"
    if line is not None:
        return side_true(100 * share, 100 * line, decimals_of(share), strict=True).removesuffix(".0") + " %"
    digits = in_percent(share, 1 if share < 0.1 else 0)
    return digits.removesuffix(".0") + " %"


def spaced(text: str) -> str:
    """Return a text of the library as the page prints it: "5 %" for "5%", "1e−07 log-odds" for "1e-07 logit"."""
    text = re.sub(r"(?<=\d)%", " %", text)
    return re.sub(r"(?<=\de)-(?=\d)", "−", text).replace(" logit", " log-odds")


def listed(parts: list[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def says(words: str, value: str) -> bool:
    """Whether words hold a value as words of their own: "No savings account" says "no savings account", "now" says no "no"."""
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", words, re.IGNORECASE) is not None


def people_word(target: Target) -> str:
    """Return whom rows are about, as a plural: "applicants", "people"."""
    return "people" if target.person == "person" else f"{target.person}s"


def article(noun: str) -> str:
    """Return a noun with "a" or "an"."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


NUMBER = re.compile(r"(?:p\s*)?(?P<beside>[<>=]?)\s*(?P<sign>[+−-]?)(?P<digits>∞|\d[\d,]*\.?\d*(?:e[+−-]?\d+)?|\.\d+)(?![\w.])")


def number_in(cell: str) -> float | None:
    """Return the number that a cell begins with: "−.25 (…)", "5.0 %", "p < .001"; None for words."""
    found = NUMBER.match(cell.strip())
    if found is None:
        return None
    size = math.inf if found["digits"] == "∞" else float(found["digits"].replace(",", "").replace("−", "-"))
    size = math.nextafter(size, {"<": -math.inf, ">": math.inf}.get(found["beside"], size))
    return -size if found["sign"] in ("−", "-") and found["sign"] else size


def data_values(line: Sequence[str]) -> str:
    """Return by which numbers a script sorts the cells of a line, apart by semicolons; nothing for one of words."""
    numbers = map(number_in, line)
    return ";".join("" if number is None else repr(number).replace("inf", "Infinity") for number in numbers)


def within(word: str) -> str:
    """Return a word as it stands within a sentence: "Log-odds" as "log-odds", "LIME" and "X1" as they are."""
    return word[:1].lower() + word[1:] if word[1:2].islower() else word
