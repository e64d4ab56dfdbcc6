"""Which levels of a column are too rare to learn from, and which they are merged with."""

from __future__ import annotations

import numpy as np

from dlx.schema import Feature

Groups = list[list[int]]


def merged_levels(feature: Feature, column: np.ndarray, least: int) -> Groups:
    """Return the levels of a categorical column in groups of codes: those that are too rare do not stand alone.

    A level with an order is merged with the smaller of its neighbours, the rarest first, until all groups are large enough.
    Of the others, those that are too rare make one group, which stays as it is if it is too rare itself: a frequent level
    is not given up for it. A single rare level takes the next rarest along. A column keeps two groups at least: if it
    cannot, its levels stay as they are.

    Parameters
    ----------
    feature : Feature
        The column.
    column : ndarray [rows]
        Codes of the training rows, NaN where missing.
    least : int
        Rows that a level must have.
    """
    known = column[~np.isnan(column)].astype(np.intp)
    counts = np.bincount(known, minlength=len(feature.levels))
    apart = [[code] for code in range(len(feature.levels))]
    groups = (_neighbours if feature.ordered else _rare)(apart, counts, least)
    return groups if len(groups) > 1 else apart


def _neighbours(groups: Groups, counts: np.ndarray, least: int) -> Groups:
    groups = [list(group) for group in groups]
    while len(groups) > 1:
        sizes = [int(counts[group].sum()) for group in groups]
        rarest = int(np.argmin(sizes))
        if sizes[rarest] >= least:
            break
        beside = [place for place in (rarest - 1, rarest + 1) if 0 <= place < len(groups)]
        first, second = sorted((rarest, min(beside, key=lambda place: sizes[place])))
        groups[first : second + 1] = [groups[first] + groups[second]]
    return groups


def _rare(groups: Groups, counts: np.ndarray, least: int) -> Groups:
    order = np.argsort(counts, kind="stable")
    joined = [int(code) for code in order if counts[code] < least]
    if not joined:
        return groups
    if len(joined) == 1:
        joined = [int(code) for code in order[:2]]
    return [[code] for code in range(len(counts)) if code not in joined] + [sorted(joined)]


def merged_feature(feature: Feature, groups: Groups) -> Feature:
    """Return the column with a level a group, which is named after those that it holds, and is what all of them are."""
    from dataclasses import replace

    def named(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(" / ".join(names[code] for code in group) for group in groups)

    def wholly(some: tuple[str, ...]) -> tuple[str, ...]:
        inside = [all(feature.levels[code] in some for code in group) for group in groups]
        return tuple(level for level, kept in zip(named(feature.levels), inside, strict=True) if kept)

    return replace(
        feature,
        levels=named(feature.levels),
        level_labels=named(feature.level_labels),
        level_values=(),
        dtype="",
        level_reasons=(),
        reachable=wholly(feature.reachable),
        adverse_levels=wholly(feature.adverse_levels),
    )
