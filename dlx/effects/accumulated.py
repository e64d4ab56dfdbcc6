"""Accumulated local effects (ALE): what a model says when a column changes for those who have nearly that value.

Levels that have no order are laid side by side where their people are alike (Apley and Zhu 2020, appendix E): classical scaling
(Torgerson 1952) lays them on a line by the distances of their people, summed over the other columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from dlx.arrays import freeze, in_short, same
from dlx.effects.partial import grid_of, weights_of
from dlx.errors import DlxError
from dlx.kernels.interventions import intervened
from dlx.model import Model, Scale, as_rows
from dlx.model.kinds import with_carried, with_carried_of
from dlx.schema import Feature, Schema
from dlx.stats import Weights, counts_of, ends_of, resampled_counts

__all__ = ["AccumulatedEffects", "accumulated_local_effects"]

BINS = 20


@dataclass(frozen=True, eq=False)
class AccumulatedEffects:
    """Change of the output along a column, each step measured on the people who stand there; 0 on average over people."""

    feature: Feature
    values: np.ndarray  # [points], ends of a number's bins, or levels in the order of the steps, coded; NaN for missing
    effects: np.ndarray  # [points], in units of the scale
    low: np.ndarray  # [points], ends of the 95 % bootstrap interval over people, for these bins and this order
    high: np.ndarray
    counts: np.ndarray  # [points], how many people have each level; those of a bin count half at either of its ends
    mean_output: float  # of the people: what to add to read the effects as outputs
    scale: str
    model: str

    __repr__ = in_short

    def __post_init__(self) -> None:
        freeze(self, "values", "effects", "low", "high", "counts")

    def to_frame(self) -> pd.DataFrame:
        """Return one line a value, in the order of the steps."""
        return pd.DataFrame(
            {"model": self.model, "feature": self.feature.name, "label": self.feature.label}
            | {"value": [self.feature.format(x) for x in self.values], "code": self.values, "effect": self.effects}
            | {"low": self.low, "high": self.high, "people": self.counts, "mean_output": self.mean_output, "scale": self.scale}
        )


def accumulated_local_effects(
    model: Model, rows: Any, feature: str, *, scale: Scale, bins: int = BINS, seed: int = 0
) -> AccumulatedEffects:
    """Return the accumulated local effects of one column (Apley and Zhu 2020).

    Numbers step from end to end of bins of equally many people, by the people in the bin. Levels step to their neighbour, by
    the people of both: in the schema's order, or, where it has none, by similarity of their people in the other columns. A
    missing number or ordered level is a point of its own, one step from the median, by the people who lack the value and those
    around the median, and so is each special value; a missing unordered level is one more level. Levels that nobody has are
    left out.

    Parameters
    ----------
    model : Model
        Any model.
    rows : Dataset, DataFrame or ndarray [rows, features]
        The people; each step is a mean by the weights of a Dataset that has some.
    feature : str
        Name of the column.
    scale : {"logit", "probability", "value"}
        Unit of the effects.
    bins : int
        Of a numeric column, at least one.
    seed : int
        Seed of the bootstrap.
    """
    people = as_rows(model.schema, rows)
    if not len(people) or bins < 1:
        raise DlxError(f"accumulated local effects need at least 1 row and 1 bin, got {len(people)} and {bins}")
    position, asked = model.schema.position(feature), with_carried(model, rows, np.arange(len(people)))
    chain = chain_of(model.schema, people, position, bins)
    steps, own = _steps(asked, people, position, chain, scale), weights_of(rows)
    resampled = _accumulated(resampled_counts(len(people), own, seed=seed), steps, chain, own)
    low, high = ends_of(resampled, people=len(people))
    return AccumulatedEffects(
        feature=model.schema.features[position],
        values=chain.values,
        effects=_accumulated(counts_of(own, len(people))[None], steps, chain, own)[0],
        low=low,
        high=high,
        counts=chain.stands.sum(axis=0),
        mean_output=float(np.average(asked.predict(people, scale, checked=True), weights=own)),
        scale=scale,
        model=model.name,
    )


class Chain(NamedTuple):
    """The values of a column, and steps between them, each from the first value or from the end of an earlier step."""

    values: np.ndarray  # [points], coded; NaN for missing
    starts: np.ndarray  # of int [steps], positions of the values between which each step goes
    ends: np.ndarray
    takes: np.ndarray  # [people, steps], 1 where a person takes a step
    stands: np.ndarray  # [people, points], where each person stands; who is in a bin stands with half at either end

    @property
    def paths(self) -> np.ndarray:
        """Which steps lead from the first value to each, [points, steps]."""
        paths = np.zeros((len(self.values), len(self.starts)))
        for step, (start, end) in enumerate(zip(self.starts, self.ends, strict=True)):
            paths[end] = paths[start]
            paths[end, step] = 1
        return paths


def chain_of(schema: Schema, rows: np.ndarray, position: int, bins: int) -> Chain:
    """Return the steps along a column, for people given as coded rows [people, features]."""
    feature, column = schema.features[position], rows[:, position]
    if feature.is_categorical and not feature.ordered:
        return _levels(by_similarity(schema, rows, position), column)
    if feature.is_categorical:
        chain = _levels(np.unique(column[~np.isnan(column)]), column)
    else:
        edges = grid_of(feature, feature.numbers(column), bins + 1)
        chain = _numbers(edges[~np.isnan(edges)], feature.numbers(column))
    for value in (*feature.special_codes, np.nan):
        if (have := same(column, value)).any():
            chain = _with_level(chain, feature.numbers(column), value, have)
    return chain


def _numbers(edges: np.ndarray, column: np.ndarray) -> Chain:
    steps, known = max(len(edges) - 1, 0), np.flatnonzero(~np.isnan(column))
    takes, stands = np.zeros((len(column), steps)), np.zeros((len(column), len(edges)))
    if steps:
        which = np.maximum(np.searchsorted(edges, column[known]), 1) - 1
        takes[known, which] = 1
        stands[known, which] += 0.5
        stands[known, which + 1] += 0.5
    else:
        stands[known] = 1.0
    return Chain(edges, np.arange(steps), np.arange(steps) + 1, takes, stands)


def _levels(levels: np.ndarray, column: np.ndarray) -> Chain:
    has = (column[:, None] == levels) | (np.isnan(column)[:, None] & np.isnan(levels))
    steps = np.arange(max(len(levels) - 1, 0))
    return Chain(levels, steps, steps + 1, (has[:, :-1] | has[:, 1:]).astype(float), has.astype(float))


def _with_level(chain: Chain, numbers: np.ndarray, value: float, have: np.ndarray) -> Chain:
    """Return the chain with one more step, from the value at the median to one that is no number, or that is missing."""
    stands = np.column_stack([chain.stands, have])
    if not len(chain.values):
        return chain._replace(values=np.array([value]), stands=stands)
    median = 0 if np.isnan(numbers).all() else int(np.nanargmin(np.abs(chain.values - np.nanmedian(numbers))))
    around = have | (chain.stands[:, median] > 0)
    starts, ends = np.r_[chain.starts, median].astype(int), np.r_[chain.ends, len(chain.values)].astype(int)
    return Chain(np.r_[chain.values, value], starts, ends, np.column_stack([chain.takes, around]), stands)


def _steps(model: Model, people: np.ndarray, position: int, chain: Chain, scale: Scale) -> np.ndarray:
    """Return the change of each person's output by each step that they take, [people, steps]; 0 for the others."""
    steps = np.zeros(chain.takes.shape)
    who, which = np.nonzero(chain.takes)
    ends = np.column_stack([chain.starts[which], chain.ends[which]])
    outputs = intervened(with_carried_of(model, who), people[who], [position], chain.values[:, None], scale, ends)
    steps[who, which] = outputs[:, 1] - outputs[:, 0]
    return steps


def _accumulated(counts: np.ndarray, steps: np.ndarray, chain: Chain, own: Weights = None) -> np.ndarray:
    """Return the effect at each value by how much each person counts [samples, people], as [samples, points].

    A step that nobody of a sample takes is as long as it is for everybody.
    """
    shares, everybody = counts / counts.sum(axis=1, keepdims=True), counts_of(own, len(steps))
    takers, usual = shares @ chain.takes, everybody @ steps / (everybody @ chain.takes)
    mean = np.where(takers > 0, shares @ steps / np.where(takers > 0, takers, 1.0), usual)
    reached = mean @ chain.paths.T
    return reached - ((shares @ chain.stands) * reached).sum(axis=1, keepdims=True)


def by_similarity(schema: Schema, rows: np.ndarray, position: int) -> np.ndarray:
    """Return the levels of a column that people have (NaN for missing), ordered so that neighbours have similar people."""
    own = np.where(np.isnan(rows[:, position]), np.inf, rows[:, position])
    levels, member = np.unique(own, return_inverse=True)
    if len(levels) > 2:
        others = [i for i in range(len(schema)) if i != position]
        squares = sum((_distances(schema.features[i], rows[:, i], member) for i in others), np.zeros(2 * [len(levels)])) ** 2
        inner = -(squares - squares.mean(axis=0) - squares.mean(axis=1, keepdims=True) + squares.mean()) / 2
        place = np.linalg.eigh(inner)[1][:, -1]
        levels = levels[np.argsort(place if place[0] <= 0 else -place, kind="stable")]  # the first level in the first half
    return np.where(np.isinf(levels), np.nan, levels)


def _distances(feature: Feature, column: np.ndarray, member: np.ndarray) -> np.ndarray:
    """Return how differently a column is distributed in every two groups of people, [groups, groups].

    The largest gap between both distribution functions (Kolmogorov and Smirnov's) of a number or an ordered category, half the
    sum of the gaps between shares of an unordered one.
    """
    _, place = np.unique(np.where(np.isnan(column), -np.inf, column), return_inverse=True)
    counts = np.zeros((member.max() + 1, place.max() + 1))
    np.add.at(counts, (member, place), 1)
    shares = counts / counts.sum(axis=1, keepdims=True)
    if feature.is_categorical and not feature.ordered:
        return cdist(shares, shares, "cityblock") / 2
    below = shares.cumsum(axis=1)
    return cdist(below, below, "chebyshev")
