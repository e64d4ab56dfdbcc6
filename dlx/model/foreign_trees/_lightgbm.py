"""LightGBM's trees, from the dump of a booster: left is up to the threshold, or a set of categories."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from dlx.errors import DlxError
from dlx.model.foreign_trees.growing import Leaf, Split, among, grown, runs
from dlx.model.protocol import Scale
from dlx.trees import Trees, concatenate

_ZERO = float(np.float32(1e-35))  # what counts as zero
_REGRESSIONS = ("regression", "regression_l1", "huber", "fair", "quantile", "mape")


def read(estimator: Any) -> tuple[Trees, Scale]:
    """Return the trees of a fitted estimator or booster and the scale on which they add up."""
    dump = getattr(estimator, "booster_", estimator).dump_model()
    scale, factor = _scale(dump["objective"])
    if any(list(levels) != list(range(len(levels))) for levels in dump.get("pandas_categorical") or ()):
        raise DlxError("LightGBM must be fitted on codes 0, 1, 2, ...: pass an array of them, and categorical_feature=[...]")
    if dump["average_output"]:
        factor /= len(dump["tree_info"])
    return concatenate([_grown(tree["tree_structure"], factor) for tree in dump["tree_info"]]), scale


def _scale(objective: str) -> tuple[Scale, float]:
    """Return the scale of an objective, and what turns the sum of the leaves into it."""
    kind, *settings = objective.split()
    if kind == "binary":
        return "logit", float(dict(setting.split(":") for setting in settings if ":" in setting)["sigmoid"])
    if kind in _REGRESSIONS and "sqrt" not in settings:
        return "value", 1.0
    raise DlxError(f"LightGBM must be fitted for binary, {', '.join(_REGRESSIONS)}, got {objective}; dlx.wrap takes it")


def _grown(structure: dict[str, Any], factor: float) -> dict[str, np.ndarray]:
    named, waiting = {}, [structure]
    while waiting:
        node = waiting.pop()
        named[_name(node)] = node
        waiting.extend(node[side] for side in ("left_child", "right_child") if side in node)
    return grown(_name(structure), partial(_node, named, factor))


def _name(node: dict[str, Any]) -> int:
    return node["split_index"] if "split_index" in node else -1 - node.get("leaf_index", 0)


def _node(named: dict[int, dict[str, Any]], factor: float, name: int) -> Leaf | Split:
    node = named[name]
    if "leaf_value" in node:
        if node.get("leaf_coeff"):
            raise DlxError("LightGBM must have constant leaves: fit it without linear_tree")
        return Leaf(node["leaf_value"] * factor, float(node.get("leaf_count", 1)))
    left, right, feature = _name(node["left_child"]), _name(node["right_child"]), node["split_feature"]
    if node["decision_type"] == "==":
        chosen = {int(code) for code in node["threshold"].split("||")}
        return among(feature, [left if code in chosen else right for code in range(max(chosen) + 1)], right, right)
    default = left if node["default_left"] else right
    threshold, missing = node["threshold"], node["missing_type"]
    if missing == "Zero":  # zero goes where a missing value goes
        ends = sorted({threshold, float(np.nextafter(-_ZERO, -1.0)), _ZERO})
        sides = [default if abs(end) <= _ZERO else left if end <= threshold else right for end in [*ends, np.inf]]
        return runs(feature, ends, sides, default)
    if missing == "None":  # a missing value is read as zero
        default = left if threshold >= 0 else right
    return runs(feature, [threshold], [left, right], default)
