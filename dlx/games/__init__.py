"""Columns as players of a game: what a coalition of them is worth, and what each player gets; and paths through a net.

The paths, in `paths` and `rescale`, are imported from there: they need torch.
"""

from dlx.games.coalitions import Game
from dlx.games.exact import MOST_PLAYERS, evaluations, exact_values, shapley_of_table
from dlx.games.interactions import interaction_values, interactions_of_table
from dlx.games.leaves import leaf_values
from dlx.games.sampling import Sampled, sampled_values, tolerated_values
from dlx.games.surrogates import local_surrogates

__all__ = [
    "MOST_PLAYERS",
    "Game",
    "Sampled",
    "evaluations",
    "exact_values",
    "interaction_values",
    "interactions_of_table",
    "leaf_values",
    "local_surrogates",
    "sampled_values",
    "shapley_of_table",
    "tolerated_values",
]
