"""A fitted estimator with the question that is put to dlx: through which doors it goes, and what its own predict says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
import pandas as pd

import dlx
from doors.worlds import World

Outputs = Callable[[pd.DataFrame], np.ndarray]
EPSILON = float(np.finfo(np.float32).eps)


def exact(frame: pd.DataFrame) -> np.ndarray:
    """Return the bound of a library that sums in doubles: nothing."""
    return np.zeros(len(frame))


@dataclass(frozen=True)
class Problem:
    """People, the schema that a user would infer from them, and codes for libraries that read numbers only.

    Parameters
    ----------
    world : World
        The people.
    random : Random
        The source of every choice.
    """

    world: World
    random: Random
    case: Any = field(init=False)

    def __post_init__(self) -> None:
        table = self.world.table.iloc[: len(self.world.seen)]
        positive = str(spelled(self.world.labels[-1])) if len(self.world.labels) == 2 else None
        object.__setattr__(self, "case", dlx.from_frame(table, dlx.infer_schema(table, "y", positive=positive)))

    @property
    def levels(self) -> tuple[str, ...]:
        """The classes in the schema's order."""
        return self.case.schema.target.levels

    def codes(self, frame: pd.DataFrame) -> np.ndarray:
        """Return people as the codes that the schema lists, float64 [rows, features]."""
        columns = []
        for name in frame:
            feature = self.case.schema[name]
            if feature.kind == "numeric":
                columns.append(frame[name].to_numpy(np.float64, na_value=np.nan))
            else:
                position = {level: float(i) for i, level in enumerate(feature.levels)}
                columns.append(np.array([np.nan if pd.isna(v) else position[spelled(v)] for v in frame[name]]))
        return np.column_stack(columns)

    @property
    def grouped(self) -> list[int]:
        """Positions of the columns whose codes are categories."""
        return [i for i, feature in enumerate(self.case.schema.features) if feature.kind == "categorical"]

    @property
    def labels(self) -> np.ndarray:
        """The outcomes as positions among the schema's levels, or the values of a regression."""
        seen = self.world.seen_outcome
        if not self.world.labels:
            return seen
        return np.array([self.levels.index(spelled(label)) for label in seen])

    @property
    def alphabetic(self) -> np.ndarray:
        """The outcomes as positions among the sorted levels, as a LabelEncoder gives them, or the values of a regression."""
        order = sorted(self.levels)
        return np.array([order.index(self.levels[i]) for i in self.labels]) if self.world.labels else self.labels

    @property
    def weights(self) -> np.ndarray | None:
        """Weights of the people that are fitted, sometimes."""
        rng = np.random.default_rng(self.random.getrandbits(32))
        return rng.exponential(size=len(self.world.seen)) + 0.1 if self.random.random() < 0.2 else None


@dataclass(frozen=True, repr=False)
class Fitted:
    """A fitted estimator and what is true of it.

    Parameters
    ----------
    name : str
        What it is, in words.
    problem : Problem
        The people it was fitted on, and their schema.
    predictor : object
        What is passed to dlx.
    own : mapping of str to callable
        For each scale, what the library says of people in the user's own columns: [rows].
    doors : tuple of str
        The functions of dlx to try, in turn: wrap_trees, wrap.
    is_plain : bool
        Whether a user would expect that it is taken.
    target : int, optional
        The position among the schema's levels of the class that is explained.
    bound : callable
        By how much the library's own sum may be off for each row, derived from its trees.
    scale : str, optional
        What is passed as the scale on which a function answers.
    """

    name: str
    problem: Problem
    predictor: Any
    own: Mapping[str, Outputs]
    doors: tuple[str, ...] = ("wrap",)
    is_plain: bool = True
    target: int | None = None
    bound: Outputs = exact
    scale: str | None = None

    def __repr__(self) -> str:
        return f"Fitted({self.name} of {self.problem.world.told}; outcomes {self.problem.world.labels})"


def spelled(value: Any) -> str:
    """Return how a value is spelled as a level: 1.0, 1 and "1" are the same."""
    is_whole = isinstance(value, (float, np.floating)) and float(value).is_integer()
    return str(int(value)) if is_whole else str(value)


def of_class(estimator: Any, level: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return what takes the outputs of an estimator [rows, classes] to those of one class, found by its name."""
    position = [spelled(label) for label in estimator.classes_].index(level)

    def one(outputs: np.ndarray) -> np.ndarray:
        outputs = np.asarray(outputs, dtype=np.float64)
        if outputs.ndim == 1:  # a margin of the second of two classes
            return outputs if position == 1 else -outputs
        return outputs[:, position]

    return one
