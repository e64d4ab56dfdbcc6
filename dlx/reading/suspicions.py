"""Columns that a reader should look at before a model does: copies of others, and those that alone tell the outcome.

They are named and kept. Judged on at most 5,000 rows, evenly spaced.

- A copy has a value of its own for each value of another column, in every row; a near copy is correlated with it beyond .95
  (Pearson's r of numbers and of ordered or two levels, Cramér's V of other levels).
- A column tells the outcome alone if its rank, its levels or its gaps separate the outcomes with an AUC of .99 or more, or
  explain 99.8 % of the variance of a numeric one. Rates of levels are learned on every other row and judged on the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from dlx.schema import Schema
from dlx.stats import auc

ROWS, LEVELS, FEWEST, MOST_PAIRED = 5_000, 50, 10, 100
NEAR, ALMOST, TELLING, EXPLAINED = 0.95, 0.9999, 0.99, 0.998


def suspicions(schema: Schema, rows: np.ndarray, outcomes: np.ndarray | None) -> dict[str, list[str]]:
    """Return what a reader should know of columns, by name.

    Parameters
    ----------
    schema : Schema
        The columns.
    rows : ndarray [rows, features]
        Coded rows.
    outcomes : ndarray [rows], optional
        The outcomes; without them no column can tell them.
    """
    step = max(1, len(rows) // ROWS)
    rows, outcomes = rows[::step], None if outcomes is None else outcomes[::step]
    told = {name: [words] for name, words in _copies(schema, rows).items()}
    for name, column in zip(schema.names, rows.T, strict=True):
        share = 0.0 if outcomes is None else _telling(column, outcomes, schema.target.kind)
        if share:
            told.setdefault(name, []).append(f"tells the outcome alone ({share:.3f}): known before it, or a part of it?")
    return told


def _copies(schema: Schema, rows: np.ndarray) -> dict[str, str]:
    """Return what is said of columns that are copies of earlier ones, each of the one that is closest."""
    levels = [_levels(column) for column in rows.T]
    first: dict[bytes, int] = {}
    closest: dict[int, tuple[float, str]] = {}
    for j, column in enumerate(levels):
        i = first.setdefault(column.tobytes(), j)
        if i < j and column.max() > 0:
            closest[j] = 1.0, f"copies {schema.names[i]!r}"
    for i, j, near, words in (*_near_numbers(schema, rows), *_near_levels(schema, levels)):
        if near > closest.get(j, (NEAR, ""))[0]:
            closest[j] = min(near, ALMOST), words.format(schema.names[i], near)
    return {schema.names[j]: words for j, (_, words) in sorted(closest.items())}


def _near_numbers(schema: Schema, rows: np.ndarray) -> Iterator[tuple[int, int, float, str]]:
    """Yield pairs of columns whose values have an order and correlate: earlier, later, |r|."""
    own = [i for i, f in enumerate(schema.features) if not f.is_categorical or f.ordered or len(f.levels) == 2]
    known = ~np.isnan(rows[:, own])
    columns = np.where(known, rows[:, own], 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        centred = np.where(known, columns - columns.sum(axis=0) / known.sum(axis=0), 0.0)
        r = np.nan_to_num(np.abs(np.corrcoef(centred, rowvar=False).reshape(len(own), len(own))))
    for i, j in zip(*np.nonzero(np.triu(r > NEAR, 1)), strict=True):
        yield own[i], own[j], float(r[i, j]), "nearly copies {0!r} (r = {1:.2f})"


def _near_levels(schema: Schema, levels: list[np.ndarray]) -> Iterator[tuple[int, int, float, str]]:
    """Yield pairs of columns of levels, one of them without an order, that go together: earlier, later, Cramér's V."""
    few = [i for i in schema.categorical if 0 < levels[i].max() < LEVELS][:MOST_PAIRED]
    for i, j in combinations(few, 2):
        if any(not schema.features[k].ordered and len(schema.features[k].levels) > 2 for k in (i, j)):
            share = _cramer(levels[i], levels[j])
            yield i, j, share, "goes with {0!r} level by level" if share > ALMOST else "nearly copies {0!r} (V = {1:.2f})"


def _levels(column: np.ndarray) -> np.ndarray:
    """Return values as numbers in the order in which they occur first: the same for a column and its copy."""
    _, first, codes = np.unique(column, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[codes.ravel()]


def _cramer(a: np.ndarray, b: np.ndarray) -> float:
    table = np.bincount(a * (b.max() + 1) + b, minlength=(a.max() + 1) * (b.max() + 1)).reshape(a.max() + 1, b.max() + 1)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    chi2 = ((table - expected) ** 2 / expected).sum()
    return float(np.sqrt(chi2 / table.sum() / (min(table.shape) - 1)))


def _telling(column: np.ndarray, outcomes: np.ndarray, kind: str) -> float:
    """Return how well a column alone tells the outcome, where that is suspiciously well; else 0."""
    if kind == "regression":
        share = max(_explained(column, outcomes), _explained(_learned(column, outcomes), outcomes))
        return share if share >= EXPLAINED else 0.0
    worst = 1.0
    different = np.unique(outcomes)
    for outcome in different[len(different) == 2 :]:
        own = outcomes == outcome
        if min(own.sum(), (~own).sum()) < FEWEST:
            return 0.0
        scores = [column, _learned(column, own), *([np.isnan(column)] if np.isnan(column).any() else [])]
        worst = min(worst, max(_auc(score, own) for score in scores))
    return worst if worst >= TELLING else 0.0


def _learned(column: np.ndarray, outcomes: np.ndarray) -> np.ndarray:
    """Return the mean outcome of each row's level, learned on every other row; NaN in those, and where levels are many."""
    levels = _levels(column)
    told = np.full(len(column), np.nan)
    if levels.max() < min(LEVELS, len(column) / FEWEST):
        count = np.bincount(levels[::2], minlength=levels.max() + 1)
        mean = np.bincount(levels[::2], outcomes[::2], minlength=levels.max() + 1) / np.maximum(count, 1)
        told[1::2] = np.where(count > 0, mean, np.mean(outcomes[::2]))[levels[1::2]]
    return told


def _auc(scores: np.ndarray, own: np.ndarray) -> float:
    """Return the AUC of scores, in the direction in which it is larger, among the rows that have one; one half of few."""
    known = ~np.isnan(scores.astype(float))
    if min(own[known].sum(), (~own[known]).sum()) < FEWEST:
        return 0.5
    area = auc(own[known], scores[known].astype(float))
    return max(area, 1 - area)


def _explained(scores: np.ndarray, outcomes: np.ndarray) -> float:
    known = ~np.isnan(scores)
    if known.sum() < 2 * FEWEST or scores[known].std() == 0 or outcomes[known].std() == 0:
        return 0.0
    return float(np.corrcoef(scores[known], outcomes[known])[0, 1] ** 2)
