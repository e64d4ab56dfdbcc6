"""Calibration: the maximum of the likelihood, found in other ways, and intervals that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import chi2
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from dlx.audit.miscalibration import KNOTS, SURE, calibration, fitted_stretch, intercept_interval, logistic_fits
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import wrap
from dlx.schema import Feature, Schema

SCHEMA = Schema((Feature("score"),))
MODEL = wrap(lambda table: table["score"], SCHEMA, name="score")


def people(count=400, *, intercept=0.0, slope=1.0, seed=0):
    """Return people whose column is a predicted probability, off by an intercept and a slope of the log-odds."""
    rng = np.random.default_rng(seed)
    true = rng.normal(-0.7, 1.2, size=count)
    outcomes = (rng.random(count) < expit(true)).astype(float)
    return Dataset(SCHEMA, expit((true - intercept) / slope)[:, None], outcomes, name="loans")


def reference_slope(odds, outcomes):
    return LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12).fit(odds[:, None], outcomes).coef_[0, 0]


@pytest.mark.parametrize(("intercept", "slope"), [(0, 1), (0.8, 1), (-0.5, 2.5), (0.3, 0.3)])
def test_intercept_and_slope_are_those_of_other_solvers(intercept, slope):
    those = people(intercept=intercept, slope=slope)
    found, odds = calibration(MODEL, those), logit(np.clip(those.rows[:, 0], SURE, 1 - SURE))
    shift = brentq(lambda a: expit(odds + a).sum() - those.outcomes.sum(), -20, 20, xtol=1e-12)
    assert found.intercept.estimate == pytest.approx(shift, abs=1e-8)
    assert found.slope.estimate == pytest.approx(reference_slope(odds, those.outcomes), abs=1e-6)
    assert (found.rows, found.events) == (400, those.outcomes.sum())
    assert found.expected == pytest.approx(those.rows.mean()) and found.observed.estimate == those.outcomes.mean()


def test_intervals_are_those_of_the_normal_theory():
    those = people(3000, slope=0.8)
    found, odds = calibration(MODEL, those), logit(np.clip(those.rows[:, 0], SURE, 1 - SURE))
    shifted = expit(odds + found.intercept.estimate)
    errors = {"intercept": (shifted * (1 - shifted)).sum() ** -0.5}
    design = np.column_stack([np.ones_like(odds), odds])
    fitted = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12).fit(odds[:, None], those.outcomes)
    chance = fitted.predict_proba(odds[:, None])[:, 1]
    errors["slope"] = np.linalg.inv(design.T * (chance * (1 - chance)) @ design)[1, 1] ** 0.5
    for name, error in errors.items():
        interval = getattr(found, name)
        assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.12)
        assert interval.low < interval.estimate < interval.high


def test_interval_of_the_intercept_covers_the_truth_as_often_as_it_says():
    covered = []
    for seed in range(300):
        those = people(150, intercept=0.4, seed=seed)
        interval = intercept_interval(logit(those.rows[:, 0]), those.outcomes)
        covered.append(interval.low <= 0.4 <= interval.high)
    assert 0.92 <= np.mean(covered) <= 0.985


def test_curve_is_the_natural_cubic_spline_of_greatest_likelihood():
    those = people(500, slope=0.6)
    odds = logit(those.rows[:, 0])
    knots = np.quantile(odds, KNOTS)

    def natural(x):  # another basis of the same splines: one through each unit vector, continued in straight lines
        parts = [CubicSpline(knots, unit, bc_type="natural") for unit in np.eye(3)]
        inside = np.clip(x, knots[0], knots[-1])
        return np.column_stack([part(inside) + part(inside, 1) * (x - inside) for part in parts])

    fitted = LogisticRegression(C=np.inf, fit_intercept=False, solver="newton-cholesky", tol=1e-12)
    fitted.fit(natural(odds), those.outcomes)
    curve = calibration(MODEL, those).curve
    expected = fitted.predict_proba(natural(logit(curve["predicted"].to_numpy())))[:, 1]
    np.testing.assert_allclose(curve["observed"], expected, atol=1e-6)
    assert (curve["low"] <= curve["observed"]).all() and (curve["observed"] <= curve["high"]).all()


def test_the_rule_for_recalibration_is_what_the_intervals_say():
    assert not calibration(MODEL, people(800)).needs_recalibration
    assert calibration(MODEL, people(800, slope=2.0)).needs_recalibration
    assert calibration(MODEL, people(800, intercept=0.6)).needs_recalibration


def test_a_calibrated_model_is_sent_back_in_one_of_twenty_samples_only():
    rng, rejected = np.random.default_rng(0), []
    for _ in range(800):
        odds = rng.normal(-2.0, 1.2, size=150)
        outcomes = (rng.random(150) < expit(odds)).astype(float)
        rejected.append(fitted_stretch(odds, outcomes)[2] < 0.05)
    assert 0.03 <= np.mean(rejected) <= 0.07  # .10 and more where either interval alone may reject


def test_the_test_of_both_together_is_the_likelihood_ratio():
    those = people(300, slope=0.7, intercept=0.2)
    odds = logit(those.rows[:, 0])
    fitted = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12).fit(odds[:, None], those.outcomes)
    of_both = log_loss(those.outcomes, fitted.predict_proba(odds[:, None])[:, 1], normalize=False)
    ratio = 2 * (log_loss(those.outcomes, expit(odds), normalize=False) - of_both)
    found = calibration(MODEL, those)
    assert found.p_value == pytest.approx(chi2.sf(ratio, 2), rel=1e-6)
    assert found.to_frame().set_index("quantity").loc["p_value", "estimate"] == found.p_value


def test_ends_of_an_interval_are_where_the_likelihood_ratio_is_at_its_limit():
    those = people(60, slope=1.4)
    odds = logit(those.rows[:, 0])
    found = calibration(MODEL, those)
    best = log_loss(those.outcomes, expit(odds + found.intercept.estimate), normalize=False)
    for end in found.intercept[1:]:
        fallen = log_loss(those.outcomes, expit(odds + end), normalize=False) - best
        assert 2 * fallen == pytest.approx(chi2.ppf(0.95, 1), abs=1e-6)


def test_certain_predictions_are_kept_finite_and_counted():
    those = people(200)
    score = those.rows[:, 0].copy()
    score[:4] = [0, 1, 1, 0]
    found = calibration(MODEL, Dataset(SCHEMA, score[:, None], those.outcomes))
    assert found.certain == 4 and np.isfinite([*found.intercept, *found.slope]).all()
    odds = logit(np.clip(score, SURE, 1 - SURE))
    assert found.slope.estimate == pytest.approx(reference_slope(odds, those.outcomes), abs=1e-6)
    table = found.to_frame().set_index("quantity")
    assert "4 predictions within 1e-06 of 0 or 1" in table.loc["slope", "note"]
    assert table.loc["slope", ["estimate", "low", "high"]].tolist() == list(found.slope)


def test_constant_predictions_have_an_intercept_and_no_slope():
    outcomes = (np.arange(50) < 10).astype(float)
    found = calibration(MODEL, Dataset(SCHEMA, np.full((50, 1), 0.5), outcomes))
    assert found.intercept.estimate == pytest.approx(logit(0.2)) and found.intercept.high < 0
    assert np.isnan(found.slope).all() and found.needs_recalibration
    assert "all predictions are alike" in found.to_frame().set_index("quantity").loc["slope", "note"]
    np.testing.assert_allclose(found.curve["observed"], 0.2)


def test_predictions_that_separate_the_outcomes_have_an_infinite_slope():
    outcomes = (np.arange(40) < 20).astype(float)
    rank = np.where(outcomes == 1, 0.6, 0.4) + np.linspace(0, 0.05, 40)
    found = calibration(MODEL, Dataset(SCHEMA, rank[:, None], outcomes))
    assert found.slope.estimate == np.inf and 1 < found.slope.low < np.inf and found.slope.high == np.inf
    assert found.p_value < 0.001  # the likelihood ratio needs no finite slope


def test_two_people_are_enough_for_an_answer_without_warning():
    found = calibration(MODEL, Dataset(SCHEMA, [[0.2], [0.8]], np.array([1.0, 0.0])))
    assert found.intercept.estimate == pytest.approx(0, abs=1e-8) and found.slope.estimate == -np.inf
    assert found.intercept.low < -2 and found.intercept.high > 2 and found.slope.low == -np.inf < found.slope.high


@pytest.mark.parametrize("outcomes", [None, np.zeros(1), np.zeros(5), np.ones(5)])
def test_outcomes_of_one_class_are_refused(outcomes):
    count = 5 if outcomes is None else len(outcomes)
    with pytest.raises(DlxError, match="loans: the calibration of score needs outcomes of both classes"):
        calibration(MODEL, Dataset(SCHEMA, np.full((count, 1), 0.5), outcomes, name="loans"))


def test_a_fit_of_counts_is_the_fit_of_repeated_rows():
    rng = np.random.default_rng(1)
    design, outcomes = np.column_stack([np.ones(60), rng.normal(size=60)]), (rng.random(60) < 0.4).astype(float)
    counts = rng.integers(0, 3, size=60)
    (found,) = logistic_fits(design, outcomes, np.zeros(60), counts[None].astype(float))
    again = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12)
    again.fit(np.repeat(design[:, 1:], counts, axis=0), np.repeat(outcomes, counts))
    np.testing.assert_allclose(found, [again.intercept_[0], again.coef_[0, 0]], atol=1e-7)
