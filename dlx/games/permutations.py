"""Shapley values by random orders of the columns, with standard errors.

Castro, Gómez and Tejada (2009) sample orders in which players join; Mitchell et al. (2022), "Sampling Permutations for
Shapley Value Estimation", section 4, pair each order with its reverse. Here every reference row has orders of its own, so
that the mean over the references averages the noise of the orders too. Each order accounts for the whole output: the
values add up exactly, however few orders there are.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dlx.games.coalitions import Game


class Sampled(NamedTuple):
    """Estimates and how sure they are.

    Parameters
    ----------
    values, standard_errors : ndarray [people, players]
        The mean over rounds, and its standard error.
    evaluations : int
        Mixed rows that were evaluated.
    """

    values: np.ndarray
    standard_errors: np.ndarray
    evaluations: int


def sampled_values(game: Game, *, rounds: int, seed: int) -> Sampled:
    """Return estimated Shapley values of every person; all see the same orders.

    Parameters
    ----------
    game : Game
        The games of some people.
    rounds : int
        Orders, each with its reverse, that every reference row is given; at least 2.
    seed : int
        Seed of the orders.
    """
    rng = np.random.default_rng(seed)
    ends = game.references(), game.outputs()
    total, squares = np.zeros(game.rows.shape), np.zeros(game.rows.shape)
    for done in range(rounds):
        orders = rng.permuted(np.tile(np.arange(game.players), (len(game.background), 1)), axis=1)
        found = (_gains(game, orders, *ends) + _gains(game, orders[:, ::-1], *ends)) / 2
        step = found - total / max(done, 1)
        total += found
        squares += step * (found - total / (done + 1))  # Welford (1962): differences of large squares lose digits
    variance = squares / (rounds - 1) / rounds
    evaluations = 2 * rounds * game.rows.shape[0] * len(game.background) * (game.players - 1)
    return Sampled(total / rounds, np.sqrt(variance), evaluations)


def _gains(game: Game, orders: np.ndarray, references: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Return what each player adds when joining in order, averaged over the references, [people, players].

    Parameters
    ----------
    game : Game
        The games of some people.
    orders : ndarray of int [references, players]
        Who joins first, second, ...
    references, outputs : ndarray [references], [people]
        What nobody and what everybody is worth.
    """
    place = np.argsort(orders, axis=1)
    joined = place[:, None] < np.arange(1, game.players)[:, None]  # [references, players - 1, players]
    worth = np.empty((len(game.rows), len(orders), game.players + 1))
    worth[:, :, 0], worth[:, :, -1] = references, outputs[:, None]
    worth[:, :, 1:-1] = game.worth_by_reference(joined)
    gains = np.diff(worth, axis=2)
    return np.take_along_axis(gains, np.broadcast_to(place, gains.shape), axis=2).mean(axis=1)
