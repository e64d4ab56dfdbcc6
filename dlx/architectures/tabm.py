"""TabM: many multilayer perceptrons that share their weights, each with scales and biases of its own; their mean answers.

Gorishniy, Kotelnikov and Babenko (2025), "TabM: Advancing Tabular Deep Learning with Parameter-Efficient Ensembling", written
out: of the package `tabm` (0.0.3, which the tests hold it to where it is installed) only the plain net on dense rows is needed.
Each member learns by itself; the prediction is the mean of the members' probabilities, or values, and the logit is that of the
mean probability.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn
from torch.nn.functional import logsigmoid

from dlx.dataset import Dataset


def build(
    width: int,
    bias: Sequence[float],
    *,
    groups: Sequence[int] | None = None,
    hidden: int = 128,
    depth: int = 2,
    members: int = 16,
    dropout: float = 0.1,
) -> nn.Module:
    """Return the net, untrained: dense rows [rows, width] to outputs [rows, len(bias)]; in training [rows, members, len(bias)].

    Parameters
    ----------
    groups : sequence of int, optional
        The column of the table that each dense column belongs to, [width], which start with one sign; each its own by default.
    hidden, depth : int
        Units of a hidden layer, and number of hidden layers.
    members : int
        How many nets there are.
    dropout : float
        Share of hidden units that a training step leaves out.
    """
    return TabM(list(range(width)) if groups is None else groups, bias, hidden, depth, members, dropout)


class TabM(nn.Module):
    """An ensemble of multilayer perceptrons by adapters, and the mean of what its members answer."""

    def __init__(
        self, groups: Sequence[int], bias: Sequence[float], hidden: int, depth: int, members: int, dropout: float
    ) -> None:
        super().__init__()
        sizes = [len(groups), *[hidden] * depth]
        layers = [SharedLinear(size, hidden, members) for size in sizes[:-1]]
        signs = torch.randint(2, (members, max(groups) + 1)) * 2.0 - 1.0
        with torch.no_grad():
            layers[0].first.copy_(signs[:, torch.tensor(groups)])
        self.blocks = nn.Sequential(*(nn.Sequential(layer, nn.ReLU(), nn.Dropout(dropout)) for layer in layers))
        bound = sizes[-1] ** -0.5
        self.heads = nn.Parameter(torch.empty(members, sizes[-1], len(bias)).uniform_(-bound, bound))
        self.biases = nn.Parameter(torch.tensor(bias).repeat(members, 1))
        self.mean = MemberMean()

    def forward(self, dense: torch.Tensor) -> torch.Tensor:
        """Return outputs [rows, outputs] of dense rows [rows, width]; in training those of each member."""
        hidden = self.blocks(dense[:, None].expand(-1, len(self.heads), -1))
        outputs = torch.einsum("rmh,mho->rmo", hidden, self.heads) + self.biases
        return outputs if self.training else self.mean(outputs)


class SharedLinear(nn.Module):
    """A linear layer of which all members share the weights, between scales of their own (BatchEnsemble)."""

    def __init__(self, width: int, hidden: int, members: int) -> None:
        super().__init__()
        bound = width**-0.5
        self.weight = nn.Parameter(torch.empty(hidden, width).uniform_(-bound, bound))
        self.first, self.last = nn.Parameter(torch.ones(members, width)), nn.Parameter(torch.ones(members, hidden))
        self.bias = nn.Parameter(torch.empty(hidden).uniform_(-bound, bound).repeat(members, 1))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return what each member makes of its rows [rows, members, width]: [rows, members, hidden]."""
        return (rows * self.first) @ self.weight.T * self.last + self.bias


class MemberMean(nn.Module):
    """The mean of members' values; of logits, the logit of the mean probability; of several classes' its logarithm."""

    def __init__(self) -> None:
        super().__init__()
        self.of_values: torch.Tensor
        self.register_buffer("of_values", torch.tensor(False))

    def forward(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return [rows, outputs] of outputs [rows, members, outputs]."""
        if self.of_values:
            return outputs.mean(1)
        if outputs.shape[2] > 1:
            return outputs.log_softmax(2).logsumexp(1) - np.log(outputs.shape[1])
        return logsigmoid(outputs).logsumexp(1) - logsigmoid(-outputs).logsumexp(1)


def adapt(network: TabM, train: Dataset, dense: np.ndarray) -> None:
    """Tell the net whether its members' outputs are values."""
    del dense
    network.mean.of_values.fill_(train.schema.target.kind == "regression")
