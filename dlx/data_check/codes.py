"""Cells of numbers that are none, like -9 or 999, placeholders among dates, and cells far outside the rest.

A code looks like one (-1 to -9; 7, 8 and 9; repeated 7s, 8s and 9s; 96 to 99, 996 to 999 ...), is frequent, and stands at an
end, outside the run of the rest. So are 0 where all else is far above, a frequent -1 below numbers that begin at 0, a rare 0
below the codes 1, 2, 3 ..., and 9999 and more that is frequent among numbers that are hardly ever the same.

The rest may have a heavy tail. In one of the Pareto kind the logarithms of neighbouring values, from the largest on, are apart
by exponential variables (Renyi 1953): the mean of these is Hill's index of the tail, and a gap that no such tail has by chance
is named. Lighter tails have smaller gaps. Values are distances from the median, either side by itself.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from dlx.data_check.rules import RULES

FREQUENT = int(RULES["special code"].line)  # rows
MOST_CODES = 5  # at one end
STEPS, SPREADS = 3, 0.5  # between a code and the rest
ZERO_SPREADS = 1.0  # between 0 and the rest: it may be nothing, or next to nothing
FEW_STEPS, SINGLE_STEPS = 2, 2.1  # where several codes, or one, are more frequent than what stands beside them
SPIKE_STEPS = 1.25
SPIKE, SPIKE_WITHIN = 3, 5  # times as frequent
NEAR = 10  # values beside a code, which say how far apart the rest is
BELOW_ZERO = 7  # or more: -7, -8, -9, -99
RARE = 0.02  # of the level beside it
ENOUGH = 10  # different numbers of something that is measured or counted
MOST_FAR = 3  # cells of a side
TAIL, SHORTEST_TAIL = 20, 10  # values beyond them, and of a side altogether
GAPS = 2 * MOST_FAR  # that are looked at, of both sides
LOOKED_AT = 200  # the largest values, of which some may be the same
_CODE = re.compile(r"-[1-9]|-9+[0-9]|-?(7+|8+|9+)|9+[6-9]")
_IN_A_GROUP = re.compile(r"9+[678]")  # 97 beside 98 and 99
_LONG_NINES = re.compile(r"-?9{4,}")
_NO_DAYS = ("1800-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1901-01-01", "1970-01-01", "2099-12-31", "9999-12-31")
PLACEHOLDERS = np.array(_NO_DAYS, dtype="datetime64[D]").astype(float)


def codes_of(column: np.ndarray) -> list[float]:
    """Return the values of a column of numbers [rows], NaN where missing, that look like codes, in rising order."""
    values, counts = np.unique(column[~np.isnan(column)], return_counts=True)
    if len(values) < 3:
        return []
    found = {-code for code in _outermost(-values[::-1], counts[::-1], sign=-1)}
    found |= {*_outermost(values, counts, sign=1), *_spikes(values, counts)}
    rest = ~np.isin(values, list(found))
    return sorted(found | set(_zero_or_less(values[rest], counts[rest])))


def placeholders_of(days: np.ndarray) -> list[float]:
    """Return the placeholders among dates, days since 1970-01-01 [rows], that stand outside the run of the rest."""
    values, counts = np.unique(days[~np.isnan(days)], return_counts=True)
    found = []
    for place in {0, len(values) - 1} if len(values) > 3 else ():
        sign = 1 if place else -1
        if values[place] in PLACEHOLDERS and counts[place] >= FREQUENT:
            rest = np.sort(sign * np.delete(values, place))
            found += [float(values[place])] * _is_outside(sign * values[place], rest)
    return sorted(found)


def _outermost(values: np.ndarray, counts: np.ndarray, *, sign: int) -> list[float]:
    """Return the codes at the upper end of rising values, which are those of the column times a sign."""
    for many in range(min(MOST_CODES, len(values) - 2), 0, -1):
        codes, rest = values[-many:], values[:-many]
        if counts[-many:].sum() < FREQUENT or not all(_looks_like_one(sign * code, sign) for code in codes):
            continue
        if many == 1 and _IN_A_GROUP.fullmatch(str(int(codes[0]))):
            continue
        beside, gap = max(1.0, float(counts[:-many][-3:].mean())), _gap(codes[0], rest)
        rises = counts[-many] > beside or (np.diff(counts[-many:]) > 0).any()  # a tail becomes rarer outwards
        beyond = counts[:-many][rest >= codes[0] / 2].sum()  # a limit at which larger numbers are cut has more below it
        is_spike = counts[-many:].max() >= SPIKE * beside
        is_spike &= gap >= SPIKE_STEPS or bool(codes[0] >= ENOUGH and counts[-1] > beyond)
        is_below = sign < 0 and rest[-1] <= 0 and codes[0] >= BELOW_ZERO  # and no number is
        is_apart = rises and gap >= (FEW_STEPS if many > 1 else SINGLE_STEPS)
        if is_below or is_apart or is_spike or _is_outside(codes[0], rest):
            return [float(code) for code in codes]
    return []


def _gap(code: float, rest: np.ndarray) -> float:
    """Return how many of the largest steps between the values beside it a code is away from the rest."""
    return float((code - rest[-1]) / np.diff(rest[-NEAR - 1 :]).max())


def _is_outside(code: float, rest: np.ndarray) -> bool:
    return bool(_gap(code, rest) >= STEPS and code - rest[-1] >= SPREADS * _spread(rest))


def _spread(numbers: np.ndarray) -> float:
    return float(np.subtract(*np.quantile(numbers, (0.75, 0.25))))


def _looks_like_one(value: float, sign: int) -> bool:
    return value * sign > 0 and float(value).is_integer() and bool(_CODE.fullmatch(str(int(value))))


def _spikes(values: np.ndarray, counts: np.ndarray) -> list[float]:
    """Return long nines within the run that are far more frequent than any value beside them: 999999 among incomes."""
    found = []
    for place in np.flatnonzero(counts >= FREQUENT):
        if float(values[place]).is_integer() and _LONG_NINES.fullmatch(str(int(values[place]))):
            beside, count = np.delete(counts, place)[max(0, place - NEAR) : place + NEAR], counts[place]
            found += [float(values[place])] * bool(count >= SPIKE_WITHIN * beside.mean() and count > beside.max())
    return found


def _zero_or_less(values: np.ndarray, counts: np.ndarray) -> list[float]:
    """Return the lowest value where it is -1 below numbers from 0 on, 0 far below all others, or a rare 0 below 1, 2, 3 ..."""
    if len(values) < 3 or counts[0] < FREQUENT or values[0] not in (-1, 0):
        return []
    rest, others = values[1:], counts[1:]
    if values[0] == -1:
        is_code = rest[0] >= 0 and len(rest) >= ENOUGH and counts[0] > others[:3].mean()
    else:
        is_rare = np.array_equal(rest, np.arange(1, len(rest) + 1)) and counts[0] <= RARE * others[0]
        is_far = _gap(0.0, -rest[::-1]) >= STEPS and rest[0] >= ZERO_SPREADS * _spread(np.repeat(rest, others))
        is_code = (is_rare and len(rest) < ENOUGH) or is_far
    return [float(values[0])] if is_code else []


class Far(NamedTuple):
    """Cells of a column beyond a gap."""

    rows: np.ndarray  # positions, the furthest first
    chance: float  # of so large a gap, in any of the columns


def far_cells(column: np.ndarray, *, line: float, columns: int = 1) -> list[Far]:
    """Return the few largest and smallest values of a column [rows], NaN where missing, that a gap parts from the rest.

    A gap is named if it is as improbable as the line, over so many columns.
    """
    median, found = np.nanmedian(column) if not np.isnan(column).all() else np.nan, []
    for sign in (1, -1):
        away = np.where(np.isnan(column), 0.0, sign * (column - median))
        most = min(LOOKED_AT, len(away))
        largest = np.argpartition(-away, most - 1)[:most] if most else np.zeros(0, dtype=int)
        order = largest[np.argsort(-away[largest], kind="stable")]
        count = int((away > 0).sum())
        if count < SHORTEST_TAIL + MOST_FAR:
            continue
        sizes = away[order][:count]
        chance, many = min((_chance(sizes, many, count - many), many) for many in range(1, MOST_FAR + 1))
        if chance * GAPS * columns <= line:
            found.append(Far(order[:many], chance * GAPS * columns))
    return found


def _chance(sizes: np.ndarray, many: int, others: int) -> float:
    """Return how probable as large a gap is below the first of falling sizes, as those below it are spread."""
    rest = sizes[many:]
    some = rest[: min(TAIL, others // 2) + 1]
    index = float(np.log(some[:-1] / some[-1]).mean())
    steps = -np.diff(np.unique(rest)[::-1][: TAIL + 1])
    resolution = float(np.log1p(np.median(steps) / rest[0])) if len(steps) else np.inf
    times = many * float(np.log(sizes[many - 1] / rest[0])) / max(index, resolution)
    return float((1 + times / (len(some) - 1)) ** -(len(some) - 1))
