"""What a model is worth where a threshold turns its probability into an act: net benefit, cost, and the errors it makes.

Vickers and Elkin (2006), "Decision curve analysis: a novel method for evaluating prediction models". A threshold t states
what errors cost: to act from t on is right if a missed event costs (1 - t) / t times as much as a needless act.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.audit.performance import judged
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import Model
from dlx.stats import interval_among, rarest, resampled_means, share_interval

if TYPE_CHECKING:
    import pandas as pd

POINTS = 50
FURTHEST = 0.8  # a needless act would weigh more than four missed events


def cost_ratio(threshold: float) -> float:
    """Return how many needless acts a missed event costs, if one acts from the threshold on: 5 at 1/6.

    Raises
    ------
    DlxError
        If the threshold is not between 0 and 1.
    """
    if not 0 < threshold < 1:
        raise DlxError(f"a threshold is a probability above 0 and below 1, got {threshold:g}; at 0 and 1 no model is needed")
    return (1 - threshold) / threshold


def net_benefits(outcomes: np.ndarray, acted: np.ndarray, threshold: float) -> np.ndarray:
    """Return what each row adds to the net benefit [rows]: 1 for an event acted on, minus t / (1 - t) for a needless act."""
    return acted * (outcomes - (1 - outcomes) / cost_ratio(threshold))


def costs(outcomes: np.ndarray, acted: np.ndarray, threshold: float) -> np.ndarray:
    """Return what each row costs [rows], in needless acts: 1 for such an act, (1 - t) / t for a missed event."""
    return acted * (1 - outcomes) + (1 - acted) * outcomes * cost_ratio(threshold)


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
    import pandas as pd

    outcomes, predicted = judged(model, people, "the decision curve")
    asked = usual_thresholds(people.schema.target.threshold) if thresholds is None else np.asarray(thresholds, dtype=np.float64)
    each = [_gains(outcomes, predicted, threshold) for threshold in asked]
    lines = [
        {"model": model.name, "threshold": threshold, "cost_ratio": cost_ratio(threshold), "none": 0.0} for threshold in asked
    ]
    for place, name in enumerate(("net_benefit", "all", "advantage")):
        means = resampled_means(np.column_stack([gains[place] for gains in each]), seed=seed)
        for line, point in zip(lines, means.T, strict=True):
            line |= _named(name, point, rarest(outcomes))
    return pd.DataFrame(lines)


def usual_thresholds(threshold: float) -> np.ndarray:
    """Return thresholds from 1 % to three times the stated one (at least to 30 %, at most to 80 %), and the stated one."""
    highest = max(min(3 * threshold, FURTHEST), 0.3, min(threshold, 0.99))
    return np.unique(np.append(np.linspace(0.01, highest, POINTS), threshold))


def _gains(outcomes: np.ndarray, predicted: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mine = net_benefits(outcomes, predicted >= threshold, threshold)
    everybody = net_benefits(outcomes, np.ones_like(outcomes), threshold)
    return mine, everybody, mine - (everybody if everybody.mean() > 0 else 0.0)


def expected_cost(model: Model, people: Dataset, *, threshold: float | None = None, seed: int = 0) -> pd.DataFrame:
    """Return the mean cost a person of the model, of acting on everybody, and on nobody, with 95 % bootstrap intervals.

    Parameters
    ----------
    model : Model
        A classifier.
    people : Dataset
        Rows with outcomes, not seen in training.
    threshold : float, optional
        From which probability on one acts, and what errors cost: a missed event (1 - t) / t needless acts. The target's by
        default.
    seed : int
        Seed of the bootstrap.

    Raises
    ------
    DlxError
        If outcomes are unknown or all alike, or the threshold is not between 0 and 1.
    """
    import pandas as pd

    threshold = people.schema.target.threshold if threshold is None else threshold
    ratio = cost_ratio(threshold)
    outcomes, predicted = judged(model, people, "the expected cost")
    rules = {model.name: predicted >= threshold, "everybody": np.ones_like(outcomes), "nobody": np.zeros_like(outcomes)}
    means = resampled_means(np.column_stack([costs(outcomes, acted, threshold) for acted in rules.values()]), seed=seed)
    lines = [
        {"model": model.name, "acted_on": rule, "threshold": threshold, "cost_ratio": ratio}
        | _named("cost", point, rarest(outcomes))
        for rule, point in zip(["flagged", "everybody", "nobody"], means.T, strict=True)
    ]
    return pd.DataFrame(lines)


def confusion(model: Model, people: Dataset, *, threshold: float | None = None) -> pd.DataFrame:
    """Return the counts at a threshold, and the shares made of them with Wilson's 95 % intervals.

    Wilson's and not the bootstrap's: they stay honest where a count is 0 or all.

    Parameters
    ----------
    model : Model
        A classifier.
    people : Dataset
        Rows with outcomes, not seen in training.
    threshold : float, optional
        From which probability on a person is flagged; the target's by default.

    Returns
    -------
    DataFrame
        A line a quantity: `count` of `of` rows, `estimate`, `low` and `high`; NaN where there are no such rows.

    Raises
    ------
    DlxError
        If outcomes are unknown or all alike, or the threshold is not between 0 and 1.
    """
    import pandas as pd

    threshold = people.schema.target.threshold if threshold is None else threshold
    cost_ratio(threshold)
    outcomes, predicted = judged(model, people, "the confusion")
    flagged, event = predicted >= threshold, outcomes == 1
    hit, needless, missed, cleared = (
        int(some.sum()) for some in (flagged & event, flagged & ~event, ~flagged & event, ~flagged & ~event)
    )
    shares = {
        "true_positive": (hit, len(event)),
        "false_positive": (needless, len(event)),
        "false_negative": (missed, len(event)),
        "true_negative": (cleared, len(event)),
        "flagged": (hit + needless, len(event)),
        "sensitivity": (hit, hit + missed),
        "specificity": (cleared, cleared + needless),
        "ppv": (hit, hit + needless),
        "npv": (cleared, cleared + missed),
    }
    lines = [
        {"model": model.name, "threshold": threshold, "quantity": name, "count": count, "of": of}
        | share_interval(count, of)._asdict()
        for name, (count, of) in shares.items()
    ]
    return pd.DataFrame(lines)


def _named(name: str, resamples: np.ndarray, people: int) -> dict[str, Any]:
    estimate, low, high = interval_among(resamples, people=people)
    return {name: estimate, f"{name}_low": low, f"{name}_high": high}
