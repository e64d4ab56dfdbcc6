"""Integrated gradients by cells: short pieces of each path, on which each nonlinearity counts by its mean slope.

On a piece of a path the mean gradient of a network is close to the product of its weights and of each unit's mean slope, the
multipliers of DeepLIFT's rescale rule: nothing is missed but that units of different layers switch in the same cell. So the
contributions of a cell add up exactly, one hidden layer is integrated exactly, and the error falls almost with the square of
the number of cells, where a gradient in the middle of each leaves the whole of each switch to chance. Two dozen cells do what
fifty midpoints cannot.

How many cells a row needs is judged by a few references, by what twice the cells change.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from dlx.kernels.gradients.graph import Graph, blocks, slope_between
from dlx.model.devices import in_blocks

COUNTS = np.r_[8:33:2, 36:65:4, 80:257:16]  # cells of a path
JUDGED = 16  # cells with which a row is judged, and half of them
ORDER = 1.75  # of the power of the number of cells with which the error fell, on the nets tried
SAFETY = 1.2  # of the estimate, so that nine in ten rows have no larger error
PILOTS = 16  # references by which it is judged
CHUNK_PAIRS = 2_048  # of persons and references that a core is given at a time


def by_cells(
    graph: Graph, persons: torch.Tensor, references: torch.Tensor, *, tolerance: float, finer: int = 1
) -> tuple[torch.Tensor, np.ndarray, int]:
    """Return integrated gradients averaged over references, float64 [rows, width], their errors [rows] and evaluated points.

    An error is estimated: the largest of a row's contributions, as a share of the largest of these.

    Parameters
    ----------
    graph : Graph
        Of a network.
    persons, references : Tensor [rows, width], [references, width]
        Where the paths end, and where they start.
    tolerance : float
        The error of a row that its number of cells is chosen for.
    finer : int
        How many times as many cells it shall be.
    """

    def of_rows(which: np.ndarray) -> np.ndarray:
        some = persons[torch.from_numpy(which)]
        error = _judged(graph, some, references)
        needed = JUDGED * (error / tolerance) ** (1 / ORDER)
        cells = finer * COUNTS[np.minimum(np.searchsorted(COUNTS, needed), len(COUNTS) - 1)]
        values = np.empty(some.shape)
        for count in np.unique(cells):
            rows = np.flatnonzero(cells == count)
            mean = torch.zeros_like(some[rows], dtype=torch.float64)
            for part, _, found in _contributions(graph, some[rows], references, int(count)):
                mean[part] += found.sum(dim=1, dtype=torch.float64) / len(references)
            values[rows] = mean.cpu().numpy()
        return np.column_stack([values, error * (JUDGED / cells) ** ORDER, cells])

    size = max(1, CHUNK_PAIRS // len(references))
    found = in_blocks(of_rows, np.arange(len(persons)), size, persons.device, lambda: max(graph.widths) * len(references))
    points = int((found[:, -1] + 1).sum()) * len(references) + len(persons) * min(PILOTS, len(references)) * (
        JUDGED * 3 // 2 + 2
    )
    return torch.from_numpy(found[:, :-2]), found[:, -2], points


def _judged(graph: Graph, persons: torch.Tensor, references: torch.Tensor) -> np.ndarray:
    """Return the error of each row with `JUDGED` cells, as a share of its largest contribution, [rows].

    It is what half as many cells change on average, and what the change differs by from reference to reference.
    """
    pilots = references[torch.linspace(0, len(references) - 1, min(PILOTS, len(references))).round().long()]
    fine, coarse = torch.zeros((2, len(persons), *pilots.shape), dtype=torch.float64, device=persons.device)
    for found, count in ((fine, JUDGED), (coarse, JUDGED // 2)):
        for some, others, pairs in _contributions(graph, persons, pilots, count):
            found[some, others] = pairs.double()
    change = (fine - coarse) / (2**ORDER - 1)
    noise = change.var(dim=1) if len(pilots) > 1 else torch.zeros_like(change[:, 0])
    bias = (change.mean(dim=1) ** 2 - noise / len(pilots)).clamp(min=0)
    largest = fine.mean(dim=1).abs().amax(dim=1)
    error = SAFETY * (bias + noise / len(references)).sqrt().amax(dim=1) / largest
    return torch.nan_to_num(error, nan=0.0, posinf=0.0).cpu().numpy()


def _contributions(
    graph: Graph, persons: torch.Tensor, references: torch.Tensor, count: int
) -> Iterator[tuple[slice, slice, torch.Tensor]]:
    """Yield slices of persons and of references, and the contributions of their pairs, [persons, references, width]."""
    ends, starts = graph.front_of(persons), graph.front_of(references)
    share = torch.linspace(0, 1, count + 1).to(persons)[:, None]
    for some, others in blocks(graph, persons, references, points_of_a_pair=count + 1):
        along = {i: torch.lerp(starts[i][None, others, None], ends[i][some, None, None], share) for i in ends}
        given = graph.before_nonlinear(along)  # [persons, references, points, width]
        before, after = ({i: value[:, :, cut] for i, value in given.items()} for cut in (slice(-1), slice(1, None)))
        one = persons.new_ones((1, 1, 1, 1))
        gradients = graph.pull({graph.last: one}, slope_between(graph, before, after), stop=graph.front)
        mean = {i: gradient.mean(dim=2) for i, gradient in gradients.items()}
        slopes = graph.pull(mean, slope_between(graph, {}, {}), stop=(0,))[0]
        yield some, others, (persons[some, None] - references[others]) * slopes
