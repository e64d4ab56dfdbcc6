"""What all readers of a library's trees share: what is read of a model, and which classes are known."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from dlx.errors import DlxError
from dlx.model.base import Scale
from dlx.trees import LEAF, Trees

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

    def turned(self) -> Foreign:
        """Return the same model as it speaks for the first of the two classes."""
        trees, leaf = self.trees, self.trees.feature == LEAF
        share, base = (1 / len(trees), trees.base) if self.scale == "probability" else (0.0, -trees.base)
        turned = replace(trees, value=np.where(leaf, share - trees.value, 0.0), base=base)
        return replace(self, trees=turned, predict=partial(_turned, self.predict, self.scale))


def _turned(predict: Predict, scale: Scale, rows: np.ndarray) -> np.ndarray:
    return 1 - predict(rows) if scale == "probability" else -predict(rows)


def tree_arrays(
    left: np.ndarray,
    right: np.ndarray,
    *,
    feature: np.ndarray,
    threshold: np.ndarray,
    missing_left: np.ndarray,
    value: np.ndarray,
    cover: np.ndarray,
    sets: Mapping[int, np.ndarray] | None = None,
) -> dict[str, Any]:
    """Return the nodes of one tree as `dlx.trees.concatenate` takes them; what a leaf asks, and a split adds, is left out."""
    leaf = left == LEAF
    return {
        "feature": np.where(leaf, LEAF, feature),
        "threshold": np.where(leaf, 0.0, threshold),
        "left": left,
        "right": right,
        "missing_left": missing_left.astype(bool),
        "value": np.where(leaf, value, 0.0),
        "cover": cover.astype(np.float64),
        "sets": sets or {},
    }


def known_class(estimator: Any, library: str, known: Sequence[str]) -> type:
    """Return the class of a library that an estimator is of, unless a subclass may predict otherwise, or raise a `DlxError`."""
    of_library = [cls for cls in type(estimator).__mro__ if cls.__module__.partition(".")[0] == library]
    cls = next((cls for cls in of_library if cls.__name__ in known), None)
    if cls is None:
        raise DlxError(f"{kind_of(estimator)} is not a fitted sum of trees; {WAY_OUT} (wrap_trees reads {', '.join(known)})")
    own = type(estimator).__mro__[: type(estimator).__mro__.index(cls)]
    changed = [
        name
        for name in {*vars(estimator), *(name for sub in own for name in vars(sub))}
        if (callable(getattr(cls, name, None)) or isinstance(getattr(cls, name, None), property)) and not _PREPARES.match(name)
    ]
    if changed:
        raise DlxError(
            f"{kind_of(estimator)} changes {', '.join(sorted(changed))} of {cls.__name__}, so its trees may not be what it "
            f"predicts; {WAY_OUT}"
        )
    return cls


def check_classes(estimator: Any, classes: Sequence[Any], outputs: int = 1) -> list[Any]:
    """Return the two classes of a classifier of one output, or raise a `DlxError`."""
    if outputs != 1 or len(classes) != 2:
        raise DlxError(
            f"{kind_of(estimator)} must have one output, of two classes or a regression; "
            f"it has {outputs} of {len(classes)} classes; {WAY_OUT}"
        )
    return list(classes)


def not_fitted(estimator: Any) -> DlxError:
    """Return what is raised where there are no trees yet."""
    return DlxError(f"{kind_of(estimator)} is not a fitted sum of trees: call its fit first")


def kind_of(estimator: Any) -> str:
    """Return the name of an estimator's class."""
    return type(estimator).__name__
