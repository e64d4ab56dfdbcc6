"""Nonlinearities, and what their derivative is on average between two values: of each element, or of a head of all outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from dlx.model.heads import HEADS, mean_gradient

NONLINEARITIES: dict[type[nn.Module], Callable[[Any, torch.Tensor], torch.Tensor]] = {
    nn.ReLU: lambda _, rows: torch.relu(rows),
    nn.LeakyReLU: lambda module, rows: functional.leaky_relu(rows, module.negative_slope),
    nn.ELU: lambda module, rows: functional.elu(rows, module.alpha),
    nn.Sigmoid: lambda _, rows: torch.sigmoid(rows),
    nn.Tanh: lambda _, rows: torch.tanh(rows),
    nn.Softplus: lambda module, rows: functional.softplus(rows, module.beta, module.threshold),
}
ONE_KINK = (nn.ReLU, nn.LeakyReLU)  # linear on either side of 0
CLOSE: dict[type[nn.Module], float] = {nn.ELU: 1e-6}  # it has a kink: the slope in the middle is no mean
CLOSE_IF_SMOOTH = 4e-3  # there the slope in the middle is closer to the mean slope than a quotient of float32 is
NEVER_ZERO = 1e-37


def applied(module: Any, rows: torch.Tensor) -> torch.Tensor:
    """Return the output of a nonlinearity, or of a head, for rows of inputs."""
    return module(rows) if isinstance(module, HEADS) else NONLINEARITIES[type(module)](module, rows)


def mean_slope(module: nn.Module, start: torch.Tensor, end: torch.Tensor) -> torch.Tensor:
    """Return the mean derivative of a nonlinearity on the way from one value to another; where they meet, the derivative.

    It is the difference quotient: the multiplier of DeepLIFT's rescale rule, and what a gradient is on average along a
    straight piece of a path. Of a head there is one for each of the outputs that it takes.
    """
    if isinstance(module, HEADS):
        return mean_gradient(module, start, end)
    if type(module) in ONE_KINK:
        above = torch.maximum(start, end).div_((end - start).abs_().add_(NEVER_ZERO)).clamp_(0, 1)  # share above 0
        below = getattr(module, "negative_slope", 0.0)
        return above.mul_(1 - below).add_(below) if below else above
    if type(module) is nn.Tanh:
        change = (end - start).abs_().add_(NEVER_ZERO)
        return torch.tanh(change).div_(change).mul_(1 - torch.tanh(start) * torch.tanh(end))  # its addition theorem
    if type(module) is nn.Sigmoid:
        low, high = torch.minimum(start, end), torch.maximum(start, end)
        change = (high - low).add_(NEVER_ZERO)
        return (
            torch.expm1(-change).neg_().div_(change).mul_(torch.sigmoid(high)).mul_(torch.sigmoid(-low))
        )  # digits kept near 0
    function = NONLINEARITIES[type(module)]
    change = end - start
    slopes = (function(module, end) - function(module, start)).div_(change)
    close = change.abs_() < CLOSE.get(type(module), CLOSE_IF_SMOOTH)
    if close.any():
        middle = torch.lerp(start, end, 0.5)[close].requires_grad_()
        with torch.enable_grad():
            (slopes[close],) = torch.autograd.grad(function(module, middle).sum(), middle)
    return slopes
