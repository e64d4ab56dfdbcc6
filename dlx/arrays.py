"""Arrays that do not change under a reader, results that print in two lines, and seeds that leave no trace."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import textwrap
from collections.abc import Iterator, Sized
from typing import Any

import numpy as np

from dlx.errors import DlxError

FEW, LONG, WIDTH = 10, 60, 120  # entries, or characters, from which on a value is printed by its size; characters of a line


def frozen(array: Any, dtype: Any = None) -> np.ndarray:
    """Return a read-only copy."""
    copied = np.array(array, dtype=dtype, copy=True)
    copied.flags.writeable = False
    return copied


def freeze(thing: Any, *names: str, dtype: Any = np.float64) -> None:
    """Make fields of a frozen dataclass read-only copies of the arrays that they hold; None stays None."""
    for name in names:
        if (held := getattr(thing, name)) is not None:
            object.__setattr__(thing, name, frozen(held, dtype))


def in_short(result: Any) -> str:
    """Return the `repr` of a dataclass or named tuple in three lines at most: short values, and the sizes of all others."""
    names = getattr(result, "_fields", None) or [field.name for field in dataclasses.fields(result) if field.repr]
    said = ", ".join(f"{name}={_value_or_size(getattr(result, name))}" for name in names)
    return textwrap.fill(f"{type(result).__name__}({said})", WIDTH, subsequent_indent="  ", max_lines=3, placeholder=" ...)")


def _value_or_size(value: Any) -> str:
    kind = type(value).__name__
    if hasattr(value, "shape"):
        return f"{kind} {list(value.shape)}" if value.shape else str(value)
    if isinstance(value, str) or not isinstance(value, Sized):
        return repr(value) if len(repr(value)) < LONG else kind
    return repr(value) if len(value) < FEW and len(repr(value)) < LONG else f"{kind} of {len(value)}"


def as_slice(which: Any, count: int) -> Any:
    """Return the slice of one row where a position among `count` rows is given, so that rows stay rows; else what came."""
    if not isinstance(which, (int, np.integer)):
        return which
    if not -count <= which < count:
        raise IndexError(f"row {which} of {count}")
    return slice(which % count, which % count + 1)


def row_names(index: Any) -> np.ndarray:
    """Return the names of rows [rows] as integers where they are, else as text: dates, tuples and all."""
    names = list(index)
    if all(isinstance(name, (int, np.integer)) and not isinstance(name, bool) and abs(int(name)) < 2**63 for name in names):
        return np.array(names, dtype=np.int64)
    return np.array([str(name) for name in names], dtype=np.str_)


def check_seed(seed: int) -> int:
    """Return a seed that every generator takes as a plain number, or raise a `DlxError`."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise DlxError(f"a seed must be 0 to {2**32 - 1}, got {seed!r}; pass a whole number")
    return int(seed)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed numpy's and torch's global generators inside the block, and put them back after it."""
    import torch

    numpy_state = np.random.get_state()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        try:
            np.random.seed(seed)
            torch.manual_seed(seed)
            yield
        finally:
            np.random.set_state(numpy_state)


def is_number(value: object) -> bool:
    """Return whether a value is a number, True and False not being ones."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def is_count(value: object) -> bool:
    """Return whether a value is a whole number from 1 on."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and bool(value >= 1)


def array_id(array: np.ndarray) -> str:
    """Return a short hash of an array's shape and numbers; the order of its rows counts."""
    array = np.ascontiguousarray(array, dtype=np.float64)
    return hashlib.sha256(repr(array.shape).encode() + array.tobytes()).hexdigest()[:16]


def row_ids(rows: np.ndarray) -> np.ndarray:
    """Return a number for each row of codes [rows, features] that equal rows share, and others practically never, [rows]."""
    import pandas as pd

    plain = np.where(np.isnan(rows), np.nan, np.asarray(rows, dtype=np.float64) + 0.0)  # without -0.0
    return pd.util.hash_pandas_object(pd.DataFrame(plain), index=False).to_numpy()


def same(one: np.ndarray, other: np.ndarray | float) -> np.ndarray:
    """Return where two arrays hold the same value, or are both missing."""
    return (one == other) | (np.isnan(one) & np.isnan(other))


def ratio(top: np.ndarray, bottom: np.ndarray, *, where: Any = None) -> np.ndarray:
    """Return top / bottom, of the shape of both together: NaN where the bottom is not above 0, or else where not asked for."""
    shape = np.broadcast_shapes(np.shape(top), np.shape(bottom))
    return np.divide(top, bottom, out=np.full(shape, np.nan), where=bottom > 0 if where is None else where)


def filled_by_column(rows: np.ndarray) -> np.ndarray:
    """Return rows with the mean of a column's known values in place of NaN; 0 where nothing is known."""
    known = ~np.isnan(rows)
    mean = np.where(known, rows, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known, rows, mean)
