"""Issues of torch networks: nonlinearities that DeepLIFT has no rule for, columns that gradients cannot see, unsettled modules.

Whether a function is linear is measured, not looked up: an affine function of two batches, taken at their mean, gives the
mean of what it gives for each.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.jit import ScriptModule
from torch.overrides import TorchFunctionMode, resolve_name

from dlx import explainers
from dlx.audit.compatibility.checks import STEADY, Bench, Issue, attempted, lost_words
from dlx.explainers import deeplift
from dlx.explainers._lookups import EMBEDDINGS, without_gradient
from dlx.model import NeuralModel

RULES = (deeplift.__name__.rpartition(".")[2],)  # the method whose rules are for modules
DEPARTURE = 1e-4  # from the mean of two batches, as a share of their distance, above which a function is not linear
ROUNDING = 1e-6  # of a float32 function, as a share of its largest input or output
FEWEST_ROWS = 7  # of a watched forward, so that activations of either sign occur
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)

Places = dict[tuple[str, str], float]  # (path of a module, name of a function that its forward calls) -> its departure


def in_network(bench: Bench) -> Iterator[Issue]:
    """Yield the issues of a net, as the methods that read nets see it: in evaluation mode."""
    scripted = [path for path, module in bench.evaluated.network.named_modules() if isinstance(module, ScriptModule)]
    if scripted:
        text = f"{_named(scripted[0])} is a TorchScript module, which cannot be looked into: pass the module it was made from"
        yield Issue("scripted", scripted[0], RULES, text, np.nan)
    else:
        yield from _nonlinearities(bench)
        uses = deeplift.nonlinear_uses(bench.evaluated.network, bench.evaluated.dense(bench.rows))
        for path, times in uses.items():
            if times > 1:
                text = f"{_named(path)} is used {times} times in one forward: captum's DeepLIFT needs a module for each use"
                yield Issue("used again", path, RULES, text, float(times))
    yield from _unseen_columns(bench)


def _nonlinearities(bench: Bench) -> Iterator[Issue]:
    """Yield what captum's DeepLIFT takes for a plain gradient, with its largest residual; NaN where it fails on the net."""
    model = bench.evaluated
    modules = deeplift.outside_table(model.network)
    functions = nonlinear_functions(model.network, model.dense(np.concatenate([bench.rows, bench.background])))
    if not modules and not functions:
        return
    made = attempted(lambda: deeplift.unchecked(model, bench.rows, bench.background, scale=bench.scale))
    lost, loses = np.nan, "captum fails on the net"
    if not isinstance(made, Exception):
        lost = bench.lost(made, model.predict(bench.rows, bench.scale))
        loses = f"its plain gradient would lose {lost_words(lost)} of the mean effect"
    for path, module in modules.items():
        text = f"{_named(path)} is a {type(module).__name__}, which captum's DeepLIFT has no rule for: {loses}"
        yield Issue("outside table", path, RULES, text, lost)
    for path, function in functions:
        text = f"{_named(path)} calls {function}, a nonlinear function that captum's DeepLIFT cannot see: {loses}"
        yield Issue("function", path, RULES, text, lost)


def _unseen_columns(bench: Bench) -> Iterator[Issue]:
    """Yield columns whose gradient is 0 although the output moves with them: codes of an embedding, roundings, steps."""
    model, gradients = bench.evaluated, tuple(explainers.reading(NeuralModel))
    unseen = np.flatnonzero(without_gradient(model, bench.rows, bench.background, bench.seed))
    moves = {model.schema.names[i]: moved for i in unseen if (moved := _moved_by(bench, int(i))) > STEADY}
    if not moves:
        return
    columns, largest = ", ".join(moves), max(moves.values())
    said = f"gradients are exactly 0 although the output moves by up to {lost_words(largest)} of the mean effect"
    embeddings = [path for path, module in model.network.named_modules() if isinstance(module, EMBEDDINGS)]
    for path in embeddings:
        yield Issue("embedding", path, gradients, f"{_named(path)} looks up integer codes; for {columns} {said}", largest)
    for column, moved in moves.items() if not embeddings else ():
        yield Issue("no gradient", column, gradients, f"for {columns} {said}", moved)


def _moved_by(bench: Bench, column: int) -> float:
    """Return the largest change of an output as one column takes the references' values, as a share of the mean effect."""
    model, rows, background = bench.evaluated, bench.rows, bench.background
    swapped = np.repeat(rows, len(background), axis=0)
    swapped[:, column] = np.tile(background[:, column], len(rows))
    before = np.repeat(model.predict(rows, bench.scale), len(background))
    return bench.share(model.predict(swapped, bench.scale) - before)


def _named(path: str) -> str:
    return path or "the network itself"


def unsettled(network: nn.Module) -> dict[str, str]:
    """Return the modules that look at the batch or at chance, by path, each with what it is and does."""
    found = {}
    for path, module in network.named_modules():
        name = f"{type(module).__name__} {path or 'network'}"
        if isinstance(module, BATCH_NORMS) and (module.training or module.running_mean is None):
            found[path] = f"{name} takes the mean and variance of the batch"
        elif isinstance(module, DROPOUTS) and module.training and module.p:
            found[path] = f"{name} drops units at random"
    return found


def nonlinear_functions(network: nn.Module, dense: torch.Tensor) -> Places:
    """Return the nonlinear functions that one forward of a net in evaluation mode calls outside any module without children.

    The net is left as it is, also where its forward raises. Dense rows [rows, width] of both signs are repeated, or cut, to a
    number of rows that no weight has, which tells activations from weights.
    """
    lengths = {length for weight in itertools.chain(network.parameters(), network.buffers()) for length in weight.shape}
    count = next(count for count in itertools.count(max(FEWEST_ROWS, len(dense))) if count not in lengths)
    watch = _Watch(count)
    with contextlib.ExitStack() as hooks:
        for path, module in network.named_modules():
            place = path, not any(module.children())
            enter = module.register_forward_pre_hook(lambda *_, place=place: watch.running.append(place))
            hooks.callback(enter.remove)
            hooks.callback(module.register_forward_hook(watch.leave, always_call=True).remove)
        with torch.no_grad(), watch:
            network(dense[torch.arange(count, device=dense.device) % len(dense)])
    return watch.places


class _Watch(TorchFunctionMode):
    """Notes the nonlinear functions that are called while no module without children runs."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.running: list[tuple[str, bool]] = []  # path of each module that runs, and whether it has no children
        self.places: Places = {}

    def leave(self, *_: Any) -> None:
        self.running.pop()

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        kwargs = kwargs or {}
        if self.running and not any(is_leaf for _, is_leaf in self.running):
            departure = _nonlinearity(function, args, kwargs, self.count)
            if departure > DEPARTURE:
                place = self.running[-1][0], resolve_name(function) or str(function)
                self.places[place] = max(departure, self.places.get(place, 0.0))
        return function(*args, **kwargs)


def _nonlinearity(function: Callable[..., Any], args: Any, kwargs: Any, count: int) -> float:
    """Return how far a function at the mean of two batches is from the mean of its outputs, 0 (affine) to 1."""

    def at(change: Callable[[torch.Tensor, int], torch.Tensor]) -> list[torch.Tensor]:
        changed = _with_batches(args, count, change)
        outputs = function(*changed, **_with_batches(kwargs, count, change))
        return _numbers(changed[:1] if outputs is None else outputs)  # a function in place returns nothing

    def between(batch: torch.Tensor, axis: int) -> torch.Tensor:
        return (batch + batch.roll(1, axis)) / 2 if batch.is_floating_point() else batch.clone()

    try:
        here, there, middle = at(lambda batch, _: batch.clone()), at(lambda batch, axis: batch.roll(1, axis)), at(between)
    except (RuntimeError, TypeError, ValueError, IndexError):
        return 0.0  # no function of a batch
    if not len(here) == len(there) == len(middle):
        return 1.0  # how much it returns depends on the values
    largest = max((float(number.abs().max()) for number in _numbers(args) if number.numel()), default=0.0)
    return max((_departure(*outputs, largest) for outputs in zip(here, there, middle, strict=True)), default=0.0)


def _departure(here: torch.Tensor, there: torch.Tensor, middle: torch.Tensor, largest_input: float) -> float:
    if not here.shape == there.shape == middle.shape:
        return 1.0  # it chooses elements by their value
    if not here.numel():
        return 0.0
    gap = float((middle - (here + there) / 2).abs().max())
    distance, size = float((here - there).abs().max()), max(float(here.abs().max()), largest_input)
    return 0.0 if gap <= ROUNDING * size else gap / max(distance, gap)


def _with_batches(value: Any, count: int, change: Callable[[torch.Tensor, int], torch.Tensor]) -> Any:
    """Return arguments with every tensor of `count` rows, at any axis, changed."""
    if isinstance(value, torch.Tensor):
        return change(value, list(value.shape).index(count)) if count in value.shape else value
    if isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        return type(value)([_with_batches(item, count, change) for item in value])
    if isinstance(value, dict):
        return {name: _with_batches(item, count, change) for name, item in value.items()}
    return value


def _numbers(outputs: Any) -> list[torch.Tensor]:
    several = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return [output for output in several if isinstance(output, torch.Tensor) and output.is_floating_point()]
