"""Which columns stand in for a protected attribute, alone or together, so that they are never printed as reasons."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlx.audit.fairness.groups import Group, protected_groups
from dlx.audit.fairness.proxies import PROXY_AUC, ProxyStrength, strengths_alone, strengths_together
from dlx.dataset import Dataset

if TYPE_CHECKING:
    import pandas as pd


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
