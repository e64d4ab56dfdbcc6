"""What was found for the denied: counterfactuals, each verified, and how low the risk can get where there is none."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.arrays import same
from dlx.audit.counterfactuals.action_set import ActionSet
from dlx.dataset import Dataset
from dlx.model import Model
from dlx.schema import Schema
from dlx.stats import Interval, interval_of, interval_of_mean, interval_of_share

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """A person who is like a denied one and is not denied."""

    row: np.ndarray  # [features], coded
    columns: tuple[str, ...]  # what differs
    risk: float  # the model's probability, from a call of predict of its own
    distance: float  # from the denied person; see `RowDistance`
    neighbour_distance: float  # to the fifth nearest real person


@dataclass(frozen=True, eq=False)
class Answer:
    """What was found for one denied person."""

    person: Any  # the name of the row
    row: np.ndarray  # [features], coded
    risk: float
    counterfactuals: tuple[Counterfactual, ...]  # the easiest first, then the most different
    lowest_risk: float  # that was seen
    lowest_row: np.ndarray  # [features], the person who has it
    movable: int  # columns that may change and have another value to go to
    exhausted: int  # up to how many columns all combinations of the grid were tried
    only_implausible: bool  # whether changes were found that suffice, but all of them make a person unlike real ones
    evaluations: int  # predictions


@dataclass(frozen=True, eq=False)
class Recourse:
    """The counterfactuals of all denied people of one model."""

    model: str  # its name
    actions: ActionSet  # what may change, and to what
    people: Dataset  # the denied
    threshold: float  # probability from which on a person is denied
    goal: float  # probability that a counterfactual has at most: below the threshold by the margin
    limit: float  # distance to the fifth nearest other that 95 % of real people do not exceed
    answers: tuple[Answer, ...]  # one a denied person
    seconds: float  # CPU time of this process

    @property
    def schema(self) -> Schema:
        """What the columns mean."""
        return self.actions.schema

    @property
    def found(self) -> np.ndarray:
        """Whether there is a counterfactual, bool [denied]."""
        return np.array([bool(answer.counterfactuals) for answer in self.answers])

    def best(self) -> Dataset:
        """Return everybody who has a counterfactual as in the first one, the rest of their table as it came."""
        rows = [answer.counterfactuals[0].row for answer in self.answers if answer.counterfactuals]
        return with_values(self.people[self.found], np.array(rows).reshape(len(rows), len(self.schema)))

    def to_frame(self) -> pd.DataFrame:
        """Return a line a change: person, number of the counterfactual, column, from, to, risks, distances.

        What stands under `to`, typed in instead of what stands under `from`, gives `new_risk`: it is what was tried.
        """
        import pandas as pd

        form, lines = self.actions.format, []
        for answer in self.answers:
            for number, one in enumerate(answer.counterfactuals, 1):
                for name in one.columns:
                    i = self.schema.position(name)
                    texts = form.exact_text(i, answer.row[i]), form.text(i, one.row[i])
                    risks = answer.risk, one.risk, one.distance, one.neighbour_distance
                    lines.append((self.model, answer.person, number, name, *texts, *risks))
        names = ["model", "person", "counterfactual", "column", "from", "to", "risk", "new_risk", "distance"]
        return pd.DataFrame(lines, columns=[*names, "neighbour_distance"])

    def boundary(self) -> pd.DataFrame:
        """Return a line a person without a counterfactual: the lowest risk in reach, what changes for it, what was tried."""
        import pandas as pd

        names = ("model", "person", "risk", "lowest_risk", "changes", "columns_that_may_change", "exhausted_columns")
        lines = [
            (
                *(self.model, answer.person, answer.risk, answer.lowest_risk),
                " ".join(self.schema.names[i] for i in np.flatnonzero(~same(answer.lowest_row, answer.row))),
                *(answer.movable, answer.exhausted, answer.only_implausible, answer.evaluations),
            )
            for answer in self.answers
            if not answer.counterfactuals
        ]
        return pd.DataFrame(lines, columns=[*names, "only_implausible", "evaluations"])

    def summary(self, *, seed: int = 0) -> pd.DataFrame:
        """Return a line a measure, with 95 % intervals over the denied: how many have recourse, and how hard it is."""
        import pandas as pd

        having = [answer.counterfactuals for answer in self.answers if answer.counterfactuals]
        changed = np.array([len(some[0].columns) for some in having], float)
        measures = {
            "share_with_recourse": interval_of_share(self.found),
            "median_columns_changed": _interval_of_median(changed, seed),
            "mean_columns_changed": interval_of_mean(changed, seed=seed),
            "mean_distance": interval_of_mean(np.array([some[0].distance for some in having]), seed=seed),
            "mean_counterfactuals": interval_of_mean(np.array([len(some) for some in having], float), seed=seed),
        }
        return pd.DataFrame([{"model": self.model, "measure": name, **one._asdict()} for name, one in measures.items()])

    def by_column(self) -> pd.DataFrame:
        """Return a line a column that may change: the share of first counterfactuals, and of all, that change it."""
        import pandas as pd

        having = [answer.counterfactuals for answer in self.answers if answer.counterfactuals]
        lines = []
        for name in (self.schema.names[i] for i in self.actions.columns):
            first = np.array([name in some[0].columns for some in having], float)
            any_of_them = interval_of_share(np.array([any(name in one.columns for one in some) for some in having]))
            share = first.mean() if len(first) else np.nan
            lines.append({"model": self.model, "column": name, "first": share, **any_of_them._asdict()})
        return pd.DataFrame(lines)

    def transferability(self, models: Sequence[Model]) -> pd.DataFrame:
        """Return the share of first counterfactuals that other models grant too, of the people whom they deny as well.

        A line a model: `people` whom both deny and who have a counterfactual, `granted` with its 95 % interval.
        """
        import pandas as pd

        having, best, lines = self.people[self.found], self.best(), []
        for model in models:
            both = model.decide(having, self.threshold) if len(having) else np.zeros(0, bool)
            granted = interval_of_share(~model.decide(best[both], self.threshold) if both.any() else np.zeros(0, bool))
            lines.append((self.model, model.name, int(both.sum()), *granted))
        return pd.DataFrame(lines, columns=["model", "other", "people", "granted", "low", "high"])


def with_values(people: Dataset, rows: np.ndarray) -> Dataset:
    """Return people with other coded values [people, features], and the rest of their table as it came."""
    table = people.table
    if table is not None:
        features = people.schema.decode(rows, index=table.index)
        table = table.assign(**{name: features[name] for name in features})
    return dataclasses.replace(people, rows=rows, table=table)


def _interval_of_median(values: np.ndarray, seed: int) -> Interval:
    if len(values) < 2:
        return Interval(float(np.median(values)) if len(values) else np.nan, np.nan, np.nan)
    return interval_of(lambda rows: float(np.median(values[rows])), np.zeros(len(values)), seed=seed)
