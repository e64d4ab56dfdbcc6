"""People who weigh something else, of each kind of target, the same repeated, and a model that reads the weights."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pandas as pd

from dlx import training
from dlx.dataset import from_frame
from dlx.schema import infer_schema


@functools.cache
def weighted(kind):
    """People who weigh 1 to 3, of each kind of target; a column says in which part they are."""
    rng, count = np.random.default_rng(0), 360
    table = pd.DataFrame({"debt": rng.integers(0, 8, count), "height": rng.integers(0, 8, count)})
    table["sex"] = rng.choice(["f", "m"], count, p=[0.6, 0.4])
    table["town"] = rng.choice(["a", "b", "c"], count, p=[0.5, 0.3, 0.2])
    score = 0.5 * (table["debt"] - 3.5) + (table["sex"] == "m") + 0.2 * table["height"] - 0.7 + rng.logistic(size=count)
    classes = np.digitize(score, (-0.7, 0.7) if kind == "class" else (0.0,))
    table["y"] = score.round(3) if kind == "value" else np.array(["a", "b", "c"])[classes]
    schema = infer_schema(table, "y")
    table["times"], table["part"] = rng.integers(1, 4, count), np.array(["train", "validation", "test"])[np.arange(count) % 3]
    own = {"sex": {"protected": True}, "debt": {"actionable": True}, "height": {"actionable": True}}
    features = tuple(dataclasses.replace(feature, **own.get(feature.name, {})) for feature in schema.features)
    decided = {} if kind == "value" else {"threshold": 0.5, "adverse_action": kind == "binary"}
    target = dataclasses.replace(schema.target, **decided)
    schema = dataclasses.replace(schema, features=features, target=target, weights="times", split="column:part")
    return from_frame(table, schema, name=kind)


def repeated(case):
    """The same people, each as often as they weigh."""
    rows = case[np.repeat(np.arange(len(case)), case.weights.astype(int))]
    schema = dataclasses.replace(case.schema, weights="")
    return dataclasses.replace(rows, schema=schema, weights=None, index=np.arange(len(rows)))


@functools.cache
def model(kind):
    """A model that reads the weights."""
    found = training.train(weighted(kind), "decision_tree" if kind == "value" else "logistic_regression").model
    return found.of("b") if kind == "class" else found
