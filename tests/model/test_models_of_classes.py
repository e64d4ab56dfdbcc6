"""Models of several classes: of each a model of two, held to the user's own predict_proba."""

from __future__ import annotations

import re
import warnings

import catboost
import lightgbm
import numpy as np
import oracles
import pytest
import wines
import worlds
import xgboost
from sklearn import ensemble, linear_model, tree
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import dlx
from dlx.comparison import faithfulness
from dlx.errors import DlxError
from dlx.model import BlackBox, TreeModel, wrap_trees

LIGHT = {"verbose": -1, "n_jobs": 1, "n_estimators": 4}
CAT = {"verbose": 0, "allow_writing_files": False, "iterations": 4, "depth": 3}
READ = {
    "forest": ensemble.RandomForestClassifier(4, max_depth=4, random_state=0),
    "extra trees": ensemble.ExtraTreesClassifier(4, max_depth=4, random_state=0),
    "one tree": tree.DecisionTreeClassifier(max_depth=3, random_state=0),
    "in a pipeline": make_pipeline(StandardScaler(), ensemble.RandomForestClassifier(4, max_depth=4, random_state=0)),
    "searched": GridSearchCV(ensemble.RandomForestClassifier(4, random_state=0), {"max_depth": [2, 3]}, cv=2),
    "LightGBM, each against the others": lightgbm.LGBMClassifier(objective="multiclassova", **LIGHT),
    "its forest": lightgbm.LGBMClassifier(
        objective="multiclassova", boosting_type="rf", bagging_freq=1, bagging_fraction=0.7, **LIGHT
    ),
    "CatBoost, each against the others": catboost.CatBoostClassifier(loss_function="MultiClassOneVsAll", **CAT),
}
SOFTMAX = r"\w+ turns 3 sums of trees into probabilities together \(softmax\), so that no class by itself is a sum of trees"
ASKED = {
    "boosting": (ensemble.GradientBoostingClassifier(n_estimators=3), SOFTMAX),
    "histograms": (ensemble.HistGradientBoostingClassifier(max_iter=3), SOFTMAX),
    "XGBoost": (xgboost.XGBClassifier(n_estimators=3, n_jobs=1), SOFTMAX),
    "LightGBM": (lightgbm.LGBMClassifier(**LIGHT), SOFTMAX),
    "CatBoost": (catboost.CatBoostClassifier(loss_function="MultiClass", **CAT), SOFTMAX),
    "logistic": (linear_model.LogisticRegression(max_iter=2_000), "one of 3 classes is no sum over columns"),
    "calibrated": (
        CalibratedClassifierCV(tree.DecisionTreeClassifier(max_depth=2), ensemble=False, cv=2),
        "its calibration divides the classes by their sum, after which nothing adds up",
    ),
}


def fitted(estimator, *, on_codes=False):
    """An estimator of the training rows of the wines; XGBoost asks for codes of classes."""
    train = wines.wines().train
    outcomes = train.outcomes.astype(int) if isinstance(estimator, xgboost.XGBClassifier) else wines.named(train)
    return estimator.fit(train.rows if on_codes else train.table[wines.COLUMNS], outcomes)


@pytest.mark.doors
@pytest.mark.parametrize("name", READ)
def test_trees_that_add_up_for_each_class_are_read_for_each(name):
    case, estimator = wines.wines(), fitted(READ[name])
    truth = estimator.predict_proba(case.test.table[wines.COLUMNS])
    open_one = dlx.wrap(estimator, case, name="mine", trained_on=case.train)
    rows, background = case.test.rows[:2], case.rows[:3]
    with pytest.raises(DlxError, match="mine answers for each"):
        open_one.predict(case, "probability")
    for place, level in enumerate(wines.LEVELS):
        model = open_one.of(level)
        assert isinstance(model, TreeModel) and model.target == level and model.route.startswith("Read as a sum of")
        assert model.of(level) is model and model.name == "mine" and len(model.trained_on) == len(case.train)
        np.testing.assert_allclose(model.predict(case.test, "probability"), truth[:, place], rtol=0, atol=1e-12)
        made = dlx.explain(model, rows, method="tree_shap", background=background, scale=model.scales[0])
        brute = oracles.shapley(model.behind, rows, background, model.scales[0])
        np.testing.assert_allclose(made.values, brute, rtol=0, atol=1e-9)
    direct = dlx.wrap(estimator, case.of_class(wines.LEVELS[0]))
    assert isinstance(direct, TreeModel) and isinstance(direct.of(wines.LEVELS[1]), TreeModel)
    np.testing.assert_allclose(direct.probabilities(case.test), truth / truth.sum(axis=1, keepdims=True), rtol=0, atol=1e-12)


@pytest.mark.doors
@pytest.mark.parametrize("name", ASKED)
def test_what_of_several_classes_is_no_sum_is_asked_and_says_why(name):
    estimator, why = ASKED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of scikit-learn: a fold of calibration
        fitted(estimator)
    of_class = dlx.wrap(estimator, wines.wines().of_class("barolo"))
    assert isinstance(of_class, BlackBox) and re.fullmatch(f"Only asked for predictions: {why}.", of_class.route)
    assert isinstance(of_class.of("barbera"), BlackBox) and of_class.of("barbera").route == of_class.route


def test_a_scale_that_was_asked_for_holds_for_every_class():
    estimator = fitted(READ["LightGBM, each against the others"])
    asked = dlx.wrap(estimator, wines.wines(), scale="probability").of("barolo")
    assert asked.scales[0] == "probability" and "it adds up on the scale 'logit'" in asked.route
    with pytest.raises(DlxError, match="must have one output, of two classes or a regression; it has 1 of 3 classes"):
        wrap_trees(estimator, wines.wines())


def test_a_model_of_all_classes_says_each_of_them():
    case, fitted = wines.wines(), wines.forest()
    model, truth = dlx.wrap(fitted, case), fitted.predict_proba(case.test.table)
    assert tuple(fitted.classes_) == wines.LEVELS
    np.testing.assert_allclose(model.probabilities(case.test), truth)
    for place, level in enumerate(wines.LEVELS):
        of_one, of_case = model.of(level), dlx.wrap(fitted, case.of_class(level))
        assert of_one.target == of_case.target == level and of_one.of(level) is of_one
        np.testing.assert_allclose(of_one.predict(case.test, "probability"), truth[:, place], rtol=0, atol=1e-15)
        np.testing.assert_allclose(of_case.predict(case.test, "probability"), truth[:, place], rtol=0, atol=1e-15)
        np.testing.assert_allclose(of_one.probabilities(case.test), truth)
    with pytest.raises(DlxError, match=r"answers for each of barbera, barolo, grignolino; say .*: model\.of\('grignolino'\)"):
        model.predict(case.test, "probability")


def test_a_model_of_one_class_is_not_that_of_another():
    case = wines.wines()
    model = dlx.wrap(lambda t: wines.forest().predict_proba(t)[:, 1], case.of_class("barolo"), name="mine")
    assert model.target == "barolo"
    with pytest.raises(
        DlxError, match=r"mine answers for 'barolo' alone; wrap it once more: dlx\.wrap\(\.\.\., target='barbera'\)"
    ):
        model.of("barbera")


def test_a_model_of_two_classes_has_both_probabilities():
    case, model = worlds.table("numeric"), worlds.linear("numeric")
    yes = model.predict(case, "probability")
    np.testing.assert_array_equal(model.probabilities(case), np.column_stack([1 - yes, yes]))


def test_an_explanation_of_a_class_adds_up_to_its_probability():
    case = wines.wines().of_class("barolo")
    model = dlx.wrap(wines.logistic(), case)
    made = dlx.explain(model, case.test[:2], method="kernel_shap", background=case.background(5), scale="probability")
    assert made.target == "barolo"
    np.testing.assert_allclose(made.base_values + made.values.sum(axis=1), model.predict(case.test[:2], "probability"))


def test_explain_asks_for_the_class_or_is_told():
    case, model = wines.wines(), wines.models()[0]
    asked = {"method": "exact_shapley", "background": case.background(5), "scale": "probability"}
    with pytest.raises(DlxError, match="timid answers for each of barbera, barolo, grignolino; say for which"):
        dlx.explain(model, case.test[:2], **asked)
    made, same = (
        dlx.explain(model, case.test[:2], target="barolo", **asked),
        dlx.explain(model.of("barolo"), case.test[:2], **asked),
    )
    assert made.target == "barolo"
    np.testing.assert_array_equal(made.values, same.values)
    with pytest.raises(DlxError, match="must share the target but do not"):
        dlx.compare([made, dlx.explain(model, case.test[:2], target="barbera", **asked)])
    with pytest.raises(DlxError, match=r"timid answers for 'barbera', but 'barolo' was explained; pass model\.of"):
        faithfulness(model.of("barbera"), [made], case.background(5))
