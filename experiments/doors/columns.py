"""Columns of a generated table: what each cell means, and how a text file spells it."""

from __future__ import annotations

import datetime
import uuid
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

TEXTS = (
    "rent",
    "own",
    "free",
    "Übrig",
    "東京",
    "naïve",
    "a,b",
    "x;y",
    'say "no"',
    "two\nlines",
    "tab\there",
    "it's",
    "🙂",
    "é" * 20,
)
FORMULAE = ("=1+1", "+3", "-2+1", "@sum", "=cmd|' /C calc'!A0", "'plain")
LOOKALIKES = ("0", "00", "000", "1e5x", "Infinity road", "1-2", "1/2", "12:30", "0x1F", "true story", "1 000", "")
BOOLEANS = (("True", "False"), ("TRUE", "FALSE"), ("true", "false"))
ANSWERS = (("yes", "no"), ("Y", "N"), ("t", "f"), ("on", "off"), ("1", "0"), ("ja", "nein"))


@dataclass(frozen=True)
class Column:
    """A column whose truth is known.

    Parameters
    ----------
    name : str
        The name in the header.
    truth : tuple [rows]
        What each cell means: a float, a text, a bool or a date; None where missing.
    cells : tuple of str [rows]
        How a text file spells it.
    kind : str
        What a person would call the column: numbers, levels, booleans, dates, ids, text.
    oddity : str
        What is odd about it; empty where nothing is.
    usable : bool
        Whether a person would use the table as it is.
    ordered : bool
        Whether the order of the levels means something; `levels` says which.
    levels : tuple of str
        The order of the levels, where it means something.
    """

    name: str
    truth: tuple[Any, ...]
    cells: tuple[str, ...]
    kind: str
    oddity: str = ""
    usable: bool = True
    ordered: bool = False
    levels: tuple[str, ...] = ()


def numbers(random: Random, rng: np.random.Generator, rows: int) -> Column:
    """Return numbers of some size and number of digits, as people write them."""
    how = random.choice(("whole", "small whole", "cents", "doubles", "tiny", "seconds", "scientific", "negative"))
    values = {
        "whole": lambda: rng.integers(0, 10**5, rows).astype(float),
        "small whole": lambda: rng.integers(0, 7, rows).astype(float),
        "cents": lambda: np.round(rng.lognormal(7, 1, rows), 2),
        "doubles": lambda: rng.normal(size=rows),
        "tiny": lambda: rng.normal(size=rows) * 1e-6,
        "seconds": lambda: 1.7e9 + rng.integers(0, 10**7, rows).astype(float),
        "scientific": lambda: rng.lognormal(20, 2, rows),
        "negative": lambda: -np.round(rng.lognormal(3, 1, rows), 1),
    }[how]()
    spelled = (
        f"{v:.17e}" if how == "scientific" else str(int(v)) if "whole" in how or how == "seconds" else repr(float(v))
        for v in values
    )
    return Column("", tuple(map(float, values)), tuple(spelled), "numbers")


def levels(random: Random, rng: np.random.Generator, rows: int) -> Column:
    """Return a few texts, plain ones or some that readers stumble over."""
    pool = random.choice((TEXTS, ("low", "middle", "high"), FORMULAE + TEXTS[:2], ("Yes", "yes", "NO", "no"), LOOKALIKES[:-1]))
    chosen = random.sample(pool, min(len(pool), random.randint(2, 6)))
    texts = tuple(chosen[i] for i in rng.integers(len(chosen), size=rows))
    return Column("", texts, texts, "levels")


def many_levels(random: Random, rng: np.random.Generator, rows: int) -> Column:
    """Return a column of more levels than a person lists by heart, each in a few rows."""
    texts = tuple(f"{random.choice('abc')}{i:03d}" for i in rng.integers(max(2, rows // 4), size=rows))
    return Column("", texts, texts, "levels")


def booleans(random: Random, rng: np.random.Generator, rows: int) -> Column:
    """Return True and False, in one of the spellings of programs."""
    yes, no = random.choice(BOOLEANS)
    truth = tuple(bool(v) for v in rng.random(rows) < 0.4)
    return Column("", truth, tuple(yes if v else no for v in truth), "booleans")


def answers(random: Random, rng: np.random.Generator, rows: int) -> Column:
    """Return answers with two levels, as people write yes and no."""
    yes, no = random.choice(ANSWERS)
    texts = tuple(yes if v else no for v in rng.random(rows) < 0.4)
    return Column("", tuple(map(float, texts)) if yes == "1" else texts, texts, "numbers" if yes == "1" else "levels")


def codes(random: Random, rng: np.random.Generator, rows: int) -> Column:
    """Return codes of digits whose leading zeros belong to them, as of a post office."""
    texts = tuple(f"{i:05d}" for i in rng.integers(1, 30, size=rows) * random.choice((7, 101, 997)))
    return Column("", texts, texts, "levels", "leading zeros")


def dates(random: Random, rng: np.random.Generator, rows: int) -> Column:
    """Return days of some years, in one of the spellings of the world."""
    form = random.choice(("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%Y-%m-%d %H:%M:%S"))
    start = datetime.datetime(2019, 1, 1)
    days = [start + datetime.timedelta(days=int(d)) for d in rng.integers(0, 1500, rows)]
    return Column("", tuple(days), tuple(day.strftime(form) for day in days), "dates", "dates")


def ids(random: Random, rng: np.random.Generator, rows: int) -> Column:
    """Return a column that only names the rows: numbers in turn, long numbers, or texts."""
    how = random.choice(("in turn", "in turn from 10001", "18 digits", "uuid", "text"))
    if how.startswith("in turn"):
        values: list[Any] = list(range(10_001 if "10001" in how else 1, rows + (10_001 if "10001" in how else 1)))
    elif how == "18 digits":
        values = [int(v) for v in 10**17 + rng.integers(0, 9 * 10**17, rows)]
    else:
        values = [str(uuid.UUID(int=random.getrandbits(128))) if how == "uuid" else f"K-{i:06d}" for i in rng.permutation(rows)]
    truth = tuple(float(v) if isinstance(v, int) and v < 2**53 else v for v in values)
    return Column("", truth, tuple(map(str, values)), "ids", f"ids: {how}")


def free_text(random: Random, rng: np.random.Generator, rows: int) -> Column:
    """Return sentences of which hardly two are the same."""
    words = ("owes", "money", "to", "his", "brother", "paid", "late", "twice", "moved", "house")
    texts = tuple(" ".join(rng.permutation(words)) + f", {i}" for i in range(rows))
    return Column("", texts, texts, "text", "free text")


def constant(random: Random, rng: np.random.Generator, rows: int) -> Column:
    """Return the same cell in each row."""
    cell = random.choice(("0", "EUR", "2024"))
    truth = cell if cell == "EUR" else float(cell)
    return Column("", (truth,) * rows, (cell,) * rows, "levels" if cell == "EUR" else "numbers", "constant")


def empty(random: Random, rng: np.random.Generator, rows: int) -> Column:
    """Return a column in which nothing stands."""
    return Column("", (None,) * rows, ("",) * rows, "levels", "empty column")
