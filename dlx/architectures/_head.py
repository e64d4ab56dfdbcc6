"""The last layer of a net."""

from __future__ import annotations

import math

from torch import nn


def head(width: int, base_rate: float) -> nn.Linear:
    """Return a linear layer to one logit; its bias starts from the base rate, so that a rare event is no surprise."""
    layer = nn.Linear(width, 1)
    nn.init.constant_(layer.bias, math.log(base_rate / (1 - base_rate)))
    return layer
