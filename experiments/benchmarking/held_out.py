"""Integrated gradients of nets that nothing was tuned for, against the fairest peer: captum with its outputs summed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import numpy as np
import torch
from captum.attr import IntegratedGradients
from torch import nn

import dlx
from benchmarking.contests import Contest
from benchmarking.worlds import BACKGROUND, World, trained_world
from dlx.architectures import mlp, resnet
from dlx.encoder import Encoder
from dlx.kernels.gradients.breakpoints import exact_on_average
from dlx.kernels.gradients.recording import record
from dlx.model import NeuralModel
from dlx.schema import Feature, Schema, Target

COLUMNS, STEPS, JUDGED, PAIRS = 20, 50, 2, 512
SHAPES = ((64, 2), (128, 2), (256, 2), (512, 2), (128, 3), (128, 5))  # units of a hidden layer, and how many there are
LEAST = {2: 2.5}  # the ratio that is asked for, by depth


def held_out_contests(seed: int) -> Iterator[Contest]:
    """Yield integrated gradients over a background, on both scales, of nets of many shapes and of two shipped ones."""
    for width, depth in SHAPES:
        world = _world(f"mlp {width} x {depth}", lambda w=width, d=depth: mlp.build(COLUMNS, [-0.85], hidden=w, depth=d), seed)
        yield from on_both_scales(world, LEAST.get(depth, np.nan), 1 if width * depth > 500 else 4)
    yield from on_both_scales(_world("resnet", lambda: resnet.build(COLUMNS, [-0.85]), seed), np.nan, 4)
    for architecture in ("mlp", "resnet"):
        yield from on_both_scales(trained_world("bank_loan", architecture), np.nan, 4)


def _world(name: str, make: Callable[[], nn.Module], seed: int) -> World:
    """Return a net that was not trained, and people whose columns are independent."""
    torch.manual_seed(seed)
    schema = Schema(tuple(Feature(f"x{i}") for i in range(COLUMNS)), Target("y", levels=("0", "1")))
    rng = np.random.default_rng(seed)
    model = NeuralModel(make().eval(), Encoder.identity(schema), "net")
    return World(name, model, rng.normal(size=(100, COLUMNS)), rng.normal(size=(BACKGROUND, COLUMNS)))


def on_both_scales(world: World, target: float, rows: int) -> Iterator[Contest]:
    """Yield integrated gradients of a net of logits as it is, and of its probabilities."""
    for scale in ("logit", "probability"):
        network = nn.Sequential(world.model.network, *[nn.Sigmoid()] * (scale == "probability")).eval()

        def error(values: np.ndarray, network: nn.Module = network) -> float:
            truth = _in_doubles(world, network)
            return float(np.abs(values[:JUDGED] - truth[: len(values)]).max() / np.abs(truth[: len(values)]).max())

        yield Contest(
            f"integrated gradients over the background, {scale}", world.name, f"captum, summed, {STEPS} steps", world.columns,
            lambda n, network=network: _by_captum(world, network, n),
            lambda n, scale=scale: _by_us(world, scale, n),
            rows, 4 * rows, error, "largest error, as a share of the largest", target,
        )  # fmt: skip


def _by_us(world: World, scale: str, rows: int) -> np.ndarray:
    how = {"method": "integrated_gradients", "background": world.background, "scale": scale}
    return dlx.explain(world.model, world.rows[:rows], **how).values


def _by_captum(world: World, network: nn.Module, rows: int) -> np.ndarray:
    """Return captum's values, which has one sum to differentiate in place of an output a row."""
    gradients = IntegratedGradients(lambda dense: network(dense).sum().reshape(1))
    persons, references = (world.model.dense(some) for some in (world.rows[:rows], world.background))
    total = torch.zeros(persons.shape, dtype=torch.float64)
    for some in references.split(max(1, PAIRS // rows)):
        pairs = persons.repeat_interleave(len(some), dim=0), some.repeat(rows, 1)
        found = gradients.attribute(*pairs, n_steps=STEPS, method="riemann_middle")
        total += found.detach().double().reshape(rows, len(some), -1).sum(dim=1)
    return world.model.encoder.fold((total / len(references)).numpy())


def _in_doubles(world: World, network: nn.Module) -> np.ndarray:
    """Return the exact values of the first people, by evaluating every piece of every path in float64."""
    persons, references = (world.model.dense(some).double() for some in (world.rows[:JUDGED], world.background))
    with torch.no_grad():
        values, _ = exact_on_average(record(copy.deepcopy(network).double(), references), persons, references)
    return world.model.encoder.fold(values.numpy())
