"""Generated tables as people send them: columns of all kinds, a target, and a file of some format; the truth is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np

from doors.columns import Column, ids
from doors.files import File, any_format
from doors.oddities import some_columns

PLAIN_NAMES = ("income", "age", "debt", "months", "housing", "sector", "amount", "visits", "score", "region", "rate", "branch")
ODD_NAMES = (
    *("rate of interest", "Straße", "a,b", "x;y", 'say "x"', "debt.1", "1", "2020", "None", "index", "<b>bold</b>", "$x^2$"),
    *(
        "[0]",
        "  padded ",
        "UPPER",
        "upper",
        "=1+1",
        "dtype",
        "__class__",
        "y" * 200,
        "東京",
        "col\tumn",
        "name",
        "level_0",
        "nan",
    ),
)
TARGETS = ("outcome", "y", "churned", "Default?", "class", "result")
BINARY = (
    ("no", "yes"),
    ("0", "1"),
    ("False", "True"),
    ("good", "bad"),
    ("N", "Y"),
    ("<=50K", ">50K"),
    ("-", "+"),
    ("nein", "jä"),
)
STEMS = (
    "loans",
    "loans.2023",
    "Loans 2024",
    "données",
    "my table (1)",
    "o'brien",
    "-x",
    "a" * 120,
    "2024",
    "con",
    "x.y.z",
    "100%",
)


@dataclass(frozen=True, repr=False)
class Table:
    """A table, its file, and what is true of it.

    Parameters
    ----------
    columns : list of Column
        The columns without the target.
    target : Column
        The outcomes; `kind` is binary, multiclass or regression.
    positive : str or None
        What is passed as the positive outcome.
    file : File
        How it is written.
    usable : bool
        Whether a person would use it as it is.
    """

    columns: list[Column]
    target: Column
    positive: str | None
    file: File
    usable: bool

    def __repr__(self) -> str:
        return f"Table({self.file.name}: {'; '.join(self.oddities) or 'plain'})"

    @property
    def oddities(self) -> list[str]:
        """What is odd about it: its columns, its target, its file."""
        said = [*(column.oddity for column in (*self.columns, self.target)), *self.file.oddities]
        return sorted({one for one in said if one})

    @property
    def truth(self) -> dict[str, Column]:
        """The columns by name."""
        return {column.name: column for column in self.columns}


def generated_table(random: Random) -> Table:
    """Return a table of the kinds that people send."""
    rng = np.random.default_rng(random.getrandbits(32))
    rows = random.choice((60, 100, 150, 300))
    columns = _with_relatives(some_columns(random, rng, rows, _names(random)), random)
    target, positive = _target(columns, random, rng)
    if random.random() < 0.06:
        columns.append(replace(target, name="leak", oddity="leak"))
    file = any_format(random, STEMS, [*columns, target])
    return Table(columns, target, positive, file, all(column.usable for column in (*columns, target)))


def _names(random: Random) -> tuple[str, ...]:
    """Return different names, mostly plain ones."""
    names = random.sample(PLAIN_NAMES, random.randint(2, 7))
    if random.random() < 0.25:
        names[:2] = random.sample(ODD_NAMES, 2)
    return tuple(names)


def _with_relatives(columns: list[Column], random: Random) -> list[Column]:
    """Return the columns, sometimes with a copy of one of them, an id or a saved index."""
    rows = len(columns[0].cells)
    if random.random() < 0.06:
        source = random.choice(columns)
        columns = [*columns, replace(source, name="copy", oddity="copy")]
    if random.random() < 0.08:
        columns = [replace(ids(random, np.random.default_rng(random.getrandbits(32)), rows), name="loan_id"), *columns]
    if random.random() < 0.06:
        number = tuple(map(str, range(rows)))
        columns = [Column("Unnamed: 0", tuple(map(float, number)), number, "ids", "saved index"), *columns]
    return columns


def signal(columns: list[Column]) -> np.ndarray:
    """Return what the outcome is made of [rows]: the first column of ordinary numbers, or the first of levels."""
    for column in columns:
        if column.kind == "numbers" and all(isinstance(t, float) and np.isfinite(t) for t in column.truth):
            ranks = np.argsort(np.argsort(column.truth))
            if len(set(column.truth)) > 5:
                return ranks / len(ranks) - 0.5
    firsts = [hash_of(column.truth[0]) for column in columns]
    return (
        np.array(
            [
                np.mean([hash_of(c.truth[i]) == f for c, f in zip(columns, firsts, strict=True)])
                for i in range(len(columns[0].cells))
            ]
        )
        - 0.5
    )


def hash_of(value: Any) -> str:
    """Return a cell's meaning as a text to compare by."""
    return repr(value)


def _target(columns: list[Column], random: Random, rng: np.random.Generator) -> tuple[Column, str | None]:
    """Return the outcomes, which follow from the signal and chance, and the positive one that is asked for."""
    name, score = random.choice(TARGETS), signal(columns)
    score = score + rng.normal(scale=0.15, size=len(score))
    kind = random.choices(("binary", "multiclass", "regression"), (0.92, 0.04, 0.04))[0]
    if kind == "regression":
        return Column(
            name, tuple(map(float, score)), tuple(map(repr, map(float, score))), kind, "regression", usable=False
        ), None
    if kind == "multiclass":
        texts = tuple(np.array(["a", "b", "c"])[np.searchsorted(np.quantile(score, (0.33, 0.66)), score)].tolist())
        return Column(name, texts, texts, kind, "multiclass", usable=False), None
    low, high = random.choice(BINARY)
    above = score > np.quantile(score, random.choice((0.3, 0.5, 0.7)))
    cells = tuple(high if a else low for a in above)
    return Column(name, cells, cells, kind), random.choice((None, high, low))
