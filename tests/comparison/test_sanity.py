"""The sanity check: layers become random from the last to the first, and only what ignores the model survives."""

from __future__ import annotations

import copy
import dataclasses
import functools

import numpy as np
import pandas as pd
import pytest
import torch
import worlds
from torch import nn

from dlx.architectures import resnet
from dlx.arrays import array_id
from dlx.comparison.metrics import metrics_by_row
from dlx.comparison.sanity import outlives, randomised, sanity_check
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import NeuralModel
from dlx.runner import explain
from dlx.schema import Feature, Schema

BACKGROUND = worlds.background("numeric")
PEOPLE = worlds.table("numeric").rows[20:60]


def explained(values, model, rows, **changes):
    made = Explanation(
        values, np.zeros(len(rows)), model.predict(rows, "logit"), rows, model.schema, "logit", "lime", "lime", model.name,
        array_id(BACKGROUND),
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


def distance_from_average(model, rows, *, background, **_):
    """Return an "explanation" that never asks the model: how far a person is from the average person."""
    return explained(rows - background.mean(axis=0), model, rows)


@pytest.fixture(scope="module")
def trained():
    """A net whose output is the third column, mostly, and which any method explains by it."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))
    with torch.no_grad():
        for layer in net[::2]:
            layer.weight.mul_(0.05)
        net[0].weight[:, 2], net[2].weight[:] = torch.linspace(-1, 1, 8), torch.eye(8)
        net[4].weight[:] = torch.linspace(-2, 2, 8)
    return NeuralModel(net, worlds.encoder("numeric"), "net")


def deep():
    torch.manual_seed(1)
    return NeuralModel(resnet.build(5, [-0.85], hidden=6, block_hidden=4, depth=1), worlds.encoder("numeric"), "resnet")


# Randomising


def state(model):
    return {name: tensor.clone() for name, tensor in model.network.state_dict().items()}


def test_layers_become_random_from_the_last_to_the_first_and_stay_so():
    model = deep()
    with torch.no_grad():
        model.network.norm.running_mean += 5
    before, stages = state(model), randomised(model, seed=3)
    names = ["head", "norm", "blocks.0.narrow", "blocks.0.widen", "blocks.0.norm", "first"]
    assert [name for name, _ in stages] == names
    assert [net.name for _, net in stages] == ["resnet, 1 layer random", *(f"resnet, {n} layers random" for n in range(2, 7))]
    previous = before
    for name, net in stages:
        now = state(net)
        changed = {key.rpartition(".")[0] for key in now if not torch.equal(now[key], previous[key])}
        # norms of an untrained net are at their start already, but for the running mean above
        assert changed == {name} or (not changed and name == "blocks.0.norm")
        assert not net.network.training and (net.encoder, net.scales) == (model.encoder, model.scales)
        previous = now
    assert torch.equal(previous["norm.running_mean"], torch.zeros(6))
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.network.state_dict().items())
    assert model.name == "resnet"


def test_random_weights_are_a_function_of_the_seed_and_leave_the_global_generator_alone():
    model = deep()
    torch.manual_seed(9)
    state_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()
    one = [net.predict(PEOPLE, "logit") for _, net in randomised(model, seed=1)]
    assert torch.equal(torch.get_rng_state(), state_before)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)
    torch.manual_seed(10)
    again = [net.predict(PEOPLE, "logit") for _, net in randomised(model, seed=1)]
    other = [net.predict(PEOPLE, "logit") for _, net in randomised(model, seed=2)]
    for a, b, c in zip(one, again, other, strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.abs(a - c).max() > 1e-3


def test_attention_and_embeddings_are_made_random_too():
    class Attentive(nn.Module):
        def __init__(self):
            super().__init__()
            self.place = nn.Embedding(5, 4)
            self.attention = nn.MultiheadAttention(4, 1, batch_first=True)
            self.norm = nn.LayerNorm(4)
            self.head = nn.Linear(4, 1)

        def forward(self, rows):
            tokens = self.place.weight * rows[:, :, None]
            return self.head(self.norm(self.attention(tokens, tokens, tokens)[0]).mean(dim=1))

    torch.manual_seed(0)
    model = NeuralModel(Attentive(), worlds.encoder("numeric"), "attentive")
    stages = randomised(model, seed=0)
    assert [name for name, _ in stages] == ["head", "norm", "attention.out_proj", "attention", "place"]
    before, after = state(model), state(stages[-1][1])
    drawn = {key for key in before if not torch.equal(before[key], after[key])}
    assert drawn >= {"head.weight", "attention.in_proj_weight", "place.weight"}


def test_a_layer_that_cannot_be_made_random_is_refused_rather_than_skipped():
    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.factor = nn.Parameter(torch.ones(5))

        def forward(self, rows):
            return rows * self.factor

    stubborn = NeuralModel(nn.Sequential(Scale(), nn.Linear(5, 1)), worlds.encoder("numeric"), "stubborn")
    with pytest.raises(DlxError, match=r"layer '0' of stubborn must have reset_parameters\(\) .* but Scale has none; give it"):
        randomised(stubborn, seed=0)
    empty = NeuralModel(nn.Sequential(nn.Flatten()), worlds.encoder("numeric"), "empty")
    with pytest.raises(DlxError, match="empty has no layer with weights"):
        randomised(empty, seed=0)


# The check


def test_what_ignores_the_model_survives_and_integrated_gradients_do_not(trained):
    blind = distance_from_average(trained, PEOPLE, background=BACKGROUND)
    table = sanity_check(trained, blind, BACKGROUND, explain=distance_from_average, k=2)
    assert table["survives"].all() and set(table["feature_agreement"]) == set(table["rank_correlation"]) == {1}
    how = {"method": "integrated_gradients", "background": BACKGROUND, "scale": "logit"}
    gradients = explain(trained, PEOPLE, **how)
    assert (np.abs(gradients.values).argmax(axis=1) == 2).mean() > 0.8  # as planted
    table = sanity_check(trained, gradients, BACKGROUND, k=2)
    assert not table["survives"].any() and set(table["note"]) == {""}
    assert table["feature_agreement"].iloc[-1] < 0.7


def test_table_has_a_line_a_stage_with_the_agreement_of_before_and_after(trained):
    how = {"method": "deeplift", "background": BACKGROUND, "scale": "logit"}
    before = explain(trained, PEOPLE, seed=2, **how)
    calls = []

    def noting(model, rows, **told):
        calls.append((model.name, told))
        return explain(model, rows, **told)

    table = sanity_check(trained, before, worlds.table("numeric")[:9], explain=noting, k=3, seed=5)
    assert list(table) == [
        "model", "method", "scale", "layer", "layers_random", "k", "chance", "feature_agreement", "low", "high",
        "rank_correlation", "rows", "failed", "undefined", "survives", "note",
    ]  # fmt: skip
    assert list(table["layer"]) == ["4", "2", "0"] and list(table["layers_random"]) == [1, 2, 3]
    assert set(table["model"]) == {"net"} and set(table["method"]) == {"deeplift"} and set(table["chance"]) == {0.6}
    assert [name for name, _ in calls] == ["net, 1 layer random", "net, 2 layers random", "net, 3 layers random"]
    assert all(told | {"background": 0} == {**how, "background": 0, "seed": 2, **before.options} for _, told in calls)
    for (_, net), (_, line) in zip(randomised(trained, seed=5), table.iterrows(), strict=True):
        metrics = metrics_by_row(before.values, explain(net, PEOPLE, **how).values, 3)
        assert line["feature_agreement"] == pytest.approx(metrics["feature_agreement"].mean())
        assert line["rank_correlation"] == pytest.approx(metrics["rank_correlation"].mean())
        assert line["low"] <= line["feature_agreement"] <= line["high"] and line["rows"] == 40
    pd.testing.assert_frame_equal(table, sanity_check(trained, before, BACKGROUND, k=3, seed=5))


@pytest.mark.parametrize(("share", "survives"), [(0.95, True), (0.55, False), (0.3, False)])
def test_the_verdict_takes_the_lower_end_of_what_is_above_chance(share, survives):
    agreement = np.where(np.arange(100) < 100 * share, 1.0, 0.2)  # mean (x - 0.2) / 0.8 is the share
    assert outlives(agreement, 0.2) == (survives, "")


def test_the_verdict_is_left_open_where_nothing_can_be_told(trained):
    blind = distance_from_average(trained, PEOPLE, background=BACKGROUND)
    table = sanity_check(trained, blind, BACKGROUND, explain=distance_from_average, k=5)
    assert not table["survives"].any() and set(table["chance"]) == {1}
    assert set(table["note"]) == {"not decided: the top k are all features, which agree by chance"}
    alike = dataclasses.replace(blind, values=np.ones(PEOPLE.shape), index=[f"L-{i}" for i in range(40)])
    table = sanity_check(trained, alike, BACKGROUND, explain=distance_from_average, k=2)
    assert set(table["undefined"]) == {40} and set(table["rows"]) == {0} and not table["survives"].any()
    assert set(table["note"]) == {"not decided: no row has a value with all layers random"}
    assert table[["feature_agreement", "low", "high", "rank_correlation"]].isna().all(axis=None)


def test_rows_that_failed_before_or_after_are_counted(trained):
    blind = distance_from_average(trained, PEOPLE, background=BACKGROUND)
    values = blind.values.copy()
    values[[3, 5], 1] = np.nan

    def failing(*args, **how):
        made = distance_from_average(*args, **how)
        return dataclasses.replace(made, base_values=np.where(np.isin(np.arange(40), [5, 7]), np.nan, 0.0))

    spoiled = dataclasses.replace(blind, values=values)
    table = sanity_check(trained, spoiled, BACKGROUND, explain=failing, k=2)
    assert set(table["rows"]) == {37} and set(table["failed"]) == {3} and set(table["undefined"]) == {0}
    assert table["survives"].all()
    nobody = dataclasses.replace(blind, values=np.full(PEOPLE.shape, np.nan))
    table = sanity_check(trained, nobody, BACKGROUND, explain=failing, k=2)
    assert set(table["failed"]) == {40} and not table["survives"].any()


def test_one_column_is_the_top_by_chance():
    encoder = dataclasses.replace(
        worlds.encoder("numeric"), schema=Schema((Feature("x"),)), center=np.zeros(1), scale=np.ones(1)
    )
    torch.manual_seed(0)
    model = NeuralModel(nn.Linear(1, 1), encoder, "line")
    rows, background = PEOPLE[:, :1], BACKGROUND[:, :1]
    again = functools.partial(explain, model, rows, method="integrated_gradients", background=background, scale="logit")
    table = sanity_check(model, again(), background)
    assert list(table["layer"]) == [""] and list(table["feature_agreement"]) == [1] and not table["survives"].any()
    assert table["note"].iloc[0].startswith("not decided") and table["rank_correlation"].isna().all()


def test_nothing_is_left_on_the_net(trained):
    before = copy.deepcopy(trained.network)
    random_state = torch.get_rng_state()
    sanity_check(
        trained, distance_from_average(trained, PEOPLE, background=BACKGROUND), BACKGROUND, explain=distance_from_average
    )
    assert torch.equal(torch.get_rng_state(), random_state)
    assert all(torch.equal(a, b) for a, b in zip(before.parameters(), trained.network.parameters(), strict=True))
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in trained.network.modules())


def test_what_does_not_fit_is_refused_with_the_remedy(trained):
    blind = distance_from_average(trained, PEOPLE, background=BACKGROUND)
    trees = worlds.model("boosted", "numeric")
    for model, background, changes, message in (
        (trees, BACKGROUND, {"model": "boosted"}, "needs a net, got boosted, a TreeModel"),
        (trained, BACKGROUND, {"model": "mlp"}, "got one of mlp and the model net"),
        (trained, BACKGROUND[:4], {}, "needs the background that it was made against, but this is another"),
    ):
        with pytest.raises(DlxError, match=message):
            sanity_check(model, dataclasses.replace(blind, **changes), background, explain=distance_from_average)
    with pytest.raises(DlxError, match="k must be at least 1, got 0"):
        sanity_check(trained, blind, BACKGROUND, explain=distance_from_average, k=0)
