"""Shapley values of the games in which absent columns go along with the known ones, and by which route to judge that.

A route is a way to the conditional mean ``v(S) = E[f(X) | X_S = x_S]``, see `dependence`. The best one has the smallest
``E[(f(X) - v(S))²]`` on rows that it has not seen, which the true conditional mean would minimise (Frye et al. 2020; Olsen,
Glad, Jullum and Aas 2024).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from dlx.kernels.shapley.dependence import Dependence, copula_worth, neighbour_worth
from dlx.kernels.shapley.designs import design
from dlx.kernels.shapley.exact import all_coalitions, shapley_of_table
from dlx.kernels.shapley.games import Game
from dlx.kernels.shapley.sampled import LARGEST_DESIGN, Sampled, sampled_values, usual_pairs

INDEPENDENCE, COPULA, NEIGHBOURS = "independence", "copula", "neighbours"
ROUTES = (INDEPENDENCE, COPULA, NEIGHBOURS)
WIDTHS = (0.1, 0.2, 0.4)  # of the kernel
FEWEST = 30  # reference rows, of which fewer do not tell how columns go together
FOLDS, TRIED, MOST_HELD, MOST_SEEN = 3, 3, 120, 200  # tried: pairs of coalitions; held, seen: rows
BEYOND_CHANCE = 2.0  # standard errors of what a route gains on independence
GROUPS = 20  # of reference rows, each with coalitions of its own

Worth = Callable[[np.ndarray, np.ndarray], np.ndarray]


def held_out_errors(game: Game, *, seed: int = 0) -> dict[tuple[str, float], np.ndarray]:
    """Return how far each route's v(S) is from f(x) for reference rows that it has not seen, by route and width.

    That is (f(x) - v(S))², averaged over some coalitions S, [rows].

    Parameters
    ----------
    game : Game
        The model, the scale and the reference rows.
    seed : int
        Seed of the folds and of the coalitions.
    """
    rng, outputs = np.random.default_rng(seed), game.references()
    folds = np.array_split(rng.permutation(len(outputs)), FOLDS)
    found: list[np.ndarray] = []
    for fold in folds:
        held, rest = fold[: MOST_HELD // FOLDS], rng.permutation(np.setdiff1d(np.arange(len(outputs)), fold))[:MOST_SEEN]
        inner = Game(game.model, game.background[held], game.background[rest], game.scale)
        dependence = Dependence(game.model.schema, inner.background, outputs[rest])
        members = _drawn(game.players, rng)
        by_copula = copula_worth(inner, dependence, members, np.arange(len(rest)))
        every = np.concatenate([neighbour_worth(inner, dependence, members, (np.inf, *WIDTHS)), by_copula[None]])
        found.append(np.square(outputs[held, None] - every).mean(axis=2))
    routes = [(INDEPENDENCE, np.inf), *((NEIGHBOURS, width) for width in WIDTHS), (COPULA, np.inf)]
    return dict(zip(routes, np.concatenate(found, axis=1), strict=True))


def judging(references: int) -> int:
    """Return how many rows `held_out_errors` evaluates: by neighbours, once for all widths, and by the copula."""
    if references < FEWEST:
        return 0
    held, rest = min(references, MOST_HELD), min(references - references // FOLDS, MOST_SEEN)
    return 2 * held * rest * 2 * TRIED


def best_route(errors: dict[tuple[str, float], np.ndarray], name: str | None = None) -> tuple[str, float]:
    """Return the route, and its width, of the smallest error; independence, where nothing gains on it beyond chance.

    Where a route is asked for by name, that one, with its best width; a usual one, where there are no errors.
    """
    some = [route for route in errors if name in (None, route[0])]
    if not some:
        return name or INDEPENDENCE, WIDTHS[1]
    best = min(some, key=lambda route: errors[route].mean())
    if name is not None:
        return best
    gain = errors[INDEPENDENCE, np.inf] - errors[best]
    return best if gain.mean() > BEYOND_CHANCE * gain.std() / len(gain) ** 0.5 else (INDEPENDENCE, np.inf)


def conditional_values(game: Game, route: tuple[str, float], *, pairs: int | None = None, seed: int = 0) -> Sampled:
    """Return conditional Shapley values of every person by a route; they add up.

    Parameters
    ----------
    game : Game
        The model, the people, the reference rows and the scale.
    route : tuple of str and float
        One of `ROUTES`, and the width of the kernel.
    pairs, seed : int
        As of `sampled_values`.
    """
    name, width = route
    if name == INDEPENDENCE:
        return sampled_values(game, pairs=pairs, seed=seed)
    dependence, outputs = Dependence(game.model.schema, game.background, game.references()), game.outputs()
    if name == COPULA:
        return _of_groups(partial(copula_worth, game, dependence), game, outputs, GROUPS, pairs, seed)

    def by_neighbours(members: np.ndarray, _references: np.ndarray) -> np.ndarray:
        return neighbour_worth(game, dependence, members, (width,))[0]

    return _of_groups(by_neighbours, game, outputs, 1, pairs, seed)


def _of_groups(worth: Worth, game: Game, outputs: np.ndarray, groups: int, pairs: int | None, seed: int) -> Sampled:
    """Return the values from what coalitions are worth against some references, each group of these with its own coalitions."""
    players, references = game.players, game.references()
    wanted = usual_pairs(players) if pairs is None else pairs
    if 2 ** (players - 1) - 1 <= wanted:
        members = all_coalitions(players)
        table = np.empty((len(outputs), len(members)))
        table[:, 0], table[:, -1] = references.mean(), outputs
        table[:, 1:-1] = worth(members[1:-1], np.arange(len(references)))
        none = np.zeros(game.rows.shape)
        asked = len(outputs) * len(references) * (len(members) - 2)
        return Sampled(shapley_of_table(table), none, np.ones(len(outputs), dtype=bool), asked)
    values, variances = np.zeros(game.rows.shape), np.zeros(game.rows.shape)
    rng, rounds = np.random.default_rng(seed), -(-wanted // max(LARGEST_DESIGN, usual_pairs(players)))
    for some in np.array_split(rng.permutation(len(references)), min(groups, len(references))):
        share = len(some) / len(references) / rounds
        for turn in range(rounds):
            plan, order = design(players, -(-wanted // rounds), seed + turn), rng.permutation(players)
            members = np.empty_like(plan.members)
            members[:, order] = plan.members
            found = worth(np.concatenate([members, ~members]), some)
            present, absent = np.split(found, 2, axis=1)
            odd = np.column_stack([(outputs - references[some].mean()) / 2, (present - absent) / 2])
            values[:, order] += share * plan.values(odd)
            variances[:, order] += share**2 * plan.variances(odd)
    asked = len(outputs) * len(references) * 2 * wanted
    return Sampled(values, np.sqrt(variances), np.zeros(len(outputs), dtype=bool), asked)


def _drawn(players: int, rng: np.random.Generator) -> np.ndarray:
    """Return some coalitions, of sizes as Kernel SHAP weighs them, and their complements, bool [coalitions, players]."""
    sizes = np.arange(1, players)
    weight = 1 / (sizes * (players - sizes))
    drawn = rng.choice(sizes, size=TRIED, p=weight / weight.sum())
    members = rng.permuted(np.tile(np.arange(players), (TRIED, 1)), axis=1) < drawn[:, None]
    return np.concatenate([members, ~members])
