"""Model: one output for each row, on a stated scale; scales, and rows in any of the forms that they come in."""

from __future__ import annotations

import textwrap
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model.devices import place_of
from dlx.schema import Schema
from dlx.schema.frames import as_pandas

if TYPE_CHECKING:
    import pandas as pd

    from dlx.model.kinds import BlackBox, EachClass

Scale = Literal["logit", "probability", "value"]
SCALES: tuple[Scale, ...] = ("logit", "probability", "value")
CLASSIFIER: tuple[Scale, ...] = ("logit", "probability")
PROBABILITY_ROUNDING = 1e-6


@dataclass(frozen=True)
class Provenance:
    """Who made a model, from what: enough to make it again with ``dlx.training.train``."""

    architecture: str  # one of `dlx.architectures()`: dlx trained it
    seed: int = 0  # of its training
    config: Mapping[str, Any] = field(default_factory=dict)  # the options that differ from the defaults
    data_sha256: str = ""  # `Dataset.sha256` of the table; empty where unknown


class ScaleError(DlxError):
    """A scale that a model does not have, or on which its output is infinite."""


@dataclass(frozen=True, eq=False, repr=False)
class Model(ABC):
    """Anything that predicts: one output for each row, on a stated scale. What else can be asked of it depends on its kind.

    Parameters
    ----------
    provenance : Provenance, optional
        How dlx trained it on a table. None for a model that dlx did not train, that was trained on rows of one's choice
        (`dlx.training.fit`), or that anything was done to since, such as a remedy or a recalibration.
    witness : tuple, optional
        A few rows as the user's own model reads them, and what it predicted of them, [rows], when it was wrapped.
    trained_on : ndarray [training rows], optional
        The rows that it was trained on, by `dlx.arrays.row_ids`; None where nobody said. What has a provenance was trained on
        the training rows of that table.
    behind : BlackBox, optional
        The user's own model as a function of a table, of which trees or coefficients were read; it is what they are held to.
    chosen : int, optional
        The class that it speaks for, a position among the target's levels; by default the positive one of two.
    siblings : EachClass, optional
        What was trained on several classes, of which this is one.
    origin : tuple of str
        Where another process can open it: the folder of its checkpoint; or the text and the trusted types that
        `dlx.model.open_model` was given. Empty for what is in memory only.
    route : str
        What a wrapped model was read as, and why as nothing else, in a sentence; "" for one that dlx trained.
    """

    provenance: Provenance | None = field(default=None, kw_only=True)
    witness: tuple[Any, np.ndarray] | None = field(default=None, kw_only=True)
    trained_on: np.ndarray | None = field(default=None, kw_only=True)
    behind: BlackBox | None = field(default=None, kw_only=True)
    chosen: int | None = field(default=None, kw_only=True)
    siblings: EachClass | None = field(default=None, kw_only=True)
    origin: tuple[str, ...] = field(default=(), kw_only=True)
    route: str = field(default="", kw_only=True)

    if TYPE_CHECKING:  # a field of a dataclass, or a property: a class that ran this would hand it on as a default

        @property
        def name(self) -> str:
            """The name in tables and on the page."""

        @property
        def schema(self) -> Schema:
            """The columns that it reads."""

        @property
        def scales(self) -> tuple[Scale, ...]:
            """The scales of its output; the first is the one that it computes."""

    def __repr__(self) -> str:
        made_by, columns = self.provenance, ", ".join(self.schema.names)
        maker = "of the user's own" if self.original else "of unknown provenance"
        if made_by:
            options = "".join(f", {name}={value!r}" for name, value in made_by.config.items())
            maker = f"trained by dlx: {made_by.architecture}, seed {made_by.seed}{options}"
        return (
            f"{type(self).__name__} {self.name!r}, {maker}\n"
            f"  {len(self.schema)} columns: {textwrap.shorten(columns, 100, placeholder=' ...')}\n"
            f"  {self.target!r} on the scales {', '.join(self.scales)}" + f". {self.route}" * bool(self.route)
        )

    @property
    def target(self) -> str:
        """Which outcome the output speaks for: the positive one of two classes, or the value of a regression."""
        if self.behind:
            return self.behind.target
        target = self.schema.target
        return target.level_labels[self.chosen] if self.chosen is not None and target.levels else target.positive

    def of(self, level: str) -> Model:
        """Return the model of another of several classes, "it or not"; itself where it speaks for that one already."""
        target = self.schema.target
        if self.target == target.level_labels[target.place_of(level)]:
            return self
        if self.siblings is not None:
            return self.siblings.of(level)
        if self.behind is not None:
            return replace(self.behind.of(level), trained_on=self.trained_on).renamed(self.name)
        raise DlxError(f"{self.name} answers for {self.target!r} alone; wrap it once more: dlx.wrap(..., target={level!r})")

    def probabilities(self, rows: Any) -> np.ndarray:
        """Return the probability of each class of the target, float64 [rows, classes], which add up to 1.

        Where a model of each class answers for itself, they are divided by their sum.
        """
        levels = self.schema.target.levels
        if len(levels) == 2:
            yes = self.predict(rows, "probability")
            return np.column_stack([1 - yes, yes])
        each = np.column_stack([self.answering(level).predict(rows, "probability") for level in levels])
        return each / each.sum(axis=1, keepdims=True)

    def answering(self, level: str) -> Model:
        """Return what predicts as the model of a class does: `of`, or what is had sooner."""
        return self.of(level)

    @property
    def original(self) -> Callable[[Any], np.ndarray] | None:
        """The user's own prediction of rows as they came, for a model that was wrapped; None for one that was not."""
        return None

    @property
    def original_scale(self) -> Scale:
        """The scale on which `original` answers."""
        return self.behind.scales[0] if self.behind else self.scales[0]

    def as_read(self, rows: Any, *, checked: bool = False) -> Any:
        """Return rows as `compute` reads them: codes [rows, features], or a table where a function reads tables."""
        return rows if checked else as_rows(self.schema, rows)

    def as_it_came(self, rows: Any) -> Any:
        """Return rows as `original` reads them: a table as the user holds it where a function reads tables, else codes."""
        return self.behind.as_it_came(rows) if self.behind else self.as_read(rows)

    def on(self, device: str, evaluations: float = 0.0) -> Self:
        """Return the model to be computed on a device, "auto", "cpu" or "cuda"; only nets go to another than the processor."""
        del evaluations
        place_of(device, 0.0)
        return self

    def renamed(self, name: str, provenance: Provenance | None = None) -> Self:
        """Return the same model under another name, with what made it, if that is known."""
        changes: dict[str, Any] = {"name": name, "provenance": provenance}
        return replace(self, **changes)

    def predict(self, rows: Any, scale: Scale, *, checked: bool = False) -> np.ndarray:
        """Return the output of each row on a scale, float64 [rows]; a `ScaleError` if the model lacks it or it is infinite.

        Parameters
        ----------
        rows : Dataset, DataFrame or ndarray [rows, features]
            Original columns; an array holds codes.
        scale : {"logit", "probability", "value"}
            The unit of the output.
        checked : bool
            Whether rows are codes that were mixed from checked ones: they are not checked again.
        """
        check_scale(self, scale)
        return self.on_scale(_one_a_row(self.compute(self.as_read(rows, checked=checked)), len(rows), self.name), scale)

    def on_scale(self, outputs: np.ndarray, scale: Scale) -> np.ndarray:
        """Return outputs [rows] of `compute` on a scale; a `DlxError` where one is not finite, or would not be."""
        spoiled = np.flatnonzero(~np.isfinite(outputs))
        if len(spoiled):
            found = f"{outputs[spoiled[0]]} for row {spoiled[0]} of {len(outputs)}"
            raise DlxError(f"{self.name} must return finite numbers, got {found}")
        return rescaled(outputs, self.scales[0], scale, self.name)

    def decide(self, rows: Any, threshold: float | None = None) -> np.ndarray:
        """Return whom a classifier flags: where the probability reaches the threshold, bool [rows].

        Parameters
        ----------
        rows : Dataset, DataFrame or ndarray [rows, features]
            Original columns; an array holds codes.
        threshold : float, optional
            By default that of the target: of a Dataset's own, else of the model's.
        """
        if threshold is None:
            threshold = (rows if isinstance(rows, Dataset) else self).schema.target.threshold
        return decided(self.predict(rows, "probability"), threshold)

    @abstractmethod
    def compute(self, rows: Any) -> np.ndarray:
        """Return the output on the first of the scales for rows as the model reads them; `predict` checks it."""


def decided(probability: np.ndarray, threshold: float) -> np.ndarray:
    """Return which probabilities reach a threshold, bool of their shape: the one place where the two are compared."""
    return probability >= threshold


def held_by(estimator: Any) -> Any:
    """Return the model that a fitted estimator of `dlx.sklearn` holds; anything else as it is."""
    held = getattr(estimator, "model_", None)
    return held if isinstance(held, Model) else estimator


def check_model(model: Any) -> None:
    """Raise a `DlxError` if something is no Model: an estimator, a network or a function must be wrapped first."""
    if not isinstance(model, Model):
        raise DlxError(f"model must be a Model of dlx, got {type(model).__name__}; wrap it first: dlx.wrap(model, case)")


def for_case(model: Model, case: Dataset) -> Model:
    """Return the model that answers for a case's target: of several classes the one that the case is about, else itself."""
    return model if case.several is None else model.of(case.schema.target.levels[1])


def check_scale(model: Model, scale: str) -> None:
    """Raise a `ScaleError` if the model does not have the scale."""
    if scale not in model.scales:
        raise ScaleError(f"{model.name} has no scale {scale!r}; it has {', '.join(map(repr, model.scales))}")


def as_rows(schema: Schema, rows: Any, what: str = "rows") -> np.ndarray:
    """Return a Dataset, a DataFrame or an array as coded rows [rows, features]; an error calls them `what`."""
    if isinstance(rows, Dataset):
        return rows.rows if rows.schema.codes == schema.codes else schema.encode(rows.frame)
    if isinstance(rows, np.ndarray):
        return schema.check(rows)
    rows = as_pandas(rows)
    if not hasattr(rows, "columns"):
        remedy = "; draw training rows, case.background(100)" if what == "background" else "; a single row is frame.iloc[[0]]"
        raise DlxError(f"{what} must be a Dataset, a DataFrame or an array of codes, got {type(rows).__name__}{remedy}")
    return schema.encode(rows)


def table_of(rows: Any) -> pd.DataFrame | None:
    """Return the table that rows came in, with the dtypes that it has; None for codes."""
    if isinstance(rows, Dataset):
        return rows.table
    rows = as_pandas(rows)
    return rows if hasattr(rows, "columns") else None


def scales_from(own: Scale) -> tuple[Scale, ...]:
    """Return the scales of a model that answers on one: its own first."""
    return ("value",) if own == "value" else (own, *(other for other in CLASSIFIER if other != own))


def _one_a_row(outputs: Any, count: int, name: str) -> np.ndarray:
    """Return a model's outputs as float64 [rows], or raise a `DlxError` where there is not one a row."""
    outputs = np.asarray(outputs, dtype=np.float64)
    if outputs.shape == (count, 1) or (outputs.ndim == 0 and count == 1):  # a column, or a row that was squeezed
        outputs = outputs.reshape(-1)
    if outputs.shape != (count,):
        raise DlxError(
            f"{name} must return one number a row, shape [{count}], got {list(outputs.shape)}; "
            "choose one output, for example with dlx.wrap(..., target=1)"
        )
    return outputs


def as_probabilities(outputs: np.ndarray, own: Scale, name: str) -> np.ndarray:
    """Return probabilities without the rounding beyond 0 and 1, or raise a `ScaleError` where one is none."""
    if own != "probability":
        return outputs
    if outputs.min(initial=0) < -PROBABILITY_ROUNDING or outputs.max(initial=0) > 1 + PROBABILITY_ROUNDING:
        raise ScaleError(
            f"{name} returned {outputs.min():g} to {outputs.max():g}, which are no probabilities; "
            "say on which scale it answers, for example dlx.wrap(..., scale='logit')"
        )
    return np.clip(outputs, 0.0, 1.0)


def rescaled(outputs: np.ndarray, own: Scale, wanted: Scale, name: str) -> np.ndarray:
    """Return outputs of one scale on another; a logit that would be infinite is an error."""
    if wanted == own:
        return outputs
    from scipy.special import expit, logit

    if wanted == "probability":
        return expit(outputs)
    certain = int(((outputs <= 0) | (outputs >= 1)).sum())
    if certain:
        raise ScaleError(
            f"{name} predicts a probability of exactly 0 or 1 for {certain} of {len(outputs)} rows, "
            "where the logit is infinite; explain it on scale='probability'"
        )
    return logit(outputs)
