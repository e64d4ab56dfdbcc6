"""What a model is measured on before it is explained, and what is found there."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dlx import explainers
from dlx.arrays import check_seed
from dlx.errors import DlxError
from dlx.explanation import Attribution
from dlx.model import BlackBox, Model, NeuralModel, Scale, as_rows, check_model, check_scale
from dlx.rounding import side_true
from dlx.runner import FLOAT32_ROUNDING
from dlx.schema import plural

FINE = 0.01  # share of the mean effect that may be missing in the worst row of a method that is fine
APPROXIMATE = 0.10  # and of one that is approximate; where more is missing, the method is not valid
PEOPLE = 8
REFERENCES = 10
STEADY = 1e-4  # share of the mean effect that a prediction may move without a cause: the last digits of sums


@dataclass(frozen=True)
class Finding:
    """One thing about a model that its explanations depend on.

    Parameters
    ----------
    what : str
        A key: "outside table", "function", "used again", "embedding", "no gradient", "random", "batch", "missing",
        "constant", "raises", "scale", "native categories" or "scripted".
    where : str
        Path of a module, name of a column, or empty for the whole model.
    affects : tuple of str
        The methods that it spoils on the rows and the background it was found with; none where it was only checked.
    text : str
        A sentence.
    measured : float
        What was measured: a share of the mean effect or of the rows, or a count, as the sentence says.
    """

    what: str
    where: str
    affects: tuple[str, ...]
    text: str
    measured: float


@dataclass(frozen=True, eq=False)
class Bench:
    """A copy of a model, a few people and a few references, on which everything is measured.

    Parameters
    ----------
    model : Model
        A net is a copy, whose modules are in the mode (training or evaluation) in which they came.
    rows, background : ndarray [rows, features], [references, features]
        Coded, a few of those that came.
    missing : ndarray of bool [features]
        Whether a value is missing in any row that came.
    scale : {"logit", "probability", "value"}
        Unit of what is measured.
    seed : int
        Seed of everything random.
    """

    model: Model
    rows: np.ndarray
    background: np.ndarray
    missing: np.ndarray
    scale: Scale
    seed: int

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """The methods that take the model."""
        return tuple(explainers.names_for(self.model))

    @cached_property
    def outputs(self) -> np.ndarray:
        """What the model predicts for the people, then for the references."""
        return self.predict(np.concatenate([self.rows, self.background]))

    @cached_property
    def effect(self) -> float:
        """Mean distance of the people's outputs from the mean output of the references."""
        people, references = self.outputs[: len(self.rows)], self.outputs[len(self.rows) :]
        return float(np.abs(people - references.mean()).mean())

    @cached_property
    def rounding(self) -> float:
        """What the last digits of a prediction may be off by."""
        share = FLOAT32_ROUNDING if isinstance(self.model, NeuralModel) else FLOAT32_ROUNDING**2
        return share * float(np.abs(self.outputs).max())

    @cached_property
    def evaluated(self) -> NeuralModel:
        """A copy of a net in evaluation mode: what methods that read the net see."""
        assert isinstance(self.model, NeuralModel)
        return dataclasses.replace(self.model, network=copy.deepcopy(self.model.network))

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Return the model's outputs on the scale."""
        return self.model.predict(rows, self.scale)

    def share(self, amount: float) -> float:
        """Return an amount as a share of the mean effect; 0 where it is rounding."""
        if amount <= self.rounding:
            return 0.0
        return np.inf if self.effect == 0 else amount / self.effect

    def lost(self, made: Attribution, outputs: np.ndarray) -> float:
        """Return the largest residual of contributions as a share of the mean effect."""
        return self.share(float(np.abs(outputs - made.base_values - made.values.sum(axis=1)).max()))


def prepared(model: Model, rows: Any, background: Any, scale: Scale | None, seed: int, people: int = PEOPLE) -> Bench:
    """Return what is measured on: the first rows, the first references, and a copy of the model if it is a net.

    Raises
    ------
    DlxError
        If rows or background do not fit the model's schema, or are none, or the model does not have the scale.
    """
    if people < 1:
        raise DlxError(f"people must be at least 1, got {people}")
    check_model(model)
    check_scale(model, scale or model.scales[0])
    model = model.typed(rows, background) if isinstance(model, BlackBox) else model
    coded = [model.schema.check(as_rows(model.schema, some)) for some in (rows, background)]
    for name, some in zip(("rows", "background"), coded, strict=True):
        if not len(some):
            raise DlxError(f"{name} must have at least 1 row, got {plural(0, 'row')}")
    missing = np.isnan(np.concatenate(coded)).any(axis=0)
    few = coded[0][:people], coded[1][:REFERENCES]
    return Bench(_copied(model), *few, missing, scale or model.scales[0], check_seed(seed))


def _copied(model: Model) -> Model:
    if not isinstance(model, NeuralModel):
        return model
    copied = dataclasses.replace(model, network=copy.deepcopy(model.network))
    for mine, theirs in zip(copied.network.modules(), model.network.modules(), strict=True):
        mine.training = theirs.training  # a NeuralModel turns training off when it is made
    return copied


def lost_words(lost: float, decimals: int = 1) -> str:
    """Return a share that is lost in per cent, on its side of the two lines that verdicts are made by."""
    if not np.isfinite(lost):
        return f"{lost:.0%}"
    line = FINE if lost < (FINE * APPROXIMATE) ** 0.5 else APPROXIMATE
    return f"{side_true(100 * lost, 100 * line, decimals, strict=True)}%"
