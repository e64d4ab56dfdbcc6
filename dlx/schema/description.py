"""Schemas from a TOML file, or from the plain lists, strings and numbers that JSON holds."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlx.errors import did_you_mean, listed, quoted
from dlx.schema.dtypes import refuse_strange
from dlx.schema.features import Feature, SchemaError
from dlx.schema.fields import described
from dlx.schema.table import Carried, Schema, Target

KEYS = ("target", "feature", "features", "carried", "split", "weights", "accepted")
LISTS = ("feature", "features", "carried")


def read_schema(path: str | Path) -> Schema:
    """Return the schema that a TOML file describes: ``[target]`` and one ``[[feature]]`` a column.

    `dlx schema --help` lists the keys. What stands under ``[card]`` is the page's: `dlx.read_table` reads it along.
    ``split = "time:issued"`` stands above them where rows are not split at random. ``levels`` are strings, or pairs of the
    table's spelling and the words that people read.

    Raises
    ------
    SchemaError
        If the file is no TOML, has no target, or names something that a schema does not have.
    """
    return read_described(path)[0]


def read_described(path: str | Path) -> tuple[Schema, Mapping[str, Any]]:
    """Return the schema that a TOML file describes, and what stands under its ``[card]``; see `read_schema`."""
    try:
        said = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise SchemaError(f"cannot read the schema {path}: {error}") from error
    try:
        card = said.pop("card", {})
        schema = schema_of(said)
        for fault in _contradictions(schema):
            raise SchemaError(fault)
    except SchemaError as error:
        raise SchemaError(f"{path}: {error}") from error
    return schema, card


def _contradictions(schema: Schema) -> Iterator[str]:
    """Yield where a column that a schema names is none, or what the law protects is for people to change."""
    for feature in schema.features:
        if feature.protected and feature.actionable:
            yield (
                f"{feature.name!r} is protected and actionable, but nobody is told to change what the law protects; "
                "drop one of the two"
            )
        for name in feature.derived_from:
            if name not in schema.names or name == feature.name:
                near = did_you_mean(name, [other for other in schema.names if other != feature.name])
                yield f"{feature.name!r} is derived from {name!r}, which is no other feature{near}"
    for name in schema.target.fairness_by:
        if name not in schema.names:
            near = did_you_mean(name, schema.names)
            yield f"fairness_by names {name!r}, which is no feature; the features are {listed(schema.names)}{near}"
        elif not schema[name].protected:
            yield f"fairness_by names {name!r}, which is not protected; set protected = true for it"


def schema_of(said: Mapping[str, Any]) -> Schema:
    """Return the schema that a mapping describes, or raise where it names something that a schema does not have."""
    if not isinstance(said, Mapping):
        raise SchemaError(f"a schema must be a table of keys and values, got {quoted(said)}")
    if "target" not in said:
        raise SchemaError("a schema has no [target]; say at least its name and its levels")
    for key, value in said.items():
        if key not in KEYS:
            known = listed(one for one in KEYS if one != "features")
            raise SchemaError(f"a schema has no {quoted(key)}; it has {known}{did_you_mean(key, KEYS)}")
        if key in LISTS and not isinstance(value, (list, tuple)):
            raise SchemaError(f"a schema lists its columns under [[{key}]], one a column; got {quoted(value)}")
    if "feature" in said and "features" in said:
        raise SchemaError("a schema lists its features once: as 'feature' or as 'features'")
    features = tuple(_made(Feature, entry) for entry in said.get("feature", said.get("features", ())))
    for feature in features:
        refuse_strange(feature)
    carried = (Carried(**described(Carried, entry, "a carried column", SchemaError)) for entry in said.get("carried", ()))
    whole = {key: said[key] for key in ("split", "weights", "accepted") if key in said}
    return Schema(features, _made(Target, said["target"]), tuple(carried), **whole)


def _made(kind: type, entry: Any) -> Any:
    """Return a Feature or a Target from plain fields; a field that does not exist is an error."""
    if not isinstance(entry, Mapping):
        where = "says its target under [target]" if kind is Target else "lists its features under [[feature]], one a column"
        raise SchemaError(f"a schema {where}; got {quoted(entry)}")
    if not entry.get("name"):
        raise SchemaError(f"a {kind.__name__} needs a name, got {quoted(dict(entry))}")
    if kind is Target and "positive" in entry:
        raise SchemaError(f"Target {entry['name']!r} has no field 'positive'; the positive outcome is the last of 'levels'")
    if kind is Target:
        entry = _with_threshold(entry)
    fields = described(kind, entry, f"{kind.__name__} {quoted(entry['name'])}", SchemaError)
    bounds = fields.get("bounds")
    if isinstance(bounds, (list, tuple)) and len(bounds) == 2 and None in bounds:  # JSON holds no infinity
        ends = zip(bounds, (-np.inf, np.inf), strict=True)
        fields["bounds"] = tuple(end if bound is None else bound for bound, end in ends)
    return kind(**fields | _levels_and_labels(fields))


def _levels_and_labels(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return levels and their labels apart where they are given as pairs."""
    levels, name = fields.get("levels", ()), fields["name"]
    if not isinstance(levels, (list, tuple)):
        return {}  # the type check says what levels are
    pairs = [level for level in levels if isinstance(level, (list, tuple))]
    for one in itertools.chain(*(level if level in pairs else [level] for level in levels)):
        if not isinstance(one, str):
            raise SchemaError(f"levels of {name!r} must be strings as the table spells them, got {quoted(one)}")
    if not pairs:
        return {}
    if len(pairs) < len(levels) or any(len(pair) != 2 for pair in pairs):
        raise SchemaError(f"levels of {name!r} must be all strings or all pairs of a level and its label")
    if fields.get("level_labels"):
        raise SchemaError(f"{name!r} gives labels in its levels and in level_labels; leave out one of the two")
    return dict(zip(("levels", "level_labels"), zip(*pairs, strict=True), strict=True))


def _with_threshold(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return a target's fields with the threshold at which the costs of both errors are the same, where costs are given."""
    if "costs" not in entry:
        return dict(entry)
    fields, costs = {key: value for key, value in entry.items() if key != "costs"}, entry["costs"]
    are_two = isinstance(costs, Mapping) and set(costs) == {"false_alarm", "miss"}
    if not are_two or not all(type(cost) in (int, float) and 0 < cost < np.inf for cost in costs.values()):
        raise SchemaError(f"costs are two numbers above 0, {{ false_alarm = 1, miss = 5 }}, got {quoted(costs)}")
    if "threshold" in fields:
        raise SchemaError("a target has a threshold or costs, which say it; leave out one of the two")
    false_alarm, miss = costs["false_alarm"], costs["miss"]
    why = f"a false alarm costs {false_alarm:g} and a miss {miss:g}, so that both cost the same at this risk"
    return {"threshold_reason": why} | fields | {"threshold": false_alarm / (false_alarm + miss)}
