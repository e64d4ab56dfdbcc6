"""The fastest exact route to a user's own estimator: read as trees, or as coefficients, where that is proved; else asked only.

What is read is held to the estimator's own predictions, of rows as they came and of rows mixed of them. Where it cannot be
read, or predicts otherwise, the estimator stays what it was: a function of which nothing but predictions is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dlx.errors import DlxError, plural
from dlx.model.base import Model, Scale, as_rows, scales_from
from dlx.model.estimators import Reading, class_position
from dlx.model.fidelity import FidelityError, predicted, refuse_unfaithful, verified
from dlx.model.foreign_trees import WAY_OUT, is_sum_of_trees, library_of, read_trees, stretched
from dlx.model.kinds import BlackBox, LinearModel, TreeModel
from dlx.model.pipelines import NoRoute, PipelineEncoder, given_by

MIXED = 64  # rows mixed of those at hand that a model is held to
_SHELLS = ("best_estimator_", "estimator_", "estimator")  # of a search, a chosen threshold, a frozen estimator
_SHELL_KINDS = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV", "FrozenEstimator")
_THRESHOLDS = ("FixedThresholdClassifier", "TunedThresholdClassifierCV")


@dataclass
class Parts:
    """A fitted estimator taken apart: steps before the last, the last, and the straight line that calibrates its score."""

    steps: list[Any]
    last: Any
    intercept: float = 0.0
    slope: float = 1.0
    is_calibrated: bool = False


def fastest(box: BlackBox, check: Any, asked: Scale | None) -> Model:
    """Return trees or coefficients read of a wrapped estimator, where these are proved to be what it predicts; else itself.

    Parameters
    ----------
    box : BlackBox
        The estimator as a function of a table.
    check : Dataset, DataFrame or ndarray, optional
        Rows that what is read is held to; without any, nothing is proved.
    asked : {"logit", "probability", "value"}, optional
        The first scale, where the user named one.
    """
    try:
        return _proved(_read(box, check, asked), check)
    except Exception as why:  # whatever an estimator may hold, its predictions can be asked for
        return as_black_box(box, why)


def as_black_box(box: BlackBox, why: Exception) -> BlackBox:
    """Return the model as a black box, whose `route` says why it was read as nothing better."""
    said = str(why).replace(f"; {WAY_OUT}", "") if isinstance(why, DlxError) else f"reading it raised {type(why).__name__}"
    if isinstance(why, FidelityError):
        said = f"what was read of it is another model: {said.partition(': ')[2].partition('; ')[0]}"
    return replace(box, route=f"Only asked for predictions: {said}.")


def _read(box: BlackBox, check: Any, asked: Scale | None) -> Model:
    """Return an estimator as trees or coefficients, or raise a `DlxError` that says why it is neither."""
    reading = box.function
    if not isinstance(reading, Reading) or reading.owner is reading.call:
        raise NoRoute("of a function nothing is known but what it predicts")
    if check is None:
        raise NoRoute("no rows are at hand to hold anything else to; wrap it with a Dataset, or pass check")
    if box.carried and box.companion is None:
        raise NoRoute(f"it reads {', '.join(box.carried)}, which dlx does not explain")
    parts, box = taken_apart(reading.owner), box.typed(check)
    is_trees = is_sum_of_trees(parts.last) and not hasattr(parts.last, "coef_")
    if len(reading.levels) > 2 and not is_trees:
        raise NoRoute(f"one of {len(reading.levels)} classes is no sum over columns")
    names = box.schema.names
    owner = [names.index(name) if name in names else 0 for name in reading.columns]  # what is no feature is the same for all
    given, owner = reading.given(box.as_it_came(check), lambda rows: given_by(parts.steps, rows, owner))
    encoder = PipelineEncoder(box, reading, tuple(parts.steps), np.array(owner, dtype=np.intp))
    model: Model = _trees(encoder, reading, parts, given) if is_trees else _linear(encoder, reading, parts)
    if asked is not None and asked != model.scales[0]:
        raise NoRoute(f"it adds up on the scale {model.scales[0]!r}, and {asked!r} was asked for")
    return model


def _proved(model: Model, check: Any) -> Model:
    """Return a model once it predicts what the estimator does of rows, and of rows mixed of them; else a `FidelityError`."""
    rng = np.random.default_rng(0)
    mixed = np.column_stack([rng.choice(column, MIXED) for column in as_rows(model.schema, check).T])
    refuse_unfaithful(model, [(mixed, predicted(model, mixed))])
    return verified(model, check)


# Shells around an estimator


def taken_apart(estimator: Any) -> Parts:
    """Return a fitted estimator without the shells around it; a `NoRoute` where one of them is no sum of what it holds."""
    parts = Parts([], estimator)
    while (inner := _inside(parts)) is not None:
        parts.last = inner
    return parts


def _inside(parts: Parts) -> Any:
    """Return what is inside the outermost shell of the last step, None where there is none; and note what the shell does."""
    kind = type(parts.last).__name__
    if kind == "Pipeline":
        parts.steps += [step for _, step in parts.last.steps[:-1] if step is not None and step != "passthrough"]
        return parts.last.steps[-1][1]
    if kind == "CalibratedClassifierCV":
        return _calibrated(parts)
    if kind in _SHELL_KINDS or kind in _THRESHOLDS:
        return next(getattr(parts.last, name) for name in _SHELLS if hasattr(parts.last, name))
    return None


def _calibrated(parts: Parts) -> Any:
    """Return the one estimator that a sigmoid calibrates: log-odds that are a straight line of its score."""
    members = parts.last.calibrated_classifiers_
    if len(members) != 1 or parts.is_calibrated:
        raise NoRoute(f"it is the mean of {len(members)} calibrated models, which is no sum on the log-odds")
    if members[0].method != "sigmoid":
        raise NoRoute(f"its calibration is {members[0].method}, after which nothing adds up")
    if len(members[0].calibrators) > 1:
        raise NoRoute("its calibration divides the classes by their sum, after which nothing adds up")
    (curve,) = members[0].calibrators
    parts.intercept, parts.slope, parts.is_calibrated = -float(curve.b_), -float(curve.a_), True
    return members[0].estimator


def _score(parts: Parts, reading: Reading, own: Scale) -> tuple[Scale, float, float]:
    """Return the scale of a last step's sum after its shells, and the line that takes it there: intercept and slope."""
    by_margin = hasattr(parts.last, "decision_function")
    if parts.is_calibrated and own != ("logit" if by_margin else "probability"):
        raise NoRoute("its calibration bends its probabilities, while it adds up on the log-odds")
    intercept, slope = (parts.intercept, parts.slope) if parts.is_calibrated else (0.0, 1.0)
    scale: Scale = "logit" if parts.is_calibrated else reading.scale if own == "value" else own
    classes = reading.classes
    if len(reading.levels) == 2 and classes is not None and _place(reading) == 0:
        intercept, slope = (1.0 if scale == "probability" else 0.0) - intercept, -slope
    return scale, intercept, slope


def _place(reading: Reading) -> int | None:
    """Return where the chosen class is among an estimator's own; None where none was chosen."""
    if reading.chosen is None or reading.classes is None:
        return reading.chosen
    return class_position(reading.classes, reading.levels, reading.chosen, reading.name)


# What the last step is


def _linear(encoder: PipelineEncoder, reading: Reading, parts: Parts) -> LinearModel:
    """Return a linear model of what the steps before it give."""
    last, kind = parts.last, type(parts.last).__name__
    coefficients = getattr(last, "coef_", None)
    if coefficients is None:
        raise NoRoute(f"{kind} is neither a sum of trees nor linear")
    coefficients = coefficients.toarray() if hasattr(coefficients, "toarray") else np.asarray(coefficients, dtype=np.float64)
    if coefficients.size != encoder.width:
        raise NoRoute(f"{kind} has {plural(coefficients.size, 'coefficient')} for {plural(encoder.width, 'column')}")
    own: Scale = "value" if reading.classes is None else "logit"
    scale, shift, slope = _score(parts, reading, own)
    (constant,) = np.atleast_1d(np.asarray(getattr(last, "intercept_", 0.0), dtype=np.float64))
    route = f"Read as a linear model: each part of {_told(parts)} is about one column alone."
    return LinearModel(
        slope * coefficients.ravel(), shift + slope * float(constant), encoder, reading.name, scales_from(scale),
        original=encoder.box.function, behind=encoder.box, route=route,
    )  # fmt: skip


def _trees(encoder: PipelineEncoder, reading: Reading, parts: Parts, given: Any) -> TreeModel:
    """Return the trees of a library on what the steps before it give."""
    foreign = read_trees(parts.last, given, _place(reading) if len(reading.levels) > 2 else None)
    if foreign.count != encoder.width:
        raise NoRoute(f"{type(parts.last).__name__} reads {foreign.count} columns, not the {encoder.width} that it is given")
    scale, intercept, slope = _score(parts, reading, foreign.scale)
    trees = stretched(foreign.trees, intercept, slope)
    blank = np.nan if library_of(parts.last) == "xgboost" else 0.0  # XGBoost takes what is not stored for missing
    encoder = replace(encoder, categories=foreign.categories, blank=blank)
    own = {"schema": encoder.schema, "name": reading.name, "original": encoder.box.function, "behind": encoder.box}
    return foreign.as_model(trees, scale, _told(parts), encoder=encoder, **own)


def _told(parts: Parts) -> str:
    *steps, last = (type(step).__name__ for step in (*parts.steps, parts.last))
    return f"{', '.join(steps)} and {last}" if steps else last
