"""Cells far outside the rest of a column of numbers, where the rest may have a heavy tail.

In a tail of the Pareto kind the logarithms of neighbouring values, from the largest on, are apart by exponential variables
(Renyi 1953): the mean of these is Hill's index of the tail, and a gap that no such tail has by chance is named. Lighter tails
have smaller gaps. Values are distances from the median, either side by itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

MOST_FAR = 3  # cells of a side
TAIL, SHORTEST_TAIL = 20, 10  # values beyond them, and of a side altogether
GAPS = 2 * MOST_FAR  # that are looked at, of both sides
LOOKED_AT = 200  # the largest values, of which some may be the same


class Far(NamedTuple):
    """Cells of a column beyond a gap."""

    rows: np.ndarray  # positions, the furthest first
    chance: float  # of so large a gap, in any of the columns


def far_cells(column: np.ndarray, *, line: float, columns: int = 1) -> list[Far]:
    """Return the few largest and smallest values of a column [rows], NaN where missing, that a gap parts from the rest.

    A gap is named if it is as improbable as the line, over so many columns.
    """
    median, found = np.nanmedian(column) if not np.isnan(column).all() else np.nan, []
    for sign in (1, -1):
        away = np.where(np.isnan(column), 0.0, sign * (column - median))
        most = min(LOOKED_AT, len(away))
        largest = np.argpartition(-away, most - 1)[:most] if most else np.zeros(0, dtype=int)
        order = largest[np.argsort(-away[largest], kind="stable")]
        count = int((away > 0).sum())
        if count < SHORTEST_TAIL + MOST_FAR:
            continue
        sizes = away[order][:count]
        chance, many = min((_chance(sizes, many, count - many), many) for many in range(1, MOST_FAR + 1))
        if chance * GAPS * columns <= line:
            found.append(Far(order[:many], chance * GAPS * columns))
    return found


def _chance(sizes: np.ndarray, many: int, others: int) -> float:
    """Return how probable as large a gap is below the first of falling sizes, as those below it are spread."""
    rest = sizes[many:]
    some = rest[: min(TAIL, others // 2) + 1]
    index = float(np.log(some[:-1] / some[-1]).mean())
    steps = -np.diff(np.unique(rest)[::-1][: TAIL + 1])
    resolution = float(np.log1p(np.median(steps) / rest[0])) if len(steps) else np.inf
    times = many * float(np.log(sizes[many - 1] / rest[0])) / max(index, resolution)
    return float((1 + times / (len(some) - 1)) ** -(len(some) - 1))
