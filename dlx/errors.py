"""What dlx raises for a caller's mistake: one line that says the rule, what came, and the remedy."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

MOST_NAMES = 30


class DlxError(ValueError):
    """A mistake in what was given to dlx; the command line shows its message without a traceback."""


def did_you_mean(word: object, known: Iterable[object]) -> str:
    """Return "; did you mean 'age'?" where a known name is close to a word, upper and lower case aside; else nothing."""
    names = {str(name).casefold(): str(name) for name in known}
    close = get_close_matches(str(word).casefold(), names, n=1)
    return f"; did you mean {names[close[0]]!r}?" if close else ""


def listed(names: Iterable[object]) -> str:
    """Return names with commas, on one line; of very many the first ones."""
    every = [" ".join(str(name).split()) for name in names]
    more = [f"and {len(every) - MOST_NAMES:,} more"] if len(every) > MOST_NAMES else []
    return ", ".join([*every[:MOST_NAMES], *more])


def one_line(message: object) -> str:
    """Return a library's message on one line."""
    return " ".join(str(message).split())
