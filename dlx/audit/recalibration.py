"""Recalibrated models: probabilities, or values, put right on validation rows.

Platt (1999), "Probabilistic outputs for support vector machines": the predicted log-odds are stretched and shifted. Zadrozny
and Elkan (2002), "Transforming classifier scores into accurate multiclass probability estimates": isotonic regression.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from scipy.special import expit

from dlx.audit.miscalibration import log_odds
from dlx.audit.scores import answers, judged
from dlx.audit.values import slope_of
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import BlackBox, LinearModel, Model, NeuralModel, TreeModel
from dlx.model.base import scales_from
from dlx.stats import Weights, counts_of, effective

if TYPE_CHECKING:
    from torch import nn

Kind = Literal["platt", "isotonic", "auto"]
FOLDS = 5


@dataclass(frozen=True)
class Stretch:
    """New log-odds: intercept + slope · old log-odds."""

    intercept: float
    slope: float

    def __call__(self, predicted: np.ndarray) -> np.ndarray:
        """Return the calibrated probability of predicted ones."""
        return expit(self.intercept + self.slope * log_odds(predicted))


class Line(Stretch):
    """New values: intercept + slope · old value."""

    def __call__(self, predicted: np.ndarray) -> np.ndarray:
        """Return the calibrated values of predicted ones."""
        return self.intercept + self.slope * predicted


def recalibrated(model: Model, validation: Dataset, *, kind: Kind = "auto", seed: int = 0) -> Model:
    """Return the model with its probabilities calibrated on validation rows, by scikit-learn.

    By Platt, a net gets one more linear layer, boosted trees get other leaves, a linear model other coefficients: every
    contribution on the log-odds is the old one times the slope. A single tree stays one. By isotonic regression, a rising step
    function that no sum survives, or of a forest, what comes back is a `BlackBox`. Values are stretched and shifted to the
    line of least squares, whatever the kind.

    Parameters
    ----------
    model : Model
        A classifier, or a model of a value.
    validation : Dataset
        Rows with outcomes that the model was not trained on; not those on which it is judged.
    kind : {"platt", "isotonic", "auto"}
        "auto" is Platt, unless the isotonic one has the lower log loss in five folds of the validation rows, by more than
        the standard error of the difference.
    seed : int
        Seed of the folds.

    Raises
    ------
    DlxError
        If the outcomes are unknown or all alike, the predictions are alike, separate the outcomes, or rank them the wrong
        way round.
    """
    if kind not in get_args(Kind):
        raise DlxError(f"kind must be one of {', '.join(get_args(Kind))}, got {kind!r}")
    if validation.schema.target.is_value:
        return _on_the_line(model, validation)
    (outcomes, predicted), weights = judged(model, validation, "the recalibration"), validation.weights
    if np.ptp(log_odds(predicted)) < 1e-9:
        raise DlxError(
            f"recalibration needs predictions that differ, but {model.name} predicts {predicted[0]:.3g} for all "
            f"{len(predicted)} validation rows; train it again"
        )
    no, yes = predicted[outcomes == 0], predicted[outcomes == 1]
    if no.max() <= yes.min() or yes.max() <= no.min():
        raise DlxError(
            f"recalibration needs predictions that overlap between the classes, but those of {model.name} separate the "
            f"{len(outcomes)} validation rows, where any slope would do; pass more rows"
        )
    stretch, name = platt(outcomes, predicted, weights), f"{model.name} recalibrated"
    if stretch.slope <= 0:
        raise DlxError(
            f"{model.name} must rank the validation rows the right way round, but its slope is {stretch.slope:.2f}; "
            "calibration cannot mend a ranking, train it again"
        )
    if (better_kind(outcomes, predicted, weights, seed=seed) if kind == "auto" else kind) == "isotonic":
        return _mapped(model, isotonic(outcomes, predicted, weights), name)
    return _stretched(model, stretch, name)


def _on_the_line(model: Model, validation: Dataset) -> Model:
    """Return the model with its values stretched and shifted to the line of outcomes on them, by least squares."""
    outcomes, predicted = answers(model, validation, "the recalibration")
    counts = counts_of(validation.weights, len(outcomes))
    (slope,) = slope_of(outcomes, predicted)(counts[None])
    if not slope > 0:
        raise DlxError(
            f"{model.name} must predict more where more is observed, but the slope in the validation rows is {slope:.2f}; "
            "calibration cannot mend that, train it again"
        )
    off = float(np.average(outcomes - slope * predicted, weights=counts))
    return _stretched(model, Line(off, float(slope)), f"{model.name} recalibrated")


def platt(outcomes: np.ndarray, predicted: np.ndarray, weights: Weights = None) -> Stretch:
    """Return the maximum-likelihood stretch of the log-odds."""
    from sklearn.linear_model import LogisticRegression

    odds = log_odds(predicted)
    middle, spread = odds.mean(), odds.std()
    fitted = LogisticRegression(C=np.inf, tol=1e-9, max_iter=10_000)
    fitted.fit((odds[:, None] - middle) / spread, outcomes, sample_weight=weights)
    slope = float(fitted.coef_[0, 0]) / spread
    return Stretch(float(fitted.intercept_[0]) - slope * middle, slope)


def isotonic(outcomes: np.ndarray, predicted: np.ndarray, weights: Weights = None) -> Callable[[np.ndarray], np.ndarray]:
    """Return the rising function of the probability that is closest to the outcomes.

    It stays 1 / (rows + 2) away from 0 and 1, Laplace's rule for what was never seen in so many rows, so that every logit
    is finite.
    """
    from sklearn.isotonic import IsotonicRegression

    least = 1 / (len(outcomes) + 2)
    fitted = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip")
    fitted.fit(predicted, outcomes, sample_weight=weights)
    return lambda new: np.asarray(fitted.predict(new), dtype=np.float64)


def better_kind(
    outcomes: np.ndarray, predicted: np.ndarray, weights: Weights = None, *, seed: int = 0
) -> Literal["platt", "isotonic"]:
    """Return "isotonic" where it beats Platt by more than a standard error in rows that neither was fitted on, else "platt".

    With fewer than ten rows of a class it is Platt.
    """
    from sklearn.model_selection import StratifiedKFold

    if min(outcomes.sum(), (1 - outcomes).sum()) < 2 * FOLDS:
        return "platt"
    gained, counts = np.zeros(len(outcomes)), effective(counts_of(weights, len(outcomes)))
    for fitted, held in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(predicted, outcomes):
        chances = [fit(outcomes[fitted], predicted[fitted], counts[fitted])(predicted[held]) for fit in (platt, isotonic)]
        by_platt, by_steps = (np.log(np.where(outcomes[held] == 1, chance, 1 - chance)) for chance in chances)
        gained[held] = by_steps - by_platt
    mean, people = np.average(gained, weights=counts), counts.sum()
    error = (np.average((gained - mean) ** 2, weights=counts) / (people - 1)) ** 0.5
    return "isotonic" if mean > error else "platt"


def _stretched(model: Model, stretch: Stretch, name: str) -> Model:
    """Return the model stretched, taken apart where it adds up on the scale of the stretch."""
    (intercept, slope), adds = astuple(stretch), model.scales[0] == ("value" if isinstance(stretch, Line) else "logit")
    if adds and isinstance(model, NeuralModel):
        return model.remade(stretched_net(model, intercept, slope), name=name, provenance=None)
    if adds and isinstance(model, LinearModel):
        shift = intercept + slope * model.intercept
        own: dict[str, Any] = {"name": name, "provenance": None, "original": None}
        return replace(model, coefficients=model.coefficients * slope, intercept=shift, **own)
    if adds and isinstance(model, TreeModel):
        leaves, base = (model.trees.value * slope).astype(np.float32), intercept + slope * model.trees.base
        return replace(model, trees=replace(model.trees, value=leaves, base=base), name=name, provenance=None, original=None)
    return _mapped(model, stretch, name)


def stretched_net(model: NeuralModel, intercept: float, slope: float) -> nn.Sequential:
    """Return a copy of the model's network with a last layer that gives intercept + slope · logit, [rows, 1]."""
    import torch
    from torch import nn

    network = copy.deepcopy(model.network)
    with torch.no_grad():
        dtype = next((weight.dtype for weight in network.parameters()), torch.float32)
        last = nn.Linear(1, 1, device=model.device, dtype=dtype)
        last.weight.fill_(slope)
        last.bias.fill_(intercept)
        is_column = network(torch.zeros(2, model.encoder.width, device=model.device)).ndim == 2
    return nn.Sequential(network, *(() if is_column else (nn.Unflatten(0, (-1, 1)),)), last)


def _mapped(model: Model, function: Callable[[np.ndarray], np.ndarray], name: str) -> Model:
    """Return the model with a function of its prediction: a single tree of probabilities stays one, others are closed."""
    if isinstance(model, TreeModel) and len(model.trees) == 1 and model.scales[0] == "probability":
        values = function(np.clip(model.trees.value + model.trees.base, 0, 1))
        leaves = np.where(model.trees.feature < 0, values, 0.0).astype(np.float32)
        return replace(model, trees=replace(model.trees, value=leaves, base=0.0), name=name, provenance=None, original=None)
    behind: dict[str, Any] = {"carried": model.carried, "companion": model.companion} if isinstance(model, BlackBox) else {}
    scale = model.schema.target.scale
    return Mapped(
        lambda table: function(model.predict(table, scale)),
        model.schema,
        name,
        scales_from(scale),
        model=model,
        mapping=function,
        chosen=model.chosen,
        **behind,
    )


@dataclass(frozen=True, eq=False, repr=False)
class Mapped(BlackBox):
    """A function of another model's probability, or value; that one is given the rows as they come, coded or not."""

    model: Any = None
    mapping: Any = None

    def as_read(self, rows: Any, *, checked: bool = False) -> Any:
        """Return rows as they came; the model behind checks them."""
        del checked
        return rows

    def compute(self, rows: Any) -> np.ndarray:
        """Return the mapped prediction of each row."""
        behind = self.model if self.companion is None else replace(self.model, companion=self.companion)
        return self.mapping(behind.predict(rows, self.scales[0]))

    def typed(self, *some: Any) -> Mapped:
        """Return it with the dtypes of a table that is among the rows, where the model behind it asks for them."""
        return replace(self, model=self.model.typed(*some)) if isinstance(self.model, BlackBox) else self
