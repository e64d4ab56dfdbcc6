"""Outputs of networks: which of several tensors, and which of several numbers a row, on a scale."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from dlx.errors import DlxError
from dlx.model.base import Scale, ScaleError

if TYPE_CHECKING:
    from dlx.schema import Target

PICKED: dict[Scale, tuple[str, ...]] = {
    "logit": ("logits", "logit"),
    "probability": ("probabilities", "probability", "probs"),
    "value": ("values", "value"),
}
SLACK = 32  # times the rounding of the precision, as a share of the largest output: what is not called a difference
BROUGHT = "_dlx_brought"  # marks the copy of the user's own network inside of what dlx puts around it
SOFTMAX = (nn.Softmax, nn.LogSoftmax)
SUM_ROUNDING = 1e-4  # of probabilities of all classes, which sum to 1


class NetworkError(DlxError):
    """A network that dlx cannot copy, call, or read one number a row from."""


def shown(network: nn.Module, path: str) -> str:
    """Return the path of a module as its user knows it, without what dlx put around the network that was brought."""
    *_, brought = "", *(place for place, module in network.named_modules() if hasattr(module, BROUGHT))
    return path.removeprefix(brought).lstrip(".") if path.startswith(brought) else ""


def one_of(
    copied: nn.Module, dense: torch.Tensor, scale: Scale | None, target: Target, chosen: int | None, name: str
) -> tuple[nn.Module, Scale | None]:
    """Return a network of several outputs as one of the output chosen, with its scale; None as scale of one of one output."""
    from dlx.model.heads import AgainstOthers

    with torch.no_grad():
        outputs = copied(dense.clone())
    if outputs.ndim != 2 or outputs.shape[1] < 2 or not outputs.is_floating_point():
        if chosen == 0 and target.kind == "binary":
            raise NetworkError(f"{name} has one output, which speaks for {target.levels[1]!r}: leave target out")
        return copied, None
    count, levels = outputs.shape[1], target.levels
    if levels and count != len(levels):
        raise NetworkError(
            f"{name} must return one number a row, or one for each of {', '.join(map(repr, levels))}, got {count}; "
            "add a last layer that picks one output"
        )
    if chosen is None or chosen >= count:
        raise NetworkError(f"{name} returns {count} numbers a row: say which, target=0 to {count - 1}, got {chosen}")
    if not levels or scale == "value":
        return _behind(copied, weighing(outputs, {chosen: 1.0})), "value"
    bounded = bool(((outputs >= 0) & (outputs <= 1)).all())
    are_shares = bounded and torch.allclose(outputs.sum(dim=1), outputs.new_ones(()), atol=SUM_ROUNDING)
    if scale == "probability" and not bounded:
        raise ScaleError(f"{name} returned {outputs.min():g} to {outputs.max():g}, which are no probabilities; leave scale out")
    if scale is None and bounded and not are_shares:
        raise ScaleError(
            f"{name} returned {outputs.min():g} to {outputs.max():g}, which do not sum to 1: probabilities, or logits? say it: "
            "dlx.wrap(..., scale='probability') or scale='logit'"
        )
    if scale == "probability":
        return _behind(copied, weighing(outputs, {chosen: 1.0})), "probability"
    kind, logits = without_last(copied, dense, outputs.reshape(-1).double(), SOFTMAX)
    logits = _behind(logits, Logarithm()) if kind is None and are_shares else logits
    return _behind(logits, weighing(outputs, {chosen: 1.0, 1 - chosen: -1.0}) if count == 2 else AgainstOthers(chosen)), "logit"


def _behind(network: nn.Module, head: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(network=network, head=head))


def weighing(outputs: torch.Tensor, factors: dict[int, float]) -> nn.Linear:
    """Return a linear layer that gives the weighted sum of outputs."""
    line = nn.Linear(outputs.shape[1], 1, bias=False, device=outputs.device, dtype=outputs.dtype).requires_grad_(False)
    nn.init.zeros_(line.weight)
    for place, factor in factors.items():
        line.weight[0, place] = factor
    return line


class Logarithm(nn.Module):
    """Probabilities of all classes as logits."""

    def forward(self, shares: torch.Tensor) -> torch.Tensor:
        """Return their logarithms."""
        return shares.log()


def without_last(
    network: nn.Module, dense: torch.Tensor, output: torch.Tensor, kinds: tuple[type[nn.Module], ...]
) -> tuple[type[nn.Module] | None, nn.Module]:
    """Return the kind of a network's last module, if it is one of these, and the network without it; else None and itself."""
    tolerance = SLACK * torch.finfo(dense.dtype).eps
    for path, module in [(path, module) for path, module in network.named_modules() if type(module) in kinds]:
        parent, _, child = path.rpartition(".")
        holder, without = network.get_submodule(parent), network if path else nn.Identity()
        if path:
            setattr(holder, child, nn.Identity())
        with contextlib.suppress(Exception), torch.no_grad():  # what follows may not take what is not squashed
            again = module.forward(without(dense.clone()).reshape(len(dense), -1)).reshape(-1).double()
            if torch.allclose(again, output, rtol=0, atol=tolerance, equal_nan=True):
                return type(module), without
        if path:
            setattr(holder, child, module)
    return None, network


class Picking(nn.Module):
    """A network that returns several tensors, of which one has one number a row, or one for each of several outputs."""

    def __init__(self, network: nn.Module, scale: Scale, *, is_said: bool, name: str) -> None:
        super().__init__()
        self.network, self.wanted, self.name = network, PICKED[scale], name
        others = (key for other, keys in PICKED.items() if other != scale for key in keys)
        self.unwanted = frozenset(others if is_said else ())

    def forward(self, dense: torch.Tensor) -> torch.Tensor:
        """Return that one, [rows] or [rows, outputs]."""
        output = self.network(dense)
        if not isinstance(output, (Mapping, tuple, list)):
            raise NetworkError(f"{self.name} must return a tensor, got {type(output).__name__}; wrap a module that returns one")
        by_name = (
            output if isinstance(output, Mapping) else zip(getattr(output, "_fields", range(len(output))), output, strict=True)
        )
        named: dict[Any, Any] = dict(by_name)
        shapes = {key: list(getattr(value, "shape", ())) for key, value in named.items()}
        real = [key for key, shape in shapes.items() if shape[:1] == [len(dense)] and named[key].is_floating_point()]
        several = [key for key in real if len(shapes[key]) == 2]
        several = [key for key in self.wanted if key in several] or several
        fitting = [key for key in real if shapes[key][1:] in ([], [1])] or several[: len(several) == 1]
        wanted = [key for key in self.wanted if key in fitting] or fitting
        if len(wanted) != 1:
            came = ", ".join(f"{key} {shape}" for key, shape in shapes.items())
            raise NetworkError(
                f"{self.name} must return one number a row, but {len(fitting) or 'none'} of its outputs are that: {came}; "
                "wrap a module that returns the one to explain"
            )
        if wanted[0] in self.unwanted:
            raise NetworkError(f"{self.name} returns {wanted[0]!r}, which are not on the scale that was asked for")
        return named[wanted[0]]
