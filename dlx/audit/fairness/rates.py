"""How a model treats groups of people: rates, or errors of values, with intervals, and how far apart the groups are.

A rate is a sum over people divided by another: flagged people by people, flagged people with the event by people with it. So
a bootstrap of all groups at once is one product of matrices. The rates are those of fairlearn's MetricFrame; a test holds them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from dlx.arrays import in_short, ratio
from dlx.audit.fairness.groups import MIN_PEOPLE, FairnessError, Partition
from dlx.audit.scores import answers
from dlx.dataset import Dataset
from dlx.model import Model, decided
from dlx.stats import RESAMPLES, Weights, counts_of, ends_of, resampled_counts

MIN_CASES = 10  # fewer people with the outcome are too few for a rate of those with it

SELECTED, CLEARED, EVENTS = "selection_rate", "clearance_rate", "event_rate"
TRUE_POSITIVE, FALSE_POSITIVE = "true_positive_rate", "false_positive_rate"
ACCURACY, CALIBRATION = "accuracy", "calibration"
ERROR, SIZE, PREDICTED, OBSERVED = "mean_error", "mean_absolute_error", "mean_prediction", "mean_outcome"
RATES = (SELECTED, CLEARED, TRUE_POSITIVE, FALSE_POSITIVE, ACCURACY, CALIBRATION, EVENTS)


@dataclass(frozen=True)
class Treated:
    """Decisions, outcomes and predicted probabilities of some people, with the group of each."""

    codes: np.ndarray  # int [rows], the group
    outcomes: np.ndarray  # [rows], 0 or 1
    flags: np.ndarray  # [rows], 1 where flagged, 0 where not; between them the chance of it, where a rule draws lots
    predicted: np.ndarray  # [rows], probability of the event
    weights: Weights = None  # [rows], where people weigh something else

    __repr__ = in_short

    @property
    def counts(self) -> np.ndarray:
        """How much each person counts [rows]."""
        return counts_of(self.weights, len(self.codes))

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
        found = ratio(tops, bottoms)
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
    by.refuse()
    if people.outcomes is None or not np.isin(people.outcomes, (0, 1)).all():
        raise FairnessError(f"{people.name}: rates of groups need outcomes of two classes, 0 and 1")
    cutoff = people.schema.target.threshold if threshold is None else threshold
    if not 0 < cutoff < 1:
        raise FairnessError(f"threshold must lie in (0, 1), got {cutoff}")
    predicted = model.predict(people, "probability")
    flags = decided(predicted, cutoff).astype(float)
    return Treated(by.codes(people), people.outcomes, flags, predicted, people.weights)


@dataclass(frozen=True, eq=False)
class GroupMeasures:
    """Measures of groups of people, with what is needed to compare the groups."""

    model: str
    attribute: str  # what parts the people
    groups: tuple[str, ...]  # those that have people
    sizes: np.ndarray  # int [groups], how many
    found: dict[str, np.ndarray]  # each measure, and what it may be among other people, [1 + draws, groups]

    __repr__ = in_short

    def why_not(self, measure: str, at: int) -> str:
        """Return why a measure of a group cannot be judged; empty where it can, which takes 30 people."""
        del measure
        return "" if self.sizes[at] >= MIN_PEOPLE else f"too few to judge: {self.sizes[at]} of {MIN_PEOPLE} people"

    def ends(self, measure: str, drawn: np.ndarray, *groups: int) -> np.ndarray:
        """Return the ends of the 95 % interval of what was drawn [draws] for some groups, the smallest of which decides."""
        del measure
        return ends_of(drawn, people=int(self.sizes[list(groups)].min()))

    def to_frame(self) -> pd.DataFrame:
        """Return a line a group and measure: its size, the estimate, its 95 % interval, and whether it can be judged."""
        lines = []
        for measure, numbers in self.found.items():
            for at, (group, estimate) in enumerate(zip(self.groups, numbers[0], strict=True)):
                low, high = self.ends(measure, numbers[1:, at], at)
                ends = min(low, estimate), max(high, estimate)  # a rate of 0 or 1 is itself one of them
                size, why = self.sizes[at], self.why_not(measure, at)
                lines.append((self.model, self.attribute, group, size, measure, estimate, *ends, not why, why))
        columns = ["model", "attribute", "group", "people", "rate", "estimate", "low", "high", "judged", "objection"]
        return pd.DataFrame(lines, columns=columns)

    def gaps(self) -> pd.DataFrame:
        """Return a line a measure: how far apart the two groups are that are furthest apart, of those that can be judged.

        The difference is highest less lowest, the ratio of a rate lowest / highest (of a selection rate: the four-fifths rule
        asks for .8). The intervals are those of the two groups named, which the same people chose: with many groups, gaps look
        larger than they are. Where fewer than two groups can be judged there is a reason, and no number.
        """
        about = {"model": self.model, "attribute": self.attribute}
        return pd.DataFrame(about | {"rate": measure} | self.gap(measure) for measure in self.found)

    def judged(self, measure: str) -> np.ndarray:
        """Return the positions of the groups of which a measure can be judged, the lowest first, int [judged]."""
        some = np.array([at for at in range(len(self.groups)) if not self.why_not(measure, at)], dtype=int)
        return some[np.argsort(self.found[measure][0, some], kind="stable")]

    def gap(self, measure: str) -> dict[str, Any]:
        """Return the lowest and the highest group, their difference with its ends, and why there is none."""
        order, why = self.judged(measure), ""
        said: tuple[Any, ...] = "", "", *[np.nan] * 3
        if len(order) > 1:
            low, high = order[0], order[-1]
            apart = self.found[measure][:, high] - self.found[measure][:, low]
            said = self.groups[low], self.groups[high], apart[0], *self.ends(measure, apart[1:], low, high)
        else:
            why = f"only {len(order)} of {len(self.groups)} groups can be judged"
        names = "lowest", "highest", "difference", "difference_low", "difference_high", "objection"
        return dict(zip(names, (*said, why), strict=True))


@dataclass(frozen=True, eq=False)
class GroupRates(GroupMeasures):
    """Rates of each group, at a threshold."""

    treated: Treated  # whose codes are positions in `groups`

    __repr__ = in_short

    @cached_property
    def events(self) -> np.ndarray:
        """How many people of each group have the event, int [groups]."""
        return np.bincount(self.treated.codes, weights=self.treated.outcomes).astype(int)

    def why_not(self, measure: str, at: int) -> str:
        """Return why a rate of a group cannot be judged; empty where it can, see `Treated.why_not`."""
        return self.treated.why_not(measure, at)

    def ends(self, measure: str, drawn: np.ndarray, *groups: int) -> np.ndarray:
        """Return the ends of what was drawn for some groups: only resampled people, not a posterior, make it too narrow."""
        rarest = min(min(self.events[at], self.sizes[at] - self.events[at]) for at in groups)
        return ends_of(drawn, people=int(rarest) if measure == CALIBRATION else None)

    def to_frame(self) -> pd.DataFrame:
        """Return a line a group and rate: its size, the estimate, its 95 % interval, and whether it can be judged."""
        table = super().to_frame()
        table.insert(4, "events", np.tile(self.events, len(self.found)))
        return table

    def gap(self, measure: str) -> dict[str, Any]:
        """Return what there is to say of any measure, and the ratio with its ends, or why it has none; calibration has none."""
        line, numbers = super().gap(measure), (np.nan,) * 3
        objection, order = line.pop("objection"), self.judged(measure)
        if len(order) > 1:
            bottoms, tops = self.found[measure].T[order[[0, -1]]]
            if measure == CALIBRATION:
                objection = "a difference has no ratio"
            elif not tops[0] > 0:
                objection = "the rate is 0 in every group: no ratio"
            else:
                ratios = ratio(bottoms, tops)
                numbers = ratios[0], *ends_of(ratios[1:])
        return line | dict(zip(("ratio", "ratio_low", "ratio_high"), numbers, strict=True)) | {"objection": objection}


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
    treated = treatment(model, people, by, threshold=threshold)
    present, codes = np.unique(treated.codes, return_inverse=True)
    treated = replace(treated, codes=codes)
    rng, members, found = np.random.default_rng(seed), codes[:, None] == np.arange(len(present)), {}
    for rate in RATES:
        if rate == CALIBRATION:
            counts = resampled_counts(len(codes), people.weights, seed=seed, groups=codes)
            drawn = treated.rates(rate, range(len(present)), counts)
        else:
            (term, of), own = treated.terms(rate), treated.counts
            top, bottom, squares = (each @ members for each in (own * term, own * of, own**2 * of))
            worth = np.divide(bottom, squares, out=np.ones(len(present)), where=squares > 0)  # `effective`, of each group
            drawn = np.where(bottom > 0, _drawn_shares(worth * top, worth * bottom, rng), np.nan)
        found[rate] = np.vstack([treated.rates(rate, range(len(present))), drawn])
    return GroupRates(model.name, by.name, by.names(present), np.bincount(codes), found, treated)


def _drawn_shares(top: np.ndarray, bottom: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return draws of shares that are `top` of `bottom`: half of them from either end of the exact binomial tails (mid-P)."""
    higher = rng.integers(2, size=(RESAMPLES, len(top)))
    above, below = top + higher, bottom - top + 1 - higher
    drawn = rng.beta(np.maximum(above, 1e-9), np.maximum(below, 1e-9), size=higher.shape)
    return np.where(above == 0, 0.0, np.where(below == 0, 1.0, drawn))


def group_errors(model: Model, people: Dataset, by: Partition, *, seed: int = 0) -> GroupMeasures:
    """Return how a model predicts the values of groups of people.

    The means are of the error (predicted less observed: above 0 a group is predicted too high), of its size, of the prediction
    and of the outcome, by people's weights. Intervals are a bootstrap of each group.

    Parameters
    ----------
    model, people, by : Model, Dataset, Partition
        Who predicts; rows with outcomes, not seen in training; what parts them, see `partition`.
    seed : int
        Seed of the bootstrap.

    Raises
    ------
    FairnessError
        If the groups must not be compared.
    DlxError
        If outcomes are unknown or all alike.
    """
    by.refuse()
    outcomes, predicted = answers(model, people, "the errors of groups")
    present, codes, sizes = np.unique(by.codes(people), return_inverse=True, return_counts=True)
    drawn = resampled_counts(len(codes), people.weights, seed=seed, groups=codes)
    counts, members = np.vstack([counts_of(people.weights, len(codes)), drawn]), codes[:, None] == np.arange(len(present))
    told = {ERROR: predicted - outcomes, SIZE: np.abs(predicted - outcomes), PREDICTED: predicted, OBSERVED: outcomes}
    means = {name: counts @ (one[:, None] * members) / (counts @ members) for name, one in told.items()}
    return GroupMeasures(model.name, by.name, by.names(present), sizes, means)
