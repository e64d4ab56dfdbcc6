"""The figures of the section."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from dlx import plots
from dlx.context import RunContext
from dlx.plots import method_label
from dlx.reporting.canvas import panels
from dlx.reporting.sections import Measured
from dlx.reporting.sections.person.measure import by_share, shapley

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

BARS = 8
WIDTH = 3.65  # inches: as wide as a telephone


def _person(measured: Measured, context: RunContext, *, key: str) -> Canvas:
    """Return what every method says of a person's columns, on one axis."""
    about, main = measured.about, context.main.name
    position = context.featured.index(key)
    told = [one for one in about.explained if one.scale == context.main.scales[0] and not one.failed[position]]
    names = [context.case.schema.names[i] for i in by_share([one[[position]] for one in told])[:BARS]]
    labels = [method_label(one.method) if one.model == main else f"{one.model}, {method_label(one.method)}" for one in told]
    counting = [one.model == main and one.method in about.counting for one in told]
    draw = partial(plots.draw_contributions, told, position, names, labels=labels, counting=counting)
    return panels([("", draw)], size=(WIDTH, 0.41 * len(names) + 1.5), legend_columns=2)


clear, borderline, wrong, disputed = (partial(_person, key=key) for key in ("clear", "borderline", "wrong", "disputed"))
typical, high, low = (partial(_person, key=key) for key in ("typical", "high", "low"))


def waterfall(_: Measured, context: RunContext) -> Canvas:
    """Return the way from where the main model starts to its prediction of the first featured person, a step a column."""
    made = shapley(context, context.main)
    names = [context.case.schema.names[i] for i in by_share([made[[0]]])[:BARS]]
    return panels([("", partial(plots.draw_waterfall, made, 0, names))], size=(6.6, 0.36 * (len(names) + 3) + 0.9))


def contrast(measured: Measured, context: RunContext) -> Canvas:
    """Return by which columns the two models differ about the disputed person."""
    compared, position = measured.about.compared, context.featured.index("disputed")
    largest = np.argsort(-np.abs(compared.values[position]), kind="stable")[:BARS]
    names = [context.case.schema.names[i] for i in largest]
    return panels([("", partial(plots.draw_contrast, compared, position, names))], size=(6.6, 0.33 * len(largest) + 1.0))
