"""People of whom a model decides by sex, age and debt, and whose height tells their sex."""

from __future__ import annotations

import functools

import numpy as np

from dlx import training
from dlx.dataset import Dataset
from dlx.model import BlackBox
from dlx.schema import Feature, Schema, Target

SCHEMA = Schema(
    (
        Feature("sex", "categorical", levels=("f", "m"), level_labels=("women", "men"), protected=True),
        Feature("age", unit="years", protected=True, cuts=(30, 50)),
        Feature("income", missing=True, missing_label="not told", protected=True),
        Feature("debt"),
        Feature("height"),
        Feature("mixed", "categorical", levels=("a", "b"), protected=True, no_groups="Its codes were mixed up."),
    ),
    Target("bad", levels=("no", "yes"), threshold=0.4, fairness_by=("age", "sex")),
)


@functools.cache
def case(size: int = 1_500) -> Dataset:
    """Return people whose height tells their sex, and whose outcome depends on debt, age and sex."""
    rng = np.random.default_rng(4)
    sex, age = rng.integers(2, size=size), rng.integers(18, 80, size=size).astype(float)
    age[:3] = 30, 50, 51
    income, debt = rng.normal(size=size), rng.normal(size=size)
    income[rng.random(size) < 0.3] = np.nan
    height = sex + rng.normal(scale=0.5, size=size)
    rows = np.column_stack([sex, age, income, debt, height, rng.integers(2, size=size)])
    logits = 1.2 * debt + 0.8 * sex - 0.02 * (age - 45) - 0.6
    return Dataset(SCHEMA, rows, (rng.random(size) < 1 / (1 + np.exp(-logits))).astype(float), name="people")


@functools.cache
def model(architecture: str = "gradient_boosting"):
    config = {"max_epochs": 4, "hidden": 16} if architecture == "mlp" else {}
    return training.train(case(), architecture, device="cpu", config=config).model


def saying(score, scales=("probability",)) -> BlackBox:
    return BlackBox(score, SCHEMA, "told", scales=scales)
