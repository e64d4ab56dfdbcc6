"""What was found for the denied: counterfactuals, each verified, and how low the risk can get where there is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.arrays import same
from dlx.audit.recourse.actions import ActionSet
from dlx.audit.recourse.people import with_values
from dlx.dataset import Dataset
from dlx.schema import Schema
from dlx.stats import Interval, interval_of, interval_of_mean, interval_of_share

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """A person who is like a denied one and is not denied.

    Parameters
    ----------
    row : ndarray [features]
        Coded.
    columns : tuple of str
        What differs.
    risk : float
        The model's probability for the row, from a call of predict of its own.
    distance : float
        From the denied person, scaled; see `Metric`.
    loneliness : float
        Distance to the fifth nearest real person.
    """

    row: np.ndarray
    columns: tuple[str, ...]
    risk: float
    distance: float
    loneliness: float


@dataclass(frozen=True, eq=False)
class Answer:
    """What one denied person is told.

    Parameters
    ----------
    person : object
        The name of the row.
    row : ndarray [features]
        Coded.
    risk : float
        The model's probability.
    counterfactuals : tuple of Counterfactual
        The easiest first, then the most different; empty where there is none.
    lowest_risk : float
        The lowest that was reached by the columns that may change; where counterfactuals were found, the lowest seen on
        the way.
    lowest_row : ndarray [features]
        The person of that risk.
    movable : int
        Columns that may change and have another value to go to.
    exhausted : int
        Up to how many columns all combinations of the grid were tried.
    only_strange : bool
        Whether changes were found that suffice, but all of them make a person unlike real ones.
    evaluations : int
        Predictions.
    """

    person: Any
    row: np.ndarray
    risk: float
    counterfactuals: tuple[Counterfactual, ...]
    lowest_risk: float
    lowest_row: np.ndarray
    movable: int
    exhausted: int
    only_strange: bool
    evaluations: int


@dataclass(frozen=True, eq=False)
class Recourse:
    """The answers to all denied people of one model.

    Parameters
    ----------
    model : str
        Its name.
    actions : ActionSet
        What may change, and to what.
    people : Dataset
        The denied, one an answer.
    threshold : float
        Probability from which on a person is denied.
    goal : float
        Probability that a way leads to at most: below the threshold by the margin.
    limit : float
        Distance to the fifth nearest other that 95 % of real people do not exceed.
    answers : tuple of Answer
        One a denied person.
    seconds : float
        CPU time of this process.
    """

    model: str
    actions: ActionSet
    people: Dataset
    threshold: float
    goal: float
    limit: float
    answers: tuple[Answer, ...]
    seconds: float

    @property
    def schema(self) -> Schema:
        """What the columns mean."""
        return self.actions.schema

    @property
    def actionable(self) -> tuple[str, ...]:
        """Columns that may change."""
        return tuple(self.schema.names[i] for i in self.actions.columns)

    @property
    def found(self) -> np.ndarray:
        """Whether there is a counterfactual, bool [denied]."""
        return np.array([bool(answer.counterfactuals) for answer in self.answers])

    def best_rows(self) -> np.ndarray:
        """Return the first counterfactual of everybody who has one, coded [found, features]."""
        rows = [answer.counterfactuals[0].row for answer in self.answers if answer.counterfactuals]
        return np.array(rows).reshape(len(rows), len(self.schema))

    def best(self) -> Dataset:
        """Return everybody who has a counterfactual as in the first one, the rest of their table as it came."""
        return with_values(self.people[self.found], self.best_rows())

    def to_frame(self) -> pd.DataFrame:
        """Return a line a change: person, number of the counterfactual, column, from, to, risks, distances.

        What stands under `to`, typed in instead of what stands under `from`, gives `new_risk`: it is what was tried.
        """
        import pandas as pd

        lines = [
            self._line(answer, number, one, name)
            for answer in self.answers
            for number, one in enumerate(answer.counterfactuals, 1)
            for name in one.columns
        ]
        names = ("model", "person", "counterfactual", "column", "from", "to", "risk", "new_risk", "distance", "loneliness")
        return pd.DataFrame(lines, columns=list(names))

    def boundary(self) -> pd.DataFrame:
        """Return a line a person without a counterfactual: the lowest risk in reach, what changes for it, what was tried."""
        import pandas as pd

        lines = [
            {
                "model": self.model,
                "person": answer.person,
                "risk": answer.risk,
                "lowest_risk": answer.lowest_risk,
                "changes": " ".join(self.schema.names[i] for i in np.flatnonzero(~same(answer.lowest_row, answer.row))),
                "columns_that_may_change": answer.movable,
                "exhausted_columns": answer.exhausted,
                "only_unlike_real_people": answer.only_strange,
                "evaluations": answer.evaluations,
            }
            for answer in self.answers
            if not answer.counterfactuals
        ]
        names = ["model", "person", "risk", "lowest_risk", "changes", "columns_that_may_change", "exhausted_columns"]
        return pd.DataFrame(lines, columns=[*names, "only_unlike_real_people", "evaluations"])

    def summary(self, *, seed: int = 0) -> pd.DataFrame:
        """Return a line a measure, with 95 % intervals over the denied: how many have recourse, and how hard it is."""
        import pandas as pd

        first = [answer.counterfactuals[0] for answer in self.answers if answer.counterfactuals]
        changed = np.array([len(one.columns) for one in first], float)
        distance = np.array([one.distance for one in first])
        sets = np.array([len(answer.counterfactuals) for answer in self.answers if answer.counterfactuals], float)
        measures = {
            "share_with_recourse": interval_of_share(self.found),
            "median_columns_changed": _median(changed, seed),
            "mean_columns_changed": interval_of_mean(changed, seed=seed),
            "mean_distance": interval_of_mean(distance, seed=seed),
            "mean_counterfactuals": interval_of_mean(sets, seed=seed),
        }
        return pd.DataFrame([{"model": self.model, "measure": name, **one._asdict()} for name, one in measures.items()])

    def by_column(self) -> pd.DataFrame:
        """Return a line a column that may change: the share of first counterfactuals, and of all, that change it."""
        import pandas as pd

        having = [answer for answer in self.answers if answer.counterfactuals]
        lines = []
        for name in self.actionable:
            first = np.array([name in answer.counterfactuals[0].columns for answer in having], float)
            some = np.array([any(name in one.columns for one in answer.counterfactuals) for answer in having])
            told = interval_of_share(some)._asdict()
            lines.append({"model": self.model, "column": name, "first": first.mean() if len(first) else np.nan, **told})
        return pd.DataFrame(lines)

    def _line(self, answer: Answer, number: int, one: Counterfactual, name: str) -> dict[str, Any]:
        i, numerals = self.schema.position(name), self.actions.numerals
        return {
            "model": self.model,
            "person": answer.person,
            "counterfactual": number,
            "column": name,
            "from": numerals.exactly(i, answer.row[i]),
            "to": numerals.text(i, one.row[i]),
            "risk": answer.risk,
            "new_risk": one.risk,
            "distance": one.distance,
            "loneliness": one.loneliness,
        }


def _median(values: np.ndarray, seed: int) -> Interval:
    if len(values) < 2:
        return Interval(float(np.median(values)) if len(values) else np.nan, np.nan, np.nan)
    return interval_of(lambda rows: float(np.median(values[rows])), np.zeros(len(values)), seed=seed)
