"""Trees that were grown on the numbers that categories are in a table (grades 1 to 4), as trees of their codes (0 to 3).

What a tree asks of a column tells which of the two it saw: whatever it asks has parted some of them from others.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dlx.errors import DlxError
from dlx.model.foreign_trees.common import WAY_OUT, Sets
from dlx.schema import Feature, Schema
from dlx.trees import Trees

Numbers = dict[int, np.ndarray]  # by column: what each code is in the table


def numbers_of(schema: Schema) -> Numbers:
    """Return the levels as numbers, by column, where all are numbers and not simply their codes."""
    found = {i: _as_numbers(feature) for i, feature in enumerate(schema.features) if feature.is_categorical}
    return {i: numbers for i, numbers in found.items() if numbers is not None}


def _as_numbers(feature: Feature) -> np.ndarray | None:
    try:
        numbers = np.array([float(level) for level in feature.level_values or feature.levels])
    except ValueError:
        return None
    is_code = (numbers == np.arange(len(numbers))).all()
    return numbers if np.isfinite(numbers).all() and not is_code else None


def were_grown_on_codes(trees: Trees, numbers: Numbers, schema: Schema, kind: str) -> bool:
    """Whether trees were grown on codes, and not on the numbers that they stand for.

    Raises
    ------
    DlxError
        If what the trees ask fits both, and would not be the same, or neither.
    """
    for_codes, for_numbers, unclear = False, False, []
    for column, known in numbers.items():
        as_codes, as_numbers = (_goes_left(trees, column, values) for values in (np.arange(len(known)), known))
        fits_codes, fits_numbers = (_parts(left, schema.features[column].missing) for left in (as_codes, as_numbers))
        for_codes, for_numbers = (
            for_codes or (fits_codes & ~fits_numbers).any(),
            for_numbers or (fits_numbers & ~fits_codes).any(),
        )
        if (as_codes != as_numbers).any():
            unclear.append(column)
    if for_codes == for_numbers and unclear:
        feature, shown = schema.features[unclear[0]], ", ".join(f"{number:g}" for number in numbers[unclear[0]][:3])
        raise DlxError(
            f"the trees of {kind} must show whether they grew on the numbers of {feature.name!r} ({shown}, ...) or on their "
            f"codes (0, 1, ...), and do not; say codes=True or codes=False, or make the column numeric; {WAY_OUT}"
        )
    return not for_numbers


def _goes_left(trees: Trees, column: int, known: np.ndarray) -> np.ndarray:
    """Return which values, and at last a missing one, would go left at what the trees ask, bool [questions, values + 1]."""
    asks = trees.feature == column
    split = asks & ~trees.has_set
    thresholds, missing_left = np.unique([trees.threshold[split], trees.missing_left[split]], axis=1)[:, :, None]
    by_set = [
        np.append(np.isin(known, trees.codes_of(node)), trees.missing_left[node])
        for node in np.flatnonzero(asks & trees.has_set).tolist()
    ]
    return np.vstack([np.hstack([thresholds >= known, missing_left > 0]), *by_set])


def _parts(left: np.ndarray, has_gaps: bool) -> np.ndarray:
    """Return whether there is somebody on both sides of what the trees ask, [questions]."""
    seen = left if has_gaps else left[:, :-1]
    return np.logical_and(seen.any(axis=1), ~seen.all(axis=1))


def on_codes(trees: Trees, numbers: Numbers) -> Trees:
    """Return trees of numbers as trees of their codes: each node asks for the set of codes whose numbers went left."""
    if not numbers:
        return trees
    sets = Sets([trees.words], len(trees.words))
    start, size, threshold = trees.set_start.copy(), trees.set_size.copy(), trees.threshold.copy()
    absent = [trees.reading.absent[~np.isin(trees.reading.absent[:, 0], list(numbers))]]
    for column, exact in numbers.items():
        values = exact.astype(trees.reading.precision)
        nodes = np.flatnonzero((trees.feature == column) & ~trees.has_set)
        distinct, which = np.unique(trees.threshold[nodes], return_inverse=True)
        made = np.array([sets.add(np.flatnonzero(values <= limit)) for limit in distinct], dtype=np.int64).reshape(-1, 2)
        start[nodes], size[nodes], threshold[nodes] = made[which, 0], made[which, 1], 0.0
        for node in np.flatnonzero((trees.feature == column) & trees.has_set).tolist():
            start[node], size[node] = sets.add(np.flatnonzero(np.isin(values, trees.codes_of(node))))
        for _, low, high in trees.reading.absent[trees.reading.absent[:, 0] == column]:
            gone = np.flatnonzero((values >= low) & (values <= high))
            absent.append(np.column_stack([np.full(len(gone), column), gone, gone]))
    reading = replace(trees.reading, absent=np.concatenate(absent))
    return replace(trees, threshold=threshold, set_start=start, set_size=size, words=sets.all(), reading=reading)


def as_numbers(rows: np.ndarray, numbers: Numbers) -> np.ndarray:
    """Return coded rows [rows, features] with the numbers that the codes of some columns stand for."""
    decoded = np.array(rows, dtype=np.float64)
    for column, values in numbers.items():
        known = ~np.isnan(decoded[:, column])
        decoded[known, column] = values[decoded[known, column].astype(np.intp)]
    return decoded
