"""Options of an architecture and of its training, by name: checked, and with what differs from the defaults."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from dlx import architectures
from dlx.errors import did_you_mean
from dlx.training.errors import TrainingError
from dlx.training.recipe import Recipe


def options(architecture: str) -> dict[str, Any]:
    """Return all options of an architecture with their defaults; a net's include those of its `Recipe`."""
    own = architectures.options(architecture)
    return own | dataclasses.asdict(Recipe()) if architectures.is_net(architecture) else own


def overrides(architecture: str, config: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the options of a configuration that differ from the defaults, by name, in the order of the names.

    Raises
    ------
    TrainingError
        If the architecture has no such option, or the value is no number that fits it.
    """
    defaults = options(architecture)
    checked = {name: _checked(architecture, name, value, defaults) for name, value in sorted((config or {}).items())}
    return {name: value for name, value in checked.items() if value != defaults[name]}


def _checked(architecture: str, name: str, value: Any, defaults: Mapping[str, Any]) -> Any:
    if name not in defaults:
        raise TrainingError(
            f"{architecture} has no option {name!r}; its options: {', '.join(defaults)}{did_you_mean(name, defaults)}"
        )
    if isinstance(defaults[name], float):
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
            raise TrainingError(f"{architecture}: {name} must be a number from 0 on, got {value!r}")
        return float(value)
    if value is None and defaults[name] is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise TrainingError(f"{architecture}: {name} must be a whole number from 1 on, got {value!r}")
    return value


def checked_seed(seed: int) -> int:
    """Return a seed that every generator takes as a plain number, or raise a `TrainingError`."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise TrainingError(f"seed must be at least 0, got {seed!r}; pass a whole number up to {2**32 - 1}")
    return int(seed)


def digest(config: Mapping[str, Any]) -> str:
    """Return a short hash of the options that differ from the defaults; empty where none does."""
    if not config:
        return ""
    return hashlib.sha256(json.dumps(dict(config), sort_keys=True).encode()).hexdigest()[:8]
