"""XGBoost's trees, from the JSON that a booster saves: left is below the threshold, and a set of categories is right."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import numpy as np

from dlx.errors import DlxError
from dlx.model.foreign_trees.growing import Leaf, Split, among, grown, runs
from dlx.model.protocol import Scale
from dlx.trees import LEAF, Trees, concatenate

_SCALES: dict[str, Scale] = {
    "binary:logistic": "logit",
    "reg:squarederror": "value",
    "reg:absoluteerror": "value",
    "reg:pseudohubererror": "value",
}


def read(estimator: Any) -> tuple[Trees, Scale]:
    """Return the trees of a fitted estimator or booster and the scale on which they add up."""
    learner = json.loads(bytes(_booster(estimator).save_raw("json")))["learner"]
    objective, booster = learner["objective"]["name"], learner["gradient_booster"]
    if booster["name"] not in ("gbtree", "dart") or objective not in _SCALES:
        raise DlxError(
            f"XGBoost must have grown trees for {', '.join(_SCALES)}, "
            f"got a {booster['name']} for {objective}; dlx.wrap takes it"
        )
    model = booster["model"] if "model" in booster else booster["gbtree"]["model"]
    if any(column["values"] for column in model.get("cats", {}).get("enc", ())):
        raise DlxError("XGBoost must be fitted on codes 0, 1, 2, ...: pass an array of them, and feature_types=['c', ...]")
    kept = model.get("weight_drop") or booster.get("weight_drop") or [1.0] * len(model["trees"])  # what dropout left of each
    base = float(str(learner["learner_model_param"]["base_score"]).strip("[]"))
    if _SCALES[objective] == "logit":
        base = float(np.log(base) - np.log1p(-base))
    trees = [grown(0, partial(_node, _as_arrays(tree, share))) for tree, share in zip(model["trees"], kept, strict=True)]
    return concatenate(trees, base), _SCALES[objective]


def _booster(estimator: Any) -> Any:
    """Return the booster with the trees that the estimator predicts with: up to the best one, where it stopped early."""
    if not hasattr(estimator, "get_booster"):
        return estimator
    booster = estimator.get_booster()
    stopped = booster.attr("best_iteration")
    return booster if stopped is None else booster[: int(stopped) + 1]


def _as_arrays(tree: dict[str, Any], share: float) -> dict[str, Any]:
    numbers = ("left_children", "right_children", "default_left", "split_indices", "split_type")
    arrays: dict[str, Any] = {name: np.array(tree[name], dtype=np.int64) for name in numbers}
    arrays |= {name: np.array(tree[name], dtype=np.float32) for name in ("split_conditions", "sum_hessian")}
    spans = zip(tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True)
    arrays["sets"] = {node: tree["categories"][start : start + size] for node, start, size in spans}
    return arrays | {"share": share}


def _node(tree: dict[str, Any], name: int) -> Leaf | Split:
    left, right = int(tree["left_children"][name]), int(tree["right_children"][name])
    condition, feature = tree["split_conditions"][name], int(tree["split_indices"][name])
    if left == LEAF:
        return Leaf(float(condition) * tree["share"], float(tree["sum_hessian"][name]))
    missing = left if tree["default_left"][name] else right
    if not tree["split_type"][name]:
        return runs(feature, [float(np.nextafter(condition, np.float32(-np.inf)))], [left, right], missing)
    chosen = set(tree["sets"][name])
    return among(feature, [right if code in chosen else left for code in range(max(chosen, default=0) + 1)], left, missing)
