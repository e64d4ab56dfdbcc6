"""Which columns count as one reason, which stand in for a protected one, and which values speak for a person."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from dlx.audit.fairness.groups import Group, protected_groups
from dlx.audit.fairness.proxies import PROXY_AUC, ProxyStrength, strengths_alone, strengths_together
from dlx.dataset import Dataset, refuse_bare
from dlx.schema import Feature
from dlx.stats import LEVEL

SAME_REASON = 0.5  # association from which on two columns are one reason
LEAST_PAIRS = 3  # rows in which both are known, below which nothing is said
BINS = 10  # of a number, of as many people each
LEAST_PEOPLE = 10  # with such a value, below which nothing is said


def association(observed: Dataset) -> pd.DataFrame:
    """Return how strongly columns go together, 0 to 1, symmetric [features, features].

    Between numbers and ordered levels it is |Spearman's rank correlation|; between such a column and one of levels without
    order the correlation ratio of its ranks, the root of the share of their variance that lies between levels; between
    two of the latter Cramér's V. Rows in which either is missing are left out; a constant column goes with nothing.
    """
    features, columns = observed.schema.features, observed.rows.T
    found = np.eye(len(features))
    for i, one in enumerate(features):
        for j in range(i):
            found[i, j] = found[j, i] = pair_association(one, columns[i], features[j], columns[j])
    return pd.DataFrame(found, index=observed.schema.names, columns=observed.schema.names)


def pair_association(one: Feature, left: np.ndarray, other: Feature, right: np.ndarray) -> float:
    """Return how strongly two columns of codes [rows] go together, 0 to 1; see `association`."""
    known = ~np.isnan(left) & ~np.isnan(right)
    left, right = left[known], right[known]
    if len(left) < LEAST_PAIRS or np.ptp(left) == 0 or np.ptp(right) == 0:
        return 0.0
    ordered = [not some.is_categorical or some.ordered or len(some.levels) == 2 for some in (one, other)]
    if all(ordered):
        return float(abs(stats.spearmanr(left, right).statistic))
    if not any(ordered):
        table = stats.contingency.crosstab(left, right).count
        return float(stats.contingency.association(table, method="cramer"))
    levels, ranked = (right, stats.rankdata(left)) if ordered[0] else (left, stats.rankdata(right))
    _, which, counts = np.unique(levels, return_inverse=True, return_counts=True)
    means = np.bincount(which, ranked) / counts
    return float(np.sqrt(counts @ (means - ranked.mean()) ** 2 / np.square(ranked - ranked.mean()).sum()))


def bin_edges(feature: Feature, known: np.ndarray, bins: int) -> np.ndarray:
    """Return the edges between the levels of a column, or between bins of known numbers with as many people each."""
    if feature.is_categorical:
        return np.arange(len(feature.levels) - 1) + 0.5
    return np.unique(np.quantile(known, np.arange(1, bins) / bins)) if len(known) and bins else np.empty(0)


class FavourableValues(NamedTuple):
    """In which bins of a column the event is clearly rarer than among all other people."""

    edges: np.ndarray  # between the bins
    rarer: np.ndarray  # bool [bins + 1], the last for a missing value

    @classmethod
    def of(cls, feature: Feature, column: np.ndarray, events: np.ndarray) -> FavourableValues:
        """Return those of a column of codes [rows], beside the outcomes of the same people.

        The 95 % interval of the difference of the two rates must lie below 0 (Agresti and Caffo 2000).
        """
        missing = np.isnan(column)
        edges = bin_edges(feature, column[~missing], BINS)
        bins = np.where(missing, len(edges) + 1, np.searchsorted(edges, column))
        inside = bins == np.arange(len(edges) + 2)[:, None]
        sizes = np.stack([inside.sum(axis=1), (~inside).sum(axis=1)])
        rates = (np.stack([inside @ events, ~inside @ events]) + 1) / (sizes + 2)
        reach = stats.norm.ppf((1 + LEVEL) / 2) * np.sqrt((rates * (1 - rates) / (sizes + 2)).sum(axis=0))
        return cls(edges, (sizes.min(axis=0) >= LEAST_PEOPLE) & (rates[0] - rates[1] + reach < 0))


class Proxy(NamedTuple):
    """What a column, or some together, tell of a protected attribute: AUC of the group best told, with its 95 % interval."""

    attribute: str
    group: str
    auc: float
    low: float
    high: float


def strongest_proxies(observed: Dataset, groups: Sequence[Group]) -> dict[str, Proxy]:
    """Return what each column that is not protected tells by itself of the one of some groups that it tells best."""
    columns = zip(observed.schema.features, observed.rows.T, strict=True)
    return {
        feature.name: _best(groups, strengths_alone(feature, column, np.column_stack([group.inside for group in groups])))
        for feature, column in columns
        if groups and not feature.protected
    }


def _best(groups: Sequence[Group], told: Sequence[ProxyStrength]) -> Proxy:
    group, best = max(zip(groups, told, strict=True), key=lambda pair: pair[1].low)
    return Proxy(group.column, group.name, best.auc, best.low, best.high)


@dataclass(frozen=True, eq=False)
class Grouping:
    """Which columns are one reason and which are never one, as real people's values tell."""

    observed: Dataset  # the people
    group: tuple[int, ...]  # of each column; columns of one group give one reason
    judged: tuple[Group, ...]  # by protected columns
    unjudged: tuple[Group, ...]  # those of whom too few people are known: no column is called safe for them
    strongest: dict[str, Proxy]  # what each column tells by itself of the group that it tells best
    favourable: tuple[FavourableValues, ...]  # of each column; empty where outcomes are unknown
    _together: dict[frozenset[str], Proxy | None] = field(default_factory=dict, repr=False)

    @property
    def protected(self) -> tuple[str, ...]:
        """Columns that the law protects."""
        return tuple(feature.name for feature in self.observed.schema.features if feature.protected)

    @property
    def proxies(self) -> dict[str, Proxy]:
        """The columns that stand in for a protected one: the lower end of the interval lies above .7 for some group."""
        return {name: proxy for name, proxy in self.strongest.items() if proxy.low > PROXY_AUC}

    @property
    def withheld(self) -> frozenset[str]:
        """Columns that are never printed as a reason."""
        return frozenset({*self.protected, *self.proxies})

    def joint_proxy(self, columns: Iterable[str]) -> Proxy | None:
        """Return what some columns, printed together, tell of a protected one; None where they are no proxy of it."""
        names = frozenset(columns)
        if names not in self._together:
            proxy = None
            places = sorted(map(self.observed.schema.position, names))
            if len(places) > 1 and self.judged:
                features = [self.observed.schema.features[i] for i in places]
                inside = np.column_stack([group.inside for group in self.judged])
                proxy = _best(self.judged, strengths_together(features, self.observed.rows[:, places], inside))
            self._together[names] = proxy if proxy and proxy.low > PROXY_AUC else None
        return self._together[names]

    def is_favourable(self, column: int, value: float) -> bool:
        """Return whether real people with such a value of a column have the event clearly less often than the rest."""
        if not self.favourable:
            return False
        edges, rarer = self.favourable[column]
        return bool(rarer[-1 if np.isnan(value) else np.searchsorted(edges, value)])

    def merged(self) -> list[tuple[str, ...]]:
        """Return the groups of more than one column."""
        pairs = list(zip(self.observed.schema.names, self.group, strict=True))
        groups = [tuple(name for name, its in pairs if its == one) for one in dict.fromkeys(self.group)]
        return [some for some in groups if len(some) > 1]


def grouping(observed: Dataset) -> Grouping:
    """Return which columns are one reason, and which stand in for a protected one, as real people (the training rows) tell.

    Columns are one group if each goes with each by .5 or more (`association`, complete linkage, the strongest first), or if
    their reasons have the same words. A column stands in for a protected one if it tells a group of it from the rest: AUC of
    a tree on the column alone, gaps and all, cross-validated, the lower end of its 95 % interval above .7 (the measure of
    `dlx.audit.fairness`). Protected columns and their proxies are in no group with others.
    """
    refuse_bare(observed, "observed")
    schema, groups = observed.schema, protected_groups(observed)
    judged, unjudged = (tuple(group for group in groups if group.can_be_judged == can) for can in (True, False))
    found = Grouping(observed, (0,) * len(schema), judged, unjudged, strongest_proxies(observed, judged), ())
    withheld = found.withheld
    apart = np.array([name in withheld for name in schema.names])
    words = np.array([feature.reason for feature in schema.features])
    strength = np.where(words[:, None] == words, 1.0, association(observed))
    distance = 1.0 - np.where(apart | apart[:, None], 0.0, strength)
    np.fill_diagonal(distance, 0.0)
    if len(schema) > 1:
        group = fcluster(linkage(squareform(distance, checks=False), "complete"), 1.0 - SAME_REASON, criterion="distance")
        found = dataclasses.replace(found, group=tuple(group.tolist()))
    if observed.outcomes is None or schema.target.kind != "binary":
        return found
    columns = zip(schema.features, observed.rows.T, strict=True)
    values = (FavourableValues.of(feature, column, observed.outcomes) for feature, column in columns)
    return dataclasses.replace(found, favourable=tuple(values))
