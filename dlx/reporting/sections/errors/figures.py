"""The figures of the section."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dlx import plots
from dlx.audit.mispredictions import Predictions
from dlx.audit.mispredictions.errors import FALSE_POSITIVE, KINDS
from dlx.context import RunContext
from dlx.reporting.canvas import canvas_of, panels
from dlx.reporting.sections import Measured
from dlx.reporting.sections.errors.measure import EVERYBODY

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

SHOWN = 6
MEASURES = {
    "probability": {"loss": "log loss here minus elsewhere (nats)", "risk": "share of events minus predicted share"},
    "value": {"loss": "absolute error here minus elsewhere", "error": "observed − predicted, here minus elsewhere"},
}


def _pushes(measured: Measured, context: RunContext, *, most: int | None = None) -> Canvas:
    """Return which columns pushed towards errors, a line of panels a model."""
    table, target = measured.tables["errors_pushes"], context.case.schema.target
    kinds = {kind: f"wrongly {target.flagged if kind == FALSE_POSITIVE else target.cleared}" for kind in KINDS}
    kinds = {kind: kind.replace("_", " ") for kind in Predictions.kinds} if target.is_value else kinds
    models = list(dict.fromkeys(table["model"]))[:most]
    canvas, axes = canvas_of(len(models), 2, width=9.0, height=2.7 * len(models))
    for line, model in zip(axes, models, strict=True):
        for ax, (kind, words) in zip(line, kinds.items(), strict=True):
            if len(some := table[(table["model"] == model) & (table["kind"] == kind)]):
                plots.draw_pushes(some, ax)
                ax.set_title(f"{model}: {some['errors'].iloc[0]} {words}", fontsize=9)
    return canvas


pushes, pushes_of_all = partial(_pushes, most=1), _pushes


def _slices(measured: Measured, context: RunContext, *, of: str) -> Canvas:
    """Return the slices that were tested by one measure, a panel a model."""
    table = measured.tables["errors_slices"].query("of == @of").groupby("model", sort=False).head(SHOWN)
    by_model = dict(list(table.groupby("model", sort=False)))
    words = MEASURES[context.case.schema.target.scale][of]
    parts = [(str(model), partial(plots.draw_slices, some, of=words)) for model, some in by_model.items()]
    height = 0.44 * max(map(len, by_model.values())) + 0.9
    return panels(parts, size=(8.6, height), room=(0, 0.3), sharex=True, legend_columns=7)


slices_by_loss, slices_by_risk, slices_by_error = (partial(_slices, of=of) for of in ("loss", "risk", "error"))


def losses(measured: Measured, _: RunContext) -> Canvas:
    """Return what columns add to the mean log loss, of everybody and of the worst slice, a panel each."""
    parts = []
    for model, of_model in measured.tables["errors_losses"].query("is_column").groupby("model", sort=False):
        worst = of_model.loc[of_model["slice"] != EVERYBODY, "slice"]
        for part in (EVERYBODY, *worst[:1]):
            some = of_model[of_model["slice"] == part]
            title = f"{model}\n{plots.shortened(part, 24)} ({some['rows'].iloc[0]})"
            parts.append((title, partial(plots.draw_losses, some)))
    return panels(parts, size=(4.8, 3.1), columns=2, title_size=9)


def before_after(measured: Measured, _: RunContext) -> Canvas:
    """Return the importance of columns before and after the remedy, a panel a model."""
    table = measured.tables["errors_before_after"].query("topic == 'explanations'")
    by_model = dict(list(table.groupby("model", sort=False)))
    parts = [(str(model), partial(plots.draw_before_after, some)) for model, some in by_model.items()]
    height = 0.32 * max(map(len, by_model.values())) + 1.2
    return panels(parts, size=(4.8, height), columns=len(parts), legend_columns=7)
