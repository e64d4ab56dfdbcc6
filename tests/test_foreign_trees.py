"""Trees that other libraries grew predict as they do there, missing values and sets of categories included."""

from __future__ import annotations

import warnings

import lightgbm
import numpy as np
import oracles
import pandas as pd
import pytest
import worlds
import xgboost
from sklearn import ensemble, tree
from sklearn.linear_model import LogisticRegression

import dlx
from dlx.errors import DlxError
from dlx.model import trees_of
from dlx.runner import explain
from dlx.schema import Feature, Schema, Target

RNG = np.random.default_rng(0)
LEVELS = 9
COLUMNS = (
    *(Feature(name, missing=True) for name in ("a", "b", "c")),
    Feature("kind", "categorical", levels=tuple("pqrstuvwx"), missing=True),
    Feature("few", "categorical", levels=("m", "n", "o"), missing=True),
)
BINARY = Schema(COLUMNS, worlds.TARGET)
REGRESSION = Schema(COLUMNS, Target("value", "regression"))


def drawn(size, *, missing=0.15):
    rows = RNG.normal(size=(size, 5)).round(1)
    rows[:, 3], rows[:, 4] = RNG.integers(LEVELS, size=size), RNG.integers(3, size=size)
    rows[RNG.random(size=rows.shape) < missing] = np.nan
    return rows.astype(np.float32).astype(float)


ROWS = drawn(600)
KNOWN = np.nan_to_num(ROWS)
SCORE = KNOWN[:, 0] + np.isin(KNOWN[:, 3], [1, 4, 6]) * (1 + KNOWN[:, 1]) - (KNOWN[:, 4] == 2) + np.isnan(ROWS[:, 1])
CLASS = (SCORE + RNG.normal(scale=0.4, size=600) > 0.5).astype(int)
UNSEEN = np.vstack([drawn(400), np.full(5, np.nan)])


def same(estimator, rows=UNSEEN, schema=None):
    """The trees of an estimator, which predict what it predicts."""
    is_classifier = hasattr(estimator, "classes_")
    model = dlx.wrap_trees(estimator, schema or (BINARY if is_classifier else REGRESSION))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X does not have valid feature names", category=UserWarning)
        theirs = estimator.predict_proba(rows)[:, 1] if is_classifier else estimator.predict(rows)
    ours = model.predict(rows, "probability" if is_classifier else "value")
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)
    assert np.ptp(ours) > 0.1
    return model


# scikit-learn


@pytest.mark.parametrize(
    "grow",
    [
        *(tree.DecisionTreeClassifier, tree.DecisionTreeRegressor, tree.ExtraTreeClassifier, tree.ExtraTreeRegressor),
        *(ensemble.RandomForestClassifier, ensemble.RandomForestRegressor),
        *(ensemble.ExtraTreesClassifier, ensemble.ExtraTreesRegressor),
    ],
)
def test_trees_and_forests_of_scikit_learn(grow):
    size = {"n_estimators": 12} if grow.__module__.startswith("sklearn.ensemble") else {}
    model = same(grow(**size, max_depth=7, random_state=0).fit(ROWS, CLASS))
    assert model.scales[0] in ("probability", "value") and model.name == grow.__name__


@pytest.mark.parametrize("init", [None, "zero"])
def test_gradient_boosting_of_scikit_learn(init):
    rows = drawn(300, missing=0)
    model = same(ensemble.GradientBoostingClassifier(n_estimators=20, init=init).fit(KNOWN, CLASS), rows)
    assert model.scales == ("logit", "probability")
    for loss in ("squared_error", "huber", "quantile", "absolute_error"):
        same(ensemble.GradientBoostingRegressor(n_estimators=20, init=init, loss=loss).fit(KNOWN, SCORE), rows)


@pytest.mark.parametrize("categorical", [None, [3, 4], [3], [True] + [False] * 2 + [True] * 2])
def test_histogram_boosting_of_scikit_learn_with_native_categories(categorical):
    rows = ROWS.copy()
    rows[:, 0] = np.isfinite(rows[:, 0])  # so that the first column can be a category too
    options = {"max_iter": 25, "min_samples_leaf": 5, "categorical_features": categorical}
    unseen = np.column_stack([np.isfinite(UNSEEN[:, 0]), UNSEEN[:, 1:]])
    classifier = same(ensemble.HistGradientBoostingClassifier(**options).fit(rows, CLASS), unseen)
    assert classifier.scales[0] == "logit"
    same(ensemble.HistGradientBoostingRegressor(**options).fit(rows, SCORE), unseen)


def test_category_that_training_did_not_see_goes_where_a_missing_value_goes():
    rows = ROWS[~np.isin(ROWS[:, 3], [0, 4, 8])]
    boosted = ensemble.HistGradientBoostingClassifier(max_iter=25, categorical_features=[3, 4], min_samples_leaf=5)
    model = same(boosted.fit(rows, CLASS[~np.isin(ROWS[:, 3], [0, 4, 8])]))
    swapped = np.where(np.isin(UNSEEN, [0, 4, 8]) & (np.arange(5) == 3), np.nan, UNSEEN)
    np.testing.assert_array_equal(model.predict(swapped, "logit"), model.predict(UNSEEN, "logit"))


def test_early_stopping_with_native_categories():
    boosted = ensemble.HistGradientBoostingClassifier(
        max_iter=200, categorical_features=[3], early_stopping=True, validation_fraction=0.5, random_state=0
    )
    same(boosted.fit(ROWS[:150], CLASS[:150]))


# XGBoost


@pytest.mark.parametrize("categories", [False, True])
@pytest.mark.parametrize("policy", ["depthwise", "lossguide"])
def test_xgboost(categories, policy):
    options = {"n_estimators": 30, "max_depth": 5, "grow_policy": policy, "gamma": 0.1, "n_jobs": 1}
    if categories:
        options |= {"enable_categorical": True, "feature_types": ["q", "q", "q", "c", "c"], "max_cat_to_onehot": 2}
    assert same(xgboost.XGBClassifier(**options).fit(ROWS, CLASS)).scales == ("logit", "probability")
    for objective in ("reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror"):
        same(xgboost.XGBRegressor(objective=objective, **options).fit(ROWS, SCORE))


def test_xgboost_that_stopped_early_forests_and_boosters():
    options = {"n_jobs": 1, "max_depth": 3}
    stopped = xgboost.XGBClassifier(n_estimators=200, early_stopping_rounds=3, learning_rate=0.5, **options)
    stopped.fit(ROWS[:300], CLASS[:300], eval_set=[(ROWS[300:], CLASS[300:])], verbose=False)
    model = same(stopped)
    assert len(model.trees) == stopped.best_iteration + 1 < stopped.get_booster().num_boosted_rounds()
    forest = {"n_estimators": 1, "num_parallel_tree": 20, "learning_rate": 1.0, "subsample": 0.7}
    same(xgboost.XGBClassifier(**forest, **options).fit(ROWS, CLASS))
    same(xgboost.XGBClassifier(n_estimators=5, base_score=0.2, scale_pos_weight=2, **options).fit(ROWS, CLASS))
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 3}, xgboost.DMatrix(ROWS, CLASS), 9)
    ours = dlx.wrap_trees(booster, BINARY).predict(UNSEEN, "probability")
    np.testing.assert_allclose(ours, booster.predict(xgboost.DMatrix(UNSEEN)), atol=1e-6)


def test_xgboost_with_dropout():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*dart` is deprecated", category=UserWarning)
        fitted = xgboost.XGBClassifier(booster="dart", rate_drop=0.5, n_estimators=9, n_jobs=1, verbosity=0).fit(ROWS, CLASS)
        same(fitted)


def test_a_row_at_an_xgboost_threshold_goes_right_and_just_below_left():
    rows = np.repeat([[0.0], [1.0]], 20, axis=0)
    fitted = xgboost.XGBRegressor(n_estimators=1, max_depth=1, n_jobs=1).fit(rows, rows[:, 0])
    schema = Schema((Feature("a", missing=True),), Target("value", "regression"))
    model = dlx.wrap_trees(fitted, schema)
    edge = np.float32(fitted.get_booster().trees_to_dataframe()["Split"][0])
    around = np.array([[np.nextafter(edge, np.float32(-9))], [edge], [np.nextafter(edge, np.float32(9))], [np.nan]])
    np.testing.assert_allclose(model.predict(around, "value"), fitted.predict(around), atol=1e-6)
    assert model.predict(around, "value")[0] < model.predict(around, "value")[1]


# LightGBM


@pytest.mark.parametrize("categories", [False, True])
@pytest.mark.parametrize("missing", [{}, {"zero_as_missing": True}, {"use_missing": False}])
def test_lightgbm(categories, missing):
    options = {"n_estimators": 30, "min_child_samples": 5, "verbose": -1, "n_jobs": 1, **missing}
    how = {"categorical_feature": [3, 4]} if categories else {}
    assert same(lightgbm.LGBMClassifier(cat_smooth=1, **options).fit(ROWS, CLASS, **how)).scales[0] == "logit"
    for objective in ("regression", "regression_l1", "huber", "quantile"):
        same(lightgbm.LGBMRegressor(objective=objective, **options).fit(ROWS, SCORE, **how))


def test_lightgbm_forests_boosters_and_other_sigmoids():
    options = {"n_estimators": 20, "verbose": -1, "n_jobs": 1}
    same(lightgbm.LGBMClassifier(boosting_type="rf", subsample=0.7, subsample_freq=1, **options).fit(ROWS, CLASS))
    same(lightgbm.LGBMClassifier(boosting_type="dart", **options).fit(ROWS, CLASS))
    same(lightgbm.LGBMClassifier(sigmoid=2.0, **options).fit(ROWS, CLASS))
    stopping = {"valid_sets": [lightgbm.Dataset(drawn(600), CLASS)], "callbacks": [lightgbm.early_stopping(3, verbose=False)]}
    for some in ({}, stopping):
        booster = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(ROWS, CLASS), 9, **some)
        model = dlx.wrap_trees(booster, BINARY)
        np.testing.assert_allclose(model.predict(UNSEEN, "probability"), booster.predict(UNSEEN), atol=1e-6)
    assert len(model.trees) == booster.best_iteration < 9


def test_a_model_that_learnt_nothing_is_a_constant():
    fitted = lightgbm.LGBMRegressor(n_estimators=3, min_child_samples=10_000, verbose=-1).fit(ROWS, SCORE)
    model = dlx.wrap_trees(fitted, REGRESSION)
    np.testing.assert_allclose(model.predict(UNSEEN, "value"), SCORE.mean(), atol=1e-6)
    explained = explain(model, UNSEEN[:3], method="tree_shap", background=ROWS[:5], scale="value")
    np.testing.assert_array_equal(explained.values, 0)


# Explained


ESTIMATORS = (
    ensemble.HistGradientBoostingClassifier(max_iter=15, categorical_features=[3, 4], min_samples_leaf=5),
    ensemble.RandomForestClassifier(8, max_depth=6, random_state=0),
)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: type(estimator).__name__)
def test_they_are_explained_exactly_with_a_category_as_one_player(estimator):
    model = dlx.wrap_trees(estimator.fit(ROWS, CLASS), BINARY)
    explained = explain(model, UNSEEN[:6], method="tree_shap", background=ROWS[:11], scale=model.scales[0])
    expected = oracles.shapley(model, UNSEEN[:6], ROWS[:11], model.scales[0])
    np.testing.assert_allclose(explained.values, expected, rtol=0, atol=1e-10)


# Refused


def many_classes():
    return ensemble.RandomForestClassifier(3).fit(KNOWN, np.arange(600) % 3)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (lambda: LogisticRegression().fit(KNOWN, CLASS), "LogisticRegression is not a fitted sum of trees; dlx.wrap takes"),
        (ensemble.RandomForestClassifier, "RandomForestClassifier is not a fitted sum of trees"),
        (lambda: np.mean, "trees must be of sklearn, xgboost, lightgbm, got a .*; dlx.wrap takes anything"),
        (many_classes, "RandomForestClassifier must have one output, of two classes .* it has 1 of 3 classes"),
        (lambda: ensemble.GradientBoostingClassifier(loss="exponential").fit(KNOWN, CLASS), "got 'exponential', whose trees"),
        (
            lambda: ensemble.GradientBoostingClassifier(init=LogisticRegression(), n_estimators=2).fit(KNOWN, CLASS),
            "must start from a constant",
        ),
        (
            lambda: ensemble.HistGradientBoostingRegressor(loss="poisson").fit(KNOWN, SCORE + 20),
            "must have the loss log_loss or one of squared_error, .*, got 'poisson'",
        ),
        (lambda: ensemble.RandomForestClassifier(3).fit(KNOWN[:, :4], CLASS), "in their order, a, b, .*; it reads 4 columns"),
        (lambda: ensemble.RandomForestRegressor(3).fit(KNOWN, SCORE), "the target of the schema must be that of a regression"),
    ],
)
def test_estimators_that_cannot_be_taken_are_refused(estimator, message):
    with pytest.raises(DlxError, match=message):
        dlx.wrap_trees(estimator(), BINARY)


def test_columns_in_another_order_and_categories_that_are_not_codes_are_refused():
    frame = pd.DataFrame(KNOWN, columns=[feature.name for feature in COLUMNS])
    with pytest.raises(DlxError, match="in their order, a, b, c, kind, few; it reads few, kind, c, b, a"):
        dlx.wrap_trees(ensemble.RandomForestClassifier(3).fit(frame[frame.columns[::-1]], CLASS), BINARY)
    frame["kind"] = pd.Categorical(frame["kind"].map(lambda code: "pqrstuvwx"[int(code)]))
    with pytest.raises(DlxError, match="column 3 must be fitted as codes"):
        trees_of(ensemble.HistGradientBoostingClassifier(max_iter=2).fit(frame, CLASS))
    with pytest.raises(DlxError, match="LightGBM must be fitted on codes"):
        trees_of(lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(frame, CLASS))
    with pytest.raises(DlxError, match="XGBoost must be fitted on codes"):
        trees_of(xgboost.XGBClassifier(n_estimators=2, enable_categorical=True).fit(frame, CLASS))


def test_objectives_and_boosters_that_do_not_add_up_are_refused():
    for objective in ("count:poisson", "reg:gamma"):
        with pytest.raises(DlxError, match=f"got a gbtree for {objective}"):
            trees_of(xgboost.XGBRegressor(n_estimators=2, objective=objective).fit(ROWS, SCORE + 20))
    with pytest.raises(DlxError, match="got a gblinear"):
        trees_of(xgboost.train({"booster": "gblinear", "verbosity": 0}, xgboost.DMatrix(KNOWN, SCORE), 2))
    for objective, said in (("poisson", "poisson"), ("regression", "regression sqrt")):
        fitted = lightgbm.LGBMRegressor(n_estimators=2, objective=objective, reg_sqrt=True, verbose=-1).fit(ROWS, SCORE + 20)
        with pytest.raises(DlxError, match=f"got {said}"):
            trees_of(fitted)
    linear = lightgbm.LGBMRegressor(n_estimators=2, linear_tree=True, verbose=-1).fit(ROWS, SCORE)
    with pytest.raises(DlxError, match="must have constant leaves"):
        trees_of(linear)
