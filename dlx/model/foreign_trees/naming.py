"""Which of an estimator's columns and classes are those of a schema: by name wherever there are names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlx.errors import DlxError
from dlx.schema import Schema
from dlx.schema.columns import Target, level_text

_NUMBERED = ("", "f", "Column_")  # how columns without names are called
_FLAGS = {"False": "0", "True": "1"}


def columns_of(names: Sequence[str] | None, count: int, schema: Schema, kind: str) -> list[int]:
    """Return where each column that an estimator reads stands in a schema, by name, or by position where it knows none.

    Raises
    ------
    DlxError
        If they are not the columns of the schema, each once.
    """
    wanted = list(schema.names)
    for known in (wanted, [re.sub(r"\s", "_", name) for name in wanted]):  # as LightGBM writes them
        if names is not None and sorted(names) == sorted(known) and len(set(known)) == len(known):
            return [known.index(name) for name in names]
    nameless = names is None or any(list(names) == [f"{word}{i}" for i in range(count)] for word in _NUMBERED)
    if nameless and count == len(wanted):
        return list(range(count))
    came = f"{count} columns" if names is None else ", ".join(names)
    raise DlxError(
        f"{kind} must read the columns of the schema, or as many in their order, {', '.join(wanted)}; it reads {came}"
    )


def position_of_positive(classes: Sequence[Any] | None, target: Target, kind: str) -> int:
    """Return the position of a schema's positive outcome among an estimator's classes; 1 where it has no names for them.

    Raises
    ------
    DlxError
        If the classes are not the outcomes of the schema.
    """
    if classes is None or target.kind == "regression":
        return 1
    levels, found = _texts(target.levels), _texts(classes)
    if sorted(found) == sorted(levels):
        return found.index(levels[-1])
    if found == ["0", "1"] and len(levels) == 2 and not set(found) & set(levels):
        return 1
    raise DlxError(
        f"the classes of {kind} must be the outcomes of the schema, {', '.join(target.levels)}, or 0 and 1; "
        f"they are {', '.join(map(str, classes))}; fit it on the outcomes as the schema spells them"
    )


def _texts(values: Sequence[Any]) -> list[str]:
    """Return how levels are spelled, with False and True as 0 and 1."""
    texts = [level_text(value.item() if isinstance(value, np.generic) else value) for value in values]
    return [_FLAGS[text] for text in texts] if set(texts) == set(_FLAGS) else texts
