"""The section on performance: its words, tables and figures say what was measured, for any binary case."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
import worlds
from sklearn.tree import DecisionTreeClassifier

from dlx.audit.miscalibration import calibration
from dlx.dataset import Dataset
from dlx.model import wrap, wrap_trees
from dlx.reporting.phrases import threshold_percent
from dlx.reporting.sections.blocks import Table, Words
from dlx.reporting.sections.checklist import ITEMS
from dlx.reporting.sections.performance import section
from dlx.reporting.sections.performance.told import _alarms, gain, odds
from dlx.schema import Target

KEYS = {"discrimination", "calibration", "recalibration", "decision", "interpretable"}


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    return made(worlds.table("mixed", size=600), tmp_path_factory.mktemp("audit"))


def made(case, folder):
    return worlds.context(case, folder=folder)


@pytest.fixture(scope="module")
def models(setting):
    """Boosted trees, a forest that is far too timid, and a linear model and a single tree to compare them with."""
    case = setting.case
    fitted = DecisionTreeClassifier(max_depth=3, random_state=0).fit(np.nan_to_num(case.train.rows), case.train.outcomes)
    tree = dataclasses.replace(wrap_trees(fitted, case.schema), name="tree")
    return [worlds.boosted("mixed"), worlds.forest("mixed"), worlds.linear("mixed"), tree]


@pytest.fixture(scope="module")
def told(setting, models):
    return section(setting, models)


def blocks(told, kind):
    return [block for block in told.blocks if isinstance(block, kind)]


def words(told):
    return " ".join([*told.findings, *[line for block in blocks(told, Words) for line in block.sentences]])


def test_the_section_covers_its_items_of_the_checklist(told):
    assert set(told.covers) == KEYS <= {key for _, _, key in ITEMS}
    assert all(re.search(r"\d", sentence) for sentence in told.covers.values())
    assert 1 <= len(told.findings) <= 3 and all(finding.endswith(".") for finding in told.findings)


def test_every_figure_names_a_table_and_every_table_has_finite_estimates(told):
    figures = [block for block in told.blocks if block.kind == "figure"]
    assert [figure.table for figure in figures] == ["calibration_curves", "decision_curves"]
    assert {figure.table for figure in figures} < set(told.tables)
    assert all(isinstance(table, pd.DataFrame) and len(table) for table in told.tables.values())
    assert told.tables["performance_audited"][["estimate", "low", "high"]].notna().all(axis=None)


def test_numbers_on_the_page_are_those_of_the_csv(told, models):
    table = told.tables["performance_audited"].set_index(["model", "metric"])
    shown = {line[0]: line for line in blocks(told, Table)[0].lines}
    assert list(shown) == [*(model.name for model in models), "none"]
    for model in models:
        for cell, metric in zip(shown[model.name][2:], ("auc", "average_precision", "brier", "log_loss"), strict=False):
            line = table.loc[(model.name, metric)]
            assert cell == f"{line.estimate:.3f} ({line.low:.3f}\u00a0to\u00a0{line.high:.3f})"
    predicted = told.tables["test_predictions"]
    assert ((predicted["outcome"] == 1).groupby(predicted["outcome"]).all() == [False, True]).all()


def test_models_are_recalibrated_where_the_validation_rows_say_so_and_only_there(told, setting, models):
    validated = {model.name: calibration(model, setting.case.validation).needs_recalibration for model in models}
    assert any(validated.values()) and not all(validated.values())
    changed = told.tables["explanations_recalibrated"]
    names = {name.removesuffix(" recalibrated") for name in changed["model"]}
    assert names == {name for name, needs in validated.items() if needs}
    judged = told.tables["calibration"]
    for name in names:
        assert f"{name} needs recalibration: intercept" in words(told)
        assert f"{name} recalibrated" in set(judged["model"])
    assert "decision" in told.covers and set(changed["people"]) == {40}


def test_models_that_can_be_read_are_what_others_are_compared_with(told):
    pairs = told.tables["advantages"]
    assert set(pairs["model"]) == {"boosted", "forest"} and set(pairs["interpretable"]) == {"linear", "tree"}
    marked = {(line[0], line[1]): sum("●" in cell for cell in line) for line in blocks(told, Table)[1].lines}
    assert marked == pairs.groupby(["model", "interpretable"])["significant"].sum().to_dict()


def test_without_a_model_that_can_be_read_there_is_no_comparison(setting, models):
    alone = section(setting, models[:1])
    assert set(alone.covers) == KEYS - {"interpretable"} and "advantages" not in alone.tables
    interpretable = section(setting, models[2:3])
    assert "interpretable" not in interpretable.covers and "linear costs" in interpretable.covers["decision"]


def rare(events):
    """Return people of whom the first few have the outcome; the split gives the test rows none of two, one of three."""
    case = worlds.table("mixed")
    return Dataset(case.schema, case.rows, (np.arange(len(case)) < events).astype(float), name="rare")


def test_one_class_among_the_test_rows_is_said_and_not_judged(tmp_path):
    told = section(made(rare(2), tmp_path), [worlds.boosted("mixed")])
    assert told.findings == ("All 60 test rows have the same outcome: no model can be judged by them.",)
    assert not told.covers and not told.tables


def test_one_class_among_the_validation_rows_means_no_recalibration(tmp_path):
    case = rare(3)
    assert case.test.outcomes.sum() == 1 and case.validation.outcomes.sum() == 0
    told = section(made(case, tmp_path), [worlds.boosted("mixed"), worlds.linear("mixed")])
    assert "All 60 validation rows have the same outcome: whether to recalibrate cannot be judged by them." in words(told)
    assert set(told.tables["calibration"]["part"]) == {"test"} and "explanations_recalibrated" not in told.tables
    assert set(told.covers) == KEYS - {"recalibration"}


def test_a_constant_model_and_one_of_certain_predictions_are_told_without_a_failure(setting):
    case = setting.case
    constant = wrap(lambda table: np.full(len(table), 0.9), case.schema, name="constant")
    certain = wrap(lambda table: (table["age"] > 0.3).astype(float), case.schema, name="certain")
    told = section(setting, [constant, certain, worlds.linear("mixed")])
    assert "constant needs recalibration and could not be recalibrated" in words(told)
    assert "recalibration needs predictions that differ, but constant predicts 0.9 for all" in words(told)
    assert told.tables["calibration"]["note"].str.contains("of 0 or 1 were moved there").any()


def test_small_words():
    assert [gain(x) for x in (0.0081, -0.0004, -0.0123, 1.5)] == ["+.008", "+.000", "−.012", "+1.500"]
    assert [odds(x) for x in (1.234, -0.5, -0.001, np.inf, -np.inf, np.nan)] == ["1.23", "−0.50", "0.00", "∞", "−∞", "–"]


def test_a_model_that_costs_more_than_acting_on_nobody_is_called_dearer(tmp_path):
    case = worlds.table("mixed", size=600)
    target = dataclasses.replace(case.schema.target, threshold=0.9)
    case = dataclasses.replace(case, schema=dataclasses.replace(case.schema, target=target))
    own = wrap(lambda table: np.where(table["age"] < 0, 0.95, 0.05), case.schema, name="upside down", scale="probability")
    assert "(told apart: the model is dearer)" in section(made(case, tmp_path), [own]).covers["decision"]


@pytest.mark.parametrize(
    ("threshold", "said", "ratio"),
    [
        (1 / 6, "16.7 %", "5 false"),
        (0.0001, "0.01 %", "9,999 false"),
        (0.99999, "99.999 %", "1e-05 false"),
        (0.5, "50 %", "a false"),
    ],
)
def test_a_threshold_near_0_or_1_is_not_rounded_to_it(threshold, said, ratio):
    assert threshold_percent(Target("y", levels=("no", "yes"), threshold=threshold)) == said
    assert _alarms((1 - threshold) / threshold).startswith(ratio)
