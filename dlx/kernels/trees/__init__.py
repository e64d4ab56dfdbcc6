"""Sums of trees, leaf by leaf: their Shapley values, and what coalitions of columns are worth to them."""

from dlx.kernels.trees.coalitions import coalition_worth
from dlx.kernels.trees.leaves import leaf_values

__all__ = ["coalition_worth", "leaf_values"]
