"""The section on performance: its numbers are those of its tables, for any binary case."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import worlds
from pages import numbers_of, told_of, words_of
from sklearn.tree import DecisionTreeClassifier

from dlx.audit.miscalibration import calibration
from dlx.dataset import Dataset
from dlx.model import wrap, wrap_trees
from dlx.reporting.sections.performance.measure import explained_change, measure
from dlx.rounding import threshold_in_percent
from dlx.stats import auc_difference


@pytest.fixture(scope="module")
def context():
    """Boosted trees, a forest that is far too timid, and a linear model and a single tree to compare them with."""
    case = worlds.table("mixed", size=600)
    fitted = DecisionTreeClassifier(max_depth=3, random_state=0).fit(np.nan_to_num(case.train.rows), case.train.outcomes)
    tree = dataclasses.replace(wrap_trees(fitted, case.schema), name="tree")
    return worlds.context(case, worlds.boosted("mixed"), worlds.forest("mixed"), worlds.linear("mixed"), tree)


@pytest.fixture(scope="module")
def told(context):
    return told_of("performance", context)


def test_every_number_of_the_prose_is_a_cell_of_a_table(told):
    assert len(numbers_of(told.page, told.tables)) > 8 and len(numbers_of(told.evidence, told.tables)) > 0


def test_models_are_recalibrated_where_the_validation_rows_say_so_and_only_there(told, context):
    validated = {model.name: calibration(model, context.case.validation).needs_recalibration for model in context.models}
    assert any(validated.values()) and not all(validated.values())
    assert set(told.tables["explanations_recalibrated"]["model"]) == {name for name, needs in validated.items() if needs}
    for name, needs in validated.items():
        assert (f"{name} needs recalibration" in words_of(told.page)) == needs
    assert set(told.tables["explanations_recalibrated"]["people"]) == {40}
    assert "dlx fix" not in words_of(told.page)  # dlx trained none of these, and cannot make one anew


def test_black_boxes_are_compared_with_each_model_that_can_be_read(told, context):
    pairs = told.tables["advantages"]
    assert set(pairs["model"]) == {"boosted", "forest"} and set(pairs["interpretable"]) == {"linear", "tree"}
    alone = measure(worlds.context(context.case, context.models[0]))
    assert "advantages" not in alone.tables and "black_box" not in alone.tables


def test_what_a_black_box_buys_is_the_best_black_box_against_the_best_model_that_can_be_read(told, context):
    (line,) = told.tables["black_box"].to_dict("records")
    losses = context.performance.query("metric == 'log_loss'").set_index("model")["estimate"]
    assert (line["model"], line["interpretable"]) == tuple(
        losses[some].idxmin() for some in (["boosted", "forest"], ["linear", "tree"])
    )
    one, other = (next(model for model in context.models if model.name == line[of]) for of in ("model", "interpretable"))
    test = context.case.test
    difference = auc_difference(test.outcomes, *(model.predict(test, "probability") for model in (one, other)))
    assert (line["auc"], line["auc_low"], line["auc_high"]) == pytest.approx(difference)
    assert f"{one.name}, the best one, gains" in words_of(told.page)
    assert f"on {other.name}, the best interpretable model" in words_of(told.page)


def rare(events):
    """Return people of whom the first few have the outcome; the split gives the test rows none of two, one of three."""
    case = worlds.table("mixed")
    return Dataset(case.schema, case.rows, (np.arange(len(case)) < events).astype(float), name="rare")


def test_one_class_among_the_test_rows_is_said_and_not_judged():
    told = told_of("performance", worlds.context(rare(2), worlds.boosted("mixed")))
    assert words_of(told.page) == "All 60 test rows have the same outcome: no model can be judged by them."
    assert set(told.tables) == {"performance_facts"}


def test_one_class_among_the_validation_rows_means_no_recalibration():
    case = rare(3)
    assert case.test.outcomes.sum() == 1 and case.validation.outcomes.sum() == 0
    told = told_of("performance", worlds.context(case, worlds.boosted("mixed"), worlds.linear("mixed")))
    assert "All 60 validation rows have the same outcome: whether to recalibrate" in words_of(told.evidence)
    assert set(told.tables["calibration"]["part"]) == {"test"} and "explanations_recalibrated" not in told.tables


def test_a_constant_model_and_one_of_certain_predictions_are_told_without_a_failure(context):
    case = context.case
    constant = wrap(lambda table: np.full(len(table), 0.9), case.schema, name="constant")
    certain = wrap(lambda table: (table["age"] > 0.3).astype(float), case.schema, name="certain")
    told = told_of("performance", worlds.context(case, constant, certain, worlds.linear("mixed")))
    assert "constant needs recalibration and could not be recalibrated" in words_of(told.page)
    assert "recalibration needs predictions that differ, but constant predicts 0.9 for all" in words_of(told.evidence)
    assert told.tables["calibration"]["note"].str.contains("of 0 or 1 were moved there").any()


def test_a_model_that_costs_more_than_acting_on_nobody_loses():
    case = worlds.table("mixed", size=600)
    target = dataclasses.replace(case.schema.target, threshold=0.9)
    case = dataclasses.replace(case, schema=dataclasses.replace(case.schema, target=target))
    own = wrap(lambda table: np.where(table["age"] < 0, 0.95, 0.05), case.schema, name="upside down", scale="probability")
    told = told_of("performance", worlds.context(case, own))
    assert "At that price upside down loses" in words_of(told.page) and told.tables["worth"]["is_clear"].all()


@pytest.mark.parametrize(("threshold", "said"), [(1 / 6, "16.7 %"), (0.0001, "0.01 %"), (0.99999, "99.999 %"), (0.5, "50 %")])
def test_a_threshold_near_0_or_1_is_not_rounded_to_it(threshold, said):
    assert threshold_in_percent(threshold) == said


def test_explained_change_is_what_the_values_say():
    before = worlds.said([[1.0, -2, 3, 0.5], [2, 1, 0, 0.5]])
    after = dataclasses.replace(before, values=0.5 * before.values, outputs=0.5 + 0.5 * before.values.sum(axis=1))
    same = explained_change(before, after, top=2).set_index("quantity")["estimate"]
    assert same.to_dict() == pytest.approx(
        {"size_before": 1.25, "size_after": 0.625, "size_ratio": 0.5, "rank_correlation": 1.0, "top_kept": 1.0}
    )
    other = dataclasses.replace(before, values=before.values[:, ::-1])
    turned = explained_change(before, other, top=1).set_index("quantity")["estimate"]
    assert turned["size_ratio"] == 1 and turned["top_kept"] == 0
    assert turned["rank_correlation"] == pytest.approx(np.mean([0.6, -0.6]))  # by hand: Σd² is 4 and 16
