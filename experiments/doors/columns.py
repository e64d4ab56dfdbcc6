"""Columns of a generated table: what each cell means, and how a text file spells it."""

from __future__ import annotations

import datetime
import itertools
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np

MARKS = ("NA", "N/A", "n/a", "nan", "NaN", "NULL", "null", "None", "?", "-", ".", "missing")
WORDS = ("unknown", "see note", "O5", "abc", "12a", "#REF!", "1+1", "12 EUR", "3..4", "--")
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


# What happens to a column on its way to a file


def with_gaps(column: Column, random: Random, rng: np.random.Generator) -> Column:
    """Return the column with some empty cells."""
    return _with_cells(column, rng.random(len(column.cells)) < random.choice((0.01, 0.1, 0.4)), "", "gaps", None)


def with_marks(column: Column, random: Random, rng: np.random.Generator) -> Column:
    """Return numbers some of which are marked as missing, as people mark it."""
    mark = random.choice(MARKS)
    return _with_cells(column, _few(rng, len(column.cells)), mark, f"mark {mark!r}", None)


def with_a_word(column: Column, random: Random, rng: np.random.Generator) -> Column:
    """Return numbers one of which is none: a person would mend the table before they use it."""
    word = random.choice(WORDS)
    where = np.arange(len(column.cells)) == rng.integers(len(column.cells))
    return replace(_with_cells(column, where, word, "a word among numbers", word), usable=False)


def with_thousands(column: Column, random: Random, rng: np.random.Generator) -> Column:
    """Return whole numbers with separators of thousands, in all cells or in one."""
    values = rng.integers(1000, 10**6, len(column.cells))
    one = random.random() < 0.5
    where = np.arange(len(values)) == rng.integers(len(values)) if one else np.ones(len(values), dtype=bool)
    cells = tuple(f"{v:,}" if w else str(v) for v, w in zip(values, where, strict=True))
    return replace(
        column, truth=tuple(map(float, values)), cells=cells, oddity=f"thousands in {'one' if one else 'all'}", usable=not one
    )


def with_units(column: Column, random: Random, rng: np.random.Generator) -> Column:
    """Return numbers with a unit in each cell."""
    before, after = random.choice((("$", ""), ("", "%"), ("", " kg"), ("€ ", "")))
    values = np.round(rng.lognormal(3, 1, len(column.cells)), 1)
    cells = tuple(f"{before}{v}{after}" for v in values)
    return replace(column, truth=tuple(map(float, values)), cells=cells, oddity="units in cells", usable=False)


def with_decimal_commas(column: Column, random: Random, rng: np.random.Generator) -> Column:
    """Return numbers with a comma before the decimals."""
    values = np.round(rng.lognormal(3, 1, len(column.cells)), 2)
    cells = tuple(f"{v:.2f}".replace(".", ",") for v in values)
    return replace(column, truth=tuple(map(float, values)), cells=cells, oddity="decimal commas")


def with_a_giant(column: Column, random: Random, rng: np.random.Generator) -> Column:
    """Return numbers one of which is not finite in float32, or not at all."""
    giant = random.choice(("inf", "-inf", "1e39", "1e400", "Infinity"))
    where = np.arange(len(column.cells)) == rng.integers(len(column.cells))
    return replace(_with_cells(column, where, giant, "beyond float32", float(giant)), usable=False)


def with_spaces(column: Column, random: Random, rng: np.random.Generator) -> Column:
    """Return numbers with blanks around them, as spreadsheets pad them."""
    return replace(column, cells=tuple(f" {cell} " for cell in column.cells), oddity="padded numbers")


def with_late_text(column: Column, random: Random, rng: np.random.Generator) -> Column:
    """Return levels whose first rows look like numbers, and whose last ones do not."""
    rows = len(column.cells)
    codes = [f"{i % 7:05d}" if i < rows - 9 else "abroad" for i in range(rows)]
    return replace(column, truth=tuple(codes), cells=tuple(codes), kind="levels", oddity="late text")


def with_odd_spellings(column: Column, random: Random, rng: np.random.Generator) -> Column:
    """Return numbers some of which are spelled as a person reads them and many a program does not, or does by accident."""
    spellings = {"−5": -5.0, "1_000": "1_000", "٣": "٣", "１２": "１２", "+5": 5.0, "5.": 5.0, ".5": 0.5}
    spellings |= {"1E3": 1000.0, "007": "007", "1.0": 1.0, "0x1F": "0x1F", "1 000": "1 000", "1e": "1e", "5-": "5-"}
    spelled = random.choice(list(spellings))
    meaning = spellings[spelled]
    made = _with_cells(column, _few(rng, len(column.cells)), spelled, f"spelled {spelled!r}", meaning)
    return replace(made, usable=isinstance(meaning, float))


def with_other_decimals(column: Column, random: Random, rng: np.random.Generator) -> Column:
    """Return whole numbers some of which are written with decimals that are 0."""
    values = rng.integers(0, 50, len(column.cells))
    where = _few(rng, len(values))
    cells = tuple(f"{v}.0" if w else str(v) for v, w in zip(values, where, strict=True))
    return replace(column, truth=tuple(map(float, values)), cells=cells, oddity="1 and 1.0")


ODDITIES: dict[Callable[..., Column], float] = {
    with_gaps: 0.10,
    with_marks: 0.08,
    with_a_word: 0.01,
    with_thousands: 0.01,
    with_units: 0.005,
    with_decimal_commas: 0.005,
    with_a_giant: 0.005,
    with_spaces: 0.02,
    with_late_text: 0.02,
    with_odd_spellings: 0.03,
    with_other_decimals: 0.01,
}
ANY_COLUMN = {with_gaps}
ALSO_MARKED = ("booleans", "dates")  # in which people mark what is missing too


def _few(rng: np.random.Generator, rows: int) -> np.ndarray:
    """Return a mask of between one row and 5 % of them."""
    where = np.zeros(rows, dtype=bool)
    where[rng.permutation(rows)[: rng.integers(1, max(2, rows // 20))]] = True
    return where


def _with_cells(column: Column, where: np.ndarray, cell: str, oddity: str, meaning: Any) -> Column:
    return replace(
        column,
        truth=tuple(meaning if w else t for w, t in zip(where, column.truth, strict=True)),
        cells=tuple(cell if w else c for w, c in zip(where, column.cells, strict=True)),
        oddity="; ".join(filter(None, (column.oddity, oddity))),
    )


def some_columns(random: Random, rng: np.random.Generator, rows: int, names: tuple[str, ...]) -> list[Column]:
    """Return a column of some kind a name, a number or two among them; some are odd."""
    kinds = {
        numbers: 10,
        levels: 6,
        many_levels: 1,
        booleans: 2,
        answers: 2,
        codes: 1,
        dates: 1,
        ids: 1,
        free_text: 0.5,
        constant: 0.5,
    }
    kinds[empty] = 0.2
    made = [random.choices(list(kinds), list(kinds.values()))[0](random, rng, rows) for _ in names[1:]]
    made.insert(random.randrange(len(names)), numbers(random, rng, rows))
    return [_odd(replace(column, name=name), random, rng) for column, name in zip(made, names, strict=True)]


def _odd(column: Column, random: Random, rng: np.random.Generator) -> Column:
    chances = itertools.accumulate(ODDITIES.values())
    draw = random.random()
    for oddity, chance in zip(ODDITIES, chances, strict=True):
        fits = column.kind == "numbers" or oddity in ANY_COLUMN or (oddity is with_marks and column.kind in ALSO_MARKED)
        if draw < chance and fits and column.oddity in ("", "dates"):
            return oddity(column, random, rng)
        if draw < chance:
            break
    return column
