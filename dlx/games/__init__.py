"""Columns as players of a game: what a coalition of them is worth, and what each player gets."""

from dlx.games.coalitions import Game
from dlx.games.exact import MOST_PLAYERS, evaluations, exact_values, shapley_of_table
from dlx.games.sampling import Sampled, sampled_values, tolerated_values

__all__ = [
    "MOST_PLAYERS",
    "Game",
    "Sampled",
    "evaluations",
    "exact_values",
    "sampled_values",
    "shapley_of_table",
    "tolerated_values",
]
