"""LIME of many people at once: one pool of samples, one weighted ridge a person.

Ribeiro, Singh and Guestrin (2016), "Why Should I Trust You?", equation 1, as the lime package (0.2) does it for tables. A
column is "present" in a sample that falls into the person's bin; a sample with a columns absent of d weighs
``exp(-a / (1.125 d))``, lime's kernel at Euclidean distance sqrt(a) and width 0.75 sqrt(d); the first sample is the person,
all present. The surrogate is a ridge of the outputs on presence, penalty 1, intercept free.

lime's samples do not depend on the person, so one pool, predicted once, serves all; the moments that each ridge needs are
taken for many people at once.

A bin that nobody in the background is in, or a rare one, may be in no sample. The person's column then gets the weight
that lime's would approach if rarer and rarer samples, of more and more, had the person's value: the weighted mean change of
the output when a sample takes it. The same samples with and without it are compared, so that their noise cancels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from dlx.kernels.lime.neighbourhoods import Neighbourhood, Samples
from dlx.kernels.lime.ridge import LoneColumns, local_fits
from dlx.kernels.lime.weighted_moments import SLAB, TABLE_BYTES, Pool, Sums, kernel, moments, weighted_sums
from dlx.model import Model, NeuralModel, Scale
from dlx.threads import cores, in_chunks

BUDGET_BYTES = 512 * 2**20
MOST_ROWS = 512  # people at a time: enough for large products, few enough for the cache
FITTED_BYTES = 32 * 2**20  # of matrices that are solved at a time
PAIRED_SAMPLES = 1_024  # that are predicted once more where a bin is in none of them
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
    sampled, outputs = model.predict(samples.rows, scale), model.predict(rows, scale)
    bins = law.bins(rows)
    lone = _lone(bins, samples.bins)
    lone_weights, evaluations = _lone_weights(model, scale, rows, bins, lone, samples, sampled)
    centre, unit = _centre_and_unit(sampled)
    problem = _Problem(
        Pool(samples.bins.astype(np.int32), (sampled - centre) / unit),
        bins.astype(np.int32),
        (outputs - lone_weights.sum(axis=1) - centre) / unit,
        lone,
        lone_weights / unit,
    )
    fit = partial(problem.fit, n_features, 1 / (len(background) + 1), device_of(model))
    fitted = in_chunks(fit, np.arange(len(rows)), _rows_at_a_time(len(sampled), rows.shape[1], budget_bytes))
    evaluations += len(sampled) + len(rows)
    return Surrogates(fitted[:, 2:] * unit, fitted[:, 0] * unit + centre, fitted[:, 1], law.shares(bins), evaluations)


def device_of(model: Model) -> torch.device:
    """Return where a model's network is; the processor for a model without one."""
    return model.device if isinstance(model, NeuralModel) else torch.device("cpu")


def _centre_and_unit(outputs: np.ndarray) -> tuple[float, float]:
    """Return the mean, exact where all are alike, and the largest distance from it: float32 takes what they leave."""
    with np.errstate(invalid="ignore"):  # infinite outputs: the surrogates are NaN
        centre = outputs[0] + (outputs - outputs[0]).mean()
        return float(centre), float(np.abs(outputs - centre).max() or 1.0)


def _rows_at_a_time(samples: int, columns: int, budget_bytes: int) -> int:
    """Return how many people each core can hold at a time, all cores together within the budget."""
    a_person = 12 * min(samples, SLAB) + 8 * columns * (columns + 2)
    return min(MOST_ROWS, max(1, (budget_bytes // cores() - TABLE_BYTES - FITTED_BYTES) // a_person))


@dataclass(frozen=True, eq=False)
class _Problem:
    """A pool, and people: their bins, outputs, and the columns that are lone, with their weights."""

    pool: Pool
    bins: np.ndarray  # int32 [people, columns]
    outputs: np.ndarray  # [people], in the pool's unit, less the lone weights
    lone: np.ndarray  # bool [people, columns]
    lone_weights: np.ndarray  # [people, columns]

    def fit(self, n_features: int | None, lone_share: float, device: torch.device, which: np.ndarray) -> np.ndarray:
        """Return intercept, R2 and weights of the people at some positions, [people, 2 + columns]."""
        order = np.argsort(-self.pool.bins.max(axis=0), kind="stable")  # most bins first: their products are small
        pool = self.pool._replace(bins=self.pool.bins[:, order])
        sums = weighted_sums(pool, self.bins[which][:, order], device)
        outputs, lone, lone_weights = (
            torch.from_numpy(array).to(device)
            for array in (self.outputs[which], self.lone[which][:, order], self.lone_weights[which][:, order])
        )
        fitted = np.empty((len(which), 2 + len(order)))
        size = max(1, FITTED_BYTES // (64 * len(order) ** 2))
        for part in (slice(start, start + size) for start in range(0, len(which), size)):
            found = moments(Sums(*(array[part] for array in sums)), (~lone[part]).double(), outputs[part])
            fits = local_fits(found, LoneColumns(lone[part], lone_weights[part], lone_share), n_features)
            packed = torch.column_stack([fits.intercepts, fits.r2, fits.weights[:, np.argsort(order)]])
            fitted[part] = packed.cpu().numpy()
        return fitted


def _lone(bins: np.ndarray, sampled: np.ndarray) -> np.ndarray:
    """Return where a person's bin is in no sample, bool [people, columns]."""
    return np.stack([~np.isin(own, inside) for own, inside in zip(bins.T, sampled.T, strict=True)], axis=1)


def _lone_weights(
    model: Model,
    scale: Scale,
    rows: np.ndarray,
    bins: np.ndarray,
    lone: np.ndarray,
    samples: Samples,
    outputs: np.ndarray,
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
        changed = (
            model.predict(mixed.reshape(-1, rows.shape[1]), scale, checked=True).reshape(len(part), -1)
            - outputs[: len(some.rows)]
        )
        for cell in np.flatnonzero((which >= start) & (which < start + size)):
            weight = kernel((some.bins != bins[who[cell]]).sum(axis=1), rows.shape[1])
            weights[who[cell], column[cell]] = weight @ changed[which[cell] - start] / weight.sum()
    return weights, len(first) * len(some.rows)
