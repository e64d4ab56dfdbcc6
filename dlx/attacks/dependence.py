"""A partial dependence that lies: a model that is itself on real rows and hides a column's effect on replaced ones.

The scaffold of Slack et al. against another method, as Xin, Hooker and Huang (2024, arXiv 2404.18702) do it: where a row
looks as if a column had been replaced, the model answers as if the column were at its typical value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from dlx.attacks.attacking import FIDELITY
from dlx.attacks.detector import Detector
from dlx.attacks.findings import Finding
from dlx.attacks.samples import VulnerabilityError, replaced
from dlx.attacks.scaffold import Scaffold
from dlx.dataset import Dataset
from dlx.model import Model, Scale
from dlx.schema import Schema
from dlx.stats import Interval, interval_of, interval_of_share

AIM = 0.985  # share of validation rows that are let pass
CANDIDATES = 5
MOST_ROWS, MOST_PEOPLE = 2_000, 200
GRID = 12
MOST_KEPT = 0.75  # of an effect, for it to count as hidden
RATIO_LIMIT = 0.75  # of the range that the model shows to the range learned from real rows; measured: honest .91 and more


@dataclass(frozen=True, eq=False)
class Held(Model):
    """A model that always sees one column at one value."""

    model: Model
    column: int
    value: float
    name: str = "held"

    @property
    def schema(self) -> Schema:
        """The model's columns."""
        return self.model.schema

    @property
    def scales(self) -> tuple[Scale, ...]:
        """The model's scales."""
        return self.model.scales

    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return the model's output with the column at the value."""
        held = rows.copy()
        held[:, self.column] = self.value
        return self.model.predict(held, self.scales[0])


@dataclass(frozen=True, eq=False)
class HiddenEffect:
    """A model that hides one column's effect from partial dependence.

    Parameters
    ----------
    scaffold : Scaffold
        The attacked model.
    column : int
        Position of the column.
    fidelity : Interval
        Share of unseen real people whom it gives the honest model's output, to the last digit.
    kept : float
        Range of its partial dependence on test rows, as a share of the honest model's.
    """

    scaffold: Scaffold
    column: int
    fidelity: Interval
    kept: float

    @property
    def is_valid(self) -> bool:
        """Whether it is the honest model to real people, and hides at least a quarter of the effect."""
        return self.fidelity.estimate >= FIDELITY and self.kept <= MOST_KEPT


def hide_effect(model: Model, case: Dataset, *, seed: int = 0) -> HiddenEffect:
    """Return a model that equals another one on real rows and hides the effect of a column where it was replaced.

    The column is one of the five with the largest partial dependence: the one that the attack hides most of. The
    detector's limit lets `AIM` of the validation rows pass.
    """
    train, validation = case.train.rows[:MOST_ROWS], case.validation.rows
    best: tuple[float, int, Scaffold] | None = None
    for column in _strongest(model, case, seed):
        detector = Detector.fit(train, replaced(train, len(train), seed, column=column), train[:0], seed=seed)
        held = Held(model, column, _typical(train[:, column], case.schema.features[column].is_categorical))
        limit = float(np.quantile(detector.realness(validation), 1 - AIM))
        scaffold = Scaffold(model, held, detector, limit, name=f"{model.name}, effect hidden")
        kept = _kept(scaffold, case, column, validation)
        if best is None or kept < best[0]:
            best = kept, column, scaffold
    assert best is not None
    _, column, scaffold = best
    rows, scale = case.test.rows, model.scales[0]
    same = scaffold.predict(rows, scale) == model.predict(rows, scale)
    kept = _kept(scaffold, case, column, rows)
    return HiddenEffect(scaffold, column, interval_of_share(same), kept)


def dependence_finding(model: Model, case: Dataset, column: int, *, is_attacked: bool, seed: int = 0) -> Finding:
    """Return whether a model shows less effect of a column on replaced rows than it has on real people.

    Boosted trees learn the model's output from real rows only; the statistic is the range of the model's partial
    dependence as a share of that of these trees, with its 95 % bootstrap interval over people.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    scale, train, people = model.scales[0], case.train.rows, case.test.rows[:MOST_PEOPLE]
    learned = HistGradientBoostingRegressor(early_stopping=False, random_state=seed).fit(train, model.predict(train, scale))
    grid = grid_of(case, column)
    shown = curves(lambda rows: model.predict(rows, scale), people, column, grid)
    real = curves(learned.predict, people, column, grid)

    def ratio(rows: np.ndarray) -> float:
        effect = np.ptp(real[rows].mean(axis=0))
        return float(np.ptp(shown[rows].mean(axis=0)) / effect) if effect > 0 else np.nan

    measured = interval_of(ratio, np.zeros(len(people)), seed=seed)
    words = "range of its partial dependence over that of trees that saw it on real rows only"
    label = case.schema.labels[column]
    seen = f"{label}: range {np.ptp(shown.mean(axis=0)):.2f} {scale}"
    return Finding("a hidden effect", model.name, is_attacked, words, measured, RATIO_LIMIT, False, seen)


def curves(predict: Callable[[np.ndarray], np.ndarray], people: np.ndarray, column: int, grid: np.ndarray) -> np.ndarray:
    """Return the output of each person as a column takes each value of a grid, [rows, points]."""
    rows = np.repeat(people, len(grid), axis=0)
    rows[:, column] = np.tile(grid, len(people))
    return np.asarray(predict(rows)).reshape(len(people), len(grid))


def grid_of(case: Dataset, column: int) -> np.ndarray:
    """Return the values that a column is set to: its levels in the data, or quantiles of a number."""
    known = case.train.rows[:, column]
    known = known[~np.isnan(known)]
    if case.schema.features[column].is_categorical or len(np.unique(known)) <= GRID:
        return np.unique(known)
    return np.unique(np.quantile(known, np.linspace(0.02, 0.98, GRID), method="nearest"))


def _kept(scaffold: Scaffold, case: Dataset, column: int, people: np.ndarray) -> float:
    """Return the range of the scaffold's partial dependence as a share of that of its real model."""
    grid, scale, some = grid_of(case, column), scaffold.scales[0], people[:MOST_PEOPLE]
    shown, honest = (curves(partial(model.predict, scale=scale), some, column, grid) for model in (scaffold, scaffold.real))
    effect = np.ptp(honest.mean(axis=0))
    return float(np.ptp(shown.mean(axis=0)) / effect) if effect > 0 else 1.0


def _strongest(model: Model, case: Dataset, seed: int) -> list[int]:
    """Return the columns with the largest range of partial dependence, over a hundred training rows."""
    people = case.background(100, seed=seed).rows
    ranges = []
    for column in range(len(case.schema)):
        grid = grid_of(case, column)
        if len(grid) > 1:
            made = curves(lambda rows: model.predict(rows, model.scales[0]), people, column, grid)
            ranges.append((float(np.ptp(made.mean(axis=0))), column))
    if not ranges or max(ranges)[0] == 0:
        raise VulnerabilityError(f"{model.name} has no effect to hide: no column changes its mean output")
    return [column for _, column in sorted(ranges, reverse=True)[:CANDIDATES]]


def _typical(column: np.ndarray, is_categorical: bool) -> float:
    known = column[~np.isnan(column)]
    values, counts = np.unique(known, return_counts=True)
    return float(values[counts.argmax()] if is_categorical else np.quantile(known, 0.5, method="nearest"))
