"""A column as its user knows it, the outcome, and the words for both."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dlx.errors import DlxError

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["numeric", "categorical"]
TargetKind = Literal["binary", "multiclass", "regression"]
Direction = Literal["any", "up", "down"]
DIRECTIONS: tuple[Direction, ...] = ("any", "up", "down")
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
    reason : str
        The words of an adverse reason, for example ``"Length of employment"``.
    level_reasons : tuple of str
        The words where a person has a certain level, one a level; "" where `reason` says it.
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
    reason: str = ""
    level_reasons: tuple[str, ...] = ()
    description: str = ""
    dtype: str = ""
    level_values: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in ("numeric", "categorical"):
            raise SchemaError(f"feature {self.name!r}: kind must be 'numeric' or 'categorical', got {self.kind!r}")
        if self.is_categorical and not self.levels:
            raise SchemaError(f"feature {self.name!r} is categorical and has no levels; list them in 'levels'")
        if len(set(self.levels)) != len(self.levels):
            raise SchemaError(f"feature {self.name!r} names a level twice: {list(self.levels)}")
        if self.level_labels and len(self.level_labels) != len(self.levels):
            raise SchemaError(f"feature {self.name!r} has {len(self.levels)} levels and {len(self.level_labels)} level_labels")
        if self.level_values and len(self.level_values) != len(self.levels):
            raise SchemaError(f"feature {self.name!r} has {len(self.levels)} levels and {len(self.level_values)} level_values")
        if self.cuts and (self.is_categorical or not _increase(self.cuts)):
            raise SchemaError(
                f"feature {self.name!r}: cuts must be increasing numbers of a numeric column, "
                f"got {list(self.cuts)} for a {self.kind} one"
            )
        if self.level_reasons and len(self.level_reasons) != len(self.levels):
            raise SchemaError(
                f"feature {self.name!r} has {len(self.levels)} levels and {len(self.level_reasons)} level_reasons"
            )
        if self.direction not in DIRECTIONS:
            raise SchemaError(f"feature {self.name!r}: direction must be 'any', 'up' or 'down', got {self.direction!r}")
        object.__setattr__(self, "label", self.label or self.name)
        object.__setattr__(self, "level_labels", self.level_labels or self.levels)
        object.__setattr__(self, "reason", self.reason or self.label)
        object.__setattr__(self, "cuts", tuple(float(cut) for cut in self.cuts))

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
        number = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"
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
        code_of = {level: float(code) for code, level in enumerate(self.levels)}
        missing = column.isna().to_numpy()
        texts = [None if gone else level_text(value) for value, gone in zip(column, missing, strict=True)]
        for position, text in enumerate(texts):
            if text is not None and text not in code_of:
                raise SchemaError(
                    f"column {self.name!r}, row {column.index[position]}: unknown level {text!r}; "
                    f"known levels: {', '.join(map(repr, self.levels))}"
                )
        return np.array([np.nan if text is None else code_of[text] for text in texts], dtype=np.float64)

    def _numbers(self, column: pd.Series) -> np.ndarray:
        import pandas as pd

        numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        spoiled = (np.isnan(numbers) & column.notna().to_numpy()) | np.isinf(numbers)
        if spoiled.any():
            position = int(np.flatnonzero(spoiled)[0])
            raise SchemaError(
                f"column {self.name!r}, row {column.index[position]}: "
                f"expected a finite number, got {column.iloc[[position]].tolist()[0]!r}"
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
    adverse_action: bool = False
    fairness_by: tuple[str, ...] = ()
    reasons_version: str = "1"

    def __post_init__(self) -> None:
        if self.kind not in ("binary", "multiclass", "regression"):
            raise SchemaError(f"target {self.name!r}: kind must be 'binary', 'multiclass' or 'regression', got {self.kind!r}")
        if self.kind == "binary" and len(self.levels) != 2:
            raise SchemaError(f"target {self.name!r} is binary and needs 2 levels, got {list(self.levels)}")
        if self.kind == "multiclass" and len(self.levels) < 3:
            raise SchemaError(f"target {self.name!r} is multiclass and needs 3 levels, got {list(self.levels)}")
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
        as_feature = Feature(self.name, kind="numeric" if self.kind == "regression" else "categorical", levels=self.levels)
        return as_feature.encode(column)


def from_entry(kind: type, entry: Mapping[str, Any]) -> Any:
    """Return a Feature or a Target from plain fields; a field that does not exist is an error."""
    if not isinstance(entry, Mapping):
        raise SchemaError(f"a schema lists its features under [[feature]], one a column; got {entry!r}")
    entry = dict(entry)
    if not entry.get("name"):
        raise SchemaError(f"a {kind.__name__} needs a name, got {entry}")
    unknown = sorted(set(entry) - {f.name for f in dataclasses.fields(kind)})
    if unknown:
        raise SchemaError(f"{kind.__name__} {entry.get('name', '?')!r} has no field {', '.join(map(repr, unknown))}")
    if any(isinstance(level, list) for level in entry.get("levels", ())):
        entry["level_labels"] = [label for _, label in entry["levels"]]
        entry["levels"] = [level for level, _ in entry["levels"]]
    strange = [level for level in entry.get("levels", ()) if not isinstance(level, str)]
    if strange:
        raise SchemaError(f"levels of {entry['name']!r} must be strings as the table spells them, got {strange[0]!r}")
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()})


def check_codes(feature: Feature, column: np.ndarray) -> None:
    """Raise a `SchemaError` if a coded column holds what its feature does not have."""
    known = column[~np.isnan(column)]
    if not feature.missing and len(known) < len(column):
        raise SchemaError(f"column {feature.name!r} must not be missing, but is in {plural(len(column) - len(known), 'row')}")
    if np.isinf(known).any():
        raise SchemaError(f"column {feature.name!r} must be finite, got infinity")
    strange = known[(known < 0) | (known >= len(feature.levels)) | (known % 1 != 0)] if feature.is_categorical else []
    if len(strange):
        raise SchemaError(
            f"column {feature.name!r} takes codes 0 to {len(feature.levels) - 1}, got {strange[0]:g}; "
            "pass a DataFrame to have levels coded"
        )


def _increase(cuts: tuple[float, ...]) -> bool:
    numbers = all(isinstance(cut, (int, float)) and np.isfinite(cut) for cut in cuts)
    return numbers and all(low < high for low, high in itertools.pairwise(cuts))


def level_text(value: Any) -> str:
    """Return how a cell is spelled as a level: 1, 1.0 and "1" are the same."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: "1 row", "2 rows"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
