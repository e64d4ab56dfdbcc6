"""Small tables and one small model of every kind on them: what the tests of the core share."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from torch import nn

from dlx.architectures.additive import build
from dlx.context import Budget, RunContext
from dlx.dataset import Dataset
from dlx.encoder import Encoder
from dlx.explanation import Explanation
from dlx.explanation_cache import ExplanationCache
from dlx.model import AdditiveModel, BlackBox, LinearModel, NeuralModel, TreeModel
from dlx.progress import Narrator
from dlx.schema import Feature, Schema, Target
from dlx.threads import one_thread
from dlx.trees import LEAF, Trees, concatenate

TARGET = Target("outcome", levels=("no", "yes"))
NUMERIC = Schema(tuple(Feature(name) for name in ("age", "amount", "debt", "months", "idle")), TARGET)
MIXED = Schema(
    (
        Feature("income", missing=True, unit="EUR"),
        Feature("housing", "categorical", levels=("rent", "own", "free"), missing=True),
        Feature("age"),
        Feature("sex", "categorical", levels=("f", "m"), protected=True),
        Feature("idle", "categorical", levels=("a", "b")),
    ),
    TARGET,
)
SCHEMAS = {"numeric": NUMERIC, "mixed": MIXED}
QUICK = Budget("quick", noise_people=8, replicates=3, truth_tolerance=0.1, settings_people=6)
IDLE = 4  # the column of either table that no model uses


@functools.cache
def table(world: str, size: int = 300) -> Dataset:
    """Return random people of the numeric or the mixed table; `age` carries most of the outcome."""
    rng = np.random.default_rng(7)
    schema, rows = SCHEMAS[world], rng.normal(size=(size, 5))
    if world == "mixed":
        for i in schema.categorical:
            rows[:, i] = rng.integers(len(schema.features[i].levels), size=size)
        rows[rng.random(size) < 0.2, 0] = np.nan
        rows[rng.random(size) < 0.2, 1] = np.nan
    age = rows[:, schema.position("age")]
    outcomes = (age + rng.normal(scale=0.5, size=size) + (rows[:, 3] > 0.5) > 0.3).astype(float)
    return Dataset(schema, rows, outcomes, index=np.array([f"id-{i}" for i in range(size)]), name=world)


def background(world: str) -> np.ndarray:
    """Return 9 reference rows."""
    return table(world).rows[:9]


def people(world: str) -> np.ndarray:
    """Return 5 rows to explain; the last is a reference row too, and in the mixed table some values are missing."""
    return table(world).rows[[20, 21, 22, 23, 3]]


def encoder(world: str) -> Encoder:
    """Return the table's encoder."""
    return Encoder.fit(SCHEMAS[world], table(world).rows)


def used(world: str) -> np.ndarray:
    """Return 0 for the dense columns that no model uses and 1 for the others, [width]."""
    return (encoder(world).owner != IDLE).astype(np.float32)


def network(world: str, seed: int = 0, *, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Return a net with one hidden layer that does not read the idle column."""
    torch.manual_seed(seed)
    first = nn.Linear(encoder(world).width, 8)
    with torch.no_grad():
        first.weight *= 2 * torch.from_numpy(used(world))
    return nn.Sequential(first, activation(), nn.Linear(8, 1))


def linear(world: str, seed: int = 0) -> LinearModel:
    """Return a linear model that does not read the idle column."""
    weights = np.random.default_rng(seed).normal(size=encoder(world).width) * used(world)
    return LinearModel(weights, 0.3, encoder(world))


def linear_net(world: str, seed: int = 0) -> NeuralModel:
    """Return the linear model as a net of one layer."""
    model = linear(world, seed)
    layer = nn.Linear(len(model.coefficients), 1)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(model.coefficients)[None])
        layer.bias.fill_(model.intercept)
    return NeuralModel(layer, encoder(world), "linear_net")


def boosted(world: str, seed: int = 0, *, depth: int = 4, rounds: int = 12) -> TreeModel:
    """Return boosted trees on the logit."""
    case, seen = table(world), np.arange(5) != IDLE
    growing = HistGradientBoostingClassifier(
        max_iter=rounds, max_depth=depth, min_samples_leaf=3, learning_rate=0.3 + 0.1 * seed, early_stopping=False
    )
    with one_thread():  # on a busy machine its threads wait for those of torch, for seconds
        fitted = growing.fit(np.where(seen, case.rows, 0).astype(np.float32), case.outcomes)
    return TreeModel(from_boosting(fitted), case.schema, "boosted")


def forest(world: str, seed: int = 0, *, depth: int = 4, rounds: int = 10) -> TreeModel:
    """Return a random forest on the probability."""
    case, seen = table(world), np.arange(5) != IDLE
    fitted = RandomForestClassifier(rounds, max_depth=depth, random_state=seed).fit(
        np.where(seen, case.rows, 0).astype(np.float32), case.outcomes
    )
    return TreeModel(from_forest(fitted), case.schema, "forest", scales=("probability", "logit"))


def function(world: str, seed: int = 0) -> BlackBox:
    """Return a function of a table, with an interaction and missing values of its own meaning."""

    def score(people):
        if world == "numeric":
            return (1 + seed) * people["age"] * people["amount"] - np.abs(people["debt"]) + np.sin(people["months"])
        owns = people["housing"].map({"own": 1.0, "rent": -0.5, "free": 0.0}).fillna(0.7)
        return (1 + seed) * people["income"].fillna(-1.5) * owns + people["age"] * (people["sex"] == "m")

    return BlackBox(score, SCHEMAS[world], "function", scales=("logit", "probability"))


def net(world: str, seed: int = 0) -> NeuralModel:
    """Return a net with a ReLU."""
    return NeuralModel(network(world, seed), encoder(world))


def smooth_net(world: str, seed: int = 0) -> NeuralModel:
    """Return a net with a tanh."""
    return NeuralModel(network(world, seed, activation=nn.Tanh), encoder(world), "smooth_net")


def additive(world: str, seed: int = 0) -> AdditiveModel:
    """Return an additive net with two pairs, that does not read the idle column."""
    torch.manual_seed(seed)
    network = build(encoder(world).width, [0.3], groups=encoder(world).owner.tolist(), units=4, steps=3, pairs=2)
    with torch.no_grad():
        network.knots.copy_(torch.linspace(-1.5, 1.5, 4))
        network.chosen.copy_(torch.tensor([[0, 2], [1, 3]]))
        network.head.weight.normal_(std=0.5)
        for start, size in ((0, 1), (network.width, 4)):
            network.head.weight[0, start : start + network.width * size] *= torch.from_numpy(np.repeat(used(world), size))
    return AdditiveModel(network, encoder(world), "additive")


MODELS = {make.__name__: make for make in (net, smooth_net, linear_net, linear, boosted, forest, function, additive)}


@functools.cache
def model(kind: str, world: str, seed: int = 0):
    """Return a small model of a kind on a table; another seed gives another model."""
    return MODELS[kind](world, seed)


def said(values, **changes) -> Explanation:
    """Return an explanation [rows, features] of nobody by no model: contributions that a test wrote down."""
    values = np.asarray(values, dtype=float)
    count, width = values.shape
    rows = np.random.default_rng(3).normal(size=(count, width))
    schema = Schema(tuple(Feature(f"x{i}") for i in range(width)))
    made = Explanation(values, np.full(count, 0.5), 0.5 + values.sum(axis=1), rows, schema, "logit", "lime", "lime", "net", "b")
    return dataclasses.replace(made, **changes)


def from_boosting(fitted: HistGradientBoostingClassifier) -> Trees:
    """Return the trees of a fitted HistGradientBoosting without categories."""
    parts = []
    for (predictor,) in fitted._predictors:
        nodes = predictor.nodes
        leaf = nodes["is_leaf"].astype(bool)
        parts.append(
            {
                "feature": np.where(leaf, LEAF, nodes["feature_idx"]),
                "threshold": np.where(leaf, 0, nodes["num_threshold"]),
                "left": np.where(leaf, LEAF, nodes["left"].astype(int)),
                "right": np.where(leaf, LEAF, nodes["right"].astype(int)),
                "missing_left": nodes["missing_go_to_left"].astype(bool),
                "value": np.where(leaf, nodes["value"], 0),
                "cover": nodes["count"].astype(float),
            }
        )
    return concatenate(parts, base=float(np.ravel(fitted._baseline_prediction)[0]))


def from_forest(fitted: RandomForestClassifier) -> Trees:
    """Return the trees of a fitted forest, each leaf its share of the mean probability of the second class."""
    parts = []
    for tree in (estimator.tree_ for estimator in fitted.estimators_):
        leaf = tree.children_left == LEAF
        parts.append(
            {
                "feature": np.where(leaf, LEAF, tree.feature),
                "threshold": np.where(leaf, 0, tree.threshold),
                "left": tree.children_left,
                "right": tree.children_right,
                "missing_left": tree.missing_go_to_left.astype(bool),
                "value": np.where(leaf, tree.value[:, 0, 1] / len(fitted.estimators_), 0),
                "cover": tree.weighted_n_node_samples,
            }
        )
    return concatenate(parts)


def context(case, *models, people=40, background=20, folder=None):
    """Return what sections are asked with: the first test rows, and no narration."""
    narrator = Narrator(quiet=True)
    some = case.test[:people], (), case.background(background, seed=0)
    return RunContext(case, models, *some, 0, QUICK, ExplanationCache(folder, narrator), narrator)
