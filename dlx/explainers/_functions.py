"""Nonlinear functions that a net calls outside torch's own modules, where no rule for modules sees them.

Whether a function is linear is measured, not looked up: an affine function of two batches, taken at their mean, gives the
mean of what it gives for each.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.overrides import resolve_name
from torch.utils._pytree import tree_leaves, tree_map_only

from dlx.model.networks import Calls

DEPARTURE = 1e-4  # from the mean of two batches, as a share of their distance, above which a function is not linear
ROUNDING = 1e-6  # of a float32 function, as a share of its largest input or output
FEWEST_ROWS = 7  # of a watched forward, so that activations of either sign occur


def is_of_torch(module: nn.Module) -> bool:
    """Whether a module is one of torch's own, which counts as one operation; other modules are looked into."""
    return type(module).__module__.startswith("torch.")


def nonlinear_functions(network: nn.Module, dense: torch.Tensor) -> list[tuple[str, str]]:
    """Return the nonlinear functions that one forward of a net in evaluation mode calls outside torch's own modules.

    Each is the path of a module and the name of a function that its forward calls. The net is left as it is, also where its
    forward raises. Dense rows [rows, width] of both signs are repeated, or cut, to a number of rows that no weight has, which
    tells activations from weights.
    """
    lengths = {length for weight in itertools.chain(network.parameters(), network.buffers()) for length in weight.shape}
    count = next(count for count in itertools.count(max(FEWEST_ROWS, len(dense))) if count not in lengths)
    running: list[tuple[str, bool]] = []  # path of each module that runs, and whether it is one of torch's own
    places: list[tuple[str, str]] = []

    def left(*_: Any) -> None:
        running.pop()

    def watching(function: Any, args: Any, kwargs: Any) -> Any:
        is_watched = running and not any(is_leaf for _, is_leaf in running)
        if is_watched and _is_nonlinear(function, args, kwargs, count):
            places.append((running[-1][0], resolve_name(function) or str(function)))
        return function(*args, **kwargs)

    with contextlib.ExitStack() as hooks:
        for path, module in network.named_modules():
            place = path, is_of_torch(module) and not any(module.children())
            hooks.callback(module.register_forward_pre_hook(lambda *_, place=place: running.append(place)).remove)
            hooks.callback(module.register_forward_hook(left, always_call=True).remove)
        with torch.no_grad(), Calls(watching):
            network(dense[torch.arange(count, device=dense.device) % len(dense)])
    return list(dict.fromkeys(places))


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
