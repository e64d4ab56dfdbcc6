"""Fidelity: what dlx predicts of rows is held to what the user's own model predicts of them.

The user's model is called directly with the rows as they came (a table in its own dtypes; codes, for trees), in another
order and in smaller batches. A difference beyond rounding is an error, never a number.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from dlx.errors import DlxError
from dlx.model.base import Model, rescaled
from dlx.model.estimators import PredictorError
from dlx.model.kinds import BlackBox, TreeModel

ROUNDING = 1e-6  # of what the outputs differ by among each other: what two ways to the same number may differ by
IN_FLOAT32 = 10.0  # times as much, where the model may compute in float32
DIGITS = {True: 2.0**-21, False: 1e-10}  # of the largest output: the last ones of a float32, and of a double
WITNESSES = 16  # rows whose predictions are remembered, to know a model that was fitted again

_Kind = TypeVar("_Kind", bound=Model)


class FidelityError(DlxError):
    """A model of which dlx would predict something else than the model itself does."""


def verified(model: _Kind, check: Any) -> _Kind:
    """Return the model once it is held to some rows; what it predicts of a few of them is remembered."""
    refuse_unfaithful(model, [(check, predicted(model, check))])
    if model.original is None:
        return model
    few = model.as_it_came(check)[:WITNESSES]
    return dataclasses.replace(model, witness=(few, _asked(model.original, few)))


def predicted(model: Model, rows: Any) -> np.ndarray:
    """Return what a model predicts of rows on its first scale; a `FidelityError` if it fails on them only as dlx gives them."""
    try:
        return model.predict(rows, model.scales[0])
    except PredictorError as error:
        if not isinstance(model, BlackBox):
            raise
        try:
            model.function(model.as_it_came(rows))
        except PredictorError:
            raise error from None
        raise FidelityError(f"{error}; {_cause(model, rows)}") from error


def refuse_unfaithful(model: Model, parts: Sequence[tuple[Any, np.ndarray]]) -> None:
    """Raise if a model that was wrapped predicts otherwise than the user's own, which nets and models of dlx do not have.

    The parts are rows (a Dataset, a DataFrame or codes), each with what dlx predicts of them on the first scale, [rows].
    """
    if (original := model.original) is None:
        return
    scale = model.original_scale
    if model.witness is not None:
        rows, then = model.witness
        if apart := _furthest_apart(then, _asked(original, rows), _limit(model, then)):
            raise FidelityError(
                f"{model.name} was fitted again or changed since it was wrapped: of the same row it predicted "
                f"{apart[1]} then and {apart[2]} now ({scale}); wrap it again"
            )
    parts = [(rows, rescaled(outputs, model.scales[0], scale, model.name)) for rows, outputs in parts]
    limit = _limit(model, np.concatenate([outputs for _, outputs in parts]))
    for rows, ours in parts:
        came = model.as_it_came(rows)
        if apart := _furthest_apart(ours, _asked_in_halves(original, came), limit):
            row = came.index[apart[0]] if hasattr(came, "index") else apart[0]
            raise FidelityError(
                f"dlx would explain another model than {model.name}: of row {row} it predicts {apart[1]}, "
                f"{model.name} itself {apart[2]} ({scale}); {_cause(model, rows)}"
            )


def _asked(original: Callable[[Any], Any], came: Any) -> np.ndarray:
    return np.asarray(original(came), dtype=np.float64).reshape(-1)


def _asked_in_halves(original: Callable[[Any], Any], came: Any) -> np.ndarray:
    """Return the model's own predictions, asked for backwards and in two batches; a single row is asked beside itself."""
    outputs, backwards = np.empty(len(came)), np.arange(len(came))[::-1]
    halves = (backwards[::2], backwards[1::2]) if len(came) > 1 else (np.zeros(2, dtype=np.intp),)
    for half in halves:
        outputs[half] = _asked(original, came.iloc[half] if hasattr(came, "iloc") else came[half])
    return outputs


def _furthest_apart(ours: np.ndarray, theirs: np.ndarray, limit: float) -> tuple[int, str, str] | None:
    """Return the row in which two predictions differ most, and both numbers, with digits enough; None within the limit."""
    off = np.nan_to_num(np.abs(ours - theirs), nan=np.inf)
    if not (off > limit).any():
        return None
    row = int(np.argmax(off))
    one, other = ours[row], theirs[row]
    digits = next((digits for digits in range(6, 17) if f"{one:.{digits}g}" != f"{other:.{digits}g}"), 17)
    return row, f"{one:.{digits}g}", f"{other:.{digits}g}"


def _limit(model: Model, outputs: np.ndarray) -> float:
    """Return the largest difference that rounding explains; of values, which have no unit, it is a share of the range."""
    largest = float(np.abs(outputs).max(initial=0.0))
    size = {"probability": largest, "logit": max(largest, 1.0), "value": float(np.ptp(outputs))}[model.original_scale]
    if isinstance(model, TreeModel):
        return max(model.rounding, ROUNDING * size)
    return IN_FLOAT32 * ROUNDING * size + DIGITS[are_single(outputs)] * largest


def are_single(outputs: np.ndarray) -> bool:
    """Whether outputs are numbers of float32, as of a model that computes in it."""
    with np.errstate(over="ignore"):
        return bool((outputs == outputs.astype(np.float32)).all())


def _cause(model: Model, rows: Any) -> str:
    unknown = "it was fitted again since it was wrapped, or does what dlx cannot read: wrap it again, or a function of it"
    box = model if isinstance(model, BlackBox) else model.behind
    if box is None:
        return unknown
    came, given = box.as_it_came(rows).reset_index(drop=True), box.as_read(rows)
    changed = [name for name in came.columns if came[name].dtype != given[name].dtype or not came[name].equals(given[name])]
    if not changed and box is not model:
        return unknown
    if not changed:
        return "its answer for a row depends on the rows beside it, on their order, on the index, or on chance"
    held_as = {name: (_kind_of(given[name]), _kind_of(came[name])) for name in changed}
    known = {feature.name: feature.dtype for feature in box.schema.features}
    said = ", ".join(f"{name!r} as {ours} where the table holds {theirs}" for name, (ours, theirs) in held_as.items())
    remedy = "make a Dataset of the table that it was fitted on (dlx.dataset.from_frame), and wrap it with that"
    if all(known.get(name) == str(came[name].dtype) and ours != theirs for name, (ours, theirs) in held_as.items()):
        remedy = "that is more than dlx holds of a column, so convert it in the table that the model is fitted on"
    elif all(known.get(name) == str(given[name].dtype) for name in changed):
        remedy = "pass rows in the dtypes of the table that it was wrapped with"
    return f"dlx gives it {said}; {remedy}"


def _kind_of(column: Any) -> str:
    """Return what a column of a table holds: "int64", "category of interval", "object of decimal"."""
    import pandas as pd

    values = column.dtype.categories if isinstance(column.dtype, pd.CategoricalDtype) else column
    is_open = isinstance(column.dtype, pd.CategoricalDtype) or column.dtype == object
    return f"{column.dtype} of {pd.api.types.infer_dtype(values, skipna=True)}" if is_open else str(column.dtype)
