"""What a model is worth where a threshold turns its probability into an act: net benefit, cost, and the errors it makes.

Vickers and Elkin (2006), "Decision curve analysis: a novel method for evaluating prediction models". A threshold t states
what errors cost: to act from t on is right if a missed event costs (1 - t) / t times as much as a needless act.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from dlx.audit.metrics import cost_ratio, costs
from dlx.audit.scores import among, judged
from dlx.dataset import Dataset
from dlx.model import Model, decided
from dlx.stats import Weights, interval_among, rarest, resampled_means

POINTS = 50
FURTHEST = 0.8  # a needless act would weigh more than four missed events


def decision_curve(model: Model, people: Dataset, *, thresholds: Sequence[float] | None = None, seed: int = 0) -> pd.DataFrame:
    """Return the net benefit of a model over thresholds, with pointwise 95 % bootstrap bands.

    Parameters
    ----------
    model : Model
        A classifier.
    people : Dataset
        Rows with outcomes, not seen in training.
    thresholds : sequence of float, optional
        Between 0 and 1; by default 50 around the target's, which is among them.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        A line a threshold: `net_benefit` of the model, of acting on everybody (`all`) and on nobody (`none`, which is 0 for
        any rows), and `advantage` of the model over the better of these two, each with `_low` and `_high`. In events acted
        on, net of needless acts, a person.

    Raises
    ------
    DlxError
        If outcomes are unknown or all alike, or a threshold is not between 0 and 1.
    """
    outcomes, predicted = judged(model, people, "the decision curve")
    asked: Any = usual_thresholds(people.schema.target.threshold) if thresholds is None else np.asarray(thresholds, np.float64)
    ratios = np.array([cost_ratio(threshold) for threshold in asked])
    everybody = outcomes[:, None] - (1 - outcomes)[:, None] / ratios
    mine = decided(predicted[:, None], asked) * everybody
    best_guess = np.where(np.average(everybody, axis=0, weights=people.weights) > 0, everybody, 0.0)
    table = pd.DataFrame({"model": model.name, "threshold": asked, "cost_ratio": ratios, "none": 0.0})
    for name, each in (("net_benefit", mine), ("all", everybody), ("advantage", mine - best_guess)):
        table[[name, f"{name}_low", f"{name}_high"]] = _means(each, people.weights, rarest(outcomes), seed)
    return table


def usual_thresholds(threshold: float) -> np.ndarray:
    """Return thresholds from 1 % to three times the stated one (at least to 30 %, at most to 80 %), and the stated one."""
    highest = max(min(3 * threshold, FURTHEST), 0.3, min(threshold, 0.99))
    return np.unique(np.append(np.linspace(0.01, highest, POINTS), threshold))


def expected_cost(model: Model, people: Dataset, *, threshold: float | None = None, seed: int = 0) -> pd.DataFrame:
    """Return the mean cost a person of the model, of acting on everybody, and on nobody, with 95 % bootstrap intervals.

    The threshold says from which probability on one acts, and what errors cost: a missed event (1 - t) / t needless acts. It
    is the target's by default. Errors are those of `decision_curve`.
    """
    threshold = people.schema.target.threshold if threshold is None else threshold
    ratio = cost_ratio(threshold)
    outcomes, predicted = judged(model, people, "the expected cost")
    acted = {"flagged": decided(predicted, threshold), "everybody": np.ones_like(outcomes), "nobody": np.zeros_like(outcomes)}
    each = np.stack([costs(outcomes, some, threshold) for some in acted.values()], axis=1)
    ends = _means(each, people.weights, rarest(outcomes), seed)
    table = pd.DataFrame({"model": model.name, "acted_on": list(acted), "threshold": threshold, "cost_ratio": ratio})
    return table.join(pd.DataFrame(ends, columns=["cost", "cost_low", "cost_high"]))


def _means(values: np.ndarray, weights: Weights, people: int, seed: int) -> np.ndarray:
    """Return the means of values [rows, columns] with the ends of their 95 % intervals, [columns, 3]."""
    return np.array([interval_among(column, people=people) for column in resampled_means(values, weights, seed=seed).T])


def confusion(model: Model, people: Dataset, *, threshold: float | None = None) -> pd.DataFrame:
    """Return the counts at a threshold, and the shares made of them with Wilson's 95 % intervals; a line a quantity.

    `count` of `of` rows, and the share that they weigh, `estimate`, `low` and `high`; NaN where there are no such rows. From
    the threshold on a person is flagged; the target's by default. Errors are those of `decision_curve`.
    """
    threshold = people.schema.target.threshold if threshold is None else threshold
    cost_ratio(threshold)
    outcomes, predicted = judged(model, people, "the confusion")
    flagged, event = decided(predicted, threshold), outcomes == 1
    everybody = np.ones_like(event)
    shares = {  # who, among whom
        "true_positive": (flagged & event, everybody),
        "false_positive": (flagged & ~event, everybody),
        "false_negative": (~flagged & event, everybody),
        "true_negative": (~flagged & ~event, everybody),
        "flagged": (flagged, everybody),
        "sensitivity": (flagged, event),
        "specificity": (~flagged, ~event),
        "ppv": (event, flagged),
        "npv": (~event, ~flagged),
    }
    about = {"model": model.name, "threshold": threshold}
    return pd.DataFrame(about | {"quantity": name} | among(whom, who, people) for name, (who, whom) in shares.items())
