"""Interactions estimated from some coalitions: posterior mean and variance, from the even part of a game (see `prior`).

With signs s in {-1, +1}^d, half the sum of a coalition and its complement is the even part of a game,
``g(s) = (v(s) + v(-s)) / 2 = Σ over even T of c_T Π_{i in T} s_i``, and half the Shapley interaction indices are
``Φ_ij = 2 Σ_{T with i, j} c_T / (|T| - 1)``: the odd part need not be known. The prior is that of `prior` for even
orders. What everybody and nobody are worth is known, and g less theirs needs no prior for order 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from math import comb

import numpy as np

from dlx.kernels.shapley.designs import SANDWICH
from dlx.kernels.shapley.prior import REST, by_distance, krawtchouk

VARIANCES = {2: 1e3, 4: 2e-2, 6: 2e-3}  # by order; of pairs almost nothing is believed


@dataclass(frozen=True, eq=False)
class InteractionPosterior:
    """The matrix that turns what coalitions are worth into estimates of interactions, and of each player's sum of them.

    Parameters
    ----------
    matrix : ndarray [pairs of players + players, coalitions]
        Posterior mean from g of the coalitions less g of everybody; pairs in the order of `np.triu_indices`.
    precision : ndarray [coalitions, coalitions]
        Inverse covariance of these.
    variance : ndarray [pairs of players + players]
        Posterior variance, in units of the prior.
    """

    matrix: np.ndarray
    precision: np.ndarray
    variance: np.ndarray

    def values(self, even: np.ndarray) -> np.ndarray:
        """Return interactions and their sums, [games, pairs + players], from g less that of everybody [games, coalitions]."""
        return even @ self.matrix.T

    def variances(self, even: np.ndarray) -> np.ndarray:
        """Return the variance of their errors, [games, pairs + players], as `Design.variances` does."""
        precision = np.diag(self.precision)
        missed = np.square(even @ self.precision / precision)
        unit = (missed * precision).mean(axis=1, keepdims=True)
        return unit * self.variance + SANDWICH * (missed @ np.square(self.matrix).T)


@lru_cache(maxsize=4)  # a large one has 50 MB
def posterior_of(members: bytes, players: int) -> InteractionPosterior:
    """Return what the coalitions [coalitions, players] of a design, as bytes, say of the even part."""
    known = np.frombuffer(members, dtype=bool).reshape(-1, players)
    everybody = np.ones((1, players), dtype=bool)
    with_everybody = _covariance(known, everybody)
    covariance = _covariance(known, known) - with_everybody - with_everybody.T + _covariance(everybody, everybody)
    covariance[np.diag_indices_from(covariance)] += REST
    precision = np.linalg.inv(covariance)
    with_values = _covariance_of_values(known) - _covariance_of_values(everybody)
    matrix = with_values @ precision
    left = _variances(players) - (matrix * with_values).sum(axis=1)
    return InteractionPosterior(matrix, precision, np.maximum(0.0, left))


def _covariance(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the covariance of g of coalitions and of others, [some, others]."""
    players = some.shape[1]
    same = np.where(some, 1.0, -1.0) @ np.where(others, 1.0, -1.0).T
    return _by_distance(players)[np.rint((players - same) / 2).astype(np.intp)]


def _covariance_of_values(members: np.ndarray) -> np.ndarray:
    """Return the covariance of interactions and their sums with g of coalitions, [pairs + players, coalitions]."""
    players = members.shape[1]
    first, second = np.triu_indices(players, 1)
    signs = np.where(members, 1.0, -1.0)
    absent = (~members).sum(axis=1)[:, None] - ~members[:, first] - ~members[:, second]
    pairs = (signs[:, first] * signs[:, second] * _by_absent(players)[absent]).T
    sums = np.zeros((players, len(members)))
    np.add.at(sums, first, pairs)
    np.add.at(sums, second, pairs)
    return np.concatenate([pairs, sums])


def _variances(players: int) -> np.ndarray:
    """Return the variance of interactions and of their sums, [pairs + players]."""
    shares = {order: VARIANCES[order] / comb(players, order) for order in _orders(players)}
    pair = sum((2 / (order - 1)) ** 2 * share * comb(players - 2, order - 2) for order, share in shares.items())
    total = sum(4 * share * comb(players - 1, order - 1) for order, share in shares.items())
    return np.repeat([pair, total], [comb(players, 2), players])


def _orders(players: int) -> list[int]:
    return [order for order in VARIANCES if order <= players]


@cache
def _by_distance(players: int) -> np.ndarray:
    return by_distance(players, VARIANCES)


@cache
def _by_absent(players: int) -> np.ndarray:
    terms = [
        2
        / (order - 1)
        * VARIANCES[order]
        * np.array([krawtchouk(order - 2, x, players - 2) / comb(players, order) for x in range(players - 1)])
        for order in _orders(players)
    ]
    return np.sum(terms, axis=0)
