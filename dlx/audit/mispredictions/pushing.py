"""How explanations of errors differ from those of right decisions about people of the same outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.audit.mispredictions.deciding import FALSE_POSITIVE, KINDS, Verdicts
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.stats import ends_of, resampled_counts

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 2  # people of either sort, so that there is an interval


def pushes(judged: Verdicts, explanation: Explanation, *, seed: int = 0) -> pd.DataFrame:
    """Return which columns pushed the wrong way in errors: mean contribution in errors minus that in hits.

    A false positive is compared with people without the event who were cleared, a false negative with people with the event
    who were flagged. The differences add up to that of the mean outputs, if the explanation is locally accurate.

    Parameters
    ----------
    judged : Verdicts
        Who was decided about how.
    explanation : Explanation
        Of the same rows; rows that failed are left out.
    seed : int
        Seed of the bootstrap, which resamples errors and hits for themselves.

    Returns
    -------
    DataFrame
        A line a kind of error and column, the strongest push towards the error first: mean contribution `in_errors` and
        `in_hits`, `difference`, and `push`, the difference in the direction of the error, with `low` and `high` (95 %,
        each column for itself), in the unit of the explanation. A kind with fewer than 2 errors or 2 hits has no line.

    Raises
    ------
    DlxError
        If the explanation is one of other rows.
    """
    import pandas as pd

    if not np.array_equal(explanation.rows, judged.people.rows, equal_nan=True):
        raise DlxError("the explanation must be of the people who were judged, in their order; explain judged.people")
    lines = []
    for kind in KINDS:
        errors, hits = (mask(kind) & ~explanation.failed for mask in (judged.errors, judged.hits))
        if min(errors.sum(), hits.sum()) >= FEWEST:
            lines += _of_kind(kind, judged.model, explanation, errors, hits, seed)
    return pd.DataFrame(lines, columns=COLUMNS)


COLUMNS = [
    *("model", "method", "scale", "kind", "column", "label", "errors", "hits", "in_errors", "in_hits", "difference"),
    *("push", "low", "high"),
]


def _of_kind(
    kind: str, model: str, explanation: Explanation, errors: np.ndarray, hits: np.ndarray, seed: int
) -> list[dict[str, Any]]:
    rng, sign = np.random.default_rng(seed), 1 if kind == FALSE_POSITIVE else -1
    wrong, right = explanation.values[errors], explanation.values[hits]
    resampled = sign * np.subtract(*(resampled_counts(len(some), seed=rng) @ some / len(some) for some in (wrong, right)))
    push = sign * (wrong.mean(axis=0) - right.mean(axis=0))
    lines = []
    for i in np.argsort(-push, kind="stable"):
        low, high = ends_of(resampled[:, i], people=min(len(wrong), len(right)))
        lines.append(
            {
                "model": model,
                "method": explanation.method,
                "scale": explanation.scale,
                "kind": kind,
                "column": explanation.schema.names[i],
                "label": explanation.schema.labels[i],
                "errors": int(errors.sum()),
                "hits": int(hits.sum()),
                "in_errors": wrong[:, i].mean(),
                "in_hits": right[:, i].mean(),
                "difference": sign * push[i],
                "push": push[i],
                "low": low,
                "high": high,
            }
        )
    return lines
