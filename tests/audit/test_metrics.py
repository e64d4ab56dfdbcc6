"""Metrics of classes and of values: scikit-learn's numbers, of resamples too, and what the best guess for everybody reaches."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics
from sklearn.dummy import DummyClassifier, DummyRegressor

from dlx.audit import performance
from dlx.audit.metrics import CLASS_METRICS, VALUE_METRICS
from dlx.audit.scores import advantages
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import wrap
from dlx.schema import Feature, Schema, Target

VALUES = Schema((Feature("near"), Feature("far")), Target("price", kind="regression"))
NEAR, FAR = (wrap(lambda table, name=name: table[name], VALUES, name=name) for name in ("near", "far"))
OF_CLASSES = {
    "log_loss": metrics.log_loss,
    "macro_auc": lambda y, p, sample_weight=None: np.mean(
        [metrics.roc_auc_score(y == k, p[:, k], sample_weight=sample_weight) for k in range(3)]
    ),
    "balanced_accuracy": lambda y, p, **more: metrics.balanced_accuracy_score(y, p.argmax(axis=1), **more),
    "accuracy": lambda y, p, **more: metrics.accuracy_score(y, p.argmax(axis=1), **more),
}
OF_VALUES = {
    "r2": metrics.r2_score,
    "rmse": metrics.root_mean_squared_error,
    "mae": metrics.mean_absolute_error,
    "pinball": metrics.mean_pinball_loss,
}


def classes(count=150, *, digits=9):
    """Outcomes of three classes [rows], and probabilities [rows, 3] that say something of them, with ties where rounded."""
    rng = np.random.default_rng(0)
    outcomes = rng.choice(3, size=count, p=(0.2, 0.3, 0.5)).astype(float)
    made = np.exp(rng.normal(size=(count, 3)) + 1.5 * np.eye(3)[outcomes.astype(int)]).round(digits) + 0.01
    return outcomes, made / made.sum(axis=1, keepdims=True)


def values(count=150):
    rng = np.random.default_rng(1)
    true = 1e3 + rng.normal(size=count)
    return Dataset(VALUES, np.column_stack([true + rng.normal(0, 0.4, count), true + rng.normal(0, 0.9, count)]), true)


def held(registry, references, outcomes, predicted):
    assert list(registry) == list(references)
    counts = np.random.default_rng(2).integers(1, 4, size=(3, len(outcomes))).astype(float)
    for name, reference in references.items():
        metric = registry[name]
        assert metric(outcomes, predicted) == pytest.approx(reference(outcomes, predicted), abs=1e-9), name
        weighed = [reference(outcomes, predicted, sample_weight=some) for some in counts]
        np.testing.assert_allclose(metric.of(outcomes, predicted)(counts), weighed, rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("digits", [9, 0])
def test_metrics_of_classes_are_scikit_learns_and_count_rows_as_often_as_asked(digits):
    outcomes, predicted = classes(digits=digits)
    held(CLASS_METRICS, OF_CLASSES, outcomes, predicted)
    overall = metrics.roc_auc_score(outcomes, predicted, multi_class="ovr", average="macro")
    assert CLASS_METRICS["macro_auc"](outcomes, predicted) == pytest.approx(overall, abs=1e-12)
    guess = DummyClassifier(strategy="prior").fit(outcomes[:, None], outcomes).predict_proba(outcomes[:, None])
    for name, metric in CLASS_METRICS.items():
        assert metric.reference(outcomes, predicted) == pytest.approx(OF_CLASSES[name](outcomes, guess), abs=1e-9)


def test_metrics_of_values_are_scikit_learns_and_count_rows_as_often_as_asked():
    people = values()
    held(VALUE_METRICS, OF_VALUES, people.outcomes, people.rows[:, 0])
    table = performance(NEAR, people).set_index("metric")
    assert list(table.index) == list(OF_VALUES) and set(table["note"]) == {""}
    for name, reference in OF_VALUES.items():
        assert table.loc[name, "estimate"] == pytest.approx(reference(people.outcomes, people.rows[:, 0]), abs=1e-9)
        guess = DummyRegressor(strategy="mean" if name in ("r2", "rmse") else "median").fit(people.rows, people.outcomes)
        assert table.loc[name, "reference"] == pytest.approx(reference(people.outcomes, guess.predict(people.rows)), abs=1e-9)
        assert table.loc[name, "low"] < table.loc[name, "estimate"] < table.loc[name, "high"]


def test_the_nearer_of_two_models_of_a_value_has_the_advantage():
    table = advantages([NEAR], [FAR, NEAR], values()).set_index(["interpretable", "metric"])
    assert table.loc["far", "significant"].all() and (table.loc["far", "low"] > 0).all()
    assert (table.loc["near", ["advantage", "low", "high"]] == 0).all(axis=None)


def test_classes_of_one_row_have_no_interval_and_one_class_is_refused():
    outcomes, predicted = classes()
    few = np.r_[np.flatnonzero(outcomes == 0)[:1], np.flatnonzero(outcomes > 0)]
    assert np.isnan(CLASS_METRICS["log_loss"].interval(outcomes[few], predicted[few])[1:]).all()
    with pytest.raises(DlxError, match="table: the performance of near needs outcomes that differ, got 5 that are all alike"):
        performance(NEAR, Dataset(VALUES, np.ones((5, 2)), np.ones(5)))
