"""What of people an estimator reads, through which doors of dlx it goes, and which class is explained."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import pandas as pd

from doors.fitted import Problem

KINDS = ("binary", "binary", "multiclass", "regression")


@dataclass(frozen=True)
class View:
    """What of people an estimator reads.

    Parameters
    ----------
    problem : Problem
        The people and their schema.
    how : {"codes", "named codes", "frame"}
        An array of codes, codes under the columns' names, or the columns as the user holds them.
    columns : tuple of str
        The columns that are read, in their order.
    """

    problem: Problem
    how: str
    columns: tuple[str, ...]

    def __call__(self, frame: pd.DataFrame) -> Any:
        """Return what the estimator reads of people."""
        if self.how == "frame":
            return frame[list(self.columns)]
        codes = self.problem.codes(frame)
        return codes if self.how == "codes" else pd.DataFrame(codes, columns=list(frame))

    @property
    def doors(self) -> tuple[str, ...]:
        """The doors to try: whoever reads codes can be asked through a function only."""
        return ("wrap_trees", "wrap") if self.how == "frame" else ("wrap_trees", "function")

    @property
    def told(self) -> str:
        """The view in words, after an estimator's options."""
        turned = ", columns turned" if self.columns != tuple(self.problem.world.frame) else ""
        return f" on a {self.how}{turned}" if self.how == "frame" else ""


def view_of(problem: Problem, how: str, random: Random) -> View:
    """Return a view; of a frame sometimes in another order of the columns, or without one of them."""
    columns = list(problem.world.frame)
    if how == "frame" and random.random() < 0.4:
        random.shuffle(columns)
        columns = columns[: random.randint(max(1, len(columns) - 1), len(columns))]
    return View(problem, how, tuple(columns))


def told(estimator: Any, options: dict[str, Any], extra: str = "") -> str:
    """Return an estimator in words: its class and the options that were given."""
    given = ", ".join(f"{key}={value if len(str(value)) < 24 else '...'}" for key, value in options.items())
    return f"{type(estimator).__name__}({given}){extra}"


def chosen_class(problem: Problem) -> tuple[int | None, str | None]:
    """Return which class is explained, as a position (None where dlx knows it by itself) and as a level."""
    if not problem.world.labels:
        return None, None
    if len(problem.levels) == 2:
        return None, problem.levels[-1]
    target = problem.random.randrange(len(problem.levels))
    return target, problem.levels[target]
