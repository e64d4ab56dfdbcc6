"""Which way a model is bound to go with a column."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dlx import architectures
from dlx.schema import Schema
from dlx.training.errors import TrainingError


def directions(architecture: str, schema: Schema, monotone: Mapping[str, int]) -> np.ndarray | None:
    """Return 1, -1 or 0 a column, int [features]; None where nothing is bound.

    Raises
    ------
    TrainingError
        If the architecture cannot be bound, a direction is neither 1 nor -1, or a column is not there or has no order.
    """
    if not monotone:
        return None
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
