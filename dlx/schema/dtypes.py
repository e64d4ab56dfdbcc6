"""The dtypes that a table came with, and columns of codes as that table would have held them.

Whoever trained a model of their own trained it on such a table: integers, booleans, text, pandas categories. Its
predictions of anything else may be another model's, without a word.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.errors import quoted
from dlx.schema.cells import level_text, same_level
from dlx.schema.dates import stamps_of
from dlx.schema.features import Feature, SchemaError

if TYPE_CHECKING:
    import pandas as pd

CATEGORY = "category"
OBJECT_WITH_NONE = "object with None"  # where a missing value is None; elsewhere in objects it is NaN


def typed(feature: Feature, column: pd.Series) -> Feature:
    """Return a feature that remembers how a table holds it: the dtype of the column, and each level as a value of it.

    A level that the column does not hold is what its text says in that dtype.
    """
    import pandas as pd

    dtype = str(column.dtype)
    if dtype == "object" and any(value is None for value in column):
        dtype = OBJECT_WITH_NONE
    if not feature.is_categorical:
        return dataclasses.replace(feature, dtype=dtype)
    categories = column.dtype.categories if isinstance(column.dtype, pd.CategoricalDtype) else column.dropna().unique()
    values = {same_level(level_text(value)): _plain(value) for value in categories}
    kind = np.asarray(categories).dtype.kind
    found = tuple(values.get(same_level(level), _value_of(level, kind)) for level in feature.levels)
    return dataclasses.replace(feature, dtype=dtype, level_values=found)


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, (bool, int, float)) else str(value)


def _value_of(level: str, kind: str) -> Any:
    """Return a level that no row has as a value of numpy's kind of dtype; as text where it is none."""
    if kind == "b" and level in ("True", "False"):
        return level == "True"
    try:
        return int(level) if kind in "iu" else float(level) if kind == "f" else level
    except ValueError:
        return level


def restored(feature: Feature, codes: np.ndarray) -> Any:
    """Return a column of codes [rows] as the table held it; a number between the integers of an integer column is a float."""
    return _dates(feature, codes) if feature.date else _levels_or_numbers(feature, codes)


def _levels_or_numbers(feature: Feature, codes: np.ndarray) -> Any:
    import pandas as pd

    dtype, cells = feature.dtype, np.asarray(codes, dtype=np.float64)
    gone, is_object = np.isnan(cells), dtype in ("object", OBJECT_WITH_NONE)
    wanted = None if not dtype or is_object or dtype == CATEGORY else pd.api.types.pandas_dtype(dtype)
    cannot_miss = gone.any() and isinstance(wanted, np.dtype) and wanted.kind != "f"  # numpy's integers and booleans
    if feature.is_categorical:
        values, positions = feature.level_values or feature.levels, np.where(gone, -1, cells).astype(np.intp)
        if dtype == CATEGORY:
            return pd.Categorical.from_codes(positions, dtype=pd.CategoricalDtype(list(values), ordered=feature.ordered))
        held = np.empty(len(values) + 1, dtype=object)
        held[:-1], held[-1] = values, None if dtype in ("", OBJECT_WITH_NONE) else np.nan
        cells = held[positions]
        if is_object:
            return pd.Index(cells, dtype=object)  # of an array pandas would make text
    elif dtype == "str" or (pd.api.types.is_integer_dtype(wanted) and (cells[~gone] % 1 != 0).any()):
        return cells
    if wanted is None or cannot_miss:
        return cells
    if isinstance(wanted, np.dtype):
        return cells.astype(wanted)
    return pd.array(np.where(gone, pd.NA, cells.astype(object)), dtype=wanted)


def _dates(feature: Feature, days: np.ndarray) -> Any:
    """Return days [rows] as the table held them: moments, whole numbers, dates of Python, else text."""
    import pandas as pd

    stamps, dtype = stamps_of(days), pd.api.types.pandas_dtype(feature.dtype or "str")
    if pd.api.types.is_datetime64_any_dtype(dtype):
        zone = getattr(dtype, "tz", None)
        return (stamps.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else stamps).astype(dtype).array
    if str(dtype) == "object":
        return pd.Index(stamps.dt.date.where(stamps.notna(), None), dtype=object)
    texts = stamps.dt.strftime(feature.date)
    return (
        texts.astype(dtype).array if not stamps.isna().any() or not isinstance(dtype, np.dtype) else texts.astype(float).array
    )


def refuse_strange(feature: Feature) -> None:
    """Raise if no column of a feature's dtype holds its values, or these are other levels: a description may say anything."""
    try:
        restored(feature, np.arange(max(1, len(feature.levels)), dtype=np.float64))
    except (TypeError, ValueError, AttributeError, OverflowError) as error:
        raise SchemaError(f"feature {feature.name!r}: no column of dtype {quoted(feature.dtype)} holds its values") from error
    for level, value in zip(feature.levels, feature.level_values, strict=False):
        if same_level(level_text(value)) != same_level(level):
            raise SchemaError(f"feature {feature.name!r}: the value of level {level!r} cannot be {quoted(value)}")
