"""A table on which explainers are fooled, and an honest model of it."""

from __future__ import annotations

import functools

import numpy as np
import worlds

import dlx
from dlx.dataset import Dataset
from dlx.schema import Feature, Schema


@functools.cache
def related() -> Dataset:
    """Return people whose columns go together, so that whoever mixes them is noticed; `sex` is protected."""
    rng = np.random.default_rng(0)
    size, hidden = 900, rng.normal(size=900)
    noisy = [np.round(hidden + rng.normal(scale=0.25, size=size), 1) for _ in range(4)]
    votes = [rng.integers(2, size=size).astype(float) for _ in range(4)]
    sex = rng.integers(2, size=size).astype(float)
    features = [Feature(f"x{i}") for i in range(4)] + [Feature(f"v{i}", "categorical", levels=("a", "b")) for i in range(4)]
    features += [Feature("sex", "categorical", levels=("f", "m"), protected=True)]
    outcomes = (hidden + rng.normal(size=size) > 0).astype(float)
    return Dataset(Schema(tuple(features), worlds.TARGET), np.column_stack([*noisy, *votes, sex]), outcomes, name="related")


def honest_net():
    """Return an honest model of the related table: smooth in its numbers, with one vote."""

    def score(people):
        return people["x0"] + 0.5 * people["x1"] + 0.3 * (people["v0"] == "a")

    return dlx.wrap(score, related().schema, name="honest", scale="logit")
