"""A column as its user knows it, the outcome, and the words for both."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dlx.errors import DlxError, did_you_mean, listed
from dlx.schema.cells import LARGEST, level_text, numbers_of, plural, quoted, same_level
from dlx.schema.fields import conform, described

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["numeric", "categorical"]
TargetKind = Literal["binary", "multiclass", "regression"]
Direction = Literal["any", "up", "down"]
DIRECTIONS: tuple[Direction, ...] = ("any", "up", "down")
Adverse = Literal["", "high", "low"]
HALF = 0.5
UNSTATED, UNREASONED = "one half, as nothing else was stated", "stated in the schema without a reason"


class SchemaError(DlxError):
    """A table, a row or a schema file that does not say what it should."""


@dataclass(frozen=True)
class Feature:
    """A column as its user knows it.

    Parameters
    ----------
    name : str
        The column's name in the table.
    kind : {"numeric", "categorical"}
        Numeric values are kept; categories travel as the position of their level in `levels`.
    label : str
        The name that people read; the column's name by default.
    unit : str
        Unit of a numeric column, for example ``"mg/dL"``.
    levels, level_labels : tuple of str
        The levels as the table spells them, in order, and as people read them.
    ordered : bool
        Whether the order of the levels means something.
    missing : bool
        Whether a value may be missing.
    missing_label : str
        What a missing value means, for example ``"not asked: never smoked"``.
    protected, actionable : bool
        Whether the law protects the attribute; whether the person can change it.
    cuts : tuple of float
        Where a numeric column is cut into groups of people: ``(25,)`` makes those up to 25, and those over 25.
    no_groups : str
        Why people must not be compared by a protected column, a sentence; empty where they may.
    direction : {"any", "up", "down"}
        Where an actionable column may go: to larger numbers or later levels ("up"), to smaller or earlier ones ("down").
    bounds : tuple of float
        The lowest and the highest number that a person may be asked for, ``(7, 9)`` hours of sleep, ``(5, inf)`` where there
        is no highest; real people bound it too.
    largest_change : float
        How much a person may be asked to change it, in its unit, or in steps of ordered levels; 0 leaves it to the data.
    reachable : tuple of str
        The levels that a person may be asked for; all where empty.
    fixed : str
        Why nobody can change the column any more: ``"past"``; empty where nothing is known.
    derived_from : tuple of str
        The columns that it is computed from, so that it cannot change by itself.
    reason : str
        The words of an adverse reason, for example ``"Length of employment"``.
    level_reasons : tuple of str
        The words where a person has a certain level, one a level; "" where `reason` says it.
    adverse : {"", "high", "low"}
        On which side of the usual value the words of the reason are true; "" where nobody said.
    adverse_levels : tuple of str
        The levels of which the words are true.
    description : str
        One sentence for the reader who does not know the column.
    dtype : str
        How the table holds the column: pandas' name of its dtype; empty where nobody saw the table.
    level_values : tuple of bool, int, float or str
        The levels as the table holds them: integers, booleans or text; `levels` spells them.
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
    protected: bool = False
    actionable: bool = False
    cuts: tuple[float, ...] = ()
    no_groups: str = ""
    direction: Direction = "any"
    bounds: tuple[float, ...] = ()
    largest_change: float = 0.0
    reachable: tuple[str, ...] = ()
    fixed: str = ""
    derived_from: tuple[str, ...] = ()
    reason: str = ""
    level_reasons: tuple[str, ...] = ()
    adverse: Adverse = ""
    adverse_levels: tuple[str, ...] = ()
    description: str = ""
    dtype: str = ""
    level_values: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        what = f"feature {quoted(self.name)}"
        if self.cuts and (self.is_categorical or not _increase(self.cuts)):
            raise SchemaError(
                f"{what}: cuts must be increasing numbers of a numeric column, got {_shown(self.cuts)} for a {self.kind} one"
            )
        conform(self, what, SchemaError)
        if self.is_categorical and not self.levels:
            raise SchemaError(f"{what} is categorical and has no levels; list them in 'levels'")
        if not self.is_categorical and self.levels:
            raise SchemaError(f"{what} has levels, but its kind is numeric; set kind = 'categorical', or leave them out")
        _check_spelling(what, self.levels)
        for name in ("level_labels", "level_values", "level_reasons"):
            if getattr(self, name) and len(getattr(self, name)) != len(self.levels):
                raise SchemaError(f"{what} has {len(self.levels)} levels and {len(getattr(self, name))} {name}")
        _check_change(self)
        _check_adverse(self)
        object.__setattr__(self, "label", self.label or self.name)
        object.__setattr__(self, "level_labels", self.level_labels or self.levels)
        object.__setattr__(self, "reason", self.reason or self.label)
        object.__setattr__(self, "cuts", tuple(float(cut) for cut in self.cuts))
        object.__setattr__(self, "bounds", tuple(float(bound) for bound in self.bounds))

    @property
    def is_categorical(self) -> bool:
        """Whether the values are positions of levels."""
        return self.kind == "categorical"

    def format(self, value: float) -> str:
        """Return one coded value in the words of the schema, with its unit."""
        if np.isnan(value):
            return self.missing_label
        if self.is_categorical:
            return self.level_labels[int(value)]
        number = f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{value:,.4g}"
        return f"{number} {self.unit}".strip()

    def encode(self, column: pd.Series) -> np.ndarray:
        """Return the column as float64 codes [rows], or raise a `SchemaError` that names the row."""
        codes = self._level_codes(column) if self.is_categorical else self._numbers(column)
        if not self.missing and np.isnan(codes).any():
            where = column.index[int(np.flatnonzero(np.isnan(codes))[0])]
            raise SchemaError(
                f"column {self.name!r} must not be missing, but is in row {where}; "
                "fill it in, or set missing = true for it in the schema and train again"
            )
        return codes

    def _level_codes(self, column: pd.Series) -> np.ndarray:
        codes = {level: float(code) for code, level in enumerate(self.levels)}
        spelled = {same_level(level): code for level, code in codes.items()}
        gone, values = column.isna().to_numpy(), column.array
        if values.dtype == object:
            texts, where = [None if one else level_text(value) for value, one in zip(values, gone, strict=True)], None
        else:
            where, different = column.factorize()
            texts = [level_text(value) for value in different]
        for position, text in enumerate(texts):
            if text is not None and text not in codes:
                code = spelled.get(same_level(text))
                if code is None:
                    row = column.index[position if where is None else int((where == position).argmax())]
                    raise SchemaError(
                        f"column {self.name!r}, row {row}: unknown level {quoted(text)}; "
                        f"known levels: {listed(map(repr, self.levels))}{did_you_mean(text, self.levels)}"
                    )
                codes[text] = code
        found = np.array([*(np.nan if text is None else codes[text] for text in texts), np.nan], dtype=np.float64)
        return found[:-1] if where is None else found[np.where(gone, -1, where)]

    def _numbers(self, column: pd.Series) -> np.ndarray:
        numbers, known = numbers_of(column), column.notna().to_numpy()
        with np.errstate(invalid="ignore"):
            spoiled = known & ~(np.abs(numbers) <= LARGEST)
        if spoiled.any():
            position = int(np.flatnonzero(spoiled)[0])
            too_large = " of at most 3.4e38, as models compute in float32" if np.isfinite(numbers[position]) else ""
            raise SchemaError(
                f"column {self.name!r}, row {column.index[position]}: "
                f"expected a finite number{too_large}, got {quoted(column.iloc[[position]].tolist()[0])}"
            )
        return numbers


@dataclass(frozen=True)
class Target:
    """What a model predicts, and the words in which people speak of it.

    Parameters
    ----------
    name : str
        The column's name in the table.
    kind : {"binary", "multiclass", "regression"}
        A binary target predicts its last level.
    levels, level_labels : tuple of str
        Outcomes as the table spells them and as people read them; the positive one last.
    label, unit : str
        The name that people read, and the unit of a regression.
    person, event, risk : str
        Whom a row is about ("applicant"), what the positive outcome is ("a bad loan"), and the name of its probability.
    flagged, cleared : str
        What happens above and below the threshold: "denied" and "granted".
    flagging : str
        The act of flagging as a noun: "denial".
    threshold : float
        Predicted probability from which on a person is flagged.
    threshold_reason : str
        Where the threshold comes from; by default that nobody said.
    past : bool
        Whether the outcome has come about before the columns are measured (a heart attack that people report, a disease that
        they have): no change undoes it, so that nobody is told what to change.
    adverse_action : bool
        Whether flagging a person is an act whose reasons the law regulates (a denied loan); protected attributes are
        then never printed as a reason.
    fairness_by : tuple of str
        The protected columns by which the treatment of people is compared first; all protected ones by default.
    reasons_version : str
        Version of the words in `Feature.reason` and `Feature.level_reasons`; raise it when they change.
    """

    name: str
    kind: TargetKind = "binary"
    levels: tuple[str, ...] = ()
    level_labels: tuple[str, ...] = ()
    label: str = ""
    unit: str = ""
    person: str = "person"
    event: str = ""
    risk: str = ""
    flagged: str = "flagged"
    cleared: str = "not flagged"
    flagging: str = "flag"
    threshold: float = HALF
    threshold_reason: str = ""
    past: bool = False
    adverse_action: bool = False
    fairness_by: tuple[str, ...] = ()
    reasons_version: str = "1"

    def __post_init__(self) -> None:
        what = f"target {quoted(self.name)}"
        conform(self, what, SchemaError)
        if self.kind == "binary" and len(self.levels) != 2:
            raise SchemaError(f"{what} is binary and needs 2 levels, got {list(self.levels)}")
        if self.kind == "multiclass" and len(self.levels) < 3:
            raise SchemaError(f"{what} is multiclass and needs 3 levels, got {list(self.levels)}")
        if self.kind == "regression" and self.levels:
            raise SchemaError(
                f"{what} is a regression and has levels, got {list(self.levels)}; leave them out, or change its kind"
            )
        _check_spelling(what, self.levels)
        if self.level_labels and len(self.level_labels) != len(self.levels):
            raise SchemaError(f"{what} has {len(self.levels)} levels and {len(self.level_labels)} level_labels")
        if not 0 < self.threshold < 1:
            raise SchemaError(f"target {self.name!r}: threshold must lie in (0, 1), got {self.threshold}")
        object.__setattr__(self, "label", self.label or self.name)
        object.__setattr__(self, "level_labels", self.level_labels or self.levels)
        object.__setattr__(self, "event", self.event or f"{self.label} = {self.positive}")
        object.__setattr__(self, "risk", self.risk or f"probability of {self.event}")
        unsaid = UNSTATED if self.threshold == HALF else UNREASONED
        object.__setattr__(self, "threshold_reason", self.threshold_reason or unsaid)

    @property
    def positive(self) -> str:
        """The label of the positive outcome; the target's own label for a regression."""
        return self.level_labels[-1] if self.levels else self.label

    def encode(self, column: pd.Series) -> np.ndarray:
        """Return outcomes [rows] as float64: 0 or 1, the class's position, or the value itself."""
        if column.isna().any():
            raise SchemaError(
                f"the target {self.name!r} is missing in {plural(int(column.isna().sum()), 'row')}, first in row "
                f"{column.index[int(column.isna().to_numpy().argmax())]}; leave these rows out, or fill it in"
            )
        return self.as_feature.encode(column)

    @property
    def as_feature(self) -> Feature:
        """The column of outcomes as one of the table's others."""
        return Feature(self.name, kind="numeric" if self.kind == "regression" else "categorical", levels=self.levels)


def from_entry(kind: type, entry: Any) -> Any:
    """Return a Feature or a Target from plain fields; a field that does not exist is an error."""
    if not isinstance(entry, Mapping):
        where = "says its target under [target]" if kind is Target else "lists its features under [[feature]], one a column"
        raise SchemaError(f"a schema {where}; got {quoted(entry)}")
    if not entry.get("name"):
        raise SchemaError(f"a {kind.__name__} needs a name, got {quoted(dict(entry))}")
    if kind is Target and "positive" in entry:
        raise SchemaError(f"Target {entry['name']!r} has no field 'positive'; the positive outcome is the last of 'levels'")
    fields = described(kind, entry, f"{kind.__name__} {quoted(entry['name'])}", SchemaError)
    return kind(**fields | _pairs(fields) | _ends(fields))


def _pairs(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return levels and their labels apart where they are given as pairs."""
    levels = fields.get("levels", ())
    if not isinstance(levels, (list, tuple)):
        return {}  # the type check says what levels are
    pairs = [level for level in levels if isinstance(level, (list, tuple))]
    strange = [one for level in levels for one in (level if level in pairs else [level]) if not isinstance(one, str)]
    if strange:
        raise SchemaError(f"levels of {fields['name']!r} must be strings as the table spells them, got {quoted(strange[0])}")
    if not pairs:
        return {}
    if len(pairs) < len(levels) or any(len(pair) != 2 for pair in pairs):
        raise SchemaError(f"levels of {fields['name']!r} must be all strings or all pairs of a level and its label")
    if fields.get("level_labels"):
        raise SchemaError(f"{fields['name']!r} gives labels in its levels and in level_labels; leave out one of the two")
    return {"levels": [level for level, _ in pairs], "level_labels": [label for _, label in pairs]}


def _ends(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return bounds that `Schema.to_dict` described, without end where JSON has null."""
    bounds = fields.get("bounds")
    if not isinstance(bounds, (list, tuple)) or len(bounds) != 2 or None not in bounds:
        return {}
    return {"bounds": tuple(end if bound is None else bound for bound, end in zip(bounds, (-np.inf, np.inf), strict=True))}


def check_codes(feature: Feature, column: np.ndarray) -> None:
    """Raise a `SchemaError` if a coded column holds what its feature does not have."""
    known = column[~np.isnan(column)]
    if not feature.missing and len(known) < len(column):
        raise SchemaError(f"column {feature.name!r} must not be missing, but is in {plural(len(column) - len(known), 'row')}")
    if np.isinf(known).any():
        raise SchemaError(f"column {feature.name!r} must be finite, got infinity")
    if (np.abs(known) > LARGEST).any():
        raise SchemaError(f"column {feature.name!r} must lie within 3.4e38, as models compute in float32")
    strange = known[(known < 0) | (known >= len(feature.levels)) | (known % 1 != 0)] if feature.is_categorical else []
    if len(strange):
        raise SchemaError(
            f"column {feature.name!r} takes codes 0 to {len(feature.levels) - 1}, got {strange[0]:g}; "
            "pass a DataFrame to have levels coded"
        )


def _check_spelling(what: str, levels: tuple[str, ...]) -> None:
    """Raise if two levels are the same, or spell the same, or one says nothing."""
    if len(set(levels)) != len(levels):
        raise SchemaError(f"{what} names a level twice: {list(levels)}")
    if not all(level.strip() for level in levels):
        raise SchemaError(
            f"{what} has a level without text: {list(levels)}; name it, or make these values missing: missing=['']"
        )
    spelled: dict[str, str] = {}
    for level in levels:
        other = spelled.setdefault(same_level(level), level)
        if other != level:
            raise SchemaError(f"{what} has levels that are the same but for their spelling: {other!r} and {level!r}")


def _check_change(feature: Feature) -> None:
    """Raise if what may be asked of a person contradicts itself or the kind of the column."""
    name, bounds = feature.name, feature.bounds
    if feature.actionable and (feature.fixed or feature.derived_from):
        why = f"derived from {', '.join(feature.derived_from)}" if feature.derived_from else f"fixed ({feature.fixed})"
        raise SchemaError(f"feature {name!r} is {why} and actionable, but nobody can change it; drop one of the two")
    if bounds and (feature.is_categorical or len(bounds) != 2 or not bounds[0] < bounds[1]):
        raise SchemaError(
            f"feature {name!r}: bounds must be the lowest and the highest number of a numeric column, "
            f"got {list(bounds)} for a {feature.kind} one"
        )
    if not 0 <= feature.largest_change < np.inf:
        raise SchemaError(f"feature {name!r}: largest_change must be a number from 0 on, got {feature.largest_change!r}")
    _check_levels(feature, "reachable", feature.reachable)


def _check_adverse(feature: Feature) -> None:
    """Raise if the adverse side contradicts the kind of the column."""
    if feature.adverse and feature.is_categorical and not feature.ordered and len(feature.levels) > 2:
        raise SchemaError(
            f"feature {feature.name!r} has levels without order, so that none is high or low; name the adverse ones in "
            "adverse_levels"
        )
    _check_levels(feature, "adverse_levels", feature.adverse_levels)


def _check_levels(feature: Feature, key: str, named: tuple[str, ...]) -> None:
    strange = [level for level in named if level not in feature.levels]
    if strange:
        known = f"its levels: {', '.join(map(repr, feature.levels))}" if feature.levels else "it has no levels"
        raise SchemaError(f"feature {feature.name!r}: {key} names {strange[0]!r}, which is no level; {known}")


def _shown(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value


def _increase(cuts: Any) -> bool:
    if not isinstance(cuts, (list, tuple)) or any(isinstance(cut, bool) or not isinstance(cut, (int, float)) for cut in cuts):
        return False
    return all(map(np.isfinite, cuts)) and all(low < high for low, high in itertools.pairwise(cuts))
