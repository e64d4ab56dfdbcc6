"""Performance: scikit-learn's numbers, and intervals that mean what they say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from dlx.audit import performance
from dlx.audit.performance import auc, brier, log_loss
from dlx.bootstrap import RESAMPLES, interval_of, interval_of_mean
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import wrap
from dlx.schema import Feature, Schema

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


def test_people_are_resampled_within_their_class():
    outcomes, seen = (np.arange(20) < 4).astype(float), []
    interval = interval_of(lambda rows: seen.append(rows) or outcomes[rows].mean(), outcomes)
    assert tuple(interval) == (0.2, 0.2, 0.2)
    resamples = np.array(seen[:RESAMPLES])
    assert len(np.unique(resamples, axis=0)) > 0.99 * RESAMPLES and set(resamples.ravel()) == set(range(20))


def test_numbers_are_a_function_of_the_seed():
    pd.testing.assert_frame_equal(performance(MODEL, people(), seed=1), performance(MODEL, people(), seed=1))
    one, other = (performance(MODEL, people(), seed=seed) for seed in (1, 2))
    assert one["estimate"].equals(other["estimate"]) and not one["low"].equals(other["low"])


@pytest.mark.parametrize("outcomes", [None, np.zeros(5), np.ones(5)])
def test_outcomes_of_one_class_are_refused(outcomes):
    those = Dataset(SCHEMA, np.full((5, 1), 0.5), outcomes, name="loans")
    with pytest.raises(DlxError, match="loans: the performance of score needs outcomes of both classes"):
        performance(MODEL, those)
