"""How much worse a model predicts when one column is shuffled among people: permutation importance."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from dlx.arrays import check_seed, same
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.kernels.interventions import intervened
from dlx.model import Model
from dlx.model.kinds import with_carried
from dlx.redundancy import copies, copies_by_column, leaks
from dlx.stats import Interval, Weights, auc, auc_difference, interval_of_mean, log_losses

__all__ = ["permutation_importance"]

Metric = Literal["log_loss", "auc", "absolute_error", "squared_error"]
REPEATS = 10
NOTHING = Interval(np.nan, np.nan, np.nan)
METRICS = {"probability": ("log_loss", "auc"), "value": ("absolute_error", "squared_error")}  # by scale, the usual one first
LOSSES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "log_loss": log_losses,
    "absolute_error": lambda outcomes, predicted: np.abs(predicted - outcomes),
    "squared_error": lambda outcomes, predicted: (predicted - outcomes) ** 2,
}


def permutation_importance(
    model: Model,
    people: Dataset,
    features: Sequence[str] | None = None,
    *,
    metric: Metric | None = None,
    repeats: int = REPEATS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Return how much the loss rises, or the ROC AUC drops, when a column is shuffled among people, the most first.

    It is scikit-learn's: the mean over repeats of score - score with the column permuted (Breiman 2001; Fisher, Rudin and
    Dominici 2019). Every column gets the same permutations. It says what a model's accuracy rests on, not what moves its
    output. Columns that say the same share their importance or hide it: a column that has copies (`dlx.redundancy`) is shuffled
    together with them as well as alone.

    Parameters
    ----------
    model : Model
        A classifier with two outcomes, or a model of a value.
    people : Dataset
        Rows with outcomes, not seen in training; the metric counts them by their weights.
    features : sequence of str, optional
        Names of columns; all by default.
    metric : {"log_loss", "auc", "absolute_error", "squared_error"}, optional
        What gets worse: of two outcomes the log loss by default, or the area under the ROC curve; of a value the mean absolute
        error by default, in its unit, or the mean squared one.
    repeats : int
        Permutations of each column.
    seed : int
        Seed of the permutations and the bootstrap.
    progress : callable, optional
        Called with the columns done and the columns in all.

    Returns
    -------
    DataFrame
        A line a column: `importance` with the ends of its 95 % interval, over people and repeats; `copies`, the columns that
        say the same as it, and `together` with its ends, the importance of all of them shuffled by one order (NaN where
        there are none); `tells_outcome`, the AUC that the column alone has where this is near 1: a leak, or the outcome in
        other words (NaN elsewhere); `baseline` is the metric of the model itself.

    Raises
    ------
    DlxError
        If outcomes are unknown, or all alike; or there is no such column (`SchemaError`), metric, or no repeat or row.
    """
    scale = people.schema.target.scale
    of = METRICS[scale][0] if metric is None else str(metric)
    if of not in METRICS[scale]:
        raise DlxError(f"metric must be one of {', '.join(METRICS[scale])}, got {of!r}")
    if repeats < 1:
        raise DlxError(f"permutation importance needs at least 1 repeat, got {repeats}")
    if (outcomes := people.outcomes) is None or len(np.unique(outcomes)) < 2:
        lacking = "that differ" if scale == "value" else "of both classes"
        raise DlxError(f"{people.name}: permutation importance of {model.name} needs outcomes {lacking}")
    positions = [model.schema.position(name) for name in (model.schema.names if features is None else dict.fromkeys(features))]
    rng = np.random.default_rng(check_seed(seed))
    orders = np.stack([rng.permutation(len(people)) for _ in range(repeats)])
    own, rows = model.predict(people, scale), model.schema.check(people.rows)
    asked = with_carried(model, people, np.arange(len(people)))
    alike = copies_by_column(copies(model.schema, people.rows))
    telling = {leak.name: leak.strength for leak in leaks(model.schema, people.rows, outcomes)}

    @functools.cache
    def cost(*places: int) -> tuple[Interval, float]:
        """Return the importance of columns shuffled by the same orders, and the metric of the model itself."""
        values = rows[:, places]
        shuffled = intervened(asked, rows, places, values, scale, orders.T).T
        shuffled = np.where(same(values[orders], values).all(axis=2), own, shuffled)  # who draws the own value stays as is
        return rise(of, outcomes, own, shuffled, people.weights, seed=seed)

    lines = []
    for done, position in enumerate(positions):
        feature, (found, baseline) = model.schema.features[position], cost(position)
        others = alike.get(feature.name, ())
        together = cost(*sorted([position, *map(model.schema.position, others)]))[0] if others else NOTHING
        lines.append(
            {"model": model.name, "feature": feature.name, "label": feature.label}
            | {"importance": found.estimate, "low": found.low, "high": found.high}
            | {"copies": ", ".join(others), **together.named("together")}
            | {"tells_outcome": telling.get(feature.name, np.nan), "metric": of, "baseline": baseline}
            | {"repeats": repeats, "people": len(people)}
        )
        if progress is not None:
            progress(done + 1, len(positions))
    return pd.DataFrame(lines).sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def rise(
    metric: str, outcomes: np.ndarray, own: np.ndarray, shuffled: np.ndarray, weights: Weights = None, *, seed: int = 0
) -> tuple[Interval, float]:
    """Return how much worse predictions of shuffled rows [repeats, rows] are than a model's own [rows], and how good these are.

    The drop of the AUC has DeLong's interval: shuffling moves each person's share of it, so it is in there.
    """
    if metric == "auc":
        return auc_difference(outcomes, own, shuffled, weights), auc(outcomes, own, weights)
    before = LOSSES[metric](outcomes, own)
    found = interval_of_mean(LOSSES[metric](outcomes, shuffled) - before, weights, seed=seed)
    return found, float(np.average(before, weights=weights))
