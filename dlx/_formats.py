"""CSV that a spreadsheet cannot run, and JSON that is read strictly."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

FORMULA = re.compile(r"[=+\-@\t\n＝＋－＠]")
NUMBER = re.compile(r"[+-]?(\d[\d,]*(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def csv_text(table: pd.DataFrame) -> str:
    """Return a table as the text of a CSV file for people, without its index.

    Text that begins with = + - @, a tab or a line break, which a spreadsheet would run or swallow, gets an apostrophe before
    it, names of columns too. Numbers stay as they are, negative ones and those in text ("-1.5") too. A line break within
    text is written as one line feed. dlx reads none of these files again; whoever does strips one apostrophe before such a
    sign.
    """
    import pandas as pd

    columns = {
        position: column if pd.api.types.is_numeric_dtype(column) else column.astype(object).map(_escaped)
        for position, (_, column) in enumerate(table.items())
    }
    written = pd.DataFrame(columns, index=table.index)
    written.columns = [_escaped(name) for name in table.columns]
    return str(written.to_csv(index=False, lineterminator="\n"))


def parsed_json(content: bytes, *, finite: bool = True) -> Any:
    """Return what JSON says, or raise a `ValueError`.

    Stricter than Python: UTF-8 only, no key twice, no half of a surrogate pair, no bottomless nesting and, where finite, no
    NaN or Infinity.
    """
    numbers: dict[str, Any] = {"parse_constant": _no_number, "parse_float": _finite} if finite else {}
    try:
        parsed = json.loads(content.decode("utf-8"), object_pairs_hook=_without_repetition, **numbers)
        json.dumps(parsed, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return parsed


def _escaped(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\r\n", "\n").replace("\r", "\n")  # csv leaves a carriage return without quotes
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it names a key twice")
    return found


def _finite(text: str) -> float:
    number = float(text)
    return number if abs(number) < float("inf") else _no_number(text)


def _no_number(text: str) -> float:
    raise ValueError(f"it holds {text[:20]}, which is no finite number")
