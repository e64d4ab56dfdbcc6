"""Wines of three cultivars, from scikit-learn: a case of several classes, and models that were fitted on it."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from dlx.dataset import Dataset, from_frame
from dlx.model import Model, wrap
from dlx.schema import infer_schema

COLUMNS = ["alcohol", "flavanoids", "color_intensity", "hue", "proline"]
CULTIVARS = ("barolo", "grignolino", "barbera")
LEVELS = tuple(sorted(CULTIVARS))


@functools.cache
def table() -> pd.DataFrame:
    """Return 178 wines with five of their columns and the cultivar, by name."""
    data, target = load_wine(as_frame=True, return_X_y=True)
    return data[COLUMNS].assign(cultivar=np.array(CULTIVARS)[target])


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
def logistic(strength: float = 0.1) -> Pipeline:
    """Return a logistic regression of the training rows; the stronger, the surer."""
    train = wines().train
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength)).fit(train.table, named(train))


def quick(strength: float) -> Callable[[pd.DataFrame], np.ndarray]:
    """Return what a logistic regression predicts, as a function that is asked thousands of times in no time."""
    scaler, fitted = logistic(strength)
    weights = fitted.coef_.T / scaler.scale_[:, None]
    start = fitted.intercept_ - scaler.mean_ @ weights
    return lambda table: softmax(table.to_numpy() @ weights + start, axis=1)


@functools.cache
def models() -> tuple[Model, ...]:
    """Return two models of all classes, one that is never sure and one that always is."""
    strengths = {"timid": 0.02, "sure": 100.0}
    return tuple(wrap(quick(one), wines(), name=name, trained_on=wines().train) for name, one in strengths.items())
