"""Which columns go together: those that count as one reason, and those that stand in for a protected attribute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.schema import Feature

if TYPE_CHECKING:
    import pandas as pd

TOGETHER = 0.5  # association from which on two columns are one reason, or a column a proxy
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
            found[i, j] = found[j, i] = _of_pair(one, columns[i], features[j], columns[j])
    return pd.DataFrame(found, index=observed.schema.names, columns=observed.schema.names)


@dataclass(frozen=True)
class Grouping:
    """What the association of columns means for reasons.

    Parameters
    ----------
    names : tuple of str
        All columns.
    group : tuple of int
        The group of each column; columns of one group give one reason.
    protected : tuple of str
        Columns that the law protects.
    proxies : dict of str to tuple of (str, float)
        The protected column that each stand-in goes with most, and how strongly.
    threshold : float
        The association from which on columns belong together.
    """

    names: tuple[str, ...]
    group: tuple[int, ...]
    protected: tuple[str, ...]
    proxies: dict[str, tuple[str, float]]
    threshold: float

    @property
    def withheld(self) -> frozenset[str]:
        """Columns that are never printed as a reason."""
        return frozenset({*self.protected, *self.proxies})

    def merged(self) -> list[tuple[str, ...]]:
        """Return the groups of more than one column."""
        groups = [
            tuple(n for n, g in zip(self.names, self.group, strict=True) if g == one) for one in dict.fromkeys(self.group)
        ]
        return [some for some in groups if len(some) > 1]


def grouping(observed: Dataset, *, threshold: float = TOGETHER) -> Grouping:
    """Return which columns are one reason, and which stand in for a protected one.

    Columns are one group if each goes with each by the threshold or more (complete linkage, the strongest first).
    Protected columns and their proxies are in no group with others.

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
    if not 0 < threshold <= 1:
        raise DlxError(f"the association from which on columns are one reason must be above 0 and at most 1, got {threshold}")
    features, names, strength = observed.schema.features, observed.schema.names, association(observed).to_numpy()
    protected = np.array([feature.protected for feature in features])
    to_protected = np.where(protected, strength, 0.0)
    is_proxy = ~protected & (to_protected.max(axis=1) >= threshold)
    alone = protected | is_proxy
    group = _linked(np.where(alone | alone[:, None], 0.0, strength), threshold)
    nearest = to_protected.argmax(axis=1)
    proxies = {names[i]: (names[nearest[i]], float(to_protected[i].max())) for i in np.flatnonzero(is_proxy)}
    ours = tuple(names[i] for i in np.flatnonzero(protected))
    return Grouping(names, tuple(int(g) for g in group), ours, proxies, threshold)


def _linked(strength: np.ndarray, threshold: float) -> np.ndarray:
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(strength) < 2:
        return np.zeros(len(strength), int)
    distance = 1.0 - strength
    np.fill_diagonal(distance, 0.0)
    return fcluster(linkage(squareform(distance, checks=False), "complete"), 1.0 - threshold, criterion="distance")


def _of_pair(one: Feature, left: np.ndarray, other: Feature, right: np.ndarray) -> float:
    from scipy import stats

    known = ~np.isnan(left) & ~np.isnan(right)
    left, right = left[known], right[known]
    if known.sum() < LEAST_PAIRS or len(np.unique(left)) < 2 or len(np.unique(right)) < 2:
        return 0.0
    if _has_order(one) and _has_order(other):
        return float(abs(stats.spearmanr(left, right).statistic))
    if not _has_order(one) and not _has_order(other):
        table = stats.contingency.crosstab(left, right).count
        return float(stats.contingency.association(table, method="cramer"))
    levels, ranked = (left, stats.rankdata(right)) if _has_order(other) else (right, stats.rankdata(left))
    _, which, counts = np.unique(levels, return_inverse=True, return_counts=True)
    means = np.bincount(which, ranked) / counts
    return float(np.sqrt(counts @ (means - ranked.mean()) ** 2 / np.square(ranked - ranked.mean()).sum()))


def _has_order(feature: Feature) -> bool:
    return not feature.is_categorical or feature.ordered or len(feature.levels) == 2
