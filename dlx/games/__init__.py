"""Columns as players of a game: what a coalition of them is worth, and what each player gets; and paths through a net.

The paths, in `paths` and `rescale`, are imported from there: they need torch.
"""

from dlx.games.coalitions import Game
from dlx.games.exact import MOST_PLAYERS, exact_values, shapley_of_table
from dlx.games.permutations import sampled_values

__all__ = ["MOST_PLAYERS", "Game", "exact_values", "sampled_values", "shapley_of_table"]
