"""XGBoost's trees, from the JSON that a booster saves: left is below the threshold, and a set of categories is right."""

from __future__ import annotations

import json
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from dlx.errors import DlxError
from dlx.model.base import Scale
from dlx.model.foreign_trees import WAY_OUT, Foreign, classes_of, kind_of, known_class, softmax_of
from dlx.trees import LEAF, Reading, concatenate

KNOWN = ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor", "Booster")
_ERRORS = ("squarederror", "squaredlogerror", "absoluteerror", "pseudohubererror", "quantileerror")
_SCALES: dict[str, Scale] = {
    **{"binary:logistic": "logit", "reg:logistic": "logit"},
    **{f"reg:{error}": "value" for error in _ERRORS},
}


def read(estimator: Any, table: Any = None, place: int | None = None) -> Foreign:
    """Return what is to be known of a fitted estimator or booster, of the categories of a table where it is given one."""
    is_classifier = known_class(estimator, "xgboost", KNOWN).__name__.endswith("Classifier")
    is_estimator = hasattr(estimator, "get_booster")
    source = estimator.get_booster() if is_estimator else estimator
    if is_classifier and callable(estimator.objective):
        raise DlxError(
            f"{kind_of(estimator)} must be fitted for an objective of XGBoost's, got one of its user's, which names no link "
            f"from trees to probabilities; {WAY_OUT}"
        )
    classes = classes_of(estimator, place, is_classifier=is_classifier)
    learner = json.loads(bytes(source.save_raw("json")))["learner"]
    if place is not None:
        raise softmax_of(estimator, int(learner["learner_model_param"]["num_class"]))
    scale, booster = _scale(learner), learner["gradient_booster"]
    model = booster["model"] if "model" in booster else booster["gbtree"]["model"]
    categories = {i: values for i, one in enumerate(model.get("cats", {}).get("enc", ())) if (values := _values(one))}
    if table is None and any(values != list(range(len(values))) for values in categories.values()):
        raise DlxError("XGBoost must be fitted on codes 0, 1, 2, ...: pass an array of them, and feature_types=['c', ...]")
    kept = model.get("weight_drop") or booster.get("weight_drop") or [1.0] * len(model["trees"])  # what dropout left of each
    stopped = source.attr("best_iteration") if is_estimator else None  # the last round with which an estimator predicts
    last = None if stopped is None else int(model["iteration_indptr"][int(stopped) + 1])
    grown = [_grown(tree, share) for tree, share in zip(model["trees"][:last], kept, strict=False)]
    base = np.float32(str(learner["learner_model_param"]["base_score"]).strip("[]"))
    if scale == "logit":  # as XGBoost computes it from a probability: in float32
        base = -np.log(np.float32(1) / base - np.float32(1))
    missing = float(np.float32(getattr(estimator, "missing", np.nan)))  # the number that counts so in each column
    columns = np.unique(np.concatenate([tree["feature"][tree["left"] != LEAF] for tree in grown]))
    absent = np.empty((0, 3)) if np.isnan(missing) else np.column_stack([columns, np.full((len(columns), 2), missing)])
    trees = concatenate(grown, float(base), Reading("float32", absent))
    names, count = source.feature_names, int(source.num_features())
    return Foreign(trees, scale, partial(_margin, estimator), names, count, classes, "float32", categories)


def _values(column: dict[str, Any]) -> list[Any]:
    """Return the values of a column's categories, in the order of their codes; none of a column without."""
    ends, values = column.get("offsets"), column["values"]
    if not ends:
        return list(values)
    text = np.array(values, dtype=np.int64).astype(np.uint8).tobytes()
    return [text[start:end].decode() for start, end in pairwise(ends)]


def _scale(learner: dict[str, Any]) -> Scale:
    objective, grown, sizes = learner["objective"]["name"], learner["gradient_booster"]["name"], learner["learner_model_param"]
    if grown not in ("gbtree", "dart") or objective not in _SCALES:
        raise DlxError(f"XGBoost must have grown trees for {', '.join(_SCALES)}, got a {grown} for {objective}; {WAY_OUT}")
    outputs = max(int(sizes["num_class"]), int(sizes.get("num_target", 1)))
    if outputs > 1:
        raise DlxError(f"XGBoost must have one output, got {outputs}; {WAY_OUT}")
    return _SCALES[objective]


def _margin(estimator: Any, rows: np.ndarray) -> np.ndarray:
    """Return what an estimator, or a booster, adds up for rows of its own columns."""
    table: Any = rows
    if not hasattr(estimator, "get_booster"):
        import xgboost

        columns = {"feature_names": estimator.feature_names, "feature_types": estimator.feature_types}
        table = xgboost.DMatrix(rows, enable_categorical=True, **columns)
    return np.asarray(estimator.predict(table, output_margin=True), dtype=np.float64)


def _grown(tree: dict[str, Any], share: float) -> dict[str, Any]:
    left, right = (np.array(tree[side], dtype=np.int64) for side in ("left_children", "right_children"))
    missing_left, sets = np.array(tree["default_left"], dtype=bool), {}
    for node, start, size in zip(tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True):
        if left[node] != LEAF:
            left[node], right[node], missing_left[node] = right[node], left[node], not missing_left[node]
            sets[node] = np.array(tree["categories"][start : start + size], dtype=np.int64)
    order = _parents_first(left, right)
    place = np.full(len(left) + 1, LEAF)  # the last for the children of leaves
    place[order] = np.arange(len(order))
    condition = np.array(tree["split_conditions"], dtype=np.float32)[order]
    return {
        "left": place[left[order]],
        "right": place[right[order]],
        "feature": np.array(tree["split_indices"], dtype=np.int64)[order],
        "threshold": np.nextafter(condition, np.float32(-np.inf)).astype(np.float64),
        "missing_left": missing_left[order],
        "value": share * condition.astype(np.float64),
        "cover": np.array(tree["sum_hessian"], dtype=np.float64)[order],
        "sets": {int(place[node]): codes for node, codes in sets.items() if place[node] != LEAF},
    }


def _parents_first(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the nodes of a tree, parents before their children, without those that nothing leads to."""
    levels, nodes = [], np.zeros(1, dtype=np.int64)
    while len(nodes):
        levels.append(nodes)
        inner = nodes[left[nodes] != LEAF]
        nodes = np.concatenate([left[inner], right[inner]])
    return np.concatenate(levels)
