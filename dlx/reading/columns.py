"""Columns of text as what they are: numbers, truth values, dates, codes or words; each decided once, from all of its cells.

The empty cell is missing; among numbers, dates and truth values the marks of `dlx.schema.cells.MARKS` are too. In columns of
words these are levels ("None" is one), unless they were asked for as missing. Words keep their spelling, blanks and case.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlx.errors import listed, quoted
from dlx.reading.cells import Cells
from dlx.schema import Feature, SchemaError, level_text
from dlx.schema.cells import LARGEST, MOST_DIGITS, english, is_inexact, is_like_a_number, look_at, numbers_in
from dlx.schema.inference import named_like_an_id
from dlx.schema.numerals import BY_DOTS, Numerals, is_ambiguous, numerals_of

if TYPE_CHECKING:
    import pandas as pd

TOTALS = frozenset(("total", "totals", "grand total", "sum", "summe", "gesamt", "gesamtergebnis", "total général"))
FEW_UNKNOWN = 0.05  # of the outcomes
CORRECT_IT = "correct it, or name it as missing: missing=[...] (--missing)"
NOT_WHOLE = frozenset(".einfty")  # letters of a number that is not spelled as a whole one


class Column(NamedTuple):
    """A column in its dtype, what was done to its cells, and the unit that all of them had."""

    values: pd.Series
    done: tuple[str, ...] = ()
    unit: str = ""


def decimal_mark(columns: Iterable[Cells], delimiter: str) -> str:
    """Return the decimal mark that the columns of a table show; the point where they show none and commas separate fields."""
    found = set()
    for cells in columns:
        if cells.are_numbers:
            shows_point = any("." in text for text in cells.values) and not BY_DOTS.fits(cells.values)
            found |= {"."} if shows_point else set()
        elif (spelled := numerals_of(cells.values)) and spelled.decimal == ",":
            found.add(",")
    return found.pop() if len(found) == 1 else "." if not found and delimiter == "," else ""


def as_it_looks(cells: Cells, decimal: str) -> Column:
    """Return a column of text in the dtype that most of its cells have; what is nearly numbers, or ambiguous, is an error."""
    done, values = cells.missing_notes(marks=False), cells.values
    if not values and not cells.marks:
        return Column(_numbers(cells), done)
    look, odd = look_at(values) if values else ("words", ())
    are_plain = look in ("truths", "codes", "dates") or (look == "numbers" and decimal != ",")
    spelled = None if are_plain else numerals_of(values, decimal=decimal)
    if spelled:
        return _spelled(cells, spelled)
    if look in ("truths", "numbers", "dates"):
        return _typed(cells, look, odd, decimal)
    if values and is_ambiguous(values):
        raise SchemaError(
            f"column {cells.name!r} has numbers whose commas group thousands or are decimal marks: {_few(values)}; write them "
            "without"
        )
    if look == "nearly numbers" and not named_like_an_id(cells.name):
        _refuse_others(cells, odd)
    said = ("codes with leading zeros",) if look == "codes" else (f"no numbers: {cells.counted(odd)}",) if odd else ()
    return Column(cells.words(cells.blanks), (*done, *said, *surprises(cells)))


def as_carried(cells: Cells, decimal: str) -> Column:
    """Return a column that is no feature as it looks, or as it is spelled where that is an error."""
    try:
        return as_it_looks(cells, decimal)
    except SchemaError:
        return Column(as_spelled(cells))


def as_described(feature: Feature, cells: Cells, decimal: str) -> Column:
    """Return a column of text in the kind that a schema says: numbers, or levels as the file spells them."""
    if feature.is_categorical:  # in the dtype that they suggest, where nothing of a level is lost
        typed, known = as_spelled(cells), set(feature.levels) - cells.blanks
        held = typed.iloc[np.unique(cells.codes, return_index=True)[1]]
        lost = any(text in known and level_text(value) != text for text, value in zip(cells.texts, held, strict=True))
        return Column(cells.words(cells.blanks) if lost or feature.dtype == "str" else typed, cells.missing_notes(marks=False))
    if feature.date:
        return Column(cells.words({*cells.blanks, *cells.marks}), cells.missing_notes(marks=True))
    spelled = numerals_of(cells.values, decimal=decimal, unit=feature.unit)
    if spelled and spelled.unit and feature.unit and spelled.unit != feature.unit:
        raise SchemaError(
            f"column {feature.name!r} is in {feature.unit}, but its values are in {spelled.unit}: {_few(cells.values)}; "
            "convert them, or write them without a unit"
        )
    if spelled:
        return _spelled(cells, spelled)
    odd = [text for text in cells.unread if text in cells.values]
    if odd:
        raise SchemaError(
            f"column {feature.name!r}, row {cells.first(odd[0])}: expected a finite number, got {quoted(odd[0])}; {CORRECT_IT}"
        )
    return _typed(cells, "numbers", (), decimal)


def as_spelled(cells: Cells) -> pd.Series:
    """Return a column as numbers or truth values where all of its cells are, and as text elsewhere."""
    known = cells.levels
    look = look_at(known).look if known else "numbers"
    if look == "truths":
        return _truths(cells, cells.blanks)
    if look in ("numbers", "dates") and not np.isnan(numbers_in(known)).any():
        return _numbers(cells)
    return cells.words(cells.blanks)


def refuse_totals(cells: Cells) -> None:
    """Raise if the last row is one of totals, which is none of the data."""
    text, row = cells.texts[cells.codes[-1]], len(cells.codes) - 1
    if cells.counts[text] == 1 and text.strip().rstrip(":").casefold() in TOTALS:
        raise SchemaError(
            f"row {row}, the last, is one of totals: column {cells.name!r} holds {quoted(text)}; remove it, or pass "
            f"categorical=[{cells.name!r}] (--categorical) if that is a level"
        )


def refuse_unknown_outcomes(cells: Cells) -> None:
    """Raise if a few outcomes are marks of missing beside two others at least: such a class must be meant."""
    few = [text for text in cells.marks if cells.counts[text] < FEW_UNKNOWN * len(cells.codes)]
    if few and len(cells.levels) - len(few) > 1:
        raise SchemaError(
            f"the target {cells.name!r} is missing: {cells.counted(few)}; leave these rows out, or pass missing=[] (--missing "
            "'') if that is a class"
        )


def alike(texts: Iterable[str]) -> list[list[str]]:
    """Return the groups of texts that are apart only by blanks or case."""
    groups: dict[str, list[str]] = {}
    for text in texts:
        groups.setdefault(" ".join(text.split()).casefold(), []).append(text)
    return [group for group in groups.values() if len(group) > 1]


def surprises(cells: Cells) -> tuple[str, ...]:
    """Return notes on levels that may be meant otherwise: marks of missing, spellings that differ by blanks or case."""
    said = [f"a level, not missing: {cells.counted(cells.marks)}"] if cells.marks else []
    if several := alike(cells.levels):
        said.append(f"levels apart only by blanks or case: {_few(several[0])}")
    elif blank := [text for text in cells.levels if text != text.strip()]:
        said.append(f"levels keep the blanks around them: {_few(blank)}")
    return tuple(said)


def _spelled(cells: Cells, spelled: Numerals) -> Column:
    numbers = np.array([spelled.values.get(text, np.nan) for text in cells.texts])
    return Column(_finite(cells, numbers), (*cells.missing_notes(marks=True), spelled.words), spelled.unit)


def _typed(cells: Cells, look: str, odd: tuple[str, ...], decimal: str) -> Column:
    """Return a column of truth values, dates or numbers, in which marks are missing."""
    gone, done = {*cells.blanks, *cells.marks}, cells.missing_notes(marks=True)
    if look == "truths":
        return Column(_truths(cells, gone), done)
    if look == "dates" and not cells.are_numbers:
        return Column(cells.words(gone), (*done, *((f"no dates: {cells.counted(odd)}",) if odd else ())))
    is_either = not decimal and BY_DOTS.fits(cells.values)
    said = (f"dots read as decimal points: {_few(cells.values)}",) if is_either else ()
    return Column(_numbers(cells), (*done, *said))


def _truths(cells: Cells, gone: Collection[str]) -> pd.Series:
    """Return truth values, as pandas reads them: objects where some are missing."""
    held = [np.nan if text in gone else text.strip().lower() == "true" for text in cells.texts]
    return cells.of_texts(held, object if gone else bool)


def _numbers(cells: Cells) -> pd.Series:
    """Return a column of numbers: integers where all are whole and none is missing; text where doubles would confuse them."""
    values = cells.values
    if not set("".join(values).lower()) & NOT_WHOLE:
        if len(values) == len(cells.texts) and max(map(len, values)) <= MOST_DIGITS:
            exact = [int(english(text)) for text in cells.texts]
            if max(map(abs, exact)) < 2**63:
                return cells.of_texts(exact, np.int64)
        if any(map(is_inexact, values)):
            return cells.words([text for text in cells.texts if text not in values])
    is_value = [text in values for text in cells.texts] if len(values) < len(cells.texts) else True
    return _finite(cells, np.where(is_value, cells.numbers, np.nan))


def _finite(cells: Cells, numbers: np.ndarray) -> pd.Series:
    """Return a column of floats from the number of each text, or raise where one is none of float32's."""
    with np.errstate(invalid="ignore"):
        beyond = np.flatnonzero(np.abs(numbers) > LARGEST)
    if len(beyond):
        text = cells.texts[beyond[0]]
        rule = "must be finite" if np.isinf(numbers[beyond[0]]) else "must lie within 3.4e38, as models compute in float32"
        raise SchemaError(f"column {cells.name!r}, row {cells.first(text)}: numbers {rule}, got {quoted(text)}; {CORRECT_IT}")
    return cells.of_texts(numbers, float)


def _refuse_others(cells: Cells, odd: tuple[str, ...]) -> None:
    """Raise because most values of a column are numbers, but not these."""
    values = sum(cells.values.values())
    numbers = values - sum(cells.counts[text] for text in odd)
    is_most = f"is nearly all numbers ({numbers:,} of {values:,} values), but not"
    remedy = f"correct it, pass missing=[{quoted(odd[0].strip())}] (--missing) if it means missing"
    if all(map(is_like_a_number, odd[:3])):
        remedy = "write all numbers without separators, signs and leading zeros"
    raise SchemaError(
        f"column {cells.name!r} {is_most if 2 * numbers > values else 'spells numbers as'} {cells.counted(odd)}; "
        f"{remedy}, or pass categorical=[{cells.name!r}] (--categorical) if the column holds levels"
    )


def _few(texts: Iterable[str]) -> str:
    return listed(list(map(quoted, texts))[:3])
