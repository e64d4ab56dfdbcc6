"""A run's folder: where it belongs, how it is made again, and its files, which are whole or not there, and verified."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shlex
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlx import cases, training
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.files import locked, parsed_json, put_in_place, recover, staging, write_atomically

ROOT = Path("checkpoints")
TABLES = (".csv", ".csv.gz", ".csv.xz", ".csv.zip", ".tsv", ".tsv.gz", ".xlsx", ".parquet")
FOLDER = re.compile(r"(?P<architecture>[a-z]\w*)-(?P<seed>\d+)(-(?P<digest>[0-9a-f]{8}))?")
FORMAT = 1
MANIFEST = "manifest.json"
LARGEST, LARGEST_TEXT = 2**31, 2**26  # bytes of a file, and of JSON, beyond which nothing is read


class CheckpointError(DlxError):
    """A checkpoint that is not there, was damaged, or is not what was asked for."""


# Where a run belongs


def folder(
    case: str,
    architecture: str,
    *,
    seed: int = 0,
    config: Mapping[str, Any] | None = None,
    checkpoints: str | Path = ROOT,
) -> Path:
    """Return the folder of a run's checkpoint, below the folder of all checkpoints: a function of what makes it."""
    if not fits_a_folder(case):
        raise CheckpointError(f"a case's name must be fit for a folder, got {case!r}; pass another name to read_table")
    parts = (architecture, str(seed), training.digest(training.overrides(architecture, config)))
    return Path(checkpoints) / case / "-".join(filter(None, parts))


def fits_a_folder(name: str) -> bool:
    """Whether a case's name can be the name of a folder on any system."""
    return not name.startswith(".") and not set(name) & set('/\\:*?"<>|\0') and len(name.splitlines()) == 1


def refuse_renamed(path: Path, said: Mapping[str, Any], table: Dataset | None) -> None:
    """Raise a `CheckpointError` if a folder does not bear the names of the run that its description says it holds."""
    place = Path(os.path.abspath(path))
    checkpoints = place.parents[1] if len(place.parts) > 2 else place.parent
    case, architecture, seed, config = said["case"], said["architecture"], said["seed"], said["config"]
    wanted = folder(case, architecture, seed=seed, config=config, checkpoints=checkpoints)
    if place != wanted:
        options = "".join(f", {name}={value!r}" for name, value in config.items())
        raise CheckpointError(
            f"{path} holds the {architecture} of {case}, seed {seed}{options}, which belongs into a folder "
            f"{wanted.parent.name}/{wanted.name}, not {place.parent.name}/{place.name}: it was copied or renamed; "
            f"rename it back, or {remedy(path, table)}"
        )


def remedy(path: Path, table: Dataset | None = None) -> str:
    """Return the command that makes a checkpoint anew, from its path, which says what it is, and the table if it is at hand."""
    place = Path(os.path.abspath(path))
    named = FOLDER.fullmatch(place.name)
    if named is None:
        return "make one with: dlx train CASE --model MODEL"
    if named["digest"]:
        asked = f"{named['architecture']!r}, seed={int(named['seed'])}"
        return f"make it with: dlx.train(case, {asked}, config=...), with the options that it had"
    words = [*_table_words(place.parent.name, table), "--model", named["architecture"]]
    words += ["--seed", named["seed"]] if named["seed"].strip("0") else []
    checkpoints = path.parents[1] if len(path.parts) > 2 else place.parents[1]
    if checkpoints != ROOT and Path(os.path.abspath(checkpoints)) != Path(os.path.abspath(shipped_root())):
        words += ["--checkpoints", str(checkpoints)]
    where = "" if words[0] != "FILE" else f", where FILE is the file of the case {place.parent.name!r}"
    return f"make it with: dlx train {shlex.join(words)}{where}"


def shipped_root() -> Path:
    """Return the folder of the checkpoints that come with dlx: in the wheel, or beside the package in a clone."""
    package = Path(__file__).parents[1]
    packed = package / "_checkpoints"
    return packed if packed.is_dir() else package.parent / "checkpoints"


def _table_words(case: str, table: Dataset | None) -> list[str]:
    """Return how the command line names a case: by its name, or by the file of this folder that bears it."""
    if case in cases.names():
        return [case]
    wanted, files = {f"{case}{end}".lower() for end in TABLES}, [str(getattr(table, "source", ""))]
    with contextlib.suppress(OSError):
        files += sorted(name for name in os.listdir() if name.lower() in wanted)
    file = next((file for file in files if os.path.isfile(file)), "FILE")
    if table is not None and table.reading.options:
        return [file, *table.reading.options]
    words = [file, "--target", table.schema.target.name if table else "COLUMN"]
    return [*words, "--positive", table.schema.target.levels[-1]] if table and table.schema.target.levels else words


# Its files


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
    """Return the files of these names, each as the manifest says it is, or raise a `CheckpointError`."""
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
