"""A run's folder: where it belongs, how it is made again, and its files, which are whole or not there, and verified."""

from __future__ import annotations

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
from dlx.files import fits_a_folder, locked, parsed_json, recover, write_together

ROOT = Path("checkpoints")
FOLDER = re.compile(r"(?P<architecture>[a-z]\w*)-(?P<seed>\d+)(-(?P<digest>[0-9a-f]{8}))?")
FORMAT = 1
MANIFEST = "manifest.json"
LARGEST, LARGEST_TEXT = 2**31, 2**26  # bytes of a file, and of JSON, beyond which nothing is read


class CheckpointError(DlxError):
    """A checkpoint that is not there, was damaged, or is not what was asked for."""


def folder(
    case: str, architecture: str, *, seed: int = 0, config: Mapping[str, Any] | None = None, checkpoints: str | Path = ROOT
) -> Path:
    """Return the folder of a run's checkpoint, below the folder of all checkpoints: a function of what makes it."""
    if not fits_a_folder(case):
        raise CheckpointError(f"a case's name must be fit for a folder, got {case!r}; pass another name to read_table")
    parts = (architecture, str(seed), training.digest(training.overrides(architecture, config)))
    return Path(checkpoints) / case / "-".join(filter(None, parts))


def refuse_renamed(path: Path, said: Mapping[str, Any]) -> None:
    """Raise a `CheckpointError` if a folder does not bear the names of the run that its description says it holds."""
    place = Path(os.path.abspath(path))
    case, architecture, seed, config = said["case"], said["architecture"], said["seed"], said["config"]
    wanted = folder(case, architecture, seed=seed, config=config, checkpoints=place.parents[min(1, len(place.parents) - 1)])
    if place != wanted:
        options, got = "".join(f", {name}={value!r}" for name, value in config.items()), f"{place.parent.name}/{place.name}"
        raise CheckpointError(
            f"{path} holds the {architecture} of {case}, seed {seed}{options}, which belongs into a folder "
            f"{wanted.parent.name}/{wanted.name}, not {got}: it was copied or renamed, rename it back"
        )


def remedy(path: Path, table: Dataset | None = None) -> str:
    """Return what makes a checkpoint anew, from its path, which says what it is, and the table if it is at hand."""
    place = Path(os.path.abspath(path))
    named = FOLDER.fullmatch(place.name)
    if named is None:
        return "make one with: dlx train CASE --model MODEL"
    case, architecture, seed = place.parent.name, named["architecture"], int(named["seed"])
    words = [case] if case in cases.names() else [table.source, *table.reading.options] if table and table.source else []
    if named["digest"] or not words:
        configured = ", config=...), with the options that it had" if named["digest"] else ")"
        return f"make it with: dlx.train(case, {architecture!r}, seed={seed}{configured}"
    words += ["--model", architecture, *(("--seed", str(seed)) if seed else ())]
    checkpoints = path.parents[1] if len(path.parts) > 2 else place.parents[1]
    if checkpoints != ROOT and Path(os.path.abspath(checkpoints)) != Path(os.path.abspath(shipped_root())):
        words += ["--checkpoints", str(checkpoints)]
    return f"make it with: dlx train {shlex.join(words)}"


def shipped_root() -> Path:
    """Return the folder of the checkpoints that come with dlx: in the wheel, or beside the package in a clone."""
    package = Path(__file__).parents[1]
    packed = package / "_checkpoints"
    return packed if packed.is_dir() else package.parent / "checkpoints"


def write_folder(final: Path, files: Mapping[str, bytes]) -> Path:
    """Write files and a manifest of their sha256 as one folder, whole or not at all; return its path.

    What people put into a folder that stands there stays in it.
    """
    manifest = {"format": FORMAT, "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}}
    contents = {**files, MANIFEST: as_json(manifest)}
    write_together({final: contents}, ours=lambda path: path.name in contents)
    return final


def read_folder(path: Path, names: Sequence[str]) -> dict[str, bytes]:
    """Return the files of these names, each as the manifest says it is, or raise a `CheckpointError`."""
    recover(path)
    if not os.path.isdir(path):
        raise CheckpointError(f"there is no checkpoint {path}")
    with locked(path.parent):  # a folder that is being replaced is read before or after, never half
        content, *contents = (_read(path / name) for name in (MANIFEST, *names))
    try:
        manifest = parsed_json(content)
        written, expected = manifest["format"], dict(manifest["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{path / MANIFEST} is no manifest: truncated or altered") from error
    if type(written) is not int or written != FORMAT:
        raise CheckpointError(f"{path} must have the format {FORMAT}, got {str(written)[:20]}; see {MANIFEST}")
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in zip(names, contents, strict=True)}
    if sums != expected:
        wrong = next((name for name in names if sums[name] != expected.get(name)), MANIFEST)
        raise CheckpointError(f"{path / wrong} is not what {MANIFEST} says: truncated or altered")
    return dict(zip(names, contents, strict=True))


def as_json(content: Mapping[str, Any]) -> bytes:
    """Return a mapping as the bytes of a JSON file."""
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _read(path: Path) -> bytes:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise CheckpointError(f"{path} is no file")
        if found.st_size > (LARGEST_TEXT if path.suffix == ".json" else LARGEST):
            raise CheckpointError(f"{path} has {found.st_size:,} bytes, more than any checkpoint")
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
