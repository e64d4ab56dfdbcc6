"""What all readers of a library's trees share: what is read of a model, and which classes are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlx.errors import DlxError
from dlx.model.base import Scale
from dlx.trees import Trees

Predict = Callable[[np.ndarray], np.ndarray]
WAY_OUT = "dlx.wrap takes anything that predicts"
_PREPARES = re.compile(r"__|fit|score$|get_params$|set_")  # what a subclass may change without changing what it predicts


@dataclass(frozen=True)
class Foreign:
    """A model of another library, read; it speaks for the second of two classes."""

    trees: Trees  # on the columns as the library numbers them
    scale: Scale  # on which they add up
    predict: Predict  # the library's own prediction of rows of its columns, on that scale
    names: Sequence[str] | None  # of the columns that it was fitted on, if they had any
    count: int  # of these columns
    classes: Sequence[Any] | None  # the two of a classifier; None for a regression, and for a booster, which knows no names
    precision: str = "float64"  # in which the library adds up the leaves


def known_class(estimator: Any, library: str, known: Sequence[str]) -> type:
    """Return the class of a library that a fitted estimator is of; a `DlxError` if there is none, or a subclass changes it."""
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    mro = type(estimator).__mro__
    of_library = (cls for cls in mro if cls.__module__.partition(".")[0] == library)
    cls = next((cls for cls in of_library if cls.__name__ in known), None)
    if cls is None:
        raise DlxError(f"{kind_of(estimator)} is not a fitted sum of trees; {WAY_OUT} (wrap_trees reads {', '.join(known)})")
    if hasattr(estimator, "fit"):
        try:
            check_is_fitted(estimator)
        except NotFittedError as error:
            raise DlxError(f"{kind_of(estimator)} is not a fitted sum of trees: call its fit first") from error
    own = {*vars(estimator), *(name for sub in mro[: mro.index(cls)] for name in vars(sub))}
    theirs = {name: getattr(cls, name, None) for name in own if not _PREPARES.match(name)}
    changed = [name for name, old in theirs.items() if callable(old) or isinstance(old, property)]
    if changed:
        raise DlxError(
            f"{kind_of(estimator)} changes {', '.join(sorted(changed))} of {cls.__name__}, so its trees may not be what it "
            f"predicts; {WAY_OUT}"
        )
    return cls


def classes_of(estimator: Any, *, is_classifier: bool, outputs: int = 1) -> list[Any] | None:
    """Return the two classes of a classifier, None of a regression; a `DlxError` if there are more, or several outputs."""
    classes = list(estimator.classes_) if is_classifier else None
    if outputs != 1 or (classes is not None and len(classes) != 2):
        came = f"got {outputs}"
        if classes is not None:
            came = f"of two classes or a regression; it has {outputs} of {len(classes)} classes"
        raise DlxError(f"{kind_of(estimator)} must have one output, {came}; {WAY_OUT}")
    return classes


def kind_of(estimator: Any) -> str:
    """Return the name of an estimator's class."""
    return type(estimator).__name__
