"""FT-Transformer: each column a token, and attention between them.

Gorishniy, Rubachev, Khrulkov and Babenko (2021), "Revisiting Deep Learning Models for Tabular Data", section 3.3, on torch's
own attention: the package `rtdl_revisiting_models` (0.0.2, of 2023), to which the tests hold it where it is installed, is not
kept up. A number's token is its value times a vector, a level's a vector of its own; each column adds another one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from dlx.architectures.mlp import head


def build(
    width: int,
    bias: Sequence[float],
    *,
    groups: Sequence[int] | None = None,
    hidden: int = 64,
    depth: int = 2,
    heads: int = 8,
    dropout: float = 0.1,
    attention_dropout: float = 0.2,
) -> nn.Module:
    """Return the net, untrained: dense rows [rows, width] to outputs [rows, len(bias)].

    Parameters
    ----------
    groups : sequence of int, optional
        The column of the table that each dense column belongs to, [width]; each its own by default.
    hidden, depth, heads : int
        Size of a token, which the heads share, number of blocks, and heads of attention.
    dropout, attention_dropout : float
        Share of units, and of attention weights, that a training step leaves out.
    """
    return FTTransformer(
        list(range(width)) if groups is None else groups, bias, hidden, depth, heads, dropout, attention_dropout
    )


class FTTransformer(nn.Module):
    """Tokens of columns, blocks of attention, and a head on the token that is no column."""

    def __init__(
        self,
        groups: Sequence[int],
        bias: Sequence[float],
        hidden: int,
        depth: int,
        heads: int,
        dropout: float,
        attention_dropout: float,
    ) -> None:
        super().__init__()
        bound, columns = hidden**-0.5, max(groups) + 1
        self.owner: torch.Tensor
        self.register_buffer("owner", torch.tensor(groups))
        self.weight = nn.Parameter(torch.empty(len(groups), hidden).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(1 + columns, hidden).uniform_(-bound, bound))  # the first token is no column
        self.blocks = nn.ModuleList(Block(hidden, heads, dropout, attention_dropout, bool(i)) for i in range(depth))
        self.norm, self.activation, self.head = nn.LayerNorm(hidden), nn.ReLU(), head(hidden, bias)

    def forward(self, dense: torch.Tensor) -> torch.Tensor:
        """Return the outputs [rows, outputs] of dense rows [rows, width]."""
        tokens = self.bias.repeat(len(dense), 1, 1).index_add(1, self.owner + 1, dense[:, :, None] * self.weight)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(self.activation(self.norm(tokens[:, 0])))


class Block(nn.Module):
    """Attention between tokens and a gated layer on each, both added to what came in; the first block is not normalised."""

    def __init__(self, hidden: int, heads: int, dropout: float, attention_dropout: float, normalises: bool) -> None:
        super().__init__()
        self.first_norm = nn.LayerNorm(hidden) if normalises else nn.Identity()
        self.attention = nn.MultiheadAttention(hidden, heads, attention_dropout, batch_first=True)
        self.norm, inner = nn.LayerNorm(hidden), hidden * 4 // 3
        self.widen, self.gate, self.narrow = nn.Linear(hidden, 2 * inner), nn.ReLU(), nn.Linear(inner, hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return tokens [rows, tokens, hidden]."""
        normed = self.first_norm(tokens)
        tokens = tokens + self.attention(normed, normed, normed, need_weights=False)[0]
        value, gate = self.widen(self.norm(tokens)).chunk(2, dim=-1)
        return tokens + self.narrow(self.dropout(value * self.gate(gate)))
