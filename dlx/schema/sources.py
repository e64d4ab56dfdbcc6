"""A schema from a TOML file."""

from __future__ import annotations

import tomllib
from pathlib import Path

from dlx.errors import did_you_mean, listed
from dlx.schema.columns import SchemaError
from dlx.schema.table import Schema


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
        described = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise SchemaError(f"cannot read the schema {path}: {error}") from error
    if "target" not in described:
        raise SchemaError(f"{path} has no [target]; say at least its name and its levels")
    try:
        schema = Schema.from_dict(described)
    except SchemaError as error:
        raise SchemaError(f"{path}: {error}") from error
    for feature in schema.features:
        if feature.protected and feature.actionable:
            raise SchemaError(
                f"{path}: {feature.name!r} is protected and actionable, but nobody is told to change what the law protects; "
                "drop one of the two"
            )
        for name in feature.derived_from:
            if name not in schema.names or name == feature.name:
                raise SchemaError(f"{path}: {feature.name!r} is derived from {name!r}, which is no other feature")
    for name in schema.target.fairness_by:
        if name not in schema.names:
            raise SchemaError(
                f"{path}: fairness_by names {name!r}, which is no feature; the features are {listed(schema.names)}"
                f"{did_you_mean(name, schema.names)}"
            )
        if not schema[name].protected:
            raise SchemaError(f"{path}: fairness_by names {name!r}, which is not protected; set protected = true for it")
    return schema
