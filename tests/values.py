"""A small table whose outcome is a value, from scikit-learn's diabetes, and models of it: what tests of values share."""

from __future__ import annotations

import functools

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import dlx
from dlx.dataset import from_frame
from dlx.schema import Feature, Schema, Target

NUMBERS = ("age", "bmi", "bp", "s5")
SCHEMA = Schema(
    (
        Feature("age", unit="years", protected=True),
        Feature("sex", "categorical", levels=("female", "male"), protected=True),
        Feature("bmi", label="Body mass index", actionable=True, direction="down"),
        Feature("bp", label="Blood pressure", unit="mmHg", actionable=True, direction="down"),
        Feature("s5", label="Log triglycerides", actionable=True),
    ),
    Target("progression", kind="regression", label="disease progression", unit="points", person="patient"),
)


@functools.cache
def frame() -> pd.DataFrame:
    """Return the table as its users have it."""
    table = load_diabetes(as_frame=True, scaled=False).frame.rename(columns={"target": "progression"})
    return table.assign(sex=table["sex"].map({1.0: "female", 2.0: "male"}))[[*SCHEMA.names, "progression"]]


@functools.cache
def case():
    """Return the case."""
    return from_frame(frame(), SCHEMA, name="diabetes")


@functools.cache
def model(kind: str):
    """Return a model of the training rows: "boosted", as trees, or "ridge", as a linear model."""
    train = case().train
    columns = make_column_transformer((OneHotEncoder(), ["sex"]), ("passthrough", list(NUMBERS)))
    fitted = {"boosted": GradientBoostingRegressor(n_estimators=30, max_depth=2, random_state=0), "ridge": Ridge()}[kind]
    table = frame().loc[train.index, list(SCHEMA.names)]
    return dlx.wrap(make_pipeline(columns, fitted).fit(table, train.outcomes), case(), name=kind, trained_on=train)
