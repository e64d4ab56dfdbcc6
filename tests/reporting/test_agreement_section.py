"""The section on the explanations themselves: its numbers are those of its tables, quick and thorough."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import worlds
from pages import numbers_of, told_of, words_of

from dlx.context import Budget
from dlx.model import BlackBox
from dlx.reporting.sections.agreement.measure import measure

FEW = Budget(
    "thorough", noise_people=8, replicates=2, truth_tolerance=0.1, settings_people=3, stability_people=2, sanity_people=2
)


@pytest.fixture(scope="module")
def context():
    """A net and boosted trees, quickly."""
    return worlds.context(
        worlds.table("mixed"), worlds.model("net", "mixed"), worlds.model("boosted", "mixed"), people=12, background=6
    )


@pytest.fixture(scope="module")
def told(context):
    return told_of("agreement", context)


@pytest.fixture(scope="module")
def thorough():
    """Two nets with siblings, and boosted trees, with few people."""
    models = [worlds.model(kind, "numeric") for kind in ("net", "smooth_net", "boosted")]
    siblings = {kind: [worlds.model(kind, "numeric", seed) for seed in (1, 2)] for kind in ("net", "smooth_net")}
    asked = worlds.context(worlds.table("numeric"), *models, people=8, background=5)
    return told_of("agreement", dataclasses.replace(asked, budget=FEW, siblings=siblings))


def test_every_number_of_the_prose_is_a_cell_of_a_table(told, thorough):
    assert len(numbers_of(told.page, told.tables)) > 15
    assert len(numbers_of(thorough.page, thorough.tables)) > 15 and len(numbers_of(thorough.evidence, thorough.tables)) > 8


def test_sentences_repeat_the_tables(told):
    agreed = told.tables["agreement"].query("model == 'net' and metric == 'feature_agreement'")
    line = told.tables["agreement_lights"].set_index("model").loc["net"]
    assert line["agreement"] == pytest.approx(agreed["mean"].mean()) and line["least"] == agreed["mean"].min()
    assert f"name on average {2 * agreed['mean'].mean():.1f} of the two most important columns of net" in words_of(told.page)
    errors = told.tables["distance_to_truth"].query("model == 'net' and measure == 'relative_error'")
    assert line["furthest"] == errors.loc[errors["median"].idxmax(), "method"]
    assert line["furthest_distance"] == errors["median"].max()


def test_lights_are_of_the_methods_whose_word_counts(told):
    line = told.tables["agreement_lights"].set_index("model").loc["boosted"]
    trusted = told.tables["trust"].query("model == 'boosted' and trusted")["method"]
    floors = told.tables["noise_floors"].query("model == 'boosted' and metric == 'feature_agreement' and source == 'seed'")
    assert line["stability"] == floors[floors["method"].isin(trusted)]["mean"].mean()
    assert line["distance"] < 1e-6 and line["furthest_distance"] > 0.1  # trees are exact, another question is far


def test_a_quick_run_says_nothing_of_what_it_did_not_measure(told):
    assert "Do the models differ, or the methods?" not in told.evidence and "faithfulness" not in told.tables
    assert "--thorough" not in f"{told.page}{told.evidence}"


def test_a_thorough_run_tells_everything(thorough):
    for table in ("causes", "components", "distances", "faithfulness", "stability", "randomised_weights", "training_seeds"):
        assert len(thorough.tables[table]) > 0
    text = words_of(thorough.evidence)
    for words in ("Do the models differ, or the methods?", "Sensitivity-n", "Local Lipschitz", "Parts of the share"):
        assert words in text
    assert f"{thorough.page}{thorough.evidence}".count("<figure") == 7


def test_one_method_has_nothing_to_be_compared_with():
    case = worlds.table("numeric")
    lonely = BlackBox(lambda t: 1 / (1 + np.exp(-t["age"])), case.schema, "lonely", scales=("probability", "logit"))
    asked = worlds.context(case, lonely, people=8, background=5)
    for pair in [pair for pair in asked.explanations if pair[1] != "lime"]:
        asked.explanations.pop(pair)
    asked.on_panel.clear()
    asked.on_panel.update(asked.explanations)
    assert "agreement" not in measure(asked).tables
    assert "nothing to compare" in words_of(told_of("agreement", asked).page)


def test_a_model_that_says_the_same_of_everybody_has_nothing_to_be_far_from():
    case = worlds.table("numeric")
    constant = BlackBox(lambda t: np.full(len(t), 0.4), case.schema, "constant", scales=("probability", "logit"))
    told = told_of("agreement", worlds.context(case, constant, people=10, background=5))
    assert "Whether methods on constant differ cannot be told: not defined" in words_of(told.page)
    assert "Who is right?" not in told.page and "nan" not in words_of(told.page)
    assert told.tables["agreement_lights"]["closest"].item() == ""
