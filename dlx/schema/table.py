"""The columns of a table together, and what its rows must be."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.schema.columns import Feature, SchemaError, Target, check_codes, from_entry, plural
from dlx.schema.dtypes import restored, typed

if TYPE_CHECKING:
    import pandas as pd


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
            raise SchemaError(f"no feature {name!r}; the features are {', '.join(self.names)}")
        return self.names.index(name)

    def encode(self, table: pd.DataFrame) -> np.ndarray:
        """Return a table as coded rows [rows, features]: float64, categories as codes, NaN where missing.

        Raises
        ------
        SchemaError
            If a column is lacking, a level is unknown, a number is none, or a value is missing where it must not be.
        """
        refuse_repeated(table)
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
            features=tuple(from_entry(Feature, entry) for entry in features),
            target=from_entry(Target, described["target"]),
            carried=tuple(Carried(**entry) for entry in described.get("carried", ())),
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


def refuse_repeated(table: pd.DataFrame) -> None:
    """Raise a `SchemaError` if two columns of a table bear the same name."""
    repeated = sorted({str(name) for name in table.columns[table.columns.duplicated()]})
    if repeated:
        raise SchemaError(f"the table has columns of the same name: {', '.join(repeated)}; rename them")
