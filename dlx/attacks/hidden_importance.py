"""Two ways to make a column look less important with the same predictions: a copy of it, a partial dependence that lies.

A copy halves what either column is given. A scaffold (Slack et al. 2020) that notices replaced rows answers them as if the
column were at its typical value, as Xin, Hooker and Huang (2024, arXiv 2404.18702) do it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from dlx import explainers
from dlx.attacks.defences import detection
from dlx.attacks.scaffold import FIDELITY, AttackError, Detector, Scaffold, replaced_rows, values_to_try
from dlx.dataset import Dataset
from dlx.model import Model, Scale
from dlx.redundancy import copies
from dlx.runner import explain
from dlx.schema import Schema
from dlx.stats import Interval, interval_of, interval_of_share

Told = tuple[list[dict[str, Any]], list[dict[str, Any]]]  # what an attack came to, and what a defence says, a line each

NOISE = 0.1  # of the copy, in standard deviations of the column
AIM = 0.985  # share of validation rows that are let pass
CANDIDATES = 5
MOST_ROWS, MOST_PEOPLE = 2_000, 200
GRID = 12
MOST_KEPT = 0.75  # of an effect, for it to count as hidden
RATIO_LIMIT = 0.75  # of the range that the model shows to the range learned from real rows; measured: honest .91 and more


@dataclass(frozen=True, eq=False)
class Altered(Model):
    """A model that reads rows [rows, features] as a function changes them."""

    model: Model
    change: Callable[[np.ndarray], np.ndarray]
    name: str
    schema: Schema

    @property
    def scales(self) -> tuple[Scale, ...]:
        """The model's scales."""
        return self.model.scales

    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return the model's output on the first of the scales."""
        return self.model.predict(self.change(rows), self.scales[0])


def copied(model: Model, case: Dataset, people: Dataset, background: np.ndarray, *, seed: int = 0) -> Told:
    """Return what methods give the most important number before and after a copy of it joins the table, and who notices.

    The column is the one, of those that are numbers and known for everybody, with the largest mean contribution. One
    line a method: mean size of the column's contribution before, of column and copy after, of both together, and `left`, the
    share of the size that is left, with its 95 % bootstrap interval over people. Nothing where no column can be copied.
    """
    rows, lines = np.concatenate([people.rows, background]), []
    fit = [not feature.is_categorical and not np.isnan(rows[:, i]).any() for i, feature in enumerate(case.schema.features)]
    if not any(fit):
        return [], []
    shared: dict[str, Any] = {"scale": model.scales[0], "seed": seed}
    some = explain(model, people[:8], method=explainers.any_model(), background=background, **shared)
    column = int(np.where(fit, some.importance, -1.0).argmax())
    name, twin, spread = case.schema.names[column], with_copy(model, column), NOISE * float(case.train.rows[:, column].std())
    train, wide, references = (
        np.column_stack([part, part[:, column] + np.random.default_rng(seed + i).normal(scale=spread, size=len(part))])
        for i, part in ((0, case.train.rows), (0, people.rows), (1, background))
    )
    for method in (*explainers.having(EVALUATES=explainers.RANDOM_PEOPLE), explainers.any_model()):
        before = explain(model, people, method=method, background=background, **shared).values
        after = explain(twin, wide, method=method, background=references, **shared).values
        sizes = np.abs([before[:, column], after[:, column], after[:, -1], after[:, column] + after[:, -1]])
        left = interval_of(partial(_left, sizes), np.zeros(len(people)), seed=seed)
        line = {"model": model.name, "method": method, "column": name}
        line |= dict(zip(("before", "after", "copy", "together"), sizes.mean(axis=1), strict=True))
        lines.append(line | {"left": left.estimate, "low": left.low, "high": left.high})
    found = []
    for one, those, is_attacked in ((model, case.train.rows, False), (twin, train, True)):
        same = Interval(len(copies(one.schema, those, of=(name,))), np.nan, np.nan)  # columns that say what the number says
        found.append(detection("a copied column", one, is_attacked, "data check", same, 0))
    return lines, found


def _left(sizes: np.ndarray, rows: np.ndarray) -> float:
    before, after = sizes[:2, rows].mean(axis=1)
    return float(after / before) if before > 0 else np.nan


def with_copy(model: Model, column: int) -> Altered:
    """Return a model that reads the mean of a column and its copy, the last column, where it read the column."""
    own = model.schema.features[column]
    copy = replace(own, name=f"{own.name} (copy)", label=f"{own.label} (copy)")

    def merged(rows: np.ndarray) -> np.ndarray:
        return _with_value(rows[:, :-1], column, (rows[:, column] + rows[:, -1]) / 2)

    schema = replace(model.schema, features=(*model.schema.features, copy))
    return Altered(model, merged, f"{model.name} with a copy", schema)


def hidden_effect(model: Model, case: Dataset, *, seed: int = 0) -> Told:
    """Return how well a copy of a model hides an effect from partial dependence, and whether what real rows show finds it.

    `fidelity` is the share of unseen people whom it gives the model's output to the last digit, `kept` the range of its
    partial dependence on test rows as a share of the model's. An attack that is not valid is not put before the defence.
    """
    rows, scale = case.test.rows, model.scales[0]
    made, column = hide_effect(model, case, seed=seed)
    fidelity = interval_of_share(made.predict(rows, scale) == model.predict(rows, scale)).estimate
    kept = kept_effect(made, case, column, rows)
    is_valid = fidelity >= FIDELITY and kept <= MOST_KEPT
    line = {"model": model.name, "column": case.schema.names[column], "fidelity": fidelity, "kept": kept, "is_valid": is_valid}
    judged = (model, made) if is_valid else (model,)
    return [line], [effect_detection(one, case, column, is_attacked=one is made, seed=seed) for one in judged]


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
        known = train[~np.isnan(train[:, column]), column]
        values, counts = np.unique(known, return_counts=True)
        is_categorical = case.schema.features[column].is_categorical
        typical = values[counts.argmax()] if is_categorical else np.quantile(known, 0.5, method="nearest")
        held = Altered(model, partial(_with_value, column=column, value=typical), "held", model.schema)
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
    shown, real = (curves(predict, people, column, grid) for predict in (partial(model.predict, scale=scale), learned.predict))

    def ratio(rows: np.ndarray) -> float:
        effect = np.ptp(real[rows].mean(axis=0))
        return float(np.ptp(shown[rows].mean(axis=0)) / effect) if effect > 0 else np.nan

    measured = interval_of(ratio, np.zeros(len(people)), seed=seed)
    return detection("a hidden effect", model, is_attacked, "effect on real rows", measured, RATIO_LIMIT, "below")


def kept_effect(scaffold: Scaffold, case: Dataset, column: int, people: np.ndarray) -> float:
    """Return the range of a scaffold's partial dependence as a share of that of its real model; 1 where there is no effect."""
    honest, shown = (effect_range(one, case, column, people) for one in (scaffold.real, scaffold))
    return shown / honest if honest else 1.0


def effect_range(model: Model, case: Dataset, column: int, people: np.ndarray) -> float:
    """Return the range of a model's partial dependence on a column over at most `MOST_PEOPLE` people."""
    predict, grid = partial(model.predict, scale=model.scales[0]), grid_of(case, column)
    return float(np.ptp(curves(predict, people[:MOST_PEOPLE], column, grid).mean(axis=0))) if len(grid) else 0.0


def curves(predict: Callable[[np.ndarray], np.ndarray], people: np.ndarray, column: int, grid: np.ndarray) -> np.ndarray:
    """Return the output of each person as a column takes each value of a grid, [rows, points]."""
    rows = _with_value(np.repeat(people, len(grid), axis=0), column, np.tile(grid, len(people)))
    return np.asarray(predict(rows)).reshape(len(people), len(grid))


def grid_of(case: Dataset, column: int) -> np.ndarray:
    """Return the values that a column is set to: its levels in the data, or quantiles of a number."""
    return values_to_try(case.schema.features[column], case.train.rows[:, column], most=GRID, tail=0.02)


def _with_value(rows: np.ndarray, column: int, value: Any) -> np.ndarray:
    changed = rows.copy()
    changed[:, column] = value
    return changed
