"""The tables that dlx ships: one case a file, and the folder is the list of them.

Beside a case lie the table as it was published and a TOML with its schema and card, in `data/`.
"""

from __future__ import annotations

import hashlib
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from dlx.dataset import Card, Dataset, read_frame, shipped
from dlx.errors import did_you_mean, listed
from dlx.schema import Schema, SchemaError

if TYPE_CHECKING:
    import pandas as pd

DATA = Path(__file__).parent / "data"


def names() -> list[str]:
    """Return the names of the cases, sorted, without importing them."""
    return shipped()


def load(name: str) -> Dataset:
    """Return a shipped case as a Dataset, with its schema and its card.

    Parameters
    ----------
    name : str
        One of `names()`.

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


class Embedded(NamedTuple):
    """Table, schema and card of a case, before the case's own recodes."""

    table: pd.DataFrame
    schema: Schema
    card: Card


def read_embedded(name: str) -> Embedded:
    """Return the table, the schema and the card of a case; the table's checksum is verified before it is parsed.

    Raises
    ------
    SchemaError
        If a file is lacking or the table is not the one that the card describes.
    """
    path, tables = DATA / f"{name}.toml", sorted(DATA.glob(f"{name}.csv*"))
    try:
        described = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SchemaError(f"cannot read {path}: {error}; reinstall dlx") from error
    if len(tables) != 1:
        raise SchemaError(f"{DATA} must hold one table {name}.csv or {name}.csv.xz, got {len(tables)}; reinstall dlx")
    fields: dict[str, Any] = described.pop("card")
    actual = hashlib.sha256(tables[0].read_bytes()).hexdigest()
    if actual != fields["sha256"]:
        raise SchemaError(
            f"{tables[0]} must have the sha256 {fields['sha256']}, got {actual}: the file was damaged or changed; reinstall dlx"
        )
    card = Card(**{**fields, "caveats": tuple(fields["caveats"])})
    return Embedded(read_frame(tables[0]), Schema.from_dict(described), card)


class _Room(ModuleType):
    """The folder, which can be called: `dlx.cases()` returns its names."""

    def __call__(self) -> list[str]:
        return names()


sys.modules[__name__].__class__ = _Room
