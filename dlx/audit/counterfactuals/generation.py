"""recourse(): what a denied person could change, and be granted; column_shifts(): how the risk goes with one column."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from dlx.arrays import in_short, is_count, is_number, same
from dlx.audit.counterfactuals.action_set import ActionSet, RecourseError
from dlx.audit.counterfactuals.plausibility import Neighbourhood
from dlx.audit.counterfactuals.search import Answer, Counterfactual, Range, Search
from dlx.background import ScaledManhattan
from dlx.dataset import Dataset, refuse_bare
from dlx.model import Model, check_model, decided
from dlx.model.fidelity import predicted, refuse_unfaithful
from dlx.model.kinds import with_carried
from dlx.rounding import side_true
from dlx.schema import Schema
from dlx.schema.features import Direction
from dlx.stats import Interval, interval_of, interval_of_mean, interval_of_share, quantile
from dlx.threads import one_thread

LOWER, UPPER = 0.25, 0.75  # quantiles of the observed values to which `column_shifts` moves a number
SAFETY = 4e-6  # on the logit: as much as rounding in another batch could move a float32 net
MARGIN = 0.1  # of the odds at the threshold, by which a counterfactual stays below it


@dataclass(frozen=True, eq=False)
class Recourse:
    """The counterfactuals of all denied people of one model; of a value, of all who are predicted outside of a range.

    What is called the risk of people is then their predicted value.
    """

    model: str  # its name
    actions: ActionSet  # what may change, and to what
    people: Dataset  # the denied
    threshold: float  # probability from which on a person is denied; NaN of a value
    goal: float  # probability that a counterfactual has at most: below the threshold by the margin; NaN of a value
    limit: float  # distance to the fifth nearest other that 95 % of real people do not exceed
    answers: tuple[Answer, ...]  # one a denied person
    seconds: float  # CPU time of this process
    into: Range | None = None  # of a value: where a counterfactual is predicted

    __repr__ = in_short

    @property
    def schema(self) -> Schema:
        """What the columns mean."""
        return self.actions.schema

    @property
    def found(self) -> np.ndarray:
        """Whether there is a counterfactual, bool [denied]."""
        return np.array([bool(answer.counterfactuals) for answer in self.answers])

    @property
    def having(self) -> list[tuple[Counterfactual, ...]]:
        """The counterfactuals of each person who has some."""
        return [answer.counterfactuals for answer in self.answers if answer.counterfactuals]

    def best(self) -> Dataset:
        """Return everybody who has a counterfactual as in the first one, the rest of their table as it came."""
        rows = [some[0].row for some in self.having]
        return _with_values(self.people[self.found], np.array(rows).reshape(len(rows), len(self.schema)))

    def to_frame(self) -> pd.DataFrame:
        """Return a line a change: person, number of the counterfactual, column, from, to (and its code), risks, distance.

        What stands under `to`, typed in instead of what stands under `from`, gives `new_risk`: it is what was tried.
        """
        text, lines = self.actions.format.text, []
        for answer in self.answers:
            for number, one in enumerate(answer.counterfactuals, 1):
                for i in map(self.schema.position, one.columns):
                    change = self.schema.names[i], text(i, answer.row[i], exact=True), text(i, one.row[i])
                    lines.append((self.model, answer.person, number, *change, one.row[i], answer.risk, one.risk, one.distance))
        said = "risk" if self.into is None else "prediction"
        names = ["model", "person", "counterfactual", "column", "from", "to", "code", said, f"new_{said}", "distance"]
        return pd.DataFrame(lines, columns=names)

    def boundary(self) -> pd.DataFrame:
        """Return a line a person without a counterfactual: the lowest risk in reach, what changes for it, what was tried."""
        lines = []
        for answer in self.answers:
            if not answer.counterfactuals:
                changes = " ".join(self.schema.names[i] for i in np.flatnonzero(~same(answer.lowest_row, answer.row)))
                lines.append(vars(answer) | {"model": self.model, "changes": changes})
        names = ["model", "person", "risk", "lowest_risk", "changes", "columns_that_may_change", "exhausted_columns"]
        return pd.DataFrame(lines, columns=[*names, "only_implausible", "evaluations"])

    def summary(self, *, seed: int = 0) -> pd.DataFrame:
        """Return a line a measure, with 95 % intervals over the denied: how many have recourse, and how hard it is."""
        having, weights = self.having, self.people[self.found].weights
        changed = np.array([len(some[0].columns) for some in having], float)
        median = Interval(np.nan, np.nan, np.nan)

        def middle(rows: np.ndarray) -> float:
            return float(quantile(changed[rows], 0.5, None if weights is None else weights[rows]))

        if having:
            median = interval_of(middle, len(changed), seed=seed)
        measures = {
            "share_with_recourse": interval_of_share(self.found, self.people.weights),
            "median_columns_changed": median,
            "mean_distance": interval_of_mean(np.array([some[0].distance for some in having]), weights, seed=seed),
            "mean_counterfactuals": interval_of_mean(np.array([len(some) for some in having], float), weights, seed=seed),
        }
        return pd.DataFrame([{"model": self.model, "measure": name, **one._asdict()} for name, one in measures.items()])

    def by_column(self) -> pd.DataFrame:
        """Return a line a column that may change: the share of people one of whose counterfactuals changes it."""
        having, weights, lines = self.having, self.people[self.found].weights, []
        for name in (self.schema.names[action.column] for action in self.actions.actions):
            changes = np.array([any(name in one.columns for one in some) for some in having])
            lines.append((self.model, name, *interval_of_share(changes, weights)))
        return pd.DataFrame(lines, columns=["model", "column", *Interval._fields])

    def transferability(self, models: Sequence[Model]) -> pd.DataFrame:
        """Return the share of first counterfactuals that other models grant too, of the people whom they deny as well.

        A line a model: `people` whom both deny and who have a counterfactual, `granted` with its 95 % interval.
        """
        having, best, lines = self.people[self.found], self.best(), []
        for model in models:
            both = self._denies(model, having) if len(having) else np.zeros(0, bool)
            theirs = best[both]
            granted = interval_of_share(~self._denies(model, theirs) if both.any() else np.zeros(0, bool), theirs.weights)
            lines.append((self.model, model.name, int(both.sum()), *granted))
        return pd.DataFrame(lines, columns=["model", "other", "people", "granted", "low", "high"])

    def _denies(self, model: Model, people: Dataset) -> np.ndarray:
        """Return whom a model denies, or predicts outside of the range, bool [people]."""
        return model.decide(people, self.threshold) if self.into is None else ~self.into.holds(model.predict(people, "value"))


def denied(model: Model, people: Dataset, *, threshold: float | None = None) -> Dataset:
    """Return the people whom a model denies: whose probability is the threshold or more; there may be none."""
    return people[model.decide(people, _checked_threshold(model, people, threshold))]


def recourse(
    model: Model,
    people: Dataset,
    *,
    observed: Dataset,
    threshold: float | None = None,
    actionable: Mapping[str, Direction] | None = None,
    wanted: int = 3,
    most_columns: int = 3,
    margin: float = MARGIN,
    progress: Callable[[int, int], None] | None = None,
) -> Recourse:
    """Return counterfactuals of each denied person: close, sparse, plausible, verified by predict as printed.

    Sets of one column, then of two and so on are tried, over all combinations of values that real people have, rounded as
    they are printed (of a number 20, and the closest of all afterwards), as far as there are at most 100,000 of a size;
    beyond that, the 50 best are changed further. Nothing is random. A change is possible if columns keep to their values
    (`ActionSet.of`) and go together as in real people (`Correlations`, `ConditionalRange`), and plausible if the fifth
    nearest real person is as near as for 95 % of real people, or as for the person. Columns that follow from others stay.

    Parameters
    ----------
    model : Model
        A classifier of any kind.
    people : Dataset
        Denied people; see `denied`.
    observed : Dataset
        Real people, whose values may be taken: the training rows.
    threshold : float, optional
        Probability from which on a person is denied; the one of the target where None.
    actionable : mapping of str to {"any", "up", "down"}, optional
        Columns that may change, with their directions; the schema's where None.
    wanted : int
        Counterfactuals a person, which differ in the columns they change.
    most_columns : int
        Columns that one may change; more only where nothing else is found.
    margin : float
        Share by which the odds must be lower than at the threshold, from 0 to below 1: at 1/6 a tenth means 15.3 %.
    progress : callable, optional
        Told how many people are done, and of how many.

    Raises
    ------
    RecourseError
        If the outcome is already there (`Target.past`), somebody is not denied, nothing is actionable, or a number is odd.
    FidelityError
        If a model that was wrapped predicts otherwise of the counterfactuals than the user's own.

    Notes
    -----
    Wachter et al. (2018), arXiv 1711.00399, for the question; Ustun et al. (2019), arXiv 1809.06514, for action sets.
    """
    threshold = _checked_threshold(model, people, threshold)
    goal = goal_of(threshold, margin)
    _refuse_unfit(people, observed, f"{model.name} denies nobody here at {threshold:.3g}")
    risks, printed = model.predict(people, "probability"), f"{threshold:.3g}"
    if (granted := ~decided(risks, threshold)).any():
        i = int(granted.argmax())
        raise RecourseError(
            f"recourse is for people who are denied, but person {people.index[i]} has a probability of "
            f"{side_true(float(risks[i]), threshold, 3, printed=printed)} by {model.name}, below {printed}; "
            "choose people with dlx.counterfactuals.denied(model, people)"
        )

    def risk(one: Model, rows: np.ndarray) -> np.ndarray:
        return one.predict(rows, "probability", checked=True)

    asked: dict[str, Any] = {"actionable": actionable, "wanted": wanted, "most_columns": most_columns, "progress": progress}
    enough, accepted = goal - SAFETY * goal * (1 - goal), ~model.decide(observed, threshold)
    found = _searched(model, people, observed, risks, enough, risk, accepted, **asked)
    assert all(one.risk <= goal for some in found.having for one in some), "by more than rounding"
    return dataclasses.replace(found, threshold=threshold, goal=goal)


def recourse_into(
    model: Model,
    people: Dataset,
    *,
    observed: Dataset,
    into: Range,
    actionable: Mapping[str, Direction] | None = None,
    wanted: int = 3,
    most_columns: int = 3,
    progress: Callable[[int, int], None] | None = None,
) -> Recourse:
    """Return counterfactuals of each person who is predicted outside of a range of values: as `recourse`, within the range.

    Arguments are those of `recourse`, and `into`, where people want to be predicted; errors are too.
    """
    check_model(model)
    refuse_bare(people, "people")
    _refuse_unfit(people, observed, f"{model.name} predicts nobody here outside of {into}")
    values = model.predict(people, "value")
    if into.holds(values).any():
        raise RecourseError(
            f"recourse is for people who are predicted outside of {into}, but {model.name} predicts some within"
        )
    known = model.predict(observed, "value")
    margin = SAFETY * max(float(np.abs(known).max()), float(np.ptp(known)))

    def outside(one: Model, rows: np.ndarray) -> np.ndarray:
        return into.outside(one.predict(rows, "value", checked=True))

    asked: dict[str, Any] = {"actionable": actionable, "wanted": wanted, "most_columns": most_columns, "progress": progress}
    found = _searched(model, people, observed, into.outside(values), -margin, outside, into.holds(known), **asked)
    answers = tuple(_in_values(with_carried(model, people, [i]), answer) for i, answer in enumerate(found.answers))
    return dataclasses.replace(found, answers=answers, into=into)


def _searched(
    model: Model,
    people: Dataset,
    observed: Dataset,
    risks: np.ndarray,
    enough: float,
    ask: Callable[[Model, np.ndarray], np.ndarray],
    accepted: np.ndarray,
    *,
    actionable: Mapping[str, Direction] | None,
    wanted: int,
    most_columns: int,
    progress: Callable[[int, int], None] | None,
) -> Recourse:
    """Return what was found for each person; `ask` gives the risk of coded rows, which is to fall below what is enough."""
    if not is_count(wanted) or not is_count(most_columns):
        raise RecourseError(f"wanted and most_columns must be at least 1 and whole, got {wanted!r} and {most_columns!r}")
    started, answers = time.process_time(), list[Answer]()
    actions = ActionSet.of(observed, actionable, accepted=accepted)
    neighbourhood = Neighbourhood(ScaledManhattan.fit(observed), observed.rows)
    with one_thread():
        limits = np.maximum(neighbourhood.to_fifth(people.rows), neighbourhood.limit) + 1e-9
        for i, row in enumerate(people.rows):
            predict = partial(ask, with_carried(model, people, [i]))
            search = Search(row, predict, enough, actions, neighbourhood, float(limits[i]), row, float(risks[i]))
            answers.append(search.answer(people.index[i], wanted, most_columns))
            if progress is not None:
                progress(i + 1, len(people))
    seconds = time.process_time() - started
    found = Recourse(model.name, actions, people, np.nan, np.nan, neighbourhood.limit, tuple(answers), seconds)
    if found.found.any():
        refuse_unfaithful(model, [(found.best(), predicted(model, found.best()))])
    return found


def _in_values(model: Model, answer: Answer) -> Answer:
    """Return an answer with predicted values in place of how far they are outside of a range."""

    def value(row: np.ndarray) -> float:
        return float(model.predict(row[None], "value", checked=True)[0])

    ways = tuple(dataclasses.replace(way, risk=value(way.row)) for way in answer.counterfactuals)
    return dataclasses.replace(answer, risk=value(answer.row), counterfactuals=ways, lowest_risk=value(answer.lowest_row))


def _refuse_unfit(people: Dataset, observed: Dataset, nobody: str) -> None:
    """Raise if there can be no recourse for people; `nobody` says what it means that there are none."""
    refuse_bare(observed, "observed")
    here, there = ([(f.name, f.levels) for f in some.schema.features] for some in (people, observed))
    if here != there:
        raise RecourseError("people and observed must have the same columns and levels in one order; read both by one schema")
    if people.schema.target.past:
        raise RecourseError(
            f"there is no recourse against what has come about already: {people.schema.target.event} is there when the columns "
            "are measured; dlx.counterfactuals.column_shifts() tells how the risk goes with what people can change"
        )
    if not len(people):
        raise RecourseError(f"{nobody}: there is nothing to change")


def goal_of(threshold: float, margin: float = MARGIN) -> float:
    """Return the probability at which the odds are lower than at a threshold by a margin, from 0 to below 1."""
    if not is_number(margin) or not 0 <= margin < 1:
        raise RecourseError(f"margin is a share of the odds at the threshold, from 0 to below 1, got {margin!r}")
    odds = (1 - margin) * threshold / (1 - threshold)
    return odds / (1 + odds)


def _checked_threshold(model: Model, people: Dataset, threshold: float | None) -> float:
    check_model(model)
    refuse_bare(people, "people")
    threshold = people.schema.target.threshold if threshold is None else threshold
    if not is_number(threshold) or not 0 < threshold < 1:
        raise RecourseError(f"threshold must lie between 0 and 1, both excluded, got {threshold!r}")
    return threshold


def column_shifts(
    model: Model,
    people: Dataset,
    *,
    observed: Dataset,
    actionable: Mapping[str, Direction] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how the risk of some people differs when one column that can change is moved, the others as they are.

    A number is moved to the lower or the upper quartile of the observed rows, whichever lies in its direction (both where
    any is allowed), as near as the schema's bounds let it, ordered levels to the first or the last, others to each. Whoever
    is there already, or beyond, or may not go there is not counted, nor whose value is missing or special, nor who would come
    to a level that goes with other special values than theirs. Arguments and errors are those of `recourse`.

    A line a column and value: `column`, `direction`, `to`, `people` who move, and the mean `change` of the probability, or of
    the value, with its 95 % bootstrap interval (NaN for one person).
    """
    check_model(model)
    refuse_bare(people, "people")
    scale = people.schema.target.scale
    actions, risk, lines = ActionSet.of(observed, actionable), model.predict(people, scale), []
    for column, direction, value in _targets(actions, observed):
        feature = observed.schema.features[column]
        own = feature.numbers(people.rows[:, column])
        moves = (own > value) if direction == "down" else (own < value) if direction == "up" else own != value
        moves &= ~np.isnan(own)
        moves &= [value not in feature.forbidden_from(code) for code in own]
        moved = people.rows.copy()
        moved[:, column] = value
        moved = actions.settle(moved, people.rows)
        moves &= actions.keeps_codes(people.rows, moved)
        if not moves.any():
            continue
        settled = _with_values(people[moves], moved[moves])
        change = model.predict(settled, scale) - risk[moves]
        place = (model.name, observed.schema.names[column], direction, actions.format.text(column, value), len(change))
        lines.append((*place, *interval_of_mean(change, settled.weights, seed=seed)))
    return pd.DataFrame(lines, columns=["model", "column", "direction", "to", "people", "change", "low", "high"])


def _targets(actions: ActionSet, observed: Dataset) -> Iterator[tuple[int, Direction, float]]:
    """Yield each column with the values to which it is moved, and the direction in which that lies."""
    for column, direction, values, _ in actions.actions:
        feature = actions.schema.features[column]
        if feature.is_categorical and not feature.ordered and direction == "any" and len(feature.levels) > 2:
            yield from ((column, "any", float(value)) for value in values)
        elif len(values):
            quartiles = np.nanquantile(feature.numbers(observed.rows[:, column]), (LOWER, UPPER), method="nearest")
            wanted = values[[0, -1]] if feature.is_categorical else quartiles
            ends = [values[np.abs(values - end).argmin()] for end in wanted]
            if direction != "up":
                yield column, "down", float(ends[0])
            if direction != "down":
                yield column, "up", float(ends[1])


def _with_values(people: Dataset, rows: np.ndarray) -> Dataset:
    """Return people with other coded values [people, features], and the rest of their table as it came."""
    table = people.table
    if table is not None:
        features = people.schema.decode(rows, index=table.index)
        table = table.assign(**{name: features[name] for name in features})
    return dataclasses.replace(people, rows=rows, table=table)
