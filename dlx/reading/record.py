"""What the columns of a table were taken for, why, and what was done to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dlx.arrays import in_short
from dlx.errors import one_line, plural
from dlx.schema import Schema
from dlx.schema.dates import RULE

if TYPE_CHECKING:
    import pandas as pd

NUMBER, CATEGORY, OUTCOME, ASIDE = "numeric", "categorical", "outcome", "set aside"
MOST_LINES = 40


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

    __repr__ = in_short

    def __getitem__(self, name: str) -> ColumnReading:
        return next(column for column in self.columns if column.name == name)

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

    def with_notes(self, more: Mapping[str, Sequence[str]]) -> Reading:
        """Return the reading with more notes on columns, by name."""
        columns = (replace(column, done=(*column.done, *more.get(column.name, ()))) for column in self.columns)
        return replace(self, columns=tuple(columns))


def reading_of(schema: Schema, names: Sequence[str], rows: int) -> Reading:
    """Return the reading of a table that was not read from a file: its columns as a schema says."""
    taken: dict[str, tuple[str, str, tuple[str, ...]]] = {column.name: (ASIDE, column.why, ()) for column in schema.carried}
    for feature in schema.features:
        dates = (f"dates, {feature.date}: {RULE}",) if feature.date else ()
        taken[feature.name] = CATEGORY if feature.is_categorical else NUMBER, "", dates
    taken[schema.target.name] = OUTCOME, "", ()
    columns = (ColumnReading(name, *taken.get(name, (ASIDE, "not in the schema", ()))) for name in names)
    return Reading(rows=rows, columns=tuple(columns))
