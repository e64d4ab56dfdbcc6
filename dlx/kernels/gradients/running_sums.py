"""The exact integral of a gradient along straight paths by running sums: a switch of one unit changes little.

A network of ReLUs is written as levels of units, one a nonlinear step. The input of each unit is linear in the network's
input and in the outputs of the levels before it, and so is the network's output, but for a last sigmoid. Along a straight
path all of them are linear between two switches. A switch changes the derivative of one unit, and with it

- the slopes of the inputs of later units: of those that take it directly, by one column of weights;
- the gradients of the network's output with respect to earlier units: of those that it takes directly, by one row.

So the integral of the gradient with respect to each unit is a running sum, which is touched where that gradient changes.
With respect to a unit of the first level it is the integral of what the later levels make of it, up to the unit's own
switch or from there on. A switch of the first of two levels thus takes a few sums as long as the second is wide, where the
gradient anew takes a product of both widths.

Behind a last sigmoid all of this holds by another clock: the integral of the sigmoid's derivative, which is a difference
quotient between two switches. `_loops` walks each path for itself, from the reference to the person, in compiled code, and
in the network's precision; sums over references are in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import nn

from dlx.kernels.gradients.graph import Dense, Graph, Values, blocks, slope_between
from dlx.kernels.gradients.nonlinearities import ONE_KINK
from dlx.model.devices import is_accelerator
from dlx.threads import in_chunks

MOST_OF_THREE, MOST_OF_MORE = 512, 128  # units of three levels, and of more, of which walking is as quick as a rule
MOST_UNITS = 2_048  # with more, a rule of a few hundred points costs less
CHUNK_PAIRS = 2_048  # of persons and references that are walked on one core


def can_be_walked(graph: Graph, device: torch.device) -> bool:
    """Whether a few levels of units with one kink are all that is nonlinear, but for a last sigmoid; on a CPU.

    One level alone, without a sigmoid, has no inner breakpoints: there is nothing to walk.
    """
    steps = _steps(graph)
    kinds = {type(graph.module(step)) for step in steps}
    units = sum(graph.widths[step] for step in steps)
    return (
        not is_accelerator(device)
        and kinds.issubset(ONE_KINK)
        and bool(steps)
        and len(graph.nonlinear) > 1
        and units <= MOST_UNITS
    )


def is_quick(graph: Graph) -> bool:
    """Whether walking costs less than a rule: a switch of one of many levels, or of wide ones, takes products of matrices."""
    steps = _steps(graph)
    return len(steps) <= 2 or sum(graph.widths[step] for step in steps) <= (MOST_OF_THREE if len(steps) == 3 else MOST_OF_MORE)


def _steps(graph: Graph) -> tuple[int, ...]:
    """Return the nonlinear steps but for a last sigmoid."""
    is_sigmoid = graph.last in graph.nonlinear and type(graph.module(graph.last)) is nn.Sigmoid
    return graph.nonlinear[: len(graph.nonlinear) - is_sigmoid]


def walked_on_average(graph: Graph, persons: torch.Tensor, references: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Return integrated gradients averaged over references, float64 [rows, width], and the number of knots of all paths.

    Parameters
    ----------
    graph : Graph
        A network that can be walked.
    persons, references : Tensor [rows, width], [references, width]
        Where the paths end, and where they start.
    """
    net, knots = _levels(graph, persons), []
    theirs = net.at(references)

    def of_rows(which: np.ndarray) -> np.ndarray:
        some = persons[torch.from_numpy(which)]
        mine, total = net.at(some), torch.zeros_like(some, dtype=torch.float64)
        for rows, others in blocks(graph, some, references):
            change = some[rows, None] - references[others]
            slopes, found = _mean_gradient(net, mine[rows], theirs[others], change @ net.output_of_input)
            total[rows] += (change * slopes).sum(dim=1, dtype=torch.float64)
            knots.append(found)
        return (total / len(references)).numpy()

    values = in_chunks(of_rows, np.arange(len(persons)), max(1, CHUNK_PAIRS // len(references)))
    return torch.from_numpy(values), sum(knots)


@dataclass(frozen=True, eq=False)
class _Points:
    """What a network of levels holds of some rows."""

    values: torch.Tensor  # [rows, units], the inputs of the units
    direct: torch.Tensor  # [rows, units], the part of them that is linear in the network's input
    outputs: torch.Tensor  # [rows], before a last sigmoid

    def __getitem__(self, rows: slice) -> _Points:
        """Return some of the rows."""
        return _Points(self.values[rows], self.direct[rows], self.outputs[rows])


@dataclass(frozen=True, eq=False)
class _Levels:
    """A network as levels of units."""

    graph: Graph
    steps: tuple[int, ...]
    output: int  # the step that is the output, before a last sigmoid
    parts: tuple[slice, ...]  # the units of each level
    entries: tuple[slice, ...]  # and of those that take anything of the network's input directly
    linked: np.ndarray  # [levels, levels], whether the first adds anything to the second
    of_input: torch.Tensor  # [units, width], what the input of each unit takes of the network's input
    onto: torch.Tensor  # [units, units], what the output of each adds to the input of each later one
    output_of_input: torch.Tensor  # [width], what the network's output takes of its input
    out: torch.Tensor  # [units], and of the output of each unit
    low: torch.Tensor  # [units], the derivative of each below 0

    @cached_property
    def back(self) -> torch.Tensor:
        """`onto`, transposed; as it is where it is not read, of less than three levels."""
        return self.onto.T.contiguous() if len(self.parts) > 2 else self.onto

    def at(self, rows: torch.Tensor) -> _Points:
        """Return what the network holds of rows [rows, width]."""
        known, first = {0: rows}, self.parts[0]
        values = torch.cat([self.graph.fill(known, self.graph.source(step)) for step in self.steps], dim=1)
        direct = torch.zeros_like(values)
        for part in self.entries:
            direct[:, part] = values[:, part] if part is first else rows @ self.of_input[part].T
        return _Points(values, direct, self.graph.fill(known, self.output).reshape(-1))


def _levels(graph: Graph, like: torch.Tensor) -> _Levels:
    """Return a graph as levels, in the precision of a tensor."""
    steps = _steps(graph)
    widths = [graph.widths[step] for step in steps]
    parts = tuple(slice(end - width, end) for width, end in zip(widths, np.cumsum(widths).tolist(), strict=True))
    output = graph.source(graph.last) if graph.last in graph.nonlinear and graph.last not in steps else graph.last
    units = sum(widths)
    of_input, onto, low = like.new_zeros(units, graph.width), like.new_zeros(units, units), like.new_zeros(units)
    output_of_input, out = like.new_zeros(graph.width), like.new_zeros(units)
    entries, linked = [], np.zeros((len(steps), len(steps)), dtype=bool)
    for level, (step, part) in enumerate(zip(steps, parts, strict=True)):
        low[part] = getattr(graph.module(step), "negative_slope", 0.0)
        for source, weight in _composed(graph, graph.source(step), steps, like).items():
            if source == 0:
                of_input[part] = weight
                entries.append(part)
            else:
                onto[parts[steps.index(source)], part] = weight.T
                linked[steps.index(source), level] = True
    for source, weight in _composed(graph, output, steps, like).items():
        (output_of_input if source == 0 else out[parts[steps.index(source)]])[:] = weight[0]
    return _Levels(graph, steps, output, parts, tuple(entries), linked, of_input, onto, output_of_input, out, low)


def _composed(graph: Graph, step: int, steps: tuple[int, ...], like: torch.Tensor) -> Values:
    """Return what a step's value takes of the network's input, step 0, and of nonlinear steps, [width, their width]."""
    made = graph.steps[step]
    if isinstance(made, Dense):  # a product with an identity less
        start = {made.sources[0]: made.weight}
    else:
        start = {step: torch.eye(graph.widths[step], dtype=like.dtype)}
    return graph.pull(start, slope_between(graph, {}, {}), stop=(0, *steps))


def _mean_gradient(net: _Levels, mine: _Points, theirs: _Points, rates: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Return the mean gradient along the path of every pair, [persons, references, width], and the knots of all."""
    from dlx.kernels.gradients._loops import walk

    starts = _starts(net, theirs)
    slopes = mine.direct[:, None] - theirs.direct
    derivatives = _derivatives(net, theirs).expand(slopes.shape).contiguous()
    for after, part in enumerate(net.parts):
        for level in np.flatnonzero(net.linked[:after, after]):
            source = net.parts[level]
            slopes[..., part] += (slopes[..., source] * derivatives[..., source]) @ net.onto[source, part]
    integrals, clocks = torch.empty_like(slopes), torch.empty(slopes.shape[:2], dtype=torch.float64)
    knots = walk(
        np.array([part.start for part in net.parts] + [len(net.out)], dtype=np.uint64),
        net.linked,
        net.onto.numpy(),
        net.back.numpy(),
        starts.numpy(),
        theirs.outputs.double().numpy(),
        rates.double().numpy(),
        net.output != net.graph.last,
        slopes.numpy(),
        derivatives.numpy(),
        integrals.numpy(),
        clocks.numpy(),
    )
    clock, first = clocks.to(slopes.dtype)[..., None], net.parts[0]
    whole = clock * net.out[first]
    for level in np.flatnonzero(net.linked[0]):
        whole += integrals[..., net.parts[level]] @ net.onto[first, net.parts[level]].T
    integrals[..., first] += derivatives[..., first] * whole
    found = clock * net.output_of_input
    for part in net.entries:
        found = found + integrals[..., part] @ net.of_input[part]
    return found, knots


def _derivatives(net: _Levels, points: _Points) -> torch.Tensor:
    return torch.where(points.values > 0, 1.0, net.low)


def _starts(net: _Levels, references: _Points) -> torch.Tensor:
    """Return where walks from references start, [references, rows of `_loops`, units]."""
    from dlx.kernels.gradients._loops import GRADIENT, LOW, OUT, ROWS, UPSTREAM, VALUE

    starts, derivatives = net.out.new_zeros(len(references.values), ROWS, len(net.out)), _derivatives(net, references)
    for row, values in ((OUT, net.out), (LOW, net.low), (VALUE, references.values), (UPSTREAM, net.out)):
        starts[:, int(row)] = values
    upstream, gradient = starts[:, int(UPSTREAM)], starts[:, int(GRADIENT)]
    for level in range(len(net.parts) - 1, -1, -1):
        part = net.parts[level]
        for after in np.flatnonzero(net.linked[level]):
            upstream[:, part] += gradient[:, net.parts[after]] @ net.onto[part, net.parts[after]].T
        if level > 0:
            gradient[:, part] = derivatives[:, part] * upstream[:, part]
    return starts
