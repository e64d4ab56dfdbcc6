"""Whether the data contradict a reason: where people with such a value have the event clearly less often than the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlx.dataset import Dataset
from dlx.schema import Feature
from dlx.stats import LEVEL

BINS = 10  # of a number, of as many people each
LEAST_PEOPLE = 10  # with such a value, below which nothing is said


@dataclass(frozen=True, eq=False)
class Tendency:
    """Of which values of a column the event is clearly rarer than of the others.

    Parameters
    ----------
    edges : ndarray
        Between the bins of a number; empty for levels.
    rarer : ndarray of bool [bins or levels + 1]
        The last is for a missing value.
    """

    edges: np.ndarray
    rarer: np.ndarray

    def contradicts(self, value: float) -> bool:
        """Whether the event is clearly rarer among people with such a value than among the rest."""
        if np.isnan(value):
            return bool(self.rarer[-1])
        return bool(self.rarer[np.searchsorted(self.edges, value) if len(self.edges) else int(value)])


def tendencies(observed: Dataset) -> tuple[Tendency | None, ...]:
    """Return the tendency of each column; None where outcomes are unknown, or are no event."""
    if observed.outcomes is None or observed.schema.target.kind != "binary":
        return (None,) * len(observed.schema)
    events = observed.outcomes
    return tuple(_of_column(f, column, events) for f, column in zip(observed.schema.features, observed.rows.T, strict=True))


def _of_column(feature: Feature, column: np.ndarray, events: np.ndarray) -> Tendency:
    known = column[~np.isnan(column)]
    if feature.is_categorical:
        edges, bins = np.empty(0), np.where(np.isnan(column), len(feature.levels), column).astype(int)
        count = len(feature.levels)
    else:
        edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS)) if len(known) else np.zeros(1)
        count = len(edges) + 1
        bins = np.where(np.isnan(column), count, np.searchsorted(edges, np.nan_to_num(column)))
    return Tendency(edges, np.array([_is_rarer(events, bins == one) for one in range(count + 1)]))


def _is_rarer(events: np.ndarray, inside: np.ndarray) -> bool:
    """Whether the 95 % interval of the difference of two rates lies below 0 (Agresti and Caffo 2000)."""
    from scipy.stats import norm

    sizes = np.array([inside.sum(), (~inside).sum()])
    if sizes.min() < LEAST_PEOPLE:
        return False
    rates = (np.array([events[inside].sum(), events[~inside].sum()]) + 1) / (sizes + 2)
    reach = norm.ppf((1 + LEVEL) / 2) * np.sqrt((rates * (1 - rates) / (sizes + 2)).sum())
    return bool(rates[0] - rates[1] + reach < 0)
