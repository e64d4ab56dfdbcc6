"""Numbers near a line are printed on their own side of it: of the line itself, and of the line as it is printed."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlx.rounding import decimals_of, in_percent, percent_beside, rounded, side_true, threshold_in_percent

SIXTH = 1 / 6
probabilities = st.floats(0, 1)
thresholds = st.sampled_from([SIXTH, 0.05, 0.5, 1 / 3, 0.1234, 0.999, 1e-4, 8.6e-17, 0.0005]) | st.floats(1e-6, 1 - 1e-6)


@given(thresholds, probabilities, st.floats(-12, 0), st.booleans())
def test_a_probability_read_back_gives_the_same_decision(threshold, anywhere, closeness, is_near):
    near = threshold + (anywhere - 0.5) * 10**closeness
    probability = min(max(near, 0.0), 1.0) if is_near else anywhere
    read = Decimal(percent_beside(probability, threshold).removesuffix(" %"))
    printed = Decimal(threshold_in_percent(threshold).removesuffix(" %"))
    assert 0 <= read <= 100 and abs(float(printed) - 100 * threshold) <= 5.01 * min(threshold, 1 - threshold)
    assert (read >= printed) == (probability >= threshold)
    assert (read >= 100 * Decimal(repr(threshold))) == (probability >= threshold)


@given(st.floats(-2, 2), st.floats(-2, 2), st.integers(0, 4))
def test_any_number_stays_on_its_side_of_any_line_and_close_to_itself(number, line, decimals):
    read = float(side_true(number, line, decimals))
    assert (read >= line) == (number >= line)
    assert abs(read - number) <= 10.0**-decimals
    above = Decimal(side_true(number, line, decimals, strict=True))
    assert (above > Decimal(repr(line))) == (number > line)


@pytest.mark.parametrize(
    ("probability", "threshold", "said"),
    [
        (0.1651, SIXTH, "16.5 %"),
        (0.1666, SIXTH, "16.66 %"),
        (0.16666666, SIXTH, "16.666 %"),
        (SIXTH, SIXTH, "17 %"),
        (0.4, SIXTH, "40 %"),
        (0.0499, 0.05, "4.99 %"),
        (0.05, 0.05, "5 %"),
        (0.049999999, 0.05, "4.9999 %"),
        (0.12341, 0.1234, "12.34 %"),
        (0.12335, 0.1234, "12 %"),
        (0.0006, 0.0005, "0.06 %"),
        (0.0004, 0.0005, "0.04 %"),
        (0.9999, 0.9996, "99.99 %"),
        (float("nan"), 0.5, "–"),
    ],
)
def test_percents_are_whole_where_that_does_not_cross_the_threshold(probability, threshold, said):
    assert percent_beside(probability, threshold) == said


def test_a_threshold_and_the_end_of_an_interval_beside_zero():
    assert [threshold_in_percent(t) for t in (SIXTH, 0.05, 0.5, 1e-5, 0.99999, 0.0005, 0.9996)] == [
        "16.7 %",
        "5 %",
        "50 %",
        "0.001 %",
        "99.999 %",
        "0.05 %",
        "99.96 %",
    ]
    assert side_true(0.0004, 0, 3, strict=True) == "0.0004" and side_true(0.0, 0, 3, strict=True) == "0.000"
    assert side_true(-0.0004, 0, 3) == "-0.0004" and side_true(0.0004, 0, 3) == "0.000"
    assert side_true(0.7996, 0.8) == "0.7996" and side_true(0.8, 0.8) == "0.80" and side_true(float("nan"), 0) == "–"


def test_numbers_of_any_size_are_printed():
    assert rounded(1e300, 2) == f"{10**300}.00" and side_true(-3e38, 0, 1) == f"-3{38 * '0'}.0"
    assert (
        [rounded(float(x), 2) for x in ("inf", "-inf", "nan")]
        == ["∞", "-∞", "–"]
        == [side_true(float(x), 0) for x in ("inf", "-inf", "nan")]
    )


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0, "0"),
        (1, "100"),
        (2499 / 2500, "99.96"),
        (1 / 2500, "0.04"),
        (0.004, "0.4"),
        (0.994, "99"),
        (1 - 1e-15, "100"),
        (1e-9, "0.001"),
    ],
)
def test_a_share_is_nothing_or_all_only_where_it_is(share, said):
    assert in_percent(share) == said


def test_a_sum_is_rounded_as_what_it_would_be_without_the_noise_of_arithmetic():
    means = [sum(shares) / 40 for shares in ([0.8] * 19 + [1.0] * 21, [1.0] * 21 + [0.8] * 19)]
    assert {rounded(mean, 2) for mean in (*means, 0.905, 0.905 + 2e-16, 0.905 - 2e-16)} == {"0.90"}
    assert rounded(0.975 - 1e-16, 0, 100) == rounded(0.975, 0, 100) == "98" and rounded(float("nan"), 2) == "–"


@given(st.floats(1e-5, 1 - 1e-5))
def test_what_is_neither_none_nor_all_is_not_printed_as_0_or_100_percent(share):
    for threshold in (0.05, SIXTH, 0.5):
        assert percent_beside(share, threshold) not in ("0 %", "100 %")
    assert 0 < Decimal(rounded(share, decimals_of(share), 100)) < 100
