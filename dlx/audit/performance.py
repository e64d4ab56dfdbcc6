"""How well a model predicts people it has not seen, with intervals."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from dlx.dataset import Dataset, refuse_bare
from dlx.errors import DlxError
from dlx.model import Model
from dlx.stats import Interval, auc, auc_difference, auc_interval, interval_of, rarest

if TYPE_CHECKING:
    import pandas as pd

Metric = Callable[[np.ndarray, np.ndarray], float]


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
    ValueError
        If the outcomes are unknown or all alike.
    """
    import pandas as pd

    outcomes, predicted = judged(model, people, "the performance")
    base_rate = np.full(len(outcomes), outcomes.mean())
    lines = [
        {
            "model": model.name,
            "metric": name,
            **interval_of_metric(name, outcomes, predicted, seed=seed)._asdict(),
            "reference": metric(outcomes, base_rate),
            "note": _note(name, outcomes, predicted),
        }
        for name, metric in METRICS.items()
    ]
    return pd.DataFrame(lines)


def interval_of_metric(name: str, outcomes: np.ndarray, predicted: np.ndarray, *, seed: int = 0) -> Interval:
    """Return one of `METRICS` with its 95 % interval over people."""
    if name == "auc":
        return auc_interval(outcomes, predicted)
    return interval_of(lambda rows: METRICS[name](outcomes[rows], predicted[rows]), outcomes, seed=seed)


def interval_of_gain(name: str, outcomes: np.ndarray, one: np.ndarray, other: np.ndarray, *, seed: int = 0) -> Interval:
    """Return one of `METRICS` of some predictions less that of others, of the same people, with its 95 % interval."""
    if name == "auc":
        return auc_difference(outcomes, one, other)
    metric = METRICS[name]
    return interval_of(
        lambda rows: metric(outcomes[rows], one[rows]) - metric(outcomes[rows], other[rows]), outcomes, seed=seed
    )


def _note(name: str, outcomes: np.ndarray, predicted: np.ndarray) -> str:
    if rarest(outcomes) < 2:
        return "no interval: an outcome has one row"
    if name == "auc" and auc(outcomes, predicted) in (0, 1):
        return "no pair of outcomes is ranked otherwise: interval by Newcombe's method"
    return ""


def judged(model: Model, people: Dataset, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Return outcomes [rows] and predicted probabilities [rows].

    Parameters
    ----------
    model : Model
        A classifier.
    people : Dataset
        Rows with outcomes 0 and 1.
    what : str
        What is asked for, as an error begins: "the performance".

    Raises
    ------
    DlxError
        If outcomes are unknown or all alike.
    """
    refuse_bare(people, "people")
    outcomes = people.outcomes
    if outcomes is None or not np.array_equal(np.unique(outcomes), (0, 1)):
        raise DlxError(f"{people.name}: {what} of {model.name} needs outcomes of both classes, {_got(outcomes)}")
    return outcomes, model.predict(people, "probability")


def _got(outcomes: np.ndarray | None) -> str:
    if outcomes is None:
        return "got none; pass rows whose outcome is known"
    return f"got {int((outcomes == 1).sum())} positive of {len(outcomes)}; pass more rows of a binary outcome"


def average_precision(outcomes: np.ndarray, predicted: np.ndarray) -> float:
    """Return the mean precision over the positives, each at its own probability as threshold; ties share one threshold."""
    order = np.argsort(-predicted, kind="stable")
    ranked, score = outcomes[order], predicted[order]
    last = np.flatnonzero(np.append(score[1:] != score[:-1], True))  # of each run of ties
    found = np.cumsum(ranked)[last]
    return float((np.diff(found, prepend=0.0) * found / (last + 1)).sum() / found[-1])


def brier(outcomes: np.ndarray, predicted: np.ndarray) -> float:
    """Return the mean squared distance of probability and outcome."""
    return float(((predicted - outcomes) ** 2).mean())


def log_loss(outcomes: np.ndarray, predicted: np.ndarray) -> float:
    """Return the mean negative log likelihood; probabilities are kept 1e-15 away from 0 and 1."""
    kept = np.clip(predicted, 1e-15, 1 - 1e-15)
    return float(-np.where(outcomes == 1, np.log(kept), np.log1p(-kept)).mean())


METRICS: dict[str, Metric] = {"auc": auc, "average_precision": average_precision, "brier": brier, "log_loss": log_loss}
