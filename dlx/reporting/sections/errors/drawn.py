"""The figures of the section."""

from __future__ import annotations

from collections.abc import Sequence

from dlx import plots
from dlx.audit.mispredictions import Slices
from dlx.audit.mispredictions.confidence import KINDS
from dlx.audit.mispredictions.slicing import SIGNIFICANT
from dlx.reporting.canvas import Figure, canvas_of, embedded, legend
from dlx.reporting.phrases import counted, listed, percent
from dlx.reporting.sections.errors.measured import EVERYBODY, Found
from dlx.schema import Target
from dlx.stats import CERTAIN

SHOWN = 6
MEASURES = {
    "loss": "log loss here minus elsewhere (nats)",
    "risk": "share of events minus predicted share",
}


def slices_figure(found: Sequence[Found], of: str) -> Figure | None:
    """Return the slices that were tested by one measure, a panel a model."""
    told: list[tuple[Found, Slices]] = [(one, tested) for one in found for tested in one.slices if tested.of == of]
    told = [(one, tested) for one, tested in told if len(tested.table)]
    if not told:
        return None
    most = max(min(SHOWN, len(tested.table)) for _, tested in told)
    with plots.style():
        canvas, axes = canvas_of(len(told), 1, width=8.6, height=len(told) * (0.44 * most + 0.9) + 0.3, sharex=True)
        for ax, (one, tested) in zip(axes[:, 0], told, strict=True):
            plots.draw_slices(tested.table.head(SHOWN), ax, of=MEASURES[of])
            ax.set_title(one.model.name)
        legend(canvas, axes)
        source = embedded(canvas)
    numbers = listed([f"{len(tested.found)} of {len(tested.slices)} for {one.model.name}" for one, tested in told])
    what = "where the loss is higher than elsewhere" if of == "loss" else "where events are not as frequent as predicted"
    return Figure(
        source=source,
        alt=f"Slices {what}: found {numbers}.",
        caption=f"The {counted(SHOWN)} slices with the smallest p-value for each model, with their test rows in brackets: "
        f"{MEASURES[of]}, with its {CERTAIN} interval. Filled: adjusted p at most {percent(SIGNIFICANT)}.",
        table=f"errors_slices_{of}",
    )


def pushes_figure(found: Sequence[Found], target: Target) -> Figure | None:
    """Return which columns pushed towards errors, a line of panels a model."""
    told = [one for one in found if len(one.pushed)]
    if not told:
        return None
    with plots.style():
        canvas, axes = canvas_of(len(told), 2, width=9.6, height=2.9 * len(told))
        for line, one in zip(axes, told, strict=True):
            for ax, kind in zip(line, KINDS, strict=True):
                some = one.pushed[one.pushed["kind"] == kind]
                if len(some):
                    plots.draw_pushes(some, ax)
                    ax.set_title(f"{one.model.name}\n{kind_words(kind, target)} ({some['errors'].iloc[0]})", fontsize=9)
        source = embedded(canvas)
    return Figure(
        source=source,
        alt="Columns that pushed towards errors: " + "; ".join(map(_strongest, told)) + ".",
        caption="Mean contribution in errors minus that in right decisions about people of the same outcome, in the direction "
        f"of the error, with {CERTAIN} intervals, each column for itself. Red pushes towards more risk, blue towards less.",
        table="errors_pushes",
    )


def losses_figure(found: Sequence[Found]) -> Figure | None:
    """Return what columns add to the mean log loss, of everybody and of the worst slice, a line of panels a model."""
    told = [one for one in found if len(one.losses)]
    if not told:
        return None
    panels = [(one, part) for one in told for part in [EVERYBODY, *_others(one)[:1]]]
    columns = min(2, len(panels))
    with plots.style():
        canvas, axes = canvas_of(
            -(-len(panels) // columns), columns, width=4.8 * columns, height=3.1 * -(-len(panels) // columns)
        )
        for ax, (one, part) in zip(axes.flat, panels, strict=False):
            some = one.losses[(one.losses["slice"] == part) & ~one.losses["column"].str.startswith("(")]
            plots.draw_losses(some, ax)
            ax.set_title(f"{one.model.name}\n{plots.shortened(part, 24)} ({some['rows'].iloc[0]})", fontsize=9)
        source = embedded(canvas)
    return Figure(
        source=source,
        alt="What columns add to the mean log loss: " + "; ".join(map(_helpful, told)) + ".",
        caption=f"Shapley values of each person's log loss against the background, averaged, with {CERTAIN} intervals: left of "
        "0 a column helps, right of 0 it costs. After everybody, the slice found with the smallest p-value, where one "
        "was found.",
        table="errors_losses",
    )


def change_figure(found: Sequence[Found]) -> Figure | None:
    """Return the importance of columns before and after the remedy, a panel a model."""
    told = [(one, one.change[one.change["topic"] == "explanations"]) for one in found if len(one.change)]
    if not told:
        return None
    most = max(len(table) for _, table in told)
    with plots.style():
        canvas, axes = canvas_of(1, len(told), width=4.8 * len(told), height=0.32 * most + 1.2)
        for ax, (one, table) in zip(axes[0], told, strict=True):
            plots.draw_before_after(table, ax)
            ax.set_title(one.model.name)
        legend(canvas, axes)
        source = embedded(canvas)
    return Figure(
        source=source,
        alt=f"Importance of columns before and after the remedy, of {listed([one.model.name for one, _ in told])}.",
        caption="Mean absolute Shapley value of the columns that matter most before or after, and of those left out, with "
        f"{CERTAIN} intervals over people.",
        table="errors_before_after",
    )


def kind_words(kind: str, target: Target) -> str:
    """Return an error in the words of the case: "wrongly denied", "wrongly granted"."""
    return f"wrongly {target.flagged if kind == KINDS[0] else target.cleared}"


def _others(one: Found) -> list[str]:
    return [name for name in dict.fromkeys(one.losses["slice"]) if name != EVERYBODY]


def _strongest(one: Found) -> str:
    first = [f"{kind.replace('_', ' ')}s by {some['label'].iloc[0]}" for kind, some in one.pushed.groupby("kind", sort=False)]
    return f"{one.model.name}, {listed(first)}"


def _helpful(one: Found) -> str:
    columns = one.losses[(one.losses["slice"] == EVERYBODY) & ~one.losses["column"].str.startswith("(")]
    return f"{one.model.name}, {columns['label'].iloc[-1]} helps most"
