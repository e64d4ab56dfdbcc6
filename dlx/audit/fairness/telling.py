"""How well a protected column is known from other columns: the one measure of a proxy, for fairness and for reasons.

A group is told from the rest by the area under the ROC curve (AUC): .5 is chance, 1 the group in other words. Any shape of
a column counts, and what is missing counts as a value. Judged on people who were not learned from; nothing is random but the
folds, which are seeded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dlx.audit.fairness.tally import MIN_PEOPLE
from dlx.background import sample
from dlx.dataset import Dataset
from dlx.schema import Feature
from dlx.stats import auc_of_counts, auc_with_error, normal_interval

TELLING = 0.7  # AUC above which the lower end of an interval makes a proxy
FOLDS = 5
PEOPLE_A_BIN, FEWEST_BINS, MOST_BINS = 25, 4, 64  # of a number
DISTINCT = 0.25  # values per person up to which each value of a number is a bin of its own
BELIEF = 5.0  # people that the rate of the wider bin, or of everybody, counts for
FEW_VALUES = 8  # of a protected number, up to which each is a group
TAILS = (0.05, 0.1, 0.9, 0.95)  # of a protected number: a flag of who is 62 or older tells these, and hardly a quarter
MOST_TOGETHER = 1_000  # people among whom several columns at once are judged
REACH = 0.5  # bandwidth of the distance over up to four columns; an eighth of the columns beyond


class Told(NamedTuple):
    """How well a group is told from the rest: AUC, the ends of its 95 % interval and its error (DeLong 1988), over people."""

    auc: float
    low: float
    high: float
    error: float

    @classmethod
    def of(cls, auc: float, error: float) -> Told:
        """Return an AUC with the ends of its 95 % normal interval."""
        return cls(*normal_interval(auc, error, within=(0.0, 1.0)), error)


@dataclass(frozen=True, eq=False)
class Group:
    """People with a value of a protected column.

    Parameters
    ----------
    column, name : str
        The column, and the group in words.
    inside : ndarray of bool [rows]
        Who belongs to it.
    """

    column: str
    name: str
    inside: np.ndarray

    @property
    def fewest(self) -> int:
        """How many people the group has, or the rest, if these are fewer."""
        return int(min(self.inside.sum(), (~self.inside).sum()))

    @property
    def can_be_judged(self) -> bool:
        """Whether the group and the rest have 30 people each."""
        return self.fewest >= MIN_PEOPLE


def protected_groups(observed: Dataset) -> list[Group]:
    """Return the groups by each protected column: levels; of a number its quarters, middle half, tails and the schema's cuts.

    The middle half, because |age - 47| tells it without a rank correlation with age. Tails of 5 and 10 %, if
    these are 30 people. Who has no value is a group too.
    """
    found: list[Group] = []
    for feature, column in zip(observed.schema.features, observed.rows.T, strict=True):
        seen: set[bytes] = set()
        for name, inside in _parts(feature, column) if feature.protected else ():
            either = min(inside.tobytes(), (~inside).tobytes())  # to tell the rest is the same question
            if 0 < inside.sum() < len(inside) and either not in seen:
                found.append(Group(feature.name, name, inside))
                seen.add(either)
    return found


def told_by_column(feature: Feature, column: np.ndarray, inside: np.ndarray, *, seed: int = 0) -> list[Told]:
    """Return how well one column alone tells groups, by a tree with a leaf a value, cross-validated.

    Parameters
    ----------
    feature : Feature
        What the column means.
    column : ndarray [rows]
        Its codes.
    inside : ndarray of bool [rows, groups]
        Who belongs to each group.
    seed : int
        Seed of the folds.

    Notes
    -----
    The leaves are the levels, or bins of a number with 25 people each (at most 64), in which each value that repeats is a
    leaf below; missing is a leaf. A leaf's rate is learned on four folds and leans on that of the leaf above by 5 people.
    """
    fine, coarse = _leaves(feature, column)
    fold = np.random.default_rng(seed).permutation(len(column)) % FOLDS
    shape = (FOLDS, int(fine.max()) + 1)
    people = np.bincount(fold * shape[1] + fine, minlength=shape[0] * shape[1]).reshape(shape).astype(float)
    above = np.zeros(shape[1], dtype=np.int64)
    above[fine] = coarse
    others = people.sum(axis=0) - people  # [folds, leaves], of the four other folds
    found = []
    for group in inside.T:
        counts = np.bincount(fold * shape[1] + fine, group, minlength=shape[0] * shape[1]).reshape(shape)
        learned = counts.sum(axis=0) - counts
        prior = learned.sum(axis=1, keepdims=True) / others.sum(axis=1, keepdims=True)
        wide = np.stack([np.bincount(above, line) for line in learned]) + BELIEF * prior
        wide /= np.stack([np.bincount(above, line) for line in others]) + BELIEF
        rates = (learned + BELIEF * wide[:, above]) / (others + BELIEF)
        found.append(Told.of(*auc_of_counts(rates.ravel(), counts.ravel(), (people - counts).ravel())))
    return found


def told_together(features: Sequence[Feature], columns: np.ndarray, inside: np.ndarray, *, seed: int = 0) -> list[Told]:
    """Return how well several columns together tell groups, by the people nearest to each, the person left out.

    Parameters
    ----------
    features : sequence of Feature
        What the columns mean.
    columns : ndarray [rows, columns]
        Their codes.
    inside : ndarray of bool [rows, groups]
        Who belongs to each group.
    seed : int
        Seed of the choice of at most 1,000 people.

    Notes
    -----
    Two people differ by 1 in a column where the levels differ or one is missing, by twice the difference of ranks otherwise;
    at a distance d, the sum, one speaks for the other with the weight exp(-d / bandwidth).
    """
    some = sample(np.arange(len(columns)), MOST_TOGETHER, seed=seed)
    columns, inside = columns[some], inside[some]
    distance = np.zeros((len(columns), len(columns)), dtype=np.float32)
    for feature, column in zip(features, columns.T, strict=True):
        distance += _distances(feature, column)
    weights = np.exp(-distance / max(REACH, len(features) / 8))
    np.fill_diagonal(weights, 0.0)
    scores = (weights @ inside.astype(np.float32)) / np.maximum(weights.sum(axis=1, keepdims=True), 1e-30)
    return [Told.of(*auc_with_error(group, score)) for group, score in zip(inside.T, scores.T, strict=True)]


def _leaves(feature: Feature, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the leaf of each person and the wider leaf above it, [rows], [rows]; missing is a leaf of its own."""
    missing = np.isnan(column)
    values, fine = np.unique(np.where(missing, np.inf, column), return_inverse=True)
    if feature.is_categorical:
        return fine, missing.astype(np.int64)
    known = column[~missing]
    bins = int(np.clip(len(column) // PEOPLE_A_BIN, FEWEST_BINS, MOST_BINS))
    edges = np.unique(np.quantile(known, np.arange(1, bins) / bins)) if len(known) else np.empty(0)
    coarse = np.where(missing, len(edges) + 1, np.searchsorted(edges, np.where(missing, 0.0, column)))
    return (fine if len(values) <= DISTINCT * len(column) else coarse), coarse


def _distances(feature: Feature, column: np.ndarray) -> np.ndarray:
    """Return how far people are apart in one column, [rows, rows], from 0 to 2."""
    from scipy.stats import rankdata

    missing = np.isnan(column)
    if feature.is_categorical:
        codes = np.where(missing, -1.0, column)
        return (codes[:, None] != codes).astype(np.float32)
    ranks = (2 * rankdata(np.where(missing, 0.0, column)) / len(column)).astype(np.float32)
    distance = np.abs(ranks[:, None] - ranks)
    distance[missing[:, None] != missing] = 1.0
    distance[missing[:, None] & missing] = 0.0
    return distance


def _parts(feature: Feature, column: np.ndarray) -> list[tuple[str, np.ndarray]]:
    known, values = ~np.isnan(column), np.unique(column[~np.isnan(column)])
    missing = [(feature.missing_label, ~known)] if not known.all() else []
    if feature.is_categorical or len(values) <= FEW_VALUES:
        each = [(feature.format(value), column == value) for value in values]
        return ([min(each, key=lambda part: int(part[1].sum()))] if len(each) == 2 else each) + missing
    ends = np.unique(np.quantile(column[known], (0.25, 0.5, 0.75), method="lower"))
    words = [feature.format(end) for end in ends]
    quarters = [(f"up to {words[0]}", column <= ends[0]), (f"over {words[-1]}", column > ends[-1])]
    between = [
        (f"over {words[i]} up to {words[j]}", (column > ends[i]) & (column <= ends[j]))
        for i in range(len(ends))
        for j in range(i + 1, len(ends))
    ]
    cuts = [(f"up to {feature.format(cut)}", column <= cut) for cut in feature.cuts]
    at_tails = [(end, column <= end) for end in np.quantile(column[known], TAILS, method="lower")]
    tails = [(f"up to {feature.format(end)}", low) for end, low in at_tails if min(low.sum(), (~low).sum()) >= MIN_PEOPLE]
    return [*cuts, *quarters, *between, *tails, *missing]
