"""What is asked of nets that nothing was tuned for, beside the fairest peers: for gradients captum with its outputs summed."""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import torch
from captum.attr import DeepLift, DeepLiftShap, GradientShap, IntegratedGradients
from torch import nn

import dlx
from benchmarking.contests import Contest, lime_contest
from benchmarking.settings import SETTINGS, Setting
from benchmarking.worlds import World, trained_world
from dlx.kernels.gradients.breakpoints import exact_on_average
from dlx.kernels.gradients.nonlinearities import ONE_KINK
from dlx.kernels.gradients.recording import record

STEPS, JUDGED, PAIRS = 50, 2, 512
SAMPLES = 1_000  # of captum's Gradient SHAP; ours is given as few as leave no larger error
FEWER = (100, 200, 300, 400, 500, 700, 1_000)  # whole turns of 100 references
GAUSS = np.polynomial.legendre.leggauss(64)
TWO_LAYERS, DEEPER = 2.5, 2.0  # the ratios that are asked for of integrated gradients
Values = Callable[[int], np.ndarray]


def held_out_contests(seed: int) -> Iterator[Contest]:
    """Yield gradients and LIME of nets of every kind, and integrated gradients of two shipped ones."""
    for setting in SETTINGS:
        yield from contests_of(setting, setting.world(seed))
    for architecture in ("mlp", "resnet"):
        yield from on_both_scales(trained_world("bank_loan", architecture), DEEPER, 4)


def contests_of(setting: Setting, world: World) -> Iterator[Contest]:
    """Yield the contests of one setting."""
    depth = sum(isinstance(module, nn.Linear) for module in world.model.network.modules()) - 1
    yield from on_both_scales(world, TWO_LAYERS if depth == 2 else DEEPER, 2)
    network = _on_scale(world, setting.scale)
    if setting.has_rules:
        yield from _lifts(world, network, setting.scale)
    yield _sampled_gradients(world, network, setting.scale)
    if not setting.categories and setting.columns == 20:
        yield lime_contest(world, "LIME, 5,000 samples, one row after another", 1, 1, 4)


def _on_scale(world: World, scale: str) -> nn.Module:
    return nn.Sequential(world.model.network, *[nn.Sigmoid()] * (scale == "probability")).eval()


def _by_us(world: World, method: str, scale: str, background: np.ndarray, **options: int) -> Values:
    how = {"method": method, "background": background, "scale": scale, **options}
    return lambda rows: dlx.explain(world.model, world.rows[:rows], **how).values


def on_both_scales(world: World, target: float, rows: int) -> Iterator[Contest]:
    """Yield integrated gradients of a net of logits as it is, and of its probabilities."""
    for scale in ("logit", "probability"):
        network = _on_scale(world, scale)
        truth = functools.cache(functools.partial(exactly, world, network))

        def error(values: np.ndarray, truth: Callable[[], np.ndarray] = truth) -> float:
            few = truth()[: len(values)]
            return float(np.abs(values[: len(few)] - few).max() / np.abs(few).max())

        yield Contest(
            f"integrated gradients over the background, {scale}", world.name, f"captum, summed, {STEPS} steps", world.columns,
            lambda n, network=network: _by_captum(world, network, n),
            _by_us(world, "integrated_gradients", scale, world.background),
            rows, rows, error, "largest error, as a share of the largest", target,
        )  # fmt: skip


def _lifts(world: World, network: nn.Module, scale: str) -> Iterator[Contest]:
    """Yield DeepLIFT of one row from one reference, and of ten rows over the background."""

    def by_captum(rows: int, over: bool) -> np.ndarray:
        persons, references = world.model.dense(world.rows[:rows]), world.model.dense(world.background)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind = DeepLiftShap(network) if over else DeepLift(network)
            made = kind.attribute(persons, references if over else references[:1].expand_as(persons))
        return world.model.encoder.fold(made.detach().double().numpy())

    for quantity, over, rows, target in (
        ("DeepLIFT of one row, one reference", False, 1, 2.0),
        ("DeepLIFT of 10 rows over the background", True, 10, 8.0),
    ):
        expected = by_captum(rows, over)

        def distance(values: np.ndarray, expected: np.ndarray = expected) -> float:
            return float(np.linalg.norm(values - expected[: len(values)]) / np.linalg.norm(expected[: len(values)]))

        yield Contest(
            quantity, world.name, "captum", world.columns, functools.partial(by_captum, over=over),
            _by_us(world, "deeplift", scale, world.background if over else world.background[:1]),
            rows, rows, distance, "distance from captum", target,
        )  # fmt: skip


def _sampled_gradients(world: World, network: nn.Module, scale: str) -> Contest:
    """Return Gradient SHAP, ours on the fewest samples that leave no larger error than captum's."""
    rows = 4
    truth = functools.cache(lambda: _by_us(world, "integrated_gradients", scale, world.background, n_steps=400)(rows))

    def error(values: np.ndarray) -> float:
        return float(np.linalg.norm(values - truth()[: len(values)]) / np.linalg.norm(truth()[: len(values)]))

    def by_captum(n: int, seed: int = 0) -> np.ndarray:
        torch.manual_seed(seed)
        np.random.seed(seed)
        persons, references = world.model.dense(world.rows[:n]), world.model.dense(world.background)
        made = GradientShap(network).attribute(persons, references, n_samples=SAMPLES, stdevs=0.0)
        return world.model.encoder.fold(made.detach().double().numpy())

    def ours(n: int, samples: int, seed: int = 0) -> np.ndarray:
        return _by_us(world, "gradient_shap", scale, world.background, n_samples=samples, seed=seed)(n)

    @functools.cache
    def fewest() -> int:
        theirs = np.mean([error(by_captum(rows, seed)) for seed in range(2)])
        return next((n for n in FEWER if np.mean([error(ours(rows, n, s)) for s in range(2)]) <= theirs), SAMPLES)

    return Contest(
        f"Gradient SHAP, as good as {SAMPLES:,} samples", world.name, "captum GradientShap", world.columns, by_captum,
        lambda n: ours(n, fewest()), rows, rows, error, "relative error", 5,
    )  # fmt: skip


def _by_captum(world: World, network: nn.Module, rows: int) -> np.ndarray:
    """Return captum's integrated gradients, which has one sum to differentiate in place of an output a row."""
    gradients = IntegratedGradients(lambda dense: network(dense).sum().reshape(1))
    persons, references = (world.model.dense(some) for some in (world.rows[:rows], world.background))
    total = torch.zeros(persons.shape, dtype=torch.float64)
    for some in references.split(max(1, PAIRS // rows)):
        pairs = persons.repeat_interleave(len(some), dim=0), some.repeat(rows, 1)
        found = gradients.attribute(*pairs, n_steps=STEPS, method="riemann_middle")
        total += found.detach().double().reshape(rows, len(some), -1).sum(dim=1)
    return world.model.encoder.fold((total / len(references)).numpy())


def exactly(world: World, network: nn.Module) -> np.ndarray:
    """Return the values of the first people in float64: by every piece of every path, or 64 Gauss points of a smooth net."""
    double = copy.deepcopy(network).double()
    persons, references = (world.model.dense(some).double() for some in (world.rows[:JUDGED], world.background))
    graph = record(double, references)
    if graph is not None and any(type(graph.module(step)) in ONE_KINK for step in graph.nonlinear):
        with torch.no_grad():
            values, _ = exact_on_average(graph, persons, references)
        return world.model.encoder.fold(values.numpy())
    share, weight = ((torch.from_numpy(part) + one) / 2 for part, one in zip(GAUSS, (1, 0), strict=True))
    values = torch.zeros_like(persons)
    for person, end in enumerate(persons):
        path = torch.lerp(references[:, None], end, share[:, None]).requires_grad_()
        (slopes,) = torch.autograd.grad(double(path.flatten(0, 1)).sum(), path)
        values[person] = ((end - references) * torch.einsum("rpw,p->rw", slopes, weight)).mean(dim=0)
    return world.model.encoder.fold(values.detach().numpy())
