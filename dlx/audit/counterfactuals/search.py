"""The search for one person's counterfactuals: the smallest sets of columns that suffice, the closest values for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import combinations, product
from math import prod
from typing import Any

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


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """A person who is like a denied one and is not denied."""

    row: np.ndarray  # [features], coded
    columns: tuple[str, ...]  # what differs
    risk: float  # the model's probability, from a call of predict of its own
    distance: float  # from the denied person; see `RowDistance`


@dataclass(frozen=True, eq=False)
class Answer:
    """What was found for one denied person."""

    person: Any  # the name of the row
    row: np.ndarray  # [features], coded
    risk: float
    counterfactuals: tuple[Counterfactual, ...]  # the easiest first, then the most different
    lowest_risk: float  # that was seen
    lowest_row: np.ndarray  # [features], the person who has it
    movable: int  # columns that may change and have another value to go to
    exhausted: int  # up to how many columns all combinations of the grid were tried
    only_implausible: bool  # whether changes were found that suffice, but all of them make a person unlike real ones
    evaluations: int  # predictions


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

    def answer(self, person: Any, wanted: int, most_columns: int) -> Answer:
        """Return what there is for the person, each counterfactual with what predict says of it alone."""
        moves, risk, names, ways = self.actions.moves(self.row), self.lowest_risk, self.actions.schema.names, []
        self.smallest_sets(moves, wanted, most_columns)
        if not self.found:
            self.lowest()
        for changed in map(self.nearest, self.diverse(wanted)):
            alone, distance = float(self.predict(changed[None])[0]), float(self._distance(changed[None])[0])
            assert alone <= self.goal, "a counterfactual is down to the goal by more than rounding"
            differ = np.flatnonzero(~same(changed, self.row))
            ways.append(Counterfactual(changed, tuple(names[i] for i in differ), alone, distance))
        is_implausible, movable = self.only_implausible and not ways, sum(map(len, moves))
        seen = (self.lowest_risk, self.lowest_row, movable, self.exhausted, is_implausible, self.evaluations)
        return Answer(person, self.row, risk, tuple(ways), *seen)

    def smallest_sets(self, moves: Moves, wanted: int, most_columns: int) -> None:
        """Find the sets of columns that suffice, in order of size; a set that holds a sufficient one is not tried.

        The search stops at the size at which enough were found. Larger sets than asked for are tried only where nothing was
        found.
        """
        beam: list[Candidate] = []
        for size in range(1, 1 + sum(map(len, moves))):
            if len(self.found) >= wanted or (self.found and size > most_columns):
                break
            is_exhaustive, sets = self.exhausted == size - 1, []
            if is_exhaustive:
                several = (some for count in range(1, size + 1) for some in combinations(moves, count))
                sets = [some for some in several if sum(map(len, some)) == size and not self._holds_found(_union(some))]
                if self.found and not sets:
                    break
            if is_exhaustive and sum(prod(len(moves[move]) for move in some) for some in sets) <= LEVEL_ROWS:
                tried, self.exhausted = {_union(some): _combined(self.row, moves, some) for some in sets}, size
            elif not (tried := self._extended(beam, moves)):
                break
            changed, which, risks = self._evaluate(list(tried.values()))
            enough, names = np.flatnonzero(self._suffices(risks)), list(tried)
            closest = enough[self._closest(changed[enough], which[enough])]
            self.only_implausible |= len(enough) > 0 and not len(closest)
            self.found |= {names[which[i]]: changed[i] for i in closest}
            beam = [(names[which[i]], changed[i]) for i in np.argsort(risks, kind="stable")[:BEAM]] or beam

    def lowest(self) -> None:
        """Find the lowest risk within reach: from the best combination, each move in turn over all values of real people.

        If it suffices, the person who has it is found, unless implausible, with every move undone that is not needed.
        """
        moves = self.actions.moves(self.row, all_observed=True)
        undone = {move: self.row[None, list(move)] for move in moves}
        for _ in range(PASSES):
            before = self.lowest_risk
            for move, values in moves.items():
                self._evaluate([_moved(self.lowest_row[None], move, np.vstack([values, undone[move]]))])
            if self.lowest_risk == before:
                break
        if not self._suffices(self.lowest_risk):
            return
        changed = self.lowest_row
        for move, own in undone.items():
            tried = self.actions.settle(_moved(changed[None], move, own), self.row)
            if self.actions.possible(self.row, tried)[0] and self._suffices(self.predict(tried)[0]):
                changed = tried[0]
        self.evaluations += len(moves)
        if self.neighbourhood.to_fifth(changed[None])[0] <= self.limit:
            self.found[tuple(np.flatnonzero(~same(changed, self.row)).tolist())] = changed
        else:
            self.only_implausible = True

    def diverse(self, wanted: int) -> list[Columns]:
        """Return some of the sets that suffice: the fewest columns and the closest first, then those that share least."""
        distance = {columns: self._distance(row[None])[0] for columns, row in self.found.items()}
        left = sorted(self.found, key=lambda columns: (len(columns), distance[columns]))
        chosen: list[Columns] = left[:1]

        def shared(columns: Columns) -> float:
            own = set(columns)
            return max(len(own & set(other)) / len(own | set(other)) for other in chosen)

        while len(chosen) < min(wanted, len(left)):
            chosen.append(min((columns for columns in left if columns not in chosen), key=shared))
        return chosen

    def nearest(self, columns: Columns) -> np.ndarray:
        """Return who was found for a set [features], each number as near to the person's as real people's values allow."""
        changed = self.found[columns]
        for column, values in self.actions.options(self.row, all_observed=True).items():
            if column in columns and not self.actions.schema.features[column].is_categorical:
                nearer = values[np.abs(values - self.row[column]) < np.abs(changed[column] - self.row[column])]
                tried, which, risks = self._evaluate([_moved(changed[None], (column,), nearer[:, None])])
                enough = self._suffices(risks)
                for i in self._closest(tried[enough], which[enough]):
                    changed = tried[enough][i]
        return changed

    def _evaluate(self, parts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the changed people of some parts who are possible, the part of each, and their risks; the lowest is noted."""
        changed = self.actions.settle(np.concatenate([np.empty((0, len(self.row))), *parts]), self.row)
        possible = self.actions.possible(self.row, changed)
        changed, which = changed[possible], np.repeat(np.arange(len(parts)), list(map(len, parts)))[possible]
        risks = self.predict(changed) if len(changed) else np.empty(0)
        self.evaluations += len(changed)
        if len(risks) and risks.min() < self.lowest_risk:
            self.lowest_row, self.lowest_risk = changed[risks.argmin()], float(risks.min())
        return changed, which, risks

    def _suffices(self, risks: np.ndarray | float) -> np.ndarray:
        """Return which risks are down to the goal, beyond rounding."""
        return np.asarray(risks < self.goal - SAFETY * self.goal * (1 - self.goal))

    def _distance(self, rows: np.ndarray) -> np.ndarray:
        return self.neighbourhood.distance.between(self.row, rows)

    def _closest(self, changed: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Return, for each set of columns, the position of the closest changed person who has real people near.

        Looking for real people costs far more than the distance, so that the closest are looked at first, and more only
        where they fail.
        """
        order = np.lexsort((self._distance(changed), which))
        rank = np.arange(len(order)) - np.searchsorted(which[order], which[order])
        chosen: list[int] = []
        first, count = 0, FIRST_LOOK
        while len(some := order[(rank >= first) & (rank < first + count) & ~np.isin(which[order], which[chosen])]):
            near = some[self.neighbourhood.to_fifth(changed[some]) <= self.limit]
            chosen += near[np.unique(which[near], return_index=True)[1]].tolist()
            first, count = first + count, 8 * count
        return np.array(chosen, dtype=int)

    def _extended(self, beam: Sequence[Candidate], moves: Moves) -> dict[Columns, np.ndarray]:
        """Return the changed people of the beam with one more move made in every way, by the set of columns."""
        rows: dict[Columns, list[np.ndarray]] = {}
        for (columns, row), (move, values) in product(beam, moves.items()):
            some = _union((columns, move))
            if not set(move) & set(columns) and not self._holds_found(some):
                rows.setdefault(some, []).append(_moved(row[None], move, values))
        return {columns: np.concatenate(parts) for columns, parts in rows.items()}

    def _holds_found(self, columns: Columns) -> bool:
        return any(set(some) <= set(columns) for some in self.found)


def _moved(rows: np.ndarray, move: Columns, values: np.ndarray) -> np.ndarray:
    """Return each of some rows [rows, features] with each of the values [values, columns] of a move, one after the other."""
    changed = np.repeat(rows, len(values), axis=0)
    changed[:, move] = np.tile(values, (len(rows), 1))
    return changed


def _combined(row: np.ndarray, moves: Moves, some: tuple[Columns, ...]) -> np.ndarray:
    """Return a person changed by some moves in all combinations [changed, features]."""
    return reduce(lambda rows, move: _moved(rows, move, moves[move]), some, row[None])


def _union(moves: Iterable[Columns]) -> Columns:
    return tuple(sorted({column for move in moves for column in move}))
