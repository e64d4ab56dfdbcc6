"""The compiled loops of `dlx.kernels.gradients.running_sums`: along each path, from switch to switch.

Three rules keep them quick. Indices are unsigned: a signed one may count from the end, and a loop that has to look is not
vectorised. References to arrays are not counted, which at each switch took longer than the sums: so no loop allocates any.
What is called at every switch is inlined: a call with a dozen arrays takes as long as a loop over a level.

What is known of the units is one array, `units` [rows, units], of which these are the rows. Sums run over the share of the
path that is behind. The switches ahead are those of each level before the next one of the levels before it: `unit` and
`time` hold them in order, from the level's `first` unit on; `following` is which comes next, and `stop` where they end;
`until` [levels + 1] is when a level before this one next switches. Nothing waits for a switch of the last level: all of them
until then are taken at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np

Index = Any  # uint64

ROWS, STARTS = 9, 4
(
    VALUE,  # its input, at the next switch of a level before its own
    DERIVATIVE,  # of its output: 1 or LOW
    UPSTREAM,  # the gradient of the net's output with respect to its output
    GRADIENT,  # and to its input; so far at each start
    SLOPE,  # of its input along the path
    INTEGRAL,  # of the gradient, less what the present gradient would be times the clock
    CHANGE,  # what a switch changes in its output's slope, or in its gradient
    OUT,  # what each unit adds to the net's output
    LOW,  # its derivative below 0
) = (np.uint64(row) for row in range(ROWS))
ONE, EIGHT, SIXTEEN = np.uint64(1), np.uint64(8), np.uint64(16)
COMPILED: dict[str, Any] = {
    **{"cache": True, "nogil": True, "error_model": "numpy"},
    "fastmath": {"reassoc", "contract", "nsz"},  # sums in any order; NaN stays NaN
    "_nrt": False,  # no references are counted; nothing can be allocated
}
Loop = TypeVar("Loop", bound=Callable[..., Any])


def compiled(loop: Loop) -> Loop:
    """Return a function as compiled code."""
    made: Loop = numba.njit(**COMPILED)(loop)
    return made


def inlined(loop: Loop) -> Loop:
    """Return a function as compiled code that is put where it is called."""
    made: Loop = numba.njit(**COMPILED, forceinline=True)(loop)
    return made


def scratch(levels: int, count: int, kind: Any) -> tuple[np.ndarray, ...]:
    """Return arrays for one walk at a time: `units`, `unit`, `time`, `ahead`, `until`, and what crosses, by byte and word."""
    crosses = np.zeros((count // 8 + 2) * 8, np.uint8)
    switches = np.empty(count, np.uint64), np.empty(count), np.empty((2, levels), np.uint64)
    return np.empty((ROWS, count), kind), *switches, np.ones(levels + 1), crosses, crosses.view(np.uint64)


@compiled
def walk(
    first: np.ndarray,
    linked: np.ndarray,
    onto: np.ndarray,
    back: np.ndarray,
    out: np.ndarray,
    low: np.ndarray,
    starts: np.ndarray,
    outputs: np.ndarray,
    rates: np.ndarray,
    through_sigmoid: bool,
    slopes: np.ndarray,
    derivatives: np.ndarray,
    integrals: np.ndarray,
    clocks: np.ndarray,
    units: np.ndarray,
    unit: np.ndarray,
    time: np.ndarray,
    ahead: np.ndarray,
    until: np.ndarray,
    crosses: np.ndarray,
    words: np.ndarray,
) -> int:
    """Walk from each reference to each person; write the gradients' integrals, and return the number of knots.

    Parameters
    ----------
    first : ndarray of uint64 [levels + 1]
        The first unit of each level, and their number.
    linked : ndarray of bool [levels, levels]
        Whether a level adds anything to another.
    onto, back : ndarray [units, units]
        What each unit's output adds to the input of each later one, and the transpose.
    out, low : ndarray [units]
        What each unit's output adds to the net's, and its derivative below 0.
    starts : ndarray [references, STARTS, units]
        The units at each reference.
    outputs, rates : ndarray [references], [persons, references]
        The net's output before a last sigmoid, and the slope of what it takes of the input directly.
    through_sigmoid : bool
        Whether there is a last sigmoid.
    slopes : ndarray [persons, references, units]
        At the start.
    derivatives : ndarray [persons, references, units of the first level]
        Written: at the end.
    integrals : ndarray [persons, references, units]
        Written: of the first level, what its units get for being switched on a part of the path only.
    clocks : ndarray [persons, references]
        Written: the integral of the last sigmoid's derivative along the path, or 1.
    """
    count, last = first[-1], len(first) - 2
    knots = 2 * len(outputs) * len(slopes)  # where paths start and end
    for i in range(count):
        units[OUT, i], units[LOW, i] = out[i], low[i]
    for person in range(slopes.shape[0]):
        for reference in range(slopes.shape[1]):
            output, now, clock, top = outputs[reference], 0.0, 0.0, 0
            rate = rates[person, reference] + _begin(units, starts, slopes, person, reference)
            while True:
                for level in range(top, last + 1):
                    a, e = first[level], first[level + 1]
                    _cross(units, a, e, now, until[level], crosses)
                    is_in_order = level < last or through_sigmoid
                    ahead[0, level] = a
                    ahead[1, level] = _list(units, a, e, now, until[level], crosses, words, unit, time, is_in_order)
                    until[level + 1] = time[a] if a < ahead[1, level] else until[level]
                for place in range(first[last], ahead[1, last]):
                    clock, output = _advanced(clock, output, rate, now, time[place], through_sigmoid)
                    now = time[place]
                    rate += _switch(first, linked, onto, back, units, last, unit[place], clock)
                    knots += through_sigmoid
                clock, output = _advanced(clock, output, rate, now, until[last], through_sigmoid)
                now = until[last]
                level = last - 1
                while level >= 0 and ahead[0, level] == ahead[1, level]:
                    level -= 1
                if level < 0:
                    break
                rate += _switch(first, linked, onto, back, units, level, unit[ahead[0, level]], clock)
                ahead[0, level] += ONE
                until[level + 1] = time[ahead[0, level]] if ahead[0, level] < ahead[1, level] else until[level]
                top = level + 1
                knots += 1
            clocks[person, reference] = clock
            _end(first, units, clock, derivatives, integrals, person, reference)
    return knots


@inlined
def _begin(units: np.ndarray, starts: np.ndarray, slopes: np.ndarray, person: Index, reference: Index) -> float:
    """Put the units where a path starts, and return the slope of the net's output that they make."""
    rate = 0.0
    for row in range(STARTS):
        for i in range(units.shape[1]):
            units[row, i] = starts[reference, row, i]
    for i in range(units.shape[1]):
        units[SLOPE, i] = slopes[person, reference, i]
        units[INTEGRAL, i] = 0
        rate += units[OUT, i] * units[DERIVATIVE, i] * units[SLOPE, i]
    return rate


@inlined
def _advanced(clock: float, output: float, rate: float, now: float, when: float, through_sigmoid: bool) -> tuple[float, float]:
    """Return the clock and the net's output at a later share of the path."""
    if not through_sigmoid:
        return when, output
    after = output + rate * (when - now)
    return clock + (when - now) * _mean_derivative(output, after), after


@inlined
def _end(
    first: np.ndarray,
    units: np.ndarray,
    clock: float,
    derivatives: np.ndarray,
    integrals: np.ndarray,
    person: Index,
    reference: Index,
) -> None:
    """Write what is wanted of the units where a path ends."""
    whole = units.dtype.type(clock)
    for i in range(units.shape[1]):
        integrals[person, reference, i] = units[INTEGRAL, i] + whole * units[GRADIENT, i]
    for i in range(first[1]):
        derivatives[person, reference, i] = units[DERIVATIVE, i]


@inlined
def _cross(units: np.ndarray, start: Index, end: Index, now: float, until: float, crosses: np.ndarray) -> None:
    """Take a level's inputs to the next switch of a level before it, and note which units cross 0 on the way."""
    step = units.dtype.type(until - now)
    for i in range(start, end):
        value = units[VALUE, i] + step * units[SLOPE, i]
        units[VALUE, i] = value
        crosses[i - start] = (value > 0) != (units[DERIVATIVE, i] == 1)
    for i in range(end - start, end - start + EIGHT):
        crosses[i] = 0


@inlined
def _list(
    units: np.ndarray,
    start: Index,
    end: Index,
    now: float,
    until: float,
    crosses: np.ndarray,
    words: np.ndarray,
    unit: np.ndarray,
    time: np.ndarray,
    is_in_order: bool,
) -> Index:
    """List the switches of units that cross 0, in order where that matters, and return where the list ends."""
    stop = start
    for word in range((end - start + EIGHT - ONE) // EIGHT):
        if words[word]:
            for i in range(EIGHT * word, EIGHT * word + EIGHT):
                if crosses[i]:
                    when = until - units[VALUE, start + i] / units[SLOPE, start + i]
                    time[stop] = min(when, until) if when > now else now  # now where it is NaN
                    unit[stop] = start + i
                    stop += ONE
    if is_in_order and stop > start + ONE:
        _sort(time, unit, start, stop)
    return stop


@inlined
def _sort(time: np.ndarray, unit: np.ndarray, start: Index, stop: Index) -> None:
    """Sort a part of two arrays by time: Shell's sort."""
    for gap in (SIXTEEN, ONE):
        for i in range(start + gap, stop):
            here, this = time[i], unit[i]
            j: Index = i
            while j >= start + gap and time[j - gap] > here:
                time[j], unit[j] = time[j - gap], unit[j - gap]
                j -= gap
            time[j], unit[j] = here, this


@inlined
def _mean_derivative(a: float, b: float) -> float:
    """Return the mean derivative of the sigmoid between two values, to all digits; see `nonlinearities.mean_slope`."""
    low, high = min(a, b), max(a, b)
    change = high - low
    share = -np.expm1(-change) / change if change > 1e-9 else 1.0
    return share / ((1 + np.exp(-high)) * (1 + np.exp(low)))


@inlined
def _switch(
    first: np.ndarray,
    linked: np.ndarray,
    onto: np.ndarray,
    back: np.ndarray,
    units: np.ndarray,
    level: int,
    unit: Index,
    clock: float,
) -> float:
    """Switch a unit; return by how much the slope of the net's output changes."""
    passed = units.dtype.type(clock)
    before = units[DERIVATIVE, unit]
    after = units[LOW, unit] if before == 1 else units.dtype.type(1)
    units[DERIVATIVE, unit] = after
    if level == 0:
        total = units[OUT, unit] * passed
        for i in range(first[1], first[-1]):
            total += onto[unit, i] * (units[INTEGRAL, i] + passed * units[GRADIENT, i])
        units[INTEGRAL, unit] = (before - after) * total
    else:
        change = (after - before) * units[UPSTREAM, unit]
        units[GRADIENT, unit] += change
        units[INTEGRAL, unit] -= change * passed
        if level > 1:
            _pass_back(first, linked, back, units, level, unit, change, passed)
    change = (after - before) * units[SLOPE, unit]
    if level + 2 < len(first):
        return units[OUT, unit] * change + _pass_on(first, linked, onto, units, level, unit, change)
    return units[OUT, unit] * change


@compiled
def _pass_back(
    first: np.ndarray,
    linked: np.ndarray,
    back: np.ndarray,
    units: np.ndarray,
    level: int,
    unit: Index,
    change: float,
    passed: float,
) -> None:
    """Change the gradients of the levels before a switch, but the first, by what it changes."""
    for before in range(level - 1, 0, -1):
        start, end = first[before], first[before + 1]
        for i in range(start, end):
            units[CHANGE, i] = change * back[unit, i]
        for between in range(before + 1, level):
            if linked[before, between]:
                _add_rows(back, units, first[between], first[between + 1], start, end)
        for i in range(start, end):
            units[UPSTREAM, i] += units[CHANGE, i]
            added = units[DERIVATIVE, i] * units[CHANGE, i]
            units[CHANGE, i] = added
            units[GRADIENT, i] += added
            units[INTEGRAL, i] -= added * passed


@inlined
def _pass_on(
    first: np.ndarray, linked: np.ndarray, onto: np.ndarray, units: np.ndarray, level: int, unit: Index, change: float
) -> float:
    """Change the slopes of the levels after a switch by what it changes, and return by how much the output's does."""
    rate = change * 0
    for after in range(level + 1, len(first) - 1):
        start, end = first[after], first[after + 1]
        for i in range(start, end):
            units[CHANGE, i] = change * onto[unit, i]
        for between in range(level + 1, after):
            if linked[between, after]:
                _add_rows(onto, units, first[between], first[between + 1], start, end)
        for i in range(start, end):
            units[SLOPE, i] += units[CHANGE, i]
            added = units[DERIVATIVE, i] * units[CHANGE, i]
            units[CHANGE, i] = added
            rate += units[OUT, i] * added
    return rate


@compiled
def _add_rows(matrix: np.ndarray, units: np.ndarray, first: Index, last: Index, start: Index, end: Index) -> None:
    """Add to the changes from `start` on the matrix's rows times those of `first` to `last`, four that are not 0 at a time."""
    a: Index = first
    b: Index = first
    c: Index = first
    held = 0
    for k in range(first, last):
        if units[CHANGE, k] != 0:
            if held == 3:
                p, q, r, s = units[CHANGE, a], units[CHANGE, b], units[CHANGE, c], units[CHANGE, k]
                for i in range(start, end):
                    units[CHANGE, i] += (p * matrix[a, i] + q * matrix[b, i]) + (r * matrix[c, i] + s * matrix[k, i])
                held = 0
            else:
                a, b, c = b, c, k
                held += 1
    for place in range(3 - held, 3):
        k = (a, b, c)[place]
        p = units[CHANGE, k]
        for i in range(start, end):
            units[CHANGE, i] += p * matrix[k, i]
