"""Estimators and functions of the user's own as one function: a table in, one number a row out."""

from __future__ import annotations

import contextlib
import functools
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from dlx.errors import DlxError, plural, quoted
from dlx.model.base import Scale, ScaleError, rescaled
from dlx.schema import Schema, level_text
from dlx.schema.cells import number_of
from dlx.schema.frames import in_kind

if TYPE_CHECKING:
    import pandas as pd

_NUMBERED = ("", "x", "f", "Column_")  # how columns without names are called
_OF_THE_SECOND = ("decision_function", "predict_proba")  # one number a row of these speaks for the second of two classes
_NO_NUMBERS = {"predict": "classes", "predict_log_proba": "logarithms of probabilities"}  # what methods of classifiers give
_SUM_ROUNDING = 1e-5


class PredictorError(DlxError):
    """A predictor that cannot be called with the table, or does not give what it should."""


@dataclass(frozen=True, eq=False)
class Reading:
    """A predictor as a function of a table, on one scale: the columns that it is given, and which of its numbers counts."""

    call: Callable[[Any], Any]  # the predictor itself, or its method
    owner: Any  # the estimator, whose classes and columns are known, or the function itself
    method: str  # what the call is named
    name: str  # in errors
    columns: tuple[str, ...]  # that it is given, in order
    as_array: bool  # whether it was fitted on an array without names, and is given one
    scale: Scale  # of its numbers; on the logit, those of predict_proba are made of the probabilities
    levels: tuple[str, ...]  # the classes of the target
    chosen: int | None  # which of them is explained
    knows_order: bool  # whether columns without names may be taken by position
    categories: tuple[str, ...] = ()  # the columns that it is given as pandas categories, whatever the table holds them as
    frames: str = ""  # the library of the tables that it reads; pandas where empty

    def __call__(self, rows: pd.DataFrame | np.ndarray) -> np.ndarray:
        """Return one number a row of a table, or of an array in place of its values, [rows]."""
        return self.of(self.given(rows, self.call))

    def taken(self, given: Any) -> str:
        """Return how an error names what the predictor gave where a level is found by position; "" where names said it."""
        if self.classes is not None:
            return taken_by_position(self.classes, self.levels)
        if np.ndim(given) == 2 and np.shape(given)[1] > 1:
            return "" if _names_of(given) else "gives columns without names"
        return "predicts a number without a class" if len(self.levels) == 2 else ""

    def has_every_class(self, table: pd.DataFrame) -> bool:
        """Whether the predictor gives a column for each of several classes, of which another could be chosen."""
        return len(self.levels) > 2 and np.shape(self.given(table, self.call))[1:] == (len(self.levels),)

    @property
    def classes(self) -> Any:
        """The classes that the owner was fitted on, in the order of its columns; None where it has none."""
        return _classes_of(self.owner, self.name)

    def given(self, rows: pd.DataFrame | np.ndarray, call: Callable[[Any], Any]) -> Any:
        """Return what a function of the predictor's own rows makes of those of a table; what it raises becomes one line."""
        read: Any = rows if isinstance(rows, np.ndarray) else self._typed(rows[list(self.columns)])
        try:
            if read is not rows:
                read = read.to_numpy(copy=True) if self.as_array else in_kind(read, self.frames)
            return call(read)
        except DlxError:
            raise
        except Exception as error:
            said = (str(error).splitlines() or [""])[0]
            may_be_input = isinstance(error, (TypeError, ValueError, KeyError, IndexError))
            if may_be_input and "NotFitted" not in repr(error) and not isinstance(self.owner, FunctionType):
                what, given = ("the codes of a schema", "schema.encode(t)") if self.as_array else ("arrays", "t.to_numpy()")
                said += f"; where it reads {what}, wrap a function: lambda t: model.{self.method}({given})"
            raise PredictorError(f"{self.name} raised {type(error).__name__} on {plural(len(read), 'row')}: {said}") from error

    def _typed(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return a table with the categories that a booster was fitted on, where it holds their values only."""
        others = [name for name in self.categories if table[name].dtype != "category"]
        return table.astype(dict.fromkeys(others, "category")) if others else table

    def of(self, given: Any) -> np.ndarray:
        """Return the numbers of the chosen class, on the scale, [rows]."""
        outputs, from_probability = _numbers(given, self.name), self.scale == "logit" and self.method == "predict_proba"
        if self.chosen is not None and outputs.ndim == 2 and (width := outputs.shape[1]) > 1:
            if self.scale == "logit" and not from_probability:
                are_shares = (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=_SUM_ROUNDING)
                said = "probabilities, as they sum to 1" if are_shares else "no log-odds of one class against the others"
                raise ScaleError(
                    f"{self.name} returned {width} columns, which are {said}; wrap what gives probabilities, with "
                    "scale='probability', or a function that gives the log-odds of one class"
                )
            outputs = outputs[:, self._column(width, _names_of(given))]
        elif self.chosen is not None and self.method in _OF_THE_SECOND and np.size(self.classes) == 2:
            is_second = class_position(self.classes, self.levels, self.chosen, self.name) == 1
            outputs = outputs if is_second else -outputs if self.method == "decision_function" else 1 - outputs
        return rescaled(outputs, "probability", "logit", self.name) if from_probability else outputs

    def _column(self, width: int, names: list[str] | None) -> int:
        """Return which of several columns is that of the chosen class: by the names of the classes, else by position."""
        assert self.chosen is not None
        if self.levels and width != len(self.levels):
            raise PredictorError(
                f"{self.name} must give a column for each of the classes {', '.join(self.levels)}, got {width} columns; "
                "wrap a function that gives one number a row"
            )
        if self.classes is not None or names is not None:
            return class_position(self.classes if names is None else names, self.levels, self.chosen, self.name)
        if self.chosen >= width:
            raise DlxError(f"target must be 0 to {width - 1}, the outputs of {self.name}, got {self.chosen}")
        if not self.knows_order:
            raise PredictorError(
                f"{self.name} gives {width} columns without names, and libraries sort classes otherwise than the target, "
                f"{', '.join(map(repr, self.levels))}; return the column of {self.levels[self.chosen]!r} alone, a DataFrame "
                f"whose columns are the classes, or wrap the estimator itself; or say the column: target={self.chosen}"
            )
        return self.chosen


def read_estimator(
    predictor: Any, schema: Schema, *, name: str, scale: Scale | None, chosen: int | None, knows_order: bool = False
) -> Reading:
    """Return an estimator or a function as a function of a table, or raise a `DlxError` that says what is wrong with it.

    Columns of a function have no names. They are taken by position where the levels are sorted, as libraries sort classes,
    or where the order is known: outcomes are at hand, which tell, or the position was asked for.
    """
    bound, levels = called(predictor), schema.target.levels
    owner = getattr(bound, "__self__", predictor)  # of a bound method
    classes, is_regression = _classes_of(owner, name), schema.target.kind == "regression"
    if classes is not None and is_regression:
        raise DlxError(f"{name} is a classifier, but the target is the value of a regression; pass a schema with its classes")
    call = predictor if owner is not predictor else _method_of(predictor, classes, is_regression, name)
    method = str(getattr(bound if owner is not predictor else call, "__name__", "")).removeprefix("inplace_")
    if owner is not predictor and classes is not None and method in _NO_NUMBERS:
        raise DlxError(
            f"{method} of {type(owner).__name__} gives {_NO_NUMBERS[method]}; wrap the estimator itself, or its predict_proba"
        )
    if scale == "value" and method == "predict_proba":
        raise ScaleError(f"{name} gives probabilities; scale must be 'probability' or 'logit', got 'value'")
    _check_classes(classes, levels, chosen, method, name)
    columns, as_array = _columns(owner, schema, name)
    scale = scale or ("value" if is_regression else "probability")
    numbers = [number for level in levels if (number := number_of(level)) is not None]
    in_order: list[Any] = numbers if len(numbers) == len(levels) else list(levels)  # as libraries sort classes
    knows_order = knows_order or in_order == sorted(in_order)
    categories = tuple(columns[place] for place in category_places(owner))
    return Reading(call, owner, method, name, columns, as_array, scale, levels, chosen, knows_order, categories)


def called(predictor: Any) -> Any:
    """Return the function behind a `functools.partial`, or the predictor itself."""
    while isinstance(predictor, functools.partial):
        predictor = predictor.func
    return predictor


def _method_of(predictor: Any, classes: Any, is_regression: bool, name: str) -> Callable[[Any], Any]:
    """Return the method of an object that gives numbers; a function itself."""
    if isinstance(predictor, type):
        raise DlxError(f"{name} is a class; pass a fitted {name}, or a function")
    methods = {own: getattr(predictor, own, None) for own in ("predict_proba", "predict", "decision_function")}
    methods["predict"] = getattr(predictor, "inplace_predict", methods["predict"])  # of XGBoost's Booster, which reads tables
    offered = {own: method for own, method in methods.items() if callable(method)}
    if classes is not None and "predict_proba" not in offered:
        margin = ", for example its decision_function with scale='logit'" if "decision_function" in offered else ""
        kind = type(predictor).__name__
        raise DlxError(
            f"{kind} has no predict_proba, and its predict gives classes; wrap a function that gives numbers{margin}"
        )
    wanted = [offered[own] for own in ("predict_proba", "predict")[is_regression:] if own in offered]
    if not wanted and not callable(predictor):
        raise DlxError(f"a model must be callable or have predict_proba or predict; {type(predictor).__name__} has neither")
    return cast(Callable[[Any], Any], wanted[0] if wanted else predictor)


def class_position(classes: Any, levels: tuple[str, ...], chosen: int, name: str) -> int:
    """Return a level's place among an estimator's classes: by name, else by position where they are 0, 1, ..."""
    spelled = [level_text(value) for value in np.asarray(classes).tolist()]
    for found, known in ((spelled, list(levels)), (_as_numbers(spelled), _as_numbers(levels))):
        if sorted(found) == sorted(known):
            return found.index(known[chosen])
    if taken_by_position(classes, levels):
        return chosen
    raise DlxError(
        f"{name} must have been fitted on the classes of the target, {', '.join(map(repr, levels))}; "
        f"it has {', '.join(map(repr, spelled))}"
    )


def taken_by_position(classes: Any, levels: tuple[str, ...]) -> str:
    """Return how an error names classes 0, 1, ... (or False, True) of levels that are others; "" where they are the levels."""
    numbers = _as_numbers(level_text(value) for value in np.asarray(classes).tolist())
    if numbers != [str(i) for i in range(len(levels))] or set(numbers) & set(_as_numbers(levels)):
        return ""
    return f"was fitted on the classes {', '.join(map(str, classes))}"


def _classes_of(owner: Any, name: str) -> Any:
    """Return the classes that an estimator was fitted on; None where it has none."""
    try:
        classes = getattr(owner, "classes_", None)
        return None if classes is not None and not len(classes) else classes  # CatBoost's regressors have none
    except Exception as error:  # a property may raise anything
        raise PredictorError(f"{name} has no classes yet: {type(error).__name__}; call its fit first") from error


def _check_classes(classes: Any, levels: tuple[str, ...], chosen: int | None, method: str, name: str) -> None:
    """Raise if an estimator was not fitted on the classes of the target, or predicts the share of 1 where 0 is explained."""
    if classes is not None:
        if any(np.ndim(value) for value in classes):
            raise DlxError(f"{name} must have one outcome, but has several; wrap a function that gives one number a row")
        if len(classes) < 2:
            raise DlxError(f"{name} has seen one class only; train it on outcomes of all classes")
        class_position(classes, levels, chosen or 0, name)
    elif method == "predict" and chosen is not None:
        numbers = _as_numbers(levels)
        if sorted(numbers) == ["0", "1"] and numbers[chosen] == "0":
            raise DlxError(
                f"{name} predicts the mean of 0 and 1, which is not the probability of {levels[chosen]!r}; "
                "wrap a function that gives 1 less it"
            )


def _as_numbers(levels: Iterable[str]) -> list[str]:
    return [{"False": "0", "True": "1"}.get(level, level) for level in levels]


def _columns(owner: Any, schema: Schema, name: str) -> tuple[tuple[str, ...], bool]:
    """Return the columns that an estimator was fitted on, and whether as an array without names."""
    names, count = getattr(owner, "feature_names_in_", None), getattr(owner, "n_features_in_", None)
    known = own_names(owner) if names is None else _asked_for(owner, list(names))
    count = len(known) or count  # what CatBoost loads from a file counts none
    if len(known) and (fitted := known_columns(known, schema.columns)):
        return fitted, False
    if len(known) and not (are_numbers(known) and len(known) in (len(schema), len(schema.columns))):
        lacking = [str(column) for column in known if str(column) not in schema.columns]
        lacking = [f"{column}, the target" if column == schema.target.name else column for column in lacking]
        raise DlxError(
            f"{name} reads columns that the table lacks: {', '.join(lacking)}; the table has {', '.join(schema.columns)}"
        )
    for columns in (schema.columns, schema.names):
        if count is None or count == len(columns):
            return columns, count is not None
    raise DlxError(
        f"{name} was fitted on {count} columns, but the table has {len(schema.columns)}: {', '.join(schema.columns)}; "
        "wrap it with the table that it was fitted on"
    )


def _asked_for(owner: Any, names: list[str]) -> list[str]:
    """Return which of the columns that an estimator was fitted on it asks for: a ColumnTransformer in front may drop some."""
    first = owner
    while (inner := _front(first)) is not None:
        first = inner
    if type(first).__name__ != "ColumnTransformer":
        return names
    asked = {place for _, part, columns in first.transformers_ if part != "drop" for place in places_of(columns, names)}
    return [names[place] for place in sorted(asked)]


def _front(estimator: Any) -> Any:
    """Return what a fitted estimator gives its rows to as they are: the first step, what was searched for; or None."""
    if steps := getattr(estimator, "steps", None):
        return steps[0][1]
    calibrated = getattr(estimator, "calibrated_classifiers_", None)
    return getattr(estimator, "best_estimator_", None) if calibrated is None else calibrated[0].estimator


def places_of(columns: Any, names: Sequence[str]) -> list[int]:
    """Return the places of the columns that a part of a fitted ColumnTransformer asks for, among the names that it knows."""
    import pandas as pd

    asked: Any = [columns] if np.isscalar(columns) else columns
    if isinstance(asked, slice) and any(isinstance(end, str) for end in (asked.start, asked.stop)):
        asked = pd.Index(names).slice_indexer(asked.start, asked.stop, asked.step)
    is_named = not isinstance(asked, slice) and len(asked) and all(isinstance(column, str) for column in asked)
    places: list[int] = [names.index(column) for column in asked] if is_named else np.arange(len(names))[asked].tolist()
    return places


def are_numbers(names: Sequence[Any]) -> bool:
    """Whether the names of columns only number them: those that a library gives to columns of an array."""
    return any([str(name) for name in names] == [f"{word}{i}" for i in range(len(names))] for word in _NUMBERED)


def known_columns(names: Any, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return an estimator's columns as the table spells them, () where it lacks one; LightGBM writes _ for blanks and signs."""
    for spell in (str, lambda column: re.sub(r"\W", "_", str(column))):
        table = {spell(column): column for column in columns}
        if len(table) == len(columns) and all(spell(column) in table for column in names):
            return tuple(table[spell(column)] for column in names)
    return ()


def _names_of(given: Any) -> list[str] | None:
    """Return how a predictor names its columns; None where it does not, or only numbers them."""
    names = [str(name) for name in getattr(given, "columns", ())]
    return None if not names or are_numbers(names) else names


def _numbers(outputs: Any, name: str) -> np.ndarray:
    """Return what a predictor gave as float64; torch's tensors too. A masked number is none."""
    if hasattr(outputs, "detach"):
        outputs = outputs.detach().cpu()
        outputs = outputs.double().numpy() if outputs.is_floating_point() else outputs.numpy()
    array = np.asarray(outputs)
    is_text = array.dtype == object and any(isinstance(value, (str, bytes)) for value in array.flat)
    try:
        numbers = array.astype(np.float64) if array.dtype.kind in "biufO" and not is_text else None
    except (TypeError, ValueError, OverflowError):
        numbers = None
    if numbers is None:
        first = quoted(array.flat[0]) if array.ndim and array.size else type(outputs).__name__
        raise PredictorError(f"{name} must return numbers, got {first}")
    return np.where(np.ma.getmaskarray(outputs), np.nan, numbers) if np.ma.isMaskedArray(outputs) else numbers


def estimator_of(model: Any) -> Any:
    """Return a copy of a booster of XGBoost as its estimator, which reads tables; anything else as it is."""
    if type(model).__name__ != "Booster" or type(model).__module__.partition(".")[0] != "xgboost":
        return model
    import xgboost

    task = json.loads(model.save_config())["learner"]["objective"]["name"]
    made = xgboost.XGBClassifier() if task.startswith(("binary:", "multi:")) else xgboost.XGBRegressor()
    made.load_model(model.save_raw())
    return made


def own_names(owner: Any) -> Sequence[str]:
    """Return the names that CatBoost's estimators and the boosters of XGBoost and LightGBM have of their columns, if any."""
    known = (getattr(owner, name, None) for name in ("feature_names_", "feature_names", "feature_name"))
    return next(filter(None, (names() if callable(names) else names for names in known)), ())


def category_places(owner: Any) -> list[int]:
    """Return which columns XGBoost or LightGBM was fitted on as pandas categories, by their places."""
    with contextlib.suppress(AttributeError, ValueError):  # not fitted yet, as is said when it is called; or a linear booster
        booster = owner.get_booster() if hasattr(owner, "get_booster") else getattr(owner, "booster_", owner)
        if hasattr(booster, "get_categories"):
            held = booster.get_categories(export_to_arrow=True).to_arrow()
            return [place for place, (_, values) in enumerate(held) if values is not None]
        if listed := getattr(booster, "pandas_categorical", None):
            said = booster.model_to_string(num_iteration=1).partition("feature_infos=")[2].splitlines()[0].split(" ")
            places = [place for place, values in enumerate(said) if not values.startswith("[") and values != "none"]
            return places if len(places) == len(listed) else []
    return []
