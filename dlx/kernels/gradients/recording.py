"""Writing a network down as a `Graph`.

What is written down: linear layers, batch norm in evaluation mode, sums (residual connections) and the elementwise
nonlinearities of `NONLINEARITIES`; dropout and identity are seen through. That covers multilayer perceptrons and residual nets.
A network that does anything else is not written down at all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from dlx.kernels.gradients.graph import Added, Dense, Given, Graph, Nonlinear, Scaled, Step
from dlx.kernels.gradients.nonlinearities import NONLINEARITIES
from dlx.model.heads import HEADS

PASSES_ON = (nn.Identity, nn.Dropout, nn.AlphaDropout)
ASKS = ("__get__", "size", "dim")  # what a network may ask of a tensor without making another
ADDS = (torch.add, torch.Tensor.add, torch.Tensor.__add__, torch.Tensor.__radd__, torch.Tensor.add_)
FLATTENS = (
    torch.squeeze,
    torch.flatten,
    *(getattr(torch.Tensor, n) for n in ("squeeze", "flatten", "reshape", "view", "__getitem__")),
)
FUNCTIONS: dict[Any, type[nn.Module]] = {
    **dict.fromkeys((torch.relu, torch.Tensor.relu, functional.relu), nn.ReLU),
    **dict.fromkeys((torch.tanh, torch.Tensor.tanh, functional.tanh), nn.Tanh),
    **dict.fromkeys((torch.sigmoid, torch.Tensor.sigmoid, functional.sigmoid), nn.Sigmoid),
}
Maker = Callable[[tuple[int, ...]], Step | None]  # sources in; None out: the value is its source's


def record(network: nn.Module, dense: torch.Tensor, *, functions: bool = True) -> Graph | None:
    """Return the steps of a network; None where it does something that no step stands for.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode; left as it is.
    dense : Tensor [rows, width]
        Some rows: two of them are run, to see what is done between modules and whether the steps do the same.
    functions : bool
        Also write down nonlinearities that are no modules.
    """
    graph = _graph_of_chain(network, dense.shape[1])
    if graph is not None:
        return graph
    two = dense[[0, -1]]
    recorder = _Recorder(two, functions=functions)
    with torch.no_grad(), recorder.listening(network), recorder:
        output = network(two)
    last = recorder.known_as(output)
    if last < 0 or not recorder.understood:
        return None
    graph = Graph(tuple(recorder.steps[: last + 1]), dense.shape[1])
    with torch.no_grad():
        again = graph.fill({0: two}, graph.last).reshape(output.shape)
    return graph if torch.allclose(again, output, rtol=1e-4, atol=1e-5, equal_nan=True) else None


def _in_a_row(network: nn.Module) -> Iterator[nn.Module]:
    """Yield the modules of nested sequences in their order; anything else, or what is hooked, is yielded whole."""
    if type(network) is not nn.Sequential or _is_heard(network):
        yield network
        return
    for child in network:
        yield from _in_a_row(child)


def _is_heard(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


def _graph_of_chain(network: nn.Module, width: int) -> Graph | None:
    """Return the steps of modules in a row, without running them; None where that is not all that the network is."""
    steps: list[Step] = [Given()]
    for module in _in_a_row(network):
        make = None if _is_heard(module) else _maker(module)
        if make is None:
            return None
        step = make((len(steps) - 1,))
        steps += [] if step is None else [step]
    return Graph(tuple(steps), width)


def _maker(module: Any) -> Maker | None:
    """Return what makes a module's step of its sources, or None where it has none; a subclass may do anything."""
    kind = type(module)
    if kind in (*NONLINEARITIES, *HEADS):
        return lambda sources: Nonlinear(sources, module)
    if kind in PASSES_ON and not module.training:
        return lambda _: None
    if kind is nn.Linear:
        return lambda sources: Dense(sources, module.weight.detach(), None if module.bias is None else module.bias.detach())
    if kind is nn.BatchNorm1d and module.running_mean is not None and not module.training:
        return lambda sources: _scaled(sources, module)
    return None


def _scaled(sources: tuple[int, ...], norm: Any) -> Scaled:
    factor, shift = torch.rsqrt(norm.running_var + norm.eps), torch.zeros_like(norm.running_mean)
    if norm.affine:
        factor, shift = factor * norm.weight.detach(), norm.bias.detach()
    return Scaled(sources, factor, shift - norm.running_mean * factor)


class _Recorder(TorchFunctionMode):
    """Hears what modules do, by hooks, and what is done between them, by being asked about each function of torch."""

    def __init__(self, dense: torch.Tensor, *, functions: bool) -> None:
        super().__init__()
        self.steps: list[Step] = [Given()]
        self.understood = True
        self._named = {id(dense): (0, dense)}  # the tensors are held, so that no id is given twice
        self._functions = FUNCTIONS if functions else {}
        self._inside = 0

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
        if not self._inside and function.__name__ not in ASKS:
            self._inside += 1
            tensors = tuple(value for value in args if isinstance(value, torch.Tensor))
            self._write(self._maker_of(function, args, kwargs or {}, output), tensors, output)
            self._inside -= 1
        return output

    def _maker_of(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Maker | None:
        numbers = [value for value in args if isinstance(value, (int, float))]
        if function in ADDS and not kwargs:
            return lambda sources: Added(sources, sum(numbers))
        if function in self._functions and len(args) == 1:
            return lambda sources: Nonlinear(sources, self._functions[function]())
        if function in FLATTENS and args[0].shape[1:] == (1,) and output.shape == args[0].shape[:1]:
            return lambda _: None
        return None

    def _write(self, make: Maker | None, given: tuple[Any, ...], output: Any) -> None:
        """Add the step that made an output; or know that there is none."""
        sources = tuple(self.known_as(value) for value in given)
        if make is None or not sources or -1 in sources or any(value.shape != given[0].shape for value in given):
            self.understood = False
            return
        step = make(sources)
        if step is not None:
            self.steps.append(step)
        self._named[id(output)] = (sources[0] if step is None else len(self.steps) - 1), output
