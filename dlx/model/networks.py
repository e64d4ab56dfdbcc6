"""A network of the user's own as dlx keeps it: a frozen copy, in its own precision, that gives one number a row."""

from __future__ import annotations

import copy
import itertools
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from dlx.errors import in_a_line
from dlx.model.base import Scale, ScaleError
from dlx.model.net_outputs import BROUGHT, SLACK, NetworkError, Picking, one_of, without_last

if TYPE_CHECKING:
    from dlx.schema import Target

FLOATS = (torch.float32, torch.float64)  # what networks compute in here; halves are widened to float32
PROBES = 64  # random rows that a network is tried on
SQUASHING = (nn.Sigmoid, nn.LogSigmoid, nn.LogSoftmax)


def framed(network: nn.Module, *, recode: nn.Linear | None = None, line: nn.Linear | None = None) -> nn.Sequential:
    """Return a net between another coding of its dense input and a line behind its output, where either is there."""
    parts = {"recode": recode, "network": network, "line": line}
    return nn.Sequential(OrderedDict((name, part) for name, part in parts.items() if part is not None))


def frozen(
    network: nn.Module,
    width: int,
    dense: torch.Tensor | None,
    *,
    scale: Scale | None,
    target: Target,
    chosen: int | None,
    name: str,
) -> tuple[nn.Module, Scale]:
    """Return a frozen copy that gives one number a row, and its scale; the network itself is neither called nor changed.

    Of several outputs a row it is the log-odds of the class that is chosen, or its probability where that is the scale; of a
    regression, the output itself.

    It may be in any mode, of any precision, with hooks and parametrizations, scripted or compiled. It is tried on the dense
    rows [rows, width], or on random ones. Where no scale is said, a last sigmoid tells it. A `NetworkError` says that it cannot
    be copied or called, reads weights of another network, returns more than one number a row, or answers for a row by those
    beside it; a `ScaleError`, that what it returns cannot be on the scale.
    """
    memo: dict[int, Any] = {}
    try:
        copied = untrained_copy(getattr(network, "_orig_mod", network), memo)  # what torch.compile compiled
    except Exception as error:  # a copy runs the user's code
        raise NetworkError(f"{name} cannot be copied: {in_a_line(error)}; wrap the network inside it") from error
    copied = copied if dtype_of(copied) in FLOATS else copied.float()  # which holds halves exactly
    setattr(copied, BROUGHT, True)
    dense, output, read = _tried(copied, width, dense, name)
    if not {*map(id, memo.values()), *map(id, copied.parameters())}.issuperset(map(id, read)):
        raise NetworkError(
            f"{name} reads weights of a network outside it, which would go on changing; keep that network as an attribute "
            "(self.inner = ... in __init__), so that it is copied too"
        )
    is_regression = target.kind == "regression"
    if not isinstance(output, torch.Tensor):
        copied = Picking(copied, scale or ("value" if is_regression else "logit"), is_said=scale is not None, name=name)
    copied, own = one_of(copied, dense, scale, target, chosen, name)
    output = _outputs(copied, dense, name)
    some = torch.arange(len(dense) - 1, -1, -2)
    again = _outputs(copied, dense[some], name)
    off = torch.nan_to_num((again - output[some]).abs())
    if off.max() > SLACK * torch.finfo(dtype_of(copied)).eps * output.nan_to_num().abs().max().clamp(min=1e-30):
        row = int(off.argmax())
        raise NetworkError(
            f"{name} must answer for a row whatever rows are beside it, but gives {float(output[some][row]):.6g} among "
            f"{len(dense)} rows and {float(again[row]):.6g} among {len(some)}; it normalises over the batch, or draws numbers"
        )
    if own is None:
        own = "value" if is_regression or scale == "value" else None
    return (copied, own) if own else _on_scale(copied, dense, output, scale, name)


PARTS = {"_parameters", "_buffers", "_modules"}  # of every module
MANAGED = set(vars(nn.Module())) - PARTS - {"training"}  # its hooks
SETTINGS = (bool, int, float, str, tuple, type(None))


def dtype_of(network: nn.Module) -> torch.dtype:
    """Return the precision of a network's weights: that of its input."""
    weights = itertools.chain(network.parameters(), network.buffers())
    floating = (weight.dtype for weight in weights if weight.is_floating_point())
    return next(floating, torch.float32)


def untrained_copy(network: nn.Module, memo: dict[int, Any] | None = None) -> nn.Module:
    """Return a copy in evaluation mode whose weights nothing trains, hooks included; what was copied is left in `memo`."""
    computed = (value for module in network.modules() for value in vars(module).values() if isinstance(value, torch.Tensor))
    memo = {} if memo is None else memo
    memo |= {id(value): value.detach().clone() for value in computed if not value.is_leaf}  # deepcopy refuses these
    trainers = [trainer for module in network.modules() if (trainer := vars(module).get("_trainer")) is not None]
    memo |= {id(trainer): trainer for trainer in trainers}  # Lightning's, with all the data: it is let go of
    with torch.no_grad():  # or the weights of a scripted copy depend on those that they were copied from
        copied: nn.Module = copy.deepcopy(network, memo).eval()
    for weight in copied.parameters():
        weight.requires_grad_(False)
    for module in copied.modules() if trainers else ():
        vars(module)["_trainer"] = None
    return copied


def to_hook(network: nn.Module) -> nn.Module:
    """Return an `untrained_copy` that may be hooked; that of plain modules shares their weights, as copying takes longer."""
    if any(_holds_more(module) for module in network.modules()):
        return untrained_copy(network)
    return _shared(network, {})


def _holds_more(module: nn.Module) -> bool:
    """Whether a module holds more than weights, modules and settings, or is hooked: then only a deep copy is a copy."""
    held = vars(module).items()
    return any(bool(value) if name in MANAGED else not isinstance(value, SETTINGS) for name, value in held if name not in PARTS)


def _shared(module: nn.Module, made: dict[nn.Module, nn.Module]) -> nn.Module:
    if module not in made:
        made[module] = shared = module.__new__(type(module))
        hooks = {name: type(held)() for name, held in vars(module).items() if name in MANAGED and held is not None}
        children = {name: child if child is None else _shared(child, made) for name, child in module._modules.items()}
        held = module._parameters.items()
        weights = {
            name: weight if weight is None else nn.Parameter(weight.detach(), requires_grad=False) for name, weight in held
        }
        parts = {"_parameters": weights, "_buffers": dict(module._buffers), "_modules": children}
        shared.__dict__ |= vars(module) | hooks | parts | {"training": False}
    return made[module]


class Calls(TorchFunctionMode):
    """Torch's functions inside the block go through another: it is given each with its arguments, and returns its result."""

    def __init__(self, through: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]) -> None:
        super().__init__()
        self.through = through

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        del types
        return self.through(function, tuple(args), kwargs or {})


def _tried(
    network: nn.Module, width: int, dense: torch.Tensor | None, name: str
) -> tuple[torch.Tensor, Any, list[torch.Tensor]]:
    """Return dense rows that a network can read, what it returns for them, and all that can be trained that it reads for it.

    The rows are those at hand, else random numbers or codes.
    """
    read: list[torch.Tensor] = []

    def reading(function: Any, args: Any, kwargs: Any) -> Any:
        given = (value for value in tree_leaves((args, kwargs)) if isinstance(value, torch.Tensor))
        read.extend(value for value in given if isinstance(value, nn.Parameter) or value.requires_grad)
        return function(*args, **kwargs)

    drawn = torch.randn(PROBES, width, generator=torch.Generator().manual_seed(0)) * torch.logspace(-1, 1, PROBES)[:, None]
    weight = next(network.parameters(), torch.zeros(0))
    codes = torch.randint(2, (PROBES, width), generator=torch.Generator().manual_seed(0)).float()
    for rows in [drawn, codes, torch.zeros(2, width)] if dense is None else [dense]:
        rows = rows.to(device=weight.device, dtype=dtype_of(network))
        try:
            with torch.no_grad(), Calls(reading):
                return rows, network(rows.clone()), read
        except Exception as error:  # the user's code, on numbers that it was not made for
            failed = error
    if hasattr(network, "parts"):  # it is called with inputs that the user made
        raise NetworkError(f"{name} cannot be called with its inputs: {in_a_line(failed)}") from failed
    raise NetworkError(
        f"{name} cannot be called with dense rows, one tensor [rows, {width}]: {in_a_line(failed)}; "
        "say what it is given (inputs=), pass the encoder that it was trained with, or wrap a module that takes such rows"
    ) from failed


def _outputs(network: nn.Module, dense: torch.Tensor, name: str) -> torch.Tensor:
    with torch.no_grad():
        output = network(dense.clone())  # a network may write into what it is given
    if not output.is_floating_point():
        kind = str(output.dtype).removeprefix("torch.")
        raise NetworkError(f"{name} must return real numbers, got {kind}; wrap a module that returns what they are made of")
    if tuple(output.shape) not in ((len(dense),), (len(dense), 1)):
        raise NetworkError(
            f"{name} must return one number a row, got {output.numel()} for {len(dense)} rows; "
            "add a last layer that picks one output"
        )
    return output.reshape(-1).double()


def _on_scale(
    copied: nn.Module, dense: torch.Tensor, output: torch.Tensor, scale: Scale | None, name: str
) -> tuple[nn.Module, Scale]:
    """Return the network with the scale of its output, a last sigmoid taken off; or refuse what cannot be."""
    seen = output[torch.isfinite(output)].tolist()
    low, high = min(seen, default=0.0), max(seen, default=0.0)
    came, bounded = f"{name} returned {low:g} to {high:g}", low >= 0 and high <= 1
    if scale == "probability" and not bounded:
        raise ScaleError(f"{came}, which are no probabilities; say on which scale it answers: dlx.wrap(..., scale='logit')")
    kind, without = without_last(copied, dense, output, SQUASHING)
    if kind is nn.Sigmoid and scale != "logit":
        return without, "logit"
    if kind is nn.Sigmoid:
        raise ScaleError(f"{name} ends in a sigmoid: it returns probabilities, not logits; wrap it with scale='probability'")
    if kind is not None:
        raise ScaleError(f"{name} ends in {kind.__name__}: it returns logarithms of probabilities; wrap it without that")
    if scale is None and bounded:
        raise ScaleError(
            f"{came} for different rows: probabilities, or logits? say it: dlx.wrap(..., scale='probability') or scale='logit'"
        )
    return copied, scale or "logit"
