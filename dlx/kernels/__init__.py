"""The computations that dlx is made for: Shapley values, LIME, gradients along paths, trees, and outputs of set columns.

They take games, samples or networks, and return arrays; `dlx.explainers` makes explanations of them.
"""
