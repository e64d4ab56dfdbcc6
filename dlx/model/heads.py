"""What ends a net of several outputs in one number a row: the log-odds, or the probability, of one class against the others.

Both are functions of all outputs z of a row, log-odds z_k - log Σ_{j≠k} exp z_j and softmax. Where a rule asks for one slope
a value, as DeepLIFT's and the exact integral of a piecewise linear net do, it is the mean gradient along the straight line
from one row's outputs to another's: contributions then add up (Sundararajan, Taly and Yan 2017).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from dlx.encoder import Encoder
from dlx.model.kinds import EachClass, is_additive, model_of_net
from dlx.model.net_outputs import weighing
from dlx.model.networks import framed, untrained_copy

Rule = tuple[np.ndarray, np.ndarray]  # points on [-1, 1], and their weights
NEAR: Rule = np.polynomial.legendre.leggauss(8)  # to rounding where no output changes by more than
CLOSE = 1.0
FAR: Rule = np.polynomial.legendre.leggauss(32)  # to rounding up to about 20; what it misses is made up for


class _OfClass(nn.Module):
    def __init__(self, chosen: int) -> None:
        super().__init__()
        self.chosen = chosen


class AgainstOthers(_OfClass):
    """The log-odds of one class against all others: outputs [..., classes] to [..., 1]."""

    def forward(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the log-odds of the chosen class, [..., 1]."""
        own = outputs[..., self.chosen, None]
        return own - torch.logsumexp(self._others(outputs), dim=-1, keepdim=True)

    def gradient(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the derivative by each output, [..., classes]."""
        slopes = -torch.softmax(self._others(outputs), dim=-1)
        slopes[..., self.chosen] = 1.0
        return slopes

    def _others(self, outputs: torch.Tensor) -> torch.Tensor:
        is_it = torch.arange(outputs.shape[-1], device=outputs.device) == self.chosen
        return outputs.masked_fill(is_it, -torch.inf)


class Share(_OfClass):
    """The probability of one class, by softmax: outputs [..., classes] to [..., 1]."""

    def forward(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the probability of the chosen class, [..., 1]."""
        return torch.softmax(outputs, dim=-1)[..., self.chosen, None]

    def gradient(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the derivative by each output, [..., classes]."""
        shares = torch.softmax(outputs, dim=-1)
        own = shares[..., self.chosen, None]
        slopes = -own * shares
        slopes[..., self.chosen, None] += own
        return slopes


HEADS = (AgainstOthers, Share)


def mean_gradient(head: AgainstOthers | Share, start: torch.Tensor, end: torch.Tensor) -> torch.Tensor:
    """Return the mean derivative of a head along the straight line between outputs, [..., classes]."""
    change = end - start
    slopes = _by_rule(head, start, change, NEAR)
    is_far = change.abs().amax(dim=-1) > CLOSE
    if is_far.any():
        begins, steps = start.expand_as(change)[is_far], change[is_far]
        found = _by_rule(head, begins, steps, FAR)
        missed = head(begins + steps) - head(begins) - (found * steps).sum(dim=-1, keepdim=True)
        slopes[is_far] = found + missed / (steps**2).sum(dim=-1, keepdim=True) * steps
    return slopes


def _by_rule(head: AgainstOthers | Share, start: torch.Tensor, change: torch.Tensor, rule: Rule) -> torch.Tensor:
    slopes = torch.zeros_like(change)
    for point, weight in zip((rule[0] + 1) / 2, rule[1] / 2, strict=True):
        slopes += weight * head.gradient(start + point * change)
    return slopes


def speaking_for(network: nn.Module, place: int) -> nn.Module:
    """Return a copy of a net that gives the log-odds of one class, as one of another class."""
    copied = untrained_copy(network)
    for module in copied.modules():
        if isinstance(module, AgainstOthers):
            module.chosen = place
    return copied


def each_class(network: nn.Module, encoder: Encoder, name: str) -> EachClass:
    """Return a net of several outputs as a model of each class, which share its layers."""
    count = len(encoder.schema.target.levels)
    heads = [weighing(torch.zeros(1, count), {k: 1.0}) if is_additive(network) else AgainstOthers(k) for k in range(count)]
    return EachClass(tuple(model_of_net(nn.Sequential(network, head), encoder, name) for head in heads), name)


def in_unit(network: nn.Module, middle: float, spread: float) -> nn.Sequential:
    """Return a net of a standardised value as one of the value itself: a line behind its output."""
    line = nn.Linear(1, 1)
    nn.init.constant_(line.weight, spread)
    nn.init.constant_(line.bias, middle)
    return framed(network, line=line)
