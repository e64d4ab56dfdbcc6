"""The figures of the section."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlx import plots
from dlx.attacks.defences import FLIP
from dlx.attacks.fooling import IN_THE_OPEN
from dlx.attacks.gradients import REPEAT
from dlx.context import RunContext
from dlx.reporting.canvas import canvas_of, legend
from dlx.reporting.sections import Measured

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas


def attacks_found(measured: Measured, context: RunContext) -> Canvas:
    """Return what the flip and the gradients measure of attacked and audited models, with the limits."""
    found, label = measured.tables["attacks_found"], measured.about.feature.label
    first = found[found["seed"] == context.seed]
    first = first.assign(label=[_label(line, label) for _, line in first.iterrows()])
    axes_of = {FLIP: f"decisions that change with {label} alone", REPEAT: "top columns that stay when measured again"}
    tables = {defence: some for defence in axes_of if len(some := first[first["defence"] == defence])}
    heights = [0.3 * len(some) + 0.7 for some in tables.values()]
    canvas, axes = canvas_of(len(tables), 1, width=5.6, height=sum(heights) + 0.4, height_ratios=heights)
    for (defence, some), ax in zip(tables.items(), axes.flat, strict=True):
        plots.draw_detections(some, ax, of=axes_of[defence])
    legend(canvas, axes, columns=3)
    return canvas


def off_manifold(measured: Measured, _: RunContext) -> Canvas:
    """Return how much of what each method evaluates could not be real."""
    table = measured.tables["off_manifold"]
    canvas, axes = canvas_of(1, 1, width=7.6, height=0.36 * len(table) + 0.8)
    plots.draw_off_manifold(table, axes.flat[0])
    return canvas


def _label(line: pd.Series, label: str) -> str:
    if not line["is_attacked"] or line["demonstration"] == "fragile gradients":
        return str(line["model"])
    return (
        f"by {label}, openly"
        if line["demonstration"] == IN_THE_OPEN
        else f"hidden from {line['demonstration']}".replace(" with ", "\nwith ")
    )
