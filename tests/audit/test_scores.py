"""Performance: scikit-learn's numbers, and intervals that mean what they say."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn import metrics

from dlx.audit import performance
from dlx.audit.metrics import METRICS
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import wrap
from dlx.schema import Feature, Schema
from dlx.stats import (
    auc,
    auc_difference,
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
    assert METRICS["log_loss"](outcomes, predicted) == pytest.approx(15 * np.log(10), rel=0.01)
    assert (METRICS["brier"](outcomes, predicted), auc(outcomes, predicted), auc(outcomes, outcomes)) == (1, 0, 1)


def test_intervals_contain_the_estimate_and_shrink_with_more_people():
    few, many = (performance(MODEL, people(count)) for count in (100, 1600))
    for table in (few, many):
        assert (table["low"] < table["estimate"]).all() and (table["estimate"] < table["high"]).all()
    assert ((many["high"] - many["low"]) < 0.5 * (few["high"] - few["low"])).all()


def test_one_row_of_an_outcome_has_no_interval_and_says_so():
    outcomes = (np.arange(30) == 3).astype(float)
    table = performance(MODEL, Dataset(SCHEMA, np.linspace(0.1, 0.9, 30)[:, None], outcomes))
    assert table[["low", "high"]].isna().all(axis=None) and table["estimate"].notna().all()
    assert set(table["note"]) == {"no interval: an outcome has one row"}
    assert not auc_difference(outcomes, np.arange(30), -np.arange(30)).excludes(0)


@pytest.mark.parametrize("metric", ["average_precision", "brier", "log_loss"])
def test_intervals_of_losses_cover_them_where_events_are_few(metric):
    rng, held = np.random.default_rng(3), []
    odds = rng.normal(-2.6, 1.2, 200_000)
    truth = METRICS[metric]((rng.random(len(odds)) < expit(odds)).astype(float), expit(odds))
    for seed in range(40):
        risk = expit(rng.normal(-2.6, 1.2, 120))
        outcomes = (rng.random(120) < risk).astype(float)
        _, low, high = METRICS[metric].interval(outcomes, risk, seed=seed)
        held.append(low <= truth <= high)
    assert np.mean(held) >= 0.88  # .55 where each outcome was resampled for itself


def test_numbers_are_a_function_of_the_seed():
    pd.testing.assert_frame_equal(performance(MODEL, people(), seed=1), performance(MODEL, people(), seed=1))
    one, other = (performance(MODEL, people(), seed=seed) for seed in (1, 2))
    assert one["estimate"].equals(other["estimate"]) and not one["low"].equals(other["low"])


@pytest.mark.parametrize("outcomes", [None, np.zeros(5), np.ones(5)])
def test_outcomes_of_one_class_are_refused(outcomes):
    those = Dataset(SCHEMA, np.full((5, 1), 0.5), outcomes, name="loans")
    with pytest.raises(DlxError, match="loans: the performance of score needs outcomes of both classes"):
        performance(MODEL, those)


@pytest.mark.parametrize("rank", [1, -1])
def test_a_perfect_ranking_is_noted(rank):
    outcomes = np.arange(40) % 2
    table = performance(MODEL, Dataset(SCHEMA, (0.5 + 0.4 * rank * (outcomes - 0.5))[:, None], outcomes.astype(float)))
    assert "Newcombe" in table["note"][0] and set(table["note"][1:]) == {""}
