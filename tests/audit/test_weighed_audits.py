"""Sample weights in functions that a page asks about people who were drawn: beside repeated rows, scikit-learn, fairlearn."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
from pandas.testing import assert_frame_equal
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.inspection import partial_dependence as reference_dependence
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, precision_score, recall_score, roc_auc_score
from sklearn.utils.class_weight import compute_sample_weight
from weighed import model, repeated, weighted

from dlx import stats
from dlx.audit import performance
from dlx.audit.adverse_action.denials import Denial, Source, reason_stability
from dlx.audit.counterfactuals import column_shifts, denied, recourse
from dlx.audit.decisions import confusion
from dlx.audit.fairness.groups import partition
from dlx.audit.fairness.proxies import carriers
from dlx.audit.fairness.rates import group_rates, treatment
from dlx.audit.fairness.thresholds import fair_rule, trade_off
from dlx.audit.miscalibration import calibration, log_odds
from dlx.audit.mispredictions import decisions_of, explained_losses, loss_by_slice, slices
from dlx.audit.mispredictions.slicing import _table
from dlx.audit.recalibration import isotonic, platt, recalibrated
from dlx.dataset import from_frame
from dlx.effects.accumulated import accumulated_local_effects
from dlx.effects.partial import friedman_h, pair_dependence, partial_dependence
from dlx.effects.permutation import METRICS, rise
from dlx.effects.shapes import shape_functions
from dlx.remedies import before_after
from dlx.remedies.mitigation import balanced, reweighing
from dlx.runner import explain

CASE, MODEL = weighted("binary"), model("binary")
SEX, PROBABILITY = partition(CASE, "sex"), {"scale": "probability"}


def many(people):
    """Each person's position, as often as they weigh."""
    return np.repeat(np.arange(len(people)), people.weights.astype(int))


def contributions(people):
    return explain(MODEL, people, method="linear_shap", background=CASE.background(20), scale="logit")


def losses(people):
    explained = explained_losses(MODEL, decisions_of(MODEL, people), CASE.background(5))
    return loss_by_slice(explained, {"all": np.ones(len(people), dtype=bool)}, people.weights).sort_values("column")["mean"]


def carried(people):
    told = carriers(contributions(people), TOLD, people.weights)
    return told.sort_values("column")["importance"]


TOLD = dataclasses.replace(contributions(CASE.test)).to_frame()[["feature"]].drop_duplicates()
TOLD = TOLD.rename(columns={"feature": "column"}).assign(tells=0.5, low=0.4, high=0.6, error=0.1)


def sliced(of):
    """The table of slices that were found once, of any people."""
    found = slices(*(decisions_of(MODEL, part) for part in (CASE.validation, CASE.test)), of=of).slices[:3]
    names = ["share", "error_rate", "error_rate_elsewhere", "loss", "expected_loss", "observed", "predicted", "difference"]
    return lambda people: _table(found, decisions_of(MODEL, people), of, 0)[names]


def traded(people):
    table = trade_off(treatment(MODEL, people, SEX), treatment(MODEL, people, SEX, threshold=0.6), threshold=0.5)
    return table[["before", "after"]]


def compared(people):
    """Before and after of a model and the same recalibrated; people stand in for the test rows."""
    case = dataclasses.replace(people, schema=dataclasses.replace(people.schema, split="random"))
    case.__dict__["splits"] = CASE.splits._replace(test=people)
    table = before_after(MODEL, recalibrated(MODEL, CASE.validation, kind="platt"), case, people=10_000)
    return table[["before", "after"]]


EFFECTS = {
    "partial dependence": lambda people: partial_dependence(MODEL, people, "debt", **PROBABILITY).mean,
    "shape functions": lambda people: [one.curves[0].max() for one in shape_functions([MODEL], people)],
    "accumulated effects": lambda people: accumulated_local_effects(MODEL, people, "debt", **PROBABILITY).effects,
    "Friedman's H": lambda people: friedman_h(MODEL, people, ["debt", "sex"], most_people=999, **PROBABILITY)[["h", "size"]],
    "pair": lambda people: pair_dependence(MODEL, people, ("sex", "town"), **PROBABILITY).mean,
    "loss explained": losses,
    "carriers": carried,
    "slices of the loss": sliced("loss"),
    "slices of the risk": sliced("risk"),
    "trade-off": traded,
    "remedy": compared,
}


@pytest.mark.parametrize("name", EFFECTS)
def test_what_is_asked_of_people_who_were_drawn_is_that_of_repeated_rows(name):
    some = CASE.test[:70] if name == "shape functions" else CASE.test
    own, often = (np.asarray(EFFECTS[name](people), dtype=float) for people in (some, repeated(some)))
    np.testing.assert_allclose(own, often, atol=1e-6)
    plain = np.asarray(EFFECTS[name](dataclasses.replace(some, weights=None)), dtype=float)
    assert np.abs(own - plain).max() > 1e-4


@pytest.mark.parametrize("name", METRICS["probability"])
def test_what_shuffling_costs_is_that_of_repeated_rows(name):
    test, rng = CASE.test, np.random.default_rng(0)
    own, shuffled, often = MODEL.predict(test, "probability"), rng.random((3, len(test))), many(test)
    one, base = rise(name, test.outcomes, own, shuffled, test.weights)
    other, reference = rise(name, test.outcomes[often], own[often], shuffled[:, often])
    np.testing.assert_allclose((one.estimate, base), (other.estimate, reference), atol=1e-12)
    assert one.high - one.low > 1.2 * (other.high - other.low)


def test_recourse_counts_people_by_their_weights():
    people = denied(MODEL, CASE.test)[:40]
    found = recourse(MODEL, people, observed=CASE.train, wanted=1, most_columns=1)
    table, weights = found.summary().set_index("measure"), people.weights
    having, first = weights[found.found], [one.counterfactuals[0] for one in found.answers if one.counterfactuals]
    assert table.loc["share_with_recourse", "estimate"] == pytest.approx(np.average(found.found, weights=weights))
    assert table.loc["mean_distance", "estimate"] == pytest.approx(np.average([way.distance for way in first], weights=having))
    debt = np.average(["debt" in way.columns for way in first], weights=having)
    assert found.by_column().set_index("column").loc["debt", "estimate"] == pytest.approx(debt)
    moved = column_shifts(MODEL, people, observed=CASE.train).set_index(["column", "direction"]).loc[("debt", "down")]
    own, to, rows = people.rows[:, 0], float(moved["to"]), people.rows.copy()
    rows[:, 0] = to
    change = MODEL.predict(rows, "probability") - MODEL.predict(people, "probability")
    assert moved["change"] == pytest.approx(np.average(change[own > to], weights=weights[own > to]))


def test_stability_of_reasons_counts_people_by_their_weights():
    def denial(person, group):
        return Denial(person, (SimpleNamespace(group=group),), (), (), ())

    both = {
        Source("m", "one", "all"): (denial("a", 0), denial("b", 1)),
        Source("m", "two", "all"): (denial("a", 0), denial("b", 2)),
    }
    plain, own = (reason_stability(both, groups=3, weights=weights).iloc[0] for weights in (None, {"a": 1.0, "b": 3.0}))
    assert (plain["same"], own["same"], own["overlap"], own["first"]) == (0.5, 0.25, 0.25, 0.25)


def test_rates_of_groups_are_those_of_fairlearn_and_shares_those_of_scikit_learn():
    test, weights = CASE.test, CASE.test.weights
    predicted = MODEL.predict(test, "probability")
    flags, named = (predicted >= 0.5).astype(float), {"sample_weight": weights}
    asked = {"selection_rate": selection_rate, "true_positive_rate": true_positive_rate}
    asked |= {"false_positive_rate": false_positive_rate, "accuracy": accuracy_score}
    sex = np.array(["f", "m"])[test.rows[:, CASE.schema.position("sex")].astype(int)]
    told = {"y_true": test.outcomes, "y_pred": flags, "sensitive_features": sex}
    frame = MetricFrame(metrics=asked, sample_params=dict.fromkeys(asked, named), **told)
    table = group_rates(MODEL, test, SEX).to_frame().pivot(index="group", columns="rate", values="estimate")
    np.testing.assert_allclose(table[list(asked)], frame.by_group[list(asked)])
    shares = confusion(MODEL, test).set_index("quantity")["estimate"]
    assert shares["sensitivity"] == pytest.approx(recall_score(test.outcomes, flags, **named))
    assert shares["ppv"] == pytest.approx(precision_score(test.outcomes, flags, **named))
    scores = performance(MODEL, test).set_index("metric")["estimate"]
    assert scores["auc"] == pytest.approx(roc_auc_score(test.outcomes, predicted, **named))
    assert scores["brier"] == pytest.approx(brier_score_loss(test.outcomes, predicted, **named))


def test_calibration_is_the_weighted_regression_of_scikit_learn():
    test, odds = CASE.test, log_odds(MODEL.predict(CASE.test, "probability"))
    fitted = LogisticRegression(C=np.inf, tol=1e-10).fit(odds[:, None], test.outcomes, sample_weight=test.weights)
    own, other = (calibration(MODEL, people) for people in (test, repeated(test)))
    assert own.slope.estimate == pytest.approx(fitted.coef_[0, 0], abs=1e-4)
    assert own.intercept.estimate == pytest.approx(other.intercept.estimate, abs=1e-8)
    assert own.slope.high - own.slope.low > 1.3 * (other.slope.high - other.slope.low)
    chances = MODEL.predict(test, "probability")
    often = many(test)
    for fit in (platt, isotonic):
        again = fit(test.outcomes[often], chances[often])(chances)
        np.testing.assert_allclose(fit(test.outcomes, chances, test.weights)(chances), again, atol=0.01)


def test_thresholds_of_groups_are_those_of_repeated_rows():
    own, often = (
        fair_rule(MODEL, people, SEX, constraint="equalized_odds") for people in (CASE.validation, repeated(CASE.validation))
    )
    np.testing.assert_allclose(own.treat(CASE.test).flags, often.treat(CASE.test).flags)


def test_effects_are_the_weighted_ones_of_scikit_learn():
    test = CASE.test

    class Reference(RegressorMixin, BaseEstimator):
        """The model, as scikit-learn sees one."""

        fit, n_features_in_ = print, 4

        def __sklearn_is_fitted__(self):
            return True

        def predict(self, rows):
            return MODEL.predict(np.asarray(rows), "probability")

    found = partial_dependence(MODEL, test, "debt", **PROBABILITY)
    values = {"custom_values": {0: found.grid}, "method": "brute", "sample_weight": test.weights}
    reference = reference_dependence(Reference(), test.rows, [0], **values)
    np.testing.assert_allclose(found.mean, reference["average"][0])


def test_weights_of_remedies_are_those_of_repeated_rows_and_of_scikit_learn():
    rows, groups, outcomes = CASE.train, SEX.codes(CASE.train), CASE.train.outcomes
    often = many(rows)
    once = reweighing(groups, outcomes, rows.weights) / rows.weights
    np.testing.assert_allclose(once[often], reweighing(groups[often], outcomes[often]))
    once = balanced(outcomes, rows.weights) / rows.weights
    np.testing.assert_allclose(once[often], balanced(outcomes[often]))
    np.testing.assert_allclose(balanced(outcomes[often]), compute_sample_weight("balanced", outcomes[often]))


def test_weights_that_are_all_the_same_are_none():
    table = CASE.table.assign(y=np.array(["a", "b"])[CASE.outcomes.astype(int)], part=CASE.extra["part"])
    alike = from_frame(table.assign(times=7.0), CASE.schema)
    assert alike.weights is None
    for one in (performance, lambda *asked: calibration(*asked).to_frame(), confusion):
        assert_frame_equal(one(MODEL, alike.test), one(MODEL, dataclasses.replace(CASE.test, weights=None)))


def test_people_of_equal_weight_are_worth_their_number_and_others_less():
    assert stats.effective(np.full(5, 3.0)) == pytest.approx(np.ones(5))
    weights = np.array([1.0, 1.0, 2.0, 4.0])
    assert stats.effective(weights).sum() == pytest.approx(64 / 22)  # Kish's effective sample size
    flags = np.array([True, False, True, False])
    assert stats.interval_of_share(flags, weights) == pytest.approx(stats.share_interval(3 / 8 * 64 / 22, 64 / 22))
    assert stats.auc_interval(*DELONG) == pytest.approx(stats.auc_interval(*DELONG, np.full(6, 2.0)))


DELONG = np.array([0, 1, 0, 1, 1, 0]), np.array([0.1, 0.4, 0.3, 0.2, 0.9, 0.5])
