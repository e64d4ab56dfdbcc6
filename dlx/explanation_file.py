"""An explanation as one file, of safetensors or Parquet, and what such a file must be before it is believed.

Parquet has a line a row: `row`, its name; `contribution/<feature>`, `value/<feature>`, coded, and `standard_error/<feature>`;
`base_value`, `output` and `extras/<name>`; what else there is stands in the metadata.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from dlx.errors import DlxError, listed, one_line
from dlx.explanation import ARRAYS, Explanation, ExplanationError
from dlx.files import parsed_json
from dlx.schema import Schema
from dlx.schema.fields import conform

EXTRA = "extras/"  # before the names of extras among a file's arrays
METADATA_KEY = "dlx.explanation"
PARQUET = ".parquet"
OF_CELLS = {"values": "contribution", "rows": "value", "standard_errors": "standard_error"}  # columns of Parquet
OF_ROWS = {"base_values": "base_value", "outputs": "output"}
DIGEST = 64  # characters of the sha256 that the metadata begins with
LARGEST = 2**63
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


def packed(explanation: Explanation) -> bytes:
    """Return an explanation as the bytes of a safetensors file."""
    from safetensors.numpy import save

    text, arrays = _contents(explanation)
    # One entry, the digest first: safetensors writes several in an order that changes.
    return save(arrays, metadata={METADATA_KEY: _digest(text, arrays) + text})


def packed_as_parquet(explanation: Explanation) -> bytes:
    """Return an explanation as the bytes of a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    text, arrays = _contents(explanation)
    columns: dict[str, Any] = {"row": np.asarray(explanation.index).tolist()}
    for name, array in arrays.items():
        cells = [f"{OF_CELLS[name]}/{feature}" for feature in explanation.schema.names] if name in OF_CELLS else None
        columns |= dict(zip(cells or [OF_ROWS.get(name, name)], np.atleast_2d(array.T), strict=True))
    table = pa.table(columns).replace_schema_metadata({METADATA_KEY: _digest(text, arrays) + text})
    pq.write_table(table, file := pa.BufferOutputStream(), compression="zstd")
    return bytes(file.getvalue())


def _contents(explanation: Explanation) -> tuple[str, dict[str, np.ndarray]]:
    """Return what a file of an explanation holds: a text of all that is no number of a row, and arrays of those."""
    arrays = {name: np.ascontiguousarray(array) for name in ARRAYS if (array := getattr(explanation, name)) is not None}
    arrays |= {EXTRA + name: np.ascontiguousarray(array) for name, array in explanation.extras.items()}
    names = [field.name for field in dataclasses.fields(explanation) if field.name not in (*ARRAYS, "extras", "again")]
    said = {name: getattr(explanation, name) for name in names}
    said |= {"schema": explanation.schema.to_dict(), "index": np.asarray(explanation.index).tolist()}
    return json.dumps(said, default=np.generic.item), arrays  # a seed or an option may be a number of numpy


def unpacked(path: Path) -> Explanation:
    """Return the explanation that a file holds, or raise an `ExplanationError` of one line."""
    from safetensors import SafetensorError, safe_open

    try:
        if path.exists() and not path.is_file():
            raise OSError("it is no file")
        with _Parquet(path) if path.suffix == PARQUET else safe_open(str(path), framework="numpy") as file:
            text = (file.metadata() or {}).get(METADATA_KEY)
            if text is None:
                raise ExplanationError(f"{path} holds no explanation of dlx; make one with dlx explain")
            digest, text = text[:DIGEST], text[DIGEST:]
            said = parsed_json(text.encode(), finite=False)
            said["schema"] = Schema.from_dict(said["schema"])
            _check_header(file, len(said["index"]), len(said["schema"]))
            arrays = {name: file.get_tensor(name) for name in list(file.keys())}
        if digest != _digest(text, arrays):
            raise ExplanationError(f"{path} was altered since it was written; make it again with dlx explain")
        return _explanation(said, arrays)
    except (OSError, SafetensorError) as error:
        raise ExplanationError(f"cannot read the explanation {path}: {one_line(error)}; make one with dlx explain") from error
    except MALFORMED as error:
        if isinstance(error, ExplanationError) and str(path) in str(error):
            raise
        why = f"it lacks {error}" if isinstance(error, KeyError) else one_line(error)[:300]
        raise ExplanationError(f"{path} does not hold what it says: {why}; make it again with dlx explain") from error


class _Parquet:
    """A Parquet file, asked as one of safetensors: its columns are the arrays of an explanation."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        self.file = pq.ParquetFile(path)
        self.parts: dict[str, list[str]] = {}
        arrays = {word: name for name, word in (OF_CELLS | OF_ROWS).items()}
        for column in self.file.schema_arrow.names[1:]:
            self.parts.setdefault(arrays.get(column.partition("/")[0], column), []).append(column)

    def __enter__(self) -> _Parquet:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def metadata(self) -> dict[str, str]:
        """Return what it says beside its columns."""
        return {key.decode(): value.decode() for key, value in (self.file.schema_arrow.metadata or {}).items()}

    def keys(self) -> list[str]:
        """Return the names of its arrays."""
        return list(self.parts)

    def get_slice(self, name: str) -> SimpleNamespace:
        """Return shape and dtype of an array, as safetensors does, before it is read."""
        shape = [self.file.metadata.num_rows, len(self.parts[name])][: 2 if name in OF_CELLS else 1]
        types = {str(self.file.schema_arrow.field(column).type) for column in self.parts[name]}
        return SimpleNamespace(get_shape=lambda: shape, get_dtype=lambda: "F64" if types == {"double"} else listed(types))

    def get_tensor(self, name: str) -> np.ndarray:
        """Return an array."""
        table = self.file.read(self.parts[name])
        columns = [column.to_numpy() for column in table.columns]
        return np.column_stack(columns) if name in OF_CELLS else columns[0]


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


def _explanation(said: dict[str, Any], arrays: dict[str, np.ndarray]) -> Explanation:
    """Return the explanation of a file's fields and arrays, or raise a `ValueError` where they are none."""
    extras = {name.removeprefix(EXTRA): arrays.pop(name) for name in sorted(arrays) if name.startswith(EXTRA)}
    failures = {int(row): why for row, why in said["failures"].items()}
    made = Explanation(**said | arrays | {"failures": failures, "extras": extras})
    conform(made, "it", DlxError)
    made.schema.check(made.rows)
    explained = ~np.isin(np.arange(len(made)), list(failures))
    errors = np.zeros(1) if made.standard_errors is None else made.standard_errors
    is_right = {
        "index must be whole numbers below 2**63, or texts": made.index.tolist() == said["index"],
        "seed, seconds and evaluations must be numbers from 0 on": all(
            0 <= number < LARGEST for number in (made.seed, made.seconds, made.evaluations)
        ),
        "failures must be of its rows": all(0 <= row < len(made) for row in failures),
        "values must be finite, but for rows whose failure is told": np.isfinite(made.values[explained]).all(),
        "base_values must be finite, but for rows whose failure is told": np.isfinite(made.base_values[explained]).all(),
        "outputs must be finite": np.isfinite(made.outputs).all(),
        "standard_errors must not be negative": not (errors < 0).any(),
    }
    if broken := [rule for rule, holds in is_right.items() if not holds]:
        raise ValueError(f"its {broken[0]}")
    return made


def _digest(text: str, arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()
