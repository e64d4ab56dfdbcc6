"""Shapley values of sums of trees, leaf by leaf."""

from dlx.kernels.trees.leaves import leaf_values

__all__ = ["leaf_values"]
