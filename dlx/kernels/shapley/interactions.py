"""SHAP interaction values: what every two columns add together beyond what each adds, and what each adds alone.

Lundberg et al. (2020): off the diagonal, half the Shapley interaction index of Grabisch and Roubens (1999),
``Φ_ij = ½ Σ over S without i, j of |S|! (d - |S| - 2)! / (d - 1)! · (v(S ∪ ij) - v(S ∪ i) - v(S ∪ j) + v(S))``; on it, the main
effect ``Φ_ii = φ_i - Σ_{j ≠ i} Φ_ij``. Rows sum to the Shapley values, and all of it to v(everybody) - v(nobody).

As for the Shapley values, every game of a person against one reference row is played for itself, among the columns in which
they differ: by all coalitions, or by a design of `dlx.kernels.shapley.designs`, from which all pairs are estimated at once.
Of many players no design can tell all pairs: there a few are asked about, and what they add is averaged over coalitions of all.
"""

from __future__ import annotations

from functools import lru_cache
from math import comb
from typing import NamedTuple

import numpy as np

from dlx.kernels.shapley.designs import Design, design
from dlx.kernels.shapley.exact import all_coalitions, shapley_of_table
from dlx.kernels.shapley.games import Game
from dlx.kernels.shapley.interaction_posterior import posterior_of

MOST_ENUMERATED = 12  # players with which all coalitions are tried, unless a budget says otherwise
# Correlation of the errors of one person's games, which miss higher orders alike. Without it, 60 in 100 exact values of a net
# were within two standard errors over 80 reference rows; with it, 91.
SHARED = 0.04
LARGEST_DESIGN = 2_048  # pairs of coalitions; more of them are several designs


class Found(NamedTuple):
    """Interaction values with their standard errors.

    Parameters
    ----------
    values, standard_errors : ndarray [people, players, players]
        A standard error is 0 where all games were enumerated.
    enumerated : ndarray of bool [people]
        Whether all games of a person were.
    evaluations : int
        Mixed rows that were evaluated.
    """

    values: np.ndarray
    standard_errors: np.ndarray
    enumerated: np.ndarray
    evaluations: int


def usual_coalitions(players: int) -> int:
    """Return the pairs of coalitions a reference row that are tried unasked: three for every pair of players, and some."""
    return 64 + 3 * comb(players, 2)


def interaction_values(game: Game, *, pairs: int | None = None, seed: int = 0) -> Found:
    """Return the SHAP interaction values of every person.

    Parameters
    ----------
    game : Game
        The games of some people.
    pairs : int, optional
        Coalitions, each with its complement, that every game of a person and a reference row is given. A game that has
        no more is enumerated; where None, every game of 12 players, and larger ones get `usual_coalitions`.
    seed : int
        Seed of the designs, and of the orders of columns.
    """
    values = np.zeros((*game.rows.shape, game.players))
    variances, errors = np.zeros(values.shape), np.zeros(values.shape)
    enumerates, evaluations = np.ones(len(game.rows), dtype=bool), 0
    order = np.random.default_rng(seed).permuted(np.tile(np.arange(game.players), (len(game.background), 1)), axis=1)
    ends = game.references(), game.outputs()
    for people, references, players in game.groups():
        count = players.shape[1]
        wanted = _wanted(count, pairs)
        is_whole = 2 ** (count - 1) - 1 <= wanted
        if not is_whole:
            players = np.take_along_axis(players, order[references[:, None], players].argsort(axis=1), axis=1)
        size = max(1, game.table_cells // (2**count if is_whole else 2 * wanted))
        for start in range(0, len(people), size):
            some = people[start : start + size], references[start : start + size], players[start : start + size]
            found, variance = _enumerated(game, *some, *ends) if is_whole else _sampled(game, *some, *ends, wanted, seed)
            where = some[0][:, None, None], some[2][:, :, None], some[2][:, None, :]
            np.add.at(values, where, found)
            np.add.at(variances, where, variance)
            np.add.at(errors, where, np.sqrt(variance))
        enumerates[people] &= is_whole
        evaluations += len(people) * (2**count - 2 if is_whole else 2 * wanted)
    count = len(game.background)
    standard_errors = np.sqrt((1 - SHARED) * variances + SHARED * np.square(errors)) / count
    return Found(values / count, standard_errors, enumerates, evaluations)


def interactions_among(game: Game, players: np.ndarray, *, samples: int, seed: int = 0) -> Found:
    """Return the SHAP interaction values of a few players, of a game of any number: the mean over random coalitions of all.

    A player joins with a probability that goes evenly from 0 to 1, which gives the coalitions of the others the weights of both
    indices. Around a coalition, every one and every two of the few change sides. On the diagonal stands what is left of the
    Shapley value after the pairs of the few.

    Parameters
    ----------
    game : Game
        The games of some people.
    players : ndarray of int [few]
        Their positions.
    samples : int
        Coalitions, at least two; each is played against one reference row, all of them in turn.
    seed : int
        Seed of the coalitions.
    """
    rng, people, on = np.random.default_rng(seed), np.arange(len(game.rows)), np.arange(len(players))
    first, second = np.triu_indices(len(players), 1)
    changes = np.zeros((1 + len(players) + len(first), game.players), dtype=bool)  # nobody, one, two change sides
    changes[1 + on, players] = True
    changes[1 + len(players) :] = changes[1 + first] | changes[1 + second]
    everybody = np.tile(np.arange(game.players), (len(people), 1))
    shares = rng.permutation((np.arange(samples) + rng.random(samples)) / samples)
    found = np.empty((samples, len(people), len(players), len(players)))
    for turn, share in enumerate(shares):
        joined = rng.random(game.players) < share
        against = np.full(len(people), turn % len(game.background))
        worth = game.pairs(people, against, everybody, joined ^ changes)
        side, usual, alone = np.where(joined[players], 1.0, -1.0), worth[:, :1], worth[:, 1 : 1 + len(players)]
        pairs = usual - alone[:, first] - alone[:, second] + worth[:, 1 + len(players) :]
        found[turn] = _as_matrix(side * (usual - alone), side[first] * side[second] * pairs / 2)
    errors = found.std(axis=0, ddof=1) / np.sqrt(samples)
    return Found(found.mean(axis=0), errors, np.zeros(len(people), dtype=bool), samples * len(people) * len(changes))


def interactions_of_table(worth: np.ndarray) -> np.ndarray:
    """Return the SHAP interaction values [games, players, players] of games that are given whole.

    Parameters
    ----------
    worth : ndarray [games, 2^players]
        What each coalition is worth, in the order of `dlx.kernels.shapley.exact.all_coalitions`.
    """
    gained = worth - worth[:, :1]  # a large common part would cost digits
    return _as_matrix(shapley_of_table(worth), gained @ _pair_weights(worth.shape[1].bit_length() - 1))


@lru_cache(maxsize=4)
def _pair_weights(players: int) -> np.ndarray:
    """Return by what each coalition's worth counts for the value of each pair of players, [2^players, pairs]."""
    members, (first, second) = all_coalitions(players), np.triu_indices(players, 1)
    weight = np.array([0.5 / ((players - 1) * comb(players - 2, size)) for size in range(players - 1)])
    inside = members[:, first].astype(np.intp) + members[:, second]  # how many of the pair are members
    others = members.sum(axis=1)[:, None] - inside
    return np.where(inside == 1, -1.0, 1.0) * weight[others]


def _as_matrix(shapley: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return symmetric matrices [games, players, players] with rows that sum to the Shapley values [games, players]."""
    matrix = _off_diagonal(pairs, shapley.shape[1])
    on = np.arange(shapley.shape[1])
    matrix[:, on, on] = shapley - matrix.sum(axis=2)
    return matrix


def _off_diagonal(pairs: np.ndarray, players: int) -> np.ndarray:
    """Return symmetric matrices [games, players, players] of what pairs of players have, [games, pairs]."""
    matrix = np.zeros((len(pairs), players, players))
    first, second = np.triu_indices(players, 1)
    matrix[:, first, second] = matrix[:, second, first] = pairs
    return matrix


def _wanted(players: int, pairs: int | None) -> int:
    """Return the pairs of coalitions that a game is given, at most half of all."""
    if pairs is None:
        pairs = usual_coalitions(players) if players > MOST_ENUMERATED else 2**players
    return int(min(pairs, 2 ** (players - 1)))


def _enumerated(
    game: Game, people: np.ndarray, references: np.ndarray, players: np.ndarray, nobody: np.ndarray, everybody: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return values and their variances, which are 0, [pairs, some, some], of pairs' games, by all coalitions.

    The parameters are those of `dlx.kernels.shapley.exact.enumerated`.
    """
    members = all_coalitions(players.shape[1])
    worth = np.empty((len(people), len(members)))
    worth[:, 0], worth[:, -1] = nobody[references], everybody[people]
    worth[:, 1:-1] = game.pairs(people, references, players, members[1:-1])
    values = interactions_of_table(worth)
    return values, np.zeros(values.shape)


def _sampled(
    game: Game,
    people: np.ndarray,
    references: np.ndarray,
    players: np.ndarray,
    nobody: np.ndarray,
    everybody: np.ndarray,
    pairs: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return values and the variances of their errors, [pairs, some, some], of pairs' games: the mean over some designs."""
    rounds, count = -(-pairs // LARGEST_DESIGN), players.shape[1]
    first, last = nobody[references, None], everybody[people, None]
    values, variances = np.zeros((*players.shape, count)), np.zeros((*players.shape, count))
    for turn in range(rounds):
        share = pairs // rounds + (turn < pairs % rounds)
        plan = design(count, share, seed + turn)
        worth = game.pairs(people, references, players, np.concatenate([plan.members, ~plan.members]))
        with_it, without = worth[:, :share], worth[:, share:]
        odd, even = np.hstack([last - first, with_it - without]) / 2, (with_it + without - first - last) / 2
        found, variance = _of_design(plan, odd, even)
        values += found / rounds
        variances += variance / rounds  # all designs of a game miss the same higher orders
    return values, variances


def _of_design(plan: Design, odd: np.ndarray, even: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return values and variances [games, players, players] from the odd and the even part of the games.

    Parameters
    ----------
    plan : Design
        The coalitions.
    odd : ndarray [games, 1 + coalitions]
        Of everybody and of the coalitions.
    even : ndarray [games, coalitions]
        Of the coalitions, less that of everybody.
    """
    players = plan.members.shape[1]
    of_pairs = posterior_of(plan.members.tobytes(), players)
    pairs, variances = of_pairs.values(even)[:, : comb(players, 2)], of_pairs.variances(even)
    variance = _off_diagonal(variances[:, : comb(players, 2)], players)
    on = np.arange(players)
    variance[:, on, on] = plan.variances(odd) + variances[:, comb(players, 2) :]  # odd and even errors are independent
    return _as_matrix(plan.values(odd), pairs), variance
