"""Intervals, resamples and tests: closed forms, coverage, and other people's implementations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm, t
from sklearn.metrics import roc_auc_score

from dlx.stats import (
    RESAMPLES,
    auc,
    auc_difference,
    auc_interval,
    auc_of_counts,
    counts_in_chunks,
    holm,
    interval_among,
    interval_of,
    interval_of_mean,
    interval_of_share,
    interval_over,
    means_of,
    quantile,
    resampled_counts,
    resampled_means,
    share_interval,
    spread,
    tails,
    weighted_auc,
)


def test_interval_of_a_mean_is_that_of_the_normal_theory():
    values = np.r_[np.random.default_rng(0).exponential(size=2000), np.nan]
    estimate, low, high = interval_of_mean(values)
    half = 1.96 * np.nanstd(values) / 2000**0.5
    assert estimate == pytest.approx(np.nanmean(values))
    assert [low, high] == pytest.approx([estimate - half, estimate + half], abs=0.2 * half)


def test_people_are_resampled_whatever_their_outcome_and_never_without_one():
    outcomes, seen = (np.arange(20) < 4).astype(float), []
    interval = interval_over(lambda counts: seen.append(counts) or means_of(counts, outcomes), outcomes)
    assert interval.low < 0.1 and interval.estimate == 0.2 and interval.high > 0.35  # other people, another share of events
    resamples = np.concatenate(seen)[1:]
    assert 0.98 * RESAMPLES < len(np.unique(resamples, axis=0)) < RESAMPLES and (resamples.sum(axis=1) == 20).all()
    assert (resamples @ outcomes > 0).all()


def drawn(positives, others, *, apart, rng):
    """Return outcomes and scores that are normal in either class."""
    outcomes = np.repeat([1.0, 0.0], [positives, others])
    return outcomes, rng.normal(apart * outcomes)


@pytest.mark.parametrize(("positives", "others", "apart"), [(12, 108, 1.0), (12, 108, 2.0), (5, 55, 1.0), (40, 40, 0.0)])
def test_the_interval_of_an_auc_covers_it_where_positives_are_few(positives, others, apart):
    rng, truth = np.random.default_rng(0), norm.cdf(apart / 2**0.5)
    ends = [auc_interval(*drawn(positives, others, apart=apart, rng=rng)) for _ in range(600)]
    assert np.mean([low <= truth <= high for _, low, high in ends]) >= 0.91


def test_the_paired_interval_of_two_aucs_covers_their_difference():
    rng, blur = np.random.default_rng(1), 1.0
    truth, held = norm.cdf(1 / 2**0.5) - norm.cdf(1 / (2 + blur**2) ** 0.5), []
    for _ in range(500):
        outcomes, one = drawn(12, 108, apart=1.0, rng=rng)
        low, high = auc_difference(outcomes, one, one + rng.normal(scale=blur, size=120))[1:]
        held.append(low <= truth <= high)
    assert 0.92 <= np.mean(held) <= 0.995


def test_delongs_variances_are_those_of_the_bootstrap():
    outcomes, one = drawn(150, 350, apart=1.0, rng=np.random.default_rng(2))
    other = one + np.random.default_rng(3).normal(scale=0.7, size=500)
    for found, statistic in (
        (auc_interval(outcomes, one), lambda rows: auc(outcomes[rows], one[rows])),
        (auc_difference(outcomes, one, other), lambda rows: auc(outcomes[rows], one[rows]) - auc(outcomes[rows], other[rows])),
    ):
        drawn_again = interval_of(statistic, len(outcomes))
        assert found.estimate == pytest.approx(drawn_again.estimate, abs=1e-12)
        assert found[1:] == pytest.approx(drawn_again[1:], abs=0.012)


@pytest.mark.parametrize("rank", [1, -1])
def test_a_perfect_ranking_has_an_interval_that_shrinks_with_people(rank):
    widths = []
    for count in (4, 40, 400):
        outcomes = np.arange(count) % 2
        found = auc_interval(outcomes, rank * outcomes)
        assert found.estimate == (1 if rank > 0 else 0) and found.low <= found.estimate <= found.high
        widths.append(found.high - found.low)
    assert widths[0] > 0.3 and 0.05 < widths[1] < 0.2 and widths[2] < 0.02


def test_rankings_that_are_alike_differ_by_exactly_nothing_and_certain_ones_have_a_width():
    outcomes, one = drawn(10, 30, apart=1.0, rng=np.random.default_rng(0))
    assert tuple(auc_difference(outcomes, one, np.exp(one))) == (0, 0, 0)
    best, worst = auc_difference(outcomes, outcomes, np.zeros(40)), auc_difference(outcomes, outcomes, -outcomes)
    assert best.estimate == 0.5 and 0 < best.low < 0.5 < best.high < 1
    assert worst.estimate == 1 and 0.5 < worst.low < 1
    tied = auc_interval(outcomes, np.zeros(40))
    assert tied.estimate == 0.5 and tied.low < 0.4 and tied.high > 0.6


def test_nothing_that_varies_is_no_proof_that_nothing_would():
    assert tuple(interval_of_mean(np.full(8, 3.5))) == (3.5, 3.5, 3.5)
    for value in (0.0, 1.0, 0.5):
        found = interval_of_mean(np.full(8, value), within=(0, 1))
        assert found.estimate == value and found.high - found.low > 0.2 and 0 <= found.low <= value <= found.high <= 1
    assert interval_of_mean(np.full(8, -1.0), within=(-1, 1)).high == pytest.approx(2 * interval_of_share(np.zeros(8)).high - 1)
    assert np.isnan(interval_of_mean(np.ones(1), within=(0, 1))[1:]).all()


def test_few_people_widen_percentiles_as_students_t_does():
    assert tails(None) == pytest.approx((0.025, 0.975)) and tails(10_000) == pytest.approx((0.025, 0.975), abs=1e-4)
    assert tails(8)[0] == pytest.approx(norm.cdf(t.ppf(0.025, 7) * (8 / 7) ** 0.5)) and np.isnan(tails(1)).all()


def test_wilsons_intervals_are_those_of_scipy():
    for count, of in ((0, 7), (7, 7), (3, 11), (250, 1000)):
        ends = binomtest(count, of).proportion_ci(method="wilson")
        assert tuple(share_interval(count, of)) == pytest.approx((count / of, ends.low, ends.high))
    assert np.isnan(share_interval(0, 0)).all()


def test_resampled_auc_is_scikit_learns_with_weights():
    rng = np.random.default_rng(0)
    outcomes, predicted = rng.integers(2, size=80).astype(float), rng.integers(12, size=80) / 12
    drawn = resampled_counts(80, seed=1)
    assert (drawn.sum(axis=1) == 80).all()
    expected = [roc_auc_score(outcomes, predicted, sample_weight=weights) for weights in drawn[:30]]
    np.testing.assert_allclose(weighted_auc(outcomes, predicted, drawn)[:30], expected, atol=1e-12)
    assert np.isnan(weighted_auc(np.ones(80), predicted, drawn)).all()


def test_the_standard_error_of_an_auc_is_that_of_its_bootstrap():
    rng = np.random.default_rng(2)
    outcomes = rng.random(400) < 0.3
    scores = np.round(outcomes + rng.normal(size=400), 1)
    area, error = auc_of_counts(scores, outcomes, ~outcomes)
    assert area == pytest.approx(roc_auc_score(outcomes, scores), abs=1e-12)
    resampled = interval_of(lambda rows: auc(outcomes[rows], scores[rows]), len(outcomes))
    assert 2 * 1.96 * error == pytest.approx(resampled.high - resampled.low, rel=0.1)


def test_resamples_are_counts_that_begin_with_everybody_once(monkeypatch):
    whole = np.vstack(list(counts_in_chunks(30, seed=4)))
    assert whole.shape == (RESAMPLES + 1, 30) and (whole[0] == 1).all() and (whole.sum(axis=1) == 30).all()
    assert whole[1:].mean(axis=0) == pytest.approx(1, abs=0.15) and whole[1:].var() == pytest.approx(29 / 30, rel=0.05)
    monkeypatch.setattr("dlx.stats.CELLS", 30 * 77)
    np.testing.assert_array_equal(np.vstack(list(counts_in_chunks(30, seed=4))), whole)


def test_ends_of_an_interval_may_be_infinite_and_leave_out_what_is_undefined():
    assert interval_among(np.array([1.0, *np.linspace(0, 1, 90), *[np.inf] * 10, np.nan])).high == np.inf
    assert np.isnan(interval_among(np.array([np.nan, 1, 2]))).all()


def test_holm_multiplies_the_smallest_by_all_the_next_by_one_less():
    np.testing.assert_allclose(holm(np.array([0.04, 0.01, 0.02, 0.9])), [0.08, 0.04, 0.06, 0.9])
    assert len(holm(np.array([]))) == 0


def test_interval_of_means_contains_the_mean_and_is_that_of_normal_theory():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(1, 200)) + rng.normal(size=(30, 1)) + rng.normal(size=(30, 200))
    estimate, low, high = interval_of_mean(values)
    assert estimate == pytest.approx(values.mean()) and low < estimate < high
    spread = np.sqrt(values.mean(axis=0).var() / 200 + values.mean(axis=1).var() / 30)  # of rows and of replicates
    assert (high - low) / 2 == pytest.approx(1.96 * spread, rel=0.15)
    assert interval_of_mean(values) == interval_of_mean(values)
    assert interval_of_mean(values, seed=1)[1:] != pytest.approx((low, high), abs=1e-6)


def test_interval_of_means_shrinks_with_rows_and_with_replicates():
    rng = np.random.default_rng(0)
    by_row, by_replicate = rng.normal(size=(1, 400)), rng.normal(size=(40, 1))

    def width(values):
        _, low, high = interval_of_mean(values)
        return high - low

    only_rows, only_replicates = np.repeat(by_row, 40, axis=0), np.repeat(by_replicate, 400, axis=1)
    assert width(only_rows) < 0.5 * width(only_rows[:, :40]) and width(only_replicates) < 0.7 * width(only_replicates[:10])
    assert width(only_rows) == pytest.approx(width(only_rows[:5]), rel=0.1)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[1, 2, np.nan], [3, 4, 5]], 2.5),
        ([[1, np.nan], [3, 4]], 2),
        ([[7], [9]], 8),
        ([[np.nan], [1]], np.nan),
        ([[], []], np.nan),
    ],
)
def test_interval_of_means_leaves_out_rows_with_nan_and_one_row_has_no_ends(values, expected):
    estimate, low, high = interval_of_mean(np.array(values, dtype=float))
    np.testing.assert_equal(estimate, expected)
    assert np.isnan([low, high]).all() if expected != 2.5 else low < expected < high


WHOLE = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5), st.integers(1, 4)), min_size=6, max_size=30)


@given(WHOLE)
def test_estimates_by_weights_are_those_of_repeated_people_whatever_their_unit(people):
    outcomes, predicted, weights = np.array(people, dtype=float).T
    assume(2 <= outcomes.sum() <= len(outcomes) - 2)
    many = np.repeat(np.arange(len(people)), weights.astype(int))

    def numbers(outcomes, predicted, weights=None):
        yield auc(outcomes, predicted, weights)
        yield auc_difference(outcomes, predicted, -predicted, weights).estimate
        yield interval_of_share(outcomes == 1, weights).estimate
        yield interval_of_mean(predicted, weights).estimate
        yield spread(predicted, weights)
        yield resampled_means(predicted, weights, seed=0)[0]
        yield interval_over(lambda counts: means_of(counts, predicted), outcomes, weights).estimate

    found = [*numbers(outcomes, predicted, weights)]
    np.testing.assert_allclose(found, [*numbers(outcomes[many], predicted[many])], atol=1e-12)
    np.testing.assert_allclose(found, [*numbers(outcomes, predicted, 0.37 * weights)], atol=1e-12)
    assert quantile(predicted, 0.3, weights) == np.quantile(predicted[many], 0.3, method="inverted_cdf")
    alike = np.full(len(people), 2.5)
    for of, asked in (
        (auc_interval, (outcomes, predicted)),
        (interval_of_mean, (predicted,)),
        (interval_of_share, (outcomes,)),
    ):
        np.testing.assert_allclose(of(*asked, alike), of(*asked), atol=1e-12)


def test_intervals_of_weighted_people_hold_as_often_as_they_say():
    """People who weigh more have higher values; the interval is of the whole population, which weights restore."""
    rng, held = np.random.default_rng(0), np.zeros(3)
    for _ in range(200):
        weights = rng.choice([1.0, 5.0], size=60, p=[0.7, 0.3])
        values = rng.normal(size=60) + (weights > 1)
        outcomes, truth = (values + rng.normal(size=60) > 0.7).astype(float), 0.3 * 5 / (0.3 * 5 + 0.7)
        _, low, high = interval_of_mean(values, weights)
        held[0] += low <= truth <= high
        true = (1 - truth) * norm.sf(0.7 / 2**0.5) + truth * norm.sf(-0.3 / 2**0.5)
        _, low, high = interval_of_share(outcomes == 1, weights)
        held[1] += low <= true <= high
        _, low, high = auc_interval(rng.permutation(outcomes), values, weights)
        held[2] += low <= 0.5 <= high
    assert (held / 200 > 0.91).all(), held / 200
