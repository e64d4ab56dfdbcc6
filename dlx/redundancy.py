"""Redundant columns: those that say the same as another, and leaks, which alone give the outcome away.

Two columns are copies where they go together, |r| > .95 by Pearson or Spearman, or where one follows from the other, whatever
the shape: a recode, a band of an age, a code beside its name.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np

from dlx.schema import Feature, Schema
from dlx.stats import auc_interval, auc_of_ranks

CORRELATED = 0.5  # beyond which two columns go together
ALIKE = 0.95  # correlation, or share of errors that are spared, beyond which two columns say the same
SURELY_ALIKE = 1 - 1e-9
TELLS_ALL = 0.98  # AUC from which on a column alone tells the outcome
SURELY = 0.9  # what the lower end of that AUC's interval must reach
EXPLAINS_ALL = 0.998  # share of the variance of a numeric outcome
FEWEST = 30  # rows in which both are known
FEWEST_OUTCOMES = 5  # of any outcome
IN_A_BIN, MOST_BINS = 5, 100
MOST_ROWS, FEW_ROWS = 5_000, 1_000  # drawn from more
FOLDS = 5


class Copy(NamedTuple):
    """Two columns that say the same."""

    one: str
    other: str
    strength: float  # the correlation, with its sign; or how far one follows from the other, 0 to 1
    is_correlation: bool


class Leak(NamedTuple):
    """A column that alone tells the outcome."""

    name: str
    strength: float  # the AUC, the lowest of several outcomes; or the share of the variance of a numeric one


def copies(schema: Schema, rows: np.ndarray, *, of: Collection[str] | None = None, beyond: float = ALIKE) -> list[Copy]:
    """Return pairs of columns that say the same, or go together that strongly, in the order of the schema.

    Parameters
    ----------
    schema : Schema
        What the columns mean.
    rows : ndarray [rows, features]
        Coded, NaN where missing. Fewer than 30 rows in which two are known say nothing.
    of : collection of str, optional
        Columns of which either must be one; all by default.
    beyond : float
        The strength beyond which a pair is told.
    """
    if len(rows) > MOST_ROWS:
        rows = rows[np.random.default_rng(0).permutation(len(rows))[:MOST_ROWS]]
    numbers = schema.numbers(rows)
    varied = [i for i, column in enumerate(numbers.T) if len(np.unique(column[~np.isnan(column)])) > 1]
    if len(varied) < 2:
        return []
    features = [schema.features[i] for i in varied]
    bins = [bins_of(feature, rows[:, i]) for feature, i in zip(features, varied, strict=True)]
    columns = _Columns.of(features, numbers[:, varied], bins)
    correlations, follows = _correlations(columns), np.stack([_follow(bins, columns) for bins in columns.bins])
    enough = np.triu(columns.known.T.astype(float) @ columns.known >= FEWEST, k=1)
    strength = np.where(np.abs(correlations) > beyond, correlations, np.maximum(follows, follows.T))
    found = []
    for i, j in np.argwhere(enough & (np.abs(strength) > beyond)):
        one, other = features[i].name, features[j].name
        if of is None or one in of or other in of:
            found.append(Copy(one, other, float(strength[i, j]), bool(strength[i, j] == correlations[i, j])))
    return found


def copies_by_column(found: list[Copy]) -> dict[str, tuple[str, ...]]:
    """Return, for each column that has copies, all others of its group: a copy of a copy is one too."""
    groups: list[list[str]] = []
    for copy in found:
        joined = [group for group in groups if copy.one in group or copy.other in group]
        groups = [group for group in groups if group not in joined]
        groups.append(list(dict.fromkeys([*itertools.chain(*joined), copy.one, copy.other])))
    return {name: tuple(other for other in group if other != name) for group in groups for name in group}


def leaks(schema: Schema, rows: np.ndarray, outcomes: np.ndarray) -> list[Leak]:
    """Return the columns that alone tell the outcome, the surest first.

    A column tells by the mean outcome in bins of its values, missing ones being a bin, as other rows have it (five folds); or
    numbers do by their order.

    Parameters
    ----------
    schema : Schema
        What the columns and the outcomes mean.
    rows, outcomes : ndarray [rows, features], [rows]
        Coded. Fewer than five rows of an outcome say nothing.
    """
    different, counts = np.unique(outcomes, return_counts=True)
    is_number = schema.target.kind == "regression"
    if len(different) < 2 or (not is_number and counts.min() < FEWEST_OUTCOMES):
        return []
    folds = np.random.default_rng(0).permutation(np.arange(len(rows)) % FOLDS)
    told = []
    for feature, column in zip(schema.features, rows.T, strict=True):
        bins = bins_of(feature, column)
        if is_number:
            share = max(
                _explained(scores, outcomes) for scores in (feature.numbers(column), mean_outcomes(bins, outcomes, folds))
            )
            told += [Leak(feature.name, share)] if share >= EXPLAINS_ALL else []
            continue
        each = [(outcomes == outcome).astype(float) for outcome in different[len(different) == 2 :]]
        number = None if feature.is_categorical or np.isnan(feature.numbers(column)).any() else column
        areas = [_told(own, bins, folds, number) for own in each]
        if None not in areas:
            told.append(Leak(feature.name, min(area for area in areas if area is not None)))
    return sorted(told, key=lambda leak: -leak.strength)


def _told(events: np.ndarray, bins: np.ndarray, folds: np.ndarray, column: np.ndarray | None) -> float | None:
    """Return the area by which bins, or the order of numbers, tell events for sure; None where they do not."""
    scores = [mean_rates(bins, events, folds)]
    if column is not None:
        places = np.unique(column, return_inverse=True)[1]
        scores += [places, places.max() - places]
    best = max(scores, key=lambda score: auc_of_ranks(events, score))
    area = auc_of_ranks(events, best)
    return area if area >= TELLS_ALL and auc_interval(events, best).low >= SURELY else None


def warnings_by_column(schema: Schema, rows: np.ndarray, outcomes: np.ndarray | None) -> dict[str, list[str]]:
    """Return what to know of columns before a model reads them: of which earlier one it is a copy, and that it is a leak."""
    told: dict[str, list[str]] = {}
    some = rows[:: max(1, len(rows) // FEW_ROWS)]
    for copy in sorted(copies(schema, some), key=lambda copy: abs(copy.strength)):  # the closest has the last word
        how = f"r = {copy.strength:.2f}" if copy.is_correlation else f"by {copy.strength:.0%}"
        is_same = abs(copy.strength) > SURELY_ALIKE
        told[copy.other] = [f"copies {copy.one!r}" if is_same else f"nearly copies {copy.one!r} ({how})"]
    step = max(1, len(rows) // MOST_ROWS)
    for leak in [] if outcomes is None else leaks(schema, rows[::step], outcomes[::step]):
        words = f"tells the outcome alone ({leak.strength:.3f}): known before it, or a part of it?"
        told.setdefault(leak.name, []).append(words)
    return told


class _Columns(NamedTuple):
    """Columns of more than one value: what is made of each once for all pairs, [rows, columns] or [columns]."""

    values: np.ndarray
    known: np.ndarray
    ranks: np.ndarray  # 0 where missing
    codes: np.ndarray  # of the known values, from 0 on; beyond them where missing
    bins: list[np.ndarray]
    have_order: np.ndarray
    alike: np.ndarray  # how probable it is that two people have the same value
    most: np.ndarray  # the share of the most frequent value

    @classmethod
    def of(cls, features: list[Feature], values: np.ndarray, bins: list[np.ndarray]) -> _Columns:
        import pandas as pd

        codes = np.column_stack([np.unique(column, return_inverse=True)[1] for column in values.T])
        counts = [np.bincount(one[~np.isnan(column)]) for one, column in zip(codes.T, values.T, strict=True)]
        return cls(
            values,
            ~np.isnan(values),
            pd.DataFrame(values).rank().fillna(0).to_numpy(),
            codes,
            bins,
            np.array([not f.is_categorical or f.ordered or len(f.levels) == 2 for f in features]),
            np.array([_pairs(one) / (one.sum() * (one.sum() - 1)) for one in counts]),
            np.array([one.max() / one.sum() for one in counts]),
        )


def _correlations(columns: _Columns) -> np.ndarray:
    """Return the larger of Pearson's and Spearman's correlations, [columns, columns]; 0 of columns without an order."""
    import pandas as pd

    found = np.zeros((2, len(columns.bins), len(columns.bins)))
    ordered = np.flatnonzero(columns.have_order)
    for one, held in zip(found, (columns.values, np.where(columns.known, columns.ranks, np.nan)), strict=True):
        held = held[:, ordered]
        r = pd.DataFrame(held).corr() if np.isnan(held).any() else np.corrcoef(held, rowvar=False)
        one[np.ix_(ordered, ordered)] = np.nan_to_num(np.atleast_2d(r))
    linear, monotone = found
    return np.where(np.abs(linear) >= np.abs(monotone), linear, monotone)


def _follow(bins: np.ndarray, columns: _Columns) -> np.ndarray:
    """Return how far each column follows from the one with such bins, [columns]: 0 not at all, 1 wholly; gaps tell too.

    Judged by the adjusted correlation ratio of ranks, or by how many of the errors about a level are spared.
    """
    from scipy.sparse import csr_array

    known, ranks = columns.known, columns.ranks
    in_bins = csr_array((np.ones(len(bins)), (bins, np.arange(len(bins)))))
    sizes, count = in_bins @ known.astype(float), known.sum(axis=0)  # [bins, columns], [columns]
    used, pairs = (sizes > 0).sum(axis=0), _pairs(sizes)
    total = (ranks**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        left = (total - ((in_bins @ ranks) ** 2 / np.maximum(sizes, 1)).sum(axis=0)) / (count - used)
        follow = np.sqrt(np.maximum(0, 1 - left * (count - 1) / (total - ranks.sum(axis=0) ** 2 / count)))
    is_sparse = count < IN_A_BIN * used
    says_nothing = is_sparse & (pairs * (1 - columns.alike) < FEWEST)  # so many values that anything would follow from them
    for i in np.flatnonzero(~columns.have_order & ~says_nothing):
        shape = len(sizes), int(columns.codes[:, i].max()) + 1
        both = np.bincount(bins * shape[1] + columns.codes[:, i], known[:, i], shape[0] * shape[1]).reshape(shape)
        told, guessed = both.max(axis=1).sum() / count[i], columns.most[i]
        if is_sparse[i]:  # a bin of few people has its own level by chance, two of them have the same one seldom
            told, guessed = _pairs(both.ravel()) / pairs[i], columns.alike[i]
        follow[i] = (told - guessed) / (1 - guessed)
    return np.where(says_nothing, 0.0, follow)


def _pairs(counts: np.ndarray) -> Any:
    """Return how many pairs of people, counted both ways, are in the same one of groups of such sizes, [groups, ...]."""
    return (counts * (counts - 1)).sum(axis=0)


def bins_of(feature: Feature, column: np.ndarray, *, most: int = MOST_BINS) -> np.ndarray:
    """Return the bin of each value, from 0 on: a level or value where these are few, else a quantile; missing is one too.

    So is each special value.
    """
    beside = feature.beside(column)
    known = beside == 0
    values, places = np.unique(column[known], return_inverse=True)
    most = min(most, max(2, len(column) // (2 * IN_A_BIN)))
    if not feature.is_categorical and len(values) > most:
        edges = np.unique(np.quantile(column[known], np.linspace(0, 1, most + 1)[1:-1]))
        places = np.searchsorted(edges, column[known], side="left")
    bins = places.max(initial=-1) + beside
    bins[known] = places
    return np.unique(bins, return_inverse=True)[1]


def mean_outcomes(bins: np.ndarray, outcomes: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Return the mean outcome that the other folds have in each row's bin, drawn a little to that of all, [rows]."""
    means = np.empty(len(outcomes))
    for fold in np.unique(folds):
        held, rest = folds == fold, folds != fold
        sums = np.bincount(bins[rest], weights=outcomes[rest], minlength=bins.max() + 1)
        counts = np.bincount(bins[rest], minlength=bins.max() + 1)
        means[held] = ((sums + outcomes[rest].mean()) / (counts + 1))[bins[held]]
    return means


def mean_rates(bins: np.ndarray, events: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Return `mean_outcomes` of events, in whole twentieths: an event that is held out lowers its own bin a little."""
    return np.round(20 * mean_outcomes(bins, events, folds)).astype(int)


def _explained(scores: np.ndarray, outcomes: np.ndarray) -> float:
    """Return the share of the outcomes' variance that scores explain, where they are known; 0 of few."""
    known = ~np.isnan(scores)
    if known.sum() < FEWEST or not np.ptp(scores[known]) or not np.ptp(outcomes[known]):
        return 0.0
    return float(np.corrcoef(scores[known], outcomes[known])[0, 1] ** 2)
