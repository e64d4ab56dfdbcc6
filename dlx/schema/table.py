"""The columns of a table together, and what its rows must be."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.errors import did_you_mean, listed
from dlx.schema.cells import plural, quoted
from dlx.schema.columns import Feature, SchemaError, Target, check_codes, from_entry
from dlx.schema.dtypes import refuse_strange, restored, typed
from dlx.schema.fields import conform
from dlx.schema.fields import described as fields

if TYPE_CHECKING:
    import pandas as pd


_NESTED = (list, tuple, dict, set, frozenset, bytes, bytearray, complex, np.ndarray)


@dataclass(frozen=True)
class Carried:
    """A column that is no feature, but that a model of one's own may read: it goes along unchanged with each person.

    Parameters
    ----------
    name : str
        The column's name in the table.
    position : int
        Its place among the columns of the table without the target.
    why : str
        Why it is no feature: "an id".
    """

    name: str
    position: int
    why: str = ""

    def __post_init__(self) -> None:
        conform(self, f"carried column {quoted(self.name)}", SchemaError)
        if self.position < 0:
            raise SchemaError(f"carried column {self.name!r}: position must be 0 or more, got {self.position}")


@dataclass(frozen=True)
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

    Raises
    ------
    SchemaError
        If two columns bear the same name, or there is none.
    """

    features: tuple[Feature, ...]
    target: Target = field(default_factory=lambda: Target("outcome", levels=("0", "1")))
    carried: tuple[Carried, ...] = ()

    def __post_init__(self) -> None:
        conform(self, "schema", SchemaError)
        if not self.features:
            raise SchemaError("a schema needs at least one feature")
        names = [*self.names, *(column.name for column in self.carried), self.target.name]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise SchemaError(f"columns must have different names, but these occur twice: {', '.join(map(repr, twice))}")

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

    @property
    def categorical(self) -> tuple[int, ...]:
        """Positions of the categorical features."""
        return tuple(i for i, feature in enumerate(self.features) if feature.is_categorical)

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, name: str) -> Feature:
        return self.features[self.position(name)]

    def position(self, name: str) -> int:
        """Return where a feature stands, or raise a `SchemaError` that lists the names."""
        if name not in self.names:
            raise SchemaError(f"no feature {name!r}; the features are {listed(self.names)}{did_you_mean(name, self.names)}")
        return self.names.index(name)

    def encode(self, table: pd.DataFrame) -> np.ndarray:
        """Return a table as coded rows [rows, features]: float64, categories as codes, NaN where missing.

        Raises
        ------
        SchemaError
            If a column is lacking, a level is unknown, a number is none, or a value is missing where it must not be.
        """
        refuse_odd(table)
        lacking = [name for name in self.names if name not in table.columns]
        if lacking:
            raise SchemaError(
                f"the table lacks {plural(len(lacking), 'column')}: {listed(lacking)}; it has {listed(table.columns)}"
                f"{did_you_mean(lacking[0], table.columns)}"
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
            check_codes(feature, column)
        return rows

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
        """Return the schema that `to_dict` described, or that a TOML file holds.

        Raises
        ------
        SchemaError
            If a key is not a field of `Feature` or `Target`.
        """
        if not isinstance(described, Mapping):
            raise SchemaError(f"a schema must be a table of keys and values, got {quoted(described)}")
        known = ("target", "feature", "features", "carried")
        for key in described:
            if key not in known:
                raise SchemaError(
                    f"a schema has no {quoted(key)}; it has target, feature and carried{did_you_mean(key, known)}"
                )
        if "feature" in described and "features" in described:
            raise SchemaError("a schema lists its features once: as 'feature' or as 'features'")
        if "target" not in described:
            raise SchemaError("a schema needs a target; say at least its name and its levels")
        entries = {key: described.get(key, ()) for key in known[1:]}
        for key, value in entries.items():
            if not isinstance(value, (list, tuple)):
                raise SchemaError(f"a schema lists its columns under [[{key}]], one a column; got {quoted(value)}")
        features = tuple(from_entry(Feature, entry) for entry in (*entries["feature"], *entries["features"]))
        for feature in features:
            refuse_strange(feature)
        return cls(
            features=features,
            target=from_entry(Target, described["target"]),
            carried=tuple(Carried(**fields(Carried, entry, "a carried column", SchemaError)) for entry in entries["carried"]),
        )

    @property
    def codes(self) -> list[list[Any]]:
        """What the codes of rows mean: names, kinds, units, levels and what may be missing; not the words for people."""
        return [[f.name, f.kind, f.unit, f.levels, f.ordered, f.missing] for f in self.features]

    @property
    def sha256(self) -> str:
        """Hash of what the codes of rows and outcomes mean, not of the words for people."""
        target = [self.target.name, self.target.kind, self.target.levels]
        return hashlib.sha256(json.dumps([self.codes, target]).encode()).hexdigest()


def refuse_odd(table: pd.DataFrame) -> None:
    """Raise a `SchemaError` if a table's columns have no names of one text each, or hold lists, tables or bytes."""
    import pandas as pd

    if not isinstance(table, pd.DataFrame):
        raise SchemaError(f"a table must be a pandas DataFrame, got {type(table).__name__}")
    for name in table.columns:
        if not isinstance(name, str) or not name:
            several = " of several levels" if isinstance(name, tuple) else ""
            raise SchemaError(f"column names must be text, got {name!r}{several}; rename the columns")
    repeated = sorted(set(table.columns[table.columns.duplicated()]))
    if repeated:
        raise SchemaError(f"the table has columns of the same name: {listed(repeated)}; rename them")
    for name in table.columns:
        held = _no_cell(table[name])
        if held:
            raise SchemaError(f"column {name!r} holds {held}, neither numbers nor levels; unpack it, or leave it out")


def _no_cell(column: pd.Series) -> str:
    """Return what a column holds that is no single value: "list"; empty where it holds single ones."""
    if column.dtype == object:
        return next((type(value).__name__ for value in column.array if isinstance(value, _NESTED)), "")
    dtype = str(column.dtype)
    return dtype if dtype.startswith(("complex", "list<", "large_list<", "fixed_size", "struct<", "map<", "binary")) else ""
