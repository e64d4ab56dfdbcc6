"""Folders that hold what was made of one table: two files of the same name never overwrite each other's.

A folder is marked with the file and the rows that it is of. Another file may have it if its rows are the same, or if the first
file is there no longer; and a file whose rows have changed keeps its folder.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from dlx.dataset.rows import Dataset
from dlx.errors import DlxError
from dlx.files import write_atomically

MARK = ".table.json"


def refuse_claimed(folder: str | Path, case: Dataset, remedy: str) -> None:
    """Raise a `DlxError` if a folder holds what was made of another file.

    Parameters
    ----------
    folder : str or Path
        Where something of the case is to be written.
    case : Dataset
        The table; one that was not read from a file has any folder.
    remedy : str
        What to do instead: "pass another --output".
    """
    other = _claimed_by(Path(folder))
    if case.source and other and other[1] != case.sha256:
        path = Path(folder) / other[0]
        if path.exists() and not path.samefile(case.source):
            raise DlxError(f"{folder} holds what was made of {os.path.relpath(path)}, not of {case.source}; {remedy}")


def claim(folder: str | Path, case: Dataset) -> None:
    """Mark a folder as that of a case's file."""
    if case.source and Path(case.source).exists():
        said = {"source": os.path.relpath(case.source, folder), "data_sha256": case.sha256}
        write_atomically(Path(folder) / MARK, json.dumps(said, ensure_ascii=False) + "\n")


def _claimed_by(folder: Path) -> tuple[str, str] | None:
    """Return the file, from the folder on, and the hash of the rows that a mark names; None where there is none to be read."""
    try:
        said = json.loads((folder / MARK).read_text(encoding="utf-8"))
        source, rows = said["source"], said["data_sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (source, rows) if isinstance(source, str) and isinstance(rows, str) else None
