"""A recalibrated net without its last layer: the head of the net is stretched instead, so that the net is built as before."""

from __future__ import annotations

import copy
from dataclasses import replace

from dlx.model import Model, NeuralModel


def folded(model: Model) -> Model:
    """Return a net whose last two linear layers, the latter from one number to one, are one; any other model as it is."""
    import torch
    from torch import nn

    if not isinstance(model, NeuralModel):
        return model
    network = copy.deepcopy(model.network)
    if type(network) is not nn.Sequential or len(network) != 2 or not isinstance(network[1], nn.Linear):
        return model
    inner, last = network[0], network[1]
    head = next((layer for layer in reversed(list(inner.modules())) if isinstance(layer, nn.Linear)), None)
    if head is None or head.out_features != 1 or last.in_features != 1:
        return model
    with torch.no_grad():
        head.weight.mul_(last.weight)
        head.bias.mul_(last.weight[0, 0]).add_(last.bias[0])
    return replace(model, network=inner)
