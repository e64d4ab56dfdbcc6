"""Anything that predicts, as a Model."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.errors import DlxError
from dlx.model.kinds import BlackBox, NeuralModel
from dlx.model.protocol import CLASSIFIER, REGRESSION, SCALES, Model, Scale, ScaleError
from dlx.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

    from dlx.encoder import Encoder


def wrap(
    predictor: Any,
    schema: Schema,
    *,
    name: str | None = None,
    scale: Scale | None = None,
    target: int | None = None,
    encoder: Encoder | None = None,
) -> Model:
    """Return anything that predicts as a Model.

    Parameters
    ----------
    predictor : callable, estimator or torch.nn.Module
        A function from a DataFrame of rows to numbers; an object with `predict_proba` or `predict` that takes a
        DataFrame; or a network on dense rows [rows, width] that returns logits (values for a regression).
    schema : Schema
        The columns that it reads, and the target.
    name : str, optional
        The name in tables and on the page.
    scale : {"logit", "probability", "value"}, optional
        The scale on which a function answers; by default the probability, or the value of a regression.
    target : int, optional
        Which of several outputs is explained; the positive class of a binary target by default.
    encoder : Encoder, optional
        What a network reads; by default the columns as they are, which needs a table of complete numbers.

    Raises
    ------
    DlxError
        If the predictor is neither callable nor has `predict_proba` or `predict`, or there is no output `target`.
    """
    name = name or str(getattr(predictor, "__name__", type(predictor).__name__))
    if scale is not None and scale not in SCALES:
        raise ScaleError(f"scale must be one of {', '.join(SCALES)}, got {scale!r}")
    is_regression = schema.target.kind == "regression"
    if _is_network(predictor):
        if target is not None:
            raise DlxError(f"{name} must have one output; add a last layer that picks output {target}, and leave target out")
        return NeuralModel(predictor, encoder or _identity(schema), name, REGRESSION if is_regression else CLASSIFIER)
    scale = scale or ("value" if is_regression else "probability")
    scales = REGRESSION if scale == "value" else (scale, *(other for other in CLASSIFIER if other != scale))
    if target is None and schema.target.kind == "binary":
        target = 1
    if target is not None and not is_regression and not 0 <= target < len(schema.target.levels):
        raise DlxError(f"target must be 0 to {len(schema.target.levels) - 1}, got {target}")
    return BlackBox(_one_column(_function_of(predictor, is_regression), name, target), schema, name, scales, target)


def _is_network(predictor: Any) -> bool:
    import sys

    torch = sys.modules.get("torch")
    return torch is not None and isinstance(predictor, torch.nn.Module)


def _identity(schema: Schema) -> Encoder:
    from dlx.encoder import Encoder

    spoiled = [feature.name for feature in schema.features if feature.is_categorical or feature.missing]
    if spoiled:
        raise DlxError(
            f"a network reads numbers, but {', '.join(spoiled)} are categorical or may be missing; "
            "pass the encoder that it was trained with: dlx.wrap(network, schema, encoder=...)"
        )
    return Encoder.identity(schema)


def _function_of(predictor: Any, is_regression: bool) -> Callable[[pd.DataFrame], Any]:
    if hasattr(predictor, "classes_") and not hasattr(predictor, "predict_proba"):
        raise DlxError(
            f"{type(predictor).__name__} has no predict_proba, and its predict gives classes; "
            "wrap a function that gives numbers, for example its decision_function with scale='logit'"
        )
    if len(getattr(predictor, "classes_", (0, 1))) < 2:
        raise DlxError(f"{type(predictor).__name__} has seen one class only; train it on outcomes of all classes")
    for method in ("predict",) if is_regression else ("predict_proba", "predict"):
        if hasattr(predictor, method):
            return getattr(predictor, method)
    if callable(predictor):
        return predictor
    raise DlxError(f"a model must be callable or have predict_proba or predict; {type(predictor).__name__} has neither")


def _one_column(function: Callable[[pd.DataFrame], Any], name: str, target: int | None) -> Callable[[pd.DataFrame], Any]:
    def one_column(table: pd.DataFrame) -> np.ndarray:
        outputs = np.asarray(function(table))
        if outputs.ndim != 2 or outputs.shape[1] == 1 or target is None:
            return outputs
        if target >= outputs.shape[1]:
            raise DlxError(f"target must be 0 to {outputs.shape[1] - 1}, the outputs of {name}, got {target}")
        return outputs[:, target]

    return one_column
