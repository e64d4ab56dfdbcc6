"""Outputs of networks: which of several tensors, and which of several numbers a row, on a scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

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
SUM_ROUNDING = 1e-4  # of probabilities of all classes, which sum to 1


class NetworkError(DlxError):
    """A network that dlx cannot copy, call, or read one number a row from."""


class Around(nn.Module):
    """A module that dlx puts around a network, its `network`."""

    network: nn.Module


def shown(network: nn.Module, path: str) -> str:
    """Return the path of a module as its user knows it, without what dlx put around the network."""
    around = [place for place, module in network.named_modules() if isinstance(module, Around)]
    if not around:
        return path
    inner = f"{around[-1]}.network".lstrip(".")
    return path.removeprefix(inner).lstrip(".") if path.startswith(inner) else ""


def one_of(
    copied: nn.Module, dense: torch.Tensor, scale: Scale | None, target: Target, chosen: int | None, name: str
) -> tuple[nn.Module, Scale | None]:
    """Return a network of several outputs as one of the output chosen, with its scale; None as scale of one of one output."""
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
        return OneOf(copied, chosen, "value"), "value"
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
        return OneOf(copied, chosen, "value"), "probability"
    return OneOf(copied, chosen, "shares" if are_shares else "logits"), "logit"


class OneOf(Around):
    """One of several outputs: that itself ("value"), or the log-odds of a class among "shares" or "logits" of all."""

    def __init__(self, network: nn.Module, chosen: int, kind: Literal["value", "shares", "logits"]) -> None:
        super().__init__()
        self.network, self.chosen, self.kind = network, chosen, kind

    def forward(self, dense: torch.Tensor) -> torch.Tensor:
        """Return it, [rows]."""
        outputs = self.network(dense)
        one = outputs[:, self.chosen]
        if self.kind == "value":
            return one
        others = torch.cat([outputs[:, : self.chosen], outputs[:, self.chosen + 1 :]], dim=1)
        if self.kind == "shares":
            return one.log() - others.sum(dim=1).log()
        return one - (others[:, 0] if others.shape[1] == 1 else others.logsumexp(dim=1))


class Picking(Around):
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
