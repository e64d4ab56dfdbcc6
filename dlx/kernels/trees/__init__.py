"""Sums of trees, leaf by leaf: their Shapley values, and what coalitions of columns are worth to them."""

from dlx.kernels.trees.coalitions import coalition_worth
from dlx.kernels.trees.leaves import leaf_values
from dlx.kernels.trees.mixing import MixedTrees, mixed_trees

__all__ = ["MixedTrees", "coalition_worth", "leaf_values", "mixed_trees"]
