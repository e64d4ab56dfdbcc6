"""The figures of the section."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from dlx import plots
from dlx.context import RunContext
from dlx.plots import method_label
from dlx.reporting.canvas import panels
from dlx.reporting.sections import Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

SHOWN_PAIRS = 14  # of sources of reasons; all are in their table
SHOWN_REASONS = 8


def recourse_columns(measured: Measured, context: RunContext) -> Canvas:
    """Return how often a counterfactual changes each column."""
    columns = measured.tables["recourse_columns"]
    used = columns[columns["column"].isin(columns.loc[columns["estimate"] > 0, "column"]) & columns["estimate"].notna()]
    draw = partial(plots.draw_recourse, used, _labels(context))
    return panels([("", draw)], size=(8.2, 0.34 * used["column"].nunique() + 1.4), legend_columns=7)


def column_shifts(measured: Measured, context: RunContext) -> Canvas:
    """Return how the risk differs where one column is moved."""
    table, of = measured.tables["column_shifts"], context.case.schema.target.risk
    draw, rows = partial(plots.draw_column_shifts, table, _labels(context), of=of), table[["column", "to"]].drop_duplicates()
    return panels([("", draw)], size=(8.2, 0.32 * len(rows) + 1.4), legend_columns=7)


def _labels(context: RunContext) -> dict[str, str]:
    return dict(zip(context.case.schema.names, context.case.schema.labels, strict=True))


def reasons_given(measured: Measured, context: RunContext) -> Canvas:
    """Return how often each of the most frequent reasons is given, by model."""
    given = measured.tables["reasons_given"]
    given = given[given["background"] == measured.about.background]
    often = given.groupby("reason", sort=False)["estimate"].sum().nlargest(SHOWN_REASONS).index
    of = f"share of those {context.case.schema.target.flagged} who are given the reason"
    draw = partial(plots.draw_reasons_given, given[given["reason"].isin(often)], of=of)
    return panels([("", draw)], size=(8.2, 0.34 * len(often) + 1.4), legend_columns=7)


def reason_stability(measured: Measured, context: RunContext) -> Canvas:
    """Return how far pairs of sources give the same reasons: of each kind of choice, those that agree least."""
    kept = measured.tables["reason_stability"].sort_values(["differs", "same"], kind="stable")
    if len(kept) > SHOWN_PAIRS:
        kept = kept.groupby("differs", sort=False).head(SHOWN_PAIRS // kept["differs"].nunique())
    draw = partial(plots.draw_reason_stability, kept, [_pair_label(line) for line in kept.to_dict("records")])
    canvas = panels([("", draw)], size=(8.6, 0.32 * len(kept) + 1.3), legend_columns=7)
    canvas.axes[0].set_xlabel(f"share of those {context.case.schema.target.flagged}, or of their reasons")
    return canvas


def _pair_label(line: dict[str, Any]) -> str:
    if line["differs"] == "background":
        return f"background: {line['model']}, {method_label(line['method'])}"
    if line["differs"] == "method":
        pair = f"{method_label(line['one'])} / {method_label(line['other'])}"
        return f"method: {pair}, {line['model']}, {line['background']}"
    return f"model: {line['one']} / {line['other']}, {method_label(line['method'])}, {line['background']}"
