"""What the files of a checkpoint hold: a description of the model, checked before it is believed, and arrays.

What a description asks for is held against the arrays that are there.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import math
import platform
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx import architectures, training
from dlx.checkpoint.folders import fits_a_folder
from dlx.encoder import Encoder
from dlx.files import parsed_json
from dlx.model import CLASSIFIER, LinearModel, Model, NeuralModel, Provenance, TreeModel
from dlx.schema import Schema
from dlx.training import Trained
from dlx.trees import Trees

if TYPE_CHECKING:
    from torch import nn

Arrays = dict[str, np.ndarray]
Kept = NeuralModel | TreeModel | LinearModel  # the models that a checkpoint holds
KINDS = (NeuralModel.__name__, TreeModel.__name__, LinearModel.__name__)
REMEDY = "remedy"  # the setting of a model that was fixed
LARGEST_SEED = 2**32 - 1
EPOCH = {"epoch", "training_loss", "validation_loss"}
METRIC = {"metric", "estimate", "low", "high", "reference"}
ROUNDING = 1e-6  # that a probability may lie beyond 0 or 1


# The description


def described(trained: Trained) -> dict[str, Any]:
    """Return what a checkpoint says of a model: what it is, how it was trained, how good it is, what made it."""
    model, made_by = trained.model, trained.made_by
    return {
        "name": model.name,
        "kind": type(model).__name__,
        "architecture": made_by.architecture,
        "case": trained.case,
        "seed": made_by.seed,
        "config": dict(made_by.config),
        "settings": trained.settings,
        "scales": list(model.scales),
        "device": trained.device,
        "best_epoch": trained.best_epoch,
        "history": trained.history.to_dict("records"),
        "metrics": [
            {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in line.items()}
            for line in trained.metrics.drop(columns="model").to_dict("records")
        ],
        "versions": versions(),
        "data_sha256": made_by.data_sha256,
        "schema": model.schema.to_dict(),
    }


def versions() -> dict[str, str]:
    """Return the versions of what trains a model."""
    packages = {name: version(name) for name in ("dlx", "torch", "scikit-learn", "numpy")}
    return packages | {"python": platform.python_version()}


def parsed(content: bytes) -> dict[str, Any]:
    """Return the description that JSON holds, or raise a `ValueError`: every field is there and is what it must be.

    Its schema is checked where it is read: by `Schema.from_dict`.
    """
    said = parsed_json(content)
    if not isinstance(said, dict):
        raise ValueError(f"a description must be a table of fields, got {_short(said)}")
    if set(said) != set(FIELDS):
        lacking, unknown = sorted(set(FIELDS) - set(said)), sorted(set(said) - set(FIELDS))
        but = f"lacks {', '.join(lacking)}" if lacking else f"has {_short(', '.join(unknown))}"
        raise ValueError(f"it must have the fields {', '.join(FIELDS)}, but {but}")
    for name, is_right in FIELDS.items():
        if not is_right(said[name]):
            raise ValueError(f"its {name} must not be {_short(said[name])}")
    _check_options(said)
    _check_model(said)
    return said


def _check_options(said: Mapping[str, Any]) -> None:
    """Raise unless the settings are the defaults, with what was configured."""
    architecture, config, settings = said["architecture"], said["config"], dict(said["settings"])
    if training.overrides(architecture, config) != config:
        raise ValueError(f"its config must name options that differ from the defaults, got {_short(config)}")
    if not isinstance(remedy := settings.pop(REMEDY, {}), dict):
        raise ValueError(f"its {REMEDY} must be a table, got {_short(remedy)}")
    training.overrides(architecture, settings)
    for name, value in (training.options(architecture) | config).items():
        if name not in settings or (value is not None and settings[name] != value):
            raise ValueError(f"its settings must have {name}={value!r}, as the defaults and its config say")


def _check_model(said: Mapping[str, Any]) -> None:
    """Raise unless name, kind and scales are those of a model of the architecture: of the kind that its `fit` returns."""
    architecture, kind = said["architecture"], said["kind"]
    name = training.name_of(architecture, said["seed"], said["config"]) + " fixed" * (REMEDY in said["settings"])
    if said["name"] != name:
        raise ValueError(f"its name must be {name!r}, got {_short(said['name'])}")
    module = architectures.architecture(architecture)
    is_net = architectures.is_net(architecture)
    made = NeuralModel.__name__ if is_net else inspect.signature(module.fit).return_annotation
    if kind not in (kinds := (made,) if made in KINDS else KINDS):
        raise ValueError(f"a model of {architecture} is a {' or '.join(kinds)}, got {_short(kind)}")
    if kind != TreeModel.__name__ and tuple(said["scales"]) != CLASSIFIER:
        raise ValueError(f"a {kind} answers on the scale {CLASSIFIER[0]!r}, got {_short(said['scales'])}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value.splitlines()) == 1


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LARGEST_SEED


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _are_lines(value: Any, is_right: Callable[[dict[str, Any]], bool]) -> bool:
    return isinstance(value, list) and all(isinstance(line, dict) and is_right(line) for line in value)


def _is_epoch(line: Mapping[str, Any]) -> bool:
    return set(line) == EPOCH and _is_whole(line["epoch"]) and all(map(_is_number, line.values()))


def _is_metric(line: Mapping[str, Any]) -> bool:
    if not set(line) >= METRIC or not _is_text(line["metric"]):
        return False
    has_no_interval = line["low"] is line["high"] is None
    return all(_is_number(line[name]) for name in ("estimate", "reference", *(() if has_no_interval else ("low", "high"))))


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 60 else f"{text[:57]}..."


FIELDS: dict[str, Callable[[Any], bool]] = {
    "name": _is_text,
    "kind": _is_text,
    "architecture": lambda value: value in architectures.names(),
    "case": lambda value: _is_text(value) and fits_a_folder(value),
    "seed": _is_whole,
    "config": _is_table,
    "settings": _is_table,
    "scales": lambda value: isinstance(value, list) and sorted(map(str, value)) == sorted(CLASSIFIER),
    "device": lambda value: value in training.DEVICES[1:],
    "best_epoch": lambda value: value is None or _is_whole(value),
    "history": lambda value: _are_lines(value, _is_epoch),
    "metrics": lambda value: _are_lines(value, _is_metric),
    "versions": lambda value: _is_table(value) and all(map(_is_text, value.values())),
    "data_sha256": lambda value: isinstance(value, str) and bool(re.fullmatch("[0-9a-f]{64}", value)),
    "schema": _is_table,
}


# The arrays


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
    return model.renamed(model.name, made_by)


def _built(said: Mapping[str, Any], arrays: Arrays, schema: Schema) -> Kept:
    name, scales = said["name"], tuple(said["scales"])
    if said["kind"] == TreeModel.__name__:
        return TreeModel(
            Trees.from_arrays({name.removeprefix("trees."): array for name, array in arrays.items()}), schema, name, scales
        )
    encoder = Encoder(schema, **{name: arrays[f"encoder.{name}"] for name in ("center", "scale")})
    if said["kind"] == LinearModel.__name__:
        coefficients = arrays["coefficients"].astype(np.float64).reshape(encoder.width)
        return LinearModel(coefficients, float(arrays["intercept"][0]), encoder, name, scales)
    return NeuralModel(_network(said, encoder.width, arrays), encoder, name, scales)


def _network(said: Mapping[str, Any], width: int, arrays: Arrays) -> nn.Module:
    import torch

    own = {name: said["settings"][name] for name in architectures.options(said["architecture"])}
    with torch.device("meta"), _no_more_than(arrays):  # no weights are drawn, so nobody's random numbers move
        network: nn.Module = architectures.architecture(said["architecture"]).build(width, 0.5, **own)
    weights = {
        name: torch.from_numpy(arrays[f"network.{name}"].copy()).to(weight.dtype)
        for name, weight in network.state_dict().items()
    }
    network.load_state_dict(weights, strict=True, assign=True)
    return network.requires_grad_(False)


@contextlib.contextmanager
def _no_more_than(arrays: Arrays) -> Iterator[None]:
    """Stop the building of a net that has more weights than there are: a description may ask for a billion layers."""
    from torch import nn

    weights = [array for name, array in arrays.items() if name.startswith("network.")]
    here, left = threading.get_ident(), [len(weights), sum(array.size for array in weights)]

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
        least, most = (ends.sum() + model.trees.base for ends in model.trees.ranges)
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
