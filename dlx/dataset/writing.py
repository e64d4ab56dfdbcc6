"""A schema as a TOML file that people edit: every key explained, what was guessed marked so, and read back as what it was."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import textwrap
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from dlx.dataset.rows import Card, Dataset
from dlx.errors import listed
from dlx.schema import Carried, Feature, Schema, SchemaError, Target
from dlx.schema.table import RANDOM

WIDTH, FEW = 110, 12  # characters of a line of comments, levels that are counted in one
GUESSED = "guessed"
ALWAYS = ("name", "kind", "levels")  # keys that are written although they are what is the case without them
TITLES = {"card": Card, "target": Target, "feature": Feature, "carried": Carried}
TYPES = {"tuple of": "list of", "str": "text", "bool": "true or false", "float": "number", "int": "whole number"}


class Key(NamedTuple):
    """Keys of a schema file that are explained together: under which header they stand, their names and types."""

    header: str  # "feature"; empty for what stands above all headers
    names: str  # "label, name"
    kind: str
    says: str


ACCEPTED = Key(
    "accepted",
    "FINDING",
    "text",
    "What dlx check found and a person decided to be no fault, as it tells, and why: "
    '"leak: income" = "known before the loan is granted". At the end of the file.',
)
COSTS = Key("target", "costs", "table", "In place of a threshold, what both errors cost: { false_alarm = 1, miss = 5 }.")


def keys() -> list[Key]:
    """Return every key that a schema file may have, in order, as the classes document them that it describes."""
    above = [key for key in _documented("", Schema) if key.names in ("split", "weights")]
    of_headers = {header: list(_documented(header, kind)) for header, kind in TITLES.items()}
    return [*above, *of_headers["card"], *of_headers["target"], COSTS, *of_headers["feature"], *of_headers["carried"], ACCEPTED]


def _documented(header: str, kind: type) -> Iterator[Key]:
    """Yield the parameters of a class, as its docstring has them in numpydoc's form, one key each."""
    lines = (inspect.getdoc(kind) or "").partition("----------\n")[2].splitlines()
    starts = [i for i, line in enumerate(lines) if line.strip() and not line.startswith(" ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        names, _, type_ = lines[start].partition(" : ")
        for python, word in TYPES.items():
            type_ = re.sub(rf"\b{python}\b", word, type_.strip("{}"))
        says = " ".join(line.strip() for line in lines[start + 1 : end]).strip().replace("`", "")
        yield Key(header, names, type_, says)


def schema_text(case: Dataset, *, command: str = "", stated: Mapping[str, Collection[str]] | None = None) -> str:
    """Return the schema and the card of a case as TOML.

    Parameters
    ----------
    case : Dataset
        A table with its schema. What a column holds is told in a comment.
    command : str
        What wrote it, for the first line.
    stated : mapping of str to collection of str, optional
        By column, the keys that somebody stated; all others were guessed from the table. None says that nothing was guessed.
    """
    schema, parts = case.schema, [_introduction(case, command, is_guessed=stated is not None)]
    above = {"split": schema.split, "weights": schema.weights}
    parts.append("\n".join(f"{key} = {_value(value)}" for key, value in above.items() if value not in ("", RANDOM)))
    if case.card != Card():
        parts.append(_entry("[card]", case.card, (), {}))
    known = {name: set(some) for name, some in (stated or {}).items()}

    def marks(described: Feature | Target) -> dict[str, str]:
        names = [field.name for field in dataclasses.fields(described) if field.name != "name"]
        return {} if stated is None else dict.fromkeys(set(names) - known.get(described.name, set()), GUESSED)

    parts.append(_entry("[target]", schema.target, _outcomes(case), marks(schema.target)))
    columns = zip(schema.features, case.rows.T, strict=True)
    parts += [_entry("[[feature]]", feature, _values(feature, column), marks(feature)) for feature, column in columns]
    parts += [_entry("[[carried]]", column, (), {}) for column in schema.carried]
    accepted = [f"{_value(finding)} = {_value(why)}" for finding, why in schema.accepted.items()]
    parts += ["\n".join(["[accepted]", *accepted])] if accepted else []
    return "\n\n".join(filter(None, parts)) + "\n"


def _introduction(case: Dataset, command: str, *, is_guessed: bool) -> str:
    """Return the comment above all: where the file comes from, and every key with what it says."""
    origin = f"What dlx takes the columns of {case.source or case.name} for" + (f", by: {command}" if command else "")
    lines = [
        *_wrapped(origin),
        "Edit it, then pass it back: --schema THIS_FILE; options of the command line have the last word.",
    ]
    if is_guessed:
        lines.append(f'Where "{GUESSED}" stands, nobody said so, and the table suggests it: please check it.')
    header = None
    for key in keys():
        if key.header != header:
            header = key.header
            many = header in ("feature", "carried")
            lines += ["", f"[[{header}]], one a column:" if many else f"[{header}]:" if header else "Above all headers:"]
        lines += _wrapped(f"{key.names}{f' ({key.kind})' if key.kind else ''}: {key.says}", hanging="    ")
    return "\n".join(f"# {_printable(line)}".rstrip() for line in lines)


def _wrapped(text: str, hanging: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=hanging[:2], subsequent_indent=hanging, break_long_words=False) or [""]


def _entry(header: str, described: Any, facts: Collection[str], marks: Mapping[str, str]) -> str:
    """Return a header with the keys that make the described thing what it is, and facts of it as comments."""
    held = {field.name: getattr(described, field.name) for field in dataclasses.fields(described)}
    needed = _needed(type(described), held)
    if needed.get("level_labels"):
        needed["levels"] = tuple(zip(needed["levels"], needed.pop("level_labels"), strict=True))
    lines = [f"{key} = {_value(value)}" + (f"  # {marks[key]}" if key in marks else "") for key, value in needed.items()]
    return "\n".join([header, *(f"# {_printable(fact)}" for fact in facts), *lines])


def _needed(kind: type, held: dict[str, Any]) -> dict[str, Any]:
    """Return the fields without those that are the same where they are left out."""
    whole, needed = kind(**held), dict(held)
    for key in [key for key in held if key not in ALWAYS]:
        less = {name: value for name, value in needed.items() if name != key}
        try:
            is_same = kind(**less) == whole
        except (SchemaError, TypeError):  # a key that the others need
            continue
        needed = less if is_same else needed
    return {key: value for key, value in needed.items() if key != "levels" or value}


def _value(value: Any) -> str:
    """Return a plain value as TOML spells it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_value(str(key))} = {_value(one)}" for key, one in value.items()) + " }" if value else "{}"
    if isinstance(value, (tuple, list)):
        flat = f"[{', '.join(map(_value, value))}]"
        return flat if len(flat) <= WIDTH else "\n".join(["[", *(f"  {_value(one)}," for one in value), "]"])
    return repr(value)


def _outcomes(case: Dataset) -> list[str]:
    """Return how often each outcome is there, or between what values they lie, as a comment."""
    target = case.schema.target
    column = Feature(target.name) if target.kind == "regression" else dataclasses.replace(target.as_feature, level_labels=())
    return [] if case.outcomes is None else _values(column, case.outcomes)


def _values(feature: Feature, column: np.ndarray) -> list[str]:
    """Return what a column holds, as a comment: its levels with their counts, or the range of its numbers; and its gaps."""
    numbers = feature.numbers(column)
    known = numbers[~np.isnan(numbers)]
    if feature.is_categorical:
        counts = np.bincount(known.astype(np.intp), minlength=len(feature.levels))
        held = listed([f"{level!r} {count:,}" for level, count in zip(feature.levels, counts, strict=True)], FEW)
    elif len(known):
        held = f"{known.min():g} to {known.max():g}, median {np.median(known):g}, {len(np.unique(known)):,} different"
    else:
        held = "no number"
    beside = np.bincount(feature.beside(column), minlength=2 + len(feature.special))[1:]
    gaps = [f"{count:,} {label!r}" for label, count in zip((*feature.special, "missing"), beside, strict=True) if count]
    return ["; ".join([held, *gaps])]


def _printable(text: str) -> str:
    """Return a text that a comment may hold, without characters that control or break lines."""
    return "".join(character if character.isprintable() else " " for character in text)
