"""Columns that a net reads by steps (codes, rounded numbers) or detached: gradients are 0 there, and explain nothing."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.jit import ScriptModule

from dlx.explainers import MethodError
from dlx.model import NeuralModel
from dlx.model.heads import HEADS
from dlx.model.net_outputs import shown
from dlx.model.networks import Calls

PEOPLE, REFERENCES = 8, 10  # of a batch, on which a net is tried
POINTS_PER_PERSON = 20
SMALL = 0.01  # of the way from a reference to a person
STEADY = 16.0  # times the rounding of the precision, as a share of the outputs' size: what a prediction moves without a cause
EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)
SMOOTH = (nn.Linear, nn.Dropout, nn.BatchNorm1d, nn.LayerNorm, nn.Identity, nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid)
ROUNDS = ("round", "floor", "ceil", "trunc", "fix", "sign", "heaviside")


def refuse_lookups(method: str, model: NeuralModel, rows: np.ndarray, background: np.ndarray) -> None:
    """Raise a `MethodError` of a method that names the columns whose gradient is 0 because the net looks up their value.

    A few of the coded rows are tried.
    """
    if _is_smooth_chain(model.network):
        return
    rows, background = rows[:PEOPLE], background[:REFERENCES]
    found = looked_up(model, rows, background)
    embeddings = _varied_embeddings(model, rows, background)
    if not found and not embeddings:
        return
    columns = ", ".join(found) or "some columns"
    where = f"in {', '.join(embeddings)}" if embeddings else "by rounding, comparing or detaching it"
    raise MethodError(
        f"{method} cannot explain {model.name}: it looks up the value of {columns} {where}, where a gradient is 0 whatever "
        "the column does; use shapley, kernel_shap or exact_shapley, or train a net that reads one-hot columns"
    )


def _is_smooth_chain(network: nn.Module) -> bool:
    """Whether a network is nothing but linear layers and elementwise nonlinearities, one after the other."""
    if type(network) is not nn.Sequential:
        return isinstance(network, (*SMOOTH, *HEADS))
    return all(_is_smooth_chain(module) for module in network)


def looked_up(model: NeuralModel, rows: np.ndarray, background: np.ndarray) -> list[str]:
    """Return the names of the features that the output moves with though their gradient is exactly 0: by steps, or detached."""
    found, is_closed = [], any(isinstance(module, ScriptModule) for module in model.network.modules())
    for column in np.flatnonzero(without_gradient(model, rows, background, 0)):
        swapped = np.repeat(rows, len(background), axis=0)
        before, swapped_steps = _output_and_steps(model, swapped)
        swapped[:, column] = np.tile(background[:, column], len(rows))
        after, steps = _output_and_steps(model, swapped)
        steady = STEADY * float(np.finfo(model.precision).eps)
        moved = (after - before).abs().max() > steady * torch.cat([before, after]).abs().max()
        if moved and (is_closed or _differ(swapped_steps, steps) or _slides(model, rows, background, int(column))):
            found.append(model.schema.names[column])
    return found


def without_gradient(model: NeuralModel, rows: np.ndarray, background: np.ndarray, seed: int) -> np.ndarray:
    """Return which features have a gradient of exactly 0 at random points between people and references, bool [features]."""
    rng = np.random.default_rng(seed)
    persons = model.dense(np.repeat(rows, POINTS_PER_PERSON, axis=0))
    references = model.dense(background[rng.integers(len(background), size=len(persons))])
    share = torch.from_numpy(rng.random((len(persons), 1), dtype=np.float32)).to(persons)
    points = (references + share * (persons - references)).requires_grad_()
    with torch.enable_grad():
        output = model.network(points).sum()
        slopes = torch.autograd.grad(output, points, allow_unused=True)[0] if output.requires_grad else None
    if slopes is None:
        return np.ones(len(model.schema), dtype=bool)
    steepest = slopes.abs().amax(dim=0).cpu().numpy()
    return np.maximum.reduceat(steepest, model.encoder.starts) == 0


def _slides(model: NeuralModel, rows: np.ndarray, background: np.ndarray, column: int) -> bool:
    """Whether the output moves with small steps of a feature, halfway between most people and references."""
    persons = model.dense(np.repeat(rows, len(background), axis=0))
    references = model.dense(np.tile(background, (len(rows), 1)))
    apart = (persons - references) * torch.from_numpy(model.encoder.owner == column).to(persons)
    halfway = (persons + references) / 2
    with torch.no_grad():
        moved = model.network(halfway + SMALL * apart).reshape(-1) != model.network(halfway).reshape(-1)
    differ = apart.abs().amax(dim=1) > 0
    return bool(moved[differ].float().mean() > 0.5)  # of nobody's it is NaN


def _varied_embeddings(model: NeuralModel, rows: np.ndarray, background: np.ndarray) -> list[str]:
    """Return the embeddings, by path, that are asked for other codes when other rows come."""
    embeddings = {path: module for path, module in model.network.named_modules() if isinstance(module, EMBEDDINGS)}
    heard: dict[str, list[torch.Tensor]] = {path: [] for path in embeddings}
    if not embeddings:
        return []
    count = max(len(rows), len(background))
    with contextlib.ExitStack() as hooks, torch.no_grad():
        for path, module in embeddings.items():
            hook = module.register_forward_pre_hook(lambda _, given, path=path: heard[path].append(given[0]))
            hooks.callback(hook.remove)
        model.network(model.dense(np.resize(rows, (count, rows.shape[1]))))
        calls = {path: len(codes) for path, codes in heard.items()}
        model.network(model.dense(np.resize(background, (count, rows.shape[1]))))
    varied = (path for path, codes in heard.items() if _differ(codes[: calls[path]], codes[calls[path] :]))
    return [f"{type(embeddings[path]).__name__} {shown(model.network, path) or 'network'}" for path in varied]


def _output_and_steps(model: NeuralModel, rows: np.ndarray) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Return the output, and the tensors of a forward that are made of real numbers by steps: codes, comparisons, roundings."""
    made: list[torch.Tensor] = []

    def noting(function: Any, args: Any, kwargs: Any) -> Any:
        output = function(*args, **kwargs)
        is_of_real = any(isinstance(value, torch.Tensor) and value.is_floating_point() for value in args)
        if is_of_real and isinstance(output, torch.Tensor):
            is_step = not output.is_floating_point() or function.__name__.rstrip("_") in ROUNDS
            made.extend([output] if is_step else [])
        return output

    with torch.no_grad(), Calls(noting):
        output = model.network(model.dense(rows)).reshape(-1)
    return output, made


def _differ(before: list[torch.Tensor], after: list[torch.Tensor]) -> bool:
    if [one.shape for one in before] != [one.shape for one in after]:
        return True
    return any(not torch.equal(one, other) for one, other in zip(before, after, strict=True))
