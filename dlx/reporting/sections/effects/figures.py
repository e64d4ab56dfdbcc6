"""The figures of the section."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from dlx import explainers, plots
from dlx.context import RunContext
from dlx.plots import method_label
from dlx.reporting.canvas import canvas_of, panels
from dlx.reporting.sections import Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

SHUFFLED, JOINT, SHAPES = 12, 10, 8  # columns
PEOPLE = 40  # whose curves are drawn


def _importance(measured: Measured, context: RunContext, *, of_all: bool) -> Canvas:
    """Return the importance of the top columns for all models, or the two that are told of: a panel each, a marker a method."""
    table, top = measured.tables["importance"], measured.about.top
    shown = [model.name for model in (context if of_all else measured.about).models if context.methods_of(model)]
    parts = [(name, partial(plots.draw_importance, table[table["model"] == name], top)) for name in shown]
    size = (3.5, 0.29 * len(top) + 1.1)
    return panels(parts, size=size, room=(1.6, 0.4), columns=3, sharey=True, legend_columns=7)


importance, importance_of_all = (partial(_importance, of_all=of_all) for of_all in (False, True))


def contributions(measured: Measured, context: RunContext) -> Canvas:
    """Return every person's contributions, for the two models that are told of, each by its first choice of method."""
    top, parts = measured.about.top, []
    for model in measured.about.models:
        if methods := context.methods_of(model):
            quick = explainers.by_preference(method for method in methods if explainers.method(method).COST != "high")
            method = [*quick, *methods][0]  # of everybody, where one is quick
            draw = partial(plots.draw_beeswarm, context.explanations[model.name, method], top, seed=context.seed)
            parts.append((f"{model.name} by {method_label(method)}", draw))
    return panels(parts, size=(5.2, 0.36 * len(top) + 1.2), room=(1.2, 0), columns=len(parts), sharey=True)


def partial_dependence(measured: Measured, context: RunContext) -> Canvas:
    """Return partial dependence and ALE of the top columns, the models overlaid."""
    about = measured.about
    by_name = {some[0].feature.name: some for some in about.accumulated if some}
    common = [[curve.of_common_levels for curve in curves] for curves in about.curves]
    shown = [(curves, by_name.get(curves[0].feature.name, [])) for curves in common]
    outputs = [one.mean for curves, _ in shown for one in curves]
    values = np.concatenate(outputs + [one.effects + one.mean_output for _, some in shown for one in some])
    room, parts, heights = 0.05 * max(np.ptp(values), 1e-3), [], []
    limits = (float(values.min() - room), float(values.max() + room))
    for curves, some in shown:
        feature, grid = curves[0].feature, curves[0].grid
        observed = context.case.train.rows[:, context.case.schema.position(feature.name)]
        draw = partial(plots.draw_effects, curves, accumulated=some, observed=observed, limits=limits)
        parts.append(("", draw))
        heights.append(max(2.85, 0.9 + 0.26 * len(grid)) if feature.is_categorical else 2.85)
    return panels(parts, size=(5.2, 0), room=(0, 0.3), columns=2, heights=heights, legend_columns=7)


def shape_functions(measured: Measured, context: RunContext) -> Canvas:
    """Return what the columns that move people most add to the model to use, each with its band over trainings."""
    shapes = measured.about.shapes[:SHAPES]
    ends = np.concatenate([shape.curves.ravel() for shape in shapes])
    limits = (float(ends.min()) - 0.05, float(ends.max()) + 0.05)
    colour = plots.model_looks([model.name for model in context.models])[shapes[0].model].colour
    parts = [("", partial(plots.draw_shape, shape, colour=colour, limits=limits)) for shape in shapes]
    heights = [max(2.6, 0.9 + 0.26 * len(one.grid)) if one.feature.is_categorical else 2.6 for one in shapes]
    return panels(parts, size=(5.2, 0), room=(0, 0.3), columns=2, heights=heights)


def single_people(measured: Measured, context: RunContext) -> Canvas:
    """Return centred ICE curves of the top columns, a column of panels a model."""
    about = measured.about
    names = [model.name for model in about.models if any(one.model == model.name for some in about.curves for one in some)]
    common = [[curve.of_common_levels for curve in curves] for curves in about.curves]
    sizes = [0.24 * len(some[0].grid) + 1.1 if some[0].feature.is_categorical else 2.3 for some in common]
    width, shape = 1.6 + 4.4 * len(names), (len(sizes), len(names))
    canvas, axes = canvas_of(*shape, width=width, height=sum(sizes), sharey="row", height_ratios=sizes)
    for curves, line in zip(common, axes, strict=True):
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
    return panels([("", partial(plots.draw_permutation, table, top))], size=(7.6, 0.32 * len(top) + 1.3), legend_columns=7)


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
    draw = partial(plots.draw_interactions, joint, names)
    return panels([("", draw)], size=(0.62 * len(names) + 3.0, 0.5 * len(names) + 2.2))
