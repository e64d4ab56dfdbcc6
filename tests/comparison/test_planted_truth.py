"""Models written by hand, of which the right answer is known: the tables of a comparison say it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import worlds
from torch import nn

import dlx
from dlx.comparison.causes import REST
from dlx.comparison.noise import ALIKE
from dlx.dataset import Dataset
from dlx.encoder import Encoder
from dlx.model import NeuralModel, TreeModel
from dlx.schema import Feature, Schema, Target
from dlx.trees import Trees

NUMBERS = Schema(tuple(Feature(f"x{i}") for i in range(4)), worlds.TARGET)
BITS = Schema(
    (
        Feature("a", "categorical", levels=("0", "1")),
        Feature("b", "categorical", levels=("0", "1")),
        Feature("c"),
        Feature("idle"),
    ),
    worlds.TARGET,
)
ANY_MODEL = ("exact_shapley", "kernel_shap", "shapley")  # Shapley values of whatever predicts
ROUNDING = 2e-6  # of a net


def people(count=24, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, 4))
    return Dataset(NUMBERS, rows, index=9000 + np.arange(count))


def explained(model, methods, rows, background, **options):
    """Return what methods say, each with the options that it has."""
    known = {method: set(dlx.explainers.options(method)) & set(options) for method in methods}
    return [
        dlx.explain(
            model, rows, method=method, background=background, scale=model.scales[0],
            **{name: options[name] for name in known[method]},
        )
        for method in methods
    ]  # fmt: skip


def held(model, methods, rows, background, **options):
    """Return a comparison of methods with the ground truth of the model."""
    exact = dlx.comparison.ground_truth(model, rows, background=background, scale=model.scales[0])
    return dlx.compare(explained(model, methods, rows, background, **options), ground_truths=[exact]), exact.values


def error_of(comparison, measure="relative_error", of="mean"):
    table = comparison.distance_to_truth()
    return table[table["measure"] == measure].set_index("method")[of].to_dict()


class Added(nn.Module):
    """A sum of functions of one column each, and of products of columns."""

    def __init__(self, terms, products=()):
        super().__init__()
        self.terms, self.products = terms, products

    def forward(self, x):
        total = sum(term(x[:, i]) for i, term in self.terms.items()) + 0 * x.sum(dim=1)
        return total + sum(x[:, list(some)].prod(dim=1) for some in self.products)


# Additive: a column's own term, minus its mean over the background


def additive(table):
    return np.sin(2 * table["x0"]) + table["x1"] ** 2 - 1.5 * table["x2"]


def own_terms(rows):
    return np.column_stack([np.sin(2 * rows[:, 0]), rows[:, 1] ** 2, -1.5 * rows[:, 2], 0 * rows[:, 3]])


def test_additive_function_gets_its_own_terms():
    rows, background = people(6), people(12, seed=1)
    model = dlx.wrap(additive, NUMBERS, scale="logit")
    comparison, exact = held(model, (*ANY_MODEL, "lime"), rows, background)
    expected = own_terms(rows.rows) - own_terms(background.rows).mean(axis=0)
    np.testing.assert_allclose(exact, expected, atol=1e-12)
    errors = error_of(comparison)
    assert max(errors[method] for method in ANY_MODEL) < 1e-9
    assert errors["lime"] > 0.05
    table = comparison.importance()
    for method in ANY_MODEL:
        found = table[table["method"] == method]
        np.testing.assert_allclose(found["importance"], np.abs(expected).mean(axis=0), atol=1e-9)
    sampled = comparison["additive", "shapley"]
    np.testing.assert_allclose(sampled.standard_errors, 0, atol=1e-12)  # in any order, a column adds the same


def test_additive_net_is_told_alike_by_gradients_and_by_shapley_values():
    network = Added({0: lambda x: torch.sin(2 * x), 1: torch.square, 2: lambda x: -1.5 * x})
    model, rows, background = NeuralModel(network, Encoder.identity(NUMBERS)), people(6), people(12, seed=1)
    methods = ("integrated_gradients", *ANY_MODEL)
    comparison, exact = held(model, methods, rows, background, n_steps=300)
    np.testing.assert_allclose(exact, own_terms(rows.rows) - own_terms(background.rows).mean(axis=0), atol=ROUNDING)
    assert max(error_of(comparison).values()) < 1e-3
    agreement = comparison.agreement(k=3)
    assert (agreement[agreement["metric"].isin(["rank_agreement", "rank_correlation", "sign_agreement"])]["mean"] == 1).all()


def test_linear_net_is_told_alike_by_all_but_lime():
    rows, background = worlds.table("mixed")[20:26], worlds.table("mixed")[:9]
    net, linear = worlds.model("linear_net", "mixed"), worlds.model("linear", "mixed")
    comparison, exact = held(net, ("integrated_gradients", "deeplift", *ANY_MODEL, "lime"), rows, background)
    errors = error_of(comparison)
    assert errors.pop("lime") > 0.05 and max(errors.values()) < 1e-5
    (closed_form,) = explained(linear, ["linear_shap"], rows, background)
    np.testing.assert_allclose(exact, closed_form.values, atol=ROUNDING)


def stumps(cuts, steps, schema):
    """Return trees of one split each: `steps[i]` above the cut of column i and 0 below."""
    roots = 3 * np.arange(len(cuts))
    flat = {
        "feature": np.ravel([[i, -1, -1] for i in range(len(cuts))]),
        "threshold": np.ravel([[cut, 0, 0] for cut in cuts]),
        "left": np.ravel([[root + 1, -1, -1] for root in roots]),
        "right": np.ravel([[root + 2, -1, -1] for root in roots]),
        "missing_left": np.zeros(3 * len(cuts), dtype=bool),
        "value": np.ravel([[0, 0, step] for step in steps]),
        "cover": np.tile([8.0, 4, 4], len(cuts)),
    }
    return TreeModel(Trees(**flat, roots=roots), schema, "stumps")


def test_additive_trees_get_their_own_steps():
    rows, background, steps = people(6), people(12, seed=1), np.array([1.0, -2.0, 0.5])
    model = stumps([0.0, 0.25, -0.5], steps, NUMBERS)
    comparison, exact = held(model, ("tree_shap", *ANY_MODEL), rows, background)
    above = [np.column_stack([some.rows[:, i] > cut for i, cut in enumerate((0.0, 0.25, -0.5))]) for some in (rows, background)]
    np.testing.assert_allclose(exact[:, :3], steps * (above[0] - above[1].mean(axis=0)), atol=1e-12)
    assert max(error_of(comparison).values()) < 1e-6 and set(error_of(comparison, "top_hit").values()) == {1}


# An interaction of two columns: each gets the half


def test_product_of_two_columns_is_shared_by_both():
    rows, reference = people(6), people(1, seed=1)
    network = Added({2: lambda x: 0.5 * x}, products=[(0, 1)])
    model = NeuralModel(network, Encoder.identity(NUMBERS))
    comparison, exact = held(model, ("integrated_gradients", *ANY_MODEL), rows, reference, n_steps=300)
    (x0, x1, x2, _), (b0, b1, b2, _) = rows.rows.T, reference.rows[0]
    expected = np.column_stack([(x0 - b0) * (x1 + b1) / 2, (x1 - b1) * (x0 + b0) / 2, (x2 - b2) / 2, 0 * x0])
    np.testing.assert_allclose(exact, expected, atol=ROUNDING)
    assert max(error_of(comparison).values()) < 1e-4  # a straight path shares a product as the orders do
    against_zero = dlx.comparison.ground_truth(model, rows, background=np.zeros((1, 4)), scale="logit")
    np.testing.assert_allclose(against_zero.values[:, :2], np.column_stack([x0 * x1, x0 * x1]) / 2, atol=ROUNDING)


def test_square_times_a_column_tells_the_methods_apart():
    """Where each column enters a product once, a straight path shares it as the orders do; x² y it shares 2 : 1."""
    schema = Schema(NUMBERS.features, Target("cost", "regression"))
    rows, background = (Dataset(schema, some.rows) for some in (people(6), people(8, seed=1)))
    shares = {}
    for name, terms, products in (
        ("additive", {0: lambda x: torch.sin(2 * x), 1: torch.square}, []),
        ("square times a column", {0: lambda x: torch.sin(2 * x)}, [(1, 1, 2)]),
    ):
        model = NeuralModel(Added(terms, products), Encoder.identity(schema), name, ("value",))
        laboratory = dlx.Laboratory(rows, background, background)
        table = dlx.disagreement(model, "integrated_gradients", "kernel_shap", laboratory).to_frame()
        table = table[table["measure"] == "placed differently"].set_index("cause")
        np.testing.assert_allclose(table["part"].sum(), table["naive"].iloc[0], rtol=0, atol=1e-9)
        shares[name] = table["share"]
    assert abs(shares["additive"][REST]) < 0.01
    assert shares["square times a column"][REST] > 0.05


# A column that is never used


@pytest.mark.parametrize("kind", ["net", "boosted", "forest", "function"])
def test_column_that_is_never_used_gets_nothing(kind, world):
    model, case = worlds.model(kind, world), worlds.table(world)
    methods = [method for method in dlx.explainers.names_for(model) if method != "gradient_shap"]
    comparison, exact = held(model, methods, case[20:25], case[:9], n_steps=100, n_samples=1500, window=1)
    assert np.abs(exact[:, worlds.IDLE]).max() < 1e-7  # a net's rounding
    table = comparison.importance()
    idle = table[table["feature"] == "idle"].set_index("method")
    assert idle["share"].pop("lime") < 0.1 and (idle["share"].drop("lime") < 1e-6).all()
    assert (idle["rank"].drop("lime") == 5).all()


# Duplicated columns


def test_columns_that_are_the_same_share_their_credit_where_both_are_read_and_not_where_one_is():
    def twice(some):
        rows = some.rows.copy()
        rows[:, 1] = rows[:, 0]
        return Dataset(NUMBERS, rows)

    rows, background = twice(people(6)), twice(people(12, seed=1))
    both = dlx.wrap(lambda t: np.tanh(t["x0"] + t["x1"]) + 0.3 * t["x2"], NUMBERS, scale="logit", name="both")
    one = dlx.wrap(lambda t: np.tanh(2 * t["x0"]) + 0.3 * t["x2"], NUMBERS, scale="logit", name="one")
    made = [dlx.comparison.ground_truth(model, rows, background=background, scale="logit") for model in (both, one)]
    np.testing.assert_allclose(made[0].outputs, made[1].outputs)  # nobody can tell the two apart by what they predict
    np.testing.assert_allclose(made[0].values[:, 0], made[0].values[:, 1], atol=1e-12)
    np.testing.assert_allclose(made[0].values[:, :2].sum(axis=1), made[1].values[:, 0], atol=0.5)
    comparison = dlx.compare(made)
    table = comparison.importance().set_index(["model", "feature"])
    assert table["importance"]["both", "x0"] == pytest.approx(table["importance"]["both", "x1"])
    assert table["rank"]["one", "x0"] == 1 and table["share"]["one", "x1"] < 1e-15
    difference = comparison.contrast("both", "one", "exact_shapley").to_frame()
    total = difference.groupby("row")["difference"].sum() + difference.groupby("row")["base_difference"].first()
    np.testing.assert_allclose(total, 0, atol=1e-12)


# XOR: no main effect, all of it is interaction


def xor_rows():
    """Return each combination of the two bits, with a number that matters a little and one that does not."""
    c = np.array([0.3, -0.2, 0.1, -0.4])
    return Dataset(BITS, np.column_stack([[0, 0, 1, 1], [0, 1, 0, 1], c, -c]))


def xor_tree():
    """Return a hand-made tree that asks a, then b, and answers 1 where they differ."""
    arrays = {
        "feature": [0, 1, 1, -1, -1, -1, -1], "threshold": [0.5, 0.5, 0.5, 0, 0, 0, 0],
        "left": [1, 3, 5, -1, -1, -1, -1], "right": [2, 4, 6, -1, -1, -1, -1], "missing_left": [False] * 7,
        "value": [0, 0, 0, 0, 1, 1, 0], "cover": [4, 2, 2, 1, 1, 1, 1], "roots": [0],
    }  # fmt: skip
    return TreeModel(Trees(**arrays), BITS, "xor")


def test_xor_is_split_equally_over_a_balanced_background():
    rows = xor_rows()
    comparison, exact = held(xor_tree(), ("tree_shap", *ANY_MODEL, "lime"), rows, rows)
    halves = np.where(rows.rows[:, 0] != rows.rows[:, 1], 0.25, -0.25)
    np.testing.assert_allclose(exact, np.column_stack([halves, halves, 0 * halves, 0 * halves]), atol=1e-12)
    errors = error_of(comparison)
    assert errors.pop("lime") > 0.3  # a linear surrogate has no word for an interaction
    assert max(errors.values()) < 1e-6  # of two columns; an order and its reverse see both who comes first
    table = comparison.importance().set_index(["method", "feature"])
    for method in ("tree_shap", *ANY_MODEL):
        np.testing.assert_allclose(table["importance"][method], [0.25, 0.25, 0, 0], atol=1e-6)
        assert (table["rank"][method][:2] < 3).all() and (table["rank"][method][2:] > 3).all()
    agreement = comparison.agreement(k=2)
    pair = agreement[(agreement["method"] == "tree_shap") & (agreement["other_method"] == "kernel_shap")]
    assert pair.set_index("metric")["mean"]["sign_agreement"] == 1


def test_xor_has_no_effect_of_one_column_alone():
    rows = xor_rows()
    for column in "ab":
        curve = dlx.partial_dependence(xor_tree(), rows, column, scale="logit")
        np.testing.assert_allclose(np.ptp(curve.mean), 0, atol=1e-12)


# Noise


def test_tables_of_noise_know_which_methods_are_sure():
    rows, background = people(12), people(12, seed=1)
    model = dlx.wrap(lambda t: t["x0"] * t["x1"] * t["x2"] + t["x2"] + 0.2 * t["x3"], NUMBERS, scale="logit")
    made = explained(model, ("kernel_shap",), rows, background)
    made += explained(model, ("shapley", "lime"), rows, background, budget=120, n_samples=100)
    replicates = [
        dlx.replicate(model, one, source=source, background=background, pool=people(40, seed=2), count=6)
        for one in made
        for source in ("seed", "background")
    ]
    comparison = dlx.compare(made, replicates=replicates)
    floor = comparison.noise(k=2)
    floor = floor[floor["metric"] == "rank_correlation"].set_index(["method", "source"])
    assert floor["mean"]["kernel_shap", "seed"] == 1 and floor["replicates"]["kernel_shap", "seed"] == 1
    assert floor["mean"]["lime", "seed"] < floor["mean"]["shapley", "seed"] < 1
    assert floor["mean"]["kernel_shap", "background"] < 1 and set(floor["replicates"].drop(("kernel_shap", "seed"))) == {6}
    pairs = comparison.against_noise(k=2)
    pairs = pairs[(pairs["metric"] == "rank_correlation") & (pairs["source"] == "seed")].set_index(["method", "other_method"])
    assert pairs["finding"]["kernel_shap", "shapley"] == ALIKE and pairs["floor_of"]["kernel_shap", "shapley"] == "shapley"
    assert pairs["floor_of"]["kernel_shap", "lime"] == "lime"
