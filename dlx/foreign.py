"""What other tools made, as explanations of dlx: what their numbers do not say must be said, and is checked where it can be."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlx.errors import in_a_line, listed
from dlx.explanation import Explanation, ExplanationError, LocalAccuracy
from dlx.model import Model, Scale, as_rows, check_model

PROMISE = LocalAccuracy(relative=0.01)
ROUNDING = 1e-6  # of the largest output: of tools that compute in float32
UNKNOWN = "unknown "  # before what tells one unknown background from another


def codes_and_outputs(model: Model, rows: Any, scale: Scale) -> tuple[np.ndarray, np.ndarray]:
    """Return rows as codes, and what the model predicts of them; raise where it is no model, or lacks the scale."""
    check_model(model)
    return as_rows(model.schema, rows), model.predict(rows, scale)


def repeated(made: Explanation, again: Callable[[int], Any] | None, brought: Callable[[Any], Explanation]) -> Explanation:
    """Return an explanation that can be made again, where there is a function that does; `brought` brings what it gives in."""
    if again is None:
        return made

    def of_seed(seed: int) -> Explanation:
        try:
            return dataclasses.replace(brought(again(seed)), seed=seed)
        except Exception as error:  # the user's function may raise anything
            raise ExplanationError(f"again({seed}) of {made.method} of {made.model} fails: {in_a_line(error)}") from error

    return dataclasses.replace(made, again=of_seed)


def one_output(found: Any, output: int | None, model: Model) -> tuple[np.ndarray, np.ndarray]:
    """Return the values and base values of one output of a `shap.Explanation`: the last of two, where nobody says which."""
    values, base = np.asarray(found.values), np.asarray(found.base_values)
    if values.ndim < 3:
        return values, base
    count = values.shape[2]
    if output is None and count > 2:
        raise ExplanationError(f"the values are of {count} outputs; pass output=..., the position of {model.target}")
    chosen = count - 1 if output is None else output
    if not -count <= chosen < count:
        raise ExplanationError(f"output must be 0 to {count - 1}, got {output}")
    return values[:, :, chosen], base[..., chosen] if base.ndim else base


def lime_contributions(
    found: Sequence[Any], explainer: Any, model: Model, rows: Any, background: Any, label: int, scale: Scale
) -> tuple[np.ndarray, np.ndarray]:
    """Return the contributions against a background, and what they start from, that lime's weights of bins amount to.

    What lime was told of each row for a label must be what the model predicts: labels are the places of a function's outputs.
    """
    if explainer.discretizer is None:
        raise ExplanationError(
            "lime's weights are read of bins, but this explainer was made with discretize_continuous=False; leave it out"
        )
    (coded, outputs), (references, usual) = (codes_and_outputs(model, some, scale) for some in (rows, background))
    if len(found) != len(coded):
        raise ExplanationError(f"lime's explanations must be one a row, got {len(found)} for {len(coded)} rows")
    if any(label not in one.local_exp for one in found):
        raise ExplanationError(f"lime explained no label {label}; pass one of {listed(map(str, sorted(found[0].local_exp)))}")
    told = np.array([one.predict_proba if one.mode == "classification" else [np.nan, one.predicted_value] for one in found])
    apart = np.abs(told - outputs[:, None]).max(axis=0)
    limit = max(PROMISE.limit(float(np.abs(outputs - usual.mean()).mean())), ROUNDING * float(np.abs(outputs).max()))
    if not apart[label] <= limit:
        others = (
            f"label={np.nanargmin(apart)}" if np.nanmin(apart) <= limit else "the label, the rows and the scale that it had"
        )
        raise ExplanationError(
            f"lime was told {told[0, label]:.4g} of the first row for label {label}, but {model.name} predicts "
            f"{outputs[0]:.4g} ({model.target}, {scale}); pass {others}"
        )
    bins = explainer.discretizer.discretize
    weights, intercepts = np.zeros(coded.shape), np.empty(len(coded))
    for i, one in enumerate(found):
        for column, weight in one.local_exp[label]:
            weights[i, column] = weight
        intercepts[i] = one.intercept[label]
    shares = np.array([(bins(references) == row).mean(axis=0) for row in bins(coded)])
    return weights * (1 - shares), intercepts + (weights * shares).sum(axis=1)


def of_columns(values: Any, model: Model, count: int, what: str) -> np.ndarray:
    """Return values [rows, features] of original columns; those of a model's dense columns are summed, a table is reordered."""
    names = list(model.schema.names)
    if hasattr(values, "columns"):
        if lacking := [name for name in names if name not in values.columns]:
            raise ExplanationError(f"{what} lack the column {lacking[0]!r}; they have {listed(values.columns)}")
        values = values[names]
    array = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, dtype=np.float64)
    encoder = getattr(model, "encoder", None)
    if encoder is not None and array.shape == (count, encoder.width) and encoder.width != len(names):
        array = encoder.fold(array)
    if array.shape != (count, len(names)):
        dense = "" if encoder is None else f", or [{count}, {encoder.width}] of its dense columns"
        raise ExplanationError(
            f"{what} must be [{count}, {len(names)}] of {model.name}'s columns{dense}, got {list(array.shape)}"
        )
    failed = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(failed):
        raise ExplanationError(f"{what} must be finite, but row {failed[0]} holds {array[failed[0]].tolist()}; leave it out")
    return array


def base_of(base: Any, model: Model, references: np.ndarray | None, scale: Scale, count: int) -> np.ndarray:
    """Return the base value of each row; by default the mean output of the background."""
    if base is None and references is None:
        raise ExplanationError("what do the contributions start from? pass base_values=..., or the background")
    array = np.asarray(model.predict(references, scale).mean() if base is None else base, dtype=np.float64)
    if array.size not in (1, count) or array.ndim > 1 + (array.size == 1):
        raise ExplanationError(f"base_values must be one number, or one a row, got {list(array.shape)} for {count} rows")
    return np.broadcast_to(array.ravel(), count)


def check_sums(values: np.ndarray, base: np.ndarray, model: Model, coded: np.ndarray, scale: Scale) -> None:
    """Raise where contributions do not add up to the model's outputs; say on which scale, or for which outcome, they do."""
    sums = base + values.sum(axis=1)

    def off(outputs: np.ndarray) -> np.ndarray:
        effect = float(np.abs(outputs - base).mean())
        return np.abs(sums - outputs) - max(PROMISE.limit(effect), ROUNDING * float(np.abs(outputs).max()))

    outputs = {one: model.predict(coded, one) for one in model.scales}
    if (off(outputs[scale]) <= 0).all():
        return
    for other in model.scales:
        if other != scale and (off(outputs[other]) <= 0).all():
            raise ExplanationError(
                f"the contributions do not add up on {scale!r}, but on {other!r} they do; pass scale={other!r}"
            )
    negated = {"logit": -outputs[scale], "probability": 1 - outputs[scale]}.get(scale)
    if negated is not None and (off(negated) <= 0).all():
        raise ExplanationError(
            f"the contributions add up for another outcome than {model.target}; pass those of {model.target}"
        )
    gap = np.abs(sums - outputs[scale])
    raise ExplanationError(
        f"the contributions do not add up to what {model.name} predicts: row {gap.argmax()} is off by {gap.max():.3g} {scale}; "
        "is it the same model, the same rows, the same scale? If the method does not promise to add up, pass adds_up=False"
    )


def check_base(base: np.ndarray, references: np.ndarray, outputs: np.ndarray, scale: Scale) -> None:
    """Raise where base values are not the mean output of the background, as those of Shapley values and paths are."""
    mean = float(references.mean())
    effect = float(max(np.abs(outputs - mean).mean(), np.abs(references - mean).mean()))
    if np.abs(base - mean).max() > max(PROMISE.limit(effect), ROUNDING * abs(mean)):
        raise ExplanationError(
            f"the contributions start from {base.mean():.4g} {scale}, but the mean output of the background is {mean:.4g}; "
            "pass the background that they were made against, or None where it is not known"
        )
