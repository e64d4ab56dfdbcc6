"""The kinds of model, by what can be asked of them: gradients, trees, coefficients, or nothing but predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.errors import DlxError
from dlx.model.protocol import CLASSIFIER, OneOutput, Provenance, Scale, ScaleError
from dlx.schema import Feature, Schema, plural
from dlx.threads import in_chunks

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from dlx.encoder import Encoder
    from dlx.trees import Trees

CHUNK_ROWS = 4_096  # so that a layer's activations stay in the cache


@dataclass(frozen=True, eq=False)
class NeuralModel(OneOutput):
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
    provenance : Provenance, optional
        How dlx trained it; None for a model that it did not train.
    """

    network: torch.nn.Module
    encoder: Encoder
    name: str = "net"
    scales: tuple[Scale, ...] = CLASSIFIER
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        self.network.eval()

    @property
    def schema(self) -> Schema:
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

    def on_dense_columns(self) -> NeuralModel:
        """Return the same network as a model whose columns are the dense ones: each column of a one-hot group for itself."""
        from dlx.encoder import Encoder

        columns = tuple(Feature(f"dense {i}", label=name) for i, name in enumerate(self.encoder.names))
        return replace(self, encoder=Encoder.identity(Schema(columns, self.schema.target)))

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
class TreeModel(OneOutput):
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
    provenance : Provenance, optional
        How dlx trained it; None for a model that it did not train.
    original : callable, optional
        What the library that grew the trees predicts itself: coded rows [rows, features] in, numbers [rows] on the first
        of the scales out, whatever dlx read of the trees; None for trees that no library holds.
    rounding : float
        How far rounding alone may part `original` from the sum of the leaves: its own sum, in its own precision.
    """

    trees: Trees
    schema: Schema
    name: str = "trees"
    scales: tuple[Scale, ...] = CLASSIFIER
    provenance: Provenance | None = None
    original: Callable[[np.ndarray], np.ndarray] | None = field(default=None, repr=False)
    rounding: float = 0.0

    def __post_init__(self) -> None:
        if self.trees.feature.max() >= len(self.schema):
            raise DlxError(f"the trees ask column {self.trees.feature.max()} of a table of {len(self.schema)}")

    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return the sum of the leaves of coded rows."""
        return in_chunks(self.trees.predict, rows, CHUNK_ROWS)


@dataclass(frozen=True, eq=False)
class LinearModel(OneOutput):
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
    provenance : Provenance, optional
        How dlx trained it; None for a model that it did not train.
    """

    coefficients: np.ndarray
    intercept: float
    encoder: Encoder
    name: str = "linear"
    scales: tuple[Scale, ...] = CLASSIFIER
    provenance: Provenance | None = None

    @property
    def schema(self) -> Schema:
        """The columns that it reads."""
        return self.encoder.schema

    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return intercept + coefficients · dense row, in float64."""
        return self.intercept + self.encoder.transform(rows).astype(np.float64) @ self.coefficients


@dataclass(frozen=True, eq=False)
class BlackBox(OneOutput):
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
    provenance : Provenance, optional
        How dlx trained it; None for a model that it did not train.
    """

    function: Callable[[pd.DataFrame], Any] = field(repr=False)
    schema: Schema
    name: str = "function"
    scales: tuple[Scale, ...] = CLASSIFIER
    chosen: int | None = None
    provenance: Provenance | None = None

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
