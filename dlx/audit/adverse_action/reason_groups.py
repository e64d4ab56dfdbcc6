"""Which columns count as one reason, which stand in for a protected one, and which values speak for a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlx.arrays import is_number
from dlx.audit.fairness.groups import Group, protected_groups
from dlx.audit.fairness.proxies import PROXY_AUC, ProxyStrength, strengths_alone, strengths_together
from dlx.dataset import Dataset, refuse_bare
from dlx.errors import DlxError
from dlx.schema import Feature
from dlx.stats import LEVEL

if TYPE_CHECKING:
    import pandas as pd

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
    import pandas as pd

    features, columns = observed.schema.features, observed.rows.T
    found = np.eye(len(features))
    for i, one in enumerate(features):
        for j in range(i):
            found[i, j] = found[j, i] = pair_association(one, columns[i], features[j], columns[j])
    return pd.DataFrame(found, index=observed.schema.names, columns=observed.schema.names)


def pair_association(one: Feature, left: np.ndarray, other: Feature, right: np.ndarray) -> float:
    """Return how strongly two columns of codes [rows] go together, 0 to 1; see `association`."""
    from scipy import stats

    known = ~np.isnan(left) & ~np.isnan(right)
    left, right = left[known], right[known]
    if known.sum() < LEAST_PAIRS or len(np.unique(left)) < 2 or len(np.unique(right)) < 2:
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


@dataclass(frozen=True, eq=False)
class FavourableValues:
    """The values of a column with which the event is clearly rarer than with the others."""

    edges: np.ndarray  # between the bins of a number; empty for levels
    favourable: np.ndarray  # bool [bins or levels + 1], the last for a missing value

    def contain(self, value: float) -> bool:
        """Return whether the event is clearly rarer among people with such a value than among the rest."""
        if np.isnan(value):
            return bool(self.favourable[-1])
        return bool(self.favourable[np.searchsorted(self.edges, value) if len(self.edges) else int(value)])

    @classmethod
    def of(cls, feature: Feature, column: np.ndarray, events: np.ndarray) -> FavourableValues:
        """Return those of a column of codes [rows], beside the outcomes of the same people."""
        known = column[~np.isnan(column)]
        if feature.is_categorical:
            edges, count = np.empty(0), len(feature.levels)
            bins = np.where(np.isnan(column), count, column)
        else:
            edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS)) if len(known) else np.zeros(1)
            count = len(edges) + 1
            bins = np.where(np.isnan(column), count, np.searchsorted(edges, np.nan_to_num(column)))
        return cls(edges, np.array([_is_rarer(events, bins == one) for one in range(count + 1)]))


def _is_rarer(events: np.ndarray, inside: np.ndarray) -> bool:
    """Return whether the 95 % interval of the difference of two rates lies below 0 (Agresti and Caffo 2000)."""
    from scipy.stats import norm

    sizes = np.array([inside.sum(), (~inside).sum()])
    if sizes.min() < LEAST_PEOPLE:
        return False
    rates = (np.array([events[inside].sum(), events[~inside].sum()]) + 1) / (sizes + 2)
    reach = norm.ppf((1 + LEVEL) / 2) * np.sqrt((rates * (1 - rates) / (sizes + 2)).sum())
    return bool(rates[0] - rates[1] + reach < 0)


class Proxy(NamedTuple):
    """What a column, or some together, tell of a protected attribute: AUC of the group best told, with its 95 % interval."""

    attribute: str
    group: str
    auc: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Proxies:
    """What columns tell of protected attributes among real people, and which of them are proxies."""

    observed: Dataset  # the people
    groups: tuple[Group, ...]  # by each protected column, those that can be judged
    unjudged: tuple[Group, ...]  # those of whom too few people are known: no column is called safe for them
    best: dict[str, Proxy]  # what each column tells by itself of the group that it tells best beyond doubt
    _known: dict[frozenset[str], Proxy | None] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, observed: Dataset) -> Proxies:
        """Return the proxies among some people: the training rows."""
        every = protected_groups(observed)
        groups = tuple(group for group in every if group.can_be_judged)
        unjudged = tuple(group for group in every if not group.can_be_judged)
        return cls(observed, groups, unjudged, _best_of_each(observed, groups))

    @property
    def single(self) -> dict[str, Proxy]:
        """The columns that are a proxy by themselves: the lower end of the interval lies above .7 for some group."""
        return {name: proxy for name, proxy in self.best.items() if proxy.low > PROXY_AUC}

    def of_attribute(self, name: str) -> dict[str, Proxy]:
        """Return what each column tells by itself of the groups by one protected column."""
        return _best_of_each(self.observed, tuple(group for group in self.groups if group.column == name))

    def joint(self, columns: Iterable[str]) -> Proxy | None:
        """Return the proxy that some columns make together; None where they make none."""
        names = frozenset(columns)
        if names not in self._known:
            self._known[names] = None
            places = sorted(map(self.observed.schema.position, names))
            if len(places) > 1 and self.groups:
                features = [self.observed.schema.features[i] for i in places]
                told = _best(self.groups, strengths_together(features, self.observed.rows[:, places], _inside(self.groups)))
                self._known[names] = told if told.low > PROXY_AUC else None
        return self._known[names]

    def to_frame(self) -> pd.DataFrame:
        """Return a line a column: the protected attribute and group that it tells best, AUC with its interval, is_proxy."""
        import pandas as pd

        lines = [{"column": name, **proxy._asdict(), "is_proxy": name in self.single} for name, proxy in self.best.items()]
        return pd.DataFrame(lines, columns=["column", *Proxy._fields, "is_proxy"])


def _inside(groups: tuple[Group, ...]) -> np.ndarray:
    return np.column_stack([group.inside for group in groups])


def _best_of_each(observed: Dataset, groups: tuple[Group, ...]) -> dict[str, Proxy]:
    columns = zip(observed.schema.features, observed.rows.T, strict=True)
    return {
        feature.name: _best(groups, strengths_alone(feature, column, _inside(groups)))
        for feature, column in columns
        if groups and not feature.protected
    }


def _best(groups: tuple[Group, ...], told: Sequence[ProxyStrength]) -> Proxy:
    group, best = max(zip(groups, told, strict=True), key=lambda pair: pair[1].low)
    return Proxy(group.column, group.name, best.auc, best.low, best.high)


@dataclass(frozen=True, eq=False)
class Grouping:
    """Which columns are one reason and which are never one, as real people's values tell."""

    names: tuple[str, ...]  # all columns
    group: tuple[int, ...]  # of each column; columns of one group give one reason
    protected: tuple[str, ...]  # columns that the law protects
    measured: Proxies  # what stands in for them, alone or together
    favourable: tuple[FavourableValues, ...]  # of each column; empty where outcomes are unknown
    threshold: float  # the association from which on columns belong together

    @property
    def proxies(self) -> dict[str, Proxy]:
        """The columns that stand in for a protected one, with the group that each tells best."""
        return self.measured.single

    @property
    def withheld(self) -> frozenset[str]:
        """Columns that are never printed as a reason."""
        return frozenset({*self.protected, *self.proxies})

    def joint_proxy(self, columns: Iterable[str]) -> Proxy | None:
        """Return what some columns, printed together, tell of a protected one; None where they are no proxy of it."""
        return self.measured.joint(columns)

    def is_favourable(self, column: int, value: float) -> bool:
        """Return whether real people with such a value of a column have the event clearly less often than the rest."""
        return bool(self.favourable) and self.favourable[column].contain(value)

    def merged(self) -> list[tuple[str, ...]]:
        """Return the groups of more than one column."""
        pairs = list(zip(self.names, self.group, strict=True))
        groups = [tuple(name for name, its in pairs if its == one) for one in dict.fromkeys(self.group)]
        return [some for some in groups if len(some) > 1]


def grouping(observed: Dataset, *, threshold: float = SAME_REASON) -> Grouping:
    """Return which columns are one reason, and which stand in for a protected one.

    Columns are one group if each goes with each by the threshold or more (complete linkage, the strongest first), or if
    their reasons have the same words. A column stands in for a protected one if it tells a group of it from the rest: AUC of
    a tree on the column alone, gaps and all, cross-validated, the lower end of its 95 % interval above .7 (the measure of
    `dlx.audit.fairness`). Protected columns and their proxies are in no group with others.

    Parameters
    ----------
    observed : Dataset
        Real people: the training rows.
    threshold : float
        Association above 0, up to 1.

    Raises
    ------
    DlxError
        If the threshold is not above 0 and at most 1.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    refuse_bare(observed, "observed")
    if not is_number(threshold) or not 0 < threshold <= 1:
        raise DlxError(f"the association from which on columns are one reason must be above 0 and at most 1, got {threshold!r}")
    schema, measured = observed.schema, Proxies.of(observed)
    protected = tuple(feature.name for feature in schema.features if feature.protected)
    apart = np.array([name in protected or name in measured.single for name in schema.names])
    words = np.array([feature.reason for feature in schema.features])
    strength = np.where(words[:, None] == words, 1.0, association(observed).to_numpy())
    distance = 1.0 - np.where(apart | apart[:, None], 0.0, strength)
    np.fill_diagonal(distance, 0.0)
    group = np.zeros(len(distance), int)
    if len(distance) > 1:
        group = fcluster(linkage(squareform(distance, checks=False), "complete"), 1.0 - threshold, criterion="distance")
    favourable: tuple[FavourableValues, ...] = ()
    if observed.outcomes is not None and schema.target.kind == "binary":
        columns = zip(schema.features, observed.rows.T, strict=True)
        favourable = tuple(FavourableValues.of(feature, column, observed.outcomes) for feature, column in columns)
    return Grouping(schema.names, tuple(group.tolist()), protected, measured, favourable, threshold)
