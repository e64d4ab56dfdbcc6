"""A model of the reduced table as one of the original table: it reads the original columns, and is of the same kind.

Leaving columns out and merging levels are both a choice among dense columns, so that a linear layer of the original table is
the reduced one's with copied weights, and 0 where a column was left out: no number is rounded. Trees ask the original codes
instead.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np

from dlx.model import LinearModel, Model, NeuralModel, TreeModel
from dlx.remedies.errors import RemedyError
from dlx.remedies.recoding import NOWHERE, Recoding
from dlx.remedies.regrowing import regrown


def restored(model: Model, recoding: Recoding, rows: np.ndarray) -> Model:
    """Return a model that predicts of original rows what the reduced model predicts of them reduced.

    Parameters
    ----------
    model : Model
        A net that starts with a linear layer (after dropout), a linear model, or trees, of the reduced table.
    recoding : Recoding
        From the original table to the reduced one.
    rows : ndarray [rows, features]
        Original training rows, which trees count.

    Raises
    ------
    RemedyError
        If the model is of another kind.
    """
    if recoding.changes_nothing:
        return model
    if isinstance(model, TreeModel):
        return replace(model, trees=regrown(model.trees, recoding, rows), schema=recoding.original, original=None)
    if isinstance(model, LinearModel):
        weights = _spread(model.coefficients[None], recoding.sources(model.encoder))[0]
        return replace(model, coefficients=weights, encoder=recoding.full_encoder(model.encoder))
    if isinstance(model, NeuralModel):
        return _restored_net(model, recoding)
    raise RemedyError(f"{model.name} is a {type(model).__name__}, of which nothing is known but what it predicts")


def _restored_net(model: NeuralModel, recoding: Recoding) -> NeuralModel:
    import torch
    from torch import nn

    network = copy.deepcopy(model.network)
    first = next((layer for layer in network.modules() if isinstance(layer, nn.Linear)), None)
    if first is None or first.in_features != model.encoder.width:
        raise RemedyError(f"{model.name} must start with a linear layer of its {model.encoder.width} dense columns")
    weight = _spread(first.weight.detach().cpu().numpy(), recoding.sources(model.encoder))
    first.weight = nn.Parameter(torch.from_numpy(weight).to(first.weight), requires_grad=first.weight.requires_grad)
    first.in_features = weight.shape[1]
    return replace(model, network=network, encoder=recoding.full_encoder(model.encoder))


def _spread(weights: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Return weights [units, reduced width] as weights of the original dense columns [units, width]."""
    return np.ascontiguousarray(np.where(sources == NOWHERE, 0, weights[:, sources]))
