"""The additive net: its own attribution is exact Shapley values, it finds pairs that interact, and it can be bound."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import wines
import worlds

import dlx
from dlx import checkpoint, training
from dlx.architectures.additive import _interaction, interacting
from dlx.audit.recalibration import recalibrated
from dlx.context import is_black_box
from dlx.explainers import fits
from dlx.model import AdditiveModel, NeuralModel, ScaleError
from dlx.schema import Target
from dlx.workbench.writing import written

SHORT = {"max_epochs": 4, "learning_rate": 0.01}


def crossed(size=1_200):
    """The mixed table, with an outcome that rises with age for one sex and falls for the other: no curve can say that."""
    case = worlds.table("mixed", size)
    agree = np.sign(case.rows[:, 2]) * np.where(case.rows[:, 3] == 1, 1, -1)
    return dataclasses.replace(case, outcomes=(np.random.default_rng(0).random(size) < 0.5 + 0.4 * agree).astype(float))


@pytest.fixture(scope="module")
def case():
    """Numbers, categories and gaps, with two columns that interact."""
    return crossed()


@pytest.fixture(scope="module")
def trained(case):
    """An additive net with pairs, trained for moments."""
    return training.train(case, "additive", device="cpu", config=SHORT)


@pytest.fixture(scope="module")
def model(trained):
    """The model alone."""
    return trained.model


def test_its_own_attribution_equals_brute_force_shapley_values(case, model):
    assert (2, 3) in model.pairs
    people, background = case.test[:6], case.background(15)
    own = dlx.explain(model, people, method="additive_shap", background=background, scale="logit")
    brute = dlx.explain(model, people, method="exact_shapley", background=background, scale="logit")
    np.testing.assert_allclose(own.values, brute.values, atol=1e-5 * np.abs(brute.values).max())
    np.testing.assert_allclose(own.base_values, brute.base_values, atol=1e-6)


def test_it_is_no_black_box(model):
    assert isinstance(model, AdditiveModel) and not is_black_box(model)
    assert not fits("additive_shap", NeuralModel(worlds.network("mixed"), worlds.encoder("mixed")))


def test_it_refuses_the_scale_on_which_it_does_not_add_up(case, model):
    with pytest.raises(ScaleError, match="adds up on the scale 'logit'"):
        dlx.explain(model, case.test[:2], method="additive_shap", background=case.background(4), scale="probability")


@pytest.mark.parametrize("level", ["barolo", "barbera"])
def test_of_several_classes_each_adds_up_against_the_others(level):
    case = wines.wines()
    model = training.fit("additive", case.train, case.validation, device="cpu", config=SHORT | {"pairs": 2}).model.of(level)
    people, background = case.test[:3], case.background(4)
    assert isinstance(model, AdditiveModel) and not is_black_box(model)
    (step,), output = written(model)["net"]["steps"], case.schema.target.place_of(level)
    assert step["bias"] == model.network[0].head.bias[output].item()
    own = dlx.explain(model, people, method="additive_shap", background=background, scale="logit")
    brute = dlx.explain(model, people, method="exact_shapley", background=background, scale="logit")
    np.testing.assert_allclose(own.values, brute.values, atol=1e-5 * np.abs(brute.values).max())


def test_a_net_of_a_value_adds_up_in_its_unit(case):
    spending = np.where(case.rows[:, 3] == 1, 40.0, 10.0) * case.rows[:, 2] + 500
    schema = dataclasses.replace(case.schema, target=Target("spending", "regression"))
    valued = dataclasses.replace(case, schema=schema, outcomes=spending)
    model = training.fit("additive", valued.train, valued.validation, device="cpu", config=SHORT).model
    people, background = valued.test[:3], valued.background(6)
    own = dlx.explain(model, people, method="additive_shap", background=background, scale="value")
    brute = dlx.explain(model, people, method="exact_shapley", background=background, scale="value")
    assert np.abs(own.values).max() > 1 and (2, 3) in model.pairs
    np.testing.assert_allclose(own.values, brute.values, atol=1e-4)


def test_a_checkpoint_holds_its_pairs_and_knots(trained, case, tmp_path):
    loaded = checkpoint.load(checkpoint.save(trained, tmp_path), case=case)
    assert isinstance(loaded, AdditiveModel) and loaded.pairs == trained.model.pairs
    np.testing.assert_array_equal(loaded.predict(case.test, "logit"), trained.model.predict(case.test, "logit"))


def test_recalibrated_it_is_still_its_own_explanation(case, model):
    straight = recalibrated(model, case.validation, kind="platt", seed=0)
    explained = dlx.explain(straight, case.test[:5], method="additive_shap", background=case.background(5), scale="logit")
    assert np.abs(explained.residuals).max() < 1e-5


def test_pairs_that_interact_are_chosen_and_none_where_none_does():
    case = crossed()
    assert interacting(case.train, range(len(case.schema)), 3)[0] == (2, 3)
    assert not interacting(worlds.table("numeric", 1_200).train, range(5), 3)  # its outcome is a sum, beyond noise


def test_the_interaction_of_a_pair_is_what_a_two_way_table_leaves():
    rng = np.random.default_rng(2)
    first, second = rng.integers(0, 3, 400), rng.integers(0, 4, 400)
    additive = (first * 2.0 - second)[:, None]
    assert _interaction(first, second, additive)[0] == pytest.approx(0, abs=1e-16 * 400**2)
    assert _interaction(first, second, rng.normal(size=(400, 1)))[1] == 2 * 3


@pytest.mark.parametrize(("column", "direction"), [("age", -1), ("income", 1)])
def test_a_bound_net_rises_or_falls_with_its_column(case, column, direction):
    asked = {"device": "cpu", "config": SHORT, "monotone": {column: direction}}
    bound = training.fit("additive", case.train, case.validation, **asked).model
    place = case.schema.position(column)
    assert all(place not in pair for pair in bound.pairs if pair)
    rows = np.repeat(case.test.rows[:20], 30, axis=0)
    rows[:, place] = np.tile(np.linspace(-3, 3, 30), 20)
    steps = np.diff(bound.predict(rows, "logit").reshape(20, 30), axis=1) * direction
    assert steps.min() > -1e-5 and steps.max() > 1e-3
