"""Columns of text as what they are: numbers, truth values, dates, codes or words; each decided once, from all of its cells.

- A column whose values are all numbers, in one of the spellings of `dlx.schema.numerals`, is numeric.
- A column that is nearly all numbers (`dlx.schema.cells.look_at`) is an error that names the others.
- The empty cell is missing. In columns of numbers, dates and truth values so are the marks of `dlx.schema.cells.MARKS`; in
  columns of words they are levels ("None" is one), unless they are asked for as missing, and then in every column.
- Words keep their spelling: blanks around them and upper case too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlx.errors import listed
from dlx.reading.cells import Cells
from dlx.schema import Feature, SchemaError, level_text
from dlx.schema.cells import LARGEST, LONGEST, MARKS, is_like_a_number, look_at, look_at_numbers, number_of, quoted
from dlx.schema.inference import named_like_an_id
from dlx.schema.numerals import Numerals, are_grouped_by_dots, is_ambiguous, numerals

if TYPE_CHECKING:
    import pandas as pd

TRUTH = {"true": True, "false": False}
TRUTH_SPELLINGS = ("True", "False", "TRUE", "FALSE", "true", "false")
TOTALS = frozenset(("total", "totals", "grand total", "sum", "summe", "gesamt", "gesamtergebnis", "total général"))
FEW_UNKNOWN = 0.05  # of the outcomes
LARGEST_WHOLE = 2**63 - 1
CORRECT_IT = "correct it, or name it as missing: missing=[...] (--missing)"
NOT_WHOLE = frozenset(".einfty")  # letters of a number that is not spelled as a whole one


class Column(NamedTuple):
    """A column in its dtype, what was done to its cells, and the unit that all of them had."""

    values: pd.Series
    done: tuple[str, ...] = ()
    unit: str = ""


@dataclass(frozen=True)
class Rules:
    """How the text of a table is read.

    Parameters
    ----------
    missing : frozenset of str
        Texts that mean missing in every column.
    marks : frozenset of str
        Texts, in lower case, that mean missing in columns of numbers, dates and truth values.
    decimal : {"", ".", ","}
        The decimal mark, where columns say it.
    """

    missing: frozenset[str] = frozenset()
    marks: frozenset[str] = MARKS
    decimal: str = ""

    @classmethod
    def of(cls, missing: Collection[str] | None) -> Rules:
        """Return the rules for what was asked for: None is the usual marks, nothing is the empty cell alone."""
        if missing is None:
            return cls()
        if isinstance(missing, str) or not all(isinstance(mark, str) for mark in missing):
            raise SchemaError(f"missing must be a list of texts, got {quoted(missing)}")
        own = frozenset(mark.strip() for mark in missing) - {""}
        return cls(own, MARKS if own else frozenset())

    @property
    def are_asked_for(self) -> bool:
        """Whether it was said what means missing."""
        return bool(self.missing) or not self.marks

    def gone(self, cells: Cells) -> list[str]:
        """Return the texts of a column that are missing whatever else it holds."""
        texts = cells.texts if self.missing or cells.plain is None else [text for text in cells.texts if not text]
        return [text for text in texts if not text.strip() or text.strip() in self.missing]

    def marked(self, cells: Cells) -> list[str]:
        """Return the texts that are missing beside numbers, dates and truth values."""
        return [] if cells.plain is not None else [text for text in cells.texts if text.strip().lower() in self.marks]


PLAIN = Rules(marks=frozenset())


def as_it_looks(cells: Cells, rules: Rules) -> Column:
    """Return a column as what most of its cells are.

    Raises
    ------
    SchemaError
        If it is nearly all numbers, could be read as two, or holds a number that is not finite.
    """
    if cells.plain is not None and len(cells.plain) and not rules.missing and rules.decimal != ",":
        texts = [text for text in cells.texts if text]
        if look_at_numbers(texts, cells.plain):
            return Column(_numbers(cells, texts), _either(texts, rules))
    gone = rules.gone(cells)
    marks = [text for text in rules.marked(cells) if text not in gone]
    values = cells.counts_without((*gone, *marks))
    done = _gone(cells, [text for text in gone if text])
    if not values:
        return _words(cells, gone, marks, done) if marks else Column(_floats(cells, {}), done)
    look, odd = ("truths", ()) if _are_truths(values) else look_at(values)
    spelled = None if look in ("truths", "codes", "dates") else numerals(values, decimal=rules.decimal)
    if spelled or look in ("truths", "numbers", "dates"):
        done = (*done, *_gone(cells, marks), *((f"no dates: {cells.told(odd)}",) if odd and look == "dates" else ()))
        return _values(cells, look, values, [*gone, *marks], done, spelled)
    if is_ambiguous(values):
        raise SchemaError(
            f"column {cells.name!r} has numbers whose commas group thousands or are decimal marks: {_few(values)}; write them "
            "without"
        )
    if look == "nearly numbers" and not named_like_an_id(cells.name):
        _refuse_others(cells, odd, sum(values.values()))
    said = ("codes with leading zeros",) if look == "codes" else (f"no numbers: {cells.told(odd)}",) if odd else ()
    return _words(cells, gone, marks, (*done, *said))


def _values(
    cells: Cells, look: str, values: Collection[str], gone: list[str], done: tuple[str, ...], spelled: Numerals | None
) -> Column:
    """Return a column of numbers, truth values or dates, in which marks are missing."""
    if spelled:
        return _spelled(cells, spelled, done)
    if look == "truths":
        return Column(_truths(cells, set(gone)), done)
    return Column(cells.words(gone) if look == "dates" and cells.plain is None else _numbers(cells, values), done)


def refuse_totals(cells: Cells) -> None:
    """Raise if the last row is one of totals, which is none of the data."""
    text, row = cells.texts[cells.codes[-1]], len(cells.codes) - 1
    if cells.counts[text] == 1 and text.strip().rstrip(":").casefold() in TOTALS:
        raise SchemaError(
            f"row {row}, the last, is one of totals: column {cells.name!r} holds {quoted(text)}; remove it, or pass "
            f"categorical=[{cells.name!r}] (--categorical) if that is a level"
        )


def refuse_unknown_outcomes(cells: Cells, rules: Rules) -> None:
    """Raise if a few outcomes are marks of missing beside two others at least: such a class must be meant."""
    gone, few = rules.gone(cells), FEW_UNKNOWN * len(cells.codes)
    marks = [text for text in rules.marked(cells) if text not in gone and cells.counts[text] < few]
    if marks and len(cells.counts_without((*gone, *marks))) > 1:
        raise SchemaError(
            f"the target {cells.name!r} is missing: {cells.told(marks)}; leave these rows out, or pass missing=[] (--missing "
            "'') if that is a class"
        )


def as_described(feature: Feature, cells: Cells, rules: Rules) -> Column:
    """Return a column as a schema says: numbers, or levels as the file spells them.

    Raises
    ------
    SchemaError
        If a cell is no number, or one that is not finite.
    """
    gone = rules.gone(cells)
    if feature.is_categorical:
        return _levels(feature, cells, gone)
    marks = [text for text in rules.marked(cells) if text not in gone]
    values = cells.counts_without((*gone, *marks))
    done = (*_gone(cells, [text for text in gone if text]), *_gone(cells, marks))
    spelled = numerals(values, decimal=rules.decimal, unit=feature.unit)
    if spelled:
        if spelled.unit and feature.unit and spelled.unit != feature.unit:
            raise SchemaError(
                f"column {feature.name!r} is in {feature.unit}, but its values are in {spelled.unit}: {_few(values)}; convert "
                "them, or write them without a unit"
            )
        return _spelled(cells, spelled, done)
    odd = None if cells.plain is not None else next((text for text in values if number_of(text) is None), None)
    if odd is not None:
        raise SchemaError(
            f"column {feature.name!r}, row {cells.first(odd)}: expected a finite number, got {quoted(odd)}; {CORRECT_IT}"
        )
    return Column(_numbers(cells, values), (*done, *_either(values, rules)))


def as_spelled(cells: Cells, rules: Rules = PLAIN) -> pd.Series:
    """Return a column as numbers or truth values where all of its cells are, and as text elsewhere."""
    gone = rules.gone(cells)
    known = cells.counts_without(gone)
    if not known:
        return _floats(cells, {})
    if _are_truths(known):
        return _truths(cells, set(gone))
    is_numeric = cells.plain is not None or all(number_of(text) is not None for text in known)
    if is_numeric and look_at(known).look in ("numbers", "dates"):
        return _numbers(cells, known)
    return cells.words(gone)


def decimal_mark(columns: Iterable[Cells], rules: Rules, delimiter: str) -> str:
    """Return the decimal mark that the columns of a table show; the point where they show none and commas separate fields."""
    found = set()
    for cells in columns:
        texts = cells.counts_without((*rules.gone(cells), *rules.marked(cells)))
        if cells.plain is None:
            found |= {spelled.decimal for spelled in [numerals(texts) if texts else None] if spelled and spelled.decimal == ","}
        elif "." not in found and any("." in text for text in texts) and not are_grouped_by_dots(texts):
            found.add(".")
    return found.pop() if len(found) == 1 else "." if not found and delimiter == "," else ""


def _either(texts: Collection[str], rules: Rules) -> tuple[str, ...]:
    """Return that dots were read as decimal points, where they could as well group thousands."""
    is_either = not rules.decimal and are_grouped_by_dots(texts)
    return (f"dots read as decimal points: {_few(texts)}",) if is_either else ()


def _levels(feature: Feature, cells: Cells, gone: list[str]) -> Column:
    """Return levels as the schema's table held them, or in the dtype that they suggest where nothing of a level is lost."""
    done, known = _gone(cells, [text for text in gone if text]), list(cells.counts_without(gone))
    typed = as_spelled(cells, Rules(frozenset(text.strip() for text in gone), frozenset()))
    held = typed.iloc[[cells.first(text) for text in known]]
    lost = any(text in feature.levels and level_text(value) != text for text, value in zip(known, held, strict=True))
    return Column(cells.words(gone) if lost or feature.dtype == "str" else typed, done)


def _spelled(cells: Cells, spelled: Numerals, done: tuple[str, ...]) -> Column:
    return Column(_floats(cells, spelled.values), (*done, spelled.words), spelled.unit)


def _words(cells: Cells, gone: Collection[str], marks: list[str], done: tuple[str, ...]) -> Column:
    return Column(cells.words(gone), (*done, *surprises(cells, gone, marks)))


def surprises(cells: Cells, gone: Collection[str], marks: list[str]) -> tuple[str, ...]:
    """Return what a reader may have meant otherwise of a column of levels."""
    levels = [text for text in cells.texts if text not in gone]
    said = [f"a level, not missing: {cells.told(marks)}"] if marks else []
    alike: dict[str, list[str]] = {}
    for text in levels:
        alike.setdefault(" ".join(text.split()).casefold(), []).append(text)
    several = [texts for texts in alike.values() if len(texts) > 1]
    blank = [text for text in levels if text != text.strip()]
    if several:
        said.append(f"levels apart only by blanks or case: {_few(several[0])}")
    elif blank:
        said.append(f"levels keep the blanks around them: {_few(blank)}")
    return tuple(said)


def _refuse_others(cells: Cells, odd: tuple[str, ...], values: int) -> None:
    """Raise because most values of a column are numbers, but not these."""
    counts = cells.counts
    numbers = values - sum(counts[text] for text in odd)
    is_number = all(map(is_like_a_number, odd[:3]))
    meant = f"correct it, pass missing=[{quoted(odd[0].strip())}] (--missing) if it means missing"
    remedy = "write all numbers without separators, signs and leading zeros" if is_number else meant
    found = (
        f"is nearly all numbers ({numbers:,} of {values:,} values), but not" if 2 * numbers > values else "spells numbers as"
    )
    raise SchemaError(
        f"column {cells.name!r} {found} {cells.told(odd)}; "
        f"{remedy}, or pass categorical=[{cells.name!r}] (--categorical) if the column holds levels"
    )


def _gone(cells: Cells, texts: list[str]) -> tuple[str, ...]:
    """Return what is said of texts that were taken for missing."""
    return (f"missing: {cells.told(texts)}",) if texts else ()


def _few(texts: Iterable[str]) -> str:
    return listed(list(map(quoted, texts))[:3])


def _floats(cells: Cells, values: Mapping[str, float]) -> pd.Series:
    return _finite(cells, cells.of_texts(values))


def _finite(cells: Cells, numbers: np.ndarray) -> pd.Series:
    """Return a column of floats from the number of each text, or raise where one is none of float32's."""
    import pandas as pd

    with np.errstate(invalid="ignore"):
        beyond = np.flatnonzero(np.abs(numbers) > LARGEST)
    if len(beyond):
        text = cells.texts[beyond[0]]
        rule = "must be finite" if np.isinf(numbers[beyond[0]]) else "must lie within 3.4e38, as models compute in float32"
        raise SchemaError(f"column {cells.name!r}, row {cells.first(text)}: numbers {rule}, got {quoted(text)}; {CORRECT_IT}")
    return pd.Series(numbers[cells.codes], name=cells.name)


def _numbers(cells: Cells, values: Collection[str]) -> pd.Series:
    """Return a column of numbers: integers where all are whole and none is missing; text where doubles would confuse them."""
    import pandas as pd

    is_plain = cells.plain is not None and len(cells.plain) == len(values)
    numbers = cells.plain_of_texts if is_plain else cells.of_texts({text: number_of(text) or 0.0 for text in values})
    if not set("".join(values).lower()) & NOT_WHOLE:
        exact = [int(text.replace("\u2212", "-")) for text in values if len(text) <= LONGEST]
        if len(exact) == len(cells.texts) and max(map(abs, exact)) <= LARGEST_WHOLE:
            return pd.Series(np.array(exact, dtype=np.int64)[cells.codes], name=cells.name)
        if exact != numbers[~np.isnan(numbers)].tolist():
            return cells.words([text for text in cells.texts if text not in values])
    return _finite(cells, numbers)


def _are_truths(texts: Collection[str]) -> bool:
    return len(texts) <= 2 * len(TRUTH_SPELLINGS) and all(text.strip() in TRUTH_SPELLINGS for text in texts)


def _truths(cells: Cells, gone: set[str]) -> pd.Series:
    """Return truth values, as pandas reads them: objects where some are missing."""
    import pandas as pd

    held = [np.nan if text in gone else TRUTH[text.strip().lower()] for text in cells.texts]
    spelled = np.array(held, dtype=object if gone else bool)
    return pd.Series(spelled[cells.codes], name=cells.name)
