"""Fields of a description, held to their annotations: what a TOML file, a JSON file or Python gives for them."""

from __future__ import annotations

import dataclasses
import functools
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from dlx.errors import DlxError, did_you_mean, quoted

Refused = type[DlxError]
BEYOND = 2**1023  # whole numbers that no double is near


def conform(thing: Any, what: str, refused: Refused) -> None:
    """Check the fields of a frozen dataclass that was just made against their annotations; an error names it: "feature 'age'".

    Lists become tuples, numpy's scalars plain ones.
    """
    hints = _hints(thing.__class__)
    for field in dataclasses.fields(thing):
        hint, value = hints[field.name], plain(getattr(thing, field.name))
        if not _is(hint, value):
            raise refused(f"{what}: {field.name} must be {_words(hint)}, got {quoted(getattr(thing, field.name))}")
        if isinstance(value, str) and value == "" != field.default:
            raise refused(f"{what}: {field.name} must not be empty")
        object.__setattr__(thing, field.name, value)


def described(kind: type, entry: Any, what: str, refused: Refused) -> dict[str, Any]:
    """Return the fields of a dataclass by name that a mapping gives, or raise where it gives another one or lacks one."""
    if not isinstance(entry, Mapping):
        raise refused(f"{what} must be a table of keys and values, got {quoted(entry)}")
    known = {field.name: field for field in dataclasses.fields(kind)}
    for key in entry:
        if key not in known:
            raise refused(f"{what} has no field {str(key)!r}{did_you_mean(key, known)}")
    for name, field in known.items():
        if name not in entry and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise refused(f"{what} needs {name}, {_words(_hints(kind)[name])}")
    return dict(entry)


def plain(value: Any) -> Any:
    """Return a value without lists and numpy's scalars."""
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return tuple(map(plain, value))
    return value.item() if isinstance(value, np.generic) else value


_hints = functools.cache(get_type_hints)


def _is(hint: Any, value: Any) -> bool:
    """Return whether a value is what an annotation says; NaN and a truth value are no numbers."""
    origin, options = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_is(option, value) for option in options)
    if origin is Literal:
        return isinstance(value, str) and value in options
    if origin is tuple:
        wanted = options[:1] * len(value) if isinstance(value, tuple) and options[-1] is Ellipsis else options
        return isinstance(value, tuple) and len(wanted) == len(value) and all(map(_is, wanted, value))
    if origin is not None:  # a mapping
        return isinstance(value, Mapping) and all(_is(options[0], k) and _is(options[1], v) for k, v in value.items())
    is_float = isinstance(value, float) and not np.isnan(value)
    simple = {Any: not isinstance(value, (Mapping, tuple)), float: is_float or (type(value) is int and abs(value) < BEYOND)}
    return simple[hint] if hint in simple else isinstance(value, hint) and (hint is bool or not isinstance(value, bool))


def _words(hint: Any) -> str:
    """Return what an annotation asks for, as people say it."""
    origin, options = get_origin(hint), get_args(hint)
    simple = {bool: "true or false", str: "text", int: "a whole number", float: "a number", type(None): "left out"}
    if hint in simple:
        return simple[hint]
    if origin in (Union, types.UnionType):
        return " or ".join(map(_words, options))
    if origin is Literal:
        return f"{', '.join(map(repr, options[:-1]))} or {options[-1]!r}"
    if origin is tuple:
        each = {str: "texts", float: "numbers", int: "whole numbers", bool: "truth values"}.get(options[0], "values")
        return f"a list of {each}" if options[-1] is Ellipsis else f"a list of {len(options)} {each}"
    return "a table of keys and values" if origin is not None else str(getattr(hint, "__name__", hint))
