"""Cells that alone move a model: what it predicts of a row, and of the same row with the column's end in place of one cell."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from dlx.data_check.columns import example
from dlx.data_check.finding import Finding
from dlx.data_check.rules import RULES
from dlx.dataset import Dataset
from dlx.errors import listed, plural, quoted
from dlx.model import Model
from dlx.schema.cells import level_text

MOVING = "moving cell"
MOST_CELLS, MOST_ROWS = 20, 1_000  # of a side that are tried, the furthest; and rows that tell how far predictions are apart
OF_SIDE, TIMES, FEWEST = 0.9, 3, 20  # where the values of a side end: so many times beyond so many of at least so many
BY_FAR = 3  # times as far as most are apart, which a person must decide
LEAST = 1e-6  # probability, so that its logit is finite


class _End(NamedTuple):
    """Cells beyond one end of a column: their rows, and the last value before them."""

    column: int
    rows: np.ndarray
    value: float


class _Move(NamedTuple):
    """What a model predicts of the cells beyond an end, and with that end in their place; and how far it is apart for most."""

    model: Model
    was: np.ndarray
    is_now: np.ndarray
    spread: float

    @property
    def shares(self) -> np.ndarray:
        """How far each cell moves the prediction, as a share of the spread; 0 where it does not."""
        sizes = np.abs(self.was - self.is_now)
        return np.divide(sizes, self.spread, out=np.where(sizes > 0, np.inf, 0.0), where=self.spread > 0)


def cells_that_move(case: Dataset, models: Sequence[Model]) -> Iterator[Finding]:
    """Yield the columns with cells far outside that alone change what a model predicts by more than most people are apart."""
    ends = [end for i in range(len(case.schema)) for end in _ends(case, i)]
    if not ends:
        return
    moves = [_moves(case, one, ends) for model in models for one in _each(case, model)]
    for place, end in enumerate(ends):
        moved = [move for of in moves if (move := of[place]).shares.max() >= RULES[MOVING].line]
        if moved:
            yield _finding(case, end, sorted(moved, key=lambda move: -float(move.shares.max())))


def _each(case: Dataset, model: Model) -> list[Model]:
    """Return a model, or where it answers for each of several classes those of all of them, named after their class."""
    target = case.schema.target
    if target.kind != "multiclass" or model.target in target.level_labels:
        return [model]
    every = zip(target.levels, target.level_labels, strict=True)
    return [(one := model.of(level)).renamed(f"{one.name} of {quoted(label)}") for level, label in every]


def _moves(case: Dataset, model: Model, ends: Sequence[_End]) -> list[_Move]:
    """Return what each end's cells do to a model."""
    spread = float(np.ptp(np.quantile(_told(model, case[:: -(-len(case) // MOST_ROWS)]), (0.01, 0.99))))
    sizes = [len(end.rows) for end in ends]
    cells = case[np.concatenate([end.rows for end in ends])]
    rows = cells.rows.copy()
    rows[np.arange(len(rows)), np.repeat([end.column for end in ends], sizes)] = np.repeat([end.value for end in ends], sizes)
    both = (np.split(_told(model, some), np.cumsum(sizes)[:-1]) for some in (cells, replace(cells, rows=rows)))
    return [_Move(model, was, is_now, spread) for was, is_now in zip(*both, strict=True)]


def _ends(case: Dataset, column: int) -> Iterator[_End]:
    """Yield either side of a column of numbers that has cells beyond its end, the furthest first."""
    feature = case.schema.features[column]
    if feature.is_categorical:
        return
    numbers = feature.numbers(case.rows[:, column])
    middle = np.nanmedian(numbers) if not np.isnan(numbers).all() else np.nan
    for sign in (1, -1):
        away = np.nan_to_num(sign * (numbers - middle))
        side = away[away > 0]
        if len(side) < FEWEST:
            continue
        is_within = away <= TIMES * np.quantile(side, OF_SIDE)
        beyond = np.flatnonzero(~is_within)
        if len(beyond):
            last = middle + sign * away[is_within].max()
            yield _End(column, beyond[np.argsort(-away[beyond], kind="stable")][:MOST_CELLS], float(last))


def _told(model: Model, rows: Dataset) -> np.ndarray:
    """Return what a model predicts, on its own scale; of probabilities their log-odds."""
    outputs = model.predict(rows, model.scales[0])
    if model.scales[0] != "probability":
        return outputs
    inside = np.clip(outputs, LEAST, 1 - LEAST)
    return np.log(inside / (1 - inside))


def _finding(case: Dataset, end: _End, moved: Sequence[_Move]) -> Finding:
    """Return what the cells beyond an end do, by the model that they move most."""
    feature, first = case.schema.features[end.column], moved[0]
    most, count = int(first.shares.argmax()), int((first.shares >= RULES[MOVING].line).sum())
    shown, value = example(case, feature.name, int(end.rows[most])), float(case.rows[end.rows[most], end.column])
    unit, outputs = "" if first.model.scales[0] == "value" else " logit", [_short(float(one[most])) for one in first[1:3]]
    others = f", and moves {listed(move.model.name for move in moved[1:])} too" if moved[1:] else ""
    said = (
        f"{quoted(feature.name)} alone moves {first.model.name} in {plural(count, 'row')}: of {feature.format(value)} it says "
        f"{outputs[0]}{unit}, of {feature.format(end.value)}, where nearly all others end, {outputs[1]}{unit}{others}."
    )
    code = level_text(value)
    remedy = f'Correct a slip in the file; of a code say what it means: special = {{"{code}" = "code {code}"}} in the schema'
    if feature.date:
        remedy = f"Correct it in the file, or make it missing: --missing={shlex.quote(shown[1])}"
    share = float(first.shares[most])
    return Finding(MOVING, (feature.name,), said, remedy, count, *shown, share, must_decide=share >= BY_FAR)


def _short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1_000 else f"{number:.3g}"
