"""Fragile gradients: a change within observed noise that keeps the prediction and changes the explanation.

Ghorbani, Abid and Zou (2019), "Interpretation of Neural Networks is Fragile", by random search on tables. The attacked net
has a ripple added, too small to be seen in any prediction and steep enough to rule every gradient (as Dombrowski et al. 2019
show that it can be done).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlx.attacks.findings import Finding
from dlx.attacks.instability import kept_top
from dlx.attacks.samples import VulnerabilityError, decimals
from dlx.attacks.scaffold import decisions
from dlx.dataset import Dataset
from dlx.model import NeuralModel
from dlx.runner import explain
from dlx.stats import interval_of_mean

if TYPE_CHECKING:
    import torch

NOISE = 0.1  # standard deviations of a number: what measuring again would change
ALIKE = 0.1  # logits that the output may move
TRIES = {"gradient": 50, "integrated_gradients": 20}
REFERENCES = 5  # of integrated gradients, which have to follow every ripple
RIPPLE, STEEPNESS = 0.02, 300.0  # logits, and radians a standard deviation
FRAGILE_LIMIT = 0.5
METHODS = {"gradient": "gradient times input", "integrated_gradients": "integrated gradients"}


def rippled(model: NeuralModel, *, seed: int = 0) -> NeuralModel:
    """Return a net with a ripple on its output: at most `RIPPLE` logits high, along a random direction of its numbers."""
    import torch

    numeric = [i for i, f in enumerate(model.schema.features) if not f.is_categorical]
    if not numeric:
        raise VulnerabilityError("a ripple needs a column of numbers, and the table has none")
    direction = np.zeros(model.encoder.width)
    direction[model.encoder.starts[numeric]] = np.random.default_rng(seed).normal(size=len(numeric))
    ripple = torch.from_numpy((STEEPNESS * direction / np.linalg.norm(direction)).astype(np.float32))
    return NeuralModel(_ripple_module(model.network, ripple), model.encoder, f"{model.name}, rippled", model.scales)


def gradient_times_input(model: NeuralModel, rows: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return gradient x (row - mean of the background) of coded rows, summed to original columns, [rows, features]."""
    import torch

    dense = model.dense(rows).requires_grad_()
    (gradient,) = torch.autograd.grad(model.network(dense).sum(), dense)
    away = (dense - model.dense(background).mean(dim=0)).detach()
    return model.encoder.fold((gradient * away).double().cpu().numpy())


def fragility(
    model: NeuralModel, case: Dataset, people: Dataset, background: Dataset, *, method: str, seed: int = 0
) -> np.ndarray:
    """Return the share of the top 3 columns, with their signs, that survives the worst change found for each person, [rows].

    Numbers change by a tenth of a standard deviation, rounded as they are recorded; only changes count that keep the
    decision and move the logit by no more than `ALIKE`. Who has no such change keeps 1.

    Parameters
    ----------
    method : {"gradient", "integrated_gradients"}
        What explains.
    """
    rows, rng, tries = people.rows, np.random.default_rng(seed), TRIES[method]
    numeric = [i for i, f in enumerate(case.schema.features) if not f.is_categorical]
    spread = np.nanstd(case.train.rows[:, numeric], axis=0)
    near = np.repeat(rows[:, None], tries, axis=1)
    near[:, :, numeric] += NOISE * spread * rng.normal(size=(len(rows), tries, len(numeric)))
    places = decimals(case.train.rows)
    for i in numeric:
        near[:, :, i] = np.round(near[:, :, i], places[i])
    flat = near.reshape(-1, rows.shape[1])
    alike = np.abs(model.predict(flat, "logit").reshape(near.shape[:2]) - model.predict(rows, "logit")[:, None]) <= ALIKE
    alike &= decisions(model, flat).reshape(near.shape[:2]) == decisions(model, rows)[:, None]
    own = np.repeat(_explained(model, rows, background, method, seed), tries, axis=0)
    kept = kept_top(own, _explained(model, flat, background, method, seed), is_signed=True)
    return np.where(alike, kept.reshape(near.shape[:2]), 1.0).min(axis=1)


def gradient_finding(
    model: NeuralModel, case: Dataset, people: Dataset, background: Dataset, *, method: str, is_attacked: bool, seed: int = 0
) -> Finding:
    """Return whether a method's explanation of a net breaks within observed noise."""
    kept = fragility(model, case, people, background, method=method, seed=seed)
    words = f"share of the top 3, with signs, that survives the worst of {TRIES[method]} changes within observed noise"
    shown = f"{METHODS[method]}, {len(people)} people"
    measured = interval_of_mean(kept, within=(0, 1), seed=seed)
    return Finding("fragile gradients", model.name, is_attacked, words, measured, FRAGILE_LIMIT, False, shown)


def _explained(model: NeuralModel, rows: np.ndarray, background: Dataset, method: str, seed: int) -> np.ndarray:
    if method == "gradient":
        return gradient_times_input(model, rows, background.rows)
    return explain(
        model, rows, method=method, background=background[:REFERENCES], scale="logit", seed=seed, strict=False
    ).values


def _ripple_module(network: torch.nn.Module, ripple: torch.Tensor) -> torch.nn.Module:
    """Return the net plus `RIPPLE` sin(ripple · input)."""
    import torch

    class Rippled(torch.nn.Module):
        ripple: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.register_buffer("ripple", ripple)

        def forward(self, dense: torch.Tensor) -> torch.Tensor:
            return self.network(dense).reshape(-1) + RIPPLE * torch.sin(dense @ self.ripple)

    return Rippled()
