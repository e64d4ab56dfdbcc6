"""The tables that dlx ships: one case a file, and the folder is the list of them.

Beside a case lie the table as it was published and a TOML with its schema and card, in `data/`.
"""

from __future__ import annotations

import hashlib
import sys
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.dataset import Card, Dataset, from_frame, read_frame
from dlx.dataset import shipped as names
from dlx.errors import did_you_mean, listed
from dlx.files import Folder
from dlx.schema import Schema, SchemaError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["load", "names", "read_embedded"]

DATA = Path(__file__).parent / "data"
sys.modules[__name__].__class__ = Folder


def load(name: str) -> Dataset:
    """Return a shipped case, one of `names()`, as a Dataset with its schema and its card.

    Raises
    ------
    SchemaError
        If there is no such case, or its data file is not the one that was shipped.
    """
    if name not in names():
        raise SchemaError(
            f"no case {name!r}; the cases are {listed(names())}; "
            f"for a table of your own use dlx.read_table(path, target=...){did_you_mean(name, names())}"
        )
    case: Dataset = import_module(f"dlx.cases.{name}").load()
    return case


def read_embedded(
    name: str, recoded: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table, *, extra: Iterable[str] = ()
) -> Dataset:
    """Return a case from its table and its TOML in `data/`; the table's checksum is verified before it is parsed.

    Codes become missing values, the target two levels, by `recoded`, a function of the table as it was published; `extra` are
    columns that are no features, to be found in `Dataset.extra`. A lacking or altered file is a `SchemaError`.
    """
    path, tables = DATA / f"{name}.toml", sorted(DATA.glob(f"{name}.csv*"))
    try:
        described = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SchemaError(f"cannot read {path}: {error}; reinstall dlx") from error
    if len(tables) != 1:
        raise SchemaError(f"{DATA} must hold one table {name}.csv or {name}.csv.xz, got {len(tables)}; reinstall dlx")
    card: dict[str, Any] = described.pop("card")
    actual = hashlib.sha256(tables[0].read_bytes()).hexdigest()
    if actual != card["sha256"]:
        raise SchemaError(
            f"{tables[0]} must have the sha256 {card['sha256']}, got {actual}: the file was damaged or changed; reinstall dlx"
        )
    table = recoded(read_frame(tables[0]))
    made = from_frame(table, Schema.from_dict(described), name=name, card=Card(**card))
    return replace(made, extra={column: table[column].to_numpy(dtype=str) for column in extra})
