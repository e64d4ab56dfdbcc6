"""What a training is asked for, by name: options of an architecture and of its training, a seed, columns that bind it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from dlx import architectures
from dlx.errors import DlxError, did_you_mean
from dlx.schema import Schema


class TrainingError(DlxError):
    """Data that no model can be trained on, an option or a device that there is not, or a loss that is no number."""


@dataclass(frozen=True)
class Recipe:
    """The settings of a net's optimiser, AdamW; where one is None, the number of training rows decides."""

    learning_rate: float = 5e-4
    weight_decay: float = 0.1  # of matrices only
    batch_size: int | None = None  # rows of a step
    max_epochs: int | None = None  # most passes over the rows
    patience: int | None = None  # passes without a better validation loss until it stops

    def for_rows(self, count: int) -> Recipe:
        """Return the recipe with what the number of training rows decides."""
        large = count >= 10_000
        return replace(
            self,
            batch_size=self.batch_size or (256 if large else 128 if count >= 2_000 else 64),
            max_epochs=self.max_epochs or (40 if large else 200),
            patience=self.patience or (8 if large else 20),
        )


def options(architecture: str) -> dict[str, Any]:
    """Return all options of an architecture with their defaults; a net's include those of its `Recipe`."""
    own = architectures.options(architecture)
    return own | asdict(Recipe()) if architectures.is_net(architecture) else own


def overrides(architecture: str, config: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the options of a configuration that differ from the defaults, in the order of their names.

    A `TrainingError` says which option the architecture does not have, or which value does not fit it.
    """
    defaults, changed = options(architecture), {}
    for name, value in sorted((config or {}).items()):
        if name not in defaults:
            raise TrainingError(
                f"{architecture} has no option {name!r}; its options: {', '.join(defaults)}{did_you_mean(name, defaults)}"
            )
        default, is_whole = defaults[name], isinstance(value, int) and not isinstance(value, bool)
        if isinstance(default, float):
            if not (is_whole or isinstance(value, float)) or not 0 <= value < float("inf"):
                raise TrainingError(f"{architecture}: {name} must be a number from 0 on, got {value!r}")
            value = float(value)
        elif not (value is None and default is None) and not (is_whole and value >= 1):
            raise TrainingError(f"{architecture}: {name} must be a whole number from 1 on, got {value!r}")
        if value != default:
            changed[name] = value
    return changed


def digest(config: Mapping[str, Any]) -> str:
    """Return a short hash of the options that differ from the defaults; empty where none does."""
    return hashlib.sha256(json.dumps(dict(config), sort_keys=True).encode()).hexdigest()[:8] if config else ""


def name_of(architecture: str, seed: int, config: Mapping[str, Any]) -> str:
    """Return a model's name: the architecture's, with the seed unless it is 0, with a hash of what was configured."""
    suffix = digest(config)
    return f"{architecture}-{seed}-{suffix}" if suffix else f"{architecture}-{seed}" if seed else architecture


def directions(architecture: str, schema: Schema, monotone: Mapping[str, int]) -> np.ndarray:
    """Return with which columns a model must rise (1) or fall (-1), and 0 for the others, int [features].

    A `TrainingError` says which architectures can be bound, and that a column must have an order.
    """
    if not architectures.can_be_monotone(architecture):
        able = ", ".join(name for name in architectures.names() if architectures.can_be_monotone(name))
        raise TrainingError(f"{architecture} cannot be bound to rise or fall with a column; of the models, {able} can")
    found = np.zeros(len(schema), dtype=int)
    for name, direction in monotone.items():
        feature = schema[name]
        if direction not in (1, -1):
            raise TrainingError(f"{name!r} must be bound to 1 (up) or -1 (down), got {direction!r}")
        if feature.is_categorical and not feature.ordered and len(feature.levels) > 2:
            raise TrainingError(f"{name!r} has levels without an order, with which nothing can rise; bind an ordered column")
        found[schema.position(name)] = direction
    return found
