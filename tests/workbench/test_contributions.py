"""What the engine in the browser makes of a prediction, held to Python: Shapley values, DeepLIFT, integrated gradients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import worlds
from browser_engine import changed
from forests import random_rows, random_trees
from torch import nn

import dlx
from dlx.kernels.trees import leaf_values
from dlx.model import NeuralModel, TreeModel
from dlx.model.heads import AgainstOthers, in_unit
from dlx.model.networks import framed
from dlx.schema import Feature, Schema
from dlx.trees import Reading

NETS = ("net", "smooth_net", "linear_net")


def last_of(answers, name):
    """What the last and best answer of each row says."""
    return np.array([steps[-1][name] for steps in answers])


@pytest.mark.parametrize("kind", [*NETS, "additive", "linear", "boosted", "forest"])
@pytest.mark.parametrize("scale", ["logit", "probability"])
def test_values_of_few_columns_are_exact(ask, world, kind, scale):
    asked, rows, background = worlds.model(kind, world), worlds.people(world), worlds.background(world)
    answers = ask("shapley", asked, rows=rows, background=background, scale=scale, seed=0, most=1e5)
    expected = dlx.explain(asked, rows, method="exact_shapley", background=background, scale=scale)
    np.testing.assert_allclose(last_of(answers, "values"), expected.values, atol=3e-6 if kind in (*NETS, "additive") else 1e-9)
    np.testing.assert_allclose(last_of(answers, "base"), expected.base_values, atol=1e-6)
    assert last_of(answers, "isExact").all() and not last_of(answers, "errors").any()


def test_an_additive_net_is_its_own_explanation_recalibrated_and_recoded_too(ask):
    whole, rows, background = worlds.additive("mixed"), worlds.people("mixed"), worlds.background("mixed")
    recode, line = nn.Linear(whole.encoder.width, whole.encoder.width, bias=False), nn.Linear(1, 1)
    with torch.no_grad():
        recode.weight.copy_(torch.eye(whole.encoder.width))
        line.weight.fill_(1.7)
    whole.network.chosen[1] = len(whole.schema)  # a pair that was not worth its place
    asked = replace(whole, network=framed(whole.network, recode=recode, line=line))
    expected = dlx.explain(asked, rows, method="exact_shapley", background=background, scale="logit")
    answers = ask("shapley", asked, rows=rows, background=background, scale="logit", seed=0, most=1e5)
    np.testing.assert_allclose(last_of(answers, "values"), expected.values, atol=3e-6)
    assert [len(steps) for steps in answers] == [1] * len(rows)  # no coalition was tried


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_leaves_give_what_they_give_in_python(ask, precision):
    reading = Reading(precision, absent=[[0, 0.4, 0.6]], placed=[[1, -1.0, 0.1]])
    trees = random_trees(4, count=20, depth=8, sets=(3,), levels=40, reading=reading)
    rows, background = np.split(random_rows(5, 40, sets=(3,), levels=40), [15])
    asked = TreeModel(trees, Schema(tuple(Feature(f"x{i}", missing=True) for i in range(5)), worlds.TARGET))
    answers = ask("shapley", asked, rows=rows, background=background, scale="logit", seed=0, most=1e5)
    np.testing.assert_allclose(last_of(answers, "values"), leaf_values(trees, rows, background), atol=1e-11)


def test_standard_errors_of_sampled_values_are_honest(ask):
    case, asked = dlx.load("heart_disease"), dlx.load_model("heart_disease", "mlp")
    rows, background = changed(case, 7), case.train.rows[:60]
    answers = ask("shapley", asked, rows=rows, background=background, scale="logit", seed=1, most=8_000)
    expected = dlx.explain(asked, rows, method="exact_shapley", background=background, scale="logit")
    values, errors = last_of(answers, "values"), last_of(answers, "errors")
    sampled = ~last_of(answers, "isExact")
    assert sampled.sum() >= 5
    off = np.abs(values - expected.values)[sampled] / errors[sampled]
    assert (off <= 2).mean() >= 0.93
    assert off.max() <= 5
    largest = np.abs(expected.values).max(axis=1, keepdims=True)
    assert np.median((errors / largest)[sampled]) <= 0.03
    for steps in answers:
        for answer in steps:
            assert sum(answer["values"]) == pytest.approx(answer["prediction"] - answer["base"], abs=1e-9)


def test_of_a_column_that_the_first_references_do_not_differ_in_nothing_is_sure(ask):
    case, asked = dlx.load("heart_attack"), dlx.load_model("heart_attack", "resnet")
    rows, background = np.repeat(changed(case, 1), 2, axis=0), case.train.rows[:100].copy()
    for column in range(8):
        background[np.arange(100) != column, column] = rows[0, column]  # only one reference differs in it
    given = {"rows": rows, "background": background, "scale": "logit", "seed": 0, "most": 1e9, "seconds": 0.02}
    first = [steps[0] for steps in ask("shapley", asked, **given)]
    plays = ((rows[:, None] != background) & ~(np.isnan(rows[:, None]) & np.isnan(background))).any(axis=1)
    assert plays.any() and not any(answer["isExact"] for answer in first)
    assert np.array([answer["errors"] for answer in first])[plays].min() > 1e-5


@pytest.mark.parametrize(("what", "method"), [("rescaled", "deeplift"), ("integrated", "integrated_gradients")])
@pytest.mark.parametrize("kind", NETS)
def test_gradients_of_small_nets(ask, world, kind, what, method):
    for scale in ("logit", "probability"):
        held_to(ask, what, method, worlds.model(kind, world), worlds.people(world), worlds.background(world), scale)


@pytest.mark.parametrize(("what", "method"), [("rescaled", "deeplift"), ("integrated", "integrated_gradients")])
@pytest.mark.parametrize("kind", ["mlp", "resnet"])
def test_gradients_of_shipped_nets(ask, kind, what, method):
    case = dlx.load("heart_attack")
    held_to(ask, what, method, dlx.load_model("heart_attack", kind), changed(case, 3), case.train.rows[:10], "logit")


def held_to(ask, what, method, asked, rows, background, scale):
    answers = ask(what, asked, rows=rows, background=background, scale=scale)
    expected = dlx.explain(asked, rows, method=method, background=background, scale=scale)
    largest = np.abs(expected.values).max(axis=1, keepdims=True)
    assert (np.abs([answer["values"] for answer in answers] - expected.values) <= 1e-4 * largest).all()
    np.testing.assert_allclose([answer["base"] for answer in answers], expected.base_values, atol=1e-6)


def net_of(task):
    """A net of one of several classes, or of a value in its unit."""
    torch.manual_seed(0)
    width = worlds.encoder("mixed").width
    body = nn.Sequential(nn.Linear(width, 16), nn.ReLU(), nn.Linear(16, 4 if task == "class" else 1))
    whole = nn.Sequential(body, AgainstOthers(2)) if task == "class" else in_unit(body, 50.0, 8.0)
    return NeuralModel(whole, worlds.encoder("mixed"), scales=("logit", "probability") if task == "class" else ("value",))


@pytest.mark.parametrize(("task", "scale"), [("class", "logit"), ("class", "probability"), ("value", "value")])
def test_one_of_several_classes_and_a_value(ask, task, scale):
    asked, rows, background = net_of(task), worlds.people("mixed"), worlds.background("mixed")
    np.testing.assert_allclose(ask("predictions", asked, rows=rows, scale=scale), asked.predict(rows, scale), rtol=1e-5)
    answers = ask("shapley", asked, rows=rows, background=background, scale=scale, seed=0, most=1e5)
    expected = dlx.explain(asked, rows, method="exact_shapley", background=background, scale=scale)
    np.testing.assert_allclose(last_of(answers, "values"), expected.values, atol=1e-5)
    for what, method in (("rescaled", "deeplift"), ("integrated", "integrated_gradients")):
        held_to(ask, what, method, asked, rows, background, scale)


def test_what_has_no_contributions_is_said(ask):
    rows, background = worlds.people("mixed"), worlds.background("mixed")
    assert "no net" in ask("integrated", worlds.model("boosted", "mixed"), rows=rows, background=background, scale="logit")
    nobody = {"rows": rows, "background": background[:0], "scale": "logit", "seed": 0, "most": 1}
    assert "at least one reference row" in ask("shapley", worlds.model("net", "mixed"), **nobody)
