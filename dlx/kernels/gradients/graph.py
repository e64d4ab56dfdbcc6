"""The graph of a network, as a list of steps that can be walked forwards and backwards: without autograd, and without hooks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn
from torch.nn import functional

from dlx.kernels.gradients.nonlinearities import applied, mean_slope
from dlx.model.devices import is_accelerator, numbers_at_once
from dlx.model.heads import HEADS

BLOCK_NUMBERS = 2**18  # of a layer: 1 MB stays in a core's cache
Values = dict[int, torch.Tensor]  # by step


@dataclass(frozen=True, eq=False)
class Step(ABC):
    """A step of the graph: an operation that computes a value [rows, width] from the values of earlier steps.

    Parameters
    ----------
    sources : tuple of int
        The steps whose values it takes; 0 is the input.
    """

    sources: tuple[int, ...]

    @abstractmethod
    def value(self, *values: torch.Tensor) -> torch.Tensor:
        """Return the step's value."""


@dataclass(frozen=True, eq=False)
class Linear(Step):
    """A linear step: its gradient is the same at all values."""

    @abstractmethod
    def pull(self, gradient: torch.Tensor) -> torch.Tensor:
        """Return the gradient with respect to each source."""


@dataclass(frozen=True, eq=False)
class Given(Linear):
    """The input, which is passed on as it is."""

    sources: tuple[int, ...] = ()

    def value(self, *values: torch.Tensor) -> torch.Tensor:
        """Return the input."""
        return values[0]

    def pull(self, gradient: torch.Tensor) -> torch.Tensor:
        """Return the gradient."""
        return gradient


@dataclass(frozen=True, eq=False)
class Dense(Linear):
    """A linear layer."""

    weight: torch.Tensor  # [outputs, inputs]
    bias: torch.Tensor | None

    def value(self, *values: torch.Tensor) -> torch.Tensor:
        """Return weight · value + bias."""
        return functional.linear(values[0], self.weight, self.bias)

    def pull(self, gradient: torch.Tensor) -> torch.Tensor:
        """Return gradient · weight; a product with a single output is an outer one."""
        return gradient * self.weight[0] if self.weight.shape[0] == 1 else gradient @ self.weight


@dataclass(frozen=True, eq=False)
class Scaled(Linear):
    """Batch norm, once it is trained: a factor and a shift for each column."""

    factor: torch.Tensor  # [width]
    shift: torch.Tensor

    def value(self, *values: torch.Tensor) -> torch.Tensor:
        """Return value · factor + shift."""
        return torch.addcmul(self.shift, values[0], self.factor)

    def pull(self, gradient: torch.Tensor) -> torch.Tensor:
        """Return gradient · factor."""
        return gradient * self.factor


@dataclass(frozen=True, eq=False)
class Added(Linear):
    """The sum of the sources, and a number."""

    number: float = 0.0

    def value(self, *values: torch.Tensor) -> torch.Tensor:
        """Return the sum."""
        total = values[0]
        for value in values[1:]:
            total = total + value
        return total + self.number if self.number else total

    def pull(self, gradient: torch.Tensor) -> torch.Tensor:
        """Return the gradient, for each source."""
        return gradient


@dataclass(frozen=True, eq=False)
class Nonlinear(Step):
    """A nonlinearity: one of `NONLINEARITIES`, element by element, or a head, which turns all outputs into one number."""

    module: nn.Module

    def value(self, *values: torch.Tensor) -> torch.Tensor:
        """Return the nonlinearity."""
        return applied(self.module, values[0])


@dataclass(frozen=True, eq=False)
class Graph:
    """The computational graph of a network: its steps, each after its sources; step 0 is the input, the last the output.

    Parameters
    ----------
    steps : tuple of Step
        Step 0 has no sources.
    width : int
        The width of the input.
    """

    steps: tuple[Step, ...]
    width: int

    @property
    def last(self) -> int:
        """The step that is the output."""
        return len(self.steps) - 1

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """The width of each step's value."""
        found = [self.width]
        for step in self.steps[1:]:
            is_head = isinstance(step, Nonlinear) and isinstance(step.module, HEADS)
            found.append(step.weight.shape[0] if isinstance(step, Dense) else 1 if is_head else found[step.sources[0]])
        return tuple(found)

    @cached_property
    def straight(self) -> frozenset[int]:
        """The steps that are linear in the input."""
        found: set[int] = set()
        for i, step in enumerate(self.steps):
            if not isinstance(step, Nonlinear) and found.issuperset(step.sources):
                found.add(i)
        return frozenset(found)

    @cached_property
    def front(self) -> tuple[int, ...]:
        """The last linear steps before the nonlinear ones, or the output: from their values all later ones follow."""
        used = {source for i in set(range(len(self.steps))) - self.straight for source in self.steps[i].sources}
        return tuple(sorted((used | {self.last}) & self.straight))

    @cached_property
    def nonlinear(self) -> tuple[int, ...]:
        """The nonlinear steps."""
        return tuple(i for i, step in enumerate(self.steps) if isinstance(step, Nonlinear))

    @property
    def is_reusing(self) -> bool:
        """Whether two nonlinear steps are of one module."""
        return len({id(self.module(step)) for step in self.nonlinear}) < len(self.nonlinear)

    @cached_property
    def inner_nonlinear(self) -> tuple[int, ...]:
        """The nonlinear steps that other nonlinear steps depend on."""
        before: list[set[int]] = []
        for i, step in enumerate(self.steps):
            before.append(set().union(*(before[source] for source in step.sources)) | ({i} & set(self.nonlinear)))
        return tuple(sorted(set().union(*(before[i] - {i} for i in self.nonlinear))))

    def source(self, step: int) -> int:
        """Return the step whose value a nonlinear step takes."""
        return self.steps[step].sources[0]

    def module(self, step: int) -> nn.Module:
        """Return the module of a nonlinear step."""
        nonlinear = self.steps[step]
        assert isinstance(nonlinear, Nonlinear)
        return nonlinear.module

    def front_of(self, rows: torch.Tensor) -> Values:
        """Return the values of the `front`, [rows, width] by step."""
        values = {0: rows}
        return {i: self.fill(values, i) for i in self.front}

    def before_nonlinear(self, given: Values) -> Values:
        """Return the inputs of the nonlinear steps, by the step that computes each, from values that are given."""
        return {source: self.fill(given, source) for source in {self.source(step) for step in self.nonlinear}}

    def fill(self, values: Values, step: int) -> torch.Tensor:
        """Return the value of a step; it and the values on the way to it are added to `values`, by step."""
        if step not in values:
            made_of = [self.fill(values, source) for source in self.steps[step].sources]
            values[step] = self.steps[step].value(*made_of)
        return values[step]

    def pull(self, gradients: Values, slope: Callable[[int], torch.Tensor], stop: tuple[int, ...]) -> Values:
        """Return the gradients with respect to the steps at which to stop, from those with respect to later ones.

        Parameters
        ----------
        gradients : dict
            By step; is emptied.
        slope : callable
            A nonlinear step in, the tensor that stands for its derivative out.
        stop : tuple of int
            Steps that are not walked through.
        """
        found = {}
        for i in reversed(range(len(self.steps))):
            gradient = gradients.pop(i, None)
            if gradient is None:
                continue
            if i in stop:
                found[i] = gradient
                continue
            step = self.steps[i]
            back = step.pull(gradient) if isinstance(step, Linear) else gradient * slope(i)
            for source in step.sources:
                gradients[source] = gradients[source] + back if source in gradients else back
        return found


def slope_between(graph: Graph, start: Values, end: Values) -> Callable[[int], torch.Tensor]:
    """Return a function from nonlinear steps to their mean slope between values that can be broadcast."""

    def slope(step: int) -> torch.Tensor:
        source = graph.source(step)
        return mean_slope(graph.module(step), start[source], end[source])

    return slope


def blocks(
    graph: Graph, persons: torch.Tensor, references: torch.Tensor, *, points_of_a_pair: int = 1
) -> Iterator[tuple[slice, slice]]:
    """Yield slices of persons and of references, so that the activations of their pairs fit the cache, or an accelerator."""
    numbers = numbers_at_once(persons.device) if is_accelerator(persons.device) else BLOCK_NUMBERS
    pairs = max(1, numbers // (max(graph.widths) * points_of_a_pair))
    some, others = max(1, pairs // len(references)), min(len(references), pairs)
    for person in range(0, len(persons), some):
        for reference in range(0, len(references), others):
            yield slice(person, person + some), slice(reference, reference + others)
