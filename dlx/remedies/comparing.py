"""A model before and after a remedy, on the same test rows: accuracy, calibration, fairness, explanations.

Every difference has a paired 95 % interval: DeLong's of the AUC, else a bootstrap, which judges both models on the same
resampled rows, each by its weight. It tells what other people would change, not what another training seed would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dlx import explainers
from dlx.audit.fairness.groups import Partition, compared
from dlx.audit.metrics import metrics_of
from dlx.audit.miscalibration import log_odds, logistic_fits
from dlx.audit.scores import answers
from dlx.audit.values import slope_of
from dlx.background import sample
from dlx.dataset import Dataset
from dlx.model import Model, decided
from dlx.remedies.recoding import RemedyError
from dlx.runner import explain
from dlx.stats import Interval, counts_in_chunks, interval_among, means_of, rarest

FEWEST = 10  # people of whom a rate is made
TOP = 5


def before_after(
    before: Model,
    after: Model,
    case: Dataset,
    *,
    background: int = 100,
    people: int = 100,
    left_out: Sequence[str] = (),
    seed: int = 0,
) -> pd.DataFrame:
    """Return what a remedy changed, a line a quantity.

    A line has `topic`, `quantity`, `of` (a group or a column), `before` and `after` with `_low` and `_high`, `difference` with
    `low` and `high`, `rows` (people it is made of) and `note` (why there is no number). Rates are those of the test rows at
    the target's threshold, of a value mean errors of groups; the importance of a column is its mean absolute contribution by
    the Shapley value, on the scale of the model before: of the five most important columns, and of those left out.

    Parameters
    ----------
    before, after : Model
        Two models of the case's columns; the latter does not read the columns `left_out`.
    background, people : int
        Training rows that are the reference of explanations; test rows that are explained, drawn at random.

    Raises
    ------
    RemedyError
        If the models read different columns, or the model after reads one that is left out.
    DlxError
        If the outcomes of the test rows are unknown or all alike.
    """
    if before.schema.sha256 != after.schema.sha256:
        raise RemedyError(f"{before.name} and {after.name} must read the same columns to be compared")
    outcomes, old = answers(before, case.test, "the comparison")
    (_, new), weights, lines = answers(after, case.test, "the comparison"), case.test.weights, []
    for name, metric in metrics_of(case.schema.target).items():
        one, other = (metric.interval(outcomes, some, weights=weights, seed=seed) for some in (old, new))
        gain = metric.gain(outcomes, new, old, weights=weights, seed=seed)
        lines.append(_line("accuracy", name, "", len(outcomes), one, other, gain))
    counts, is_value = np.concatenate(list(counts_in_chunks(len(outcomes), weights, seed=seed))), case.schema.target.is_value
    fits = [_calibration(outcomes, some, counts, is_value) for some in (old, new)]
    fewest = len(outcomes) if is_value else rarest(outcomes)
    for quantity, *both in zip(("intercept", "slope"), *fits, strict=True):
        lines.append(_resampled("calibration", quantity, "", len(outcomes), both, people=fewest))
    for partition in compared(case):
        lines += _fairness(partition, case.test, outcomes, (old, new), counts)
    lines += _explanations(before, after, case, background, people, left_out, seed)
    return pd.DataFrame(lines).assign(model=after.name)


def _calibration(
    outcomes: np.ndarray, predicted: np.ndarray, counts: np.ndarray, is_value: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return intercept and slope of each resample, [1 + resamples] each; a model that predicts one number has no slope."""
    if is_value:
        return means_of(counts, outcomes - predicted), slope_of(outcomes, predicted)(counts)
    odds = log_odds(predicted)
    intercept = logistic_fits(np.ones((len(outcomes), 1)), outcomes, odds, counts)[:, 0]
    if np.ptp(odds) < 1e-9:
        return intercept, np.full(len(counts), np.nan)
    design = np.column_stack([np.ones(len(odds)), odds - odds.mean()])
    return intercept, 1 + logistic_fits(design, outcomes, odds, counts)[:, 1]


def _fairness(
    by: Partition, people: Dataset, outcomes: np.ndarray, both: Sequence[np.ndarray], counts: np.ndarray
) -> Iterator[dict[str, Any]]:
    """Yield the rates of each group at the threshold, those of an outcome of the group's people with it; or its mean errors."""
    if by.objection:
        yield _line("fairness", "all rates", by.label, len(people), note=by.objection)
        return
    codes, everybody = by.codes(people), np.ones(len(people), dtype=bool)
    if people.schema.target.is_value:
        errors = [predicted - outcomes for predicted in both]
        told = [("mean error", everybody, errors), ("mean absolute error", everybody, [np.abs(error) for error in errors])]
    else:
        flags = [decided(predicted, people.schema.target.threshold) for predicted in both]
        told = [("flagged", everybody, flags), ("flagged of those without the event", outcomes == 0, flags)]
        told.append(("missed of those with the event", outcomes == 1, [~flagged for flagged in flags]))
    for code in np.unique(codes):
        for quantity, counted, each in told:
            among, of = (codes == code) & counted, f"{by.label}: {by.groups[code]}"
            if (size := int(among.sum())) < FEWEST:
                yield _line("fairness", quantity, of, size, note=f"fewer than {FEWEST} such people: too few to judge")
                continue
            weight = counts[:, among]
            total = np.where(weight.sum(axis=1) > 0, weight.sum(axis=1), np.nan)
            yield _resampled("fairness", quantity, of, size, [weight @ some[among] / total for some in each])


def _explanations(
    before: Model, after: Model, case: Dataset, background: int, people: int, left_out: Sequence[str], seed: int
) -> Iterator[dict[str, Any]]:
    """Yield the importance of the columns that are among the most important ones before or after, or left out."""
    some, target = sample(case.test, people, seed=seed), case.schema.target
    rows, reference = some.rows, case.background(background, seed=seed).rows
    unread = [case.schema.position(name) for name in left_out]
    blank_rows, blank_reference = rows.copy(), reference.copy()  # so that a sampled Shapley value of what is unread is 0
    for blank in (blank_rows, blank_reference):
        blank[:, unread] = reference[0, unread]
    if not np.array_equal(after.predict(blank_rows, target.scale), after.predict(rows, target.scale)):
        raise RemedyError(f"{after.name} must not read the columns that are left out, but its predictions depend on them")
    scale, sizes = before.scales[0], []
    for model, asked, against in ((before, rows, reference), (after, blank_rows, blank_reference)):
        method = explainers.best_shapley(model, scale)
        sizes.append(np.abs(explain(model, asked, method=method, background=against, scale=scale, seed=seed).values))
    mean = [np.average(size, axis=0, weights=some.weights) for size in sizes]
    ranked = [np.argsort(-size, kind="stable")[:TOP] for size in mean]
    counts = np.concatenate(list(counts_in_chunks(len(rows), some.weights, seed=seed)))
    for i in dict.fromkeys([*ranked[0], *ranked[1], *unread]):
        means, quantity = [means_of(counts, size[:, i]) for size in sizes], f"mean absolute contribution, {scale}"
        yield _resampled("explanations", quantity, case.schema.labels[i], len(rows), means)


def _resampled(
    topic: str, quantity: str, of: str, rows: int, both: Sequence[np.ndarray], *, people: int | None = None
) -> dict[str, Any]:
    """Return a line from resamples [1 + resamples] of both models; `people` is how many decide, see `dlx.stats.tails`."""
    with np.errstate(invalid="ignore"):  # a slope may have no end in both, where a resample is told apart without a fault
        difference = both[1] - both[0]
    return _line(topic, quantity, of, rows, *(interval_among(some, people=people or rows) for some in (*both, difference)))


def _line(topic: str, quantity: str, of: str, rows: int, *intervals: Interval, note: str = "") -> dict[str, Any]:
    names = ("before", "before_low", "before_high", "after", "after_low", "after_high", "difference", "low", "high")
    numbers = dict(zip(names, np.ravel(intervals) if intervals else [np.nan] * len(names), strict=True))
    return {"topic": topic, "quantity": quantity, "of": of, **numbers, "rows": rows, "note": note}
