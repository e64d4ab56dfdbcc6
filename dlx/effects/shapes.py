"""Shape functions: what each column adds to an additive model's output, over some trainings of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dlx.arrays import in_short
from dlx.background import sample
from dlx.dataset import Dataset
from dlx.effects.partial import GRID_POINTS, partial_dependence, people_at, weights_of
from dlx.errors import DlxError
from dlx.model import Model, as_rows
from dlx.schema import Feature

__all__ = ["ShapeFunction", "shape_functions"]

MOST_PEOPLE = 200


@dataclass(frozen=True, eq=False)
class ShapeFunction:
    """What one column adds to the output at each of its values, a curve a training; over people each adds 0 on average."""

    feature: Feature
    grid: np.ndarray  # [points], coded; special values and NaN for missing last
    curves: np.ndarray  # [trainings, points]; the first is the model itself
    counts: np.ndarray  # [points], how many people are nearest to each value, or what these weigh
    scale: str
    model: str

    __repr__ = in_short

    @property
    def size(self) -> float:
        """How much the column moves people's outputs: the standard deviation of what it adds by the model itself."""
        return float(np.average(self.curves[0] ** 2, weights=self.counts)) ** 0.5

    def to_frame(self) -> pd.DataFrame:
        """Return one line a value: what the column adds, and the least and the most that it adds over the trainings."""
        return pd.DataFrame(
            {"model": self.model, "feature": self.feature.name, "label": self.feature.label}
            | {"value": [self.feature.format(x) for x in self.grid], "code": self.grid, "people": self.counts}
            | {"adds": self.curves[0], "least": self.curves.min(axis=0), "most": self.curves.max(axis=0)}
            | {"trainings": len(self.curves), "scale": self.scale}
        )


def shape_functions(models: Sequence[Model], rows: Any, *, grid_points: int = GRID_POINTS) -> list[ShapeFunction]:
    """Return the shape function of each column, the one that moves people most first, on the model's own scale.

    It is the partial dependence, less its mean over people: of a sum over columns, that is what the column adds; of a pair, a
    column is given its mean over the other one.

    Parameters
    ----------
    models : sequence of Model
        An additive model, and the same trained with other seeds.
    rows : Dataset, DataFrame or ndarray [rows, features]
        People; 200 of them are asked about.
    grid_points : int
        Values of a numeric column: quantiles of those observed.
    """
    if not models:
        raise DlxError("shape functions are those of a model; pass at least one")
    model, scale = models[0], models[0].scales[0]
    people: Any = sample(rows, MOST_PEOPLE) if isinstance(rows, Dataset) else sample(as_rows(model.schema, rows), MOST_PEOPLE)
    columns, weights, found = as_rows(model.schema, people).T, weights_of(people), []
    for name, column in zip(model.schema.names, columns, strict=True):
        each = [partial_dependence(one, people, name, scale=scale, grid_points=grid_points) for one in models]
        counts = people_at(each[0].feature, each[0].grid, column, weights)
        means = np.stack([one.mean for one in each])
        curves = means - np.average(means, weights=counts, axis=1)[:, None]
        found.append(ShapeFunction(each[0].feature, each[0].grid, curves, counts, scale, model.name))
    return sorted(found, key=lambda one: -one.size)
