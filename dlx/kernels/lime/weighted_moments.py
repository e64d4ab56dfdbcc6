"""Weighted moments of a pool of samples, as each of many people sees it: which columns are in the person's bins.

A weighted sum, over the pool, of the product of two indicators, for every person and pair of columns. Two columns are both
present in few samples only, so column by column and bin by bin, the people of the bin meet the samples of the bin in one
matrix product: half of what the products of dense presence matrices cost. An indicator of more than half of the pool
is replaced by its opposite: products are smaller, and nothing cancels. float32 for those products; float64 between slabs of
the pool and from there on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from dlx.kernels.lime.ridge import Moments
from dlx.model.devices import is_accelerator, numbers_at_once

SLAB = 8_192  # samples, at most, whose products are added in float32
FEW = 8  # people
TABLE_BYTES = 32 * 2**20  # of indicators that are held at a time, in all their forms: 16 bytes each
KERNEL_WIDTH = 0.75  # lime's, in units of the root of the number of columns


class Pool(NamedTuple):
    """Samples that everybody shares.

    Parameters
    ----------
    bins : ndarray of int32 [samples, columns]
        Where each value falls.
    outputs : ndarray [samples]
        Centred, and of a size that float32 takes.
    """

    bins: np.ndarray
    outputs: np.ndarray


class Sums(NamedTuple):
    """Weighted sums over a pool, by person, of indicators "the sample is in the person's bin", or, of common bins, "is not".

    Parameters
    ----------
    products : Tensor of float64 [people, columns, columns + 2]
        Of two indicators, above the diagonal; then of each alone, and of each times the output.
    totals : Tensor of float64 [people, 3]
        Of 1, the output and its square.
    opposite : Tensor of bool [people, columns]
        Whether the indicator says "not in the bin".
    """

    products: torch.Tensor
    totals: torch.Tensor
    opposite: torch.Tensor


def kernel(absent: np.ndarray, columns: int) -> np.ndarray:
    """Return lime's kernel weights, by how many columns of a sample are outside the person's bins: the squared distance."""
    return np.exp(-absent / _decay(columns))


def _decay(columns: int) -> float:
    return 2 * KERNEL_WIDTH**2 * columns


def weighted_sums(pool: Pool, people: np.ndarray, device: torch.device) -> Sums:
    """Return weighted sums over the pool for people's bins, int32 [people, columns]; fastest with most bins first."""
    if len(people) <= FEW or is_accelerator(device):
        return _sums_one_by_one(pool, people, device)
    indicators = _Indicators.of(pool.bins, people)
    columns = people.shape[1]
    sums = Sums(
        torch.zeros(len(people), columns, columns + 2, dtype=torch.float64),
        torch.zeros(len(people), 3, dtype=torch.float64),
        torch.from_numpy(indicators.opposite[indicators.own]),
    )
    size = max(1, min(SLAB, TABLE_BYTES // (16 * len(indicators.bins))))
    for slab in (slice(start, start + size) for start in range(0, len(pool.bins), size)):
        table = indicators.table(pool.bins[slab])
        outputs = torch.from_numpy(pool.outputs[slab]).float()[:, None]
        right = torch.cat([torch.from_numpy(table), torch.ones_like(outputs), outputs], dim=1)
        level, weights = _weights(indicators, right[:, :-2])
        sums.totals.add_(_levelled(weights @ torch.cat([right[:, -2:], outputs**2], dim=1), level))
        _add_products(sums.products, level, weights, table, right, indicators)
    return sums


def _sums_one_by_one(pool: Pool, people: np.ndarray, device: torch.device) -> Sums:
    """Return the same sums of each person by itself, in float64: of a few people, and on an accelerator, soonest made."""
    bins, outputs, everybody = (torch.from_numpy(array).to(device) for array in (pool.bins, pool.outputs, people))
    ends, found = torch.stack([torch.ones_like(outputs), outputs, outputs**2], dim=1), list[Sums]()
    size = max(1, numbers_at_once(device) // (4 * bins.numel())) if is_accelerator(device) else 1
    for some in torch.split(everybody, size):
        present = bins == some[:, None]  # [people, samples, columns]
        weights = torch.exp((present.sum(dim=2) - bins.shape[1]) / _decay(bins.shape[1])).to(ends)[:, None]
        opposite = present.sum(dim=1) > len(bins) / 2
        indicators = (present != opposite[:, None]).to(ends)
        weighed = indicators.transpose(1, 2) * weights
        products = torch.cat([weighed @ indicators, weighed @ ends[:, :2]], dim=2)
        found.append(Sums(products, (weights @ ends)[:, 0], opposite))
    return Sums(*map(torch.cat, zip(*found, strict=True)))


def moments(sums: Sums, present: torch.Tensor, outputs: torch.Tensor) -> Moments:
    """Return moments of presence and output about their means, once the people themselves are among the samples.

    Parameters
    ----------
    sums : Sums
        Over the pool.
    present, outputs : Tensor of float64 [people, columns], [people]
        The people as samples: which of their columns count as present, and what the model gives.
    """
    columns = present.shape[1]
    sign = torch.where(sums.opposite, -1.0, 1.0).double()
    own = torch.where(sums.opposite, 1 - present, present)
    total, output, output_square = (sums.totals + torch.stack([torch.ones_like(outputs), outputs, outputs**2], dim=1)).T
    single = sums.products[:, :, columns] + own
    mean = single / total[:, None]
    upper = sums.products[:, :, :columns] + own[:, :, None] * own[:, None]
    upper = upper.triu_(1).sub_((single[:, :, None] * mean[:, None]).triu_(1)).mul_(sign[:, :, None]).mul_(sign[:, None])
    covariance = upper + upper.transpose(1, 2)
    covariance.diagonal(dim1=1, dim2=2).copy_(single * (1 - mean))
    joint = sums.products[:, :, columns + 1] + own * outputs[:, None] - mean * output[:, None]
    mean = torch.where(sums.opposite, 1 - mean, mean)
    return Moments(total, mean, output / total, covariance, joint * sign, output_square - output**2 / total)


class _Indicators(NamedTuple):
    """Indicators of a pool's samples, one a bin that some person is in: 1 inside of it, or, of common bins, 1 outside.

    Parameters
    ----------
    columns, bins, opposite : ndarray [indicators]
        Which column and bin each is about, in the order of columns, and whether it says "not in the bin".
    ends : ndarray of int [columns]
        Where each column's indicators end.
    own : ndarray of int [people, columns]
        The indicator of each person's bin.
    """

    columns: np.ndarray
    bins: np.ndarray
    opposite: np.ndarray
    ends: np.ndarray
    own: np.ndarray

    @classmethod
    def of(cls, pool: np.ndarray, people: np.ndarray) -> _Indicators:
        found = [np.unique(bins, return_inverse=True) for bins in people.T]
        sizes = np.array([len(bins) for bins, _ in found])
        ends = np.cumsum(sizes)
        own = np.stack([end - size + which for end, size, (_, which) in zip(ends, sizes, found, strict=True)], axis=1)
        counts = [np.bincount(inside, minlength=bins.max() + 1)[bins] for inside, (bins, _) in zip(pool.T, found, strict=True)]
        common = np.concatenate(counts) > len(pool) / 2
        return cls(np.repeat(np.arange(len(sizes)), sizes), np.concatenate([bins for bins, _ in found]), common, ends, own)

    def table(self, pool: np.ndarray) -> np.ndarray:
        """Return the indicators of some samples, bool [samples, indicators]."""
        return (pool[:, self.columns] == self.bins) != self.opposite


def _weights(indicators: _Indicators, table: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return kernel weights as each person's mean [people, 1] and deviations from it, float32 [people + 1, samples].

    In float32 a sum of weights that are nearly alike rounds the same way at each step; deviations have either sign, and their
    rounding cancels. The last line is all ones, so that products with it count.
    """
    people, columns = indicators.own.shape
    own = indicators.opposite[indicators.own]
    signs = np.zeros((people + 1, len(indicators.bins)), dtype=np.float32)
    np.put_along_axis(signs[:-1], indicators.own, np.where(own, -1, 1), axis=1)
    absent = torch.from_numpy(np.append(columns - own.sum(axis=1), 0)).to(table)
    weights = (torch.from_numpy(signs).to(table) @ table.T).sub_(absent[:, None]).div_(_decay(columns)).exp_()
    level = weights[:-1].mean(dim=1, keepdim=True)
    weights[:-1].sub_(level)
    return level.double(), weights


def _levelled(products: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """Return products with whole weights, float64 [people, ...], from those with deviations and, last, with ones."""
    return products[:-1].double().addcmul_(level, products[-1:].double())


def _add_products(
    sums: torch.Tensor,
    level: torch.Tensor,
    weights: torch.Tensor,
    table: np.ndarray,
    right: torch.Tensor,
    indicators: _Indicators,
) -> None:
    """Add the products of each indicator with all of later columns, 1 and the output, to the people who have it."""
    everybody = len(indicators.own)
    last = np.arange(len(indicators.bins), right.shape[1])  # 1 and the output
    places = torch.from_numpy(np.hstack([indicators.own, np.tile(last, (everybody, 1))]))
    for indicator, column in enumerate(indicators.columns):
        end = indicators.ends[column]
        people, samples = np.flatnonzero(indicators.own[:, column] == indicator), np.flatnonzero(table[:, indicator])
        others = right[:, end:].index_select(0, torch.from_numpy(samples))
        taken = weights.numpy()[np.append(people, everybody)].take(samples, axis=1)  # three times as fast as torch
        products = torch.from_numpy(taken) @ others
        found = _levelled(products, level[people]).gather(1, places[people, column + 1 :] - end)
        sums[people, column, column + 1 :] += found
