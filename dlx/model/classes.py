"""Which of a predictor's numbers speaks for a level of the target: by the names of its classes, else by position."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from dlx.errors import DlxError
from dlx.schema import level_text
from dlx.schema.cells import number_of


def class_position(classes: Any, levels: tuple[str, ...], chosen: int, name: str) -> int:
    """Return where a level stands among the classes of an estimator.

    By name, where the classes are the levels; by position where they are 0, 1, ... (or False, True) and the levels are not.

    Raises
    ------
    DlxError
        If the classes are neither.
    """
    spelled = _spelled(classes)
    for found, known in ((spelled, list(levels)), (_as_numbers(spelled), _as_numbers(levels))):
        if sorted(found) == sorted(known):
            return found.index(known[chosen])
    if is_by_position(classes, levels):
        return chosen
    raise DlxError(
        f"{name} must have been fitted on the classes of the target, {', '.join(map(repr, levels))}; "
        f"it has {', '.join(map(repr, spelled))}"
    )


def is_by_position(classes: Any, levels: tuple[str, ...]) -> bool:
    """Whether the classes are 0, 1, ... (or False, True), and the levels of the target are names of another kind."""
    numbers = _as_numbers(_spelled(classes))
    return numbers == [str(i) for i in range(len(levels))] and not set(numbers) & set(_as_numbers(levels))


def are_sorted(levels: tuple[str, ...]) -> bool:
    """Whether levels are in the order in which libraries sort classes, so that positions mean the same in both."""
    numbers = [number_of(level) for level in levels]
    known = [number for number in numbers if number is not None]
    return known == sorted(known) if len(known) == len(levels) else list(levels) == sorted(levels)


def mean_speaks_for(levels: tuple[str, ...], chosen: int) -> bool:
    """Whether the mean of an outcome, which a regression predicts, is the probability of a level: of 0 and 1 that of 1 is."""
    return sorted(_as_numbers(levels)) != ["0", "1"] or _as_numbers(levels)[chosen] == "1"


def _spelled(classes: Any) -> list[str]:
    return [level_text(value) for value in np.asarray(classes).tolist()]


def _as_numbers(levels: Iterable[str]) -> list[str]:
    return [{"False": "0", "True": "1"}.get(level, level) for level in levels]
