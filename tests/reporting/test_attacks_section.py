"""The section on fooled explanations: its numbers are those of its tables, light and thorough, whatever the attack came to."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest
import worlds
from fooled import honest_net, related
from pages import numbers_of, told_of, words_of

from dlx.attacks import fooling
from dlx.attacks.defences import detection
from dlx.context import THOROUGH
from dlx.reporting.sections.attacks import measure
from dlx.stats import Interval

FULL = {"off_manifold", "hidden_effects"}


def context(case, *models, **changes):
    return dataclasses.replace(worlds.context(case, *models, people=10), **changes)


@pytest.fixture(scope="module")
def light():
    return told_of("attacks", context(related(), honest_net()))


def test_every_number_of_the_prose_is_a_cell_of_a_table(light):
    assert len(numbers_of(light.page, light.tables)) > 8 and len(numbers_of(light.evidence, light.tables)) > 4
    assert set(light.tables) == {"attacks_shown", "attacks_found", "attacks_facts", "attacks_lights"}


def test_the_section_tells_what_was_hidden_and_found(light):
    words = words_of(light.page)
    assert "By them everybody is flagged whose sex is f, and nothing else counts; explainers are shown other columns." in words
    assert "LIME leaves sex out of the three most important columns for 100 % (" in words
    found = light.tables["attacks_found"]
    attacked, honest = found[found["is_attacked"]], found[~found["is_attacked"]]
    assert f"in {attacked['is_right'].sum()} of {len(attacked)} tests of attacked models" in words
    assert f"in {honest['is_right'].sum()} of {len(honest)} tests of the audited" in words
    assert len(words_of(light.page, tables=False).split()) <= 450


def test_a_thorough_run_tells_everything_and_stays_within_the_words():
    told = told_of("attacks", context(related(), honest_net(), budget=THOROUGH))
    assert set(told.tables) == {"attacks_shown", "attacks_found", "attacks_facts", "attacks_lights"} | FULL
    assert set(told.tables["attacks_shown"]["seed"]) == {0, 1, 2}
    assert len(numbers_of(told.evidence, told.tables)) > 8
    assert len(words_of(told.evidence, tables=False).split()) <= 900


def test_a_net_and_a_column_that_stands_in_are_told():
    case, net = worlds.table("numeric"), worlds.model("smooth_net", "numeric")
    told = told_of("attacks", context(case, net))
    words = words_of(told.page)
    assert "No column of this table is marked as protected; age stands in for one." in words
    assert f"a ripple on a net's output ({net.name}, rippled), which changes no decision" in words
    assert numbers_of(told.page, told.tables)


def test_an_attack_that_failed_is_said_to_have_failed(monkeypatch):
    monkeypatch.setattr(fooling, "FIDELITY", 1.01)
    told = told_of("attacks", context(related(), honest_net()))
    assert "LIME was not fooled: the model that was built against it decides as planned about" in words_of(told.page)


def test_a_table_that_is_too_small_gets_a_sentence():
    told = told_of("attacks", context(related()[:90], honest_net()))
    assert "Attacks were not tried: an attack needs at least 100 rows" in words_of(told.page) and not told.tables


def test_what_is_found_in_an_audited_model_is_not_called_wrong(monkeypatch):
    audited = dataclasses.replace(honest_net(), name="audited")
    lines = [detection("a copied column", audited, False, "data check", Interval(1, 0.9, 1), 0.95)]
    made = fooling.fool(related(), [honest_net()], background=related().rows[:20], people=related().test[:4])
    found = pd.concat([made.detections, pd.DataFrame(lines)], ignore_index=True)
    monkeypatch.setattr(measure, "fool", lambda *_, **__: dataclasses.replace(made, detections=found))
    told = told_of("attacks", context(related(), honest_net()))
    assert "Found in an audited model, for a person to look into: a copied column (audited)." in words_of(told.page)
