"""Numbers as they are printed: rounded, but never across the line that they are read against.

A risk of 16.6 % is below a threshold of 1/6, and "17 % (granted)" is not what it says. Whatever is compared with a
threshold is printed by a function of this file, so that reading the page again gives the same decision.
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal

NOISE = 12  # decimals from which on two sums of the same numbers may differ
MORE = 3  # decimals that are added at most, before a number is rounded away from the line
SAME = 1e-12  # what is nearer to 0 or 1 is there, but for rounding
DIGITS = Context(prec=400)  # more than a float has, before and after the point


def side_true(
    number: float | Decimal, line: float | Decimal, decimals: int = 2, *, printed: str = "", strict: bool = False
) -> str:
    """Return a number as text that stands on the number's own side of a line: from the line on, or below it.

    It is rounded to the nearest, with up to three more decimals where fewer would cross the line. A number that is nearer
    to the line than that is rounded away from it, by less than two units of the last decimal. NaN is a dash.

    Parameters
    ----------
    number, line : float or Decimal
        The number, and what it is compared with.
    decimals : int
        Decimals where the number is far from the line.
    printed : str
        The line as the reader sees it, if it is rounded: the text is on the right side of both.
    strict : bool
        Whether a number above the line must not be printed as the line itself: the end of an interval beside 0.
    """
    if not math.isfinite(number):
        return _beyond(number)
    number, line = _decimal(number), _decimal(line)
    shown = Decimal(printed) if printed else line
    low, high = min(line, shown), max(line, shown)

    def stands(text: Decimal) -> bool:
        if number < line:
            return text < low
        if strict:
            return text > high if number > line else low <= text <= high
        return text >= high

    for more in range(MORE + 1):
        text = _to_places(number, decimals + more)
        if stands(text):
            return _digits(text)
    if strict and number == line:
        return _digits(shown)
    lies_between = low <= number < high  # the line and what is printed of it: the nearest number on its own grid
    places = max(decimals, _places(shown)) if lies_between else decimals + MORE
    step, nearest, rounding = (-1, low, ROUND_FLOOR) if number < line else (1, high, ROUND_CEILING)
    text = _to_places(nearest, places, rounding)
    return _digits(text if stands(text) else text + Decimal(step).scaleb(-places))


def rounded(number: float, decimals: int, times: int = 1) -> str:
    """Return a number, some times over, rounded to the nearest as it is spelled: .975 is 98 %, and .98; a dash for NaN.

    A sum that differs from .975 by the rounding of a computer's arithmetic is .975.
    """
    return _digits(_to_places(times * _decimal(round(number, NOISE)), decimals)) if math.isfinite(number) else _beyond(number)


def in_percent(share: float, decimals: int = 0) -> str:
    """Return a share in per cent, without the sign: "0" only of nothing, "100" only of all; 99.96 of 2,499 in 2,500."""
    for end in (0.0, 1.0):
        if SAME < abs(share - end) < 10.0**-decimals / 100:
            return side_true(100 * share, 100 * end, decimals, strict=True)
    return rounded(share, decimals, 100)


def decimals_of(share: float) -> int:
    """Return how many decimals a share in per cent has: one below 10 %, and more where it would read as none or all."""
    few = 1 if share < 0.1 else 0
    return few if math.isnan(share) else max(few, _places(Decimal(in_percent(share, few))))


def percent_beside(probability: float, threshold: float, decimals: int | None = None) -> str:
    """Return a probability in per cent, on its side of a threshold as `threshold_in_percent` prints it: "16.6 %", "17 %".

    With as many decimals as asked for, as the threshold has, or as `decimals_of` says, the most of them.
    """
    if math.isnan(probability):
        return "–"
    shown = Decimal(threshold_in_percent(threshold).removesuffix(" %"))
    decimals = max(decimals_of(probability), decimals or 0, _places(shown) if _places(shown) > 1 else 0)
    text = side_true(100 * _decimal(probability), 100 * _decimal(threshold), decimals, printed=str(shown))
    return f"{text.removesuffix('.0')} %"


def threshold_in_percent(threshold: float) -> str:
    """Return a threshold in per cent with a decimal; "16.7 %", "5 %".

    It has more decimals where it would be off by more than a twentieth of its distance to 0 or to 100 %: "0.05 %", "99.96 %".
    """
    decimals, exact = 1, 100 * _decimal(threshold)
    while abs(_to_places(exact, decimals) - exact) * 20 > min(exact, 100 - exact):
        decimals += 1
    return f"{_to_places(exact, decimals):f}".removesuffix(".0") + " %"


def _decimal(number: float | Decimal) -> Decimal:
    """Return the shortest decimal that is this number, so that .05 is 5 % and no more."""
    return number if isinstance(number, Decimal) else Decimal(repr(float(number)))


def _to_places(number: Decimal, places: int, rounding: str = ROUND_HALF_EVEN) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-places), rounding, DIGITS)


def _beyond(number: float | Decimal) -> str:
    return "–" if math.isnan(number) else "∞" if number > 0 else "-∞"


def _places(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int), "a line is finite"
    return max(0, -exponent)


def _digits(number: Decimal) -> str:
    return f"{number if number else abs(number):f}"
