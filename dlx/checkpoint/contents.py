"""What the files of a checkpoint hold: a description of the model, checked before it is believed, and arrays.

What a description asks for is held against the arrays that are there.
"""

from __future__ import annotations

import contextlib
import inspect
import platform
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dlx import architectures, training
from dlx.dataset.parts import BY_OUTCOME
from dlx.encoder import Encoder
from dlx.errors import DlxError, quoted
from dlx.files import fits_a_folder, parsed_json
from dlx.model import EachClass, LinearModel, Model, NeuralModel, Provenance, TreeModel
from dlx.model.base import CLASSIFIER
from dlx.model.kinds import model_of_net
from dlx.schema import Schema
from dlx.schema.fields import conform, described
from dlx.training import Trained
from dlx.trees import Trees

if TYPE_CHECKING:
    from torch import nn

Arrays = dict[str, np.ndarray]
Kept = NeuralModel | TreeModel | LinearModel  # the models that a checkpoint holds, or one of each class
VALUE = ("value",)
KINDS = (NeuralModel.__name__, TreeModel.__name__, LinearModel.__name__)
REMEDY = "remedy"  # the setting of a model that was fixed
ROUNDING = 1e-6  # that a probability may lie beyond 0 or 1


@dataclass(frozen=True)
class Description:
    """What a checkpoint says of a model, as JSON holds it: what it is, how it was trained, how good it is, what made it."""

    name: str
    kind: str
    architecture: str
    case: str
    seed: int
    config: Mapping[str, object]
    settings: Mapping[str, object]  # the defaults with what was configured, and the remedy of a model that was fixed
    scales: tuple[str, ...]
    device: Literal["cpu", "cuda"]
    best_epoch: int | None
    history: tuple[Mapping[str, float], ...]
    metrics: tuple[Mapping[str, float | str | None], ...]
    versions: Mapping[str, str]
    data_sha256: str
    schema: Mapping[str, object]  # checked where it is read: by `Schema.from_dict`
    split: str = BY_OUTCOME  # how the rows were split, in words

    def __post_init__(self) -> None:
        conform(self, "it", DlxError)
        defaults, plain = training.options(self.architecture), {n: v for n, v in self.settings.items() if n != REMEDY}
        asked = {**defaults, **self.config}
        changed = training.overrides(self.architecture, self.config)
        training.overrides(self.architecture, plain)
        named = training.name_of(self.architecture, self.seed, self.config) + " fixed" * (REMEDY in self.settings)
        fit = getattr(architectures.architecture(self.architecture), "fit", None)
        made = inspect.signature(fit).return_annotation if fit else NeuralModel.__name__
        is_right = {
            "seed": 0 <= self.seed < 2**32,
            "case": fits_a_folder(self.case),
            "config": changed == self.config,
            "settings": plain.keys() == asked.keys() and all(value in (None, plain[name]) for name, value in asked.items()),
            "remedy": isinstance(self.settings.get(REMEDY, {}), Mapping),
            "name": self.name == named,
            "kind": self.kind in ((made,) if made in KINDS else KINDS),
            "scales": self.scales in (CLASSIFIER, VALUE, *((CLASSIFIER[::-1],) if self.kind == TreeModel.__name__ else ())),
            "best_epoch": self.best_epoch is None or self.best_epoch >= 0,
            "history": all(set(line) == {"epoch", "training_loss", "validation_loss"} for line in self.history),
            "metrics": all(map(_is_metric, self.metrics)),
            "versions": all(len(text.splitlines()) == 1 for text in self.versions.values()),
            "split": len(self.split.splitlines()) == 1,
            "data_sha256": re.fullmatch("[0-9a-f]{64}", self.data_sha256) is not None,
        }
        if wrong := [name for name, is_so in is_right.items() if not is_so]:
            raise ValueError(f"its {wrong[0]} must not be {quoted(getattr(self, wrong[0], self.settings))}")


def _is_metric(line: Mapping[str, float | str | None]) -> bool:
    needed = {"metric", "estimate", "low", "high", "reference"}
    if not set(line) >= needed:
        return False
    numbers = {"estimate", "reference"} if line["low"] is line["high"] is None else needed - {"metric"}
    return isinstance(line["metric"], str) and all(isinstance(line[name], (int, float)) for name in numbers)


def description_of(trained: Trained) -> dict[str, Any]:
    """Return the fields of the `Description` of a trained model."""
    model, made_by = trained.model, trained.made_by
    kept = model.models[0] if isinstance(model, EachClass) else model
    metrics = trained.metrics.drop(columns="model").astype(object)
    own = {
        "name": model.name,
        "kind": NeuralModel.__name__ if isinstance(kept, NeuralModel) else type(kept).__name__,
        "config": dict(made_by.config),
        "scales": list(model.scales),
        "best_epoch": trained.best_epoch,
        "history": trained.history.to_dict("records"),
        "metrics": metrics.where(metrics.notna(), None).to_dict("records"),
        "versions": versions(),
        "schema": model.schema.to_dict(),
    }
    said = vars(made_by) | vars(trained) | own
    return {field.name: said[field.name] for field in fields(Description)}


def versions() -> dict[str, str]:
    """Return the versions of what trains a model."""
    packages = {name: version(name) for name in ("dlx", "torch", "scikit-learn", "numpy")}
    return packages | {"python": platform.python_version()}


def parsed(content: bytes) -> dict[str, Any]:
    """Return the fields of the description that JSON holds, or raise a `ValueError`: each is there and is what it must be."""
    said = described(Description, parsed_json(content), "it", DlxError)
    Description(**said)
    return said


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
    """Return the model of a description and its arrays, with the provenance of a plain training, or raise a `ValueError`.

    It holds each array that is there to the last bit, gives a number for an ordinary row, and trees of probabilities stay
    within 0 and 1.
    """
    with np.errstate(all="ignore"):  # what overflows, or is no number, is found out below
        model = _built(said, arrays, schema)
        held = _arrays(model)
        for name, array in arrays.items():
            is_finite = "trees." in name or np.isfinite(array).all()  # trees look after themselves
            if name not in held or not np.array_equal(held[name], array) or not is_finite:
                raise ValueError(f"{name}, {array.dtype} {list(array.shape)}, holds what is no part of the model")
        for one in model.models if isinstance(model, EachClass) else (model,):
            _refuse_odd(one)
    if REMEDY in said["settings"]:
        return model
    made_by = Provenance(said["architecture"], said["seed"], said["config"], said["data_sha256"])
    return model.renamed(model.name, made_by)


def _refuse_odd(model: Model) -> None:
    """Raise a `ValueError` unless an ordinary row has a number, and trees of probabilities stay within 0 and 1."""
    assert isinstance(model, Kept)
    row = model.encoder.center[None] if isinstance(model.encoder, Encoder) else np.zeros((1, len(model.schema)))
    if not np.isfinite(answer := model.compute(row)).all():
        raise ValueError(f"it gives {answer[0]} for an ordinary row")
    if isinstance(model, TreeModel) and model.scales[0] == "probability":
        least, most = (ends.sum() + model.trees.base for ends in model.trees.ranges)
        if least < -ROUNDING or most > 1 + ROUNDING:
            raise ValueError(f"its leaves add up to {least:.3g} to {most:.3g}, which are no probabilities")


def _built(said: Mapping[str, Any], arrays: Arrays, schema: Schema) -> Kept | EachClass:
    target = schema.target
    if (tuple(said["scales"]) == VALUE) != (target.kind == "regression"):
        raise ValueError(f"its scales must be those of a {target.kind} target, got {', '.join(said['scales'])}")
    if target.kind != "multiclass":
        return _built_one(said, arrays, schema)
    if said["kind"] == NeuralModel.__name__:
        from dlx.model.heads import each_class

        encoder = Encoder(schema, arrays["encoder.center"], arrays["encoder.scale"])
        return each_class(_network(said, arrays, encoder), encoder, said["name"])
    of_classes = (
        {name.removeprefix(f"{code}."): array for name, array in arrays.items() if name.startswith(f"{code}.")}
        for code in range(len(target.levels))
    )
    return EachClass(tuple(_built_one(said, some, schema) for some in of_classes), said["name"])


def _built_one(said: Mapping[str, Any], arrays: Arrays, schema: Schema) -> Kept:
    name, scales = said["name"], tuple(said["scales"])
    if said["kind"] == TreeModel.__name__:
        parts = {part.removeprefix("trees."): array for part, array in arrays.items()}
        return TreeModel(Trees.from_arrays(parts), schema, name, scales)
    encoder = Encoder(schema, arrays["encoder.center"], arrays["encoder.scale"])
    if said["kind"] == LinearModel.__name__:
        coefficients = arrays["coefficients"].astype(np.float64).reshape(encoder.width)
        return LinearModel(coefficients, float(arrays["intercept"][0]), encoder, name, scales)
    return model_of_net(_network(said, arrays, encoder), encoder, name, scales)


def _network(said: Mapping[str, Any], arrays: Arrays, encoder: Encoder) -> nn.Module:
    """Return the network of an architecture with its weights; nothing larger than these is built."""
    import torch

    target = encoder.schema.target
    bias = [0.0] * (len(target.levels) if target.kind == "multiclass" else 1)
    weights = {part.removeprefix("network."): array for part, array in arrays.items() if part.startswith("network.")}
    own = {option: said["settings"][option] for option in architectures.options(said["architecture"])}
    with torch.device("meta"), _no_more_than(weights):  # no weights are drawn, so nobody's random numbers move
        network = _network_of(said["architecture"], encoder, bias, own, weights)
    kinds = {part: weight.dtype for part, weight in network.state_dict().items()}
    state = {part: torch.from_numpy(array.copy()).to(kinds.get(part)) for part, array in weights.items()}
    network.load_state_dict(state, strict=True, assign=True)
    return network.requires_grad_(False)


def _network_of(architecture: str, encoder: Encoder, bias: list[float], own: Mapping[str, Any], weights: Arrays) -> nn.Module:
    """Return an architecture's net, untrained, in the frame that a remedy or a unit put around it, as its weights say."""
    from torch import nn

    from dlx.model.networks import framed

    owner, recode, line = encoder.owner, None, None
    if "recode.weight" in weights:
        recode = nn.Linear(encoder.width, len(weights["recode.weight"]), bias=False)
        owner = np.unique(owner[weights["recode.weight"].argmax(axis=1)], return_inverse=True)[1]
    if "line.weight" in weights:
        line = nn.Linear(1, 1)
    network: nn.Module = architectures.network_of(architecture, len(owner), bias, owner.tolist(), own)
    return framed(network, recode=recode, line=line) if recode or line else network


@contextlib.contextmanager
def _no_more_than(weights: Arrays) -> Iterator[None]:
    """Stop the building of a net that has more weights than there are: a description may ask for a billion layers."""
    from torch import nn

    here, left = threading.get_ident(), sum(array.size for array in weights.values())

    def count(_module: nn.Module, _name: str, weight: nn.Parameter | None) -> None:
        nonlocal left
        if weight is not None and threading.get_ident() == here:
            left -= weight.numel()
            if left < 0:
                raise ValueError("its settings ask for a larger net than there are weights")

    handle = nn.modules.module.register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


def _arrays(model: Model) -> Arrays:
    """Return everything that a model has fitted, by name; of several classes a net once, any other by the class's position."""
    if isinstance(model, EachClass):
        if isinstance(first := model.models[0], NeuralModel):
            return _arrays(replace(first, network=first.network.get_submodule("0")))
        return {f"{code}.{name}": array for code, one in enumerate(model.models) for name, array in _arrays(one).items()}
    if isinstance(model, TreeModel):
        return {f"trees.{name}": array for name, array in model.trees.arrays().items()}
    if isinstance(model, NeuralModel):
        weights = {f"network.{name}": weight.cpu().numpy() for name, weight in model.network.state_dict().items()}
    else:
        assert isinstance(model, LinearModel)
        weights = {"coefficients": model.coefficients, "intercept": np.array([model.intercept])}
    assert isinstance(model.encoder, Encoder)
    return weights | {f"encoder.{name}": array for name, array in model.encoder.arrays().items()}


def _narrowed(array: np.ndarray) -> np.ndarray:
    """Return an array in the smallest type that holds its numbers exactly: a checkpoint is small and loses nothing."""
    array = np.asarray(array, order="C")
    for kind in {"i": (np.int8, np.int16, np.int32), "f": (np.float32,)}.get(array.dtype.kind, ()):
        with np.errstate(over="ignore"):
            narrow = array.astype(kind)
        if narrow.itemsize < array.itemsize and (narrow == array).all():
            return narrow
    return array
