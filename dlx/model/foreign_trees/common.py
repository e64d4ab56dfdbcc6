"""What is read of a library's model, and what all readers share: which classes are known, and sets of codes as bits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dlx.errors import DlxError
from dlx.model.protocol import Scale
from dlx.trees import LEAF, NO_SET, WORD, Trees

Predict = Callable[[np.ndarray], np.ndarray]
WAY_OUT = "dlx.wrap takes anything that predicts"
_PREPARES = re.compile(r"__|fit|score$|get_params$|set_")  # what a subclass may change without changing what it predicts


@dataclass(frozen=True)
class Foreign:
    """A model of another library, read.

    Parameters
    ----------
    trees : Trees
        On the columns as the library numbers them.
    scale : {"logit", "probability", "value"}
        On which they add up.
    predict : callable
        The library's own prediction of rows of its columns, on that scale.
    precision : {"float32", "float64"}
        In which the library adds up the leaves.
    """

    trees: Trees
    scale: Scale
    predict: Predict
    precision: str = "float64"


@dataclass
class Sets:
    """Sets of codes, as bits one after the other.

    Parameters
    ----------
    words : list of ndarray of uint32
        The sets.
    count : int
        Words in all.
    """

    words: list[np.ndarray] = field(default_factory=list)
    count: int = 0

    def add(self, codes: Iterable[int]) -> tuple[int, int]:
        """Return where the set of some codes starts, and its number of words."""
        chosen = np.fromiter(codes, dtype=np.int64)
        words = np.zeros(int(chosen.max(initial=-1)) // WORD + 1, dtype=np.uint32)
        np.bitwise_or.at(words, chosen // WORD, np.uint32(1) << (chosen % WORD).astype(np.uint32))
        return self.add_words(words)

    def add_words(self, words: np.ndarray) -> tuple[int, int]:
        """Return where a set starts that is given as bits, and its number of words."""
        start, self.count = self.count, self.count + len(words)
        self.words.append(words)
        return start, len(words)

    def all(self) -> np.ndarray:
        """Return the words of all sets."""
        return np.concatenate([np.empty(0, dtype=np.uint32), *self.words])


def without_sets(count: int) -> dict[str, np.ndarray]:
    """Return the arrays of nodes that ask for thresholds only."""
    return {"set_start": np.full(count, NO_SET, dtype=np.int64), "set_size": np.zeros(count, dtype=np.int64)}


def parents_first(tree: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return a tree's arrays with parents before their children, and without nodes that nothing leads to."""
    levels, nodes = [], np.zeros(1, dtype=np.int64)
    while len(nodes):
        levels.append(nodes)
        inner = nodes[tree["left"][nodes] != LEAF]
        nodes = np.concatenate([tree["left"][inner], tree["right"][inner]])
    order = np.concatenate(levels)
    place = np.full(len(tree["left"]) + 1, LEAF)
    place[order] = np.arange(len(order))
    return {name: place[array[order]] if name in ("left", "right") else array[order] for name, array in tree.items()}


def known_class(estimator: Any, library: str, known: Sequence[str]) -> type:
    """Return the class of a library that an estimator is of, and whose predictions it has not changed.

    Raises
    ------
    DlxError
        If it is of none that is known, or a subclass that overrides what the class does.
    """
    of_library = [cls for cls in type(estimator).__mro__ if cls.__module__.partition(".")[0] == library]
    cls = next((cls for cls in of_library if cls.__name__ in known), None)
    if cls is None:
        raise DlxError(f"{kind_of(estimator)} is not a fitted sum of trees; {WAY_OUT} (wrap_trees reads {', '.join(known)})")
    own = type(estimator).__mro__[: type(estimator).__mro__.index(cls)]
    changed = {name for sub in own for name in vars(sub)} | set(vars(estimator))
    changed = {name for name in changed if callable(getattr(cls, name, None)) or isinstance(getattr(cls, name, None), property)}
    changed = {name for name in changed if not _PREPARES.match(name)}
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
