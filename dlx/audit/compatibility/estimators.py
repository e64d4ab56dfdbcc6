"""The fitted estimators behind a function, where they are easily reached."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np

from dlx.model.estimators import Reading

DEPTH = 4  # a pipeline's step, behind its method, behind a closure of the user's, behind one of dlx's


def native_categories(function: Any) -> list[tuple[str, int]]:
    """Return the estimators behind a function that split on categories natively: class, and number of such columns."""
    found = {id(part): part for part in _behind(function, DEPTH)}
    counts = [(type(part).__name__, _categorical_columns(part)) for part in found.values()]
    return [(name, count) for name, count in counts if count]


def _behind(part: Any, depth: int) -> Iterator[Any]:
    """Yield what a method is bound to, what a function closes over or names, and the last step of a pipeline."""
    yield part
    if depth == 0:
        return
    inner: list[Any]
    if isinstance(part, Reading):
        inner = [part.call]
    elif inspect.ismethod(part):
        inner = [part.__self__]
    elif inspect.isfunction(part):
        names = inspect.getclosurevars(part)
        inner = [*names.nonlocals.values(), *names.globals.values()]
    else:
        steps = vars(part).get("steps") if hasattr(part, "__dict__") else None
        inner = [steps[-1][-1]] if isinstance(steps, list) and steps else []
    for each in inner:
        if not inspect.ismodule(each):
            yield from _behind(each, depth - 1)


def _categorical_columns(part: Any) -> int:
    """Return the columns that scikit-learn's histogram boosting was fitted on as categories; 0 for anything else."""
    columns = vars(part).get("is_categorical_") if hasattr(part, "__dict__") else None
    return int(np.sum(columns)) if isinstance(columns, np.ndarray) and columns.dtype == bool else 0
