"""The figures of the section."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from dlx import plots
from dlx.context import RunContext
from dlx.reporting.canvas import panels
from dlx.reporting.sections import Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

PANELS = 3  # beside each other


def confusion(measured: Measured, context: RunContext) -> Canvas:
    """Return how many people of each class are taken for which, a panel a model."""
    del context
    table, shown = measured.tables["class_confusion"], measured.about.shown
    parts = [(name, partial(plots.draw_confusion, table[table["model"] == name], shown)) for name in measured.about.models]
    size = max(2.4, 0.9 + 0.42 * len(shown))
    return panels(parts, size=(size + 0.5, size), room=(0.3, 0.4), columns=max(1, min(PANELS, int(11 // size))))


def sureness(measured: Measured, context: RunContext) -> Canvas:
    """Return how often the class that is named is right at each probability that it is given, a panel a model."""
    del context
    curves = {name: one.curve for name, one in measured.about.calibrations.items()}
    upper = min(1.0, 1.05 * max(float(np.nanmax(curve[["predicted", "observed"]])) for curve in curves.values()))
    parts = [(name, partial(plots.draw_calibration, curve, upper=upper)) for name, curve in curves.items()]
    canvas = panels(parts, size=(3.0, 3.0), room=(0.6, 0.7), columns=PANELS, legend_columns=4)
    for ax in canvas.axes:
        ax.set_xlabel("probability of the class named")
        ax.set_ylabel("share that is right")
    return canvas
