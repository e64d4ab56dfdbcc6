"""What makes a checkpoint, and with that where it belongs; and how it is made again."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlx import cases, training
from dlx.dataset import Dataset
from dlx.errors import DlxError

ROOT = Path("checkpoints")
TABLES = (".csv", ".csv.gz", ".csv.xz", ".csv.zip", ".tsv", ".tsv.gz", ".xlsx", ".parquet")
FOLDER = re.compile(r"(?P<architecture>[a-z]\w*)-(?P<seed>\d+)(-(?P<digest>[0-9a-f]{8}))?")


class CheckpointError(DlxError):
    """A checkpoint that is not there, was damaged, or is not what was asked for."""


@dataclass(frozen=True)
class Run:
    """What makes a checkpoint: the same run, the same folder.

    Parameters
    ----------
    case, architecture : str
        Names of the table and of the architecture.
    seed : int
        Seed of the training.
    config : mapping
        The options that differ from the defaults.
    """

    case: str
    architecture: str
    seed: int = 0
    config: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.config.items())
        return f"{self.architecture} of {self.case}, seed {self.seed}{options}"

    def below(self, root: str | Path) -> Path:
        """Return the run's folder: ``<root>/<case>/<architecture>-<seed>``, with ``-<hash>`` of the options."""
        suffix = training.digest(self.config)
        return Path(root) / self.case / "-".join(filter(None, (self.architecture, str(self.seed), suffix)))


def refuse_renamed(path: Path, said: Run, table: Dataset | None) -> None:
    """Raise a `CheckpointError` if a folder does not bear the names of the run that it holds."""
    place = Path(os.path.abspath(path))
    wanted = said.below(place.parents[1] if len(place.parts) > 2 else place.parent)
    if place != wanted:
        asked = f"{place.parent.name}/{place.name}"
        raise CheckpointError(
            f"{path} holds the {said}, which belongs into a folder {wanted.parent.name}/{wanted.name}, not {asked}: "
            f"it was copied or renamed; rename it back, or {remedy(path, table)}"
        )


def remedy(path: Path, table: Dataset | None = None) -> str:
    """Return how to make a checkpoint anew, from the path that says what it is, and the table if it is at hand."""
    place = Path(os.path.abspath(path))
    named = FOLDER.fullmatch(place.name)
    if named is None:
        return "make one with: dlx train CASE --model MODEL"
    if named["digest"]:
        asked = f"{named['architecture']!r}, seed={int(named['seed'])}"
        return f"make it with: dlx.train(case, {asked}, config=...), with the options that it had"
    words = [*_table_words(place.parent.name, table), "--model", named["architecture"]]
    words += ["--seed", named["seed"]] if named["seed"].strip("0") else []
    root = path.parents[1] if len(path.parts) > 2 else place.parents[1]
    if root != ROOT and not _is_shipped(root):
        words += ["--checkpoints", str(root)]
    where = "" if words[0] != "FILE" else f", where FILE is the file of the case {place.parent.name!r}"
    return f"make it with: dlx train {shlex.join(words)}{where}"


def shipped_root() -> Path:
    """Return the folder of the checkpoints that come with dlx: in the wheel, or beside the package in a clone."""
    package = Path(__file__).parents[1]
    packed = package / "_checkpoints"
    return packed if packed.is_dir() else package.parent / "checkpoints"


def _is_shipped(root: Path) -> bool:
    return Path(os.path.abspath(root)) == Path(os.path.abspath(shipped_root()))


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
