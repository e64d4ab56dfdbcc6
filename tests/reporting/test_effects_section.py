"""The report's effects: its sentences repeat its tables, and a model that refuses rows nobody has does not end it."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest
import worlds

import dlx
from dlx.context import Budget
from dlx.dataset import Dataset
from dlx.effects import accumulated_local_effects, partial_dependence
from dlx.errors import DlxError
from dlx.model import BlackBox
from dlx.progress import Narrator
from dlx.reporting.effects import words
from dlx.reporting.effects.section import effects_blocks, effects_tables, interaction_table
from dlx.reporting.effects.study import effects_of
from dlx.schema import Feature, Schema, Target

QUIET = Narrator(quiet=True)


def setting(case):
    """Return what a small report of a table asks with."""
    return worlds.context(case, people=6, background=5)


def told(case, *models, features=None):
    """Return what a study would hold of the effects of some models."""
    effects = effects_of(setting(case), models, case.test[:20], list(features or case.schema.names))
    return SimpleNamespace(effects=effects, case=case, people=effects.people, seed=0)


@pytest.fixture(scope="module")
def mixed():
    """A net and boosted trees on the mixed table."""
    return told(worlds.table("mixed"), worlds.model("net", "mixed"), worlds.model("boosted", "mixed"))


def kinds(blocks):
    """Return what each block is."""
    return [block.kind for block in blocks]


def test_everything_is_measured_and_each_figure_has_its_table(mixed):
    assert mixed.effects.remarks == []
    blocks, tables = effects_blocks(mixed), effects_tables(mixed.effects, seed=0)
    figures = [b for b in blocks if b.kind == "figure"] + [b for f in blocks if f.kind == "folded" for b in f.blocks]
    names = {figure.table for figure in figures if figure.kind == "figure"}
    assert names == {"partial_dependence", "permutation_importance", "pair_dependence", "interactions"}
    assert set(tables) == names | {"accumulated_local_effects", "friedman_h"}
    for name, table in tables.items():
        assert set(table["model"]) == ({"net"} if name == "interactions" else {"net", "boosted"})
    assert set(tables["partial_dependence"]["feature"]) == set(mixed.case.schema.names)


def test_sentences_repeat_the_tables(mixed):
    effects = mixed.effects
    first = effects.importance[effects.importance["model"] == "boosted"].iloc[0]
    text = words.what_accuracy_rests_on(effects)
    assert f"The accuracy of boosted rests most on “{first['label']}”" in text
    assert f"rises by {first['importance']:.3f} ({first['low']:.3f} to {first['high']:.3f})" in text
    pair = effects.pairs[effects.pairs["model"] == "net"].iloc[0]
    assert f"net joins “{pair['label']}” and “{pair['other_label']}” most" in words.which_pair_is_joined(effects)
    assert {surface.feature.name for surface in effects.surfaces} == {pair["feature"]}
    table = interaction_table(effects.joint)
    strongest = table[table["feature"] != table["other_feature"]].iloc[0]
    share, _ = words.what_a_main_effect_hides(effects.joint, table)
    assert f"“{strongest['label']}” with “{strongest['other_label']}”: {strongest['strength']:.3f}" in share
    size = np.abs(effects.joint.values).mean(axis=0)
    between = 1 - np.trace(size) / size.sum()
    assert float(re.search(r"([\d.]+) % of the size", share).group(1)) == pytest.approx(100 * between, abs=0.51)


def test_interactions_of_the_table_have_intervals_over_people(mixed):
    joint, table = mixed.effects.joint, interaction_table(mixed.effects.joint)
    assert len(table) == 15
    assert (table["low"] <= table["strength"]).all() and (table["strength"] <= table["high"]).all()
    line = table[(table["feature"] == "income") & (table["other_feature"] == "age")].iloc[0]
    assert line["strength"] == pytest.approx(np.abs(joint.values[:, 0, 2]).mean())
    assert np.isnan(interaction_table(_first(joint))["low"]).all()


def _first(joint):
    import dataclasses

    cut = {name: getattr(joint, name)[:1] for name in ("values", "base_values", "outputs", "index")}
    return dataclasses.replace(joint, **cut, standard_errors=None)


def test_the_column_whose_mean_hides_people_is_named():
    schema = Schema((Feature("x"), Feature("sign"), Feature("kind", "categorical", levels=("a", "b"))), worlds.TARGET)
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.uniform(size=200), np.where(rng.random(200) < 0.75, 1, -1), rng.integers(2, size=200)])
    case = Dataset(schema, rows, (rng.random(200) < 0.5).astype(float))
    crossing = BlackBox(lambda t: 0.5 + 0.3 * t["x"] * t["sign"], schema, "crossing", scales=("probability",))
    effects = told(case, crossing).effects
    against = (effects.people.rows[:, 1] < 0).mean()
    text = words.whom_the_mean_hides(effects)
    assert f"for {100 * against:.0f} % of 20 people it goes the other way" in text and "“x”" in text
    alike = BlackBox(lambda t: 0.2 + 0.5 * t["x"], schema, "alike", scales=("probability",))
    assert "Nobody's prediction by alike goes against the mean" in words.whom_the_mean_hides(told(case, alike).effects)


def test_the_distance_of_partial_dependence_and_ale_is_that_of_their_curves():
    rng = np.random.default_rng(0)
    schema = Schema((Feature("x"), Feature("z")), Target("y", "regression"))
    x = rng.normal(size=300)
    rows = np.column_stack([x, x])
    product = BlackBox(lambda t: t["x"] * t["z"], schema, "product", scales=("value",))
    curve = partial_dependence(product, rows, "x", scale="value")
    local = accumulated_local_effects(product, rows, "x", scale="value", bins=100)
    gap, swing, at = words.distance(curve, local)
    assert gap == pytest.approx(np.abs(curve.grid**2 / 2 - curve.mean - (np.mean(x**2) / 2 - curve.mean.mean())).max(), rel=0.1)
    assert swing == pytest.approx(np.ptp(curve.mean)) and at in curve.grid[[0, -1]]
    plain = BlackBox(lambda t: 2 * t["x"], schema, "plain", scales=("value",))
    same = partial_dependence(plain, rows, "x", scale="value"), accumulated_local_effects(plain, rows, "x", scale="value")
    assert words.distance(*same)[0] < 0.1 * words.distance(*same)[1]


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
    story = told(case, fussy(case), worlds.model("boosted", "mixed"))
    effects = story.effects
    assert any(r.startswith("The partial dependence of “income” by fussy: ValueError: nobody") for r in effects.remarks)
    assert {c.model for some in effects.curves for c in some} == {"fussy", "boosted"}
    income = next(some for some in effects.curves if some[0].feature.name == "income")
    assert [c.model for c in income] == ["boosted"]
    assert set(effects.importance["model"]) >= {"boosted"}
    blocks = effects_blocks(story)
    assert kinds(blocks)[-2:] == ["heading", "listed"] and blocks[-1].items == tuple(effects.remarks)


def test_a_model_that_answers_nothing_leaves_remarks_alone():
    case = worlds.table("mixed")

    def refuses(people):
        raise RuntimeError("no")

    story = told(case, BlackBox(refuses, case.schema, "mute", scales=("probability", "logit")))
    assert kinds(effects_blocks(story)) == ["heading", "listed"]
    assert effects_tables(story.effects, seed=0) == {}
    assert len(story.effects.remarks) == 2 * 5 + 3


@pytest.fixture
def no_pictures(monkeypatch):
    """Leave the pictures of a page empty."""
    for module in ("figures", "effects.figures", "evidence.figures"):
        monkeypatch.setattr(f"dlx.reporting.{module}.embedded", lambda _: "data:,")
    monkeypatch.setattr("dlx.reporting.QUICK", Budget("quick", 3, 2, 0.1, 3))


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
    """Return the text of a small report."""
    return dlx.report(case, models=models, people=8, background=6, audit=False, path=path, narrator=QUIET).read_text()


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
    assert re.search(r"mute is left out of this report, since no method could explain it: .*that is nobody", text)
    assert "boosted" in text
    with pytest.raises(DlxError, match=r"needs a model that a method can explain, got mute: .*that is nobody"):
        page(case, mute(case), path=tmp_path / "r.html")


def test_a_table_of_one_column_has_no_pairs():
    schema = Schema((Feature("only"),), worlds.TARGET)
    rng = np.random.default_rng(0)
    case = Dataset(schema, rng.normal(size=(80, 1)), rng.integers(2, size=80).astype(float))
    one = BlackBox(lambda t: 1 / (1 + np.exp(-t["only"])), schema, "one", scales=("probability", "logit"))
    story = told(case, one)
    assert story.effects.joint is None and story.effects.remarks == [] and len(story.effects.pairs) == 0
    assert kinds(effects_blocks(story)).count("figure") == 2


def test_a_constant_column_and_a_column_that_all_lack_are_drawn():
    case = worlds.table("mixed")
    rows = case.rows.copy()
    rows[:, 0], rows[:, 2] = np.nan, 1.0
    story = told(Dataset(case.schema, rows, case.outcomes), worlds.model("net", "mixed"), worlds.model("boosted", "mixed"))
    assert story.effects.remarks == []
    assert kinds(effects_blocks(story)).count("figure") == 4
