"""How far the reasons of a denied person depend on the method, the model, and the people compared with."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dlx.audit.reasons.denials import Denial, ReasonsError
from dlx.stats import interval_of_mean, interval_of_share

if TYPE_CHECKING:
    import pandas as pd


class Source(NamedTuple):
    """Where reasons come from.

    Parameters
    ----------
    model, method : str
        What was explained, by what.
    background : str
        Whom the denied are compared with.
    """

    model: str
    method: str
    background: str


def reason_stability(denials: Mapping[Source, tuple[Denial, ...]], *, groups: int, seed: int = 0) -> pd.DataFrame:
    """Return how far two sources that differ in one thing give the same reasons, over the people whom both deny.

    Parameters
    ----------
    denials : mapping of Source to tuple of Denial
        The reasons.
    groups : int
        How many different reasons there are, for the overlap that chance would give.
    seed : int
        Seed of the bootstrap over people.

    Returns
    -------
    DataFrame
        A line a pair of sources that deny somebody in common: what `differs`, both sources, `people`, `same` (the share with
        the same set of reasons) and `overlap` (the mean of shared reasons over the larger set's size), each with a 95 %
        interval, `first` (the share whose first reason is the same), and `chance` (the overlap of sets of these sizes drawn
        at random).

    Raises
    ------
    ReasonsError
        If there are fewer than two sources.
    """
    import pandas as pd

    if len(denials) < 2:
        raise ReasonsError(f"stability compares at least two sources of reasons, got {len(denials)}")
    lines = []
    for one, other in combinations(denials, 2):
        differs = [what for what, a, b in zip(Source._fields, one, other, strict=True) if a != b]
        left, right = ({denial.person: denial for denial in denials[source]} for source in (one, other))
        pairs = [(left[person], right[person]) for person in left if person in right]
        if len(differs) == 1 and pairs:
            told = {"differs": differs[0], "one": one[Source._fields.index(differs[0])]}
            told |= {"other": other[Source._fields.index(differs[0])]}
            lines.append(told | one._asdict() | _measured(pairs, groups, seed))
    return pd.DataFrame(lines)


def _measured(pairs: list[tuple[Denial, Denial]], groups: int, seed: int) -> dict[str, float]:
    same = interval_of_share(np.array([a.groups == b.groups for a, b in pairs]))
    overlap = interval_of_mean(np.array([_overlap(a, b) for a, b in pairs]), seed=seed)
    first = [float(bool(a.reasons and b.reasons) and a.reasons[0].group == b.reasons[0].group) for a, b in pairs]
    chance = [min(len(a.groups), len(b.groups)) / groups for a, b in pairs]
    return {
        "people": len(pairs),
        "same": same.estimate,
        "same_low": same.low,
        "same_high": same.high,
        "overlap": overlap.estimate,
        "overlap_low": overlap.low,
        "overlap_high": overlap.high,
        "first": float(np.mean(first)) if first else np.nan,
        "chance": float(np.mean(chance)) if chance else np.nan,
    }


def _overlap(one: Denial, other: Denial) -> float:
    larger = max(len(one.groups), len(other.groups))
    return len(one.groups & other.groups) / larger if larger else 1.0
