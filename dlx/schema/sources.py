"""Where a schema comes from: a TOML file, or the table itself."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from dlx.schema.columns import Feature, SchemaError, Target, level_text
from dlx.schema.dtypes import typed
from dlx.schema.table import Schema, refuse_repeated

if TYPE_CHECKING:
    import pandas as pd

MAX_INFERRED_CLASSES = 20


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
    schema = Schema.from_dict(described)
    for feature in schema.features:
        if feature.protected and feature.actionable:
            raise SchemaError(
                f"{path}: {feature.name!r} is protected and actionable, but nobody is told to change what the law protects; "
                "drop one of the two"
            )
    for name in schema.target.fairness_by:
        if name not in schema.names:
            raise SchemaError(
                f"{path}: fairness_by names {name!r}, which is no feature; the features are {', '.join(schema.names)}"
            )
        if not schema[name].protected:
            raise SchemaError(f"{path}: fairness_by names {name!r}, which is not protected; set protected = true for it")
    return schema


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
    refuse_repeated(table)
    if target not in table.columns:
        raise SchemaError(f"the table has no column {target!r}; it has {', '.join(map(str, table.columns))}")
    features = tuple(_infer_feature(str(name), table[name]) for name in table.columns if name != target)
    return Schema(features=features, target=_infer_target(target, table[target], positive))


def _infer_feature(name: str, column: pd.Series) -> Feature:
    import pandas as pd

    if column.isna().all():
        raise SchemaError(f"column {name!r} has no value at all; leave it out")
    missing = bool(column.isna().any())
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return typed(Feature(name, kind="numeric", missing=missing), column)
    levels = _sorted_levels(column)
    if len(levels) > max(MAX_INFERRED_CLASSES, len(column) // 2):
        raise SchemaError(
            f"column {name!r} is text with {len(levels)} different values in {len(column)} rows: an id, a date or free text; "
            "leave it out, or describe it in a schema"
        )
    ordered = bool(getattr(column.dtype, "ordered", False))
    return typed(Feature(name, kind="categorical", levels=levels, ordered=ordered, missing=missing), column)


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
    """Return the levels in sorted order; pandas' categories in theirs, those that no row has too."""
    import pandas as pd

    if isinstance(column.dtype, pd.CategoricalDtype):
        return tuple(map(level_text, column.dtype.categories))
    values = column.dropna().unique().tolist()
    try:
        return tuple(level_text(value) for value in sorted(values))
    except TypeError:
        return tuple(sorted(map(level_text, values)))
