"""A neural additive model: a small net for each column and for a few pairs of columns, whose outputs add up.

Agarwal et al. (2021), with the pairs of GAMI-Net (Yang, Zhang and Sudjianto 2021). A number is read as itself, cut off at the
ends of the training rows, and by pieces between their quantiles (piecewise linear encoding, Gorishniy et al. 2022). Pairs are
those of which the residuals of an additive model hold interaction beyond chance, after Lou et al. (2013).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from dlx.architectures.mlp import head
from dlx.architectures.random_forest import training_rows
from dlx.dataset import Dataset
from dlx.schema import Feature

AGAINST_OTHERS = True  # of several classes each output is the log-odds of one against the others: these add up
MOST_BINS = 5  # of a column, by which pairs are chosen
CHANCE = 0.05  # that any pair is chosen where there is no interaction


def build(
    width: int,
    bias: Sequence[float],
    *,
    groups: Sequence[int] | None = None,
    units: int = 16,
    steps: int = 8,
    pairs: int = 8,
    dropout: float = 0.1,
) -> nn.Module:
    """Return the net, untrained: dense rows [rows, width] to outputs [rows, len(bias)].

    Parameters
    ----------
    groups : sequence of int, optional
        The column of the table that each dense column belongs to, [width]; each its own by default.
    units, steps : int
        Hidden units of each column's and each pair's net, and pieces between quantiles into which a number is cut.
    pairs : int
        Most pairs of columns.
    dropout : float
        Share of hidden units that a training step leaves out.
    """
    return AdditiveNet(range(width) if groups is None else groups, bias, units, steps, pairs, dropout)


class AdditiveNet(nn.Module):
    """Nets of single dense columns and of pairs of columns, side by side, under one linear head."""

    def __init__(
        self, groups: Sequence[int], bias: Sequence[float], units: int, steps: int, pairs: int, dropout: float
    ) -> None:
        super().__init__()
        self.width, self.units, self.columns = len(groups), units, max(groups) + 1
        self.knots: torch.Tensor
        self.register_buffer("knots", torch.empty(self.width, steps + 1))
        self.direction: torch.Tensor
        self.register_buffer("direction", torch.zeros(self.width))  # 1, -1 or 0 a dense column: what its net is bound to
        members = [[i for i, owner in enumerate(groups) if owner == column] for column in range(self.columns)]
        largest = max(map(len, members))
        padded = [some + [self.width] * (largest - len(some)) for some in [*members, []]]  # the last column is no column
        self.members: torch.Tensor
        self.register_buffer("members", torch.tensor(padded))  # dense columns of each column, [columns + 1, largest]
        count = min(pairs, self.columns * (self.columns - 1) // 2)
        self.chosen: torch.Tensor
        self.register_buffer("chosen", torch.full((count, 2), self.columns))  # columns of each pair, [pairs, 2]
        self.rises, self.stops, self.single, self.joint = nn.ReLU(), nn.ReLU(), nn.ReLU(), nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.weight = nn.Parameter(torch.empty(self.width, steps, units))
        self.offset = nn.Parameter(torch.empty(self.width * units))
        self.pair_weight = nn.Parameter(torch.empty(2, count, largest * steps, units))
        self.pair_offset = nn.Parameter(torch.empty(count * units))
        if self.weight.is_meta:  # its values are loaded next; for arithmetic on none torch would import its compiler
            self.head = head(self.width + (self.width + count) * units, bias)
        else:
            self._draw(steps, bias)

    @torch.no_grad()
    def _draw(self, steps: int, bias: Sequence[float]) -> None:
        """Put first values into knots and weights."""
        self.knots[:] = torch.arange(steps + 1.0)
        self.weight[:] = torch.randn(self.weight.shape) / steps**0.5
        self.offset[:] = 0.1 * torch.randn(self.offset.shape)
        self.pair_weight[:] = torch.randn(self.pair_weight.shape) / (2 * steps) ** 0.5
        self.pair_offset[:] = 0.1 * torch.randn(self.pair_offset.shape)
        self.head = head(self.width + len(self.offset) + len(self.pair_offset), bias)
        self.head.weight.mul_(0.1)
        self.head.weight[:, : self.width] = 0.0

    def forward(self, dense: torch.Tensor) -> torch.Tensor:
        """Return the outputs [rows, outputs] of dense rows [rows, width]."""
        pieces, cut = self._pieces(dense)
        single = self.single(self._single(pieces))
        left, right = self._halves(pieces)
        joint = self.joint(left + right + self.pair_offset.view(-1, self.units))
        hidden = torch.cat([single.flatten(1), joint.flatten(1)], 1)
        return self.head(torch.cat([cut, self.dropout(hidden)], 1))

    def of_columns(self, dense: torch.Tensor, outputs: torch.Tensor) -> torch.Tensor:
        """Return what each dense column alone adds to the sum of the outputs, weighed by [1, outputs]: [rows, width]."""
        pieces, cut = self._pieces(dense)
        weights, end = (outputs @ self.head.weight)[0], self.width * (self.units + 1)
        hidden = torch.relu(self._single(pieces)) * weights[self.width : end].view(-1, self.units)
        return cut * weights[: self.width] + hidden.sum(2)

    def halves(self, dense: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what the first and the second column of each pair give to its hidden units, [rows, pairs, units] each."""
        return self._halves(self._pieces(dense)[0])

    def joined(
        self, first: torch.Tensor, second: torch.Tensor, outputs: torch.Tensor, pair: int | slice = slice(None)
    ) -> torch.Tensor:
        """Return what one pair [...] or all pairs [..., pairs] add to the sum of the weighed outputs, from `halves` of rows."""
        weights = (outputs @ self.head.weight)[0, self.width * (self.units + 1) :].view(-1, self.units)[pair]
        return (torch.relu(first + second + self.pair_offset.view(-1, self.units)[pair]) * weights).sum(-1)

    def project(self) -> None:
        """Bind the nets of columns to their directions: rising pieces, weighed by numbers of one sign, rise."""
        bound, width, units = self.direction != 0, self.width, self.units
        if not bound.any():
            return
        with torch.no_grad():
            self.weight[bound] = self.weight[bound].clamp(min=0.0)
            for start, size in ((0, 1), (width, units)):
                part = self.head.weight[:, start : start + width * size].view(len(self.head.weight), width, size)
                signs = self.direction[bound, None]
                part[:, bound] = signs * (signs * part[:, bound]).clamp(min=0.0)

    def _pieces(self, dense: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return how much of each piece lies below a number, 0 to 1, [rows, width, steps]; and numbers cut at the ends."""
        low, widths = self.knots[:, :-1], self.knots.diff(dim=1)
        some = (dense[:, :, None] - low) / torch.where(widths > 0, widths, 1.0)
        pieces = (self.rises(some) - self.stops(some - 1)) * (widths > 0)
        return pieces, self.knots[:, 0] + (pieces * widths).sum(2)

    def _single(self, pieces: torch.Tensor) -> torch.Tensor:
        return torch.einsum("rws,wsu->rwu", pieces, self.weight) + self.offset.view(-1, self.units)

    def _halves(self, pieces: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        padded = torch.cat([pieces, torch.zeros_like(pieces[:, :1])], 1)
        first, second = (padded[:, self.members[self.chosen[:, side]]].flatten(2) for side in (0, 1))
        left, right = self.pair_weight
        return torch.einsum("rpm,pmu->rpu", first, left), torch.einsum("rpm,pmu->rpu", second, right)


def adapt(network: AdditiveNet, train: Dataset, dense: np.ndarray, monotone: np.ndarray | None = None) -> None:
    """Set what the net reads off the training rows before it is trained: knots, pairs, directions.

    Parameters
    ----------
    network : AdditiveNet
        Untrained.
    train : Dataset
        The training rows.
    dense : ndarray [rows, width]
        The same rows as the net reads them.
    monotone : ndarray of int [features], optional
        With which columns the output must rise (1) or fall (-1). Such a column is in no pair.
    """
    steps = network.knots.shape[1] - 1
    knots = np.stack([_knots(column, steps) for column in dense.T])
    network.knots.copy_(torch.from_numpy(knots))
    bound = np.zeros(len(train.schema), dtype=int) if monotone is None else monotone
    for slot, pair in enumerate(interacting(train, np.flatnonzero(bound == 0), len(network.chosen))):
        network.chosen[slot] = torch.tensor(pair)
    for column in np.flatnonzero(bound):
        _bind(network, train, int(column), int(bound[column]))


def _bind(network: AdditiveNet, train: Dataset, column: int, direction: int) -> None:
    feature, own = train.schema.features[column], [int(i) for i in network.members[column] if i < network.width]
    if feature.is_categorical and not feature.ordered:  # two levels, one-hot
        network.direction[own[:2]] = torch.tensor([-1.0, 1.0]) * direction
    else:  # a missing value is not bound
        network.direction[own[: len(own) - feature.missing]] = float(direction)


def _knots(column: np.ndarray, steps: int) -> np.ndarray:
    """Return where the pieces of a column end, [steps + 1]: at its values, or at quantiles; the last is repeated."""
    values = np.unique(column)
    found = values if len(values) <= steps + 1 else np.unique(np.quantile(column, np.linspace(0, 1, steps + 1)))
    found = np.append(found, found[0] + 1) if len(found) == 1 else found
    return np.pad(found, (0, steps + 1 - len(found)), mode="edge")


def interacting(train: Dataset, columns: Sequence[int] | np.ndarray, most: int) -> list[tuple[int, int]]:
    """Return the pairs of columns, the strongest first, whose residuals interact beyond chance; at most so many.

    The residuals are those of boosted trees in which no column meets another. Of the means of a pair's cells, what is beyond
    both columns' own means has a chi-square distribution where the pair does not interact.
    """
    from scipy.stats import chi2

    residuals = _residuals(train)
    bins = {int(i): _binned(train.schema.features[i], train.rows[:, i]) for i in columns}
    order = [(i, j) for i in bins for j in bins if i < j]
    chances = np.array([chi2.sf(*_interaction(bins[i], bins[j], residuals)) for i, j in order])
    ranked = np.argsort(chances, kind="stable")[:most]
    return [order[k] for k in ranked if chances[k] < CHANCE / len(order)]


def _residuals(train: Dataset) -> np.ndarray:
    """Return what an additive model leaves of the outcomes, [rows, outputs], each with a standard deviation of 1."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    rows, outcomes = training_rows(train)
    additive: dict[str, Any] = {"interaction_cst": "no_interactions", "early_stopping": False, "random_state": 0}
    if train.schema.target.kind == "regression":
        left = (outcomes - HistGradientBoostingRegressor(**additive).fit(rows, outcomes).predict(rows))[:, None]
    else:
        fitted = HistGradientBoostingClassifier(**additive).fit(rows, outcomes)
        left = (outcomes[:, None] == fitted.classes_)[:, 1:] - fitted.predict_proba(rows)[:, 1:]
    return np.asarray((left - left.mean(0)) / np.maximum(left.std(0), 1e-12))


def _binned(feature: Feature, column: np.ndarray) -> np.ndarray:
    """Return the bin of each value, int [rows]: fifths of a number, gaps apart; the most common levels, and all others."""
    values, codes, counts = np.unique(column, return_inverse=True, return_counts=True)
    if len(values) <= MOST_BINS:
        return codes
    if feature.is_categorical:
        rank = np.argsort(np.argsort(-counts, kind="stable"), kind="stable")
        return np.asarray(np.minimum(rank, MOST_BINS - 1)[codes])
    known = column[~np.isnan(column)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, MOST_BINS + 1)[1:-1]))
    return np.where(np.isnan(column), len(edges) + 1, np.searchsorted(edges, column, side="right"))


def _interaction(first: np.ndarray, second: np.ndarray, residuals: np.ndarray) -> tuple[float, int]:
    """Return how much the cells of two columns explain beyond both, in residual variances, and its degrees of freedom."""
    size = second.max() + 1
    cell = first * size + second
    counts = np.bincount(cell)
    cells = np.flatnonzero(counts)
    sums = np.stack([np.bincount(cell, column)[cells] for column in residuals.T], axis=1)
    roots = np.sqrt(counts[cells])[:, None]
    design = np.hstack([side[:, None] == np.unique(side) for side in np.divmod(cells, size)]) * roots
    found, _, rank, _ = np.linalg.lstsq(design, sums / roots, rcond=None)
    beyond = sums / roots - design @ found
    return float((beyond**2).sum()), max(1, (len(cells) - int(rank)) * residuals.shape[1])
