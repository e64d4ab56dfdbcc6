"""Recalibrated models: probabilities put right on validation rows.

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
from dlx.audit.scores import judged
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import BlackBox, LinearModel, Model, NeuralModel, TreeModel

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


def recalibrated(model: Model, validation: Dataset, *, kind: Kind = "auto", seed: int = 0) -> Model:
    """Return the model with its probabilities calibrated on validation rows, by scikit-learn.

    By Platt, a net gets one more linear layer, boosted trees get other leaves, a linear model other coefficients: every
    contribution on the log-odds is the old one times the slope. A single tree stays one. By isotonic regression, a rising step
    function that no sum survives, or of a forest, what comes back is a `BlackBox`.

    Parameters
    ----------
    model : Model
        A classifier.
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
    outcomes, predicted = judged(model, validation, "the recalibration")
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
    stretch, name = platt(outcomes, predicted), f"{model.name} recalibrated"
    if stretch.slope <= 0:
        raise DlxError(
            f"{model.name} must rank the validation rows the right way round, but its slope is {stretch.slope:.2f}; "
            "calibration cannot mend a ranking, train it again"
        )
    if (better_kind(outcomes, predicted, seed=seed) if kind == "auto" else kind) == "isotonic":
        return _mapped(model, isotonic(outcomes, predicted), name)
    return _stretched(model, stretch, name)


def platt(outcomes: np.ndarray, predicted: np.ndarray) -> Stretch:
    """Return the maximum-likelihood stretch of the log-odds."""
    from sklearn.linear_model import LogisticRegression

    odds = log_odds(predicted)
    middle, spread = odds.mean(), odds.std()
    fitted = LogisticRegression(C=np.inf, tol=1e-9, max_iter=10_000).fit((odds[:, None] - middle) / spread, outcomes)
    slope = float(fitted.coef_[0, 0]) / spread
    return Stretch(float(fitted.intercept_[0]) - slope * middle, slope)


def isotonic(outcomes: np.ndarray, predicted: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return the rising function of the probability that is closest to the outcomes.

    It stays 1 / (rows + 2) away from 0 and 1, Laplace's rule for what was never seen in so many rows, so that every logit
    is finite.
    """
    from sklearn.isotonic import IsotonicRegression

    least = 1 / (len(outcomes) + 2)
    fitted = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip").fit(predicted, outcomes)
    return lambda new: np.asarray(fitted.predict(new), dtype=np.float64)


def better_kind(outcomes: np.ndarray, predicted: np.ndarray, *, seed: int = 0) -> Literal["platt", "isotonic"]:
    """Return "isotonic" where it beats Platt by more than a standard error in rows that neither was fitted on, else "platt".

    With fewer than ten rows of a class it is Platt.
    """
    from sklearn.model_selection import StratifiedKFold

    if min(outcomes.sum(), (1 - outcomes).sum()) < 2 * FOLDS:
        return "platt"
    gained = np.zeros(len(outcomes))
    for fitted, held in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(predicted, outcomes):
        chances = [fit(outcomes[fitted], predicted[fitted])(predicted[held]) for fit in (platt, isotonic)]
        by_platt, by_steps = (np.log(np.where(outcomes[held] == 1, chance, 1 - chance)) for chance in chances)
        gained[held] = by_steps - by_platt
    return "isotonic" if gained.mean() > gained.std(ddof=1) / len(gained) ** 0.5 else "platt"


def _stretched(model: Model, stretch: Stretch, name: str) -> Model:
    """Return the model by Platt, taken apart where it adds up on the log-odds."""
    intercept, slope = astuple(stretch)
    if model.scales[0] == "logit" and isinstance(model, NeuralModel):
        return model.remade(stretched_net(model, intercept, slope), name=name, provenance=None)
    if model.scales[0] == "logit" and isinstance(model, LinearModel):
        shift = intercept + slope * model.intercept
        own: dict[str, Any] = {"name": name, "provenance": None, "original": None}
        return replace(model, coefficients=model.coefficients * slope, intercept=shift, **own)
    if model.scales[0] == "logit" and isinstance(model, TreeModel):
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
    """Return the model with a function of its probability: a single tree of probabilities stays one, others are closed."""
    if isinstance(model, TreeModel) and len(model.trees) == 1 and model.scales[0] == "probability":
        values = function(np.clip(model.trees.value + model.trees.base, 0, 1))
        leaves = np.where(model.trees.feature < 0, values, 0.0).astype(np.float32)
        return replace(model, trees=replace(model.trees, value=leaves, base=0.0), name=name, provenance=None, original=None)
    behind: dict[str, Any] = {"carried": model.carried, "companion": model.companion} if isinstance(model, BlackBox) else {}
    return Mapped(
        lambda table: function(model.predict(table, "probability")),
        model.schema,
        name,
        ("probability", "logit"),
        model=model,
        mapping=function,
        chosen=model.chosen,
        **behind,
    )


@dataclass(frozen=True, eq=False, repr=False)
class Mapped(BlackBox):
    """A function of another model's probability; that one is given the rows as they come, coded or not."""

    model: Any = None
    mapping: Any = None

    def as_read(self, rows: Any, *, checked: bool = False) -> Any:
        """Return rows as they came; the model behind checks them."""
        del checked
        return rows

    def compute(self, rows: Any) -> np.ndarray:
        """Return the mapped probability of each row."""
        behind = self.model if self.companion is None else replace(self.model, companion=self.companion)
        return self.mapping(behind.predict(rows, "probability"))

    def typed(self, *some: Any) -> Mapped:
        """Return it with the dtypes of a table that is among the rows, where the model behind it asks for them."""
        return replace(self, model=self.model.typed(*some)) if isinstance(self.model, BlackBox) else self
