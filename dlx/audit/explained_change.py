"""How far the explanations of the same people change when their model does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.stats import Interval, ends_of, interval_of_mean, resampled_means

if TYPE_CHECKING:
    import pandas as pd


def explained_change(before: Explanation, after: Explanation, *, top: int, seed: int = 0) -> pd.DataFrame:
    """Return how size and order of contributions change, with 95 % bootstrap intervals over people.

    Parameters
    ----------
    before, after : Explanation
        Of the same rows, on one scale, by two models.
    top : int
        How many columns of a person count as the most important.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        `size_before` and `size_after`, the mean size of a contribution; `size_ratio`, the second over the first;
        `rank_correlation`, Spearman's over the columns of a person by size; `top_kept`, the share of a person's top columns
        that stay. Means over people.

    Raises
    ------
    DlxError
        If rows or scale differ.
    """
    import pandas as pd

    if before.scale != after.scale or not np.array_equal(before.rows, after.rows, equal_nan=True):
        raise DlxError(
            f"explanations before and after must be of the same rows on one scale, got {len(before)} rows on {before.scale!r} "
            f"and {len(after)} on {after.scale!r}; explain both alike"
        )
    old, new = np.abs(before.values), np.abs(after.values)
    numbers = {
        "size_before": interval_of_mean(old.mean(axis=1), seed=seed),
        "size_after": interval_of_mean(new.mean(axis=1), seed=seed),
        "size_ratio": _ratio(new.sum(axis=1), old.sum(axis=1), seed),
        "rank_correlation": interval_of_mean(_rank_correlations(old, new), within=(-1, 1), seed=seed),
        "top_kept": interval_of_mean(_kept(old, new, top), within=(0, 1), seed=seed),
    }
    lines = [
        {"model": after.model, "method": after.method, "scale": after.scale, "people": len(after), "quantity": name}
        | interval._asdict()
        for name, interval in numbers.items()
    ]
    return pd.DataFrame(lines)


def _ratio(above: np.ndarray, below: np.ndarray, seed: int) -> Interval:
    """Return the ratio of two sums over people; NaN where nothing is below."""
    if len(below) < 2 or not below.sum() > 0:
        return Interval(float(above.sum() / below.sum()) if below.sum() > 0 else np.nan, np.nan, np.nan)
    over, under = resampled_means(np.column_stack([above, below]), seed=seed)[1:].T
    held = under > 0
    return Interval(float(above.sum() / below.sum()), *ends_of(over[held] / under[held], people=len(below)))


def _rank_correlations(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Return Spearman's rank correlation of each row; NaN where all columns of a row are alike."""
    from scipy.stats import rankdata

    ranks = [rankdata(sizes, axis=1) - (sizes.shape[1] + 1) / 2 for sizes in (old, new)]
    lengths = np.sqrt((ranks[0] ** 2).sum(axis=1) * (ranks[1] ** 2).sum(axis=1))
    products = (ranks[0] * ranks[1]).sum(axis=1)
    return np.divide(products, lengths, out=np.full(len(old), np.nan), where=lengths > 0)


def _kept(old: np.ndarray, new: np.ndarray, top: int) -> np.ndarray:
    chosen = [np.argsort(-sizes, axis=1, kind="stable")[:, :top] for sizes in (old, new)]
    return np.array([len(np.intersect1d(a, b)) / top for a, b in zip(*chosen, strict=True)])
