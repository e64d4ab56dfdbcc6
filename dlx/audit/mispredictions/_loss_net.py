"""The log loss as the last layer of a net."""

from __future__ import annotations

import torch
from torch import nn


class LogLoss(nn.Module):
    """Logits to the log loss with one outcome: softplus of the logit, or of its negative for the positive outcome."""

    def __init__(self, outcome: int) -> None:
        super().__init__()
        self.sign = 1 - 2 * outcome

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        """Return losses in nats, of the same shape."""
        return nn.functional.softplus(self.sign * logits)
