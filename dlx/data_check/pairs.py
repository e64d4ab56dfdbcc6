"""Pairs of columns that together tell the outcome, although neither alone does: paid and due, reject and approve."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from dlx.data_check.rules import RULES
from dlx.dataset import Dataset
from dlx.redundancy import FEWEST_OUTCOMES, FOLDS, SURELY, area, bins_of, mean_rates
from dlx.schema import Feature
from dlx.stats import auc_interval

MOST_ROWS = 2_000  # of more, evenly
MOST_PAIRED = 40  # columns: those that tell most of the outcome by themselves
BINS = 8  # of a number that is crossed with another column
CELLS, ROWS_A_CELL = "their values", 5
ROWS_A_BIN = 10
STRONG = 0.95  # AUC of a column that tells most by itself: whatever stands beside it is not to blame


class Pair(NamedTuple):
    """Two columns that together tell the outcome, and how: "their difference"."""

    one: str
    other: str
    how: str
    strength: float  # the AUC


def leaking_pairs(case: Dataset, *, without: set[str]) -> list[Pair]:
    """Return pairs of columns that together tell an outcome of two, although neither alone does, the surest first.

    A pair tells by the mean outcome in the cells of both columns, or in bins of the difference, the sum or the ratio of two
    numbers, as other rows have it (five folds); or the latter do by their order. Of many columns the 40 that tell most alone
    are paired.
    """
    some = case[np.linspace(0, len(case) - 1, min(len(case), MOST_ROWS)).astype(int)]
    rows, outcomes = some.rows, some.outcomes
    if case.schema.target.kind != "binary" or outcomes is None or min(outcomes.sum(), (1 - outcomes).sum()) < FEWEST_OUTCOMES:
        return []
    folds = np.random.default_rng(0).permutation(np.arange(len(rows)) % FOLDS)

    features = {i: f for i, f in enumerate(case.schema.features) if f.name not in without and len(np.unique(rows[:, i])) > 1}
    alone = {i: area(mean_rates(bins_of(feature, rows[:, i]), outcomes, folds), outcomes) for i, feature in features.items()}
    chosen = sorted(sorted((i for i in alone if alone[i] < STRONG), key=lambda i: -alone[i])[:MOST_PAIRED])
    cells, found = {i: _coarse(features[i], rows[:, i]) for i in chosen}, []
    line = RULES["leaking pair"].line
    for i, j in itertools.combinations(chosen, 2):
        for how, bins in _together((features[i], features[j]), (rows[:, i], rows[:, j]), (cells[i], cells[j])):
            if _at_best(bins, outcomes) < line:
                continue
            ranks = [] if how == CELLS else [bins, bins.max() - bins]
            interval = max(auc_interval(outcomes, each) for each in (mean_rates(bins, outcomes, folds), *ranks))
            if interval.estimate >= line and interval.low >= SURELY:
                found.append(Pair(features[i].name, features[j].name, how, interval.estimate))
                break
    return sorted(found, key=lambda pair: -pair.strength)


Two = tuple[np.ndarray, np.ndarray]


def _together(features: tuple[Feature, Feature], columns: Two, cells: Two) -> Iterator[tuple[str, np.ndarray]]:
    """Yield how two columns put rows together, and the bins in which they do, [rows]."""
    (a, b), sizes = columns, [one.max() + 1 for one in cells]
    if sizes[0] * sizes[1] * ROWS_A_CELL <= len(a):
        yield CELLS, cells[0] * sizes[1] + cells[1]
    if not features[0].is_categorical and not features[1].is_categorical:
        with np.errstate(divide="ignore", invalid="ignore"):
            for how, number in (("their difference", a - b), ("their sum", a + b), ("their ratio", a / b)):
                yield how, _in_bins(number)


def _in_bins(column: np.ndarray) -> np.ndarray:
    """Return the bin of each value among many of about ten rows; a value of as many rows has one of its own."""
    _, places, counts = np.unique(column, return_inverse=True, return_counts=True)
    starts = np.cumsum(counts) - counts
    return (2 * (starts // ROWS_A_BIN) + (counts >= ROWS_A_BIN))[places]


def _coarse(feature: Feature, column: np.ndarray) -> np.ndarray:
    """Return the bin of each value: a level, or an eighth of the numbers."""
    known = ~np.isnan(column)
    if not feature.is_categorical and len(np.unique(column[known])) > BINS:
        edges = np.unique(np.quantile(column[known], np.linspace(0, 1, BINS + 1)[1:-1]))
        return np.where(known, np.searchsorted(edges, column, side="left"), BINS)
    return np.unique(column, return_inverse=True)[1]


def _at_best(bins: np.ndarray, outcomes: np.ndarray) -> float:
    """Return the area of bins that are ranked by their own rates, which other rows do not better."""
    counts = np.bincount(bins)
    ranks = np.argsort(np.argsort(np.bincount(bins, outcomes) / np.maximum(counts, 1)))
    return area(ranks[bins], outcomes)
