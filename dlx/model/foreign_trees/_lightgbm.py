"""LightGBM's trees, from the text that a booster saves: left is up to the threshold, or a set of categories."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

import numpy as np

from dlx.errors import DlxError
from dlx.model.base import Scale
from dlx.model.foreign_trees import WAY_OUT, Foreign, classes_of, kind_of, known_class, softmax_of
from dlx.trees import LEAF, Reading, bits_of, concatenate

KNOWN = ("LGBMClassifier", "LGBMRegressor", "Booster")
_ZERO = float(np.float32(1e-35))  # what counts as zero
_REGRESSIONS = ("regression", "regression_l1", "huber", "fair", "quantile", "mape")
_CATEGORICAL, _DEFAULT_LEFT = 1, 2  # of the bits of a decision; the two above say what is missing
_NONE, _AS_ZERO = 0, 1

Text = dict[str, str]


def read(estimator: Any, table: Any = None, place: int | None = None) -> Foreign:
    """Return what is to be known of a fitted estimator or booster, of a table's categories and one of several classes."""
    is_classifier = known_class(estimator, "lightgbm", KNOWN).__name__.endswith("Classifier")
    booster, classes = _booster(estimator), classes_of(estimator, place, is_classifier=is_classifier)
    head, trees = _parsed(booster.model_to_string())
    count, objective = int(head["num_tree_per_iteration"]), head.get("objective", "")
    if count > 1 and place is None:
        raise DlxError(f"LightGBM must have one output, got {count}; {WAY_OUT}")
    if objective.startswith("multiclass "):
        raise softmax_of(estimator, count)
    trees = trees[place if count > 1 else 0 :: count]  # a tree of each class in turn
    if any(int(tree.get("is_linear", 0)) for tree in trees):
        raise DlxError("LightGBM must have constant leaves: fit it without linear_tree")
    listed = json.loads(head["pandas_categorical"]) or []
    grouped = [i for i, dtype in enumerate(getattr(table, "dtypes", ())) if str(dtype) == "category"]
    if len(grouped) != len(listed) and any(levels != list(range(len(levels))) for levels in listed):
        raise DlxError("LightGBM must be fitted on codes 0, 1, 2, ...: pass an array of them, and categorical_feature=[...]")
    if hasattr(estimator, "get_params") and estimator.get_params().get("pred_early_stop"):
        raise DlxError(f"{kind_of(estimator)} must predict with all of its trees: leave out pred_early_stop")
    scale, factor = _scale(objective, is_classifier=is_classifier)
    factor /= len(trees) if "average_output" in head else 1
    together = concatenate([_grown(tree, factor) for tree in trees], reading=Reading("float64", _zeros(trees)))
    names, count = list(booster.feature_name()), int(booster.num_feature())
    categories = dict(zip(grouped, listed, strict=False))
    return Foreign(together, scale, partial(_raw, estimator, factor, place), names, count, classes, categories=categories)


def _booster(estimator: Any) -> Any:
    return estimator.booster_ if hasattr(type(estimator), "booster_") else estimator


def _raw(estimator: Any, factor: float, place: int | None, rows: np.ndarray) -> np.ndarray:
    raw = factor * np.asarray(_booster(estimator).predict(rows, raw_score=True), dtype=np.float64)
    return raw[:, place] if raw.ndim > 1 else raw


def _parsed(text: str) -> tuple[Text, list[Text]]:
    """Return what a saved booster says of itself, and of each of its trees."""
    head, *trees = (
        {key: value for key, _, value in (line.partition("=") for line in part.splitlines())}
        for part in text.partition("\nend of trees")[0].split("\nTree=")
    )
    levels = re.search(r"^pandas_categorical:(.*)$", text, re.MULTILINE)
    return head | {"pandas_categorical": levels[1] if levels else "null"}, trees


def _scale(objective: str, *, is_classifier: bool) -> tuple[Scale, float]:
    """Return the scale of an objective, and what turns the sum of the leaves into it."""
    kind, *settings = objective.split() or ["custom"]
    if kind in ("binary", "multiclassova"):
        return "logit", float(dict(setting.split(":") for setting in settings if ":" in setting)["sigmoid"])
    if kind == "cross_entropy":
        return "logit", 1.0
    if (kind in _REGRESSIONS and "sqrt" not in settings) or (kind == "custom" and not is_classifier):
        return "value", 1.0  # an objective of one's own has no link: the estimator predicts the sum
    known = ", ".join(("binary", "cross_entropy", "multiclassova", *_REGRESSIONS))
    raise DlxError(f"LightGBM must be fitted for {known}, got {objective or 'an unnamed objective'}; {WAY_OUT}")


def _numbers(tree: Text, key: str, dtype: type) -> np.ndarray:
    return np.array(tree.get(key, "").split(), dtype=np.float64 if dtype is float else np.int64)


def _zeros(trees: list[Text]) -> np.ndarray:
    """Return the columns whose zeros count as missing, as ranges of `Reading`."""
    columns, decisions = (
        np.concatenate([_numbers(tree, key, int) for tree in trees]) for key in ("split_feature", "decision_type")
    )
    numeric = decisions & _CATEGORICAL == 0
    as_zero = decisions >> 2 == _AS_ZERO
    some, none = (np.unique(columns[numeric & which]) for which in (as_zero, ~as_zero))
    if np.isin(some, none).any():
        raise DlxError(f"LightGBM must count zeros as missing in all trees of a column, or in none; {WAY_OUT}")
    return np.array([[column, -_ZERO, _ZERO] for column in some]).reshape(-1, 3)


def _grown(tree: Text, factor: float) -> dict[str, Any]:
    """Return a tree's arrays: its splits first, which are in the order in which they were made, then its leaves."""
    columns, decisions = _numbers(tree, "split_feature", int), _numbers(tree, "decision_type", int)
    threshold, leaves = _numbers(tree, "threshold", float), _numbers(tree, "leaf_value", float)
    is_set, splits, no_split = decisions & _CATEGORICAL > 0, len(columns), np.zeros(len(leaves))
    missing_left = ~is_set & np.where(decisions >> 2 == _NONE, threshold >= 0, decisions & _DEFAULT_LEFT > 0)  # none seen: as 0
    ends, words = _numbers(tree, "cat_boundaries", int), _numbers(tree, "cat_threshold", int)
    sets = {}
    for node in np.flatnonzero(is_set).tolist():
        which = int(threshold[node])
        sets[node] = np.flatnonzero(bits_of(words[ends[which] : ends[which + 1]]))
    is_zero = np.abs(threshold) <= _ZERO  # LightGBM reads whatever it counts as zero as 0
    threshold = np.where(is_zero, np.where(threshold < 0, np.nextafter(-_ZERO, -1.0), _ZERO), threshold)
    childless = np.full(len(leaves), LEAF)
    below = (_numbers(tree, side, int) for side in ("left_child", "right_child"))
    left, right = (np.append(np.where(child < 0, splits - 1 - child, child), childless) for child in below)
    return {
        "left": left,
        "right": right,
        "feature": np.append(columns, childless),
        "threshold": np.append(threshold, no_split),
        "missing_left": np.append(missing_left, no_split),
        "value": np.append(np.zeros(splits), leaves * factor),
        "cover": np.append(*(_numbers(tree, f"{kind}_count", int) for kind in ("internal", "leaf"))),
        "sets": sets,
    }
