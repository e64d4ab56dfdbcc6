"""Outputs of people of whom columns are set to values, against rows that are made one by one; every kind of model."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
import worlds
from forests import random_rows, random_trees
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch import nn

import dlx
from dlx.architectures import additive, ft_transformer, mlp, resnet, tabm
from dlx.encoder import Encoder
from dlx.errors import DlxError
from dlx.kernels import interventions
from dlx.kernels.interventions import intervened
from dlx.model import AdditiveModel, BlackBox, LinearModel, NeuralModel, Transformed, TreeModel
from dlx.model.heads import AgainstOthers
from dlx.schema import Carried, Feature, Schema, Target
from dlx.trees import FEW_WALKS, _so_far, concatenate

LEVELS = ("a", "b", "c")
ODD = Schema(
    (
        Feature("income", missing=True, special={"-1": "refused", "-2": "not asked"}),
        Feature("grade", "categorical", levels=LEVELS, ordered=True, missing=True),
        Feature("kind", "categorical", levels=LEVELS),
        Feature("age"),
    ),
    Target("y", levels=("no", "yes")),
)


def odd(count=30, seed=0):
    """Return rows with missing, special and ordered values."""
    rng = np.random.default_rng(seed)
    rows = np.column_stack([rng.uniform(0, 9, count), *rng.integers(3, size=(2, count)), rng.normal(size=count)])
    rows[:12, 0], rows[12:20, 1] = np.tile([-1.0, -2.0, np.nan], 4), np.nan
    return rng.permutation(rows)


def made(model, people, columns, values, scale, which=None):
    """Return what `intervened` does, of one row after another."""
    which = np.tile(np.arange(len(values)), (len(people), 1)) if which is None else which
    rows = np.repeat(people[:, None], which.shape[1], axis=1)
    for person, settings in enumerate(which):
        for place, setting in enumerate(settings):
            rows[person, place, columns] = values[setting]
    return model.predict(rows.reshape(-1, people.shape[1]), scale).reshape(which.shape)


def agrees(model, people, scale, settings=7, seed=0):
    """Whether one column, and two, set to values of these people give what rows do; everybody all settings, or some."""
    rng = np.random.default_rng(seed)
    for columns in ([0], [1], [2, 0]):
        values = people[rng.integers(len(people), size=settings)][:, columns]
        for which in (None, rng.integers(settings, size=(len(people), 2)), rng.integers(settings, size=(len(people), 9))):
            expected = made(model, people, columns, values, scale, which)
            found = intervened(model, people, columns, values, scale, which)
            precise = isinstance(model, (TreeModel, LinearModel))
            np.testing.assert_allclose(found, expected, rtol=0, atol=(1e-12 if precise else 1e-5) * np.abs(expected).max())


@pytest.mark.parametrize("scale", ["logit", "probability"])
@pytest.mark.parametrize("kind", worlds.MODELS)
def test_every_kind_of_model_predicts_what_it_does_of_rows(kind, world, scale):
    agrees(worlds.model(kind, world), worlds.table(world).rows[:30], scale)


def nets(width, owner):
    """Return small nets of every architecture, and one of three classes."""
    torch.manual_seed(0)
    return {
        "mlp": mlp.build(width, [-0.85], hidden=8),
        "resnet": resnet.build(width, [-0.85], hidden=8, block_hidden=8),
        "tabm": tabm.build(width, [-0.85], groups=owner, hidden=8, members=3),
        "ft_transformer": ft_transformer.build(width, [-0.85], groups=owner, hidden=8, depth=1, heads=2),
        "one of three classes": nn.Sequential(mlp.build(width, [0.0, 0.2, -0.2], hidden=8), AgainstOthers(1)),
        "one layer": nn.Linear(width, 1),
        "probabilities": nn.Sequential(nn.Linear(width, 8), nn.Tanh(), nn.Linear(8, 1), nn.Sigmoid()),
    }


@pytest.mark.parametrize(
    "name", ["mlp", "resnet", "tabm", "ft_transformer", "one of three classes", "one layer", "probabilities"]
)
def test_nets_on_special_missing_and_ordered_values(name, monkeypatch):
    monkeypatch.setattr(interventions, "CHUNK_ROWS", 100)  # several chunks, of several blocks
    monkeypatch.setattr(interventions, "BLOCK_ROWS", 40)
    encoder = Encoder.fit(ODD, odd())
    scales = ("probability", "logit") if name == "probabilities" else ("logit", "probability")
    model = NeuralModel(nets(encoder.width, encoder.owner.tolist())[name], encoder, name, scales)
    agrees(model, odd(), "logit")


def test_an_additive_net_whose_pairs_meet_special_values():
    encoder = Encoder.fit(ODD, odd())
    torch.manual_seed(1)
    network = additive.build(encoder.width, [0.3], groups=encoder.owner.tolist(), units=3, steps=2, pairs=3)
    with torch.no_grad():
        network.chosen.copy_(torch.tensor([[0, 1], [0, 3], [1, 2]]))
        network.head.weight.normal_()
    agrees(AdditiveModel(network, encoder, "additive"), odd(), "logit")


def test_a_value_and_what_is_made_of_it():
    model = dataclasses.replace(worlds.model("net", "mixed"), scales=("value",))
    agrees(model, worlds.table("mixed").rows[:20], "value")
    agrees(Transformed(model, "value", np.square, model.schema, "squares"), worlds.table("mixed").rows[:20], "value")


@pytest.mark.parametrize("compiled", [True, False])
def test_trees_with_sets_missing_values_and_a_column_asked_twice(compiled, monkeypatch):
    monkeypatch.setitem(_so_far, "walks", FEW_WALKS if compiled else 0)
    leaves = [(-1, 0, False, value) for value in (1.0, 2.0, 4.0, 8.0, 16.0)]
    nodes = [(1, 0, True, 0), (0, 2.5, False, 0), (2, 0, False, 0), *leaves[:3], (0, 5, True, 0), *leaves[3:]]
    feature, threshold, missing_left, value = map(np.array, zip(*nodes, strict=True))
    tree = {
        "feature": feature,
        "threshold": threshold.astype(float),
        "left": np.array([1, 3, 5, -1, -1, -1, 7, -1, -1]),
        "right": np.array([2, 4, 6, -1, -1, -1, 8, -1, -1]),
        "missing_left": missing_left,
        "value": value,
        "cover": np.ones(9),
        "sets": {0: np.array([0, 2]), 2: np.array([1])},
    }
    lone = {name: array[3:4] for name, array in tree.items() if name != "sets"}
    agrees(TreeModel(concatenate([tree, lone, tree], base=0.5), ODD, "sets"), odd(), "logit")


@pytest.mark.parametrize("which", [None, np.arange(60).reshape(30, 2) % 7])
def test_trees_add_up_to_the_same_bits_by_numpy_and_compiled(which, monkeypatch):
    trees, rows = random_trees(0, count=30, sets=(1,)), random_rows(0, 37, sets=(1,))
    found = []
    for walked in (0, FEW_WALKS):
        monkeypatch.setitem(_so_far, "walks", walked)
        found.append(trees.predict_set(rows[:30], rows[30:], np.array([1, 0, 0, 1, 0], dtype=bool), which))
    np.testing.assert_array_equal(*found)


def wrapped(estimator, levels=("no", "yes")):
    """Return an estimator fitted on a table of numbers and categories, as dlx wraps it, and the rows."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=80), "kind": rng.choice(LEVELS, 80), "z": rng.normal(size=80)})
    score = table["x"] + (table["kind"] == "b") * table["z"] + rng.normal(scale=0.3, size=80)
    table["y"] = pd.qcut(score, len(levels), labels=list(levels)).astype(str)
    case = dlx.dataset.from_frame(table, dlx.schema.infer_schema(table, "y"), name="made")
    encode = ColumnTransformer([("level", OneHotEncoder(), ["kind"]), ("number", StandardScaler(), ["x", "z"])])
    return dlx.wrap(make_pipeline(encode, estimator).fit(table[["x", "kind", "z"]], table["y"]), case), case


@pytest.mark.parametrize(
    ("estimator", "kind"),
    [
        (LogisticRegression(), LinearModel),
        (RandomForestClassifier(4, max_depth=4, random_state=0), TreeModel),
    ],
)
def test_pipelines_of_ones_own(estimator, kind):
    model, case = wrapped(estimator)
    assert isinstance(model, kind)
    agrees(model, case.rows[:25], "probability")


def test_one_of_several_classes():
    model, case = wrapped(RandomForestClassifier(4, max_depth=3, random_state=0), ("low", "mid", "high"))
    agrees(model.of("mid"), case.rows[:25], "probability")
    with pytest.raises(DlxError, match="say for which"):
        intervened(model, case.rows[:3], [0], case.rows[:2, :1], "probability")


def test_a_black_box_is_given_each_persons_companion(monkeypatch):
    monkeypatch.setattr(interventions, "BLOCK_BYTES", 8 * 2 * 9)  # three rows at a time, of one person or several
    table = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "z": [0.0, 1.0, 0.0, 1.0], "who": [10.0, 20.0, 30.0, 40.0]})
    schema = Schema((Feature("x"), Feature("z")), Target("y", "regression"), (Carried("who", 2, "an id"),))
    model = BlackBox(lambda t: t["x"] * t["z"] + t["who"], schema, "reads who", scales=("value",), carried=("who",))
    curves = dlx.partial_dependence(model, table, "x", scale="value").curves
    np.testing.assert_allclose(curves, np.outer(table["z"], table["x"]) + table["who"].to_numpy()[:, None])


def test_nobody_has_no_outputs():
    model = worlds.model("net", "mixed")
    assert intervened(model, worlds.people("mixed")[:0], [0], np.zeros((3, 1)), "logit").shape == (0, 3)
    assert intervened(model, worlds.people("mixed"), [0], np.zeros((0, 1)), "logit").shape == (5, 0)
