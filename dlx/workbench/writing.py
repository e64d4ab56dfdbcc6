"""Models as plain data that the engine of the workbench reads: nets, trees and linear models of dlx."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.encoder import Encoder
from dlx.errors import DlxError
from dlx.model import AdditiveModel, LinearModel, Model, NeuralModel, TreeModel
from dlx.trees import LEAF, Trees, float32_below

if TYPE_CHECKING:
    import torch

    from dlx.architectures.additive import AdditiveNet
    from dlx.kernels.gradients.graph import Step
    from dlx.schema import Schema

Written = dict[str, Any]  # what JSON holds
OPERATIONS = {
    **{"ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Softplus": "softplus"},
    **{"AgainstOthers": "against_others", "Share": "share"},
}


class CannotBeWritten(DlxError):
    """A model that the engine could not evaluate."""


def written(model: Model) -> Written:
    """Return a model as plain data, or raise a `CannotBeWritten`: weights and thresholds as they are, never rounded.

    Parameters
    ----------
    model : Model
        A net of linear layers, batch norm, sums and elementwise nonlinearities; trees; or a linear model, on an `Encoder`.
    """
    encoder = getattr(model, "encoder", None)
    if not isinstance(model, (NeuralModel, LinearModel, TreeModel)):
        raise CannotBeWritten(f"{model.name} is a {type(model).__name__}; a page evaluates nets, trees and linear models")
    if encoder is not None and not isinstance(encoder, Encoder):
        raise CannotBeWritten(f"{model.name} reads columns that a pipeline of the user's own makes")
    said: Written = {"name": model.name, "scales": list(model.scales), "columns": _columns(model.schema, encoder)}
    if isinstance(model, TreeModel):
        return said | {"kind": "trees", "trees": _trees(model.trees)}
    if isinstance(model, AdditiveModel):
        return said | {"kind": "additive", "net": _additive(model)}
    if isinstance(model, NeuralModel):
        return said | {"kind": "net"} | _net(model)
    linear = {"op": "dense", "from": [0], "weight": _array(model.coefficients[None]), "bias": _array([model.intercept])}
    return said | {"kind": "linear", "net": {"width": model.encoder.width, "precision": "float32", "steps": [linear]}}


def packed(array: Any, dtype: Any) -> Written:
    """Return an array as JSON holds it: its type, its shape, and its bytes in base64, little-endian."""
    kept = np.ascontiguousarray(array, dtype=np.dtype(dtype).newbyteorder("<"))
    return {"dtype": kept.dtype.str[1:], "shape": list(np.shape(array)), "data": base64.b64encode(kept.tobytes()).decode()}


def _array(numbers: Any, kind: Any = np.float64) -> Written:
    """Return numbers packed, float64 as float32 where that holds them exactly."""
    array = np.asarray(numbers, dtype=kind)
    is_short = array.dtype == np.float64 and (array.astype(np.float32) == array).all()
    return packed(array, np.float32 if is_short else kind)


def _held(weight: torch.Tensor) -> Written:
    """Return a weight in its own precision."""
    numbers = weight.detach().cpu().numpy()
    return _array(numbers, numbers.dtype)


def _columns(schema: Schema, encoder: Encoder | None) -> list[Written]:
    """Return each column: which codes it has, and, for a model on dense rows, how these are encoded."""
    columns = []
    for i, feature in enumerate(schema.features):
        column: Written = {"name": feature.name, "levels": len(feature.levels), "missing": feature.missing, "width": 0}
        if encoder is not None:
            column |= encoder.plan(i)
        columns.append(column)
    return columns


def _net(model: NeuralModel) -> Written:
    import torch

    from dlx.kernels.gradients.recording import record

    network, draws = model.network, torch.Generator().manual_seed(0)
    dense = torch.randn(2, model.encoder.width, generator=draws).to(model.device, getattr(torch, model.precision))
    graph = record(network, dense)
    if graph is None or graph.widths[graph.last] != 1:
        raise CannotBeWritten(
            f"{model.name} is a net of more than linear layers, batch norm, sums and elementwise nonlinearities"
        )
    steps = [_step(step) for step in graph.steps[1:]]
    net = {"width": graph.width, "precision": model.precision, "steps": steps}
    return {"net": net, "rescale_rule": record(network, dense, functions=False) is not None}


def _additive(model: AdditiveModel) -> Written:
    """Return an additive net, and the linear layers that a remedy put before and behind it."""
    steps: list[Written] = []
    modules = _in_a_row(model.network)
    net = next(place for place, module in enumerate(modules) if hasattr(module, "halves"))
    chosen = 0
    if len(modules[net].head.weight) > 1:  # of several classes: the next layer takes one of its outputs
        chosen = int(modules.pop(net + 1).weight.argmax())
    for place, module in enumerate(modules):
        if place == net:
            made = _additive_step(module, model.owner, chosen)
        else:
            made = {"op": "dense", "weight": _held(module.weight), "bias": None if module.bias is None else _held(module.bias)}
        steps.append(made | {"from": [place]})
    return {"width": model.encoder.width, "precision": model.precision, "steps": steps}


def _in_a_row(network: Any) -> list[Any]:
    nested = [*network] if hasattr(network, "__iter__") else []
    return [module for child in nested for module in _in_a_row(child)] if nested else [network]


def _additive_step(net: AdditiveNet, owner: np.ndarray, output: int) -> Written:
    columns, members, chosen = np.unique(owner), net.members.tolist(), net.chosen.tolist()
    names = ("knots", "weight", "offset", "pair_weight", "pair_offset")
    return {
        "op": "additive",
        **{name: _held(getattr(net, name)) for name in names},
        "head": _held(net.head.weight[output]),
        "bias": net.head.bias[output].item(),
        "owner": owner.tolist(),
        "pairs": [
            {  # of no columns, where no pair was worth its place: it adds a number
                "columns": [int(columns[i]) for i in pair if i < len(columns)],
                "members": [[i for i in members[column] if i < net.width] for column in pair],
            }
            for pair in chosen
        ],
    }


def _step(step: Step) -> Written:
    from dlx.kernels.gradients.graph import Added, Dense, Nonlinear, Scaled

    said: Written = {"from": list(step.sources)}
    if isinstance(step, Dense):
        return said | {"op": "dense", "weight": _held(step.weight), "bias": None if step.bias is None else _held(step.bias)}
    if isinstance(step, Scaled):
        return said | {"op": "scaled", "factor": _held(step.factor), "shift": _held(step.shift)}
    if isinstance(step, Added):
        return said | {"op": "added", "number": step.number}
    assert isinstance(step, Nonlinear)
    return said | _nonlinearity(step.module)


def _nonlinearity(module: Any) -> Written:
    """Return a nonlinearity by its name, or a head of one of several classes, with its options."""
    options = {"slope": "negative_slope", "alpha": "alpha", "beta": "beta", "threshold": "threshold", "chosen": "chosen"}
    own = {ours: getattr(module, theirs) for ours, theirs in options.items() if hasattr(module, theirs)}
    return {"op": OPERATIONS[type(module).__name__]} | own


def _trees(trees: Trees) -> Written:
    """Return trees with their nodes in preorder, so that which are the children follows from which are leaves."""
    order = _preorder(trees)
    feature, reading = trees.feature[order], trees.reading
    inner = order[feature != LEAF]
    threshold = trees.threshold[inner]
    said: Written = {
        "base": trees.base,
        "feature": _array(feature, np.min_scalar_type(-max(2, int(feature.max()) + 1))),
        "threshold": _array(float32_below(threshold) if reading.precision == "float32" else threshold),
        "value": _array(trees.value[order[feature == LEAF]]),
        "missing_left": _array(np.packbits(trees.missing_left[inner], bitorder="little"), np.uint8),
        "precision": reading.precision,
        "takes_missing": reading.takes_missing,
        "absent": reading.absent.tolist(),
        "placed": np.column_stack([reading.placed[:, 0], reading.placed[:, 1:].astype(reading.precision)]).tolist(),
    }
    if trees.has_set.any():
        said |= {name: _array(getattr(trees, name)[inner], np.int32) for name in ("set_start", "set_size")}
        said["words"] = _array(trees.words, np.uint32)
    return said


def _preorder(trees: Trees) -> np.ndarray:
    """Return the nodes so that a left child comes right after its parent, int [nodes]."""
    order, left = [], list(reversed(trees.roots.tolist()))
    while left:
        node = left.pop()
        order.append(node)
        if trees.feature[node] != LEAF:
            left += [int(trees.right[node]), int(trees.left[node])]
    return np.array(order)
