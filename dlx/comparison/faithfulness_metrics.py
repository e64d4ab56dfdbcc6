"""How faithful an explanation is to its model: what the model does when the columns it names are replaced.

A column is replaced as a whole, by values of the background rows most like the person (the donors), and effects are averaged
over them. Near donors make effects that contributions against the average person need not equal: orders and correlations are
the fairer judges. Where a tie leaves open which k columns are the top, the curve over k is straight, as in a ROC curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from dlx.arrays import array_id, check_seed, ratio, same
from dlx.background import CELLS, nearest
from dlx.comparison.alignment import checked_scale, coded_background, is_finite, refuse_unaligned
from dlx.comparison.metrics import correlation, summary
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import Model, Scale
from dlx.runner import FLOAT32_ROUNDING
from dlx.schema import Schema

NEIGHBOURS = 25  # donors of a person
LOWER_IS_BETTER = ("pgu", "infidelity", "relative_infidelity")


def faithfulness(
    model: Model,
    explanations: Sequence[Explanation],
    background: Any,
    *,
    neighbours: int = NEIGHBOURS,
    subsets: int = 64,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how faithful explanations are to their model, averaged over people: a line a method and metric.

    Parameters
    ----------
    model : Model
        The model that all of them explain.
    explanations : sequence of Explanation
        By any methods; aligned: see `dlx.compare`.
    background : Dataset, DataFrame or ndarray [references, features]
        Where replaced values come from; need not be the background of the explanations.
    neighbours : int
        Donors of a person; all of the background where it has fewer rows.
    subsets : int
        Random sets of columns for infidelity, and for each size of sensitivity-n.
    seed : int
        Seed of levels, subsets, shuffles and bootstrap.

    Returns
    -------
    DataFrame
        The metrics of `faithfulness_by_row`: mean over rows with its 95 % bootstrap interval, the mean that the same
        contributions reach in random order (`chance`), the rows that have a value, those whose explanation is not finite
        (`failed`), and the others without a value (`undefined`).

    Raises
    ------
    AlignmentError
        If the explanations are not aligned.
    DlxError
        If one of them explains another model, or there are too few rows, neighbours or subsets.
    """
    if not len(explanations):
        raise DlxError("faithfulness needs at least 1 explanation, got 0; make one with dlx.explain")
    refuse_unaligned(explanations)
    for explanation in explanations:
        checked_scale(model, explanation)
    probe = Probe.of(model, explanations[0], background, neighbours, subsets, seed)
    lines = []
    for explanation in explanations:
        failed, values = ~is_finite(explanation), explanation.values
        seeds = [[seed, int(array_id(row), 16)] for row in explanation.rows]  # the shuffle depends on the row alone
        shuffled = np.array([np.random.default_rng(s).permutation(v) for s, v in zip(seeds, values, strict=True)])
        chance = metrics_by_row(probe, shuffled, explanation.base_values)
        for metric, found in metrics_by_row(probe, values, explanation.base_values).items():
            line: dict[str, Any] = {"model": model.name, "method": explanation.method, "scale": explanation.scale}
            line |= {"metric": metric, "higher_is_better": metric not in LOWER_IS_BETTER} | summary(found, failed, seed=seed)
            lines.append(line | {"chance": summary(chance[metric], failed)["mean"]})
    return pd.DataFrame(lines)


def faithfulness_by_row(
    model: Model,
    explanation: Explanation,
    background: Any,
    *,
    neighbours: int = NEIGHBOURS,
    subsets: int = 64,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how faithful an explanation is about each person: a line a row, a column a metric.

    With f the model, x the person, φ the contributions, x_S the person with the columns S replaced, and all effects
    averaged over donors, in units of the scale unless stated:

    - ``pgi``, ``pgu``: area over k of ``|f(x) - f(x_S)|``, S the k columns of largest ``|φ|`` or all others: prediction gap on
      important and unimportant features, Agarwal et al. (2022), OpenXAI, arXiv 2206.11104. The area is the trapezoid
      over k = 1 to d for pgi, 1 to d - 1 for pgu, divided by the width of that range; a single k counts as it is.
    - ``deletion``, ``insertion``: mean over k = 1 to d of s (f(x) - f(x_S)), and of s (f(donor with S taken from x) -
      f(donor)); S the k columns of largest s φ, s the sign of f(x) - base value. After Petsiuk et al. (2018), RISE, arXiv
      1806.07421, whose area is that of the output itself; here high is good for both, and people at the base value are NaN.
    - ``infidelity``: mean over random S of (Σ_S φ - (f(x) - f(x_S)))², squared units: Yeh et al. (2019), arXiv 1901.09392,
      equation 1, with contributions in place of perturbation times gradient. The size of S is uniform on 1 to d - 1.
    - ``relative_infidelity``: infidelity / mean (f(x) - f(x_S))², no unit; 1 is what saying 0 reaches. NaN where the
      model does not react; a few people to whom it hardly reacts can carry the mean over all.
    - ``sensitivity_n``: Pearson correlation of Σ_S φ and f(x) - f(x_S) over random S of size n, mean over n = 1, d/4,
      d/2 and 3d/4: Ancona et al. (2018), arXiv 1711.06104. NaN where either side is constant, as with one column.

    Parameters and errors are those of `faithfulness`. A row depends on itself and the background only. A row whose
    explanation is not finite is NaN.
    """
    probe = Probe.of(model, explanation, background, neighbours, subsets, seed)
    about = {"model": model.name, "method": explanation.method, "row": np.asarray(explanation.index)}
    return pd.DataFrame(about | metrics_by_row(probe, explanation.values, explanation.base_values))


def replacements(schema: Schema, rows: np.ndarray, donors: np.ndarray, background: np.ndarray, seed: int) -> np.ndarray:
    """Return what each column of a person takes when it is replaced, one time a donor, [rows, donors, features].

    A number takes the donor's. A level takes the donor's where it differs from the person's, else another one of the
    background, drawn by its frequency (missing counts as a level); where there is no other, it stays. Every person
    has the same draws.
    """
    taken = donors.copy()
    draws = np.random.default_rng(seed).random(donors.shape[1:])
    for i in schema.categorical:
        own = rows[:, i, None]
        levels, counts = np.unique(background[:, i], return_counts=True)
        upto = np.where(same(levels, own), 0, counts).cumsum(axis=1)
        place = (draws[None, :, i, None] * upto[:, -1, None, None] >= upto[:, None, :]).sum(axis=2)
        other = levels[np.minimum(place, len(levels) - 1)]
        taken[:, :, i] = np.where(same(np.broadcast_to(own, other.shape), donors[:, :, i]), other, donors[:, :, i])
    return taken


@dataclass(frozen=True, eq=False)
class Probe:
    """A model, people, and what their columns take when they are replaced: all that a metric needs beside an explanation."""

    model: Model
    scale: Scale
    rows: np.ndarray  # [rows, features]
    donors: np.ndarray  # [rows, donors, features]
    taken: np.ndarray  # [rows, donors, features]
    subsets: tuple[np.ndarray, ...]  # random columns, bool [subsets, features]: for infidelity, for each size of sensitivity-n

    @classmethod
    def of(cls, model: Model, explanation: Explanation, background: Any, neighbours: int, subsets: int, seed: int) -> Probe:
        """Return what the people of an explanation need, or raise a `DlxError` that says what does not fit."""
        if neighbours < 1 or subsets < 2:
            raise DlxError(f"faithfulness needs at least 1 neighbour and 2 subsets, got {neighbours} and {subsets}")
        scale, coded = checked_scale(model, explanation), coded_background(model, background)
        rows, schema, width = explanation.rows, model.schema, len(model.schema)
        donors = coded[nearest(schema, rows, coded, neighbours)]
        taken = replacements(schema, rows, donors, coded, check_seed(seed))
        rng = np.random.default_rng(seed)
        sizes = [rng.integers(1, max(width, 2), size=subsets)]
        sizes += [np.full(subsets, n) for n in sorted({1, width // 4, width // 2, 3 * width // 4} & set(range(1, width)))]
        drawn = tuple(rng.permuted(np.arange(width) < some[:, None], axis=1) for some in sizes)
        return cls(model, scale, rows, donors, taken, drawn)

    @cached_property
    def outputs(self) -> np.ndarray:
        """The model's output of each person, [rows]."""
        return self.model.predict(self.rows, self.scale)

    @cached_property
    def effects(self) -> tuple[np.ndarray, ...]:
        """The output minus that with a subset replaced, mean over donors, [rows, subsets] for each of the subsets."""
        masks, place = np.unique(np.concatenate(self.subsets), axis=0, return_inverse=True)
        effects = self.outputs[:, None] - self.evaluate(self.taken, masks[None]).mean(axis=2)
        return tuple(np.split(effects[:, place], np.cumsum([len(one) for one in self.subsets])[:-1], axis=1))

    def evaluate(self, taken: np.ndarray, masks: np.ndarray) -> np.ndarray:
        """Return the outputs with the columns of masks [rows or 1, masks, features] replaced, [rows, masks, donors]."""
        shape, width = (len(self.rows), masks.shape[1], taken.shape[1]), self.rows.shape[1]
        person, mask = (part.ravel() for part in np.indices(shape[:2]))
        masks = np.broadcast_to(masks, (*shape[:2], width))
        outputs = np.empty((len(person), shape[2]))
        step = max(1, CELLS // taken[0].size)
        for start in range(0, len(person), step):
            who, which = person[start : start + step], mask[start : start + step]
            mixed = np.where(masks[who, which][:, None], taken[who], self.rows[who, None])
            asked = self.model.predict(mixed.reshape(-1, width), self.scale, checked=True)
            outputs[start : start + step] = asked.reshape(len(who), -1)
        return outputs.reshape(shape)

    def may_be_rounding(self, effects: np.ndarray) -> np.ndarray:
        """Return the size of an effect, [rows], up to which it may be rounding: nets compute in float32."""
        return FLOAT32_ROUNDING * (np.abs(self.outputs) + np.abs(effects).max(axis=1))


def metrics_by_row(probe: Probe, values: np.ndarray, base_values: np.ndarray) -> dict[str, np.ndarray]:
    """Return every metric of contributions [rows, features] and base values [rows], each [rows]; not finite is NaN."""
    finite = np.isfinite(values).all(axis=1) & np.isfinite(base_values)
    values, base_values = np.where(finite[:, None], values, 0.0), np.where(finite, base_values, 0.0)
    metrics = _prediction_gaps(probe, values) | _deletion_and_insertion(probe, values, base_values)
    metrics |= _infidelity(probe, values) | {"sensitivity_n": _sensitivity_n(probe, values)}
    return {name: np.where(finite, found, np.nan) for name, found in metrics.items()}


def _prediction_gaps(probe: Probe, values: np.ndarray) -> dict[str, np.ndarray]:
    sizes, outputs, areas = np.abs(values), probe.outputs[:, None, None], []
    important, ends = _top(sizes), (None, max(values.shape[1], 2))
    for masks, end in zip((important, ~important), ends, strict=True):
        gaps = np.abs(outputs - probe.evaluate(probe.taken, masks)).mean(axis=2)
        heights = _straight_within_ties(gaps, sizes)[:, 1:end]
        areas.append(np.trapezoid(heights, axis=1) / (heights.shape[1] - 1) if heights.shape[1] > 1 else heights[:, 0])
    return dict(zip(("pgi", "pgu"), areas, strict=True))


def _deletion_and_insertion(probe: Probe, values: np.ndarray, base_values: np.ndarray) -> dict[str, np.ndarray]:
    sign = np.sign(probe.outputs - base_values)
    sizes = sign[:, None] * values
    masks = _top(sizes)
    deleted = probe.outputs[:, None] - probe.evaluate(probe.taken, masks).mean(axis=2)
    inserted = probe.evaluate(probe.donors, ~masks).mean(axis=2)
    curves = {"deletion": deleted, "insertion": inserted - inserted[:, :1]}
    sign = np.where(sign == 0, np.nan, sign)
    return {name: sign * _straight_within_ties(curve, sizes)[:, 1:].mean(axis=1) for name, curve in curves.items()}


def _infidelity(probe: Probe, values: np.ndarray) -> dict[str, np.ndarray]:
    effects = probe.effects[0]
    infidelity = ((values @ probe.subsets[0].T - effects) ** 2).mean(axis=1)
    reaction = (effects**2).mean(axis=1)
    reacts = reaction > probe.may_be_rounding(effects) ** 2
    relative = ratio(infidelity, reaction, where=reacts)
    return {"infidelity": infidelity, "relative_infidelity": relative}


def _sensitivity_n(probe: Probe, values: np.ndarray) -> np.ndarray:
    total, count = np.zeros(len(values)), np.zeros(len(values))
    for masks, effects in zip(probe.subsets[1:], probe.effects[1:], strict=True):
        told, noise = values @ masks.T, 1e-12 * np.abs(values).sum(axis=1)
        varies = (np.ptp(told, axis=1) > noise) & (np.ptp(effects, axis=1) > probe.may_be_rounding(effects))
        found = np.where(varies, correlation(told, effects), np.nan)
        total, count = total + np.nan_to_num(found), count + ~np.isnan(found)
    return ratio(total, count)


def _top(sizes: np.ndarray) -> np.ndarray:
    """Return the k columns of largest size for k = 0 to d, bool [rows, d + 1, d]; within a tie by position."""
    place = np.argsort(np.argsort(-sizes, axis=1, kind="stable"), axis=1)
    return place[:, None, :] < np.arange(sizes.shape[1] + 1)[:, None]


def _straight_within_ties(curves: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return curves over k = 0 to d [rows, d + 1], straight across ties, within which it is open which columns are the top."""
    every, falling = np.arange(curves.shape[1]), -np.sort(-sizes, axis=1)
    settled = np.pad(falling[:, :-1] > falling[:, 1:], ((0, 0), (1, 1)), constant_values=True)
    return np.array([np.interp(every, every[sure], curve[sure]) for curve, sure in zip(curves, settled, strict=True)])
