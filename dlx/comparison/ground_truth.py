"""How close each method comes to the truth: the Shapley value, exact where that can be had, else sampled with its error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx import explainers
from dlx.arrays import row_norms
from dlx.comparison.agreement import limits_of, metrics_by_row
from dlx.comparison.alignment import refuse_unaligned
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import Model, Scale
from dlx.runner import explain as explain_
from dlx.stats import interval_of_mean

if TYPE_CHECKING:
    import pandas as pd

ERRORS = {
    "relative_error": "Distance from the judge's contributions, as a share of their length",
    "rank_correlation": "Spearman correlation of the absolute contributions with the judge's",
    "feature_agreement": "Share of the judge's top features that are named",
    "top_hit": "Whether the judge's first feature is named first",
}


def judge(
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
    combinations of the columns that differ are few.

    Parameters
    ----------
    model : Model
        Anything that predicts.
    rows, background : Dataset, DataFrame or ndarray
        As `dlx.explain` takes them.
    scale : {"logit", "probability", "value"}
        Unit of the contributions.
    seed : int
        Seed of the sampled values.
    tolerance : float
        Of the sampled values: the standard errors of a row, as a share of its contributions, that are good enough.
    explain : callable
        What explains: `dlx.explain`, or one that keeps what it made.
    """
    method = explainers.ground_truth_for(model, scale)
    options = {"tolerance": tolerance} if "tolerance" in explainers.options(method) else {}
    return explain(model, rows, method=method, background=background, scale=scale, seed=seed, **options)


def errors_by_row(explanation: Explanation, judge: Explanation, *, k: int = 5) -> pd.DataFrame:
    """Return how far an explanation is from the judge about each person: a line a row, a column a measure.

    NaN where either explanation failed, or the judge gives nothing to any column; agreement and correlation also where
    either gives all columns the same size, so that there is no order.
    """
    import pandas as pd

    _refuse_judge(judge)
    refuse_unaligned((explanation, judge))
    length = row_norms(judge.values)
    gap = row_norms(explanation.values - judge.values)
    known = (length > 0) & ~(explanation.failed | judge.failed)
    metrics = metrics_by_row(explanation.values, judge.values, k)
    first = metrics_by_row(explanation.values, judge.values, 1)["feature_agreement"]
    return pd.DataFrame(
        {
            "model": explanation.model,
            "method": explanation.method,
            "row": np.asarray(explanation.index),
            "relative_error": np.divide(gap, length, out=np.full(len(gap), np.nan), where=known),
            "rank_correlation": metrics["rank_correlation"],
            "feature_agreement": metrics["feature_agreement"],
            "top_hit": first,
        }
    )


def errors(explanations: Sequence[Explanation], judge: Explanation, *, k: int = 5, seed: int = 0) -> pd.DataFrame:
    """Return how far explanations are from the judge, over all people.

    Parameters
    ----------
    explanations : sequence of Explanation
        Of one model, aligned with the judge.
    judge : Explanation
        By `exact_shapley` or `shapley`, of the same model.
    k : int
        How many features count as the top.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        One line a method and measure: median, mean and 95 % interval of the mean over rows; the judge's own relative
        error, by its standard errors (0 where it is exact); `judge_unvaried`, the rows whose standard errors of 0 prove nothing
        because nothing was seen to vary among its samples; whether the method sets out to give Shapley values; and the
        rows with a value, those that failed, and those for which the measure is not defined (see `errors_by_row`).

    Raises
    ------
    DlxError
        If the judge is by another method, or of another model.
    AlignmentError
        If an explanation is not aligned with the judge.
    """
    import pandas as pd

    return pd.concat([_errors_of(one, judge, k, seed) for one in explanations], ignore_index=True)


def own_error(judge: Explanation) -> float:
    """Return the median over people of a judge's standard error, as a share of the length of its contributions."""
    length = row_norms(judge.values)
    if judge.standard_errors is None or not (length > 0).any():
        return 0.0
    return float(np.median(row_norms(judge.standard_errors)[length > 0] / length[length > 0]))


def _errors_of(explanation: Explanation, judge: Explanation, k: int, seed: int) -> pd.DataFrame:
    import pandas as pd

    if explanation.model != judge.model:
        raise DlxError(f"the judge must be of the same model: it is of {judge.model}, not of {explanation.model}")
    by_row, failed = errors_by_row(explanation, judge, k=k), int((explanation.failed | judge.failed).sum())
    lines = []
    for measure in ERRORS:
        values = by_row[measure].to_numpy()
        known = values[~np.isnan(values)]
        limits = None if measure == "relative_error" else limits_of(measure)
        mean, low, high = interval_of_mean(values, within=limits, seed=seed)
        lines.append(
            {
                "model": explanation.model,
                "method": explanation.method,
                "options": explanation.options_words,
                "scale": explanation.scale,
                "judge": judge.method,
                "measure": measure,
                "median": float(np.median(known)) if len(known) else np.nan,
                "mean": mean,
                "low": low,
                "high": high,
                "judge_error": own_error(judge),
                "judge_unvaried": int(judge.unvaried.sum()),
                "is_shapley": explainers.method(explanation.method).IS_SHAPLEY,
                "rows": len(known),
                "failed": failed,
                "undefined": len(values) - len(known) - failed,
            }
        )
    return pd.DataFrame(lines)


def _refuse_judge(judge: Explanation) -> None:
    if judge.method not in (known := explainers.ground_truths()):
        raise DlxError(
            f"a judge must be by {' or '.join(known)}, got {judge.method}; make one with dlx.judge(model, rows, ...)"
        )
