"""LIME of many people at once: one pool of samples, one weighted ridge a person.

Ribeiro, Singh and Guestrin (2016), "Why Should I Trust You?", equation 1, as the lime package (0.2) does it for tables. A
column is "present" in a sample that falls into the person's bin; a sample with a columns absent of d weighs
``exp(-a / (1.125 d))``, lime's kernel at Euclidean distance sqrt(a) and width 0.75 sqrt(d); the first sample is the person,
all present. The surrogate is a ridge of the outputs on presence, penalty 1, intercept free.

lime's samples do not depend on the person, so one pool, predicted once, serves all; the moments that each ridge needs are
taken for many people at once.

A bin that nobody in the background is in occurs in no sample. The person's column then gets the weight that lime's would
approach if rarer and rarer samples, of more and more, had the person's value: the weighted mean change of the output when a
sample takes it. The same samples with and without it are compared, so that their noise cancels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from dlx.games.moments import SLAB, People, Pool, kernel, moments
from dlx.games.neighbourhoods import Neighbourhood, Samples
from dlx.games.ridge import LoneColumns, local_fits
from dlx.model import Model, NeuralModel, Scale
from dlx.threads import cores, in_chunks

BUDGET_BYTES = 512 * 2**20
MOST_ROWS = 512  # people at a time: enough for large products, few enough for the cache
PAIRED_SAMPLES = 1_024  # that are predicted once more where a bin is nobody's
PAIRED_BYTES = 32 * 2**20  # of such samples that are held at a time


@dataclass(frozen=True, eq=False)
class Surrogates:
    """Linear surrogates of a model, one a person.

    Parameters
    ----------
    weights : ndarray [people, columns]
        lime's weights: of a column's being in the person's bin.
    intercepts, r2 : ndarray [people]
        The surrogate where all columns are absent; lime's score, the weighted R2 among the samples.
    shares : ndarray [people, columns]
        Share of the background in the person's bins.
    evaluations : int
        Rows that the model was evaluated on.
    """

    weights: np.ndarray
    intercepts: np.ndarray
    r2: np.ndarray
    shares: np.ndarray
    evaluations: int


def local_surrogates(
    model: Model,
    rows: np.ndarray,
    background: np.ndarray,
    scale: Scale,
    *,
    seed: int,
    n_samples: int,
    n_features: int | None = None,
    budget_bytes: int = BUDGET_BYTES,
) -> Surrogates:
    """Return the surrogate of every row, by samples that depend on the seed and the background only.

    Parameters
    ----------
    model : Model
        Anything that predicts.
    rows, background : ndarray [people, columns], [references, columns]
        Coded.
    scale : {"logit", "probability", "value"}
        Unit of the weights.
    seed : int
        Seed of the samples.
    n_samples : int
        Samples of everybody, the person included; at least 2.
    n_features : int, optional
        Columns that may have a weight, chosen as lime does; by default all.
    budget_bytes : int
        Memory to work in, beside the samples themselves.
    """
    law = Neighbourhood(model.schema, background)
    samples = law.draw(n_samples - 1, seed)
    pool = Pool(samples.bins.astype(np.int32), model.predict(samples.rows, scale))
    bins = law.bins(rows)
    shares = law.shares(bins)
    lone_weights, evaluations = _lone_weights(model, rows, bins, shares == 0, samples, pool.outputs, scale)
    people = People(bins.astype(np.int32), model.predict(rows, scale), shares == 0, lone_weights)
    fit = partial(_fit, pool, people, n_features, 1 / (len(background) + 1), _device(model))
    fitted = in_chunks(fit, np.arange(len(rows)), _rows_at_a_time(len(pool.bins), law.sizes, budget_bytes))
    return Surrogates(fitted[:, 2:], fitted[:, 0], fitted[:, 1], shares, len(pool.bins) + len(rows) + evaluations)


def _device(model: Model) -> torch.device:
    return model.device if isinstance(model, NeuralModel) else torch.device("cpu")


def _rows_at_a_time(samples: int, sizes: np.ndarray, budget_bytes: int) -> int:
    """Return how many people all cores together can hold at a time, each core as many."""
    samples, columns, rows = min(samples, SLAB), len(sizes), MOST_ROWS
    while rows > 1:
        indicators = int(np.minimum(sizes, rows).sum())
        needed = samples * (12 * rows + 14 * indicators) + 64 * rows * columns**2
        if cores() * needed <= budget_bytes:
            break
        rows //= 2
    return rows


def _fit(
    pool: Pool, people: People, n_features: int | None, share: float, device: torch.device, which: np.ndarray
) -> np.ndarray:
    """Return intercept, R2 and weights of some people, [people, 2 + columns]."""
    some = People(*(array[which] for array in people))
    centre, size = _centre_and_size(pool.outputs)
    found = moments(
        pool._replace(outputs=(pool.outputs - centre) / size),
        some._replace(outputs=(some.outputs - some.lone_weights.sum(axis=1) - centre) / size),
        device,
    )
    lone = LoneColumns(torch.from_numpy(some.lone).to(device), torch.from_numpy(some.lone_weights / size).to(device), share)
    fits = local_fits(found, lone, n_features)
    packed = torch.cat([fits.intercepts[:, None] * size + centre, fits.r2[:, None], fits.weights * size], dim=1)
    return packed.cpu().numpy()


def _centre_and_size(outputs: np.ndarray) -> tuple[float, float]:
    """Return the mean, exact where all are alike, and the largest distance from it: float32 takes what they leave."""
    with np.errstate(invalid="ignore"):  # infinite outputs: the surrogates are NaN
        centre = outputs[0] + (outputs - outputs[0]).mean()
        return float(centre), float(np.abs(outputs - centre).max() or 1.0)


def _lone_weights(
    model: Model,
    rows: np.ndarray,
    bins: np.ndarray,
    lone: np.ndarray,
    samples: Samples,
    outputs: np.ndarray,
    scale: Scale,
) -> tuple[np.ndarray, int]:
    """Return the weights [people, columns] of bins that are in no sample, and how many rows were evaluated for them."""
    weights = np.zeros(rows.shape)
    if not lone.any():
        return weights, 0
    who, column = np.nonzero(lone)
    values = rows[who, column]
    asked = np.column_stack([column, np.where(np.isnan(values), -np.inf, values)])
    _, first, which = np.unique(asked, axis=0, return_index=True, return_inverse=True)
    some = Samples(samples.rows[:PAIRED_SAMPLES], samples.bins[:PAIRED_SAMPLES])
    size = max(1, PAIRED_BYTES // some.rows.nbytes)
    for start in range(0, len(first), size):
        part = first[start : start + size]
        mixed = np.repeat(some.rows[None], len(part), axis=0)  # [questions, samples, columns]
        mixed[np.arange(len(part)), :, column[part]] = values[part, None]
        changed = model.predict(mixed.reshape(-1, rows.shape[1]), scale).reshape(len(part), -1) - outputs[: len(some.rows)]
        for cell in np.flatnonzero((which >= start) & (which < start + size)):
            weight = kernel((some.bins != bins[who[cell]]).sum(axis=1), rows.shape[1])
            weights[who[cell], column[cell]] = weight @ changed[which[cell] - start] / weight.sum()
    return weights, len(first) * len(some.rows)
