"""The computations that dlx is made for, each kind in a folder: Shapley values, LIME, gradients along paths, and trees.

They take games, samples or networks, and return arrays; `dlx.explainers` makes explanations of them.
"""
