"""Performance: scikit-learn's numbers, and intervals that mean what they say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import binomtest, norm, t
from sklearn import metrics

from dlx.audit import performance
from dlx.audit.scores import METRICS, brier, interval_of_metric, log_loss
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import wrap
from dlx.schema import Feature, Schema
from dlx.stats import (
    RESAMPLES,
    auc,
    auc_difference,
    auc_interval,
    interval_of,
    interval_of_mean,
    interval_of_share,
    share_interval,
    tails,
)

SCHEMA = Schema((Feature("score"),))
MODEL = wrap(lambda table: table["score"], SCHEMA, name="score")
REFERENCES = {
    "auc": metrics.roc_auc_score,
    "average_precision": metrics.average_precision_score,
    "brier": metrics.brier_score_loss,
    "log_loss": metrics.log_loss,
}


def people(count=200, *, digits=9, seed=0):
    """Return people whose column is their predicted probability, ties where it is rounded."""
    rng = np.random.default_rng(seed)
    score = np.clip(rng.beta(2, 5, size=count).round(digits), 0.05, 0.95)
    return Dataset(SCHEMA, score[:, None], (rng.random(count) < score).astype(float))


@pytest.mark.parametrize("digits", [9, 1, 0])  # no ties, many, all alike but two values
@pytest.mark.parametrize("seed", [0, 1])
def test_estimates_are_those_of_scikit_learn(digits, seed):
    those = people(digits=digits, seed=seed)
    table = performance(MODEL, those).set_index("metric")
    assert list(table.index) == list(REFERENCES)
    for name, reference in REFERENCES.items():
        assert table.loc[name, "estimate"] == pytest.approx(reference(those.outcomes, those.rows[:, 0]), abs=1e-12)
        base_rate = np.full(len(those), those.outcomes.mean())
        assert table.loc[name, "reference"] == pytest.approx(reference(those.outcomes, base_rate), abs=1e-12)


def test_sure_and_wrong_is_bad_but_finite():
    outcomes, predicted = np.array([0.0, 1.0]), np.array([1.0, 0.0])
    assert log_loss(outcomes, predicted) == pytest.approx(15 * np.log(10), rel=0.01)
    assert (brier(outcomes, predicted), auc(outcomes, predicted), auc(outcomes, outcomes)) == (1, 0, 1)


def test_intervals_contain_the_estimate_and_shrink_with_more_people():
    few, many = (performance(MODEL, people(count)) for count in (100, 1600))
    for table in (few, many):
        assert (table["low"] < table["estimate"]).all() and (table["estimate"] < table["high"]).all()
    assert ((many["high"] - many["low"]) < 0.5 * (few["high"] - few["low"])).all()


def test_interval_of_a_mean_is_that_of_the_normal_theory():
    values = np.r_[np.random.default_rng(0).exponential(size=2000), np.nan]
    estimate, low, high = interval_of_mean(values)
    half = 1.96 * np.nanstd(values) / 2000**0.5
    assert estimate == pytest.approx(np.nanmean(values))
    assert [low, high] == pytest.approx([estimate - half, estimate + half], abs=0.2 * half)


def test_people_are_resampled_whatever_their_outcome_and_never_without_one():
    outcomes, seen = (np.arange(20) < 4).astype(float), []
    interval = interval_of(lambda rows: seen.append(rows) or outcomes[rows].mean(), outcomes)
    assert interval.low < 0.1 and interval.estimate == 0.2 and interval.high > 0.35  # other people, another share of events
    resamples = np.array(seen[1:])
    assert 0.98 * RESAMPLES < len(np.unique(resamples, axis=0)) < RESAMPLES and set(resamples.ravel()) == set(range(20))
    assert (outcomes[resamples].sum(axis=1) > 0).all()


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
        drawn_again = interval_of(statistic, outcomes)
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
    table = performance(MODEL, Dataset(SCHEMA, (0.5 + 0.4 * rank * (outcomes - 0.5))[:, None], outcomes.astype(float)))
    assert "Newcombe" in table["note"][0] and set(table["note"][1:]) == {""}


def test_one_row_of_an_outcome_has_no_interval_and_says_so():
    outcomes = (np.arange(30) == 3).astype(float)
    table = performance(MODEL, Dataset(SCHEMA, np.linspace(0.1, 0.9, 30)[:, None], outcomes))
    assert table[["low", "high"]].isna().all(axis=None) and table["estimate"].notna().all()
    assert set(table["note"]) == {"no interval: an outcome has one row"}
    assert not auc_difference(outcomes, np.arange(30), -np.arange(30)).excludes(0)


def test_rankings_that_are_alike_differ_by_exactly_nothing_and_certain_ones_have_a_width():
    outcomes, one = drawn(10, 30, apart=1.0, rng=np.random.default_rng(0))
    assert tuple(auc_difference(outcomes, one, np.exp(one))) == (0, 0, 0)
    best, worst = auc_difference(outcomes, outcomes, np.zeros(40)), auc_difference(outcomes, outcomes, -outcomes)
    assert best.estimate == 0.5 and 0 < best.low < 0.5 < best.high < 1
    assert worst.estimate == 1 and 0.5 < worst.low < 1
    tied = auc_interval(outcomes, np.zeros(40))
    assert tied.estimate == 0.5 and tied.low < 0.4 and tied.high > 0.6


@pytest.mark.parametrize("metric", ["average_precision", "brier", "log_loss"])
def test_intervals_of_losses_cover_them_where_events_are_few(metric):
    rng, held = np.random.default_rng(3), []
    odds = rng.normal(-2.6, 1.2, 200_000)
    truth = METRICS[metric]((rng.random(len(odds)) < expit(odds)).astype(float), expit(odds))
    for seed in range(40):
        risk = expit(rng.normal(-2.6, 1.2, 120))
        outcomes = (rng.random(120) < risk).astype(float)
        _, low, high = interval_of_metric(metric, outcomes, risk, seed=seed)
        held.append(low <= truth <= high)
    assert np.mean(held) >= 0.88  # .55 where each outcome was resampled for itself


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


def test_numbers_are_a_function_of_the_seed():
    pd.testing.assert_frame_equal(performance(MODEL, people(), seed=1), performance(MODEL, people(), seed=1))
    one, other = (performance(MODEL, people(), seed=seed) for seed in (1, 2))
    assert one["estimate"].equals(other["estimate"]) and not one["low"].equals(other["low"])


@pytest.mark.parametrize("outcomes", [None, np.zeros(5), np.ones(5)])
def test_outcomes_of_one_class_are_refused(outcomes):
    those = Dataset(SCHEMA, np.full((5, 1), 0.5), outcomes, name="loans")
    with pytest.raises(DlxError, match="loans: the performance of score needs outcomes of both classes"):
        performance(MODEL, those)
