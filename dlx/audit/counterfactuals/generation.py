"""recourse(): what a denied person could change, and be granted; column_shifts(): how the risk goes with one column."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.arrays import is_count, is_number, same
from dlx.audit.counterfactuals.action_set import ActionSet, RecourseError
from dlx.audit.counterfactuals.plausibility import Neighbourhood
from dlx.audit.counterfactuals.results import Answer, Counterfactual, Recourse, with_values
from dlx.audit.counterfactuals.search import Search
from dlx.background import RowDistance
from dlx.dataset import Dataset, refuse_bare
from dlx.model import Model, check_model, decided
from dlx.model.fidelity import held, predicted
from dlx.model.kinds import accompanied
from dlx.rounding import side_true
from dlx.schema.features import Direction
from dlx.stats import interval_of_mean
from dlx.threads import one_thread

if TYPE_CHECKING:
    import pandas as pd

LOWER, UPPER = 0.25, 0.75  # quantiles of the observed values to which `column_shifts` moves a number
MARGIN = 0.1  # of the odds at the threshold, by which a counterfactual stays below it


def denied(model: Model, people: Dataset, *, threshold: float | None = None) -> Dataset:
    """Return the people whom a model denies: whose probability is the threshold or more; there may be none.

    Raises
    ------
    RecourseError
        If the threshold is not between 0 and 1.
    """
    check_model(model)
    return people[model.decide(people, checked_threshold(people, threshold))]


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

    For each person, sets of one column, then of two and so on are tried, over all combinations of values that real people
    have (of a number, 20 in the allowed direction; the closest of all observed ones is taken afterwards), as far as there
    are at most 100,000 of a size; beyond that, the 50 best are changed further. No set holds a smaller one that suffices.
    Numbers are rounded as they are printed before anything is tried, so that what is printed, typed in again, is granted.
    Nothing is random.

    A change is possible if each value lies within the schema's bounds and within the range of 98 % of real people and of
    those whom the model accepts, no column goes farther than `ActionSet.of` says, and columns that go together stay together
    (`Correlations`, `ConditionalRange`). It is plausible if the changed person's distance to the fifth nearest real person
    is at most that which 95 % of real people have among themselves, or the person's own. Columns that follow from a changed
    one stay as they are.

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
        Share by which the odds must be lower than at the threshold, from 0 to below 1, so that a small change elsewhere does
        not undo a counterfactual; at 1/6 a tenth means 15.3 %.
    progress : callable, optional
        Told how many people are done, and of how many.

    Raises
    ------
    RecourseError
        If the outcome is already there (`Target.past`), somebody is not denied, nothing is actionable, or a number is out of
        range.
    FidelityError
        If a model that was wrapped predicts otherwise of the counterfactuals than the user's own.

    Notes
    -----
    Wachter et al. (2018), arXiv 1711.00399, for the question; Ustun et al. (2019), arXiv 1809.06514, for action sets.
    """
    started = time.process_time()
    if not is_count(wanted) or not is_count(most_columns):
        raise RecourseError(f"wanted and most_columns must be at least 1 and whole, got {wanted!r} and {most_columns!r}")
    check_model(model)
    threshold = checked_threshold(people, threshold)
    goal = goal_of(threshold, margin)
    _refuse(people, observed)
    risks = _denied_risks(model, people, threshold)
    actions = ActionSet.of(observed, actionable, accepted=~model.decide(observed, threshold))
    neighbourhood = Neighbourhood(RowDistance.fit(observed), observed.rows)
    answers = []
    with one_thread():
        limits = np.maximum(neighbourhood.to_fifth(people.rows), neighbourhood.limit)
        for i, row in enumerate(people.rows):
            predict = partial(accompanied(model, people, [i]).predict, scale="probability")
            search = Search(row, predict, goal, actions, neighbourhood, float(limits[i]), row, float(risks[i]))
            answers.append(_answer(search, people.index[i], wanted, most_columns))
            if progress is not None:
                progress(i + 1, len(people))
    seconds = time.process_time() - started
    result = Recourse(model.name, actions, people, threshold, goal, neighbourhood.limit, tuple(answers), seconds)
    if result.found.any():
        held(model, [(result.best(), predicted(model, result.best()))])
    return result


def column_shifts(
    model: Model,
    people: Dataset,
    *,
    observed: Dataset,
    threshold: float | None = None,
    actionable: Mapping[str, Direction] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how the risk of some people differs when one column that can change is moved, the others as they are.

    A number is moved to the lower or the upper quartile of the observed rows, whichever lies in its direction (both where
    any is allowed), as near as the schema's bounds let it, ordered levels to the first or the last, others to each. Whoever
    is there already, or beyond, is not counted, nor whose value is missing.

    Parameters
    ----------
    model : Model
        A classifier.
    people : Dataset
        Any people; those who are flagged, say.
    observed : Dataset
        Real people: the training rows.
    threshold, actionable
        As in `recourse`.
    seed : int
        Seed of the bootstrap over people.

    Returns
    -------
    DataFrame
        A line a column and value: `column`, `direction`, `to`, `people` who move, `change` of the probability with its
        95 % interval (NaN for one person), `lower` (the share whose risk is lower), and `cleared` (the share of the flagged
        among them who would not be).

    Raises
    ------
    RecourseError
        If nothing is actionable, a protected column is named, or the threshold is not between 0 and 1.
    """
    import pandas as pd

    check_model(model)
    threshold = checked_threshold(people, threshold)
    refuse_bare(observed, "observed")
    actions, risk, lines = ActionSet.of(observed, actionable), model.predict(people, "probability"), []
    for column, direction, value in _targets(actions, observed):
        own = people.rows[:, column]
        moves = (own > value) if direction == "down" else (own < value) if direction == "up" else own != value
        moves &= ~np.isnan(own)
        if not moves.any():
            continue
        moved = people.rows[moves].copy()
        moved[:, column] = value
        settled = [actions.settle(row[None], original)[0] for row, original in zip(moved, people.rows[moves], strict=True)]
        new = model.predict(with_values(people[moves], np.array(settled)), "probability")
        change, flagged = new - risk[moves], decided(risk[moves], threshold)
        cleared = float((~decided(new, threshold))[flagged].mean()) if flagged.any() else np.nan
        place = (model.name, observed.schema.names[column], direction, actions.format.text(column, value), len(new))
        lines.append((*place, *interval_of_mean(change, seed=seed), float((change < 0).mean()), cleared))
    names = ("model", "column", "direction", "to", "people", "change", "low", "high", "lower", "cleared")
    return pd.DataFrame(lines, columns=list(names))


def goal_of(threshold: float, margin: float = MARGIN) -> float:
    """Return the probability at which the odds are lower than at a threshold by a margin.

    Raises
    ------
    RecourseError
        If the margin is not from 0 to below 1.
    """
    if not is_number(margin) or not 0 <= margin < 1:
        raise RecourseError(f"margin is a share of the odds at the threshold, from 0 to below 1, got {margin!r}")
    odds = (1 - margin) * threshold / (1 - threshold)
    return threshold if margin == 0 else odds / (1 + odds)


def checked_threshold(people: Dataset, threshold: float | None) -> float:
    """Return the threshold, by default the target's, or raise a `RecourseError` if it is none."""
    refuse_bare(people, "people")
    threshold = people.schema.target.threshold if threshold is None else threshold
    if not is_number(threshold) or not 0 < threshold < 1:
        raise RecourseError(f"threshold must lie between 0 and 1, both excluded, got {threshold!r}")
    return threshold


def _refuse(people: Dataset, observed: Dataset) -> None:
    refuse_bare(observed, "observed")
    here, there = ([(f.name, f.levels) for f in some.schema.features] for some in (people, observed))
    if here != there:
        raise RecourseError("people and observed must have the same columns and levels in one order; read both by one schema")
    if people.schema.target.past:
        raise RecourseError(
            f"there is no recourse against what has come about already: {people.schema.target.event} is there when the columns "
            "are measured, and no change undoes it; dlx.audit.counterfactuals.column_shifts() tells how the model's answer "
            "goes with what people can change"
        )


def _denied_risks(model: Model, people: Dataset, threshold: float) -> np.ndarray:
    if not len(people):
        raise RecourseError(f"{model.name} denies nobody here at {threshold:.3g}: there is nothing to change")
    risks = model.predict(people, "probability")
    granted = ~decided(risks, threshold)
    if granted.any():
        i, printed = int(granted.argmax()), f"{threshold:.3g}"
        raise RecourseError(
            f"recourse is for people who are denied, but person {people.index[i]} has a probability of "
            f"{side_true(float(risks[i]), threshold, 3, printed=printed)} by {model.name}, below {printed}; "
            "choose people with dlx.audit.counterfactuals.denied(model, people)"
        )
    return risks


def _answer(search: Search, person: Any, wanted: int, most_columns: int) -> Answer:
    risk = search.lowest_risk
    search.smallest_sets(wanted, most_columns)
    if not search.found:
        search.lowest()
    nearest = [search.nearest(columns, changed) for columns, changed in search.diverse(wanted)]
    return Answer(
        person=person,
        row=search.row,
        risk=risk,
        counterfactuals=tuple(_verified(search, changed) for changed in nearest),
        lowest_risk=search.lowest_risk,
        lowest_row=search.lowest_row,
        movable=sum(map(len, search.actions.moves(search.row))),
        exhausted=search.exhausted,
        only_implausible=search.only_implausible and not nearest,
        evaluations=search.evaluations,
    )


def _verified(search: Search, changed: np.ndarray) -> Counterfactual:
    """Return a counterfactual with what predict says of it alone, its changes read from their text."""
    actions, near = search.actions, search.neighbourhood
    columns, typed = np.flatnonzero(~same(changed, search.row)).tolist(), search.row.copy()
    for column in columns:
        typed[column] = actions.format.parse(column, actions.format.text(column, changed[column]))
    assert same(typed, changed).all(), "what is printed reads back"
    risk = float(search.predict(typed[None])[0])
    assert risk <= search.goal, "a counterfactual is down to the goal by more than rounding"
    distance, to_fifth = near.distance.between(search.row, typed[None])[0], near.to_fifth(typed[None])[0]
    return Counterfactual(typed, tuple(actions.schema.names[i] for i in columns), risk, float(distance), float(to_fifth))


def _targets(actions: ActionSet, observed: Dataset) -> Iterator[tuple[int, Direction, float]]:
    """Yield each column with the values to which it is moved, and the direction in which that lies."""
    for column, direction, values, _ in actions.actions:
        feature = actions.schema.features[column]
        if feature.is_categorical and not feature.ordered and direction == "any" and len(feature.levels) > 2:
            yield from ((column, "any", float(value)) for value in values)
            continue
        if not len(values):
            continue
        low, high = values[0], values[-1]
        if not feature.is_categorical:
            quartiles = np.nanquantile(observed.rows[:, column], (LOWER, UPPER), method="nearest")
            low, high = (values[np.abs(values - end).argmin()] for end in quartiles)
        if direction != "up":
            yield column, "down", float(low)
        if direction != "down":
            yield column, "up", float(high)
