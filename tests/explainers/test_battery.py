"""One battery for every method and every model that it takes; a new file in dlx/explainers is found by itself."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import random

import numpy as np
import oracles
import pytest
import shap
import torch
import worlds
from lime.lime_tabular import LimeTabularExplainer
from scipy.stats import spearmanr
from torch import nn
from torch.nn import functional

from dlx import explainers
from dlx.explainers import MethodError, lime
from dlx.model import AdditiveModel, BlackBox, LinearModel, Model, NeuralModel, ScaleError, TreeModel, wrap
from dlx.runner import LocalAccuracyError, explain
from dlx.schema import Feature, Schema, SchemaError
from dlx.trees import concatenate

pytestmark = pytest.mark.battery

RANDOM = set(explainers.having(IS_RANDOM=True))  # methods that draw; no other may depend on the seed
SHAPLEY = set(explainers.having(IS_SHAPLEY=True))  # exact, or up to their standard errors
APART = set(explainers.apart())  # of so few references a dependence can't be told: columns are taken for independent
SURROGATES = set(explainers.reading(Model)) - SHAPLEY - APART  # methods whose base value is a fit, not the mean prediction
CHEAPER = {"n_samples": 1500}  # fewer samples, for methods that draw
ALONE = {"window": 1}  # columns that are taken away together share what any of them does: see test_withheld.py
FINER = {"n_steps": 300}  # a ReLU net of eight units against few references is rough: more steps, for methods that follow paths

CASES = [
    (method, kind, world)
    for world in worlds.SCHEMAS
    for kind in worlds.MODELS
    for method in explainers.names_for(worlds.model(kind, world))
    if kind != "additive" or method in explainers.reading(AdditiveModel)
]
every_case = pytest.mark.parametrize(("method", "kind", "world"), CASES)


@pytest.mark.parametrize("method", explainers.names())
def test_methods_own_their_facts(method):
    facts = explainers.method(method)
    assert facts.LABEL and facts.QUESTION and facts.LIBRARY and facts.PROMISE
    assert facts.COST in explainers.COSTS and facts.PREFERENCE > 0
    assert facts.EVALUATES in (explainers.ROWS, explainers.MIXTURES, explainers.PATHS, explainers.RANDOM_PEOPLE)
    assert all(isinstance(fact, bool) for fact in (facts.IS_SHAPLEY, facts.IS_RANDOM, facts.KNOWS_ERROR))
    for other in (*getattr(facts, "INSTEAD", ()), *filter(None, [getattr(facts, "RESTS_ON", None)])):
        assert other in explainers.names() and other != method
    for given in getattr(facts, "AS_IT_COMES", explainers.AsItComes("zeros")).options.values():
        assert set(given) <= set(explainers.options(method))
    assert set(explainers.quick_options(method, 5)) <= set(explainers.options(method))


@pytest.mark.parametrize(
    ("kind", "scale", "shapley", "preferred"),
    [
        ("net", "logit", "shapley", "integrated_gradients"),
        ("forest", "probability", "tree_shap", "tree_shap"),
        ("forest", "logit", "shapley", "shapley"),
        ("boosted", "logit", "tree_shap", "tree_shap"),
        ("linear", "logit", "linear_shap", "linear_shap"),
        ("linear", "probability", "shapley", "shapley"),
        ("function", "probability", "shapley", "shapley"),
        ("additive", "logit", "additive_shap", "additive_shap"),
        ("additive", "probability", "shapley", "integrated_gradients"),
    ],
)
def test_methods_are_chosen_by_their_facts(kind, scale, shapley, preferred):
    model = worlds.model(kind, "numeric")
    assert explainers.best_shapley(model, scale) == shapley
    assert explainers.preferred(model, scale) == preferred
    assert explainers.ground_truth_for(model, scale) == "exact_shapley"


def test_choices_of_a_wide_table_and_among_some():
    wide = BlackBox(lambda t: t["x0"], Schema(tuple(Feature(f"x{i}") for i in range(17))), scales=("logit",))
    assert explainers.ground_truth_for(wide, "logit") == explainers.any_model() == "shapley"
    assert explainers.preferred(wide, "logit") == "shapley"
    assert explainers.best_shapley(wide, "logit", ["lime", "kernel_shap"]) == "kernel_shap"
    assert explainers.best_shapley(wide, "logit", ["lime"]) == "shapley"
    assert explainers.reading(NeuralModel) == ["integrated_gradients", "deeplift", "gradient_shap"]


def run(method, model, rows, background, *, scale=None, seed=0, batch_size=32, **options):
    wanted = ALONE | FINER | (CHEAPER if explainers.options(method).get("n_samples") else {}) | options
    known = explainers.options(method)
    return explain(
        model, rows, method=method, background=background, scale=scale or model.scales[0], seed=seed,
        batch_size=batch_size, **{name: value for name, value in wanted.items() if name in known or name in options},
    )  # fmt: skip


def run_case(method, kind, world, **options):
    return run(method, worlds.model(kind, world), worlds.people(world), worlds.background(world), **options)


def tolerance(explanation):
    """Five standard errors for a method that draws, float32 rounding for the others."""
    return 1e-6 if explanation.standard_errors is None else 1e-6 + 5 * explanation.standard_errors


def test_every_method_is_in_the_battery():
    assert {method for method, _, _ in CASES} == set(explainers.names())


@every_case
def test_contributions_start_at_the_mean_prediction_and_add_up_as_promised(method, kind, world):
    model, rows, background = worlds.model(kind, world), worlds.people(world), worlds.background(world)
    promise = explainers.method(method).PROMISE
    for scale in [scale for scale in model.scales if has_scale(method, model, scale)]:
        explained = run(method, model, rows, background, scale=scale)
        np.testing.assert_array_equal(explained.outputs, model.predict(rows, scale))
        if method not in SURROGATES:
            np.testing.assert_allclose(explained.base_values, model.predict(background, scale).mean(), atol=1e-7)
        mean_effect = np.abs(explained.outputs - explained.base_values).mean()
        assert np.abs(explained.residuals).max() < promise.limit(mean_effect)


def has_scale(method, model, scale):
    try:
        run(method, model, worlds.people("numeric")[:1] * 0, worlds.people("numeric") * 0 + 1, scale=scale)
    except ScaleError:
        return False
    return True


@pytest.mark.parametrize("method", ["tree_shap", "linear_shap"])
@pytest.mark.parametrize("scale", ["logit", "probability"])
def test_methods_that_know_one_scale_refuse_the_other(method, scale):
    model = {"tree_shap": worlds.forest, "linear_shap": worlds.linear}[method]("numeric")
    if scale == model.scales[0]:
        assert has_scale(method, model, scale)
    else:
        with pytest.raises(ScaleError, match=rf"{model.name}.*{model.scales[0]}.*use exact_shapley for '{scale}'"):
            run(method, model, worlds.people("numeric"), worlds.background("numeric"), scale=scale)


# Closed forms and axioms


@pytest.mark.parametrize(("method", "kind", "world"), [c for c in CASES if c[1] in ("linear", "linear_net")])
def test_linear_model_has_its_closed_form(method, kind, world):
    linear, background = worlds.model("linear", world), worlds.background(world)
    rows = worlds.table(world).rows[100:140]
    explained = run(method, worlds.model(kind, world), rows, background)
    expected = oracles.linear(linear.coefficients, linear.encoder, rows, background)
    if method in SURROGATES:
        strong = np.abs(expected) > np.abs(expected).max() / 4
        assert (np.sign(explained.values) == np.sign(expected))[strong].mean() > 0.95
        assert np.mean([spearmanr(a, b).statistic for a, b in zip(explained.values, expected, strict=True)]) > 0.7
    else:
        assert (np.abs(explained.values - expected) < tolerance(explained)).all()


@every_case
def test_dummy_column_gets_nothing(method, kind, world):
    explained = run_case(method, kind, world)
    limit = 0.15 * np.abs(explained.values).max() if method in SURROGATES else 1e-7
    assert np.abs(explained.values[:, worlds.IDLE]).max() < limit


def twins(model):
    """A model of the same kind that reads the first two columns alike, on the numeric table."""
    schema = worlds.NUMERIC
    if isinstance(model, BlackBox):
        return BlackBox(lambda t: t["age"] * t["amount"] + np.tanh(t["age"] + t["amount"]), schema, scales=model.scales)
    if isinstance(model, LinearModel):
        return dataclasses.replace(model, coefficients=np.r_[2.0, 2.0, model.coefficients[2:]], encoder=plain(schema))
    if isinstance(model, TreeModel):
        swapped = {
            name: getattr(model.trees, name) for name in ("threshold", "left", "right", "missing_left", "value", "cover")
        }
        one = [
            {name: array[start:end] - (start if name in ("left", "right") else 0) for name, array in swapped.items()}
            | {"feature": model.trees.feature[start:end]}
            for start, end in zip(model.trees.roots, model.trees.ends, strict=True)
        ]
        for tree in one:
            leaf = tree["feature"] < 0
            tree["left"], tree["right"] = np.where(leaf, -1, tree["left"]), np.where(leaf, -1, tree["right"])
        other = [
            tree | {"feature": np.choose(np.clip(tree["feature"], -1, 2) + 1, [-1, 1, 0, tree["feature"]])} for tree in one
        ]
        return dataclasses.replace(model, trees=concatenate(one + other))
    if isinstance(model, AdditiveModel):
        network = copy.deepcopy(model.network)
        with torch.no_grad():
            for weights in (network.weight, network.offset.view(-1, network.units), network.head.weight[0]):
                weights[1] = weights[0]
            hidden = network.head.weight[0, network.width :].view(-1, network.units)
            hidden[1] = hidden[0]
            network.chosen.copy_(torch.tensor([[2, 3], [3, 2]]))
        return dataclasses.replace(model, network=network, encoder=plain(schema))
    network = torch.nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 1))
    with torch.no_grad():
        network[0].weight[:, 1] = network[0].weight[:, 0]
    return NeuralModel(network, plain(schema), model.name)


def plain(schema):
    return worlds.Encoder(schema, np.zeros(len(schema)), np.ones(len(schema)))


@pytest.mark.parametrize(("method", "kind"), [(method, kind) for method, kind, world in CASES if world == "numeric"])
def test_identical_columns_used_alike_get_the_same(method, kind):
    model = twins(worlds.model(kind, "numeric"))
    rows, background = worlds.people("numeric").copy(), worlds.background("numeric").copy()
    rows[:, 1], background[:, 1] = rows[:, 0], background[:, 0]
    explained = run(method, model, rows, background)
    assert np.abs(explained.values[:, 0]).max() > 1e-3
    limit = 0.35 * np.abs(explained.values).max() if method in SURROGATES else tolerance(explained)
    assert (
        np.abs(explained.values[:, 0] - explained.values[:, 1]) < np.broadcast_to(limit, explained.values.shape)[:, 0]
    ).all()


class Added(nn.Module):
    def __init__(self, *networks):
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, dense):
        return sum(network(dense) for network in self.networks)


def added(f, g):
    """The model f + g, of the kind that both are of."""
    if isinstance(f, BlackBox):
        return dataclasses.replace(f, function=lambda table: f.function(table) + g.function(table))
    if isinstance(f, LinearModel):
        return dataclasses.replace(f, coefficients=f.coefficients + g.coefficients, intercept=f.intercept + g.intercept)
    if isinstance(f, NeuralModel):
        return dataclasses.replace(f, network=Added(f.network, g.network))
    arrays = {name: np.concatenate([f.trees.arrays()[name], array]) for name, array in g.trees.arrays().items()}
    shift = len(f.trees.feature)
    for name in ("left", "right"):
        child = g.trees.arrays()[name]
        arrays[name] = np.concatenate([f.trees.arrays()[name], np.where(child < 0, child, child + shift)])
    arrays["roots"] = np.concatenate([f.trees.roots, g.trees.roots + shift])
    arrays["base"] = f.trees.arrays()["base"] + g.trees.arrays()["base"]
    return dataclasses.replace(f, trees=worlds.Trees.from_arrays(arrays))


@pytest.mark.parametrize(
    ("method", "kind", "world"), [case for case in CASES if case[0] not in SURROGATES and case[1] != "additive"]
)
def test_explanation_of_a_sum_is_the_sum_of_the_explanations(method, kind, world):
    f, g = worlds.model(kind, world), worlds.model(kind, world, seed=1)
    rows, background = worlds.people(world), worlds.background(world)
    one, other, both = (run(method, model, rows, background) for model in (f, g, added(f, g)))
    assert np.abs(other.values - one.values).max() > 1e-3
    np.testing.assert_allclose(both.values, one.values + other.values, atol=2e-6)


# What must not matter, and what must


@every_case
def test_order_of_rows_and_size_of_batches_do_not_matter(method, kind, world):
    model, rows, background = worlds.model(kind, world), worlds.people(world), worlds.background(world)
    order = [3, 0, 4, 2, 1]
    once = run_case(method, kind, world)
    np.testing.assert_allclose(run(method, model, rows[order], background).values, once.values[order], atol=1e-6)
    for size in (1, 3):
        batched = run_case(method, kind, world, batch_size=size)
        np.testing.assert_allclose(batched.values, once.values, atol=1e-6)
        np.testing.assert_allclose(batched.base_values, once.base_values, atol=1e-6)


@every_case
def test_seed_decides_all_that_is_random(method, kind, world):
    few = {"budget": 9 * 14} if method == "shapley" else {}  # it enumerates five columns, unless it must not
    first, again, other = (run_case(method, kind, world, seed=seed, **few) for seed in (1, 1, 2))
    assert first.values.tobytes() == again.values.tobytes()
    distance = np.abs(first.values - other.values).max()
    model = worlds.model(kind, world)
    if method not in RANDOM or (not few and explainers.exact_for(method, model, model.scales[0])):
        assert distance == 0
    elif first.standard_errors is None or first.standard_errors.max() > 1e-5:
        assert distance > 1e-5
    else:  # every draw gives the exact value: a linear model, or one of pairs
        assert distance < 1e-5


@every_case
def test_global_generators_and_given_arrays_are_left_alone(method, kind, world):
    rows, background = worlds.people(world).copy(), worlds.background(world).copy()
    rows.flags.writeable = background.flags.writeable = False
    before = np.random.get_state()[1].copy(), torch.random.get_rng_state(), random.getstate()
    run(method, worlds.model(kind, world), rows, background)
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert torch.equal(torch.random.get_rng_state(), before[1])
    assert random.getstate() == before[2]


class Failing(nn.Linear):
    def forward(self, _):
        raise ZeroDivisionError


@pytest.mark.parametrize("method", explainers.names_for(worlds.model("net", "mixed")))
@pytest.mark.parametrize("fails", [False, True])
def test_network_of_the_user_is_left_alone(method, fails):
    network = worlds.network("mixed")
    network[0].weight.requires_grad_(False)
    if fails:
        network[2] = Failing(8, 1)
    before = snapshot(network)
    with pytest.raises(ZeroDivisionError) if fails else contextlib.nullcontext():
        model = NeuralModel(network, worlds.encoder("mixed"))
        run(method, model, worlds.people("mixed"), worlds.background("mixed"))
    assert snapshot(network) == before


def snapshot(network):
    """Attributes of every module, number of hooks included, and what its weights are and require."""
    modules = [
        {name: len(value) if hasattr(value, "__len__") else value for name, value in vars(module).items() if name != "training"}
        for module in network.modules()
    ]
    return modules, [(weight.requires_grad, weight.grad, weight.detach().numpy().tobytes()) for weight in network.parameters()]


# Odd rows


@every_case
@pytest.mark.parametrize("shape", ["one reference", "one person", "a reference row", "the same row everywhere", "all missing"])
def test_odd_rows_give_finite_values(method, kind, world, shape):
    rows, background = worlds.people(world), worlds.background(world)
    if shape == "one reference":
        background = background[:1]
    if shape == "one person":
        rows = rows[:1]
    if shape == "a reference row":
        rows = background[3:4]
    if shape == "the same row everywhere":
        rows, background = np.repeat(background[:1], 7, axis=0), background[:1]
    if shape == "all missing":
        optional = [feature.missing for feature in worlds.SCHEMAS[world].features]
        rows = np.where(optional, np.nan, rows)
    explained = run(method, worlds.model(kind, world), rows, background)
    assert np.isfinite(explained.values).all() and np.isfinite(explained.base_values).all()
    if shape == "the same row everywhere":
        np.testing.assert_allclose(explained.values, 0, atol=1e-7)


@pytest.mark.parametrize(("method", "kind"), [(method, kind) for method, kind, world in CASES if world == "mixed"])
def test_missing_value_and_level_are_told_apart(method, kind):
    rows = np.repeat(worlds.people("mixed")[:1], 4, axis=0)
    rows[:, 1] = [0, 1, 2, np.nan]
    explained = run(method, worlds.model(kind, "mixed"), rows, worlds.background("mixed"))
    changed = [explained.values[i].tolist() for i in np.flatnonzero(np.diff(explained.outputs, prepend=np.inf))]
    assert len(changed) > 1 and len({tuple(values) for values in changed}) == len(changed)


# Oracles


@pytest.mark.parametrize(("method", "kind", "world"), [case for case in CASES if case[0] in SHAPLEY])
def test_shapley_values_equal_brute_force(method, kind, world):
    model = worlds.model(kind, world)
    explained = run_case(method, kind, world)
    expected = oracles.shapley(model, worlds.people(world), worlds.background(world), model.scales[0])
    assert (np.abs(explained.values - expected) < (tolerance(explained) if method in RANDOM else 3e-7)).all()
    assert np.abs(explained.residuals).max() < 1e-6


@pytest.mark.parametrize("make", [worlds.boosted, worlds.forest])
@pytest.mark.parametrize(("depth", "rounds"), [(8, 60), (12, 40)])
def test_tree_shap_is_exact_on_deep_trees(make, depth, rounds, world):
    model, background = make(world, depth=depth, rounds=rounds), worlds.table(world).rows[:20]
    rows = worlds.table(world).rows[40:60]
    explained = run("tree_shap", model, rows, background)
    np.testing.assert_allclose(explained.values, oracles.shapley(model, rows, background, explained.scale), atol=5e-7)
    assert np.abs(explained.residuals).max() < 1e-6


def test_tree_shap_sees_thresholds_as_predict_does_where_float32_cannot_hold_them():
    stump = {
        "feature": np.array([0, -1, -1]), "threshold": np.array([0.1, 0, 0]), "left": np.array([1, -1, -1]),
        "right": np.array([2, -1, -1]), "missing_left": np.array([False] * 3), "value": np.array([0, -1.0, 1.0]),
        "cover": np.array([2.0, 1, 1]),
    }  # fmt: skip
    model = TreeModel(concatenate([stump]), worlds.NUMERIC)
    rows = np.zeros((4, 5))
    rows[:, 0] = np.float32(0.1), np.nextafter(np.float32(0.1), np.float32(0)), 0.1, 0.2
    explained = run("tree_shap", model, rows, np.zeros((1, 5)))
    np.testing.assert_array_equal(explained.values[:, 0], [2, 0, 2, 2])  # float32(0.1) is above 0.1


@pytest.mark.parametrize("width", [7, 8])
def test_kernel_shap_equals_brute_force_on_more_columns(width):
    schema = Schema(tuple(Feature(f"x{i}") for i in range(width)))
    model = BlackBox(
        lambda t: np.prod(t.to_numpy()[:, :3], axis=1) + np.cos(t.to_numpy()).sum(axis=1), schema, scales=("logit",)
    )
    rows = np.random.default_rng(0).normal(size=(8, width))
    explained = run("kernel_shap", model, rows[:2], rows[2:])
    np.testing.assert_allclose(explained.values, oracles.shapley(model, rows[:2], rows[2:], "logit"), atol=1e-9)


@pytest.mark.parametrize(("offset", "spread"), [(1.7e9, 5000.0), (0.0, 1e-9)])
def test_kernel_shap_tells_close_numbers_apart(offset, spread):
    schema = Schema((Feature("time"), Feature("x")))
    model = BlackBox(lambda t: (t["time"] - offset) / spread + t["x"], schema, scales=("logit",))
    rows = np.random.default_rng(0).uniform(size=(12, 2)) * [spread, 1] + [offset, 0]
    explained = run("kernel_shap", model, rows[:3], rows[3:])
    np.testing.assert_allclose(explained.values, oracles.shapley(model, rows[:3], rows[3:], "logit"), atol=1e-9)


@pytest.mark.parametrize("factor", [10, 100])
def test_large_logits_of_a_float32_net_are_explained_to_their_rounding(factor, world):
    network = worlds.network(world)
    with torch.no_grad():
        network[2].weight *= factor
    model, rows = NeuralModel(network, worlds.encoder(world)), worlds.table(world).rows[:50]
    explained = run("kernel_shap", model, rows, worlds.background(world))
    assert np.abs(explained.residuals).max() < 4e-7 * np.abs(explained.outputs).max()


@pytest.mark.parametrize("kind", ["net", "smooth_net"])
def test_integrated_gradients_equal_the_integral(kind, world):
    model, rows, background = worlds.model(kind, world), worlds.people(world), worlds.background(world)
    explained = run("integrated_gradients", model, rows, background)
    network = worlds.network(world, activation=type(model.network[1])).double()
    references, expected = model.dense(background).double(), []
    for person in model.dense(rows).double():
        share = ((torch.arange(2000) + 0.5) / 2000)[:, None, None]
        path = (references + share * (person - references)).requires_grad_()
        (slope,) = torch.autograd.grad(network(path).sum(), path)
        expected.append((slope.mean(dim=0) * (person - references)).mean(dim=0).numpy())
    np.testing.assert_allclose(explained.values, model.encoder.fold(np.array(expected)), atol=1e-3 if kind == "net" else 1e-5)


@pytest.mark.parametrize("kind", ["net", "smooth_net"])
def test_deeplift_equals_the_rescale_rule_by_hand(kind, world):
    model, rows, background = worlds.model(kind, world), worlds.people(world), worlds.background(world)
    first, activation, last = worlds.network(world, activation=type(model.network[1])).double()
    expected = []
    for row in model.dense(rows).double():
        references = model.dense(background).double()
        change_in, change_out = first(row) - first(references), activation(first(row)) - activation(first(references))
        multipliers = (torch.nan_to_num(change_out / change_in) * last.weight) @ first.weight
        expected.append((multipliers * (row - references)).mean(dim=0).detach().numpy())
    explained = run("deeplift", model, rows, background)
    np.testing.assert_allclose(explained.values, model.encoder.fold(np.array(expected)), atol=1e-5)


def test_lime_gives_contributions_not_slopes_where_the_model_adds_up_over_levels():
    schema = Schema(tuple(Feature(f"c{i}", "categorical", levels=("a", "b", "c")) for i in range(3)))
    effects = [{"a": 0.0, "b": 1.0, "c": 3.0}, {"a": -1.0, "b": 1.0, "c": 0.0}, {"a": 0.5, "b": 0.0, "c": 0.0}]
    model = BlackBox(lambda t: sum(t[f"c{i}"].map(effects[i]) for i in range(3)), schema, scales=("logit",))
    rows = np.random.default_rng(0).choice(3, p=[0.6, 0.3, 0.1], size=(60, 3)).astype(float)
    explained = run("lime", model, rows[:10], rows, n_samples=20_000)
    np.testing.assert_allclose(explained.values, oracles.shapley(model, rows[:10], rows, "logit"), atol=0.05)
    np.testing.assert_allclose(explained.residuals, 0, atol=0.1)


def test_gradient_shap_says_how_far_it_may_be_off(world):
    exact = run_case("integrated_gradients", "smooth_net", world)
    sampled = run_case("gradient_shap", "smooth_net", world, n_samples=4000)
    few = run_case("gradient_shap", "smooth_net", world, n_samples=40)
    used = sampled.standard_errors > 0
    for made in (sampled, few):
        z = (made.values - exact.values)[used] / made.standard_errors[used]
        assert 0.3 < np.sqrt((z**2).mean()) < 2.5
    assert few.standard_errors[used].mean() > 10 * sampled.standard_errors[used].mean()


# Options that give what the libraries give


def lime_itself(model, background, rows, *, seed, num_features):
    """Return lime's own weights [rows, features] and intercepts of a model of levels, by a fresh explainer a row."""
    weights, intercepts = np.zeros(rows.shape), np.zeros(len(rows))
    for i, row in enumerate(rows):
        explainer = LimeTabularExplainer(
            background, mode="regression", categorical_features=range(rows.shape[1]), random_state=seed
        )
        found = explainer.explain_instance(
            row, lambda samples: model.predict(samples, "logit"), num_features=num_features, num_samples=800
        )
        for column, weight in found.local_exp[1]:
            weights[i, column] = weight
        intercepts[i] = found.intercept[1]
    return weights, intercepts


@pytest.mark.parametrize("kept", [2, 10])
def test_reference_of_lime_in_its_own_units_is_lime_itself(kept, monkeypatch):
    monkeypatch.setattr(lime, "attribute", lime.reference)
    levels = Schema(tuple(Feature(f"c{i}", "categorical", levels=("a", "b", "c")) for i in range(12)), worlds.TARGET)
    weights = np.random.default_rng(1).normal(size=12)
    model = BlackBox(lambda t: (t == "a").to_numpy() @ weights + (t["c0"] == t["c1"]), levels, scales=("logit", "probability"))
    table = np.random.default_rng(0).integers(3, size=(50, 12)).astype(float)
    expected, intercepts = lime_itself(model, table[3:], table[:3], seed=5, num_features=kept)
    asked = {"n_samples": 800, "n_features": kept, "seed": 5}
    made = run("lime", model, table[:3], table[3:], units="lime", **asked)
    np.testing.assert_allclose(made.values, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(made.base_values, intercepts, rtol=0, atol=1e-12)
    assert (np.count_nonzero(made.values, axis=1) == kept).all()
    contributions = run("lime", model, table[:3], table[3:], **asked)
    present = np.array([(table[3:] == row).mean(axis=0) for row in table[:3]])  # how common the person's level is
    np.testing.assert_allclose(contributions.values, expected * (1 - present), rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        contributions.base_values + contributions.values.sum(axis=1), intercepts + expected.sum(axis=1), atol=1e-9
    )  # both are the same surrogate at the person


def test_lime_keeps_all_columns_unless_told(world):
    model, rows, background = worlds.model("boosted", world), worlds.people(world), worlds.background(world)
    assert (np.count_nonzero(run("lime", model, rows, background).values, axis=1) > 2).any()
    few = run("lime", model, rows, background, n_features=2)
    assert (np.count_nonzero(few.values, axis=1) <= 2).all() and few.options["n_features"] == 2


def many_columns(width=12):
    schema = Schema(tuple(Feature(f"x{i}") for i in range(width)), worlds.TARGET)
    weights = np.linspace(0.2, 1.3, width)
    return BlackBox(lambda t: t.to_numpy() @ weights, schema, scales=("logit", "probability"))


def test_kernel_shap_asks_about_references_that_are_alike_once():
    model, rows = many_columns(), np.random.default_rng(0).normal(size=(8, 12))
    alike = np.repeat(rows[2:4], 5, axis=0)
    apart = alike + 1e-9 * np.arange(10)[:, None]
    one, other = (run("kernel_shap", model, rows[:2], background, n_samples=400) for background in (alike, apart))
    np.testing.assert_allclose(one.values, other.values, atol=1e-6)
    assert one.evaluations < 0.3 * other.evaluations


def test_kernel_shap_of_ten_columns_is_shaps_default():
    model, rows = many_columns(), np.random.default_rng(0).normal(size=(8, 12))
    made = run("kernel_shap", model, rows[:2], rows[2:], n_features=10, seed=3)
    reference = shap.KernelExplainer(lambda table: model.predict(table, "logit"), rows[2:])
    for row, found in zip(rows[:2], made.values, strict=True):
        np.random.seed(3)
        np.testing.assert_allclose(found, reference.shap_values(row, silent=True), rtol=0, atol=1e-9)
    assert (np.count_nonzero(made.values, axis=1) == 10).all() and np.abs(made.residuals).max() < 1e-6
    for kept in (None, 12, 40):  # all of them
        whole = run("kernel_shap", model, rows[:2], rows[2:], n_features=kept).values
        np.testing.assert_allclose(whole, (rows[:2] - rows[2:].mean(axis=0)) * np.linspace(0.2, 1.3, 12), atol=1e-9)


@pytest.mark.parametrize("kind", ["boosted", "forest"])
def test_path_dependent_tree_shap_is_shaps_default(kind, world):
    model, rows, background = worlds.model(kind, world), worlds.people(world), worlds.background(world)
    made = run("tree_shap", model, rows, background, path_dependent=True)
    reference = shap.TreeExplainer(model.trees.for_shap())
    np.testing.assert_allclose(made.values, reference.shap_values(rows.astype(np.float32)), rtol=0, atol=1e-12)
    np.testing.assert_allclose(made.base_values, np.ravel(reference.expected_value)[0], atol=1e-9)
    assert np.abs(made.residuals).max() < 1e-6 and made.options == {"path_dependent": True}
    other = run("tree_shap", model, rows, background[:3], path_dependent=True)
    np.testing.assert_array_equal(other.values, made.values)  # no background has a say
    assert np.abs(run("tree_shap", model, rows, background).values - made.values).max() > 0.01


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("lime", {"units": "slopes"}, "units must be one of contribution, lime, got 'slopes'"),
        ("lime", {"n_features": 0}, "n_features must be at least 1, got 0"),
        ("kernel_shap", {"n_features": 0}, "n_features must be at least 1, got 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(method, options, message):
    with pytest.raises(MethodError, match=message):
        run(method, worlds.model("function", "numeric"), worlds.people("numeric"), worlds.background("numeric"), **options)


# What deeplift must refuse


@pytest.mark.parametrize("activation", [nn.GELU, nn.SiLU, nn.SELU, nn.Mish, nn.PReLU])
def test_deeplift_refuses_a_nonlinearity_that_captum_does_not_know(activation):
    model = NeuralModel(worlds.network("numeric", activation=activation), worlds.encoder("numeric"), "odd net")
    with pytest.raises(
        MethodError, match=rf"cannot explain odd net: captum has no rule for {activation.__name__} .*ReLU.*Tanh"
    ):
        run("deeplift", model, worlds.people("numeric"), worlds.background("numeric"))


def test_deeplift_refuses_a_module_that_is_used_twice():
    relu = nn.ReLU()
    network = nn.Sequential(nn.Linear(5, 4), relu, nn.Linear(4, 4), relu, nn.Linear(4, 1))
    with pytest.raises(MethodError, match=r"0\.1 is used more than once; give each use a module of its own"):
        run(
            "deeplift",
            NeuralModel(network, worlds.encoder("numeric")),
            worlds.people("numeric"),
            worlds.background("numeric"),
        )


@pytest.mark.parametrize("activation", [functional.gelu, torch.relu, functional.silu])
def test_deeplift_of_a_functional_activation_is_caught_by_the_residual(activation):
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, _, self.last = worlds.network("numeric")

        def forward(self, dense):
            return self.last(activation(self.first(dense)))

    model = NeuralModel(Hidden(), worlds.encoder("numeric"), "hidden")
    with pytest.raises(LocalAccuracyError, match=r"deeplift of hidden: .*add up to 0\.0002\d, but row \d is off by .* logit"):
        run("deeplift", model, worlds.people("numeric"), worlds.background("numeric"))


# Bad input, for every method


@pytest.mark.parametrize("method", explainers.names())
@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        ({"method": "no such"}, MethodError, f"no method 'no such'; the methods are {explainers.names()[0]}, "),
        ({"typo": 3}, MethodError, "has no option 'typo'; its options: "),
        ({"scale": "odds"}, ScaleError, "has no scale 'odds'; it has '(logit|probability)', "),
        ({"background": np.empty((0, 5))}, ValueError, "background must have at least 1 row, got 0 rows"),
        ({"rows": np.empty((0, 5))}, ValueError, "rows must have at least 1 row, got 0 rows"),
        ({"background": np.zeros((3, 4))}, SchemaError, r"rows must be \[rows, 5\], .* got shape \[3, 4\]"),
        ({"rows": np.zeros(5)}, SchemaError, r"got shape \[5\]"),
        ({"rows": np.full((2, 5), np.nan)}, SchemaError, "column 'age' must not be missing, but is in 2 rows"),
        ({"rows": [[0, 9, 0, 0, 0]]}, SchemaError, "column 'housing' takes codes 0 to 2, got 9"),
        ({"rows": [[np.inf, 0, 0, 0, 0]]}, SchemaError, "column 'income' must be finite"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
    ],
    ids=str,
)
def test_bad_input_is_an_error_that_names_it(method, spoil, error, message):
    kind = next(kind for name, kind, world in CASES if name == method)
    model = worlds.model(kind, "mixed")
    given = {
        "method": method,
        "scale": model.scales[0],
        "rows": worlds.people("mixed"),
        "background": worlds.background("mixed"),
    }
    given |= {name: np.array(value) if name == "rows" else value for name, value in spoil.items()}
    with pytest.raises(error, match=message):
        explain(model, given.pop("rows"), **given)


@pytest.mark.parametrize("method", explainers.names())
def test_model_that_a_method_does_not_take_is_named_with_the_methods_that_do(method):
    for kind in worlds.MODELS:
        model = worlds.model(kind, "numeric")
        if not explainers.fits(method, model):
            with pytest.raises(
                MethodError, match=rf"{method} does not take {kind}, a \w+; the methods that do are .*kernel_shap"
            ):
                run(method, model, worlds.people("numeric"), worlds.background("numeric"))


@pytest.mark.parametrize("method", explainers.names_for(worlds.model("function", "numeric")))
def test_infinite_logit_of_a_function_is_refused(method):
    model = BlackBox(lambda t: (t["age"] > 0).astype(float), worlds.NUMERIC, "sure", ("probability", "logit"))
    with pytest.raises(ScaleError, match=r"sure predicts a probability of exactly 0 or 1 .* explain it on scale='probability'"):
        run(method, model, worlds.people("numeric"), worlds.background("numeric"), scale="logit")
    assert np.isfinite(run(method, model, worlds.people("numeric"), worlds.background("numeric")).values).all()


def test_lime_sees_a_level_that_nobody_in_the_background_has():
    schema = Schema((Feature("rare", "categorical", levels=("no", "yes")), Feature("x")), worlds.TARGET)
    model = wrap(lambda t: 0.3 * (t["rare"] == "yes") + 0.1 * (t["x"] > 0) + 0.3, schema)
    background = np.column_stack([np.zeros(60), np.random.default_rng(0).normal(size=60)])
    made = run("lime", model, np.array([[1.0, 0.2], [0.0, 0.2]]), background, scale="probability")
    assert made.values[0, 0] == pytest.approx(0.3, abs=0.05)
    assert made.values[1, 0] == pytest.approx(0.0, abs=0.01)
