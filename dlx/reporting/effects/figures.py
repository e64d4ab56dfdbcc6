"""The figures of the section on effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlx import plots
from dlx.effects.accumulated import AccumulatedEffects
from dlx.effects.partial import PartialDependence
from dlx.reporting.canvas import Figure, canvas_of, embedded, legend
from dlx.reporting.effects.study import Effects
from dlx.reporting.phrases import listed, top_columns
from dlx.stats import CERTAIN

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from dlx.reporting.study import Study

SHUFFLED = 12
JOINT = 10
PEOPLE = 40


def dependence_figure(study: Study) -> Figure:
    """Return partial dependence and ALE of the top columns, the models overlaid."""
    effects = study.effects
    shown = list(zip(effects.curves, _accumulated(effects), strict=True))
    heights = [c.mean for curves, _ in shown for c in curves]
    heights += [one.effects + one.mean_output for _, some in shown for one in some]
    limits = _room(np.concatenate(heights))
    with plots.style():
        canvas, axes = _panels(effects.curves, 2.85)
        for (curves, some), ax in zip(shown, axes.flat, strict=False):
            observed = study.case.train.rows[:, study.case.schema.position(curves[0].feature.name)]
            plots.draw_effects(curves, ax, accumulated=some, observed=observed, limits=limits)
        legend(canvas, axes)
        source = embedded(canvas)
    labels = [curves[0].feature.label for curves, _ in shown]
    return Figure(
        source,
        f"Mean predicted risk as one column changes: {', '.join(labels)}.",
        f"Solid line or full dot: partial dependence, the mean prediction over {len(effects.people)} people as the column is "
        f"set to each value for everybody, with its {CERTAIN} interval. Dashed or hollow: ALE, which adds up the change from "
        f"value to value among those of {len(effects.local):,} people who are there, moved to the mean prediction. Ticks and "
        "numbers in brackets are the training rows; where it is grey there are none, and a model guesses. Dotted: the "
        "value missing.",
        "partial_dependence",
    )


def people_figure(study: Study) -> Figure:
    """Return centred ICE curves of the top columns, a column of panels a model."""
    effects = study.effects
    names = [model.name for model in effects.models if any(c.model == model.name for some in effects.curves for c in some)]
    sizes = [_height(curves[0]) for curves in effects.curves]
    with plots.style():
        canvas, axes = canvas_of(
            len(sizes), len(names), width=1.6 + 4.4 * len(names), height=sum(sizes), sharey="row", height_ratios=sizes
        )
        for curves, line in zip(effects.curves, axes, strict=True):
            for curve in curves:
                place, colour = names.index(curve.model), plots.model_looks(names)[curve.model].colour
                plots.draw_centred_curves(curve, line[place], colour=colour, people=PEOPLE, seed=study.seed)
                line[place].set_title(f"{plots.shortened(curve.feature.label, 30)}: {curve.model}")
        source = embedded(canvas)
    labels = [curves[0].feature.label for curves in effects.curves]
    return Figure(
        source,
        f"How far each person's predicted risk moves as one column changes: {', '.join(labels)}.",
        f"One line or dot a person and value (ICE), {min(PEOPLE, len(effects.people))} of them, as the change from the lowest "
        "value, or from the most common level; black is the mean over all. Lines that cross zero are people for whom the "
        "column works the other way.",
        "partial_dependence",
    )


def permutation_figure(study: Study) -> Figure:
    """Return what shuffling a column costs each model."""
    table = study.effects.importance
    order = table.groupby("feature", sort=False)["importance"].mean().sort_values(ascending=False, kind="stable")
    top = list(order.index[:SHUFFLED])
    with plots.style():
        canvas, axes = canvas_of(1, 1, width=7.6, height=0.32 * len(top) + 1.3)
        plots.draw_permutation(table, top, axes.flat[0])
        legend(canvas, axes)
        source = embedded(canvas)
    first = study.case.schema[top[0]].label
    return Figure(
        source,
        f"Rise of the log loss of {listed(list(table['model'].unique()))} when a column is shuffled; first {first}.",
        f"Rise of the log loss on {table['people'].iloc[0]:,} test rows when one column is shuffled among them, the mean of "
        f"{table['repeats'].iloc[0]} times, with {CERTAIN} intervals over people and times, for {top_columns(len(top))}. Where "
        "the interval holds 0, these people do not show that the model's accuracy rests on the column.",
        "permutation_importance",
    )


def pair_figure(study: Study) -> Figure:
    """Return the two-way partial dependence of the strongest pair, and what it adds beyond both columns."""
    surfaces = study.effects.surfaces
    ends = {s: _of_scale([x.mean for x in surfaces if x.scale == s]) for s in {x.scale for x in surfaces}}
    beyond = {s: max(np.abs(x.beyond).max() for x in surfaces if x.scale == s) or 1.0 for s in ends}
    with plots.style():
        canvas, axes = canvas_of(len(surfaces), 2, width=10.4, height=3.5 * len(surfaces))
        for pair, (left, right) in zip(surfaces, axes, strict=True):
            plots.draw_pair(pair, left, part="mean", limits=ends[pair.scale])
            plots.draw_pair(pair, right, part="beyond", limits=(-beyond[pair.scale], beyond[pair.scale]))
            left.set_title(f"{pair.model}: both set")
            right.set_title(f"{pair.model}: beyond both alone")
        source = embedded(canvas)
    one, other = surfaces[0].feature.label, surfaces[0].other.label
    return Figure(
        source,
        f"Mean output of {listed([pair.model for pair in surfaces])} with {one} and {other} set together, and what that adds "
        "beyond each of them alone.",
        f"The pair that {study.effects.pairs['model'].iloc[0]} joins most. Left: the mean output as both columns are set for "
        "everybody. Right: what is left of it after the partial dependence of each column alone; white where a model just "
        "adds the two up. Grey: no training row is near.",
        "pair_dependence",
    )


def interactions_figure(study: Study) -> Figure:
    """Return the heat map of Shapley interactions of the main model."""
    joint = study.effects.joint
    assert joint is not None
    order = np.argsort(-joint.strength.sum(axis=1), kind="stable")[:JOINT]
    names = [joint.schema.names[i] for i in order]
    with plots.style():
        canvas, axes = canvas_of(1, 1, width=0.62 * len(names) + 3.0, height=0.5 * len(names) + 2.2)
        plots.draw_interactions(joint, names, axes.flat[0])
        source = embedded(canvas)
    return Figure(
        source,
        f"Mean size of Shapley interactions of {joint.model} among {top_columns(len(names))}; main effects on the diagonal.",
        f"{joint.model}, over {len(joint)} people against {study.effects.references} rows of the background: off the diagonal "
        "half of what two columns add together, on it what a column adds alone. A row, with its signs, sums to the column's "
        "Shapley value. The colours end at the strongest pair.",
        "interactions",
    )


def _accumulated(effects: Effects) -> list[list[AccumulatedEffects]]:
    """Return the ALE of each column that has partial dependence, which may be none."""
    by_name = {some[0].feature.name: some for some in effects.accumulated if some}
    return [by_name.get(curves[0].feature.name, []) for curves in effects.curves]


def _height(curve: PartialDependence) -> float:
    return 0.24 * len(curve.grid) + 1.1 if curve.feature.is_categorical else 2.3


def _panels(curves: Sequence[Sequence[PartialDependence]], least: float) -> tuple[Canvas, np.ndarray]:
    """Return a canvas with two panels a line, as high as their levels need."""
    heights = [max(least, 0.9 + 0.26 * len(some[0].grid)) if some[0].feature.is_categorical else least for some in curves]
    lines = [max(heights[i : i + 2]) for i in range(0, len(heights), 2)]
    return canvas_of(len(lines), 2, width=10.4, height=sum(lines) + 0.3, height_ratios=lines)


def _room(values: np.ndarray) -> tuple[float, float]:
    room = 0.05 * max(np.ptp(values), 1e-3)
    return float(values.min() - room), float(values.max() + room)


def _of_scale(values: Sequence[np.ndarray]) -> tuple[float, float]:
    low, high = min(v.min() for v in values), max(v.max() for v in values)
    return float(low), float(max(high, low + 1e-9))
