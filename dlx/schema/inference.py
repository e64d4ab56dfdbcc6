"""The schema that a table suggests, and which columns are no features: these are set aside, and go along with each person.

- no value at all; a constant: one value in every row.
- a date or a time that is no day, or may be read as more than one; other dates are numbers, days since 1970-01-01.
- a saved index: the first column, without gaps 0, 1, 2, ... or 1, 2, 3, ... from the first row on.
- an id: whole numbers most of which differ, where the name says so ("id", "customer_no", "OrderKey"); whole numbers that
  differ in every row and are consecutive, in 100 rows or more, or beyond 2**53; more than 20 texts most of which differ.
- free text: such texts of several words.

A target of numbers is a value to predict, a regression, if there are more than ten different ones, or more than two that are
not all whole; else its numbers are classes.

Numbers of which there are two, 0 and 1, 1 and 2 or -1 and 1, are levels, in 20 rows or more: a flag tells two groups apart.
Numbers that differ in every row are otherwise numbers. A column that is asked for by name is kept, and where nothing else
is left, numbers are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np

from dlx.errors import did_you_mean, listed, plural, quoted
from dlx.schema.cells import LARGEST_EXACT, are_calendar_numbers, is_inexact, level_text, look_at, number_of, same_level
from dlx.schema.dates import date_format, date_formats
from dlx.schema.dtypes import typed
from dlx.schema.features import Feature, SchemaError
from dlx.schema.frames import as_pandas
from dlx.schema.numerals import is_ambiguous, numerals_of
from dlx.schema.table import RANDOM, Carried, Schema, Target, refuse_odd, split_rule

if TYPE_CHECKING:
    import pandas as pd

MAX_INFERRED_CLASSES, MAX_NUMBERED_CLASSES = 20, 10  # of words, and of numbers
ENOUGH_FOR_AN_INDEX, ENOUGH_FOR_A_RUN, ENOUGH_FOR_A_FLAG = 20, 100, 20  # rows
FLAGS = ((0.0, 1.0), (1.0, 2.0), (-1.0, 1.0))
EMPTY, CONSTANT, INDEX, ID = "no value at all", "a constant", "a saved index", "an id"
EITHER = 'a date whose day may be its month (a schema says which: date = "%d/%m/%Y")'
TEXT, DATE, SPLIT = "free text", "a date or a time", "what the split goes by"
DATES = ("date", "datetime", "datetime64", "time", "timedelta", "timedelta64", "period")

_ID_FIRST = frozenset(("id", "uuid", "guid", "unnamed"))
_ID_LAST = _ID_FIRST | frozenset(("ids", "uid", "key", "nr", "index", "idx", "seqn", "serial", "pk", "identifier", "phone"))
_ID_AFTER_A_NOUN = frozenset(("no", "num", "number", "case", "ref", "reference", "code"))


def infer_schema(
    table: pd.DataFrame,
    target: str,
    *,
    positive: str | None = None,
    keep: Collection[str] = (),
    categorical: Collection[str] = (),
    numeric: Collection[str] = (),
    aside: Mapping[str, str] | None = None,
    split: str = RANDOM,
) -> Schema:
    """Return the schema that a table suggests: numbers are numeric, all else is categorical; ids, dates and the like go aside.

    Parameters
    ----------
    table : DataFrame [rows, features + 1]
        The data with the target, of pandas, polars, pyarrow or DuckDB.
    target, positive : str
        Name of the target column, and the positive outcome of two: by default the last level in sorted order.
    keep, categorical : collection of str
        Columns that are features, whatever they look like; those whose values are levels, numbers too.
    numeric : collection of str
        Columns whose numbers are numbers, even if there are only two.
    aside : mapping of str to str, optional
        Columns that are no features, with the reason why.
    split : str
        As of the Schema; the column that it goes by is a feature only if it is one to keep.

    Raises
    ------
    SchemaError
        If the target is not in the table, has fewer than two values or no level `positive`; or a column is nested, mixes
        numbers and text, or is text that spells numbers.
    """
    table = as_pandas(table)
    refuse_odd(table)
    refuse_texts(keep=keep, categorical=categorical)
    asked_for, aside, known = (*keep, *categorical), dict(aside or {}), list(table.columns)
    _refuse_contradictions(table, target, asked_for, aside)
    columns = [name for name in known if name != target]
    free = {name for name in columns if name not in asked_for and name not in aside}
    why = {name: set_aside(table[name], first=name == known[0]) if name in free else "" for name in columns} | aside
    if by := split_rule(split, SchemaError).column:
        if by not in known:
            raise SchemaError(f"the split goes by {by!r}, which is no column; it has {listed(known)}{did_you_mean(by, known)}")
        why |= {} if by in asked_for or by == target else {by: SPLIT}
    if all(why.values()):  # numbers after all
        why |= {name: "" for name, one in why.items() if one in (CONSTANT, INDEX, ID) and holds_numbers(table[name])}
    if all(why.values()):
        said = "; ".join(f"column {name!r} {'has' if one == EMPTY else 'is'} {one}; leave it out" for name, one in why.items())
        raise SchemaError(f"no column is left to learn from: {said}")
    are_levels = dict.fromkeys(numeric, False) | dict.fromkeys(categorical, True)
    return Schema(
        features=tuple(infer_feature(table[name], levels=are_levels.get(name)) for name in columns if not why[name]),
        target=infer_target(table[target], positive),
        carried=tuple(Carried(name, position, why[name]) for position, name in enumerate(columns) if why[name]),
        split=split,
    )


def refuse_texts(**lists: Collection[str]) -> None:
    """Raise where what was asked for, by its name, is a text in place of a list of columns."""
    for what, names in lists.items():
        if isinstance(names, str):
            raise SchemaError(f"{what} must be a list of columns, got {quoted(names)}; write [{quoted(names)}]")


def _refuse_contradictions(table: pd.DataFrame, target: str, asked_for: Collection[str], aside: Collection[str]) -> None:
    """Raise where a table lacks what was asked for, or a column is asked for as two things."""
    known = list(table.columns)
    if not len(table):
        raise SchemaError("the table has no rows")
    for name in (target, *asked_for, *aside):
        if name not in known:
            raise SchemaError(f"the table has no column {name!r}; it has {listed(known)}{did_you_mean(name, known)}")
    if target in (*asked_for, *aside):
        raise SchemaError(f"{target!r} is the target and cannot be {'a feature' if target in asked_for else 'left out'} too")
    if both := sorted({*asked_for} & {*aside}):
        raise SchemaError(f"{both[0]!r} cannot be both kept and left out")
    if known == [target]:
        raise SchemaError(f"the table has no column beside the target {target!r}; add what it is predicted from")


def set_aside(column: pd.Series, *, first: bool = False) -> str:
    """Return why a column, which may be the first of its table, is no feature: "an id"; empty where it is one."""
    why = _why_aside(column, first=first)
    spelled = date_formats(column) if why == DATE else []
    return EITHER if len(spelled) > 1 else "" if spelled else why


def _why_aside(column: pd.Series, *, first: bool) -> str:
    import pandas as pd

    known = column.dropna()
    if known.empty:
        return EMPTY
    if len(known) == len(column) and (known.map(level_text) if known.dtype == object else known).nunique() == 1:
        return CONSTANT
    if pd.api.types.infer_dtype(known, skipna=False) in DATES:
        return DATE
    if holds_numbers(column):
        return _why_numbers(column, first=first)
    is_level = pd.api.types.is_bool_dtype(column) or getattr(column.dtype, "ordered", False)
    return "" if is_level else _why_texts(known.astype(str), len(column))


def holds_numbers(column: pd.Series) -> bool:
    """Whether a column holds numbers and nothing else."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column.dtype):
        return not pd.api.types.is_bool_dtype(column.dtype)
    kind = pd.api.types.infer_dtype(column, skipna=True) if column.dtype == object else ""
    return kind in ("integer", "floating", "mixed-integer-float", "decimal")


def named_like_an_id(name: str) -> bool:
    """Whether a column's name says that it tells cases apart: "id", "customer_no", "OrderKey", "Unnamed: 0"."""
    parts = [word.lower() for word in re.findall(r"[a-z]+|[A-Z]+(?![a-z])|[A-Z][a-z]*|\d+", name)]
    by_last = _ID_LAST if len(parts) == 1 else _ID_LAST | _ID_AFTER_A_NOUN
    return bool(parts) and (parts[0] in _ID_FIRST or parts[-1] in by_last)


def _why_numbers(column: pd.Series, *, first: bool) -> str:
    known = column.dropna()
    numbers = known.to_numpy() if known.dtype.kind in "iu" else known.to_numpy(dtype=np.float64, na_value=np.nan)
    different, complete = np.unique(numbers), len(numbers) == len(column)
    if not np.isfinite(numbers).all() or (numbers % 1 != 0).any():
        return ""
    if are_calendar_numbers(different):
        return DATE
    by_name, is_count = named_like_an_id(str(column.name)), complete and numbers[0] in (0, 1) and (np.diff(numbers) == 1).all()
    if is_count and ((first and len(column) >= ENOUGH_FOR_AN_INDEX) or by_name):
        return INDEX
    all_differ = complete and len(different) == len(numbers)
    is_run = all_differ and len(numbers) >= ENOUGH_FOR_A_RUN and different[-1] - different[0] == len(numbers) - 1
    if is_run or (all_differ and _inexact_row(known) is not None):
        return ID
    return ID if by_name and len(different) > max(MAX_INFERRED_CLASSES, len(numbers) / 2) else ""


def _why_texts(known: pd.Series, rows: int) -> str:
    counts, by_name = known.value_counts(sort=False).to_dict(), named_like_an_id(str(known.name))
    look = look_at(counts).look
    if look == "dates":
        return DATE
    are_numbers = look in ("numbers", "nearly numbers") and not any(map(is_inexact, counts))
    is_error = not by_name and (are_numbers or _are_spelled_otherwise(counts))  # to raise, no id
    if len(counts) <= max(MAX_INFERRED_CLASSES, len(known) / 2) or is_error:
        return ""
    words = np.mean([len(text.split()) for text in counts])
    return ID if words < 2 or (by_name and rows == len(counts)) else TEXT


def _are_spelled_otherwise(texts: Collection[str]) -> bool:
    return numerals_of(texts) is not None or is_ambiguous(texts)


def infer_feature(column: pd.Series, *, levels: bool | None = None) -> Feature:
    """Return what a column suggests to be, a number or a category; whether its values are levels may be said."""
    name, known = str(column.name), column.dropna()
    levels = (holds_numbers(column) and _are_two(known)) if levels is None else levels
    missing = len(known) < len(column)
    if not levels and _are_dates(known) and (spelled := date_format(column)):
        return typed(Feature(name, kind="numeric", missing=missing, date=spelled), column)
    if holds_numbers(column) and not levels:
        if (row := _inexact_row(known)) is not None:
            _refuse_inexact(name, known.index[row], known.iloc[row])
        return typed(Feature(name, kind="numeric", missing=missing), column)
    if known.empty:
        raise SchemaError(f"column {name!r} has no value at all; leave it out")
    if not levels and not hasattr(column, "cat"):
        _refuse_numbers_in_words(name, known)
    ordered = bool(getattr(column.dtype, "ordered", False))
    return typed(Feature(name, kind="categorical", levels=_sorted_levels(column), ordered=ordered, missing=missing), column)


def _are_two(known: pd.Series) -> bool:
    """Whether numbers are a flag of two groups."""
    return len(known) >= ENOUGH_FOR_A_FLAG and tuple(np.unique(known.to_numpy(dtype=np.float64)).tolist()) in FLAGS


def _are_dates(known: pd.Series) -> bool:
    import pandas as pd

    if holds_numbers(known):
        return are_calendar_numbers(np.unique(known.to_numpy(dtype=np.float64)))
    kind = pd.api.types.infer_dtype(known, skipna=False)
    return kind in DATES or (kind == "string" and look_at(known.value_counts(sort=False).to_dict()).look == "dates")


def _inexact_row(known: pd.Series) -> int | None:
    """Return the position of the first whole number that no double is, or None."""
    import pandas as pd

    if pd.api.types.is_float_dtype(known.dtype):
        return None
    large = np.flatnonzero(np.abs(known.to_numpy(dtype=np.float64)) >= LARGEST_EXACT)
    return next((int(i) for i in large if is_inexact(str(known.iloc[int(i)]))), None)


def _refuse_inexact(name: str, row: object, value: object) -> None:
    raise SchemaError(
        f"column {name!r}, row {row}: {str(value)[:40]} is a whole number beyond 2**53, which models would confuse with "
        "others; leave the column out, or make it levels: categorical=[...]"
    )


def _refuse_numbers_in_words(name: str, known: pd.Series) -> None:
    """Raise if a column of text holds numbers: as levels they would be hundreds without an order."""
    import pandas as pd

    kind = pd.api.types.infer_dtype(known, skipna=True)
    if kind == "boolean":
        return
    if kind in ("mixed", "mixed-integer"):
        one_of_each = known[~known.map(type).duplicated()].head(3)
        types = " and ".join(f"{type(value).__name__} ({quoted(value)}, row {row})" for row, value in one_of_each.items())
        raise SchemaError(f"column {name!r} mixes {types}; make it one kind, for example table[{name!r}].astype(str)")
    counts = known.astype(str).value_counts(sort=False).to_dict()
    if inexact := next(filter(is_inexact, counts), None):
        _refuse_inexact(name, known[known == inexact].index[0], inexact)
    (look, odd), many = look_at(counts), len(counts) > MAX_INFERRED_CLASSES
    if look == "nearly numbers" or (many and (look == "numbers" or _are_spelled_otherwise(counts))):
        beside = f", beside {plural(len(odd), 'other value')}: {listed(map(repr, odd[:3]))}" if odd else ""
        raise SchemaError(
            f"column {name!r} is text that spells numbers{beside}; convert it with pandas.to_numeric, or make it "
            "levels: categorical=[...]"
        )


def infer_target(column: pd.Series, positive: str | None) -> Target:
    """Return what a column of outcomes suggests to be, with a positive outcome that was asked for, or the last one."""
    name, different = str(column.name), column.dropna().nunique()
    if different < 2:
        raise SchemaError(f"target {name!r} must have at least 2 different values, got {different}")
    if positive is None and holds_numbers(column) and _are_amounts(column.dropna()):
        return Target(name, kind="regression")
    if different > MAX_INFERRED_CLASSES:
        rule = f", of which none can be the positive outcome {positive!r}"
        if positive is None:
            rule = f" that are no numbers, and at most {MAX_INFERRED_CLASSES} are taken; merge them, or describe it in a schema"
        raise SchemaError(f"target {name!r} has {different} different values{rule}")
    if hasattr(column, "cat"):  # without the categories that no row has; those without an order are sorted
        column = column.dropna().cat.remove_unused_categories()
        column = column if column.dtype.ordered else column.astype(column.dtype.categories.dtype)
    levels = _sorted_levels(column)
    if positive is not None:
        said = str(positive)
        same = [level for level in levels if same_level(level) == same_level(said) or level.strip() == said.strip()]
        if not same:
            known = listed(map(repr, levels))
            raise SchemaError(f"target {name!r} has no level {positive!r}; it has {known}{did_you_mean(positive, levels)}")
        chosen = said if said in levels else same[0]
        levels = (*(level for level in levels if level != chosen), chosen)
    return Target(name, kind="binary" if len(levels) == 2 else "multiclass", levels=levels)


def _are_amounts(known: pd.Series) -> bool:
    """Whether outcomes that are numbers are values and no classes: more than ten, or more than two that are not all whole."""
    numbers = np.unique(known.to_numpy(dtype=np.float64))
    return len(numbers) > MAX_NUMBERED_CLASSES or (len(numbers) > 2 and bool((numbers % 1 != 0).any()))


def _sorted_levels(column: pd.Series) -> tuple[str, ...]:
    """Return the levels in sorted order; pandas' categories in theirs, those that no row has too."""
    if hasattr(column, "cat"):
        return tuple(map(level_text, column.dtype.categories))
    values = column.dropna().unique().tolist()
    numbers = [number_of(value) if isinstance(value, str) else None for value in values]
    if None not in numbers:
        return tuple(text for _, text in sorted(zip(numbers, values, strict=True)))
    try:
        return tuple(map(level_text, sorted(values)))
    except TypeError:
        return tuple(sorted(map(level_text, values)))
