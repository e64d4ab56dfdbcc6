"""XGBoost's trees, from the JSON that a booster saves: left is below the threshold, and a set of categories is right."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from dlx.errors import DlxError
from dlx.model.foreign_trees.common import (
    WAY_OUT,
    Foreign,
    Sets,
    check_classes,
    kind_of,
    known_class,
    not_fitted,
    parents_first,
    without_sets,
)
from dlx.model.protocol import Scale
from dlx.trees import LEAF, Reading, Trees, concatenate

KNOWN = ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor", "Booster")
_SCALES: dict[str, Scale] = {
    "binary:logistic": "logit",
    "reg:logistic": "logit",
    "reg:squarederror": "value",
    "reg:squaredlogerror": "value",
    "reg:absoluteerror": "value",
    "reg:pseudohubererror": "value",
    "reg:quantileerror": "value",
}


def classes(estimator: Any) -> list[Any] | None:
    """Return the two classes of a fitted classifier; None for a regression, and for a booster, which knows no names."""
    if not known_class(estimator, "xgboost", KNOWN).__name__.endswith("Classifier"):
        return None
    _booster(estimator)
    if callable(estimator.objective):
        raise DlxError(
            f"{kind_of(estimator)} must be fitted for an objective of XGBoost's, got one of its user's, which names no link "
            f"from trees to probabilities; {WAY_OUT}"
        )
    return check_classes(estimator, estimator.classes_)


def names(estimator: Any) -> list[str] | None:
    """Return the names of the columns that it was fitted on, if they had any."""
    found = _booster(estimator).feature_names
    return None if found is None else [str(name) for name in found]


def count(estimator: Any) -> int:
    """Return the number of columns that it was fitted on."""
    return int(_booster(estimator).num_features())


def read(estimator: Any, which: int) -> Foreign:
    """Return the trees of a fitted estimator or booster, which speak for the class at a position of its own."""
    learner = json.loads(bytes(_booster(estimator).save_raw("json")))["learner"]
    scale, sign = _scale(learner), 1 if which else -1
    booster = learner["gradient_booster"]
    model = booster["model"] if "model" in booster else booster["gbtree"]["model"]
    _check_categories(model)
    kept = model.get("weight_drop") or booster.get("weight_drop") or [1.0] * len(model["trees"])  # what dropout left of each
    trees, sets = model["trees"][: _last(estimator, model)], Sets()
    grown = [_grown(tree, sign * share, sets) for tree, share in zip(trees, kept, strict=False)]
    together = concatenate(grown, sign * _base(learner, scale), Reading("float32"), sets.all())
    return Foreign(_without_missing(together, estimator), scale, partial(_margin, estimator, sign), "float32")


def _booster(estimator: Any) -> Any:
    if not hasattr(estimator, "get_booster"):
        return estimator
    if not estimator.__sklearn_is_fitted__():
        raise not_fitted(estimator)
    return estimator.get_booster()


def _scale(learner: dict[str, Any]) -> Scale:
    objective, grown, sizes = learner["objective"]["name"], learner["gradient_booster"]["name"], learner["learner_model_param"]
    if grown not in ("gbtree", "dart") or objective not in _SCALES:
        raise DlxError(f"XGBoost must have grown trees for {', '.join(_SCALES)}, got a {grown} for {objective}; {WAY_OUT}")
    outputs = max(int(sizes["num_class"]), int(sizes.get("num_target", 1)))
    if outputs > 1:
        raise DlxError(f"XGBoost must have one output, got {outputs}; {WAY_OUT}")
    return _SCALES[objective]


def _check_categories(model: dict[str, Any]) -> None:
    for column in model.get("cats", {}).get("enc", ()):
        levels = column["values"]
        if column.get("offsets") or levels != list(range(len(levels))):
            raise DlxError("XGBoost must be fitted on codes 0, 1, 2, ...: pass an array of them, and feature_types=['c', ...]")


def _last(estimator: Any, model: dict[str, Any]) -> int | None:
    """Return how many trees an estimator predicts with: up to the best round, where it stopped early."""
    stopped = estimator.get_booster().attr("best_iteration") if hasattr(estimator, "get_booster") else None
    return None if stopped is None else int(model["iteration_indptr"][int(stopped) + 1])


def _base(learner: dict[str, Any], scale: Scale) -> float:
    """Return what is added to all leaves, as XGBoost computes it from a probability: in float32."""
    base = np.float32(str(learner["learner_model_param"]["base_score"]).strip("[]"))
    return float(-np.log(np.float32(1) / base - np.float32(1)) if scale == "logit" else base)


def _without_missing(trees: Trees, estimator: Any) -> Trees:
    """Return trees that read what an estimator's parameter `missing` names as missing, in every column."""
    missing = float(np.float32(getattr(estimator, "missing", np.nan)))
    if np.isnan(missing):
        return trees
    columns = np.unique(trees.feature[trees.feature != LEAF])
    absent = np.column_stack([columns, np.full((len(columns), 2), missing)])
    return replace(trees, reading=Reading("float32", absent))


def _margin(estimator: Any, sign: int, rows: np.ndarray) -> np.ndarray:
    """Return what an estimator, or a booster, adds up for rows of its own columns."""
    table: Any = rows
    if not hasattr(estimator, "get_booster"):
        import xgboost

        columns = {"feature_names": estimator.feature_names, "feature_types": estimator.feature_types}
        table = xgboost.DMatrix(rows, enable_categorical=True, **columns)
    return sign * np.asarray(estimator.predict(table, output_margin=True), dtype=np.float64)


def _grown(tree: dict[str, Any], share: float, sets: Sets) -> dict[str, np.ndarray]:
    left, right = (np.array(tree[side], dtype=np.int64) for side in ("left_children", "right_children"))
    leaf, condition = left == LEAF, np.array(tree["split_conditions"], dtype=np.float32)
    missing_left, asked = np.array(tree["default_left"], dtype=bool), without_sets(len(left))
    spans = zip(tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True)
    for node, start, size in spans:
        if not leaf[node]:
            left[node], right[node], missing_left[node] = right[node], left[node], not missing_left[node]
            asked["set_start"][node], asked["set_size"][node] = sets.add(tree["categories"][start : start + size])
    below = np.nextafter(condition, np.float32(-np.inf))
    return parents_first(
        asked
        | {
            "feature": np.where(leaf, LEAF, np.array(tree["split_indices"], dtype=np.int64)),
            "threshold": np.where(leaf | (asked["set_start"] >= 0), 0.0, below.astype(np.float64)),
            "left": left,
            "right": right,
            "missing_left": missing_left,
            "value": np.where(leaf, share * condition.astype(np.float64), 0.0),
            "cover": np.array(tree["sum_hessian"], dtype=np.float64),
        }
    )
