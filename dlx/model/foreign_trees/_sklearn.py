"""scikit-learn's trees: one tree, forests, gradient boosting, and histogram gradient boosting with native categories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
    without_sets,
)
from dlx.model.protocol import Scale
from dlx.trees import LEAF, Reading, concatenate

_SINGLE = ("DecisionTree", "ExtraTree")
_FORESTS = ("RandomForest", "ExtraTrees")
_BOOSTED = ("GradientBoosting", "HistGradientBoosting")
KNOWN = tuple(f"{kind}{task}" for kind in (*_SINGLE, *_FORESTS, *_BOOSTED) for task in ("Classifier", "Regressor"))
_IDENTITY = ("squared_error", "absolute_error", "huber", "quantile")  # losses of boosting whose sum is the value


def classes(estimator: Any) -> list[Any] | None:
    """Return the two classes of a fitted classifier in the order of its outputs; None for a regression."""
    cls = known_class(estimator, "sklearn", KNOWN)
    if not any(hasattr(estimator, name) for name in ("tree_", "estimators_", "_predictors")):
        raise not_fitted(estimator)
    outputs = getattr(estimator, "n_outputs_", 1)
    if cls.__name__.endswith("Classifier"):
        return check_classes(estimator, estimator.classes_, outputs)
    if outputs != 1:
        raise DlxError(f"{kind_of(estimator)} must have one output, got {outputs}; {WAY_OUT}")
    return None


def names(estimator: Any) -> list[str] | None:
    """Return the names of the columns that it was fitted on, if they had any."""
    found = getattr(estimator, "feature_names_in_", None)
    return None if found is None else [str(name) for name in found]


def count(estimator: Any) -> int:
    """Return the number of columns that it was fitted on."""
    return int(estimator.n_features_in_)


def read(estimator: Any, which: int) -> Foreign:
    """Return a fitted estimator's trees, which speak for the class at a position of its own."""
    kind = known_class(estimator, "sklearn", KNOWN).__name__
    if kind.startswith("Hist"):
        return _of_histograms(estimator, which)
    if kind.startswith("Gradient"):
        return _of_boosting(estimator, which)
    members = [estimator] if hasattr(estimator, "tree_") else list(estimator.estimators_)
    is_classifier = kind.endswith("Classifier")
    pick = (lambda tree: _share(tree, which)) if is_classifier else _first
    grown = [_grown(member.tree_, pick, 1 / len(members)) for member in members]
    trees = concatenate(grown, reading=Reading("float32", takes_missing=_takes_missing(estimator)))
    if is_classifier:
        return Foreign(trees, "probability", partial(_probability, estimator, which))
    return Foreign(trees, "value", partial(_value, estimator))


def _table(estimator: Any, rows: np.ndarray) -> Any:
    """Return rows of an estimator's columns with the names that it was fitted with, if it was."""
    import pandas as pd

    known = names(estimator)
    return rows if known is None else pd.DataFrame(rows, columns=known)


def _probability(estimator: Any, which: int, rows: np.ndarray) -> np.ndarray:
    return estimator.predict_proba(_table(estimator, rows))[:, which]


def _logit(estimator: Any, sign: int, rows: np.ndarray) -> np.ndarray:
    return sign * estimator.decision_function(_table(estimator, rows))


def _value(estimator: Any, rows: np.ndarray) -> np.ndarray:
    return estimator.predict(_table(estimator, rows))


def _takes_missing(estimator: Any) -> bool:
    try:
        estimator.predict(_table(estimator, np.full((1, estimator.n_features_in_), np.nan)))
    except ValueError:
        return False
    return True


def _share(tree: Any, which: int) -> np.ndarray:
    return tree.value[:, 0, which] / tree.value[:, 0].sum(axis=1)


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


def _of_boosting(boosted: Any, which: int) -> Foreign:
    scale, members, sign = _scale(boosted), [tree for (tree,) in boosted.estimators_], 1 if which else -1
    if boosted.init is not None and not (isinstance(boosted.init, str) and boosted.init == "zero"):
        raise DlxError(f"{kind_of(boosted)} must start from a constant, not from a model: leave out init={boosted.init}")
    predict = partial(_logit, boosted, sign) if scale == "logit" else partial(_value, boosted)
    anybody = np.zeros((1, boosted.n_features_in_))
    start = predict(anybody)[0] - sign * boosted.learning_rate * sum(tree.predict(anybody)[0] for tree in members)
    grown = [_grown(tree.tree_, _first, sign * boosted.learning_rate) for tree in members]
    return Foreign(concatenate(grown, float(start), Reading("float32", takes_missing=False)), scale, predict)


def _scale(boosted: Any) -> Scale:
    """Return the scale on which boosted trees add up; a loss with another link has none that dlx knows."""
    is_classifier, link = hasattr(boosted, "classes_"), type(boosted._loss.link).__name__
    if is_classifier and boosted.loss == "log_loss":
        return "logit"
    if is_classifier or boosted.loss not in _IDENTITY or link != "IdentityLink":
        raise DlxError(
            f"{kind_of(boosted)} must have the loss log_loss or one of {', '.join(_IDENTITY)}, got {boosted.loss!r}, "
            f"whose trees add up on a scale that dlx does not have; {WAY_OUT}"
        )
    return "value"


# Histogram gradient boosting; scikit-learn offers no public view of its trees


@dataclass(frozen=True)
class _Column:
    """A column as the trees of histogram boosting see it.

    Parameters
    ----------
    position : int
        Which of the estimator's it is.
    codes : ndarray of int, optional
        The code of each ordinal, if it is categorical.
    known : ndarray of uint32, optional
        The ordinals that training knew, as bits.
    """

    position: int
    codes: np.ndarray | None = None
    known: np.ndarray | None = None


def _of_histograms(boosted: Any, which: int) -> Foreign:
    scale, sign, sets = _scale(boosted), 1 if which else -1, Sets()
    columns = _columns(boosted)
    grown = [_grown_on_bins(tree.nodes, tree.raw_left_cat_bitsets, columns, sets, sign) for (tree,) in boosted._predictors]
    base = sign * float(np.ravel(boosted._baseline_prediction)[0])
    predict = partial(_logit, boosted, sign) if scale == "logit" else partial(_value, boosted)
    return Foreign(concatenate(grown, base, Reading("float64"), sets.all()), scale, predict)


def _columns(boosted: Any) -> list[_Column]:
    """Return the columns in the order in which the trees number them: categorical ones first."""
    if boosted._preprocessor is None:
        return [_Column(column) for column in range(boosted.n_features_in_)]
    categorical, numeric = np.flatnonzero(boosted.is_categorical_), np.flatnonzero(~boosted.is_categorical_)
    levels = boosted._preprocessor.named_transformers_["encoder"].categories_ if len(categorical) else []
    bits, place = boosted._bin_mapper.make_known_categories_bitsets()
    found = [
        _Column(int(column), _codes(int(column), seen), bits[place[i]])
        for i, (column, seen) in enumerate(zip(categorical, levels, strict=True))
    ]
    return found + [_Column(int(column)) for column in numeric]


def _codes(column: int, levels: np.ndarray) -> np.ndarray:
    if levels.dtype.kind not in "fiub" or not all(np.isnan(level) or (level >= 0 and level == int(level)) for level in levels):
        raise DlxError(f"column {column} must be fitted as codes 0, 1, 2, ..., but its categories are {levels[:3]}, ...")
    return levels[~np.isnan(levels)].astype(np.int64) if levels.dtype.kind == "f" else levels.astype(np.int64)


def _grown_on_bins(
    nodes: np.ndarray, left_sets: np.ndarray, columns: list[_Column], sets: Sets, sign: int
) -> dict[str, np.ndarray]:
    leaf, missing_left = nodes["is_leaf"].astype(bool), nodes["missing_go_to_left"].astype(bool)
    left, right = (np.where(leaf, LEAF, nodes[side].astype(np.int64)) for side in ("left", "right"))
    asked = without_sets(len(nodes))
    for node in np.flatnonzero(~leaf & nodes["is_categorical"].astype(bool)):
        column = columns[nodes["feature_idx"][node]]
        assert column.codes is not None and column.known is not None
        known, chosen = (_bits(words, len(column.codes)) for words in (column.known, left_sets[nodes["bitset_idx"][node]]))
        if missing_left[node]:  # codes that training did not know go with missing values: right, beside the set
            chosen = ~chosen
            left[node], right[node], missing_left[node] = right[node], left[node], False
        asked["set_start"][node], asked["set_size"][node] = sets.add(column.codes[known & chosen])
    return asked | {
        "feature": np.where(leaf, LEAF, np.array([column.position for column in columns])[nodes["feature_idx"]]),
        "threshold": np.where(leaf | (asked["set_start"] >= 0), 0.0, nodes["num_threshold"]),
        "left": left,
        "right": right,
        "missing_left": missing_left,
        "value": np.where(leaf, sign * nodes["value"], 0.0),
        "cover": nodes["count"].astype(np.float64),
    }


def _bits(words: np.ndarray, count: int) -> np.ndarray:
    """Return the first bits of words of 32, bool [count]."""
    return np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")[:count].astype(bool)
