"""What the text of a cell is: a number, a date, a mark of something missing, or a word; and of a column of them.

Numbers are spelled as in English without separators (``-1.5``, ``.5``, ``1e3``); other spellings of a whole column are in
`dlx.schema.numerals`. A number with leading zeros (``00123``) is a code.
"""

from __future__ import annotations

import datetime
import decimal
import re
from collections.abc import Collection, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

MARKS = frozenset(
    ("na", "n/a", "n.a.", "#n/a", "#n/a n/a", "#na", "<na>", "nan", "-nan", "nat", "null", "none", "nil", "missing", "?", "-")
) | frozenset(("(missing)", "--", ".", "..", "\\n"))
NEARLY = 0.9  # of the values
FEW = 20  # different numbers that may as well be levels
FEW_WORDS = 10
REPEATED = 0.01  # of the values: a word beside few numbers that is a level, no slip
LONGEST = 300  # digits that a double has room for
LARGEST_EXACT = 2**53  # of the whole numbers that doubles tell apart
LARGEST = float(np.finfo(np.float32).max)

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?", re.ASCII | re.IGNORECASE)
_CURRENCY = r"((us|r)?\$|[€£¥₹]|usd|eur|gbp|chf|jpy|cny|inr|brl)"
_LIKE_A_NUMBER = re.compile(
    rf"""(?!.*[,;]\s)(=")?['’]?[-+(]?{_CURRENCY}?\s?[-+]?\d[\d.,'’ \u00a0\u202f]*(e[-+]?\d+)?\s?"""
    rf"""([%‰kM]|{_CURRENCY})?[-)]?"?|{_CURRENCY}\s*-|-\s*{_CURRENCY}""",
    re.ASCII | re.IGNORECASE,
)
_SECTIONS = re.compile(r"\d+(\.\d+){2,}", re.ASCII)  # of a version, an address
_NUMERIC = frozenset("0123456789+-.eE")
_ANY_ZEROS = re.compile(r"^[+-]?0\d+$", re.ASCII | re.MULTILINE)
_ZEROS = re.compile(r"[+-]?0\d+", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_TIME = r"\d{1,3}:[0-5]\d(:[0-5]\d([.,]\d+)?)?\s?([ap]m)?\s?(z|utc|[+-]\d{2}:?\d{2})?"
_DAY, _MONTH_NUMBER, _YEAR = r"(0?[1-9]|[12]\d|3[01])", r"(0?[1-9]|1[0-2])", r"(1[5-9]|20|21)\d{2}"
_DATE = re.compile(
    rf"({_YEAR}(?P<a>[-/.]){_MONTH_NUMBER}(?P=a){_DAY}"  # 2023-01-31
    rf"|{_DAY}(?P<b>[-/.]){_DAY}(?P=b)({_YEAR}|\d{{2}})"  # 31.01.2023, 1/31/23
    rf"|{_DAY}[-. ]{{0,2}}{_MONTH}[-., ]{{0,2}}({_YEAR}|\d{{2}})"  # 31 January 2023
    rf"|{_MONTH}[-. ]{{0,2}}({_DAY},?[- ])?({_YEAR}|\d{{2}})"  # Jan-2023, January 31, 2023
    rf"|{_DAY}\.{_MONTH_NUMBER}\."  # 31.01.
    rf"|{_YEAR}-(0[1-9]|1[0-2]|w[0-5]\d|q[1-4]))"  # 2023-01
    rf"([T ,]\s?{_TIME})?|{_TIME}",
    re.ASCII | re.IGNORECASE,
)

Look = Literal["numbers", "nearly numbers", "codes", "dates", "words"]


class Seen(NamedTuple):
    """What the values of a column look like, and those that do not."""

    look: Look
    odd: tuple[str, ...] = ()


def level_text(value: Any) -> str:
    """Return how a cell is spelled as a level: 1, 1.0 and "1" are the same."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: "1 row", "2 rows"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def quoted(value: Any) -> str:
    """Return a value as an error names it: on one line, and not without end."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…{text[-1]}"


def number_of(text: str) -> float | None:
    """Return the number that a text spells, infinity where it is beyond doubles, or None."""
    text = text.strip().replace("\u2212", "-")
    return float(text) if _NUMBER.fullmatch(text) else None


def plain_numbers(texts: Collection[str]) -> np.ndarray | None:
    """Return the numbers that texts of digits and signs alone spell, float64 [texts], or None where one spells none.

    All of them at once, as most columns of numbers have hundreds of thousands.
    """
    if not set("".join(texts)) <= _NUMERIC:
        return None
    try:
        return np.array(list(map(float, texts)))
    except ValueError:
        return None


def is_inexact(text: str) -> bool:
    """Whether a text spells a whole number that no double is."""
    text = text.strip()
    return len(text) > 15 and bool(_WHOLE.fullmatch(text)) and (len(text) > LONGEST or int(text) != int(float(text)))


def numbers_of(column: pd.Series) -> np.ndarray:
    """Return a column of numbers, or of texts that spell numbers, as float64 [rows]; NaN where a cell is no number."""
    import pandas as pd

    dtype = column.dtype
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    read = {value: _number_in(value) for value in column.dropna().unique()}
    return np.array([np.nan if value is None else read.get(value, np.nan) for value in column.array], dtype=np.float64)


def _number_in(value: Any) -> float:
    """Return the number that a cell holds or spells, or NaN."""
    if isinstance(value, str):
        number = number_of(value)
        return np.nan if number is None else number
    return float(value) if isinstance(value, (Real, decimal.Decimal)) else np.nan


def same_level(text: str) -> str:
    """Return what different spellings of one level have in common: "1" of 1.0 and 1e0, "true" of TRUE, else the text."""
    number = None if _ZEROS.fullmatch(text.strip()) else number_of(text)
    if number is not None and np.isfinite(number):
        return str(int(text)) if is_inexact(text) else level_text(number)
    return text.strip().lower() if text.strip().lower() in ("true", "false") else text


def is_date(text: str) -> bool:
    """Whether a text spells a date or a time of day."""
    return bool(_DATE.fullmatch(text.strip()))


def are_calendar_numbers(different: np.ndarray) -> bool:
    """Whether numbers, more than 20 different ones, are all days written as 20230131."""
    if len(different) <= FEW or different.min() < 19_000_101 or different.max() > 21_001_231 or (different % 1 != 0).any():
        return False
    try:
        for number in different.astype(int).tolist():
            datetime.date(number // 10_000, number // 100 % 100, number % 100)
    except ValueError:
        return False
    return True


def look_at_numbers(texts: Collection[str], numbers: np.ndarray) -> Look | None:
    """Return what texts that all spell numbers look like; None where some have leading zeros, so that it depends."""
    if _ANY_ZEROS.search("\n".join(texts)):
        return None
    return "dates" if are_calendar_numbers(numbers) else "numbers"


def look_at(counts: Mapping[str, int]) -> Seen:
    """Return what the texts of a column look like, given how often each occurs; without those that mean missing.

    - dates: at least 9 in 10 values are.
    - codes: whole numbers of which some have leading zeros, all of one length or a tenth of them with such zeros.
    - numbers: all values are.
    - nearly numbers: 9 in 10 values are; or half of them are, with more than 20 different ones beside at most 10 words. But a
      word that repeats itself beside at most 20 different numbers is a level ("0", "1", "2", "3+"). Numbers in several
      spellings ("5%", "0.05", "1,200") are nearly numbers too, if there are more than 20.
    - words: the rest.
    """
    numbers = plain_numbers(counts)
    if numbers is not None and (look := look_at_numbers(counts, numbers)):
        return Seen(look)
    total = sum(counts.values())
    known = [text for text in counts if number_of(text) is not None]
    zeros = [text for text in known if _ZEROS.fullmatch(text.strip())]
    if zeros:
        whole = all(_WHOLE.fullmatch(text.strip()) for text in known)
        often = _sum(counts, zeros) >= (1 - NEARLY) * _sum(counts, known)
        if whole and (often or len({len(text.strip()) for text in known}) == 1):
            return Seen("codes")
        known = known if often else [text for text in known if text not in set(zeros)]
    days = [text for text in counts if is_date(text)]
    if are_calendar_numbers(np.array([number_of(text) or 0.0 for text in known])):
        days += known
    if _sum(counts, days) >= NEARLY * total:
        return Seen("dates", _without(counts, days))
    odd = _without(counts, known)
    if not odd:
        return Seen("numbers")
    share, many = _sum(counts, known) / total, len({number_of(text) for text in known}) > FEW
    are_levels = not many and all(counts[text] >= max(2, REPEATED * total) for text in odd)
    nearly = (share >= NEARLY and not are_levels) or (share >= 0.5 and many and len(odd) <= FEW_WORDS)
    if nearly or (len(counts) > FEW and _sum(counts, list(filter(is_like_a_number, counts))) >= NEARLY * total):
        return Seen("nearly numbers", odd)
    return Seen("words", odd if known else ())


def is_like_a_number(text: str) -> bool:
    """Whether a text is a number with separators, signs or a unit that are not read."""
    text = text.strip()
    return len(text) <= 40 and bool(_LIKE_A_NUMBER.fullmatch(text)) and not _SECTIONS.fullmatch(text)


def _sum(counts: Mapping[str, int], texts: list[str]) -> int:
    return sum(counts[text] for text in texts)


def _without(counts: Mapping[str, int], texts: list[str]) -> tuple[str, ...]:
    left = set(texts)
    return tuple(text for text in counts if text not in left)
