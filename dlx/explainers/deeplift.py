"""DeepLIFT of a net, rescale rule, averaged over the background: written out, and by captum as the reference.

Shrikumar, Greenside and Kundaje (2017), "Learning Important Features Through Propagating Activation Differences",
section 3.5.1. captum knows some nonlinearities, as modules; it takes every other one for a plain gradient and says
nothing. So a net with another one is refused, by either implementation.

The log-odds of one class against the others is a function of several outputs. Its multiplier for each is the mean derivative
along the straight line from the reference's outputs to the person's (`dlx.model.heads`), so that contributions add up.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from dlx.errors import plural
from dlx.explainers import ROWS, AsItComes, MethodError
from dlx.explainers._captum import average_over, copy_on_scale, on_scale
from dlx.explainers._functions import is_of_torch, nonlinear_functions
from dlx.explainers._lookups import EMBEDDINGS, refuse_lookups
from dlx.explanation import Attribution, LocalAccuracy
from dlx.kernels.gradients.nonlinearities import NONLINEARITIES
from dlx.kernels.gradients.recording import record
from dlx.kernels.gradients.rescale import deeplift
from dlx.model import Model, NeuralModel, Scale
from dlx.model.heads import HEADS
from dlx.model.net_outputs import shown
from dlx.model.networks import to_hook

LABEL = "DeepLIFT"
LIBRARY = "captum"
PROMISE = LocalAccuracy(
    relative=1e-3,
    remedy="the rule cannot see a nonlinearity of the net: use integrated_gradients",
)
IS_SHAPLEY = False
IS_RANDOM, KNOWS_ERROR = False, False
COST, PREFERENCE, EVALUATES = "low", 3, ROWS
SHOWN_AS = "references"
AS_IT_COMES = AsItComes("zeros")  # captum 0.9: baselines=None
INSTEAD = ("integrated_gradients",)
BATCH_ROWS = 4_096
QUESTION = "How much of the difference to a reference person does each column carry through the net?"

LINEAR_MODULES = (
    *(nn.Linear, nn.Conv1d, nn.AvgPool1d, nn.AdaptiveAvgPool1d, nn.BatchNorm1d),
    *(nn.Identity, nn.Dropout, nn.AlphaDropout, nn.Flatten, nn.Unflatten),
    *EMBEDDINGS,  # where the codes do not move with the rows, which is made sure of first
)
WITH_RULES = (*LINEAR_MODULES, *NONLINEARITIES, *HEADS)  # of dlx


def attribute(model: NeuralModel, rows: np.ndarray, background: np.ndarray, *, scale: Scale, seed: int = 0) -> Attribution:
    """Return DeepLIFT contributions of coded rows.

    Raises
    ------
    MethodError
        If the net has a nonlinearity that captum would take for a plain gradient or for which dlx has not written out the
        rule, or looks up codes, where gradients are 0.
    """
    del seed
    network, both = on_scale(model, scale), model.dense(np.concatenate([rows, background]))
    persons, references = both[: len(rows)], both[len(rows) :]
    graph = record(network, references, functions=False)
    if graph is None or graph.is_reusing:  # else all that it does is known, and has a rule
        refuse_lookups("deeplift", model, rows, background)
        refuse_unknown_nonlinearities(model.name, to_hook(network), persons[:1], rules="dlx")
    found = deeplift(network, persons, references, graph)
    return Attribution(model.encoder.fold(found.values), evaluations=found.evaluations)


def remedy_for(model: NeuralModel, background: np.ndarray) -> str:
    """Return which function of a net spoils contributions that do not add up, and what to do; "" where none is found."""
    functions = nonlinear_functions(model.network, model.dense(background))
    if not functions:
        return ""
    path, function = functions[0]
    others = f" (and {plural(len(functions) - 1, 'more call')} like that)" if len(functions) > 1 else ""
    where = shown(model.network, path) or "the network itself"
    return f"{where} calls {function}, which the rule cannot see{others}: make it a module, or use integrated_gradients"


def reference(model: NeuralModel, rows: np.ndarray, background: np.ndarray, *, scale: Scale, seed: int = 0) -> Attribution:
    """Return the same by captum.

    Parameters are those of `attribute`, and so are the errors.
    """
    del seed
    refuse_lookups("deeplift", model, rows, background)
    network = copy_on_scale(model, scale)
    if not reference_takes(model):
        raise MethodError(f"captum has no DeepLIFT rule for one class of {model.name} against the others, only dlx has")
    refuse_unknown_nonlinearities(model.name, network, model.dense(rows[:1]))
    return unchecked(model, rows, background, scale=scale)


def reference_takes(model: Model) -> bool:
    """Whether captum has rules for a net: it has none for one of several classes."""
    return isinstance(model, NeuralModel) and not any(isinstance(module, HEADS) for module in model.network.modules())


def unchecked(model: NeuralModel, rows: np.ndarray, background: np.ndarray, *, scale: Scale) -> Attribution:
    """Return what captum gives for any net, also one whose nonlinearities it takes for plain gradients.

    Parameters are those of `attribute`; nothing promises that the contributions add up.
    """
    from captum.attr import DeepLift

    lift = DeepLift(copy_on_scale(model, scale), eps=1e-6)

    def one(persons: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Setting forward, backward hooks")
            return lift.attribute(persons.requires_grad_(), references)

    return average_over(one, model, rows, background, evaluations_per_pair=2)


def refuse_unknown_nonlinearities(name: str, network: nn.Module, dense: torch.Tensor, *, rules: str = "captum") -> None:
    """Raise a `MethodError` that names modules that captum, or dlx, has no rule for, or that are used more than once."""
    uses, own = nonlinear_uses(network, dense), leaves(network)
    unwritten = {path: module for path, module in own.items() if type(module) not in WITH_RULES and uses.get(path, 1)}
    unknown = {path: module for path, module in outside_table(network).items() if uses[path]}
    if unknown and (rules == "captum" or unwritten):
        table = ", ".join(sorted(module.__name__ for module in known_nonlinearities()))
        raise MethodError(
            f"deeplift cannot explain {name}: captum has no rule for {named(network, unknown)} and would take a plain "
            f"gradient; its rules are for {table}; use integrated_gradients, or train with one of these"
        )
    if rules == "dlx" and unwritten:
        raise MethodError(
            f"deeplift cannot explain {name}: dlx has no rule for {named(network, unwritten)}; pass "
            "implementation='reference' for captum's, or use integrated_gradients"
        )
    if reused := [shown(network, path) for path, count in uses.items() if count > 1]:
        raise MethodError(
            f"deeplift cannot explain {name}: {', '.join(reused)} is used more than once; give each use a module of its own"
        )


def named(network: nn.Module, some: Mapping[str, nn.Module]) -> str:
    """Return how an error names modules, by path: "LayerNorm blocks.0.norm, Softmax head.2"; three of many."""
    each = [f"{type(module).__name__} {shown(network, path)}".strip() for path, module in some.items()]
    return ", ".join(each[:3]) + f" and {len(each) - 3} more" * (len(each) > 3)


def known_nonlinearities() -> tuple[type[nn.Module], ...]:
    """Return the modules that captum has a rule for."""
    from captum.attr._core.deep_lift import SUPPORTED_NON_LINEAR

    return tuple(SUPPORTED_NON_LINEAR)


def outside_table(network: nn.Module) -> dict[str, nn.Module]:
    """Return torch's modules without children, by path, that are neither linear nor in captum's table."""
    known = (*LINEAR_MODULES, *known_nonlinearities())
    return {path: module for path, module in leaves(network).items() if not isinstance(module, known)}


def leaves(network: nn.Module) -> dict[str, nn.Module]:
    """Return torch's modules without children, by path; attention, which has some, computes more than they do."""
    own = {path: module for path, module in network.named_modules() if is_of_torch(module)}
    return {path: m for path, m in own.items() if isinstance(m, nn.MultiheadAttention) or not any(m.children())}


def nonlinear_uses(network: nn.Module, dense: torch.Tensor) -> dict[str, int]:
    """Return how often one forward calls each module without children that is not linear, by path."""
    nonlinear = {path: module for path, module in leaves(network).items() if not isinstance(module, LINEAR_MODULES)}
    uses = dict.fromkeys(nonlinear, 0)

    def count(path: str) -> None:
        uses[path] += 1

    with contextlib.ExitStack() as hooks, torch.enable_grad():  # or torch may run a layer without its modules
        for path, module in nonlinear.items():
            hooks.callback(module.register_forward_hook(lambda *_, path=path: count(path)).remove)
        network(dense.clone().requires_grad_())
    return uses
