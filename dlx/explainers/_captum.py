"""What the methods that read nets share: the network on a scale, and for captum dense pairs of person and reference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from dlx.explanation import Attribution
from dlx.model import NeuralModel, Scale, check_scale
from dlx.model.heads import AgainstOthers, Share
from dlx.model.networks import to_hook

PAIRS_PER_CALL = 512  # pairs of one call, so that a layer of all steps stays in the cache


class LogOdds(nn.Module):
    """The log-odds of a probability, behind a network that answers in probabilities."""

    def forward(self, probability: torch.Tensor) -> torch.Tensor:
        """Return the log-odds of probabilities, of their shape."""
        return torch.logit(probability)


def copy_on_scale(model: NeuralModel, scale: Scale) -> nn.Module:
    """Return a copy of the network that answers on a scale, so that hooks never touch the user's own."""
    return to_hook(on_scale(model, scale))


def on_scale(model: NeuralModel, scale: Scale) -> nn.Module:
    """Return the network itself, followed by what makes it answer on a scale."""
    check_scale(model, scale)
    network = model.network
    if scale == model.scales[0]:
        return nn.Sequential(network)
    if scale == "probability" and isinstance(network, nn.Sequential) and isinstance(head := network[-1], AgainstOthers):
        return nn.Sequential(*network[:-1], Share(head.chosen))
    return nn.Sequential(network, nn.Sigmoid() if scale == "probability" else LogOdds())


def average_over(
    attribute: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    model: NeuralModel,
    rows: np.ndarray,
    background: np.ndarray,
    *,
    evaluations_per_pair: int,
) -> Attribution:
    """Return attributions from every reference row to every person, averaged over the references, of coded rows.

    `attribute` is given dense persons and references [pairs, width], and gives attributions [pairs, width], which the encoder
    folds back to features with their signs; it evaluates the network so often for one pair.
    """
    persons, references = model.dense(rows), model.dense(background)
    step = max(1, PAIRS_PER_CALL // len(rows))
    total = np.zeros(tuple(persons.shape))
    for start in range(0, len(references), step):
        some = references[start : start + step]
        pairs = attribute(persons.repeat_interleave(len(some), dim=0), some.repeat(len(persons), 1))
        total += pairs.detach().double().reshape(len(persons), len(some), -1).sum(dim=1).cpu().numpy()
    folded = model.encoder.fold(total / len(references))
    return Attribution(folded, evaluations=len(rows) * len(background) * evaluations_per_pair)
