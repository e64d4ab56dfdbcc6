"""The figures of the section."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlx import plots
from dlx.context import RunContext
from dlx.reporting.canvas import canvas_of, legend
from dlx.reporting.sections import Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

PANELS = 3  # beside each other


def calibration_curves(measured: Measured, context: RunContext) -> Canvas:
    """Return the calibration curve of each model, over where its predictions lie."""
    test, about = context.case.test, measured.about
    assert test.outcomes is not None
    columns = min(PANELS, len(context.models))
    rows = -(-len(context.models) // columns)
    ends = [float(np.nanmax(one.curve[["predicted", "observed"]].to_numpy())) for one in about.calibrations.values()]
    upper = min(1.0, 1.08 * max(ends))
    canvas, axes = canvas_of(
        2 * rows, columns, width=3.0 * columns + 0.6, height=4.3 * rows + 0.3, height_ratios=[3.2, 1] * rows
    )
    for place, model in enumerate(context.models):
        line, column = divmod(place, columns)
        above, below = axes[2 * line, column], axes[2 * line + 1, column]
        after = about.recalibrated.get(model.name)
        plots.draw_calibration(
            about.calibrations[model.name].curve, above, upper=upper, mended=after.curve if after is not None else None
        )
        plots.draw_predictions(test.outcomes, model.predict(test, "probability"), below, upper=upper)
        above.set_title(model.name)
        above.set_xticklabels([])
        if column:
            above.set_ylabel("")
    legend(canvas, axes, columns=6)
    return canvas


def decision_curves(measured: Measured, context: RunContext) -> Canvas:
    """Return the decision curve of each black box, with interpretable models beside it; of all, if all are interpretable."""
    curves = dict(list(measured.tables["decision_curves"].groupby("model", sort=False)))
    shown = context.black_boxes or list(context.models)
    beside = {model.name: curves[model.name] for model in context.interpretable if context.black_boxes}
    columns = min(PANELS, len(shown))
    rows = -(-len(shown) // columns)
    canvas, axes = canvas_of(rows, columns, width=4.2 * columns + 0.8, height=3.3 * rows + 0.5, sharey=True, sharex=True)
    for model, ax in zip(shown, axes.flat, strict=False):
        plots.draw_decision_curve(curves[model.name], ax, threshold=context.case.schema.target.threshold, others=beside)
        ax.set_title(model.name)
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    legend(canvas, axes, columns=4)
    return canvas
