"""Parts of the table where a model is worse than elsewhere, found on some rows and tested on others.

Chung et al. (2019), "Slice Finder"; Singla et al. (2021), "Understanding Failures of Deep Networks": leaves
of small trees on the measure are candidates; the ten that stand out most, no two of them more than half alike, are tested on
other rows, where Holm (1979) holds the family-wise error at 5 %, whatever their dependence.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd

from dlx.arrays import in_short
from dlx.audit.mispredictions.errors import Decisions
from dlx.audit.mispredictions.values import Predictions
from dlx.errors import DlxError
from dlx.schema import Feature, Schema
from dlx.stats import Weights, counts_of, effective, ends_of, holm, means_of, resampled_means

Measure = Literal["loss", "risk"]
Judged = Decisions | Predictions
Asked = dict[int, tuple[float, float, bool]]  # of columns, by place: to be above, to be at most, and whether missing passes
DEPTH = 2  # of the trees
LEAST_ROWS, LEAST_SHARE = 20, 0.05
MOST_TESTED = 10
MOST_PAIRED = 40  # columns: those whose own trees tell most of the measure
MOST_ALIKE = 0.5  # of two slices, by the share of rows of either that are in both
SIGNIFICANT = 0.05
SMALLEST = float(np.finfo(float).tiny)  # a variance counts as at least this
DRAWS = 9_999
COLUMNS = [
    *("model", "of", "slice", "columns", "rows", "share", "error_rate", "error_rate_elsewhere", "loss", "loss_elsewhere"),
    *("expected_loss", "observed", "predicted", "difference", "low", "high", "p", "adjusted", "found"),
]
BLOCK = 500  # draws at a time


@dataclass(frozen=True)
class Condition:
    """A condition on one column: a range of numbers, or some of its levels."""

    feature: Feature
    position: int  # where it stands among the features
    low: float = -np.inf  # a numeric value is above it
    high: float = np.inf  # and at most this
    levels: tuple[int, ...] = ()  # codes of the levels of a categorical column
    missing: bool = False  # whether a missing value is meant too, and those that are special

    __repr__ = in_short

    def holds(self, rows: np.ndarray) -> np.ndarray:
        """Return of which coded rows it is true, bool [rows]."""
        column = self.feature.numbers(rows[:, self.position])
        known = np.isin(column, self.levels) if self.feature.is_categorical else (column > self.low) & (column <= self.high)
        return known | (np.isnan(column) if self.missing else False)

    @property
    def words(self) -> str:
        """The condition as people read it: "Age over 25 years", "Savings: below 100 DM or 100 to 499 DM"."""
        feature = self.feature
        if feature.is_categorical:
            names = [(label, code in self.levels) for code, label in enumerate(feature.level_labels)]
            names += [(feature.missing_label, self.missing)] if feature.missing else []
            inside, outside = ([name for name, is_meant in names if is_meant == among] for among in (True, False))
            is_most = 0 < len(outside) < len(inside)
            return f"{feature.label}: any but {either(outside)}" if is_most else f"{feature.label}: {either(inside)}"
        if self.low == self.high:
            return f"{feature.label} {either(list(feature.labels_beside))}"
        ends = [f"over {feature.format(self.low)}"] if np.isfinite(self.low) else []
        ends += [f"up to {feature.format(self.high)}"] if np.isfinite(self.high) else []
        return f"{feature.label} {' and '.join(ends) or 'known'}" + "".join(
            f" or {label}" for label in feature.labels_beside if self.missing
        )


def either(names: list[str]) -> str:
    """Return "a", "a or b" or "a, b or c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


@dataclass(frozen=True)
class Slice:
    """A part of the table: conditions that hold together."""

    conditions: tuple[Condition, ...]

    def holds(self, rows: np.ndarray) -> np.ndarray:
        """Return which coded rows are in it, bool [rows]."""
        return np.logical_and.reduce([condition.holds(rows) for condition in self.conditions])

    @property
    def words(self) -> str:
        """The slice as people read it."""
        return "; ".join(condition.words for condition in self.conditions)


@dataclass(frozen=True, eq=False)
class Slices:
    """Slices that were tested, those with the smallest p-value first.

    The table has a line a slice, on the test rows: `slice`, `columns`, `rows`, `share` (by weight); `error_rate`, `loss` here
    and `_elsewhere`; `expected_loss`, were the model's probabilities right: a slice of high loss may be wrong, or only hard;
    `observed` and `predicted` share of events; `difference` of the measure (loss here minus elsewhere, or observed minus
    predicted) with `low` and `high` (95 % bootstrap); `p`, `adjusted` (Holm) and `found`.
    """

    model: str
    of: Measure
    slices: tuple[Slice, ...]
    table: pd.DataFrame

    __repr__ = in_short

    @property
    def found(self) -> tuple[Slice, ...]:
        """The slices whose adjusted p-value is at most .05."""
        return tuple(one for one, is_found in zip(self.slices, self.table["found"], strict=True) if is_found)


def slices(discovery: Judged, test: Judged, *, of: Measure = "loss", seed: int = 0) -> Slices:
    """Return the slices in which a model is worse, chosen on some rows and tested on others.

    Parameters
    ----------
    discovery, test : Decisions or Predictions
        Of one model, on different rows that it was not fitted on.
    of : {"loss", "risk"}
        Where the log loss is higher than elsewhere (permutation test, one-sided), or where more or fewer events happen than the
        model predicts (against outcomes drawn from its own probabilities, two-sided): an error of the model, not difficulty. Of
        a value, where the absolute error is higher than elsewhere, or the error another one (both permutation tests).
    seed : int
        Seed of the draws and of the bootstrap.

    Raises
    ------
    DlxError
        If there is no such measure, the rows are the same, or too few for a slice.
    """
    if of not in get_args(Measure):
        raise DlxError(f"slices are of {' or '.join(map(repr, get_args(Measure)))}, got {of!r}")
    if discovery.model != test.model or np.array_equal(discovery.people.rows, test.people.rows, equal_nan=True):
        raise DlxError("slices need decisions of one model on different rows, so that what chooses them does not test them")
    least = max(LEAST_ROWS, int(np.ceil(LEAST_SHARE * len(discovery))))
    if len(discovery) < 2 * least or len(test) < 2 * least:
        raise DlxError(
            f"slices need at least {2 * least} rows to be found and as many to be tested, got {len(discovery)} and "
            f"{len(test)}; pass more rows"
        )
    from sklearn import config_context

    measures = [discovery.losses] if of == "loss" else [discovery.residuals, -discovery.residuals]
    schema, rows = discovery.people.schema, discovery.people.rows
    with config_context(skip_parameter_validation=True):  # which takes half of the time of a small tree
        asked: dict[str, Any] = {"weights": discovery.people.weights, "least": least}
        leaves = dict.fromkeys(leaf for measure in measures for leaf in candidates(schema, rows, measure, **asked))
    chosen = _outstanding([Slice(leaf) for leaf in leaves], discovery, test, of)
    table = _table(chosen, test, of, seed)
    order = table["p"].argsort(kind="stable").to_numpy()
    return Slices(test.model, of, tuple(chosen[i] for i in order), table.iloc[order].reset_index(drop=True))


class Column(NamedTuple):
    """A column as trees read it."""

    position: int
    values: (
        np.ndarray
    )  # [rows]: numbers, codes in order, or ranks of levels by their mean, which finds the best of all groupings
    ranks: dict[int, float]  # of levels, and of -1 for missing where that is a level of its own


def candidates(
    schema: Schema, rows: np.ndarray, measure: np.ndarray, *, weights: Weights = None, least: int
) -> Iterator[tuple[Condition, ...]]:
    """Yield the leaves of trees of depth 2 on every column and every pair of the 40 best columns, each at most once.

    Rows are coded [rows, features], and may weigh something else [rows]; the measure [rows] is high in the slices that are
    looked for. A leaf has at least so many rows. A column without an order is split on the rank of its levels by their mean
    (Fisher 1958).
    """
    from sklearn.tree import DecisionTreeRegressor

    columns, seen = columns_for_trees(schema, rows, measure, weights), set()

    def grown(*chosen: Column) -> DecisionTreeRegressor:
        tree = DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=least, random_state=0)
        return tree.fit(np.column_stack([column.values for column in chosen]), measure, sample_weight=weights)

    alone = [grown(column) for column in columns]
    scored = zip(columns, alone, strict=True)
    gains = [tree.score(column.values[:, None], measure, sample_weight=weights) for column, tree in scored]
    best = sorted(np.argsort(np.negative(gains), kind="stable")[:MOST_PAIRED])
    every = [((column,), tree) for column, tree in zip(columns, alone, strict=True)]
    pairs = ((columns[i], columns[j]) for i, j in combinations(best, 2))
    for chosen, tree in chain(every, ((pair, grown(*pair)) for pair in pairs)):
        leaves = (asked for node, asked in paths(tree.tree_) if tree.tree_.children_left[node] < 0)
        for asked in leaves:
            conditions = tuple(condition_of(schema, chosen[which], *bounds) for which, bounds in sorted(asked.items()))
            if conditions and conditions not in seen:
                seen.add(conditions)
                yield conditions


def columns_for_trees(schema: Schema, rows: np.ndarray, measure: np.ndarray, weights: Weights = None) -> list[Column]:
    """Return the columns of coded rows [rows, features], by their weights, that trees on a measure [rows] can split."""
    columns, counts = [], counts_of(weights, len(rows))
    for position, feature in enumerate(schema.features):
        values, ranks = feature.numbers(rows[:, position]), {code: float(code) for code in range(len(feature.levels))}
        if feature.is_categorical and not feature.ordered:
            levels, codes = np.unique(np.where(np.isnan(values), -1.0, values), return_inverse=True)
            means = np.bincount(codes, counts * measure) / np.bincount(codes, counts)
            by_mean = np.argsort(np.argsort(means, kind="stable")).astype(float)
            values, ranks = by_mean[codes], dict(zip(levels.astype(int).tolist(), by_mean.tolist(), strict=True))
        if len(np.unique(values)) > 1:
            columns.append(Column(position, values, ranks))
    return columns


def paths(tree: Any, node: int = 0, asked: Asked | None = None) -> Iterator[tuple[int, Asked]]:
    """Yield the nodes below one, a parent before its children and the left ones first, with what the path to each asks."""
    asked = asked or {}
    yield node, asked
    if tree.children_left[node] >= 0:
        which, threshold, left = int(tree.feature[node]), float(tree.threshold[node]), bool(tree.missing_go_to_left[node])
        low, high, missing = asked.get(which, (-np.inf, np.inf, True))
        yield from paths(tree, tree.children_left[node], asked | {which: (low, min(high, threshold), missing and left)})
        yield from paths(tree, tree.children_right[node], asked | {which: (max(low, threshold), high, missing and not left)})


def condition_of(schema: Schema, column: Column, low: float, high: float, missing: bool) -> Condition:
    """Return what a path in a tree asks of a column: above, at most, and whether missing values pass."""
    feature, missing = schema.features[column.position], missing and bool(np.isnan(column.values).any())
    if feature.is_categorical:
        inside = [level for level, rank in column.ranks.items() if low < rank <= high]
        levels = tuple(level for level in inside if level >= 0)
        return Condition(feature, column.position, levels=levels, missing=missing or -1 in inside)
    low, high = (_shortest(bound, column.values) for bound in (low, high))
    if np.isinf(low) and not (column.values <= high).any():  # a split that parts the missing from the known
        low = high
    return Condition(feature, column.position, low, high, missing=missing)


def _shortest(threshold: float, values: np.ndarray) -> float:
    """Return the number with the fewest digits that parts the known values as a threshold does."""
    below, above = values[values <= threshold], values[values > threshold]
    if not np.isfinite(threshold) or not len(below) or not len(above):
        return threshold
    highest, lowest = below.max(), above.min()
    for digits in range(-6, 12):
        for rounded in (round(threshold, digits), math.floor(threshold * 10.0**digits) / 10.0**digits):
            if highest <= rounded < lowest:
                return float(rounded)
    return threshold


def _outstanding(every: Sequence[Slice], discovery: Judged, test: Judged, of: Measure) -> list[Slice]:
    """Return the candidates that stand out most in the discovery rows, none with a condition or half of the rows of another."""
    masks = [one.holds(discovery.people.rows) for one in every]
    scores = np.array([_score(discovery, mask, of) for mask in masks])

    def are_alike(i: int, j: int) -> bool:
        overlap = (masks[i] & masks[j]).sum() / (masks[i] | masks[j]).sum()
        return bool(set(every[i].conditions) & set(every[j].conditions)) or bool(overlap > MOST_ALIKE)

    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if len(kept) == MOST_TESTED or scores[i] <= 0:
            break
        tested = int(every[i].holds(test.people.rows).sum())  # test outcomes are not looked at
        is_large = LEAST_ROWS // 2 <= tested <= len(test) - LEAST_ROWS // 2
        if is_large and not any(are_alike(i, j) for j in kept):
            kept.append(int(i))
    return [every[i] for i in kept]


def _score(decisions: Judged, mask: np.ndarray, of: Measure) -> float:
    """Return how far a slice stands out: Welch's t of its losses, or standard deviations of its events from those predicted."""
    each, residuals = decisions.counts, decisions.residuals[mask]
    if of == "risk":
        variance = max(float(each[mask] ** 2 @ decisions.variances[mask]), SMALLEST)
        return float(abs(each[mask] @ residuals) / np.sqrt(variance))
    (here, here_error), (there, there_error) = (_mean_with_error(decisions.losses[some], each[some]) for some in (mask, ~mask))
    return float((here - there) / np.sqrt(max(here_error + there_error, SMALLEST)))


def _mean_with_error(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Return a mean and the variance of its error, of as many people as the weights are worth."""
    counts = effective(weights)
    mean = float(counts @ values / counts.sum())
    return mean, float(counts @ (values - mean) ** 2 / (counts.sum() * max(counts.sum() - 1, 1e-9)))


def _table(chosen: Sequence[Slice], test: Judged, of: Measure, seed: int) -> pd.DataFrame:
    masks = np.array([one.holds(test.people.rows) for one in chosen], dtype=bool).reshape(len(chosen), len(test))
    measures, is_value = test.measures, isinstance(test, Predictions)
    values, counts = np.column_stack(list(measures.values())).astype(float), test.counts
    here = pd.DataFrame(means_of(masks * counts, values), columns=list(measures))
    elsewhere = pd.DataFrame(means_of(~masks * counts, values), columns=list(measures))
    table = here.join(elsewhere.add_suffix("_elsewhere")).assign(model=test.model, of=of, rows=masks.sum(axis=1))
    table["share"] = masks @ counts / counts.sum()
    table["slice"] = [one.words for one in chosen]
    table["columns"] = [", ".join(condition.feature.name for condition in one.conditions) for one in chosen]
    measured, is_apart, ends = ("loss" if of == "loss" else "residual"), of == "loss" or is_value, []
    table["difference"] = table[measured] - table[f"{measured}_elsewhere"] * is_apart
    for mask in masks:
        rng = np.random.default_rng(seed)
        sides = (mask, ~mask) if is_apart else (mask,)
        means = [resampled_means(measures[measured][side], counts[side], seed=rng)[1:] for side in sides]
        ends.append(ends_of(means[0] - means[1] if is_apart else means[0], people=min(int(side.sum()) for side in sides)))
    table[["low", "high"]] = np.reshape(ends, (len(chosen), 2))
    adjusted = holm(p_values := chances(test, masks, of, seed))
    table = table.assign(p=p_values, adjusted=adjusted, found=adjusted <= SIGNIFICANT)
    return table[[name for name in COLUMNS if name in table]]


def chances(test: Judged, masks: np.ndarray, of: Measure, seed: int) -> np.ndarray:
    """Return how likely slices as bad as these are by chance, p-values [slices].

    Of the loss: the share of permutations in which it is at least as high there; sums of how far people are from the mean loss,
    by their weights, decide. Of the risk: the share of outcomes drawn from the model's own
    probabilities in which events are at least as far from those predicted; of the error of a value, that of permutations.
    """
    rng, members, reached = np.random.default_rng(seed), masks.T.astype(float), np.ones(len(masks))
    losses = test.counts * (test.losses - np.average(test.losses, weights=test.counts))
    rounding = 1e-9 * max(1.0, float(np.abs(test.outcomes).max())) * float(test.counts.max())  # of sums, by their order
    limit = (losses @ members if of == "loss" else np.abs(test.deviations @ members)) - rounding
    for start in range(0, DRAWS, BLOCK):
        count = min(BLOCK, DRAWS - start)
        if of == "loss":
            sums = rng.permuted(np.broadcast_to(losses, (count, len(test))), axis=1) @ members
        else:
            sums = np.abs(test.drawn(rng, count) @ members)
        reached += (sums >= limit).sum(axis=0)
    return reached / (1 + DRAWS)
