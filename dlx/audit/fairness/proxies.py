"""Proxies: how well other columns tell the group of a person, for fairness and for reasons; and which columns make gaps.

A group is told from the rest by the area under the ROC curve (AUC), which has the 95 % normal interval of its error (DeLong
1988): .5 is chance, 1 the group in other words. Any shape of a column counts, and what is missing counts as a value. Judged on
people who were not learned from, each with their weight; nothing is random but the folds, which are seeded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dlx.audit.fairness.groups import MIN_PEOPLE, FairnessError, Partition
from dlx.background import sample
from dlx.dataset import Dataset
from dlx.errors import plural
from dlx.explanation import Explanation
from dlx.schema import Feature
from dlx.stats import Weights, Z, auc_of_counts, counts_of, effective, ends_of, means_of, quantile_edges, resampled_counts
from dlx.threads import one_thread

PROXY_AUC = 0.7  # above which the lower end of an interval makes a proxy
FOLDS = 5
PEOPLE_A_BIN, FEWEST_BINS, MOST_BINS = 25, 4, 64  # of a number
DISTINCT = 0.25  # values per person up to which each value of a number is a bin of its own
BELIEF = 5.0  # people that the rate of the wider bin, or of everybody, counts for
MOST_TOGETHER = 1_000  # people among whom several columns at once are judged
REACH = 0.5  # bandwidth of the distance over up to four columns; an eighth of the columns beyond


class ProxyStrength(NamedTuple):
    """The AUC by which a group is told from the rest, the ends of its interval and its standard error."""

    auc: float
    low: float
    high: float
    error: float

    @classmethod
    def of(cls, auc: float, error: float) -> ProxyStrength:
        """Return an AUC with the ends of its interval."""
        return cls(auc, max(auc - Z * error, 0.0), min(auc + Z * error, 1.0), error)


def proxy_strength(case: Dataset, by: Partition, *, seed: int = 0) -> pd.DataFrame:
    """Return how well all other columns together tell the groups: one group against the rest, a line each.

    attribute, group, people, `auc` with `low` and `high` (over people, not over refitted trees), and the objection where a
    group, or the rest, has fewer than 30 people. Gradient boosting of scikit-learn, judged on five folds of all rows; outcomes
    are not looked at. Of two groups one line says it all.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    rows, codes, lines = case.rows[:, _others(case, by)], by.codes(case), []
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    boosting = HistGradientBoostingClassifier(
        max_leaf_nodes=4, learning_rate=0.1, max_iter=75, early_stopping=False, random_state=seed
    )
    (present, sizes), counts = np.unique(codes, return_counts=True), effective(counts_of(case.weights, len(case)))
    for group in [present[sizes.argmin()]] if len(present) == 2 else present:
        inside, found = codes == group, (np.nan,) * 3
        if not (objection := _too_few(inside)):
            with one_thread():
                asked: dict[str, Any] = {"method": "predict_proba", "params": {"sample_weight": case.weights}}
                scores = cross_val_predict(boosting, rows, inside, cv=folds, **asked)[:, 1]
            found = ProxyStrength.of(*auc_of_counts(scores, counts * inside, counts * ~inside))[:3]
        lines.append((by.name, by.groups[group], int(inside.sum()), *found, objection))
    return pd.DataFrame(lines, columns=["attribute", "group", "people", "auc", "low", "high", "objection"])


def column_proxies(case: Dataset, by: Partition, group: str, *, seed: int = 0) -> pd.DataFrame:
    """Return how well each other column alone tells a group from the rest, best first.

    attribute, group, column, and `tells` with its 95 % interval and its standard error: 2 AUC − 1 of this column alone, see
    `strengths_alone`; 0 is chance, 1 the group itself.

    Raises
    ------
    FairnessError
        If there is no such group, or it, or the rest, has fewer than 30 people.
    """
    inside = by.members(case, group)
    if objection := _too_few(inside):
        raise FairnessError(f"{group!r} of {by.name} is {objection}")
    lines = []
    for place in _others(case, by):
        column = case.schema.features[place], case.rows[:, place]
        (found,) = strengths_alone(*column, inside[:, None], case.weights, seed=seed)
        lines.append((by.name, group, case.schema.names[place], *(2 * number - 1 for number in found[:3]), 2 * found.error))
    table = pd.DataFrame(lines, columns=["attribute", "group", "column", "tells", "low", "high", "error"])
    return table.sort_values("tells", ascending=False, kind="stable", ignore_index=True)


def carriers(explanation: Explanation, told: pd.DataFrame, weights: Weights = None, *, seed: int = 0) -> pd.DataFrame:
    """Return through which columns a model could know a group: what they tell of it × how much the model uses them.

    A line a column of `told`, which are the `column_proxies` of the group, strongest first: `tells`; `importance`, the mean
    absolute contribution in units of the scale, by people's weights; and `carried`, importance × tells (no less than 0), all
    with 95 % bootstrap intervals, those of carried from both.
    """
    names, tells = list(explanation.schema.names), told["tells"].to_numpy()
    weights = None if weights is None else weights[~explanation.failed]
    sizes = np.abs(explanation.values[~explanation.failed])[:, [names.index(column) for column in told["column"]]]
    drawn = means_of(resampled_counts(len(sizes), weights, seed=seed), sizes)  # [resamples, columns]
    noise = np.random.default_rng(seed).normal(size=drawn.shape) * told["error"].to_numpy()
    table = told.drop(columns="error").rename(columns={"low": "tells_low", "high": "tells_high"})
    table.insert(0, "model", explanation.model)
    importance = np.average(sizes, axis=0, weights=weights)
    for name, estimate, draws in (
        ("importance", importance, drawn),
        ("carried", importance * np.maximum(tells, 0), drawn * np.maximum(tells + noise, 0)),
    ):
        table[[name, f"{name}_low", f"{name}_high"]] = np.vstack([estimate, ends_of(draws)]).T
    return table.assign(scale=explanation.scale).sort_values("carried", ascending=False, kind="stable", ignore_index=True)


def _others(case: Dataset, by: Partition) -> list[int]:
    return [i for i, name in enumerate(case.schema.names) if name not in by.columns]


def _too_few(inside: np.ndarray) -> str:
    fewest = min(int(inside.sum()), int((~inside).sum()))
    return f"too few to judge: {fewest} of {MIN_PEOPLE} people" if fewest < MIN_PEOPLE else ""


def strengths_alone(
    feature: Feature, column: np.ndarray, inside: np.ndarray, weights: Weights = None, *, seed: int = 0
) -> list[ProxyStrength]:
    """Return how well one column alone tells groups [rows, groups], by a tree with a leaf a value, in five folds.

    The leaves are the levels, or bins of a number with 25 people each (at most 64), in which each value that repeats is a
    leaf below; missing is a leaf. A leaf's rate is learned on four folds and leans on that of the leaf above by 5 people.
    """
    fine, coarse = _leaves(feature, column)
    leaves = int(fine.max()) + 1
    cell = np.random.default_rng(seed).permutation(len(column)) % FOLDS * leaves + fine
    each = effective(counts_of(weights, len(column)))
    people = np.bincount(cell, each, minlength=FOLDS * leaves).reshape(FOLDS, leaves)
    others = people.sum(axis=0) - people  # [folds, leaves], of the four other folds
    above = np.zeros((leaves, int(coarse.max()) + 1))
    above[fine, coarse] = 1
    found = []
    for group in inside.T:
        counts = np.bincount(cell, group * each, minlength=FOLDS * leaves).reshape(FOLDS, leaves)
        learned = counts.sum(axis=0) - counts
        prior = learned.sum(axis=1, keepdims=True) / others.sum(axis=1, keepdims=True)
        wide = (learned @ above + BELIEF * prior) / (others @ above + BELIEF)
        rates = (learned + BELIEF * wide @ above.T) / (others + BELIEF)
        found.append(ProxyStrength.of(*auc_of_counts(rates.ravel(), counts.ravel(), (people - counts).ravel())))
    return found


def _leaves(feature: Feature, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the leaf of each person and the wider leaf above it, [rows], [rows]; what is no number has its own."""
    beside = feature.beside(column)
    values, fine = np.unique(np.where(np.isnan(column), np.inf, column), return_inverse=True)
    if feature.is_categorical:
        return fine, beside.astype(np.int64)
    known = column[beside == 0]
    bins = int(np.clip(len(column) // PEOPLE_A_BIN, FEWEST_BINS, MOST_BINS))
    edges = quantile_edges(known, bins)
    coarse = np.where(beside > 0, len(edges) + beside, np.searchsorted(edges, np.where(beside > 0, 0.0, column)))
    return (fine if len(values) <= DISTINCT * len(column) else coarse), coarse


def strengths_together(features: Sequence[Feature], columns: np.ndarray, inside: np.ndarray) -> list[ProxyStrength]:
    """Return how well several columns [rows, columns] together tell groups [rows, groups], among at most 1,000 people.

    By the people nearest to each, the person left out. Two people differ by 1 in a column where the levels differ or one is
    missing, or special, by twice the difference of ranks otherwise; at a distance d, the sum, one speaks for the other with the
    weight exp(-d / bandwidth).
    """
    from scipy.stats import rankdata

    some = sample(np.arange(len(columns)), MOST_TOGETHER)
    columns, inside = columns[some], inside[some]
    distance = np.zeros((len(columns), len(columns)), dtype=np.float32)
    for feature, column in zip(features, columns.T, strict=True):
        beside = feature.beside(column)
        if feature.is_categorical:
            codes = np.where(beside > 0, -1.0, column)
            distance += codes[:, None] != codes
            continue
        ranks = (2 * rankdata(np.where(beside > 0, 0.0, column)) / len(column)).astype(np.float32)
        apart = np.abs(ranks[:, None] - ranks)
        apart[(beside[:, None] > 0) | (beside > 0)] = 1.0
        apart[(beside[:, None] == beside) & (beside > 0)] = 0.0
        distance += apart
    weights = np.exp(-distance / max(REACH, len(features) / 8))
    np.fill_diagonal(weights, 0.0)
    scores = (weights @ inside.astype(np.float32)) / np.maximum(weights.sum(axis=1, keepdims=True), 1e-30)
    return [ProxyStrength.of(*auc_of_counts(score, group, ~group)) for group, score in zip(inside.T, scores.T, strict=True)]


def explained_gap(
    explanation: Explanation, people: Dataset, by: Partition, group: str, against: str, *, seed: int = 0
) -> pd.DataFrame:
    """Return what each column adds to the gap between two groups: a line a column, largest first, then one for all together.

    Contributions that add up to each output add up to the gap too, as the base value is the same for everybody. The
    explanation is of the people, in their order, by a method that adds up; `difference`, with the ends `low` and `high` of a
    bootstrap of either group, is the first group's mean − the second's. The last line has the `residual`, which the columns
    leave unexplained.

    Raises
    ------
    FairnessError
        If the groups must not be compared, the explanation is of other people, or a group has fewer than 30.
    """
    by.refuse()
    if not np.array_equal(explanation.rows, people.rows, equal_nan=True):
        raise FairnessError(f"the explanation is of other rows than the {plural(len(people), 'person')} passed; explain these")
    told, means, draws, sizes = np.column_stack([explanation.values, explanation.outputs]), [], [], []
    for i, name in enumerate((group, against)):
        members = by.members(people, name) & ~explanation.failed
        if members.sum() < MIN_PEOPLE:
            raise FairnessError(f"a gap needs {MIN_PEOPLE} people of either group, got {members.sum()} of {name!r}")
        each = None if people.weights is None else people.weights[members]
        sizes.append(int(members.sum()))
        means.append(np.average(told[members], axis=0, weights=each))
        draws.append(means_of(resampled_counts(sizes[-1], each, seed=seed + i), told[members]))
    gaps, (low, high) = means[0] - means[1], ends_of(draws[0] - draws[1], people=min(sizes))
    said = {"model": explanation.model, "method": explanation.method, "scale": explanation.scale, "attribute": by.name}
    columns = {"group": group, "against": against, "column": [*explanation.schema.names, "all columns"], "difference": gaps}
    residual = np.append(np.full(len(gaps) - 1, np.nan), gaps[-1] - gaps[:-1].sum())
    table = pd.DataFrame({**said, **columns, "low": low, "high": high, "residual": residual})
    return table.iloc[[*np.argsort(-np.abs(gaps[:-1]), kind="stable"), -1]].reset_index(drop=True)


def contrasts(people: Dataset, by: Partition) -> list[tuple[str, str]]:
    """Return pairs of a group and the largest one, for every other group of at least 30 people; the larger groups first."""
    sizes, weights = (np.bincount(by.codes(people), each, minlength=len(by.groups)) for each in (None, people.weights))
    order = [int(group) for group in np.argsort(-weights, kind="stable") if sizes[group] >= MIN_PEOPLE]
    return [(by.groups[group], by.groups[order[0]]) for group in order[1:]]
