"""Whether predicted probabilities come true: calibration intercept, slope and curve, and a test of both numbers together.

Cox (1958), "Two further applications of a model for binary regression", and Van Calster et al. (2019), "Calibration: the
Achilles heel of predictive analytics". The log-odds of the outcome are regressed on the predicted log-odds: by a shift
alone (intercept: calibration in the large), by shift and slope, and by a restricted cubic spline (the curve). Intervals of
intercept and slope are those of the profile likelihood, which hold where events are few; the band of the curve is a bootstrap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dlx.audit.logistic import fitted_stretch, intercept_interval, logistic_fits, slope_interval
from dlx.audit.scores import judged
from dlx.dataset import Dataset
from dlx.model import Model
from dlx.stats import LEVEL, Interval, counts_in_chunks, interval_among, rarest, share_interval

if TYPE_CHECKING:
    import pandas as pd

SURE = 1e-6  # a probability nearer to 0 or 1 counts as this near: 13.8 log-odds
KNOTS = (0.1, 0.5, 0.9)  # quantiles of the predicted log-odds; Harrell (2015), section 2.4.6
SHOWN = (0.01, 0.99)  # quantiles of the prediction between which the curve is drawn
POINTS = 60
CURVE = ["predicted", "observed", "low", "high"]


@dataclass(frozen=True, eq=False)
class Calibration:
    """How predicted probabilities and outcomes go together, on some rows.

    The slope is NaN where all predictions are alike, and infinite where they separate the outcomes. The p-value is of the
    likelihood-ratio test of two degrees of freedom, or of one where all predictions are alike.
    """

    model: str
    rows: int
    events: int  # rows with the outcome
    certain: int  # rows whose probability was within 1e-6 of 0 or 1, and was moved there
    expected: float  # mean predicted probability
    observed: Interval  # share of events
    intercept: Interval  # log-odds to be added to every prediction; 0 is perfect, above 0 the model predicts too little
    slope: Interval  # factor of the log-odds beside a free shift; 1 is perfect, below 1 predictions are too extreme
    p_value: float  # of intercept 0 and slope 1, together
    curve: pd.DataFrame  # `predicted`, `observed`, `low`, `high`: events at a prediction, with a pointwise 95 % band

    @property
    def needs_recalibration(self) -> bool:
        """Whether intercept 0 and slope 1, tested together, are rejected at 5 %: one calibrated model in twenty is."""
        return self.p_value < 1 - LEVEL

    def to_frame(self) -> pd.DataFrame:
        """Return a line a number: estimate, interval, what is perfect, and why there is no interval where there is none."""
        import pandas as pd

        sure = f"{self.certain} predictions within {SURE:g} of 0 or 1 were moved there" if self.certain else ""
        alike = "all predictions are alike" if np.isnan(self.slope.estimate) else ""
        unknown = np.nan, np.nan
        lines = [
            ("mean_predicted", self.expected, *unknown, self.observed.estimate, "no interval: what the model says"),
            ("share_of_events", *self.observed, self.expected, ""),
            ("intercept", *self.intercept, 0.0, sure),
            ("slope", *self.slope, 1.0, alike or sure),
            ("p_value", self.p_value, *unknown, np.nan, "of intercept 0 and slope 1 together, by the likelihood ratio"),
        ]
        table = pd.DataFrame(lines, columns=["quantity", "estimate", "low", "high", "perfect", "note"])
        return table.assign(model=self.model, rows=self.rows, events=self.events)[["model", *table.columns, "rows", "events"]]


def calibration(model: Model, people: Dataset, *, seed: int = 0) -> Calibration:
    """Return the calibration of a model with 95 % intervals.

    Parameters
    ----------
    model : Model
        A classifier.
    people : Dataset
        Rows with outcomes, not seen in training.
    seed : int
        Seed of the bootstrap of the curve.

    Raises
    ------
    DlxError
        If the outcomes are unknown or all alike.
    """
    import pandas as pd

    outcomes, predicted = judged(model, people, "the calibration")
    odds = log_odds(predicted)
    lowest, highest = np.quantile(predicted, SHOWN)
    grid, spline = np.linspace(lowest, highest, POINTS), _Spline(odds)
    chunks = counts_in_chunks(len(outcomes), seed=seed)
    curves = np.vstack([spline.curves(outcomes, counts, log_odds(grid)) for counts in chunks])
    around = [interval_among(point, people=rarest(outcomes)) for point in curves.T]
    return Calibration(
        model=model.name,
        rows=len(outcomes),
        events=int(outcomes.sum()),
        certain=int(((predicted < SURE) | (predicted > 1 - SURE)).sum()),
        expected=float(predicted.mean()),
        observed=share_interval(float(outcomes.sum()), len(outcomes)),
        intercept=intercept_interval(odds, outcomes),
        slope=slope_interval(odds, outcomes),
        p_value=fitted_stretch(odds, outcomes).p_value,
        curve=pd.DataFrame([(at, *of) for at, of in zip(grid, around, strict=True)], columns=CURVE),
    )


def log_odds(predicted: np.ndarray) -> np.ndarray:
    """Return the log-odds of probabilities, which are kept 1e-6 away from 0 and 1."""
    from scipy.special import logit

    return logit(np.clip(predicted, SURE, 1 - SURE))


class _Spline:
    """A restricted cubic spline of the log-odds, with three knots; a line where the quantiles of the log-odds coincide."""

    def __init__(self, odds: np.ndarray) -> None:
        self.odds = odds
        self.knots = np.quantile(odds, KNOTS)
        self.is_bent = bool((np.diff(self.knots) > 1e-9).all())
        self.is_flat = bool(np.ptp(odds) < 1e-9)

    def columns(self, odds: np.ndarray) -> np.ndarray:
        """Return what is fitted beside the predicted log-odds themselves, [rows, columns]."""
        columns = [np.ones_like(odds)] + ([] if self.is_flat else [odds - self.odds.mean()])
        if self.is_bent:
            first, second, third = self.knots
            cubes = [np.maximum(odds - knot, 0) ** 3 for knot in self.knots]
            ends = ((third - first) * cubes[1] - (second - first) * cubes[2]) / (third - second)
            columns.append((cubes[0] - ends) / (third - first) ** 2)
        return np.column_stack(columns)

    def curves(self, outcomes: np.ndarray, counts: np.ndarray, where: np.ndarray) -> np.ndarray:
        """Return the probability of the outcome at some log-odds [resamples, points]; NaN where a resample has no fit."""
        from scipy.special import expit

        fits = logistic_fits(self.columns(self.odds), outcomes, self.odds, counts)
        fits[~np.isfinite(fits).all(axis=1)] = np.nan
        return expit(where + fits @ self.columns(where).T)
