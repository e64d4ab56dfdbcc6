"""What dlx raises for a caller's mistake: one line that says the rule, what came, and the remedy; and for its own faults."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from difflib import get_close_matches


class DlxError(ValueError):
    """A mistake in what was given to dlx; the command line shows its message without a traceback."""


class BugError(Exception):
    """A fault of dlx itself: what was being made is named, the cause is chained."""

    def __init__(self, what: str, error: BaseException) -> None:
        self.what = what
        super().__init__(
            f"{what} failed: {type(error).__name__}: {_first_line(error)}. This is a fault of dlx, not of your data or model; "
            "please report it with the traceback, which --debug shows"
        )


CALLERS = ("dlx.model", "dlx.explainers", "dlx.kernels", "dlx.runner", "dlx.workbench.jobs")  # of others' code


def is_own_fault(error: BaseException) -> bool:
    """Return whether an exception is a fault of dlx: no refusal, and not raised inside a model or library that it called."""
    if isinstance(error, DlxError):
        return False
    modules = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
    own = [place for place, module in enumerate(modules) if module.split(".")[0] == "dlx"]
    return bool(own) and (own[-1] == len(modules) - 1 or not modules[own[-1]].startswith(CALLERS))


def in_a_line(error: BaseException) -> str:
    """Return an error as one line; what dlx raised speaks for itself."""
    return _first_line(error) if isinstance(error, DlxError) else f"{type(error).__name__}: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]


def did_you_mean(word: object, known: Iterable[object]) -> str:
    """Return "; did you mean 'age'?" where a known name is close to a word, or the only one that begins so; else nothing.

    Upper and lower case are the same.
    """
    names, spelled = {str(name).casefold(): str(name) for name in known}, str(word).casefold()
    begun = [name for name in names if len(spelled) > 2 and name.startswith(spelled)]
    close = get_close_matches(spelled, names, n=1) or begun[: len(begun) == 1]
    return f"; did you mean {names[close[0]]!r}?" if close else ""


def listed(names: Iterable[object], most: int = 30) -> str:
    """Return names with commas, on one line; of very many the first ones."""
    every = list(map(one_line, names))
    more = [f"and {len(every) - most:,} more"] if len(every) > most else []
    return ", ".join([*every[:most], *more])


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: "1 row", "2 rows"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def quoted(value: object) -> str:
    """Return a value as an error names it: on one line, and not without end."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…{text[-1]}"


def one_line(message: object) -> str:
    """Return a library's message on one line."""
    return " ".join(str(message).split())
