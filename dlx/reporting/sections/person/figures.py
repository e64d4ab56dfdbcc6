"""The figures of the section."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from dlx import plots
from dlx.context import RunContext
from dlx.reporting.canvas import canvas_of, legend
from dlx.reporting.phrases import method_label
from dlx.reporting.sections import Measured
from dlx.reporting.sections.person.measure import by_share

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from dlx.comparison import Contrast

BARS = 8
WIDTH = 3.65  # inches: as wide as a telephone


def _person(measured: Measured, context: RunContext, *, key: str) -> Canvas:
    """Return what every method says of a person's columns, on one axis."""
    about = measured.about
    position = next(one.position for one in context.featured if one.key == key)
    told = [one for one in about.explained if one.scale == context.main.scales[0] and not one.failed[position]]
    names = [context.case.schema.names[i] for i in by_share([one[[position]] for one in told])[:BARS]]
    canvas, axes = canvas_of(1, 1, width=WIDTH, height=0.41 * len(names) + 1.5)
    main = context.main.name
    labels = [method_label(one.method) if one.model == main else f"{one.model}, {method_label(one.method)}" for one in told]
    counting = [one.model == main and one.method in about.counting for one in told]
    plots.draw_contributions(told, position, names, axes.flat[0], labels=labels, counting=counting)
    legend(canvas, axes, columns=2)
    return canvas


clear, borderline, wrong, disputed = (partial(_person, key=key) for key in ("clear", "borderline", "wrong", "disputed"))


def contrast(measured: Measured, context: RunContext) -> Canvas:
    """Return by which columns the two models differ about the disputed person."""
    compared: Contrast = measured.about.compared
    position = next(one.position for one in context.featured if one.key == "disputed")
    largest = np.argsort(-np.abs(compared.values[position]), kind="stable")[:BARS]
    canvas, axes = canvas_of(1, 1, width=6.6, height=0.33 * len(largest) + 1.0)
    plots.draw_contrast(compared, position, [context.case.schema.names[i] for i in largest], axes.flat[0])
    return canvas
