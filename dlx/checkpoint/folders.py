"""Folders that are either whole or not there, and verified before anything in them is parsed."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlx.checkpoint.identity import CheckpointError
from dlx.files import locked, parsed_json, put_in_place, recover, staging, write_atomically

FORMAT = 1
MANIFEST = "manifest.json"
LARGEST, LARGEST_TEXT = 2**31, 2**26  # bytes of a file, and of JSON, beyond which nothing is read


def write_folder(final: Path, files: Mapping[str, bytes]) -> Path:
    """Write files and a manifest of their sha256 into a folder beside its place, and rename it; return its path.

    What people put into a folder that stands there stays in it.
    """
    manifest = {"format": FORMAT, "sha256": {name: _sha256(content) for name, content in files.items()}}
    with staging(final) as unfinished:
        for name, content in {**files, MANIFEST: as_json(manifest)}.items():
            write_atomically(unfinished / name, content)
        put_in_place({final: unfinished}, ours=lambda path: path.name in {*files, MANIFEST})
    return final


def read_folder(path: Path, names: Sequence[str]) -> dict[str, bytes]:
    """Return the files of these names, each as the manifest says it is.

    Raises
    ------
    CheckpointError
        If the folder or a file is lacking, or a file was truncated or altered.
    """
    recover(path)
    if not os.path.isdir(path):
        raise CheckpointError(f"there is no checkpoint {path}")
    with locked(path.parent):  # a folder that is being replaced is read before or after, never half
        expected = _manifest(path, names)
        files = {name: _read(path, name) for name in names}
    for name, content in files.items():
        if _sha256(content) != expected[name]:
            raise CheckpointError(f"{path / name} is not what {MANIFEST} says: truncated or altered")
    return files


def as_json(content: Mapping[str, Any]) -> bytes:
    """Return a mapping as the bytes of a JSON file."""
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _manifest(path: Path, names: Sequence[str]) -> dict[str, str]:
    try:
        manifest = parsed_json(_read(path, MANIFEST))
        written, expected = manifest["format"], dict(manifest["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path / MANIFEST} is no manifest: truncated or altered") from error
    if type(written) is not int or written != FORMAT:
        raise CheckpointError(f"{path} must have the format {FORMAT}, got {str(written)[:20]}")
    if set(expected) != set(names):
        raise CheckpointError(f"{path / MANIFEST} must list {', '.join(names)}: truncated or altered")
    return expected


def _read(path: Path, name: str) -> bytes:
    try:
        found = (path / name).stat()
        if not stat.S_ISREG(found.st_mode):
            raise CheckpointError(f"{path / name} is no file")
        if found.st_size > (LARGEST_TEXT if name.endswith(".json") else LARGEST):
            raise CheckpointError(f"{path / name} has {found.st_size:,} bytes, more than any checkpoint")
        return (path / name).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path / name} cannot be read: {error.strerror}") from error


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
