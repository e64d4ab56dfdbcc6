"""Estimators and functions as one function: a table in the columns that they read, one number a row out."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from dlx.errors import DlxError
from dlx.model.classes import are_sorted, class_position, is_by_position, mean_speaks_for
from dlx.model.protocol import Scale, ScaleError, rescaled
from dlx.schema import Schema, plural
from dlx.schema.cells import quoted

if TYPE_CHECKING:
    import pandas as pd

_NUMBERED = ("", "x", "f", "Column_")  # how columns without names are called
_METHODS = ("predict_proba", "predict", "decision_function")
_OF_THE_SECOND = ("decision_function", "predict_proba")  # one number a row of these speaks for the second of two classes
_SUM_ROUNDING = 1e-5


class PredictorError(DlxError):
    """A predictor that cannot be called with the table, or does not give what it should."""


@dataclass(frozen=True, eq=False)
class Reading:
    """A predictor as a function of a table, on one scale.

    Parameters
    ----------
    call : callable
        The predictor itself, or its method.
    owner : object
        What the call belongs to: an estimator whose classes and columns are known, or the function itself.
    name : str
        The name in errors.
    columns : tuple of str
        The columns that it is given, in order.
    as_array : bool
        Whether it was fitted on an array without names, and is given one.
    scale : {"logit", "probability", "value"}
        The scale of its numbers.
    from_probability : bool
        Whether they are log-odds, made of the probabilities that it gives.
    levels : tuple of str
        The classes of the target.
    chosen : int or None
        Which of them is explained.
    method : str
        What the call is named.
    knows_order : bool
        Whether columns without names may be taken by position.
    """

    call: Callable[[Any], Any]
    owner: Any
    name: str
    columns: tuple[str, ...]
    as_array: bool
    scale: Scale
    from_probability: bool
    levels: tuple[str, ...]
    chosen: int | None
    method: str = ""
    knows_order: bool = True

    def __call__(self, table: pd.DataFrame) -> np.ndarray:
        """Return one number a row of the table, [rows]."""
        return self._of(self._given(table))

    def of_array(self, rows: np.ndarray) -> np.ndarray:
        """Return one number a row of an array in place of the table's values, [rows]."""
        return self._of(self._called(rows))

    def _of(self, given: Any) -> np.ndarray:
        outputs = _numbers(given, self.name)
        if outputs.ndim == 2 and outputs.shape[1] > 1 and self.chosen is not None:
            self._refuse_several_logits(outputs)
            outputs = outputs[:, self._column(outputs.shape[1], _names_of(given))]
        elif self._is_of_the_other():
            outputs = -outputs if self.method == "decision_function" else 1 - outputs
        return rescaled(outputs, "probability", "logit", self.name) if self.from_probability else outputs

    def taken(self, table: pd.DataFrame) -> str:
        """Return what was taken for the probability of a level by its position only, as an error says it; "" if nothing was."""
        if self.classes is not None:
            known = is_by_position(self.classes, self.levels)
            return f"was fitted on the classes {', '.join(map(str, self.classes))}, of which the second" if known else ""
        given = self._given(table)
        if np.ndim(given) == 2 and np.shape(given)[1] > 1:
            return "" if _names_of(given) else "gives columns without names, of which the second"
        return "predicts a number without a class, which" if self.method == "predict" else ""

    @property
    def classes(self) -> Any:
        """The classes that the owner was fitted on, in the order of its columns; None where it has none."""
        return classes_of(self.owner, self.name)

    def _given(self, table: pd.DataFrame) -> Any:
        read = table[list(self.columns)]
        return self._called(read.to_numpy(copy=True) if self.as_array else read)

    def _is_of_the_other(self) -> bool:
        """Whether one number a row speaks for the other of two classes than the chosen one."""
        if self.chosen is None or self.classes is None or self.method not in _OF_THE_SECOND or len(self.classes) != 2:
            return False
        return class_position(self.classes, self.levels, self.chosen, self.name) == 0

    def _refuse_several_logits(self, outputs: np.ndarray) -> None:
        if self.scale != "logit" or self.from_probability:
            return
        are_shares = (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=_SUM_ROUNDING)
        said = "probabilities, as they sum to 1" if are_shares else "no log-odds of one class against the others"
        raise ScaleError(
            f"{self.name} returned {outputs.shape[1]} columns, which are {said}; wrap what gives probabilities, with "
            "scale='probability', or a function that gives the log-odds of one class"
        )

    def _called(self, read: Any) -> Any:
        try:
            return self.call(read)
        except DlxError:
            raise
        except Exception as error:
            first = (str(error).splitlines() or [""])[0]
            raised = f"{self.name} raised {type(error).__name__} on {plural(len(read), 'row')}: {first}"
            raise PredictorError(raised + self._what_it_may_read(error)) from error

    def _what_it_may_read(self, error: Exception) -> str:
        """Return how to wrap an estimator that was given something else than what it reads."""
        is_of_its_input = isinstance(error, (TypeError, ValueError, KeyError, IndexError)) and "NotFitted" not in repr(error)
        if not is_of_its_input or isinstance(self.owner, FunctionType):
            return ""
        method = f"model.{self.method}"
        if self.as_array:
            return f"; where it reads the codes of a schema, wrap a function: lambda t: {method}(schema.encode(t))"
        return f"; where it reads arrays, wrap a function: lambda t: {method}(t.to_numpy())"

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
    """Return an estimator or a function as a function of a table.

    Columns of a function have no names. They are taken by position where the levels are sorted, as libraries sort classes,
    or where the order is known: outcomes are at hand, which tell, or the position was asked for.

    Raises
    ------
    DlxError
        If it cannot be called, gives classes instead of numbers, has other classes than the target or reads other columns than
        the table has, or does not give what the scale says.
    """
    bound = called(predictor)
    owner = getattr(bound, "__self__", predictor)  # of a bound method
    levels, is_regression = schema.target.levels, schema.target.kind == "regression"
    call = _call_of(predictor, owner, getattr(bound, "__name__", ""), is_regression, name)
    method = str(getattr(call if owner is predictor else bound, "__name__", ""))
    gives_probabilities = method == "predict_proba"
    if scale == "value" and gives_probabilities:
        raise ScaleError(f"{name} gives probabilities; scale must be 'probability' or 'logit', got 'value'")
    if (classes := classes_of(owner, name)) is not None:
        _check_classes(classes, schema, chosen, name)
    elif method == "predict" and chosen is not None and not mean_speaks_for(levels, chosen):
        raise DlxError(
            f"{name} predicts the mean of 0 and 1, which is not the probability of {levels[chosen]!r}; "
            "wrap a function that gives 1 less it"
        )
    columns, as_array = _columns(owner, schema, name)
    return Reading(
        call=call,
        owner=owner,
        name=name,
        columns=columns,
        as_array=as_array,
        scale=scale or ("value" if is_regression else "probability"),
        from_probability=gives_probabilities and scale == "logit",
        levels=levels,
        chosen=chosen,
        method=method,
        knows_order=knows_order or are_sorted(levels),
    )


def called(predictor: Any) -> Any:
    """Return what a predictor calls in the end: the function of a `functools.partial`."""
    while isinstance(predictor, functools.partial):
        predictor = predictor.func
    return predictor


def classes_of(owner: Any, name: str) -> Any:
    """Return the classes that an estimator was fitted on; None where it has none."""
    try:
        return getattr(owner, "classes_", None)
    except Exception as error:  # a property may raise anything
        raise PredictorError(f"{name} has no classes yet: {type(error).__name__}; call its fit first") from error


def _check_classes(classes: Any, schema: Schema, chosen: int | None, name: str) -> None:
    if any(np.ndim(value) for value in classes):
        raise DlxError(f"{name} must have one outcome, but has several; wrap a function that gives one number a row")
    if not schema.target.levels:
        raise DlxError(f"{name} is a classifier, but the target is the value of a regression; pass a schema with its classes")
    if len(classes) < 2:
        raise DlxError(f"{name} has seen one class only; train it on outcomes of all classes")
    class_position(classes, schema.target.levels, chosen or 0, name)


def _columns(owner: Any, schema: Schema, name: str) -> tuple[tuple[str, ...], bool]:
    """Return the columns that an estimator was fitted on, and whether as an array without names."""
    names, count = getattr(owner, "feature_names_in_", None), getattr(owner, "n_features_in_", None)
    if names is None and (fitted := known_columns(getattr(owner, "feature_names_", ()) or (), schema.columns)):
        return fitted, False  # CatBoost's
    if names is not None:
        if fitted := known_columns(names, schema.columns):
            return fitted, False
        if not are_numbers(names) or len(names) not in (len(schema), len(schema.columns)):
            lacking = [str(column) for column in names if str(column) not in schema.columns]
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


def are_numbers(names: Sequence[Any]) -> bool:
    """Whether the names of columns only number them: those that a library gives to columns of an array."""
    return any([str(name) for name in names] == [f"{word}{i}" for i in range(len(names))] for word in _NUMBERED)


def known_columns(names: Any, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return names as the table spells them, () where it lacks one; LightGBM puts _ for what is no letter or digit."""
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
    texts = (value for value in array.flat if isinstance(value, (str, bytes))) if array.dtype == object else ()
    try:
        if array.dtype.kind not in "biufO" or next(iter(texts), None) is not None:
            raise TypeError
        numbers = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        first = quoted(array.flat[0]) if array.ndim and array.size else type(outputs).__name__
        raise PredictorError(f"{name} must return numbers, got {first}") from error
    return np.where(np.ma.getmaskarray(outputs), np.nan, numbers) if np.ma.isMaskedArray(outputs) else numbers


def _call_of(predictor: Any, owner: Any, method: str, is_regression: bool, name: str) -> Callable[[Any], Any]:
    classes = classes_of(owner, name)
    if owner is not predictor:
        gives = {"predict": "classes", "predict_log_proba": "logarithms of probabilities"}.get(method)
        if classes is not None and gives:
            raise DlxError(f"{method} of {type(owner).__name__} gives {gives}; wrap the estimator itself, or its predict_proba")
        return cast(Callable[[Any], Any], predictor)
    if isinstance(predictor, type):
        raise DlxError(f"{name} is a class; pass a fitted {name}, or a function")
    if classes is not None and is_regression:
        raise DlxError(f"{name} is a classifier, but the target is the value of a regression; pass a schema with its classes")
    offered = {own: call for own in _METHODS if callable(call := getattr(predictor, own, None))}
    if classes is not None and "predict_proba" not in offered:
        margin = ", for example its decision_function with scale='logit'" if "decision_function" in offered else ""
        raise DlxError(
            f"{type(predictor).__name__} has no predict_proba, and its predict gives classes; wrap a function that gives "
            f"numbers{margin}"
        )
    for own in ("predict",) if is_regression else ("predict_proba", "predict"):
        if own in offered:
            return offered[own]
    if callable(predictor):
        return cast(Callable[[Any], Any], predictor)
    raise DlxError(f"a model must be callable or have predict_proba or predict; {type(predictor).__name__} has neither")
