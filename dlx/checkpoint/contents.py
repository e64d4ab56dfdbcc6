"""A model as arrays, and back: what a description asks for is held against the arrays that are there."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx import architectures
from dlx.checkpoint.description import REMEDY
from dlx.encoder import Encoder
from dlx.model import LinearModel, Model, NeuralModel, Provenance, TreeModel
from dlx.schema import Schema
from dlx.trees import Trees

if TYPE_CHECKING:
    from torch import nn

Arrays = dict[str, np.ndarray]
Kept = NeuralModel | TreeModel | LinearModel  # the models that a checkpoint holds
ROUNDING = 1e-6  # that a probability may lie beyond 0 or 1


def pack(model: Model) -> bytes:
    """Return everything that a model has fitted, as the bytes of a safetensors file."""
    from safetensors.numpy import save

    return save({name: _narrowed(array) for name, array in _arrays(model).items()})


def unpack(content: bytes) -> Arrays:
    """Return the arrays of a safetensors file by name, or raise a ValueError."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(content)
    except (SafetensorError, KeyError, TypeError) as error:
        raise ValueError(f"no safetensors file that numpy reads: {error}") from error
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{name} must hold numbers, got {array.dtype}")
    return arrays


def model_of(said: Mapping[str, Any], arrays: Arrays, schema: Schema) -> Model:
    """Return the model of a description and its arrays, with the provenance of a plain training, or raise a `ValueError`."""
    with np.errstate(all="ignore"):  # what overflows, or is no number, is found out below
        model = _built(said, arrays, schema)
        _check_complete(model, arrays)
        _check_sense(model)
    if REMEDY in said["settings"]:
        return model
    made_by = Provenance(said["architecture"], said["seed"], said["config"], said["data_sha256"])
    return dataclasses.replace(model, provenance=made_by)


def _built(said: Mapping[str, Any], arrays: Arrays, schema: Schema) -> Kept:
    name, scales = said["name"], tuple(said["scales"])
    if said["kind"] == TreeModel.__name__:
        return TreeModel(Trees.from_arrays(_below("trees.", arrays)), schema, name, scales)
    encoder = Encoder(schema, **{name: arrays[f"encoder.{name}"] for name in ("center", "scale")})
    if said["kind"] == LinearModel.__name__:
        coefficients = arrays["coefficients"].astype(np.float64)
        if coefficients.shape != (encoder.width,):
            raise ValueError(f"there must be {encoder.width} coefficients, got {list(coefficients.shape)}")
        return LinearModel(coefficients, float(arrays["intercept"][0]), encoder, name, scales)
    return NeuralModel(_network(said, encoder.width, _below("network.", arrays)), encoder, name, scales)


def _network(said: Mapping[str, Any], width: int, arrays: Arrays) -> nn.Module:
    import torch

    own = {name: said["settings"][name] for name in architectures.options(said["architecture"])}
    with torch.device("meta"), _no_more_than(arrays):  # no weights are drawn, so nobody's random numbers move
        network: nn.Module = architectures.architecture(said["architecture"]).build(width, 0.5, **own)
    wanted = network.state_dict()
    for name, weight in wanted.items():
        if name not in arrays or arrays[name].shape != weight.shape:
            got = list(arrays[name].shape) if name in arrays else "none"
            raise ValueError(f"network.{name} must be {list(weight.shape)}, got {got}")
    weights = {name: torch.from_numpy(arrays[name].copy()).to(weight.dtype) for name, weight in wanted.items()}
    network.load_state_dict(weights, strict=True, assign=True)
    return network.requires_grad_(False)


@contextlib.contextmanager
def _no_more_than(arrays: Arrays) -> Iterator[None]:
    """Stop the building of a net that has more weights than there are: a description may ask for a billion layers."""
    from torch import nn

    here, left = threading.get_ident(), [len(arrays), sum(array.size for array in arrays.values())]

    def count(_module: nn.Module, _name: str, weight: nn.Parameter | None) -> None:
        if weight is None or threading.get_ident() != here:
            return
        left[:] = left[0] - 1, left[1] - weight.numel()
        if min(left) < 0:
            raise ValueError("its settings ask for a larger net than there are weights")

    handle = nn.modules.module.register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


def _check_complete(model: Kept, arrays: Arrays) -> None:
    """Raise unless the model holds each array that is there, to the last bit, and all are finite."""
    held = _arrays(model)
    for name, array in arrays.items():
        if name not in held or held[name].shape != array.shape:
            raise ValueError(f"{name}, {list(array.shape)}, is no part of the model")
        if not name.startswith("trees.") and not np.isfinite(array).all():  # trees look after themselves
            raise ValueError(f"{name} must be finite")
        if not np.array_equal(held[name], array):
            raise ValueError(f"{name} must hold numbers that the model can hold, got {array.dtype}")


def _check_sense(model: Kept) -> None:
    """Raise if the model gives no number for an ordinary row, or trees of probabilities leave 0 to 1."""
    row = np.zeros((1, len(model.schema))) if isinstance(model, TreeModel) else model.encoder.center[None]
    answer = model.compute(row)
    if not np.isfinite(answer).all():
        raise ValueError(f"it gives {answer[0]} for an ordinary row")
    if isinstance(model, TreeModel) and model.scales[0] == "probability":
        trees, is_leaf = model.trees, model.trees.feature < 0
        least = np.minimum.reduceat(np.where(is_leaf, trees.value, np.inf), trees.roots).sum() + trees.base
        most = np.maximum.reduceat(np.where(is_leaf, trees.value, -np.inf), trees.roots).sum() + trees.base
        if least < -ROUNDING or most > 1 + ROUNDING:
            raise ValueError(f"its leaves add up to {least:.3g} to {most:.3g}, which are no probabilities")


def _arrays(model: Model) -> Arrays:
    """Return everything that a model has fitted, by name."""
    if isinstance(model, TreeModel):
        return {f"trees.{name}": array for name, array in model.trees.arrays().items()}
    if isinstance(model, NeuralModel):
        weights = {f"network.{name}": weight.numpy() for name, weight in model.network.state_dict().items()}
    else:
        assert isinstance(model, LinearModel)
        weights = {"coefficients": model.coefficients, "intercept": np.array([model.intercept])}
    return weights | {f"encoder.{name}": array for name, array in model.encoder.arrays().items()}


def _below(prefix: str, arrays: Arrays) -> Arrays:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _narrowed(array: np.ndarray) -> np.ndarray:
    """Return an array in the smallest type that holds its numbers exactly: a checkpoint is small and loses nothing."""
    array = np.asarray(array, order="C")
    candidates = {"i": (np.int8, np.int16, np.int32), "f": (np.float32,)}.get(array.dtype.kind, ())
    for kind in candidates:
        with np.errstate(over="ignore"):
            narrow = array.astype(kind)
        if narrow.itemsize < array.itemsize and (narrow == array).all():
            return narrow
    return array
