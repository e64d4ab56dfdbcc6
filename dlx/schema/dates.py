"""Dates as numbers: days since 1970-01-01, hours as parts of a day, the first of the month where no day is said."""

from __future__ import annotations

import contextlib
import datetime
import itertools
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from dlx.schema.cells import level_text

if TYPE_CHECKING:
    import pandas as pd

RULE = "days since 1970-01-01"
ISO = "%Y-%m-%d"
_DAYS = (  # as strftime spells them
    *(ISO, "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y-%m", "%Y/%m"),
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y"),
    *("%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b-%Y", "%b-%y", "%b %Y", "%B %Y"),
)
_TIMES = ("", *(f"{gap}{time}" for gap in " T" for time in ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%H:%M:%S%z")), " %I:%M %p")
OBJECTS = ("date", "datetime")  # as pandas names what columns of objects hold
FORMATS = tuple(f"{day}{time}" for day, time in itertools.product(_DAYS, _TIMES))


def date_format(column: pd.Series) -> str:
    """Return how a column spells its dates, ISO's way for moments; empty where it holds none, or they may be read otherwise."""
    found = date_formats(column)
    return found[0] if len(found) == 1 else ""


def date_formats(column: pd.Series) -> list[str]:
    """Return the ways in which a column may spell dates, each of which reads other days."""
    import pandas as pd

    known = column.dropna()
    kind = pd.api.types.infer_dtype(known, skipna=False)
    if kind in (*OBJECTS, "datetime64"):
        return [ISO]
    if kind not in ("string", "integer", "floating"):
        return []
    return formats_of([level_text(value) for value in known.unique()])


def formats_of(texts: Collection[str]) -> list[str]:
    """Return the formats in which all texts are dates; of several that read the same days only the first."""
    import pandas as pd

    column, found = pd.Series(list(texts), dtype="str"), dict[bytes, str]()
    for spelled in FORMATS:
        if len(column) and _fits(column.iloc[0].strip(), spelled) and not np.isnan(days := days_of(column, spelled)).any():
            found.setdefault(days.tobytes(), spelled)
    return list(found.values())


def _fits(text: str, spelled: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(datetime.datetime.strptime(text, spelled))
    return False


def days_of(column: pd.Series, spelled: str = "") -> np.ndarray:
    """Return a column of dates, or of texts or whole numbers that are spelled so, as days [rows]; NaN where there is none."""
    import pandas as pd

    if column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) in OBJECTS:
        column = pd.to_datetime(column, errors="coerce", utc=True)
    if not pd.api.types.is_datetime64_any_dtype(column.dtype):
        codes, values = column.factorize()
        texts = pd.Series([level_text(value).strip() for value in values], dtype="str")
        days = days_of(pd.to_datetime(texts, format=spelled or None, errors="coerce", utc=True))
        return np.append(days, np.nan)[codes]
    stamps = column if column.dt.tz is None else column.dt.tz_convert("UTC").dt.tz_localize(None)
    return ((stamps - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)).to_numpy(dtype=np.float64, na_value=np.nan)


def stamps_of(days: np.ndarray) -> pd.Series:
    """Return days [rows] as moments without a time zone; NaT for NaN."""
    import pandas as pd

    microseconds = pd.array(np.where(np.isnan(days), 0, np.rint(days * 86_400e6)).astype("datetime64[us]"))
    return pd.Series(microseconds).mask(np.isnan(days))


def date_text(days: float) -> str:
    """Return a number of days as people read it: "2023-01-31", or with the time of the day where it is part of one."""
    stamp = stamps_of(np.array([days]))[0]
    return f"{stamp:{ISO}}" if float(days).is_integer() else f"{stamp:{ISO} %H:%M}"
