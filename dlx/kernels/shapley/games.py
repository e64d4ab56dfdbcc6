"""What a coalition of columns is worth: the model's mean output when only these columns are the person's.

``v(S) = mean over reference rows b of f(x_S, b_rest)``, the interventional game of Lundberg and Lee (2017) and of
Janzing, Minorics and Blöbaum (2020). A player is an original column: a one-hot group comes and goes as one.

The game is a mean of games, one a reference row. In each of these, a column in which the person and the reference are
alike adds nothing to anybody: it is no player there, which halves the coalitions of that game.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np

from dlx.kernels.shapley.splitting import SplitNet, split
from dlx.kernels.trees import MixedTrees, coalition_worth, mixed_trees
from dlx.model import LinearModel, Model, Scale, Transformed, TreeModel, check_scale, rescaled
from dlx.model.devices import Array, as_numpy, beside, is_accelerator, numbers_at_once
from dlx.threads import in_chunks
from dlx.trees import Trees

BLOCK_BYTES = 32 * 2**20  # of mixed rows that are held at a time
TABLE_CELLS = 2**20  # coalitions' worths that are held at a time
CELL_NUMBERS = 8  # that a worth takes on an accelerator, in float64 and several times
PLAYERS_AT_ONCE = 32  # of a pattern: with the number of a row, they fit 64 bits
CHUNK_ROWS = 8_192  # evaluations of a split net that a thread is given at a time


@dataclass(frozen=True, eq=False)
class MixedSums:
    """A linear model's outputs of mixed rows, none of which is made: what each column of either row adds."""

    intercept: float
    people: np.ndarray  # [people, players]
    references: np.ndarray  # [references, players]

    def outputs(self, people: np.ndarray, references: np.ndarray, players: np.ndarray, members: np.ndarray) -> np.ndarray:
        """Return the outputs of pairs' mixtures, [pairs, coalitions]; parameters as of `Game.pairs`."""
        more = np.take_along_axis(self.people[people] - self.references[references], players, axis=1)
        return self.intercept + self.references[references].sum(axis=1)[:, None] + more @ members.T.astype(np.float64)


@dataclass(frozen=True, eq=False)
class Game:
    """The games of some people: one game a person, all with the same players and references.

    Parameters
    ----------
    model : Model
        Anything that predicts.
    rows : ndarray [people, players]
        Coded.
    background : ndarray [references, players]
        Coded; the values that absent players take.
    scale : {"logit", "probability", "value"}
        Unit of what coalitions are worth.
    """

    model: Model
    rows: np.ndarray
    background: np.ndarray
    scale: Scale

    @cached_property
    def on_columns(self) -> tuple[Trees, list[np.ndarray]]:
        """Trees that ask the players themselves, and the people and the references as these read them."""
        assert isinstance(self.model, TreeModel)
        return self.model.on_columns(self.rows, self.background)

    @property
    def players(self) -> int:
        """Number of columns."""
        return self.rows.shape[1]

    def outputs(self) -> np.ndarray:
        """Return what everybody together is worth, [people]."""
        return self.model.predict(self.rows, self.scale)

    def references(self) -> np.ndarray:
        """Return the model's output of each reference row, [references]; their mean is what nobody is worth."""
        return self.model.predict(self.background, self.scale)

    def groups(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield pairs with equally many players: people, references and players, as `pairs` takes them.

        Who plays is in the order of the columns. A pair that is alike in all columns has no game, and is left out.
        """
        differing = self.differing()
        counts = differing.sum(axis=2)
        for count in np.unique(counts[counts > 0]):
            people, references = np.nonzero(counts == count)
            yield people, references, np.nonzero(differing[people, references])[1].reshape(-1, count)

    def differing(self) -> np.ndarray:
        """Return in which columns each person and each reference differ, bool [people, references, players]."""
        theirs, ours = self.rows[:, None], self.background[None]
        return ~((theirs == ours) | (np.isnan(theirs) & np.isnan(ours)))

    def worth(self, members: np.ndarray) -> tuple[np.ndarray, int]:
        """Return what coalitions are worth, [people, coalitions], and of how many rows the model was asked.

        Parameters
        ----------
        members : ndarray of bool [coalitions, players]
            Who is in each coalition.
        """
        if isinstance(self.model, TreeModel) and self.scale == self.model.scales[0]:
            trees, (people, references) = self.on_columns
            found = coalition_worth(trees, people, references, members)
            if found is not None:
                return found, 0
        of_person = self._by_rows if self.net is None and self.sums is None else self._by_pairs
        worth, asked = zip(*(of_person(person, members) for person in range(len(self.rows))), strict=True)
        return np.array(worth), sum(asked)

    def _by_pairs(self, person: int, members: np.ndarray) -> tuple[np.ndarray, int]:
        references = np.arange(len(self.background))
        players = np.tile(np.arange(self.players), (len(references), 1))
        worth = self.pairs(np.full(len(references), person), references, players, members)
        return worth.mean(axis=0), worth.size

    def _by_rows(self, person: int, members: np.ndarray) -> tuple[np.ndarray, int]:
        """Return what coalitions are worth to a person, and the rows that were asked: those that mix to the same, once."""
        worth, asked = np.zeros(len(members)), 0
        differing, size = self.differing()[person], max(1, BLOCK_BYTES // (8 * members.size))
        for start in range(0, len(self.background), size):
            ours = self.background[start : start + size]
            given = members & differing[start : start + size, None]  # [references, coalitions, players]
            first, which = _distinct(given, np.unique(ours, axis=0, return_inverse=True)[1].ravel())
            mixed = np.where(given.reshape(-1, self.players)[first], self.rows[person], ours[first // len(members)])
            predicted = self.model.predict(mixed, self.scale, checked=True)
            worth, asked = worth + predicted[which].reshape(given.shape[:2]).sum(axis=0), asked + len(mixed)
        return worth / len(self.background), asked

    def pairs(self, people: np.ndarray, references: np.ndarray, players: np.ndarray, members: np.ndarray) -> np.ndarray:
        """Return what coalitions are worth to people against one reference row each, [pairs, coalitions].

        Parameters
        ----------
        people, references : ndarray of int [pairs]
            Positions of each pair's person and reference.
        players : ndarray of int [pairs, some]
            Who plays; everybody else keeps the reference's value.
        members : ndarray of bool [coalitions, some]
            Which of the pair's players are in each coalition.
        """
        if not len(people) or not len(members):
            return np.empty((len(people), len(members)))
        if isinstance(self.model, Transformed):
            return self.model.change(self.within.pairs(people, references, players, members))
        if self.net_there is not None:
            return as_numpy(self.pairs_there(people, references, players, members))
        fast = self.net or self.trees or self.sums
        if fast is None:
            return self._mixed(people, references, players, members)

        def found(some: np.ndarray) -> np.ndarray:
            return fast.outputs(people[some], references[some], players[some], members)

        outputs = in_chunks(found, np.arange(len(people)), max(1, CHUNK_ROWS // len(members)))
        return rescaled(outputs, self.model.scales[0], self.scale, self.model.name)

    def pairs_there(self, people: np.ndarray, references: np.ndarray, players: np.ndarray, members: Array) -> Array:
        """Return the same as `pairs`: a Tensor where a split net is on an accelerator, which members may lie on, too."""
        if self.net_there is None:
            return self.pairs(people, references, players, members)
        outputs = self.net_there.worth(people, references, players, members)
        own = self.model.scales[0]
        if (own, self.scale) == ("logit", "probability"):
            return outputs.sigmoid()
        return outputs if own == self.scale else beside(outputs, rescaled(as_numpy(outputs), own, self.scale, self.model.name))

    @cached_property
    def net_there(self) -> SplitNet | None:
        """The net with its first layer split, where it is on an accelerator."""
        return self.net if self.net is not None and is_accelerator(self.net.model.device) else None

    @property
    def table_cells(self) -> int:
        """How many coalitions' worths are held at a time."""
        return TABLE_CELLS if self.net_there is None else max(1, numbers_at_once(self.net_there.model.device) // CELL_NUMBERS)

    @cached_property
    def net(self) -> SplitNet | None:
        """The model's fast path: the net with its first layer split, where it has such a layer."""
        check_scale(self.model, self.scale)
        return split(self.model, self.rows, self.background)

    @cached_property
    def trees(self) -> MixedTrees | None:
        """The model's fast path: trees that read no mixed row, where it has any."""
        if not isinstance(self.model, TreeModel):
            return None
        trees, (people, references) = self.on_columns
        return mixed_trees(trees, people, references)

    @cached_property
    def sums(self) -> MixedSums | None:
        """The model's fast path: what its columns add, where it is linear."""
        if not isinstance(self.model, LinearModel):
            return None
        return MixedSums(self.model.intercept, *map(self.model.parts, (self.rows, self.background)))

    @cached_property
    def within(self) -> Game:
        """The game of the model whose output this one's is made of."""
        assert isinstance(self.model, Transformed)
        return replace(self, model=self.model.model, scale=self.model.own)

    def _mixed(self, people: np.ndarray, references: np.ndarray, players: np.ndarray, members: np.ndarray) -> np.ndarray:
        """Return what pairs' coalitions are worth, [pairs, coalitions], by mixing rows: the path for every model."""
        worth = np.empty((len(people), len(members)))
        size = max(1, BLOCK_BYTES // (8 * self.players))
        pairs = max(1, size // len(members))
        for start, first in product(range(0, len(people), pairs), range(0, len(members), size)):
            some, joined = slice(start, start + pairs), members[first : first + size]
            given = np.zeros((len(people[some]), len(joined), self.players), dtype=bool)
            np.put_along_axis(given, players[some, None], joined[None], axis=2)
            mixed = np.where(given, self.rows[people[some], None], self.background[references[some], None])
            predicted = self.model.predict(mixed.reshape(-1, self.players), self.scale, checked=True)
            worth[some, first : first + size] = predicted.reshape(mixed.shape[:2])
        return worth


def _distinct(given: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where each different row stands first, and which of them each row is.

    Parameters
    ----------
    given : ndarray of bool [references, coalitions, players]
        Which values each row has from the person.
    kinds : ndarray of int [references]
        The same for references that are alike.
    """
    patterns, known = given.reshape(-1, given.shape[2]).astype(np.float64), np.repeat(kinds, given.shape[1])
    for start in range(0, patterns.shape[1], PLAYERS_AT_ONCE):
        some = patterns[:, start : start + PLAYERS_AT_ONCE]
        number = (some @ 2.0 ** np.arange(some.shape[1])).astype(np.int64)
        _, first, known = np.unique(known * 2**PLAYERS_AT_ONCE + number, return_index=True, return_inverse=True)
    return first, known
