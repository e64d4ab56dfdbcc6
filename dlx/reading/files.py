"""The content of a file by what its suffix says it is, and the suffixes that a table's name does not count."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dlx.errors import did_you_mean, listed, one_line
from dlx.schema import SchemaError, level_text
from dlx.schema.cells import LARGEST_EXACT
from dlx.schema.frames import of_arrow

if TYPE_CHECKING:
    import pandas as pd

TEXT, PARQUET, EXCEL = (".csv", ".tsv", ".txt"), (".parquet", ".pq"), (".xlsx", ".xlsm")
COMPRESSED = (".gz", ".zip", ".xz", ".bz2")
FIRST_SHEET = "the first of "
KINDS = ".csv, .tsv or .txt (also .gz, .zip, .xz or .bz2), .xlsx or .parquet"
BYTES_OF = {
    b"PAR1": ("a parquet file", ".parquet"),
    b"PK\x03\x04": ("a zip archive or a workbook of Excel", ".zip or .xlsx"),
    b"\x1f\x8b": ("compressed by gzip", ".gz"),
    b"BZh": ("compressed by bzip2", ".bz2"),
    b"\xfd7zXZ": ("compressed by xz", ".xz"),
    b"\xd0\xcf\x11\xe0": ("an old workbook of Excel", ".xlsx, saved anew"),
    b"%PDF": ("a PDF", ""),
    b"<!DOCTYPE": ("a web page", ""),
    b"<html": ("a web page", ""),
}
BROKEN = (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, RuntimeError, NotImplementedError)


@contextlib.contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Name the file in what is raised of its table."""
    try:
        yield
    except SchemaError as error:
        raise SchemaError(f"cannot read {path}: {error}") from error


def kind_of(path: Path) -> tuple[str, str]:
    """Return the suffix of the format and that of the compression, in lower case; empty where there is none that is known."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    packed = suffixes.pop() if suffixes and suffixes[-1] in COMPRESSED else ""
    kind = suffixes[-1] if suffixes else ""
    return kind if kind in (TEXT if packed else (*TEXT, *PARQUET, *EXCEL)) else "", packed


def name_of(path: Path) -> str:
    """Return what a table is called: the file's name without the suffixes that say how it is written."""
    return path.name[: len(path.name) - len("".join(kind_of(path)))]


def refuse_other_files(path: Path) -> None:
    """Raise if there is no file, or none of a kind that is read."""
    if path.is_dir():
        raise SchemaError(f"it is a folder; pass one file: {KINDS}")
    if not path.exists():
        near = did_you_mean(path.name, (one.name for one in path.parent.glob("*"))) if path.parent.is_dir() else ""
        raise SchemaError(f"there is no file {path.name}{near}")
    if not path.is_file():
        raise SchemaError(f"it is no regular file; pass one of these: {KINDS}")
    if not kind_of(path)[0]:
        raise SchemaError(f"it must be a .csv or a .parquet file, or another of {KINDS}")


def content_of(path: Path) -> bytes:
    """Return the bytes of a text file, unpacked, or raise where it is damaged or something else than its suffix says."""

    def only_member(content: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]
            if len(members) != 1:
                raise SchemaError(f"the archive must hold one file, got {len(members)}: {listed(members)}; unpack it")
            return archive.read(members[0])

    unpack: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.decompress, ".xz": lzma.decompress, ".bz2": bz2.decompress}
    unpack |= {"": bytes, ".zip": only_member}
    try:
        content = unpack[kind_of(path)[1]](path.read_bytes())
    except SchemaError:
        raise
    except BROKEN as error:
        raise SchemaError(one_line(error)) from error
    for start, (what, suffix) in BYTES_OF.items():
        if content[:16].lstrip()[: len(start)].lower() == start.lower():
            remedy = f"give it the suffix {suffix}" if suffix else "pass the table itself"
            raise SchemaError(f"it is {what}, not the text that its suffix says; {remedy}")
    return content


def read_parquet(path: Path) -> pd.DataFrame:
    """Return a parquet file as pandas reads it; decimals and whole numbers with gaps are floats where none is confused."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        return of_arrow(parquet.read_table(path))
    except (*BROKEN, pa.ArrowException) as error:
        raise SchemaError(one_line(error)) from error


def read_excel(path: Path) -> tuple[list[list[str]], list[str]]:
    """Return the lines of a workbook's first sheet as text, the header first, and what should be said of it."""
    try:
        import openpyxl
    except ImportError as error:
        raise SchemaError("it needs openpyxl: pip install 'dlx[excel]', or save the sheet as .csv") from error
    try:
        books = [openpyxl.load_workbook(path, read_only=True, data_only=computed) for computed in (True, False)]
        shown, written = ([one for one in book.worksheets if one.sheet_state == "visible"] for book in books)
        for sheet in (shown[0], written[0]):
            sheet.reset_dimensions()  # what a sheet says of its size may be a million rows of nothing
        lines = []
        for row, formulas in zip(shown[0].iter_rows(values_only=True), written[0].iter_rows(), strict=False):
            for value, cell in zip(row, formulas, strict=False):
                if value is None and cell.data_type == "f":  # it would look empty
                    raise SchemaError(
                        f"cell {cell.coordinate} is a formula that no program has computed; open the workbook and save it, "
                        "or save the sheet as .csv"
                    )
            lines.append([_spelled(cell) for cell in row])
    except SchemaError:
        raise
    except (*BROKEN, LookupError, SyntaxError, AttributeError, TypeError) as error:
        raise SchemaError(f"{one_line(error)}; save its sheet as .csv") from error
    lines = [line for line in lines if any(map(str.strip, line))]
    width = max((i + 1 for line in lines for i, cell in enumerate(line) if cell.strip()), default=0)
    several = [f"{FIRST_SHEET}{len(shown)} sheets, {shown[0].title!r}"] if len(shown) > 1 else []
    return [(line + [""] * width)[:width] for line in lines], several


def _spelled(cell: object) -> str:
    """Return a cell as a text file would spell it."""
    import datetime

    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    if isinstance(cell, (datetime.date, datetime.time)):
        return cell.isoformat()
    if isinstance(cell, float) and abs(cell) < LARGEST_EXACT:
        return level_text(cell)
    return "" if cell is None else str(cell)
