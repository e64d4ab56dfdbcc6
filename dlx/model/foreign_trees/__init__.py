"""Trees that other libraries grew, as our own: they predict the same, and tree_shap explains them exactly.

One library a file. None is imported: a fitted model is read through what it offers itself.
"""

from __future__ import annotations

import importlib
from typing import Any

from dlx.errors import DlxError
from dlx.model.kinds import TreeModel
from dlx.model.protocol import CLASSIFIER, Scale
from dlx.schema import Schema
from dlx.trees import Trees

_LIBRARIES = ("sklearn", "xgboost", "lightgbm")


def wrap_trees(estimator: Any, schema: Schema, *, name: str | None = None) -> TreeModel:
    """Return trees that another library grew on coded columns as a model whose trees can be explained exactly.

    Parameters
    ----------
    estimator : estimator or booster
        Fitted by scikit-learn (decision tree, random forest, extra trees, gradient boosting, histogram gradient
        boosting), XGBoost or LightGBM, for two classes or a regression, on the columns of the schema as they
        are coded: numbers, and categories as 0, 1, 2, ..., which may be split as sets.
    schema : Schema
        The columns that it reads, and the target.
    name : str, optional
        The name in tables and on the page.

    Raises
    ------
    DlxError
        If the estimator is none of these, or does not read the columns of the schema in their order.
    """
    trees, scale = trees_of(estimator)
    is_regression = schema.target.kind == "regression"
    if is_regression != (scale == "value"):
        kind = "regression" if scale == "value" else "classification"
        raise DlxError(f"the target of the schema must be that of a {kind}, as of {_kind(estimator)}")
    _check_columns(estimator, schema)
    scales = ("value",) if scale == "value" else (scale, *(other for other in CLASSIFIER if other != scale))
    return TreeModel(trees, schema, name or _kind(estimator), scales)


def trees_of(estimator: Any) -> tuple[Trees, Scale]:
    """Return the trees of a fitted model of another library, and the scale on which they add up.

    Rows, thresholds and leaves become float32 numbers, as everywhere in dlx: rows of float32 numbers go as they go in the
    library, and outputs agree to the rounding of the leaves.
    """
    for cls in type(estimator).__mro__:
        library = cls.__module__.partition(".")[0]
        if library in _LIBRARIES:
            return importlib.import_module(f"dlx.model.foreign_trees._{library}").read(estimator)
    raise DlxError(f"trees must be of {', '.join(_LIBRARIES)}, got a {_kind(estimator)}; dlx.wrap takes anything that predicts")


def _kind(estimator: Any) -> str:
    return type(estimator).__name__


def _check_columns(estimator: Any, schema: Schema) -> None:
    wanted = [feature.name for feature in schema.features]
    names = [str(column) for column in getattr(estimator, "feature_names_in_", wanted)]
    count = getattr(estimator, "n_features_in_", len(wanted))
    if count != len(wanted) or (set(names) == set(wanted) and names != wanted):
        raise DlxError(
            f"{_kind(estimator)} must read the columns of the schema in their order, {', '.join(wanted)}; "
            f"it reads {', '.join(names) if names != wanted else f'{count} columns'}"
        )
