"""A multilayer perceptron: linear layers, ReLU and dropout."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


def build(
    width: int,
    bias: Sequence[float],
    *,
    hidden: int = 128,
    depth: int = 2,
    dropout: float = 0.5,
    input_dropout: float = 0.2,
) -> nn.Module:
    """Return the net, untrained: dense rows [rows, width] to outputs [rows, len(bias)].

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
    return nn.Sequential(*layers, head(hidden, bias))


def head(width: int, bias: Sequence[float]) -> nn.Linear:
    """Return a linear layer to one output an entry of its bias, which starts from there: a rare event is no surprise."""
    layer = nn.Linear(width, len(bias))
    with torch.no_grad():
        layer.bias.copy_(torch.tensor(bias))
    return layer
