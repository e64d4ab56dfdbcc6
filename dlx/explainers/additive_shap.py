"""Additive SHAP of a sum over columns and pairs of columns: the model's own curves, which are its Shapley values, exact.

A column of its own adds its shape function minus the mean over the background (Lundberg and Lee 2017, corollary 1, which holds
for any function of one column); of a pair, each column gets the mean of what it adds before and after the other one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from dlx.explainers import ROWS, is_own_scale, refuse_other_scale
from dlx.explanation import Attribution, LocalAccuracy
from dlx.model import AdditiveModel, Scale

LABEL = "Additive SHAP"
LIBRARY = "dlx"
PROMISE = LocalAccuracy(relative=1e-6)
IS_SHAPLEY = True
IS_RANDOM, KNOWS_ERROR = False, False
COST, PREFERENCE, EVALUATES = "low", 1, ROWS
IS_THE_MODEL = True
BATCH_ROWS = 256  # each of which meets each reference row
exact_for = is_own_scale
QUESTION = "How far does each column's own curve, and its share of pairs, lie from the average person's?"


def attribute(model: AdditiveModel, rows: np.ndarray, background: np.ndarray, *, scale: Scale, seed: int = 0) -> Attribution:
    """Return exact Shapley values of coded rows.

    Raises
    ------
    ScaleError
        If the model does not add up on the scale.
    """
    del seed
    refuse_other_scale(model, scale)
    recode, _, outputs = model.parts
    net: Any = model.parts[1]
    people, references = (recode(model.dense(some)) for some in (rows, background))
    with torch.no_grad():
        single, absent = (net.of_columns(some, outputs).double().cpu().numpy() for some in (people, references))
        single -= absent.mean(axis=0)
        values = np.stack([single[:, model.owner == column].sum(axis=1) for column in range(rows.shape[1])], axis=1)
        for pair, first, second in zip(model.pairs, *_of_pairs(net, people, references, outputs), strict=True):
            if pair is not None:
                values[:, pair[0]] += first
                values[:, pair[1]] += second
    base = model.predict(background, scale).mean()
    return Attribution(values, np.full(len(rows), base), evaluations=len(rows) + len(background))


def _of_pairs(net: Any, people: torch.Tensor, references: torch.Tensor, outputs: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return what the first and the second column of each pair add by it, [pairs, rows] each: games of two players."""
    (left, right), (others_left, others_right) = net.halves(people), net.halves(references)
    both, neither = net.joined(left, right, outputs), net.joined(others_left, others_right, outputs).mean(0)
    first = net.joined(left[:, None], others_right[None], outputs).mean(1)  # the second column is absent
    second = net.joined(others_left[None], right[:, None], outputs).mean(1)
    shares = ((both - second + first - neither) / 2, (both - first + second - neither) / 2)
    of_first, of_second = (share.T.double().cpu().numpy() for share in shares)
    return of_first, of_second
