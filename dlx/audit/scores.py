"""How well models predict people they have not seen, with intervals; and how much better than interpretable models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from dlx.dataset import Dataset, refuse_bare
from dlx.errors import DlxError
from dlx.model import Model, decided
from dlx.stats import Interval, auc, auc_difference, auc_interval, interval_over, rarest

SMALLEST = 1e-15  # a probability nearer to 0 or 1 counts as this near in the log loss


def performance(model: Model, people: Dataset, *, seed: int = 0) -> pd.DataFrame:
    """Return ROC AUC, average precision, Brier score and log loss with 95 % intervals.

    That of the AUC is DeLong's (`dlx.stats.auc_interval`), the others are a bootstrap over people, whatever their outcome.

    Parameters
    ----------
    model : Model
        A classifier.
    people : Dataset
        Rows with outcomes, not seen in training.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        One line a metric; `reference` is what a model reaches that predicts the share of positives for everybody; `note`
        says why there is no interval, or how it was made where nothing was seen to vary.

    Raises
    ------
    DlxError
        If the outcomes are unknown or all alike.
    """
    outcomes, predicted = judged(model, people, "the performance")
    intervals = [interval_of_metric(name, outcomes, predicted, seed=seed) for name in METRICS]
    references = [metric(outcomes, np.full(len(outcomes), outcomes.mean())) for metric in METRICS.values()]
    note = "" if rarest(outcomes) > 1 else "no interval: an outcome has one row"
    table = pd.DataFrame({"model": model.name, "metric": list(METRICS)}).join(pd.DataFrame(intervals))
    table = table.assign(reference=references, note=note)
    if not note and intervals[0].estimate in (0, 1):
        table.loc[0, "note"] = "no pair of outcomes is ranked otherwise: interval by Newcombe's method"
    return table


def judged(model: Model, people: Dataset, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the outcomes of people, and the probabilities that a classifier predicts: [rows], [rows].

    `what` is asked for, as an error begins: "the performance". A `DlxError` if outcomes are unknown or all alike.
    """
    refuse_bare(people, "people")
    outcomes = people.outcomes
    if outcomes is None or not np.array_equal(np.unique(outcomes), (0, 1)):
        got = "got none; pass rows whose outcome is known"
        if outcomes is not None:
            got = f"got {int((outcomes == 1).sum())} positive of {len(outcomes)}; pass more rows of a binary outcome"
        raise DlxError(f"{people.name}: {what} of {model.name} needs outcomes of both classes, {got}")
    return outcomes, model.predict(people, "probability")


def average_precisions(outcomes: np.ndarray, predicted: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the mean precision over the positives of some resamples, each at its own probability as threshold, [resamples].

    Ties share one threshold. `counts` [resamples, rows] says how often each row was drawn.
    """
    order = np.argsort(-predicted, kind="stable")
    score = predicted[order]
    last = np.flatnonzero(np.append(score[1:] != score[:-1], True))  # of each run of ties
    found, above = (np.cumsum(counts[:, order] * some, axis=1)[:, last] for some in (outcomes[order], 1.0))
    return (np.diff(found, prepend=0.0) * found / np.maximum(above, 1)).sum(axis=1) / found[:, -1]


def average_precision(outcomes: np.ndarray, predicted: np.ndarray) -> float:
    """Return the mean precision over the positives, each at its own probability as threshold; ties share one threshold."""
    return float(average_precisions(outcomes, predicted, np.ones((1, len(outcomes))))[0])


def brier(outcomes: np.ndarray, predicted: np.ndarray) -> float:
    """Return the mean squared distance of probability and outcome."""
    return float(((predicted - outcomes) ** 2).mean())


def log_losses(outcomes: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the log loss of each row, nats [rows]; probabilities are kept 1e-15 away from 0 and 1."""
    kept = np.clip(predicted, SMALLEST, 1 - SMALLEST)
    return -np.where(outcomes == 1, np.log(kept), np.log1p(-kept))


def log_loss(outcomes: np.ndarray, predicted: np.ndarray) -> float:
    """Return the mean negative log likelihood; probabilities are kept 1e-15 away from 0 and 1."""
    return float(log_losses(outcomes, predicted).mean())


def cost_ratio(threshold: float) -> float:
    """Return how many needless acts a missed event costs, if one acts from the threshold, above 0 and below 1, on: 5 at 1/6."""
    if not 0 < threshold < 1:
        raise DlxError(f"a threshold is a probability above 0 and below 1, got {threshold:g}; at 0 and 1 no model is needed")
    return (1 - threshold) / threshold


def costs(outcomes: np.ndarray, acted: np.ndarray, threshold: float) -> np.ndarray:
    """Return what each row costs [rows], in needless acts: 1 for such an act, (1 - t) / t for a missed event."""
    return acted * (1 - outcomes) + (1 - acted) * outcomes * cost_ratio(threshold)


# scikit-learn's numbers, without its checks, which would take most of the time of a bootstrap
METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "auc": auc,
    "average_precision": average_precision,
    "brier": brier,
    "log_loss": log_loss,
}
HIGHER_IS_BETTER = {"auc": True, "average_precision": True, "brier": False, "log_loss": False, "cost": False}


def interval_of_metric(name: str, outcomes: np.ndarray, predicted: np.ndarray, *, seed: int = 0) -> Interval:
    """Return one of `METRICS` with its 95 % interval over people."""
    if name == "auc":
        return auc_interval(outcomes, predicted)
    _, low, high = interval_over(_of_resamples(name, outcomes, predicted), outcomes, seed=seed)
    return Interval(METRICS[name](outcomes, predicted), low, high)


def interval_of_gain(name: str, outcomes: np.ndarray, one: np.ndarray, other: np.ndarray, *, seed: int = 0) -> Interval:
    """Return one of `METRICS` of some predictions less that of others, of the same people, with its 95 % interval."""
    if name == "auc":
        return auc_difference(outcomes, one, other)
    mine, theirs = (_of_resamples(name, outcomes, predicted) for predicted in (one, other))
    _, low, high = interval_over(lambda counts: mine(counts) - theirs(counts), outcomes, seed=seed)
    return Interval(METRICS[name](outcomes, one) - METRICS[name](outcomes, other), low, high)


def _of_resamples(name: str, outcomes: np.ndarray, predicted: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function that gives one of `METRICS` of each resample, from how often each row was drawn."""
    if name == "average_precision":
        return partial(average_precisions, outcomes, predicted)
    losses = (predicted - outcomes) ** 2 if name == "brier" else log_losses(outcomes, predicted)
    return lambda counts: counts @ losses / len(losses)


def advantages(models: Sequence[Model], interpretable: Sequence[Model], people: Dataset, *, seed: int = 0) -> pd.DataFrame:
    """Return how much better models predict than interpretable models on the same rows, with paired 95 % intervals.

    What makes rows hard for both drops out of the difference: DeLong's paired interval of the AUC, a bootstrap of the others.

    Parameters
    ----------
    models, interpretable : sequence of Model
        Classifiers; each of the first is compared with each of the second.
    people : Dataset
        Rows with outcomes, not seen in training; the cost is that of acting from their target's threshold on.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        A line a pair and metric: `estimate` of the model, `of_interpretable`, and the `advantage` with `low` and `high`,
        above 0 where the model is better, whether high or low is good; `significant` where the interval leaves out 0.

    Raises
    ------
    DlxError
        If outcomes are unknown or all alike, or there is nothing to compare.
    """
    if not models or not interpretable:
        raise DlxError("a comparison needs a model and an interpretable one, for example a logistic regression")
    lines: list[dict[str, Any]] = []
    for model in models:
        outcomes, mine = judged(model, people, "the comparison")
        for simple in interpretable:
            both, pair = (mine, simple.predict(people, "probability")), {"model": model.name, "interpretable": simple.name}
            for name, is_higher in HIGHER_IS_BETTER.items():
                one, other, gain = _compared(name, outcomes, *both, people.schema.target.threshold, seed)
                better = gain if is_higher else Interval(-gain.estimate, -gain.high, -gain.low)
                line = pair | {"metric": name, "estimate": one, "of_interpretable": other, "advantage": better.estimate}
                lines.append(line | {"low": better.low, "high": better.high, "significant": better.excludes(0)})
    return pd.DataFrame(lines)


def _compared(
    name: str, outcomes: np.ndarray, one: np.ndarray, other: np.ndarray, threshold: float, seed: int
) -> tuple[float, float, Interval]:
    """Return a metric, or the cost, of some predictions and of others, and the first less the second."""
    if name != "cost":
        gain = interval_of_gain(name, outcomes, one, other, seed=seed)
        return METRICS[name](outcomes, one), METRICS[name](outcomes, other), gain
    mine, theirs = (costs(outcomes, decided(predicted, threshold), threshold) for predicted in (one, other))
    saved = mine - theirs
    gain = interval_over(lambda counts: counts @ saved / len(saved), outcomes, seed=seed)
    return float(mine.mean()), float(theirs.mean()), gain
