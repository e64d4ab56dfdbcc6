"""The sets of columns whose change suffices for one person, none larger than it must be, with the closest values for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import prod

import numpy as np

from dlx.audit.recourse.actions import ActionSet
from dlx.audit.recourse.distance import Crowd

BEAM = 50  # changed people that are changed further where there are too many combinations to try them all
LEVEL_ROWS = 100_000  # combinations of one number of columns that are all tried
SAFETY = 1e-6  # below the threshold by as much as rounding in another batch could move a float32 net
FIRST_LOOK = 8  # of the closest candidates of a set of columns, before more are looked at

Columns = tuple[int, ...]
Risk = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked of everybody: which changes bring the risk below a threshold, without leaving the crowd.

    Parameters
    ----------
    risk : callable
        Coded rows to probabilities [rows].
    threshold : float
        Probability from which on a person is denied.
    actions : ActionSet
        What may change.
    crowd : Crowd
        The real people.
    wanted : int
        How many different sets of columns are asked for.
    most : int
        Columns that may change together in each of them.
    """

    risk: Risk
    threshold: float
    actions: ActionSet
    crowd: Crowd
    wanted: int
    most: int

    def crosses(self, risks: np.ndarray) -> np.ndarray:
        """Return which risks are below the threshold, beyond rounding."""
        return risks < self.threshold - SAFETY


@dataclass(eq=False)
class Trail:
    """What the search for one person has seen.

    Parameters
    ----------
    row : ndarray [features]
        The person, coded.
    loneliness : float
        How far a changed person may be from real ones: the limit of the crowd, or the person's own distance.
    found : dict of columns to ndarray [features]
        The closest person for each set of columns that suffices.
    best_row, best_risk : ndarray [features], float
        The lowest risk that was seen.
    exhausted : int
        Up to how many columns all combinations were tried.
    evaluations : int
        Predictions.
    only_strange : bool
        Whether a change was seen that suffices, but makes a person unlike all real ones.
    """

    row: np.ndarray
    loneliness: float
    found: dict[Columns, np.ndarray]
    best_row: np.ndarray
    best_risk: float
    exhausted: int = 0
    evaluations: int = 1
    only_strange: bool = False


def search(question: Question, row: np.ndarray, risk: float, loneliness: float) -> Trail:
    """Return what was found for one denied person [features].

    Sets of columns are tried in order of size, all values of all sets that hold no sufficient one; the search stops at
    the size at which enough were found. Larger sets than asked for are tried only where nothing was found.
    """
    trail = Trail(row, max(loneliness, question.crowd.limit), {}, row, risk)
    options = question.actions.options(row)
    beam: list[tuple[Columns, np.ndarray]] = []
    for size in range(1, len(options) + 1):
        if len(trail.found) >= question.wanted or (trail.found and size > question.most):
            break
        sets = [some for some in combinations(options, size) if not _holds(some, trail.found)]
        if sum(prod(len(options[i]) for i in some) for some in sets) <= LEVEL_ROWS and trail.exhausted == size - 1:
            changed, which = combined(row, options, sets)
            trail.exhausted = size
        else:
            sets, changed, which = _extended(beam, options, trail.found)
        if not len(changed):
            break
        beam = _look(question, trail, sets, changed, which)
    return trail


def combined(row: np.ndarray, options: Mapping[int, np.ndarray], sets: Sequence[Columns]) -> tuple[np.ndarray, np.ndarray]:
    """Return a person changed in every way of some sets of columns [changed, features], and the set of each [changed]."""
    sizes = [prod(len(options[i]) for i in some) for some in sets]
    changed, start = np.repeat(row[None], sum(sizes), axis=0), 0
    for some, size in zip(sets, sizes, strict=True):
        values = np.meshgrid(*(options[i] for i in some), indexing="ij")
        changed[start : start + size, some] = np.stack([value.ravel() for value in values], axis=1)
        start += size
    return changed, np.repeat(np.arange(len(sets)), sizes)


def _extended(
    beam: Sequence[tuple[Columns, np.ndarray]], options: Mapping[int, np.ndarray], found: Iterable[Columns]
) -> tuple[list[Columns], np.ndarray, np.ndarray]:
    """Return the changed people of the beam with one more column changed in every way."""
    rows: dict[Columns, list[np.ndarray]] = {}
    for (columns, row), (column, values) in product(beam, options.items()):
        some = tuple(sorted({*columns, column}))
        if column not in columns and not _holds(some, found):
            rows.setdefault(some, []).append(combined(row, {column: values}, [(column,)])[0])
    if not rows:
        return [], np.empty((0, 0)), np.empty(0, int)
    which = [np.full(sum(map(len, parts)), i) for i, parts in enumerate(rows.values())]
    return list(rows), np.concatenate([part for parts in rows.values() for part in parts]), np.concatenate(which)


def _look(
    question: Question, trail: Trail, sets: Sequence[Columns], changed: np.ndarray, which: np.ndarray
) -> list[tuple[Columns, np.ndarray]]:
    """Predict for changed people, note what suffices and the best, and return the beam."""
    changed = question.actions.settle(changed, trail.row)
    risks = question.risk(changed)
    trail.evaluations += len(changed)
    best = int(risks.argmin())
    if risks[best] < trail.best_risk:
        trail.best_row, trail.best_risk = changed[best], float(risks[best])
    suffices = np.flatnonzero(question.crosses(risks))
    chosen = closest(question.crowd, trail.row, changed[suffices], which[suffices], trail.loneliness)
    trail.only_strange |= len(suffices) > 0 and not len(chosen)
    trail.found |= {sets[which[i]]: changed[i] for i in suffices[chosen]}
    lowest = np.argsort(risks, kind="stable")[:BEAM]
    return [(sets[which[i]], changed[i]) for i in lowest]


def closest(crowd: Crowd, row: np.ndarray, changed: np.ndarray, which: np.ndarray, limit: float) -> np.ndarray:
    """Return, for each set of columns, the position of the closest changed person who is no lonelier than a limit.

    Loneliness costs far more than the distance, so that the closest are looked at first, and more only where they fail.
    """
    if not len(changed):
        return np.empty(0, int)
    order = np.lexsort((crowd.metric.between(row, changed), which))
    starts = np.searchsorted(which[order], which[order])
    rank = np.arange(len(order)) - starts
    pending, chosen, first, count = set(which.tolist()), [], 0, FIRST_LOOK
    while pending and first <= rank.max():
        some = order[(rank >= first) & (rank < first + count) & np.isin(which[order], list(pending))]
        for i in some[crowd.takes_in(row, changed[some], limit)]:
            if which[i] in pending:
                pending.discard(which[i])
                chosen.append(int(i))
        first, count = first + count, 8 * count
    return np.array(chosen, dtype=int)


def _holds(columns: Columns, smaller: Iterable[Columns]) -> bool:
    return any(set(some) <= set(columns) for some in smaller)
