"""What the accuracy of a model that cannot be read buys over one that can."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.audit.decisions import cost_ratio, costs
from dlx.audit.performance import METRICS, Metric, judged
from dlx.bootstrap import interval_of
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import Model

if TYPE_CHECKING:
    import pandas as pd

HIGHER_IS_BETTER = {"auc": True, "average_precision": True, "brier": False, "log_loss": False, "cost": False}


def advantages(
    models: Sequence[Model], references: Sequence[Model], people: Dataset, *, threshold: float | None = None, seed: int = 0
) -> pd.DataFrame:
    """Return how much better models are than reference models on the same rows, with paired 95 % bootstrap intervals.

    Each resample judges both models by the same rows, drawn within each class, so that what makes rows hard for both drops
    out of the difference.

    Parameters
    ----------
    models, references : sequence of Model
        Classifiers; each of the first is compared with each of the second.
    people : Dataset
        Rows with outcomes, not seen in training.
    threshold : float, optional
        The threshold of the expected cost (a missed event costs (1 - t) / t needless acts); the target's by default.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        A line a pair and metric: `estimate` of the model, `of_reference`, and the `advantage` with `low` and `high`, above 0
        where the model is better, whether high or low is good; `told_apart` where the interval leaves out 0.

    Raises
    ------
    DlxError
        If outcomes are unknown or all alike, the threshold is not between 0 and 1, or there is nothing to compare.
    """
    import pandas as pd

    if not models or not references:
        raise DlxError("a comparison needs a model and a reference, for example a logistic regression")
    threshold = people.schema.target.threshold if threshold is None else threshold
    metrics = _metrics(threshold)
    lines = []
    for model in models:
        outcomes, mine = judged(model, people, "the comparison")
        for reference in references:
            theirs = reference.predict(people, "probability")
            lines += [
                {"model": model.name, "reference": reference.name, "metric": name}
                | _line(metric, outcomes, mine, theirs, is_high_good=HIGHER_IS_BETTER[name], seed=seed)
                for name, metric in metrics.items()
            ]
    return pd.DataFrame(lines)


def _line(
    metric: Metric, outcomes: np.ndarray, mine: np.ndarray, theirs: np.ndarray, *, is_high_good: bool, seed: int
) -> dict[str, Any]:
    sign = 1 if is_high_good else -1

    def better(rows: np.ndarray) -> float:
        return sign * (metric(outcomes[rows], mine[rows]) - metric(outcomes[rows], theirs[rows]))

    advantage, low, high = interval_of(better, outcomes, seed=seed)
    return {
        "estimate": metric(outcomes, mine),
        "of_reference": metric(outcomes, theirs),
        "advantage": advantage,
        "low": low,
        "high": high,
        "told_apart": not low <= 0 <= high,
    }


def _metrics(threshold: float) -> dict[str, Metric]:
    cost_ratio(threshold)

    def cost(outcomes: np.ndarray, predicted: np.ndarray) -> float:
        return float(costs(outcomes, predicted >= threshold, threshold).mean())

    return METRICS | {"cost": cost}
