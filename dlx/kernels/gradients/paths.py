"""Integrated gradients of a network: exact where the integral is a finite sum of few pieces, by adaptive rules elsewhere.

Sundararajan, Taly and Yan (2017), "Axiomatic Attribution for Deep Networks", equation 1, averaged over references (Erion
et al. 2021). Evaluations are in the network's precision, sums over references in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from dlx.kernels.gradients.breakpoints import exact_on_average, is_finite_sum
from dlx.kernels.gradients.cells import by_cells
from dlx.kernels.gradients.graph import Graph
from dlx.kernels.gradients.nonlinearities import ONE_KINK
from dlx.kernels.gradients.recording import record
from dlx.kernels.gradients.running_sums import can_be_walked, is_quick, walked_on_average
from dlx.model.devices import is_accelerator, numbers_at_once, widest

Rule = tuple[np.ndarray, np.ndarray]  # points of one piece of a path, on [0, 1], and their weights
MIDPOINTS: Rule = (np.arange(50) + 0.5) / 50, np.full(50, 1 / 50)  # for nets with kinks, where no rule does better
GAUSS: Rule = (np.polynomial.legendre.leggauss(10)[0] + 1) / 2, np.polynomial.legendre.leggauss(10)[1] / 2  # as close if smooth
CELL_ERROR = 3e-3  # of a net with kinks that is not integrated exactly, as a share of the largest contribution
MOST_DOUBLINGS = 5
PAIRS_AT_ONCE = 4_096  # held until they add up
POINTS_AT_ONCE = 2**12  # evaluated: a layer's activations stay in the cache


class Integrated(NamedTuple):
    """Integrated gradients, and what is known of their error.

    Parameters
    ----------
    values : ndarray of float64 [rows, width]
        The mean over the references.
    evaluations : int
        Dense rows that the network was evaluated on.
    is_exact : bool
        Whether nothing but rounding is between the values and the integral.
    errors : ndarray of float64 [rows], optional
        The largest error of a row's values, as a share of the largest of these, where it was estimated.
    """

    values: np.ndarray
    evaluations: int
    is_exact: bool
    errors: np.ndarray | None = None


def integrated_gradients(
    network: nn.Module, persons: torch.Tensor, references: torch.Tensor, *, pieces: int = 1, tolerance: float = 1e-3
) -> Integrated:
    """Return integrated gradients of every person, averaged over the references.

    Parameters
    ----------
    network : nn.Module
        Dense rows [rows, width] to outputs [rows] or [rows, 1], in evaluation mode; left as it is.
    persons, references : Tensor [rows, width], [references, width]
        Where the paths end, and where they start.
    pieces : int
        How many pieces a path is first cut into where the integral is no finite sum: each of fifty midpoints, or of ten
        Gauss-Legendre points where no module has a kink. Where the network is known step by step, how many times as many cells.
    tolerance : float
        The gap of a row, as a share of the mean effect, below which its paths are not cut more finely.
    """
    errors = None
    with torch.no_grad():
        graph = record(network, references)
        exactly = None if graph is None else _exact_way(graph, persons.device)
        if graph is not None and exactly is not None:
            values, points = exactly(graph, persons, references)
        elif graph is not None and any(type(graph.module(step)) in ONE_KINK for step in graph.nonlinear):
            values, errors, points = by_cells(graph, persons, references, tolerance=CELL_ERROR, finer=pieces)
        else:
            values, points = _until_they_add_up(network, persons, references, pieces, tolerance)
    return Integrated(values.cpu().numpy(), len(persons) + len(references) + points, exactly is not None, errors)


def _exact_way(
    graph: Graph, device: torch.device
) -> Callable[[Graph, torch.Tensor, torch.Tensor], tuple[torch.Tensor, int]] | None:
    """Return the quickest kernel of an integral that is a finite sum; None where it is none, or one of too many pieces."""
    if can_be_walked(graph, device):
        return walked_on_average if is_quick(graph) else None
    return exact_on_average if is_finite_sum(graph) else None


def _until_they_add_up(
    network: nn.Module,
    persons: torch.Tensor,
    references: torch.Tensor,
    pieces: int,
    tolerance: float,
) -> tuple[torch.Tensor, int]:
    """Return the mean over references [rows, width], and the points it took; a row depends on itself and them alone."""
    outputs, starts = (network(rows).reshape(-1).double() for rows in (persons, references))
    effect = (starts - starts.mean()).abs().mean().expand(len(outputs))
    effect = torch.where(effect > 0, effect, (outputs - starts.mean()).abs())
    values, points = torch.empty_like(persons, dtype=torch.float64), 0
    for some in torch.split(torch.arange(len(persons)), max(1, PAIRS_AT_ONCE // len(references))):
        changes = outputs[some][:, None] - starts  # [persons, references]
        pairs, made = _refined(network, persons[some], references, changes, pieces, tolerance * effect[some])
        values[some], points = pairs.mean(dim=1), points + made
    return values, points


def _refined(
    network: nn.Module,
    persons: torch.Tensor,
    references: torch.Tensor,
    changes: torch.Tensor,
    pieces: int,
    limit: torch.Tensor,
) -> tuple[torch.Tensor, int]:
    """Return the contributions of every pair [persons, references, width], and the points they took.

    A pair is done again, with twice the pieces, while its row does not add up; or while its own gap is so large that
    a row of such gaps, each with a sign of its own, would not.
    """
    pairs = torch.zeros((*changes.shape, persons.shape[1]), dtype=torch.float64, device=persons.device)
    todo, points = torch.ones_like(changes, dtype=torch.bool), 0
    rule = MIDPOINTS if any(type(module) in ONE_KINK for module in network.modules()) else GAUSS
    for doubling in range(MOST_DOUBLINGS + 1):
        person, reference = todo.nonzero(as_tuple=True)
        pairs[person, reference] = _by_rule(network, persons[person], references[reference], rule, pieces * 2**doubling)
        points += len(person) * pieces * 2**doubling * len(rule[0])
        gaps = changes - pairs.sum(dim=2)
        of_pair = gaps.abs() > limit[:, None] * len(references) ** 0.5
        of_row = gaps.mean(dim=1).abs() > limit
        todo = of_pair | of_row[:, None]
        if not todo.any():
            break
    return pairs, points


def _by_rule(network: nn.Module, ends: torch.Tensor, starts: torch.Tensor, rule: Rule, pieces: int) -> torch.Tensor:
    """Return the contributions of pairs [pairs, width], by a rule on each of so many pieces of every path."""
    share = torch.from_numpy((rule[0] + np.arange(pieces)[:, None]).ravel() / pieces).to(ends)
    weight = torch.from_numpy(np.tile(rule[1] / pieces, pieces)).to(ends)
    points = numbers_at_once(ends.device) // widest(network) if is_accelerator(ends.device) else POINTS_AT_ONCE
    step = max(1, points // len(share))
    parts = []
    for start, end in zip(torch.split(starts, step), torch.split(ends, step), strict=True):
        path = torch.lerp(start[:, None], end[:, None], share[:, None]).requires_grad_()  # [pairs, points, width]
        with torch.enable_grad():  # one sum to differentiate, instead of one output a point
            (slopes,) = torch.autograd.grad(network(path.flatten(0, 1)).sum(), path)
        parts.append(torch.einsum("ptw,t->pw", slopes, weight) * (end - start))
    return torch.cat(parts).double()
