"""The figures of the section."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dlx import plots
from dlx.audit.mispredictions.confidence import FALSE_POSITIVE, KINDS
from dlx.context import RunContext
from dlx.reporting.canvas import canvas_of, legend
from dlx.reporting.sections import Measured
from dlx.reporting.sections.errors.measure import EVERYBODY

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

SHOWN = 6
MEASURES = {"loss": "log loss here minus elsewhere (nats)", "risk": "share of events minus predicted share"}


def _pushes(measured: Measured, context: RunContext, *, most: int | None = None) -> Canvas:
    """Return which columns pushed towards errors, a line of panels a model."""
    table, target = measured.tables["errors_pushes"], context.case.schema.target
    models = list(dict.fromkeys(table["model"]))[:most]
    canvas, axes = canvas_of(len(models), 2, width=9.0, height=2.7 * len(models))
    for line, model in zip(axes, models, strict=True):
        for ax, kind in zip(line, KINDS, strict=True):
            some = table[(table["model"] == model) & (table["kind"] == kind)]
            if len(some):
                plots.draw_pushes(some, ax)
                wrongly = target.flagged if kind == FALSE_POSITIVE else target.cleared
                ax.set_title(f"{model}: {some['errors'].iloc[0]} wrongly {wrongly}", fontsize=9)
    return canvas


pushes, pushes_of_all = partial(_pushes, most=1), _pushes


def _slices(measured: Measured, context: RunContext, *, of: str) -> Canvas:
    """Return the slices that were tested by one measure, a panel a model."""
    del context
    table = measured.tables["errors_slices"].query("of == @of")
    parts = [(model, some.head(SHOWN)) for model, some in table.groupby("model", sort=False)]
    most = max(len(some) for _, some in parts)
    canvas, axes = canvas_of(len(parts), 1, width=8.6, height=len(parts) * (0.44 * most + 0.9) + 0.3, sharex=True)
    for ax, (model, some) in zip(axes[:, 0], parts, strict=True):
        plots.draw_slices(some, ax, of=MEASURES[of])
        ax.set_title(str(model))
    legend(canvas, axes)
    return canvas


slices_by_loss, slices_by_risk = partial(_slices, of="loss"), partial(_slices, of="risk")


def losses(measured: Measured, context: RunContext) -> Canvas:
    """Return what columns add to the mean log loss, of everybody and of the worst slice, a panel each."""
    del context
    table, panels = measured.tables["errors_losses"], []
    for model, of_model in table[table["is_column"]].groupby("model", sort=False):
        parts = [part for part in dict.fromkeys(of_model["slice"]) if part != EVERYBODY]
        panels += [(model, part, of_model[of_model["slice"] == part]) for part in (EVERYBODY, *parts[:1])]
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    canvas, axes = canvas_of(rows, columns, width=4.8 * columns, height=3.1 * rows)
    for ax, (model, part, some) in zip(axes.flat, panels, strict=False):
        plots.draw_losses(some, ax)
        ax.set_title(f"{model}\n{plots.shortened(part, 24)} ({some['rows'].iloc[0]})", fontsize=9)
    return canvas


def before_after(measured: Measured, context: RunContext) -> Canvas:
    """Return the importance of columns before and after the remedy, a panel a model."""
    del context
    table = measured.tables["errors_before_after"].query("topic == 'explanations'")
    parts = list(table.groupby("model", sort=False))
    most = max(len(some) for _, some in parts)
    canvas, axes = canvas_of(1, len(parts), width=4.8 * len(parts), height=0.32 * most + 1.2)
    for ax, (model, some) in zip(axes[0], parts, strict=True):
        plots.draw_before_after(some, ax)
        ax.set_title(str(model))
    legend(canvas, axes)
    return canvas
