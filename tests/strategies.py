"""Strategies of Hypothesis for the doors: tables as files with their truth, schemas, values of TOML, fitted estimators."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math

from doors.estimators import any_estimator
from doors.faults import any_table
from hypothesis import strategies as st

from dlx.schema import Feature, Schema, Target

LETTERS = st.characters(codec="utf-8", max_codepoint=0xFFFF)  # JSON and TOML escape these alike
NAMES = st.text(LETTERS, min_size=1, max_size=12).filter(str.strip)


def different(count: int) -> st.SearchStrategy:
    """Return so many different texts, plain ones where chance would repeat itself."""
    plain = [f"other {i}" for i in range(count)]
    return st.lists(NAMES, max_size=count).map(lambda drawn: tuple(dict.fromkeys([*drawn, *plain]))[:count])


def tables() -> st.SearchStrategy:
    """Return tables as people send them, one in ten with a fault; see experiments/doors."""
    return st.randoms(use_true_random=False).map(any_table)


def estimators() -> st.SearchStrategy:
    """Return fitted estimators of scikit-learn, XGBoost and LightGBM, with their own predict; see experiments/doors."""
    return st.randoms(use_true_random=False).map(any_estimator)


def toml_values() -> st.SearchStrategy:
    """Return whatever a TOML file holds for a key."""
    texts = st.sampled_from(["no", "yes", "true", "false", "0", ""]) | NAMES
    plain = st.booleans() | st.integers() | st.floats() | texts | st.dates() | st.times() | st.datetimes()
    nested = st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=2))
    return nested


@st.composite
def schemas(draw) -> Schema:
    """Return schemas of a few features of both kinds, with the words of the user."""
    names = draw(st.integers(2, 5).flatmap(different))
    return Schema(tuple(draw(_feature(name)) for name in names[1:]), draw(_target(names[0])))


@st.composite
def _feature(draw, name: str) -> Feature:
    missing, protected = draw(st.booleans()), draw(st.booleans())
    said = {"label": draw(NAMES), "missing": missing, "protected": protected, "description": draw(NAMES)}
    if draw(st.booleans()):
        levels = draw(st.integers(1, 4).flatmap(different))
        forbidden = draw(st.lists(st.tuples(st.sampled_from(levels), st.sampled_from(levels)), max_size=2))
        return Feature(name, "categorical", levels=levels, ordered=draw(st.booleans()), forbidden=tuple(forbidden), **said)
    codes = draw(st.lists(st.sampled_from(["-9", "-8.5", "0", "999", "1e6"]), max_size=2, unique=True))
    meanings = draw(different(len(codes)).filter(lambda words: "missing" not in words))
    cuts = draw(st.lists(st.integers(-9, 9), max_size=2, unique=True).map(sorted))
    bounds = draw(st.sampled_from([(), (-1.5, 9), (5, math.inf), (-math.inf, 5), (-math.inf, math.inf)]))
    return Feature(
        name, unit=draw(NAMES), cuts=tuple(cuts), bounds=bounds, special=dict(zip(codes, meanings, strict=True)), **said
    )


@st.composite
def _target(draw, name: str) -> Target:
    kind = draw(st.sampled_from(["binary", "multiclass", "regression"]))
    count = {"binary": 2, "multiclass": 3, "regression": 0}[kind]
    return Target(name, kind, levels=draw(different(count)), threshold=draw(st.floats(0.01, 0.99)))


@st.composite
def schema_files(draw) -> tuple[dict, dict, str]:
    """Return what a schema file holds as plain values, and the entry and the key of it that hold whatever TOML can."""
    schema = draw(schemas())
    described = {"target": _given(schema.target), "feature": [_given(feature) for feature in schema.features]}
    kind, entry = draw(st.sampled_from([(Target, described["target"]), (Feature, described["feature"][0])]))
    key = draw(st.sampled_from([field.name for field in dataclasses.fields(kind)]))
    entry[key] = draw(toml_values())
    return described, entry, key


def _given(part: Feature | Target) -> dict:
    """Return the fields that differ from their defaults."""
    default = {field.name: field.default for field in dataclasses.fields(part)}
    said = {name: value for name, value in dataclasses.asdict(part).items() if value != default[name]}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}


def toml(described: dict) -> str:
    """Return a target and features as a TOML file."""
    lines = ["[target]", *(f"{key} = {_spelled(value)}" for key, value in described["target"].items())]
    for feature in described["feature"]:
        lines += ["[[feature]]", *(f"{key} = {_spelled(value)}" for key, value in feature.items())]
    return "\n".join(lines)


def _spelled(value) -> str:
    """Return a value as TOML spells it."""
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_spelled, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_spelled(one)}" for key, one in value.items()) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, str):
        return json.dumps(value).replace("\x7f", "\\u007f")
    return str(value)
