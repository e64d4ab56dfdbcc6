"""How far two explanations of the same people agree: the metrics of Krishna et al. (2022), arXiv 2202.01602.

The top k features of a person are those of largest absolute contribution. Ties share their places: they get average
ranks, and where a tie straddles place k, each tied feature belongs to the top in part. So no number depends on the order
of the columns, and an explanation agrees with itself fully (but for the sign correlation, to which a 0 has no sign).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlx.comparison.alignment import refuse_unaligned
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.stats import interval_of_mean

if TYPE_CHECKING:
    import pandas as pd

METRICS = {
    "feature_agreement": "Share of the top features that both name",
    "rank_agreement": "Share of the top features that both put on the same rank",
    "sign_agreement": "Share of the top features that both name with the same sign",
    "signed_rank_agreement": "Share of the top features on the same rank with the same sign",
    "rank_correlation": "Spearman correlation of the absolute contributions of all features",
    "pairwise_rank_agreement": "Share of pairs of features that both order alike",
    "signed_rank_correlation": "Spearman correlation of the signed contributions of all features",
    "sign_correlation": "Mean product of the signs of all features",
}


def limits_of(metric: str) -> tuple[float, float]:
    """Return between which numbers a metric of agreement lies."""
    return (-1.0, 1.0) if metric.endswith("correlation") else (0.0, 1.0)


def agreement(a: Explanation, b: Explanation, *, k: int = 5, seed: int = 0) -> pd.DataFrame:
    """Return how far two explanations agree, averaged over people.

    Parameters
    ----------
    a, b : Explanation
        Aligned: see `dlx.compare`.
    k : int
        How many features count as the top; all of them where there are fewer.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        One line a metric: mean over rows, 95 % bootstrap interval, chance level, the rows that have a value, and those
        that have none: an explanation failed, or gives all columns the same size, so that there is no order.

    Raises
    ------
    AlignmentError
        If the explanations are not aligned.
    """
    import pandas as pd

    refuse_unaligned((a, b))
    by_row = metrics_by_row(a.values, b.values, k)
    k, width = min(k, a.values.shape[1]), a.values.shape[1]
    failed = int((a.failed | b.failed).sum())
    lines = []
    for metric, values in by_row.items():
        mean, low, high = interval_of_mean(values, within=limits_of(metric), seed=seed)
        known = int((~np.isnan(values)).sum())
        line = {"metric": metric, "k": k, "mean": mean, "low": low, "high": high, "chance": chance_level(metric, k, width)}
        counts = {"rows": known, "failed": failed, "unordered": len(values) - known - failed}
        lines.append(pair_of(a, b) | line | counts)
    return pd.DataFrame(lines)


def agreement_by_row(a: Explanation, b: Explanation, *, k: int = 5) -> pd.DataFrame:
    """Return how far two explanations agree about each person: a line a row, a column a metric."""
    import pandas as pd

    refuse_unaligned((a, b))
    return pd.DataFrame(pair_of(a, b) | {"row": np.asarray(a.index)} | metrics_by_row(a.values, b.values, k))


def metrics_by_row(a: np.ndarray, b: np.ndarray, k: int) -> dict[str, np.ndarray]:
    """Return every metric of two arrays of contributions [rows, features], each [rows].

    A row in which either explanation gives all features the same absolute contribution has no order, and is NaN; so is
    one that either did not explain.
    """
    if k < 1:
        raise DlxError(f"k must be at least 1, got {k}")
    k = min(k, a.shape[1])
    failed = ~(np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1))
    a, b = (np.where(failed[:, None], 0.0, values) for values in (a, b))
    rank_a, rank_b = _ranks(np.abs(a)), _ranks(np.abs(b))
    both = np.minimum(_membership(rank_a, k), _membership(rank_b, k))
    same_rank, same_sign = rank_a == rank_b, np.sign(a) == np.sign(b)
    metrics = {
        "feature_agreement": both.sum(axis=1) / k,
        "rank_agreement": (both * same_rank).sum(axis=1) / k,
        "sign_agreement": (both * same_sign).sum(axis=1) / k,
        "signed_rank_agreement": (both * same_rank * same_sign).sum(axis=1) / k,
        "rank_correlation": _correlation(rank_a, rank_b),
        "pairwise_rank_agreement": _pairs_ordered_alike(rank_a, rank_b),
        "signed_rank_correlation": _correlation(_ranks(a), _ranks(b)),
        "sign_correlation": (np.sign(a) * np.sign(b)).mean(axis=1),
    }
    unordered = (np.ptp(rank_a, axis=1) == 0) | (np.ptp(rank_b, axis=1) == 0)
    if a.shape[1] == 1:
        unordered[:] = False
    return {name: np.where(unordered | failed, np.nan, values) for name, values in metrics.items()}


def chance_level(metric: str, k: int, width: int) -> float:
    """Return what two explanations of random order and random signs reach on average."""
    k = min(k, width)
    return {
        "feature_agreement": k / width,
        "rank_agreement": 1 / width,
        "sign_agreement": k / width / 2,
        "signed_rank_agreement": 1 / width / 2,
        "rank_correlation": 0.0,
        "pairwise_rank_agreement": 0.5,
        "signed_rank_correlation": 0.0,
        "sign_correlation": 0.0,
    }[metric]


def pair_of(a: Explanation, b: Explanation) -> dict[str, str]:
    """Return which two explanations a line of a table is about."""
    return {"model": a.model, "method": a.method, "other_model": b.model, "other_method": b.method, "scale": a.scale}


def _ranks(sizes: np.ndarray) -> np.ndarray:
    """Return ranks [rows, features], 1 for the largest, ties averaged."""
    from scipy.stats import rankdata

    return rankdata(-sizes, axis=1)


def _membership(ranks: np.ndarray, k: int) -> np.ndarray:
    """Return to which part each feature belongs to the top k, [rows, features]: 1, 0, or the share of a straddling tie."""
    above = (ranks[:, :, None] > ranks[:, None, :]).sum(axis=2)
    tied = (ranks[:, :, None] == ranks[:, None, :]).sum(axis=2)
    return np.clip((k - above) / tied, 0.0, 1.0)


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (a, b))
    scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.divide((a * b).sum(axis=1), scale, out=np.full(len(a), np.nan), where=scale > 0)


def _pairs_ordered_alike(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    first, second = np.triu_indices(a.shape[1], k=1)
    if not len(first):
        return np.ones(len(a))
    return (np.sign(a[:, first] - a[:, second]) == np.sign(b[:, first] - b[:, second])).mean(axis=1)
