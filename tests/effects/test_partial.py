"""Partial dependence: known shapes, levels, missing values, and scikit-learn's brute force."""

from __future__ import annotations

import numpy as np
import pytest
import worlds
from sklearn.ensemble import RandomForestClassifier
from sklearn.inspection import partial_dependence as reference
from sklearn.linear_model import LogisticRegression

from dlx.dataset import Dataset
from dlx.effects.partial import GRID_POINTS, partial_dependence
from dlx.model import BlackBox, LinearModel, TreeModel, wrap
from dlx.schema import Feature, Schema, SchemaError, Target

EFFECT = {"rent": 0.5, "own": -2.0, "free": 1.0, None: 4.0}


def additive(people):
    """Return a sum of one effect a column."""
    housing = people["housing"].map(lambda level: EFFECT[level] if level in EFFECT else EFFECT[None])
    return people["income"].fillna(9.0) ** 2 + np.sin(people["age"]) + housing.astype(float)


@pytest.fixture
def model():
    return BlackBox(additive, worlds.MIXED, "additive", scales=("logit", "probability"))


def test_additive_model_gives_the_shape_of_each_column(model):
    people = worlds.table("mixed")
    age, income, housing = (partial_dependence(model, people, f, scale="logit") for f in ("age", "income", "housing"))
    for effect, known in (
        (age, np.sin(age.grid)),
        (income, np.where(np.isnan(income.grid), 9, income.grid) ** 2),
        (housing, np.array([0.5, -2, 1, 4])),
    ):
        shape = effect.curves - effect.curves[:, :1]  # [rows, points]: the same shape for everybody
        np.testing.assert_allclose(shape, np.tile(known - known[0], (len(people), 1)), atol=1e-10)
        np.testing.assert_allclose(effect.mean, effect.curves.sum(axis=0) / len(people))
    assert (age.feature, age.scale, age.model) == (worlds.MIXED["age"], "logit", "additive")


def test_missing_is_a_point_of_the_grid_where_someone_lacks_the_value(model):
    case = worlds.table("mixed")
    complete = case[~np.isnan(case.rows[:, :2]).any(axis=1)]
    for people, missing in ((case, [np.nan]), (complete, [])):
        housing = partial_dependence(model, people, "housing", scale="logit")
        np.testing.assert_array_equal(housing.grid, [0, 1, 2, *missing])
        income = partial_dependence(model, people, "income", scale="logit")
        assert np.isnan(income.grid).sum() == np.isnan(income.grid[-1]) == len(missing)
    unknown = Dataset(case.schema, np.where(np.arange(5) == 0, np.nan, case.rows))
    np.testing.assert_array_equal(partial_dependence(model, unknown, "income", scale="logit").grid, [np.nan])


def test_table_speaks_the_words_of_the_schema(model):
    effect = partial_dependence(model, worlds.table("mixed"), "housing", scale="logit")
    table = effect.to_frame()
    assert list(table["value"]) == ["rent", "own", "free", "missing"]
    np.testing.assert_array_equal(table["mean"], effect.mean)
    np.testing.assert_allclose(table["quartile_low"], np.percentile(effect.curves, 25, axis=0))
    np.testing.assert_allclose(table["quartile_high"], np.percentile(effect.curves, 75, axis=0))
    income = partial_dependence(model, worlds.table("mixed"), "income", scale="logit").to_frame()
    assert income["value"].iloc[0].endswith(" EUR") and income["value"].iloc[-1] == "missing"


@pytest.mark.parametrize("points", [2, 7, None])
def test_grid_is_made_of_values_that_people_have(model, points):
    people = worlds.table("mixed")
    ages = people.rows[:, 2]
    options = {} if points is None else {"grid_points": points}
    grid = partial_dependence(model, people, "age", scale="logit", **options).grid
    assert len(grid) == (points or GRID_POINTS) and np.isin(grid, ages).all() and (np.diff(grid) > 0).all()
    assert (grid[0], grid[-1]) == (ages.min(), ages.max())
    few = Dataset(people.schema, np.where(np.arange(5) == 2, np.round(np.clip(people.rows, -1, 1)), people.rows))
    np.testing.assert_array_equal(partial_dependence(model, few, "age", scale="logit").grid, [-1, 0, 1])


@pytest.mark.parametrize("kind", worlds.MODELS)
@pytest.mark.parametrize("scale", ["logit", "probability"])
def test_column_that_no_model_uses_has_no_effect(kind, world, scale):
    model, people = worlds.model(kind, world), worlds.table(world)
    effect = partial_dependence(model, people, "idle", scale=scale)
    alike = np.tile(model.predict(people, scale)[:, None], len(effect.grid))
    np.testing.assert_allclose(effect.curves, alike, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("estimator", "feature"),
    [(LogisticRegression(), "age"), (RandomForestClassifier(4, max_depth=5, random_state=0), "debt")],
)
def test_equals_scikit_learn_on_a_wrapped_estimator(estimator, feature):
    people = worlds.table("numeric")
    fitted = estimator.fit(people.frame, people.outcomes)
    model = wrap(fitted, people)
    assert isinstance(model, (LinearModel, TreeModel))
    effect = partial_dependence(model, people, feature, scale="probability")
    expected = reference(fitted, people.frame, [feature], method="brute", kind="both", custom_values={feature: effect.grid})
    np.testing.assert_allclose(effect.mean, expected["average"][0], atol=1e-12)
    np.testing.assert_allclose(effect.curves, expected["individual"][0], atol=1e-12)


def test_callable_is_wrapped_on_its_own_scale():
    schema = Schema((Feature("rooms"), Feature("noise")), Target("price", "regression"))
    people = np.random.default_rng(0).normal(size=(50, 2))
    model = wrap(lambda table: 3 * table["rooms"] * table["noise"], schema)
    effect = partial_dependence(model, people, "rooms", scale="value")
    np.testing.assert_allclose(effect.curves, 3 * np.outer(people[:, 1], effect.grid))


@pytest.mark.parametrize("form", [lambda d: d, lambda d: d.frame, lambda d: d.rows.copy()])
def test_rows_come_in_any_form_and_are_left_as_they_are(model, form):
    case = worlds.table("mixed")
    people = form(case)
    found = partial_dependence(model, people, "age", scale="logit").curves
    np.testing.assert_array_equal(found, partial_dependence(model, case, "age", scale="logit").curves)
    after = people.rows if isinstance(people, Dataset) else people
    np.testing.assert_array_equal(model.schema.encode(after) if hasattr(after, "columns") else after, case.rows)


def test_unknown_feature_is_refused(model):
    with pytest.raises(SchemaError, match="no feature 'nosuch'; the features are income, housing, age, sex, idle"):
        partial_dependence(model, worlds.table("mixed"), "nosuch", scale="logit")
