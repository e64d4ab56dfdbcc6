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

Scale = Literal["logit", "probability", "value"]
SCALES: tuple[Scale, ...] = ("logit", "probability", "value")
CLASSIFIER: tuple[Scale, ...] = ("logit", "probability")
REGRESSION: tuple[Scale, ...] = ("value",)


@dataclass(frozen=True)
class Provenance:
    """Who made a model, from what: enough to make it again.

    Parameters
    ----------
    architecture : str
        One of `dlx.architectures()`: dlx trained it.
    seed : int
        Seed of its training.
    config : mapping
        The options of the architecture and of its training that differ from the defaults.
    """

    architecture: str
    seed: int = 0
    config: Mapping[str, Any] = field(default_factory=dict)


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

    @property
    def provenance(self) -> Provenance | None:
        """How dlx trained it; None for a model that it did not train."""

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
        def provenance(self) -> Provenance | None: ...  # noqa: D102

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
