"""What happens in one forward of a torch network: functions that bend, unsettled modules.

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
from torch.overrides import TorchFunctionMode, resolve_name

BEND = 1e-4  # departure from the mean of two batches, as a share of their distance, above which a function is not linear
ROUNDING = 1e-6  # of a float32 function, as a share of its largest input or output
FEWEST_ROWS = 7  # of a watched forward, so that activations of either sign occur
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)

Places = dict[tuple[str, str], float]  # (path of a module, name of a function that its forward calls) -> its bend


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


def bending_functions(network: nn.Module, dense: torch.Tensor) -> Places:
    """Return the nonlinear functions that one forward calls outside any module without children.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode; left as it is, also where its forward raises.
    dense : Tensor [rows, width]
        Rows of both signs; repeated, or cut, to a number of rows that no weight has, which tells activations from weights.
    """
    lengths = {length for weight in itertools.chain(network.parameters(), network.buffers()) for length in weight.shape}
    count = next(count for count in itertools.count(max(FEWEST_ROWS, len(dense))) if count not in lengths)
    watch = _Watch(count)
    with contextlib.ExitStack() as hooks:
        for path, module in network.named_modules():
            enter, leave = watch.hooks(path, is_leaf=not any(module.children()))
            hooks.callback(module.register_forward_pre_hook(enter).remove)
            hooks.callback(module.register_forward_hook(leave, always_call=True).remove)
        with torch.no_grad(), watch:
            network(dense[torch.arange(count, device=dense.device) % len(dense)])
    return watch.places


class _Watch(TorchFunctionMode):
    """Notes the functions that bend and are called while no module without children runs."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.running: list[tuple[str, bool]] = []
        self.places: Places = {}

    def hooks(self, path: str, *, is_leaf: bool) -> tuple[Callable[..., None], Callable[..., None]]:
        """Return what a module calls before and after its forward."""

        def enter(*_: Any) -> None:
            self.running.append((path, is_leaf))

        def leave(*_: Any) -> None:
            self.running.pop()

        return enter, leave

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        kwargs = kwargs or {}
        if self.running and not any(is_leaf for _, is_leaf in self.running):
            bend = _bend(function, args, kwargs, self.count)
            if bend > BEND:
                place = self.running[-1][0], resolve_name(function) or str(function)
                self.places[place] = max(bend, self.places.get(place, 0.0))
        return function(*args, **kwargs)


def _bend(function: Callable[..., Any], args: Any, kwargs: Any, count: int) -> float:
    """Return how far a function at the mean of two batches is from the mean of its outputs, 0 (affine) to 1."""

    def at(change: Callable[[torch.Tensor, int], torch.Tensor]) -> list[torch.Tensor]:
        changed = _with_batches(args, count, change)
        outputs = function(*changed, **_with_batches(kwargs, count, change))
        return _numbers(changed[:1] if outputs is None else outputs)  # a function in place returns nothing

    try:
        here, there, middle = at(_itself), at(_next_person), at(_mean)
    except (RuntimeError, TypeError, ValueError, IndexError):
        return 0.0  # no function of a batch
    if not len(here) == len(there) == len(middle):
        return 1.0  # how much it returns depends on the values
    largest = max((float(number.abs().max()) for number in _numbers(args) if number.numel()), default=0.0)
    bends = [_departure(*outputs, largest) for outputs in zip(here, there, middle, strict=True)]
    return max(bends, default=0.0)


def _departure(here: torch.Tensor, there: torch.Tensor, middle: torch.Tensor, largest_input: float) -> float:
    if not here.shape == there.shape == middle.shape:
        return 1.0  # it chooses elements by their value
    if not here.numel():
        return 0.0
    gap = float((middle - (here + there) / 2).abs().max())
    distance, size = float((here - there).abs().max()), max(float(here.abs().max()), largest_input)
    return 0.0 if gap <= ROUNDING * size else gap / max(distance, gap)


def _itself(batch: torch.Tensor, axis: int) -> torch.Tensor:
    del axis
    return batch.clone()


def _next_person(batch: torch.Tensor, axis: int) -> torch.Tensor:
    return batch.roll(1, axis)


def _mean(batch: torch.Tensor, axis: int) -> torch.Tensor:
    return (batch + batch.roll(1, axis)) / 2 if batch.is_floating_point() else batch.clone()


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
