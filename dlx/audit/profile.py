"""Intercept and slope of predicted log-odds by the likelihood: estimates, profile intervals, and a test of both together.

A profile interval holds every value that the likelihood-ratio test does not reject at 5 %. It needs no normal estimate, and
has a finite end where predictions separate the outcomes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from dlx.audit.logistic import logistic_fits
from dlx.stats import LEVEL, Interval

ALIKE = 1e-9  # log-odds that differ by less are the same
WIDEST = 60  # doublings of a step


class Fitted(NamedTuple):
    """The stretch of the log-odds of greatest likelihood: its slope, the log-likelihood there, and how likely 0 and 1 are."""

    slope: float
    likelihood: float
    p_value: float


def fitted_stretch(odds: np.ndarray, outcomes: np.ndarray) -> Fitted:
    """Return the fit of outcome ~ intercept + slope · odds, and the p-value of intercept 0 and slope 1 together."""
    from scipy.stats import chi2

    unmoved = _likelihood(odds, outcomes)
    if np.ptp(odds) < ALIKE:
        slope, likelihood, freedom = np.nan, _shifted(odds, outcomes), 1
    else:
        middle = odds - odds.mean()
        ((shift, extra),) = logistic_fits(
            np.column_stack([np.ones_like(odds), middle]), outcomes, odds, np.ones((1, len(odds)))
        )
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

    start = estimate if np.isfinite(estimate) else _inside(beyond, np.sign(estimate))
    ends = []
    for sign in (-1, 1):
        if sign * estimate == np.inf:
            ends.append(sign * np.inf)
            continue
        outside = next((sign * 2.0**i for i in range(-6, WIDEST) if beyond(start + sign * 2.0**i) < 0), np.nan)
        ends.append(float(brentq(beyond, start, start + outside)) if np.isfinite(outside) else sign * np.inf)
    return ends[0], ends[1]


def _inside(beyond: Callable[[float], float], sign: float) -> float:
    """Return a value on the way to infinity that the test does not reject."""
    return next((float(sign * 2.0**i) for i in range(WIDEST) if beyond(sign * 2.0**i) > 0), float(sign * 2.0**WIDEST))


def _shift(odds: np.ndarray, outcomes: np.ndarray) -> float:
    return float(logistic_fits(np.ones((len(odds), 1)), outcomes, odds, np.ones((1, len(odds))))[0, 0])


def _shifted(odds: np.ndarray, outcomes: np.ndarray) -> float:
    """Return the greatest log-likelihood of the log-odds with a shift."""
    return _likelihood(odds + _shift(odds, outcomes), outcomes)


def _likelihood(odds: np.ndarray, outcomes: np.ndarray) -> float:
    return float(-np.logaddexp(0, np.where(outcomes == 1, -odds, odds)).sum())


def _separated(odds: np.ndarray, outcomes: np.ndarray) -> float:
    """Return the log-likelihood that a slope without end comes near: only the people at the border, all alike, are not told."""
    no, yes = odds[outcomes == 0], odds[outcomes == 1]
    border = no.max() if no.max() <= yes.min() else yes.max()
    among = outcomes[odds == border]
    share = among.mean() if len(among) else 0.0
    return 0.0 if share in (0, 1) else float(len(among) * (share * np.log(share) + (1 - share) * np.log(1 - share)))
