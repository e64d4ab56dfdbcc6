"""Rows that weigh more count as if they were repeated, in training and in measures; their number stays what it is."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn import metrics
from sklearn.linear_model import Ridge

from dlx import training
from dlx.audit import performance
from dlx.audit.metrics import CLASS_METRICS, METRICS, VALUE_METRICS
from dlx.audit.scores import advantages
from dlx.dataset import from_frame
from dlx.encoder import Encoder
from dlx.errors import DlxError
from dlx.schema import Schema, infer_schema

QUICK = {"hidden": 8, "max_epochs": 4, "learning_rate": 0.02}
KINDS = {"binary": METRICS, "multiclass": CLASS_METRICS, "regression": VALUE_METRICS}


@functools.cache
def weighted(kind, count=240):
    """A case whose rows weigh 1 to 4, of each kind of target."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=count).round(3), "z": rng.normal(size=count).round(3)})
    table["times"], score = rng.integers(1, 5, count), table["x"] - table["z"] + rng.normal(size=count)
    classes = np.digitize(score, (-0.7, 0.7) if kind == "multiclass" else (0.0,))
    table["y"] = score.round(3) if kind == "regression" else np.array(["a", "b", "c"])[classes]
    schema = infer_schema(table.drop(columns="times"), "y")
    return from_frame(table, dataclasses.replace(schema, weights="times"), name=kind)


def repeated(rows):
    """The same rows, each as often as it weighs."""
    alike = rows[np.repeat(np.arange(len(rows)), rows.weights.astype(int))]
    return dataclasses.replace(alike, weights=None)


def answers(kind, count=60):
    rng = np.random.default_rng(1)
    if kind == "regression":
        outcomes = rng.normal(size=count)
        return outcomes, outcomes + rng.normal(size=(2, count)), rng.integers(1, 5, count)
    outcomes = rng.integers(2 + (kind == "multiclass"), size=count).astype(float)
    made = softmax(rng.normal(size=(2, count, 3)) + np.eye(3)[outcomes.astype(int)], axis=2)
    return outcomes, made if kind == "multiclass" else made[:, :, 1].round(1), rng.integers(1, 5, count)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, every in KINDS.items() for name in every])
def test_a_metric_of_weighted_rows_is_that_of_repeated_ones_between_ends_that_know_how_many_there_are(kind, name):
    metric, (outcomes, (one, other), weights) = KINDS[kind][name], answers(kind)
    often = np.repeat(np.arange(len(outcomes)), weights)
    assert metric(outcomes, one, weights) == pytest.approx(metric(outcomes[often], one[often]), abs=1e-12)
    assert metric(outcomes, one, 0.01 * weights) == pytest.approx(metric(outcomes, one, weights), abs=1e-12)
    assert metric.reference(outcomes, one, weights) == pytest.approx(metric.reference(outcomes[often], one[often]), abs=1e-12)
    _, low, high = metric.interval(outcomes, one, weights=weights)
    np.testing.assert_allclose(metric.interval(outcomes, one, weights=0.01 * weights)[1:], (low, high), atol=1e-9)
    _, lower, higher = metric.interval(outcomes[often], one[often])
    assert high - low > 1.2 * (higher - lower)
    gain = metric.gain(outcomes, one, other, weights=weights)
    assert gain.estimate == pytest.approx(metric.gain(outcomes[often], one[often], other[often]).estimate, abs=1e-12)
    assert gain.low < gain.estimate < gain.high


@pytest.mark.parametrize("kind", KINDS)
def test_performance_and_the_loss_that_stops_a_net_count_rows_by_their_weights(kind):
    case = weighted(kind)
    made = training.train(case, "mlp", device="cpu", config=QUICK)
    plain = dataclasses.replace(case, weights=None)
    assert case.sha256 != plain.sha256 and made.made_by.data_sha256 == case.sha256
    often = performance(made.model, repeated(case.test))
    np.testing.assert_allclose(made.metrics["estimate"], often["estimate"], atol=1e-9)
    np.testing.assert_allclose(made.metrics["reference"], often["reference"], atol=1e-9)
    rows, kept = repeated(case.validation), made.history["validation_loss"].min()
    if kind == "regression":
        spread = repeated(case.train).outcomes.std()
        error = metrics.root_mean_squared_error(rows.outcomes, made.model.predict(rows, "value"))
        assert kept == pytest.approx((error / spread) ** 2, abs=1e-5)
    else:
        assert kept == pytest.approx(metrics.log_loss(rows.outcomes, made.model.probabilities(rows)), abs=1e-5)


def test_a_weighted_linear_regression_is_that_of_repeated_rows_under_as_much_penalty_a_row():
    case = weighted("regression")
    model = training.train(case, "linear_regression").model
    rows = repeated(case.train)
    encoder = Encoder.fit(rows.schema, rows.rows)
    dense, asked = encoder.transform(rows.rows, np.float64), encoder.transform(case.test.rows, np.float64)
    reference = Ridge(alpha=10.0 * case.train.weights.mean()).fit(dense, rows.outcomes)
    np.testing.assert_allclose(model.predict(case.test, "value"), reference.predict(asked), rtol=1e-5)
    np.testing.assert_allclose(model.encoder.center, encoder.center)


@pytest.mark.parametrize("name", ["decision_tree", "random_forest", "gradient_boosting"])
def test_trees_of_weighted_rows_differ_from_those_of_rows_that_count_the_same(name):
    case = weighted("multiclass")
    plain, heavy = (training.train(some, name).model for some in (dataclasses.replace(case, weights=None), case))
    assert np.abs(plain.probabilities(case.test) - heavy.probabilities(case.test)).max() > 1e-3


def test_advantages_weigh_rows():
    case = weighted("binary")
    one, other = (training.train(case, name).model for name in ("logistic_regression", "decision_tree"))
    table, often = (advantages([one], [other], rows) for rows in (case.test, repeated(case.test)))
    np.testing.assert_allclose(table["advantage"], often["advantage"], atol=1e-9)


def test_weights_must_be_positive_numbers():
    table = pd.DataFrame({"x": [1.0, 2.0], "times": [1.0, 0.0], "y": ["a", "b"]})
    schema = infer_schema(table.drop(columns="times"), "y")
    with pytest.raises(DlxError, match=r"'times' weighs rows, and must hold positive numbers, got '0.0' in row 1"):
        from_frame(table, Schema(schema.features, schema.target, weights="times"))
