"""Models: anything that predicts rows of original columns, on a stated scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np

from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.schema import Schema, plural
from dlx.threads import in_chunks

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from dlx.encoder import Encoder
    from dlx.trees import Trees

Scale = Literal["logit", "probability", "value"]
SCALES: tuple[Scale, ...] = ("logit", "probability", "value")
CLASSIFIER: tuple[Scale, ...] = ("logit", "probability")
REGRESSION: tuple[Scale, ...] = ("value",)

CHUNK_ROWS = 4_096  # so that a layer's activations stay in the cache


class ScaleError(DlxError):
    """A scale that a model does not have, or on which its output is infinite."""


@runtime_checkable
class Model(Protocol):
    """What every model offers; what else can be asked of it depends on its class."""

    @property
    def name(self) -> str:
        """The name in tables and on the page."""

    @property
    def schema(self) -> Schema:
        """The columns that it reads."""

    @property
    def scales(self) -> tuple[Scale, ...]:
        """The scales of its output; the first is the one it computes."""

    @property
    def target(self) -> str:
        """Which outcome the output speaks for: a class, or the value of a regression."""

    def predict(self, rows: Any, scale: Scale) -> np.ndarray:
        """Return the output of each row on a scale, float64 [rows]."""


class _OneOutput:
    """Turns what a model computes into the scale that was asked for."""

    name: str
    schema: Schema
    scales: tuple[Scale, ...]

    @property
    def target(self) -> str:
        """The positive outcome, or the value of a regression."""
        return self.schema.target.positive

    def predict(self, rows: Any, scale: Scale) -> np.ndarray:
        """Return the output of each row on a scale.

        Parameters
        ----------
        rows : Dataset, DataFrame or ndarray [rows, features]
            Original columns; an array holds codes.
        scale : {"logit", "probability", "value"}
            The unit of the output.

        Returns
        -------
        ndarray of float64 [rows]

        Raises
        ------
        ScaleError
            If the model does not have the scale, or its logit is infinite.
        """
        check_scale(self, scale)
        return _rescaled(self.compute(as_rows(self.schema, rows)), self.scales[0], scale, self.name)

    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return the output on the first of the scales for coded rows."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class NeuralModel(_OneOutput):
    """A torch network on encoded rows.

    Parameters
    ----------
    network : torch.nn.Module
        Dense rows [rows, width] to logits (or values) [rows] or [rows, 1]; kept in evaluation mode.
    encoder : Encoder
        Original columns to dense rows.
    name : str
        The name in tables and on the page.
    scales : tuple of str
        ``("logit", "probability")`` or ``("value",)``.
    """

    network: torch.nn.Module
    encoder: Encoder
    name: str = "net"
    scales: tuple[Scale, ...] = CLASSIFIER

    def __post_init__(self) -> None:
        self.network.eval()

    @property
    def schema(self) -> Schema:  # type: ignore[override]
        """The columns that it reads."""
        return self.encoder.schema

    @property
    def device(self) -> torch.device:
        """Where the network's weights are."""
        import torch

        return next((weight.device for weight in self.network.parameters()), torch.device("cpu"))

    def to(self, device: str) -> NeuralModel:
        """Return the model with its network on a device; the network itself is moved."""
        return replace(self, network=self.network.to(device))

    def dense(self, rows: np.ndarray) -> torch.Tensor:
        """Return coded rows as the network's input, float32 [rows, width] on its device."""
        import torch

        return torch.from_numpy(self.encoder.transform(rows)).to(self.device)

    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return the network's output of coded rows; float32 inside, chunks on all cores."""
        outputs = in_chunks(self._compute_chunk, rows, CHUNK_ROWS)
        if len(outputs) != len(rows):
            raise DlxError(
                f"{self.name} must return one number a row, got {len(outputs)} for {plural(len(rows), 'row')}; "
                "add a last layer that picks one output"
            )
        return outputs

    def _compute_chunk(self, rows: np.ndarray) -> np.ndarray:
        import torch

        with torch.no_grad():
            return self.network(self.dense(rows)).reshape(-1).double().cpu().numpy()


@dataclass(frozen=True, eq=False)
class TreeModel(_OneOutput):
    """A sum of trees on original columns.

    Parameters
    ----------
    trees : Trees
        The trees, whose sum is on the first of the scales.
    schema : Schema
        The columns that they read.
    name : str
        The name in tables and on the page.
    scales : tuple of str
        The trees' own scale first: the logit of boosted trees, the probability of a forest.
    """

    trees: Trees
    schema: Schema
    name: str = "trees"
    scales: tuple[Scale, ...] = CLASSIFIER

    def __post_init__(self) -> None:
        if self.trees.feature.max() >= len(self.schema):
            raise DlxError(f"the trees ask column {self.trees.feature.max()} of a table of {len(self.schema)}")

    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return the sum of the leaves of coded rows."""
        return in_chunks(self.trees.predict, rows, CHUNK_ROWS)


@dataclass(frozen=True, eq=False)
class LinearModel(_OneOutput):
    """An intercept and one coefficient a dense column.

    Parameters
    ----------
    coefficients : ndarray [width]
        One a dense column.
    intercept : float
        The output of a dense row of zeros.
    encoder : Encoder
        Original columns to dense rows.
    name : str
        The name in tables and on the page.
    scales : tuple of str
        ``("logit", "probability")`` or ``("value",)``.
    """

    coefficients: np.ndarray
    intercept: float
    encoder: Encoder
    name: str = "linear"
    scales: tuple[Scale, ...] = CLASSIFIER

    @property
    def schema(self) -> Schema:  # type: ignore[override]
        """The columns that it reads."""
        return self.encoder.schema

    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return intercept + coefficients · dense row, in float64."""
        return self.intercept + self.encoder.transform(rows).astype(np.float64) @ self.coefficients


@dataclass(frozen=True, eq=False)
class BlackBox(_OneOutput):
    """A function of a table, of which nothing but predictions can be asked.

    Parameters
    ----------
    function : callable
        DataFrame [rows, features] in, numbers [rows] out, on the first of the scales.
    schema : Schema
        The columns that it reads.
    name : str
        The name in tables and on the page.
    scales : tuple of str
        The function's own scale first.
    chosen : int, optional
        The class that the function speaks for; the positive one of a binary target.
    """

    function: Callable[[pd.DataFrame], Any] = field(repr=False)
    schema: Schema
    name: str = "function"
    scales: tuple[Scale, ...] = CLASSIFIER
    chosen: int | None = None

    @property
    def target(self) -> str:
        """The chosen class, or what the table's target is called."""
        levels = self.schema.target.level_labels
        return levels[self.chosen] if self.chosen is not None and levels else super().target

    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return what the function gives for the rows as a table; anything but one finite number a row is an error."""
        outputs = np.asarray(self.function(self.schema.decode(rows)), dtype=np.float64)
        outputs = outputs[:, 0] if outputs.ndim == 2 and outputs.shape[1] == 1 else outputs
        if outputs.shape != (len(rows),):
            raise DlxError(
                f"{self.name} must return one number a row, shape [{len(rows)}], got {list(outputs.shape)}; "
                "choose one output, for example with dlx.wrap(..., target=1)"
            )
        if not np.isfinite(outputs).all():
            raise DlxError(f"{self.name} must return finite numbers, got {outputs[~np.isfinite(outputs)][0]}")
        if self.scales[0] == "probability" and (outputs.min(initial=0) < 0 or outputs.max(initial=0) > 1):
            raise ScaleError(
                f"{self.name} returned {outputs.min():g} to {outputs.max():g}, which are no probabilities; "
                "say on which scale it answers, for example dlx.wrap(..., scale='logit')"
            )
        return outputs


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


def check_scale(model: Model, scale: str) -> None:
    """Raise a `ScaleError` if the model does not have the scale."""
    if scale not in model.scales:
        raise ScaleError(f"{model.name} has no scale {scale!r}; it has {', '.join(map(repr, model.scales))}")


def as_rows(schema: Schema, rows: Any) -> np.ndarray:
    """Return a Dataset, a DataFrame or an array as coded rows [rows, features]."""
    if isinstance(rows, Dataset):
        return rows.rows if rows.schema.features == schema.features else schema.encode(rows.frame)
    if isinstance(rows, np.ndarray):
        return rows
    return schema.encode(rows)


def _rescaled(outputs: np.ndarray, own: Scale, wanted: Scale, name: str) -> np.ndarray:
    from scipy.special import expit, logit

    if wanted == own:
        return outputs
    if wanted == "probability":
        return expit(outputs)
    certain = int(((outputs <= 0) | (outputs >= 1)).sum())
    if certain:
        raise ScaleError(
            f"{name} predicts a probability of exactly 0 or 1 for {certain} of {len(outputs)} rows, "
            "where the logit is infinite; explain it on scale='probability'"
        )
    return logit(outputs)


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
    return Encoder(schema, np.zeros(len(schema)), np.ones(len(schema)))


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
