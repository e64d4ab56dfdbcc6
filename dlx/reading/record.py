"""What the columns of a table were taken for, why, and what was done; and which a reader should look at before a model does.

Copies of other columns, and columns that alone tell the outcome, are named and kept; judged on at most 5,000 rows, evenly
spaced.

- A copy has a value of its own for each value of another column, in every row; a near copy is correlated with it beyond .95
  (Pearson's r of numbers and of ordered or two levels, Cramér's V of other levels).
- A column tells the outcome alone if its rank, its levels or its gaps separate the outcomes with an AUC of .99 or more, or
  explain 99.8 % of the variance of a numeric one. Rates of levels are learned on every other row and judged on the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from dlx.arrays import filled_by_column
from dlx.errors import one_line, plural
from dlx.schema import Schema
from dlx.stats import auc

if TYPE_CHECKING:
    import pandas as pd

NUMBER, CATEGORY, OUTCOME, ASIDE = "numeric", "categorical", "outcome", "set aside"
MOST_LINES = 40
ROWS, LEVELS, FEWEST, MOST_PAIRED = 5_000, 50, 10, 100
NEAR, ALMOST, TELLING, EXPLAINED = 0.95, 0.9999, 0.99, 0.998


@dataclass(frozen=True)
class ColumnReading:
    """The kind that a column was taken for, why, and what was done to its values or should be known of them."""

    name: str
    taken_for: str  # "numeric", "categorical", "outcome" or "set aside", which is no feature
    why: str = ""  # it is set aside: "an id"
    done: tuple[str, ...] = ()  # "missing: 'NA' in 1 row, first in row 7"

    def __str__(self) -> str:
        taken = f"{self.taken_for}, {self.why}" if self.why else self.taken_for
        return "; ".join([f"{one_line(self.name)}: {taken}", *self.done])


@dataclass(frozen=True)
class Reading:
    """The record of how a table was read: one entry a column, in the table's order."""

    source: str = ""  # the file, as it was named; empty for a table of Python's
    rows: int = 0
    columns: tuple[ColumnReading, ...] = ()
    file: tuple[str, ...] = ()  # what was recognised of it: "separated by semicolons", "Windows-1252"
    options: tuple[str, ...] = ()  # what was asked for beside it, as words of the command line: "--target", "churned"

    def __getitem__(self, name: str) -> ColumnReading:
        return next(column for column in self.columns if column.name == name)

    def __len__(self) -> int:
        return len(self.columns)

    def __iter__(self) -> Iterator[ColumnReading]:
        return iter(self.columns)

    def __str__(self) -> str:
        return "\n".join([*map(str, self.columns), self.summary])

    def to_frame(self) -> pd.DataFrame:
        """Return a line a column: column, taken for, why, done."""
        import pandas as pd

        lines = [[column.name, column.taken_for, column.why, "; ".join(column.done)] for column in self.columns]
        return pd.DataFrame(lines, columns=["column", "taken for", "why", "done"])

    def lines(self) -> list[str]:
        """Return a line on each column that is not plainly what it is, and one on the whole; none where nothing is to say."""
        notable = [str(column) for column in self.columns if column.done or column.taken_for == ASIDE]
        if len(notable) > MOST_LINES:
            more = plural(len(notable) - MOST_LINES, "more column")
            notable = [*notable[:MOST_LINES], f"and {more}: Dataset.reading lists them"]
        return [*notable, self.summary] if notable or self.file else []

    @property
    def summary(self) -> str:
        """The table in a line: rows, features, outcome, columns set aside, and how the file is written."""
        of = {kind: sum(column.taken_for == kind for column in self.columns) for kind in (NUMBER, CATEGORY, ASIDE)}
        parts = [plural(self.rows, "row"), *(f"{count} {kind}" for kind, count in of.items() if count)]
        return f"{self.source or 'the table'}: {', '.join([*parts, *self.file])}"

    def told(self, more: Mapping[str, Sequence[str]]) -> Reading:
        """Return the reading with more to say of columns, by name."""
        columns = (replace(column, done=(*column.done, *more.get(column.name, ()))) for column in self.columns)
        return replace(self, columns=tuple(columns))


def reading_of(schema: Schema, names: Sequence[str], rows: int) -> Reading:
    """Return the reading of a table that was not read from a file: its columns as a schema says."""
    taken = {column.name: (ASIDE, column.why) for column in schema.carried}
    taken |= {feature.name: (CATEGORY if feature.is_categorical else NUMBER, "") for feature in schema.features}
    taken[schema.target.name] = OUTCOME, ""
    columns = (ColumnReading(name, *taken.get(name, (ASIDE, "not in the schema"))) for name in names)
    return Reading(rows=rows, columns=tuple(columns))


def suspicions(schema: Schema, rows: np.ndarray, outcomes: np.ndarray | None) -> dict[str, list[str]]:
    """Return warnings on columns that copy others or tell the outcome alone, by name; rows are [rows, features], coded."""
    step = max(1, len(rows) // ROWS)
    rows, outcomes = rows[::step], None if outcomes is None else outcomes[::step]
    told = {name: [words] for name, words in _copies(schema, rows).items()}
    for name, column in zip(schema.names, rows.T, strict=True):
        share = 0.0 if outcomes is None else _telling(column, outcomes, schema.target.kind)
        if share:
            told.setdefault(name, []).append(f"tells the outcome alone ({share:.3f}): known before it, or a part of it?")
    return told


def _copies(schema: Schema, rows: np.ndarray) -> dict[str, str]:
    """Return a warning on each column that is a copy of an earlier one, of the closest."""
    levels = [_levels(column) for column in rows.T]
    first: dict[bytes, int] = {}
    closest: dict[int, tuple[float, str]] = {}
    for j, column in enumerate(levels):
        i = first.setdefault(column.tobytes(), j)
        if i < j and column.max() > 0:
            closest[j] = 1.0, f"copies {schema.names[i]!r}"
    for i, j, near, words in (*_near_numbers(schema, rows), *_near_levels(schema, levels)):
        if near > closest.get(j, (NEAR, ""))[0]:
            closest[j] = min(near, ALMOST), words.format(schema.names[i], near)
    return {schema.names[j]: words for j, (_, words) in sorted(closest.items())}


def _near_numbers(schema: Schema, rows: np.ndarray) -> Iterator[tuple[int, int, float, str]]:
    """Yield pairs of columns whose values have an order and correlate: earlier, later, |r|, words."""
    own = [i for i, f in enumerate(schema.features) if not f.is_categorical or f.ordered or len(f.levels) == 2]
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.corrcoef(filled_by_column(rows[:, own]), rowvar=False)
    r = np.nan_to_num(np.abs(found.reshape(len(own), len(own))))
    for i, j in zip(*np.nonzero(np.triu(r > NEAR, 1)), strict=True):
        yield own[i], own[j], float(r[i, j]), "nearly copies {0!r} (r = {1:.2f})"


def _near_levels(schema: Schema, levels: list[np.ndarray]) -> Iterator[tuple[int, int, float, str]]:
    """Yield pairs of columns of levels, one of them without an order, that go together: earlier, later, Cramér's V, words."""
    few = [i for i in schema.categorical if 0 < levels[i].max() < LEVELS][:MOST_PAIRED]
    for i, j in combinations(few, 2):
        if any(not schema.features[k].ordered and len(schema.features[k].levels) > 2 for k in (i, j)):
            share = _cramer(levels[i], levels[j])
            yield i, j, share, "goes with {0!r} level by level" if share > ALMOST else "nearly copies {0!r} (V = {1:.2f})"


def _levels(column: np.ndarray) -> np.ndarray:
    """Return values as numbers in the order in which they occur first: the same for a column and its copy."""
    _, first, codes = np.unique(column, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[codes.ravel()]


def _cramer(a: np.ndarray, b: np.ndarray) -> float:
    table = np.bincount(a * (b.max() + 1) + b, minlength=(a.max() + 1) * (b.max() + 1)).reshape(a.max() + 1, b.max() + 1)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    chi2 = ((table - expected) ** 2 / expected).sum()
    return float(np.sqrt(chi2 / table.sum() / (min(table.shape) - 1)))


def _telling(column: np.ndarray, outcomes: np.ndarray, kind: str) -> float:
    """Return how well a column alone tells the outcome, where that is suspiciously well; else 0."""
    if kind == "regression":
        share = max(_explained(scores, outcomes) for scores in (column, _learned(column, outcomes)))
        return share if share >= EXPLAINED else 0.0
    worst, different = 1.0, np.unique(outcomes)
    for outcome in different[len(different) == 2 :]:
        own = outcomes == outcome
        if min(own.sum(), (~own).sum()) < FEWEST:
            return 0.0
        told = [column, _learned(column, own), *([np.isnan(column).astype(float)] if np.isnan(column).any() else [])]
        worst = min(worst, max(_area(scores, own) for scores in told))
    return worst if worst >= TELLING else 0.0


def _learned(column: np.ndarray, outcomes: np.ndarray) -> np.ndarray:
    """Return the mean outcome of each row's level, learned on every other row; NaN in those, and where levels are many."""
    levels = _levels(column)
    told = np.full(len(column), np.nan)
    if levels.max() < min(LEVELS, len(column) / FEWEST):
        count = np.bincount(levels[::2], minlength=levels.max() + 1)
        mean = np.bincount(levels[::2], outcomes[::2], minlength=levels.max() + 1) / np.maximum(count, 1)
        told[1::2] = np.where(count > 0, mean, np.mean(outcomes[::2]))[levels[1::2]]
    return told


def _area(scores: np.ndarray, own: np.ndarray) -> float:
    """Return the AUC of scores, in the direction in which it is larger, among the rows that have one; one half of few."""
    known = ~np.isnan(scores)
    if min(own[known].sum(), (~own[known]).sum()) < FEWEST:
        return 0.5
    area = auc(own[known], scores[known])
    return max(area, 1 - area)


def _explained(scores: np.ndarray, outcomes: np.ndarray) -> float:
    known = ~np.isnan(scores)
    if known.sum() < 2 * FEWEST or scores[known].std() == 0 or outcomes[known].std() == 0:
        return 0.0
    return float(np.corrcoef(scores[known], outcomes[known])[0, 1] ** 2)
