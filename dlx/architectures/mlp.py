"""A multilayer perceptron: linear layers, ReLU and dropout."""

from __future__ import annotations

import math

from torch import nn


def build(
    width: int, base_rate: float, *, hidden: int = 128, depth: int = 2, dropout: float = 0.5, input_dropout: float = 0.2
) -> nn.Module:
    """Return the net, untrained: dense rows [rows, width] to logits [rows, 1].

    Parameters
    ----------
    hidden, depth : int
        Units of a hidden layer, and number of hidden layers.
    dropout, input_dropout : float
        Share of hidden units, and of dense columns, that a training step leaves out.
    """
    layers: list[nn.Module] = [nn.Dropout(input_dropout)]
    for layer in range(depth):
        layers += [nn.Linear(hidden if layer else width, hidden), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, head(hidden, base_rate))


def head(width: int, base_rate: float) -> nn.Linear:
    """Return a linear layer to one logit; its bias starts from the base rate, so that a rare event is no surprise."""
    layer = nn.Linear(width, 1)
    nn.init.constant_(layer.bias, math.log(base_rate / (1 - base_rate)))
    return layer
