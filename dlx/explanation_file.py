"""An explanation as one safetensors file, and what such a file must be before it is believed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlx.explanation import ARRAYS, Explanation, ExplanationError
from dlx.files import parsed_json
from dlx.schema import Schema

EXTRA = "extras/"  # before the names of extras among a file's arrays
METADATA_KEY = "dlx.explanation"
DIGEST = 64  # characters of the sha256 that the metadata begins with
APART = (*ARRAYS, "extras")
SCALES = ("logit", "probability", "value")
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


def packed(explanation: Explanation) -> bytes:
    """Return an explanation as the bytes of its file."""
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(array) for name in ARRAYS if (array := getattr(explanation, name)) is not None}
    arrays |= {EXTRA + name: np.ascontiguousarray(array) for name, array in explanation.extras.items()}
    said = {field.name: getattr(explanation, field.name) for field in dataclasses.fields(explanation)}
    said = {name: value for name, value in said.items() if name not in APART}
    said |= {"schema": explanation.schema.to_dict(), "index": np.asarray(explanation.index).tolist()}
    text = json.dumps(said, default=np.generic.item)  # a seed or an option may be a number of numpy
    # One entry, the digest first: safetensors writes several in an order that changes.
    return save(arrays, metadata={METADATA_KEY: _digest(text, arrays) + text})


def unpacked(path: Path) -> Explanation:
    """Return the explanation that a file holds, or raise an `ExplanationError` of one line."""
    from safetensors import SafetensorError, safe_open

    try:
        if path.exists() and not path.is_file():
            raise ExplanationError(f"cannot read the explanation {path}: it is no file; pass one that dlx explain wrote")
        with safe_open(str(path), framework="numpy") as file:
            text = (file.metadata() or {}).get(METADATA_KEY)
            if text is None:
                raise ExplanationError(f"{path} holds no explanation of dlx; make one with dlx explain")
            digest, text = text[:DIGEST], text[DIGEST:]
            said, schema = _said(text)
            _check_header(file, len(said["index"]), len(schema))
            arrays = {name: file.get_tensor(name) for name in list(file.keys())}
        if digest != _digest(text, arrays):
            raise ExplanationError(f"{path} was altered since it was written; make it again with dlx explain")
        return _explanation(said, schema, arrays)
    except ExplanationError:
        raise
    except (OSError, SafetensorError) as error:
        raise ExplanationError(f"cannot read the explanation {path}: {error}; make one with dlx explain") from error
    except MALFORMED as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else " ".join(str(error).split())[:300]
        raise ExplanationError(f"{path} does not hold what it says: {why}; make it again with dlx explain") from error


def _said(text: str) -> tuple[dict[str, Any], Schema]:
    """Return the fields of an explanation but its arrays, each of the type that it must be, and its schema."""
    said = parsed_json(text.encode(), finite=False)
    if not isinstance(said, dict):
        raise ValueError("it must be a table of fields")
    if lacking := REQUIRED - set(said):
        raise ValueError(f"it lacks {', '.join(sorted(lacking))}")
    if unknown := set(said) - {field.name for field in dataclasses.fields(Explanation)}.difference(APART):
        raise ValueError(f"it has no field {sorted(unknown)[0][:60]!r}")
    for name, is_right in FIELDS.items():
        if name in said and not is_right(said[name]):
            raise ValueError(f"its {name} must not be {json.dumps(said[name])[:60]}")
    return said, Schema.from_dict(said["schema"])


def _check_header(file: Any, count: int, width: int) -> None:
    """Raise unless the arrays are those of so many rows and features: before any is read."""
    shapes = {name: [count, width] for name in ("values", "rows", "standard_errors")}
    shapes |= {name: [count] for name in ("base_values", "outputs")}
    names = list(file.keys())
    if lacking := set(shapes) - {"standard_errors"} - set(names):
        raise ValueError(f"it lacks {', '.join(sorted(lacking))}")
    for name in names:
        found = file.get_slice(name)
        wanted = [count] if name.startswith(EXTRA) else shapes.get(name)
        if list(found.get_shape()) != wanted or found.get_dtype() != "F64":
            got = f"{found.get_dtype()} {found.get_shape()}"
            raise ValueError(f"{name[:60]} must be float64 {wanted}, got {got}" if wanted else f"{name[:60]} is no array of it")


def _explanation(said: Mapping[str, Any], schema: Schema, arrays: dict[str, np.ndarray]) -> Explanation:
    extras = {name.removeprefix(EXTRA): arrays.pop(name) for name in sorted(arrays) if name.startswith(EXTRA)}
    count, failures = len(said["index"]), {int(row): why for row, why in said.get("failures", {}).items()}
    if any(not 0 <= row < count for row in failures):
        raise ValueError(f"its failures name a row beyond its {count}")
    schema.check(arrays["rows"])
    explained = ~np.isin(np.arange(count), list(failures))
    for name in ("values", "base_values"):
        if not np.isfinite(arrays[name][explained]).all():
            raise ValueError(f"its {name} must be finite, but for rows whose failure is told")
    if not np.isfinite(arrays["outputs"]).all():
        raise ValueError("its outputs must be finite")
    if (arrays.get("standard_errors", np.zeros(1)) < 0).any():
        raise ValueError("its standard_errors must not be negative")
    apart: dict[str, Any] = {"schema": schema, "index": np.array(said["index"]), "failures": failures, "extras": extras}
    apart["carried"] = tuple(said.get("carried", ()))
    return Explanation(**{**said, **arrays, **apart})


def _digest(text: str, arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_index(value: Any) -> bool:
    is_of_numbers = isinstance(value, list) and all(type(name) is int and abs(name) < 2**63 for name in value)
    return is_of_numbers or _are_texts(value)


def _is_failures(value: Any) -> bool:
    return isinstance(value, dict) and all(row.isdecimal() and len(row) < 20 and _is_text(why) for row, why in value.items())


TEXTS = ("method", "implementation", "model", "background_id", "target", "promise")
FIELDS: dict[str, Callable[[Any], bool]] = dict.fromkeys(TEXTS, _is_text) | {
    "schema": lambda value: isinstance(value, dict),
    "scale": lambda value: value in SCALES,
    "index": _is_index,
    "options": lambda value: isinstance(value, dict),
    "seed": _is_count,
    "seconds": lambda value: type(value) in (int, float) and 0 <= value < float("inf"),
    "evaluations": _is_count,
    "failures": _is_failures,
    "carried": _are_texts,
}
REQUIRED = {"schema", "scale", "method", "implementation", "model", "background_id", "index"}
