"""The sets of columns whose change suffices for one person, none larger than it must be, with the closest values for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import prod

import numpy as np

from dlx.audit.recourse.actions import ActionSet, Columns
from dlx.audit.recourse.distance import Crowd

BEAM = 50  # changed people that are changed further where there are too many combinations to try them all
LEVEL_ROWS = 100_000  # combinations of one number of columns that are all tried
SAFETY = 4e-6  # on the logit: as much as rounding in another batch could move a float32 net
FIRST_LOOK = 8  # of the closest candidates of a set of columns, before more are looked at

Set = tuple[Columns, ...]  # moves that are made at once
Risk = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Question:
    """What is asked of everybody: which changes bring the risk down to a goal, without leaving the crowd.

    Parameters
    ----------
    risk : callable
        Coded rows to probabilities [rows].
    goal : float
        The highest probability that is beyond the threshold by the margin.
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
    goal: float
    actions: ActionSet
    crowd: Crowd
    wanted: int
    most: int

    def crosses(self, risks: np.ndarray) -> np.ndarray:
        """Return which risks are down to the goal, beyond rounding."""
        return risks < self.goal - SAFETY * self.goal * (1 - self.goal)


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

    Sets of columns are tried in order of size, all moves of all sets that hold no sufficient one; the search stops at the
    size at which enough were found. Larger sets than asked for are tried only where nothing was found.
    """
    trail = Trail(row, max(loneliness, question.crowd.limit), {}, row, risk)
    moves = question.actions.moves(row)
    beam: list[tuple[Columns, np.ndarray]] = []
    for size in range(1, 1 + sum(map(len, moves))):
        if len(trail.found) >= question.wanted or (trail.found and size > question.most):
            break
        is_exhaustive = trail.exhausted == size - 1
        sets = [some for some in _sets(moves, size) if not _holds(_columns(some), trail.found)] if is_exhaustive else []
        if is_exhaustive and trail.found and not sets:
            break
        if is_exhaustive and sum(prod(len(moves[move]) for move in some) for some in sets) <= LEVEL_ROWS:
            changed, which = combined(row, moves, sets)
            columns, trail.exhausted = [_columns(some) for some in sets], size
        else:
            columns, changed, which = _extended(beam, moves, trail.found)
            if not len(changed):
                break
        beam = _look(question, trail, columns, changed, which) or beam
    return trail


def combined(row: np.ndarray, moves: Mapping[Columns, np.ndarray], sets: Sequence[Set]) -> tuple[np.ndarray, np.ndarray]:
    """Return a person changed by all of some sets of moves [changed, features], and the set of each [changed]."""
    sizes = [prod(len(moves[move]) for move in some) for some in sets]
    changed, start = np.repeat(row[None], sum(sizes), axis=0), 0
    for some, size in zip(sets, sizes, strict=True):
        chosen = np.meshgrid(*(np.arange(len(moves[move])) for move in some), indexing="ij")
        for move, which in zip(some, chosen, strict=True):
            changed[start : start + size, move] = moves[move][which.ravel()]
        start += size
    return changed, np.repeat(np.arange(len(sets)), sizes)


def _sets(moves: Iterable[Columns], size: int) -> list[Set]:
    """Return all sets of moves that change some number of columns."""
    names = list(moves)
    counts = range(1, size + 1) if any(len(move) > 1 for move in names) else (size,)
    return [some for count in counts for some in combinations(names, count) if sum(map(len, some)) == size]


def _columns(some: Set) -> Columns:
    return tuple(sorted(column for move in some for column in move))


def _extended(
    beam: Sequence[tuple[Columns, np.ndarray]], moves: Mapping[Columns, np.ndarray], found: Iterable[Columns]
) -> tuple[list[Columns], np.ndarray, np.ndarray]:
    """Return the changed people of the beam with one more move made in every way."""
    rows: dict[Columns, list[np.ndarray]] = {}
    for (columns, row), (move, values) in product(beam, moves.items()):
        some = tuple(sorted({*columns, *move}))
        if not set(move) & set(columns) and not _holds(some, found):
            rows.setdefault(some, []).append(combined(row, {move: values}, [(move,)])[0])
    if not rows:
        return [], np.empty((0, 0)), np.empty(0, int)
    which = [np.full(sum(map(len, parts)), i) for i, parts in enumerate(rows.values())]
    return list(rows), np.concatenate([part for parts in rows.values() for part in parts]), np.concatenate(which)


def _look(
    question: Question, trail: Trail, sets: Sequence[Columns], changed: np.ndarray, which: np.ndarray
) -> list[tuple[Columns, np.ndarray]]:
    """Predict for changed people who are possible, note what suffices and the best, and return the beam."""
    changed = question.actions.settle(changed, trail.row)
    possible = question.actions.possible(trail.row, changed)
    changed, which = changed[possible], which[possible]
    if not len(changed):
        return []
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
