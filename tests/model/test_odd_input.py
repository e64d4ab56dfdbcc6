"""What every kernel of ours makes of odd input: a value that is known beforehand, or one clear error."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import worlds
from torch import nn

import dlx
from dlx.encoder import Encoder
from dlx.errors import DlxError
from dlx.model import BlackBox, NeuralModel
from dlx.schema import Feature, Schema, Target

pytestmark = pytest.mark.doors

OURS = ("shapley", "exact_shapley", "lime", "integrated_gradients", "deeplift")
ADDING_UP = ("shapley", "exact_shapley", "integrated_gradients", "deeplift")
TARGET = Target("y", levels=("no", "yes"))


def net_of(columns, seed=0):
    """Return a net of so many numeric columns."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Linear(columns, 16), nn.ReLU(), nn.Linear(16, 1)).eval()
    return NeuralModel(network, Encoder.identity(Schema(tuple(Feature(f"x{i}") for i in range(columns)), TARGET)), "net")


def explained(model, rows, background, method, **options):
    """Return an explanation on the logit."""
    return dlx.explain(model, rows, method=method, background=background, scale="logit", **options)


@pytest.mark.parametrize("method", OURS)
def test_a_constant_column_adds_nothing(method):
    rng = np.random.default_rng(0)
    rows, background = rng.normal(size=(3, 4)), rng.normal(size=(12, 4))
    rows[:, 2] = background[:, 2] = 1.5
    made = explained(net_of(4), rows, background, method)
    np.testing.assert_allclose(made.values[:, 2], 0, atol=1e-6)
    assert np.abs(made.values[:, [0, 1, 3]]).min() > 1e-6


@pytest.mark.parametrize("method", ADDING_UP)
def test_a_background_of_one_row_is_the_baseline(method):
    rng, model = np.random.default_rng(1), net_of(5)
    rows, background = rng.normal(size=(3, 5)), rng.normal(size=(1, 5))
    made = explained(model, rows, background, method)
    np.testing.assert_allclose(made.base_values, model.predict(background, "logit")[0], atol=1e-6)
    np.testing.assert_allclose(made.base_values + made.values.sum(axis=1), model.predict(rows, "logit"), atol=1e-5)


def test_lime_of_one_reference_row_adds_nothing_where_all_samples_are_that_row():
    rng = np.random.default_rng(1)
    background = rng.normal(size=(1, 4))
    made = explained(net_of(4), background, background, "lime")
    np.testing.assert_allclose(made.values, 0, atol=1e-6)


@pytest.mark.parametrize("method", OURS)
def test_rows_that_occur_twice_are_explained_alike(method):
    rng = np.random.default_rng(2)
    row, background = rng.normal(size=(1, 5)), rng.normal(size=(10, 5))
    made = explained(net_of(5), np.repeat(row, 3, axis=0), np.repeat(background, 2, axis=0), method)
    np.testing.assert_allclose(made.values, np.repeat(made.values[:1], 3, axis=0), rtol=0, atol=1e-7)
    if method in ADDING_UP and method != "shapley":  # whose combinations differ from reference row to reference row
        once = explained(net_of(5), row, background, method)
        np.testing.assert_allclose(made.values[:1], once.values, atol=1e-6)


@pytest.mark.parametrize("method", OURS)
def test_weights_that_are_no_numbers_are_an_error(method):
    model, rng = net_of(4), np.random.default_rng(3)
    with torch.no_grad():
        model.network[2].weight[0, 3] = np.nan
    with pytest.raises(DlxError, match=r"net .*(not finite|NaN|nan)|not finite"):
        explained(model, rng.normal(size=(2, 4)), rng.normal(size=(6, 4)), method)


@pytest.mark.parametrize("method", ADDING_UP)
def test_one_column_gets_all_of_it(method):
    rng, model = np.random.default_rng(4), net_of(1)
    rows, background = rng.normal(size=(4, 1)), rng.normal(size=(7, 1))
    whole = model.predict(rows, "logit") - model.predict(background, "logit").mean()
    np.testing.assert_allclose(explained(model, rows, background, method).values[:, 0], whole, atol=1e-5)


@pytest.mark.parametrize("method", ["shapley", "exact_shapley"])
def test_a_column_of_a_thousand_levels_is_one_player(method):
    levels = tuple(f"level {i}" for i in range(1_000))
    schema = Schema((Feature("code", "categorical", levels=levels), Feature("x")), TARGET)
    effect = dict(zip(levels, np.sin(np.arange(1_000)), strict=True))
    model = BlackBox(lambda t: t["code"].map(effect).astype(float) + t["x"], schema, "score", scales=("logit", "probability"))
    rng = np.random.default_rng(5)
    rows = np.column_stack([np.arange(1_000.0), rng.normal(size=1_000)])
    background = rows[rng.permutation(1_000)[:20]]
    made = explained(model, rows[:50], background, method)
    expected = np.sin(rows[:50, 0]) - np.sin(background[:, 0]).mean()
    np.testing.assert_allclose(made.values[:, 0], expected, atol=1e-9)


@pytest.mark.parametrize("method", OURS)
def test_more_columns_than_rows_are_explained(method):
    rng, columns = np.random.default_rng(6), 60
    model, rows, background = net_of(columns), rng.normal(size=(2, columns)), rng.normal(size=(5, columns))
    if method == "exact_shapley":
        with pytest.raises(DlxError, match="columns"):
            explained(model, rows, background, method)
        return
    made = explained(model, rows, background, method)
    assert made.values.shape == (2, columns)
    assert np.isfinite(made.values).all()
    if method in ADDING_UP:
        np.testing.assert_allclose(made.base_values + made.values.sum(axis=1), model.predict(rows, "logit"), atol=1e-4)


def test_a_budget_below_what_identifies_the_values_is_an_error():
    rng = np.random.default_rng(7)
    with pytest.raises(DlxError, match="budget must be at least 100"):
        explained(net_of(4), rng.normal(size=(2, 4)), rng.normal(size=(10, 4)), "shapley", budget=99)


def test_interactions_of_more_columns_than_rows_add_up_to_the_prediction():
    rng, columns = np.random.default_rng(8), 50
    model, rows, background = net_of(columns), rng.normal(size=(2, columns)), rng.normal(size=(8, columns))
    made = dlx.interactions(model, rows, background=background, scale="logit")
    whole = model.predict(rows, "logit") - model.predict(background, "logit").mean()
    np.testing.assert_allclose(made.values.sum(axis=(1, 2)), whole, atol=1e-5)


@pytest.mark.parametrize("world", ["numeric", "mixed"])
def test_trees_know_odd_backgrounds_too(world):
    model, people = worlds.model("boosted", world), worlds.people(world)
    one = worlds.background(world)[:1]
    made = explained(model, np.repeat(people, 2, axis=0), one, "tree_shap")
    np.testing.assert_array_equal(made.values[::2], made.values[1::2])
    whole = model.predict(people, "logit") - model.predict(one, "logit")
    np.testing.assert_allclose(made.values[::2].sum(axis=1), whole, atol=1e-10)
