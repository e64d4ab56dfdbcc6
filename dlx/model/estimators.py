"""Estimators and functions as one function: a table in the columns that they read, one number a row out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.errors import DlxError
from dlx.model.protocol import Scale, ScaleError, rescaled
from dlx.schema import Schema, level_text, plural

if TYPE_CHECKING:
    import pandas as pd


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

    def __call__(self, table: pd.DataFrame) -> np.ndarray:
        """Return one number a row of the table, [rows]."""
        read = table[list(self.columns)]
        outputs = _numbers(self._called(read.to_numpy() if self.as_array else read), self.name)
        if outputs.ndim == 2 and outputs.shape[1] > 1 and self.chosen is not None:
            outputs = outputs[:, self._column(outputs.shape[1])]
        return rescaled(outputs, "probability", "logit", self.name) if self.from_probability else outputs

    def _called(self, read: Any) -> Any:
        try:
            return self.call(read)
        except DlxError:
            raise
        except Exception as error:
            first = (str(error).splitlines() or [""])[0]
            raise PredictorError(f"{self.name} raised {type(error).__name__} on {plural(len(read), 'row')}: {first}") from error

    def _column(self, width: int) -> int:
        """Return which of several columns is that of the chosen class: by the names of the classes, else by position."""
        assert self.chosen is not None
        classes = getattr(self.owner, "classes_", None)
        if classes is not None and len(classes) == width:
            return class_position(classes, self.levels, self.chosen, self.name)
        if self.levels and width != len(self.levels):
            raise PredictorError(
                f"{self.name} must give a column for each of the classes {', '.join(self.levels)}, got {width} columns; "
                "wrap a function that gives one number a row"
            )
        if self.chosen >= width:
            raise DlxError(f"target must be 0 to {width - 1}, the outputs of {self.name}, got {self.chosen}")
        return self.chosen


def read_estimator(predictor: Any, schema: Schema, *, name: str, scale: Scale | None, chosen: int | None) -> Reading:
    """Return an estimator or a function as a function of a table.

    Raises
    ------
    DlxError
        If it cannot be called, gives classes instead of numbers, has other classes than the target or reads other columns than
        the table has, or does not give what the scale says.
    """
    owner = getattr(predictor, "__self__", predictor)  # of a bound method
    is_regression = schema.target.kind == "regression"
    call = _call_of(predictor, owner, is_regression, name)
    gives_probabilities = getattr(call, "__name__", "") == "predict_proba"
    if scale == "value" and gives_probabilities:
        raise ScaleError(f"{name} gives probabilities; scale must be 'probability' or 'logit', got 'value'")
    if hasattr(owner, "classes_"):
        _check_classes(owner, schema, chosen, name)
    columns, as_array = _columns(owner, schema, name)
    return Reading(
        call=call,
        owner=owner,
        name=name,
        columns=columns,
        as_array=as_array,
        scale=scale or ("value" if is_regression else "probability"),
        from_probability=gives_probabilities and scale == "logit",
        levels=schema.target.levels,
        chosen=chosen,
    )


def class_position(classes: Any, levels: tuple[str, ...], chosen: int, name: str) -> int:
    """Return where a level stands among the classes of an estimator.

    By name, where the classes are the levels; by position where they are 0, 1, ... (or False, True) and the levels are not.

    Raises
    ------
    DlxError
        If the classes are neither.
    """
    spelled = _spelled(classes)
    for found, known in ((spelled, list(levels)), (_as_numbers(spelled), _as_numbers(levels))):
        if sorted(found) == sorted(known):
            return found.index(known[chosen])
    if is_by_position(classes, levels):
        return chosen
    raise DlxError(
        f"{name} must have been fitted on the classes of the target, {', '.join(map(repr, levels))}; "
        f"it has {', '.join(map(repr, spelled))}"
    )


def is_by_position(classes: Any, levels: tuple[str, ...]) -> bool:
    """Whether the classes are 0, 1, ... (or False, True), and the levels of the target are names of another kind."""
    numbers = _as_numbers(_spelled(classes))
    return numbers == [str(i) for i in range(len(levels))] and not set(numbers) & set(_as_numbers(levels))


def _spelled(classes: Any) -> list[str]:
    return [level_text(value) for value in np.asarray(classes).tolist()]


def _as_numbers(levels: Iterable[str]) -> list[str]:
    return [{"False": "0", "True": "1"}.get(level, level) for level in levels]


def _check_classes(owner: Any, schema: Schema, chosen: int | None, name: str) -> None:
    classes = np.asarray(owner.classes_, dtype=object) if not isinstance(owner.classes_, list) else None
    if classes is None or classes.ndim != 1:
        raise DlxError(f"{name} must have one outcome, but has several; wrap a function that gives one number a row")
    if len(classes) < 2:
        raise DlxError(f"{type(owner).__name__} has seen one class only; train it on outcomes of all classes")
    class_position(owner.classes_, schema.target.levels, chosen or 0, name)


def _columns(owner: Any, schema: Schema, name: str) -> tuple[tuple[str, ...], bool]:
    """Return the columns that an estimator was fitted on, and whether as an array without names."""
    names, count = getattr(owner, "feature_names_in_", None), getattr(owner, "n_features_in_", None)
    if names is not None and not (fitted := known_columns(names, schema.columns)):
        lacking = [str(column) for column in names if str(column) not in schema.columns]
        if len(lacking) < len(names) or len(names) not in (len(schema), len(schema.columns)):
            raise DlxError(
                f"{name} reads columns that the table lacks: {', '.join(lacking)}; the table has {', '.join(schema.columns)}"
            )
    elif names is not None:
        return fitted, False
    for columns in (schema.columns, schema.names):
        if count is None or count == len(columns):
            return columns, count is not None
    raise DlxError(
        f"{name} was fitted on {count} columns, but the table has {len(schema.columns)}: {', '.join(schema.columns)}; "
        "wrap it with the table that it was fitted on"
    )


def known_columns(names: Any, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return names as the table spells them, () where it lacks one; LightGBM puts _ for what is no letter or digit."""
    for spell in (str, lambda column: re.sub(r"\W", "_", str(column))):
        table = {spell(column): column for column in columns}
        if len(table) == len(columns) and all(spell(column) in table for column in names):
            return tuple(table[spell(column)] for column in names)
    return ()


def _numbers(outputs: Any, name: str) -> np.ndarray:
    """Return what a predictor gave as float64; torch's tensors too."""
    outputs = outputs.detach().cpu().numpy() if hasattr(outputs, "detach") else np.asarray(outputs)
    try:
        return np.asarray(outputs, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise PredictorError(f"{name} must return numbers, got {np.ravel(outputs)[:1].tolist()!r}") from error


def _call_of(predictor: Any, owner: Any, is_regression: bool, name: str) -> Callable[[Any], Any]:
    if owner is not predictor:
        if hasattr(owner, "classes_") and getattr(predictor, "__name__", "") == "predict":
            raise DlxError(f"predict of {type(owner).__name__} gives classes; wrap the estimator itself, or its predict_proba")
        return predictor
    if hasattr(predictor, "classes_") and is_regression:
        raise DlxError(f"{name} is a classifier, but the target is the value of a regression; pass a schema with its classes")
    if hasattr(predictor, "classes_") and not hasattr(predictor, "predict_proba"):
        raise DlxError(
            f"{type(predictor).__name__} has no predict_proba, and its predict gives classes; "
            "wrap a function that gives numbers, for example its decision_function with scale='logit'"
        )
    for method in ("predict",) if is_regression else ("predict_proba", "predict"):
        if hasattr(predictor, method):
            return getattr(predictor, method)
    if callable(predictor):
        return predictor
    raise DlxError(f"a model must be callable or have predict_proba or predict; {type(predictor).__name__} has neither")
