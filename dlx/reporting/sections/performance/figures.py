"""The figures of the section."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx import plots
from dlx.context import RunContext
from dlx.reporting.canvas import canvas_of, legend, panels
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
    width, height = 3.0 * columns + 0.6, 4.3 * rows + 0.3
    canvas, axes = canvas_of(2 * rows, columns, width=width, height=height, height_ratios=[3.2, 1] * rows)
    for place, model in enumerate(context.models):
        line, column = divmod(place, columns)
        above, below = axes[2 * line, column], axes[2 * line + 1, column]
        mended = about.recalibrated[model.name].curve if model.name in about.recalibrated else None
        plots.draw_calibration(about.calibrations[model.name].curve, above, upper=upper, mended=mended)
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
    beside = {model.name: curves[model.name] for model in context.interpretable if context.black_boxes}
    asked: dict[str, Any] = {"threshold": context.case.schema.target.threshold, "others": beside}
    shown = [model.name for model in context.black_boxes or context.models]
    parts = [(name, partial(plots.draw_decision_curve, curves[name], **asked)) for name in shown]
    size, room = (4.2, 3.3), (0.8, 0.5)
    canvas = panels(parts, size=size, room=room, columns=PANELS, legend_columns=4, sharex=True, sharey=True)
    for place, ax in enumerate(canvas.axes):
        if place % min(PANELS, len(parts)):
            ax.set_ylabel("")
    return canvas


def predicted_observed(measured: Measured, context: RunContext) -> Canvas:
    """Return observed against predicted values, a panel a model."""
    test, parts = context.case.test, []
    assert test.outcomes is not None
    for name, lines in measured.tables["by_prediction"].groupby("model", sort=False):
        predicted = measured.tables["test_predictions"][name].to_numpy()
        parts.append((str(name), partial(plots.draw_predicted, test.outcomes, predicted, lines)))
    return panels(parts, size=(3.3, 3.2), room=(0.4, 0.4), columns=PANELS, legend_columns=3, sharex=True, sharey=True)


def errors_by_prediction(measured: Measured, _: RunContext) -> Canvas:
    """Return the errors of people of much the same prediction, a panel a model."""
    found = measured.tables["by_prediction"].groupby("model", sort=False)
    parts = [(str(name), partial(plots.draw_errors_by_prediction, lines)) for name, lines in found]
    return panels(parts, size=(4.6, 2.8), room=(0.4, 0), columns=2, sharey=True)
