"""An explanation as one safetensors file, and what such a file must be before it is believed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dlx.errors import DlxError
from dlx.explanation import ARRAYS, Explanation, ExplanationError
from dlx.files import parsed_json
from dlx.schema import Schema
from dlx.schema.fields import conform, described

EXTRA = "extras/"  # before the names of extras among a file's arrays
METADATA_KEY = "dlx.explanation"
DIGEST = 64  # characters of the sha256 that the metadata begins with
APART = (*ARRAYS, "extras")
LARGEST = 2**63
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


@dataclass(frozen=True)
class Said:
    """The fields of an explanation but its arrays, as JSON holds them."""

    schema: Schema
    scale: Literal["logit", "probability", "value"]
    method: str
    implementation: str
    model: str
    background_id: str
    index: tuple[int, ...] | tuple[str, ...]
    target: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    seconds: float = 0.0
    evaluations: int = 0
    promise: str = ""
    failures: Mapping[str, str] = field(default_factory=dict)
    carried: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        conform(self, "it", DlxError)
        for name in ("seed", "seconds", "evaluations"):
            if not 0 <= getattr(self, name) < LARGEST:
                raise ValueError(f"its {name} must be a number from 0 on")
        if any(isinstance(name, int) and abs(name) >= LARGEST for name in self.index):
            raise ValueError("its index must hold whole numbers below 2**63")


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
            fields = described(Said, parsed_json(text.encode(), finite=False), "it", DlxError)
            said = Said(**fields | {"schema": Schema.from_dict(fields["schema"])})
            _check_header(file, len(said.index), len(said.schema))
            arrays = {name: file.get_tensor(name) for name in list(file.keys())}
        if digest != _digest(text, arrays):
            raise ExplanationError(f"{path} was altered since it was written; make it again with dlx explain")
        return _explanation(said, arrays)
    except ExplanationError:
        raise
    except (OSError, SafetensorError) as error:
        raise ExplanationError(f"cannot read the explanation {path}: {error}; make one with dlx explain") from error
    except MALFORMED as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else " ".join(str(error).split())[:300]
        raise ExplanationError(f"{path} does not hold what it says: {why}; make it again with dlx explain") from error


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


def _explanation(said: Said, arrays: dict[str, np.ndarray]) -> Explanation:
    extras = {name.removeprefix(EXTRA): arrays.pop(name) for name in sorted(arrays) if name.startswith(EXTRA)}
    count, failures = len(said.index), {int(row): why for row, why in said.failures.items()}
    if any(not 0 <= row < count for row in failures):
        raise ValueError(f"its failures name a row beyond its {count}")
    said.schema.check(arrays["rows"])
    explained = ~np.isin(np.arange(count), list(failures))
    for name in ("values", "base_values"):
        if not np.isfinite(arrays[name][explained]).all():
            raise ValueError(f"its {name} must be finite, but for rows whose failure is told")
    if not np.isfinite(arrays["outputs"]).all():
        raise ValueError("its outputs must be finite")
    if (arrays.get("standard_errors", np.zeros(1)) < 0).any():
        raise ValueError("its standard_errors must not be negative")
    apart = {"index": np.array(said.index), "failures": failures, "extras": extras}
    return Explanation(**vars(said) | arrays | apart)


def _digest(text: str, arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()
