"""What a remedy gives and takes: accuracy, cost and gaps before and after, on the same people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.audit.fairness.tally import (
    FALSE_POSITIVE,
    SELECTED,
    TRUE_POSITIVE,
    Treated,
    rate_of,
)
from dlx.stats import Interval, auc, auc_difference, ends_of, rarest, resampled_counts

if TYPE_CHECKING:
    import pandas as pd

AUC, COST = "auc", "cost"
RATIO, TRUE_GAP, FALSE_GAP = "selection_ratio", "true_positive_gap", "false_positive_gap"
MEASURES = (AUC, COST, RATIO, TRUE_GAP, FALSE_GAP)


def trade_off(before: Treated, after: Treated, *, threshold: float, favourable: str = SELECTED, seed: int = 0) -> pd.DataFrame:
    """Return a line a measure: before, after, and the change with its 95 % interval over the same resampled people.

    Parameters
    ----------
    before, after : Treated
        The same people, treated in two ways.
    threshold : float
        From which risk on people are flagged; a missed event costs (1 − threshold) / threshold needless flags.
    favourable : {"selection_rate", "clearance_rate"}
        Which of the two people want: to be flagged, or not to be.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        measure, before, after, change, low, high, objection. auc: of the predicted probability (interval: DeLong's); cost:
        mean cost a person, in needless flags; selection_ratio: lowest over highest favourable rate of the groups that can be
        judged; true_positive_gap, false_positive_gap: highest − lowest rate. Fewer than two such groups have no gap, and the
        objection says so.
    """
    import pandas as pd

    return pd.DataFrame(
        {"measure": measure} | _compared(measure, before, after, threshold, favourable, seed) for measure in MEASURES
    )


def _compared(measure: str, before: Treated, after: Treated, threshold: float, favourable: str, seed: int) -> dict[str, Any]:
    """Return a measure before and after, and the change with its interval; or why there is none."""
    groups = _judged(before, measure, favourable)
    if groups is not None and len(groups) < 2:
        nothing: dict[str, Any] = dict.fromkeys(("before", "after", "change", "low", "high"), np.nan)
        return nothing | {"objection": f"only {plural_groups(len(groups))} can be judged"}
    if measure == AUC:
        was, now = (auc(one.outcomes, one.predicted) for one in (before, after))
        change = auc_difference(before.outcomes, after.predicted, before.predicted)
    else:
        everyone = np.ones((1, len(before.codes)), dtype=np.float32)
        drawn = resampled_counts(len(before.codes), seed=seed, groups=before.codes)
        (was,), (now,) = (_measured(measure, one, everyone, groups, threshold, favourable) for one in (before, after))
        draws = [_measured(measure, one, drawn, groups, threshold, favourable) for one in (before, after)]
        people = _fewest(before, measure, groups, favourable)
        change = Interval(now - was, *ends_of(draws[1] - draws[0], people=people))
    return {"before": was, "after": now, "change": now - was, "low": change.low, "high": change.high, "objection": ""}


def _fewest(treated: Treated, measure: str, groups: list[int] | None, favourable: str) -> int:
    """Return how many people a measure rests on: those of the rarer outcome, or those counted in the smallest group."""
    if groups is None:
        return rarest(treated.outcomes)
    counted = treated.terms(_rate(measure, favourable))[1]
    return min(int(counted[treated.codes == group].sum()) for group in groups)


def plural_groups(count: int) -> str:
    """Return a count of groups in words."""
    return "1 group" if count == 1 else f"{count} groups"


def _rate(measure: str, favourable: str) -> str:
    return {RATIO: favourable, TRUE_GAP: TRUE_POSITIVE, FALSE_GAP: FALSE_POSITIVE}[measure]


def _judged(treated: Treated, measure: str, favourable: str) -> list[int] | None:
    """Return the groups that a gap is about; None for what is about everybody."""
    if measure in (AUC, COST):
        return None
    rate = _rate(measure, favourable)
    return [int(group) for group in np.unique(treated.codes) if not treated.why_not(rate, int(group))]


def _measured(
    measure: str, treated: Treated, drawn: np.ndarray, groups: list[int] | None, threshold: float, favourable: str
) -> np.ndarray:
    """Return a measure of each resample, [resamples]."""
    if measure == COST:
        missed, needless = treated.outcomes * (1 - treated.flags), (1 - treated.outcomes) * treated.flags
        return drawn @ ((1 - threshold) / threshold * missed + needless) / len(missed)
    assert groups is not None
    rates = rate_of(treated, _rate(measure, favourable), groups, drawn)
    lowest, highest = rates.min(axis=1), rates.max(axis=1)
    if measure != RATIO:
        return highest - lowest
    return np.divide(lowest, highest, out=np.full(len(rates), np.nan), where=highest > 0)
