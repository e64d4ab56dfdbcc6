"""Numbers as people read them: one style for one thing, and on the right side of whatever they are read against."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dlx.reporting import prose
from dlx.reporting.phrases import number_in, percent, says, share
from dlx.reporting.prose import Line
from dlx.rounding import percent_beside
from dlx.schema import Target

NUMBERS = some.floats(-2, 2, allow_nan=False).filter(lambda x: x == 0 or abs(x) > 1e-9)


def interval(estimate, low, high, style, against=None):
    """Return an interval of a table as a reader sees it."""
    line = Line("table", 0, {"estimate": estimate, "low": low, "high": high})
    return re.sub("<[^>]*>", "", prose.interval(line, style, against=against)).replace("\u00a0", " ")


@given(NUMBERS, NUMBERS, NUMBERS, some.sampled_from(["signed", "thousandths"]))
def test_a_reader_sees_whether_an_interval_holds_0(a, b, c, show):
    low, estimate, high = sorted((a, b, c))
    if low == high:
        return
    ends = interval(estimate, low, high, show).split("(")[1].rstrip(")").split(" to ")
    printed = [number_in(end) for end in ends]
    assert (printed[0] <= 0 <= printed[1]) == (low <= 0 <= high)
    assert printed == pytest.approx([low, high], abs=0.006)


@given(some.floats(0, 1), some.floats(0, 1), some.sampled_from([0.5, 0.8, 0.95, 1 / 6]))
def test_a_reader_sees_on_which_side_of_a_line_an_interval_lies(a, b, line):
    low, high = sorted((a, b))
    if low == high or max(abs(low - line), abs(high - line)) < 1e-9:
        return
    for show, times in (("share", 1), ("percent", 100)):
        ends = interval((low + high) / 2, low, high, show, line).split("(")[1].rstrip(")").split(" to ")
        printed = [number_in(end) / times for end in ends]
        for end, shown in zip((low, high), printed, strict=True):
            assert (shown > line - 1e-12) == (end >= line) or shown == pytest.approx(line, abs=1e-9)


def test_an_interval_that_holds_0_by_a_hair_is_printed_so():
    assert interval(0.0049, -0.0001, 0.0101, "thousandths") == "+.005 (−.0001 to +.010)"
    assert interval(0.0049, 0.0001, 0.0101, "thousandths") == "+.005 (+.0001 to +.010)"
    assert interval(1.02, 0.9996, 1.1, "two", 1) == "1.02 (0.9996 to 1.10)"


def test_the_same_proportion_is_rounded_to_the_same_number_in_both_styles():
    for count in range(1, 41):
        assert round(100 * number_in(share(count / 40))) == number_in(percent(count / 40)) or count / 40 < 0.1
    assert (share(39 / 40), percent(39 / 40)) == (".98", "98 %")


def test_what_has_no_interval_has_none():
    assert interval(0.5, math.nan, math.nan, "share") == ".50"


def test_a_risk_stands_on_its_side_of_the_threshold():
    target = Target("bad", levels=("no", "yes"), threshold=1 / 6)
    assert percent_beside(0.1665, target.threshold) == "16.6 %" and percent_beside(0.1667, target.threshold) == "17 %"
    assert percent_beside(0.05, 0.05) == "5 %"


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("−.25 (−.3 to .1)", -0.25),
        ("+.005", 0.005),
        ("5.0 %", 5),
        ("12,345", 12345),
        ("p = .012", 0.012),
        ("∞", math.inf),
        ("−∞ (…)", -math.inf),
        ("2 of 4", 2),
        ("–", None),
        ("too few", None),
        ("<b>", None),
        ("123abc", None),
        ("", None),
    ],
)
def test_a_cell_is_sorted_by_the_number_that_it_begins_with(cell, number):
    assert number_in(cell) == number
    assert number_in("p < .001") < 0.001


def test_what_is_not_nobody_or_everybody_does_not_read_so():
    assert [percent(x) for x in (0, 2.6e-5, 0.0004, 0.0996, 0.995, 0.9963, 1)] == (
        ["0 %", "0.003 %", "0.04 %", "10 %", "99.5 %", "99.6 %", "100 %"]
    )
    assert interval(1, 0.9963, 1, "percent") == "100 % (99.6 % to 100 %)"
    assert percent(1e-12) == "0 %" and percent(1.29) == "129 %"


def test_words_say_a_value_only_as_words_of_their_own():
    assert says("No checking account with this bank", "no checking account") and says("No telephone", "no")
    assert not says("Smokes now", "no") and not says("Number of credits: 12", "2") and not says("a+b", "a.b")
