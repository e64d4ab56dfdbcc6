"""Findings about rows: those that repeat another, outcomes that are too few, and columns that differ between parts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from dlx.data_check.columns import example
from dlx.data_check.finding import Finding
from dlx.data_check.rules import RULES
from dlx.dataset import Dataset, Splits
from dlx.errors import plural, quoted

HOPELESS = 10  # rows of an outcome, with fewer of which dlx tells no rate
CHANCE = 0.001  # of a test over all columns


def repeated_rows(case: Dataset, parts: Splits | None) -> Iterator[Finding]:
    """Yield rows that repeat an earlier one in every feature and the outcome, where chance does not make as many."""
    known = case.rows if case.outcomes is None else np.column_stack([case.rows, case.outcomes])
    hashes = _hashes(known)
    is_repeated = pd.Series(hashes.sum(axis=1)).duplicated().to_numpy()
    count = int(is_repeated.sum())
    if not count or (chance := _by_chance(known, hashes)) > RULES["duplicate rows"].line:
        return
    first = int(is_repeated.argmax())
    said, across = f"{plural(count, 'row')} {'repeats' if count == 1 else 'repeat'} another one in all columns.", 0
    if parts is not None:
        trained, tested = (_hashes(part.rows).sum(axis=1) for part in (parts.train, parts.test))
        across = int(np.isin(tested, trained).sum())
        said += f" {plural(across, 'test row')} of {len(tested):,} {'is' if across == 1 else 'are'} among the training rows."
    remedy = "Leave them out of the file if they are the same people"
    shown = case.index[first], "all columns", chance
    yield Finding("duplicate rows", (), said, remedy, count, *shown, must_decide=across > 0)


def _hashes(rows: np.ndarray) -> np.ndarray:
    """Return a hash of each cell, of which the sum over columns is that of the row, uint64 [rows, columns]."""
    odd = 2 * np.random.default_rng(0).integers(2**62, size=rows.shape[1], dtype=np.uint64) + np.uint64(1)  # another a column
    return np.column_stack([pd.util.hash_array(column + 0.0) for column in rows.T]) * odd  # -0.0 is 0.0


def _by_chance(rows: np.ndarray, hashes: np.ndarray) -> float:
    """Return how probable as many pairs of equal rows are by chance, judged by those that are apart in one column only.

    Rows that are equal in all other columns have the same value in the last one as often as any two rows do.
    """
    from scipy.stats import poisson

    total, equal = hashes.sum(axis=1), _pairs(hashes.sum(axis=1))
    every, expected = len(rows) * (len(rows) - 1) / 2, 0.0
    for column in hashes.T:
        alike = _pairs(column) / every
        apart = _pairs(total - column) - equal
        expected = max(expected, apart * alike / (1 - alike) if alike < 1 else 0.0)
    return float(poisson.sf(equal - 1, expected)) if expected else 0.0


def _pairs(values: np.ndarray) -> float:
    """Return how many pairs of rows have the same value."""
    counts = np.unique(values, return_counts=True)[1].astype(float)
    return float((counts * (counts - 1)).sum() / 2)


def too_few_events(case: Dataset, parts: Splits | None) -> Iterator[Finding]:
    """Yield that the rarest outcome has too few test rows for what a page says of it."""
    target = case.schema.target
    if parts is None or not target.levels or case.outcomes is None or parts.test.outcomes is None:
        return
    counts = np.bincount(parts.test.outcomes.astype(int), minlength=len(target.levels))
    rarest = int(counts.argmin())
    if counts[rarest] >= RULES["few events"].line:
        return
    row = int((case.outcomes == rarest).argmax())
    said = (
        f"{plural(int(counts[rarest]), 'test row')} of {len(parts.test):,} "
        f"{'has' if counts[rarest] == 1 else 'have'} the outcome {quoted(target.levels[rarest])}: "
        + ("no rate of them can be told." if counts[rarest] < HOPELESS else "intervals will be wide.")
    )
    shown, is_hopeless = (case.index[row], target.levels[rarest], counts[rarest]), bool(counts[rarest] < HOPELESS)
    yield Finding("few events", (target.name,), said, "Take more rows", int(counts[rarest]), *shown, must_decide=is_hopeless)


def shifted_columns(case: Dataset, train: Dataset, test: Dataset) -> Iterator[Finding]:
    """Yield the columns whose values are spread otherwise in the test rows than in those to train on."""
    line = RULES["shift"].line
    for i, feature in enumerate(case.schema.features):
        before, after = train.rows[:, i], test.rows[:, i]
        distance, chance = _difference(before, after, is_number=not feature.is_categorical)
        if distance < line or chance > CHANCE / len(case.schema):
            continue
        word, usual = ("most frequent", _most) if feature.is_categorical else ("median", _middle)
        told = [feature.format(usual(column)) for column in (before, after)]
        said = (
            f"{quoted(feature.name)} is spread otherwise in test than in training, for {distance:.0%} of the rows "
            f"({word}: {told[1]}, not {told[0]})."
        )
        remedy = "A split at random mixes them (--split random); by time or group it is what the models will meet"
        yield Finding("shift", (feature.name,), said, remedy, len(after), *example(test, feature.name, 0), distance)


def _middle(column: np.ndarray) -> float:
    return float(np.nanmedian(column)) if not np.isnan(column).all() else np.nan


def _most(column: np.ndarray) -> float:
    values, counts = np.unique(column, return_counts=True)
    return float(values[counts.argmax()])


def _difference(before: np.ndarray, after: np.ndarray, *, is_number: bool) -> tuple[float, float]:
    """Return how far two samples of a column are apart, 0 to 1, and how probable that is by chance; gaps are a level."""
    from scipy.stats import chi2_contingency, ks_2samp

    found = []
    known = [column[~np.isnan(column)] for column in (before, after)]
    if is_number and min(map(len, known)):
        tested = ks_2samp(*known, method="asymp")
        found.append((float(tested.statistic), float(tested.pvalue)))
    levels = [np.isnan(column).astype(float) for column in (before, after)] if is_number else [before, after]
    different, places = np.unique(np.concatenate(levels), return_inverse=True)
    if len(different) > 1:
        counts = np.stack([np.bincount(part, minlength=len(different)) for part in np.split(places, [len(before)])])
        shares = counts / counts.sum(axis=1, keepdims=True)
        found.append((float(np.abs(np.diff(shares, axis=0)).sum() / 2), float(chi2_contingency(counts).pvalue)))
    return max(found, default=(0.0, 1.0))
