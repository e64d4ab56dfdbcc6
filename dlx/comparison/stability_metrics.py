"""How stable an explanation is: how far it moves for people much like the one explained, of the same predicted class.

Agarwal et al. (2022), arXiv 2203.06877, section 3.3: the relative change of the explanation over that of the input (RIS) or
hidden representation (RRS), or over the change of the logit (ROS), largest over a neighbourhood; local Lipschitz is the same
without "relative" (Alvarez-Melis and Jaakkola 2018, arXiv 1806.08049). Low is good. `relative_change` says what others do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dlx import runner
from dlx.arrays import check_seed, ratio, same
from dlx.background import nearest
from dlx.comparison.alignment import checked_scale, coded_background, is_finite
from dlx.comparison.metrics import summary
from dlx.encoder import Encoder
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import LinearModel, Model, NeuralModel, Scale, as_rows
from dlx.model.kinds import CHUNK_ROWS
from dlx.threads import in_chunks

if TYPE_CHECKING:
    import torch

SMALLEST = 1e-3  # what |e|, |x| and |L| are kept above, in units of the scale, standard deviations and activations
SMALLEST_CHANGE = 1e-6  # of input, representation and logit, below which nothing has changed that could be divided by
NEIGHBOURS = 10  # of a person, before those of another class are dropped
STEP = 0.1  # of the way to a donor
FLIP = 0.05  # chance that a level, or a missing value, becomes the donor's


def stability(
    model: Model,
    explanation: Explanation,
    background: Any,
    *,
    explain: Callable[..., Explanation] = runner.explain,
    count: int = NEIGHBOURS,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how far an explanation moves between much alike people: the largest ratio of each person, summarised.

    Parameters
    ----------
    model : Model
        The model that is explained.
    explanation : Explanation
        Of some people.
    background : Dataset, DataFrame or ndarray [references, features]
        The one that the explanation was made against; the neighbours' values come from it too.
    explain : callable
        Explains all neighbours in one call, with the method, options and seed of the explanation; `dlx.explain`.
    count : int
        Neighbours of a person, before those of another class are dropped.
    seed : int
        Seed of the neighbours and the bootstrap.

    Returns
    -------
    DataFrame
        One line a metric, ``ris``, ``rrs`` (nets with a linear layer only), ``ros`` and ``lipschitz`` (scale / standard
        deviation): median and mean over people, 95 % bootstrap interval of the mean, the rows that have a value, `failed`,
        or have none else (`undefined`: no neighbour is left), and the neighbours kept in all. Read the median: a column
        that hardly contributes counts as much as one that decides.

    Raises
    ------
    DlxError
        If the explanation is of another model or against another background, or there are too few neighbours.
    """
    scale, coded = checked_scale(model, explanation), coded_background(model, background, of=explanation)
    near, kept = neighbourhood(model, explanation.rows, coded, scale=scale, count=count, seed=seed)
    finite = is_finite(explanation)
    kept &= finite[:, None]
    moved = np.full(near.shape, np.nan)
    if kept.any():
        how = {"method": explanation.method, "scale": scale, "seed": explanation.seed, **explanation.options}
        moved[kept] = explain(model, near[kept], background=coded, **how).values
    lines = []
    for metric, ratios in _ratios(model, explanation, coded, near, moved).items():
        largest = np.max(ratios, axis=1, initial=-np.inf, where=~np.isnan(ratios))
        values = np.where(np.isfinite(largest), largest, np.nan)
        known = values[~np.isnan(values)]
        line: dict[str, Any] = {"model": model.name, "method": explanation.method, "scale": scale, "metric": metric}
        line |= {"median": np.median(known) if len(known) else np.nan} | summary(values, ~finite, seed=seed)
        lines.append(line | {"neighbours": int(kept.sum())})
    return pd.DataFrame(lines)


def neighbourhood(
    model: Model, rows: Any, background: Any, *, scale: Scale, count: int = NEIGHBOURS, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return people much like each person [rows, count, features], and which count, bool [rows, count].

    Each has a donor, one of the `count` background rows most like the person, in turn. A number moves a tenth of the way to the
    donor's; a level, or a number that either lacks or has no number for, is kept but for one time in twenty, where it becomes
    the donor's. Every person has the same draws. Whoever is the person, of the other class (a logit of 0 divides them; values
    have no classes), or of an output that is infinite on the scale to explain on does not count.
    """
    if count < 1:
        raise DlxError(f"a neighbourhood needs at least 1 neighbour, got {count}")
    schema, people, coded = model.schema, as_rows(model.schema, rows), coded_background(model, background)
    donors = coded[nearest(schema, people, coded, count)]
    donors = donors[:, np.arange(count) % donors.shape[1]]
    own = np.broadcast_to(people[:, None], donors.shape)
    flips = np.random.default_rng(check_seed(seed)).random(donors.shape[1:]) < FLIP
    flat = (some.reshape(-1, len(schema)) for some in (own, donors))
    moves = ~np.isnan(np.add(*map(schema.numbers, flat))).reshape(own.shape)
    moves[:, :, list(schema.categorical)] = False
    near = np.where(moves, own + STEP * (donors - own), np.where(flips, donors, own))
    itself = same(near, own).all(axis=2)
    outputs, near_outputs = _own_outputs(model, people), _own_outputs(model, near.reshape(-1, len(schema)))
    near_outputs = near_outputs.reshape(itself.shape)
    is_kept = (model.scales[0] == "value") | ((near_outputs >= 0) == (outputs >= 0)[:, None])
    return near, is_kept & (np.isfinite(near_outputs) | (scale != "logit")) & ~itself


def relative_change(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return ||(before - after) / before||, element by element over the last axis, |before| kept above `SMALLEST`.

    So has the paper. OpenXAI's first release clips `before` itself from below at 0.001, negative ones too, its present one
    divides norm by norm; both take ROS relative to the logit. Quantus divides by `before`, or 1e-6 where it is exactly 0.
    """
    return np.linalg.norm((before - after) / np.maximum(np.abs(before), SMALLEST), axis=-1)


def relative_stability(explanation_change: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Return the relative change of explanations over the change of what they explain; NaN below `SMALLEST_CHANGE`."""
    ratio = explanation_change / np.maximum(change, SMALLEST_CHANGE)
    return np.where(change < SMALLEST_CHANGE, np.nan, ratio)


def lipschitz(before: np.ndarray, after: np.ndarray, inputs: np.ndarray, near_inputs: np.ndarray) -> np.ndarray:
    """Return ||e - e'|| / ||x - x'|| over the last axis; NaN where the input does not change."""
    change, distance = np.linalg.norm(before - after, axis=-1), np.linalg.norm(inputs - near_inputs, axis=-1)
    return ratio(change, distance)


def hidden(model: NeuralModel, rows: np.ndarray) -> np.ndarray:
    """Return the last hidden layer, which the last linear layer reads, float64 [rows, units]; a `DlxError` if there is none."""
    import torch

    seen: list[torch.Tensor] = []
    layers = _linear_layers(model)
    if not layers:
        raise DlxError(f"{model.name} has no linear layer, and so no hidden representation before the last of them")

    def before_the_last(some: np.ndarray) -> np.ndarray:
        model.network(model.dense(some))
        return seen[0].reshape(len(some), -1).double().cpu().numpy()

    with contextlib.ExitStack() as hooks, torch.no_grad():
        for layer in layers:
            hooks.callback(layer.register_forward_pre_hook(lambda _, inputs: seen.__setitem__(slice(None), inputs[:1])).remove)
        return in_chunks(before_the_last, rows, CHUNK_ROWS, is_alone=True)


def _ratios(
    model: Model, explanation: Explanation, background: np.ndarray, near: np.ndarray, moved: np.ndarray
) -> dict[str, np.ndarray]:
    """Return each metric of each neighbour, [rows, count], from their contributions `moved`; NaN where there are none."""

    def both(read: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        found = read(near.reshape(-1, near.shape[2]))
        return read(explanation.rows)[:, None], found.reshape(*near.shape[:2], *found.shape[1:])

    encoder = model.encoder if isinstance(model, (NeuralModel, LinearModel)) else Encoder.fit(model.schema, background)
    inputs, values = both(encoder.transform), explanation.values[:, None]
    change = relative_change(values, moved)
    ratios = {"ris": relative_stability(change, relative_change(*inputs))}
    if isinstance(model, NeuralModel) and _linear_layers(model):
        representations = both(lambda rows: hidden(model, rows))
        ratios["rrs"] = relative_stability(change, relative_change(*representations))
    outputs = (np.where(np.isfinite(one), one, np.nan) for one in both(lambda rows: _own_outputs(model, rows)))
    ratios["ros"] = relative_stability(change, np.abs(np.subtract(*outputs)))
    return ratios | {"lipschitz": lipschitz(values, moved, *inputs)}


def _own_outputs(model: Model, rows: np.ndarray) -> np.ndarray:
    """Return the logit of each row, infinite for a probability of 0 or 1, or the value of a regression, [rows]."""
    from scipy.special import logit

    outputs = model.predict(rows, model.scales[0])
    return logit(outputs) if model.scales[0] == "probability" else outputs


def _linear_layers(model: NeuralModel) -> list[torch.nn.Module]:
    import torch

    return [layer for layer in model.network.modules() if isinstance(layer, torch.nn.Linear)]
