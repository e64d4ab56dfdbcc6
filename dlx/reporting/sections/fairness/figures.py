"""The figures of the section."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from dlx import plots
from dlx.audit.fairness.rates import CALIBRATION, ERROR, FALSE_POSITIVE, PREDICTED, SIZE, TRUE_POSITIVE
from dlx.context import RunContext
from dlx.reporting.canvas import canvas_of, legend, panels
from dlx.reporting.sections import Measured
from dlx.reporting.sections.fairness.measure import ALL

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MOST_COLUMNS = 6  # of a gap that are drawn


def favourable_rates(measured: Measured, context: RunContext) -> Canvas:
    """Return the share of each group that is treated as people want to be, or its mean error, a line of axes a partition."""
    about, is_value = measured.about, context.case.schema.target.is_value
    words = f"mean error ({plots.unit_of('value')})" if is_value else f"share {about.word}"
    return _rates(measured, {about.favourable: words}, width=7.6)


def all_rates(measured: Measured, context: RunContext) -> Canvas:
    """Return the rates of each group, or its means: a line of axes a partition, a panel a rate."""
    about = measured.about
    if context.case.schema.target.is_value:
        shown = {ERROR: "mean error", SIZE: "mean absolute error", PREDICTED: "mean prediction"}
    else:
        shown = {about.favourable: f"share {about.word}", TRUE_POSITIVE: "true positive rate"}
        shown |= {FALSE_POSITIVE: "false positive rate", CALIBRATION: "predicted − observed"}
    return _rates(measured, shown, width=10.5)


def _rates(measured: Measured, shown: Mapping[str, str], *, width: float) -> Canvas:
    about, rates = measured.about, measured.tables["fairness_rates"]
    rates = rates[rates["attribute"].isin([by.name for by in about.shown])]
    groups = {by.name: list(rates.loc[rates["attribute"] == by.name, "group"].drop_duplicates()) for by in about.shown}
    heights = [0.6 + 0.27 * len(names) for names in groups.values()]
    height, shape = sum(heights) + 0.7, (len(groups), len(shown))
    canvas, axes = canvas_of(*shape, width=width, height=height, height_ratios=heights, sharex="col")
    for by, line in zip(about.shown, axes, strict=True):
        own, names = rates[rates["attribute"] == by.name], groups[by.name]
        for ax, (rate, words) in zip(line, shown.items(), strict=True):
            plots.draw_group_rates(own[own["rate"] == rate], names, about.models, ax, of=words)
            ax.set_yticklabels([])
            if rate in (CALIBRATION, ERROR):
                ax.axvline(0, color=plots.GREY, linewidth=0.8)
                ax.locator_params(axis="x", nbins=3)
            elif rate not in (SIZE, PREDICTED):
                ax.set_xlim(-0.03, 1.03)
                ax.set_xticks([0, 0.5, 1])
                plots.percent_axis(ax)
        sizes = own.drop_duplicates("group").set_index("group")
        said = [f"{plots.shortened(name, 34)} ({sizes.loc[name, 'people']:,})" for name in names]
        line[0].set_yticklabels(said, fontsize=8)
        line[0].set_title(by.label)
    if CALIBRATION in shown:
        judged = rates[(rates["rate"] == CALIBRATION) & rates["judged"]]
        reach = 1.08 * float(np.nanmax(np.abs(judged[["low", "high"]].to_numpy()), initial=0.01))
        axes[0, -1].set_xlim(-reach, reach)
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    legend(canvas, axes)
    return canvas


def _gap_columns(measured: Measured, _: RunContext, *, most: int | None = None) -> Canvas:
    """Return what columns make the widest gap of each partition, the widest first: a panel a partition."""
    about, table, parts = measured.about, measured.tables["fairness_gap_columns"], []
    contrasts = [lines for _, lines in table[table["is_widest"]].groupby("attribute", sort=False)]
    for lines in sorted(contrasts, key=lambda lines: -lines.loc[lines["column"] == ALL, "difference"].abs().max())[:most]:
        adding = lines[lines["column"] != ALL]
        sizes = adding["difference"].abs().groupby(adding["column"], sort=False).max()
        columns = [ALL, *sizes.sort_values(ascending=False, kind="stable").index[:MOST_COLUMNS]]
        first, labels = lines.iloc[0], [about.labels[column] for column in columns]
        title = f"{plots.shortened(first['group'], 44)}\n− {plots.shortened(first['against'], 44)}"
        parts.append((title, partial(plots.draw_gap, lines, columns, labels, about.models)))
    canvas = panels(parts, size=(5.2, 2.7), room=(0, 0.6), columns=2, legend_columns=7, title_size=8.5)
    for ax in canvas.axes:
        ax.set_xlabel(f"difference in mean contribution ({', '.join(dict.fromkeys(about.units.values()))})")
    return canvas


gap_columns, gap_columns_of_all = partial(_gap_columns, most=1), _gap_columns
