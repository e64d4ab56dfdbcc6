"""An effect that partial dependence does not show: the model answers replaced rows as if the column were at its typical value.

Xin, Hooker and Huang (2024), arXiv 2404.18702, with a scaffold (Slack et al. 2020) that notices replaced rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dlx.attacks.defences import detection
from dlx.attacks.scaffold import FIDELITY, AttackError, Detector, Scaffold, replaced_rows, values_to_try
from dlx.dataset import Dataset
from dlx.kernels.interventions import intervened
from dlx.model import Model, Scale
from dlx.schema import Schema
from dlx.stats import interval_of

AIM = 0.985  # share of validation rows that are let pass
CANDIDATES = 5
MOST_ROWS, MOST_PEOPLE = 2_000, 200
GRID = 12
MOST_KEPT = 0.75  # of an effect, for it to count as hidden
RATIO_LIMIT = 0.75  # of the range that the model shows to the range learned from real rows; measured: honest .91 and more


@dataclass(frozen=True, eq=False, repr=False)
class ColumnFixed(Model):
    """A model that reads one column as if everybody had the same value."""

    model: Model
    column: int
    value: float
    name: str
    schema: Schema
    scales: tuple[Scale, ...]

    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return the model's output on the first of the scales."""
        rows = rows.copy()
        rows[:, self.column] = self.value
        return self.model.predict(rows, self.scales[0], checked=True)


def hidden_effect(model: Model, case: Dataset, *, seed: int = 0) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return how well a copy of a model hides an effect from partial dependence, and whether what real rows show finds it.

    `fidelity` is the share of unseen people whom it gives the model's output to the last digit, `kept` the range of its
    partial dependence on test rows as a share of the model's. An attack that is not valid is not put before the defence.
    """
    rows, scale = case.test.rows, model.scales[0]
    made, column = hide_effect(model, case, seed=seed)
    fidelity, kept = np.mean(made.predict(rows, scale) == model.predict(rows, scale)), kept_effect(made, case, column, rows)
    is_valid = bool(fidelity >= FIDELITY and kept <= MOST_KEPT)
    line = {"model": model.name, "column": case.schema.names[column], "fidelity": fidelity, "kept": kept, "is_valid": is_valid}
    judged = (model, made) if is_valid else (model,)
    return line, [effect_detection(one, case, column, is_attacked=one is made, seed=seed) for one in judged]


def hide_effect(model: Model, case: Dataset, *, seed: int = 0) -> tuple[Scaffold, int]:
    """Return a model that equals another one on real rows and hides a column's effect on replaced ones, and the column.

    The column is one of the five with the largest partial dependence: the one that the attack hides most of. The
    detector's limit lets `AIM` of the validation rows pass.
    """
    train, validation, some = case.train.rows[:MOST_ROWS], case.validation.rows, case.background(100, seed=seed).rows
    ranges = [effect_range(model, case, column, some) for column in range(len(case.schema))]
    if not max(ranges):
        raise AttackError(f"{model.name} has no effect to hide: no column changes its mean output")
    found = []
    for column in sorted(np.flatnonzero(ranges).tolist(), key=lambda i: (-ranges[i], -i))[:CANDIDATES]:
        numbers = case.schema.features[column].numbers(train[:, column])
        known = numbers[~np.isnan(numbers)]
        values, counts = np.unique(known, return_counts=True)
        is_categorical = case.schema.features[column].is_categorical
        typical = values[counts.argmax()] if is_categorical else np.quantile(known, 0.5, method="nearest")
        held = ColumnFixed(model, column, float(typical), "held", model.schema, model.scales)
        detector = Detector.fit(train, replaced_rows(train, len(train), seed, column=column), train[:0], seed=seed)
        limit = float(np.quantile(detector.realness(validation), 1 - AIM))
        scaffold = Scaffold(model, held, detector, limit, name=f"{model.name}, effect hidden")
        found.append((kept_effect(scaffold, case, column, validation), column, scaffold))
    _, column, scaffold = min(found, key=lambda one: one[0])
    return scaffold, column


def effect_detection(model: Model, case: Dataset, column: int, *, is_attacked: bool, seed: int = 0) -> dict[str, Any]:
    """Return whether a model shows less effect of a column on replaced rows than it has on real people.

    Boosted trees learn the model's output from real rows only; the statistic is the range of the model's partial
    dependence as a share of that of these trees, with its 95 % bootstrap interval over people.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    scale, train, people = model.scales[0], case.train.rows, case.test.rows[:MOST_PEOPLE]
    learned = HistGradientBoostingRegressor(early_stopping=False, random_state=seed).fit(train, model.predict(train, scale))
    grid = grid_of(case, column)
    rows = np.repeat(people, len(grid), axis=0)
    rows[:, column] = np.tile(grid, len(people))
    shown, real = intervened(model, people, [column], grid[:, None], scale), learned.predict(rows).reshape(len(people), -1)

    def ratio(rows: np.ndarray) -> float:
        effect = np.ptp(real[rows].mean(axis=0))
        return float(np.ptp(shown[rows].mean(axis=0)) / effect) if effect > 0 else np.nan

    measured = interval_of(ratio, len(people), seed=seed)
    return detection("a hidden effect", model, is_attacked, "effect on real rows", measured, RATIO_LIMIT, "below")


def kept_effect(scaffold: Scaffold, case: Dataset, column: int, people: np.ndarray) -> float:
    """Return the range of a scaffold's partial dependence as a share of that of its real model; 1 where there is no effect."""
    honest, shown = (effect_range(one, case, column, people) for one in (scaffold.real, scaffold))
    return shown / honest if honest else 1.0


def effect_range(model: Model, case: Dataset, column: int, people: np.ndarray) -> float:
    """Return the range of a model's partial dependence on a column over at most `MOST_PEOPLE` people."""
    curves = intervened(model, people[:MOST_PEOPLE], [column], grid_of(case, column)[:, None], model.scales[0])
    return float(np.ptp(curves.mean(axis=0))) if curves.size else 0.0


def grid_of(case: Dataset, column: int) -> np.ndarray:
    """Return the values that a column is set to: its levels in the data, or quantiles of a number."""
    return values_to_try(case.schema.features[column], case.train.rows[:, column], most=GRID, tail=0.02)
