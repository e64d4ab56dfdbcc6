"""What every model offers: one output for each row, on a stated scale."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import numpy as np

from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

Scale = Literal["logit", "probability", "value"]
SCALES: tuple[Scale, ...] = ("logit", "probability", "value")
CLASSIFIER: tuple[Scale, ...] = ("logit", "probability")
REGRESSION: tuple[Scale, ...] = ("value",)
PROBABILITY_ROUNDING = 1e-6


@dataclass(frozen=True)
class Provenance:
    """Who made a model, from what: enough to make it again with ``dlx.training.train``.

    Training a table sets it, and loading a checkpoint of such a training. A model that anything was done to since is none
    of these: retrained with a remedy, recalibrated, trained on rows of one's choice (`dlx.training.fit`); its provenance is
    None, before it is saved and after it is loaded.

    Parameters
    ----------
    architecture : str
        One of `dlx.architectures()`: dlx trained it.
    seed : int
        Seed of its training.
    config : mapping
        The options of the architecture and of its training that differ from the defaults.
    data_sha256 : str
        `Dataset.sha256` of the table; empty where unknown.
    """

    architecture: str
    seed: int = 0
    config: Mapping[str, Any] = field(default_factory=dict)
    data_sha256: str = ""


def provenance_of(model: Model) -> Provenance | None:
    """Return how dlx trained a model; None where it did not, whatever the model's name."""
    return getattr(model, "provenance", None)


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


class OneOutput(ABC):
    """Turns what a model computes into the scale that was asked for."""

    if TYPE_CHECKING:  # a field of a dataclass, or a property: a class that ran this would hand it on as a default

        @property
        def name(self) -> str: ...  # noqa: D102

        @property
        def schema(self) -> Schema: ...  # noqa: D102

        @property
        def scales(self) -> tuple[Scale, ...]: ...  # noqa: D102

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
        return rescaled(self.compute(as_rows(self.schema, rows)), self.scales[0], scale, self.name)

    @abstractmethod
    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return the output on the first of the scales for coded rows."""


def check_model(model: Any) -> None:
    """Raise a `DlxError` if something is no Model: an estimator, a network or a function must be wrapped first."""
    if not isinstance(model, Model):
        raise DlxError(f"model must be a Model of dlx, got {type(model).__name__}; wrap it first: dlx.wrap(model, case)")


def check_scale(model: Model, scale: str) -> None:
    """Raise a `ScaleError` if the model does not have the scale."""
    if scale not in model.scales:
        raise ScaleError(f"{model.name} has no scale {scale!r}; it has {', '.join(map(repr, model.scales))}")


def as_rows(schema: Schema, rows: Any) -> np.ndarray:
    """Return a Dataset, a DataFrame or an array as coded rows [rows, features]."""
    if isinstance(rows, Dataset):
        return rows.rows if rows.schema.codes == schema.codes else schema.encode(rows.frame)
    if isinstance(rows, np.ndarray):
        return schema.check(rows)
    if not hasattr(rows, "columns"):
        raise DlxError(f"rows must be a Dataset, a DataFrame or an array of codes, got {type(rows).__name__}")
    return schema.encode(rows)


def table_of(rows: Any) -> pd.DataFrame | None:
    """Return the table that rows came in, with the dtypes that it has; None for codes."""
    if isinstance(rows, Dataset):
        return rows.table
    return rows if hasattr(rows, "columns") else None


def scales_from(own: Scale) -> tuple[Scale, ...]:
    """Return the scales of a model that answers on one: its own first."""
    return REGRESSION if own == "value" else (own, *(other for other in CLASSIFIER if other != own))


def checked_outputs(outputs: np.ndarray, name: str, scale: Scale) -> np.ndarray:
    """Return a model's outputs, or raise where one is not finite, or no probability; rounding beyond 0 and 1 is cut off."""
    spoiled = np.flatnonzero(~np.isfinite(outputs))
    if len(spoiled):
        raise DlxError(f"{name} must return finite numbers, got {outputs[spoiled[0]]} for row {spoiled[0]} of {len(outputs)}")
    if scale != "probability":
        return outputs
    if outputs.min(initial=0) < -PROBABILITY_ROUNDING or outputs.max(initial=0) > 1 + PROBABILITY_ROUNDING:
        raise ScaleError(
            f"{name} returned {outputs.min():g} to {outputs.max():g}, which are no probabilities; "
            "say on which scale it answers, for example dlx.wrap(..., scale='logit')"
        )
    return np.clip(outputs, 0.0, 1.0)


def rescaled(outputs: np.ndarray, own: Scale, wanted: Scale, name: str) -> np.ndarray:
    """Return outputs of one scale on another; a logit that would be infinite is an error."""
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
