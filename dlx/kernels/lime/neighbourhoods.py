"""Random people as the lime package draws them: each column by itself, from bins of the background.

The law of lime's `LimeTabularExplainer` with its quartile bins (lime 0.2): a numeric column falls into a bin as often as the
background does, and within the bin follows a normal with the mean and standard deviation of the background in it, cut at the
bin's ends (the outer bins end at the smallest and the largest value); a categorical column takes its levels as often as the
background does. A missing value is a bin, or a level, of its own, and so is each special value. The law does not depend on whom
is explained.

Every sample has lime's law. Samples are not independent of one another, though: they are the points of a scrambled Sobol
sequence (Owen 1998), which fill the space more evenly, so that the same number of them is less noisy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from dlx.schema import Feature, Schema

LIMES_WIDENING = 1e-11  # lime adds it to a bin's standard deviation


class Samples(NamedTuple):
    """Random people.

    Parameters
    ----------
    rows : ndarray [samples, features]
        Coded.
    bins : ndarray of int [samples, features]
        The bin, or level, that each value was drawn from.
    """

    rows: np.ndarray
    bins: np.ndarray


class Neighbourhood:
    """The distribution of lime's samples around any person, given a background.

    Parameters
    ----------
    schema : Schema
        What the columns are.
    background : ndarray [references, features]
        Coded.
    """

    def __init__(self, schema: Schema, background: np.ndarray) -> None:
        makers = [_Levels.of if feature.is_categorical else _Quartiles.of for feature in schema.features]
        self._columns = [
            make(feature, column) for make, feature, column in zip(makers, schema.features, background.T, strict=True)
        ]

    @property
    def sizes(self) -> np.ndarray:
        """Number of bins of each column, with the one of missing values, [features]."""
        return np.array([len(column.counts) for column in self._columns])

    def bins(self, rows: np.ndarray) -> np.ndarray:
        """Return the bin of each value of coded rows, int [rows, features]."""
        return np.stack([column.bins(values) for column, values in zip(self._columns, rows.T, strict=True)], axis=1)

    def shares(self, bins: np.ndarray) -> np.ndarray:
        """Return the share of the background in the bins of some people, [rows, features]."""
        columns = zip(self._columns, bins.T, strict=True)
        return np.stack([column.counts[own] / column.counts.sum() for column, own in columns], axis=1)

    def draw(self, count: int, seed: int) -> Samples:
        """Return random people, who depend on the seed and the background only."""
        from scipy.stats.qmc import Sobol

        sequence = Sobol(len(self._columns), rng=np.random.default_rng(seed))
        uniforms = sequence.random_base2(max(count - 1, 0).bit_length())[:count]
        drawn = [column.draw(uniform) for column, uniform in zip(self._columns, uniforms.T, strict=True)]
        values, bins = zip(*drawn, strict=True)
        return Samples(np.stack(values, axis=1), np.stack(bins, axis=1))


@dataclass(frozen=True, eq=False)
class _Levels:
    """A categorical column: its levels, and one more for what is missing."""

    counts: np.ndarray  # [levels + 1] of the background

    @classmethod
    def of(cls, feature: Feature, column: np.ndarray) -> _Levels:
        size = len(feature.levels) + 1
        return cls(np.bincount(_levels(column, size), minlength=size))

    def bins(self, values: np.ndarray) -> np.ndarray:
        return _levels(values, len(self.counts))

    def draw(self, uniform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        bins, _ = _split(uniform, self.counts)
        return np.where(bins == len(self.counts) - 1, np.nan, bins), bins


@dataclass(frozen=True, eq=False)
class _Quartiles:
    """A numeric column: bin 0 for what is missing, then between the quartiles, an upper edge included; last special values."""

    edges: np.ndarray  # [bins - 2 - special values], distinct
    counts: np.ndarray  # [bins] of the background
    known: np.ndarray  # numbers of the background
    special: np.ndarray  # [special values]

    @classmethod
    def of(cls, feature: Feature, column: np.ndarray) -> _Quartiles:
        numbers = feature.numbers(column)
        known = numbers[~np.isnan(numbers)]
        edges = np.unique(np.percentile(known, (25, 50, 75))) if len(known) else np.zeros(1)
        size = len(edges) + 2 + len(feature.special)
        counts = np.bincount(_between(edges, column, feature.special_codes), minlength=size)
        return cls(edges, counts, known, feature.special_codes)

    def bins(self, values: np.ndarray) -> np.ndarray:
        return _between(self.edges, values, self.special)

    @cached_property
    def _normals(self) -> np.ndarray:
        """Mean, standard deviation, lowest and highest value of each bin, [4, bins]; NaN where it is empty or missing."""
        normals = np.full((4, len(self.counts)), np.nan)
        bins = self.bins(self.known)
        for i in np.unique(bins):
            inside = self.known[bins == i]
            low = self.known.min() if i == 1 else self.edges[i - 2]
            high = self.known.max() if i == len(self.edges) + 1 else self.edges[i - 1]
            normals[:, i] = inside.mean(), inside.std() + LIMES_WIDENING, low, high
        for i, code in enumerate(self.special, len(self.edges) + 2):
            normals[:, i] = code, LIMES_WIDENING, code, code
        return normals

    def draw(self, uniform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from scipy.special import ndtr, ndtri

        bins, inside = _split(uniform, self.counts)
        mean, deviation, low, high = self._normals
        below, above = ndtr((low - mean) / deviation), ndtr((high - mean) / deviation)
        quantile = ndtri(below[bins] + inside * (above - below)[bins])
        return np.clip(mean[bins] + deviation[bins] * quantile, low[bins], high[bins]), bins


def _levels(values: np.ndarray, size: int) -> np.ndarray:
    return np.where(np.isnan(values), size - 1, values).astype(np.intp)


def _between(edges: np.ndarray, values: np.ndarray, special: np.ndarray) -> np.ndarray:
    bins = np.where(np.isnan(values), 0, np.searchsorted(edges, values) + 1)
    for i, code in enumerate(special, len(edges) + 2):
        bins[values == code] = i
    return bins


def _split(uniform: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the bin that a uniform number falls into, bins as likely as counted, and how far into it, 0 to 1."""
    filled = np.flatnonzero(counts)
    ends = np.cumsum(counts[filled]) / counts.sum()
    place = np.minimum(np.searchsorted(ends, uniform, side="right"), len(filled) - 1)
    starts = np.r_[0.0, ends[:-1]]
    return filled[place], (uniform - starts[place]) / (ends - starts)[place]
