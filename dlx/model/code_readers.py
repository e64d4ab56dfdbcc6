"""Whether anything but its lookups reads codes in a network: others are tried while the lookups' answers are held."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from dlx.model.lookups import Answered
from dlx.model.net_outputs import shown
from dlx.model.pipelines import NoRoute


def refuse_other_readers(network: Answered, rows: torch.Tensor, others: torch.Tensor, columns: Sequence[str]) -> None:
    """Raise a `NoRoute` that names the module that codes move by anything but a lookup.

    Parameters
    ----------
    network : Answered
        The network.
    rows, others : Tensor [rows, entries + answers]
        Alike but for the codes.
    columns : sequence of str
        Whose codes.
    """
    before, after = _outputs_of_modules(network, rows), _outputs_of_modules(network, others)
    if _alike(before[-1].outputs, after[-1].outputs):
        return
    moved = next((one for one, other in zip(before, after, strict=True) if one.moves_alone(other)), before[-1])
    raise NoRoute(f"{shown(network, moved.path)} reads the codes of {', '.join(columns)} by other means than an embedding")


@dataclass(frozen=True)
class _Ran:
    path: str
    given: list[torch.Tensor]
    outputs: list[torch.Tensor]

    def moves_alone(self, other: _Ran) -> bool:
        return _alike(self.given, other.given) and not _alike(self.outputs, other.outputs)


def _alike(some: list[torch.Tensor], others: list[torch.Tensor]) -> bool:
    return len(some) == len(others) and all(torch.equal(one, other) for one, other in zip(some, others, strict=True))


def _outputs_of_modules(network: nn.Module, rows: torch.Tensor) -> list[_Ran]:
    ran: list[_Ran] = []

    def hook(path: str) -> Callable[..., None]:
        def note(_: Any, args: Any, kwargs: Any, output: Any) -> None:
            ran.append(_Ran(path, _reals((args, kwargs)), _reals(output)))

        return note

    with contextlib.ExitStack() as hooks, torch.no_grad():
        for path, module in network.named_modules():
            hooks.callback(module.register_forward_hook(hook(path), with_kwargs=True).remove)
        network(rows.clone())
    return ran


def _reals(values: Any) -> list[torch.Tensor]:
    return [value.clone() for value in tree_leaves(values) if isinstance(value, torch.Tensor) and value.is_floating_point()]
