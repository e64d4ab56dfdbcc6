"""How well a model predicts people it has not seen, with intervals."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from dlx.bootstrap import interval_of
from dlx.dataset import Dataset, refuse_bare
from dlx.errors import DlxError
from dlx.model import Model

if TYPE_CHECKING:
    import pandas as pd

Metric = Callable[[np.ndarray, np.ndarray], float]


def performance(model: Model, people: Dataset, *, seed: int = 0) -> pd.DataFrame:
    """Return ROC AUC, average precision, Brier score and log loss with 95 % bootstrap intervals.

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
        One line a metric; `reference` is what a model reaches that predicts the share of positives for everybody.

    Raises
    ------
    ValueError
        If the outcomes are unknown or all alike.
    """
    import pandas as pd

    outcomes, predicted = judged(model, people, "the performance")
    base_rate = np.full(len(outcomes), outcomes.mean())
    lines = []
    for name, metric in METRICS.items():

        def on(rows: np.ndarray, metric: Metric = metric) -> float:
            return metric(outcomes[rows], predicted[rows])

        estimate, low, high = interval_of(on, outcomes, seed=seed)
        reference = metric(outcomes, base_rate)
        lines.append(
            {
                "model": model.name,
                "metric": name,
                "estimate": estimate,
                "low": low,
                "high": high,
                "reference": reference,
            }
        )
    return pd.DataFrame(lines)


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


def auc(outcomes: np.ndarray, predicted: np.ndarray) -> float:
    """Return the area under the ROC curve: the chance that a positive ranks above a negative, ties counting half."""
    from scipy.stats import rankdata

    positive = outcomes == 1
    n_positive, n_negative = positive.sum(), (~positive).sum()
    return float((rankdata(predicted)[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


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
