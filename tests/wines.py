"""Wines of three cultivars, from scikit-learn: a case of several classes, and models that were fitted on it."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dlx.dataset import Dataset, from_frame
from dlx.schema import infer_schema

CULTIVARS = ("barolo", "grignolino", "barbera")
LEVELS = tuple(sorted(CULTIVARS))


@functools.cache
def table() -> pd.DataFrame:
    """Return 178 wines with their cultivar, by name."""
    found = load_wine(as_frame=True).frame.rename(columns=lambda name: name.split("/")[0])
    return found.assign(cultivar=np.array(CULTIVARS)[found.pop("target")])


@functools.cache
def wines() -> Dataset:
    """Return the case of three classes."""
    return from_frame(table(), infer_schema(table(), "cultivar"), name="wine")


def named(case: Dataset) -> np.ndarray:
    """Return the cultivar of each row as text."""
    return np.array(LEVELS)[case.whole.outcomes.astype(int)]


@functools.cache
def forest() -> RandomForestClassifier:
    """Return a small forest of the training rows."""
    train = wines().train
    return RandomForestClassifier(10, max_depth=4, random_state=0).fit(train.table, named(train))


@functools.cache
def logistic() -> LogisticRegression:
    """Return a logistic regression of the training rows."""
    train = wines().train
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1)).fit(train.table, named(train))
