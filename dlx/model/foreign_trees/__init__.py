"""Trees that other libraries grew, as our own: they predict the same, and tree_shap explains them exactly.

One library a file. A fitted model is read through what it offers itself.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from dlx.dataset import Dataset
from dlx.errors import DlxError, plural
from dlx.model.base import Scale, scales_from
from dlx.model.estimators import PredictorError, are_numbers, class_position, known_columns, taken_by_position
from dlx.model.fidelity import verified
from dlx.model.kinds import TreeModel
from dlx.model.wrapping import ids_of, numbers_of, refuse_misplaced, schema_and_check
from dlx.schema import Schema
from dlx.trees import LEAF, Trees

LIBRARIES = ("sklearn", "xgboost", "lightgbm", "catboost")
Predict = Callable[[np.ndarray], np.ndarray]
WAY_OUT = "dlx.wrap takes anything that predicts"
_PREPARES = re.compile(r"__|fit|score$|get_params$|set_")  # what a subclass may change without changing what it predicts
Numbers = dict[int, np.ndarray]  # by column: what each code is in the table


@dataclass(frozen=True)
class Foreign:
    """A model of another library, read; it speaks for the second of two classes, or for one of several."""

    trees: Trees  # on the columns as the library numbers them
    scale: Scale  # on which they add up
    predict: Predict  # the library's own prediction of rows of its columns, on that scale
    names: Sequence[str] | None  # of the columns that it was fitted on, if they had any
    count: int  # of these columns
    classes: Sequence[Any] | None  # of a classifier; None for a regression, and for a booster, which knows no names
    precision: str = "float64"  # in which the library adds up the leaves
    categories: Mapping[int, Sequence[Any]] = field(default_factory=dict)  # by column: what pandas categories are codes of

    def as_model(self, trees: Trees, scale: Scale, said: str, **own: Any) -> TreeModel:
        """Return trees that were made of these as a model on a scale; `said` is what they were read of."""
        rounding = trees.rounding(self.precision) + trees.rounding("float64")
        route = f"Read as a sum of {plural(len(trees), 'tree')}: each split of {said} asks about one column alone."
        return TreeModel(trees, scales=scales_from(scale), rounding=rounding, route=route, **own)


def wrap_trees(
    estimator: Any,
    case: Dataset | Schema,
    *,
    name: str | None = None,
    check: Any = None,
    codes: bool | None = None,
    trained_on: Any = None,
) -> TreeModel:
    """Return trees that another library grew on coded columns as a model whose trees can be explained exactly.

    Parameters
    ----------
    estimator : estimator or booster
        Fitted by scikit-learn (decision tree, random forest, extra trees, gradient boosting, histogram gradient
        boosting), XGBoost, LightGBM or CatBoost, for two classes or a regression, on the columns of the schema: numbers, and
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
    trained_on : Dataset, DataFrame or list, optional
        As of `wrap`.

    Raises
    ------
    FidelityError
        If the trees, as dlx reads them, predict otherwise than the estimator does.
    DlxError
        If the estimator is none of these, is a subclass that changes what they predict, or does not read the columns of
        the schema or have its outcomes.

    Notes
    -----
    Columns are found by their names, and by position where the estimator knows none. The model speaks for the schema's
    positive outcome: classes are found by their names; classes 0 and 1 (or False and True) of levels with other names, and what
    a booster was trained for, are taken by position: 1 is the positive one.
    """
    seen, (schema, check) = ids_of(trained_on, case), schema_and_check(case, check)
    kind, levels, foreign = kind_of(estimator), schema.target.levels, read_trees(estimator)
    classes, is_value, shift, sign = foreign.classes, foreign.scale == "value", 0.0, 1.0
    if classes and levels and class_position(classes, levels, len(levels) - 1, kind) == 0:  # the first is positive
        shift, sign = float(foreign.scale == "probability"), -1.0
    trees = stretched(foreign.trees, shift, sign)
    if schema.target.kind != ("regression" if is_value else "binary"):
        task = "regression" if is_value else "classification of two outcomes"
        raise DlxError(f"the target of the schema must be that of a {task}, as of {kind}")
    columns, numbers = _columns(foreign, schema, kind), numbers_of(schema)
    owner = np.where(trees.feature == LEAF, LEAF, np.array(columns)[trees.feature])
    trees = replace(trees, feature=owner, reading=trees.reading.renumbered(np.array(columns)))
    if _were_grown_on_codes(trees, numbers, schema, kind) if codes is None else codes:
        numbers = {}
    trees = _on_codes(trees, numbers)
    original = partial(_of_rows, kind, foreign.predict, (shift, sign), columns, numbers)
    own = {"schema": schema, "name": name or kind, "original": original, "trained_on": seen}
    model = foreign.as_model(trees, foreign.scale, kind, **own)
    if check is None:
        return model
    taken = taken_by_position((0, 1) if classes is None else classes, levels)
    refuse_misplaced(model, taken, check, lambda _: model.predict(check, model.scales[0]))
    return verified(model, check)


def trees_of(estimator: Any) -> tuple[Trees, Scale]:
    """Return the trees of another library's fitted model, and the scale of their sum; for the second of two classes."""
    foreign = read_trees(estimator)
    return foreign.trees, foreign.scale


def stretched(trees: Trees, intercept: float, slope: float) -> Trees:
    """Return trees whose sum is intercept + slope · the sum of others."""
    if (intercept, slope) == (0.0, 1.0):
        return trees
    return replace(trees, value=np.where(trees.feature == LEAF, slope * trees.value, 0.0), base=intercept + slope * trees.base)


def library_of(estimator: Any) -> str | None:
    """Return which of the libraries a class of an estimator is of, if any."""
    homes = (cls.__module__.partition(".")[0] for cls in type(estimator).__mro__)
    return next((home for home in homes if home in LIBRARIES), None)


def is_sum_of_trees(estimator: Any) -> bool:
    """Whether an estimator is of a class whose trees can be read."""
    library = library_of(estimator)
    known = importlib.import_module(f"{__name__}._{library}").KNOWN if library else ()
    return any(cls.__name__ in known for cls in type(estimator).__mro__)


def read_trees(estimator: Any, table: Any = None, place: int | None = None) -> Foreign:
    """Return what is to be known of a fitted model of another library; an error of that library's becomes one line.

    Where it was fitted on pandas categories that are no codes 0, 1, ..., it is read for rows in such a table as it is given; of
    several classes, for the one at a place among the model's own.
    """
    library = library_of(estimator)
    if library is None:
        raise DlxError(f"trees must be of {', '.join(LIBRARIES)}, got a {kind_of(estimator)}; {WAY_OUT}")
    try:
        read: Foreign = importlib.import_module(f"{__name__}._{library}").read(estimator, table, place)
    except DlxError:
        raise
    except (AttributeError, ValueError, KeyError) as error:
        said = str(error).partition("\n")[0]
        raise DlxError(f"{kind_of(estimator)} holds trees that dlx cannot read ({said}); {WAY_OUT}") from error
    return read


def _columns(foreign: Foreign, schema: Schema, kind: str) -> list[int]:
    """Return where each column that an estimator reads stands in a schema, by name, or by position where it knows none."""
    names = foreign.names
    if names is not None and (fitted := known_columns(names, schema.names)):
        return [schema.names.index(name) for name in fitted]
    if (names is None or are_numbers(names)) and foreign.count == len(schema):
        return list(range(foreign.count))
    came = f"{foreign.count} columns" if names is None else ", ".join(names)
    rule = f"{kind} must read the columns of the schema, or as many in their order"
    raise DlxError(f"{rule}, {', '.join(schema.names)}; it reads {came}")


def _of_rows(
    kind: str, predict: Predict, turn: tuple[float, float], columns: list[int], numbers: Numbers, rows: np.ndarray
) -> np.ndarray:
    """Return what an estimator predicts for a schema's coded rows [rows, features]; an error of its own becomes one line."""
    decoded = np.array(rows, dtype=np.float64)
    for column, values in numbers.items():
        known = ~np.isnan(decoded[:, column])
        decoded[known, column] = values[decoded[known, column].astype(np.intp)]
    try:
        return turn[0] + turn[1] * predict(decoded[:, columns])
    except Exception as error:
        said = str(error).partition("\n")[0]
        raise PredictorError(f"{kind} raised {type(error).__name__} on {plural(len(rows), 'row')}: {said}") from error


# What all readers share


def known_class(estimator: Any, library: str, known: Sequence[str]) -> type:
    """Return the class of a library that a fitted estimator is of; a `DlxError` if there is none, or a subclass changes it."""
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    mro = type(estimator).__mro__
    of_library = (cls for cls in mro if cls.__module__.partition(".")[0] == library)
    cls = next((cls for cls in of_library if cls.__name__ in known), None)
    if cls is None:
        raise DlxError(f"{kind_of(estimator)} is not a fitted sum of trees; {WAY_OUT} (wrap_trees reads {', '.join(known)})")
    if hasattr(estimator, "fit"):
        try:
            check_is_fitted(estimator)
        except NotFittedError as error:
            raise DlxError(f"{kind_of(estimator)} is not a fitted sum of trees: call its fit first") from error
    own = {*vars(estimator), *(name for sub in mro[: mro.index(cls)] for name in vars(sub))}
    theirs = {name: getattr(cls, name, None) for name in own if not _PREPARES.match(name)}
    changed = [name for name, old in theirs.items() if callable(old) or isinstance(old, property)]
    if changed:
        raise DlxError(
            f"{kind_of(estimator)} changes {', '.join(sorted(changed))} of {cls.__name__}, so its trees may not be what it "
            f"predicts; {WAY_OUT}"
        )
    return cls


def classes_of(estimator: Any, place: int | None, *, is_classifier: bool, outputs: int = 1) -> list[Any] | None:
    """Return the classes of a classifier, None of a regression; a `DlxError` if several outputs, or classes, leave it open."""
    classes = list(estimator.classes_) if is_classifier else None
    if outputs != 1 or (classes is not None and len(classes) != 2 and place is None):
        came = f"got {outputs}"
        if classes is not None:
            came = f"of two classes or a regression; it has {outputs} of {len(classes)} classes"
        raise DlxError(f"{kind_of(estimator)} must have one output, {came}; {WAY_OUT}")
    return classes


def softmax_of(estimator: Any, count: int) -> DlxError:
    """Return why trees of several classes are not read whose sums share a softmax."""
    said = f"{kind_of(estimator)} turns {count} sums of trees into probabilities together (softmax)"
    return DlxError(f"{said}, so that no class by itself is a sum of trees; {WAY_OUT}")


def kind_of(estimator: Any) -> str:
    """Return the name of an estimator's class."""
    return type(estimator).__name__


# Trees that were grown on the numbers that categories are in a table (grades 1 to 4), as trees of their codes (0 to 3)


def _were_grown_on_codes(trees: Trees, numbers: Numbers, schema: Schema, kind: str) -> bool:
    """Whether trees were grown on codes, not on the numbers behind them; a `DlxError` if what they ask does not tell."""
    for_codes, for_numbers, unclear = False, False, []
    for column, known in numbers.items():
        nodes = np.flatnonzero(trees.feature == column)
        gap = trees.missing_left[nodes, None][:, : int(schema.features[column].missing)]
        as_codes, as_numbers = (_goes_left(trees, nodes, values) for values in (np.arange(len(known)), known))
        seen = [np.hstack([left, gap]) for left in (as_codes, as_numbers)]
        fits_codes, fits_numbers = (left.any(axis=1) & ~left.all(axis=1) for left in seen)  # there is somebody on both sides
        for_codes |= bool((fits_codes & ~fits_numbers).any())
        for_numbers |= bool((fits_numbers & ~fits_codes).any())
        if (as_codes != as_numbers).any():
            unclear.append(column)
    if for_codes == for_numbers and unclear:
        feature, shown = schema.features[unclear[0]], ", ".join(f"{number:g}" for number in numbers[unclear[0]][:3])
        raise DlxError(
            f"the trees of {kind} must show whether they grew on the numbers of {feature.name!r} ({shown}, ...) or on their "
            f"codes (0, 1, ...), and do not; say codes=True or codes=False, or make the column numeric; {WAY_OUT}"
        )
    return not for_numbers


def _goes_left(trees: Trees, nodes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return which values go left at each of some nodes, bool [nodes, values]."""
    left = np.asarray(values, dtype=trees.reading.precision) <= trees.threshold[nodes, None]
    for i in np.flatnonzero(trees.has_set[nodes]):
        left[i] = np.isin(values, trees.codes_of(nodes[i]))
    return left


def _on_codes(trees: Trees, numbers: Numbers) -> Trees:
    """Return trees of numbers as trees of their codes: each node asks for the set of codes whose numbers went left."""
    sets: dict[int, np.ndarray] = {}
    ranges = trees.reading.absent
    absent = [ranges[~np.isin(ranges[:, 0], list(numbers))]]
    for column, exact in numbers.items():
        values, nodes = exact.astype(trees.reading.precision), np.flatnonzero(trees.feature == column)
        sets |= dict(zip(nodes.tolist(), map(np.flatnonzero, _goes_left(trees, nodes, values)), strict=True))
        for _, low, high in ranges[ranges[:, 0] == column]:
            gone = np.flatnonzero((values >= low) & (values <= high))
            absent.append(np.column_stack([np.full(len(gone), column), gone, gone]))
    return replace(trees.with_sets(sets), reading=replace(trees.reading, absent=np.concatenate(absent)))
