"""Features: columns as their user knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dlx.errors import DlxError, did_you_mean, listed, one_line, plural, quoted
from dlx.schema.cells import LARGEST, level_text, number_of, numbers_of, same_level
from dlx.schema.dates import RULE, date_text, days_of
from dlx.schema.faults import faults_of_feature, faults_of_spelling
from dlx.schema.fields import conform

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["numeric", "categorical"]
Direction = Literal["any", "up", "down"]
DIRECTIONS: tuple[Direction, ...] = ("any", "up", "down")
Adverse = Literal["", "high", "low"]
FEW = 6  # names in a line
DIGITS, LARGE = 4, 1_000  # significant digits of what is no whole number, and from where on whole numbers are shown
NEAR_A_TIE = 1e-6  # of the last digit, where the digits of the number itself decide


class SchemaError(DlxError):
    """A table, a row or a schema file that does not say what it should."""


@dataclass(frozen=True, repr=False)
class Feature:
    """A feature: a column as its user knows it, with its levels, its unit and what a person can change.

    Parameters
    ----------
    name, label : str
        The column's name in the table, and the one that people read; the former by default.
    kind : {"numeric", "categorical"}
        Numeric values are kept; categories travel as the position of their level in `levels`.
    unit : str
        Unit of a numeric column, for example ``"mg/dL"``.
    levels, level_labels : tuple of str
        The levels as the table spells them, in order, and as people read them; a file may give pairs of both as levels:
        ``[["0", "no"], ["1", "yes"]]``.
    ordered, missing : bool
        Whether the order of the levels means something; whether a value may be missing.
    missing_label : str
        What a missing value means, for example ``"not asked: never smoked"``.
    special : mapping of str or number to str
        The codes of a numeric column that are no numbers, with what they mean: ``{"-9": "no record"}``. Each is a level
        beside the numbers; a model that is wrapped is given the code as it stands.
    protected, actionable : bool
        Whether the law protects the attribute; whether the person can change it.
    cuts : tuple of float
        Where a numeric column is cut into groups of people: ``[25]`` makes those up to 25, and those over 25.
    no_groups : str
        Why people must not be compared by a protected column, a sentence; empty where they may.
    direction : {"any", "up", "down"}
        Where an actionable column may go: to larger numbers or later levels ("up"), to smaller or earlier ones ("down").
    bounds : tuple of float
        The lowest and the highest number that a person may be asked for: ``[5, inf]`` where there is no highest.
    largest_change : float
        How much a person may be asked to change it, in its unit, or in steps of ordered levels; 0 leaves it to the data.
    reachable : tuple of str
        The levels that a person may be asked for; all where empty.
    forbidden : tuple of pairs of str
        Which level nobody comes to from which: ``[["divorced", "never married"]]``.
    fixed : str
        Why nobody can change the column any more: ``"past"``; empty where nothing is known.
    derived_from : tuple of str
        The columns that it is computed from, so that it cannot change by itself.
    reason, level_reasons : str, tuple of str
        The words of an adverse reason ("Length of employment"), and those of each level, "" where the former say it.
    adverse : {"", "high", "low"}
        On which side of the usual value the words of the reason are true; "" where nobody said.
    adverse_levels : tuple of str
        The levels of which the words are true.
    expected : {"", "up", "down"}
        Whether the positive outcome is expected to become more ("up") or less likely ("down") with larger numbers or later
        levels; "" where nobody said. A reason against it is flagged and not printed.
    description : str
        One sentence for the reader who does not know the column.
    dtype, level_values : str, tuple of bool, int, float or str
        How the table holds the column, pandas' name of its dtype, and each level; empty where nobody saw the table.
    date : str
        How the table spells the dates of a column, as strftime does (``"%d.%m.%Y"``): they are numbers of days since
        1970-01-01, hours parts of a day. Empty for a column of anything else.
    """

    name: str
    kind: Kind = "numeric"
    label: str = ""
    unit: str = ""
    levels: tuple[str, ...] = ()
    level_labels: tuple[str, ...] = ()
    ordered: bool = False
    missing: bool = False
    missing_label: str = "missing"
    special: Mapping[Any, str] = field(default_factory=dict, hash=False)
    protected: bool = False
    actionable: bool = False
    cuts: tuple[float, ...] = ()
    no_groups: str = ""
    direction: Direction = "any"
    bounds: tuple[float, ...] = ()
    largest_change: float = 0.0
    reachable: tuple[str, ...] = ()
    forbidden: tuple[tuple[str, str], ...] = ()
    fixed: str = ""
    derived_from: tuple[str, ...] = ()
    reason: str = ""
    level_reasons: tuple[str, ...] = ()
    adverse: Adverse = ""
    adverse_levels: tuple[str, ...] = ()
    expected: Literal["", "up", "down"] = ""
    description: str = ""
    dtype: str = ""
    level_values: tuple[Any, ...] = ()
    date: str = ""

    def __post_init__(self) -> None:
        what = f"feature {quoted(self.name)}"
        conform(self, what, SchemaError)
        if faults := [*faults_of_feature(self), *faults_of_spelling(self)]:
            raise SchemaError(what + faults[0])
        fill(self, label=self.name, level_labels=self.levels)
        fill(self, reason=self.label, unit=RULE if self.date else "")
        special = {level_text(number_of(str(code))): meaning for code, meaning in self.special.items()}
        object.__setattr__(self, "special", special)
        for name in ("cuts", "bounds"):
            object.__setattr__(self, name, tuple(map(float, getattr(self, name))))

    def __repr__(self) -> str:
        shown = f"{plural(len(self.levels), 'level')}{' in order' * self.ordered}: {listed(self.levels, FEW)}"
        said = [shown if self.is_categorical else f"numeric, {self.unit}".removesuffix(", ")]
        said += [plural(len(self.special), "special value")] if self.special else []
        said += ["may be missing"] * self.missing + ["protected"] * self.protected + ["actionable"] * self.actionable
        return one_line(f"Feature({quoted(self.name)}; {'; '.join(said)})")

    @property
    def is_categorical(self) -> bool:
        """Whether the values are positions of levels."""
        return self.kind == "categorical"

    @cached_property
    def special_codes(self) -> np.ndarray:
        """The special values as numbers, in the order of the schema, float64 [special values]."""
        return np.array([float(code) for code in self.special])

    def numbers(self, column: np.ndarray) -> np.ndarray:
        """Return a numeric column of codes [rows] with NaN for what is no number: special values, as well as missing ones."""
        return np.where(np.isin(column, self.special_codes), np.nan, column) if self.special else column

    def beside(self, column: np.ndarray) -> np.ndarray:
        """Return what values are beside numbers and levels, int [rows]: 0 for these, from 1 on special, last missing ones."""
        which = np.where(np.isnan(column), 1 + len(self.special), 0)
        for place, code in enumerate(self.special_codes, 1):
            which[column == code] = place
        return which

    def forbidden_from(self, code: float) -> list[int]:
        """Return the codes of the levels that nobody comes to from a level, given by its code."""
        own = self.levels[int(code)] if self.forbidden and not np.isnan(code) else None
        return [self.levels.index(to) for start, to in self.forbidden if start == own]

    @property
    def labels_beside(self) -> tuple[str, ...]:
        """What values mean that are no number and no level: those of `beside` from 1 on."""
        return (*self.special.values(), *[self.missing_label] * self.missing)

    def format(self, value: float) -> str:
        """Return one coded value in the words of the schema, with its unit."""
        if np.isnan(value):
            return self.missing_label
        if self.special and (meaning := self.special.get(level_text(float(value)))):
            return meaning
        if self.is_categorical:
            return self.level_labels[int(value)]
        if self.date:
            return date_text(value)
        return f"{number_text(value)} {self.unit}".strip()

    def encode(self, column: pd.Series) -> np.ndarray:
        """Return the column as float64 codes [rows], or raise a `SchemaError` that names the row."""
        codes = self._level_codes(column) if self.is_categorical else self._numbers(column)
        if not self.missing and np.isnan(codes).any():
            where = column.index[int(np.isnan(codes).argmax())]
            raise SchemaError(
                f"column {self.name!r} must not be missing, but is in row {where}; "
                "fill it in, or set missing = true for it in the schema and train again"
            )
        return codes

    def check_codes(self, column: np.ndarray) -> None:
        """Raise a `SchemaError` if a column of codes holds what the feature does not have."""
        known, rule = column[~np.isnan(column)], ""
        if not self.missing and len(known) < len(column):
            rule = f"must not be missing, but is in {plural(len(column) - len(known), 'row')}"
        elif np.isinf(known).any():
            rule = "must be finite, got infinity"
        elif (np.abs(known) > LARGEST).any():
            rule = "must lie within 3.4e38, as models compute in float32"
        elif self.is_categorical and (is_strange := (known < 0) | (known >= len(self.levels)) | (known % 1 != 0)).any():
            strange = f"got {known[is_strange][0]:g}; pass a DataFrame to have levels coded"
            rule = f"takes codes 0 to {len(self.levels) - 1}, {strange}"
        if rule:
            raise SchemaError(f"column {self.name!r} {rule}")

    def _level_codes(self, column: pd.Series) -> np.ndarray:
        spelled = {same_level(level): code for code, level in enumerate(self.levels)}
        codes = spelled | {level: code for code, level in enumerate(self.levels)}
        # pandas' factorize takes True and 1 of a column of objects for the same
        where, different = (column.map(level_text, na_action="ignore") if column.dtype == object else column).factorize()
        texts = list(map(level_text, different))
        found = [codes.get(text, spelled.get(same_level(text))) for text in texts]
        if None in found:
            row, text = column.index[int((where == found.index(None)).argmax())], texts[found.index(None)]
            raise SchemaError(
                f"column {self.name!r}, row {row}: unknown level {quoted(text)}; "
                f"known levels: {listed(map(repr, self.levels))}{did_you_mean(text, self.levels)}"
            )
        return np.array([*found, np.nan], dtype=np.float64)[where]

    def _numbers(self, column: pd.Series) -> np.ndarray:
        numbers, known = days_of(column, self.date) if self.date else numbers_of(column), column.notna().to_numpy()
        with np.errstate(invalid="ignore"):
            spoiled = known & ~(np.abs(numbers) <= LARGEST)
        if spoiled.any():
            position = int(spoiled.argmax())
            too_large = " of at most 3.4e38, as models compute in float32" if np.isfinite(numbers[position]) else ""
            wanted = f"a date as {self.date}" if self.date else f"a finite number{too_large}"
            raise SchemaError(
                f"column {self.name!r}, row {column.index[position]}: "
                f"expected {wanted}, got {quoted(column.iloc[[position]].tolist()[0])}"
            )
        return numbers


def fill(described: Any, **defaults: Any) -> None:
    """Set the fields of a frozen dataclass that are empty."""
    for name, default in defaults.items():
        object.__setattr__(described, name, getattr(described, name) or default)


def number_text(value: float) -> str:
    """Return a number as people read it: "1,235" from 1,000 on and where it is whole, else four significant digits."""
    return f"{value + 0.0:,.0f}" if float(value).is_integer() or abs(value) >= LARGE else f"{value:,.{DIGITS}g}"


def words_of(feature: Feature, column: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return the words that a column of codes [rows] shows, and which each value is, int [rows]; see `Feature.format`."""
    keys = column if feature.is_categorical or feature.date else _as_shown(column, feature.special_codes)
    different, which = np.unique(keys, return_inverse=True)
    return [feature.format(value) for value in different.tolist()], which


def _as_shown(column: np.ndarray, special: np.ndarray) -> np.ndarray:
    """Return numbers [rows] that are shown alike as one: rounded as they are shown; what is special is no such number."""
    sizes = np.abs(column)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        power = 10.0 ** (DIGITS - 1 - np.floor(np.log10(sizes)))
        scaled = column * power
        is_plain = np.abs(np.abs(scaled) % 1 - 0.5) > NEAR_A_TIE
        keys = np.where(is_plain & np.isfinite(scaled) & (power < np.inf), np.rint(scaled) / power, column)
        keys = np.where(sizes >= LARGE, np.rint(column), keys)
    is_other = np.isin(keys, special) & ~np.isin(column, special)
    return np.where(is_other | ~np.isfinite(keys), column, keys)
