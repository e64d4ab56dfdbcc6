"""How close each method comes to the truth: the Shapley value, exact where that can be had, else sampled with its error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dlx import explainers
from dlx.arrays import ratio
from dlx.comparison.alignment import refuse_unaligned
from dlx.comparison.metrics import CORRELATION, SHARE, metrics_by_row, summary
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import Model, Scale
from dlx.runner import explain as explain_

MEASURES: dict[str, tuple[float, float] | None] = {  # and between which numbers they lie
    "relative_error": None,  # distance from the true contributions, as a share of their length
    "rank_correlation": CORRELATION,  # Spearman's, of the absolute contributions with the true ones
    "feature_agreement": SHARE,  # of the true top features that are named
    "top_hit": SHARE,  # whether the true first feature is named first
}


def ground_truth(
    model: Model,
    rows: Any,
    *,
    background: Any,
    scale: Scale,
    seed: int = 0,
    tolerance: float = 0.01,
    explain: Callable[..., Explanation] = explain_,
) -> Explanation:
    """Return the interventional Shapley values that other explanations of a model are held against.

    Exact, by all combinations of columns, up to 16 columns; beyond that sampled, with standard errors, unless all
    combinations of the columns that differ are few. Sampled values are good enough where the standard errors of a row are a
    `tolerance` of its contributions. Other parameters are those of `dlx.explain`; `explain` is that, or keeps what it made.
    """
    method = explainers.ground_truth_for(model, scale)
    options = {"tolerance": tolerance} if "tolerance" in explainers.options(method) else {}
    return explain(model, rows, method=method, background=background, scale=scale, seed=seed, **options)


def distance_by_row(explanation: Explanation, truth: Explanation, *, k: int = 5) -> pd.DataFrame:
    """Return how far an explanation is from the ground truth about each person: a line a row, a column a measure.

    NaN where either explanation failed, or the truth gives nothing to any column; agreement and correlation also where
    either gives all columns the same size, so that there is no order.
    """
    if truth.method not in (known := explainers.ground_truths()):
        raise DlxError(
            f"a ground truth must be by {' or '.join(known)}, got {truth.method}; make one with dlx.comparison.ground_truth"
        )
    refuse_unaligned((explanation, truth))
    length, gap = np.linalg.norm(truth.values, axis=1), np.linalg.norm(explanation.values - truth.values, axis=1)
    is_known = (length > 0) & ~(explanation.failed | truth.failed)
    metrics, first = (metrics_by_row(explanation.values, truth.values, top) for top in (k, 1))
    return pd.DataFrame(
        {"model": explanation.model, "method": explanation.method, "row": np.asarray(explanation.index)}
        | {"relative_error": ratio(gap, length, where=is_known)}
        | {"rank_correlation": metrics["rank_correlation"], "feature_agreement": metrics["feature_agreement"]}
        | {"top_hit": first["feature_agreement"]}
    )


def distance_to_truth(explanations: Sequence[Explanation], truth: Explanation, *, k: int = 5, seed: int = 0) -> pd.DataFrame:
    """Return how far explanations of a model are from its ground truth, over all people: a line a method and measure.

    Parameters
    ----------
    explanations : sequence of Explanation
        Of one model, aligned with the truth.
    truth : Explanation
        By `ground_truth`, of the same model.
    k : int
        How many features count as the top.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        Median, mean and 95 % interval of the mean over rows; `truth_error`, the truth's own relative error, by its standard
        errors (0 where it is exact); `truth_unvaried`, the rows whose standard errors of 0 prove nothing because nothing was
        seen to vary among its samples; whether the method sets out to give Shapley values; and the rows with a value, those
        that failed, and those for which the measure is not defined (see `distance_by_row`).

    Raises
    ------
    DlxError
        If the truth is by another method, or of another model, or (`AlignmentError`) not aligned with an explanation.
    """
    lines = []
    for one in explanations:
        if one.model != truth.model:
            raise DlxError(f"the ground truth must be of the same model: it is of {truth.model}, not of {one.model}")
        by_row = distance_by_row(one, truth, k=k)
        about: dict[str, object] = {"model": one.model, "method": one.method, "options": one.options_words, "scale": one.scale}
        about |= {"truth": truth.method, "truth_error": error_of(truth), "truth_unvaried": int(truth.unvaried.sum())}
        about |= {"is_shapley": one.method in explainers.having(IS_SHAPLEY=True)}
        for measure, within in MEASURES.items():
            values = by_row[measure].to_numpy()
            found = summary(values, one.failed | truth.failed, within=within, seed=seed)
            lines.append(about | {"measure": measure, "median": by_row[measure].median()} | found)
    return pd.DataFrame(lines)


def error_of(truth: Explanation) -> float:
    """Return the median over people of a ground truth's standard error, as a share of the length of its contributions."""
    length = np.linalg.norm(truth.values, axis=1)
    if truth.standard_errors is None or not (length > 0).any():
        return 0.0
    return float(np.median(np.linalg.norm(truth.standard_errors, axis=1)[length > 0] / length[length > 0]))
