"""Whether predicted probabilities come true: calibration intercept, slope and curve, and a test of both numbers together.

Cox (1958), "Two further applications of a model for binary regression"; Van Calster et al. (2019), "Calibration: the Achilles
heel of predictive analytics". The log-odds of the outcome are regressed on those predicted: by a shift alone (intercept), by
shift and slope, and by a restricted cubic spline (the curve). All in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import entr, expit, logit
from scipy.stats import chi2

from dlx import stats
from dlx.arrays import in_short
from dlx.audit.scores import judged
from dlx.dataset import Dataset
from dlx.model import Model
from dlx.stats import LEVEL, Interval, Weights, counts_in_chunks, counts_of, interval_among

SURE = 1e-6  # a probability nearer to 0 or 1 counts as this near: 13.8 log-odds
KNOTS = (0.1, 0.5, 0.9)  # quantiles of the predicted log-odds; Harrell (2015), section 2.4.6
SHOWN = (0.01, 0.99)  # quantiles of the prediction between which the curve is drawn
POINTS = 60
MOST_STEPS = 60
LONGEST_STEP = 3.0  # log-odds: so that no step overshoots where the likelihood is flat
CLOSE = 1e-9  # log-odds that differ by less are the same
NO_INFORMATION = 1e-9  # share of what rows of even odds would tell of the coefficients
WIDEST = 60  # doublings of a step


@dataclass(frozen=True, eq=False)
class Calibration:
    """How predicted probabilities and outcomes go together, on some rows.

    The slope is NaN where all predictions are alike, and infinite where they separate the outcomes. Intervals of intercept
    and slope are those of the profile likelihood, which hold where events are few. The p-value is of the likelihood-ratio test
    of two degrees of freedom, or of one where all predictions are alike.
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
    curve: pd.DataFrame  # `predicted`, `observed`, `low`, `high`: events at a prediction, with a pointwise bootstrap band

    __repr__ = in_short

    @property
    def needs_recalibration(self) -> bool:
        """Whether intercept 0 and slope 1, tested together, are rejected at 5 %: one calibrated model in twenty is."""
        return self.p_value < 1 - LEVEL

    def to_frame(self) -> pd.DataFrame:
        """Return a line a number: estimate, interval, what is perfect, and why there is no interval where there is none."""
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
    return calibration_of(model.name, *judged(model, people, "the calibration"), people.weights, seed=seed)


def calibration_of(
    name: str, outcomes: np.ndarray, predicted: np.ndarray, weights: Weights = None, *, seed: int = 0
) -> Calibration:
    """Return the calibration of the probabilities [rows] that a model of a name gives to outcomes of 0 and 1 [rows].

    Of weighted rows the likelihood is that of as many people as the weights are worth.
    """
    odds, (lowest, highest) = log_odds(predicted), stats.quantile(predicted, SHOWN, weights)
    grid, counts = np.linspace(lowest, highest, POINTS), stats.effective(counts_of(weights, len(odds)))
    curves = _curves(odds, outcomes, log_odds(grid), weights, seed)
    band = pd.DataFrame([interval_among(point, people=stats.rarest(outcomes)) for point in curves.T])
    return Calibration(
        model=name,
        rows=len(outcomes),
        events=int(outcomes.sum()),
        certain=int(((predicted < SURE) | (predicted > 1 - SURE)).sum()),
        expected=float(np.average(predicted, weights=weights)),
        observed=stats.interval_of_share(outcomes == 1, weights),
        intercept=intercept_interval(odds, outcomes, counts),
        slope=slope_interval(odds, outcomes, counts),
        p_value=fitted_stretch(odds, outcomes, counts)[2],
        curve=band.rename(columns={"estimate": "observed"}).assign(predicted=grid)[["predicted", "observed", "low", "high"]],
    )


def log_odds(predicted: np.ndarray) -> np.ndarray:
    """Return the log-odds of probabilities, which are kept 1e-6 away from 0 and 1."""
    return logit(np.clip(predicted, SURE, 1 - SURE))


def _curves(odds: np.ndarray, outcomes: np.ndarray, where: np.ndarray, weights: Weights, seed: int) -> np.ndarray:
    """Return the chance of the outcome at some log-odds, of the people and of resamples, by a spline, [1 + resamples, points].

    A line where the quantiles of the log-odds coincide, a shift where all log-odds do; NaN where a resample has no fit.
    """
    first, second, third = knots = stats.quantile(odds, KNOTS, weights)

    def design(some: np.ndarray) -> np.ndarray:
        columns = [np.ones_like(some)] + ([] if np.ptp(odds) < CLOSE else [some - odds.mean()])
        if (np.diff(knots) > CLOSE).all():
            cubes = [np.maximum(some - knot, 0) ** 3 for knot in knots]
            ends = ((third - first) * cubes[1] - (second - first) * cubes[2]) / (third - second)
            columns.append((cubes[0] - ends) / (third - first) ** 2)
        return np.column_stack(columns)

    chunks = counts_in_chunks(len(outcomes), weights, seed=seed)
    fits = np.vstack([logistic_fits(design(odds), outcomes, odds, counts) for counts in chunks])
    fits[~np.isfinite(fits).all(axis=1)] = np.nan
    return expit(where + fits @ design(where).T)


def logistic_fits(design: np.ndarray, outcomes: np.ndarray, offset: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the maximum-likelihood coefficients of outcome ~ offset + design of many resamples, [resamples, columns].

    By Newton's method; plus or minus infinity where the likelihood has no maximum, NaN where the columns are alike. The
    design is [rows, columns]; outcomes and offset (log-odds) are [rows]; counts, how often each row counts, [resamples, rows].
    """
    found = np.zeros((len(counts), design.shape[1]))
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), -1)
    most = 0.25 * np.einsum("rkk->r", (counts @ products).reshape(len(counts), *2 * [design.shape[1]]))
    active, length, is_open = np.arange(len(counts)), np.full(len(counts), np.inf), np.ones(len(counts), dtype=bool)
    for _ in range(MOST_STEPS):
        chance = expit(offset + found[active] @ design.T)
        slope = (counts[active] * (outcomes - chance)) @ design
        bend = ((counts[active] * chance * (1 - chance)) @ products).reshape(len(active), *2 * [design.shape[1]])
        step = np.einsum("rkl,rl->rk", np.linalg.pinv(bend, hermitian=True), slope)
        is_open[active] = np.linalg.eigvalsh(bend)[:, 0] < NO_INFORMATION * most[active]
        length[active] = np.abs(step @ design.T).max(axis=1)
        found[active] += step * np.minimum(1, LONGEST_STEP / np.maximum(length[active], CLOSE))[:, None]
        active = active[length[active] > CLOSE]
        if not len(active):
            break
    is_open[active] = True
    with np.errstate(invalid="ignore"):  # 0 · infinity: what the columns cannot tell from each other is not a number
        found[is_open] = np.sign(found[is_open]) * np.inf
    return found


def fitted_stretch(odds: np.ndarray, outcomes: np.ndarray, counts: Weights = None) -> tuple[float, float, float]:
    """Return slope and log-likelihood of outcome ~ intercept + slope · odds, and the p-value of intercept 0 and slope 1.

    `counts` [rows] is how much each row adds to the likelihood, 1 by default.
    """
    middle, counts = odds - odds.mean(), counts_of(counts, len(odds))
    if np.ptp(odds) < CLOSE:
        slope, likelihood, freedom = np.nan, _shifted(odds, outcomes, counts)[1], 1
    else:
        design = np.column_stack([np.ones_like(odds), middle])
        ((shift, extra),) = logistic_fits(design, outcomes, odds, counts[None])
        slope, freedom = float(1 + extra), 2
        if np.isfinite(slope) and np.isfinite(shift):
            likelihood = _likelihood(odds + shift + extra * middle, outcomes, counts)
        else:
            likelihood = _separated(odds, outcomes, counts)
    return slope, likelihood, float(chi2.sf(max(2 * (likelihood - _likelihood(odds, outcomes, counts)), 0.0), freedom))


def intercept_interval(odds: np.ndarray, outcomes: np.ndarray, counts: Weights = None) -> Interval:
    """Return what must be added to the log-odds for their greatest likelihood, with its 95 % profile interval."""
    counts = counts_of(counts, len(odds))
    estimate, likelihood = _shifted(odds, outcomes, counts)
    return Interval(estimate, *_ends(lambda shift: _likelihood(odds + shift, outcomes, counts), estimate, likelihood))


def slope_interval(odds: np.ndarray, outcomes: np.ndarray, counts: Weights = None) -> Interval:
    """Return the factor of the log-odds of greatest likelihood, beside a free shift, with its 95 % profile interval.

    NaN where all log-odds are alike; the estimate and one end are infinite where they separate the outcomes.
    """
    counts = counts_of(counts, len(odds))
    slope, likelihood, _ = fitted_stretch(odds, outcomes, counts)
    if np.isnan(slope):
        return Interval(np.nan, np.nan, np.nan)
    middle = odds - odds.mean()
    return Interval(slope, *_ends(lambda factor: _shifted(factor * middle, outcomes, counts)[1], slope, likelihood))


def _ends(profile: Callable[[float], float], estimate: float, likelihood: float) -> tuple[float, float]:
    """Return the two values at which a log-likelihood has fallen as far as the likelihood-ratio test allows at 5 %."""
    allowed = likelihood - float(chi2.ppf(LEVEL, 1)) / 2

    def beyond(value: float) -> float:
        return profile(value) - allowed

    start = estimate
    if np.isinf(estimate):  # then from a value on the way there that the test does not reject
        steps = [float(np.sign(estimate) * 2.0**i) for i in range(WIDEST + 1)]
        start = next((step for step in steps if beyond(step) > 0), steps[-1])
    ends = []
    for sign in (-1, 1):
        steps = [] if sign * estimate == np.inf else [sign * 2.0**i for i in range(-6, WIDEST)]
        outside = next((start + step for step in steps if beyond(start + step) < 0), None)
        ends.append(sign * np.inf if outside is None else float(brentq(beyond, start, outside)))
    return ends[0], ends[1]


def _shifted(odds: np.ndarray, outcomes: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Return the shift of the log-odds of greatest likelihood, and the log-likelihood there."""
    shift = float(logistic_fits(np.ones((len(odds), 1)), outcomes, odds, counts[None])[0, 0])
    return shift, _likelihood(odds + shift, outcomes, counts)


def _likelihood(odds: np.ndarray, outcomes: np.ndarray, counts: np.ndarray) -> float:
    return -float(counts @ np.logaddexp(0, np.where(outcomes == 1, -odds, odds)))


def _separated(odds: np.ndarray, outcomes: np.ndarray, counts: np.ndarray) -> float:
    """Return the limit of the log-likelihood as the slope grows without end: only people on the border, all alike, count."""
    no, yes = odds[outcomes == 0], odds[outcomes == 1]
    among = odds == (no.max() if no.max() <= yes.min() else yes.max())
    if not among.any():
        return 0.0
    share = float(np.average(outcomes[among], weights=counts[among]))
    return float(-counts[among].sum() * (entr(share) + entr(1 - share)))
