"""Whoever wraps a model can hold dlx to it: what dlx predicts of rows, beside what the user's own model predicts of them.

The user's model is called directly with the rows as they came (a table in its own dtypes; codes, for trees), in another
order and in smaller batches. A difference beyond rounding is an error, never a number.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlx.errors import DlxError
from dlx.model.estimators import PredictorError
from dlx.model.kinds import BlackBox, TreeModel, Witness
from dlx.model.protocol import Model, as_rows

ROUNDING = 1e-6  # of what the outputs differ by among each other: what two ways to the same number may differ by
IN_FLOAT32 = 10.0  # times as much, where the model may compute in float32
DIGITS = {True: 2.0**-21, False: 1e-10}  # of the largest output: the last ones of a float32, and of a double
WITNESSES = 16  # rows whose predictions are remembered, to know a model that was fitted again

Held = BlackBox | TreeModel  # models behind which is one of the user's own


class FidelityError(DlxError):
    """A model of which dlx would predict something else than the model itself does."""


def witnessed(model: Model, check: Any) -> Model:
    """Return the model once it is held to some rows; what it predicts of a few of them is remembered.

    Raises
    ------
    FidelityError
        If dlx predicts otherwise than the model does.
    """
    held(model, [(check, predicted(model, check))])
    if not isinstance(model, Held) or (original := _original(model)) is None:
        return model
    few = _as_it_came(model, check)[:WITNESSES]
    return dataclasses.replace(model, witness=Witness(few, _asked(original, few)))


def predicted(model: Model, rows: Any) -> np.ndarray:
    """Return what a model predicts of rows on the first of its scales.

    Raises
    ------
    FidelityError
        If it raises on what dlx gives it, but not on the rows as they came.
    """
    try:
        return model.predict(rows, model.scales[0])
    except PredictorError as error:
        if not isinstance(model, BlackBox) or not _answers(model, rows):
            raise
        raise FidelityError(f"{error}; {_cause(model, rows)}") from error


def _answers(model: BlackBox, rows: Any) -> bool:
    try:
        model.function(model.as_it_came(rows))
    except PredictorError:
        return False
    return True


def held(model: Model, parts: Sequence[tuple[Any, np.ndarray]]) -> None:
    """Raise if a model that was wrapped predicts otherwise than the user's own.

    Nothing is asked of a model that has no other one behind it: a net, which is a copy, or one that dlx trained.

    Parameters
    ----------
    model : Model
        Any model.
    parts : sequence of (rows, ndarray [rows])
        Each a Dataset, a DataFrame or codes, with what dlx predicts of them on the first of the model's scales.

    Raises
    ------
    FidelityError
        With the row, both numbers and the likely cause.
    """
    if not isinstance(model, Held) or (original := _original(model)) is None:
        return
    if model.witness is not None:
        _refuse_another(model, model.witness, original)
    limit = _limit(model, np.concatenate([outputs for _, outputs in parts]))
    for rows, ours in parts:
        came = _as_it_came(model, rows)
        theirs, backwards = np.empty(len(came)), np.arange(len(came))[::-1]
        halves = (backwards[::2], backwards[1::2]) if len(came) > 1 else (np.zeros(2, dtype=np.intp),)  # one, beside itself
        for half in halves:
            theirs[half] = _asked(original, came.iloc[half] if hasattr(came, "iloc") else came[half])
        off = np.nan_to_num(np.abs(ours - theirs), nan=np.inf)
        if (off > limit).any():
            row = int(np.argmax(off))
            name = came.index[row] if hasattr(came, "index") else row
            mine, its = _apart(ours[row], theirs[row])
            raise FidelityError(
                f"dlx would explain another model than {model.name}: of row {name} it predicts {mine}, "
                f"{model.name} itself {its} ({model.scales[0]}); {_cause(model, rows)}"
            )


def _refuse_another(model: Held, witness: Witness, original: Callable[[Any], np.ndarray]) -> None:
    now = _asked(original, witness.rows)
    off = np.nan_to_num(np.abs(now - witness.outputs), nan=np.inf)
    if (off > _limit(model, witness.outputs)).any():
        row = int(np.argmax(off))
        before, after = _apart(witness.outputs[row], now[row])
        raise FidelityError(
            f"{model.name} was fitted again or changed since it was wrapped: of the same row it predicted "
            f"{before} then and {after} now ({model.scales[0]}); wrap it again"
        )


def _apart(one: float, other: float) -> tuple[str, str]:
    """Return two numbers with as many digits as tell them apart, six or more."""
    digits = next((digits for digits in range(6, 17) if f"{one:.{digits}g}" != f"{other:.{digits}g}"), 17)
    return f"{one:.{digits}g}", f"{other:.{digits}g}"


def _original(model: Held) -> Callable[[Any], np.ndarray] | None:
    return model.original if isinstance(model, TreeModel) else model.function


def _asked(original: Callable[[Any], np.ndarray], came: Any) -> np.ndarray:
    return np.asarray(original(came), dtype=np.float64).reshape(-1)


def _as_it_came(model: Held, rows: Any) -> Any:
    return model.as_it_came(rows) if isinstance(model, BlackBox) else as_rows(model.schema, rows)


def _limit(model: Held, outputs: np.ndarray) -> float:
    """Return what rounding may part two ways to the same outputs by; a value has no unit of its own, so it is of no size."""
    largest = float(np.abs(outputs).max(initial=0.0))
    size = {"probability": largest, "logit": max(largest, 1.0), "value": float(np.ptp(outputs))}[model.scales[0]]
    if isinstance(model, TreeModel):
        return max(model.rounding, ROUNDING * size)
    with np.errstate(over="ignore"):
        is_single = bool((outputs == outputs.astype(np.float32)).all())
    return IN_FLOAT32 * ROUNDING * size + DIGITS[is_single] * largest


def _cause(model: Held, rows: Any) -> str:
    if isinstance(model, TreeModel):
        return "it was fitted again since it was wrapped, or its trees do what dlx cannot read: wrap it again, or by dlx.wrap"
    came, given = model.as_it_came(rows), model.decoded(rows)
    changed = [
        name
        for name in came.columns
        if came[name].dtype != given[name].dtype or not came[name].reset_index(drop=True).equals(given[name])
    ]
    if changed:
        said = ", ".join(f"{name!r} as {_held(given[name])} where the table holds {_held(came[name])}" for name in changed)
        is_beyond = all(
            name in model.schema.names
            and model.schema[name].dtype == str(came[name].dtype)
            and _held(given[name]) != _held(came[name])
            for name in changed
        )
        remedy = (
            "that is more than dlx holds of a column, so convert it in the table that the model is fitted on"
            if is_beyond
            else "make a Dataset of the table that it was fitted on (dlx.from_frame), and wrap it with that"
        )
        return f"dlx gives it {said}; {remedy}"
    return "its answer for a row depends on the rows beside it, on their order, on the index, or on chance"


def _held(column: Any) -> str:
    """Return how a column holds its values: "int64", "category of interval", "object of decimal"."""
    import pandas as pd

    values = column.dtype.categories if isinstance(column.dtype, pd.CategoricalDtype) else column
    is_open = isinstance(column.dtype, pd.CategoricalDtype) or column.dtype == object
    return f"{column.dtype} of {pd.api.types.infer_dtype(values, skipna=True)}" if is_open else str(column.dtype)
