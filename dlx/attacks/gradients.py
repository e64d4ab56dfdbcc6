"""Fragile gradients: a change within observed noise that keeps the prediction and changes the explanation.

Ghorbani, Abid and Zou (2019), "Interpretation of Neural Networks is Fragile", by random search on tables. The attacked net
has a ripple added, too small to be seen in any prediction and steep enough to rule every gradient (Dombrowski et al. 2019).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.attacks.defences import detection
from dlx.attacks.scaffold import TOP, decimals, rounded_to
from dlx.comparison.metrics import metrics_by_row
from dlx.dataset import Dataset
from dlx.model import NeuralModel
from dlx.stats import interval_of_mean

if TYPE_CHECKING:
    import torch

NOISE = 0.1  # standard deviations of a number: what measuring again would change
ALIKE = 0.1  # logits that the output may move
TRIES = 50
RIPPLE, STEEPNESS = 0.02, 300.0  # logits, and radians a standard deviation
FRAGILE_LIMIT = 0.5
REPEAT = "gradients measured again"


def gradient_detections(
    model: NeuralModel, case: Dataset, people: Dataset, background: np.ndarray, *, seed: int = 0
) -> list[dict[str, Any]]:
    """Return whether gradient x input breaks within observed noise, of a net and of it with a ripple; [] without numbers."""
    if all(feature.is_categorical for feature in model.schema.features):
        return []
    found = []
    for net, is_attacked in ((model, False), (rippled(model, seed=seed), True)):
        kept = interval_of_mean(surviving_top(net, case, people, background, seed=seed), within=(0, 1), seed=seed)
        found.append(detection("fragile gradients", net, is_attacked, REPEAT, kept, FRAGILE_LIMIT, "below"))
    return found


def surviving_top(model: NeuralModel, case: Dataset, people: Dataset, background: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Return the share of the top 3 columns, with their signs, that survives the worst change found for each person, [rows].

    Numbers change by a tenth of a standard deviation, rounded as they are recorded; only changes count that keep the
    decision and move the logit by no more than `ALIKE`. Who has no such change keeps 1.
    """
    rows, train, rng = people.rows, case.train.rows, np.random.default_rng(seed)
    numeric = [i for i, feature in enumerate(case.schema.features) if not feature.is_categorical]
    near, spread = np.repeat(rows[:, None], TRIES, axis=1), np.nanstd(case.schema.numbers(train)[:, numeric], axis=0)
    noise = NOISE * spread * rng.normal(size=(len(rows), TRIES, len(numeric)))
    near[:, :, numeric] += np.where(np.isnan(case.schema.numbers(rows)[:, None, numeric]), 0.0, noise)
    flat, tried = rounded_to(near.reshape(-1, rows.shape[1]), decimals(train)), near.shape[:2]
    alike = np.abs(model.predict(flat, "logit").reshape(tried) - model.predict(rows, "logit")[:, None]) <= ALIKE
    alike &= model.decide(flat).reshape(tried) == model.decide(rows)[:, None]
    own = np.repeat(gradient_times_input(model, rows, background), TRIES, axis=0)
    kept = metrics_by_row(own, gradient_times_input(model, flat, background), TOP)["sign_agreement"]
    return np.where(alike, kept.reshape(tried), 1.0).min(axis=1)


def gradient_times_input(model: NeuralModel, rows: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return gradient x (row - mean of the background) of coded rows, summed to original columns, [rows, features]."""
    import torch

    dense = model.dense(rows).requires_grad_()
    (gradient,) = torch.autograd.grad(model.network(dense).sum(), dense)
    away = (dense - model.dense(background).mean(dim=0)).detach()
    return model.encoder.fold((gradient * away).double().cpu().numpy())


def rippled(model: NeuralModel, *, seed: int = 0) -> NeuralModel:
    """Return a net with a ripple on its output: at most `RIPPLE` logits high, along a random direction of its numbers."""
    import torch

    numeric = [i for i, feature in enumerate(model.schema.features) if not feature.is_categorical]
    direction = np.zeros(model.encoder.width)
    direction[model.encoder.starts[numeric]] = np.random.default_rng(seed).normal(size=len(numeric))
    along = torch.from_numpy((STEEPNESS * direction / np.linalg.norm(direction)).astype(np.float32))

    class Rippled(torch.nn.Module):
        ripple: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.network = model.network
            self.register_buffer("ripple", along)

        def forward(self, dense: torch.Tensor) -> torch.Tensor:
            return self.network(dense).reshape(-1) + RIPPLE * torch.sin(dense @ self.ripple)

    return NeuralModel(Rippled(), model.encoder, f"{model.name}, rippled", model.scales)
