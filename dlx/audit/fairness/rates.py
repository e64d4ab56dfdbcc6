"""How a model treats groups of people: rates with intervals, and how far apart the groups are.

A rate is a sum over people divided by another: flagged people by people, flagged people with the event by people with it. So
a bootstrap of all groups at once is one product of matrices. The rates are those of fairlearn's MetricFrame; a test holds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.audit.fairness.groups import MIN_PEOPLE, FairnessError, Partition
from dlx.dataset import Dataset
from dlx.model import Model, decided
from dlx.stats import RESAMPLES, Weights, ends_of, resampled_counts

if TYPE_CHECKING:
    import pandas as pd

MIN_CASES = 10  # fewer people with the outcome are too few for a rate of those with it

SELECTED, CLEARED, EVENTS = "selection_rate", "clearance_rate", "event_rate"
TRUE_POSITIVE, FALSE_POSITIVE = "true_positive_rate", "false_positive_rate"
ACCURACY, CALIBRATION = "accuracy", "calibration"
RATES = (SELECTED, CLEARED, TRUE_POSITIVE, FALSE_POSITIVE, ACCURACY, CALIBRATION, EVENTS)


@dataclass(frozen=True)
class Treated:
    """Decisions, outcomes and predicted probabilities of some people, with the group of each."""

    codes: np.ndarray  # int [rows], the group
    outcomes: np.ndarray  # [rows], 0 or 1
    flags: np.ndarray  # [rows], 1 where flagged, 0 where not; between them the chance of it, where a rule draws lots
    predicted: np.ndarray  # [rows], probability of the event
    weights: Weights = None  # [rows], where people weigh something else

    @property
    def counts(self) -> np.ndarray:
        """How much each person counts [rows]."""
        return np.ones(len(self.codes)) if self.weights is None else self.weights

    def terms(self, rate: str) -> tuple[np.ndarray, np.ndarray]:
        """Return what a rate sums, and what it divides by, a number a person: [rows], [rows]."""
        everybody, events, flags = np.ones(len(self.codes)), self.outcomes, self.flags
        return {
            SELECTED: (flags, everybody),
            CLEARED: (1 - flags, everybody),
            TRUE_POSITIVE: (flags * events, events),
            FALSE_POSITIVE: (flags * (1 - events), 1 - events),
            ACCURACY: (np.where(events == 1, flags, 1 - flags), everybody),
            CALIBRATION: (self.predicted - events, everybody),
            EVENTS: (events, everybody),
        }[rate]

    def rates(self, rate: str, groups: Sequence[int], drawn: np.ndarray | None = None) -> np.ndarray:
        """Return a rate of each group, [groups], or of each resample of the people too, [resamples, groups].

        `drawn` is how much each person counts in each resample, as of `resampled_counts`. NaN where nobody counts.
        """
        counts = self.counts[None] if drawn is None else drawn
        members = self.codes[:, None] == np.asarray(groups)
        tops, bottoms = (counts @ (term[:, None] * members) for term in self.terms(rate))
        found = np.divide(tops, bottoms, out=np.full(tops.shape, np.nan), where=bottoms > 0)
        return found[0] if drawn is None else found

    def why_not(self, rate: str, group: int) -> str:
        """Return why a rate of a group cannot be judged; empty where it can.

        It takes 30 people, and 10 with the event, or without it, where the rate is one of those alone; calibration 10 of each.
        """
        inside = self.codes == group
        people, events = int(inside.sum()), int(self.outcomes[inside].sum())
        reasons = [f"{people} of {MIN_PEOPLE} people"] if people < MIN_PEOPLE else []
        if rate in (TRUE_POSITIVE, CALIBRATION) and events < MIN_CASES:
            reasons.append(f"{events} of {MIN_CASES} events")
        if rate in (FALSE_POSITIVE, CALIBRATION) and people - events < MIN_CASES:
            reasons.append(f"{people - events} of {MIN_CASES} people without the event")
        return f"too few to judge: {', '.join(reasons)}" if reasons else ""


def treatment(model: Model, people: Dataset, by: Partition, *, threshold: float | None = None) -> Treated:
    """Return a model's decisions about some people, by the groups of a partition; see `group_rates`."""
    if by.objection:
        raise FairnessError(f"people must not be compared by {by.name}: {by.objection}")
    if people.outcomes is None or not np.isin(people.outcomes, (0, 1)).all():
        raise FairnessError(f"{people.name}: rates of groups need outcomes of two classes, 0 and 1")
    cutoff = people.schema.target.threshold if threshold is None else threshold
    if not 0 < cutoff < 1:
        raise FairnessError(f"threshold must lie in (0, 1), got {cutoff}")
    predicted = model.predict(people, "probability")
    flags = decided(predicted, cutoff).astype(float)
    return Treated(by.codes(people), people.outcomes, flags, predicted, people.weights)


@dataclass(frozen=True, eq=False)
class GroupRates:
    """Rates of each group, with what is needed to compare them."""

    model: str
    attribute: str  # what parts the people
    groups: tuple[str, ...]  # those that have people
    treated: Treated  # whose codes are positions in `groups`
    draws: dict[str, np.ndarray]  # what each rate may be among other people, [draws, groups]

    def to_frame(self) -> pd.DataFrame:
        """Return a line a group and rate: its size, the estimate, its 95 % interval, and whether it can be judged."""
        import pandas as pd

        lines, sizes, events = [], *self._counts
        for rate in RATES:
            for at, estimate in enumerate(self.treated.rates(rate, range(len(self.groups)))):
                low, high = self._ends(rate, self.draws[rate][:, at], at)  # a rate of 0 or 1 is itself one end
                objection, said = self.treated.why_not(rate, at), (self.model, self.attribute, self.groups[at])
                ends = min(low, estimate), max(high, estimate)
                lines.append((*said, sizes[at], events[at], rate, estimate, *ends, not objection, objection))
        columns = ["model", "attribute", "group", "people", "events", "rate", "estimate", "low", "high", "judged", "objection"]
        return pd.DataFrame(lines, columns=columns)

    def gaps(self) -> pd.DataFrame:
        """Return a line a rate: how far apart the two groups are that are furthest apart, of those that can be judged.

        The difference is highest − lowest, the ratio lowest / highest (of a selection rate: the four-fifths rule asks
        for .8); calibration has no ratio. The intervals are those of the two groups named, which the same people
        chose: with many groups, gaps look larger than they are. Where fewer than two groups can be judged there is a
        reason, and no number.
        """
        import pandas as pd

        lines = [(self.model, self.attribute, rate, *self._gap(rate)) for rate in RATES]
        numbers = [f"{name}{end}" for name in ("difference", "ratio") for end in ("", "_low", "_high")]
        return pd.DataFrame(lines, columns=["model", "attribute", "rate", "lowest", "highest", *numbers, "objection"])

    def _gap(self, rate: str) -> tuple[Any, ...]:
        """Return the two groups, difference and ratio with their ends, and why a number is missing."""
        judged = [at for at in range(len(self.groups)) if not self.treated.why_not(rate, at)]
        if len(judged) < 2:
            return "", "", *[np.nan] * 6, f"only {len(judged)} of {len(self.groups)} groups can be judged"
        estimates = self.treated.rates(rate, range(len(self.groups)))
        low, *_, high = (judged[i] for i in np.argsort(estimates[judged], kind="stable"))
        bottoms, tops = self.draws[rate][:, low], self.draws[rate][:, high]
        difference = (estimates[high] - estimates[low], *self._ends(rate, tops - bottoms, low, high))
        ratio, why = (np.nan,) * 3, ""
        if rate == CALIBRATION:
            why = "a difference has no ratio"
        elif not estimates[high] > 0:
            why = "the rate is 0 in every group: no ratio"
        else:
            ratios = np.divide(bottoms, tops, out=np.full(len(tops), np.nan), where=tops > 0)
            ratio = (estimates[low] / estimates[high], *ends_of(ratios))
        return self.groups[low], self.groups[high], *difference, *ratio, why

    @property
    def _counts(self) -> tuple[np.ndarray, np.ndarray]:
        """How many people each group has, and how many of them the event."""
        codes = self.treated.codes
        return np.bincount(codes), np.bincount(codes, weights=self.treated.outcomes).astype(int)

    def _ends(self, rate: str, drawn: np.ndarray, *groups: int) -> np.ndarray:
        """Return the ends of what was drawn for some groups: only resampled people, not a posterior, make it too narrow."""
        sizes, events = self._counts
        rarest = min(min(events[at], sizes[at] - events[at]) for at in groups)
        return ends_of(drawn, people=int(rarest) if rate == CALIBRATION else None)


def group_rates(model: Model, people: Dataset, by: Partition, *, threshold: float | None = None, seed: int = 0) -> GroupRates:
    """Return how a classifier treats groups of people.

    The rates are the share of people flagged (selection) and not flagged (clearance), of people flagged among those with the
    event (true positive) and without it (false positive), of decisions that were right (accuracy), the mean of predicted −
    observed (calibration), and the share with the event. Intervals are those of the mid-P distribution for shares, which
    holds where counts are small, of as many people as the weights are worth, and of a bootstrap for calibration.

    Parameters
    ----------
    model, people, by : Model, Dataset, Partition
        Who predicts; rows with outcomes, not seen in training; what parts them, see `partition`.
    threshold : float, optional
        Predicted probability from which on a person is flagged; the target's by default.
    seed : int
        Seed of the bootstrap.

    Raises
    ------
    FairnessError
        If the groups must not be compared, the outcomes are unknown, or the threshold is none.
    """
    found = treatment(model, people, by, threshold=threshold)
    present, codes = np.unique(found.codes, return_inverse=True)
    treated = replace(found, codes=codes)
    rng, members = np.random.default_rng(seed), codes[:, None] == np.arange(len(present))
    counts = resampled_counts(len(codes), people.weights, seed=seed, groups=codes)
    draws = {CALIBRATION: treated.rates(CALIBRATION, range(len(present)), counts)}
    for rate in (rate for rate in RATES if rate != CALIBRATION):
        (term, of), own = treated.terms(rate), treated.counts
        top, bottom, squares = (each @ members for each in (own * term, own * of, own**2 * of))
        worth = np.divide(bottom, squares, out=np.ones(len(present)), where=squares > 0)  # `effective`, of each group
        draws[rate] = np.where(bottom > 0, _drawn_shares(worth * top, worth * bottom, rng), np.nan)
    return GroupRates(model.name, by.name, tuple(by.groups[code] for code in present), treated, draws)


def _drawn_shares(top: np.ndarray, bottom: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return draws of shares that are `top` of `bottom`: half of them from either end of the exact binomial tails (mid-P)."""
    higher = rng.integers(2, size=(RESAMPLES, len(top)))
    above, below = top + higher, bottom - top + 1 - higher
    drawn = rng.beta(np.maximum(above, 1e-9), np.maximum(below, 1e-9), size=higher.shape)
    return np.where(above == 0, 0.0, np.where(below == 0, 1.0, drawn))
