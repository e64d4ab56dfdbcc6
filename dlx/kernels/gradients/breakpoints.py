"""The exact integral of a gradient along straight paths, by its activation breakpoints: where a unit switches.

Along a straight path a network of ReLUs is linear between the points where a unit switches. They are found layer by layer:
a unit's input is linear between the breakpoints of the layers before it. A nonlinearity that no other one follows needs no
such points, whatever its shape: its mean derivative along a straight piece is a difference quotient. So a ReLU net has a
finite sum on the probability scale too, and a net of one hidden layer whatever its activation.

Every piece costs an evaluation of the network, which suits a GPU. On a CPU `running_sums` is quicker, where it can be used.

The knots of all paths lie in one line: path p goes from 2p (the reference) to 2p + 1 (the person). The pieces between
paths, from 2p + 1 to 2p + 2, have length 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from dlx.kernels.gradients.graph import Graph, Values, blocks, slope_between
from dlx.kernels.gradients.nonlinearities import ONE_KINK

MOST_BREAKPOINTS = 1_024  # of a path, at most, one a unit; with more, a rule of a few hundred points costs less than the pieces


def is_finite_sum(graph: Graph) -> bool:
    """Whether the integral is a finite sum, and not of too many pieces."""
    kinds = {type(graph.module(step)) for step in graph.inner_nonlinear}
    return kinds.issubset(ONE_KINK) and _units(graph) <= MOST_BREAKPOINTS


def exact_on_average(graph: Graph, persons: torch.Tensor, references: torch.Tensor) -> tuple[torch.Tensor, int]:
    """Return integrated gradients averaged over references, float64 [rows, width], and the points that were evaluated.

    Parameters
    ----------
    graph : Graph
        A network whose integral is a finite sum.
    persons, references : Tensor [rows, width], [references, width]
        Where the paths end, and where they start.
    """
    ends, starts = graph.front_of(persons), graph.front_of(references)
    total, points = torch.zeros_like(persons, dtype=torch.float64), 0
    for some, others in blocks(graph, persons, references, points_of_a_pair=2 + _units(graph) // 2):
        size = len(persons[some]), len(references[others])
        paths = _Paths(
            start={i: rows[others].repeat(size[0], 1) for i, rows in starts.items()},
            end={i: rows[some].repeat_interleave(size[1], dim=0) for i, rows in ends.items()},
        )
        knots = _knots(graph, paths)
        slopes = _mean_gradient(graph, paths, knots).reshape(*size, -1)
        total[some] += ((persons[some][:, None] - references[others]) * slopes).sum(dim=1, dtype=torch.float64)
        points += len(knots)
    return total / len(references), points


def _units(graph: Graph) -> int:
    return sum(graph.widths[step] for step in graph.inner_nonlinear)


@dataclass(frozen=True, eq=False)
class _Paths:
    """Straight paths, by the values of the graph's `front` at both ends: start and end [paths, width] by step."""

    start: Values
    end: Values

    @property
    def count(self) -> int:
        return len(next(iter(self.start.values())))

    def at(self, knots: torch.Tensor) -> Values:
        """Return the values at knots, [knots, width] by step."""
        path = _path_of(knots)
        values = {}
        for i, start in self.start.items():
            share = (knots - 2 * path).to(start.dtype)[:, None]
            values[i] = torch.addcmul(start.index_select(0, path), (self.end[i] - start).index_select(0, path), share)
        return values


def _path_of(knots: torch.Tensor) -> torch.Tensor:
    return torch.div(knots, 2, rounding_mode="floor").long()


def _lengths(knots: torch.Tensor) -> torch.Tensor:
    """Return the share of its path of each piece, [knots - 1]; 0 between paths."""
    return (knots - 2 * _path_of(knots)).diff().clamp_(min=0)


def _knots(graph: Graph, paths: _Paths) -> torch.Tensor:
    """Return where the paths start, end, and where a unit that others depend on switches, in order; float64 [knots]."""
    some = next(iter(paths.start.values()))
    knots = torch.arange(2 * paths.count, dtype=torch.float64, device=some.device)
    for step in graph.inner_nonlinear:
        before = graph.fill(paths.at(knots), graph.source(step))
        start, end, length = before[:-1], before[1:], _lengths(knots)
        piece, unit = ((start * end < 0) & (length > 0)[:, None]).nonzero(as_tuple=True)
        low, high = start[piece, unit].double(), end[piece, unit].double()
        breakpoints = knots[piece] + length[piece] * torch.nan_to_num(low / (low - high))  # infinite weights give NaN
        knots = torch.cat([knots, breakpoints]).sort().values
    return knots


def _mean_gradient(graph: Graph, paths: _Paths, knots: torch.Tensor) -> torch.Tensor:
    """Return the mean gradient with respect to the input along each path, [paths, width]."""
    values = graph.before_nonlinear(paths.at(knots))
    start = {i: value[:-1] for i, value in values.items()}
    end = {i: value[1:] for i, value in values.items()}
    slope = slope_between(graph, start, end)
    gradients = graph.pull({graph.last: next(iter(paths.start.values())).new_ones((1, 1))}, slope, stop=graph.front)
    return graph.pull({i: _mean_over_pieces(part, knots, paths.count) for i, part in gradients.items()}, slope, stop=(0,))[0]


def _mean_over_pieces(gradients: torch.Tensor, knots: torch.Tensor, paths: int) -> torch.Tensor:
    """Return the mean over the pieces of each path [paths, width], by their lengths, of gradients [pieces or 1, width]."""
    firsts = torch.searchsorted(knots, 2.0 * torch.arange(paths, dtype=knots.dtype, device=knots.device))
    pieces = torch.arange(len(knots) - 1, device=knots.device)
    return functional.embedding_bag(
        pieces,
        gradients.expand(len(pieces), -1).contiguous(),
        firsts,
        mode="sum",
        per_sample_weights=_lengths(knots).to(gradients.dtype),
    )
