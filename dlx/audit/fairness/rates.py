"""How a model treats groups: rates with intervals by fairlearn's MetricFrame, and the gaps between groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.audit.fairness import tally
from dlx.audit.fairness.groups import FairnessError, Partition
from dlx.audit.fairness.tally import CALIBRATION, RATES, Treated
from dlx.dataset import Dataset
from dlx.model import Model
from dlx.stats import RESAMPLES, ends_of, resampled_counts

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class GroupRates:
    """Rates of each group, with what is needed to compare them.

    Parameters
    ----------
    model, attribute : str
        Who predicts, and what parts the people.
    groups : tuple of str
        The groups that have people.
    sizes, events : ndarray of int [groups]
        How many people there are, and how many of them have the event.
    estimates : dict of str to ndarray [groups]
        Each rate of each group; NaN where nobody counts.
    draws : dict of str to ndarray [draws, groups]
        What each may be among other people: drawn from the mid-P distribution of a share; calibration over resampled people.
    objections : dict of str to tuple of str
        Why a rate of a group cannot be judged, a string a group; empty where it can.
    """

    model: str
    attribute: str
    groups: tuple[str, ...]
    sizes: np.ndarray
    events: np.ndarray
    estimates: dict[str, np.ndarray]
    draws: dict[str, np.ndarray]
    objections: dict[str, tuple[str, ...]]

    def to_frame(self) -> pd.DataFrame:
        """Return a line a group and rate: its size, the estimate, its 95 % interval, and whether it can be judged."""
        import pandas as pd

        return pd.DataFrame(
            {
                "model": self.model,
                "attribute": self.attribute,
                "group": group,
                "people": self.sizes[at],
                "events": self.events[at],
                "rate": rate,
                "estimate": self.estimates[rate][at],
                **self._around(rate, at),
                "judged": not self.objections[rate][at],
                "objection": self.objections[rate][at],
            }
            for rate in RATES
            for at, group in enumerate(self.groups)
        )

    def _around(self, rate: str, at: int) -> dict[str, float]:
        """Return the ends of an interval; a rate of 0 or 1 is itself one end."""
        low, high = self._ends(rate, self.draws[rate][:, at], at)
        estimate = self.estimates[rate][at]
        return {"low": min(low, estimate), "high": max(high, estimate)}

    def _ends(self, rate: str, drawn: np.ndarray, *groups: int) -> np.ndarray:
        """Return the ends of what was drawn for some groups: only resampled people, not a posterior, make it too narrow."""
        rarest = min(min(self.events[at], self.sizes[at] - self.events[at]) for at in groups)
        return ends_of(drawn, people=int(rarest) if rate == CALIBRATION else None)

    def judged(self, rate: str) -> np.ndarray:
        """Return the positions of the groups whose rate can be judged."""
        return np.flatnonzero([not objection for objection in self.objections[rate]])

    def gaps(self) -> pd.DataFrame:
        """Return a line a rate: how far apart the two groups are that are furthest apart, of those that can be judged.

        The difference is highest − lowest, the ratio lowest / highest (of a selection rate: the four-fifths rule asks
        for .8); calibration has no ratio. The intervals are those of the two groups named, which the same people
        chose: with many groups, gaps look larger than they are. Where fewer than two groups can be judged there is a
        reason, and no number.
        """
        import pandas as pd

        lines = [{"model": self.model, "attribute": self.attribute, "rate": rate} | self._gap(rate) for rate in RATES]
        return pd.DataFrame(lines)

    def _gap(self, rate: str) -> dict[str, Any]:
        fit = self.judged(rate)
        if len(fit) < 2:
            return _no_gap(f"only {len(fit)} of {len(self.groups)} groups can be judged")
        estimates, draws = self.estimates[rate], self.draws[rate]
        low, *_, high = fit[np.argsort(estimates[fit], kind="stable")]
        difference = (estimates[high] - estimates[low], *self._ends(rate, draws[:, high] - draws[:, low], low, high))
        ratio, why = (np.nan, np.nan, np.nan), ""
        if rate == CALIBRATION or not estimates[high] > 0:
            why = "a difference has no ratio" if rate == CALIBRATION else "the rate is 0 in every group: no ratio"
        else:
            ratio = (estimates[low] / estimates[high], *ends_of(_divided(draws[:, low], draws[:, high])))
        return {
            "lowest": self.groups[low],
            "highest": self.groups[high],
            **dict(zip(("difference", "difference_low", "difference_high"), difference, strict=True)),
            **dict(zip(("ratio", "ratio_low", "ratio_high"), ratio, strict=True)),
            "objection": why,
        }


def group_rates(model: Model, people: Dataset, by: Partition, *, threshold: float | None = None, seed: int = 0) -> GroupRates:
    """Return how a model treats groups of people.

    Parameters
    ----------
    model : Model
        A classifier.
    people : Dataset
        Rows with outcomes, not seen in training.
    by : Partition
        What parts the people, see `partition`.
    threshold : float, optional
        Predicted probability from which on a person is flagged; the target's by default.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    GroupRates
        The rates are the share of people flagged (selection) and not flagged (clearance), of people flagged among those
        with the event (true positive) and without it (false positive), of decisions that were right (accuracy), the
        mean of predicted − observed (calibration), and the share with the event. By fairlearn's MetricFrame; intervals
        of the mid-P distribution for shares, which holds where counts are small, and by a bootstrap for calibration.

    Raises
    ------
    FairnessError
        If the groups must not be compared, the outcomes are unknown, or the threshold is none.
    """
    treated = treatment(model, people, by, threshold=threshold)
    present = np.unique(treated.codes)
    groups = tuple(by.groups[code] for code in present)
    treated = Treated(np.searchsorted(present, treated.codes), treated.outcomes, treated.flags, treated.predicted)
    everyone = range(len(groups))
    estimates = _by_fairlearn(treated)
    return GroupRates(
        model=model.name,
        attribute=by.name,
        groups=groups,
        sizes=np.bincount(treated.codes),
        events=np.bincount(treated.codes, weights=treated.outcomes).astype(int),
        estimates=estimates,
        draws=_draws(treated, everyone, seed),
        objections={rate: tuple(treated.why_not(rate, group) for group in everyone) for rate in RATES},
    )


def treatment(model: Model, people: Dataset, by: Partition, *, threshold: float | None = None) -> Treated:
    """Return what a model makes of some people, in the groups of a partition; see `group_rates`."""
    if by.objection:
        raise FairnessError(f"people must not be compared by {by.name}: {by.objection}")
    if people.outcomes is None or not np.isin(people.outcomes, (0, 1)).all():
        raise FairnessError(f"{people.name}: rates of groups need outcomes of two classes, 0 and 1")
    cutoff = people.schema.target.threshold if threshold is None else threshold
    if not 0 < cutoff < 1:
        raise FairnessError(f"threshold must lie in (0, 1), got {cutoff}")
    predicted = model.predict(people, "probability")
    return Treated(by.codes(people), people.outcomes, (predicted >= cutoff).astype(float), predicted)


def _by_fairlearn(treated: Treated) -> dict[str, np.ndarray]:
    """Return each rate of each group by fairlearn; NaN where nobody counts, which fairlearn calls 0."""
    from fairlearn import metrics
    from sklearn.metrics import accuracy_score

    def each(predictions: np.ndarray, **functions: Callable[..., float]) -> Any:
        frame = metrics.MetricFrame(
            metrics=functions, y_true=treated.outcomes, y_pred=predictions, sensitive_features=treated.codes
        )
        return frame.by_group.to_dict(orient="list")

    rates = each(
        treated.flags,
        selection_rate=metrics.selection_rate,
        true_positive_rate=metrics.true_positive_rate,
        false_positive_rate=metrics.false_positive_rate,
        accuracy=accuracy_score,
    )
    events = each(treated.outcomes, mean=metrics.mean_prediction)["mean"]
    predicted = each(treated.predicted, mean=metrics.mean_prediction)["mean"]
    rates |= {
        tally.CLEARED: [1 - selected for selected in rates[tally.SELECTED]],
        tally.CALIBRATION: np.subtract(predicted, events),
        tally.EVENTS: events,
    }
    groups = np.arange(len(events))
    counted = {rate: [treated.terms(rate)[1][treated.codes == group].sum() for group in groups] for rate in RATES}
    return {rate: np.where(np.array(counted[rate]) > 0, np.asarray(rates[rate], dtype=float), np.nan) for rate in RATES}


def _draws(treated: Treated, groups: range, seed: int) -> dict[str, np.ndarray]:
    """Return what each rate may be among other people, [draws, groups]; NaN where nobody counts."""
    rng, members = np.random.default_rng(seed), treated.codes[:, None] == np.arange(len(groups))
    counts = resampled_counts(len(treated.codes), seed=seed, groups=treated.codes)
    drawn = {CALIBRATION: tally.rate_of(treated, CALIBRATION, groups, counts)}
    for rate in (rate for rate in RATES if rate != CALIBRATION):
        top, bottom = (term @ members for term in treated.terms(rate))
        drawn[rate] = np.where(bottom > 0, _shares(top, bottom, rng), np.nan)
    return drawn


def _shares(top: np.ndarray, bottom: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return draws of shares that are `top` of `bottom`: half of them from either end of the exact binomial tails (mid-P)."""
    higher = rng.integers(2, size=(RESAMPLES, len(top)))
    above, below = top + higher, bottom - top + 1 - higher
    drawn = rng.beta(np.maximum(above, 1e-9), np.maximum(below, 1e-9), size=higher.shape)
    return np.where(above == 0, 0.0, np.where(below == 0, 1.0, drawn))


def _divided(tops: np.ndarray, bottoms: np.ndarray) -> np.ndarray:
    return np.divide(tops, bottoms, out=np.full(len(tops), np.nan), where=bottoms > 0)


def _no_gap(why: str) -> dict[str, Any]:
    numbers = ("difference", "difference_low", "difference_high", "ratio", "ratio_low", "ratio_high")
    return {"lowest": "", "highest": "", **dict.fromkeys(numbers, np.nan), "objection": why}
