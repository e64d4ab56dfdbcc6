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
    points = net.at(torch.cat([references, persons]))
    theirs, mine = points[: len(references)], points[len(references) :]
    starts, ends, origins = _starts(net, theirs), persons.numpy(), references.numpy()

    @np.errstate(all="ignore")  # of infinite weights: what comes of them is seen by whoever asked
    def of_rows(which: np.ndarray) -> np.ndarray:
        some = slice(int(which[0]), int(which[-1]) + 1)
        own, total = mine[some], np.zeros((len(which), graph.width))
        for rows, others in blocks(graph, persons[some], references):
            change = ends[some][rows, None] - origins[others]
            rates = change @ net.output_of_input
            slopes, found = _mean_gradient(net, own[rows], theirs[others], starts[others], rates)
            total[rows] += (change * slopes).sum(axis=1, dtype=np.float64)
            knots.append(found)
        return total / len(references)

    values = in_chunks(of_rows, np.arange(len(persons)), max(1, CHUNK_PAIRS // len(references)))
    return torch.from_numpy(values), sum(knots)


@dataclass(frozen=True, eq=False)
class _Points:
    """What a network of levels holds of some rows."""

    derivatives: np.ndarray  # [rows, units], of the output of each unit
    values: np.ndarray  # [rows, units], the inputs of the units
    direct: np.ndarray  # [rows, units], the part of them that is linear in the network's input
    outputs: np.ndarray  # [rows], before a last sigmoid

    def __getitem__(self, rows: slice) -> _Points:
        """Return some of the rows."""
        return _Points(self.derivatives[rows], self.values[rows], self.direct[rows], self.outputs[rows])


@dataclass(frozen=True, eq=False)
class _Levels:
    """A network as levels of units."""

    graph: Graph
    steps: tuple[int, ...]
    output: int  # the step that is the output, before a last sigmoid
    parts: tuple[slice, ...]  # the units of each level
    entries: tuple[slice, ...]  # and of those that take anything of the network's input directly
    linked: np.ndarray  # [levels, levels], whether the first adds anything to the second
    of_input: np.ndarray  # [units, width], what the input of each unit takes of the network's input
    onto: np.ndarray  # [units, units], what the output of each adds to the input of each later one
    output_of_input: np.ndarray  # [width], what the network's output takes of its input
    out: np.ndarray  # [units], and of the output of each unit
    low: np.ndarray  # [units], the derivative of each below 0

    @cached_property
    def back(self) -> np.ndarray:
        """The transpose of `onto`; `onto` itself below three levels, where nothing reads it."""
        return np.ascontiguousarray(self.onto.T) if len(self.parts) > 2 else self.onto

    @np.errstate(all="ignore")
    def at(self, rows: torch.Tensor) -> _Points:
        """Return the inputs, slopes and outputs of all units for rows [rows, width]."""
        known, first = {0: rows}, self.parts[0]
        values = torch.cat([self.graph.fill(known, self.graph.source(step)) for step in self.steps], dim=1).numpy()
        direct = np.zeros_like(values)
        for part in self.entries:
            direct[:, part] = values[:, part] if part is first else rows.numpy() @ self.of_input[part].T
        outputs = self.graph.fill(known, self.output).reshape(-1).numpy()
        return _Points(np.where(values > 0, values.dtype.type(1), self.low), values, direct, outputs)


def _levels(graph: Graph, like: torch.Tensor) -> _Levels:
    """Return a graph as levels, in the precision of a tensor."""
    steps = _steps(graph)
    widths = [graph.widths[step] for step in steps]
    parts = tuple(slice(end - width, end) for width, end in zip(widths, np.cumsum(widths).tolist(), strict=True))
    output = graph.source(graph.last) if graph.last in graph.nonlinear and graph.last not in steps else graph.last
    units, kind = sum(widths), like.numpy().dtype
    of_input, onto, low = np.zeros((units, graph.width), kind), np.zeros((units, units), kind), np.zeros(units, kind)
    output_of_input, out = np.zeros(graph.width, kind), np.zeros(units, kind)
    entries, linked = [], np.zeros((len(steps), len(steps)), dtype=bool)
    for level, (step, part) in enumerate(zip(steps, parts, strict=True)):
        low[part] = getattr(graph.module(step), "negative_slope", 0.0)
        for source, weight in _composed(graph, graph.source(step), steps, like).items():
            if source == 0:
                of_input[part] = weight.numpy()
                entries.append(part)
            else:
                onto[parts[steps.index(source)], part] = weight.numpy().T
                linked[steps.index(source), level] = True
    for source, weight in _composed(graph, output, steps, like).items():
        (output_of_input if source == 0 else out[parts[steps.index(source)]])[:] = weight[0].numpy()
    return _Levels(graph, steps, output, parts, tuple(entries), linked, of_input, onto, output_of_input, out, low)


def _composed(graph: Graph, step: int, steps: tuple[int, ...], like: torch.Tensor) -> Values:
    """Return what a step's value takes of the network's input, step 0, and of nonlinear steps, [width, their width]."""
    made = graph.steps[step]
    if isinstance(made, Dense):  # a product with an identity less
        start = {made.sources[0]: made.weight}
    else:
        start = {step: torch.eye(graph.widths[step], dtype=like.dtype)}
    return graph.pull(start, slope_between(graph, {}, {}), stop=(0, *steps))


def _mean_gradient(
    net: _Levels, mine: _Points, theirs: _Points, starts: np.ndarray, rates: np.ndarray
) -> tuple[np.ndarray, int]:
    """Return the mean gradient along the path of every pair, [persons, references, width], and the knots of all."""
    from dlx.kernels.gradients._loops import scratch, walk

    slopes = mine.direct[:, None] - theirs.direct
    for after, part in enumerate(net.parts):
        for level in np.flatnonzero(net.linked[:after, after]):
            source = net.parts[level]
            slopes[..., part] += (slopes[..., source] * theirs.derivatives[:, source]) @ net.onto[source, part]
    first, kind = net.parts[0], slopes.dtype
    integrals, clocks = np.empty_like(slopes), np.empty(slopes.shape[:2])
    derivatives = np.empty((*clocks.shape, first.stop), kind)
    knots = walk(
        np.array([part.start for part in net.parts] + [len(net.out)], dtype=np.uint64),
        net.linked,
        net.onto,
        net.back,
        net.out,
        net.low,
        starts,
        theirs.outputs.astype(np.float64),
        rates.astype(np.float64),
        net.output != net.graph.last,
        slopes,
        derivatives,
        integrals,
        clocks,
        *scratch(len(net.parts), len(net.out), kind),
    )
    clock = clocks.astype(kind)[..., None]
    whole = clock * net.out[first]
    for level in np.flatnonzero(net.linked[0]):
        whole += integrals[..., net.parts[level]] @ net.onto[first, net.parts[level]].T
    integrals[..., first] += derivatives * whole
    found = clock * net.output_of_input
    for part in net.entries:
        found += integrals[..., part] @ net.of_input[part]
    return found, knots


@np.errstate(all="ignore")
def _starts(net: _Levels, references: _Points) -> np.ndarray:
    """Return where walks from references start, [references, rows of `_loops`, units]."""
    from dlx.kernels.gradients._loops import DERIVATIVE, GRADIENT, STARTS, UPSTREAM, VALUE

    starts = np.zeros((len(references.values), STARTS, len(net.out)), net.out.dtype)
    for row, values in ((VALUE, references.values), (DERIVATIVE, references.derivatives), (UPSTREAM, net.out)):
        starts[:, int(row)] = values
    upstream, gradient = starts[:, int(UPSTREAM)], starts[:, int(GRADIENT)]
    for level in range(len(net.parts) - 1, 0, -1):
        part = net.parts[level]
        for after in np.flatnonzero(net.linked[level]):
            upstream[:, part] += gradient[:, net.parts[after]] @ net.onto[part, net.parts[after]].T
        gradient[:, part] = references.derivatives[:, part] * upstream[:, part]
    return starts
