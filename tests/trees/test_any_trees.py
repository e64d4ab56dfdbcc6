"""Whatever was fitted on whatever table: wrapped trees predict what their library predicts, and share it out exactly."""

from __future__ import annotations

import warnings

import lightgbm
import numpy as np
import oracles
import pandas as pd
import pytest
import xgboost
from hypothesis import given
from hypothesis import strategies as st
from sklearn import ensemble, tree

import dlx
from dlx.kernels.trees import leaf_values
from dlx.schema import Feature, Schema, Target

pytestmark = pytest.mark.doors

OUTCOMES = {("good", "bad"): 0, ("bad", "good"): 1, ("0", "1"): 1, ("False", "True"): 1}  # levels, and the positive class


@st.composite
def tables(draw):
    """Columns of any size and precision, one of them categories, with or without gaps, and how they are called."""
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    count, width = draw(st.integers(25, 120)), draw(st.integers(1, 3))
    rows = rng.normal(size=(count, width)) * 10.0 ** draw(st.integers(-3, 9)) + draw(st.sampled_from([0, 1e3, 1.7e9]))
    rows = np.round(rows, draw(st.sampled_from([0, 2, 12])))
    levels = draw(st.sampled_from([2, 7, 40, 1000]))
    rows = np.column_stack([rows, rng.integers(levels, size=count)])
    rows[rng.random(rows.shape) < draw(st.sampled_from([0, 0.1]))] = np.nan
    signal = np.nan_to_num(rows)
    score = np.argsort(np.argsort(signal[:, 0])) / count + signal[:, -1] % 3 + rng.normal(size=count)
    return rows, score, draw(st.permutations(range(width + 1)))


def grown(draw, kind, is_classifier, categorical):
    """An estimator of a kind that is not fitted yet, and what its fit is told."""
    trees, depth = draw(st.integers(1, 12)), draw(st.integers(1, 8))
    task = "Classifier" if is_classifier else "Regressor"
    if kind in ("DecisionTree", "ExtraTree"):
        return getattr(tree, kind + task)(max_depth=depth), {}
    if kind in ("RandomForest", "ExtraTrees"):
        return getattr(ensemble, kind + task)(trees, max_depth=depth), {}
    if kind == "GradientBoosting":
        return getattr(ensemble, kind + task)(n_estimators=trees, max_depth=min(depth, 4)), {}
    if kind == "HistGradientBoosting":
        options = {"max_iter": trees, "min_samples_leaf": draw(st.integers(1, 9)), "categorical_features": categorical or None}
        return getattr(ensemble, kind + task)(**options), {}
    if kind == "LGBM":
        options = {"min_child_samples": draw(st.integers(1, 9)), "zero_as_missing": draw(st.booleans())}
        options |= {"cat_smooth": 1, "min_data_per_group": 3, "n_jobs": 1, "verbose": -1}
        made = getattr(lightgbm, kind + task)(n_estimators=trees, num_leaves=depth + 1, **options)
        return made, {"categorical_feature": categorical or "auto"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # XGBoost 3.4 means to leave out its forests, which people have
        made = getattr(xgboost, kind + task)(n_estimators=trees, max_depth=depth, n_jobs=1)
    return made.set_params(missing=draw(st.sampled_from([np.nan, 0.0]))), {}


KINDS = ("DecisionTree", "ExtraTree", "RandomForest", "ExtraTrees", "GradientBoosting", "HistGradientBoosting")


@given(
    st.data(), tables(), st.sampled_from((*KINDS, "LGBM", "XGB", "XGBRF")), st.sampled_from((None, *OUTCOMES)), st.booleans()
)
def test_it_predicts_and_is_explained_as_by_its_library(data, table, kind, levels, named):
    rows, score, order = table
    if kind == "GradientBoosting":
        rows = np.nan_to_num(rows)
    if kind == "HistGradientBoosting":
        rows[:, -1] %= 255
    if kind.startswith("XGB") and levels is not None:
        levels = ("0", "1")
    names = [f"c{i}" for i in range(rows.shape[1])]
    seen = pd.DataFrame(rows, columns=names).iloc[:, order] if named else rows
    categorical = [order.index(len(names) - 1) if named else len(names) - 1] * data.draw(st.booleans())
    estimator, told = grown(data.draw, kind, levels is not None, categorical)
    if kind.startswith("XGB") and categorical:
        types = ["c" if i in categorical else "q" for i in range(len(names))]
        estimator.set_params(enable_categorical=True, feature_types=types)
    estimator.fit(seen, score if levels is None else outcomes(score, levels), **told)
    model = dlx.wrap_trees(estimator, schema_of(names, levels, bool(categorical)))
    known = unseen_too(rows, bool(categorical), model.trees.reading.takes_missing)
    off = np.abs(model.predict(known, model.scales[0]) - model.original(known))
    assert off.max() <= model.rounding
    if levels is not None and not kind.startswith(("XGB", "LGBM")):
        theirs = estimator.predict_proba(pd.DataFrame(known, columns=names).iloc[:, order] if named else known)
        np.testing.assert_allclose(model.predict(known, "probability"), theirs[:, OUTCOMES[levels]], rtol=0, atol=1e-9)
    people, background = known[-2:], known[:4]
    values = leaf_values(model.trees, people, background)
    expected = oracles.shapley(oracles.Original(model), people, background, model.scales[0])
    np.testing.assert_allclose(values, expected, rtol=0, atol=10 * model.rounding)


def outcomes(score, levels):
    """Outcomes 0 and 1, False and True or by their names; whoever has a high score has the positive one."""
    high = score > np.median(score)
    if levels == ("False", "True"):
        return high
    return high.astype(int) if levels == ("0", "1") else np.where(high, levels[1], levels[0])


def schema_of(names, levels, has_categories):
    kinds = [Feature(name, missing=True) for name in names]
    if has_categories:
        kinds[-1] = Feature(names[-1], "categorical", levels=tuple(map(str, range(2000))), missing=True)
    return Schema(tuple(kinds), Target("y", "regression") if levels is None else Target("y", levels=levels))


def unseen_too(rows, has_categories, takes_missing):
    """The rows it was fitted on, others near them, with gaps where there were none, and codes that nobody has."""
    rng = np.random.default_rng(0)
    others = rows[::-1] * rng.choice([1, 1 + 1e-9, 0.5], size=rows.shape)
    others[:, -1] = rng.integers(2000, size=len(rows)) if has_categories else others[:, -1]
    known = np.vstack([rows, others, np.where(rng.random(rows.shape) < 0.3, np.nan, rows)])
    return known if takes_missing else np.nan_to_num(known)
