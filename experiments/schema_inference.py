"""What inference gets right and wrong of the shipped tables, without their schemas: `python experiments/schema_inference.py`.

Each table is read as it was published, told its target and the positive outcome and nothing else, and held against the schema
that people wrote for it. The table goes to the .md beside this file.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from running import run

import dlx
from dlx.cases import DATA
from dlx.dataset import Dataset
from dlx.schema import Feature

HERE = Path(__file__).parent
PUBLISHED = sorted(path.name.partition(".")[0] for path in DATA.glob("*.csv*"))  # a table may have two cases
RIGHT, WRONG, UNKNOWN = "right", "wrong", "not guessed"
BY_PEOPLE = ("label", "unit", "protected", "actionable", "reason", "description")  # what no table says


class Held(NamedTuple):
    """What was inferred of a key of a column, beside what the shipped schema says."""

    case: str
    column: str
    key: str
    verdict: str
    inferred: str
    shipped: str


def held(name: str) -> Iterator[Held]:
    """Yield every key of every column of a case."""
    shipped = dlx.load(name)
    target = shipped.schema.target
    path = next(DATA.glob(f"{name}.csv*"))
    positive = target.levels[-1] if name != "heart_disease" else None  # the published outcome has five grades
    inferred = dlx.read_table(path, target=target.name, positive=positive, name="published")
    yield _judged(name, target.name, "kind", inferred.schema.target.kind, target.kind)
    if inferred.schema.target.kind == target.kind:
        yield _judged(name, target.name, "levels", inferred.schema.target.levels, target.levels)
    for column in inferred.reading:
        if column.name != target.name:
            yield from _of_column(name, column.name, inferred, shipped)


def _of_column(case: str, column: str, inferred: Dataset, shipped: Dataset) -> Iterator[Held]:
    is_here, is_there = (column in some.schema.names for some in (inferred, shipped))
    yield _judged(case, column, "a feature", _role(inferred, column), "a feature" if is_there else "set aside")
    if not is_here or not is_there:
        return
    mine, theirs = inferred.schema[column], shipped.schema[column]
    yield _judged(case, column, "kind", mine.kind, theirs.kind)
    if mine.is_categorical and theirs.is_categorical:
        yield _judged(case, column, "levels", sorted(mine.levels), sorted(theirs.levels))
        if len(theirs.levels) > 2:
            yield _judged(case, column, "ordered", mine.ordered, theirs.ordered)
    yield _judged(case, column, "missing", mine.missing, theirs.missing)
    yield _judged(case, column, "cells that are missing", _gaps(inferred, column), _gaps(shipped, column))
    for key in BY_PEOPLE:
        if getattr(theirs, key) not in (getattr(Feature(column), key), column):
            yield Held(case, column, key, RIGHT if getattr(mine, key) == getattr(theirs, key) else UNKNOWN, "", "")


def _role(case: Dataset, column: str) -> str:
    why = next((carried.why for carried in case.schema.carried if carried.name == column), "")
    return f"set aside, {why}" if why else "a feature"


def _gaps(case: Dataset, column: str) -> int:
    return int(np.isnan(case.rows[:, case.schema.position(column)]).sum())


def _judged(case: str, column: str, key: str, inferred: object, shipped: object) -> Held:
    one, other = str(inferred), str(shipped)
    is_right = one == other or (key == "a feature" and one.partition(",")[0] == other)
    return Held(case, column, key, RIGHT if is_right else WRONG, one, other)


def text_of(every: list[Held]) -> str:
    """Return the counts by key and case, and every key that is wrong, as Markdown."""
    counts = Counter((one.key, one.case, one.verdict) for one in every)
    names, keys = PUBLISHED, list(dict.fromkeys(one.key for one in every))
    lines = [
        "# What inference gets right and wrong",
        "",
        "The four shipped tables as they were published, told their target and its positive outcome and nothing else,",
        "against the schemas that people wrote for them, by `python experiments/schema_inference.py`. A cell: how many keys",
        "are right, of those that the shipped schema states. What a table cannot say (labels, who is protected) is never",
        "guessed; units are where they stand beside numbers. Codes that mean missing, and special ones, are the data check's",
        "to propose.",
        "",
        f"| key | {' | '.join(f'`{name}`' for name in names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    for key in keys:
        cells = []
        for name in names:
            whole = sum(counts[key, name, verdict] for verdict in (RIGHT, WRONG, UNKNOWN))
            cells.append(f"{counts[key, name, RIGHT]} of {whole}" if whole else "–")
        lines.append(f"| {key} | {' | '.join(cells)} |")
    lines += ["", "## Wrong, column by column", "", "| case | column | key | inferred | shipped |", "|---|---|---|---|---|"]
    for one in every:
        if one.verdict == WRONG:
            cells = [one.case, one.column, one.key, *(text[:80].replace("|", "/") for text in (one.inferred, one.shipped))]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Hold every case, and write the table."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--output", type=Path, default=HERE / "schema_inference.md")
    asked = parser.parse_args()
    every = [one for name in PUBLISHED for one in held(name)]
    asked.output.write_text(text_of(every), encoding="utf-8")
    print(asked.output)


if __name__ == "__main__":
    run(main)
