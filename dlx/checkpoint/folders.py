"""Folders that are either whole or not there, and verified before anything in them is parsed."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlx import datasets
from dlx.errors import DlxError
from dlx.files import write_atomically

FORMAT = 1
MANIFEST = "manifest.json"


class CheckpointError(DlxError):
    """A checkpoint that is not there, was damaged, or belongs to other data."""


def write_folder(final: Path, files: Mapping[str, bytes]) -> Path:
    """Write files and a manifest of their sha256 into a folder beside its place, and rename it; return its path.

    A folder that stands there is set aside first and removed last.
    """
    manifest = {"format": FORMAT, "sha256": {name: _sha256(content) for name, content in files.items()}}
    mark = secrets.token_hex(4)
    unfinished, replaced = final.with_name(f".{final.name}.{mark}"), final.with_name(f".{final.name}.{mark}.old")
    try:
        for name, content in {**files, MANIFEST: as_json(manifest)}.items():
            write_atomically(unfinished / name, content)
        if final.exists():
            final.rename(replaced)
        unfinished.rename(final)
    except BaseException:
        if replaced.exists() and not final.exists():
            replaced.rename(final)
        raise
    finally:
        for leftover in (unfinished, replaced):
            shutil.rmtree(leftover, ignore_errors=True)
    return final


def read_folder(path: Path, names: Sequence[str]) -> dict[str, bytes]:
    """Return the files of these names, each as the manifest says it is.

    Raises
    ------
    CheckpointError
        If the folder or a file is lacking, or a file was truncated or altered.
    """
    if not path.is_dir():
        raise CheckpointError(f"there is no checkpoint {path}; {remedy(path)}")
    expected = _manifest(path)
    files = {name: _read(path, name) for name in names}
    for name, content in files.items():
        if _sha256(content) != expected.get(name):
            raise CheckpointError(f"{path / name} is not what {MANIFEST} says: truncated or altered; {remedy(path)}")
    return files


def as_json(content: Mapping[str, Any]) -> bytes:
    """Return a mapping as the bytes of a JSON file."""
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def remedy(path: Path) -> str:
    """Return how to make a checkpoint anew, from the path that says what it is."""
    architecture, _, rest = path.name.partition("-")
    seed = rest.partition("-")[0]
    case = path.parent.name
    table = case if case in datasets.names() else f"{case}.csv --target COLUMN"
    command = f"dlx train {table} --model {architecture}"
    return f"make it with: {command} --seed {seed}" if seed.strip("0") else f"make it with: {command}"


def _manifest(path: Path) -> dict[str, str]:
    content = _read(path, MANIFEST)
    try:
        manifest = json.loads(content)
        written, expected = manifest["format"], dict(manifest["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path / MANIFEST} is no manifest: truncated or altered; {remedy(path)}") from error
    if written != FORMAT:
        raise CheckpointError(f"{path} must have the format {FORMAT}, got {written!r}; {remedy(path)}")
    return expected


def _read(path: Path, name: str) -> bytes:
    try:
        return (path / name).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path / name} cannot be read: {error.strerror}; {remedy(path)}") from error


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
