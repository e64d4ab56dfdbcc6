"""The search for one person's counterfactuals: the smallest sets of columns that suffice, the closest values for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from math import prod

import numpy as np

from dlx.arrays import same
from dlx.audit.counterfactuals.action_set import ActionSet, Columns
from dlx.audit.counterfactuals.plausibility import Neighbourhood

BEAM = 50  # changed people that are changed further where there are too many combinations to try them all
LEVEL_ROWS = 100_000  # combinations of one number of columns that are all tried
SAFETY = 4e-6  # on the logit: as much as rounding in another batch could move a float32 net
FIRST_LOOK = 8  # of the closest candidates of a set of columns, before more are looked at
PASSES = 3  # over all columns, when the lowest risk is looked for

Moves = Mapping[Columns, np.ndarray]  # columns that change together, and their new values [moves, columns]
Candidate = tuple[Columns, np.ndarray]


@dataclass(eq=False)
class Search:
    """The search for one person's counterfactuals, and what it has seen so far."""

    row: np.ndarray  # [features], the person, coded
    predict: Callable[[np.ndarray], np.ndarray]  # coded rows to risks [rows]
    goal: float  # the highest risk that suffices
    actions: ActionSet  # what may change
    neighbourhood: Neighbourhood  # the real people
    limit: float  # how far the fifth nearest real person may be
    lowest_row: np.ndarray  # [features], of the lowest risk that was seen; the person at first
    lowest_risk: float
    found: dict[Columns, np.ndarray] = field(default_factory=dict)  # the closest person for each set that suffices
    exhausted: int = 0  # up to how many columns all combinations were tried
    evaluations: int = 1  # predictions
    only_implausible: bool = False  # whether a change was seen that suffices, but makes a person unlike all real ones

    def smallest_sets(self, wanted: int, most_columns: int) -> None:
        """Find the sets of columns that suffice, in order of size; a set that holds a sufficient one is not tried.

        The search stops at the size at which enough were found. Larger sets than asked for are tried only where nothing was
        found.
        """
        moves = self.actions.moves(self.row)
        beam: list[Candidate] = []
        for size in range(1, 1 + sum(map(len, moves))):
            if len(self.found) >= wanted or (self.found and size > most_columns):
                break
            is_exhaustive = self.exhausted == size - 1
            sets = [some for some in _sets(moves, size) if not self._holds_found(_union(some))] if is_exhaustive else []
            if is_exhaustive and self.found and not sets:
                break
            if is_exhaustive and sum(prod(len(moves[move]) for move in some) for some in sets) <= LEVEL_ROWS:
                changed, which = combined(self.row, moves, sets)
                columns, self.exhausted = [_union(some) for some in sets], size
            else:
                columns, changed, which = self._extended(beam, moves)
                if not len(changed):
                    break
            beam = self._look(columns, changed, which) or beam

    def lowest(self) -> None:
        """Find the lowest risk within reach: from the best combination, each move in turn over all values of real people."""
        moves = self.actions.moves(self.row, all_observed=True)
        for _ in range(PASSES):
            before = self.lowest_risk
            for move, values in moves.items():
                tried, which = combined(self.lowest_row, {move: np.vstack([values, self.row[list(move)]])}, [(move,)])
                self._evaluate(tried, which)
            if self.lowest_risk == before:
                break
        if self._suffices(np.array([self.lowest_risk]))[0]:
            self._undo_needless(list(moves))

    def nearest(self, columns: Columns, changed: np.ndarray) -> np.ndarray:
        """Return a changed person [features] with each number as near to the original as real people's values allow."""
        options = self.actions.options(self.row, all_observed=True)
        for column in columns:
            if self.actions.schema.features[column].is_categorical:
                continue
            values = options[column]
            values = values[np.abs(values - self.row[column]) < np.abs(changed[column] - self.row[column])]
            tried, which, risks = self._evaluate(*combined(changed, {(column,): values[:, None]}, [((column,),)]))
            enough = self._suffices(risks)
            closest = self._closest(tried[enough], which[enough])
            changed = tried[enough][closest[0]] if len(closest) else changed
        return changed

    def diverse(self, wanted: int) -> list[Candidate]:
        """Return some of what was found: the fewest columns and the closest first, then those that share least with these."""
        distance = {columns: self.neighbourhood.distance.between(self.row, row[None])[0] for columns, row in self.found.items()}
        left = sorted(self.found, key=lambda columns: (len(columns), distance[columns]))
        chosen: list[Columns] = left[:1]
        while len(chosen) < min(wanted, len(self.found)):
            rest = [columns for columns in left if columns not in chosen]
            chosen.append(min(rest, key=lambda columns: max(_overlap(columns, other) for other in chosen)))
        return [(columns, self.found[columns]) for columns in chosen]

    def _evaluate(self, changed: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the changed people who are possible, the set of each, and their risks; the lowest risk is noted."""
        changed = self.actions.settle(changed, self.row)
        possible = self.actions.possible(self.row, changed)
        changed, which = changed[possible], which[possible]
        risks = self.predict(changed) if len(changed) else np.empty(0)
        self.evaluations += len(changed)
        if len(risks) and risks.min() < self.lowest_risk:
            self.lowest_row, self.lowest_risk = changed[risks.argmin()], float(risks.min())
        return changed, which, risks

    def _suffices(self, risks: np.ndarray) -> np.ndarray:
        """Return which risks are down to the goal, beyond rounding."""
        return risks < self.goal - SAFETY * self.goal * (1 - self.goal)

    def _look(self, sets: Sequence[Columns], changed: np.ndarray, which: np.ndarray) -> list[Candidate]:
        """Note the closest plausible person of each set that suffices, and return the beam: those of the lowest risk."""
        changed, which, risks = self._evaluate(changed, which)
        enough = np.flatnonzero(self._suffices(risks))
        closest = self._closest(changed[enough], which[enough])
        self.only_implausible |= len(enough) > 0 and not len(closest)
        self.found |= {sets[which[i]]: changed[i] for i in enough[closest]}
        return [(sets[which[i]], changed[i]) for i in np.argsort(risks, kind="stable")[:BEAM]]

    def _closest(self, changed: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Return, for each set of columns, the position of the closest changed person who has real people near.

        Looking for real people costs far more than the distance, so that the closest are looked at first, and more only
        where they fail.
        """
        if not len(changed):
            return np.empty(0, int)
        order = np.lexsort((self.neighbourhood.distance.between(self.row, changed), which))
        rank = np.arange(len(order)) - np.searchsorted(which[order], which[order])
        pending, chosen, first, count = set(which.tolist()), [], 0, FIRST_LOOK
        while pending and first <= rank.max():
            some = order[(rank >= first) & (rank < first + count) & np.isin(which[order], list(pending))]
            for i in some[self.neighbourhood.has_near(self.row, changed[some], self.limit)]:
                if which[i] in pending:
                    pending.discard(which[i])
                    chosen.append(int(i))
            first, count = first + count, 8 * count
        return np.array(chosen, dtype=int)

    def _extended(self, beam: Sequence[Candidate], moves: Moves) -> tuple[list[Columns], np.ndarray, np.ndarray]:
        """Return the changed people of the beam with one more move made in every way, and the set of each."""
        rows: dict[Columns, list[np.ndarray]] = {}
        for (columns, row), (move, values) in product(beam, moves.items()):
            some = _union((columns, move))
            if not set(move) & set(columns) and not self._holds_found(some):
                rows.setdefault(some, []).append(combined(row, {move: values}, [(move,)])[0])
        parts = [np.concatenate(part) for part in rows.values()]
        which = np.repeat(np.arange(len(parts)), np.array([len(part) for part in parts], int))
        return list(rows), np.concatenate([np.empty((0, len(self.row))), *parts]), which

    def _undo_needless(self, moves: Sequence[Columns]) -> None:
        """Note the person of the lowest risk as found, unless implausible, with every move undone that is not needed."""
        changed = self.lowest_row.copy()
        for move in moves:
            tried = changed[None].copy()
            tried[:, move] = self.row[list(move)]
            tried = self.actions.settle(tried, self.row)
            is_fine = self.actions.possible(self.row, tried)[0] and self._suffices(self.predict(tried))[0]
            changed = tried[0] if is_fine else changed
        self.evaluations += len(moves)
        if self.neighbourhood.to_fifth(changed[None])[0] <= self.limit:
            self.found[tuple(np.flatnonzero(~same(changed, self.row)).tolist())] = changed
        else:
            self.only_implausible = True

    def _holds_found(self, columns: Columns) -> bool:
        return any(set(some) <= set(columns) for some in self.found)


def combined(row: np.ndarray, moves: Moves, sets: Sequence[tuple[Columns, ...]]) -> tuple[np.ndarray, np.ndarray]:
    """Return a person changed by all of some sets of moves [changed, features], and the set of each [changed]."""
    sizes = [prod(len(moves[move]) for move in some) for some in sets]
    changed, start = np.repeat(row[None], sum(sizes), axis=0), 0
    for some, size in zip(sets, sizes, strict=True):
        chosen = np.meshgrid(*(np.arange(len(moves[move])) for move in some), indexing="ij")
        for move, which in zip(some, chosen, strict=True):
            changed[start : start + size, move] = moves[move][which.ravel()]
        start += size
    return changed, np.repeat(np.arange(len(sets)), sizes)


def _sets(moves: Moves, size: int) -> list[tuple[Columns, ...]]:
    """Return all sets of moves that change some number of columns."""
    counts = range(1, size + 1) if any(len(move) > 1 for move in moves) else (size,)
    return [some for count in counts for some in combinations(moves, count) if sum(map(len, some)) == size]


def _union(moves: Iterable[Columns]) -> Columns:
    return tuple(sorted({column for move in moves for column in move}))


def _overlap(one: Columns, other: Columns) -> float:
    return len(set(one) & set(other)) / len(set(one) | set(other))
