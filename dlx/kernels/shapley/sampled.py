"""Shapley values from some coalitions of every game, with standard errors; from all, where these are no more.

Every game of a person against one reference row is estimated for itself, from a design for as many players as there are
columns in which they differ (see `designs`), its columns in an order of its own: the mean over the reference rows
then averages the errors too. What a design takes for a player depends on the reference row only, never on who else is
explained.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from dlx.kernels.shapley.designs import design, designed_for
from dlx.kernels.shapley.exact import enumerated
from dlx.kernels.shapley.games import Game
from dlx.model.devices import as_numpy, beside, columns

LARGEST_DESIGN = 512  # pairs, or the usual ones of as many players; more of them are several designs
MOST_PAIRS, USUAL_PLAYERS = 8_192, 64  # that a tolerance may cost a reference row; of more players fewer in proportion


class Sampled(NamedTuple):
    """Sampled Shapley values with their standard errors.

    Parameters
    ----------
    values, standard_errors : ndarray [people, players]
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


def usual_pairs(players: int) -> int:
    """Return the pairs of coalitions a reference row with which errors were .005 to .02 of the values on the nets tried."""
    return 32 + 2 * designed_for(players)


def usual_evaluations(players: int, references: int) -> int:
    """Return of how many mixed rows a model is asked about a person who differs in all columns, with the usual pairs."""
    return references * min(2**players, 2 * usual_pairs(players))


def first_pairs(players: int) -> int:
    """Return the least pairs of coalitions a reference row whose standard errors can be trusted: where a tolerance starts."""
    return 3 * players // 2 + 1


def most_pairs(players: int) -> int:
    """Return the most pairs of coalitions that a tolerance may cost a reference row: at least the usual ones."""
    return max(MOST_PAIRS * USUAL_PLAYERS // max(USUAL_PLAYERS, players), usual_pairs(players))


def sampled_values(game: Game, *, pairs: int | None = None, seed: int = 0) -> Sampled:
    """Return estimated Shapley values of every person; they add up.

    Parameters
    ----------
    game : Game
        The games of some people.
    pairs : int, optional
        Coalitions, each with its complement, that every game of a person and a reference row is given; `usual_pairs` of
        its players, where None. A game that has no more is enumerated.
    seed : int
        Seed of the designs, and of the orders of columns.
    """
    values, variances = np.zeros(game.rows.shape), np.zeros(game.rows.shape)
    enumerates, evaluations = np.ones(len(game.rows), dtype=bool), 0
    ends = game.references(), game.outputs()
    order = np.random.default_rng(seed).permuted(np.tile(np.arange(game.players), (len(game.background), 1)), axis=1)
    for people, references, players in game.groups():
        count = players.shape[1]
        wanted = usual_pairs(count) if pairs is None else pairs
        is_whole = 2 ** (count - 1) - 1 <= wanted
        size = max(1, game.table_cells // (2**count if is_whole else 2 * wanted))
        if not is_whole:
            players = np.take_along_axis(players, order[references[:, None], players].argsort(axis=1), axis=1)
        for start in range(0, len(people), size):
            some = people[start : start + size], references[start : start + size], players[start : start + size]
            if is_whole:
                found, variance = enumerated(game, *some, *ends), np.zeros(some[2].shape)
            else:
                found, variance = _estimated(game, *some, *ends, pairs=wanted, seed=seed)
            np.add.at(values, (some[0][:, None], some[2]), found)
            np.add.at(variances, (some[0][:, None], some[2]), variance)
        enumerates[people] &= is_whole
        evaluations += len(people) * (2**count - 2 if is_whole else 2 * wanted)
    count = len(game.background)
    return Sampled(values / count, np.sqrt(variances) / count, enumerates, evaluations)


def tolerated_values(game: Game, *, tolerance: float, seed: int = 0) -> Sampled:
    """Return Shapley values of every person, of as many coalitions as it takes.

    A person is estimated anew from more coalitions until the standard errors are, in length, a share of the values; or
    all games are enumerated; or every game has had `most_pairs`. Who else is explained does not matter.

    Parameters
    ----------
    game : Game
        The games of some people.
    tolerance : float
        The share.
    seed : int
        As in `sampled_values`.
    """
    values, errors = np.zeros(game.rows.shape), np.zeros(game.rows.shape)
    enumerates, evaluations = np.zeros(len(game.rows), dtype=bool), 0
    left = {first_pairs(game.players): np.arange(len(game.rows))}
    while left:
        pairs = min(left)
        people = left.pop(pairs)
        found = sampled_values(replace(game, rows=game.rows[people]), pairs=pairs, seed=seed)
        values[people], errors[people], enumerates[people] = found.values, found.standard_errors, found.enumerated
        evaluations += found.evaluations
        allowed, error = tolerance * np.linalg.norm(found.values, axis=1), np.linalg.norm(found.standard_errors, axis=1)
        goes_on = (error > allowed) & (pairs < most_pairs(game.players))
        wanted = np.minimum(_more(pairs, error[goes_on], allowed[goes_on]), most_pairs(game.players))
        for more in np.unique(wanted):
            left[int(more)] = np.concatenate([left.get(int(more), people[:0]), people[goes_on][wanted == more]])
    return Sampled(values, errors, enumerates, evaluations)


def _more(pairs: int, error: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Return the pairs to try next, [people]: 2, 4 or 8 times as many, because errors fall about as pairs grow."""
    short = np.divide(error, allowed, out=np.full(len(error), np.inf), where=allowed > 0)
    return (pairs * 2 ** np.ceil(np.log2(np.clip(short, 2, 8)))).astype(int)


def _estimated(
    game: Game,
    people: np.ndarray,
    references: np.ndarray,
    players: np.ndarray,
    nobody: np.ndarray,
    everybody: np.ndarray,
    *,
    pairs: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return values and the variances of their errors, [pairs, some], of pairs' games: the mean over some designs.

    The other parameters are those of `dlx.kernels.shapley.exact.enumerated`.
    """
    rounds = -(-pairs // max(LARGEST_DESIGN, usual_pairs(players.shape[1])))
    values, variances = np.zeros(players.shape), np.zeros(players.shape)
    whole = (everybody[people] - nobody[references]) / 2
    for turn in range(rounds):
        share = pairs // rounds + (turn < pairs % rounds)
        plan = design(players.shape[1], share, seed + turn)
        worth = game.pairs_there(people, references, players, np.concatenate([plan.members, ~plan.members]))
        odd = columns([beside(worth, whole)[:, None], (worth[:, :share] - worth[:, share:]) / 2])
        values += as_numpy(plan.values(odd)) / rounds
        variances += as_numpy(plan.variances(odd)) / rounds**2
    return values, variances
