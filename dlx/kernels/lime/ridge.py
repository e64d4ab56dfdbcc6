"""Ridge regressions of many people at once, from weighted moments, with the lime package's choice of columns.

float64 throughout: sums of thousands of weights are differences of near numbers here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch

PENALTY = 1.0  # of lime's surrogate
PENALTY_OF_CHOICE = 0.01  # of the one that ranks the columns
MOST_BY_FORWARD_SELECTION = 6  # lime's "auto": more columns are chosen by their weights
ROUNDING = 1e-6  # of a column's variance: no more is left of it than sums in float32 are good for


class Moments(NamedTuple):
    """Weighted sums over the samples of each person, about the weighted means.

    Parameters
    ----------
    total : Tensor [people]
        Sum of the weights.
    mean, output_mean : Tensor [people, columns], [people]
        Of presence, and of the output.
    covariance : Tensor [people, columns, columns]
        Weighted sums of products of presence.
    joint : Tensor [people, columns]
        Weighted sums of presence times output.
    output_square : Tensor [people]
        Weighted sum of squares of the output.
    """

    total: torch.Tensor
    mean: torch.Tensor
    output_mean: torch.Tensor
    covariance: torch.Tensor
    joint: torch.Tensor
    output_square: torch.Tensor


@dataclass(frozen=True, eq=False)
class LoneColumns:
    """Columns that vary in no sample, and whose weights are known otherwise.

    Parameters
    ----------
    which : Tensor of bool [people, columns]
        Where that is so.
    weights : Tensor [people, columns]
        The weights there, 0 elsewhere.
    share : float
        How often a column counts as present when it is compared with the others for being chosen.
    """

    which: torch.Tensor
    weights: torch.Tensor
    share: float


class LocalFits(NamedTuple):
    """Surrogates, one a person.

    Parameters
    ----------
    weights : Tensor [people, columns]
        0 where a column was not chosen.
    intercepts, r2 : Tensor [people]
        The surrogate where all columns are absent, and its weighted coefficient of determination.
    """

    weights: torch.Tensor
    intercepts: torch.Tensor
    r2: torch.Tensor


def local_fits(moments: Moments, lone: LoneColumns, n_features: int | None = None) -> LocalFits:
    """Return the ridge of each person's moments on all columns, or on `n_features` that lime would choose."""
    columns = _all(moments) if n_features is None else _chosen(_with_lone(moments, lone), n_features)
    weights = torch.zeros_like(moments.joint).scatter(1, columns, _ridge(moments, columns, PENALTY))
    explained = 2 * (weights * moments.joint).sum(1) - torch.einsum("pi,pij,pj->p", weights, moments.covariance, weights)
    intercepts = moments.output_mean - (weights * moments.mean).sum(1)
    r2 = torch.where(moments.output_square == 0, 1.0, explained / moments.output_square)
    chosen = torch.zeros_like(lone.which).scatter(1, columns, True)
    return LocalFits(torch.where(lone.which & chosen, lone.weights, weights), intercepts, r2)


def _all(moments: Moments) -> torch.Tensor:
    people, columns = moments.joint.shape
    return torch.arange(columns, device=moments.joint.device).expand(people, columns)


def _ridge(moments: Moments, columns: torch.Tensor, penalty: float) -> torch.Tensor:
    """Return the weights [people, chosen] of some columns of each person."""
    chosen = moments.covariance.gather(1, columns[:, :, None].expand(-1, -1, moments.joint.shape[1]))
    chosen = chosen.gather(2, columns[:, None].expand(-1, columns.shape[1], -1))
    chosen.diagonal(dim1=1, dim2=2).add_(penalty)
    joint = moments.joint.gather(1, columns)
    return torch.cholesky_solve(joint[:, :, None], torch.linalg.cholesky(chosen))[:, :, 0]


def _with_lone(moments: Moments, lone: LoneColumns) -> Moments:
    """Return the moments as if lone columns had been present in a share of the samples, independent of the others."""
    variance = torch.where(lone.which, lone.share * (1 - lone.share) * moments.total[:, None], 0.0)
    covariance = moments.covariance + torch.diag_embed(variance)
    return moments._replace(covariance=covariance, joint=moments.joint + lone.weights * variance)


def _chosen(moments: Moments, count: int) -> torch.Tensor:
    """Return the columns that lime's "auto" chooses, [people, count]."""
    count = min(count, moments.joint.shape[1])
    if count <= MOST_BY_FORWARD_SELECTION:
        return _forward(moments, count)
    size = _ridge(moments, _all(moments), PENALTY_OF_CHOICE).abs()
    return size.argsort(dim=1, descending=True, stable=True)[:, :count]


def _forward(moments: Moments, count: int) -> torch.Tensor:
    """Return the columns that each explain most of what those before them left, [people, count]."""
    covariance, joint = moments.covariance, moments.joint
    own = covariance.diagonal(dim1=1, dim2=2)
    taken = torch.zeros_like(joint, dtype=torch.bool)
    columns = []
    for _ in range(count):
        left = covariance.diagonal(dim1=1, dim2=2)
        gain = torch.where(left > ROUNDING * own, joint**2 / left, 0.0).masked_fill(taken, -1.0)
        best = gain.argmax(dim=1, keepdim=True)
        columns.append(best)
        taken = taken.scatter(1, best, True)
        covariance, joint = _without(covariance, joint, best, ROUNDING * own)
    return torch.cat(columns, dim=1)


def _without(
    covariance: torch.Tensor, joint: torch.Tensor, column: torch.Tensor, least: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what one column [people, 1] leaves unexplained of the others and of the output."""
    line = covariance.gather(1, column[:, :, None].expand(-1, -1, joint.shape[1]))[:, 0]
    variance = line.gather(1, column)
    slope = torch.where(variance > least.gather(1, column), line / variance, 0.0)
    return covariance - slope[:, :, None] * line[:, None], joint - slope * joint.gather(1, column)
