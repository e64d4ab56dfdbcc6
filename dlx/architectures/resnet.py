"""A residual net for tables.

Gorishniy, Rubachev, Khrulkov and Babenko (2021), "Revisiting Deep Learning Models for Tabular Data", section 3.2. Every
ReLU is a module of its own, so that DeepLIFT's table applies.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn

from dlx.architectures.mlp import head


class Block(nn.Module):
    """A residual block: rows [rows, width] plus what two linear layers make of them."""

    def __init__(self, width: int, hidden: int, dropout: float, residual_dropout: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(width)
        self.widen = nn.Linear(width, hidden)
        self.activation = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.narrow = nn.Linear(hidden, width)
        self.residual_dropout = nn.Dropout(residual_dropout)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return rows [rows, width]."""
        inner = self.dropout(self.activation(self.widen(self.norm(rows))))
        return rows + self.residual_dropout(self.narrow(inner))


def build(
    width: int,
    bias: Sequence[float],
    *,
    hidden: int = 64,
    block_hidden: int = 128,
    depth: int = 2,
    dropout: float = 0.5,
    residual_dropout: float = 0.2,
    input_dropout: float = 0.2,
) -> nn.Module:
    """Return the net, untrained: dense rows [rows, width] to outputs [rows, len(bias)].

    Parameters
    ----------
    hidden, block_hidden, depth : int
        Units between blocks, units within a block, and number of blocks.
    dropout, residual_dropout, input_dropout : float
        Share of units within a block, of what a block adds, and of dense columns, that a training step leaves out.
    """
    blocks = [Block(hidden, block_hidden, dropout, residual_dropout) for _ in range(depth)]
    return nn.Sequential(
        OrderedDict(
            input_dropout=nn.Dropout(input_dropout),
            first=nn.Linear(width, hidden),
            blocks=nn.Sequential(*blocks),
            norm=nn.BatchNorm1d(hidden),
            activation=nn.ReLU(),
            head=head(hidden, bias),
        )
    )
