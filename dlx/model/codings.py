"""Estimators that were fitted on the codes of a Dataset, and not on what its table holds: outcomes tell them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.schema import Feature

if TYPE_CHECKING:
    from dlx.model.estimators import Reading

BEYOND_CHANCE = 4.0  # standard errors by which the outcomes must fit one reading of the columns better than the other


def refuse_codes(reading: Reading, case: Dataset) -> None:
    """Raise where an estimator of arrays tells outcomes better from a case's codes than from the values of its table.

    Parameters
    ----------
    reading : Reading
        The estimator, which is given the values of the table.
    case : Dataset
        Rows with their outcomes.
    """
    numbers = [feature.name for feature in case.schema.features if _is_numbers(feature)]
    if not numbers or not reading.as_array or case.table is None or reading.columns != case.schema.names:
        return
    try:
        coded = reading.of_array(np.array(case.rows))
    except DlxError:  # it does not read codes
        return
    valued = reading(case.table)
    if coded.size != len(case) or valued.size != len(case):  # an error that follows
        return
    better = _misfit(valued, reading, case) - _misfit(coded, reading, case)
    if better.mean() * np.sqrt(len(case)) > BEYOND_CHANCE * better.std() > 0:
        raise DlxError(
            f"{reading.name} was fitted on the codes 0, 1, ... of {', '.join(map(repr, numbers))}, by which it tells the "
            "outcomes better than by the numbers of the table; wrap a function that gives it codes: "
            f"lambda t: model.{reading.method}(schema.encode(t))"
        )


def _is_numbers(feature: Feature) -> bool:
    """Whether a feature's levels are numbers in the table that are not their codes."""
    values = feature.level_values
    is_number = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    return feature.is_categorical and bool(values) and is_number and list(values) != list(range(len(values)))


def _misfit(outputs: np.ndarray, reading: Reading, case: Dataset) -> np.ndarray:
    """Return minus the log-likelihood of each outcome, [rows]; of values their squared residuals."""
    from scipy.special import expit

    assert case.outcomes is not None
    if reading.scale == "value":
        return np.asarray((case.outcomes - outputs.reshape(-1)) ** 2)
    chances = np.clip(expit(outputs) if reading.scale == "logit" else outputs, 1e-3, 1 - 1e-3).reshape(-1)
    return np.asarray(-np.log(np.where(case.outcomes == reading.chosen, chances, 1 - chances)))
