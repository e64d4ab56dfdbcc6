"""Writing a network down as a `Graph`.

What is written down: linear layers, batch norm in evaluation mode, sums (residual connections) and the elementwise
nonlinearities of `NONLINEARITIES`; dropout and identity are seen through. That covers multilayer perceptrons and residual nets.
A network that does anything else is not written down at all.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from dlx.kernels.gradients.graph import Added, Dense, Given, Graph, Nonlinear, Scaled, Step
from dlx.kernels.gradients.nonlinearities import NONLINEARITIES
from dlx.model.heads import HEADS
from dlx.model.networks import to_hook

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
Recipe = tuple[tuple[Maker, tuple[int, ...]], ...]  # what makes each step, and of which ones; 0 is what comes in
RECIPES: WeakKeyDictionary[nn.Module, dict[Any, Recipe]] = WeakKeyDictionary()


def record(network: nn.Module, dense: torch.Tensor, *, functions: bool = True) -> Graph | None:
    """Return the steps of a network; None where it does something that no step stands for.

    What modules in a row do is known. Any other module of the row is listened to on two rows, once: its recipe is kept as long
    as its steps, made anew of the weights that it has now, give what it gives itself.

    Parameters
    ----------
    network : nn.Module
        In evaluation mode; left as it is.
    dense : Tensor [rows, width]
        Some rows: two of them are run, to see what is done between modules and whether the steps do the same.
    functions : bool
        Also write down nonlinearities that are no modules.
    """
    steps, passed = list[Step]([Given()]), list[nn.Module]()

    def reached() -> torch.Tensor:
        with torch.no_grad():
            return nn.Sequential(*passed)(dense[[0, -1]])

    for module in _in_a_row(network):
        make = None if _is_heard(module) else _maker(module)
        recipe = _recipe_of(module, reached, functions=functions) if make is None else ((make, (0,)),)
        if recipe is None:
            return None
        _follow(recipe, steps)
        passed.append(module)
    return Graph(tuple(steps), dense.shape[1])


def _follow(recipe: Recipe, steps: list[Step]) -> None:
    """Add the steps of a recipe behind the last one."""
    places = [len(steps) - 1]
    for make, sources in recipe:
        step = make(tuple(places[source] for source in sources))
        steps += [] if step is None else [step]
        places.append(len(steps) - 1)


def _recipe_of(module: nn.Module, reached: Callable[[], torch.Tensor], *, functions: bool) -> Recipe | None:
    """Return what a module does to the rows that reach it; None where no steps stand for that."""
    asked = (functions, tuple((id(part), part.training, _is_heard(part)) for part in module.modules()))
    known, two = RECIPES.setdefault(module, {}), reached()
    with torch.no_grad():
        output = module(two)
    if asked not in known or not _gives(known[asked], two, output):
        known.pop(asked, None)
        recipe = _listened(module, two, functions=functions)
        if recipe is None or not _gives(recipe, two, output):
            return None
        known[asked] = recipe
    return known[asked]


def _listened(module: nn.Module, two: torch.Tensor, *, functions: bool) -> Recipe | None:
    recorder, copied = _Recorder(two, functions=functions), to_hook(module)
    with torch.no_grad(), recorder.listening(copied, module), recorder:
        last = recorder.known_as(copied(two))
    return tuple(recorder.recipe[:last]) if last >= 0 and recorder.understood else None


def _gives(recipe: Recipe, two: torch.Tensor, output: torch.Tensor) -> bool:
    """Whether the steps of a recipe make of two rows what the module itself makes of them."""
    steps = list[Step]([Given()])
    _follow(recipe, steps)
    graph = Graph(tuple(steps), two.shape[1])
    with torch.no_grad():
        again = graph.fill({0: two}, graph.last).reshape(output.shape)
    return torch.allclose(again, output, rtol=1e-4, atol=1e-5, equal_nan=True)


def _in_a_row(network: nn.Module) -> Iterator[nn.Module]:
    """Yield the modules of nested sequences in their order; anything else, or what is hooked, is yielded whole."""
    if type(network) is not nn.Sequential or _is_heard(network):
        yield network
        return
    for child in network:
        yield from _in_a_row(child)


def _is_heard(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


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
    """Records a forward pass: calls of modules by hooks, and functions of torch between them by overriding these."""

    def __init__(self, dense: torch.Tensor, *, functions: bool) -> None:
        super().__init__()
        self.recipe: list[tuple[Maker, tuple[int, ...]]] = []
        self.understood = True
        self._named = {id(dense): (0, dense)}  # the tensors are held, so that no id is given twice
        self._functions = FUNCTIONS if functions else {}
        self._inside = 0

    def known_as(self, tensor: Any) -> int:
        """Return the step whose value a tensor is, or -1."""
        return self._named[id(tensor)][0] if id(tensor) in self._named else -1

    @contextlib.contextmanager
    def listening(self, copied: nn.Module, network: nn.Module) -> Iterator[None]:
        """Record the calls of a copied network's modules inside the block, as steps that hold the modules of the original."""
        with contextlib.ExitStack() as hooks:
            for module, own in zip(copied.modules(), network.modules(), strict=True):
                if (make := _maker(own)) is not None:
                    hooks.callback(module.register_forward_pre_hook(self._enters).remove)
                    hooks.callback(module.register_forward_hook(functools.partial(self._leaves, make)).remove)
            yield

    def _enters(self, *_: Any) -> None:
        self._inside += 1

    def _leaves(self, make: Maker, _: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        self._write(make, given, output)
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
        if make(sources) is None:
            self._named[id(output)] = sources[0], output
        else:
            self.recipe.append((make, sources))
            self._named[id(output)] = len(self.recipe), output
