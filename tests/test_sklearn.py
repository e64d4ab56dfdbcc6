"""Estimators around the nets of dlx: scikit-learn's own checks, its tools, tables with levels and gaps, and explanations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_wine
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import dlx
from dlx.dataset import from_frame
from dlx.errors import DlxError
from dlx.model import NeuralModel
from dlx.schema import infer_schema
from dlx.sklearn import NetClassifier, NetRegressor

QUICK = {"hidden": 32, "depth": 1, "dropout": 0.0, "input_dropout": 0.0}
QUICK |= {"max_epochs": 12, "learning_rate": 0.05, "batch_size": 32}
WEIGHED = "a share of the rows is put aside to stop by, and the rest is drawn in batches: rows that are repeated fall otherwise"
FAILS = {"check_sample_weight_equivalence_on_dense_data": WEIGHED}


def small(kind, **more):
    return kind(options=QUICK, device="cpu", **more)


def wines():
    X, y = load_wine(return_X_y=True, as_frame=True)
    return X.rename(columns=lambda name: name.split("/")[0]), y.map({0: "barolo", 1: "grignolino", 2: "barbera"})


@pytest.mark.filterwarnings("ignore:Skipping check check_array_api_input")
@pytest.mark.parametrize("kind", [NetClassifier, NetRegressor])
def test_scikit_learns_own_checks_pass(kind):
    found = check_estimator(small(kind), expected_failed_checks=FAILS)
    assert {one["check_name"] for one in found if one["status"] == "xfail"} <= set(FAILS) and len(found) > 50


def test_searches_pipelines_and_cross_validation_take_them():
    X, y = wines()
    search = GridSearchCV(small(NetClassifier), {"options": [QUICK, QUICK | {"hidden": 2, "max_epochs": 1}]}, cv=2).fit(X, y)
    assert search.best_params_["options"] == QUICK and search.best_score_ > 0.9
    assert list(search.best_estimator_.feature_names_in_) == list(X)
    values, target = load_diabetes(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), small(NetRegressor))
    assert cross_val_score(clone(pipeline), values, target, cv=2).mean() > 0.3
    assert clone(small(NetRegressor, random_state=3)).get_params()["random_state"] == 3


def test_the_seed_says_which_net_it_is():
    X, y = wines()
    first, again, other = (small(NetClassifier, random_state=seed).fit(X, y).predict_proba(X) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def mixed(count=200):
    """A table with numbers, gaps, words and categories, and an outcome that depends on all."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"age": rng.integers(20, 70, count), "debt": rng.normal(size=count)})
    table["home"] = rng.choice(["own", "rent"], count)
    table["grade"] = pd.Categorical(rng.choice(["low", "high"], count), categories=["low", "mid", "high"], ordered=True)
    table.loc[::9, "debt"] = np.nan
    score = table["debt"].fillna(0.5) + (table["home"] == "own") - table["grade"].cat.codes + (table["age"] - 45) / 20
    return table, np.where(score > score.median(), "good", "bad")


def test_tables_with_levels_and_gaps_are_taken_as_they_are():
    table, outcome = mixed()
    fitted = small(NetClassifier).fit(table, outcome)
    assert fitted.score(table, outcome) > 0.85 and list(fitted.feature_names_in_) == list(table)
    assert [feature.kind for feature in fitted.model_.schema.features] == ["numeric", "numeric", "categorical", "categorical"]
    alone = [fitted.predict_proba(table[i : i + 1])[0] for i in range(5)]
    np.testing.assert_allclose(fitted.predict_proba(table)[:5], alone, atol=1e-12)
    with pytest.raises(DlxError, match="'tent'"):
        fitted.predict(table.assign(home="tent"))


@pytest.mark.parametrize("scale", ["logit", "probability"])
def test_explain_takes_a_fitted_classifier_as_a_net(scale):
    X, y = wines()
    fitted = small(NetClassifier).fit(X, y)
    asked = {"method": "integrated_gradients", "background": X[::20], "scale": scale}
    made = dlx.explain(fitted, X[:4], target="barolo", **asked)
    chances = fitted.predict_proba(X[:4])[:, list(fitted.classes_).index("barolo")]
    np.testing.assert_allclose(made.outputs if scale == "probability" else expit(made.outputs), chances, atol=1e-12)
    np.testing.assert_allclose(made.base_values + made.values.sum(axis=1), made.outputs, atol=1e-6)
    with pytest.raises(DlxError, match="say for which"):
        dlx.explain(fitted, X[:4], **asked)


def test_wrap_reads_estimators_pipelines_and_searches_as_nets_of_a_case():
    X, y = wines()
    table = X.assign(wine=y)
    case = from_frame(table, infer_schema(table, "wine"), name="wine")
    fitted = small(NetClassifier).fit(X, y)
    against = NetClassifier("additive", options={"max_epochs": 2, "units": 4}, device="cpu").fit(X, y)
    for predictor in (against, fitted, make_pipeline(StandardScaler(), small(NetClassifier)).fit(X, y)):
        model = dlx.wrap(predictor, case, target="barbera")
        assert isinstance(model, NeuralModel) and model.target == "barbera"
        expected = predictor.predict_proba(X)[:, list(predictor.classes_).index("barbera")]
        np.testing.assert_allclose(model.predict(case, "probability"), expected, atol=1e-9)
        other = model.of("barolo").predict(case, "probability")
        np.testing.assert_allclose(other, predictor.predict_proba(X)[:, list(predictor.classes_).index("barolo")], atol=1e-9)
    made = dlx.explain(model, case[:3], method="deeplift", background=case[::20], scale="logit")
    assert made.target == "barbera" and made.values.shape == (3, 13)


def test_wrap_reads_two_classes_values_levels_and_gaps():
    table, outcome = mixed()
    case = from_frame(table.assign(result=outcome), infer_schema(table.assign(result=outcome), "result", positive="bad"))
    fitted = small(NetClassifier).fit(table, outcome)
    model = dlx.wrap(fitted, case)
    assert isinstance(model, NeuralModel) and model.target == "bad"
    np.testing.assert_allclose(model.predict(case, "probability"), fitted.predict_proba(table)[:, 0], atol=1e-9)
    frame = load_diabetes(as_frame=True, scaled=False).frame
    values = from_frame(frame, infer_schema(frame, "target"), name="diabetes")
    regressor = small(NetRegressor).fit(frame.drop(columns="target"), frame["target"])
    model = dlx.wrap(regressor, values)
    np.testing.assert_allclose(model.predict(values, "value"), regressor.predict(frame.drop(columns="target")), rtol=1e-9)
    made = dlx.explain(model, values[:3], method="integrated_gradients", background=values[::40], scale="value")
    np.testing.assert_allclose(made.base_values + made.values.sum(axis=1), model.predict(values[:3], "value"), rtol=1e-6)


def test_what_no_net_is_trained_on_is_refused_in_one_line():
    X, y = wines()
    with pytest.raises(DlxError, match="NetClassifier trains nets, and random_forest is none"):
        small(NetClassifier, architecture="random_forest").fit(X, y)
    with pytest.raises(DlxError, match="each class needs a row that counts"):
        small(NetClassifier).fit(X, y, sample_weight=(y != "barolo").astype(float))
    with pytest.raises(DlxError, match="validation_fraction must lie between 0 and 1, got 1"):
        small(NetRegressor, validation_fraction=1).fit(X, np.arange(len(X)))
    with pytest.raises(DlxError, match=r"mlp has no option 'hiden'.*did you mean 'hidden'"):
        NetClassifier(options={"hiden": 3}).fit(X, y)
