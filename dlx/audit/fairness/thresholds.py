"""Another threshold for each group, by fairlearn's ThresholdOptimizer: the model stays, the decision changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from dlx.audit.fairness.groups import FairnessError, Partition
from dlx.audit.fairness.rates import treatment
from dlx.audit.fairness.tally import CALIBRATION, Treated
from dlx.dataset import Dataset
from dlx.model import Model

Constraint = Literal["equalized_odds", "demographic_parity"]
# fairlearn weighs all decisions alike under the first, so that events are repeated until the costs are right; under
# the second this would change the rates of selection, and both classes count the same instead
OBJECTIVES = {"equalized_odds": "accuracy_score", "demographic_parity": "balanced_accuracy_score"}


@dataclass(frozen=True, eq=False)
class Rule:
    """Thresholds for each group, some of them drawn by lot between two.

    Parameters
    ----------
    model : Model
        Who predicts.
    by : Partition
        What parts the people.
    groups : tuple of str
        The groups that have thresholds of their own; the others keep the common one.
    threshold : float
        The common threshold.
    optimizer : fairlearn.postprocessing.ThresholdOptimizer
        Fitted.
    """

    model: Model
    by: Partition
    groups: tuple[str, ...]
    threshold: float
    optimizer: Any

    def treat(self, people: Dataset) -> Treated:
        """Return what the rule makes of some people; flags are the chance of being flagged."""
        common = treatment(self.model, people, self.by, threshold=self.threshold)
        own = np.isin(common.codes, [self.by.groups.index(group) for group in self.groups])
        flags = common.flags.copy()
        # fairlearn's public predict draws lots; the chances behind them have no public name
        chances = self.optimizer._pmf_predict(common.predicted[own, None], sensitive_features=common.codes[own])
        flags[own] = chances[:, 1]
        return Treated(common.codes, common.outcomes, flags, common.predicted)


def fair_rule(model: Model, people: Dataset, by: Partition, *, constraint: Constraint, threshold: float | None = None) -> Rule:
    """Return the thresholds that treat groups alike at the least cost, as far as some people can tell.

    Parameters
    ----------
    model : Model
        Who predicts.
    people : Dataset
        Rows with outcomes, not seen in training and not those that the rule is judged on: validation rows.
    by : Partition
        What parts the people.
    constraint : {"equalized_odds", "demographic_parity"}
        The same rates of true and false positives for every group, at the cost ratio (1 − threshold) / threshold of a
        missed event to a needless flag; or the same rate of selection, both classes counting the same.
    threshold : float, optional
        The common threshold; the target's by default.

    Raises
    ------
    FairnessError
        If fewer than two groups have 30 people and 10 of each outcome, or there is no such constraint.
    """
    from fairlearn.postprocessing import ThresholdOptimizer

    if constraint not in OBJECTIVES:
        raise FairnessError(f"constraint must be one of {', '.join(OBJECTIVES)}, got {constraint!r}")
    cutoff = people.schema.target.threshold if threshold is None else threshold
    treated = treatment(model, people, by, threshold=cutoff)
    present = [int(code) for code in np.unique(treated.codes)]
    fit = [code for code in present if not treated.why_not(CALIBRATION, code)]
    if len(fit) < 2:
        raise FairnessError(
            f"thresholds for each group of {by.name} need two groups of 30 people with 10 of each outcome among the "
            f"{len(people)} they are fitted on, got {len(fit)} of {len(present)}; merge groups, or pass more people"
        )
    repeated = np.where(treated.outcomes == 1, max(1, round((1 - cutoff) / cutoff)), 1)
    times = np.isin(treated.codes, fit) * (repeated if constraint == "equalized_odds" else 1)
    optimizer = ThresholdOptimizer(
        estimator=_Scores(),
        constraints=constraint,
        objective=OBJECTIVES[constraint],
        prefit=True,
        predict_method="predict_proba",
    )
    optimizer.fit(
        np.repeat(treated.predicted, times)[:, None],
        np.repeat(treated.outcomes, times),
        sensitive_features=np.repeat(treated.codes, times),
    )
    return Rule(model, by, tuple(by.groups[code] for code in fit), cutoff, optimizer)


class _Scores(ClassifierMixin, BaseEstimator):
    """An estimator to fairlearn: its rows are the probabilities that a model predicted."""

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, scores: np.ndarray, outcomes: np.ndarray) -> _Scores:  # noqa: ARG002
        return self

    def predict_proba(self, scores: np.ndarray) -> np.ndarray:
        scores = np.asarray(scores)
        return np.column_stack([1 - scores[:, 0], scores[:, 0]])
