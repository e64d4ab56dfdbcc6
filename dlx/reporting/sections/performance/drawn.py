"""The figures of the section."""

from __future__ import annotations

import numpy as np

from dlx import plots
from dlx.audit.miscalibration import KNOTS, SHOWN
from dlx.dataset import Dataset
from dlx.reporting.canvas import Figure, canvas_of, embedded, legend
from dlx.reporting.phrases import counted, listed, percent, share, threshold_percent, two_decimals
from dlx.reporting.sections.performance.measured import Measured
from dlx.stats import CERTAIN

PANELS = 4  # beside each other


def calibration_figure(found: Measured, test: Dataset) -> Figure:
    """Return the calibration curve of each model, over where its predictions lie."""
    assert test.outcomes is not None
    columns = min(PANELS, len(found.models))
    rows = -(-len(found.models) // columns)
    upper = _upper(found)
    with plots.style():
        canvas, axes = canvas_of(
            2 * rows, columns, width=3.0 * columns + 0.6, height=4.3 * rows + 0.3, height_ratios=[3.2, 1] * rows
        )
        for place, model in enumerate(found.models):
            line, column = divmod(place, columns)
            above, below = axes[2 * line, column], axes[2 * line + 1, column]
            mended = found.mended.get(model.name)
            plots.draw_calibration(
                found.calibrations[model.name].curve, above, upper=upper, mended=mended.calibration.curve if mended else None
            )
            plots.draw_predictions(test.outcomes, model.predict(test, "probability"), below, upper=upper)
            above.set_title(model.name)
            above.set_xticklabels([])
            if column:
                above.set_ylabel("")
        legend(canvas, axes, columns=6)
        source = embedded(canvas)
    slopes = listed([f"{name} {two_decimals(found.calibrations[name].slope.estimate)}" for name in found.calibrations])
    return Figure(
        source,
        f"Calibration curves of {len(found.models)} models on a diagonal. Slopes: {slopes}.",
        "Share of events among people of a predicted probability: logistic regression on a restricted cubic spline of the "
        f"log-odds, {counted(len(KNOTS))} knots, with a pointwise {CERTAIN} bootstrap band, between the {percent(SHOWN[0])} "
        f"and the {percent(SHOWN[1])} quantile of the predictions. Both axes end at {percent(upper)}. Above the diagonal the "
        "model predicts too little. Bars: where the predictions lie, of people with the outcome (up) and of the others (down), "
        "as shares of each (test_predictions.csv).",
        "calibration_curves",
    )


def _upper(found: Measured) -> float:
    ends = [float(np.nanmax(one.curve[["predicted", "observed"]].to_numpy())) for one in found.calibrations.values()]
    return min(1.0, 1.08 * max(ends))


def decision_figure(found: Measured, test: Dataset) -> Figure:
    """Return the decision curve of each model that cannot be read, with those that can beside it; of all, if all can."""
    target = test.schema.target
    curves = dict(list(found.curves.groupby("model", sort=False)))
    shown = found.black_boxes or found.models
    beside = {model.name: curves[model.name] for model in found.interpretable if found.black_boxes}
    columns = min(3, len(shown))
    with plots.style():
        rows = -(-len(shown) // columns)
        canvas, axes = canvas_of(rows, columns, width=4.2 * columns + 0.8, height=3.3 * rows + 0.5, sharey=True, sharex=True)
        for model, ax in zip(shown, axes.flat, strict=False):
            plots.draw_decision_curve(curves[model.name], ax, threshold=target.threshold, others=beside)
            ax.set_title(model.name)
        for ax in axes[:, 1:].flat:
            ax.set_ylabel("")
        legend(canvas, axes, columns=4)
        source = embedded(canvas)
    at = found.curves[found.curves["threshold"] == target.threshold].set_index("model")
    benefits = listed([f"{model.name} {share(float(at.loc[model.name, 'net_benefit']))}" for model in shown])
    return Figure(
        source,
        f"Net benefit over thresholds, beside acting on everybody and on nobody. At {threshold_percent(target)}: {benefits}.",
        "Net benefit: of all test rows, the share with the outcome that are acted on, less the share of false alarms weighted "
        "by what the threshold says of them, t / (1 − t). A model is worth using at thresholds where it lies above both "
        f"acting on everybody and acting on nobody. Band: {CERTAIN} bootstrap, pointwise. The threshold in use "
        f"({threshold_percent(target)}) is dotted.",
        "decision_curves",
    )
