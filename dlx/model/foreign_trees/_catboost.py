"""CatBoost's trees, from the JSON that it saves: all nodes of a level ask one question, and right is above the border."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from dlx.errors import DlxError
from dlx.model.base import Scale
from dlx.model.foreign_trees import WAY_OUT, Foreign, classes_of, known_class, softmax_of
from dlx.trees import LEAF, Reading, concatenate

KNOWN = ("CatBoostClassifier", "CatBoostRegressor")
_SCALES: dict[str, Scale] = {
    **dict.fromkeys(("Logloss", "CrossEntropy", "MultiClassOneVsAll"), "logit"),
    **dict.fromkeys(("RMSE", "MAE", "Quantile", "Huber", "MAPE", "Expectile", "LogCosh", "Lq"), "value"),
}


def read(estimator: Any, table: Any = None, place: int | None = None) -> Foreign:
    """Return what is to be known of a fitted estimator; its categories become statistics of outcomes, which are no splits."""
    del table
    is_classifier = known_class(estimator, "catboost", KNOWN).__name__.endswith("Classifier")
    classes = classes_of(estimator, place, is_classifier=is_classifier)
    loss = estimator.get_all_params()["loss_function"].partition(":")[0]
    if loss == "MultiClass" and classes is not None:
        raise softmax_of(estimator, len(classes))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        estimator.save_model(str(path), format="json")
        said = json.loads(path.read_text())
    if "oblivious_trees" not in said or loss not in _SCALES:
        came = f"{'symmetric' if 'oblivious_trees' in said else 'other'} trees for {loss}"
        raise DlxError(f"CatBoost must have grown symmetric trees for {', '.join(_SCALES)}, got {came}; {WAY_OUT}")
    columns = {column["feature_index"]: column for column in said["features_info"].get("float_features", ())}
    factor, starts = said["scale_and_bias"]
    which = place if len(starts) > 1 and place is not None else 0
    grown = [_grown(tree, columns, factor, slice(which, None, len(starts))) for tree in said["oblivious_trees"]]
    names = list(estimator.feature_names_)

    def predict(rows: np.ndarray) -> np.ndarray:
        raw = np.asarray(estimator.predict(rows, prediction_type="RawFormulaVal"), dtype=np.float64)
        return raw[:, which] if raw.ndim > 1 else raw

    trees = concatenate(grown, float(starts[which]), Reading("float32"))
    return Foreign(trees, _SCALES[loss], predict, names, len(names), classes)


def _grown(tree: dict[str, Any], columns: dict[int, dict[str, Any]], factor: float, which: slice) -> dict[str, Any]:
    """Return a tree's arrays, level by level: bit d of a leaf's number says whether it is above the border of level d.

    Of the leaves' values, those of one output are read.
    """
    splits = tree["splits"] or []
    if kinds := {split["split_type"] for split in splits} - {"FloatFeature"}:
        raise DlxError(
            f"CatBoost splits on what it makes of categories ({', '.join(kinds)}), which dlx does not read; {WAY_OUT}"
        )
    depth = len(splits)
    inner, node = 2**depth - 1, np.arange(2 ** (depth + 1) - 1)
    level = np.floor(np.log2(node[:inner] + 1)).astype(np.intp)
    place = np.arange(2**depth)
    number = sum(((place >> (depth - 1 - d)) & 1) << d for d in range(depth)) if depth else place
    asked = [columns[split["float_feature_index"]] for split in splits]
    feature = np.array([column["flat_feature_index"] for column in asked], dtype=np.int64)[level]
    borders = np.array([split["border"] for split in splits], dtype=np.float64)[level]
    missing_left = np.array([column["nan_value_treatment"] != "AsTrue" for column in asked], dtype=bool)[level]
    cover = np.zeros(len(node))
    cover[inner:] = np.array(tree["leaf_weights"], dtype=np.float64)[number]
    for above in range(inner - 1, -1, -1):
        cover[above] = cover[2 * above + 1] + cover[2 * above + 2]
    childless, zeros = np.full(2**depth, LEAF), np.zeros(2**depth)
    return {
        "left": np.append(2 * node[:inner] + 1, childless),
        "right": np.append(2 * node[:inner] + 2, childless),
        "feature": np.append(feature, childless),
        "threshold": np.append(borders, zeros),
        "missing_left": np.append(missing_left, zeros),
        "value": np.append(np.zeros(inner), factor * np.array(tree["leaf_values"], dtype=np.float64)[which][number]),
        "cover": cover,
    }
