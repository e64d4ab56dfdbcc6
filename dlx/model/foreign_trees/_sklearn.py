"""scikit-learn's trees: one tree, forests, gradient boosting, and histogram gradient boosting with native categories."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from dlx.errors import DlxError
from dlx.model.base import Scale
from dlx.model.foreign_trees import WAY_OUT, Foreign, classes_of, kind_of, known_class, softmax_of
from dlx.trees import LEAF, Reading, Trees, bits_of, concatenate

_GROWERS = ("DecisionTree", "ExtraTree", "RandomForest", "ExtraTrees", "GradientBoosting", "HistGradientBoosting")
KNOWN = tuple(f"{grower}{task}" for grower in _GROWERS for task in ("Classifier", "Regressor"))
_IDENTITY = ("squared_error", "absolute_error", "huber", "quantile")  # losses of boosting whose sum is the value

Values = dict[int, Any]  # by column: the values of its categories, in their order
Levels = dict[int, tuple[np.ndarray, np.ndarray]]  # by column: the ordinals that training knew, and the code of each


def read(estimator: Any, table: Any = None, place: int | None = None) -> Foreign:
    """Return what is to be known of a fitted estimator, of a table's categories and of one of several classes."""
    kind = known_class(estimator, "sklearn", KNOWN).__name__
    is_classifier = kind.endswith("Classifier")
    classes = classes_of(estimator, place, is_classifier=is_classifier, outputs=getattr(estimator, "n_outputs_", 1))
    scale: Scale = _scale(estimator) if "Boosting" in kind else "probability" if is_classifier else "value"
    grow, categories = _of_boosting if "Boosting" in kind else _of_forest, {}
    if kind.startswith("Hist"):
        categories = _categories(estimator, table is None)
        grow = partial(_of_histograms, categories)
    names = getattr(estimator, "feature_names_in_", None)
    named = None if names is None else [str(name) for name in names]
    column = 1 if place is None else place
    predict, count = partial(_predicted, estimator, scale, column), int(estimator.n_features_in_)
    return Foreign(grow(estimator, scale, column), scale, predict, named, count, classes, categories=categories)


def _predicted(estimator: Any, scale: Scale, column: int, rows: np.ndarray) -> np.ndarray:
    """Return what an estimator predicts itself of rows of its columns, which it is given by the names that it knows."""
    import pandas as pd

    names = getattr(estimator, "feature_names_in_", None)
    table = rows if names is None else pd.DataFrame(rows, columns=names)
    if scale == "probability":
        return np.asarray(estimator.predict_proba(table)[:, column])
    return np.asarray(estimator.decision_function(table) if scale == "logit" else estimator.predict(table))


def _of_forest(estimator: Any, scale: Scale, column: int) -> Trees:
    members = [estimator] if hasattr(estimator, "tree_") else list(estimator.estimators_)
    grown = [_grown(member.tree_, scale, column, 1 / len(members)) for member in members]
    try:
        _predicted(estimator, scale, column, np.full((1, estimator.n_features_in_), np.nan))
        takes_missing = True
    except ValueError:
        takes_missing = False
    return concatenate(grown, reading=Reading("float32", takes_missing=takes_missing))


def _grown(tree: Any, scale: Scale, column: int, share: float) -> dict[str, Any]:
    """Return a tree's arrays; it predicts a share of a class's share, or of the mean."""
    values, left, right = tree.value[:, 0], tree.children_left, tree.children_right
    worth = values[:, column] / values.sum(axis=1) if scale == "probability" else values[:, 0]
    asks = {"feature": tree.feature, "threshold": tree.threshold, "missing_left": tree.missing_go_to_left}
    return {"left": left, "right": right, **asks, "value": share * worth, "cover": tree.weighted_n_node_samples}


def _of_boosting(boosted: Any, scale: Scale, column: int) -> Trees:
    if boosted.init is not None and not (isinstance(boosted.init, str) and boosted.init == "zero"):
        raise DlxError(f"{kind_of(boosted)} must start from a constant, not from a model: leave out init={boosted.init}")
    members, rate = [tree for (tree,) in boosted.estimators_], boosted.learning_rate
    anybody = np.zeros((1, boosted.n_features_in_))
    start = _predicted(boosted, scale, column, anybody)[0] - rate * sum(tree.predict(anybody)[0] for tree in members)
    grown = [_grown(tree.tree_, "value", 0, rate) for tree in members]
    return concatenate(grown, float(start), Reading("float32", takes_missing=False))


def _scale(boosted: Any) -> Scale:
    """Return the scale on which boosted trees add up; a loss with another link has none that dlx knows."""
    is_classifier, link = hasattr(boosted, "classes_"), type(boosted._loss.link).__name__
    if is_classifier and len(boosted.classes_) > 2:
        raise softmax_of(boosted, len(boosted.classes_))
    if is_classifier and boosted.loss == "log_loss":
        return "logit"
    if is_classifier or boosted.loss not in _IDENTITY or link != "IdentityLink":
        raise DlxError(
            f"{kind_of(boosted)} must have the loss log_loss or one of {', '.join(_IDENTITY)}, got {boosted.loss!r}, "
            f"whose trees add up on a scale that dlx does not have; {WAY_OUT}"
        )
    return "value"


# Histogram gradient boosting; scikit-learn offers no public view of its trees


def _of_histograms(categories: Values, boosted: Any, *_: Any) -> Trees:
    place, levels = _columns(boosted, categories)
    grown = [_grown_on_bins(tree.nodes, tree.raw_left_cat_bitsets, place, levels) for (tree,) in boosted._predictors]
    return concatenate(grown, float(np.ravel(boosted._baseline_prediction)[0]), Reading("float64"))


def _seen(boosted: Any) -> Values:
    """Return the values of each categorical column, by the estimator's number of it."""
    if boosted._preprocessor is None or not boosted.is_categorical_.any():
        return {}
    encoder = boosted._preprocessor.named_transformers_["encoder"]
    return dict(zip(np.flatnonzero(boosted.is_categorical_).tolist(), encoder.categories_, strict=True))


def _categories(boosted: Any, must_be_codes: bool) -> Values:
    """Return the values of the categorical columns whose values are no codes, or raise where they must be."""
    import pandas as pd

    found = {}
    for column, values in _seen(boosted).items():
        is_number = values.dtype.kind in "fiub"
        if not is_number or not all(np.isnan(value) or (value >= 0 and value == int(value)) for value in values):
            if must_be_codes:
                raise DlxError(
                    f"column {column} must be fitted as codes 0, 1, 2, ..., but its categories are {values[:3]}, ..."
                )
            found[column] = values[~pd.isna(values)].tolist()
    return found


def _columns(boosted: Any, categories: Values) -> tuple[np.ndarray, Levels]:
    """Return which of the estimator's columns each of the trees' is, [columns], and the levels of the categorical ones."""
    if boosted._preprocessor is None:
        return np.arange(boosted.n_features_in_), {}
    categorical, numeric = np.flatnonzero(boosted.is_categorical_), np.flatnonzero(~boosted.is_categorical_)
    seen = _seen(boosted)
    bits, row_of = boosted._bin_mapper.make_known_categories_bitsets()
    levels: Levels = {}
    for i, column in enumerate(categorical.tolist()):
        codes = np.arange(len(categories[column])) if column in categories else seen[column]
        codes = codes[~np.isnan(codes)].astype(np.int64)
        known = bits_of(bits[row_of[i]])[: len(codes)]
        levels[i] = np.flatnonzero(known), codes[known]
    return np.concatenate([categorical, numeric]), levels


def _grown_on_bins(nodes: np.ndarray, left_sets: np.ndarray, place: np.ndarray, levels: Levels) -> dict[str, Any]:
    leaf, missing_left = nodes["is_leaf"].astype(bool), nodes["missing_go_to_left"].astype(bool)
    left, right = (np.where(leaf, LEAF, nodes[side].astype(np.int64)) for side in ("left", "right"))
    sets = {}
    for node in np.flatnonzero(~leaf & nodes["is_categorical"].astype(bool)).tolist():
        ordinals, codes = levels[int(nodes["feature_idx"][node])]
        chosen = bits_of(left_sets[nodes["bitset_idx"][node]])[ordinals]
        if missing_left[node]:  # codes that training did not know go with missing values: right, beside the set
            chosen = ~chosen
            left[node], right[node], missing_left[node] = right[node], left[node], False
        sets[node] = codes[chosen]
    asks = {"feature": place[nodes["feature_idx"]], "threshold": nodes["num_threshold"], "missing_left": missing_left}
    return {"left": left, "right": right, **asks, "value": nodes["value"], "cover": nodes["count"], "sets": sets}
