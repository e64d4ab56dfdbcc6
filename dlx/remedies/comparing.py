"""A model before and after a remedy, on the same test rows: accuracy, calibration, fairness, explanations.

Every difference has a paired 95 % interval: DeLong's of the AUC, else a bootstrap, which judges both models on the same
resampled rows. It tells what other people would change, not what another training seed would.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx import explainers
from dlx.audit.fairness.groups import Partition, compared
from dlx.audit.logistic import logistic_fits
from dlx.audit.miscalibration import log_odds
from dlx.audit.scores import METRICS, judged
from dlx.background import sample
from dlx.dataset import Dataset
from dlx.model import Model, decided
from dlx.remedies.errors import RemedyError
from dlx.runner import explain
from dlx.stats import Interval, auc_difference, auc_interval, counts_in_chunks, interval_among, rarest

if TYPE_CHECKING:
    import pandas as pd

ACCURACY, CALIBRATION, FAIRNESS, EXPLANATIONS = "accuracy", "calibration", "fairness", "explanations"
FEWEST = 10  # people of whom a rate is made
TOP = 5
TOO_FEW = f"fewer than {FEWEST} such people: too few to judge"

Statistic = Callable[[np.ndarray, np.ndarray], np.ndarray]  # predicted [rows], counts [resamples, rows] to [resamples]


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

    Parameters
    ----------
    before, after : Model
        Two models of the case's columns.
    case : Dataset
        Judged on its test rows.
    background : int
        Training rows that are the reference of explanations.
    people : int
        Test rows that are explained, drawn at random.
    left_out : sequence of str
        Columns that the model after does not read; their importance is told beside that of the five most important ones.
    seed : int
        Seed of the bootstrap, the people and the background.

    Returns
    -------
    DataFrame
        `topic`, `quantity`, `of` (a group or a column), `before` and `after` with `_low` and `_high`, `difference` with
        `low` and `high`, `rows` (people it is made of) and `note` (why there is no number). Rates are those of
        the test rows at the target's threshold; the importance of a column is its mean absolute contribution, by the Shapley
        value on the scale of the model before.

    Raises
    ------
    RemedyError
        If the models read different columns, or the model after reads one that is left out.
    DlxError
        If the outcomes of the test rows are unknown or all alike.
    """
    import pandas as pd

    if before.schema.sha256 != after.schema.sha256:
        raise RemedyError(f"{before.name} and {after.name} must read the same columns to be compared")
    outcomes, old = judged(before, case.test, "the comparison")
    new = after.predict(case.test, "probability")
    counts = np.concatenate(list(counts_in_chunks(len(outcomes), seed=seed)))
    lines = [*_accuracy(outcomes, old, new, counts), *_calibration(outcomes, old, new, counts)]
    for partition in compared(case):
        lines += _fairness(partition, case.test, outcomes, old, new, counts)
    lines += _explanations(before, after, case, background, people, left_out, seed)
    return pd.DataFrame(lines, columns=COLUMNS).assign(model=after.name)


COLUMNS = [
    *("topic", "quantity", "of", "before", "before_low", "before_high", "after", "after_low", "after_high", "difference"),
    *("low", "high", "rows", "note"),
]


def _accuracy(outcomes: np.ndarray, old: np.ndarray, new: np.ndarray, counts: np.ndarray) -> Iterator[dict[str, Any]]:
    areas = auc_interval(outcomes, old), auc_interval(outcomes, new), auc_difference(outcomes, new, old)
    yield _with_intervals(ACCURACY, "auc", "", *areas, len(outcomes))
    for name, metric in METRICS.items():
        if name == "auc":
            continue

        def measured(predicted: np.ndarray, counts: np.ndarray, metric: Any = metric) -> np.ndarray:
            drawn = (np.repeat(np.arange(len(outcomes)), count.astype(np.intp)) for count in counts)
            both = ((rows, 0 < outcomes[rows].sum() < len(rows)) for rows in drawn)
            return np.array([metric(outcomes[rows], predicted[rows]) if usable else np.nan for rows, usable in both])

        yield _line(ACCURACY, name, "", measured(old, counts), measured(new, counts), len(outcomes), rarest(outcomes))


def _calibration(outcomes: np.ndarray, old: np.ndarray, new: np.ndarray, counts: np.ndarray) -> Iterator[dict[str, Any]]:
    def intercept(predicted: np.ndarray) -> np.ndarray:
        return logistic_fits(np.ones((len(outcomes), 1)), outcomes, log_odds(predicted), counts)[:, 0]

    def slope(predicted: np.ndarray) -> np.ndarray:
        odds = log_odds(predicted)
        if np.ptp(odds) < 1e-9:
            return np.full(len(counts), np.nan)
        design = np.column_stack([np.ones(len(odds)), odds - odds.mean()])
        return 1 + logistic_fits(design, outcomes, odds, counts)[:, 1]

    for quantity, measured in (("intercept", intercept), ("slope", slope)):
        yield _line(CALIBRATION, quantity, "", measured(old), measured(new), len(outcomes), rarest(outcomes))


def _fairness(
    partition: Partition, people: Dataset, outcomes: np.ndarray, old: np.ndarray, new: np.ndarray, counts: np.ndarray
) -> Iterator[dict[str, Any]]:
    """Yield the rates of each group at the threshold; those of an outcome are of the group's people with that outcome."""
    if partition.objection:
        yield _nothing(FAIRNESS, "all rates", partition.label, len(people), partition.objection)
        return
    codes, threshold = partition.codes(people), people.schema.target.threshold
    for code in np.unique(codes):
        for quantity, counted, flagged in (
            ("flagged", np.ones(len(codes), dtype=bool), True),
            ("flagged of those without the event", outcomes == 0, True),
            ("missed of those with the event", outcomes == 1, False),
        ):
            among, of = (codes == code) & counted, f"{partition.label}: {partition.groups[code]}"
            if among.sum() < FEWEST:
                yield _nothing(FAIRNESS, quantity, of, int(among.sum()), TOO_FEW)
                continue
            weight = counts[:, among]
            total = np.where(weight.sum(axis=1) > 0, weight.sum(axis=1), np.nan)
            rates = [weight @ (decided(predicted[among], threshold) == flagged) / total for predicted in (old, new)]
            yield _line(FAIRNESS, quantity, of, rates[0], rates[1], int(among.sum()), int(among.sum()))


def _explanations(
    before: Model, after: Model, case: Dataset, background: int, people: int, left_out: Sequence[str], seed: int
) -> Iterator[dict[str, Any]]:
    rows, reference = sample(case.test, people, seed=seed).rows, case.background(background, seed=seed).rows
    scale = before.scales[0]
    unread = [case.schema.position(name) for name in left_out]
    blank_rows, blank_reference = _blanked(after, rows, reference, unread)
    sizes = [
        np.abs(explain(model, some, method=method, background=against, scale=scale, seed=seed).values)
        for model, some, against in ((before, rows, reference), (after, blank_rows, blank_reference))
        for method in [explainers.best_shapley(model, scale)]
    ]
    ranked = [np.argsort(-size.mean(axis=0), kind="stable")[:TOP] for size in sizes]
    told = dict.fromkeys([*ranked[0], *ranked[1], *unread])
    counts = np.concatenate(list(counts_in_chunks(len(rows), seed=seed)))
    for i in told:
        old, new = (counts @ size[:, i] / len(rows) for size in sizes)
        yield _line(EXPLANATIONS, f"mean absolute contribution, {scale}", case.schema.labels[i], old, new, len(rows), len(rows))


def _blanked(model: Model, rows: np.ndarray, reference: np.ndarray, unread: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return both with one value in the columns that the model does not read: a sampled Shapley value there is exactly 0."""
    blank = rows.copy(), reference.copy()
    for some in blank:
        some[:, unread] = reference[0, unread]
    if not np.array_equal(model.predict(blank[0], "probability"), model.predict(rows, "probability")):
        raise RemedyError(f"{model.name} must not read the columns that are left out, but its predictions depend on them")
    return blank


def _line(topic: str, quantity: str, of: str, before: np.ndarray, after: np.ndarray, rows: int, people: int) -> dict[str, Any]:
    """Return a line from resamples [1 + resamples] of both; `people` is how many decide, see `dlx.stats.tails`."""
    with np.errstate(invalid="ignore"):  # a slope may have no end in both, where a resample is told apart without a fault
        difference = after - before
    old, new, change = (interval_among(some, people=people) for some in (before, after, difference))
    return _with_intervals(topic, quantity, of, old, new, change, rows)


def _with_intervals(
    topic: str, quantity: str, of: str, old: Interval, new: Interval, change: Interval, rows: int
) -> dict[str, Any]:
    return dict(zip(COLUMNS, (topic, quantity, of, *old, *new, *change, rows, ""), strict=True))


def _nothing(topic: str, quantity: str, of: str, rows: int, why: str) -> dict[str, Any]:
    return dict(zip(COLUMNS, (topic, quantity, of, *[np.nan] * 9, rows, why), strict=True))
