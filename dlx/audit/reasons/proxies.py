"""Which columns stand in for a protected attribute, alone or together, so that they are never printed as reasons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from dlx.audit.fairness.telling import Group, Told, protected_groups, told_by_column, told_together
from dlx.dataset import Dataset


class Proxy(NamedTuple):
    """What a column, or some together, tell of a protected attribute: AUC of the group best told, with its 95 % interval."""

    attribute: str
    group: str
    auc: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class StandIns:
    """What stands in for protected attributes among real people.

    Parameters
    ----------
    observed : Dataset
        The people.
    groups : tuple of Group
        By each protected column, those that can be judged.
    unjudged : tuple of Group
        Those of whom too few people are known: nothing is said of them, least of all that a column is safe.
    alone : dict of str to Proxy
        The columns that are a proxy by themselves: the lower end of the interval lies above .7 for some group.
    """

    observed: Dataset
    groups: tuple[Group, ...]
    unjudged: tuple[Group, ...]
    alone: dict[str, Proxy]
    _known: dict[frozenset[str], Proxy | None] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, observed: Dataset) -> StandIns:
        """Return what stands in among some people: the training rows."""
        every = protected_groups(observed)
        groups = tuple(group for group in every if group.can_be_judged)
        unjudged = tuple(group for group in every if not group.can_be_judged)
        alone: dict[str, Proxy] = {}
        if groups:
            inside = _inside(groups)
            for feature, column in zip(observed.schema.features, observed.rows.T, strict=True):
                proxy = None if feature.protected else _proxy(groups, told_by_column(feature, column, inside))
                if proxy is not None:
                    alone[feature.name] = proxy
        return cls(observed, groups, unjudged, alone)

    def together(self, columns: Iterable[str]) -> Proxy | None:
        """Return the proxy that some columns make together; None where they make none."""
        names = frozenset(columns)
        if names not in self._known:
            self._known[names] = self._together(sorted(map(self.observed.schema.position, names)))
        return self._known[names]

    def _together(self, places: list[int]) -> Proxy | None:
        if len(places) < 2 or not self.groups:
            return None
        features = [self.observed.schema.features[i] for i in places]
        return _proxy(self.groups, told_together(features, self.observed.rows[:, places], _inside(self.groups)))


def _inside(groups: tuple[Group, ...]) -> np.ndarray:
    return np.column_stack([group.inside for group in groups])


def _proxy(groups: tuple[Group, ...], told: Sequence[Told]) -> Proxy | None:
    """Return the group that is told best beyond doubt, if it is told well enough."""
    group, best = max(zip(groups, told, strict=True), key=lambda pair: pair[1].low)
    return Proxy(group.column, group.name, best.auc, best.low, best.high) if best.is_proxy else None
