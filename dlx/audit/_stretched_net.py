"""A net with one more layer, which stretches and shifts its logit."""

from __future__ import annotations

import copy

import torch
from torch import nn

from dlx.model import NeuralModel


class Columned(nn.Module):
    """A network that returns logits [rows], with a layer after it that reads them as a column [rows, 1]."""

    def __init__(self, network: nn.Module, last: nn.Linear) -> None:
        super().__init__()
        self.network = network
        self.last = last

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return logits [rows, 1]."""
        logits: torch.Tensor = self.last(self.network(rows).reshape(-1, 1))
        return logits


def stretched_net(model: NeuralModel, intercept: float, slope: float) -> nn.Module:
    """Return a copy of the model's network with a last layer that gives intercept + slope · logit."""
    network = copy.deepcopy(model.network)
    with torch.no_grad():
        dtype = next((weight.dtype for weight in network.parameters()), torch.float32)
        last = nn.Linear(1, 1, device=model.device, dtype=dtype)
        last.weight.fill_(slope)
        last.bias.fill_(intercept)
        is_column = network(torch.zeros(2, model.encoder.width, device=model.device)).ndim == 2
    return nn.Sequential(network, last) if is_column else Columned(network, last)
