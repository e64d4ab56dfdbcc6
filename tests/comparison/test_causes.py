"""Causes of a disagreement: parts that add up, each library as it comes, each method aligned, and planted single causes."""

from __future__ import annotations

import functools
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import shap
import torch
import worlds
from captum.attr import DeepLift, IntegratedGradients
from lime.lime_tabular import LimeTabularExplainer
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from torch import nn

from dlx.arrays import array_id
from dlx.background import k_means_background
from dlx.comparison.causes import (
    CAUSES,
    MEASURES,
    REST,
    SETTINGS,
    Disagreement,
    Laboratory,
    as_libraries_come,
    disagreement,
    one_by_one,
    placed_differently,
    tallest,
    unaligned_settings,
)
from dlx.comparison.metrics import metrics_by_row
from dlx.dataset import Dataset
from dlx.encoder import Encoder
from dlx.errors import DlxError
from dlx.explainers import MethodError, lime
from dlx.model import BlackBox, NeuralModel, TreeModel
from dlx.runner import explain
from dlx.schema import Feature, Schema, Target
from dlx.threads import one_thread
from dlx.trees import Trees

AS_IT_COMES, ALIGNED = frozenset(), frozenset(SETTINGS)
COST = Target("cost", "regression")


def advised(training):
    """Return the nine reference rows that stand for shap's ten centres."""
    return k_means_background(training, 10, 9, seed=0)


def laboratory(world, people=4, explainer=explain, seed=0):
    case = worlds.table(world)
    return Laboratory(case[20 : 20 + people], case[:9], case[:60], seed, explainer)


# Distances


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1, -2, 3], [10, -20, 30], 0),  # alike up to a unit
        ([1, 2, 0], [0, 0, 5], 1),  # nothing in common
        ([1, -2, 3], [-1, 2, -3], 1),  # everything the other way round
        ([1, 1, 0], [1, 0, 1], 0.5),
        ([3, 1, 0], [1, -1, 0], 0.5),  # .75, .25 against .5, -.5
        ([2], [-7], 1),
        ([0, 0, 0], [1, 2, 3], np.nan),
        ([np.nan, 1, 2], [1, 2, 3], np.nan),
    ],
)
def test_share_that_is_placed_differently(a, b, expected):
    for one, other in ((a, b), (b, a)):
        found = placed_differently(np.array([one], dtype=float), np.array([other], dtype=float))
        np.testing.assert_allclose(found, [expected], atol=1e-15)


def test_tallest_bar_of_a_group_keeps_its_sign():
    values = np.array([[1, -3, 2, 0, 5], [-1, 1, 0, 0.5, -0.5]])
    np.testing.assert_array_equal(tallest(values, np.array([0, 3, 4])), [[-3, 0, 5], [-1, 0.5, -0.5]])
    np.testing.assert_array_equal(tallest(values, np.arange(5)), values)


# Parts


def planted(table, names=("unit", "scale"), index=None):
    table = np.asarray(table, dtype=float)
    distances = dict.fromkeys(MEASURES, table)
    return Disagreement("net", "lime", "kernel_shap", names, distances, np.arange(len(table)) if index is None else index, 5)


def test_parts_by_hand():
    found = planted([[1.0, 0.6, 0.7, 0.2]])  # nothing aligned, the unit, the scale, both
    parts = found.parts("placed differently")
    assert {cause: float(part[0]) for cause, part in parts.items()} == pytest.approx({"unit": 0.45, "scale": 0.35, REST: 0.2})
    table = found.to_frame()
    lines = table[table["measure"] == "top differs"].set_index("cause")
    assert lines["part"].to_dict() == lines["share"].to_dict() == pytest.approx({"unit": 0.45, "scale": 0.35, REST: 0.2})
    assert set(lines["naive"]) == {1.0} and set(lines["aligned"]) == {0.2} and set(lines["what"]) < set(CAUSES.values())


def test_parts_of_any_table_add_up_for_each_person():
    tables = np.random.default_rng(0).random((7, 32))
    for count in range(6):
        found = planted(tables[:, : 2**count], SETTINGS[:count])
        np.testing.assert_allclose(sum(found.parts("top differs").values()), tables[:, 0], rtol=0, atol=1e-12)
        shares = found.to_frame().groupby("measure")["share"].sum()
        np.testing.assert_allclose(shares, 1, rtol=0, atol=1e-12)


def test_people_without_a_distance_are_left_out_and_counted():
    tables = np.random.default_rng(0).random((5, 4))
    tables[1, 2], tables[3] = np.nan, np.nan
    whole, rest = planted(tables), planted(tables[[0, 2, 4]])
    table = whole.to_frame()
    assert set(table["people"]) == {3} and set(table["undefined"]) == {2}
    about = ["people", "undefined"]
    pd.testing.assert_frame_equal(table.drop(columns=about), rest.to_frame().drop(columns=about))
    nobody = planted(tables[[1, 3]]).to_frame()
    assert nobody[["part", "low", "high", "share", "naive", "aligned"]].isna().all(axis=None) and set(nobody["undefined"]) == {
        2
    }


def test_every_combination_of_settings_has_its_mean_distance():
    table = planted([[1.0, 0.6, 0.7, 0.2], [0.8, 0.4, 0.5, 0.0], [np.nan, 0.4, 0.5, 0.1]]).by_setting()
    lines = table[table["measure"] == "placed differently"].set_index("aligned")
    assert lines["mean"].to_dict() == pytest.approx({"": 0.9, "unit": 0.5, "scale": 0.6, "unit scale": 0.1})
    assert set(table["people"]) == {2} and set(table["settings"]) == {"unit scale"}
    assert planted([[np.nan] * 4]).by_setting()["mean"].isna().all()


def test_parts_of_a_person_are_lines_with_their_name():
    tables = np.random.default_rng(0).random((3, 4))
    table = planted(tables, index=np.array(["L-7", "9001", "ü"])).by_person()
    total = table.groupby(["row", "measure"], sort=False)["part"].sum().unstack("measure")
    assert list(total.index) == ["L-7", "9001", "ü"]
    np.testing.assert_allclose(total["top differs"], tables[:, 0])
    np.testing.assert_allclose(table["naive"].iloc[:3], tables[:, 0])


@functools.cache
def disagreement_about(kind, world, one, other, k=2):
    """Return a disagreement about a small model, with few samples of lime; what was explained once is not again."""
    made = {}

    def once(model, rows, *, background, **how):
        key = (model.schema.sha256, array_id(rows), array_id(background), repr(sorted(how.items())))
        if key not in made:
            made[key] = explain(model, rows, background=background, **how)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lime, "AS_IT_COMES", replace(lime.AS_IT_COMES, aligned={"sampling": {"n_samples": 600}}))
        found = disagreement(worlds.model(kind, world), one, other, laboratory(world, explainer=once), k=k)
    return found, len(made)


PAIRS = [
    ("smooth_net", "mixed", "integrated_gradients", "kernel_shap", 4 + 2**4),
    ("smooth_net", "numeric", "deeplift", "kernel_shap", 2 + 2**3),
    ("boosted", "mixed", "tree_shap", "lime", 2 + 2**4),
    ("forest", "mixed", "tree_shap", "kernel_shap", 2 + 2**2),
    ("function", "numeric", "kernel_shap", "lime", 2**3 + 2**4),
]


@pytest.mark.parametrize(("kind", "world", "one", "other", "most"), PAIRS)
def test_parts_add_up_to_the_distance_as_the_libraries_come(kind, world, one, other, most):
    found, explanations = disagreement_about(kind, world, one, other)
    model, lab = worlds.model(kind, world), laboratory(world)
    a, b = (lab.contributions(model, method, AS_IT_COMES) for method in (one, other))
    whole = {"placed differently": placed_differently(a, b), "top differs": 1 - metrics_by_row(a, b, 2)["feature_agreement"]}
    for measure in MEASURES:
        np.testing.assert_allclose(sum(found.parts(measure).values()), whole[measure], rtol=0, atol=1e-9)
    assert whole["placed differently"].min() > 0.01 and explanations <= most
    assert list(found.index) == [f"id-{i}" for i in range(20, 24)]
    assert set(found.settings) == {*unaligned_settings(one, model), *unaligned_settings(other, model)}


def test_settings_aligned_one_at_a_time_are_as_among_all_combinations():
    model, lab, methods = worlds.model("forest", "mixed"), laboratory("mixed"), ["tree_shap", "kernel_shap"]
    found, every = one_by_one(model, methods, lab, k=2), disagreement_about("forest", "mixed", *methods)[0].by_setting()
    names = ["", *unaligned_settings("kernel_shap", model)]
    assert set(names) < set(found["aligned"]) and found["aligned"].nunique() == len(names) + 1
    key = ["measure", "aligned", "model", "method", "other_method", "settings", "k"]
    both = found.merge(every, on=key, how="left", suffixes=("", "_of_all"))
    np.testing.assert_allclose(both["mean"], both["mean_of_all"], rtol=0, atol=1e-12)
    assert (both["people"] == both["people_of_all"]).all()


def test_disagreement_does_not_depend_on_who_comes_first():
    one, _ = disagreement_about("forest", "mixed", "tree_shap", "kernel_shap")
    other, _ = disagreement_about("forest", "mixed", "kernel_shap", "tree_shap")
    for measure in MEASURES:
        for cause, part in one.parts(measure).items():
            np.testing.assert_array_equal(part, other.parts(measure)[cause])


def test_as_libraries_come_and_aligned_side_by_side():
    lab, model = laboratory("numeric"), worlds.model("smooth_net", "numeric")
    methods = ["integrated_gradients", "deeplift", "kernel_shap"]
    table = as_libraries_come(model, methods, lab, k=9)
    assert len(table) == 2 * 3 * 9 and set(table["k"]) == {5} and set(table["people"]) == {4}
    for setting, aligned in (("as the libraries come", AS_IT_COMES), ("aligned", ALIGNED)):
        a, b = (lab.contributions(model, method, aligned) for method in methods[1:])
        lines = table[(table["setting"] == setting) & (table["method"] == "deeplift")]
        found = lines.set_index("measure")["mean"]
        assert found["placed differently"] == pytest.approx(placed_differently(a, b).mean())
        assert found["rank_correlation"] == pytest.approx(metrics_by_row(a, b, 5)["rank_correlation"].mean())
    naive, aligned = (
        table[table["setting"] == setting].set_index("measure")["mean"] for setting in ("as the libraries come", "aligned")
    )
    assert (aligned["placed differently"].to_numpy()[1:] < 0.6 * naive["placed differently"].to_numpy()[1:]).all()


# Which settings a library's default and the aligned one differ in

SWITCHED = [
    ("net", "mixed", "integrated_gradients", "background grouping"),
    ("net", "mixed", "deeplift", "background grouping"),
    ("net", "mixed", "kernel_shap", "scale background sampling grouping"),
    ("net", "mixed", "lime", "unit scale background sampling grouping"),
    ("net", "numeric", "integrated_gradients", "background"),  # the dense columns are the original ones
    ("net", "numeric", "lime", "unit scale background sampling"),
    ("boosted", "mixed", "tree_shap", "background"),
    ("boosted", "mixed", "kernel_shap", "scale background sampling"),
    ("forest", "mixed", "tree_shap", "background"),
    ("forest", "mixed", "kernel_shap", "background sampling"),  # a probability is what it computes
    ("forest", "mixed", "lime", "unit background sampling"),
    ("function", "mixed", "lime", "unit scale background sampling"),
]


@pytest.mark.parametrize(("kind", "world", "method", "expected"), SWITCHED)
def test_switches_depend_on_the_kind_of_model(kind, world, method, expected):
    assert " ".join(unaligned_settings(method, worlds.model(kind, world))) == expected


def test_regression_has_no_other_scale():
    model = BlackBox(lambda t: t["age"], Schema(worlds.NUMERIC.features, COST), scales=("value",))
    assert unaligned_settings("kernel_shap", model) == ("background", "sampling")


@pytest.mark.parametrize(
    ("kind", "pair", "message"),
    [
        (
            "net",
            ("shapley", "lime"),
            "the defaults of shapley are not known; they are of tree_shap, integrated_gradients, deeplift, kernel",
        ),
        ("net", ("lime", "no such"), "the defaults of no such are not known"),
        ("net", ("lime", "lime"), "a disagreement is between two methods, got lime twice"),
        ("net", ("tree_shap", "lime"), "tree_shap does not take net, a NeuralModel"),
        ("boosted", ("lime", "deeplift"), "deeplift does not take boosted, a TreeModel"),
    ],
)
def test_pair_that_cannot_be_taken_apart_is_refused(kind, pair, message):
    with pytest.raises(DlxError, match=message):
        disagreement(worlds.model(kind, "numeric"), *pair, laboratory("numeric"))


# Each library as it comes: run here with its own defaults, on the dense input


def dense_world(kind, world):
    """Return a net, its dense people and training rows, and where the groups start."""
    lab, model = laboratory(world), worlds.model(kind, world)
    people, training = (model.encoder.transform(some.rows).astype(float) for some in (lab.people, lab.training))
    return lab, model, people, training


def of_network(model, dense):
    with torch.no_grad():
        return model.network(torch.tensor(dense, dtype=torch.float32))[:, 0].double().numpy()


@pytest.mark.parametrize("kind", ["net", "smooth_net"])
def test_gradients_come_as_captum_gives_them(kind, world):
    lab, model, people, _ = dense_world(kind, world)
    dense = torch.tensor(people, dtype=torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # captum tells that it sets hooks
        lifted = DeepLift(model.network).attribute(dense).detach().numpy()
    integrated = IntegratedGradients(model.network).attribute(dense).detach().numpy()
    found = {method: lab.contributions(model, method, AS_IT_COMES) for method in ("deeplift", "integrated_gradients")}
    np.testing.assert_allclose(found["deeplift"], tallest(lifted, model.encoder.starts), atol=1e-6)
    rough = 0.02 * np.abs(integrated).max() if kind == "net" else 1e-4  # a kink between captum's 50 points
    np.testing.assert_allclose(found["integrated_gradients"], tallest(integrated, model.encoder.starts), atol=rough)


def test_kernel_shap_comes_as_shap_gives_it(world):
    lab, model, people, training = dense_world("net", world)
    if world == "numeric":
        people, training = lab.people.rows, lab.training.rows
        reference = shap.KernelExplainer(lambda rows: model.predict(rows, "probability"), advised(training))
    else:
        reference = shap.KernelExplainer(lambda dense: expit(of_network(model, dense)), advised(training))
    values = reference.shap_values(people, silent=True)
    starts = np.arange(5) if world == "numeric" else model.encoder.starts
    assert world == "numeric" or (values == 0).any(axis=1).all()  # eleven dense columns, of which shap keeps ten
    rough = 1e-6 if world == "numeric" else 1e-4  # which of the columns without effect is not kept is a matter of rounding
    np.testing.assert_allclose(lab.contributions(model, "kernel_shap", AS_IT_COMES), tallest(values, starts), atol=rough)


def test_tree_shap_comes_as_shap_gives_it_for_scikit_learns_own_trees():
    case = worlds.table("numeric")
    rows, lab = case.rows.astype(np.float32), laboratory("numeric")
    people = lab.people.rows.astype(np.float32)
    with one_thread():
        boosting = HistGradientBoostingClassifier(max_iter=8, max_depth=3, early_stopping=False).fit(rows, case.outcomes)
    boosted = TreeModel(worlds.from_boosting(boosting), case.schema, "boosted")
    found = lab.contributions(boosted, "tree_shap", AS_IT_COMES)
    np.testing.assert_allclose(found, shap.TreeExplainer(boosting).shap_values(people), atol=1e-5)
    growing = RandomForestClassifier(6, max_depth=3, random_state=0).fit(rows, case.outcomes)
    forest = TreeModel(worlds.from_forest(growing), case.schema, "forest", scales=("probability", "logit"))
    found = lab.contributions(forest, "tree_shap", AS_IT_COMES)
    np.testing.assert_allclose(found, shap.TreeExplainer(growing).shap_values(people)[:, :, 1], atol=1e-5)
    assert np.abs(found - lab.contributions(forest, "tree_shap", ALIGNED)).max() > 0.01


def lime_of(model, training, row, seed):
    """Return the weights that lime gives with all of its defaults, [width]."""
    explainer = LimeTabularExplainer(training, random_state=seed)
    found = explainer.explain_instance(row, lambda dense: np.column_stack([1 - (p := expit(of_network(model, dense))), p]))
    weights = np.zeros(len(row))
    for column, weight in found.as_map()[1]:
        weights[column] = weight
    return weights


def test_lime_comes_as_lime_gives_it_to_the_last_sample_where_all_columns_are_levels():
    levels = tuple("abc")
    schema = Schema(tuple(Feature(f"c{i}", "categorical", levels=levels) for i in range(4)), worlds.TARGET)
    case = Dataset(schema, np.random.default_rng(0).integers(3, size=(60, 4)))
    torch.manual_seed(0)
    model = NeuralModel(nn.Sequential(nn.Linear(12, 6), nn.Tanh(), nn.Linear(6, 1)), Encoder.fit(schema, case.rows))
    lab = Laboratory(case[20:22], case[:9], case, seed=3)
    people, training = (model.encoder.transform(some.rows).astype(float) for some in (lab.people, case))
    expected = np.array([lime_of(model, training, row, seed=3) for row in people])
    assert (np.count_nonzero(expected, axis=1) == 10).all()
    found = lab.contributions(model, "lime", AS_IT_COMES)
    np.testing.assert_allclose(found, tallest(expected, model.encoder.starts), atol=1e-6)


def test_lime_comes_as_lime_gives_it_to_the_last_sample():
    lab, model, people, training = dense_world("smooth_net", "mixed")
    expected = np.array([lime_of(model, training, row, lab.seed) for row in people[:2]])
    found = lab.contributions(model, "lime", AS_IT_COMES)[:2]
    np.testing.assert_allclose(found, tallest(expected, model.encoder.starts), atol=1e-6)


def test_lime_itself_is_not_asked_of_missing_values():
    case = worlds.table("mixed")
    with pytest.raises(MethodError, match="lime itself takes no missing values"):
        explain(worlds.model("net", "mixed"), case[:2], method="lime", background=case, scale="logit", repaired=False)
    lab = Laboratory(case[:2], case[:9], case)
    assert np.isfinite(lab.contributions(worlds.model("boosted", "mixed"), "lime", AS_IT_COMES)).all()


# Each method aligned: what dlx.explain gives


@pytest.mark.parametrize(
    ("kind", "method", "by", "options"),
    [
        ("net", "integrated_gradients", "integrated_gradients", {}),
        ("smooth_net", "deeplift", "deeplift", {}),
        ("net", "kernel_shap", "exact_shapley", {}),
        ("boosted", "kernel_shap", "exact_shapley", {}),
        ("boosted", "tree_shap", "tree_shap", {}),
        ("net", "lime", "lime", {"n_samples": 25_000}),
    ],
)
def test_aligned_is_what_explain_gives(kind, method, by, options, world):
    model, lab = worlds.model(kind, world), laboratory(world, people=2, seed=4)
    made = explain(
        model, lab.people, method=by, background=lab.background, scale=model.scales[0], seed=4, **options
    )  # fmt: skip
    np.testing.assert_array_equal(lab.contributions(model, method, ALIGNED), made.values)


def test_more_columns_than_can_be_tried_are_sampled_when_aligned():
    schema, asked = Schema(tuple(Feature(f"x{i}") for i in range(17)), COST), []

    def recorded(model, rows, *, method, background, scale, seed, **options):
        asked.append((method, options))
        return explain(model, rows, method=method, background=background, scale=scale, seed=seed)

    rows = Dataset(schema, np.random.default_rng(0).normal(size=(3, 17)))
    model = BlackBox(lambda t: t["x0"] * t["x1"], schema, scales=("value",))
    Laboratory(rows[:1], rows, rows, explain=recorded).contributions(model, "kernel_shap", ALIGNED)
    assert asked == [("shapley", {"tolerance": 0.01})]


# One cause at a time


def shares(model, one, other, lab):
    """Return the mean part of each cause in the distance, and the distance."""
    table = disagreement(model, one, other, lab).to_frame()
    table = table[table["measure"] == "placed differently"].set_index("cause")
    assert set(table["undefined"]) == {0}
    return table["share"].to_dict(), float(table["naive"].iloc[0])


def alone(cause, found, tolerance=1e-6):
    return found == {name: pytest.approx(float(name == cause), abs=tolerance) for name in found} and cause in found


def linear_network(weights, schema):
    layer = nn.Linear(len(weights), 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(np.array([weights])))
        layer.bias.fill_(0.5)
    return NeuralModel(layer, Encoder.identity(schema), "linear", ("value",))


def numbers(width, target, centre=0.0, size=8):
    """Return a few people, who are the background and the training rows too: shap's summary of them is themselves."""
    rows = np.random.default_rng(width).normal(size=(size, width))
    schema = Schema(tuple(Feature(f"x{i}") for i in range(width)), target)
    return Dataset(schema, (rows - rows.mean(axis=0)).round(6) + centre)


def test_a_zero_baseline_where_zero_is_no_person_is_the_background():
    case = numbers(4, COST, centre=3.0)
    model = linear_network([1.0, -2.0, 0.5, 0.3], case.schema)
    found, distance = shares(model, "integrated_gradients", "kernel_shap", Laboratory(case, case, case))
    assert alone("background", found) and distance > 0.2
    person, mean = case.rows, case.rows.mean(axis=0)
    weights = model.network.weight.detach().numpy()[0]
    assert distance == pytest.approx(placed_differently(weights * person, weights * (person - mean)).mean(), abs=1e-6)


def test_probability_against_log_odds_is_the_scale():
    case = numbers(3, worlds.TARGET)
    stumps = {name: [] for name in ("feature", "threshold", "left", "right", "missing_left", "value", "cover")}
    for column in range(3):  # each a single split, so that shares at the splits say the same as the rows do
        cut = np.float32(np.sort(case.rows[:, column])[4 + column : 6 + column].mean())
        below = float((case.rows[:, column] <= cut).sum())
        root = 3 * column
        stumps["feature"] += [column, -1, -1]
        stumps["threshold"] += [float(cut), 0, 0]
        stumps["left"] += [root + 1, -1, -1]
        stumps["right"] += [root + 2, -1, -1]
        stumps["missing_left"] += [False] * 3
        stumps["value"] += [0, -1.0 - column, 2.0]
        stumps["cover"] += [8, below, 8 - below]
    model = TreeModel(Trees(**stumps, roots=[0, 3, 6]), case.schema)
    found, distance = shares(model, "tree_shap", "kernel_shap", Laboratory(case, case, case))
    assert alone("scale", found) and distance > 0.02


def test_ten_columns_of_twelve_are_the_sampling():
    case = numbers(12, COST)
    model = linear_network(np.linspace(0.5, 1.5, 12), case.schema)
    found, distance = shares(model, "integrated_gradients", "kernel_shap", Laboratory(case[:3], case, case))
    assert alone("sampling", found, 1e-3) and distance > 0.005


def test_slopes_against_contributions_are_the_unit():
    schema = Schema(tuple(Feature(f"c{i}", "categorical", levels=("a", "b", "c")) for i in range(3)), COST)
    rows = np.random.default_rng(0).choice(3, p=[0.6, 0.3, 0.1], size=(300, 3))
    distinct, counts = np.unique(rows, axis=0, return_counts=True)
    often = np.argsort(-counts)[:10]  # ten kinds of people, so that shap's summary of them is themselves
    case = Dataset(schema, np.repeat(distinct[often], counts[often] // 8, axis=0))
    effects = np.array([[0.0, 1.0, 3.0], [-1.0, 1.0, 0.0], [0.5, 0.0, 2.0]])
    model = BlackBox(
        lambda t: sum(t[f"c{i}"].map(dict(zip("abc", effects[i], strict=True))) for i in range(3)), schema, scales=("value",)
    )
    found, distance = shares(model, "lime", "kernel_shap", Laboratory(case, case, case))
    assert distance > 0.1 and alone("unit", found, 0.1)


def test_the_tallest_bar_of_a_group_against_the_group_is_the_grouping():
    steps = Feature("steps", "categorical", levels=tuple("abcd"), ordered=True, missing=True)
    schema = Schema((steps, Feature("x")), COST)
    missing = Dataset(schema, np.repeat([[np.nan, 0.0]], 5, axis=0))  # what the zero baseline is, to a net blind to "missing"
    people = Dataset(schema, np.array([[3, 0.4], [2, -0.7], [1, 1.0]]))
    network = nn.Sequential(nn.Linear(5, 2), nn.Tanh(), nn.Linear(2, 1))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[1.0, 2, -2.5, 0, 0], [0, 0, 0, 0, 1]]))  # adds up over columns, not over steps
        network[0].bias.copy_(torch.tensor([0.3, 0]))
    model = NeuralModel(network, Encoder.identity(schema), "steps", ("value",))
    found, distance = shares(model, "integrated_gradients", "kernel_shap", Laboratory(people, missing, missing))
    assert alone("grouping", found, 1e-3) and distance > 0.01


def test_methods_that_are_one_on_a_linear_net_differ_in_nothing():
    model, lab = worlds.model("linear_net", "mixed"), laboratory("mixed")
    found = disagreement(model, "integrated_gradients", "deeplift", lab)
    assert found.settings == ("background", "grouping")
    np.testing.assert_allclose(found.distances["placed differently"], 0, atol=1e-5)
    assert set(found.distances["top differs"].ravel()) == {0}


def test_grouping_has_a_part_where_columns_are_levels():
    found, _ = disagreement_about("smooth_net", "mixed", "integrated_gradients", "kernel_shap")
    assert np.abs(found.parts("placed differently")["grouping"]).max() > 0.01


# Odd cases


def test_people_to_whom_a_model_gives_nothing_are_undefined():
    case = numbers(3, COST)
    rows = case.rows.copy()
    rows[2] = 0  # where the zero baseline is
    case = Dataset(case.schema, rows, index=np.array([9001, 17, 404, 5, 6, 7, 8, 1]))
    model = linear_network([1.0, -2.0, 0.5], case.schema)
    table = disagreement(model, "integrated_gradients", "kernel_shap", Laboratory(case, case, case)).to_frame()
    assert set(table["people"]) == {7} and set(table["undefined"]) == {1} and table["part"].notna().all()
    settings = as_libraries_come(model, ["integrated_gradients", "kernel_shap"], Laboratory(case, case, case))
    assert settings.set_index(["setting", "measure"])["people"]["as the libraries come"]["placed differently"] == 7


def test_people_whose_explanation_failed_are_undefined():
    def fails_on_the_first(model, rows, **how):
        made = explain(model, rows, **how)
        values = made.values.copy()
        values[0] = np.nan
        return worlds.said(values)

    lab = laboratory("numeric", explainer=fails_on_the_first)
    table = disagreement(worlds.model("smooth_net", "numeric"), "integrated_gradients", "deeplift", lab).to_frame()
    assert set(table["people"]) == {3} and set(table["undefined"]) == {1}


def test_one_feature_can_only_differ_in_its_sign():
    case = numbers(1, COST, centre=1.0)
    model = linear_network([2.0], case.schema)
    found = disagreement(model, "integrated_gradients", "kernel_shap", Laboratory(case, case, case), k=5)
    assert found.k == 1 and set(found.distances["top differs"].ravel()) == {0}
    expected = np.where(case.rows[:, 0] > 0, case.rows[:, 0] < 1, case.rows[:, 0] > 1)
    np.testing.assert_array_equal(found.distances["placed differently"][:, 0], expected)
