"""Errors of a model of a value, in its unit: how large, whether predictions come true, and how both go with the prediction.

An error is predicted less observed: above 0 the model predicts too much. All intervals are a bootstrap over people, each with
their weight.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from dlx.arrays import ratio
from dlx.audit.metrics import Statistic
from dlx.audit.scores import answers
from dlx.dataset import Dataset
from dlx.model import Model
from dlx.stats import interval_of, interval_of_mean, interval_over, quantile

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)  # of errors
MOST_BINS, FEWEST_IN_BIN = 10, 15  # of the prediction
ALIKE = 1e-12  # of the size of predictions, their variance below which they are all alike


def error_sizes(model: Model, people: Dataset, *, seed: int = 0) -> pd.DataFrame:
    """Return the mean error, and below which absolute errors half and nine tenths of the predictions stay, with 95 % intervals.

    A line a quantity: `bias`, `half` and `nine_tenths`. A `DlxError` if outcomes are unknown or all alike.
    """
    (outcomes, predicted), weights = answers(model, people, "the error"), people.weights
    size, found = np.abs(predicted - outcomes), {"bias": interval_of_mean(predicted - outcomes, weights, seed=seed)}

    def below(rows: np.ndarray, level: float) -> float:
        return float(quantile(size[rows], level, None if weights is None else weights[rows]))

    for name, level in (("half", 0.5), ("nine_tenths", 0.9)):
        found[name] = interval_of(partial(below, level=level), len(size), seed=seed)
    return pd.DataFrame({"model": model.name, "quantity": name} | one._asdict() for name, one in found.items())


def value_calibration(model: Model, people: Dataset, *, seed: int = 0) -> pd.DataFrame:
    """Return whether predicted values come true: the line of outcomes on predictions, with 95 % intervals; a line a quantity.

    `mean_predicted`, `mean_observed`; `intercept`, by how much the mean prediction is too low (perfect: 0), and `slope`, what
    distances from the mean prediction must be multiplied by (perfect: 1; below it predictions are too extreme; NaN where all
    are alike).
    """
    (outcomes, predicted), weights = answers(model, people, "the calibration"), people.weights
    numbers = {
        "mean_predicted": interval_of_mean(predicted, weights, seed=seed),
        "mean_observed": interval_of_mean(outcomes, weights, seed=seed),
        "intercept": interval_of_mean(outcomes - predicted, weights, seed=seed),
        "slope": interval_over(slope_of(outcomes, predicted), np.zeros(len(predicted)), weights, seed=seed),
    }
    return pd.DataFrame({"model": model.name, "quantity": name} | found._asdict() for name, found in numbers.items())


def slope_of(outcomes: np.ndarray, predicted: np.ndarray) -> Statistic:
    """Return the function that gives the slope of outcomes on predictions from how much each row counts; NaN of no spread."""
    x, y = predicted - predicted.mean(), outcomes - outcomes.mean()  # digits are kept
    least = ALIKE * max(float(np.abs(predicted).max()), 1e-300) ** 2

    def slopes(counts: np.ndarray) -> np.ndarray:
        total, sums = counts.sum(axis=1), counts @ x
        spread, joint = counts @ x**2 - sums**2 / total, counts @ (x * y) - sums * (counts @ y) / total
        return ratio(joint, spread, where=spread > least * total)

    return slopes


def by_prediction(model: Model, people: Dataset, *, seed: int = 0) -> pd.DataFrame:
    """Return outcomes and errors by the size of the prediction: a line a tenth of the weight, or fewer parts of few people.

    The mean `predicted` and `observed` with its 95 % interval (`low`, `high`), and quantiles of observed less predicted, `q10`
    to `q90`. Equal predictions stay together.
    """
    (outcomes, predicted), weights = answers(model, people, "the calibration"), people.weights
    count = int(np.clip(len(outcomes) // FEWEST_IN_BIN, 1, MOST_BINS))
    edges = np.unique(quantile(predicted, np.arange(1, count) / count, weights))
    codes, lines = np.searchsorted(edges, predicted), []
    for place, code in enumerate(np.unique(codes), 1):
        here = codes == code
        each, off = None if weights is None else weights[here], outcomes[here] - predicted[here]
        observed, middle = interval_of_mean(outcomes[here], each, seed=seed), np.average(predicted[here], weights=each)
        line = {"model": model.name, "part": place, "people": int(here.sum()), "predicted": float(middle)}
        line |= {"observed": observed.estimate, "low": observed.low, "high": observed.high}
        lines.append(line | {f"q{100 * q:.0f}": float(quantile(off, q, each)) for q in QUANTILES})
    return pd.DataFrame(lines)
