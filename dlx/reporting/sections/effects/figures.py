"""The figures of the section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlx import explainers, plots
from dlx.context import RunContext
from dlx.effects.partial import PartialDependence
from dlx.model import Model
from dlx.reporting.canvas import canvas_of, legend
from dlx.reporting.phrases import method_label
from dlx.reporting.sections import Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

SHUFFLED, JOINT = 12, 10  # columns
PEOPLE = 40  # whose curves are drawn


def importance(measured: Measured, context: RunContext) -> Canvas:
    """Return the importance of the top columns for the two models that are told of, a marker a method."""
    return _importance(measured, [model.name for model in measured.about.models if context.methods_of(model)])


def importance_of_all(measured: Measured, context: RunContext) -> Canvas:
    """Return the importance of the top columns, a panel a model, a marker a method."""
    return _importance(measured, [model.name for model in context.models if context.methods_of(model)])


def _importance(measured: Measured, shown: Sequence[str]) -> Canvas:
    table, top = measured.tables["importance"], measured.about.top
    columns = min(3, len(shown))
    lines = -(-len(shown) // columns)
    height = 0.4 + lines * (0.29 * len(top) + 1.1)
    canvas, axes = canvas_of(lines, columns, width=3.5 * columns + 1.6, height=height, sharey=True)
    for name, ax in zip(shown, axes.flat, strict=False):
        plots.draw_importance(table[table["model"] == name], top, ax)
        ax.set_title(name)
    legend(canvas, axes, methods=True)
    return canvas


def contributions(measured: Measured, context: RunContext) -> Canvas:
    """Return every person's contributions, for the two models that are told of, each by its first choice of method."""
    shown = [(model, _widest(context, model)) for model in measured.about.models if context.methods_of(model)]
    top = measured.about.top
    canvas, axes = canvas_of(1, len(shown), width=5.2 * len(shown) + 1.2, height=0.36 * len(top) + 1.2, sharey=True)
    for (model, method), ax in zip(shown, axes.flat, strict=True):
        plots.draw_beeswarm(context.explanations[model.name, method], top, ax, seed=context.seed)
        ax.set_title(f"{model.name} by {method_label(method)}")
    return canvas


def partial_dependence(measured: Measured, context: RunContext) -> Canvas:
    """Return partial dependence and ALE of the top columns, the models overlaid."""
    about = measured.about
    by_name = {some[0].feature.name: some for some in about.accumulated if some}
    shown = [(curves, by_name.get(curves[0].feature.name, [])) for curves in about.curves]
    heights = [one.mean for curves, _ in shown for one in curves]
    heights += [one.effects + one.mean_output for _, some in shown for one in some]
    values = np.concatenate(heights)
    room = 0.05 * max(np.ptp(values), 1e-3)
    canvas, axes = _panels(about.curves, 2.85)
    for (curves, some), ax in zip(shown, axes.flat, strict=False):
        observed = context.case.train.rows[:, context.case.schema.position(curves[0].feature.name)]
        limits = (float(values.min() - room), float(values.max() + room))
        plots.draw_effects(curves, ax, accumulated=some, observed=observed, limits=limits)
    legend(canvas, axes)
    return canvas


def single_people(measured: Measured, context: RunContext) -> Canvas:
    """Return centred ICE curves of the top columns, a column of panels a model."""
    about = measured.about
    names = [model.name for model in about.models if any(one.model == model.name for some in about.curves for one in some)]
    sizes = [0.24 * len(some[0].grid) + 1.1 if some[0].feature.is_categorical else 2.3 for some in about.curves]
    canvas, axes = canvas_of(
        len(sizes), len(names), width=1.6 + 4.4 * len(names), height=sum(sizes), sharey="row", height_ratios=sizes
    )
    for curves, line in zip(about.curves, axes, strict=True):
        for curve in curves:
            place, colour = names.index(curve.model), plots.model_looks(names)[curve.model].colour
            plots.draw_centred_curves(curve, line[place], colour=colour, people=PEOPLE, seed=context.seed)
            line[place].set_title(f"{plots.shortened(curve.feature.label, 30)}: {curve.model}")
    return canvas


def permutation_importance(measured: Measured, _context: RunContext) -> Canvas:
    """Return what shuffling a column costs each model."""
    table = measured.tables["permutation_importance"]
    order = table.groupby("feature", sort=False)["importance"].mean().sort_values(ascending=False, kind="stable")
    top = list(order.index[:SHUFFLED])
    canvas, axes = canvas_of(1, 1, width=7.6, height=0.32 * len(top) + 1.3)
    plots.draw_permutation(table, top, axes.flat[0])
    legend(canvas, axes)
    return canvas


def pair_dependence(measured: Measured, _context: RunContext) -> Canvas:
    """Return the two-way partial dependence of the strongest pair, and what it adds beyond both columns."""
    surfaces = measured.about.surfaces
    canvas, axes = canvas_of(len(surfaces), 2, width=10.4, height=3.5 * len(surfaces))
    for pair, (left, right) in zip(surfaces, axes, strict=True):
        alike = [one for one in surfaces if one.scale == pair.scale]
        low, high = min(one.mean.min() for one in alike), max(one.mean.max() for one in alike)
        beyond = max(np.abs(one.beyond).max() for one in alike) or 1.0
        plots.draw_pair(pair, left, part="mean", limits=(float(low), float(max(high, low + 1e-9))))
        plots.draw_pair(pair, right, part="beyond", limits=(-beyond, beyond))
        left.set_title(f"{pair.model}: both set")
        right.set_title(f"{pair.model}: beyond both alone")
    return canvas


def interactions(measured: Measured, _context: RunContext) -> Canvas:
    """Return the heat map of Shapley interactions of the main model."""
    joint = measured.about.joint
    names = [joint.schema.names[i] for i in np.argsort(-joint.strength.sum(axis=1), kind="stable")[:JOINT]]
    canvas, axes = canvas_of(1, 1, width=0.62 * len(names) + 3.0, height=0.5 * len(names) + 2.2)
    plots.draw_interactions(joint, names, axes.flat[0])
    return canvas


def _widest(context: RunContext, model: Model) -> str:
    """Return the method that explained everybody and is preferred; else the first."""
    methods = context.methods_of(model)
    return next(iter(explainers.by_preference(m for m in methods if explainers.method(m).COST != "high")), methods[0])


def _panels(curves: Sequence[Sequence[PartialDependence]], least: float) -> tuple[Canvas, np.ndarray]:
    """Return a canvas with two panels a line, as high as their levels need."""
    heights = [max(least, 0.9 + 0.26 * len(some[0].grid)) if some[0].feature.is_categorical else least for some in curves]
    lines = [max(heights[i : i + 2]) for i in range(0, len(heights), 2)]
    return canvas_of(len(lines), 2, width=10.4, height=sum(lines) + 0.3, height_ratios=lines)
