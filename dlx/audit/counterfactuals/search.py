"""The search for one person's counterfactuals: the smallest sets of columns that suffice, the closest values for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations, product
from math import inf, nan, prod
from typing import Any, NamedTuple

import numpy as np

from dlx.arrays import in_short, same
from dlx.audit.counterfactuals.action_set import ActionSet, Columns, RecourseError
from dlx.audit.counterfactuals.plausibility import Neighbourhood

BEAM = 50  # changed people that are changed further where there are too many combinations to try them all
LEVEL_ROWS = 100_000  # combinations of one number of columns that are all tried
FIRST_LOOK = 8  # of the closest candidates of a set of columns, before more are looked at
PASSES = 3  # over all columns, when the lowest risk is looked for

Moves = Mapping[Columns, np.ndarray]  # columns that change together, and their new values [moves, columns]
Changes = frozenset[int]  # the columns in which somebody differs


class Range(NamedTuple):
    """A range of values, both ends included; an end may be infinite."""

    low: float = -inf
    high: float = inf

    @classmethod
    def of(cls, text: str) -> Range:
        """Return the range that a text names, "100:150", or ":150" and "200:" where an end is open; else a `RecourseError`."""
        low, colon, high = text.partition(":")
        try:
            found = cls(float(low or -inf), float(high or inf))
        except ValueError:
            found = cls(nan)
        if not colon or not found.low <= found.high or found == cls():
            raise RecourseError(
                f"a range is LOW:HIGH, of which one end may be left out, as 100:150, :150 or 200:, got {text!r}"
            )
        return found

    def outside(self, values: np.ndarray) -> np.ndarray:
        """Return how far values lie outside, at most 0 for those within, [values]."""
        return np.maximum(self.low - values, values - self.high)

    def holds(self, values: np.ndarray) -> np.ndarray:
        """Return which values lie within, bool [values]."""
        return self.outside(values) <= 0


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """A person who is like a denied one and is not denied."""

    row: np.ndarray  # [features], coded
    columns: tuple[str, ...]  # what differs
    risk: float  # the model's probability, from a call of predict of its own
    distance: float  # from the denied person; see `ScaledManhattan`

    __repr__ = in_short


@dataclass(frozen=True, eq=False)
class Answer:
    """What was found for one denied person."""

    person: Any  # the name of the row
    row: np.ndarray  # [features], coded
    risk: float
    counterfactuals: tuple[Counterfactual, ...]  # the easiest first, then the most different
    lowest_risk: float  # that was seen
    lowest_row: np.ndarray  # [features], the person who has it
    columns_that_may_change: int  # and have another value to go to
    exhausted_columns: int  # up to how many columns all combinations of the grid were tried
    only_implausible: bool  # whether changes were found that suffice, but all of them make a person unlike real ones
    evaluations: int  # predictions

    __repr__ = in_short


@dataclass(eq=False)
class Search:
    """The search for one person's counterfactuals, and what it has seen so far."""

    row: np.ndarray  # [features], the person, coded
    predict: Callable[[np.ndarray], np.ndarray]  # coded rows to risks [rows]
    enough: float  # the risk below which a change suffices
    actions: ActionSet  # what may change
    neighbourhood: Neighbourhood  # the real people
    limit: float  # how far the fifth nearest real person may be
    lowest_row: np.ndarray  # [features], of the lowest risk that was seen; the person at first
    lowest_risk: float
    found: dict[Changes, np.ndarray] = field(default_factory=dict)  # the closest person for each set that suffices
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
            ways.append(Counterfactual(changed, tuple(names[i] for i in self._changes(changed)), alone, distance))
        is_implausible, movable = self.only_implausible and not ways, sum(map(len, moves))
        seen = (self.lowest_risk, self.lowest_row, movable, self.exhausted, is_implausible, self.evaluations)
        return Answer(person, self.row, risk, tuple(ways), *seen)

    def smallest_sets(self, moves: Moves, wanted: int, most_columns: int) -> None:
        """Find the sets of columns that suffice, in order of size, until enough are found.

        A set that holds a sufficient one is not tried, and larger sets than asked for only where nothing was found.
        """
        beam: list[tuple[Changes, np.ndarray]] = []
        for size in range(1, 1 + sum(map(len, moves))):
            if len(self.found) >= wanted or (self.found and size > most_columns):
                break
            is_exhaustive, sets = self.exhausted == size - 1, {}
            if is_exhaustive:
                several = chain.from_iterable(combinations(moves, count) for count in range(1, size + 1))
                sets = {frozenset(chain(*some)): some for some in several if sum(map(len, some)) == size}
                sets = {columns: some for columns, some in sets.items() if not self._holds_found(columns)}
                if self.found and not sets:
                    break
            if is_exhaustive and sum(prod(len(moves[move]) for move in some) for some in sets.values()) <= LEVEL_ROWS:
                tried = {columns: _moved(self.row, {move: moves[move] for move in some}) for columns, some in sets.items()}
                self.exhausted = size
            elif not (tried := self._extended(beam, moves)):
                break
            changed, which, risks = self._evaluate(list(tried.values()))
            enough, names = np.flatnonzero(risks < self.enough), list(tried)
            closest = enough[self._closest(changed[enough], which[enough])]
            self.only_implausible |= len(enough) > 0 and not len(closest)
            self.found |= {names[which[i]]: changed[i] for i in closest}
            beam = [(names[which[i]], changed[i]) for i in np.argsort(risks, kind="stable")[:BEAM]] or beam

    def lowest(self) -> None:
        """Find the lowest risk within reach, each move in turn over all values; undo what is not needed if it suffices."""
        moves = self.actions.moves(self.row, all_observed=True)
        undone = {move: self.row[None, list(move)] for move in moves}
        for _ in range(PASSES):
            before = self.lowest_risk
            for move, values in moves.items():
                self._evaluate([_moved(self.lowest_row, {move: np.vstack([values, undone[move]])})])
            if self.lowest_risk == before:
                break
        if self.lowest_risk >= self.enough:
            return
        changed = self.lowest_row
        for move, own in undone.items():
            tried = self.actions.settle(_moved(changed, {move: own}), self.row)
            if self.actions.possible(self.row, tried)[0] and self.predict(tried)[0] < self.enough:
                changed = tried[0]
        self.evaluations += len(moves)
        if self.neighbourhood.to_fifth(changed[None])[0] <= self.limit:
            self.found[frozenset(self._changes(changed))] = changed
        else:
            self.only_implausible = True

    def diverse(self, wanted: int) -> list[Changes]:
        """Return some of the sets that suffice: the fewest columns and the closest first, then those that share least."""
        left = sorted(self.found, key=lambda columns: (len(columns), self._distance(self.found[columns][None])[0]))
        chosen = left[:1]
        while len(chosen) < min(wanted, len(left)):
            rest = [columns for columns in left if columns not in chosen]
            shared = [max(len(columns & other) / len(columns | other) for other in chosen) for columns in rest]
            chosen.append(rest[int(np.argmin(shared))])
        return chosen

    def nearest(self, columns: Changes) -> np.ndarray:
        """Return who was found for a set [features], each number as near to the person's as real people's values allow."""
        changed = self.found[columns]
        for column, values in self.actions.options(self.row, all_observed=True).items():
            if column in columns and not self.actions.schema.features[column].is_categorical:
                nearer = values[np.abs(values - self.row[column]) < np.abs(changed[column] - self.row[column])]
                tried, which, risks = self._evaluate([_moved(changed, {(column,): nearer[:, None]})])
                tried, which = tried[risks < self.enough], which[risks < self.enough]
                for i in self._closest(tried, which):
                    changed = tried[i]
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

    def _distance(self, rows: np.ndarray) -> np.ndarray:
        return self.neighbourhood.distance.between(self.row, rows)

    def _changes(self, changed: np.ndarray) -> list[int]:
        return np.flatnonzero(~same(changed, self.row)).tolist()

    def _closest(self, changed: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Return, for each set of columns, the position of the closest changed person who has real people near.

        Looking for these costs far more than the distance: the closest are looked at first, and more only where they fail.
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

    def _extended(self, beam: Iterable[tuple[Changes, np.ndarray]], moves: Moves) -> dict[Changes, np.ndarray]:
        """Return the changed people of the beam with one more move made in every way, by the set of columns."""
        rows: dict[Changes, list[np.ndarray]] = {}
        for (columns, row), (move, values) in product(beam, moves.items()):
            if columns.isdisjoint(move) and not self._holds_found(columns.union(move)):
                rows.setdefault(columns.union(move), []).append(_moved(row, {move: values}))
        return {columns: np.concatenate(parts) for columns, parts in rows.items()}

    def _holds_found(self, columns: Changes) -> bool:
        return any(some <= columns for some in self.found)


def _moved(row: np.ndarray, moves: Moves) -> np.ndarray:
    """Return a person [features] changed by all of some moves, in all combinations of their values [changed, features]."""
    rows = row[None]
    for move, values in moves.items():
        count, rows = len(rows), np.repeat(rows, len(values), axis=0)
        rows[:, move] = np.tile(values, (count, 1))
    return rows
