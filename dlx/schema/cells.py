"""Cells of text: which are numbers, dates, marks of something missing or words; and the look of a column of them.

Numbers are spelled as in English without separators (``-1.5``, ``.5``, ``1e3``); a number with leading zeros is a code.
"""

from __future__ import annotations

import contextlib
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
TRUTH_SPELLINGS = frozenset(("True", "False", "TRUE", "FALSE", "true", "false"))
NEARLY, REPEATED = 0.9, 0.01  # of the values; a word beside few numbers that is so frequent is a level, no slip
FEW, FEW_WORDS = 20, 10  # different numbers that may as well be levels, and words beside many numbers
MOST_DIGITS = 300  # that a double has room for
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
_PLAIN = frozenset("0123456789+-.eE")
_ZEROS = re.compile(r"[+-]?0\d+", re.ASCII)
_ANY_ZEROS = re.compile(r"^\s*[+-]?0\d+\s*$", re.ASCII | re.MULTILINE)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_TIME = r"\d{1,3}:[0-5]\d(:[0-5]\d([.,]\d+)?)?\s?([ap]m)?\s?(z|utc|[+-]\d{2}:?\d{2})?"
_DAY, _MONTH_NUMBER, _YEAR = r"(0?[1-9]|[12]\d|3[01])", r"(0?[1-9]|1[0-2])", r"(1[5-9]|20|21)\d{2}"
DATE = re.compile(
    rf"({_YEAR}(?P<a>[-/.]){_MONTH_NUMBER}(?P=a){_DAY}"  # 2023-01-31
    rf"|{_DAY}(?P<b>[-/.]){_DAY}(?P=b)({_YEAR}|\d{{2}})"  # 31.01.2023, 1/31/23
    rf"|{_DAY}[-. ]{{0,2}}{_MONTH}[-., ]{{0,2}}({_YEAR}|\d{{2}})"  # 31 January 2023
    rf"|{_MONTH}[-. ]{{0,2}}({_DAY},?[- ])?({_YEAR}|\d{{2}})"  # Jan-2023, January 31, 2023
    rf"|{_DAY}\.{_MONTH_NUMBER}\."  # 31.01.
    rf"|{_YEAR}-(0[1-9]|1[0-2]|w[0-5]\d|q[1-4]))"  # 2023-01
    rf"([T ,]\s?{_TIME})?|{_TIME}",
    re.ASCII | re.IGNORECASE,
)

Look = Literal["numbers", "nearly numbers", "truths", "codes", "dates", "words"]


class Seen(NamedTuple):
    """What most cells of a column are (numbers, dates, ...), and the cells that are something else."""

    look: Look
    odd: tuple[str, ...] = ()


def level_text(value: Any) -> str:
    """Return the level that a cell is, as text: 1, 1.0 and "1" are the same."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def same_level(text: str) -> str:
    """Return the one spelling of a level that all its spellings share: "1" of 1.0 and 1e0, "true" of TRUE, else the text."""
    number = None if _ZEROS.fullmatch(text.strip()) else number_of(text)
    if number is not None and np.isfinite(number):
        return str(int(english(text))) if is_inexact(text) else level_text(number)
    return text.strip().lower() if text.strip().lower() in ("true", "false") else text


def english(text: str) -> str:
    """Return a text without blanks around it, and with a minus that programs read."""
    return text.strip().replace("\u2212", "-")


def number_of(text: str) -> float | None:
    """Return the number that a text spells, infinity where it is beyond doubles, or None."""
    text = english(text)
    return float(text) if _NUMBER.fullmatch(text) else None


def numbers_in(texts: Collection[str]) -> np.ndarray:
    """Return the number that each text spells, float64 [texts]; NaN where it spells none."""
    if set("".join(texts)) <= _PLAIN:  # as those of most columns, which may be hundreds of thousands
        with contextlib.suppress(ValueError):
            return np.array(list(map(float, [text or "nan" for text in texts] if "" in texts else texts)), dtype=np.float64)
    found = map(number_of, texts)
    return np.array([np.nan if number is None else number for number in found], dtype=np.float64)


def numbers_of(column: pd.Series) -> np.ndarray:
    """Return a column of numbers, or of texts that spell numbers, as float64 [rows]; NaN where a cell is no number."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_complex_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)

    def number(value: Any) -> float | None:
        if isinstance(value, str):
            return number_of(value)
        return float(value) if isinstance(value, (Real, decimal.Decimal)) else None

    codes, values = column.factorize()
    return np.array([*map(number, values), None], dtype=np.float64)[codes]


def is_inexact(text: str) -> bool:
    """Return whether a text spells a whole number that float64 cannot hold exactly."""
    text = english(text)
    return len(text) > 15 and bool(_WHOLE.fullmatch(text)) and (len(text) > MOST_DIGITS or int(text) != int(float(text)))


def is_like_a_number(text: str) -> bool:
    """Return whether a text is a number with separators, signs or a unit that are not read."""
    text = text.strip()
    return len(text) <= 40 and bool(_LIKE_A_NUMBER.fullmatch(text)) and not _SECTIONS.fullmatch(text)


def are_calendar_numbers(different: np.ndarray) -> bool:
    """Return whether numbers, more than 20 different ones, are all days written as 20230131."""
    if len(different) <= FEW or different.min() < 19_000_101 or different.max() > 21_001_231 or (different % 1 != 0).any():
        return False
    try:
        for number in different.astype(int).tolist():
            datetime.date(number // 10_000, number // 100 % 100, number % 100)
    except ValueError:
        return False
    return True


def look_at(counts: Mapping[str, int]) -> Seen:
    """Return the look of a column from how often each of its texts occurs, without those that mean missing.

    - truths, numbers: all values are.
    - dates: at least 9 in 10 values are.
    - codes: whole numbers of which some have leading zeros, all of one length or a tenth of them with such zeros.
    - nearly numbers: 9 in 10 values are, or half of them, with more than 20 different ones beside at most 10 words; numbers in
      several spellings ("5%", "0.05", "1,200") if there are more than 20. But a word that repeats itself beside at most 20
      different numbers is a level ("0", "1", "2", "3+").
    - words: the rest.
    """
    if len(counts) <= 2 * len(TRUTH_SPELLINGS) and {text.strip() for text in counts} <= TRUTH_SPELLINGS:
        return Seen("truths")

    def values(texts: Collection[str]) -> int:
        return sum(counts[text] for text in texts)

    numbers = numbers_in(counts)
    if not np.isnan(numbers).any() and not _ANY_ZEROS.search("\n".join(counts)):
        return Seen("dates" if are_calendar_numbers(numbers) else "numbers")
    total, known = values(counts), {t: n for t, n in zip(counts, numbers.tolist(), strict=True) if not np.isnan(n)}
    zeros = {text for text in known if _ZEROS.fullmatch(text.strip())}
    if zeros:
        often = values(zeros) >= (1 - NEARLY) * values(known)
        if all(_WHOLE.fullmatch(text.strip()) for text in known) and (often or len({len(text.strip()) for text in known}) == 1):
            return Seen("codes")
        known = known if often else {text: number for text, number in known.items() if text not in zeros}
    odd = tuple(text for text in counts if text not in known)
    days = {text for text in odd if DATE.fullmatch(text.strip())}
    if are_calendar_numbers(np.array(list(known.values()))):
        days |= set(known)
    if values(days) >= NEARLY * total:
        return Seen("dates", tuple(text for text in counts if text not in days))
    if not odd:
        return Seen("numbers")
    share, many = values(known) / total, len(set(known.values())) > FEW
    are_levels = not many and all(counts[text] >= max(2, REPEATED * total) for text in odd)
    nearly = (share >= NEARLY and not are_levels) or (share >= 0.5 and many and len(odd) <= FEW_WORDS)
    alike = len(counts) > FEW and values(list(filter(is_like_a_number, counts))) >= NEARLY * total
    return Seen("nearly numbers", odd) if nearly or alike else Seen("words", odd if known else ())
