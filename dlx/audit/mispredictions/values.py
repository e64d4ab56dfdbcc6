"""Predictions of a value beside what was observed: who is predicted far too high or too low, and what pushed it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd

from dlx.arrays import in_short
from dlx.audit.mispredictions.errors import Judgement, with_people
from dlx.audit.scores import answers
from dlx.dataset import Dataset
from dlx.explanation import Explanation
from dlx.model import Model
from dlx.stats import quantile

HIGH, LOW = "too_high", "too_low"
FAR = 0.2  # share of the people who are predicted too high by most, or too low, that counts as far off


class Predictions(Judgement):
    """Predicted values of people whose own is known; `dlx.audit.mispredictions.slices` and `pushes` take them as decisions."""

    kinds: ClassVar[tuple[str, str]] = (HIGH, LOW)  # of error: the first is pushed upwards

    __repr__ = in_short

    @property
    def losses(self) -> np.ndarray:
        """The absolute error of each person [rows]."""
        return np.abs(self.residuals)

    @property
    def variances(self) -> np.ndarray:
        """The variance of each residual, were the model right on average and its errors alike everywhere [rows]."""
        return np.full(len(self), np.average(self.residuals**2, weights=self.counts))

    @property
    def measures(self) -> dict[str, np.ndarray]:
        """What slices are measured by, by name: a number a person, [rows] each."""
        return {"loss": self.losses, "observed": self.outcomes, "predicted": self.predicted, "residual": self.residuals}

    @property
    def flagged(self) -> np.ndarray:
        """Whether each person is predicted too high, bool [rows]."""
        return self.residuals < 0

    def errors(self, kind: str) -> np.ndarray:
        """Return the fifth of the people who are predicted too high by most, or too low by most, bool [rows]."""
        residuals = self.residuals
        low, high = quantile(residuals, (FAR, 1 - FAR), self.people.weights)
        return (residuals <= min(low, 0.0)) if kind == HIGH else (residuals >= max(high, 0.0))

    def hits(self, kind: str) -> np.ndarray:
        """Return who is in neither of these fifths, bool [rows], whatever the kind."""
        assert kind in self.kinds
        return ~(self.errors(HIGH) | self.errors(LOW))

    @property
    def deviations(self) -> np.ndarray:
        """How far each residual is from the mean, by people's weights [rows]."""
        return self.counts * (self.residuals - np.average(self.residuals, weights=self.counts))

    def drawn(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return the deviations as they are if residuals fall anywhere, [count, rows]."""
        return rng.permuted(np.broadcast_to(self.deviations, (count, len(self))), axis=1)


def predictions_of(model: Model, people: Dataset) -> Predictions:
    """Return what a model predicts of people beside their own values; a `DlxError` without outcomes that differ."""
    return Predictions(model.name, people, *answers(model, people, "the audit of mispredictions"))


def largest_errors(predictions: Predictions, *, most: int = 10, explanation: Explanation | None = None) -> pd.DataFrame:
    """Return the people whose predictions are farthest off, the farthest first: a line a person.

    Columns: `person` (the row's name), `observed`, `predicted`, `error` (predicted less observed), `off` (its size), and the
    person's own columns. An explanation of the same rows adds `pushed_by`, the columns that pushed most towards the error.
    """
    worst = np.argsort(-predictions.losses, kind="stable")[:most]
    lines = pd.DataFrame(
        {
            "observed": predictions.outcomes[worst],
            "predicted": predictions.predicted[worst],
            "error": -predictions.residuals[worst],
            "off": predictions.losses[worst],
        }
    )
    return with_people(lines, predictions, worst, explanation)
