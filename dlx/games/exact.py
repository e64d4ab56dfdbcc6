"""Shapley values by enumeration of all coalitions: exact, whatever the model.

Shapley (1953): ``φ_i = Σ over S without i of |S|! (d - |S| - 1)! / d! · (v(S ∪ i) - v(S))``.
"""

from __future__ import annotations

from math import comb

import numpy as np

from dlx.games.coalitions import Game

MOST_PLAYERS = 16


def exact_values(game: Game) -> np.ndarray:
    """Return the Shapley values of every person, float64 [people, players]; 2^players coalitions are evaluated."""
    members = all_coalitions(game.players)
    worth = np.empty((len(game.rows), len(members)))
    worth[:, 1:-1] = game.worth(members[1:-1])
    worth[:, 0], worth[:, -1] = game.references().mean(), game.outputs()
    return shapley_of_table(worth)


def all_coalitions(players: int) -> np.ndarray:
    """Return all coalitions, bool [2^players, players]; player i is in coalition c where bit i of c is set."""
    return (np.arange(2**players)[:, None] >> np.arange(players) & 1).astype(bool)


def shapley_of_table(worth: np.ndarray) -> np.ndarray:
    """Return the Shapley values [games, players] of games that are given whole.

    Parameters
    ----------
    worth : ndarray [games, 2^players]
        What each coalition is worth, in the order of `all_coalitions`.
    """
    players = worth.shape[1].bit_length() - 1
    members = all_coalitions(players)
    size = members.sum(axis=1)
    weight = np.array([1 / (players * comb(players - 1, count)) for count in range(players)])
    values = np.empty((len(worth), players))
    for player in range(players):
        without = np.flatnonzero(~members[:, player])
        values[:, player] = (worth[:, without | 1 << player] - worth[:, without]) @ weight[size[without]]
    return values
