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

import weakref
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from dlx.arrays import array_id
from dlx.kernels.lime.neighbourhoods import Neighbourhood
from dlx.kernels.lime.ridge import LoneColumns, local_fits
from dlx.kernels.lime.weighted_moments import SLAB, TABLE_BYTES, Pool, Sums, kernel, moments, weighted_sums
from dlx.model import BlackBox, Model, NeuralModel, Scale, Transformed
from dlx.model.devices import in_blocks, prepared
from dlx.threads import cores

BUDGET_BYTES = 512 * 2**20
MOST_ROWS = 512  # people at a time: enough for large products, few enough for the cache
FITTED_BYTES = 32 * 2**20  # of matrices that are solved at a time
PAIRED_SAMPLES = 1_024  # that are predicted once more where a bin is in none of them
WITNESSES = 64  # samples that are predicted again, to know a model that was trained on
KEPT_BYTES = 64 * 2**20  # of the bins of a pool that is kept for the next call
NUMBERS_OF_MOMENTS = 16  # in float64, for each pair of columns of a person
PAIRED_BYTES = 32 * 2**20  # of such samples that are held at a time

_KEPT: weakref.WeakKeyDictionary[Model, tuple[Any, _Predicted]] = weakref.WeakKeyDictionary()  # the last one of each model


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
    pool = _pool_of(model, background, scale, seed, n_samples - 1)
    outputs, bins = model.predict(rows, scale), pool.law.bins(rows)
    lone = ~pool.holds[np.arange(rows.shape[1]), bins]
    lone_weights, evaluations = _lone_weights(model, scale, rows, bins, lone, pool)
    problem = _Problem(
        Pool(pool.bins, (pool.outputs - pool.centre) / pool.unit),
        bins.astype(np.int32),
        (outputs - lone_weights.sum(axis=1) - pool.centre) / pool.unit,
        lone,
        lone_weights / pool.unit,
    )
    prepared(device := device_of(model))
    fit = partial(problem.fit, n_features, 1 / (len(background) + 1), device)
    size = _rows_at_a_time(n_samples - 1, rows.shape[1], budget_bytes)
    fitted = in_blocks(fit, np.arange(len(rows)), size, device, lambda: rows.shape[1] ** 2 * NUMBERS_OF_MOMENTS)
    weights, intercepts = fitted[:, 2:] * pool.unit, fitted[:, 0] * pool.unit + pool.centre
    return Surrogates(weights, intercepts, fitted[:, 1], pool.law.shares(bins), evaluations + n_samples - 1 + len(rows))


@dataclass(frozen=True, eq=False)
class _Predicted:
    """Random people that a model predicted, who serve everybody who is explained against a background."""

    law: Neighbourhood
    rows: np.ndarray  # [some samples, columns], the first ones
    bins: np.ndarray  # int32 [samples, columns]
    outputs: np.ndarray  # [samples]
    centre: float
    unit: float
    holds: np.ndarray  # bool [columns, bins], whether any of them is in a bin
    witness: np.ndarray  # [some samples], what the model predicts of the first few alone

    @classmethod
    def of(cls, model: Model, background: np.ndarray, scale: Scale, seed: int, count: int) -> _Predicted:
        """Draw so many people, who depend on the seed and the background only, and predict them."""
        law = Neighbourhood(model.schema, background)
        samples = law.draw(count, seed)
        outputs, few = model.predict(samples.rows, scale, checked=True), samples.rows[:WITNESSES]
        holds = np.zeros((len(law.sizes), law.sizes.max()), dtype=bool)
        holds[np.arange(len(holds)), samples.bins] = True
        bins, witness = samples.bins.astype(np.int32), model.predict(few, scale, checked=True)
        return cls(law, samples.rows[:PAIRED_SAMPLES].copy(), bins, outputs, *_centre_and_unit(outputs), holds, witness)


def _pool_of(model: Model, background: np.ndarray, scale: Scale, seed: int, count: int) -> _Predicted:
    """Return the pool of an earlier call with the same arguments, if the model is as it was, or a new one.

    A function of the user's own may be any other by now: its pool is never kept.
    """
    asked = array_id(background), scale, seed, count
    known, kept = _KEPT.get(model, (None, None))
    if (
        kept is not None
        and known == asked
        and np.array_equal(model.predict(kept.rows[:WITNESSES], scale, checked=True), kept.witness)
    ):
        return kept
    made = _Predicted.of(model, background, scale, seed, count)
    if made.bins.nbytes <= KEPT_BYTES and not isinstance(model, (BlackBox, Transformed)):
        _KEPT[model] = asked, made
    return made


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


def _lone_weights(
    model: Model,
    scale: Scale,
    rows: np.ndarray,
    bins: np.ndarray,
    lone: np.ndarray,
    pool: _Predicted,
) -> tuple[np.ndarray, int]:
    """Return the weights [people, columns] of bins that are in no sample, and how many rows were evaluated for them."""
    weights = np.zeros(rows.shape)
    if not lone.any():
        return weights, 0
    who, column = np.nonzero(lone)
    values = rows[who, column]
    asked = np.column_stack([column, np.where(np.isnan(values), -np.inf, values)])
    _, first, which = np.unique(asked, axis=0, return_index=True, return_inverse=True)
    size, count = max(1, PAIRED_BYTES // pool.rows.nbytes), len(pool.rows)
    for start in range(0, len(first), size):
        part = first[start : start + size]
        mixed = np.repeat(pool.rows[None], len(part), axis=0)  # [questions, samples, columns]
        mixed[np.arange(len(part)), :, column[part]] = values[part, None]
        predicted = model.predict(mixed.reshape(-1, rows.shape[1]), scale, checked=True).reshape(len(part), -1)
        changed = predicted - pool.outputs[:count]
        for cell in np.flatnonzero((which >= start) & (which < start + size)):
            weight = kernel((pool.bins[:count] != bins[who[cell]]).sum(axis=1), rows.shape[1])
            weights[who[cell], column[cell]] = weight @ changed[which[cell] - start] / weight.sum()
    return weights, len(first) * count
