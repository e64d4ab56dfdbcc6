"""Audits of a value: held against pandas, NumPy, scikit-learn and brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import values
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.inspection import permutation_importance as of_sklearn
from sklearn.metrics import mean_absolute_error

from dlx.attacks import fool
from dlx.audit.counterfactuals import Range, RecourseError, recourse_into
from dlx.audit.fairness.groups import FairnessError, partition
from dlx.audit.fairness.rates import group_errors
from dlx.audit.mispredictions import largest_errors, predictions_of, pushes, slices
from dlx.audit.training_rows import seen_rows
from dlx.audit.values import by_prediction, error_sizes, value_calibration
from dlx.dataset import Dataset
from dlx.effects import permutation_importance
from dlx.errors import DlxError
from dlx.model import wrap
from dlx.runner import explain
from dlx.schema import Feature, Schema, Target


@pytest.fixture(scope="module")
def case():
    return values.case()


@pytest.fixture(scope="module")
def boosted():
    return values.model("boosted")


@pytest.fixture(scope="module")
def both(case, boosted):
    """Outcomes and predictions of the test rows."""
    return case.test.outcomes, boosted.predict(case.test, "value")


def test_errors_and_calibration_are_those_of_numpy(case, boosted, both):
    outcomes, predicted = both
    sizes = error_sizes(boosted, case.test).set_index("quantity")
    assert sizes.loc["bias", "estimate"] == pytest.approx((predicted - outcomes).mean())
    assert sizes.loc["half", "estimate"] == pytest.approx(np.median(np.abs(predicted - outcomes)))
    assert sizes.loc["nine_tenths", "estimate"] == pytest.approx(np.quantile(np.abs(predicted - outcomes), 0.9))
    found = value_calibration(boosted, case.test).set_index("quantity")
    assert found.loc["slope", "estimate"] == pytest.approx(np.polyfit(predicted, outcomes, 1)[0])
    assert found.loc["intercept", "estimate"] == pytest.approx((outcomes - predicted).mean())
    for table in (sizes, found):
        assert ((table["low"] < table["estimate"]) & (table["estimate"] < table["high"])).all()
    constant = wrap(lambda table: np.full(len(table), 150.0), values.SCHEMA, name="constant")
    assert np.isnan(value_calibration(constant, case.test).set_index("quantity").loc["slope"].iloc[1:].astype(float)).all()


def test_parts_by_prediction_are_those_of_pandas(case, boosted, both):
    outcomes, predicted = both
    table = by_prediction(boosted, case.test)
    parts = pd.qcut(predicted, 5, labels=False, duplicates="drop")
    grouped = pd.DataFrame({"p": predicted, "y": outcomes}).groupby(parts)
    np.testing.assert_allclose(table["people"], grouped.size())
    np.testing.assert_allclose(table[["predicted", "observed"]], grouped.mean())
    np.testing.assert_allclose(table["q75"], grouped.apply(lambda part: (part["y"] - part["p"]).quantile(0.75)))


def test_groups_are_compared_by_the_means_of_pandas(case, boosted, both):
    outcomes, predicted = both
    found = group_errors(boosted, case.test, partition(case, "sex"))
    means = found.to_frame().pivot(index="group", columns="rate", values="estimate")
    own = pd.DataFrame({"mean_error": predicted - outcomes, "mean_prediction": predicted, "mean_outcome": outcomes})
    own["mean_absolute_error"] = own["mean_error"].abs()
    expected = own.groupby(case.test.frame["sex"].to_numpy()).mean()
    np.testing.assert_allclose(means[list(expected)], expected)
    gap = found.gaps().set_index("rate").loc["mean_error"]
    assert gap["difference"] == pytest.approx(np.ptp(expected["mean_error"])) and gap["lowest"] != gap["highest"]
    few = group_errors(boosted, case.test[:40], partition(case, "sex"))
    assert not few.to_frame()["judged"].all() and set(few.gaps()["objection"]) == {"only 0 of 2 groups can be judged"}


def test_groups_that_must_not_be_compared_are_refused(case, boosted):
    schema = Schema(
        (Feature("age", protected=True, no_groups="Nobody may."), *values.SCHEMA.features[1:]), values.SCHEMA.target
    )
    people = Dataset(schema, case.rows, case.outcomes)
    with pytest.raises(FairnessError, match="must not be compared by age: Nobody may"):
        group_errors(boosted, people, partition(people, "age"))


@pytest.mark.parametrize(
    ("metric", "scoring"), [(None, "neg_mean_absolute_error"), ("squared_error", "neg_mean_squared_error")]
)
def test_importance_by_loss_is_that_of_scikit_learn(case, metric, scoring):
    class Estimator(RegressorMixin, BaseEstimator):
        def fit(self, *_):
            return self

        def predict(self, rows):
            return values.model("ridge").predict(np.asarray(rows), "value")

    table = permutation_importance(values.model("ridge"), case.test, metric=metric, repeats=8).set_index("feature")
    found = of_sklearn(Estimator(), case.test.rows, case.test.outcomes, scoring=scoring, n_repeats=20, random_state=1)
    own = table.loc[list(values.SCHEMA.names), "importance"]
    spread = found.importances_std / np.sqrt(8) + found.importances_std / np.sqrt(20)
    assert (np.abs(own - found.importances_mean) <= 4 * spread + 1e-9).all()
    if metric is None:
        loss = mean_absolute_error(case.test.outcomes, values.model("ridge").predict(case.test, "value"))
        assert table["baseline"].iloc[0] == pytest.approx(loss)
    with pytest.raises(DlxError, match="metric must be one of absolute_error, squared_error, got 'auc'"):
        permutation_importance(values.model("ridge"), case.test, metric="auc")


def planted(shift, noise, count=600):
    """Return a table in which a model is too low for the shifted group, and farther off in the noisy one; and the model."""
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.normal(size=count), rng.integers(2, size=count), rng.integers(2, size=count)])
    schema = Schema(
        (Feature("x"), *(Feature(name, "categorical", levels=("no", "yes")) for name in ("shifted", "noisy"))),
        Target("y", kind="regression"),
    )
    off = shift * rows[:, 1] + rng.normal(size=count) * np.where(rows[:, 2] == 1, noise, 0.5)
    return Dataset(schema, rows, rows[:, 0] + off, name="planted"), wrap(
        lambda table: table["x"].to_numpy(float), schema, name="x"
    )


@pytest.mark.parametrize(("of", "shift", "noise", "where"), [("loss", 0, 2, "noisy: yes"), ("risk", 1, 0.5, "shifted: yes")])
def test_slices_that_were_planted_are_found_and_told_by_their_means(of, shift, noise, where):
    case, model = planted(shift, noise)
    found = slices(predictions_of(model, case.validation), predictions_of(model, case.test), of=of)
    assert where in {one.words for one in found.found}
    inside = case.test.rows[:, case.schema.position(where.split(":")[0])] == 1
    off = case.test.outcomes - case.test.rows[:, 0]
    off = np.abs(off) if of == "loss" else off
    line = found.table[found.table["slice"] == where].iloc[0]
    assert line["difference"] == pytest.approx(off[inside].mean() - off[~inside].mean())
    assert line["low"] < line["difference"] < line["high"] and line["rows"] == inside.sum()


def test_nothing_is_found_where_a_model_is_right_but_for_noise():
    case, model = planted(0, 0.5)
    for of in ("loss", "risk"):
        assert not slices(predictions_of(model, case.validation), predictions_of(model, case.test), of=of).found


def test_the_farthest_off_come_first_with_what_pushed_them(case, boosted, both):
    outcomes, predicted = both
    some = predictions_of(boosted, case.test)
    explained = explain(boosted, case.test, method="tree_shap", background=case.background(20), scale="value")
    table = largest_errors(some, most=4, explanation=explained)
    worst = np.argsort(-np.abs(predicted - outcomes))[:4]
    assert list(table["person"]) == list(case.test.index[worst])
    np.testing.assert_allclose(table["error"], (predicted - outcomes)[worst])
    for row, said in zip(worst, table["pushed_by"], strict=True):
        sign = np.sign(predicted[row] - outcomes[row])
        most = case.schema.labels[int((sign * explained.values[row]).argmax())]
        assert said.startswith(most)
    pushed = pushes(some, explained)
    high = some.errors("too_high")
    assert high.sum() == some.errors("too_low").sum() == 18 and not (high & some.hits("too_high")).any()
    line = pushed[(pushed["kind"] == "too_high") & (pushed["column"] == "bmi")].iloc[0]
    bmi = explained.values[:, case.schema.position("bmi")]
    assert line["push"] == pytest.approx(bmi[high].mean() - bmi[some.hits("too_high")].mean())


@pytest.mark.parametrize("into", [Range(high=150.0), Range(low=190.0), Range(140.0, 160.0)])
def test_recourse_into_a_range_is_predicted_there_as_printed_and_found_where_brute_force_finds_one(case, into):
    ridge, train = values.model("ridge"), case.train
    outside = case.test[~into.holds(ridge.predict(case.test, "value"))][:8]
    found = recourse_into(ridge, outside, observed=train, into=into, wanted=1)
    assert found.into == into and len(found.answers) == 8
    for answer in found.answers:
        assert not into.holds(np.array([answer.risk]))[0]
        for one in answer.counterfactuals:
            again = float(ridge.predict(one.row[None], "value")[0])
            assert into.holds(np.array([again]))[0] and one.risk == pytest.approx(again)
        one_column = [
            np.r_[answer.row[:column], value, answer.row[column + 1 :]]
            for column, tried in found.actions.options(answer.row, all_observed=True).items()
            for value in tried
        ]
        reached = into.holds(ridge.predict(np.array(one_column), "value")) if one_column else np.zeros(0, bool)
        if answer.counterfactuals and len(answer.counterfactuals[0].columns) == 1:
            assert reached.any()
    table = found.to_frame()
    assert {"prediction", "new_prediction"} <= set(table) and into.holds(table["new_prediction"].to_numpy()).all()


def test_recourse_is_for_people_outside_of_a_range_and_ranges_have_a_form(case):
    ridge = values.model("ridge")
    with pytest.raises(RecourseError, match="predicts some within"):
        recourse_into(ridge, case.test, observed=case.train, into=Range(high=150.0))
    assert Range.of(":150") == Range(high=150.0) and Range.of("-2:1e3") == Range(-2.0, 1000.0)
    for text, _ in itertools.product(("150", ":", "b:c", "3:2", "nan:1"), (0,)):
        with pytest.raises(RecourseError, match="LOW:HIGH, of which one end may be left out"):
            Range.of(text)


def test_a_model_that_learned_the_test_rows_by_heart_is_noticed(case, boosted):
    known = dict(zip(map(tuple, case.frame.to_numpy().tolist()), case.outcomes, strict=True))
    parrot = wrap(lambda table: [known[tuple(row)] for row in table.to_numpy().tolist()], case.schema, name="parrot")
    table = seen_rows([parrot, boosted], case).set_index("model")
    assert (
        table.loc["parrot", "r2"] == 1.0
        and table.loc["parrot", "knows_too_well"]
        and not table.loc["boosted", "knows_too_well"]
    )
    assert 0.2 < table.loc["boosted", "r2_of_others"] < 0.7


def test_explainers_are_fooled_about_a_value_cut_at_its_median(case):
    found = fool(case, [values.model("ridge")], background=case.background(20).rows, people=case.test[:4])
    assert {"LIME", "Kernel SHAP with k-means centres"} <= set(found.attacks)
    honest = found.detections[~found.detections["is_attacked"]]
    assert (honest["says"] == "not found").all() and list(honest["model"]) == ["ridge"]
    scaffold = found.attacks["LIME"].scaffold.real
    assert set(np.unique(scaffold.decide(case.test.rows))) == {False, True}
