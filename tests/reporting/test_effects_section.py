"""The section on effects: its sentences repeat its tables, and a model that refuses rows nobody has does not end it."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
import worlds
from pages import light, numbers_of, told_of, words_of

import dlx
from dlx.dataset import Dataset
from dlx.effects import accumulated_local_effects, partial_dependence
from dlx.errors import DlxError
from dlx.model import BlackBox
from dlx.progress import Narrator
from dlx.reporting.sections.effects.measure import distance, interaction_table, measure
from dlx.schema import Feature, Schema, Target

QUIET = Narrator(quiet=True)


def context(case, *models):
    """Return what the section is asked with: few people."""
    return worlds.context(case, *models, people=20, background=5)


@pytest.fixture(scope="module")
def mixed():
    """A net and boosted trees on the mixed table."""
    return context(worlds.table("mixed"), worlds.model("net", "mixed"), worlds.model("boosted", "mixed"))


@pytest.fixture(scope="module")
def told(mixed):
    return told_of("effects", mixed)


def test_every_number_of_the_prose_is_a_cell_of_a_table(told):
    assert len(numbers_of(told.page, told.tables)) > 15 and len(numbers_of(told.evidence, told.tables)) > 15


def test_everything_is_measured_and_each_figure_has_its_table(told):
    linked = re.findall(r"report-tables/(\w+)\.csv", f"{told.page}{told.evidence}")
    assert {"importance", "contributions", "partial_dependence", "permutation_importance", "pair_dependence"} < set(linked)
    assert set(linked) - set(told.tables) == {"contributions"}  # of the section on people
    assert "What could not be measured" not in told.evidence
    for name in ("partial_dependence", "permutation_importance", "friedman_h", "accumulated_local_effects"):
        assert set(told.tables[name]["model"]) == {"net", "boosted"}
    assert set(told.tables["interactions"]["model"]) == {"net"}
    assert set(told.tables["partial_dependence"]["feature"]) == set(worlds.MIXED.names)


def test_sentences_repeat_the_tables(told, mixed):
    first = told.tables["permutation_importance"].query("model == 'boosted'").iloc[0]
    assert f"When “{first['label']}” is shuffled among people, the log loss of boosted" in words_of(told.page)
    assert f"rises by {first['importance']:.3f} ({first['low']:.3f} to {first['high']:.3f})" in words_of(told.page)
    pair = told.tables["friedman_h"].query("model == 'net'").iloc[0]
    assert f"net joins “{pair['label']}” and “{pair['other_label']}” most" in words_of(told.evidence)
    joint = measure(mixed).about.joint
    size = np.abs(joint.values).mean(axis=0)
    assert told.tables["effects_between"]["between"].item() == pytest.approx(1 - np.trace(size) / size.sum())


def test_interactions_of_the_table_have_intervals_over_people(mixed):
    joint = measure(mixed).about.joint
    table = interaction_table(joint)
    assert len(table) == 15
    assert (table["low"] <= table["strength"]).all() and (table["strength"] <= table["high"]).all()
    line = table[(table["feature"] == "income") & (table["other_feature"] == "age")].iloc[0]
    assert line["strength"] == pytest.approx(np.abs(joint.values[:, 0, 2]).mean())
    cut = {name: getattr(joint, name)[:1] for name in ("values", "base_values", "outputs", "index")}
    assert np.isnan(interaction_table(dataclasses.replace(joint, **cut, standard_errors=None))["low"]).all()


def test_the_column_whose_mean_hides_people_is_named():
    schema = Schema((Feature("x"), Feature("sign"), Feature("kind", "categorical", levels=("a", "b"))), worlds.TARGET)
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.uniform(size=200), np.where(rng.random(200) < 0.75, 1, -1), rng.integers(2, size=200)])
    case = Dataset(schema, rows, (rng.random(200) < 0.5).astype(float))
    crossing = BlackBox(lambda t: 0.5 + 0.3 * t["x"] * t["sign"], schema, "crossing", scales=("probability",))
    about = context(case, crossing)
    hidden = measure(about).tables["effects_hidden"].iloc[0]
    assert hidden["against"] == (about.people.rows[:, 1] < 0).mean() and hidden["label"] == "x"
    assert f"on average, but falls for {100 * hidden['against']:.0f} % of people" in words_of(told_of("effects", about).page)
    alike = BlackBox(lambda t: 0.2 + 0.5 * t["x"], schema, "alike", scales=("probability",))
    assert "the predictions of alike in one direction for everybody" in words_of(told_of("effects", context(case, alike)).page)


def test_the_distance_of_partial_dependence_and_ale_is_that_of_their_curves():
    rng = np.random.default_rng(0)
    schema = Schema((Feature("x"), Feature("z")), Target("y", "regression"))
    x = rng.normal(size=300)
    rows = np.column_stack([x, x])
    product = BlackBox(lambda t: t["x"] * t["z"], schema, "product", scales=("value",))
    curve = partial_dependence(product, rows, "x", scale="value")
    found = distance(curve, accumulated_local_effects(product, rows, "x", scale="value", bins=100))
    expected = np.abs(curve.grid**2 / 2 - curve.mean - (np.mean(x**2) / 2 - curve.mean.mean())).max()
    assert found["gap"] == pytest.approx(expected, rel=0.1)
    assert found["swing"] == pytest.approx(np.ptp(curve.mean))
    assert found["at"] in [curve.feature.format(end) for end in curve.grid[[0, -1]]]
    plain = BlackBox(lambda t: 2 * t["x"], schema, "plain", scales=("value",))
    same = partial_dependence(plain, rows, "x", scale="value"), accumulated_local_effects(plain, rows, "x", scale="value")
    assert distance(*same)["gap"] < 0.1 * distance(*same)["swing"]


def fussy(case):
    """Return a model that refuses a level with an income that nobody has."""

    def score(people):
        if (people["income"].isna() & (people["age"] > 1.0)).any():
            raise ValueError("nobody of that age lacks an income")
        return 1 / (1 + np.exp(-people["age"]))

    return BlackBox(score, case.schema, "fussy", scales=("probability", "logit"))


def decided():
    """Return the mixed table without those whom the model refuses."""
    case = worlds.table("mixed")
    return case[~(np.isnan(case.rows[:, 0]) & (case.rows[:, 2] > 1.0))]


def test_a_model_that_refuses_rows_nobody_has_is_told_of_where_it_answers():
    case = decided()
    asked = context(case, fussy(case), worlds.model("boosted", "mixed"))
    found = measure(asked)
    remarks = found.about.remarks
    assert any(r.startswith("The partial dependence of “income” by fussy: ValueError: nobody") for r in remarks)
    curves = found.tables["partial_dependence"]
    assert set(curves["model"]) == {"fussy", "boosted"}
    assert set(curves.loc[curves["feature"] == "income", "model"]) == {"boosted"}
    text = words_of(told_of("effects", asked).evidence)
    assert "What could not be measured" in text and all(" ".join(remark.split()) in text for remark in remarks)


def test_a_model_that_answers_nothing_leaves_remarks_alone():
    case = worlds.table("mixed")

    def refuses(people):
        raise RuntimeError("no")

    found = measure(context(case, BlackBox(refuses, case.schema, "mute", scales=("probability", "logit"))))
    assert found.tables == {} and len(found.about.remarks) == 2 * 5 + 3


@pytest.fixture
def no_pictures(monkeypatch):
    """Leave the pictures of a page empty."""
    light(monkeypatch)


def picky(case):
    """Return a model that refuses a level that nobody has."""

    def score(people):
        if (people["housing"] == "free").any():
            raise ValueError("nobody lives for free")
        return 1 / (1 + np.exp(-people["age"] - 0.5 * people["income"].fillna(0)))

    return BlackBox(score, case.schema, "picky", scales=("probability", "logit"))


def mute(case):
    """Return a model that answers nothing but rows that are people."""
    known = {row.tobytes() for row in case.rows}

    def score(people):
        rows = case.schema.encode(people)
        if any(row.tobytes() not in known for row in rows):
            raise ValueError("that is nobody")
        return 1 / (1 + np.exp(-people["age"]))

    return BlackBox(score, case.schema, "mute", scales=("probability", "logit"))


def paying():
    """Return the mixed table without those who live for free."""
    case = worlds.table("mixed")
    return case[case.rows[:, 1] != 2]


def page(case, *models, path):
    """Return the words of both pages of a small report."""
    written = dlx.report(case, models=models, people=8, background=6, audit=False, path=path, narrator=QUIET)
    return words_of(written.read_text() + path.with_name(f"{path.stem}-evidence.html").read_text())


@pytest.mark.usefixtures("no_pictures")
def test_a_page_is_written_of_a_model_that_refuses_a_level_nobody_has(tmp_path):
    text = page(paying(), picky(paying()), path=tmp_path / "r.html")
    assert "What could not be measured" in text
    assert "The partial dependence of “housing” by picky: ValueError: nobody lives for free" in text
    assert "ALE of “housing”" not in text  # it takes no step to a level that nobody has
    assert "left out of this report" not in text


@pytest.mark.usefixtures("no_pictures")
def test_a_model_that_no_method_can_ask_is_left_out_and_said_to_be(tmp_path):
    case = worlds.table("mixed")
    text = page(case, mute(case), worlds.model("boosted", "mixed"), path=tmp_path / "r.html")
    assert re.search(r"mute is left out, since no method could explain it: .*that is nobody", text)
    assert "boosted" in text
    with pytest.raises(DlxError, match=r"needs a model that a method can explain, got mute: .*that is nobody"):
        page(case, mute(case), path=tmp_path / "r.html")


def test_a_table_of_one_column_has_no_pairs():
    schema = Schema((Feature("only"),), worlds.TARGET)
    rng = np.random.default_rng(0)
    case = Dataset(schema, rng.normal(size=(80, 1)), rng.integers(2, size=80).astype(float))
    asked = context(case, BlackBox(lambda t: 1 / (1 + np.exp(-t["only"])), schema, "one", scales=("probability", "logit")))
    found = measure(asked)
    assert found.about.joint is None and found.about.remarks == [] and "friedman_h" not in found.tables
    told = told_of("effects", asked)
    assert f"{told.page}{told.evidence}".count("<figure") == 5  # all but the two of pairs


def test_a_constant_column_and_a_column_that_all_lack_are_drawn():
    case = worlds.table("mixed")
    rows = case.rows.copy()
    rows[:, 0], rows[:, 2] = np.nan, 1.0
    asked = context(Dataset(case.schema, rows, case.outcomes), worlds.model("net", "mixed"), worlds.model("boosted", "mixed"))
    told = told_of("effects", asked)
    assert "What could not be measured" not in told.evidence and f"{told.page}{told.evidence}".count("<figure") == 7


def test_columns_that_say_the_same_or_tell_the_outcome_are_named():
    rng = np.random.default_rng(0)
    schema = Schema((Feature("x"), Feature("twice"), Feature("after")), worlds.TARGET)
    x, outcomes = rng.normal(size=3_000), rng.integers(2, size=3_000).astype(float)
    case = Dataset(schema, np.column_stack([x, 2 * x, outcomes + 0.01 * rng.normal(size=3_000)]), outcomes)
    model = BlackBox(lambda t: 1 / (1 + np.exp(-t["x"] - t["after"])), schema, "sum", scales=("probability", "logit"))
    told = told_of("effects", context(case, model))
    assert "“after” alone tells the outcome (ROC AUC" in words_of(told.page)
    assert "“twice” and “x” say the same, or follow from each other" in words_of(told.page)
    assert "Shuffled together, “twice” and “x” cost sum" in words_of(told.evidence)
    assert isinstance(told.tables["copied_columns"], pd.DataFrame)


def test_an_additive_model_is_drawn_whole():
    asked = worlds.context(worlds.table("mixed"), worlds.model("additive", "mixed"), people=8, background=4)
    told = told_of("effects", dataclasses.replace(asked, siblings={"additive": [worlds.model("additive", "mixed", 1)]}))
    assert "The curves that are all of additive, every person's contributions" in words_of(told.page)
    assert "What a column adds to additive, on average over people nothing" in words_of(told.evidence)
    assert "Bands hold 2 trainings" in words_of(told.evidence)
    assert set(told.tables["shape_functions"]["feature"]) == set(worlds.MIXED.names)
