"""A recipe trained again on a reduced table, and that model as one of the original table, of the same kind.

Leaving columns out and merging levels are both a choice among dense columns, so that a linear layer of the original table is
the reduced one's with copied weights, and 0 where a column was left out: no number is rounded. Trees ask for sets of the
original codes instead.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from dlx import training
from dlx.dataset import Dataset
from dlx.model import LinearModel, Model, NeuralModel, Provenance, TreeModel
from dlx.progress import Update
from dlx.remedies.recoding import NOWHERE, Recoding, RemedyError
from dlx.trees import Trees


def trained_again(
    case: Dataset,
    made_by: Provenance,
    recoding: Recoding,
    *,
    weights: np.ndarray | None = None,
    monotone: Mapping[str, int] | None = None,
    device: str = "cpu",
    progress: Update | None = None,
) -> training.Fitted:
    """Return a model of the reduced table, trained by the recipe of another one; see `dlx.training.fit` for the rest."""
    return training.fit(
        made_by.architecture,
        recoding.reduced(case.train),
        recoding.reduced(case.validation),
        seed=made_by.seed,
        device=device,
        config=made_by.config,
        progress=progress,
        weights=weights,
        monotone=monotone,
    )


def restored(model: Model, recoding: Recoding) -> Model:
    """Return a model that predicts of original rows what the reduced model predicts of them reduced.

    It must be a net that starts with a linear layer (after dropout), a linear model, or trees; others raise a `RemedyError`.
    """
    if recoding.changes_nothing:
        return model
    if isinstance(model, TreeModel):
        return replace(model, trees=_restored_trees(model.trees, recoding), schema=recoding.original, original=None)
    if not isinstance(model, (LinearModel, NeuralModel)):
        raise RemedyError(f"{model.name} is a {type(model).__name__}, of which nothing is known but what it predicts")
    sources, encoder = recoding.sources(model.encoder), recoding.full_encoder(model.encoder)
    if isinstance(model, LinearModel):
        return replace(model, coefficients=_spread(model.coefficients, sources), encoder=encoder)
    import torch
    from torch import nn

    network = copy.deepcopy(model.network)
    first = next((layer for layer in network.modules() if isinstance(layer, nn.Linear)), None)
    if first is None or first.in_features != model.encoder.width:
        raise RemedyError(f"{model.name} must start with a linear layer of its {model.encoder.width} dense columns")
    weight = _spread(first.weight.detach().cpu().numpy(), sources)
    first.weight = nn.Parameter(torch.from_numpy(weight).to(first.weight), requires_grad=first.weight.requires_grad)
    first.in_features = weight.shape[-1]
    return replace(model, network=network, encoder=encoder)


def folded(model: Model) -> Model:
    """Return a recalibrated net with its last layer folded into its head, so that it is built as before; others as they are."""
    import torch
    from torch import nn

    if not isinstance(model, NeuralModel):
        return model
    network = copy.deepcopy(model.network)
    if type(network) is not nn.Sequential or len(network) != 2 or not isinstance(network[1], nn.Linear):
        return model
    inner, last = network[0], network[1]
    head = next((layer for layer in reversed(list(inner.modules())) if isinstance(layer, nn.Linear)), None)
    if head is None or head.out_features != 1 or last.in_features != 1:
        return model
    with torch.no_grad():
        head.weight.mul_(last.weight)
        head.bias.mul_(last.weight[0, 0]).add_(last.bias[0])
    return replace(model, network=inner)


def _spread(weights: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Return weights [..., reduced width] as weights of the original dense columns [..., width]."""
    return np.ascontiguousarray(np.where(sources == NOWHERE, 0, weights[..., sources]))


def _restored_trees(trees: Trees, recoding: Recoding) -> Trees:
    """Return trees that ask the original columns: of a column whose levels were merged, for the codes that went left."""
    columns = np.append(recoding.kept, -1)[trees.feature]  # a leaf stays a leaf
    sets = {}
    for node in np.flatnonzero(np.isin(columns, list(recoding.groups))).tolist():
        sets[node] = np.flatnonzero(recoding.codes(columns[node]) <= trees.threshold[node])
    return replace(trees, feature=columns).with_sets(sets)
