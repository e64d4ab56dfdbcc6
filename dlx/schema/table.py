"""The columns of a table together: its features, its target, what is carried along; and what its rows must be."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from dlx.errors import DlxError, did_you_mean, listed, one_line, plural, quoted
from dlx.schema.cells import LARGEST
from dlx.schema.dtypes import restored, typed
from dlx.schema.faults import faults_of_spelling
from dlx.schema.features import FEW, Feature, SchemaError, fill
from dlx.schema.fields import conform
from dlx.schema.frames import as_pandas

if TYPE_CHECKING:
    import pandas as pd

TargetKind = Literal["binary", "multiclass", "regression"]
HALF = 0.5
SPLITS = RANDOM, TIME, GROUP, COLUMN = ("random", "time", "group", "column")  # "time:issued", "group:customer", "column:part"
UNSTATED, UNREASONED = "one half, as nothing else was stated", "stated in the schema without a reason"
_NO_CELLS = ("complex", "list<", "large_list<", "fixed_size", "struct<", "map<", "binary")  # dtypes
_NESTED = (list, tuple, dict, set, frozenset, bytes, bytearray, complex, np.ndarray)


@dataclass(frozen=True, repr=False)
class Target:
    """The outcome that a model predicts, and the words in which people speak of it.

    Parameters
    ----------
    name, label : str
        The column's name in the table, and the one that people read; the former by default.
    kind : {"binary", "multiclass", "regression"}
        A binary target predicts its last level.
    levels, level_labels : tuple of str
        Outcomes as the table spells them and as people read them; the positive one last.
    unit : str
        The unit of a regression.
    person, event, risk : str
        Whom a row is about ("applicant"), what the positive outcome is ("a bad loan"), and the name of its probability; by
        default "the outcome default = 1" and the probability of it, and of a regression its label.
    flagged, cleared, flagging : str
        What happens above and below the threshold, "denied" and "granted", and the former as a noun, "denial".
    threshold, threshold_reason : float, str
        Predicted probability from which on a person is flagged; and where it comes from, by default that nobody said.
    past : bool
        Whether the outcome comes before the columns are measured (a heart attack that people report): no change undoes it.
    adverse_action : bool
        Whether the law regulates the reasons for flagging a person (a denied loan): protected attributes are then no reason.
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
        least, most = {"binary": (2, 2), "multiclass": (3, np.inf), "regression": (0, np.inf)}[self.kind]
        faults = [*faults_of_spelling(self)]
        if not least <= len(self.levels) <= most:
            faults.insert(0, f" is {self.kind} and needs {least} levels, got {list(self.levels)}")
        if self.kind == "regression" and self.levels:
            faults.insert(0, f" is a regression and has levels, got {list(self.levels)}; leave them out, or change its kind")
        if not 0 < self.threshold < 1:
            faults.append(f": threshold must lie in (0, 1), got {self.threshold}")
        if faults:
            raise SchemaError(what + faults[0])
        fill(self, label=self.name, level_labels=self.levels)
        fill(self, event=f"the outcome {self.label} = {self.positive}")
        risk = self.label if self.is_value else f"probability of {self.event}"
        fill(self, risk=risk, threshold_reason=UNSTATED if self.threshold == HALF else UNREASONED)

    def __repr__(self) -> str:
        return one_line(f"Target({quoted(self.name)}; {self.kind}; {listed(self.level_labels, FEW)}".removesuffix("; ") + ")")

    @property
    def positive(self) -> str:
        """The label of the positive outcome; the target's own label for a regression."""
        return self.level_labels[-1] if self.levels else self.label

    @property
    def is_value(self) -> bool:
        """Whether the outcome is a value, and not one of some classes."""
        return self.kind == "regression"

    @property
    def scale(self) -> Literal["probability", "value"]:
        """The scale on which predictions are held to outcomes."""
        return "value" if self.is_value else "probability"

    @property
    def as_feature(self) -> Feature:
        """The column of outcomes as one of the table's others."""
        return Feature(self.name, kind="numeric" if self.kind == "regression" else "categorical", levels=self.levels)

    def place_of(self, level: str) -> int:
        """Return which of several classes a level is, from 0 on, or raise a `SchemaError` that lists them."""
        if self.kind != "multiclass" or level not in self.levels:
            known = f"one of {', '.join(map(repr, self.levels))}" if self.kind == "multiclass" else "one of several"
            guess = did_you_mean(level, self.levels)
            raise SchemaError(f"{self.name!r} is {self.kind}: its class must be {known}, got {level!r}{guess}")
        return self.levels.index(level)

    def of_class(self, level: str) -> Target:
        """Return the binary target "this class, or another", in words that name the class; `level` is one of several."""
        label = self.level_labels[self.place_of(level)]
        named = label if label[:1].isalpha() else f"{self.label} {label}"
        said: dict[str, Any] = {
            "flagged": f"taken for {named}",
            "cleared": f"not taken for {named}",
            "flagging": f"case of {named}",
        }
        said = {key: word for key, word in said.items() if getattr(self, key) == getattr(Target, key)}  # nobody chose others
        said |= {"levels": (f"not {level}", level), "level_labels": (f"not {label}", label)}
        return dataclasses.replace(self, kind="binary", event="", risk="", **said)

    def encode(self, column: pd.Series) -> np.ndarray:
        """Return outcomes [rows] as float64: 0 or 1, the class's position, or the value itself."""
        gone = column.isna().to_numpy()
        if gone.any():
            raise SchemaError(
                f"the target {self.name!r} is missing in {plural(int(gone.sum()), 'row')}, first in row "
                f"{column.index[int(gone.argmax())]}; leave these rows out, or fill it in"
            )
        return self.as_feature.encode(column)


@dataclass(frozen=True)
class Carried:
    """A column that is no feature, but that a model of one's own may read: it goes along unchanged with each person.

    Parameters
    ----------
    name : str
        The column's name in the table.
    position : int
        Where it stands among the columns of the table without the target, from 0 on.
    why : str
        Why it is no feature: ``"an id"``.
    """

    name: str
    position: int
    why: str = ""

    def __post_init__(self) -> None:
        conform(self, f"carried column {quoted(self.name)}", SchemaError)
        if self.position < 0:
            raise SchemaError(f"carried column {self.name!r}: position must be 0 or more, got {self.position}")


class SplitRule(NamedTuple):
    """By what rows become train, validation and test; the column where it goes by one."""

    kind: str
    column: str = ""


def split_rule(text: str, refused: type[DlxError]) -> SplitRule:
    """Return the rule that a text says, or raise."""
    kind, _, column = text.partition(":")
    if kind not in SPLITS or (kind == RANDOM) == bool(column):
        near = did_you_mean(kind, SPLITS)
        raise refused(f"a split must be random, time:COLUMN, group:COLUMN or column:COLUMN, got {quoted(text)}{near}")
    return SplitRule(kind, column)


@dataclass(frozen=True, repr=False)
class Schema:
    """The features of a table, in order, and its target.

    Parameters
    ----------
    features : tuple of Feature
        The columns that models read and methods explain, in the table's order.
    target : Target
        What is predicted.
    carried : tuple of Carried
        Columns that are set aside: ids, constants, free text.
    split : str
        How rows become train, validation and test, see `Dataset.split`: ``"random"``, ``"time:COLUMN"``, ``"group:COLUMN"`` or
        ``"column:COLUMN"``.
    weights : str
        The column that says how much each row counts; empty where all count the same.
    accepted : mapping of str to str
        What the data check found and a person decided to be no fault, as its kind and columns, with the reason:
        ``{"leak: income": "known before the loan is granted"}``.
    """

    features: tuple[Feature, ...]
    target: Target = field(default_factory=lambda: Target("outcome", levels=("0", "1")))
    carried: tuple[Carried, ...] = ()
    split: str = RANDOM
    weights: str = ""
    accepted: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        conform(self, "schema", SchemaError)
        if not self.features:
            raise SchemaError("a schema needs at least one feature")
        if unsaid := [finding for finding, why in self.accepted.items() if not why.strip()]:
            raise SchemaError(f"accepted names {quoted(unsaid[0])} without a reason; say why it is no fault")
        names = [*self.names, *(column.name for column in self.carried), self.target.name]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SchemaError(f"columns must have different names, but these occur twice: {', '.join(map(repr, twice))}")
        if self.weights in (*self.names, self.target.name):
            raise SchemaError(f"{self.weights!r} weighs rows, and cannot be a feature or the target too")
        rule = self.split_rule
        if rule.column == self.target.name or (rule.kind == COLUMN and rule.column in self.names):
            is_what = "the target" if rule.column == self.target.name else "a feature, but nothing to learn from"
            raise SchemaError(
                f"the split goes by {rule.column!r}, which is {is_what}; name another column, or list it as carried"
            )

    def __repr__(self) -> str:
        more = f"; carried: {listed((column.name for column in self.carried), FEW)}" if self.carried else ""
        return f"Schema({plural(len(self), 'feature')}: {listed(self.names, FEW)};\n  {self.target!r}{more})"

    @property
    def split_rule(self) -> SplitRule:
        """How rows become train, validation and test, and by which column."""
        return split_rule(self.split, SchemaError)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names of the features."""
        return tuple(feature.name for feature in self.features)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the table's columns in its order: features, and those that are carried; without the target."""
        names = list(self.names)
        for column in sorted(self.carried, key=lambda column: column.position):
            names.insert(column.position, column.name)
        return tuple(names)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the features that people read."""
        return tuple(feature.label for feature in self.features)

    def numbers(self, rows: np.ndarray) -> np.ndarray:
        """Return coded rows [rows, features] with NaN for special values too, which are no numbers."""
        if not any(feature.special for feature in self.features):
            return rows
        return np.column_stack([f.numbers(column) for f, column in zip(self.features, rows.T, strict=True)])

    @property
    def categorical(self) -> tuple[int, ...]:
        """Positions of the categorical features."""
        return tuple(i for i, feature in enumerate(self.features) if feature.is_categorical)

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, name: str) -> Feature:
        return self.features[self.position(name)]

    def __iter__(self) -> Iterator[Feature]:
        return iter(self.features)

    def position(self, name: str) -> int:
        """Return where a feature stands, or raise a `SchemaError` that lists the names."""
        if name not in self.names:
            raise SchemaError(f"no feature {name!r}; the features are {listed(self.names)}{did_you_mean(name, self.names)}")
        return self.names.index(name)

    def encode(self, table: pd.DataFrame) -> np.ndarray:
        """Return a table as coded rows [rows, features], NaN where missing; a `SchemaError` names what does not fit."""
        table = as_pandas(table)
        refuse_odd(table)
        lacking = [name for name in self.names if name not in table.columns]
        if lacking:
            raise SchemaError(
                f"the table lacks {plural(len(lacking), 'column')}: {listed(lacking)}; it has {listed(table.columns)}"
                f"{did_you_mean(lacking[0], table.columns)}"
            )
        return np.column_stack([feature.encode(table[feature.name]) for feature in self.features])

    def check(self, rows: np.ndarray) -> np.ndarray:
        """Return coded rows as float64 [rows, features], or raise a `SchemaError` where shape, codes or gaps do not fit."""
        try:
            rows = np.asarray(rows, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise SchemaError(f"rows in an array must be codes, numbers: {error}; pass a DataFrame") from error
        if rows.ndim != 2 or rows.shape[1] != len(self):
            raise SchemaError(f"rows must be [rows, {len(self)}], one column a feature; got shape {list(rows.shape)}")
        low, high, is_level, may_lack = self._limits
        fits = (rows >= low) & (rows <= high)
        if is_level.any():
            with np.errstate(invalid="ignore"):  # of an infinite one
                fits[:, is_level] &= ~(rows[:, is_level] % 1 > 0)
        if not fits.all():
            fits |= may_lack & np.isnan(rows)
            for i in np.flatnonzero(~fits.all(axis=0)):
                self.features[i].check_codes(rows[:, i])
        return rows

    @cached_property
    def _limits(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The least and the largest code of each feature, whether codes are levels, and whether they may be missing."""
        ends = [(0, len(f.levels) - 1) if f.is_categorical else (-LARGEST, LARGEST) for f in self.features]
        is_level, may_lack = ([getattr(f, name) for f in self.features] for name in ("is_categorical", "missing"))
        return *np.array(ends, dtype=np.float64).reshape(-1, 2).T, np.array(is_level, bool), np.array(may_lack, bool)

    def decode(self, rows: np.ndarray, index: Iterable[Any] | None = None) -> pd.DataFrame:
        """Return coded rows [rows, features] as a table with the levels and dtypes of the data."""
        import pandas as pd

        rows, index = np.asarray(rows), range(len(rows)) if index is None else list(index)
        columns = {f.name: restored(f, column) for f, column in zip(self.features, rows.T, strict=True)}
        return pd.DataFrame(columns, index=index)

    def typed(self, table: pd.DataFrame) -> Schema:
        """Return the schema with the dtypes of a table for the features that have none yet."""
        features = tuple(f if f.dtype or f.name not in table else typed(f, table[f.name]) for f in self.features)
        return dataclasses.replace(self, features=features)

    def to_dict(self) -> dict[str, Any]:
        """Return the schema as plain lists, strings and numbers, as JSON holds them: a bound that there is not is None."""
        described = dataclasses.asdict(self)
        for entry in described["features"]:
            entry["bounds"] = tuple(end if np.isfinite(end) else None for end in entry["bounds"])
        return described

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> Schema:
        """Return the schema that `to_dict` described, or raise a `SchemaError` where it names what a schema does not have."""
        from dlx.schema.description import schema_of

        return schema_of(described)

    @property
    def codes(self) -> list[list[Any]]:
        """Names, kinds, units, levels, gaps and special values of the features: what the codes of rows mean, without words."""
        own = ([f.name, f.kind, f.unit, f.levels, f.ordered, f.missing] for f in self.features)
        return [[*codes, list(f.special)] if f.special else codes for codes, f in zip(own, self.features, strict=True)]

    @property
    def sha256(self) -> str:
        """Hash of `codes` and of the outcome's levels; two schemas that differ only in words for people share it."""
        target = [self.target.name, self.target.kind, self.target.levels]
        return hashlib.sha256(json.dumps([self.codes, target]).encode()).hexdigest()


def refuse_odd(table: pd.DataFrame) -> None:
    """Raise a `SchemaError` if a table's columns have no names of one text each, or hold lists, tables or bytes."""
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise SchemaError(f"a table must be a DataFrame of pandas, polars, pyarrow or DuckDB, got {type(table).__name__}")
    for name in table.columns:
        if not isinstance(name, str) or not name:
            several = " of several levels" if isinstance(name, tuple) else ""
            raise SchemaError(f"column names must be text, got {name!r}{several}; rename the columns")
    repeated = sorted(set(table.columns[table.columns.duplicated()]))
    if repeated:
        raise SchemaError(f"the table has columns of the same name: {listed(repeated)}; rename them")
    for name, column in table.items():
        held = str(column.dtype) if str(column.dtype).startswith(_NO_CELLS) else ""
        if column.dtype == object:
            held = next((type(value).__name__ for value in column.array if isinstance(value, _NESTED)), "")
        if held:
            raise SchemaError(f"column {name!r} holds {held}, neither numbers nor levels; unpack it, or leave it out")
