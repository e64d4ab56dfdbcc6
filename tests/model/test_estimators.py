"""Whose probability a number is: by the names of classes, by position where that is known, else refused."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestRegressor, VotingClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

import dlx
from dlx.errors import DlxError
from dlx.model import ScaleError, wrap
from dlx.schema import Feature, Schema, Target

pytestmark = pytest.mark.doors
ROWS = 240
FRAME = pd.DataFrame(np.random.default_rng(0).normal(size=(ROWS, 3)), columns=list("abc"))
BAD = FRAME["a"] + 0.5 * np.random.default_rng(1).normal(size=ROWS) > 0
WORDS = np.where(BAD, "bad", "good")  # libraries sort them the other way than the schema does
FEATURES = tuple(map(Feature, "abc"))
CASE = dlx.from_frame(FRAME.assign(y=WORDS), Schema(FEATURES, Target("y", levels=("good", "bad"))))
FITTED = LogisticRegression().fit(FRAME, WORDS)
P_BAD = FITTED.predict_proba(FRAME)[:, 0]
METALS = np.array(["gold", "silver", "bronze"])[pd.qcut(FRAME["a"], 3, labels=False)]
OF_METALS = LogisticRegression().fit(FRAME, METALS)


def metals(*levels):
    return dlx.from_frame(FRAME.assign(y=METALS), Schema(FEATURES, Target("y", "multiclass", levels=levels)))


def predicts(model, truth):
    np.testing.assert_allclose(model.predict(FRAME, "probability"), truth, atol=1e-9)


@pytest.mark.parametrize(
    "estimator",
    [FITTED, SVC(), LinearSVC(), RidgeClassifier(), make_pipeline(StandardScaler(), SVC())],
    ids=lambda e: str(e)[:9],
)
@pytest.mark.parametrize("case", [CASE, CASE.schema], ids=["case", "schema"])
def test_a_margin_speaks_for_the_second_of_the_librarys_classes(estimator, case):
    margin = estimator.fit(FRAME, WORDS).decision_function
    predicts(wrap(margin, case, scale="logit"), expit(-margin(FRAME)))
    predicts(wrap(functools.partial(margin), case, scale="logit"), expit(-margin(FRAME)))
    predicts(wrap(margin, case, scale="logit", target="good"), expit(margin(FRAME)))


class OneColumn(ClassifierMixin, BaseEstimator):
    """An estimator that gives the probability of its second class alone."""

    def fit(self, table, outcomes):
        self.inner_ = LogisticRegression().fit(table, outcomes)
        self.classes_ = self.inner_.classes_
        return self

    def predict_proba(self, table):
        return self.inner_.predict_proba(table)[:, 1]


def test_one_column_of_probabilities_speaks_for_the_second_class():
    model = OneColumn().fit(FRAME, WORDS)
    predicts(wrap(model, CASE), P_BAD)
    predicts(wrap(model, CASE, target="good"), 1 - P_BAD)
    predicts(wrap(model, CASE.schema, scale="logit"), P_BAD)


@pytest.mark.parametrize("target", ["gold", "silver", "bronze"])
def test_columns_that_have_names_are_found_by_these(target):
    truth = OF_METALS.predict_proba(FRAME)[:, list(OF_METALS.classes_).index(target)]
    for order in (["gold", "silver", "bronze"], ["bronze", "gold", "silver"]):

        def named(t, order=order):
            return pd.DataFrame(OF_METALS.predict_proba(t), columns=OF_METALS.classes_)[order]

        predicts(wrap(named, metals("silver", "bronze", "gold"), target=target), truth)
    predicts(wrap(functools.partial(OF_METALS.predict_proba), metals("silver", "bronze", "gold"), target=target), truth)
    with pytest.raises(DlxError, match="the classes of the target, 'good', 'bad'; it has 'p_bad', 'p_good'"):
        wrap(lambda t: pd.DataFrame(FITTED.predict_proba(t), columns=["p_bad", "p_good"]), CASE)


def test_columns_without_names_are_taken_by_position_where_that_is_known():
    def columns(table):
        return FITTED.predict_proba(table)

    with pytest.raises(DlxError, match="gives columns without names, and what was taken for 'bad' ranks"):
        wrap(columns, CASE)
    predicts(wrap(lambda t: columns(t)[:, ::-1], CASE), P_BAD)
    with pytest.raises(DlxError, match=r"gives 2 columns without names, and libraries sort .*return the column of 'bad' alone"):
        wrap(columns, CASE.schema, check=FRAME)
    predicts(wrap(lambda t: columns(t)[:, ::-1], CASE.schema, target=1), P_BAD)  # the column that was asked for
    with pytest.raises(DlxError, match="gives 3 columns without names"):
        wrap(lambda t: OF_METALS.predict_proba(t) + 0.0, metals("silver", "bronze", "gold"), target="gold")
    predicts(
        wrap(lambda t: OF_METALS.predict_proba(t) + 0.0, metals("bronze", "gold", "silver"), target="gold"),
        OF_METALS.predict_proba(FRAME)[:, 1],
    )


def test_what_is_no_log_odds_of_one_class_is_refused_on_that_scale():
    with pytest.raises(ScaleError, match="returned 2 columns, which are probabilities, as they sum to 1"):
        wrap(lambda t: FITTED.predict_proba(t) + 0.0, CASE, scale="logit")
    with pytest.raises(ScaleError, match="returned 3 columns, which are no log-odds of one class against the others"):
        wrap(OF_METALS.decision_function, metals("bronze", "gold", "silver"), target="gold", scale="logit")
    for scale in (None, "logit"):
        with pytest.raises(DlxError, match="predict_log_proba of LogisticRegression gives logarithms of probabilities"):
            wrap(FITTED.predict_log_proba, CASE, scale=scale)


def test_a_regression_of_zero_and_one_speaks_for_one():
    for_one = RandomForestRegressor(9, random_state=0).fit(FRAME, BAD)
    predicts(wrap(for_one, CASE), for_one.predict(FRAME))
    for levels in (("1", "0"), ("True", "False")):
        with pytest.raises(DlxError, match=r"predicts the mean of 0 and 1, which is not the probability of '(0|False)'"):
            wrap(for_one, Schema(FEATURES, Target("y", levels=levels)))
    for_good = RandomForestRegressor(9, random_state=0).fit(FRAME, ~BAD)
    with pytest.raises(DlxError, match="predicts a number without a class, and what was taken for 'bad' ranks"):
        wrap(for_good, CASE)


def test_a_target_is_a_position_as_a_number_and_a_level_as_text():
    outcomes = pd.qcut(FRAME["a"], 3, labels=False) + 1
    fitted = LogisticRegression().fit(FRAME, outcomes)
    schema = Schema(FEATURES, Target("y", "multiclass", levels=("1", "2", "3")))
    for target, column in (("1", 0), (0, 0), (1, 1), ("3", 2), (np.int64(2), 2)):
        predicts(wrap(fitted, schema, target=target), fitted.predict_proba(FRAME)[:, column])
    with pytest.raises(DlxError, match="target must be 0 to 2, got 3; a level is passed as text: target='3'"):
        wrap(fitted, schema, target=3)
    truth = LogisticRegression().fit(FRAME, BAD)
    flags = Schema(FEATURES, Target("y", levels=("False", "True")))
    predicts(wrap(truth, flags, target=False), truth.predict_proba(FRAME)[:, 0])
    with pytest.raises(DlxError, match=r"got 'gld'; the levels are .*did you mean 'gold'"):
        wrap(OF_METALS, metals("bronze", "gold", "silver"), target="gld")


def test_a_method_bears_the_name_of_its_model_and_a_classifier_is_no_regression():
    for method in (FITTED.predict_proba, functools.partial(FITTED.predict_proba), FITTED):
        assert wrap(method, CASE).name == "LogisticRegression"
        with pytest.raises(DlxError, match="LogisticRegression is a classifier, but the target is the value of a regression"):
            wrap(method, Schema(FEATURES, Target("y", "regression")))


def test_an_estimator_of_other_columns_is_refused_and_numbers_are_no_names():
    other = FRAME.set_axis(["u", "v", "w"], axis=1)
    with pytest.raises(DlxError, match="reads columns that the table lacks: u, v, w; the table has a, b, c"):
        wrap(LogisticRegression().fit(other, WORDS), CASE)
    with pytest.raises(DlxError, match=r"VotingClassifier has no predict_proba, .* wrap a function that gives numbers$"):
        wrap(VotingClassifier([("one", LogisticRegression())]).fit(FRAME, WORDS), CASE)


@pytest.mark.parametrize(
    ("give", "got"),
    [
        (lambda t: t["a"] + 1j, r"got np.complex128\("),
        (lambda t: t["a"].astype(str), "got '"),
        (lambda t: pd.to_datetime(t["a"], unit="s"), "got np.datetime64"),
        (lambda t: [10**400] * len(t), "got 1000"),
        (lambda _: {"a": 1}, "got dict"),
        (lambda t: (x for x in t["a"]), "got generator"),
    ],
)
def test_what_is_no_number_is_refused_in_a_line(give, got):
    with pytest.raises(DlxError, match=f"must return numbers, {got}") as refused:
        wrap(give, Schema(FEATURES, Target("y", "regression")), check=FRAME)
    assert "\n" not in str(refused.value)


def test_a_masked_number_is_none_and_a_row_that_was_squeezed_is_one():
    values = Schema(FEATURES, Target("y", "regression"))
    with pytest.raises(DlxError, match="must return finite numbers, got nan"):
        wrap(lambda t: np.ma.masked_array(t["a"].to_numpy(), t["a"] > 0), values, check=FRAME)
    squeezed = wrap(lambda t: (t.to_numpy() @ np.ones((3, 1))).squeeze(), values, check=FRAME)
    made = dlx.explain(squeezed, FRAME[:1], method="exact_shapley", background=FRAME[1:2], scale="value")
    np.testing.assert_allclose(made.values, FRAME[:1].to_numpy() - FRAME[1:2].to_numpy())


def test_arrays_that_a_model_gets_are_its_own_and_in_one_piece():
    import torch

    class Centred(BaseEstimator):
        def fit(self, rows, _):
            self.n_features_in_, self.mean_ = rows.shape[1], rows.mean(axis=0)
            return self

        def predict(self, rows):
            rows -= self.mean_
            return rows[:, 0]

    values = dlx.from_frame(FRAME.assign(y=FRAME["a"]), Schema(FEATURES, Target("y", "regression")))
    centred = Centred().fit(FRAME.to_numpy(), None)
    np.testing.assert_allclose(wrap(centred, values).predict(values, "value"), FRAME["a"] - FRAME["a"].mean())
    tensors = wrap(lambda t: torch.as_tensor(t.to_numpy().copy()).sum(dim=1), values)
    np.testing.assert_allclose(tensors.predict(values, "value"), FRAME.sum(axis=1))
    half = wrap(lambda t: torch.tensor(t["a"].to_numpy().copy()).bfloat16(), values)
    np.testing.assert_allclose(half.predict(values, "value"), FRAME["a"], rtol=0.01)
