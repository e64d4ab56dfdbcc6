"""Another threshold for each group, by fairlearn's ThresholdOptimizer, and what a change of decisions gives and takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin

from dlx.arrays import in_short, ratio
from dlx.audit.fairness.groups import FairnessError, Partition
from dlx.audit.fairness.rates import CALIBRATION, FALSE_POSITIVE, SELECTED, TRUE_POSITIVE, Treated, treatment
from dlx.dataset import Dataset
from dlx.errors import plural
from dlx.model import Model
from dlx.stats import auc, auc_difference, ends_of, means_of, rarest, resampled_counts

Constraint = Literal["equalized_odds", "demographic_parity"]
# fairlearn weighs all decisions alike under the first, so that events are repeated until the costs are right; under
# the second this would change the rates of selection, and both classes count the same instead
OBJECTIVES = {"equalized_odds": "accuracy_score", "demographic_parity": "balanced_accuracy_score"}

AUC, COST = "auc", "cost"
MOST_TIMES = 20  # that fairlearn, which takes no weights, is shown a person on average
RATIO, TRUE_GAP, FALSE_GAP = "selection_ratio", "true_positive_gap", "false_positive_gap"


@dataclass(frozen=True, eq=False)
class Rule:
    """Thresholds for each group, some of them drawn by lot between two."""

    model: Model
    by: Partition  # what parts the people
    groups: tuple[str, ...]  # those that have thresholds of their own; the others keep the target's
    optimizer: Any  # fairlearn's ThresholdOptimizer, fitted

    __repr__ = in_short

    def treat(self, people: Dataset) -> Treated:
        """Return what the rule makes of some people; flags are the chance of being flagged."""
        common = treatment(self.model, people, self.by)
        own, flags = np.isin(common.codes, [self.by.groups.index(group) for group in self.groups]), common.flags.copy()
        # fairlearn's public predict draws lots; the chances behind them have no public name
        flags[own] = self.optimizer._pmf_predict(common.predicted[own, None], sensitive_features=common.codes[own])[:, 1]
        return replace(common, flags=flags)


def fair_rule(model: Model, people: Dataset, by: Partition, *, constraint: Constraint) -> Rule:
    """Return the thresholds that treat groups alike at the least cost, as far as some people can tell.

    Parameters
    ----------
    model, by : Model, Partition
        Who predicts, and what parts the people.
    people : Dataset
        Rows with outcomes, not seen in training and not those that the rule is judged on: validation rows.
    constraint : {"equalized_odds", "demographic_parity"}
        The same rates of true and false positives for every group, at the cost ratio (1 − threshold) / threshold of a
        missed event to a needless flag; or the same rate of selection, both classes counting the same.

    Raises
    ------
    FairnessError
        If fewer than two groups have 30 people and 10 of each outcome, or there is no such constraint.
    """
    from fairlearn.postprocessing import ThresholdOptimizer

    if constraint not in OBJECTIVES:
        raise FairnessError(f"constraint must be one of {', '.join(OBJECTIVES)}, got {constraint!r}")
    treated, cutoff = treatment(model, people, by), people.schema.target.threshold
    present = np.unique(treated.codes).tolist()
    fit = [code for code in present if not treated.why_not(CALIBRATION, code)]
    if len(fit) < 2:
        raise FairnessError(
            f"thresholds for each group of {by.name} need two groups of 30 people with 10 of each outcome among the "
            f"{len(people)} they are fitted on, got {len(fit)} of {len(present)}; merge groups, or pass more people"
        )
    asked: dict[str, Any] = {"constraints": constraint, "objective": OBJECTIVES[constraint], "predict_method": "predict_proba"}
    optimizer = ThresholdOptimizer(estimator=_Scores(), prefit=True, **asked)
    weight = max(1, round((1 - cutoff) / cutoff)) if constraint == "equalized_odds" else 1
    unit = max(float(treated.counts.min()), float(treated.counts.mean()) / MOST_TIMES)
    times = np.maximum(1, np.rint(treated.counts / unit).astype(int)) * np.where(treated.outcomes == 1, weight, 1)
    repeated = np.repeat(np.arange(len(people)), np.isin(treated.codes, fit) * times)
    risks, groups = treated.predicted[repeated, None], treated.codes[repeated]
    optimizer.fit(risks, treated.outcomes[repeated], sensitive_features=groups)
    return Rule(model, by, tuple(by.groups[code] for code in fit), optimizer)


class _Scores(ClassifierMixin, BaseEstimator):
    """An estimator to fairlearn: its rows are the probabilities that a model predicted."""

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, scores: np.ndarray, outcomes: np.ndarray) -> _Scores:  # noqa: ARG002
        return self

    def predict_proba(self, scores: np.ndarray) -> np.ndarray:
        return np.column_stack([1 - scores[:, 0], scores[:, 0]])


def trade_off(before: Treated, after: Treated, *, threshold: float, favourable: str = SELECTED, seed: int = 0) -> pd.DataFrame:
    """Return accuracy, cost and gaps before and after, with the 95 % interval of the change over the same resampled people.

    Parameters
    ----------
    before, after : Treated
        The same people, treated in two ways.
    threshold : float
        From which risk on people are flagged; a missed event costs (1 − threshold) / threshold needless flags.
    favourable : {"selection_rate", "clearance_rate"}
        Which of the two people want: to be flagged, or not to be.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        measure, before, after, change, low, high, objection. auc: of the predicted probability (interval: DeLong's); cost:
        mean cost a person, in needless flags; selection_ratio: lowest over highest favourable rate of the groups that can be
        judged; true_positive_gap, false_positive_gap: highest − lowest rate. Fewer than two such groups have no gap, and the
        objection says so.
    """
    outcomes, codes, weights, both = before.outcomes, before.codes, before.weights, (before, after)
    drawn = np.vstack([before.counts, resampled_counts(len(codes), weights, seed=seed, groups=codes)])

    def line(measure: str, people: int, was: np.ndarray, now: np.ndarray) -> tuple[Any, ...]:
        return measure, was[0], now[0], now[0] - was[0], *ends_of(now[1:] - was[1:], people=people), ""

    ranked = (auc(outcomes, one.predicted, weights) for one in both)
    lines = [(AUC, *ranked, *auc_difference(outcomes, after.predicted, before.predicted, weights), "")]
    missed, needless = (1 - threshold) / threshold * outcomes, 1 - outcomes
    costs = (means_of(drawn, missed * (1 - one.flags) + needless * one.flags) for one in both)
    lines.append(line(COST, rarest(outcomes), *costs))
    for measure, rate in ((RATIO, favourable), (TRUE_GAP, TRUE_POSITIVE), (FALSE_GAP, FALSE_POSITIVE)):
        groups = [int(group) for group in np.unique(codes) if not before.why_not(rate, int(group))]
        if len(groups) < 2:
            lines.append((measure, *[np.nan] * 5, f"only {plural(len(groups), 'group')} can be judged"))
            continue
        fewest = min(int(before.terms(rate)[1][codes == group].sum()) for group in groups)
        lines.append(line(measure, fewest, *(_gap(measure, one.rates(rate, groups, drawn)) for one in both)))
    return pd.DataFrame(lines, columns=["measure", "before", "after", "change", "low", "high", "objection"])


def _gap(measure: str, rates: np.ndarray) -> np.ndarray:
    """Return lowest over highest rate, or highest less lowest, of [resamples, groups]: [resamples]."""
    lowest, highest = rates.min(axis=1), rates.max(axis=1)
    return ratio(lowest, highest) if measure == RATIO else highest - lowest
