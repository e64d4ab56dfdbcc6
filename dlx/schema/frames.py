"""Frames of any kind that narwhals knows, as pandas holds them, and back: polars, pyarrow, DuckDB and others."""

from __future__ import annotations

import decimal
import importlib
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.schema.cells import LARGEST_EXACT, is_inexact

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

EAGER = ("polars", "pyarrow")  # kinds that a table of pandas turns into


def as_pandas(frame: Any) -> Any:
    """Return a frame of another library as a DataFrame of pandas, whole numbers and truth values as such; all else as it is."""
    import pandas as pd

    if isinstance(frame, (pd.DataFrame, np.ndarray)):
        return frame
    import narwhals as nw

    known = nw.from_native(frame, pass_through=True)
    if known is frame:
        return frame
    held = (known.collect("pyarrow") if isinstance(known, nw.LazyFrame) else known).to_arrow()
    return of_arrow(held, keep_whole=True)


def kind_of_frame(frame: Any) -> str:
    """Return the library of a frame whose kind a user's own function may read, "polars"; empty for pandas."""
    import narwhals as nw
    import pandas as pd

    known = frame if isinstance(frame, pd.DataFrame) else nw.from_native(frame, pass_through=True)
    kind = "" if known is frame else str(known.implementation.value)
    return kind if kind in EAGER else ""


def in_kind(table: pd.DataFrame, kind: str) -> Any:
    """Return a table of pandas as a frame of another library, "polars", without its index; as it is for an empty name."""
    if not kind:
        return table
    import narwhals as nw
    import pyarrow as pa

    held = pa.Table.from_pandas(table, preserve_index=False)
    return nw.from_arrow(held, backend=importlib.import_module(kind)).to_native()


def of_arrow(held: pa.Table, *, keep_whole: bool = False) -> pd.DataFrame:
    """Return a table as pandas makes it of arrow; decimals and whole numbers with gaps are floats where none is confused.

    Whole numbers with gaps stay whole numbers where that is asked for.
    """
    import pandas as pd
    import pyarrow as pa

    table = held.to_pandas()
    for name in table.columns:
        column = table[name]
        if name in held.column_names and pa.types.is_integer(held[name].type) and held[name].null_count:
            if keep_whole or (column.abs() >= LARGEST_EXACT).any():  # floats, which pandas makes, would not tell them apart
                kind = str(held[name].type).replace("int", "Int").replace("uI", "UI")
                table[name] = pd.Series(pd.array(held[name].to_pylist(), dtype=kind), index=column.index)
        elif column.dtype == object and any(isinstance(value, decimal.Decimal) for value in column):
            exact = any(map(is_inexact, column.dropna().map(str)))
            table[name] = column if exact else column.astype(float)
    return table
