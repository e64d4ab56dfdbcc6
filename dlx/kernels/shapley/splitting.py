"""A net whose first layer is linear reads a mixture of two rows as a sum, one term a column: the layer splits.

``W(z ∘ x + (1 - z) ∘ b) = W b + Σ_j z_j (W_j x_j - W_j b_j)``, with W_j the dense columns that the original column j owns.
A coalition then costs one row of a small matrix product, and no row is mixed or encoded. Differences are taken in
float64, evaluations are in the net's own precision.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from dlx.errors import DlxError
from dlx.model import Model, NeuralModel
from dlx.model.devices import Array, as_numpy, is_accelerator, numbers_at_once, widest

if TYPE_CHECKING:
    import torch
    from torch import nn

FEW = 8  # people, and references, that a network behind its first layer is tried on
BLOCK_ROWS = 2_048  # evaluations at a time: a layer's activations stay in the cache


@dataclass(frozen=True, eq=False)
class SplitNet:
    """A net's first layer, which reads people and references once, and the layers after it.

    Parameters
    ----------
    model : NeuralModel
        Whose network `split` took apart.
    first : torch.nn.Linear
        The layer that reads the dense columns.
    rest : sequence of torch.nn.Module
        What comes after it.
    rows, background : ndarray [people, players], [references, players]
        Coded.
    """

    model: NeuralModel
    first: nn.Linear
    rest: Sequence[nn.Module]
    rows: np.ndarray
    background: np.ndarray

    def outputs(self, people: np.ndarray, references: np.ndarray, players: np.ndarray, members: np.ndarray) -> np.ndarray:
        """Return the network's output of mixed rows, [pairs, coalitions]; the parameters are those of `Game.pairs`."""
        return as_numpy(self.worth(people, references, players, members))

    def worth(self, people: np.ndarray, references: np.ndarray, players: np.ndarray, members: Array) -> torch.Tensor:
        """Return the same, float64, where the network is; members may lie there, too."""
        import torch

        device = self.model.device
        with torch.no_grad():
            terms = self._terms(people, references, players)
            rows = numbers_at_once(device) // widest(self.model.network) if is_accelerator(device) else BLOCK_ROWS
            size = max(1, rows // len(people))
            blocks = (members[start : start + size] for start in range(0, len(members), size))
            return torch.cat([self._outputs(block, terms) for block in blocks]).double().T

    def all_coalitions(self, players: int) -> torch.Tensor:
        """Return `dlx.kernels.shapley.exact.all_coalitions`, made where the network is."""
        import torch

        numbers, bits = (torch.arange(count, device=self.model.device) for count in (2**players, players))
        return (numbers[:, None] >> bits & 1).bool()

    def _outputs(self, members: Array, terms: torch.Tensor) -> torch.Tensor:
        """Return outputs [coalitions, pairs] of one block, from the terms [1 + players, pairs, hidden] of its sums."""
        import torch

        joined = terms.new_ones(len(members), len(terms))
        joined[:, 1:] = torch.as_tensor(members)
        hidden = (joined @ terms.flatten(1)).view(-1, terms.shape[2])
        return behind(self.rest, hidden, self.model.name).view(len(joined), -1)

    def _terms(self, people: np.ndarray, references: np.ndarray, players: np.ndarray) -> torch.Tensor:
        """Return the first layer's output for pairs' references, and what each player adds, [1 + players, pairs, hidden]."""
        import torch

        start, theirs, ours = self._tables
        pairs, some = players.shape
        terms = start.new_empty(1 + some, pairs, start.shape[1])
        terms[0] = start[torch.from_numpy(references)]
        who, against = players.T * len(self.rows) + people, players.T * len(self.background) + references
        rows = terms[1:].view(-1, start.shape[1])
        torch.index_select(theirs, 0, torch.from_numpy(who.ravel()).to(start.device), out=rows)
        rows -= ours.index_select(0, torch.from_numpy(against.ravel()).to(start.device))
        return terms

    @cached_property
    def _tables(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return what the first layer gives of references, and what columns of people and of references add to their mean.

        [references, hidden], [players * people, hidden] and [players * references, hidden]: the mean of the references is
        taken off in float64, so that differences of large numbers keep their digits in float32.
        """
        import torch

        theirs, ours = self._table(self.rows), self._table(self.background)
        start = ours.sum(dim=0) + (0 if self.first.bias is None else self.first.bias)
        middle = ours.mean(dim=1, keepdim=True)
        with torch.no_grad():
            kind = self.first.weight.dtype
            return start.to(kind), (theirs - middle).to(kind).flatten(0, 1), (ours - middle).to(kind).flatten(0, 1)

    def _table(self, rows: np.ndarray) -> torch.Tensor:
        """Return what each column gives the first layer, float64 [players, rows, hidden]."""
        import torch

        with torch.no_grad():
            dense, weight = self.model.dense(rows).double(), self.first.weight.double()
            ends = np.append(self.model.encoder.starts[1:], self.model.encoder.width)
            blocks = zip(self.model.encoder.starts, ends, strict=True)
            return torch.stack([dense[:, start:end] @ weight[:, start:end].T for start, end in blocks])


def behind(layers: Sequence[nn.Module], hidden: torch.Tensor, name: str) -> torch.Tensor:
    """Return the outputs [rows] of the layers after the first, from the first one's [rows, hidden], which are overwritten."""
    import torch
    from torch import nn

    rows = len(hidden)
    for layer in layers:
        ours = type(layer) is nn.ReLU and hidden.is_contiguous()
        hidden = torch.relu_(hidden) if ours else layer(hidden)
    if hidden.numel() != rows:
        raise DlxError(
            f"{name} must return one number a row, got {hidden.numel()} for {rows} rows; add a last layer that picks one output"
        )
    return hidden.view(rows)


def split(model: Model, rows: np.ndarray, background: np.ndarray) -> SplitNet | None:
    """Return the model with its first layer split; None if no linear layer alone reads the dense columns.

    Dropout and identities before the layer pass rows on as they are. A chain of layers is taken apart; any other network is
    tried out on a few rows, behind its layer. One with hooks may do more: it is left whole.
    """
    if not isinstance(model, NeuralModel) or model.device.type not in ("cpu", "cuda"):
        return None
    from torch import nn

    layers = _chain(model.network)
    while layers and type(layers[0]) in (nn.Identity, nn.Dropout) and not layers[0].training:
        layers = layers[1:]
    if any(layer.training or _hooked(layer) for module in layers for layer in module.modules()):
        return None
    if layers and type(layers[0]) is not nn.Linear:
        layers = _opened(model.network, model.dense(np.concatenate([background[:FEW], rows[:FEW]])))
    first = layers[0] if layers else None
    if not isinstance(first, nn.Linear) or first.in_features != model.encoder.width:
        return None
    rest = [layer for layer in layers[1:] if type(layer) not in (nn.Identity, nn.Dropout)]
    return SplitNet(model, first, rest, rows, background)


def _opened(network: nn.Module, dense: torch.Tensor) -> list[nn.Module]:
    """Return the linear layer that alone reads a network's input, and the network behind it; nothing where there is none."""
    import torch
    from torch import nn

    from dlx.model.networks import to_hook

    copied, heard = to_hook(network), list[tuple[str, bool]]()
    with contextlib.ExitStack() as hooks, torch.no_grad():
        for path, module in copied.named_modules():
            if type(module) is nn.Linear:
                hooks.callback(
                    module.register_forward_pre_hook(lambda _, given, p=path: heard.append((p, given[0] is dense))).remove
                )
        expected = copied(dense)
    reading = [path for path, is_input in heard if is_input]
    if len(reading) != 1 or sum(path == reading[0] for path, _ in heard) != 1:
        return []
    first = copied.get_submodule(reading[0])
    copied.set_submodule(reading[0], nn.Identity())
    try:
        with torch.no_grad():
            found = copied(first(dense))
    except Exception:  # the user's code, which reads its input otherwise too
        return []
    is_same = found.shape == expected.shape and torch.allclose(found, expected, rtol=1e-5, atol=1e-6)
    return [first, copied] if is_same else []


def _chain(module: nn.Module) -> list[nn.Module]:
    """Return the layers of nested chains in order; a hooked chain, which may do more, is one layer."""
    from torch import nn

    if type(module) is not nn.Sequential or _hooked(module):
        return [module]
    return [layer for child in module for layer in _chain(child)]


def _hooked(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)
