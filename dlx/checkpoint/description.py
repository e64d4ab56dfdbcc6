"""What a checkpoint says of itself: written when it is saved, and held to what it must be before it is believed."""

from __future__ import annotations

import inspect
import json
import math
import platform
import re
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from dlx import architectures, training
from dlx.checkpoint.identity import Run
from dlx.files import parsed_json
from dlx.model import CLASSIFIER, LinearModel, NeuralModel, TreeModel
from dlx.training import Trained

REMEDY = "remedy"  # the setting of a model that was fixed
LARGEST_SEED = 2**32 - 1
KINDS = (NeuralModel.__name__, TreeModel.__name__, LinearModel.__name__)
METRIC = {"metric", "estimate", "low", "high", "reference"}


def described(trained: Trained) -> dict[str, Any]:
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
        "metrics": [_without_nan(line) for line in trained.metrics.drop(columns="model").to_dict("records")],
        "versions": versions(),
        "data_sha256": trained.data_sha256,
        "schema": model.schema.to_dict(),
    }


def _without_nan(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line of metrics as JSON holds it: an interval that there is not has the ends null."""
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in line.items()}


def versions() -> dict[str, str]:
    """Return the versions of what trains a model."""
    packages = {name: version(name) for name in ("dlx", "torch", "scikit-learn", "numpy")}
    return packages | {"python": platform.python_version()}


def run_of(said: Mapping[str, Any]) -> Run:
    """Return the run that a description names."""
    return Run(said["case"], said["architecture"], said["seed"], said["config"])


def parsed(content: bytes) -> dict[str, Any]:
    """Return the description that JSON holds, or raise a `ValueError`: every field is there and is what it must be.

    Its schema is checked where it is read: by `Schema.from_dict`.
    """
    said = parsed_json(content)
    if not isinstance(said, dict):
        raise ValueError(f"a description must be a table of fields, got {_short(said)}")
    lacking, unknown = sorted(set(FIELDS) - set(said)), sorted(set(said) - set(FIELDS))
    if lacking or unknown:
        raise ValueError(f"it must have the fields {', '.join(FIELDS)}, but {_lacks(lacking, unknown)}")
    for name, is_right in FIELDS.items():
        if not is_right(said[name]):
            raise ValueError(f"its {name} must not be {_short(said[name])}")
    _check_options(said)
    _check_model(said)
    return said


def _check_options(said: Mapping[str, Any]) -> None:
    """Raise unless the settings are the defaults, with what was configured."""
    architecture, config = said["architecture"], said["config"]
    if training.overrides(architecture, config) != config:
        raise ValueError(f"its config must name options that differ from the defaults, got {_short(config)}")
    settings = {name: value for name, value in said["settings"].items() if name != REMEDY}
    wanted = training.options(architecture) | config
    training.overrides(architecture, settings)
    if not isinstance(said["settings"].get(REMEDY, {}), dict):
        raise ValueError(f"its {REMEDY} must be a table, got {_short(said['settings'][REMEDY])}")
    for name, value in wanted.items():
        if name not in settings:
            raise ValueError(f"its settings lack {name}")
        if value is not None and settings[name] != value:
            raise ValueError(f"it was trained with {name}={settings[name]!r}, not {value!r} as its config asks")


def _check_model(said: Mapping[str, Any]) -> None:
    """Raise unless name, kind and scales are those of a model of the architecture."""
    architecture, kind = said["architecture"], said["kind"]
    name = training.name_of(architecture, said["seed"], said["config"])
    name = f"{name} fixed" if REMEDY in said["settings"] else name
    if said["name"] != name:
        raise ValueError(f"its name must be {name!r}, got {_short(said['name'])}")
    if kind not in _kinds_of(architecture):
        raise ValueError(f"a model of {architecture} is a {' or '.join(_kinds_of(architecture))}, got {_short(kind)}")
    if kind != TreeModel.__name__ and tuple(said["scales"]) != CLASSIFIER:
        raise ValueError(f"a {kind} answers on the scale {CLASSIFIER[0]!r}, got {_short(said['scales'])}")


def _kinds_of(architecture: str) -> tuple[str, ...]:
    """Return what a model of an architecture may be: what its `fit` is annotated to return."""
    if architectures.is_net(architecture):
        return (NeuralModel.__name__,)
    made = inspect.signature(architectures.architecture(architecture).fit).return_annotation
    return (made,) if made in KINDS else KINDS


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value.splitlines()) == 1


def _is_whole(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LARGEST_SEED


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _is_history(value: Any) -> bool:
    wanted = {"epoch", "training_loss", "validation_loss"}
    lines = isinstance(value, list) and all(_is_table(line) and set(line) == wanted for line in value)
    return lines and all(_is_whole(line["epoch"]) and all(map(_is_number, line.values())) for line in value)


def _is_metrics(value: Any) -> bool:
    lines = isinstance(value, list) and all(_is_table(line) and set(line) >= METRIC for line in value)
    return lines and all(map(_is_metric, value))


def _is_metric(line: Mapping[str, Any]) -> bool:
    known = _is_text(line["metric"]) and _is_number(line["estimate"]) and _is_number(line["reference"])
    return known and (line["low"] is line["high"] is None or (_is_number(line["low"]) and _is_number(line["high"])))


def _lacks(lacking: list[str], unknown: list[str]) -> str:
    return f"lacks {', '.join(lacking)}" if lacking else f"has {_short(', '.join(unknown))}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) < 60 else f"{text[:57]}..."


FIELDS: dict[str, Callable[[Any], bool]] = {
    "name": _is_text,
    "kind": _is_text,
    "architecture": lambda value: value in architectures.names(),
    "case": _is_text,
    "seed": _is_whole,
    "config": _is_table,
    "settings": _is_table,
    "scales": lambda value: isinstance(value, list) and sorted(map(str, value)) == sorted(CLASSIFIER),
    "device": lambda value: value in training.DEVICES[1:],
    "best_epoch": lambda value: value is None or _is_whole(value),
    "history": _is_history,
    "metrics": _is_metrics,
    "versions": lambda value: _is_table(value) and all(map(_is_text, value.values())),
    "data_sha256": lambda value: isinstance(value, str) and bool(re.fullmatch("[0-9a-f]{64}", value)),
    "schema": _is_table,
}
