"""Logistic regression on a few columns beside a fixed offset, of many resamples at once: what calibration is measured by.

All in float64. The coefficients are maximum-likelihood estimates by Newton's method; a resample whose outcomes the columns
separate has none, and gets an infinite one.
"""

from __future__ import annotations

import numpy as np

MOST_STEPS = 60
LONGEST_STEP = 3.0  # log-odds: so that no step overshoots where the likelihood is flat
CLOSE = 1e-9
NO_INFORMATION = 1e-9  # share of what rows of even odds would tell of the coefficients


def logistic_fits(design: np.ndarray, outcomes: np.ndarray, offset: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the coefficients of outcome ~ offset + design, float64 [resamples, columns].

    Parameters
    ----------
    design : ndarray [rows, columns]
        What is fitted.
    outcomes, offset : ndarray [rows]
        0 or 1; log-odds that are added as they are.
    counts : ndarray [resamples, rows]
        How often each row counts.

    Returns
    -------
    ndarray [resamples, columns]
        Plus or minus infinity where the likelihood has no maximum, NaN where the columns are alike.
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
