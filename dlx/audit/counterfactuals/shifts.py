"""How the predicted risk goes with each column that people can change, the others as they are: an association, no advice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from dlx.audit.counterfactuals.action_set import ActionSet
from dlx.audit.counterfactuals.generation import checked_threshold
from dlx.audit.counterfactuals.results import with_values
from dlx.dataset import Dataset, refuse_bare
from dlx.model import Model, decided
from dlx.model.protocol import check_model
from dlx.schema.features import Direction
from dlx.stats import interval_of_mean

if TYPE_CHECKING:
    import pandas as pd

LOWER, UPPER = 0.25, 0.75  # quantiles of the observed values to which a number is moved


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
