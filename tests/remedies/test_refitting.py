"""Estimators of the user's own, fitted again with a remedy: held to what scikit-learn itself fits on the table so changed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import dlx
from dlx.dataset import from_frame
from dlx.model import LinearModel
from dlx.remedies import RemedyError, fix
from dlx.schema import infer_schema

N = 300
RNG = np.random.default_rng(5)
TABLE = pd.DataFrame(
    {"income": RNG.lognormal(3, 0.5, N).round(1), "age": RNG.integers(20, 70, N), "sex": RNG.choice(["f", "m"], N)}
)
TABLE["town"] = RNG.choice(list("abcdef"), N, p=[0.03, 0.5, 0.02, 0.4, 0.02, 0.03])
TABLE["y"] = np.where(TABLE["income"] / 20 + TABLE["age"] / 50 + RNG.normal(size=N) > 2.2, "yes", "no")
SCHEMA = infer_schema(TABLE, "y", positive="yes")
SCHEMA = dataclasses.replace(SCHEMA, features=tuple(dataclasses.replace(f, protected=f.name == "sex") for f in SCHEMA.features))
CASE = from_frame(TABLE, SCHEMA)
TRAIN = TABLE.loc[CASE.train.index]
X, NUMBERS, LEVELS = TRAIN.drop(columns="y"), ["income", "age"], ["sex", "town"]


def pipeline(last, numbers=NUMBERS, levels=LEVELS):
    steps = ((StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore"), levels))
    return make_pipeline(make_column_transformer(*steps), last)


def own(last=None, **said):
    fitted = pipeline(LogisticRegression() if last is None else last).fit(TABLE.drop(columns="y"), TABLE["y"])
    return dlx.wrap(fitted, CASE, name="mine", **said)


def chances(fitted, table):
    return fitted.predict_proba(table)[:, 1]


def told(model):
    return model.predict(CASE.test, "probability")


TEST = TABLE.loc[CASE.test.index].drop(columns="y")


def test_a_column_left_out_is_none_that_the_estimator_was_never_shown():
    fixed = fix(CASE, own(), drop=["income", "town"])
    before, after = pipeline(LogisticRegression()), pipeline(LogisticRegression(), ["age"], ["sex"])
    np.testing.assert_allclose(told(fixed.before), chances(before.fit(X, TRAIN["y"]), TEST), atol=1e-6)
    np.testing.assert_allclose(told(fixed.model), chances(after.fit(X, TRAIN["y"]), TEST), atol=1e-3)  # of an intercept more
    assert isinstance(fixed.before, LinearModel) and "Only asked for predictions" in fixed.model.route
    table = fixed.before_after(background=10, people=8)
    assert set(table.query("topic == 'explanations' and of == 'income'")["after"]) == {0.0}
    assert fixed.words == ["left out: income; town"] and not fixed.can_be_kept


def test_levels_are_merged_with_the_most_frequent_and_rows_weighed():
    fixed = fix(CASE, own(), merge=20, reweigh="outcome")
    rare = TRAIN["town"].value_counts().pipe(lambda counts: counts[counts < 20].index)
    most = TRAIN.loc[TRAIN["town"].isin(rare), "town"].value_counts().idxmax()
    merged = [table.assign(town=table["town"].where(~table["town"].isin(rare), most)) for table in (X, TEST)]
    weights = TRAIN["y"].map(len(TRAIN) / 2 / TRAIN["y"].value_counts())
    expected = pipeline(LogisticRegression()).fit(merged[0], TRAIN["y"], logisticregression__sample_weight=weights)
    assert len(rare) > 1
    np.testing.assert_allclose(told(fixed.model), chances(expected, merged[1]), atol=1e-9)
    alone = fix(CASE, own(), reweigh="sex").model
    assert isinstance(alone, LinearModel) and np.abs(told(alone) - told(fixed.before)).max() > 1e-4


def test_who_was_trained_on_the_training_rows_is_the_model_before_and_recalibration_is_ours():
    forest = RandomForestClassifier(20, random_state=0, min_samples_leaf=5)
    fitted = pipeline(forest).fit(X, TRAIN["y"])
    model = dlx.wrap(fitted, CASE, name="mine", trained_on="train")
    fixed = fix(CASE, model, recalibrate=True, reweigh="outcome")
    assert fixed.before is model and np.abs(told(fixed.model) - told(model)).max() > 1e-3
    assert fix(CASE, own(clone(forest)), drop=["sex"]).before is not model


@pytest.mark.parametrize(
    ("model", "remedy", "said"),
    [
        (
            lambda: own(KNeighborsClassifier()),
            {"reweigh": "outcome"},
            "fit of KNeighborsClassifier takes no sample_weight; fit it",
        ),
        (own, {"monotone": {"age": 1}}, "bound to rise or fall by its own option: monotonic_cst"),
        (lambda: dlx.wrap(lambda t: t["age"] / 100, CASE, name="rule"), {"drop": ["age"]}, "rule is not: pass a name"),
        (own, {"drop": ["agee"]}, "did you mean 'age'"),
        (lambda: own(Moody()), {"drop": ["age"]}, "mine cannot be fitted again as it is: ValueError: not today; fit it again"),
    ],
)
def test_what_cannot_be_fitted_again_says_what_to_do(model, remedy, said):
    with pytest.raises(RemedyError, match=said):
        fix(CASE, model(), **remedy)


class Moody(LogisticRegression):
    """An estimator that is fitted once only."""

    times = 0

    def fit(self, *given, **said):
        Moody.times += 1
        if Moody.times > 1:
            raise ValueError("not today")
        return super().fit(*given, **said)


def test_the_command_fixes_an_estimator_of_one_s_own(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    TABLE.to_csv("loans.csv", index=False)
    (tmp_path / "mine.py").write_text(
        "import pandas as pd\nfrom sklearn.linear_model import LogisticRegression\n"
        "table = pd.read_csv('loans.csv')\nlinear = LogisticRegression().fit(table[['income', 'age']], table['y'])\n"
    )
    asked = ("fix", "loans.csv", "--target", "y", "--model", "mine.py:linear", "--drop", "income", "--trained-on", "train")
    ended = run(*asked, "--background", "10")
    assert ended.status == 0 and ended.out[-2].startswith("loans/linear-0-fixed-")
    assert "is not kept as a checkpoint" in ended.out[-1]
    assert set(pd.read_csv(ended.out[-2]).query("of == 'income'")["after"]) == {0.0}
