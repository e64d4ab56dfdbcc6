"""The Gaussian prior of games: large main effects, and interactions that are the smaller the higher their order.

With signs s in {-1, +1}^d (absent, present), half the difference between a coalition and its complement is the odd part of
a game, ``g(s) = (v(s) - v(-s)) / 2 = Σ over odd T of c_T Π_{i in T} s_i``, and the Shapley values are
``φ_i = 2 Σ_{T with i} c_T / |T|``: the even interactions need not be known. A prior c_T ~ N(0, σ_k² / C(d, k)), with k = |T|,
is a Gaussian process over coalitions. Its covariances are sums of Krawtchouk polynomials: of the number of players in which
two coalitions differ for g, and of the number of absent others for φ_i and g.

The variances of interactions are those of trained and random nets, as shares of the main effects. Of main effects almost
nothing is believed, so that a game without interactions is found without error.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from math import comb

import numpy as np

VARIANCES = {1: 1e4, 3: 5e-3, 5: 4e-4, 7: 4e-5}  # by order
SOCIAL = 5e-3  # of the third order, by players who interact with all others
REST = 1e-6  # of all higher orders together, as noise


def covariance_of_games(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the prior covariance of a game's odd part g at some coalitions and at others, [some, others], without the rest.

    Parameters
    ----------
    some, others : ndarray of bool [some, players], [others, players]
        Who is present.
    """
    players = some.shape[1]
    same = np.where(some, 1.0, -1.0) @ np.where(others, 1.0, -1.0).T
    apart = _by_distance(players)[np.rint((players - same) / 2).astype(np.intp)]
    return apart + _social_unit(players) * _social(some) @ _social(others).T


def covariance_of_values(members: np.ndarray) -> np.ndarray:
    """Return the prior covariance of the Shapley values with g at coalitions, [players, coalitions]."""
    absent = (~members).sum(axis=1)[:, None] - ~members
    apart = np.where(members, 1.0, -1.0) * _by_absent(members.shape[1])[absent]
    return (apart + _social_unit(members.shape[1]) * _social(members) @ _social_values(members.shape[1])).T


def variance_of_value(players: int) -> float:
    """Return the prior variance of a Shapley value."""
    apart = sum(
        (2 / order) ** 2 * VARIANCES[order] / comb(players, order) * comb(players - 1, order - 1) for order in _orders(players)
    )
    return apart + _social_unit(players) * float(np.square(_social_values(players)[0]).sum())


def _social(members: np.ndarray) -> np.ndarray:
    """Return what a player's sociability adds to g of coalitions: its sign times all products of two others' signs."""
    signs = np.where(members, 1.0, -1.0)
    others = signs.sum(axis=1, keepdims=True) - signs
    return signs * (np.square(others) - (signs.shape[1] - 1)) / 2


def _social_values(players: int) -> np.ndarray:
    """Return what each player's sociability adds to the Shapley value of each player, [players, players]."""
    both, own = players - 2, comb(players - 1, 2)
    return 2 / 3 * (np.full((players, players), float(both)) + (own - both) * np.eye(players))


def _social_unit(players: int) -> float:
    return SOCIAL / (3 * comb(players, 3)) if players >= 3 else 0.0


def _orders(players: int) -> list[int]:
    return [order for order in VARIANCES if order <= players]


@cache
def _by_distance(players: int) -> np.ndarray:
    return by_distance(players, VARIANCES)


@cache
def _by_absent(players: int) -> np.ndarray:
    terms = [
        2
        / order
        * VARIANCES[order]
        * np.array([krawtchouk(order - 1, x, players - 1) / comb(players, order) for x in range(players)])
        for order in _orders(players)
    ]
    return np.sum(terms, axis=0)


def by_distance(players: int, variances: Mapping[int, float]) -> np.ndarray:
    """Return the covariance of two values of a game by the number of players in which they differ, [players + 1].

    Parameters
    ----------
    players : int
        Of the game.
    variances : mapping of int to float
        Of each order of interaction that is believed in.
    """
    terms = [
        variance * np.array([krawtchouk(order, x, players) / comb(players, order) for x in range(players + 1)])
        for order, variance in variances.items()
        if order <= players
    ]
    return np.sum(terms, axis=0)


def krawtchouk(order: int, x: int, players: int) -> int:
    """Return the sum over all T of an order of the products of signs, where x of the players are -1."""
    return sum((-1) ** i * comb(x, i) * comb(players - x, order - i) for i in range(order + 1))
