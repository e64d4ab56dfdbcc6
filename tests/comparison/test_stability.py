"""Stability: the vector formulas in loops, neighbourhoods, planted explanations, the hidden layer, and what has no value."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
import pandas as pd
import pytest
import torch
import worlds
from torch import nn

from dlx.arrays import array_id
from dlx.background import nearest
from dlx.comparison.stability_metrics import hidden, lipschitz, neighbourhood, relative_change, relative_stability, stability
from dlx.encoder import Encoder
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import BlackBox, NeuralModel
from dlx.runner import explain
from dlx.schema import Feature, Schema, Target


def explained_by(values_of, model, rows, *, background, scale="logit", method="lime", seed=0, **options):
    """Return an explanation whose contributions are a function of the rows: a caching, planted or broken `explain`."""
    coded, reference = np.asarray(rows), np.asarray(background)
    base = np.full(len(coded), model.predict(reference, scale).mean())
    about = (model.schema, scale, method, method, model.name, array_id(reference))
    return Explanation(values_of(coded), base, model.predict(coded, scale), coded, *about, seed=seed, options=options)


def planted(values_of, kind="net", world="numeric", **changes):
    """Return a model, an explanation of people by a function of the rows, the background, and what explains again."""
    model, background = worlds.model(kind, world), worlds.background(world)
    again = functools.partial(explained_by, values_of)
    made = dataclasses.replace(again(model, worlds.people(world), background=background), **changes)
    return model, made, background, again


def wobbly(rows):
    """Return contributions that depend on all columns and take both signs."""
    known = np.nan_to_num(rows, nan=0.3)
    return np.sin(3 * known) + 0.2 * known.sum(axis=1, keepdims=True)


# The formulas, without numpy: elementwise as in the paper and in OpenXAI's first release, but for the sign


def norm(vector):
    return math.sqrt(sum(x * x for x in vector))


def openxai_relative_change(before, after, eps=0.001):
    return norm([(a - b) / max(abs(a), eps) for a, b in zip(before, after, strict=True)])


def ratios_by_definition(e, near_e, x, near_x, representation, near_representation, logit, near_logit):
    """Return every ratio of one neighbour, from lists."""
    change = openxai_relative_change(e, near_e)
    distance = norm([a - b for a, b in zip(x, near_x, strict=True)])
    return {
        "ris": change / max(openxai_relative_change(x, near_x), 1e-6),
        "rrs": change / max(openxai_relative_change(representation, near_representation), 1e-6),
        "ros": change / max(abs(logit - near_logit), 1e-6),
        "lipschitz": norm([a - b for a, b in zip(e, near_e, strict=True)]) / distance,
    }


@pytest.mark.parametrize("scale", ["logit", "probability"])
def test_metrics_are_their_definitions(scale, world):
    again = functools.partial(explained_by, wobbly)
    model, background, people = worlds.model("smooth_net", world), worlds.background(world), worlds.people(world)
    explanation = again(model, people, background=background, scale=scale)
    table = stability(model, explanation, background, explain=again, count=6, seed=2).set_index("metric")
    near, kept = neighbourhood(model, people, background, scale=scale, count=6, seed=2)

    def read(row):
        dense = model.encoder.transform(row[None])
        units = model.network[1](model.network[0](torch.from_numpy(dense))).detach().numpy()[0].tolist()
        return wobbly(row[None])[0].tolist(), dense[0].tolist(), units, float(model.predict(row[None], "logit")[0])

    largest = []
    for person, neighbours, keep in zip(people, near, kept, strict=True):
        e, x, units, logit = read(person)
        found = []
        for neighbour in neighbours[keep]:
            near_e, near_x, near_units, near_logit = read(neighbour)
            found.append(ratios_by_definition(e, near_e, x, near_x, units, near_units, logit, near_logit))
        largest.append({metric: max(one[metric] for one in found) for metric in found[0]})
    expected = pd.DataFrame(largest)
    assert list(table.index) == ["ris", "rrs", "ros", "lipschitz"]
    np.testing.assert_allclose(table["mean"], expected.mean(), rtol=1e-3)
    np.testing.assert_allclose(table["median"], expected.median(), rtol=1e-3)
    assert set(table["neighbours"]) == {kept.sum()} and set(table["rows"]) == {5}
    assert ((table["low"] <= table["mean"]) & (table["mean"] <= table["high"])).all()


def test_small_elements_are_kept_away_from_zero_whatever_their_sign():
    before, after = np.array([2.0, -2.0, 0.0, -1e-5]), np.array([1.0, -1.0, 0.002, -1e-5 - 0.001])
    assert relative_change(before, after) == pytest.approx(math.sqrt(0.25 + 0.25 + 4 + 1))
    assert relative_change(before, after) == pytest.approx(openxai_relative_change(before.tolist(), after.tolist()))
    assert relative_change(-before, -after) == relative_change(before, after)
    np.testing.assert_allclose(relative_stability(np.array([3.0, 3.0]), np.array([1.5, 0.0])), [2, np.nan])
    steps = lipschitz(np.zeros((2, 2)), np.array([[3.0, 4.0]] * 2), np.zeros((2, 1)), np.array([[2.0], [0.0]]))
    np.testing.assert_array_equal(steps, [2.5, np.nan])


# Neighbourhoods


def test_neighbours_move_a_tenth_of_the_way_to_a_donor(world):
    schema, people, background = worlds.SCHEMAS[world], worlds.people(world), worlds.background(world)
    model = worlds.model("linear", world)
    near, kept = neighbourhood(model, people, background, scale="logit", count=30)
    donors = background[nearest(schema, people, background, 30)][:, np.arange(30) % 9]
    own = np.broadcast_to(people[:, None], near.shape)
    moves = ~np.isnan(own) & ~np.isnan(donors) & ~np.isin(np.arange(5), schema.categorical)
    np.testing.assert_allclose(near[moves], (0.9 * own + 0.1 * donors)[moves])
    same = (near == own) | (np.isnan(near) & np.isnan(own))
    donated = (near == donors) | (np.isnan(near) & np.isnan(donors))
    assert (same | donated)[~moves].all()
    if world == "mixed":
        open_to_change = ~moves & ~((own == donors) | (np.isnan(own) & np.isnan(donors)))
        flips = donated[open_to_change].mean()
        assert 0.01 < flips < 0.12
    classes = model.predict(near.reshape(-1, 5), "logit").reshape(kept.shape) >= 0
    expected = (classes == (model.predict(people, "logit") >= 0)[:, None]) & ~same.all(axis=2)
    np.testing.assert_array_equal(kept, expected)
    assert kept.any() and not same.all(axis=2)[:4].any() and same.all(axis=2)[4, 0]  # the last person is their own donor
    on_probability = neighbourhood(model, people, background, scale="probability", count=30)
    np.testing.assert_array_equal(on_probability[0], near)
    np.testing.assert_array_equal(on_probability[1], kept)


def crossing(people):
    """Return a logit that is negative below 0 and grows without bound just above it."""
    return people["x"] * 100


@pytest.mark.parametrize(("scale", "kept"), [("logit", [False, True]), ("value", [True, True])])
def test_a_neighbour_of_another_class_is_dropped_but_a_value_has_no_class(scale, kept):
    target = Target("y", "regression") if scale == "value" else Target("y", levels=("0", "1"))
    scales = ("value",) if scale == "value" else ("logit", "probability")
    model = BlackBox(crossing, Schema((Feature("x"),), target), "steep", scales=scales)
    found = neighbourhood(model, np.array([[-0.01]]), np.array([[1.0], [-2.0]]), scale=scale, count=2)
    np.testing.assert_allclose(found[0].ravel(), [0.091, -0.209])
    assert found[1].tolist() == [kept]


def test_a_neighbour_with_an_infinite_logit_is_explained_as_a_probability_only():
    schema = Schema((Feature("x"),))
    model = BlackBox(lambda people: (people["x"] > 0) * 0.4 + 0.6, schema, "sure", scales=("probability", "logit"))
    rows, background = np.array([[-0.01]]), np.array([[1.0], [-1.0]])
    assert neighbourhood(model, rows, background, scale="logit", count=2)[1].sum() == 1
    assert neighbourhood(model, rows, background, scale="probability", count=2)[1].sum() == 2
    again = functools.partial(explained_by, np.sin)
    explanation = again(model, rows, background=background, scale="probability")
    table = stability(model, explanation, background, explain=again, count=2).set_index("metric")
    assert table["rows"].to_dict() == {"ris": 1, "ros": 0, "lipschitz": 1} and set(table["neighbours"]) == {2}
    certain = again(model, np.array([[0.5]]), background=background, scale="probability")
    table = stability(model, certain, background, explain=again, count=2).set_index("metric")
    assert table["undefined"].to_dict() == {"ris": 0, "ros": 1, "lipschitz": 0}


# Planted explanations


def test_an_explanation_that_never_moves_is_perfectly_stable():
    model, explanation, background, again = planted(lambda rows: np.ones(rows.shape))
    table = stability(model, explanation, background, explain=again)
    assert set(table["mean"]) == set(table["median"]) == {0}


def test_a_linear_explanation_has_a_lipschitz_constant_known_in_advance():
    model, background = worlds.model("linear", "numeric"), worlds.background("numeric")
    again = functools.partial(explained_by, lambda rows: 3 * (rows - model.encoder.center) / model.encoder.scale)
    explanation = again(model, worlds.people("numeric"), background=background)
    table = stability(model, explanation, background, explain=again).set_index("metric")
    assert table.loc["lipschitz", ["median", "mean", "low", "high"]].to_list() == pytest.approx([3] * 4, rel=1e-5)
    assert table.loc["ris", ["median", "mean"]].to_list() == pytest.approx([1, 1], rel=1e-4)  # both change alike
    assert list(table.index) == ["ris", "ros", "lipschitz"]


def test_a_noisy_explanation_is_less_stable_on_every_metric():
    model, calm, background, again = planted(lambda rows: 2 + 0.1 * rows)
    rng = np.random.default_rng(0)
    noisy = functools.partial(explained_by, lambda rows: 2 + 0.1 * rows + rng.normal(size=rows.shape))
    steady, shaky = (stability(model, calm, background, explain=e).set_index("metric")["median"] for e in (again, noisy))
    assert (shaky > 5 * steady).all()


def test_trees_are_compared_in_the_standardised_input_of_the_background():
    model, explanation, background, again = planted(np.cos, "boosted")
    table = stability(model, explanation, background, explain=again, count=4).set_index("metric")
    near, kept = neighbourhood(model, explanation.rows, background, scale="logit", count=4)
    encoder = Encoder.fit(worlds.NUMERIC, background)
    steps = lipschitz(
        np.cos(explanation.rows)[:, None],
        np.cos(near),
        encoder.transform(explanation.rows)[:, None],
        encoder.transform(near.reshape(-1, 5)).reshape(5, 4, -1),
    )
    assert table.loc["lipschitz", "mean"] == pytest.approx(np.where(kept, steps, 0).max(axis=1).mean())


# Explaining again


@pytest.mark.parametrize(
    ("kind", "method", "options"), [("net", "gradient_shap", {"n_samples": 7}), ("boosted", "tree_shap", {})]
)
def test_neighbours_are_explained_once_as_the_people_were(kind, method, options, world):
    model, background = worlds.model(kind, world), worlds.background(world)
    explanation = explain(model, worlds.people(world), method=method, background=background, scale="logit", seed=4, **options)
    calls = []

    def noting(*args, **how):
        calls.append((args, how))
        return explain(*args, **how)

    table = stability(model, explanation, worlds.table(world)[:9], explain=noting, count=5, seed=3)
    pd.testing.assert_frame_equal(table, stability(model, explanation, background, count=5, seed=3))
    ((its_model, rows), how), *others = calls
    near, kept = neighbourhood(model, explanation.rows, background, scale="logit", count=5, seed=3)
    assert its_model is model and not others
    np.testing.assert_array_equal(rows, near[kept])
    np.testing.assert_array_equal(how.pop("background"), background)
    assert how == {"method": method, "scale": "logit", "seed": 4, **explanation.options}
    assert (table["mean"] > 0).all() and set(table["method"]) == {method} and set(table["scale"]) == {"logit"}


def test_people_do_not_depend_on_each_other_nor_on_chance(world):
    model, explanation, background, again = planted(wobbly, "boosted", world)
    table, turned = (stability(model, e, background, explain=again) for e in (explanation, explanation[::-1]))
    exact = ["median", "mean", "rows", "undefined", "neighbours"]
    pd.testing.assert_frame_equal(table[exact], turned[exact])
    pd.testing.assert_frame_equal(table, stability(model, explanation, background, explain=again))
    alone = [stability(model, explanation[i], background, explain=again).set_index("metric")["mean"] for i in range(5)]
    np.testing.assert_allclose(pd.concat(alone, axis=1).mean(axis=1), table["mean"])
    if world == "mixed":
        other = stability(model, explanation, background, explain=again, seed=1)
        assert np.abs(other["mean"] / table["mean"] - 1).max() > 1e-3


# The hidden layer


@pytest.fixture
def deep():
    torch.manual_seed(0)
    layers = [nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1), nn.Identity()]
    return NeuralModel(nn.Sequential(*layers), worlds.encoder("numeric"), "deep")


def test_hidden_is_what_goes_into_the_last_linear_layer(deep):
    rows = worlds.table("numeric").rows
    with torch.no_grad():
        expected = deep.network[:4](deep.dense(rows)).numpy()
    found = hidden(deep, np.tile(rows, (15, 1)))  # 4,500 rows: more than a chunk
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, np.tile(expected, (15, 1)), rtol=1e-5, atol=1e-7)


def test_hooks_are_removed_even_where_the_net_fails(deep, monkeypatch):
    def hooks():
        return sum(len(layer._forward_pre_hooks) + len(layer._forward_hooks) for layer in deep.network.modules())

    hidden(deep, worlds.people("numeric"))
    assert hooks() == 0
    seen = []

    def fail(_):
        seen.append(hooks())
        raise RuntimeError("out of memory")

    monkeypatch.setattr(deep.network[5], "forward", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        hidden(deep, worlds.people("numeric"))
    assert seen == [3] and hooks() == 0


def test_a_net_without_a_linear_layer_has_no_representation():
    class Sum(nn.Module):
        def forward(self, rows):
            return rows.sum(dim=1)

    model, background = NeuralModel(Sum(), worlds.encoder("numeric"), "sum"), worlds.background("numeric")
    with pytest.raises(DlxError, match="sum has no linear layer"):
        hidden(model, background)
    again = functools.partial(explained_by, np.sin)
    explanation = again(model, worlds.people("numeric"), background=background)
    assert list(stability(model, explanation, background, explain=again)["metric"]) == ["ris", "ros", "lipschitz"]


# What has no value, and what is refused


def test_rows_that_failed_and_rows_without_neighbours_are_counted():
    model, explanation, background, again = planted(wobbly, index=["a", "b", "c", "d", "e"])
    values = explanation.values.copy()
    values[1, 0], values[2] = np.nan, np.inf
    spoiled = dataclasses.replace(explanation, values=values)
    table = stability(model, spoiled, background, explain=again)
    whole = stability(model, explanation[[0, 3, 4]], background, explain=again)
    assert set(table["rows"]) == {3} and set(table["failed"]) == {2} and set(table["undefined"]) == {0}
    kept = ["metric", "median", "mean", "low", "high", "neighbours"]
    pd.testing.assert_frame_equal(table[kept], whole[kept], rtol=1e-3)  # a change of output of a few roundings divides

    lonely = dataclasses.replace(explanation, background_id=array_id(explanation.rows[:1]))
    table = stability(model, lonely, explanation.rows[:1], explain=again, count=1)  # the first is their own only donor
    kept = neighbourhood(model, explanation.rows, explanation.rows[:1], scale="logit", count=1)[1].ravel()
    assert not kept[0] and kept[1:].any()
    assert set(table["undefined"]) == {sum(~kept)} and set(table["rows"]) == set(table["neighbours"]) == {sum(kept)}
    nobody = stability(model, lonely[0], explanation.rows[:1], explain=None, count=1)
    assert set(nobody["neighbours"]) == {0} and set(nobody["undefined"]) == {1} and nobody["mean"].isna().all()


def test_neighbours_that_cannot_be_explained_are_left_out():
    model, explanation, background, again = planted(wobbly)
    near, kept = neighbourhood(model, explanation.rows, background, scale="logit")
    spoiled = np.isin(near[kept][:, 0], near[kept][::2, 0])

    def half(*args, **how):
        made = again(*args, **how)
        return dataclasses.replace(made, values=np.where(spoiled[:, None], np.nan, made.values))

    table, whole = (stability(model, explanation, background, explain=e) for e in (half, again))
    assert set(table["rows"]) == {5}
    assert (table["mean"] <= whole["mean"]).all() and (table["mean"] < whole["mean"]).any()


def test_one_column():
    schema = Schema((Feature("x"),))
    model = BlackBox(lambda people: 3 * people["x"], schema, "line", scales=("logit", "probability"))
    again = functools.partial(explained_by, lambda rows: 3 * rows)
    background = np.array([[1.0], [3.0]])
    table = stability(model, again(model, np.array([[2.0]]), background=background), background, explain=again, count=1)
    found = table.set_index("metric")["mean"].to_dict()  # from 2 to 1.9; in deviations of 1 around 2, from 0 to -0.1
    assert found == pytest.approx({"ris": 0.05 / 100, "ros": 0.05 / 0.3, "lipschitz": 3}, rel=1e-4)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"model": "trees"}, {}, "got one of trees and the model net"),
        ({"background_id": "b"}, {}, r"is another; pass the same background=\.\.\. as to dlx.explain"),
        ({}, {"background": worlds.background("numeric")[::-1]}, "explained again, which needs the background"),
        ({}, {"count": 0}, "a neighbourhood needs at least 1 neighbour, got 0"),
        ({}, {"seed": 2**32}, "a seed must be 0 to"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_remedy(changes, options, message):
    model, explanation, background, again = planted(wobbly, **changes)
    with pytest.raises(DlxError, match=message):
        stability(model, explanation, **{"background": background, "explain": again, **options})
