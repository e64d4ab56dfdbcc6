"""Columns as players of a game: what a coalition of them is worth, and what each player gets."""

from dlx.kernels.shapley.conditional import (
    FEWEST,
    INDEPENDENCE,
    NEIGHBOURS,
    ROUTES,
    best_route,
    conditional_values,
    held_out_errors,
    judging,
)
from dlx.kernels.shapley.exact import MOST_PLAYERS, evaluations, exact_values, shapley_of_table
from dlx.kernels.shapley.games import Game
from dlx.kernels.shapley.interactions import interaction_values, interactions_among, interactions_of_table
from dlx.kernels.shapley.sampled import Sampled, sampled_values, tolerated_values, usual_evaluations

__all__ = [
    "FEWEST",
    "INDEPENDENCE",
    "MOST_PLAYERS",
    "NEIGHBOURS",
    "ROUTES",
    "Game",
    "Sampled",
    "best_route",
    "conditional_values",
    "evaluations",
    "exact_values",
    "held_out_errors",
    "interaction_values",
    "interactions_among",
    "interactions_of_table",
    "judging",
    "sampled_values",
    "shapley_of_table",
    "tolerated_values",
    "usual_evaluations",
]
