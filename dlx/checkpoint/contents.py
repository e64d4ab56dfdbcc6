"""A model as arrays and a description, and back."""

from __future__ import annotations

import dataclasses
import platform
from importlib.metadata import version
from typing import Any

import numpy as np

from dlx import models
from dlx.encoder import Encoder
from dlx.model import LinearModel, Model, NeuralModel, Provenance, TreeModel
from dlx.schema import Schema
from dlx.training import Trained
from dlx.trees import Trees

Arrays = dict[str, np.ndarray]
REMEDY = "remedy"  # the setting of a model that was fixed


def pack(model: Model) -> bytes:
    """Return everything that a model has fitted, as the bytes of a safetensors file."""
    from safetensors.numpy import save

    return save({name: _narrowed(array) for name, array in _arrays(model).items()})


def unpack(content: bytes) -> Arrays:
    """Return the arrays of a safetensors file by name, or raise a ValueError."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        return load(content)
    except SafetensorError as error:
        raise ValueError(f"no safetensors file: {error}") from error


def model_of(described: dict[str, Any], arrays: Arrays) -> Model:
    """Return the model of a description and its arrays, with the provenance of a plain training."""
    model = _bare_model(described, arrays)
    if REMEDY in described["settings"]:
        return model
    made_by = Provenance(described["architecture"], described["seed"], described["config"], described["data_sha256"])
    return dataclasses.replace(model, provenance=made_by)


def _bare_model(described: dict[str, Any], arrays: Arrays) -> NeuralModel | TreeModel | LinearModel:
    schema, name, scales = Schema.from_dict(described["schema"]), described["name"], tuple(described["scales"])
    if described["kind"] == TreeModel.__name__:
        return TreeModel(Trees.from_arrays(_below("trees.", arrays)), schema, name, scales)
    encoder = Encoder(schema, **_below("encoder.", arrays))
    if described["kind"] == LinearModel.__name__:
        coefficients = arrays["coefficients"].astype(np.float64)
        if coefficients.shape != (encoder.width,):
            raise ValueError(f"there must be {encoder.width} coefficients, got {list(coefficients.shape)}")
        return LinearModel(coefficients, float(arrays["intercept"][0]), encoder, name, scales)
    return NeuralModel(_network(described, encoder.width, _below("network.", arrays)), encoder, name, scales)


def describe_trained(trained: Trained) -> dict[str, Any]:
    """Return what a checkpoint says of a model: what it is, how it was trained, how good it is, what made it."""
    model = trained.model
    return {
        "name": model.name,
        "kind": type(model).__name__,
        "architecture": trained.architecture,
        "case": trained.case,
        "seed": trained.seed,
        "config": trained.config,
        "settings": trained.settings,
        "scales": list(model.scales),
        "device": trained.device,
        "best_epoch": trained.best_epoch,
        "history": trained.history.to_dict("records"),
        "metrics": trained.metrics.drop(columns="model").to_dict("records"),
        "versions": {name: version(name) for name in ("dlx", "torch", "scikit-learn", "numpy")}
        | {"python": platform.python_version()},
        "data_sha256": trained.data_sha256,
        "schema": model.schema.to_dict(),
    }


def _network(described: dict[str, Any], width: int, arrays: Arrays) -> Any:
    import torch

    own = {name: described["settings"][name] for name in models.options(described["architecture"])}
    with torch.device("meta"):  # no weights are drawn, so nobody's random numbers move
        network = models.architecture(described["architecture"]).build(width, 0.5, **own)
    wanted = network.state_dict()
    weights = {
        name: torch.from_numpy(array.copy()).to(wanted[name].dtype) if name in wanted else torch.from_numpy(array)
        for name, array in arrays.items()
    }
    network.load_state_dict(weights, strict=True, assign=True)
    return network.requires_grad_(False)


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
