"""Ablation: how far the output falls when one column is taken away and all others stay as they are.

``f(x) - mean over reference rows b of f(x, its column j from b)``, captum's FeatureAblation, averaged over the background: what
a column adds when it comes last. Of a model that adds up its columns these are the Shapley values; of any other they do not add
up to the prediction, and are no parts of it: where two columns do the same work, neither is missed alone (Robnik-Šikonja
and Kononenko 2008), and what two columns do only together is counted for both.

Prefer it for the plain question "what if we had not known this?", at the cost of one mixed row a column and reference. A column
that gets nothing may still be read: take it away together with its companions (`occlusion`, or Shapley values).
"""

from __future__ import annotations

import numpy as np
import torch

from dlx.explainers import MIXTURES
from dlx.explainers._captum import average_over, copy_on_scale
from dlx.explanation import Attribution, LocalAccuracy
from dlx.kernels.shapley import Game
from dlx.model import Model, NeuralModel, Scale

LABEL = "Ablation"
LIBRARY = "captum"
PROMISE = LocalAccuracy()
IS_SHAPLEY = False
ONE_AT_A_TIME = True
IS_RANDOM, KNOWS_ERROR = False, False
COST, PREFERENCE, EVALUATES = "low", 10, MIXTURES
QUESTION = "How far does the prediction fall without this column, everything else known?"


def reference_takes(model: Model) -> bool:
    """Whether captum takes the model: a net."""
    return isinstance(model, NeuralModel)


def evaluations_for(columns: int, references: int) -> int:
    """Return of how many mixed rows the model is asked for a row."""
    return references * (columns + 1)


def attribute(model: Model, rows: np.ndarray, background: np.ndarray, *, scale: Scale, seed: int = 0) -> Attribution:
    """Return how far the output falls without each column, of coded rows."""
    del seed
    return withheld(model, rows, background, scale, np.eye(rows.shape[1], dtype=bool))


def withheld(model: Model, rows: np.ndarray, background: np.ndarray, scale: Scale, groups: np.ndarray) -> Attribution:
    """Return how far outputs fall on average without the groups that each column is in, its values from the reference rows.

    Parameters
    ----------
    model, rows, background, scale
        As of every method.
    groups : ndarray of bool [groups, features]
        Which columns are taken away together; each column is in one at least.
    """
    game = Game(model, rows, background, scale)
    worth, asked = game.worth(np.vstack([np.ones_like(groups[:1]), ~groups]))
    falls = worth[:, :1] - worth[:, 1:]
    return Attribution(falls @ groups / groups.sum(axis=0), evaluations=asked)


def reference(model: NeuralModel, rows: np.ndarray, background: np.ndarray, *, scale: Scale, seed: int = 0) -> Attribution:
    """Return the same by captum, of a net, with all dense columns of a column taken away together; parameters are the same."""
    from captum.attr import FeatureAblation

    del seed
    network, width, device = copy_on_scale(model, scale), rows.shape[1], model.dense(rows[:1]).device
    owner, first = (torch.as_tensor(places, device=device) for places in (model.encoder.owner[None], model.encoder.starts))
    ablation = FeatureAblation(lambda dense: network(dense).reshape(len(dense)))

    def one(persons: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            falls = ablation.attribute(persons, baselines=references, feature_mask=owner)
        return torch.zeros_like(falls).index_copy_(1, first, falls[:, first])  # each column's fall once

    return average_over(one, model, rows, background, evaluations_per_pair=width + 1)
