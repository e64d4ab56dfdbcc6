"""Designs: which coalitions to evaluate, and the regression from their worths to Shapley values; one for all games of a size.

Coalitions are candidates by the size weights of Kernel SHAP (Lundberg and Lee 2017), each paired with its complement
(Covert and Lee 2021). Of these, those are chosen, one after the other, that leave the least variance of the values under
the prior (see `prior`). The estimate is the posterior mean: linear in the worths, so that one matrix serves all
games. The coalition of everybody is known without noise, and the values add up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from dlx.kernels.shapley.prior import REST, covariance_of_games, covariance_of_values, variance_of_value
from dlx.model.devices import Array, beside
from dlx.threads import one_thread

CANDIDATES = 2  # for one that is chosen; with more, the odd part of orders 5 and up is misjudged
MOST_CANDIDATES = 1_024  # among which is chosen, or a quarter more than are wanted
OWN_DESIGN = 64  # players: of games of more, all up to the next multiple of it share a design
SANDWICH = 0.05  # share with which nine in ten to 99 in 100 exact values were within two standard errors
LET_GO = 64  # steps after which candidates that were chosen are let go of
SURE = 1e-12  # variance of what is known without noise


@dataclass(frozen=True, eq=False)
class Design:
    """A choice of coalitions, and the matrix that turns what they are worth into estimates of the Shapley values.

    Parameters
    ----------
    members : ndarray of bool [coalitions, players]
        Who is in each coalition; their complements are looked at too.
    matrix : ndarray [players, 1 + coalitions]
        Posterior mean of the values from g of everybody and of the coalitions.
    precision : ndarray [1 + coalitions, 1 + coalitions]
        Inverse covariance of g.
    variance : ndarray [players]
        Posterior variance of the values, in units of the prior.
    """

    members: np.ndarray
    matrix: np.ndarray
    precision: np.ndarray
    variance: np.ndarray

    def values(self, odd: Array) -> Array:
        """Return the Shapley values [games, players] from g of everybody and of the coalitions, [games, 1 + coalitions]."""
        values = odd @ beside(odd, self.matrix).T
        return values + (2 * odd[:, :1] - values.sum(axis=1, keepdims=True)) / values.shape[1]

    def variances(self, odd: Array) -> Array:
        """Return the variance of the values' error, [games, players].

        The posterior variance, in the units that the game's own errors of prediction tell, each coalition left out in
        turn; and a share of what the same errors, put where they occurred, make of each value (a sandwich): it alone is
        too large, but knows which players interact.
        """
        matrix, whole, variance = (beside(odd, array) for array in (self.matrix, self.precision, self.variance))
        precision = whole.diagonal()
        missed = odd @ whole / precision
        missed[:, 0] = 0.0
        unit = (missed[:, 1:] ** 2 * precision[1:]).mean(axis=1, keepdims=True)
        return unit * variance + SANDWICH * (missed**2 @ (matrix**2).T)


def design(players: int, pairs: int, seed: int) -> Design:
    """Return a design of so many coalitions, each with its complement; fewer than half of all there are.

    That of a large game is a larger game's, without the players whom it lacks: they would add nothing.

    Parameters
    ----------
    players : int
        At least 3.
    pairs : int
        Coalitions, less than 2^(players - 1) - 1.
    seed : int
        Seed of the candidates.
    """
    whole = _designed(designed_for(players), pairs, seed)
    if designed_for(players) == players:
        return whole
    return replace(whole, members=whole.members[:, :players], matrix=whole.matrix[:players], variance=whole.variance[:players])


def designed_for(players: int) -> int:
    """Return for how many players the design of a game is made."""
    return players if players <= OWN_DESIGN else -(-players // OWN_DESIGN) * OWN_DESIGN


@lru_cache(maxsize=64)
def _designed(players: int, pairs: int, seed: int) -> Design:
    rng, least = np.random.default_rng([seed, players, pairs]), pairs + (pairs // 4 if players > OWN_DESIGN else 0)
    candidates = _candidates(players, max(least, min(CANDIDATES * pairs, MOST_CANDIDATES)), rng)
    known = np.concatenate([np.ones((1, players), dtype=bool), candidates])  # everybody first
    covariance, with_values = covariance_of_games(known, known), covariance_of_values(known)
    covariance[np.diag_indices_from(covariance)] += np.where(np.arange(len(known)) == 0, SURE, REST)
    if len(candidates) > pairs:
        some = (_chosen if players <= OWN_DESIGN else _chosen_of_many)(covariance, with_values, pairs + 1)
        known, covariance, with_values = known[some], covariance[np.ix_(some, some)], with_values[:, some]
    precision = np.linalg.inv(covariance)
    matrix = with_values @ precision
    left = variance_of_value(players) - (matrix * with_values).sum(axis=1)
    return Design(known[1:], matrix, precision, np.maximum(0.0, left))


def _candidates(players: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return different coalitions, no two of them complements, bool [count, players]; all there are, where these are few."""
    half = 2 ** (players - 1) - 1
    if half <= count:
        return _half(players)
    sizes = np.arange(1, players)
    weight = 1 / (sizes * (players - sizes))
    found: dict[bytes, np.ndarray] = {}
    while len(found) < count:
        drawn = rng.choice(sizes, size=count, p=weight / weight.sum())
        rank = rng.permuted(np.tile(np.arange(players), (count, 1)), axis=1)
        members = rank < drawn[:, None]
        members[~members[:, 0]] ^= True  # of two complements the one with the first player
        for one in members:
            found.setdefault(one.tobytes(), one)
    return np.array(list(found.values())[:count])


def _half(players: int) -> np.ndarray:
    """Return one of every two complements, the one with the first player; without everybody."""
    numbers = np.arange(1, 2**players - 1, 2)
    return (numbers[:, None] >> np.arange(players) & 1).astype(bool)


def _chosen(covariance: np.ndarray, with_values: np.ndarray, count: int) -> np.ndarray:
    """Return the positions of known coalitions that, one after the other, lower the variance of the values most.

    A pivoted Cholesky factorisation: each step conditions the process on one more coalition. The first one is everybody.

    Parameters
    ----------
    covariance : ndarray [coalitions, coalitions]
        Of g at the coalitions, with the rest.
    with_values : ndarray [players, coalitions]
        Of the values with these.
    count : int
        How many are chosen.
    """
    left = with_values.copy()  # sums along rows, in their order
    variance = np.diag(covariance)
    factor, scratch = np.empty((len(covariance), count)), np.empty_like(left)
    chosen = [0]
    for step in range(count):
        pivot = chosen[-1]
        column = covariance[pivot] - factor[:, :step] @ factor[pivot, :step]
        column[pivot] = variance[pivot]
        factor[:, step] = column / np.sqrt(column[pivot])
        variance = variance - np.square(factor[:, step])
        left -= np.outer(left[:, pivot] / np.sqrt(column[pivot]), factor[:, step], out=scratch)
        gain = np.square(left, out=scratch).sum(axis=0) / np.maximum(variance, SURE)
        gain[chosen] = -1.0
        chosen.append(int(gain.argmax()))
    return np.array(chosen[:count])


def _chosen_of_many(covariance: np.ndarray, with_values: np.ndarray, count: int) -> np.ndarray:
    """Return what `_chosen` does, for many players: in a third of the time, which is memory's, and with sums in another order.

    Among few players many coalitions are as good as others, and the last bit of a sum decides: their sums stay as they are.
    """
    from scipy.linalg.blas import dger

    left, variance = np.array(with_values.T, order="C"), np.diag(covariance).copy()
    open_ = np.arange(len(covariance))  # who may be chosen, or was a little ago
    factor, chosen, place = np.empty((len(covariance), count)), [0], 0
    with one_thread():  # scipy has a BLAS of its own, whose threads cost ten times what they bring where others work, too
        for step in range(count):
            column = covariance[chosen[-1], open_] - factor[:, :step] @ factor[place, :step]
            column[place] = variance[place]
            factor[:, step] = column / np.sqrt(column[place])
            variance -= np.square(factor[:, step])
            dger(-1.0, left[place] / np.sqrt(column[place]), factor[:, step], a=left.T, overwrite_a=1)
            variance[place] = np.inf
            place = int((np.einsum("cp,cp->c", left, left) / np.maximum(variance, SURE)).argmax())
            chosen.append(int(open_[place]))
            if step % LET_GO == LET_GO - 1:
                kept = np.isfinite(variance)
                place = int(kept[:place].sum())
                factor, left, variance, open_ = factor[kept], left[kept], variance[kept], open_[kept]
    return np.array(chosen[:count])
