"""Same unit, same people, same columns, same background: or it is not compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlx.errors import DlxError
from dlx.explanation import Explanation


class AlignmentError(DlxError):
    """Explanations that answer different questions."""


def describe(explanation: Explanation) -> str:
    """Return which explanation this is, in words: "lime of mlp"."""
    return f"{explanation.method} of {explanation.model}"


def refuse_unaligned(explanations: Sequence[Explanation], *, but: Sequence[str] = ()) -> None:
    """Raise an `AlignmentError` that says what differs and how to align it; what stands in `but` may differ."""
    first = explanations[0]
    for other in explanations[1:]:
        for what, read, remedy in _SHARED:
            if what not in but and not _same(read(first), read(other)):
                values = "" if what in _UNPRINTABLE else f" ({read(first)} and {read(other)})"
                raise AlignmentError(
                    f"{describe(first)} and {describe(other)} must share the {what} but do not{values}; {remedy}"
                )


_SHARED: tuple[tuple[str, Callable[[Explanation], Any], str], ...] = (
    ("columns", lambda e: e.schema.names, "explain models that read the same table"),
    ("schema", lambda e: e.schema.sha256, "explain both with the same schema"),
    ("scale", lambda e: e.scale, "explain both with the same scale=..."),
    ("unit", lambda e: e.options.get("units", "contribution"), "explain both as contributions: units='contribution'"),
    (
        "reference",
        lambda e: "the trees" if e.options.get("path_dependent") else "rows",
        "explain trees against the background too: path_dependent=False",
    ),
    ("target", lambda e: e.target, "explain the same outcome"),
    ("rows", lambda e: e.rows_id, "explain the same people, in the same order"),
    ("row names", lambda e: e.index, "explain the same people, in the same order"),
    ("background", lambda e: e.background_id, "pass the same background=... to both"),
)
_UNPRINTABLE = ("columns", "schema", "rows", "row names", "background")


def _same(one: Any, other: Any) -> bool:
    return bool(np.array_equal(one, other)) if isinstance(one, np.ndarray) else bool(one == other)
