"""The files of a case, side by side in `data/`: the table as it was published, and a TOML with its schema and card."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dlx.dataset import Card, read_frame
from dlx.schema import Schema, SchemaError

if TYPE_CHECKING:
    import pandas as pd

DATA = Path(__file__).parent / "data"


class Embedded(NamedTuple):
    """What the files of a case say, before the case's own recodes."""

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
    described = _describe(DATA / f"{name}.toml")
    fields: dict[str, Any] = described.pop("card")
    card = Card(**{**fields, "caveats": tuple(fields["caveats"])})
    return Embedded(_verified_table(name, card.sha256), Schema.from_dict(described), card)


def _describe(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SchemaError(f"cannot read {path}: {error}; reinstall dlx") from error


def _verified_table(name: str, expected: str) -> pd.DataFrame:
    found = sorted(DATA.glob(f"{name}.csv*"))
    if len(found) != 1:
        raise SchemaError(f"{DATA} must hold one table {name}.csv or {name}.csv.xz, got {len(found)}; reinstall dlx")
    actual = hashlib.sha256(found[0].read_bytes()).hexdigest()
    if actual != expected:
        raise SchemaError(
            f"{found[0]} must have the sha256 {expected}, got {actual}: the file was damaged or changed; reinstall dlx"
        )
    return read_frame(found[0])
