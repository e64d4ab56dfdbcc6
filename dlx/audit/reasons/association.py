"""Which columns go together, so that they count as one reason, and which are never one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dlx.arrays import is_number
from dlx.audit.reasons.proxies import Proxy, StandIns
from dlx.audit.reasons.tendency import Tendency, tendencies
from dlx.dataset import Dataset, refuse_bare
from dlx.errors import DlxError
from dlx.schema import Feature

if TYPE_CHECKING:
    import pandas as pd

TOGETHER = 0.5  # association from which on two columns are one reason
LEAST_PAIRS = 3  # rows in which both are known, below which nothing is said


def association(observed: Dataset) -> pd.DataFrame:
    """Return how strongly columns go together, 0 to 1, symmetric [features, features].

    Between numbers and ordered levels it is |Spearman's rank correlation|; between such a column and one of levels without
    order the correlation ratio of its ranks, the root of the share of their variance that lies between levels; between
    two of the latter Cramér's V. Rows in which either is missing are left out; a constant column goes with nothing.

    Parameters
    ----------
    observed : Dataset
        Real people: the training rows.
    """
    import pandas as pd

    features, columns = observed.schema.features, observed.rows.T
    found = np.eye(len(features))
    for i, one in enumerate(features):
        for j in range(i):
            found[i, j] = found[j, i] = of_pair(one, columns[i], features[j], columns[j])
    return pd.DataFrame(found, index=observed.schema.names, columns=observed.schema.names)


@dataclass(frozen=True, eq=False)
class Grouping:
    """What real people say of the columns as reasons.

    Parameters
    ----------
    names : tuple of str
        All columns.
    group : tuple of int
        The group of each column; columns of one group give one reason.
    protected : tuple of str
        Columns that the law protects.
    stand_ins : StandIns
        What stands in for them, alone or together.
    tendencies : tuple of Tendency or None
        Of which values of each column the event is rarer; None where outcomes are unknown.
    threshold : float
        The association from which on columns belong together.
    """

    names: tuple[str, ...]
    group: tuple[int, ...]
    protected: tuple[str, ...]
    stand_ins: StandIns
    tendencies: tuple[Tendency | None, ...]
    threshold: float

    @property
    def proxies(self) -> dict[str, Proxy]:
        """The columns that stand in for a protected one, with the group that each tells best."""
        return self.stand_ins.alone

    @property
    def withheld(self) -> frozenset[str]:
        """Columns that are never printed as a reason."""
        return frozenset({*self.protected, *self.proxies})

    def together(self, columns: Iterable[str]) -> Proxy | None:
        """Return what some columns, printed together, tell of a protected one; None where they are no proxy of it."""
        return self.stand_ins.together(columns)

    def contradicts(self, column: int, value: float) -> bool:
        """Whether the event is clearly rarer among real people with such a value of a column than among the rest."""
        tendency = self.tendencies[column]
        return tendency is not None and tendency.contradicts(value)

    def merged(self) -> list[tuple[str, ...]]:
        """Return the groups of more than one column."""
        groups = [
            tuple(n for n, g in zip(self.names, self.group, strict=True) if g == one) for one in dict.fromkeys(self.group)
        ]
        return [some for some in groups if len(some) > 1]


def grouping(observed: Dataset, *, threshold: float = TOGETHER) -> Grouping:
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
        Above 0, up to 1.

    Raises
    ------
    DlxError
        If the threshold is not above 0 and at most 1.
    """
    refuse_bare(observed, "observed")
    if not is_number(threshold) or not 0 < threshold <= 1:
        raise DlxError(f"the association from which on columns are one reason must be above 0 and at most 1, got {threshold!r}")
    features, names, strength = observed.schema.features, observed.schema.names, association(observed).to_numpy()
    stand_ins = StandIns.of(observed)
    ours = tuple(feature.name for feature in features if feature.protected)
    alone = np.array([name in ours or name in stand_ins.alone for name in names])
    words = np.array([feature.reason for feature in features])
    strength = np.where(words[:, None] == words, 1.0, strength)
    group = _linked(np.where(alone | alone[:, None], 0.0, strength), threshold)
    return Grouping(names, tuple(int(g) for g in group), ours, stand_ins, tendencies(observed), threshold)


def _linked(strength: np.ndarray, threshold: float) -> np.ndarray:
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(strength) < 2:
        return np.zeros(len(strength), int)
    distance = 1.0 - strength
    np.fill_diagonal(distance, 0.0)
    return fcluster(linkage(squareform(distance, checks=False), "complete"), 1.0 - threshold, criterion="distance")


def of_pair(one: Feature, left: np.ndarray, other: Feature, right: np.ndarray) -> float:
    """Return how strongly two columns of codes [rows] go together, 0 to 1; see `association`."""
    from scipy import stats

    known = ~np.isnan(left) & ~np.isnan(right)
    left, right = left[known], right[known]
    if known.sum() < LEAST_PAIRS or len(np.unique(left)) < 2 or len(np.unique(right)) < 2:
        return 0.0
    if has_order(one) and has_order(other):
        return float(abs(stats.spearmanr(left, right).statistic))
    if not has_order(one) and not has_order(other):
        table = stats.contingency.crosstab(left, right).count
        return float(stats.contingency.association(table, method="cramer"))
    levels, ranked = (left, stats.rankdata(right)) if has_order(other) else (right, stats.rankdata(left))
    _, which, counts = np.unique(levels, return_inverse=True, return_counts=True)
    means = np.bincount(which, ranked) / counts
    return float(np.sqrt(counts @ (means - ranked.mean()) ** 2 / np.square(ranked - ranked.mean()).sum()))


def has_order(feature: Feature) -> bool:
    """Return whether a column has an order: a number, ordered levels, or two levels."""
    return not feature.is_categorical or feature.ordered or len(feature.levels) == 2
