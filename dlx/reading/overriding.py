"""What is asked for beside a schema, or beside what a table suggests: it has the last word, and what it changed is noted."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from dlx.errors import did_you_mean, listed
from dlx.reading.cells import Opened
from dlx.reading.tables import as_they_look, refuse_lacking
from dlx.schema import Carried, Feature, Schema, SchemaError, Target
from dlx.schema.cells import same_level
from dlx.schema.inference import infer_feature, infer_target, refuse_texts

LEFT_OUT, ID = "left out, as asked for", "an id, as asked for"
WEIGHTS = "weights of rows"


def aside(drop: Collection[str], ids: Collection[str], weights: str | None) -> dict[str, str]:
    """Return why each column that was asked to be no feature is none."""
    refuse_texts(drop=drop, ids=ids)
    return dict.fromkeys(drop, LEFT_OUT) | dict.fromkeys(ids, ID) | ({weights: WEIGHTS} if weights else {})


def with_meanings(
    schema: Schema, special: Mapping[str, Mapping[Any, str]], protected: Collection[str], weights: str | None
) -> Schema:
    """Return a schema with special values, by column, with columns protected, and with the column that weighs rows."""
    for name in (*special, *protected):
        schema.position(name)  # or an error that lists the features
    features = []
    for feature in schema.features:
        if feature.name in special:
            feature = dataclasses.replace(feature, special={**feature.special, **special[feature.name]})
        if feature.name in protected:
            feature = dataclasses.replace(feature, protected=True, actionable=False)
        features.append(feature)
    return dataclasses.replace(schema, features=tuple(features), weights=weights or schema.weights)


def overridden(
    schema: Schema,
    opened: Opened,
    *,
    target: str | None = None,
    positive: str | None = None,
    keep: Collection[str] = (),
    categorical: Collection[str] = (),
    aside: Mapping[str, str],
    split: str | None = None,
    missing: Collection[str] | None = None,
) -> Schema:
    """Return a schema with another target, positive outcome, features or split, as they were asked for; itself where none was.

    What the schema does not know of a column is what the table suggests.
    """
    if not any((target, positive, keep, categorical, aside, split)):
        return schema
    outcome, names = target or schema.target.name, [*keep, *categorical]
    refuse_lacking([outcome, *names, *aside], opened)
    if twice := sorted(({*names} & {outcome, *aside}) | ({outcome} & {*aside})):
        raise SchemaError(f"{twice[0]!r} is asked for as two things at once; leave out one")
    is_other = outcome != schema.target.name
    wanted = [name for name in names if name not in schema.names or name in categorical]
    looks = as_they_look(opened, [*wanted, *[outcome] * is_other], levels=categorical, missing=missing)
    made = {name: infer_feature(looks[name], levels=True if name in categorical else None) for name in wanted}
    new = infer_target(looks[outcome], positive) if is_other else _with_positive(schema.target, positive)
    kept = [_of_kind(f, made.pop(f.name, f)) for f in schema.features if f.name not in aside and f.name != outcome]
    features = (*kept, *made.values())
    left = {feature.name for feature in features}
    features = tuple(dataclasses.replace(f, derived_from=tuple(n for n in f.derived_from if n in left)) for f in features)
    new = dataclasses.replace(new, fairness_by=tuple(name for name in new.fairness_by if name in left))
    why = {column.name: column.why for column in schema.carried} | dict(aside)
    why |= {schema.target.name: "the target that the schema names"} if is_other else {}
    others = enumerate(name for name in opened.names if name != outcome)
    carried = tuple(Carried(name, i, why.get(name, "not in the schema")) for i, name in others if name not in left)
    if not features:
        raise SchemaError("no column of the schema is left to learn from; leave out fewer")
    return Schema(features, new, carried, split or schema.split, schema.weights, schema.accepted)


def _of_kind(said: Feature, made: Feature) -> Feature:
    """Return a feature of the schema, or as it was made of the table, with the words of the former."""
    if said is made:
        return said
    return dataclasses.replace(made, label=said.label, protected=said.protected, description=said.description)


def _with_positive(target: Target, positive: str | None) -> Target:
    """Return a target whose positive outcome is the one that was asked for; words for the other one are left out."""
    if positive is None or positive in (*target.levels[-1:], *target.level_labels[-1:]):
        return target
    pairs = list(zip(target.levels, target.level_labels, strict=True))
    found = [pair for pair in pairs if same_level(pair[0]) == same_level(positive) or pair[1] == positive]
    if not found:
        known = listed(map(repr, target.levels)) or "none, as it is a regression"
        raise SchemaError(
            f"the target {target.name!r} has no outcome {positive!r}; it has {known}{did_you_mean(positive, target.levels)}"
        )
    levels, labels = zip(*(pair for pair in pairs if pair != found[0]), found[0], strict=True)
    same: dict[str, Any] = {"label": target.label, "person": target.person, "past": target.past}
    same["fairness_by"] = target.fairness_by
    return Target(target.name, target.kind, levels, labels, **same)


def differences(before: Schema, after: Schema) -> dict[str, list[str]]:
    """Return what a schema that was overridden says no longer, by column."""
    notes: dict[str, list[str]] = {}
    if after.target.name != before.target.name:
        notes[after.target.name] = [f"the target, as asked for, in place of the schema's {before.target.name!r}"]
    elif after.target.positive != before.target.positive:
        words = f"positive is {after.target.positive!r}, as asked for, in place of the schema's {before.target.positive!r}"
        notes[after.target.name] = [f"{words}, whose words and threshold are left out"]
    for feature in after.features:
        if feature.name not in before.names:
            notes[feature.name] = ["a feature, as asked for beside the schema"]
            continue
        said = before[feature.name]
        differ = {"levels": feature.kind != said.kind, "special values": feature.special != said.special}
        differ["protected"] = feature.protected != said.protected
        if asked := [word for word, is_other in differ.items() if is_other]:
            notes[feature.name] = [f"{', '.join(asked)}, as asked for beside the schema"]
    return notes
