"""Trees that other libraries grew predict as they do there, missing values and sets of categories included."""

from __future__ import annotations

import dataclasses
import pickle
import warnings

import lightgbm
import numpy as np
import oracles
import pandas as pd
import pytest
import worlds
import xgboost
from sklearn import ensemble, tree
from sklearn.base import TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import dlx
from dlx.errors import DlxError
from dlx.explainers import tree_shap
from dlx.model import FidelityError, trees_of
from dlx.model.foreign_trees import kind_of
from dlx.runner import explain
from dlx.schema import Feature, Schema, Target

RNG = np.random.default_rng(0)
LEVELS = 9
COLUMNS = (
    *(Feature(name, missing=True) for name in ("a", "b", "c")),
    Feature("kind", "categorical", levels=tuple("pqrstuvwx"), missing=True),
    Feature("few", "categorical", levels=("m", "n", "o"), missing=True),
)

pytestmark = pytest.mark.doors
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
    return held_to_its_original(model, rows)


def held_to_its_original(model, rows):
    """A wrapped model, once it says what its library says itself, to the rounding of the library's sum."""
    off = np.abs(model.predict(rows, model.scales[0]) - model.original(rows))
    assert off.max() <= model.rounding
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
    fitted = lightgbm.LGBMRegressor(n_jobs=1, n_estimators=3, min_child_samples=10_000, verbose=-1).fit(ROWS, SCORE)
    model = dlx.wrap_trees(fitted, REGRESSION)
    np.testing.assert_allclose(model.predict(UNSEEN, "value"), SCORE.mean(), atol=1e-6)
    explained = explain(model, UNSEEN[:3], method="tree_shap", background=ROWS[:5], scale="value")
    np.testing.assert_array_equal(explained.values, 0)


# Doubles, and sets of many categories


NUMERIC = Schema(tuple(Feature(name) for name in "abc"), worlds.TARGET)


def doubles(kind):
    """Ordinary columns of which float32 holds few: without end, money in cents, seconds since 1970."""
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(600, 3))
    return {"normal": rows, "cents": np.round(np.exp(8 + rows), 2), "seconds": 1.7e9 + np.round(1e4 * rows) / 8}[kind]


GROWN = {
    "histograms": lambda: ensemble.HistGradientBoostingClassifier(max_iter=20),
    "lightgbm": lambda: lightgbm.LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1),
    "xgboost": lambda: xgboost.XGBClassifier(n_estimators=20, n_jobs=1),
    "forest": lambda: ensemble.RandomForestClassifier(10, random_state=0),
    "extra trees": lambda: ensemble.ExtraTreesClassifier(10, random_state=0),
    "boosting": lambda: ensemble.GradientBoostingClassifier(n_estimators=10),
}


@pytest.mark.parametrize("kind", ["normal", "cents", "seconds"])
@pytest.mark.parametrize("grower", GROWN)
def test_doubles_go_as_in_their_library_on_and_beside_every_threshold(grower, kind):
    rows = doubles(kind)
    outcomes = (rows[:, 0] > np.median(rows[:, 1])) ^ (rows[:, 2] > np.median(rows[:, 2]))
    model = dlx.wrap_trees(GROWN[grower]().fit(rows, outcomes.astype(int)), NUMERIC)
    held_to_its_original(model, rows)
    inner = np.flatnonzero(model.trees.feature >= 0)[:400]
    at = rows[np.arange(len(inner)) % len(rows)]
    at[np.arange(len(inner)), model.trees.feature[inner]] = model.trees.threshold[inner]
    for beside in (at, np.nextafter(at, np.inf), np.nextafter(at, -np.inf)):
        held_to_its_original(model, beside)
    explained = explain(model, rows[:3], method="tree_shap", background=rows[3:9], scale=model.scales[0])
    expected = oracles.shapley(oracles.Original(model), rows[:3], rows[3:9], model.scales[0])
    np.testing.assert_allclose(explained.values, expected, rtol=0, atol=8 * model.rounding)


MANY = {
    "histograms": (255, lambda: ensemble.HistGradientBoostingRegressor(max_iter=15, categorical_features=[0])),
    "lightgbm": (
        1000,
        lambda: lightgbm.LGBMRegressor(n_estimators=15, min_data_per_group=5, cat_smooth=1, verbose=-1, n_jobs=1),
    ),
    "xgboost": (
        1000,
        lambda: xgboost.XGBRegressor(n_estimators=15, n_jobs=1, enable_categorical=True, feature_types=["c", "q", "q"]),
    ),
}


@pytest.mark.parametrize("grower", MANY)
def test_a_thousand_categories_are_sets(grower):
    (count, make), rng = MANY[grower], np.random.default_rng(0)
    rows = np.column_stack([rng.integers(count, size=3000), rng.normal(size=(3000, 2))])
    rows = np.where(rng.random(rows.shape) < 0.05, np.nan, rows)
    effect, code = rng.normal(size=count), np.nan_to_num(rows[:, 0]).astype(int)
    score = effect[code] + np.nan_to_num(rows[:, 1]) * effect[::-1][code]
    known = Feature("kind", "categorical", levels=tuple(map(str, range(2 * count))), missing=True)
    schema = Schema((known, *(Feature(name, missing=True) for name in "ab")), Target("value", "regression"))
    options = {"categorical_feature": [0]} if grower == "lightgbm" else {}
    model = dlx.wrap_trees(make().fit(rows, score, **options), schema)
    assert model.trees.has_set.sum() > 15 and len(model.trees.feature) < 20_000
    unseen = rows[:500] + np.array([count // 2, 0, 0])  # half of these codes no tree has seen
    held_to_its_original(model, np.vstack([rows, unseen]))
    people, background = np.vstack([rows[:2], unseen[:2]]), rows[4:9]
    explained = explain(model, people, method="tree_shap", background=background, scale="value")
    expected = oracles.shapley(oracles.Original(model), people, background, "value")
    np.testing.assert_allclose(explained.values, expected, rtol=0, atol=max(8 * model.rounding, 1e-12))
    by_shap = explain(model, people, method="tree_shap", background=background, scale="value", implementation="reference")
    np.testing.assert_allclose(by_shap.values, explained.values, rtol=0, atol=1e-5)


def test_a_category_that_counts_as_missing_and_other_numbers():
    rows = np.where(np.isnan(ROWS), -999, ROWS)
    options = {"n_estimators": 8, "n_jobs": 1, "enable_categorical": True, "feature_types": ["q", "q", "q", "c", "c"]}
    fitted = xgboost.XGBRegressor(missing=-999, **options).fit(rows, SCORE)
    model = same(fitted, np.where(np.isnan(UNSEEN[:, [0, 1, 2, 3, 3]]), np.nan, UNSEEN))
    marked = np.where(np.isnan(UNSEEN), -999, UNSEEN)
    np.testing.assert_array_equal(model.trees.predict(marked), model.trees.predict(UNSEEN))
    same(xgboost.XGBClassifier(missing=0, **options).fit(np.where(ROWS == 5, np.nan, ROWS), CLASS))


def test_a_number_beyond_float32_is_an_error_and_not_another_leaf():
    rows = np.column_stack([np.r_[np.arange(20.0)], np.zeros((20, 2))])
    far = np.array([[1e39, 0, 0]])
    for grower in ("xgboost", "forest", "extra trees"):
        model = dlx.wrap_trees(GROWN[grower]().fit(rows, rows[:, 0] > 9), NUMERIC)
        with pytest.raises(DlxError, match=r"must lie within 3\.4e38, as models compute in float32"):
            model.predict(far, model.scales[0])
    for grower in ("histograms", "lightgbm"):
        wide = GROWN[grower]().set_params(
            **{"histograms": {"min_samples_leaf": 1}, "lightgbm": {"min_child_samples": 1}}[grower]
        )
        held_to_its_original(dlx.wrap_trees(wide.fit(rows * 1e36, rows[:, 0] > 9), NUMERIC), np.vstack([far / 10, rows * 1e36]))


def test_trees_that_were_grown_without_missing_values_take_them_as_their_library_does():
    grown = ensemble.RandomForestClassifier(5, random_state=0).fit(KNOWN, CLASS)
    assert same(grown).trees.reading.takes_missing
    boosted = ensemble.GradientBoostingRegressor(n_estimators=3).fit(KNOWN, SCORE)
    model = same(boosted, np.nan_to_num(UNSEEN))
    with pytest.raises(DlxError, match="GradientBoostingRegressor raised ValueError on 401 rows: Input X contains NaN"):
        model.original(UNSEEN)
    with pytest.raises(DlxError, match="take no missing value, as in their library"):
        model.predict(UNSEEN, "value")


def test_a_tree_of_a_long_path():
    rows = np.arange(900.0).reshape(300, 3)
    fitted = tree.DecisionTreeRegressor(random_state=0).fit(rows, 1.33 ** np.arange(300))
    model = dlx.wrap_trees(fitted, Schema(NUMERIC.features, Target("value", "regression")))
    assert model.trees.depths.max() > 60
    held_to_its_original(model, rows[:250])
    made, base = tree_shap.attribute(model, rows[200:202], rows[100:103], scale="value"), model.predict(rows[100:103], "value")
    np.testing.assert_allclose(base.mean() + made.values.sum(axis=1), model.predict(rows[200:202], "value"), rtol=1e-12)


# Names of classes and columns


@pytest.mark.parametrize(
    ("levels", "outcomes", "position"),
    [
        (("good", "bad"), ("good", "bad"), 0),  # scikit-learn sorts them
        (("bad", "good"), ("good", "bad"), 1),
        (("0", "1"), (0, 1), 1),
        (("1", "0"), (0, 1), 0),
        (("2", "1"), (2.0, 1.0), 0),
        (("False", "True"), (False, True), 1),
        (("True", "False"), (0, 1), 0),
        (("0", "1"), (False, True), 1),
        (("good", "bad"), (0, 1), 1),  # by position: these have no names
        (("good", "bad"), (False, True), 1),
    ],
)
@pytest.mark.parametrize("grower", ["histograms", "lightgbm", "forest", "boosting"])
def test_the_positive_outcome_is_found_by_its_name(grower, levels, outcomes, position):
    rows = doubles("normal")
    given = np.array(outcomes)[(rows[:, 0] > 0.5).astype(int)]
    fitted = GROWN[grower]().fit(rows, given)
    model = dlx.wrap_trees(fitted, Schema(NUMERIC.features, Target("outcome", levels=levels)))
    assert model.target == levels[-1]
    theirs = predicted(fitted, rows)[:, position]
    np.testing.assert_allclose(model.predict(rows, "probability"), theirs, rtol=0, atol=1e-12)
    held_to_its_original(model, rows)


def predicted(fitted, rows):
    """The booster's own probabilities: LightGBM's estimator warns of names that it made up itself."""
    if not hasattr(fitted, "booster_"):
        return fitted.predict_proba(rows)
    positive = fitted.booster_.predict(rows)
    return np.column_stack([1 - positive, positive])


@pytest.mark.parametrize(
    ("levels", "outcomes"),
    [
        (("good", "bad"), ("good", "poor")),
        (("1", "2"), (0, 1)),  # is 1 the one or the other?
        (("0", "1"), (-1, 1)),
        (("good", "bad"), (-1, 1)),
        (("good", "bad"), (1, 2)),
    ],
)
@pytest.mark.parametrize("grower", ["lightgbm", "forest"])
def test_classes_that_are_not_the_outcomes_are_refused(grower, levels, outcomes):
    rows = doubles("normal")
    fitted = GROWN[grower]().fit(rows, np.array(outcomes)[(rows[:, 0] > 0.5).astype(int)])
    with pytest.raises(DlxError, match=f"fitted on the classes of the target, '{levels[0]}', '{levels[1]}'; it has"):
        dlx.wrap_trees(fitted, Schema(NUMERIC.features, Target("outcome", levels=levels)))


def test_a_booster_speaks_for_what_it_was_trained_for_and_no_trees_speak_of_three_outcomes():
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(KNOWN, CLASS), 3)
    schema = Schema(COLUMNS, Target("outcome", levels=("good", "bad")))
    held_to_its_original(dlx.wrap_trees(booster, schema), UNSEEN)
    three = Schema(COLUMNS, Target("outcome", "multiclass", levels=("a", "b", "c")))
    with pytest.raises(DlxError, match="must be that of a classification of two outcomes"):
        dlx.wrap_trees(booster, three)
    with pytest.raises(DlxError, match="on the classes of the target, 'a', 'b', 'c'"):
        dlx.wrap_trees(ensemble.RandomForestClassifier(3).fit(KNOWN, CLASS), three)


@pytest.mark.parametrize("grower", GROWN)
def test_columns_are_found_by_their_names_in_any_order(grower):
    frame = pd.DataFrame(doubles("normal"), columns=["a", "b", "c"])
    outcomes = (frame["a"] - frame["c"] > 0).astype(int)
    fitted = GROWN[grower]().fit(frame[["c", "a", "b"]], outcomes)
    model = held_to_its_original(dlx.wrap_trees(fitted, NUMERIC), frame.to_numpy())
    np.testing.assert_allclose(
        model.predict(frame, "probability"), fitted.predict_proba(frame[["c", "a", "b"]])[:, 1], rtol=0, atol=1e-6
    )
    other = Schema(tuple(Feature(name) for name in "abd"), worlds.TARGET)
    with pytest.raises(DlxError, match="or as many in their order, a, b, d; it reads c, a, b"):
        dlx.wrap_trees(fitted, other)
    with pytest.raises(DlxError, match="in their order, a, b; it reads c, a, b"):
        dlx.wrap_trees(fitted, Schema(NUMERIC.features[:2], worlds.TARGET))


def test_numbers_of_columns_are_no_names():
    frame = pd.DataFrame(doubles("normal"))
    outcomes = (frame[0] > frame[2]).astype(int)
    for grower in ("xgboost", "lightgbm", "forest"):
        held_to_its_original(dlx.wrap_trees(GROWN[grower]().fit(frame, outcomes), NUMERIC), frame.to_numpy())
        fitted = GROWN[grower]().fit(frame[[0, 1]], outcomes)
        with pytest.raises(DlxError, match="must read the columns of the schema, or as many in their order, a, b, c; it reads"):
            dlx.wrap_trees(fitted, NUMERIC)


def test_boosters_know_names_too_and_lightgbm_writes_blanks_as_underscores():
    rows = doubles("normal")
    outcomes = (rows[:, 0] - rows[:, 2] > 0).astype(int)
    schema = Schema(tuple(Feature(name) for name in ("my age", "b", "c")), worlds.TARGET)
    frame = pd.DataFrame(rows, columns=["my age", "b", "c"])[["c", "my age", "b"]]
    made = [
        xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(frame, outcomes), 5),
        lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(frame, outcomes), 5),
    ]
    made.append(lightgbm.Booster(model_str=made[1].model_to_string()))
    probabilities = [made[0].predict(xgboost.DMatrix(frame)), *(booster.predict(frame) for booster in made[1:])]
    for booster, theirs in zip(made, probabilities, strict=True):
        model = held_to_its_original(dlx.wrap_trees(booster, schema), rows)
        np.testing.assert_allclose(model.predict(rows, "probability"), theirs, atol=1e-6)


GRADES = Schema(
    (
        Feature("grade", "categorical", levels=("1", "2", "3", "4")),
        Feature("thal", "categorical", levels=("3", "6", "7"), missing=True),
        Feature("free", "categorical", levels=("no", "yes")),
        Feature("x"),
    ),
    worlds.TARGET,
)


def graded():
    """Coded rows of `GRADES`, the same with the numbers that the grades are in the table, and outcomes that need them all."""
    rng = np.random.default_rng(0)
    codes = np.column_stack(
        [rng.integers(4, size=800), rng.integers(3, size=800), rng.integers(2, size=800), rng.normal(size=800)]
    )
    codes[:80, 1] = np.nan
    numbers = codes.copy()
    numbers[:, 0], numbers[80:, 1] = codes[:, 0] + 1, np.array([3, 6, 7])[codes[80:, 1].astype(int)]
    score = np.sin(5 * codes[:, 0]) + np.nan_to_num(codes[:, 1], nan=0.5) * (codes[:, 0] > 1) + codes[:, 3] / 4
    return codes, numbers, (score > np.median(score)).astype(int)


@pytest.mark.parametrize("grower", ["histograms", "lightgbm", "xgboost", "forest", "extra trees"])
@pytest.mark.parametrize("on_numbers", [False, True])
def test_categories_that_are_numbers_in_the_table_may_be_given_as_these_or_as_codes(grower, on_numbers):
    codes, numbers, outcomes = graded()
    fitted = GROWN[grower]().fit(numbers if on_numbers else codes, outcomes)
    model = held_to_its_original(dlx.wrap_trees(fitted, GRADES), codes)
    np.testing.assert_allclose(
        model.predict(codes, "probability"), predicted(fitted, numbers if on_numbers else codes)[:, 1], rtol=0, atol=1e-6
    )
    asks = {GRADES.names[column] for column in model.trees.feature[model.trees.has_set]}
    assert asks == ({"grade", "thal"} if on_numbers else set())
    explained = explain(model, codes[78:82], method="tree_shap", background=codes[:5], scale=model.scales[0])
    expected = oracles.shapley(oracles.Original(model), codes[78:82], codes[:5], model.scales[0])
    np.testing.assert_allclose(explained.values, expected, rtol=0, atol=10 * model.rounding)


def test_sets_of_numbers_become_sets_of_codes():
    codes, numbers, outcomes = graded()
    options = {"n_estimators": 20, "max_depth": 4, "enable_categorical": True, "max_cat_to_onehot": 1, "n_jobs": 1}
    made = [
        ensemble.HistGradientBoostingClassifier(max_iter=20, categorical_features=[0, 1]).fit(numbers, outcomes),
        xgboost.XGBClassifier(feature_types=["c", "c", "q", "q"], **options).fit(numbers, outcomes),
        xgboost.XGBClassifier(feature_types=["q", "c", "q", "q"], missing=6, **options).fit(numbers, outcomes),
    ]
    for fitted in made:
        model = held_to_its_original(dlx.wrap_trees(fitted, GRADES), codes)
        np.testing.assert_allclose(model.predict(codes, "probability"), fitted.predict_proba(numbers)[:, 1], atol=1e-6)


def test_trees_that_fit_numbers_and_codes_alike_are_refused_until_somebody_says_which():
    codes, numbers, _ = graded()
    stump = tree.DecisionTreeClassifier(max_depth=1).fit(numbers, codes[:, 0] > 1)
    assert stump.tree_.threshold[0] == 2.5
    with pytest.raises(
        DlxError, match=r"grew on the numbers of 'grade' \(1, 2, 3, ...\) or on their codes .*, and do not; say codes"
    ):
        dlx.wrap_trees(stump, GRADES)
    for on_codes, rows in ((True, codes), (False, numbers)):
        model = held_to_its_original(dlx.wrap_trees(stump, GRADES, codes=on_codes), codes)
        np.testing.assert_array_equal(model.predict(codes, "probability"), stump.predict_proba(rows)[:, 1])
    same_either_way = tree.DecisionTreeClassifier(max_depth=1).fit(codes, codes[:, 3] > 0)  # asks x only
    held_to_its_original(dlx.wrap_trees(same_either_way, GRADES), codes)


def test_pandas_categories_that_are_codes_are_codes():
    frame = pd.DataFrame(KNOWN, columns=[feature.name for feature in COLUMNS])
    frame["kind"] = pd.Categorical(frame["kind"].astype(int))
    for fitted in (
        ensemble.HistGradientBoostingClassifier(max_iter=9).fit(frame, CLASS),
        lightgbm.LGBMClassifier(n_jobs=1, n_estimators=9, verbose=-1).fit(frame, CLASS),
        xgboost.XGBClassifier(n_estimators=9, enable_categorical=True).fit(frame, CLASS),
    ):
        model = held_to_its_original(dlx.wrap_trees(fitted, BINARY), np.nan_to_num(UNSEEN))
        assert model.trees.has_set.any()
        np.testing.assert_allclose(model.predict(KNOWN, "probability"), fitted.predict_proba(frame)[:, 1], atol=1e-6)


def test_a_dataset_stands_for_its_schema_and_the_original_for_the_model_as_it_is_now():
    case = worlds.table("numeric")
    forest = ensemble.RandomForestClassifier(5, max_depth=3, random_state=0).fit(case.rows, case.outcomes)
    model = held_to_its_original(dlx.wrap_trees(forest, case), case.rows)
    assert model.schema is case.schema and model.witness is not None
    before, copied = model.predict(case, "probability"), pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied.original(case.rows), model.original(case.rows))
    forest.fit(case.rows, 1 - case.outcomes)
    np.testing.assert_array_equal(model.predict(case, "probability"), before)
    np.testing.assert_allclose(model.original(case.rows), forest.predict_proba(case.rows)[:, 1])
    with pytest.raises(FidelityError, match="was fitted again or changed since it was wrapped"):
        explain(model, case[:3], method="tree_shap", background=case[3:9], scale="probability")


def test_a_booster_that_was_trained_for_the_other_outcome_is_refused_where_outcomes_are_at_hand():
    case = worlds.table("numeric")
    named = dataclasses.replace(case.schema, target=Target("outcome", levels=("good", "bad")))
    table = xgboost.DMatrix(case.rows, case.outcomes)
    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1}, table, 5)
    held_to_its_original(dlx.wrap_trees(booster, dataclasses.replace(case, schema=named)), case.rows)
    turned = dataclasses.replace(case, schema=named, outcomes=1 - case.outcomes)
    with pytest.raises(DlxError, match="ranks the outcomes the wrong way round"):
        dlx.wrap_trees(booster, turned)
    with pytest.raises(DlxError, match="ranks the outcomes the wrong way round"):
        dlx.wrap_trees(booster, named, check=turned)


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


class Doubtful(ensemble.RandomForestClassifier):
    def predict_proba(self, rows):
        return super().predict_proba(rows) ** 2


class Doubled(ensemble.HistGradientBoostingClassifier):
    def _raw_predict(self, rows, n_threads=None):
        return 2 * super()._raw_predict(rows, n_threads)


class Renamed(TransformerMixin, ensemble.RandomForestClassifier):
    def fit(self, rows, outcomes):
        return super().fit(rows, outcomes)


def changed_by_hand():
    fitted = ensemble.RandomForestClassifier(3).fit(KNOWN, CLASS)
    fitted.predict_proba = lambda rows: np.full((len(rows), 2), 0.5)
    return fitted


def test_a_subclass_is_read_if_it_predicts_what_its_class_predicts():
    same(Renamed(5, random_state=0).fit(KNOWN, CLASS))
    for make, name in (
        (lambda: Doubtful(3).fit(KNOWN, CLASS), "Doubtful changes predict_proba of RandomForestClassifier"),
        (lambda: Doubled(max_iter=3).fit(KNOWN, CLASS), "Doubled changes _raw_predict of HistGradientBoosting"),
        (changed_by_hand, "changes predict_proba of RandomForestClassifier, so its trees .* dlx.wrap takes"),
    ):
        with pytest.raises(DlxError, match=name):
            dlx.wrap_trees(make(), BINARY)


STUMPS = tree.DecisionTreeClassifier(max_depth=2)


@pytest.mark.parametrize(
    "estimator",
    [
        ensemble.AdaBoostClassifier(STUMPS),
        ensemble.AdaBoostRegressor(n_estimators=3),
        ensemble.BaggingClassifier(STUMPS, max_features=0.6),
        ensemble.BaggingRegressor(),
        ensemble.VotingClassifier([("a", STUMPS)], voting="soft"),
        ensemble.StackingClassifier([("a", STUMPS)]),
        ensemble.IsolationForest(n_estimators=3),
        ensemble.RandomTreesEmbedding(n_estimators=3),
        CalibratedClassifierCV(STUMPS),
        GridSearchCV(STUMPS, {"max_depth": [1]}),
        make_pipeline(StandardScaler(), STUMPS),
        OneVsRestClassifier(STUMPS),
        MultiOutputClassifier(STUMPS),
        lightgbm.LGBMRanker(n_jobs=1, n_estimators=2, verbose=-1),
        xgboost.XGBRanker(n_estimators=2),
    ],
    ids=kind_of,
)
def test_what_is_no_plain_sum_of_its_trees_is_refused_with_the_way_out(estimator):
    outcomes = CLASS[:, None] if isinstance(estimator, MultiOutputClassifier) else CLASS
    how = {"LGBMRanker": {"group": [600]}, "XGBRanker": {"qid": np.zeros(600)}}.get(kind_of(estimator), {})
    fitted = estimator.fit(KNOWN, outcomes, **how)
    for schema in (BINARY, REGRESSION):
        with pytest.raises(DlxError, match=f"{kind_of(fitted)} is not a fitted sum of trees; dlx.wrap takes"):
            dlx.wrap_trees(fitted, schema)


@pytest.mark.parametrize(
    "estimator",
    [
        *(tree.DecisionTreeRegressor, ensemble.RandomForestClassifier, ensemble.HistGradientBoostingClassifier),
        *(ensemble.GradientBoostingRegressor, xgboost.XGBClassifier, lightgbm.LGBMRegressor),
    ],
)
def test_what_is_not_fitted_yet_is_refused(estimator):
    with pytest.raises(DlxError, match=f"{estimator.__name__} is not a fitted sum of trees: call its fit first"):
        dlx.wrap_trees(estimator(), BINARY)


def own_objective(outcomes, predicted):
    return predicted - outcomes, np.ones_like(outcomes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: xgboost.XGBRegressor(n_estimators=2).fit(KNOWN, KNOWN[:, :2]), "XGBoost must have one output, got 2"),
        (
            lambda: xgboost.XGBRegressor(n_estimators=2, multi_strategy="multi_output_tree").fit(KNOWN, KNOWN[:, :2]),
            "XGBoost must have one output, got 2",
        ),
        (
            lambda: xgboost.XGBClassifier(n_estimators=2).fit(KNOWN, np.arange(600) % 3),
            "of two classes .* it has 1 of 3 classes",
        ),
        (
            lambda: xgboost.XGBClassifier(n_estimators=2, objective=own_objective).fit(KNOWN, CLASS),
            "an objective of XGBoost's",
        ),
        (
            lambda: xgboost.XGBClassifier(n_estimators=2, objective="binary:hinge").fit(KNOWN, CLASS),
            "gbtree for binary:hinge",
        ),
        (xgboost.Booster, "Booster holds trees that dlx cannot read"),
        (
            lambda: lightgbm.LGBMClassifier(n_jobs=1, n_estimators=2, objective=own_objective).fit(KNOWN, CLASS),
            "an unnamed objective",
        ),
        (
            lambda: lightgbm.LGBMClassifier(n_jobs=1, pred_early_stop=True).fit(KNOWN, CLASS),
            "leave out pred_early_stop",
        ),
        (
            lambda: lightgbm.LGBMClassifier(n_jobs=1, n_estimators=2).fit(KNOWN, np.arange(600) % 3),
            "of two classes .* it has 1 of 3",
        ),
        (
            lambda: lightgbm.train({"objective": "multiclass", "num_class": 3}, lightgbm.Dataset(KNOWN, CLASS), 2),
            "one output, got 3",
        ),
        (
            lambda: ensemble.RandomForestRegressor(2).fit(KNOWN, KNOWN[:, :2]),
            "must have one output, got 2",
        ),
        (lambda: ensemble.RandomForestClassifier(2).fit(KNOWN, np.zeros(600)), "it has 1 of 1 classes"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning:lightgbm")
def test_what_an_estimator_predicts_otherwise_is_refused(make, message):
    made = make()
    for schema in (BINARY, REGRESSION):
        with pytest.raises(DlxError, match=message) as raised:
            dlx.wrap_trees(made, schema)
        assert "\n" not in str(raised.value)


def test_regressions_for_an_objective_of_ones_own_predict_the_sum_of_their_trees():
    same(lightgbm.LGBMRegressor(n_jobs=1, n_estimators=9, objective=own_objective, verbose=-1).fit(ROWS, SCORE))
    same(xgboost.XGBRegressor(n_estimators=9, objective=own_objective).fit(ROWS, SCORE))


def many_classes():
    return ensemble.RandomForestClassifier(3).fit(KNOWN, np.arange(600) % 3)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (lambda: LogisticRegression().fit(KNOWN, CLASS), "LogisticRegression is not a fitted sum of trees; dlx.wrap takes"),
        (ensemble.RandomForestClassifier, "RandomForestClassifier is not a fitted sum of trees"),
        (lambda: np.mean, "trees must be of sklearn, xgboost, lightgbm, catboost, got a .*; dlx.wrap takes anything"),
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


def test_categories_that_are_not_codes_are_refused():
    frame = pd.DataFrame(KNOWN, columns=[feature.name for feature in COLUMNS])
    frame["kind"] = pd.Categorical(frame["kind"].map(lambda code: "pqrstuvwx"[int(code)]))
    with pytest.raises(DlxError, match="column 3 must be fitted as codes"):
        trees_of(ensemble.HistGradientBoostingClassifier(max_iter=2).fit(frame, CLASS))
    with pytest.raises(DlxError, match="LightGBM must be fitted on codes"):
        trees_of(lightgbm.LGBMClassifier(n_jobs=1, n_estimators=2, verbose=-1).fit(frame, CLASS))
    with pytest.raises(DlxError, match="XGBoost must be fitted on codes"):
        trees_of(xgboost.XGBClassifier(n_estimators=2, enable_categorical=True).fit(frame, CLASS))


def test_objectives_and_boosters_that_do_not_add_up_are_refused():
    for objective in ("count:poisson", "reg:gamma"):
        with pytest.raises(DlxError, match=f"got a gbtree for {objective}"):
            trees_of(xgboost.XGBRegressor(n_estimators=2, objective=objective).fit(ROWS, SCORE + 20))
    with pytest.raises(DlxError, match="got a gblinear"):
        trees_of(xgboost.train({"booster": "gblinear", "verbosity": 0}, xgboost.DMatrix(KNOWN, SCORE), 2))
    for objective, said in (("poisson", "poisson"), ("regression", "regression sqrt")):
        fitted = lightgbm.LGBMRegressor(n_jobs=1, objective=objective, reg_sqrt=True, verbose=-1).fit(ROWS, SCORE + 20)
        with pytest.raises(DlxError, match=f"got {said}"):
            trees_of(fitted)
    linear = lightgbm.LGBMRegressor(n_jobs=1, n_estimators=2, linear_tree=True, verbose=-1).fit(ROWS, SCORE)
    with pytest.raises(DlxError, match="must have constant leaves"):
        trees_of(linear)
