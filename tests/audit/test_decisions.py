"""Decisions: net benefit and cost by their closed formulas, counts by scikit-learn, intervals by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

import dlx
from dlx.audit.decisions import confusion, cost_ratio, decision_curve, expected_cost, usual_thresholds
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import wrap
from dlx.schema import Feature, Schema, Target

SCHEMA = Schema((Feature("score"),), Target("bad", levels=("no", "yes"), threshold=1 / 6))
MODEL = wrap(lambda table: table["score"], SCHEMA, name="score")
THRESHOLDS = [0.05, 1 / 6, 0.3, 0.5, 0.77]


def people(count=300, seed=0):
    rng = np.random.default_rng(seed)
    score = rng.beta(1.5, 4, size=count)
    return Dataset(SCHEMA, score[:, None], (rng.random(count) < score).astype(float), name="loans")


def test_a_threshold_states_a_cost_ratio():
    assert cost_ratio(1 / 6) == pytest.approx(5) and cost_ratio(0.05) == pytest.approx(19) and cost_ratio(0.5) == 1
    assert cost_ratio(dlx.load("bank_loan").schema.target.threshold) == pytest.approx(5)


def test_net_benefit_is_the_closed_formula():
    those, count = people(), 300
    table = decision_curve(MODEL, those, thresholds=THRESHOLDS)
    prevalence = those.outcomes.mean()
    for line in table.itertuples():
        _, wrong, _, right = metrics.confusion_matrix(those.outcomes, those.rows[:, 0] >= line.threshold).ravel()
        odds = line.threshold / (1 - line.threshold)
        assert line.net_benefit == pytest.approx(right / count - wrong / count * odds)
        assert line.all == pytest.approx(prevalence - (1 - prevalence) * odds)
        assert line.advantage == pytest.approx(line.net_benefit - max(line.all, 0)) and line.none == 0
        for name in ("net_benefit", "all", "advantage"):
            assert getattr(line, f"{name}_low") <= getattr(line, name) <= getattr(line, f"{name}_high")


def test_bands_are_those_of_the_normal_theory():
    those = people(2000)
    (line,) = decision_curve(MODEL, those, thresholds=[0.2]).itertuples()
    each = (those.rows[:, 0] >= 0.2) * np.where(those.outcomes == 1, 1, -0.25)
    assert line.net_benefit_high - line.net_benefit_low == pytest.approx(2 * 1.96 * each.std() / 2000**0.5, rel=0.1)


def test_cost_and_net_benefit_say_the_same():
    those = people()
    for threshold in THRESHOLDS:
        costs = expected_cost(MODEL, those, threshold=threshold).set_index("acted_on")["cost"]
        curve = decision_curve(MODEL, those, thresholds=[threshold]).iloc[0]
        ratio, prevalence = (1 - threshold) / threshold, those.outcomes.mean()
        assert costs["flagged"] == pytest.approx(ratio * (prevalence - curve["net_benefit"]))
        assert costs["everybody"] == pytest.approx(1 - prevalence) and costs["nobody"] == pytest.approx(ratio * prevalence)


def test_usual_thresholds_are_around_the_stated_one_which_is_among_them():
    for stated in (0.01, 0.05, 1 / 6, 0.5, 0.9, 0.995):
        found = usual_thresholds(stated)
        assert stated in found and found.min() > 0 and found.max() < 1 and (np.diff(found) > 0).all()
    assert 1 / 6 in decision_curve(MODEL, people())["threshold"].to_numpy()


def test_confusion_is_that_of_scikit_learn():
    those = people()
    table = confusion(MODEL, those).set_index("quantity")
    flagged = those.rows[:, 0] >= 1 / 6
    names = ["true_negative", "false_positive", "false_negative", "true_positive"]
    assert table.loc[names, "count"].tolist() == metrics.confusion_matrix(those.outcomes, flagged).ravel().tolist()
    expected = {
        "sensitivity": metrics.recall_score(those.outcomes, flagged),
        "specificity": metrics.recall_score(those.outcomes, flagged, pos_label=0),
        "ppv": metrics.precision_score(those.outcomes, flagged),
        "npv": metrics.precision_score(1 - those.outcomes, ~flagged),
        "flagged": flagged.mean(),
    }
    assert table.loc[list(expected), "estimate"].to_dict() == pytest.approx(expected)


def test_intervals_of_shares_are_wilsons():
    line = confusion(MODEL, people()).set_index("quantity").loc["sensitivity"]
    share, n, z = line["count"] / line["of"], line["of"], 1.959964
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    assert (line["low"], line["high"]) == pytest.approx((middle - half, middle + half), abs=1e-6)


def test_a_model_that_flags_nobody_has_no_predictive_value_and_an_honest_sensitivity():
    those = people()
    table = confusion(MODEL, those, threshold=0.999).set_index("quantity")
    assert table.loc["ppv", ["estimate", "low", "high"]].isna().all() and table.loc["ppv", "of"] == 0
    assert table.loc["sensitivity", "estimate"] == 0 and table.loc["sensitivity", "high"] > 0
    costs = expected_cost(MODEL, those, threshold=0.999).set_index("acted_on")["cost"]
    assert costs["flagged"] == costs["nobody"]


@pytest.mark.parametrize("threshold", [0, 1, -0.2, 1.5, float("nan")])
def test_a_threshold_outside_0_and_1_is_refused(threshold):
    message = "a threshold is a probability above 0 and below 1, got"
    for asked in (
        lambda: confusion(MODEL, people(), threshold=threshold),
        lambda: expected_cost(MODEL, people(), threshold=threshold),
        lambda: decision_curve(MODEL, people(), thresholds=[0.2, threshold]),
    ):
        with pytest.raises(DlxError, match=message):
            asked()


@pytest.mark.parametrize("judge", [confusion, expected_cost, decision_curve])
@pytest.mark.parametrize("outcomes", [None, np.zeros(5), np.ones(1)])
def test_outcomes_of_one_class_are_refused(judge, outcomes):
    count = 5 if outcomes is None else len(outcomes)
    with pytest.raises(DlxError, match=r"loans: the .* of score needs outcomes of both classes"):
        judge(MODEL, Dataset(SCHEMA, np.full((count, 1), 0.5), outcomes, name="loans"))


@pytest.mark.parametrize("score", [0.0, 1.0, 0.4])
def test_constant_and_certain_predictions_are_judged_like_acting_on_all_or_none(score):
    those = Dataset(SCHEMA, np.full((40, 1), score), (np.arange(40) < 8).astype(float))
    (line,) = decision_curve(MODEL, those, thresholds=[0.3]).itertuples()
    assert line.net_benefit == pytest.approx(line.all if score >= 0.3 else 0)
