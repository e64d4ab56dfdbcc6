"""What several commands ask for, and what they make of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlx.errors import DlxError

if TYPE_CHECKING:
    from dlx.dataset import Dataset

Case = Annotated[str, typer.Argument(help="A shipped case, or the path of a .csv or .parquet table.", show_default=False)]
TargetColumn = Annotated[str | None, typer.Option("--target", help="Column to predict, for a table of your own.")]
Positive = Annotated[str | None, typer.Option(help="The outcome that counts as positive, for a table of your own.")]
SchemaFile = Annotated[Path | None, typer.Option("--schema", help="TOML file that describes the columns of your table.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.", min=0, max=2**32 - 1)]
Device = Annotated[str, typer.Option(help="Where nets are trained: auto, cpu or cuda.")]
Background = Annotated[int, typer.Option(help="Training rows that serve as the reference of every method.", min=1)]
Checkpoints = Annotated[
    Path | None,
    typer.Option(
        help="Folder of trained models, and the only place to look; by default ./checkpoints, then the shipped ones.",
        show_default=False,
    ),
]


def case_of(case: str, target: str | None, positive: str | None, schema: Path | None) -> Dataset:
    """Return the case of a name, or the table of a path, or raise if the options do not belong to it."""
    from dlx import datasets
    from dlx.dataset import read_table

    if Path(case).suffixes and Path(case).name.split(".")[0] in datasets.names():
        raise DlxError(f"{case} has the name of a shipped case, whose models are not its own; give the file another name")
    if case not in datasets.names() and Path(case).suffixes:
        return read_table(case, target=target, positive=positive, schema=schema)
    data = datasets.load(case)
    if target or positive or schema:
        raise DlxError(f"--target, --positive and --schema describe a table of your own, but {case} is shipped with them")
    return data


def writable(folder: Path) -> Path:
    """Return the folder, or raise before any work is done if results could not be written to it."""
    from dlx.files import refuse_unwritable

    refuse_unwritable(folder, "pass another --output")
    return folder


def kept_below(folder: Path | None) -> None:
    """Raise, before any data are read, if the folder of models that was given is none and cannot be made."""
    from dlx.files import refuse_unwritable

    if folder is not None and not folder.is_dir():  # one that is there may hold all that is asked for
        refuse_unwritable(folder, "pass another --checkpoints")
