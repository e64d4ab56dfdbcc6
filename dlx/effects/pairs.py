"""What the model says when two columns change for everybody, and what the pair adds beyond both alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.arrays import frozen
from dlx.effects.support import grid_of, nearest
from dlx.errors import DlxError
from dlx.model import Model, Scale, as_rows
from dlx.schema import Feature

if TYPE_CHECKING:
    import pandas as pd

PAIR_POINTS = 10


@dataclass(frozen=True, eq=False)
class PairDependence:
    """Mean output over people as two columns are set to each pair of their values.

    Parameters
    ----------
    feature, other : Feature
        The columns.
    grid, other_grid : ndarray [points], [other points]
        The values they are set to, coded; NaN for missing, last.
    mean : ndarray [points, other points]
        Two-way partial dependence.
    own, other_own : ndarray [points], [other points]
        Partial dependence of each column alone, over the same people.
    overall : float
        Mean output of the people.
    counts : ndarray of int [points, other points]
        How many observed rows are nearest to each pair of values.
    scale, model : str
        Unit of the outputs; name of the model.
    """

    feature: Feature
    other: Feature
    grid: np.ndarray
    other_grid: np.ndarray
    mean: np.ndarray
    own: np.ndarray
    other_own: np.ndarray
    overall: float
    counts: np.ndarray
    scale: str
    model: str

    def __post_init__(self) -> None:
        for name in ("grid", "other_grid", "mean", "own", "other_own"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.float64))
        object.__setattr__(self, "counts", frozen(self.counts))

    @property
    def beyond(self) -> np.ndarray:
        """What the pair adds beyond both columns' own dependence, [points, other points]: 0 where a model adds them up."""
        return self.mean - self.own[:, None] - self.other_own[None] + self.overall

    def to_frame(self) -> pd.DataFrame:
        """Return one line a pair of values."""
        import pandas as pd

        first, second = (index.ravel() for index in np.indices(self.mean.shape))
        return pd.DataFrame(
            {
                "model": self.model,
                "feature": self.feature.name,
                "other_feature": self.other.name,
                "value": [self.feature.format(self.grid[i]) for i in first],
                "other_value": [self.other.format(self.other_grid[j]) for j in second],
                "code": self.grid[first],
                "other_code": self.other_grid[second],
                "mean": self.mean.ravel(),
                "beyond": self.beyond.ravel(),
                "people": self.counts.ravel(),
                "scale": self.scale,
            }
        )


def pair_dependence(
    model: Model,
    rows: Any,
    features: tuple[str, str],
    *,
    scale: Scale,
    grid_points: int = PAIR_POINTS,
    observed: Any = None,
) -> PairDependence:
    """Return the two-way partial dependence of a model on two columns (Friedman 2001, section 8.2).

    Parameters
    ----------
    model : Model
        Any model.
    rows : Dataset, DataFrame or ndarray [rows, features]
        The people over whom the output is averaged.
    features : pair of str
        Names of two columns.
    scale : {"logit", "probability", "value"}
        Unit of the output.
    grid_points : int
        Values of a numeric column: quantiles of those observed.
    observed : Dataset, DataFrame or ndarray [rows, features], optional
        The rows that are counted at each pair of values, for example those that the model was trained on; `rows` by default.

    Raises
    ------
    DlxError
        If there are no rows, fewer than 2 grid points, or not two different columns.
    SchemaError
        If there is no such column.
    """
    people = as_rows(model.schema, rows)
    if not len(people) or grid_points < 2:
        raise DlxError(f"two-way dependence needs at least 1 row and 2 grid points, got {len(people)} and {grid_points}")
    positions = positions_of(model, features, "a pair", 2)
    if len(positions) > 2:
        raise DlxError(f"a pair has 2 columns, got {len(positions)}: {', '.join(features)}")
    one, other = (model.schema.features[i] for i in positions)
    grids = [grid_of(f, people[:, i], grid_points) for f, i in zip((one, other), positions, strict=True)]
    cells = np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1).reshape(-1, 2)
    seen = people if observed is None else as_rows(model.schema, observed)
    places = [nearest(grid, seen[:, i]) for grid, i in zip(grids, positions, strict=True)]
    counts = np.zeros((len(grids[0]), len(grids[1])), dtype=np.int64)
    known = (places[0] >= 0) & (places[1] >= 0)
    np.add.at(counts, (places[0][known], places[1][known]), 1)
    own = [outputs_at(model, people, grid[:, None], [i], scale).mean(axis=1) for grid, i in zip(grids, positions, strict=True)]
    return PairDependence(
        feature=one,
        other=other,
        grid=grids[0],
        other_grid=grids[1],
        mean=outputs_at(model, people, cells, positions, scale).mean(axis=1).reshape(counts.shape),
        own=own[0],
        other_own=own[1],
        overall=float(model.predict(people, scale).mean()),
        counts=counts,
        scale=scale,
        model=model.name,
    )


def positions_of(model: Model, features: Sequence[str], what: str, least: int) -> list[int]:
    """Return the positions of columns, which must be different."""
    positions = [model.schema.position(name) for name in features]
    if len(positions) < least:
        raise DlxError(f"{what} needs at least {least} columns, got {len(positions)}; name more of them")
    repeated = sorted({name for name in features if list(features).count(name) > 1})
    if repeated:
        raise DlxError(f"{what} needs different columns, got {', '.join(repeated)} more than once")
    return positions


def outputs_at(model: Model, people: np.ndarray, values: np.ndarray, positions: list[int], scale: Scale) -> np.ndarray:
    """Return everybody's output with some columns set to each of some values [settings, columns]: [settings, people]."""
    changed = np.tile(people, (len(values), 1))
    changed[:, positions] = np.repeat(values, len(people), axis=0)
    return model.predict(changed, scale).reshape(len(values), len(people))
