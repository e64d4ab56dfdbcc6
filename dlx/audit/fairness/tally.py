"""The sums behind every rate of a group, over the people or over resampled people.

A rate is a sum over people divided by another: flagged people by people, flagged people with the event by people with
it. So a bootstrap of all rates at once is one product of matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MIN_PEOPLE = 30  # fewer are too few for a rate of all people of a group
MIN_CASES = 10  # fewer people with the outcome are too few for a rate of those with it

SELECTED, CLEARED, EVENTS = "selection_rate", "clearance_rate", "event_rate"
TRUE_POSITIVE, FALSE_POSITIVE = "true_positive_rate", "false_positive_rate"
ACCURACY, CALIBRATION = "accuracy", "calibration"
RATES = (SELECTED, CLEARED, TRUE_POSITIVE, FALSE_POSITIVE, ACCURACY, CALIBRATION, EVENTS)


@dataclass(frozen=True)
class Treated:
    """What a model made of some people.

    Parameters
    ----------
    codes : ndarray of int [rows]
        The group of each.
    outcomes : ndarray [rows]
        0 or 1.
    flags : ndarray [rows]
        1 where flagged, 0 where not; between them the chance of it, where a rule draws lots.
    predicted : ndarray [rows]
        Probability of the event.
    """

    codes: np.ndarray
    outcomes: np.ndarray
    flags: np.ndarray
    predicted: np.ndarray

    def terms(self, rate: str) -> tuple[np.ndarray, np.ndarray]:
        """Return what a rate sums, and what it divides by, a number a person: [rows], [rows]."""
        everybody, events, flags = np.ones(len(self.codes)), self.outcomes, self.flags
        return {
            SELECTED: (flags, everybody),
            CLEARED: (1 - flags, everybody),
            TRUE_POSITIVE: (flags * events, events),
            FALSE_POSITIVE: (flags * (1 - events), 1 - events),
            ACCURACY: (np.where(events == 1, flags, 1 - flags), everybody),
            CALIBRATION: (self.predicted - events, everybody),
            EVENTS: (events, everybody),
        }[rate]

    def why_not(self, rate: str, group: int) -> str:
        """Return why a rate of a group cannot be judged; empty where it can.

        A group has at least 30 people, and at least 10 with the event, or without it, where the rate is one of those
        alone; calibration needs 10 of each.
        """
        inside = self.codes == group
        people, events = int(inside.sum()), int(self.outcomes[inside].sum())
        reasons = [f"{people} of {MIN_PEOPLE} people"] if people < MIN_PEOPLE else []
        if rate in (TRUE_POSITIVE, CALIBRATION) and events < MIN_CASES:
            reasons.append(f"{events} of {MIN_CASES} events")
        if rate in (FALSE_POSITIVE, CALIBRATION) and people - events < MIN_CASES:
            reasons.append(f"{people - events} of {MIN_CASES} people without the event")
        return f"too few to judge: {', '.join(reasons)}" if reasons else ""


def rate_of(treated: Treated, rate: str, groups: Sequence[int], drawn: np.ndarray | None = None) -> np.ndarray:
    """Return a rate of each group, [groups]; or of each resample that `resampled_counts` drew, [resamples, groups].

    NaN where nobody counts.
    """
    weights = np.ones((1, len(treated.codes))) if drawn is None else drawn
    members = (treated.codes[:, None] == np.asarray(groups)).astype(np.float32)
    tops, bottoms = (weights @ (term[:, None] * members) for term in treated.terms(rate))
    rates: Any = np.divide(tops, bottoms, out=np.full(tops.shape, np.nan), where=bottoms > 0)
    return rates[0] if drawn is None else rates
