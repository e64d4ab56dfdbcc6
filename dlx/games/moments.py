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

from dlx.games.ridge import Moments

SLAB = 8_192  # samples whose products are added in float32
KERNEL_WIDTH = 0.75  # lime's, in units of the root of the number of columns


class Pool(NamedTuple):
    """Samples that everybody shares: their bins, int32 [samples, columns], and outputs, float64 [samples]."""

    bins: np.ndarray
    outputs: np.ndarray


class People(NamedTuple):
    """Those who are explained: their bins, int32 [people, columns], outputs [people] and lone weights [people, columns]."""

    bins: np.ndarray
    outputs: np.ndarray
    lone: np.ndarray  # bool
    lone_weights: np.ndarray


class _Indicators(NamedTuple):
    """Whether a sample is in a bin of these people, or is not, whichever is rarer; columns with most bins first.

    Parameters
    ----------
    order : ndarray of int [columns]
        The columns in this order.
    ends : ndarray of int [columns]
        Where each column's indicators end.
    columns, bins, opposite : ndarray [indicators]
        Which column and bin each is about, and whether it says "not in the bin".
    own : ndarray of int [people, columns]
        The indicator of each person's bin.
    """

    order: np.ndarray
    ends: np.ndarray
    columns: np.ndarray
    bins: np.ndarray
    opposite: np.ndarray
    own: np.ndarray

    @classmethod
    def of(cls, pool: np.ndarray, people: np.ndarray) -> _Indicators:
        found = [np.unique(bins, return_inverse=True) for bins in people.T]
        order = np.argsort([-len(bins) for bins, _ in found], kind="stable")
        sizes = np.array([len(found[i][0]) for i in order])
        ends = np.cumsum(sizes)
        own = np.stack([end - size + found[i][1] for i, end, size in zip(order, ends, sizes, strict=True)], axis=1)
        columns, bins = np.repeat(order, sizes), np.concatenate([found[i][0] for i in order])
        counts = [np.bincount(column, minlength=bins.max() + 1) for column in pool.T]
        common = np.array([counts[i][which] for i, which in zip(columns, bins, strict=True)]) > len(pool) / 2
        return cls(order, ends, columns, bins, common, own)

    def table(self, pool: np.ndarray) -> np.ndarray:
        """Return the indicators of some samples, bool [samples, indicators]."""
        return (pool[:, self.columns] == self.bins) != self.opposite


def kernel(absent: np.ndarray, columns: int) -> np.ndarray:
    """Return lime's weight of samples in which so many of the columns are absent: their distance is the root of it."""
    return np.exp(-absent / _decay(columns))


def _decay(columns: int) -> float:
    return 2 * KERNEL_WIDTH**2 * columns


def moments(pool: Pool, people: People, device: torch.device) -> Moments:
    """Return the weighted moments of some people's samples, themselves the first of them; outputs are centred."""
    indicators = _Indicators.of(pool.bins, people.bins)
    sums, totals = _sums(pool, indicators, device)
    own = indicators.opposite[indicators.own]
    first = torch.from_numpy(~own & ~people.lone[:, indicators.order]).to(sums)  # all present: an opposite is not
    output = torch.from_numpy(people.outputs).to(sums)
    totals += torch.stack([torch.ones_like(output), output, output**2], dim=1)
    columns = first.shape[1]
    joint = sums[:, :, columns + 1] + first * output[:, None]
    single = sums[:, :, columns] + first
    upper = sums[:, :, :columns] + (first[:, :, None] * first[:, None]).triu(1)
    square = upper + upper.transpose(1, 2) + torch.diag_embed(single)
    return _centred(square, single, joint, totals, torch.from_numpy(own).to(device), np.argsort(indicators.order))


def _centred(
    square: torch.Tensor, single: torch.Tensor, joint: torch.Tensor, totals: torch.Tensor, own: torch.Tensor, back: np.ndarray
) -> Moments:
    """Return moments of presence about the means, from sums of indicators of which some say the opposite."""
    total, output, output_square = totals.T
    mean = single / total[:, None]
    sign = torch.where(own, -1.0, 1.0).double()
    covariance = (square - single[:, :, None] * mean[:, None]) * sign[:, :, None] * sign[:, None]
    return Moments(
        total,
        torch.where(own, 1 - mean, mean)[:, back],
        output / total,
        covariance[:, back][:, :, back],
        ((joint - mean * output[:, None]) * sign)[:, back],
        output_square - output**2 / total,
    )


def _sums(pool: Pool, indicators: _Indicators, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return weighted sums over the pool, float64.

    The first [people, columns, columns + 2]: of products of a person's indicators, above the diagonal; then of each
    indicator alone, and times the output. The second [people, 3]: of 1, the output and its square.
    """
    people, columns = indicators.own.shape
    sums = torch.zeros(people, columns, columns + 2, dtype=torch.float64, device=device)
    totals = torch.zeros(people, 3, dtype=torch.float64, device=device)
    for start in range(0, len(pool.bins), SLAB):
        table = indicators.table(pool.bins[start : start + SLAB])
        outputs = torch.from_numpy(pool.outputs[start : start + SLAB]).float().to(device)
        right = torch.cat([torch.from_numpy(table).to(device), torch.ones_like(outputs)[:, None], outputs[:, None]], dim=1)
        weights = _weights(indicators, right[:, :-2])
        totals += weights @ torch.stack([torch.ones_like(outputs), outputs, outputs**2], dim=1)
        _add_products(sums, weights, table, right, indicators)
    return sums, totals


def _weights(indicators: _Indicators, table: torch.Tensor) -> torch.Tensor:
    """Return lime's kernel of each person and sample, float32 [people, samples]."""
    people, columns = indicators.own.shape
    own = indicators.opposite[indicators.own]
    signs = np.zeros((people, len(indicators.bins)), dtype=np.float32)
    np.put_along_axis(signs, indicators.own, np.where(own, -1, 1), axis=1)
    absent = torch.from_numpy(columns - own.sum(axis=1)).to(table)
    present_less = torch.from_numpy(signs).to(table) @ table.T
    return present_less.sub_(absent[:, None]).div_(_decay(columns)).exp_()


def _add_products(
    sums: torch.Tensor, weights: torch.Tensor, table: np.ndarray, right: torch.Tensor, indicators: _Indicators
) -> None:
    """Add the products of each indicator with all of later columns, 1 and the output, to the people who have it."""
    columns = indicators.own.shape[1]
    own = torch.from_numpy(indicators.own).to(weights.device)
    place = np.repeat(np.arange(columns), np.diff(indicators.ends, prepend=0))
    for indicator, column in enumerate(place):
        end = indicators.ends[column]
        people, samples = np.flatnonzero(indicators.own[:, column] == indicator), np.flatnonzero(table[:, indicator])
        products = _taken(weights, people, samples) @ right[:, end:].index_select(0, torch.from_numpy(samples).to(right.device))
        sums[people, column, column + 1 : columns] += products.gather(1, own[people, column + 1 :] - end)
        sums[people, column, columns:] += products[:, -2:]


def _taken(weights: torch.Tensor, people: np.ndarray, samples: np.ndarray) -> torch.Tensor:
    if weights.device.type == "cpu":  # numpy takes three times faster
        return torch.from_numpy(weights.numpy()[people].take(samples, axis=1))
    return weights[people[:, None], samples]
