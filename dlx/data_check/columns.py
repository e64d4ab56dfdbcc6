"""Findings about single columns: those that are no features, special codes, far cells, levels of one row."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dlx.data_check.codes import Far
from dlx.data_check.finding import Finding
from dlx.data_check.rules import RULES
from dlx.dataset import Dataset
from dlx.errors import listed, plural, quoted
from dlx.schema import level_text
from dlx.schema.inference import (
    CONSTANT,
    DATE,
    EITHER,
    EMPTY,
    ENOUGH_FOR_A_RUN,
    ENOUGH_FOR_AN_INDEX,
    ID,
    INDEX,
    MAX_INFERRED_CLASSES,
    TEXT,
    holds_numbers,
    named_like_an_id,
    set_aside,
)
from dlx.schema.table import GROUP

KINDS = {ID: "id", INDEX: "index", CONSTANT: "constant", EMPTY: "empty", TEXT: "text", DATE: "date", EITHER: "date"}
FILTERED = 3  # times as many rows before some were left out
ENOUGH_FOR_A_TEST = 250  # rows, that tells amounts from numbers that are evenly spread
EVEN = 0.01  # probability of a test, from which on numbers are evenly spread


class Doubt(NamedTuple):
    """Why a column looks as if it were no feature."""

    kind: str
    why: str
    rows: int  # that it concerns
    measure: float
    row: Any = None  # the name of one; the first by default


def columns_set_aside(case: Dataset) -> Iterator[Finding]:
    """Yield the columns that are no features, and features that look as if they were none."""
    assert case.table is not None
    carried = {column.name: column.why for column in case.schema.carried}
    others = [name for name, column in case.table.items() if carried.get(name) not in (INDEX, ID) or not _is_count(column)]
    once = case.table[~case.table[others].duplicated()]  # what repeats a whole row says nothing against an id
    for place, (name, column) in enumerate(once.items()):
        option, why = shlex.quote(str(name)), carried.get(name, "")
        if why in KINDS:
            kind = "index" if why == ID and _is_count(column) else KINDS[why]
            said = f"{quoted(name)} is {why}: it goes along, but no model reads it."
            remedy = f"If it is a feature: --keep {option}"
            yield Finding(kind, (str(name),), said, remedy, len(case), *example(case, name, 0))
            if kind == "id" and named_like_an_id(str(name)) and column.dropna().duplicated().any():
                yield _group(str(name), column.dropna())
        elif name in case.schema.names and (doubt := _doubt(column, is_first=place == 0)):
            if doubt.kind == "group":
                yield from [_group(str(name), column.dropna())] if case.schema.split_rule != (GROUP, name) else []
                continue
            row = column.index[0] if doubt.row is None else doubt.row
            shown = row, level_text(column[row]) if column.index.is_unique else ""
            said, remedy = f"{quoted(name)} is a feature, but {doubt.why}.", f"Leave it out: --drop {option}"
            yield Finding(doubt.kind, (str(name),), said, remedy, doubt.rows, *shown, doubt.measure, must_decide=True)


def _is_count(column: pd.Series) -> bool:
    """Whether whole numbers rise from row to row as a count does of which some rows were left out."""
    if not holds_numbers(column) or column.isna().any():
        return False
    numbers = column.to_numpy(dtype=np.float64)
    return bool((np.diff(numbers) > 0).all() and numbers[0] < ENOUGH_FOR_AN_INDEX and np.ptp(numbers) < FILTERED * len(numbers))


def _group(name: str, column: pd.Series) -> Finding:
    """Return that rows share an id: of one customer, or patient."""
    share = column.duplicated(keep=False).to_numpy()
    count, first = int(share.sum()), int(share.argmax())
    said = f"{quoted(name)} is an id that {plural(count, 'row')} share: a person in training and test makes models look better."
    remedy = f"Keep them together: --id {shlex.quote(name)} --split group:{shlex.quote(name)}"
    shown = column.index[first], level_text(column.iloc[first])
    return Finding("id", (name,), said, remedy, count, *shown, column.nunique() / len(column), must_decide=True)


def _doubt(column: pd.Series, *, is_first: bool) -> Doubt | None:
    """Return why a feature looks as if it were none, or None."""
    known, rows = column.dropna(), len(column)
    if why := set_aside(column, first=is_first):
        said = "has no value" if why == EMPTY else f"looks like {why}"
        return Doubt(KINDS[why], said, rows, np.nan) if why in KINDS else None
    texts = known.map(level_text) if known.dtype == object else known
    counts = texts.value_counts()
    others = rows - int(counts.iloc[0])
    if others <= RULES["constant"].line and rows >= ENOUGH_FOR_A_RUN:
        usual = counts.index[0]
        odd = next(iter(column.index.difference(texts.index[texts == usual])), None)
        return Doubt("constant", f"all but {plural(others, 'row')} have {quoted(level_text(usual))}", others, others, odd)
    share = len(counts) / len(known)
    many = len(counts) > MAX_INFERRED_CLASSES and share > RULES["id"].line
    if holds_numbers(column):
        numbers = known.to_numpy(dtype=np.float64)
        return _like_an_id(numbers, str(column.name), share) if many and len(known) == rows else None
    words = float(np.mean([len(str(text).split()) for text in counts.index]))
    if len(counts) > MAX_INFERRED_CLASSES and words >= RULES["text"].line and 2 * (counts == 1).sum() >= len(counts):
        return Doubt("text", f"its {len(counts):,} levels read like free text", len(known), words)
    return Doubt("group", "", 0, share) if many and share < 1 and named_like_an_id(str(column.name)) else None


def _like_an_id(numbers: np.ndarray, name: str, share: float) -> Doubt | None:
    """Return why numbers, many of which differ and none is missing, look like ids."""
    from scipy.stats import kstest

    if (numbers % 1 != 0).any():
        return None
    if share < 1:
        return Doubt("group", "", 0, share) if named_like_an_id(name) else None
    low, reach = numbers.min(), np.ptp(numbers)
    if (np.diff(numbers) > 0).all():
        is_count = low < ENOUGH_FOR_AN_INDEX and reach < FILTERED * len(numbers)
        return Doubt("index" if is_count else "id", "rises from row to row, as a count or an id does", len(numbers), share)
    is_of_one_length = len(str(int(low))) == len(str(int(numbers.max())))
    if len(numbers) >= ENOUGH_FOR_A_TEST and is_of_one_length and kstest(numbers, "uniform", (low, reach)).pvalue >= EVEN:
        why = "its whole numbers all differ, are of one length and lie evenly spread, as ids do"
        return Doubt("id", why, len(numbers), share)
    return None


def special_codes(case: Dataset, codes: Mapping[str, list[float]]) -> Iterator[Finding]:
    """Yield the columns that hold special codes, or placeholders among dates, as `dlx.data_check.codes` finds them."""
    for name, found in codes.items():
        feature, column = case.schema[name], case.rows[:, case.schema.position(name)]
        counts = {level_text(code): int((column == code).sum()) for code in found}
        told = listed(f"{feature.format(float(code))} in {plural(count, 'row')}" for code, count in counts.items())
        rest = feature.numbers(column[~np.isin(column, found)])
        run = f"the others go from {feature.format(np.nanmin(rest))} to {feature.format(np.nanmax(rest))}"
        row, value = example(case, name, int(np.isin(column, found).argmax()))
        key = ", ".join(f'"{code}" = "code {code}"' for code in counts)
        options = " ".join(f"--special {shlex.quote(f'{name}={code}:code {code}')}" for code in counts)
        remedy = f"Say what it means: special = {{{key}}} for it in the schema, or {options}"
        if feature.date:
            remedy = f"Make it missing: --missing={shlex.quote(value)}"
        said = f"{quoted(name)} has {told}, like {'a code' if len(found) == 1 else 'codes'}: {run}."
        measured = sum(counts.values()), row, value, max(counts.values())
        yield Finding("special code", (name,), said, remedy, *measured, must_decide=True)


def cells_far_outside(case: Dataset, far_cells: Mapping[str, list[Far]]) -> Iterator[Finding]:
    """Yield the columns of numbers with cells far outside the rest, as `dlx.data_check.codes` finds them."""
    for name, found in far_cells.items():
        feature, column = case.schema[name], case.rows[:, case.schema.position(name)]
        for far in found:
            rest = np.delete(column, np.concatenate([one.rows for one in found]))
            end = feature.format(np.nanmax(rest) if column[far.rows[0]] > np.nanmedian(column) else np.nanmin(rest))
            row, value = example(case, name, int(far.rows[0]))
            values = listed(feature.format(column[row]) for row in far.rows)
            said = f"{quoted(name)} has {values}, far from all others, which end at {end}: a slip, or a person like no other?"
            remedy = f"Correct it in the file, or make it missing: --missing={shlex.quote(value)}"
            yield Finding("far cell", (name,), said, remedy, len(far.rows), row, value, far.chance, must_decide=True)


def levels_seen_once(case: Dataset) -> Iterator[Finding]:
    """Yield the categories that have levels of one row only."""
    for feature, column in zip(case.schema.features, case.rows.T, strict=True):
        if not feature.is_categorical:
            continue
        counts = np.bincount(column[~np.isnan(column)].astype(int), minlength=len(feature.levels))
        once = np.flatnonzero(counts == RULES["level seen once"].line)
        if len(once):
            shown = listed((quoted(feature.levels[code]) for code in once), 3)
            said = f"{quoted(feature.name)} has {plural(len(once), 'level')} that one row has: {shown}."
            remedy = "Nothing can be learned of such a level: merge it with another one in the file"
            first = example(case, feature.name, int((column == once[0]).argmax()))
            yield Finding("level seen once", (feature.name,), said, remedy, len(once), *first, measure=1)


def example(case: Dataset, name: Any, position: int) -> tuple[Any, str]:
    """Return the name of a row, and what stands there in a column of the table."""
    assert case.table is not None
    return case.index[position], level_text(case.table[name].iloc[position])
