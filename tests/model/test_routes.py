"""The fastest exact route: what is read of an estimator is what it predicts, and its Shapley values are those of that."""

from __future__ import annotations

import functools
import re

import catboost
import lightgbm
import numpy as np
import oracles
import pandas as pd
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn import ensemble, linear_model, tree
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import KNNImputer, MissingIndicator, SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import LinearSVC

import dlx
from dlx.model import BlackBox, LinearModel, TreeModel

pytestmark = pytest.mark.doors
ROWS = 240
NUMBERS, WORDS = ["income", "age", "children"], ["job", "grade"]


@functools.cache
def people(kind="binary", native=False):
    """A table with gaps, integers, text and a pandas category, as its columns, its outcome and a Dataset."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "income": rng.gamma(2, size=ROWS).round(3),
            "age": rng.normal(40, 9, ROWS),
            "children": rng.integers(0, 5, ROWS),
            "job": rng.choice(["clerk", "smith", "none"], ROWS),
            "grade": pd.Categorical(rng.choice(["low", "mid", "top"], ROWS), ["low", "mid", "top"], ordered=True),
        }
    )
    table.loc[rng.random(ROWS) < 0.15, "income"] = np.nan
    table.loc[rng.random(ROWS) < 0.15, "job"] = None
    if native:
        table["job"] = table["job"].astype("category")
    score = table["income"].fillna(2) + 0.1 * (table["age"] - 40) * (table["job"] == "smith") + (table["grade"] == "top") - 2
    outcome = score + rng.normal(size=ROWS) / 3
    outcome = outcome if kind == "regression" else (outcome > 0).astype(int)
    whole = table.assign(y=outcome)
    return table, outcome, dlx.from_frame(whole, dlx.infer_schema(whole, "y"))


def ordinal():
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)


ON_NUMBERS = {
    "scaled": lambda: make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()),
    "filled last": lambda: make_pipeline(MinMaxScaler(), SimpleImputer(strategy="constant", fill_value=-1.5)),
    "splines": lambda: make_pipeline(SimpleImputer(strategy="median"), SplineTransformer(4)),
    "bins": lambda: make_pipeline(
        SimpleImputer(), KBinsDiscretizer(4, encode="ordinal", quantile_method="averaged_inverted_cdf")
    ),
    "bins apart": lambda: make_pipeline(SimpleImputer(), KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf")),
    "ranks": lambda: make_pipeline(SimpleImputer(), QuantileTransformer(n_quantiles=20)),
    "logarithms": lambda: make_pipeline(SimpleImputer(), FunctionTransformer(np.abs), FunctionTransformer(np.log1p)),
    "powers": lambda: make_pipeline(SimpleImputer(), PowerTransformer(), VarianceThreshold()),
    "beside gaps": lambda: make_union(SimpleImputer(), MissingIndicator(features="all")),
    "of its own": lambda: make_pipeline(
        SimpleImputer(),
        ColumnTransformer(
            [("p", PolynomialFeatures(3), [0]), ("f", FunctionTransformer(lambda x: x % 3), [2])], remainder="drop"
        ),
    ),
}
ON_WORDS = {
    "one-hot": lambda: make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")),
    "one-hot with gaps": lambda: OneHotEncoder(drop="first", sparse_output=False),
    "rare together": lambda: OneHotEncoder(min_frequency=70, handle_unknown="infrequent_if_exist"),
    "ordinal": ordinal,
    "of the target": TargetEncoder,
}
CLASSIFIERS = {
    "logistic": lambda: linear_model.LogisticRegression(solver="newton-cholesky"),
    "discriminant": LinearDiscriminantAnalysis,
    "one tree": lambda: tree.DecisionTreeClassifier(max_depth=5, random_state=0),
    "forest": lambda: ensemble.RandomForestClassifier(6, max_depth=5, random_state=0),
    "boosting": lambda: ensemble.GradientBoostingClassifier(n_estimators=6, random_state=0),
    "histograms": lambda: ensemble.HistGradientBoostingClassifier(max_iter=6),
    "xgboost": lambda: xgboost.XGBClassifier(n_estimators=6, max_depth=4, n_jobs=1),
    "lightgbm": lambda: lightgbm.LGBMClassifier(n_estimators=6, verbose=-1, n_jobs=1),
    "calibrated": lambda: CalibratedClassifierCV(LinearSVC(), ensemble=False, cv=2),
    "calibrated forest": lambda: CalibratedClassifierCV(
        ensemble.RandomForestClassifier(4, max_depth=4, random_state=0), ensemble=False, cv=2
    ),
    "searched": lambda: GridSearchCV(linear_model.LogisticRegression(solver="newton-cholesky"), {"C": [0.1, 1]}, cv=2),
}
REGRESSORS = {
    "ridge": linear_model.Ridge,
    "forest": lambda: ensemble.RandomForestRegressor(6, max_depth=5, random_state=0),
    "xgboost": lambda: xgboost.XGBRegressor(n_estimators=6, max_depth=4, n_jobs=1),
}


def pipeline(numbers, words, last, *, is_sparse=False):
    parts = [("numbers", ON_NUMBERS[numbers](), NUMBERS), ("words", ON_WORDS[words](), WORDS)]
    return make_pipeline(ColumnTransformer(parts, sparse_threshold=float(is_sparse)), last)


def held(model, case, kind):
    """What was read is what the estimator predicts, and its values those by enumeration through the estimator's own predict."""
    assert isinstance(model, kind), model.route
    method = {LinearModel: "linear_shap", TreeModel: "tree_shap"}[kind]
    scale, rows, background = model.scales[0], case.rows[:2], case.rows[40:43]
    made = dlx.explain(model, rows, method=method, background=background, scale=scale)
    limit = max(1e-9, 20 * getattr(model, "rounding", 0.0))
    np.testing.assert_allclose(made.values, oracles.shapley(model.behind, rows, background, scale), rtol=0, atol=limit)
    own = model.scales[-1] if model.scales[0] == "logit" else model.scales[0]
    np.testing.assert_allclose(model.predict(case, own), model.behind.predict(case, own), rtol=0, atol=limit)
    assert len(repr(model).splitlines()) == 3 and model.route in repr(model) and model.route.startswith("Read as")
    return made


@settings(max_examples=16)
@given(
    st.sampled_from(sorted(ON_NUMBERS)), st.sampled_from(sorted(ON_WORDS)), st.sampled_from(sorted(CLASSIFIERS)),
    st.booleans(),
)  # fmt: skip
@pytest.mark.filterwarnings(
    "ignore::UserWarning:sklearn", "ignore::FutureWarning:sklearn", "ignore:X does not have valid:UserWarning"
)
def test_a_pipeline_that_keeps_columns_apart_is_read_exactly(numbers, words, last, is_sparse):
    table, outcome, case = people()
    fitted = pipeline(numbers, words, CLASSIFIERS[last](), is_sparse=is_sparse and last != "histograms").fit(table, outcome)
    is_linear = last in ("logistic", "discriminant", "calibrated", "searched")
    held(dlx.wrap(fitted, case), case, LinearModel if is_linear else TreeModel)


@pytest.mark.parametrize("last", REGRESSORS)
@pytest.mark.parametrize("words", ["one-hot", "of the target"])
def test_a_pipeline_of_values_is_read_exactly(words, last):
    table, outcome, case = people("regression")
    fitted = pipeline("splines", words, REGRESSORS[last]()).fit(table, outcome)
    held(dlx.wrap(fitted, case), case, LinearModel if last == "ridge" else TreeModel)


@pytest.mark.parametrize(
    "make",
    [
        lambda: xgboost.XGBClassifier(n_estimators=8, enable_categorical=True, n_jobs=1),
        lambda: lightgbm.LGBMClassifier(n_estimators=8, verbose=-1, n_jobs=1),
        lambda: ensemble.HistGradientBoostingClassifier(max_iter=8),
    ],
)
def test_boosters_on_pandas_categories_are_read_exactly(make):
    table, outcome, case = people(native=True)
    fitted = make().fit(table, outcome)
    model = dlx.wrap(fitted, case)
    made = held(model, case, TreeModel)
    assert model.trees.has_set.any()
    again = dlx.explain(
        model, case.rows[:2], method="tree_shap", background=case.rows[40:43], scale="logit", implementation="reference"
    )
    np.testing.assert_allclose(made.values, again.values, atol=1e-6)


def test_boosters_without_their_estimators_are_read_exactly():
    table, outcome, case = people(native=True)
    options = {"objective": "binary:logistic", "nthread": 1}
    by_xgboost = xgboost.train(options, xgboost.DMatrix(table, outcome, enable_categorical=True), 6)
    data = lightgbm.Dataset(table, outcome)
    by_lightgbm = lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, data, 6)
    for booster in (by_xgboost, by_lightgbm):
        held(dlx.wrap(booster, case), case, TreeModel)


@pytest.mark.parametrize("options", [{}, {"nan_mode": "Max"}])
def test_catboost_is_read_exactly_on_numbers_with_gaps(options):
    table, outcome, _ = people()
    numbers = table[NUMBERS]
    whole = numbers.assign(y=outcome)
    case = dlx.from_frame(whole, dlx.infer_schema(whole, "y"))
    booster = catboost.CatBoostClassifier(iterations=8, depth=3, verbose=0, allow_writing_files=False, **options)
    held(dlx.wrap(booster.fit(numbers, outcome), case), case, TreeModel)


def test_the_negative_outcome_is_the_other_way_round():
    table, outcome, case = people()
    for last, kind in (("logistic", LinearModel), ("forest", TreeModel), ("calibrated", LinearModel)):
        fitted = pipeline("scaled", "one-hot", CLASSIFIERS[last]()).fit(table, outcome)
        model = dlx.wrap(fitted, case, target=0)
        assert held(model, case, kind) and model.target == "0"
        np.testing.assert_allclose(model.predict(case, "probability"), fitted.predict_proba(table)[:, 0], atol=1e-9)


def test_a_decision_function_on_the_log_odds_is_read():
    table, outcome, case = people()
    fitted = make_pipeline(pipeline("scaled", "one-hot", LinearSVC())).fit(table, outcome)
    model = dlx.wrap(fitted.decision_function, case, scale="logit")
    held(model, case, LinearModel)
    np.testing.assert_allclose(model.predict(case, "logit"), fitted.decision_function(table), atol=1e-9)


class Halved(TransformerMixin, BaseEstimator):
    def fit(self, *_):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def transform(self, rows):
        return np.asarray(rows) / 2


class Steep(linear_model.LogisticRegression):
    def predict_proba(self, rows):
        chance = expit(2 * self.decision_function(rows))
        return np.column_stack([1 - chance, chance])


def on_numbers(*steps):
    return ColumnTransformer([("numbers", make_pipeline(SimpleImputer(), *steps), NUMBERS)])


LOGISTIC = CLASSIFIERS["logistic"]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: make_pipeline(on_numbers(StandardScaler(), PCA(2)), LOGISTIC()), "PCA may mix columns"),
        (lambda: make_pipeline(on_numbers(PolynomialFeatures(2)), LOGISTIC()), "PolynomialFeatures may mix columns"),
        (lambda: make_pipeline(on_numbers(Halved()), LOGISTIC()), "Halved may mix columns"),
        (
            lambda: make_pipeline(on_numbers(FunctionTransformer(lambda x: x - x.mean(axis=1, keepdims=True))), LOGISTIC()),
            "FunctionTransformer may mix columns",
        ),
        (
            lambda: make_pipeline(ColumnTransformer([("n", KNNImputer(), NUMBERS)]), LOGISTIC()),
            "KNNImputer may mix columns",
        ),
        (lambda: make_pipeline(on_numbers(), KNeighborsClassifier()), "KNeighborsClassifier is neither a sum of trees nor lin"),
        (
            lambda: make_pipeline(on_numbers(), Steep(solver="newton-cholesky")),
            "another model: of row .* it predicts .*, Pipeline itself .*bability",
        ),
        (lambda: CalibratedClassifierCV(make_pipeline(on_numbers(), LOGISTIC()), cv=2), "the mean of 2 calibrated models"),
        (
            lambda: CalibratedClassifierCV(make_pipeline(on_numbers(), LOGISTIC()), cv=2, ensemble=False, method="isotonic"),
            "its calibration is isotonic",
        ),
        (
            lambda: CalibratedClassifierCV(
                make_pipeline(on_numbers(), CLASSIFIERS["xgboost"]()), cv=2, ensemble=False, method="sigmoid"
            ),
            "its calibration bends its probabilities",
        ),
        (
            lambda: make_pipeline(on_numbers(), ensemble.AdaBoostClassifier(n_estimators=3)),
            "AdaBoostClassifier is neither a sum of trees nor linear",
        ),
    ],
)
def test_what_cannot_be_read_is_asked_and_says_why(make, why):
    table, outcome, case = people()
    fitted = make().fit(table, outcome)
    model = dlx.wrap(fitted, case)
    assert isinstance(model, BlackBox) and model.scales[0] == "probability"
    assert re.match(f"Only asked for predictions: .*{why}.*[.]$", model.route), model.route
    np.testing.assert_allclose(model.predict(case, "probability"), fitted.predict_proba(table)[:, 1])


def test_a_scale_that_was_asked_for_and_rows_that_are_lacking_leave_it_a_black_box():
    table, outcome, case = people()
    fitted = pipeline("scaled", "one-hot", LOGISTIC()).fit(table, outcome)
    assert dlx.wrap(fitted, case.schema).route.startswith("Only asked for predictions: no rows are at hand")
    held(dlx.wrap(fitted, case.schema, check=table), case, LinearModel)
    asked = dlx.wrap(fitted, case, scale="probability")
    assert isinstance(asked, BlackBox) and "'probability' was asked for" in asked.route
    assert dlx.wrap(lambda t: fitted.predict_proba(t)[:, 1], case).route.startswith("Only asked for predictions: of a function")


def test_what_is_fitted_again_is_noticed():
    table, outcome, case = people()
    fitted = pipeline("scaled", "one-hot", LOGISTIC()).fit(table, outcome)
    model = dlx.wrap(fitted, case)
    fitted.fit(table, 1 - outcome)
    with pytest.raises(dlx.model.FidelityError, match="was fitted again or changed since it was wrapped"):
        dlx.explain(model, case[:3], method="linear_shap", background=case[3:9], scale="logit")


def test_columns_that_are_picked_in_any_way_keep_their_owners():
    table, outcome, case = people()
    numbers = table[NUMBERS].fillna(0)
    whole = numbers.assign(y=outcome)
    case = dlx.from_frame(whole, dlx.infer_schema(whole, "y"))
    union = FeatureUnion([("same", "passthrough"), ("bins", KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"))])
    mask = np.array([False, False, True])
    picked = ColumnTransformer(
        [("slice", StandardScaler(), slice(0, 1)), ("mask", union, mask), ("last", "passthrough", [-2])],
        remainder=MinMaxScaler(),
    )
    by_kind = ColumnTransformer(
        [("whole", StandardScaler(), make_column_selector(dtype_include="int64"))], remainder="passthrough"
    )
    for columns in (picked, by_kind):
        for last, kind in (("logistic", LinearModel), ("forest", TreeModel)):
            fitted = make_pipeline(columns, CLASSIFIERS[last]()).fit(numbers, outcome)
            held(dlx.wrap(fitted, case), case, kind)
            fitted = (
                make_pipeline(columns, CLASSIFIERS[last]()).fit(numbers.to_numpy(), outcome) if columns is picked else fitted
            )
            held(dlx.wrap(fitted, case), case, kind)


def test_a_column_that_no_part_asks_for_may_be_lacking():
    table, outcome, _ = people()
    whole = table[NUMBERS].fillna(0).assign(y=outcome)
    case, with_outcome = dlx.from_frame(whole, dlx.infer_schema(whole, "y")), whole[["y", *NUMBERS]]
    for asked in (NUMBERS[:2], [1, 2], slice("income", "age"), slice(1, 3), [False, True, True, False]):
        columns = ColumnTransformer([("some", StandardScaler(), asked), ("none", "drop", ["y"])])
        fitted = make_pipeline(columns, LOGISTIC()).fit(with_outcome, outcome)
        model = dlx.wrap(fitted, case)
        held(model, case, LinearModel)
        np.testing.assert_allclose(model.predict(case, "probability"), fitted.predict_proba(with_outcome)[:, 1])
        assert (model.coefficients != 0).sum() == 2 and model.encoder.owner.tolist() == [0, 1]
    fitted = make_pipeline(ColumnTransformer([("all", StandardScaler(), ["y", "age"])]), LOGISTIC())
    with pytest.raises(dlx.errors.DlxError, match="reads columns that the table lacks: y, the target;"):
        dlx.wrap(fitted.fit(with_outcome, outcome), case)
