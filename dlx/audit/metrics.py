"""The metrics of each task, once: of two classes, of several, and of a value; with intervals over people.

A metric is a function of how often each row counts, so that its resamples are a few products of matrices.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from dlx import stats
from dlx.arrays import ratio
from dlx.errors import DlxError
from dlx.model import decided
from dlx.schema import Target
from dlx.stats import Interval, Weights, quantile, weighted_auc

Statistic = Callable[[np.ndarray], np.ndarray]  # how often each row counts, [resamples, rows], in; [resamples] out


@dataclass(frozen=True)
class Metric:
    """A metric of outcomes [rows] and predictions: probabilities [rows] or [rows, classes], or values [rows].

    Parameters
    ----------
    of : callable
        Outcomes and predictions in; the function out that gives the metric from how often each row counts.
    is_higher_better : bool
        Whether more is better.
    best_guess : {"shares", "mean", "median"}
        The best that one can predict for everybody alike: the share of each class, or the mean or the median of the values.
    """

    of: Callable[[np.ndarray, np.ndarray], Statistic]
    is_higher_better: bool = False
    best_guess: Literal["shares", "mean", "median"] = "shares"

    def __call__(self, outcomes: np.ndarray, predicted: np.ndarray, weights: Weights = None) -> float:
        """Return the metric of some rows, of which each may weigh something else [rows]."""
        return float(self.of(outcomes, predicted)(stats.counts_of(weights, len(outcomes))[None])[0])

    def reference(self, outcomes: np.ndarray, predicted: np.ndarray, weights: Weights = None) -> float:
        """Return the metric of the best constant prediction, the same for everybody."""
        known = np.eye(predicted.shape[1])[outcomes.astype(int)] if predicted.ndim == 2 else outcomes
        guess = quantile(known, 0.5, weights) if self.best_guess == "median" else np.average(known, axis=0, weights=weights)
        return self(outcomes, np.broadcast_to(guess, predicted.shape), weights)

    def interval(self, outcomes: np.ndarray, predicted: np.ndarray, *, weights: Weights = None, seed: int = 0) -> Interval:
        """Return the metric with its 95 % interval, a bootstrap over people, each with their weight."""
        _, *ends = stats.interval_over(self.of(outcomes, predicted), self._kinds(outcomes), weights, seed=seed)
        return Interval(self(outcomes, predicted, weights), *ends)

    def gain(
        self, outcomes: np.ndarray, one: np.ndarray, other: np.ndarray, *, weights: Weights = None, seed: int = 0
    ) -> Interval:
        """Return the metric of some predictions less that of others, of the same people, with its 95 % interval."""
        mine, theirs = self.of(outcomes, one), self.of(outcomes, other)
        both = stats.interval_over(lambda counts: mine(counts) - theirs(counts), self._kinds(outcomes), weights, seed=seed)
        return Interval(self(outcomes, one, weights) - self(outcomes, other, weights), *both[1:])

    def _kinds(self, outcomes: np.ndarray) -> np.ndarray:
        """Return of which kind each row is, of which every resample must have some."""
        return outcomes if self.best_guess == "shares" else np.zeros(len(outcomes))


class Area(Metric):
    """The area under the ROC curve of two classes, with the intervals of DeLong (`dlx.stats.auc_interval`)."""

    def __call__(self, outcomes: np.ndarray, predicted: np.ndarray, weights: Weights = None) -> float:
        """Return the area."""
        return stats.auc(outcomes, predicted, weights)

    def interval(self, outcomes: np.ndarray, predicted: np.ndarray, *, weights: Weights = None, seed: int = 0) -> Interval:
        """Return the area with its 95 % interval."""
        del seed
        return stats.auc_interval(outcomes, predicted, weights)

    def gain(
        self, outcomes: np.ndarray, one: np.ndarray, other: np.ndarray, *, weights: Weights = None, seed: int = 0
    ) -> Interval:
        """Return the area of one ranking less that of another, with its 95 % interval."""
        del seed
        return stats.auc_difference(outcomes, one, other, weights)


def _mean(losses: np.ndarray) -> Statistic:
    return lambda counts: counts @ losses / counts.sum(axis=1)


# Of two classes: scikit-learn's numbers, without its checks, which would take most of the time of a bootstrap


def average_precisions(outcomes: np.ndarray, predicted: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the mean precision over the positives of some resamples, each at its own probability as threshold, [resamples].

    Ties share one threshold. `counts` [resamples, rows] says how often each row was drawn.
    """
    order = np.argsort(-predicted, kind="stable")
    score = predicted[order]
    last = np.flatnonzero(np.append(score[1:] != score[:-1], True))  # of each run of ties
    found, above = (np.cumsum(counts[:, order] * some, axis=1)[:, last] for some in (outcomes[order], 1.0))
    precision = np.divide(found, above, out=np.zeros_like(found), where=above > 0)
    return (np.diff(found, prepend=0.0) * precision).sum(axis=1) / found[:, -1]


def cost_ratio(threshold: float) -> float:
    """Return how many needless acts a missed event costs, if one acts from the threshold, above 0 and below 1, on: 5 at 1/6."""
    if not 0 < threshold < 1:
        raise DlxError(f"a threshold is a probability above 0 and below 1, got {threshold:g}; at 0 and 1 no model is needed")
    return (1 - threshold) / threshold


def costs(outcomes: np.ndarray, acted: np.ndarray, threshold: float) -> np.ndarray:
    """Return what each row costs [rows], in needless acts: 1 for such an act, (1 - t) / t for a missed event."""
    return acted * (1 - outcomes) + (1 - acted) * outcomes * cost_ratio(threshold)


def cost(threshold: float) -> Metric:
    """Return the mean cost of acting from a threshold on, as a metric."""
    return Metric(lambda outcomes, predicted: _mean(costs(outcomes, decided(predicted, threshold), threshold)))


# Of several classes


def class_losses(outcomes: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the log loss of each row, nats [rows], of the class that it is; of probabilities [rows, classes]."""
    return -np.log(np.maximum(predicted[np.arange(len(outcomes)), outcomes.astype(int)], stats.SMALLEST))


def _macro_auc(outcomes: np.ndarray, predicted: np.ndarray) -> Statistic:
    each = [(outcomes == code, predicted[:, int(code)]) for code in np.unique(outcomes)]
    return lambda counts: np.mean([weighted_auc(is_it, score, counts) for is_it, score in each], axis=0)


def _right(outcomes: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return np.asarray(predicted.argmax(axis=1) == outcomes)


def _balanced_accuracy(outcomes: np.ndarray, predicted: np.ndarray) -> Statistic:
    is_class = (outcomes[:, None] == np.unique(outcomes)).astype(float)
    found = is_class * _right(outcomes, predicted)[:, None]
    return lambda counts: (counts @ found / (counts @ is_class)).mean(axis=1)


# Of a value


def _r2(outcomes: np.ndarray, predicted: np.ndarray) -> Statistic:
    squared, middle = (outcomes - predicted) ** 2, outcomes - outcomes.mean()  # digits are kept

    def share(counts: np.ndarray) -> np.ndarray:
        spread = counts @ middle**2 - (counts @ middle) ** 2 / counts.sum(axis=1)
        return 1 - ratio(counts @ squared, spread)

    return share


def _rmse(outcomes: np.ndarray, predicted: np.ndarray) -> Statistic:
    return lambda counts: np.sqrt(_mean((outcomes - predicted) ** 2)(counts))


METRICS: Mapping[str, Metric] = {
    "auc": Area(lambda outcomes, predicted: partial(weighted_auc, outcomes, predicted), True),
    "average_precision": Metric(lambda outcomes, predicted: partial(average_precisions, outcomes, predicted), True),
    "brier": Metric(lambda outcomes, predicted: _mean((predicted - outcomes) ** 2)),
    "log_loss": Metric(lambda outcomes, predicted: _mean(stats.log_losses(outcomes, predicted))),
}
CLASS_METRICS: Mapping[str, Metric] = {
    "log_loss": Metric(lambda outcomes, predicted: _mean(class_losses(outcomes, predicted))),
    "macro_auc": Metric(_macro_auc, True),
    "balanced_accuracy": Metric(_balanced_accuracy, True),
    "accuracy": Metric(lambda outcomes, predicted: _mean(_right(outcomes, predicted).astype(float)), True),
}
VALUE_METRICS: Mapping[str, Metric] = {
    "r2": Metric(_r2, True, "mean"),
    "rmse": Metric(_rmse, False, "mean"),
    "mae": Metric(lambda outcomes, predicted: _mean(np.abs(outcomes - predicted)), False, "median"),
    "pinball": Metric(lambda outcomes, predicted: _mean(np.abs(outcomes - predicted) / 2), False, "median"),
}


def metrics_of(target: Target) -> Mapping[str, Metric]:
    """Return the metrics of a target's task, by name."""
    return {"binary": METRICS, "multiclass": CLASS_METRICS, "regression": VALUE_METRICS}[target.kind]
