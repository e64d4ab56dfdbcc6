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
from torch.utils._pytree import tree_leaves, tree_map_only

from dlx import explainers
from dlx.audit.compatibility.checks import STEADY, Bench, Issue, attempted, lost_words
from dlx.explainers import deeplift
from dlx.explainers._lookups import EMBEDDINGS, without_gradient
from dlx.model import NeuralModel
from dlx.model.net_outputs import shown

RULES = (deeplift.__name__.rpartition(".")[2],)  # the method whose rules are for modules
DEPARTURE = 1e-4  # from the mean of two batches, as a share of their distance, above which a function is not linear
ROUNDING = 1e-6  # of a float32 function, as a share of its largest input or output
ITSELF = "the network itself"
FEWEST_ROWS = 7  # of a watched forward, so that activations of either sign occur
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


def in_network(bench: Bench) -> Iterator[Issue]:
    """Yield the issues of a net, as the methods that read nets see it: in evaluation mode."""
    scripted = [path for path, module in bench.evaluated.network.named_modules() if isinstance(module, ScriptModule)]
    if scripted:
        text = f"{scripted[0] or ITSELF} is a TorchScript module, which cannot be looked into: pass the module it was made from"
        yield Issue("scripted", scripted[0], RULES, text, np.nan)
    else:
        yield from _nonlinearities(bench)
        uses = deeplift.nonlinear_uses(bench.evaluated.network, bench.evaluated.dense(bench.rows))
        for path, times in uses.items():
            if times > 1:
                text = (
                    f"{_shown(bench, path)} is used {times} times in one forward: captum's DeepLIFT needs a module for each use"
                )
                yield Issue("used again", path, RULES, text, float(times))
    yield from _unseen_columns(bench)


def _shown(bench: Bench, path: str) -> str:
    return shown(bench.evaluated.network, path) or ITSELF


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
        text = f"{_shown(bench, path)} is a {type(module).__name__}, which captum's DeepLIFT has no rule for: {loses}"
        yield Issue("outside table", path, RULES, text, lost)
    for path, function in functions:
        text = f"{_shown(bench, path)} calls {function}, a nonlinear function that captum's DeepLIFT cannot see: {loses}"
        yield Issue("function", path, RULES, text, lost)


def _unseen_columns(bench: Bench) -> Iterator[Issue]:
    """Yield columns whose gradient is 0 although the output moves with them: codes of an embedding, roundings, steps."""
    model, rows, background = bench.evaluated, bench.rows, bench.background
    before, moves = np.repeat(model.predict(rows, bench.scale), len(background)), {}
    for i in np.flatnonzero(without_gradient(model, rows, background, bench.seed)):
        swapped = np.repeat(rows, len(background), axis=0)
        swapped[:, i] = np.tile(background[:, i], len(rows))
        moved = bench.share(model.predict(swapped, bench.scale) - before)
        if moved > STEADY:
            moves[model.schema.names[i]] = moved
    if not moves:
        return
    gradients, columns, largest = tuple(explainers.reading(NeuralModel)), ", ".join(moves), max(moves.values())
    said = f"gradients are exactly 0 although the output moves by up to {lost_words(largest)} of the mean effect"
    embeddings = [path for path, module in model.network.named_modules() if isinstance(module, EMBEDDINGS)]
    for path in embeddings:
        yield Issue(
            "embedding", path, gradients, f"{_shown(bench, path)} looks up integer codes; for {columns} {said}", largest
        )
    for column, moved in moves.items() if not embeddings else ():
        yield Issue("no gradient", column, gradients, f"for {columns} {said}", moved)


def unsettled(network: nn.Module) -> dict[str, str]:
    """Return the modules that look at the batch or at chance, by path, each with what it is and does."""
    found = {}
    for path, module in network.named_modules():
        name = f"{type(module).__name__} {shown(network, path) or 'network'}"
        if isinstance(module, BATCH_NORMS) and (module.training or module.running_mean is None):
            found[path] = f"{name} takes the mean and variance of the batch"
        elif isinstance(module, DROPOUTS) and module.training and module.p:
            found[path] = f"{name} drops units at random"
    return found


def nonlinear_functions(network: nn.Module, dense: torch.Tensor) -> list[tuple[str, str]]:
    """Return the nonlinear functions that one forward of a net in evaluation mode calls outside any module without children.

    Each is the path of a module and the name of a function that its forward calls. The net is left as it is, also where its
    forward raises. Dense rows [rows, width] of both signs are repeated, or cut, to a number of rows that no weight has, which
    tells activations from weights.
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
    return list(dict.fromkeys(watch.places))


class _Watch(TorchFunctionMode):
    """Notes the nonlinear functions that are called while no module without children runs."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.running: list[tuple[str, bool]] = []  # path of each module that runs, and whether it has no children
        self.places: list[tuple[str, str]] = []

    def leave(self, *_: Any) -> None:
        self.running.pop()

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        kwargs = kwargs or {}
        is_watched = self.running and not any(is_leaf for _, is_leaf in self.running)
        if is_watched and _is_nonlinear(function, args, kwargs, self.count):
            self.places.append((self.running[-1][0], resolve_name(function) or str(function)))
        return function(*args, **kwargs)


def _is_nonlinear(function: Callable[..., Any], args: Any, kwargs: Any, count: int) -> bool:
    """Whether a function at the mean of two batches (`count` rows at any axis) is not the mean of its outputs."""

    def at(change: Callable[[torch.Tensor, int], torch.Tensor]) -> list[torch.Tensor]:
        def changed(value: torch.Tensor) -> torch.Tensor:
            return change(value, list(value.shape).index(count)) if count in value.shape else value

        given, named = tree_map_only(torch.Tensor, changed, (args, kwargs))
        outputs = function(*given, **named)
        return _numbers(given[:1] if outputs is None else outputs)  # a function in place returns nothing

    def between(batch: torch.Tensor, axis: int) -> torch.Tensor:
        return (batch + batch.roll(1, axis)) / 2 if batch.is_floating_point() else batch.clone()

    try:
        triples = [at(lambda batch, _: batch.clone()), at(lambda batch, axis: batch.roll(1, axis)), at(between)]
    except (RuntimeError, TypeError, ValueError, IndexError):
        return False  # no function of a batch
    first, *others = ([number.shape for number in numbers] for numbers in triples)
    if others != [first, first]:
        return True  # how much it returns, or which elements, depends on the values
    largest = max((float(number.abs().max()) for number in _numbers(args) if number.numel()), default=0.0)
    for here, there, middle in zip(*triples, strict=True):
        if here.numel():
            gap, distance = float((middle - (here + there) / 2).abs().max()), float((here - there).abs().max())
            if gap > max(ROUNDING * max(float(here.abs().max()), largest), DEPARTURE * distance):
                return True
    return False


def _numbers(outputs: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(outputs) if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()]
