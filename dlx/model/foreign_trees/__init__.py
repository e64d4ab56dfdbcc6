"""Trees that other libraries grew, as our own: they predict the same, and tree_shap explains them exactly.

One library a file. None is imported: a fitted model is read through what it offers itself.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model.classes import class_position, is_by_position
from dlx.model.estimators import PredictorError, are_numbers, known_columns
from dlx.model.fidelity import witnessed
from dlx.model.foreign_trees.common import WAY_OUT, Foreign, Predict, kind_of
from dlx.model.foreign_trees.levels import Numbers, as_numbers, numbers_of, on_codes, were_grown_on_codes
from dlx.model.kinds import TreeModel
from dlx.model.protocol import Scale, scales_from
from dlx.model.wrapping import refuse_no_rows, refuse_no_schema, refuse_turned, some_of
from dlx.schema import Schema, Target, plural
from dlx.trees import LEAF, Trees

_LIBRARIES = ("sklearn", "xgboost", "lightgbm")


def wrap_trees(
    estimator: Any,
    case: Dataset | Schema,
    *,
    name: str | None = None,
    check: Any = None,
    codes: bool | None = None,
) -> TreeModel:
    """Return trees that another library grew on coded columns as a model whose trees can be explained exactly.

    Parameters
    ----------
    estimator : estimator or booster
        Fitted by scikit-learn (decision tree, random forest, extra trees, gradient boosting, histogram gradient
        boosting), XGBoost or LightGBM, for two classes or a regression, on the columns of the schema: numbers, and
        categories as their codes 0, 1, 2, ... or as the numbers that they are in the table, which may be split as sets.
    case : Dataset or Schema
        The columns that it reads, and the target; with a Dataset the model is held to the estimator's own predictions of some
        of the rows.
    name : str, optional
        The name in tables and on the page.
    check : Dataset or DataFrame, optional
        Rows that the model is held to, in place of those of the Dataset.
    codes : bool, optional
        Whether categories that are numbers in the table (grades 1 to 4) were given to the estimator as codes (0 to 3); by
        default, what its trees ask says so.

    Raises
    ------
    FidelityError
        If the trees, as dlx reads them, predict otherwise than the estimator does.
    DlxError
        If the estimator is none of these, is a subclass that changes what they predict, or does not read the columns of
        the schema or have its outcomes.

    Notes
    -----
    Columns are found by their names, in whatever order the estimator reads them, and by position where it was fitted
    without names. The model speaks for the schema's positive outcome: classes that are named as the schema's levels are
    found by name. Classes 0 and 1 (or False and True) of other levels are taken by position: 1 is the positive one. So is
    what a booster was trained for, which holds no names.
    """
    refuse_no_schema(case)
    schema = case.schema if isinstance(case, Dataset) else case
    check = some_of(case) if check is None and isinstance(case, Dataset) else check
    refuse_no_rows(check)
    classes = _library(estimator).classes(estimator)
    model = _read(estimator, classes, schema, name, codes)
    if check is None:
        return model
    numbers = (0, 1) if classes is None else classes
    is_known_by_name = not is_by_position(numbers, schema.target.levels)
    taken = "" if is_known_by_name else f"was fitted on the classes {', '.join(map(str, numbers))}, of which the second"
    refuse_turned(model, taken, 1, check)
    held = witnessed(model, check)
    assert isinstance(held, TreeModel)
    return held


def _read(estimator: Any, classes: Any, schema: Schema, name: str | None, codes: bool | None) -> TreeModel:
    library, kind = _library(estimator), kind_of(estimator)
    with _one_line(kind):
        foreign = library.read(estimator, _positive(classes, schema.target, kind))
        columns = _columns(library.names(estimator), library.count(estimator), schema, kind)
        trees, numbers = _renumbered(foreign.trees, columns), numbers_of(schema)
        if were_grown_on_codes(trees, numbers, schema, kind) if codes is None else codes:
            numbers = {}
        trees = on_codes(trees, numbers)
    _check_target(foreign.scale, schema, kind)
    original = partial(_of_rows, kind, foreign.predict, columns, numbers)
    rounding = trees.rounding(foreign.precision) + trees.rounding("float64")
    return TreeModel(trees, schema, name or kind, scales_from(foreign.scale), original=original, rounding=rounding)


def trees_of(estimator: Any) -> tuple[Trees, Scale]:
    """Return the trees of a fitted model of another library, and the scale on which they add up; for the second of two classes.

    Rows are read in the precision in which the library reads them, and thresholds, sets and leaves are those of the
    library: outputs agree to the rounding of its sum.
    """
    library = _library(estimator)
    with _one_line(kind_of(estimator)):
        library.classes(estimator)
        foreign: Foreign = library.read(estimator, 1)
    return foreign.trees, foreign.scale


@contextlib.contextmanager
def _one_line(kind: str) -> Iterator[None]:
    """Raise what is no mistake of ours, such as an error of the library's own, as a `DlxError` of one line."""
    try:
        yield
    except DlxError:
        raise
    except (ValueError, KeyError) as error:
        said = str(error).partition("\n")[0]
        raise DlxError(f"{kind} holds trees that dlx cannot read ({said}); {WAY_OUT}") from error


def _library(estimator: Any) -> Any:
    for cls in type(estimator).__mro__:
        library = cls.__module__.partition(".")[0]
        if library in _LIBRARIES:
            return importlib.import_module(f"dlx.model.foreign_trees._{library}")
    raise DlxError(f"trees must be of {', '.join(_LIBRARIES)}, got a {kind_of(estimator)}; {WAY_OUT}")


def _positive(classes: Sequence[Any] | None, target: Target, kind: str) -> int:
    """Return the position of a schema's positive outcome among an estimator's classes; 1 where it has no names for them."""
    if classes is None or target.kind == "regression":
        return 1
    return class_position(classes, target.levels, len(target.levels) - 1, kind)


def _columns(names: Sequence[str] | None, count: int, schema: Schema, kind: str) -> list[int]:
    """Return where each column that an estimator reads stands in a schema, by name, or by position where it knows none."""
    if names is not None and (fitted := known_columns(names, schema.names)):
        return [schema.names.index(name) for name in fitted]
    if (names is None or are_numbers(names)) and count == len(schema):
        return list(range(count))
    came = f"{count} columns" if names is None else ", ".join(names)
    known = ", ".join(schema.names)
    raise DlxError(f"{kind} must read the columns of the schema, or as many in their order, {known}; it reads {came}")


def _check_target(scale: Scale, schema: Schema, kind: str) -> None:
    if schema.target.kind != ("regression" if scale == "value" else "binary"):
        task = "regression" if scale == "value" else "classification of two outcomes"
        raise DlxError(f"the target of the schema must be that of a {task}, as of {kind}")


def _renumbered(trees: Trees, columns: Sequence[int]) -> Trees:
    """Return trees of an estimator's columns as trees of those of a schema, by the position of each."""
    place = np.array(columns)
    feature = np.where(trees.feature == LEAF, LEAF, place[trees.feature])
    absent = trees.reading.absent.copy()
    absent[:, 0] = place[absent[:, 0].astype(np.intp)]
    return replace(trees, feature=feature, reading=replace(trees.reading, absent=absent))


def _of_rows(kind: str, predict: Predict, columns: Sequence[int], numbers: Numbers, rows: np.ndarray) -> np.ndarray:
    """Return what an estimator predicts for a schema's coded rows [rows, features]; an error of its own becomes one line."""
    try:
        return predict(as_numbers(rows, numbers)[:, columns])
    except Exception as error:
        said = str(error).partition("\n")[0]
        raise PredictorError(f"{kind} raised {type(error).__name__} on {plural(len(rows), 'row')}: {said}") from error
