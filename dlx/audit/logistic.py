"""Logistic regression beside a fixed offset: fits of many resamples at once, profile intervals, a test of calibration.

All in float64. The coefficients are maximum-likelihood estimates by Newton's method; a resample whose outcomes the columns
separate has none, and gets an infinite one. A profile interval holds every value that the likelihood-ratio test does not
reject at 5 %: it needs no normal estimate, and has a finite end where predictions separate the outcomes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dlx.stats import LEVEL, Interval

MOST_STEPS = 60
LONGEST_STEP = 3.0  # log-odds: so that no step overshoots where the likelihood is flat
CLOSE = 1e-9  # log-odds that differ by less are the same
NO_INFORMATION = 1e-9  # share of what rows of even odds would tell of the coefficients
WIDEST = 60  # doublings of a step


def logistic_fits(design: np.ndarray, outcomes: np.ndarray, offset: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the coefficients of outcome ~ offset + design, float64 [resamples, columns].

    Plus or minus infinity where the likelihood has no maximum, NaN where the columns are alike.

    Parameters
    ----------
    design : ndarray [rows, columns]
        What is fitted.
    outcomes, offset : ndarray [rows]
        0 or 1; log-odds that are added as they are.
    counts : ndarray [resamples, rows]
        How often each row counts.
    """
    from scipy.special import expit

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


class Fitted(NamedTuple):
    """Slope of the log-odds of greatest likelihood, the log-likelihood there, and the p-value of intercept 0 and slope 1."""

    slope: float
    likelihood: float
    p_value: float


def fitted_stretch(odds: np.ndarray, outcomes: np.ndarray) -> Fitted:
    """Return the fit of outcome ~ intercept + slope · odds, and the p-value of intercept 0 and slope 1 together."""
    from scipy.stats import chi2

    unmoved, middle = _likelihood(odds, outcomes), odds - odds.mean()
    if np.ptp(odds) < CLOSE:
        slope, likelihood, freedom = np.nan, _shifted(odds, outcomes), 1
    else:
        design = np.column_stack([np.ones_like(odds), middle])
        ((shift, extra),) = logistic_fits(design, outcomes, odds, np.ones((1, len(odds))))
        slope, freedom = float(1 + extra), 2
        is_finite = np.isfinite(slope) and np.isfinite(shift)
        likelihood = _likelihood(odds + shift + extra * middle, outcomes) if is_finite else _separated(odds, outcomes)
    return Fitted(slope, likelihood, float(chi2.sf(max(2 * (likelihood - unmoved), 0.0), freedom)))


def intercept_interval(odds: np.ndarray, outcomes: np.ndarray) -> Interval:
    """Return what must be added to the log-odds for their greatest likelihood, with its 95 % profile interval."""
    estimate = _shift(odds, outcomes)
    likelihood = _likelihood(odds + estimate, outcomes)
    return Interval(estimate, *_ends(lambda shift: _likelihood(odds + shift, outcomes), estimate, likelihood))


def slope_interval(odds: np.ndarray, outcomes: np.ndarray) -> Interval:
    """Return the factor of the log-odds of greatest likelihood, beside a free shift, with its 95 % profile interval.

    NaN where all log-odds are alike; the estimate and one end are infinite where they separate the outcomes.
    """
    slope, likelihood, _ = fitted_stretch(odds, outcomes)
    if np.isnan(slope):
        return Interval(np.nan, np.nan, np.nan)
    middle = odds - odds.mean()
    return Interval(slope, *_ends(lambda factor: _shifted(factor * middle, outcomes), slope, likelihood))


def _ends(profile: Callable[[float], float], estimate: float, likelihood: float) -> tuple[float, float]:
    """Return the two values at which the log-likelihood of a profile has fallen as far as the test allows."""
    from scipy.optimize import brentq
    from scipy.stats import chi2

    allowed = likelihood - float(chi2.ppf(LEVEL, 1)) / 2

    def beyond(value: float) -> float:
        return profile(value) - allowed

    start = estimate
    if np.isinf(estimate):  # then from a value on the way there that the test does not reject
        steps = (float(np.sign(estimate) * 2.0**i) for i in range(WIDEST))
        start = next((step for step in steps if beyond(step) > 0), float(np.sign(estimate) * 2.0**WIDEST))
    ends = []
    for sign in (-1, 1):
        steps = (sign * 2.0**i for i in range(-6, WIDEST))
        outside = np.nan if sign * estimate == np.inf else next((step for step in steps if beyond(start + step) < 0), np.nan)
        ends.append(sign * np.inf if np.isnan(outside) else float(brentq(beyond, start, start + outside)))
    return ends[0], ends[1]


def _shift(odds: np.ndarray, outcomes: np.ndarray) -> float:
    return float(logistic_fits(np.ones((len(odds), 1)), outcomes, odds, np.ones((1, len(odds))))[0, 0])


def _shifted(odds: np.ndarray, outcomes: np.ndarray) -> float:
    """Return the greatest log-likelihood of the log-odds with a shift."""
    return _likelihood(odds + _shift(odds, outcomes), outcomes)


def _likelihood(odds: np.ndarray, outcomes: np.ndarray) -> float:
    return float(-np.logaddexp(0, np.where(outcomes == 1, -odds, odds)).sum())


def _separated(odds: np.ndarray, outcomes: np.ndarray) -> float:
    """Return the limit of the log-likelihood as the slope grows without end: only people on the border, all alike, count."""
    from scipy.special import entr

    no, yes = odds[outcomes == 0], odds[outcomes == 1]
    among = outcomes[odds == (no.max() if no.max() <= yes.min() else yes.max())]
    return float(-len(among) * (entr(among.mean()) + entr(1 - among.mean()))) if len(among) else 0.0
