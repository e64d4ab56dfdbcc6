"""Writing a network down as a `Tape`, by running it once on a few rows.

What is written down: linear layers, batch norm in evaluation mode, sums (residual connections), and the elementwise
nonlinearities of `BENDS`, all as modules; dropout and identity are seen through. That covers multilayer perceptrons and
residual nets. A network that does anything else is not written down at all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from dlx.games.slopes import BENDS
from dlx.games.tape import Added, Bent, Dense, Scaled, Step, Tape

PASSES_ON = (nn.Identity, nn.Dropout, nn.AlphaDropout)
ASKS = ("__get__", "size", "dim")  # what a network may ask of a tensor without making another
ADDS = (torch.add, torch.Tensor.add, torch.Tensor.__add__, torch.Tensor.__radd__, torch.Tensor.__iadd__)
Maker = Callable[[tuple[int, ...]], Step | None]  # sources in; None out: the value is its source's


def record(network: nn.Module, dense: torch.Tensor) -> Tape | None:
    """Return the steps of a network; None where it does something that no step stands for.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode; left as it is.
    dense : Tensor [rows, width]
        A few rows, on which it is run once, and the steps are checked.
    """
    recorder = _Recorder()
    recorder.add(Step(()), dense)
    with torch.no_grad(), recorder.listening(network), recorder:
        output = network(dense)
    last = recorder.known_as(output)
    if last < 0 or not recorder.understood:
        return None
    tape = Tape(tuple(recorder.steps[: last + 1]), tuple(recorder.widths[: last + 1]))
    with torch.no_grad():
        again = tape.fill({0: dense}, tape.last)
    return tape if torch.allclose(again, output, rtol=1e-4, atol=1e-5, equal_nan=True) else None


def _maker(module: nn.Module) -> Maker | None:
    """Return what makes a module's step of its sources, or None where the module has none; a subclass may do anything."""
    kind = type(module)
    if kind in BENDS:
        return lambda sources: Bent(sources, module)
    if kind in PASSES_ON and not module.training:
        return lambda _: None
    if isinstance(module, nn.Linear) and kind is nn.Linear:
        return lambda sources: Dense(sources, module.weight.detach(), None if module.bias is None else module.bias.detach())
    if (
        isinstance(module, nn.BatchNorm1d)
        and kind is nn.BatchNorm1d
        and module.running_mean is not None
        and not module.training
    ):
        return lambda sources: _scaled(sources, module)
    return None


def _scaled(sources: tuple[int, ...], norm: nn.BatchNorm1d) -> Scaled:
    assert norm.running_mean is not None and norm.running_var is not None
    factor, shift = torch.rsqrt(norm.running_var + norm.eps), torch.zeros_like(norm.running_mean)
    if norm.affine:
        factor, shift = factor * norm.weight.detach(), norm.bias.detach()
    return Scaled(sources, factor, shift - norm.running_mean * factor)


class _Recorder(TorchFunctionMode):
    """Hears what modules do, by hooks, and what is done between them, by being asked about each function of torch."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.widths: list[int] = []
        self.understood = True
        self._named: dict[int, tuple[int, torch.Tensor]] = {}  # by id; the tensor is held, so that no id is given twice
        self._inside = 0

    def add(self, step: Step, value: torch.Tensor) -> None:
        """Write a step down, and know its value."""
        self.steps.append(step)
        self.widths.append(value.shape[-1])
        self._named[id(value)] = len(self.steps) - 1, value

    def known_as(self, tensor: Any) -> int:
        """Return the step whose value a tensor is, or -1."""
        return self._named[id(tensor)][0] if id(tensor) in self._named else -1

    @contextlib.contextmanager
    def listening(self, network: nn.Module) -> Iterator[None]:
        """Hear the modules of a network inside the block."""
        with contextlib.ExitStack() as hooks:
            for module in network.modules():
                if _maker(module) is not None:
                    hooks.callback(module.register_forward_pre_hook(self._enters).remove)
                    hooks.callback(module.register_forward_hook(self._leaves).remove)
            yield

    def _enters(self, *_: Any) -> None:
        self._inside += 1

    def _leaves(self, module: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        self._write(_maker(module), given, output)
        self._inside -= 1

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        output = function(*args, **(kwargs or {}))
        if self._inside or function.__name__ in ASKS:
            return output
        self._inside += 1
        numbers = [value for value in args if isinstance(value, (int, float))]
        tensors = tuple(value for value in args if not isinstance(value, (int, float)))
        adds = function in ADDS and not kwargs
        self._write((lambda sources: Added(sources, sum(numbers))) if adds else None, tensors, output)
        self._inside -= 1
        return output

    def _write(self, make: Maker | None, given: tuple[Any, ...], output: Any) -> None:
        """Add the step that made an output; or know that there is none."""
        sources = tuple(self.known_as(value) for value in given)
        if make is None or not sources or -1 in sources or given[0].ndim != 2:
            self.understood = False
            return
        step = make(sources)
        if step is not None:
            self.add(step, output)
        else:
            self._named[id(output)] = sources[0], output
