"""DeepLIFT's rescale rule, written out: one backward pass with difference quotients in place of derivatives.

Shrikumar, Greenside and Kundaje (2017), "Learning Important Features Through Propagating Activation Differences", section
3.5.1. Persons and references go through the network once each; only the way back is one for every pair. Evaluations are in
the network's precision, sums over references in float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from dlx.kernels.gradients.graph import Graph, blocks, slope_between
from dlx.kernels.gradients.nonlinearities import NONLINEARITIES, applied, mean_slope
from dlx.kernels.gradients.recording import record
from dlx.model.heads import HEADS
from dlx.model.networks import to_hook

PAIRS_AT_ONCE = 2_048  # of a network that is not written out


class Lifted(NamedTuple):
    """Contributions by the rescale rule.

    Parameters
    ----------
    values : ndarray of float64 [rows, width]
        The mean over the references.
    evaluations : int
        Dense rows that the network was evaluated on.
    """

    values: np.ndarray
    evaluations: int


def deeplift(network: nn.Module, persons: torch.Tensor, references: torch.Tensor, graph: Graph | None = None) -> Lifted:
    """Return contributions by the rescale rule, averaged over the references.

    Any nonlinearity but the modules of `NONLINEARITIES` counts as its plain gradient, so that contributions do not add up.

    Parameters
    ----------
    network : nn.Module
        Dense rows [rows, width] to outputs [rows] or [rows, 1], in evaluation mode; left as it is.
    persons, references : Tensor [rows, width], [references, width]
        Whom to explain, and compared to whom.
    graph : Graph, optional
        The network, where it is written down already, with no nonlinearity that is no module.
    """
    graph = graph or record(network, references, functions=False)
    if graph is None:
        return Lifted(_by_autograd(network, persons, references), 2 * len(persons) * len(references))
    with torch.no_grad():
        return Lifted(_written_out(graph, persons, references), len(persons) + len(references))


def _written_out(graph: Graph, persons: torch.Tensor, references: torch.Tensor) -> np.ndarray:
    both = graph.before_nonlinear({0: torch.cat([persons, references])})
    mine, theirs = ({i: value[part] for i, value in both.items()} for part in (slice(len(persons)), slice(len(persons), None)))
    total = torch.zeros_like(persons, dtype=torch.float64)
    for some, others in blocks(graph, persons, references):
        slope = slope_between(
            graph,
            {i: value[None, others] for i, value in theirs.items()},
            {i: value[some, None] for i, value in mine.items()},
        )
        multipliers = graph.pull({graph.last: persons.new_ones((1, 1, 1))}, slope, stop=(0,))[0]  # [persons, references, width]
        total[some] += ((persons[some, None] - references[others]) * multipliers).sum(dim=1, dtype=torch.float64)
    return (total / len(references)).cpu().numpy()


def _by_autograd(network: nn.Module, persons: torch.Tensor, references: torch.Tensor) -> np.ndarray:
    """Return the same for a network that cannot be written out, on a copy whose nonlinear modules are replaced."""
    network = to_hook(network)
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if type(child) in (*NONLINEARITIES, *HEADS):
                setattr(module, name, _Rescaled(child))
    total = torch.zeros_like(persons, dtype=torch.float64)
    for person in range(len(persons)):
        for some in torch.split(references, PAIRS_AT_ONCE):
            here = persons[person].repeat(len(some), 1).requires_grad_()
            with torch.enable_grad():
                (multipliers,) = torch.autograd.grad(network(torch.cat([here, some])).sum(), here)
            total[person] += ((here.detach() - some) * multipliers).sum(dim=0, dtype=torch.float64)
    return (total / len(references)).cpu().numpy()


class _Rescaled(nn.Module):
    """A nonlinearity of persons and their references, one after the other, whose derivative is the mean slope between."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, both: torch.Tensor) -> torch.Tensor:
        """Return the nonlinearity of each row; the line through it has the mean slope."""
        values = both.detach()
        person, reference = values.chunk(2)
        slope = mean_slope(self.module, reference, person).repeat(2, *[1] * (both.ndim - 1))
        line = slope * (both - values)
        return applied(self.module, values) + (line.sum(-1, keepdim=True) if isinstance(self.module, HEADS) else line)
