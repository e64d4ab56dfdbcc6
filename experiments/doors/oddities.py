"""What happens to columns on their way to a file: gaps, marks of missing, spellings that a reader may take for others."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np

from doors.columns import (
    Column,
    answers,
    booleans,
    codes,
    constant,
    dates,
    empty,
    free_text,
    ids,
    levels,
    many_levels,
    numbers,
)

MARKS = ("NA", "N/A", "n/a", "nan", "NaN", "NULL", "null", "None", "?", "-", ".", "missing")
WORDS = ("unknown", "see note", "O5", "abc", "12a", "#REF!", "1+1", "12 EUR", "3..4", "--")


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
