"""Progress on standard error: a bar in a terminal, a line a finished step elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

Update = Callable[[int, int], None]


class Narrator:
    """Progress bars of steps, and a line of each that is done; a quiet one says nothing."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(stderr=True, quiet=quiet, highlight=False, emoji=False)

    @contextlib.contextmanager
    def step(self, description: str, unit: str = "", *, is_still: bool = False) -> Iterator[Update]:
        """Show one step; the block is given a function to call with what is done and what there is in all.

        A bar that is still is drawn when that function is called only, and by no thread.
        """
        started, last = time.perf_counter(), (0, 0)
        bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
            auto_refresh=not is_still,
        )
        with bar:
            task = bar.add_task(description, total=None)

            def update(done: int, total: int) -> None:
                nonlocal last
                last = (done, total)
                bar.update(task, completed=done, total=total, refresh=is_still)

            try:
                yield update
            except Exception as error:
                error.add_note(description)
                raise
        counted = f" {last[0]:,} {unit}," if unit and last[1] else ""
        self.say(f"{description}:{counted} {time.perf_counter() - started:.1f} s")

    def say(self, line: str) -> None:
        """Print one line."""
        self.console.print(line, markup=False, soft_wrap=True)
