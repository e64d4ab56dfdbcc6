"""Shapley values by enumeration of all coalitions: exact, whatever the model.

Shapley (1953): ``φ_i = Σ over S without i of |S|! (d - |S| - 1)! / d! · (v(S ∪ i) - v(S))``. The values are the mean over
the reference rows of those of the games against one row, in which only columns that differ play.
"""

from __future__ import annotations

from math import comb

import numpy as np

from dlx.kernels.shapley.games import Game
from dlx.model.devices import Array, as_numpy, beside, columns

MOST_PLAYERS = 16  # with which all coalitions are tried unasked


def exact_values(game: Game) -> np.ndarray:
    """Return the Shapley values of every person, float64 [people, players].

    Of every person and reference row, 2^(columns that differ) coalitions are evaluated.
    """
    values = np.zeros(game.rows.shape)
    ends = game.references(), game.outputs()
    for people, references, players in game.groups():
        size = max(1, game.table_cells >> players.shape[1])
        for start in range(0, len(people), size):
            some = slice(start, start + size)
            found = enumerated(game, people[some], references[some], players[some], *ends)
            np.add.at(values, (people[some, None], players[some]), found)
    return values / len(game.background)


def enumerated(
    game: Game,
    people: np.ndarray,
    references: np.ndarray,
    players: np.ndarray,
    nobody: np.ndarray,
    everybody: np.ndarray,
) -> np.ndarray:
    """Return the Shapley values [pairs, some] of pairs' games, by all coalitions of their players.

    Parameters
    ----------
    game : Game
        The games of some people.
    people, references, players : ndarray of int [pairs], [pairs], [pairs, some]
        As `Game.pairs` takes them.
    nobody, everybody : ndarray [references], [people]
        What the reference rows and the people are worth.
    """
    members = all_coalitions(players.shape[1]) if game.net_there is None else game.net_there.all_coalitions(players.shape[1])
    worth = game.pairs_there(people, references, players, members[1:-1])
    first, last = (beside(worth, ends)[:, None] for ends in (nobody[references], everybody[people]))
    return as_numpy(shapley_of_table(columns([first, worth, last])))


def evaluations(game: Game) -> int:
    """Return how many mixed rows `exact_values` evaluates."""
    return int((2 ** game.differing().sum(axis=2, dtype=np.int64) - 2).clip(min=0).sum())


def all_coalitions(players: int) -> np.ndarray:
    """Return all coalitions, bool [2^players, players]; player i is in coalition c where bit i of c is set."""
    return (np.arange(2**players, dtype=np.int32)[:, None] >> np.arange(players, dtype=np.int32) & 1).astype(bool)


def shapley_of_table(worth: Array) -> Array:
    """Return the Shapley values [games, players] of games that are given whole.

    Parameters
    ----------
    worth : ndarray or Tensor [games, 2^players]
        What each coalition is worth, in the order of `all_coalitions`.
    """
    games, players = len(worth), worth.shape[1].bit_length() - 1
    size = np.bitwise_count(np.arange(2**players))
    weight = np.array([0.0, *(1 / (players * comb(players - 1, count)) for count in range(players)), 0.0])
    gained = worth - worth[:, :1]  # a large common part would cost digits
    lost = gained @ beside(worth, weight[size + 1])
    gained *= beside(worth, weight[size] + weight[size + 1])
    with_player = beside(worth, np.empty((games, players)))
    for player in reversed(range(players)):
        half = gained.shape[1] // 2  # the last player that is left is in one half of the coalitions
        without, joined = gained[:, :half], gained[:, half:]
        with_player[:, player] = joined.sum(axis=1)
        gained = without + joined
    return with_player - lost[:, None]
