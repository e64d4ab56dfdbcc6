"""What the accuracy of a model that cannot be read buys over one that can."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.audit.decisions import cost_ratio, costs
from dlx.audit.performance import METRICS, interval_of_gain, judged
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import Model
from dlx.stats import Interval, interval_of

if TYPE_CHECKING:
    import pandas as pd

HIGHER_IS_BETTER = {"auc": True, "average_precision": True, "brier": False, "log_loss": False, "cost": False}


def advantages(
    models: Sequence[Model], references: Sequence[Model], people: Dataset, *, threshold: float | None = None, seed: int = 0
) -> pd.DataFrame:
    """Return how much better models are than reference models on the same rows, with paired 95 % intervals.

    Both models are judged by the same rows, so that what makes rows hard for both drops out of the difference: DeLong's paired
    interval of the AUC, a bootstrap of the others.

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
    cost_ratio(threshold)
    lines = []
    for model in models:
        outcomes, mine = judged(model, people, "the comparison")
        for reference in references:
            theirs = reference.predict(people, "probability")
            lines += [
                {"model": model.name, "reference": reference.name, "metric": name}
                | _line(name, outcomes, mine, theirs, threshold, seed)
                for name in HIGHER_IS_BETTER
            ]
    return pd.DataFrame(lines)


def _line(name: str, outcomes: np.ndarray, mine: np.ndarray, theirs: np.ndarray, threshold: float, seed: int) -> dict[str, Any]:
    if name == "cost":
        each = [costs(outcomes, predicted >= threshold, threshold) for predicted in (mine, theirs)]
        estimates, difference = [one.mean() for one in each], each[0] - each[1]
        gain = interval_of(lambda rows: float(difference[rows].mean()), outcomes, seed=seed)
    else:
        estimates = [METRICS[name](outcomes, predicted) for predicted in (mine, theirs)]
        gain = interval_of_gain(name, outcomes, mine, theirs, seed=seed)
    advantage = gain if HIGHER_IS_BETTER[name] else Interval(-gain.estimate, -gain.high, -gain.low)
    return {
        "estimate": float(estimates[0]),
        "of_reference": float(estimates[1]),
        "advantage": advantage.estimate,
        "low": advantage.low,
        "high": advantage.high,
        "told_apart": advantage.excludes(0),
    }
