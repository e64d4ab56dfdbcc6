"""`dlx schema`: what dlx takes the columns of a table for, as a file to edit."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from dlx.cli.options import Strict, Table, writable
from dlx.errors import DlxError


class WithKeys(Strict):
    """A command whose help lists the keys of a schema file."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, then each key with its type and what it says."""
        from dlx.cli.printing import print_keys
        from dlx.dataset.writing import keys

        super().format_help(ctx, formatter)
        print_keys(keys())


def schema(
    table: Table,
    file: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; printed if left out.")] = None,
) -> None:
    """Write what dlx takes the columns of a table for, as a TOML file to edit and to pass back as `--schema`.

    What was guessed is marked so.

    Example: `dlx schema loans.csv --target default -o loans.toml`
    """
    from dlx.dataset import schema_text
    from dlx.files import write_atomically

    if file is not None and file.exists():
        raise DlxError(f"{file} is there already, and may have been edited; pass another --output, or remove it")
    if file is not None:
        writable(file.parent)
    data = table.data
    text = schema_text(data, command=shlex.join(["dlx", *sys.argv[1:]]), stated=table.stated)
    if file is None:
        print(text, end="")
    else:
        write_atomically(file, text)
        print(file)
