"""Partial dependence: what a model says when one or two columns change for everybody, and Friedman's H, which rests on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from dlx.arrays import check_seed, freeze, in_short, ratio, same
from dlx.background import sample
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.kernels.interventions import distinct, intervened
from dlx.model import Model, Scale, as_rows
from dlx.model.kinds import with_carried
from dlx.schema import Feature
from dlx.stats import Interval, Weights, counts_of, ends_of, means_of, quantile, resampled_counts

__all__ = ["PairDependence", "PartialDependence", "friedman_h", "gaps", "pair_dependence", "partial_dependence", "people_at"]

GRID_POINTS, PAIR_POINTS = 20, 10
MOST_LEVELS = 20  # of a category that are drawn, or set together with another column: its most common ones
GAP_SHARE, GAP_FACTOR = 0.05, 2.0
MOST_PEOPLE = 100
ROUNDING = 1e-6  # of the largest output: a dependence that varies less does not vary (float32 nets)


@dataclass(frozen=True, eq=False)
class PartialDependence:
    """Mean output over people as one column is set to each of its values, and everybody's own curve."""

    feature: Feature
    grid: np.ndarray  # [points], the values it is set to, coded; last those that are no numbers, NaN for missing
    curves: np.ndarray  # [rows, points], individual conditional expectation
    scale: str
    model: str
    counts: np.ndarray  # [points], how many people have each level, or are nearest to each number
    weights: Weights = None  # [rows], where people weigh something else

    __repr__ = in_short

    def __post_init__(self) -> None:
        freeze(self, "grid", "curves")
        freeze(self, "counts", dtype=None)

    @property
    def mean(self) -> np.ndarray:
        """Mean output at each value, [points]."""
        return np.average(self.curves, axis=0, weights=self.weights)

    @property
    def anchor(self) -> int:
        """Position of the value that centred curves start from: a number's lowest, a category's most common level."""
        return int(np.argmax(self.counts)) if self.feature.is_categorical else 0

    @property
    def centred(self) -> np.ndarray:
        """Each person's curve less its value at the anchor, [rows, points] (Goldstein et al. 2015, c-ICE)."""
        return self.curves - self.curves[:, [self.anchor]]

    @property
    def of_common_levels(self) -> PartialDependence:
        """The same at the 20 most common levels of a category, in their order; of a number, or of fewer levels, itself."""
        if not self.feature.is_categorical or len(self.grid) <= MOST_LEVELS:
            return self
        kept = _most_common(self.counts)
        return replace(self, grid=self.grid[kept], curves=self.curves[:, kept], counts=self.counts[kept])

    def interval(self, *, seed: int = 0) -> np.ndarray:
        """Return both ends of the 95 % bootstrap interval over people of the mean, [2, points]; NaN of one person."""
        people = len(self.curves)
        return ends_of(means_of(resampled_counts(people, self.weights, seed=seed), self.curves), people=people)

    def to_frame(self) -> pd.DataFrame:
        """Return one line a value: the mean output, its 95 % interval over people, and the middle half of the people."""
        quartile_low, quartile_high = quantile(self.curves, (0.25, 0.75), self.weights)
        (low, high), (least, most) = self.interval(), quantile(self.centred, (0.1, 0.9), self.weights)
        middle = np.average(self.centred, axis=0, weights=self.weights)
        return pd.DataFrame(
            {"model": self.model, "feature": self.feature.name, "label": self.feature.label}
            | {"value": [self.feature.format(x) for x in self.grid], "code": self.grid, "mean": self.mean}
            | {"low": low, "high": high, "quartile_low": quartile_low, "quartile_high": quartile_high}
            | {"centred_mean": middle, "centred_decile_low": least, "centred_decile_high": most}
            | {"people": self.counts, "scale": self.scale}
        )


def partial_dependence(
    model: Model, rows: Any, feature: str, *, scale: Scale, grid_points: int = GRID_POINTS
) -> PartialDependence:
    """Return the partial dependence of a model on one column (Friedman 2001, section 8.2), with everybody's own curve.

    Parameters
    ----------
    model : Model
        Any model.
    rows : Dataset, DataFrame or ndarray [rows, features]
        The people over whom the output is averaged, by the weights of a Dataset that has some.
    feature : str
        Name of the column; a `SchemaError` if there is none.
    scale : {"logit", "probability", "value"}
        Unit of the output.
    grid_points : int
        Values of a numeric column: quantiles of those observed.
    """
    people, asked = _checked(model, rows, grid_points, "partial dependence")
    position = model.schema.position(feature)
    column = model.schema.features[position]
    grid = grid_of(column, people[:, position], grid_points)
    curves = intervened(asked, people, [position], grid[:, None], scale)
    counts = people_at(column, grid, people[:, position])
    return PartialDependence(column, grid, curves, scale, model.name, counts, weights_of(rows))


@dataclass(frozen=True, eq=False)
class PairDependence:
    """Mean output over people as two columns are set to each pair of their values."""

    feature: Feature
    other: Feature
    grid: np.ndarray  # [points], coded; special values and NaN for missing last
    other_grid: np.ndarray  # [other points]
    mean: np.ndarray  # [points, other points], two-way partial dependence
    beyond: np.ndarray  # [points, other points], what it has beyond both columns' own: 0 where a model adds them up
    counts: np.ndarray  # [points, other points], how many observed rows are nearest to each pair of values
    scale: str
    model: str

    __repr__ = in_short

    def __post_init__(self) -> None:
        freeze(self, "grid", "other_grid", "mean", "beyond", "counts", dtype=None)

    def to_frame(self) -> pd.DataFrame:
        """Return one line a pair of values."""
        first, second = (index.ravel() for index in np.indices(self.mean.shape))
        return pd.DataFrame(
            {"model": self.model, "feature": self.feature.name, "other_feature": self.other.name}
            | {"value": [self.feature.format(self.grid[i]) for i in first]}
            | {"other_value": [self.other.format(self.other_grid[j]) for j in second]}
            | {"code": self.grid[first], "other_code": self.other_grid[second], "mean": self.mean.ravel()}
            | {"beyond": self.beyond.ravel(), "people": self.counts.ravel(), "scale": self.scale}
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
    """Return the two-way partial dependence of a model on two different columns (Friedman 2001, section 8.2).

    Of a category of more than 20 levels, the most common ones are set. Parameters are those of `partial_dependence`, and
    `observed`: the rows (Dataset, DataFrame or ndarray) that are counted at
    each pair of values, for example those that the model was trained on; `rows` by default.
    """
    people, asked = _checked(model, rows, grid_points, "two-way dependence")
    positions = _positions_of(model, features, "a pair")
    if len(positions) > 2:
        raise DlxError(f"a pair has 2 columns, got {len(positions)}: {', '.join(features)}")
    one, other = (model.schema.features[i] for i in positions)
    grids = [grid_of(f, people[:, i], grid_points) for f, i in zip((one, other), positions, strict=True)]
    seen = people if observed is None else as_rows(model.schema, observed)
    at = [people_at(f, grid, seen[:, i]) for f, grid, i in zip((one, other), grids, positions, strict=True)]
    grids = [g[_most_common(n)] if f.is_categorical else g for f, g, n in zip((one, other), grids, at, strict=True)]
    places = np.array([_nearest_on(f, g, seen[:, i]) for f, g, i in zip((one, other), grids, positions, strict=True)])
    counts = np.zeros((len(grids[0]), len(grids[1])), dtype=np.int64)
    np.add.at(counts, tuple(places[:, (places >= 0).all(axis=0)]), 1)
    by_weight: dict[str, Any] = {"axis": 0, "weights": weights_of(rows)}
    each = (intervened(asked, people, [i], g[:, None], scale) for g, i in zip(grids, positions, strict=True))
    own = [np.average(outputs, **by_weight) for outputs in each]
    cells = np.stack(np.meshgrid(*grids, indexing="ij"), axis=-1).reshape(-1, 2)
    mean = np.average(intervened(asked, people, positions, cells, scale), **by_weight).reshape(counts.shape)
    beyond = mean - own[0][:, None] - own[1][None] + float(np.average(asked.predict(people, scale, checked=True), **by_weight))
    return PairDependence(one, other, grids[0], grids[1], mean, beyond, counts, scale, model.name)


def friedman_h(
    model: Model, rows: Any, features: Sequence[str], *, scale: Scale, most_people: int = MOST_PEOPLE, seed: int = 0
) -> pd.DataFrame:
    """Return Friedman's H of every pair of some columns, the largest interaction first (Friedman and Popescu 2008, eq. 44).

    H compares what the two-way partial dependence has beyond the two one-way ones with its own spread: 0 where a model adds
    the columns up, 1 where neither matters without the other; it can pass 1 where columns go together. `size` is that part
    itself, its root mean square over people: H alone is large too where neither column matters. The intervals resample
    people; since neither number can be negative, they lean upward.

    Parameters
    ----------
    model : Model
        Any model.
    rows : Dataset, DataFrame or ndarray [rows, features]
        The people, at least two.
    features : sequence of str
        Names of at least two different columns.
    scale : {"logit", "probability", "value"}
        Unit of the output: a model that adds up log-odds interacts in probability.
    most_people : int
        More are sampled down to so many: the cost is their square, for each pair.
    seed : int
        Seed of the sample and of the bootstrap.

    Returns
    -------
    DataFrame
        A line a pair: `h` and `size` with the ends of their 95 % intervals; `h` is NaN where the model does not react.
    """
    positions = _positions_of(model, features, "Friedman's H")
    people, own = as_rows(model.schema, rows), weights_of(rows)
    chosen = sample(np.arange(len(people)), most_people, seed=check_seed(seed))
    people, own = people[chosen], None if own is None else own[chosen]
    if len(people) < 2:
        raise DlxError(f"Friedman's H needs at least 2 rows, got {len(people)}; pass more people")
    counts = np.vstack([counts_of(own, len(people)), resampled_counts(len(people), own, seed=seed)])
    weights = counts / counts.sum(axis=1, keepdims=True)
    asked = with_carried(model, rows, chosen)
    alone = {i: _at_people(asked, people, [i], weights, scale) for i in positions}
    floor = ROUNDING * float(np.abs(asked.predict(people, scale, checked=True)).max())
    lines = []
    for pair in combinations(positions, 2):
        one, other = (model.schema.features[i] for i in pair)
        together = _at_people(asked, people, list(pair), weights, scale)
        parts = (together - alone[pair[0]] - alone[pair[1]], together)
        size, whole = (np.sqrt((weights * part**2).sum(axis=1)) for part in parts)  # the first sample is everybody
        h = ratio(size, whole, where=whole > floor)
        ends = [ends_of(numbers[1:], people=len(people)) for numbers in (np.where(whole[0] > floor, h, np.nan), size)]
        lines.append(
            {"model": model.name, "feature": one.name, "other_feature": other.name}
            | {"label": one.label, "other_label": other.label, **Interval(h[0], *ends[0]).named("h")}
            | {**Interval(size[0], *ends[1]).named("size"), "people": len(people), "scale": scale}
        )
    return pd.DataFrame(lines).sort_values("size", ascending=False, kind="stable", ignore_index=True)


def weights_of(rows: Any) -> Weights:
    """Return how much each row of a Dataset counts; None where all count the same, as in any other table."""
    return rows.weights if isinstance(rows, Dataset) else None


def people_at(feature: Feature, grid: np.ndarray, column: np.ndarray, weights: Weights = None) -> np.ndarray:
    """Return how many people are nearest to each value of a grid, or what these weigh, [points]."""
    found = _nearest_on(feature, grid, column)
    return np.bincount(found[found >= 0], None if weights is None else weights[found >= 0], minlength=len(grid))


def _most_common(counts: np.ndarray) -> np.ndarray:
    """Return the positions of the levels that most people have, in their order."""
    return np.sort(np.argsort(-counts, kind="stable")[:MOST_LEVELS])


def gaps(column: np.ndarray) -> list[tuple[float, float]]:
    """Return where nobody is: stretches of a number wider than a twentieth of its range, and than twice the usual distance.

    The usual distance is the median one between neighbouring values, so that a number of few, even values has no gaps.
    """
    values = np.unique(column[~np.isnan(column)])
    if len(values) < 3:
        return []
    widths = np.diff(values)
    least = max(GAP_SHARE * (values[-1] - values[0]), GAP_FACTOR * float(np.median(widths)))
    return [(float(values[i]), float(values[i + 1])) for i in np.flatnonzero(widths > least)]


def grid_of(feature: Feature, column: np.ndarray, points: int) -> np.ndarray:
    """Return the values that a column is set to: quantiles of a number, every level of a category; those that are none last.

    Special values come after the numbers, in the schema's order, and NaN after these, each if somebody has it.
    """
    numbers = feature.numbers(column)
    known = numbers[~np.isnan(numbers)]
    others = [code for code in (*feature.special_codes, np.nan) if same(column, code).any()]
    if feature.is_categorical:
        return np.r_[np.arange(len(feature.levels), dtype=np.float64), others]
    if not len(known):
        return np.array(others)
    return np.r_[np.unique(np.quantile(known, np.linspace(0, 1, points), method="nearest")), others]


def _checked(model: Model, rows: Any, grid_points: int, what: str) -> tuple[np.ndarray, Model]:
    """Return people as coded rows, and the model as it is asked about them."""
    people = as_rows(model.schema, rows)
    if not len(people) or grid_points < 2:
        raise DlxError(f"{what} needs at least 1 row and 2 grid points, got {len(people)} and {grid_points}")
    return people, with_carried(model, rows, np.arange(len(people)))


def _positions_of(model: Model, features: Sequence[str], what: str) -> list[int]:
    """Return the positions of at least two different columns."""
    positions = [model.schema.position(name) for name in features]
    if len(positions) < 2:
        raise DlxError(f"{what} needs at least 2 columns, got {len(positions)}; name more of them")
    if repeated := sorted({name for name in features if list(features).count(name) > 1}):
        raise DlxError(f"{what} needs different columns, got {', '.join(repeated)} more than once")
    return positions


def _at_people(model: Model, people: np.ndarray, positions: list[int], weights: np.ndarray, scale: Scale) -> np.ndarray:
    """Return the partial dependence at each person's own values, centred, [samples, people], for weights of people."""
    values, which = distinct(people[:, positions])  # people with the same values share a setting
    dependence = (weights @ intervened(model, people, positions, values, scale))[:, which]
    return dependence - (weights * dependence).sum(axis=1, keepdims=True)


def _nearest_on(feature: Feature, grid: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return the position in the grid of the value nearest to each person's, [rows]; -1 where it has none.

    NaN and special values are near to themselves only.
    """
    is_number, found = ~np.isnan(feature.numbers(grid)), np.full(len(column), -1)
    for place in np.flatnonzero(~is_number):
        found[same(column, grid[place])] = place
    known, people = grid[is_number], ~np.isnan(feature.numbers(column))
    people &= np.isin(column, grid) if feature.is_categorical else True  # no level is near to another
    if len(known):
        middles = (known[1:] + known[:-1]) / 2
        found[people] = np.flatnonzero(is_number)[np.searchsorted(middles, column[people])]
    return found
