"""Models of many columns, and rows for them."""

from __future__ import annotations

import numpy as np
import torch
import worlds
from torch import nn

from dlx.encoder import Encoder
from dlx.model import BlackBox, NeuralModel
from dlx.schema import Feature, Schema


def wide(width):
    """A function of many columns with interactions, and rows for it."""
    schema = Schema(tuple(Feature(f"x{i}") for i in range(width)), worlds.TARGET)
    rng = np.random.default_rng(width)
    weights = rng.normal(size=width)

    def score(table):
        x = table.to_numpy()
        return x @ weights + np.tanh(x[:, 0] * x[:, 1] - x[:, -1]) * x[:, 2] + np.abs(x[:, 3])

    rows = rng.normal(size=(12, width))
    return BlackBox(score, schema, "wide", scales=("logit", "probability")), rows[:4], rows[4:]


def net(width, gain=1.0):
    """A net of two hidden layers, and rows for it."""
    torch.manual_seed(width)
    network = nn.Sequential(nn.Linear(width, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    with torch.no_grad():
        for layer in network[::2]:
            layer.weight *= gain
    schema = Schema(tuple(Feature(f"x{i}") for i in range(width)), worlds.TARGET)
    rows = np.random.default_rng(width).normal(size=(26, width))
    return NeuralModel(network, Encoder.identity(schema)), rows[:6], rows[6:]
