"""What the columns of a table mean: features, the target, and the checks that rows must pass."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dlx.errors import DlxError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

Kind = Literal["numeric", "categorical"]
TargetKind = Literal["binary", "multiclass", "regression"]

MAX_INFERRED_CLASSES = 20


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
    reason : str
        The words of an adverse reason, for example ``"Length of employment"``.
    description : str
        One sentence for the reader who does not know the column.
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
    reason: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        if self.kind not in ("numeric", "categorical"):
            raise SchemaError(f"feature {self.name!r}: kind must be 'numeric' or 'categorical', got {self.kind!r}")
        if self.is_categorical and not self.levels:
            raise SchemaError(f"feature {self.name!r} is categorical and has no levels; list them in 'levels'")
        if len(set(self.levels)) != len(self.levels):
            raise SchemaError(f"feature {self.name!r} names a level twice: {list(self.levels)}")
        if self.level_labels and len(self.level_labels) != len(self.levels):
            raise SchemaError(f"feature {self.name!r} has {len(self.levels)} levels and {len(self.level_labels)} level_labels")
        object.__setattr__(self, "label", self.label or self.name)
        object.__setattr__(self, "level_labels", self.level_labels or self.levels)
        object.__setattr__(self, "reason", self.reason or self.label)

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
        Where the threshold comes from.
    adverse_action : bool
        Whether flagging a person is an act whose reasons the law regulates (a denied loan); protected attributes are
        then never printed as a reason.
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
    threshold: float = 0.5
    threshold_reason: str = "one half, as nothing else was stated"
    adverse_action: bool = False

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

    @property
    def positive(self) -> str:
        """The label of the positive outcome; the target's own label for a regression."""
        return self.level_labels[-1] if self.levels else self.label

    def encode(self, column: pd.Series) -> np.ndarray:
        """Return outcomes [rows] as float64: 0 or 1, the class's position, or the value itself."""
        as_feature = Feature(self.name, kind="numeric" if self.kind == "regression" else "categorical", levels=self.levels)
        return as_feature.encode(column)


@dataclass(frozen=True)
class Schema:
    """The features of a table, in order, and its target.

    Raises
    ------
    SchemaError
        If two columns bear the same name, or there is none.
    """

    features: tuple[Feature, ...]
    target: Target = field(default_factory=lambda: Target("outcome", levels=("0", "1")))

    def __post_init__(self) -> None:
        if not self.features:
            raise SchemaError("a schema needs at least one feature")
        names = [*self.names, self.target.name]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SchemaError(f"columns must have different names, but these occur twice: {', '.join(map(repr, twice))}")

    @property
    def names(self) -> tuple[str, ...]:
        """Column names of the features."""
        return tuple(feature.name for feature in self.features)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the features that people read."""
        return tuple(feature.label for feature in self.features)

    @property
    def categorical(self) -> tuple[int, ...]:
        """Positions of the categorical features."""
        return tuple(i for i, feature in enumerate(self.features) if feature.is_categorical)

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, name: str) -> Feature:
        return self.features[self.position(name)]

    def position(self, name: str) -> int:
        """Return where a feature stands, or raise a `KeyError` that lists the names."""
        if name not in self.names:
            raise SchemaError(f"no feature {name!r}; the features are {', '.join(self.names)}")
        return self.names.index(name)

    def encode(self, table: pd.DataFrame) -> np.ndarray:
        """Return a table as coded rows [rows, features]: float64, categories as codes, NaN where missing.

        Raises
        ------
        SchemaError
            If a column is lacking, a level is unknown, a number is none, or a value is missing where it must not be.
        """
        _refuse_repeated(table)
        lacking = [name for name in self.names if name not in table.columns]
        if lacking:
            raise SchemaError(
                f"the table lacks {plural(len(lacking), 'column')}: {', '.join(lacking)}; "
                f"it has {', '.join(map(str, table.columns))}"
            )
        return np.column_stack([feature.encode(table[feature.name]) for feature in self.features])

    def check(self, rows: np.ndarray) -> np.ndarray:
        """Return coded rows as float64 [rows, features] after checking shape, codes and missing values.

        Raises
        ------
        SchemaError
            If the rows do not have one column a feature, or a code or a number is out of the schema.
        """
        rows = np.asarray(rows, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(self):
            raise SchemaError(f"rows must be [rows, {len(self)}], one column a feature; got shape {list(rows.shape)}")
        for column, feature in zip(rows.T, self.features, strict=True):
            _check_codes(feature, column)
        return rows

    def decode(self, rows: np.ndarray, index: Iterable[Any] | None = None) -> pd.DataFrame:
        """Return coded rows [rows, features] as a table with the levels as they are spelled in the data."""
        import pandas as pd

        columns = {}
        for column, feature in zip(np.asarray(rows).T, self.features, strict=True):
            if feature.is_categorical:
                levels = np.array([*feature.levels, None], dtype=object)
                columns[feature.name] = levels[np.where(np.isnan(column), len(feature.levels), column).astype(int)]
            else:
                columns[feature.name] = column
        return pd.DataFrame(columns, index=None if index is None else list(index))

    def to_dict(self) -> dict[str, Any]:
        """Return the schema as plain lists, strings and numbers."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, described: Mapping[str, Any]) -> Schema:
        """Return the schema that `to_dict` described, or that a TOML file holds.

        Raises
        ------
        SchemaError
            If a key is not a field of `Feature` or `Target`.
        """
        features = described.get("features", described.get("feature", ()))
        return cls(
            features=tuple(_build(Feature, entry) for entry in features),
            target=_build(Target, described["target"]),
        )

    @property
    def sha256(self) -> str:
        """Hash of what the codes mean: names, kinds, units, levels and what may be missing; not of the words for people."""
        meaning = [[f.name, f.kind, f.unit, f.levels, f.ordered, f.missing] for f in self.features]
        target = [self.target.name, self.target.kind, self.target.levels]
        return hashlib.sha256(json.dumps([meaning, target]).encode()).hexdigest()


def read_schema(path: str | Path) -> Schema:
    """Return the schema that a TOML file describes: ``[target]`` and one ``[[feature]]`` a column.

    Parameters
    ----------
    path : str or Path
        The file. ``levels`` are strings, or pairs of the table's spelling and the words that people read.

    Raises
    ------
    SchemaError
        If the file is no TOML, has no target, or names something that a schema does not have.
    """
    try:
        described = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SchemaError(f"cannot read the schema {path}: {error}") from error
    if "target" not in described:
        raise SchemaError(f"{path} has no [target]; say at least its name and its levels")
    return Schema.from_dict(described)


def infer_schema(table: pd.DataFrame, target: str, *, positive: str | None = None) -> Schema:
    """Return the schema that a table suggests: numbers are numeric, everything else is categorical.

    Parameters
    ----------
    table : DataFrame [rows, features + 1]
        The data with the target.
    target : str
        Name of the target column.
    positive : str, optional
        The positive outcome of a binary target; the last level in sorted order by default.

    Raises
    ------
    SchemaError
        If the target is not in the table, has fewer than two values or no level `positive`.
    """
    _refuse_repeated(table)
    if target not in table.columns:
        raise SchemaError(f"the table has no column {target!r}; it has {', '.join(map(str, table.columns))}")
    features = tuple(_infer_feature(str(name), table[name]) for name in table.columns if name != target)
    return Schema(features=features, target=_infer_target(target, table[target], positive))


def level_text(value: Any) -> str:
    """Return how a cell is spelled as a level: 1, 1.0 and "1" are the same."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: "1 row", "2 rows"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _refuse_repeated(table: pd.DataFrame) -> None:
    repeated = sorted({str(name) for name in table.columns[table.columns.duplicated()]})
    if repeated:
        raise SchemaError(f"the table has columns of the same name: {', '.join(repeated)}; rename them")


def _build(kind: type, entry: Mapping[str, Any]) -> Any:
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


def _check_codes(feature: Feature, column: np.ndarray) -> None:
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


def _infer_feature(name: str, column: pd.Series) -> Feature:
    import pandas as pd

    if column.isna().all():
        raise SchemaError(f"column {name!r} has no value at all; leave it out")
    missing = bool(column.isna().any())
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return Feature(name, kind="numeric", missing=missing)
    return Feature(name, kind="categorical", levels=_sorted_levels(column), missing=missing)


def _infer_target(name: str, column: pd.Series, positive: str | None) -> Target:
    import pandas as pd

    values = column.dropna().unique()
    if len(values) < 2:
        raise SchemaError(f"target {name!r} must have at least 2 different values, got {len(values)}")
    if len(values) > MAX_INFERRED_CLASSES and pd.api.types.is_numeric_dtype(column):
        return Target(name, kind="regression")
    levels = _sorted_levels(column)
    if positive is not None:
        if positive not in levels:
            raise SchemaError(f"target {name!r} has no level {positive!r}; it has {', '.join(map(repr, levels))}")
        levels = (*(level for level in levels if level != positive), positive)
    return Target(name, kind="binary" if len(levels) == 2 else "multiclass", levels=levels)


def _sorted_levels(column: pd.Series) -> tuple[str, ...]:
    values = column.dropna().unique().tolist()
    try:
        return tuple(level_text(value) for value in sorted(values))
    except TypeError:
        return tuple(sorted(map(level_text, values)))
