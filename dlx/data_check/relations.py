"""Findings about columns together: copies, and what tells the outcome alone, or in pairs: paid and due, reject and approve."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from dlx.data_check.columns import example
from dlx.data_check.finding import Finding
from dlx.data_check.rules import RULES
from dlx.dataset import Dataset
from dlx.errors import quoted
from dlx.redundancy import FEWEST_OUTCOMES, FOLDS, SURELY, Copy, bins_of, copies, leaks, mean_rates
from dlx.schema import Feature, Schema
from dlx.stats import auc_interval, auc_of_ranks

MOST_ROWS = 5_000  # of more, evenly
MOST_CELLS, FEW_ROWS = 200_000, 1_000  # that copies are looked for in, of fewer columns and of many
MOST_CROSSED, MOST_PAIRED = 2_000, 40  # rows, evenly, and columns, those that tell most by themselves, that pairs are made of
BINS = 8  # of a number that is crossed with another column
CELLS, ROWS_A_CELL = "their values", 5
ROWS_A_BIN = 10
STRONG = 0.95  # AUC of a column that tells most by itself: whatever stands beside it is not to blame


def columns_alike(case: Dataset, rows: np.ndarray) -> Iterator[Finding]:
    """Yield pairs of columns that say the same, in rows whose special codes and far cells are NaN."""
    some = max(FEW_ROWS, MOST_CELLS // len(case.schema))
    for copy in copies(case.schema, rows[:: -(-len(rows) // some)]):
        if not copy.is_correlation and not _alike_where_known(case.schema, rows, copy):
            continue
        kind = "copy" if abs(copy.strength) >= RULES["copy"].line else "near copy"
        how = f"r = {copy.strength:.3f}" if copy.is_correlation else f"{copy.strength:.1%} of it follows"
        both = (rows[:, case.schema.position(name)] for name in (copy.one, copy.other))
        said = f"{quoted(copy.other)} says {'' if kind == 'copy' else 'nearly '}the same as {quoted(copy.one)} ({how})."
        remedy = f"Explanations may credit either: --drop {shlex.quote(copy.other)}"
        count = int(np.logical_and(*(~np.isnan(column) for column in both)).sum())
        shown = *example(case, copy.other, 0), abs(copy.strength)
        yield Finding(kind, (copy.one, copy.other), said, remedy, count, *shown, must_decide=kind == "copy")


def _alike_where_known(schema: Schema, rows: np.ndarray, copy: Copy) -> bool:
    """Whether two columns say the same in rows in which both are known: the gap of what only some are asked tells, too."""
    places = [schema.position(copy.one), schema.position(copy.other)]
    some = rows[:, places]
    known = ~np.isnan(some).any(axis=1)
    return bool(known.all() or copies(Schema(tuple(schema.features[i] for i in places), schema.target), some[known]))


def columns_that_leak(case: Dataset) -> Iterator[Finding]:
    """Yield columns that alone tell the outcome, and pairs that together do."""
    if case.outcomes is None:
        return
    some = np.linspace(0, len(case) - 1, min(len(case), MOST_ROWS)).astype(int)
    alone = leaks(case.schema, case.rows[some], case.outcomes[some])
    for leak in alone:
        said = f"{quoted(leak.name)} alone tells {quoted(case.schema.target.name)} ({leak.strength:.3f}): is it known before?"
        remedy = f"If not: --drop {shlex.quote(leak.name)}"
        shown = *example(case, leak.name, 0), leak.strength
        yield Finding("leak", (leak.name,), said, remedy, len(case), *shown, must_decide=True)
    for one, other, how, strength in leaking_pairs(case, without={leak.name for leak in alone}):
        said = (
            f"{quoted(one)} and {quoted(other)} together, by {how}, tell {quoted(case.schema.target.name)} ({strength:.3f}), "
            "neither alone: are both known before?"
        )
        remedy = f"If not: --drop {shlex.quote(one)}, or --drop {shlex.quote(other)}"
        values = " and ".join(example(case, name, 0)[1] for name in (one, other))
        yield Finding("leaking pair", (one, other), said, remedy, len(case), case.index[0], values, strength, must_decide=True)


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
    some = case[np.linspace(0, len(case) - 1, min(len(case), MOST_CROSSED)).astype(int)]
    rows, outcomes = some.rows, some.outcomes
    if case.schema.target.kind != "binary" or outcomes is None or min(outcomes.sum(), (1 - outcomes).sum()) < FEWEST_OUTCOMES:
        return []
    folds = np.random.default_rng(0).permutation(np.arange(len(rows)) % FOLDS)

    features = {i: f for i, f in enumerate(case.schema.features) if f.name not in without and len(np.unique(rows[:, i])) > 1}
    alone = {
        i: auc_of_ranks(outcomes, mean_rates(bins_of(feature, rows[:, i]), outcomes, folds)) for i, feature in features.items()
    }
    chosen = sorted(sorted((i for i in alone if alone[i] < STRONG), key=lambda i: -alone[i])[:MOST_PAIRED])
    cells, found = {i: bins_of(features[i], rows[:, i], most=BINS) for i in chosen}, []
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


def _together(
    features: tuple[Feature, Feature], columns: tuple[np.ndarray, np.ndarray], cells: tuple[np.ndarray, np.ndarray]
) -> Iterator[tuple[str, np.ndarray]]:
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


def _at_best(bins: np.ndarray, outcomes: np.ndarray) -> float:
    """Return the area of bins that are ranked by their own rates, which other rows do not better."""
    counts = np.bincount(bins)
    ranks = np.argsort(np.argsort(np.bincount(bins, outcomes) / np.maximum(counts, 1)))
    return auc_of_ranks(outcomes, ranks[bins])
