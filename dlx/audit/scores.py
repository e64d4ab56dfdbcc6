"""How well models predict people they have not seen, with intervals; and how much better than interpretable models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from dlx.audit.metrics import METRICS, cost, metrics_of
from dlx.dataset import Dataset, refuse_bare
from dlx.errors import DlxError
from dlx.model import Model
from dlx.stats import Interval, interval_of_share, rarest


def performance(model: Model, people: Dataset, *, seed: int = 0) -> pd.DataFrame:
    """Return how well a model predicts, by the metrics of its task, with 95 % intervals.

    Of two classes ROC AUC, average precision, Brier score and log loss; of several log loss, macro AUC (the mean over classes,
    each against the others), balanced accuracy and accuracy (of the likeliest class); of a value R2, root mean squared and mean
    absolute error, and the pinball loss of the median. Intervals are a bootstrap over people, whatever their outcome; that of
    the AUC is DeLong's (`dlx.stats.auc_interval`).

    Parameters
    ----------
    model : Model
        A classifier, or a model of a value; of several classes, that of any.
    people : Dataset
        Rows with outcomes, not seen in training; those that weigh more count for more, and are no more people.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        One line a metric; `reference` is what the best guess reaches that is the same for everybody: the shares of the classes,
        or the mean (R2, RMSE) or the median of the values; `note` says why there is no interval, or how it was made where
        nothing was seen to vary.

    Raises
    ------
    DlxError
        If the outcomes are unknown or all alike.
    """
    outcomes, predicted = answers(model, people, "the performance")
    metrics = metrics_of(people.schema.target)
    weights = people.weights
    intervals = [metric.interval(outcomes, predicted, weights=weights, seed=seed) for metric in metrics.values()]
    references = [metric.reference(outcomes, predicted, weights) for metric in metrics.values()]
    note = "" if not people.schema.target.levels or rarest(outcomes) > 1 else "no interval: an outcome has one row"
    table = pd.DataFrame({"model": model.name, "metric": list(metrics)}).join(pd.DataFrame(intervals))
    table = table.assign(reference=references, note=note)
    if metrics is not METRICS:  # a width of 0 would be no proof that nothing varies
        flat = table["low"] == table["high"]
        table.loc[flat, ["low", "high", "note"]] = np.nan, np.nan, "no interval: nothing was seen to vary"
    if not note and metrics is METRICS and intervals[0].estimate in (0, 1):
        table.loc[0, "note"] = "no pair of outcomes is ranked otherwise: interval by Newcombe's method"
    return table


def answers(model: Model, people: Dataset, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the outcomes of people, and what a model predicts: probabilities [rows] or [rows, classes], or values [rows].

    `what` is asked for, as an error begins: "the performance". A `DlxError` if outcomes are unknown or all alike.
    """
    refuse_bare(people, "people")
    target = people.schema.target
    if target.kind == "binary":
        return judged(model, people, what)
    outcomes = people.outcomes
    if outcomes is None or len(np.unique(outcomes)) < 2:
        got = "none" if outcomes is None else f"{len(outcomes)} that are all alike"
        raise DlxError(f"{people.name}: {what} of {model.name} needs outcomes that differ, got {got}; pass more rows")
    return outcomes, model.probabilities(people) if target.levels else model.predict(people, "value")


def judged(model: Model, people: Dataset, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the outcomes of people, and the probabilities that a model of two classes predicts: [rows], [rows].

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


def among(whom: np.ndarray, who: np.ndarray, people: Dataset) -> dict[str, Any]:
    """Return how many of some people [rows] are among others [rows], and which share of these, with its 95 % interval."""
    share = interval_of_share(who[whom], None if people.weights is None else people.weights[whom])
    return {"count": int((who & whom).sum()), "of": int(whom.sum())} | share._asdict()


def advantages(models: Sequence[Model], interpretable: Sequence[Model], people: Dataset, *, seed: int = 0) -> pd.DataFrame:
    """Return how much better models predict than interpretable models on the same rows, with paired 95 % intervals.

    What makes rows hard for both drops out of the difference: DeLong's paired interval of the AUC, a bootstrap of the others.

    Parameters
    ----------
    models, interpretable : sequence of Model
        Models of one task; each of the first is compared with each of the second.
    people : Dataset
        Rows with outcomes, not seen in training; the cost, of two classes, is that of acting from their target's threshold on.
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
    target, weights, lines = people.schema.target, people.weights, list[dict[str, Any]]()
    metrics = {**metrics_of(target), **({"cost": cost(target.threshold)} if target.kind == "binary" else {})}
    predicted = {model: answers(model, people, "the comparison") for model in (*models, *interpretable)}
    for model in models:
        outcomes, mine = predicted[model]
        for simple in interpretable:
            theirs, pair = predicted[simple][1], {"model": model.name, "interpretable": simple.name}
            for name, metric in metrics.items():
                gain = metric.gain(outcomes, mine, theirs, weights=weights, seed=seed)
                better = gain if metric.is_higher_better else Interval(-gain.estimate, -gain.high, -gain.low)
                own, other = metric(outcomes, mine, weights), metric(outcomes, theirs, weights)
                line = pair | {"metric": name, "estimate": own, "of_interpretable": other}
                line |= {"advantage": better.estimate, "low": better.low, "high": better.high}
                lines.append(line | {"significant": better.excludes(0)})
    return pd.DataFrame(lines)
