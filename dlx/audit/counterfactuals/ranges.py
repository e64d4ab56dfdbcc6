"""A range of values into which somebody wants to be predicted."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from dlx.audit.counterfactuals.action_set import RecourseError


class Range(NamedTuple):
    """A range of values, both ends included; an end may be infinite."""

    low: float = -math.inf
    high: float = math.inf

    @classmethod
    def of(cls, text: str) -> Range:
        """Return the range that a text names, "100:150", or ":150" and "200:" where an end is open; else a `RecourseError`."""
        low, colon, high = text.partition(":")
        try:
            found = cls(float(low or -math.inf), float(high or math.inf))
        except ValueError:
            found = cls(math.nan)
        if not colon or not found.low <= found.high or found == cls():
            raise RecourseError(
                f"a range is LOW:HIGH, of which one end may be left out, as 100:150, :150 or 200:, got {text!r}"
            )
        return found

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Return how far values lie outside, at most 0 for those within, [values]."""
        return np.maximum(self.low - values, values - self.high)

    def holds(self, values: np.ndarray) -> np.ndarray:
        """Return which values lie within, bool [values]."""
        return self.outside(values) <= 0
