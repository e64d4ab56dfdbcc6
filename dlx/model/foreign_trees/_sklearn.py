"""scikit-learn's trees: one tree, forests, gradient boosting, and histogram gradient boosting with native categories."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from dlx.errors import DlxError
from dlx.model.foreign_trees.growing import Leaf, Split, among, grown, runs
from dlx.model.protocol import Scale
from dlx.trees import LEAF, Trees, concatenate

_IDENTITY = ("squared_error", "absolute_error", "huber", "quantile")  # losses of boosting whose sum is the value


def read(estimator: Any) -> tuple[Trees, Scale]:
    """Return the trees of a fitted estimator and the scale on which they add up."""
    _check_outputs(estimator)
    if hasattr(estimator, "_predictors"):
        return _of_histograms(estimator)
    if hasattr(estimator, "learning_rate") and hasattr(estimator, "init_"):
        return _of_boosting(estimator)
    members = [estimator] if hasattr(estimator, "tree_") else list(getattr(estimator, "estimators_", ()))
    if not members or not all(hasattr(member, "tree_") for member in members):
        raise DlxError(f"{type(estimator).__name__} is not a fitted sum of trees; dlx.wrap takes anything that predicts")
    is_classifier = hasattr(estimator, "classes_")
    pick = _share_of_second if is_classifier else _first
    trees = concatenate([_grown(member.tree_, pick, 1 / len(members)) for member in members])
    return trees, "probability" if is_classifier else "value"


def _check_outputs(estimator: Any) -> None:
    classes = getattr(estimator, "classes_", (0, 1))
    if getattr(estimator, "n_outputs_", 1) != 1 or len(classes) != 2:
        raise DlxError(
            f"{type(estimator).__name__} must have one output, of two classes or a regression; "
            f"it has {getattr(estimator, 'n_outputs_', 1)} of {len(classes)} classes; dlx.wrap takes it"
        )


def _share_of_second(tree: Any) -> np.ndarray:
    return tree.value[:, 0, 1] / tree.value[:, 0].sum(axis=1)


def _first(tree: Any) -> np.ndarray:
    return tree.value[:, 0, 0]


def _grown(tree: Any, pick: Callable[[Any], np.ndarray], factor: float) -> dict[str, np.ndarray]:
    leaf = tree.children_left == LEAF
    return {
        "feature": np.where(leaf, LEAF, tree.feature),
        "threshold": np.where(leaf, 0.0, tree.threshold),
        "left": tree.children_left,
        "right": tree.children_right,
        "missing_left": tree.missing_go_to_left.astype(bool),
        "value": np.where(leaf, pick(tree) * factor, 0.0),
        "cover": tree.weighted_n_node_samples,
    }


def _of_boosting(boosted: Any) -> tuple[Trees, Scale]:
    scale, members = _scale(boosted), [tree for (tree,) in boosted.estimators_]
    if boosted.init not in (None, "zero"):
        raise DlxError(f"{type(boosted).__name__} must start from a constant, not from a model: leave out init={boosted.init}")
    anybody = np.zeros((1, boosted.n_features_in_))
    output = (boosted.decision_function if scale == "logit" else boosted.predict)(anybody)
    start = output - boosted.learning_rate * sum(tree.predict(anybody) for tree in members)
    return concatenate([_grown(tree.tree_, _first, boosted.learning_rate) for tree in members], base=float(start[0])), scale


def _scale(boosted: Any) -> Scale:
    """Return the scale on which boosted trees add up; a loss with another link has none that dlx knows."""
    if hasattr(boosted, "classes_") and boosted.loss == "log_loss":
        return "logit"
    if hasattr(boosted, "classes_") or boosted.loss not in _IDENTITY:
        raise DlxError(
            f"{type(boosted).__name__} must have the loss log_loss or one of {', '.join(_IDENTITY)}, got {boosted.loss!r}, "
            "whose trees add up on a scale that dlx does not have; dlx.wrap takes it"
        )
    return "value"


def _of_histograms(boosted: Any) -> tuple[Trees, Scale]:
    """Return the trees of histogram gradient boosting; scikit-learn offers no public view of them."""
    scale, columns = _scale(boosted), _columns(boosted)
    sets = _known_sets(boosted)
    trees = [grown(0, partial(_node, tree.nodes, tree.raw_left_cat_bitsets, sets, columns)) for (tree,) in boosted._predictors]
    return concatenate(trees, base=float(np.ravel(boosted._baseline_prediction)[0])), scale


def _columns(boosted: Any) -> list[tuple[int, list[int] | None]]:
    """Return, for each column that the trees see, which it is, and the code of each of its ordinals if it is categorical."""
    if boosted._preprocessor is None:
        return [(column, None) for column in range(boosted.n_features_in_)]
    categorical = np.flatnonzero(boosted.is_categorical_)
    levels = boosted._preprocessor.named_transformers_["encoder"].categories_ if len(categorical) else []
    numeric = np.flatnonzero(~boosted.is_categorical_)
    found: list[tuple[int, list[int] | None]] = [
        (int(column), _codes(int(column), seen)) for column, seen in zip(categorical, levels, strict=True)
    ]
    return found + [(int(column), None) for column in numeric]


def _codes(column: int, levels: np.ndarray) -> list[int]:
    if levels.dtype.kind not in "fiub" or not all(np.isnan(level) or (level >= 0 and level == int(level)) for level in levels):
        raise DlxError(f"column {column} must be fitted as codes 0, 1, 2, ..., but its categories are {levels[:3]}, ...")
    return [int(level) for level in levels if not np.isnan(level)]


def _known_sets(boosted: Any) -> dict[int, np.ndarray]:
    """Return the bits of the ordinals that training knew, by the column that the trees see."""
    if boosted._preprocessor is None:
        return {}
    bits, position = boosted._bin_mapper.make_known_categories_bitsets()
    return {int(column): bits[position[column]] for column in np.flatnonzero(boosted._is_categorical_remapped)}


def _node(
    nodes: np.ndarray,
    left_sets: np.ndarray,
    known: dict[int, np.ndarray],
    columns: list[tuple[int, list[int] | None]],
    name: int,
) -> Leaf | Split:
    node = nodes[name]
    if node["is_leaf"]:
        return Leaf(float(node["value"]), float(node["count"]))
    left, right, seen = int(node["left"]), int(node["right"]), int(node["feature_idx"])
    missing = left if node["missing_go_to_left"] else right
    column, codes = columns[seen]
    if not node["is_categorical"]:
        return runs(column, [float(node["num_threshold"])], [left, right], missing)
    assert codes is not None
    sides = np.full(max(codes) + 1, missing)
    for ordinal, code in enumerate(codes):
        if _has(known[seen], ordinal):
            sides[code] = left if _has(left_sets[node["bitset_idx"]], ordinal) else right
    return among(column, sides.tolist(), missing, missing)


def _has(bits: np.ndarray, number: int) -> bool:
    return bool((int(bits[number // 32]) >> (number % 32)) & 1)
