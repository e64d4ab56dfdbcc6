"""Errors of a model of a value, in its unit: how large, whether predictions come true, and how both go with the prediction.

An error is predicted less observed: above 0 the model predicts too much. All intervals are a bootstrap over people.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from dlx.audit.scores import answers
from dlx.dataset import Dataset
from dlx.model import Model
from dlx.stats import interval_of, interval_of_mean, interval_over

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)  # of errors
MOST_BINS, FEWEST_IN_BIN = 10, 15  # of the prediction
ALIKE = 1e-12  # of the size of predictions, their variance below which they are all alike


def error_sizes(model: Model, people: Dataset, *, seed: int = 0) -> pd.DataFrame:
    """Return the mean error, and below which absolute errors half and nine tenths of the predictions stay, with 95 % intervals.

    A line a quantity: `bias`, `half` and `nine_tenths`. A `DlxError` if outcomes are unknown or all alike.
    """
    outcomes, predicted = answers(model, people, "the error")
    size, found = np.abs(predicted - outcomes), {"bias": interval_of_mean(predicted - outcomes, seed=seed)}

    def quantile(rows: np.ndarray, level: float) -> float:
        return float(np.quantile(size[rows], level))

    for name, level in (("half", 0.5), ("nine_tenths", 0.9)):
        found[name] = interval_of(partial(quantile, level=level), np.zeros(len(size)), seed=seed)
    return pd.DataFrame({"model": model.name, "quantity": name} | one._asdict() for name, one in found.items())


def value_calibration(model: Model, people: Dataset, *, seed: int = 0) -> pd.DataFrame:
    """Return whether predicted values come true: the line of outcomes on predictions, with 95 % intervals; a line a quantity.

    `mean_predicted`, `mean_observed`; `intercept`, by how much the mean prediction is too low (perfect: 0), and `slope`, what
    distances from the mean prediction must be multiplied by (perfect: 1; below it predictions are too extreme; NaN where all
    are alike).
    """
    outcomes, predicted = answers(model, people, "the calibration")
    x, y = predicted - predicted.mean(), outcomes - outcomes.mean()  # digits are kept
    least = ALIKE * len(x) * max(float(np.abs(predicted).max()), 1e-300) ** 2

    def slope(counts: np.ndarray) -> np.ndarray:
        total, sums = counts.sum(axis=1), counts @ x
        spread, joint = counts @ x**2 - sums**2 / total, counts @ (x * y) - sums * (counts @ y) / total
        return np.divide(joint, spread, out=np.full(len(counts), np.nan), where=spread > least)

    numbers = {
        "mean_predicted": interval_of_mean(predicted, seed=seed),
        "mean_observed": interval_of_mean(outcomes, seed=seed),
        "intercept": interval_of_mean(outcomes - predicted, seed=seed),
        "slope": interval_over(slope, np.zeros(len(x)), seed=seed),
    }
    return pd.DataFrame({"model": model.name, "quantity": name} | found._asdict() for name, found in numbers.items())


def by_prediction(model: Model, people: Dataset, *, seed: int = 0) -> pd.DataFrame:
    """Return outcomes and errors by the size of the prediction: a line a tenth of the people, or fewer parts of few people.

    The mean `predicted` and `observed` with its 95 % interval (`low`, `high`), and quantiles of observed less predicted, `q10`
    to `q90`. Equal predictions stay together.
    """
    outcomes, predicted = answers(model, people, "the calibration")
    count = int(np.clip(len(outcomes) // FEWEST_IN_BIN, 1, MOST_BINS))
    edges = np.unique(np.quantile(predicted, np.arange(1, count) / count))
    codes, lines = np.searchsorted(edges, predicted), []
    for place, code in enumerate(np.unique(codes), 1):
        here = codes == code
        observed, off = interval_of_mean(outcomes[here], seed=seed), outcomes[here] - predicted[here]
        line = {"model": model.name, "part": place, "people": int(here.sum()), "predicted": float(predicted[here].mean())}
        line |= {"observed": observed.estimate, "low": observed.low, "high": observed.high}
        lines.append(line | {f"q{100 * q:.0f}": float(np.quantile(off, q)) for q in QUANTILES})
    return pd.DataFrame(lines)
