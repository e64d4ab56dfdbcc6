"""When a reason may be given: which columns count as one, which stand in for a protected one, which words are true of whom."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from dlx.arrays import in_short
from dlx.audit.fairness.groups import Group, protected_groups
from dlx.audit.fairness.proxies import PROXY_AUC, ProxyStrength, strengths_alone, strengths_together
from dlx.dataset import Dataset, refuse_bare
from dlx.schema import Feature, Schema
from dlx.schema.features import Adverse
from dlx.stats import Z, quantile_edges

SAME_REASON = 0.5  # association from which on two columns are one reason
LEAST_PAIRS = 3  # rows in which both are known, below which nothing is said
BINS = 10  # of a number, of as many people each
LEAST_PEOPLE = 10  # with such a value, below which nothing is said
BETTER = "better than usual"  # where the column is only named, and nothing is printed
_OF_LITTLE = re.compile(
    r"(no(?!\.)|low|short|few|too (little|few|low|short)|lack of|limited)\b|.*\bin(sufficient|adequate)\b", re.I
)
_OF_MUCH = re.compile(
    r"(high(?! school)|long|many|large|heavy|too (much|many|high|long|large))\b|.*\b(excessive|delinquent)\b", re.I
)


def association(observed: Dataset) -> pd.DataFrame:
    """Return how strongly columns go together, 0 to 1, symmetric [features, features].

    Between numbers and ordered levels it is |Spearman's rank correlation|; between such a column and one of levels without
    order the correlation ratio of its ranks, the root of the share of their variance that lies between levels; between
    two of the latter Cramér's V. Ranks are those among all rows with a number; rows in which either is no number and no level
    are left out; a constant column goes with nothing.
    """
    features, rows = observed.schema.features, observed.schema.numbers(observed.rows)
    is_known = ~np.isnan(rows)
    known, middle = is_known.astype(float), (is_known.sum(axis=0) + 1) / 2
    ranks = np.where(is_known, stats.rankdata(rows, axis=0, nan_policy="omit") - middle, 0.0)
    counts, sums, squares = known.T @ known, ranks.T @ known, (ranks**2).T @ known  # of pairs: where both are known
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = squares - sums**2 / counts
        found = np.abs(ranks.T @ ranks - sums * sums.T / counts) / np.sqrt(spread * spread.T)
        levels = {
            i: (rows[:, i, None] == np.unique(rows[is_known[:, i], i])).astype(float)
            for i, feature in enumerate(features)
            if feature.is_categorical and not (feature.ordered or len(feature.levels) == 2)
        }
        for i, inside in levels.items():
            between = np.nansum((ranks.T @ inside) ** 2 / (known.T @ inside), axis=1) - sums[:, i] ** 2 / counts[i]
            found[i] = found[:, i] = np.sqrt(np.maximum(between, 0) / spread[:, i])
    for i, j in combinations(levels, 2):
        found[i, j] = found[j, i] = _cramer(levels[i].T @ levels[j])
    varies = (counts >= LEAST_PAIRS) & np.isfinite(found)
    found = np.where(varies, np.minimum(found, 1.0), 0.0)
    np.fill_diagonal(found, 1.0)
    return pd.DataFrame(found, index=observed.schema.names, columns=observed.schema.names)


def _cramer(table: np.ndarray) -> float:
    """Return Cramér's V of how often two columns have each pair of levels; 0 where one has a single level."""
    table = table[table.any(axis=1)][:, table.any(axis=0)]
    return float(stats.contingency.association(table.astype(int), method="cramer")) if min(table.shape, default=0) > 1 else 0.0


def bin_edges(feature: Feature, known: np.ndarray, bins: int) -> np.ndarray:
    """Return the edges between the levels of a column, or between bins of known numbers with as many people each."""
    if feature.is_categorical:
        return np.arange(len(feature.levels) - 1) + 0.5
    return quantile_edges(known, bins)


def _favourable(feature: Feature, column: np.ndarray, events: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return bin edges, and in which bin the event is clearly rarer than among the rest, the last as in `Feature.beside`.

    The 95 % interval of the difference of the two rates must lie below 0 (Agresti and Caffo 2000).
    """
    edges = bin_edges(feature, column[feature.beside(column) == 0], BINS)
    inside = _bins(feature, edges, column) == np.arange(len(edges) + 2 + len(feature.special))[:, None]
    sizes = np.stack([inside.sum(axis=1), (~inside).sum(axis=1)])
    rates = (np.stack([inside @ events, ~inside @ events]) + 1) / (sizes + 2)
    reach = Z * np.sqrt((rates * (1 - rates) / (sizes + 2)).sum(axis=0))
    return edges, (sizes.min(axis=0) >= LEAST_PEOPLE) & (rates[0] - rates[1] + reach < 0)


def _bins(feature: Feature, edges: np.ndarray, column: np.ndarray) -> np.ndarray:
    beside = feature.beside(column)
    return np.where(beside > 0, len(edges) + beside, np.searchsorted(edges, column))


class Proxy(NamedTuple):
    """How well columns predict a protected attribute: AUC of the group that they predict best, with its 95 % interval."""

    attribute: str
    group: str
    auc: float
    low: float
    high: float


def strongest_proxies(observed: Dataset, groups: Sequence[Group]) -> dict[str, Proxy]:
    """Return, for each column that is not protected, the group that it alone predicts best, and how well."""
    inside = np.array([group.inside for group in groups]).T
    columns = zip(observed.schema.features, observed.rows.T, strict=True)
    free = [(feature, column) for feature, column in columns if groups and not feature.protected]
    return {feature.name: _best(groups, strengths_alone(feature, column, inside)) for feature, column in free}


def _best(groups: Sequence[Group], told: Sequence[ProxyStrength]) -> Proxy:
    group, best = max(zip(groups, told, strict=True), key=lambda pair: pair[1].low)
    return Proxy(group.column, group.name, best.auc, best.low, best.high)


@dataclass(frozen=True, eq=False)
class Grouping:
    """Which columns are one reason and which are never one, as real people's values tell."""

    observed: Dataset  # the people
    group: tuple[int, ...]  # of each column; columns of one group give one reason
    judged: tuple[Group, ...]  # by protected columns
    unjudged: tuple[Group, ...]  # of too few people: no column is called safe for them
    strongest: dict[str, Proxy]  # what each column tells by itself of the group that it tells best
    favourable: tuple[tuple[np.ndarray, np.ndarray], ...]  # of each column, see `_favourable`; empty without outcomes
    _together: dict[frozenset[str], Proxy | None] = field(default_factory=dict, repr=False)

    __repr__ = in_short

    @cached_property
    def proxies(self) -> dict[str, Proxy]:
        """The columns that stand in for a protected one: the lower end of the interval lies above .7 for some group."""
        return {name: proxy for name, proxy in self.strongest.items() if proxy.low > PROXY_AUC}

    @cached_property
    def withheld(self) -> frozenset[str]:
        """Columns that are never printed as a reason: protected ones, and their proxies."""
        return frozenset(feature.name for feature in self.observed.schema.features if feature.protected) | self.proxies.keys()

    def joint_proxy(self, columns: Iterable[str]) -> Proxy | None:
        """Return how well some columns, printed together, predict a protected one; None where they are no proxy of it."""
        names = frozenset(columns)
        if names not in self._together:
            proxy, places = None, sorted(map(self.observed.schema.position, names))
            if len(places) > 1 and self.judged:
                features = [self.observed.schema.features[i] for i in places]
                inside = np.array([group.inside for group in self.judged]).T
                proxy = _best(self.judged, strengths_together(features, self.observed.rows[:, places], inside))
            self._together[names] = proxy if proxy and proxy.low > PROXY_AUC else None
        return self._together[names]

    def is_favourable(self, column: int, value: float) -> bool:
        """Return whether real people with such a value of a column have the event clearly less often than the rest."""
        if not self.favourable:
            return False
        edges, rarer = self.favourable[column]
        return bool(rarer[_bins(self.observed.schema.features[column], edges, np.array([value]))[0]])

    def merged(self) -> list[tuple[str, ...]]:
        """Return the groups of more than one column."""
        names = pd.Series(self.observed.schema.names).groupby(np.array(self.group), sort=False).agg(tuple)
        return [some for some in names if len(some) > 1]


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
    if len(schema) > 1:
        withheld, words = found.withheld, np.array([feature.reason for feature in schema.features])
        apart = np.array([name in withheld for name in schema.names])
        strength = np.where(words[:, None] == words, 1.0, association(observed))
        distance = 1.0 - np.where(apart | apart[:, None], 0.0, strength)
        np.fill_diagonal(distance, 0.0)
        group = fcluster(linkage(squareform(distance, checks=False), "complete"), 1.0 - SAME_REASON, criterion="distance")
        found = dataclasses.replace(found, group=tuple(group.tolist()))
    if observed.outcomes is None or schema.target.kind != "binary":
        return found
    favourable = map(_favourable, schema.features, observed.rows.T, [observed.outcomes] * len(schema))
    return dataclasses.replace(found, favourable=tuple(favourable))


@dataclass(frozen=True)
class ReasonMap:
    """The words for every column, with a version: the `reason` and `level_reasons` of a schema, else the label."""

    schema: Schema

    __repr__ = in_short

    @property
    def sha256(self) -> str:
        """Hash of version and words, so that a printed reason can be traced to its map."""
        said = [[f.name, f.reason, f.level_reasons, f.label] for f in self.schema.features]
        return hashlib.sha256(json.dumps([self.schema.target.reasons_version, said]).encode()).hexdigest()

    def to_frame(self) -> pd.DataFrame:
        """Return a line a column and wording: version, column, where ("any", a level, or "better than usual"), words."""
        version, lines = self.schema.target.reasons_version, []
        for feature in self.schema.features:
            of_levels = dict(zip(feature.level_labels, feature.level_reasons, strict=False))
            said = {"any": feature.reason} | of_levels | ({BETTER: feature.label} if adverse_side(feature) else {})
            lines += [(version, feature.name, where, words) for where, words in said.items() if words]
        return pd.DataFrame(lines, columns=["version", "column", "where", "words"])


def adverse_side(feature: Feature) -> Adverse:
    """Return the side of the usual value on which the words of a column are true; "" where nothing tells.

    The schema's `adverse`; else the side where it expects the outcome; else that away from its `direction`; else what the
    words themselves say: "insufficient", "low", "no" and the like speak of little, "excessive", "high", "long" of much.
    """
    if feature.adverse or feature.expected:
        return feature.adverse or ("high" if feature.expected == "up" else "low")
    if feature.direction != "any":
        return "low" if feature.direction == "up" else "high"
    if feature.reason == feature.label or (feature.is_categorical and not feature.ordered and len(feature.levels) > 2):
        return ""
    return "low" if _OF_LITTLE.match(feature.reason) else "high" if _OF_MUCH.match(feature.reason) else ""


@dataclass(frozen=True, eq=False)
class ReasonRules:
    """When a reason may be given and in which words: the same wherever a reason is told."""

    schema: Schema
    grouping: Grouping
    usual: np.ndarray  # [features], the usual code of the people compared with; NaN where all are missing

    __repr__ = in_short

    @classmethod
    def of(cls, schema: Schema, grouping: Grouping, background: Dataset) -> ReasonRules:
        """Return the rules of a schema and a grouping; the usual values are those of the background.

        Usual is the mean; of a number whose words speak of little or of much, such that what they are true of lies beyond the
        mean and not short of the median: who is between the two in a skewed column is not told that their income is low.
        """
        usual = np.full(len(schema), np.nan)
        for i, (feature, column) in enumerate(zip(schema.features, schema.numbers(background.rows).T, strict=True)):
            if len(known := column[~np.isnan(column)]):
                usual[i], median = known.mean(), np.median(known)
                side = "" if feature.is_categorical else adverse_side(feature)
                if side == "low":
                    usual[i] = min(usual[i], np.nextafter(median, np.inf))
                elif side == "high":
                    usual[i] = max(usual[i], np.nextafter(median, -np.inf))
        return cls(schema, grouping, usual)

    def words(self, column: int, value: float) -> str:
        """Return what is said of a person's code in a column: only its label where the words would not be true."""
        feature, is_missing = self.schema.features[column], not self._is_known(column, value)
        if adverse_side(feature) if is_missing else self.goes_against(column, value):
            return feature.label
        return (feature.level_reasons[int(value)] if feature.level_reasons and not is_missing else "") or feature.reason

    def cuts(self, column: int) -> np.ndarray:
        """Return the numbers of a column, rising, beside which its words may be others, and only there."""
        edges = self.grouping.favourable[column][0] if self.grouping.favourable else np.empty(0)
        special = self.schema.features[column].special_codes
        found = np.unique([*edges, *special, self.usual[column]])
        return found[~np.isnan(found)]

    def _is_known(self, column: int, value: float) -> bool:
        """Whether a value is a number or a level: words of little or much are true of no special value."""
        return not self.schema.features[column].beside(np.array([value]))[0]

    def goes_against(self, column: int, value: float) -> bool:
        """Return whether a reason would go against its words, or, where these leave it open, against people's outcomes.

        Words are true of the adverse levels that the schema names; else of values on the adverse side of the usual one; else
        of a level that has words of its own. Nothing is a reason on the side where the schema does not expect the outcome.
        """
        feature, usual = self.schema.features[column], self.usual[column]
        side, is_known = adverse_side(feature), self._is_known(column, value)
        is_beside = is_known and side != "" and bool(value <= usual if side == "high" else value >= usual)
        if is_known and feature.adverse_levels:
            return feature.levels[int(value)] not in feature.adverse_levels or (feature.expected != "" and is_beside)
        if is_known and side and not np.isnan(usual):
            return is_beside
        if is_known and feature.level_reasons and feature.level_reasons[int(value)]:
            return False
        return self.grouping.is_favourable(column, value)
