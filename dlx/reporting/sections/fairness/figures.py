"""The figures of the section."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from dlx import plots
from dlx.audit.fairness.rates import CALIBRATION, FALSE_POSITIVE, TRUE_POSITIVE
from dlx.context import RunContext
from dlx.reporting.canvas import canvas_of, legend
from dlx.reporting.sections import Measured
from dlx.reporting.sections.fairness.measure import ALL

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MOST_COLUMNS = 6  # of a gap that are drawn


def favourable_rates(measured: Measured, context: RunContext) -> Canvas:
    """Return the share of each group that is treated as people want to be, a line of axes a partition."""
    del context
    about = measured.about
    return _rates(measured, {about.favourable: f"share {about.word}"}, width=7.6)


def all_rates(measured: Measured, context: RunContext) -> Canvas:
    """Return the rates of each group: a line of axes a partition, a panel a rate."""
    del context
    about = measured.about
    panels = {about.favourable: f"share {about.word}", TRUE_POSITIVE: "true positive rate"}
    return _rates(measured, panels | {FALSE_POSITIVE: "false positive rate", CALIBRATION: "predicted − observed"}, width=10.5)


def _rates(measured: Measured, panels: Mapping[str, str], *, width: float) -> Canvas:
    about, rates = measured.about, measured.tables["fairness_rates"]
    of_each = [rates[rates["attribute"] == by.name] for by in about.shown]
    groups = [list(own["group"].drop_duplicates()) for own in of_each]
    heights = [0.6 + 0.27 * len(names) for names in groups]
    canvas, axes = canvas_of(
        len(groups), len(panels), width=width, height=sum(heights) + 0.7, height_ratios=heights, sharex="col"
    )
    for by, own, names, line in zip(about.shown, of_each, groups, axes, strict=True):
        for ax, (rate, words) in zip(line, panels.items(), strict=True):
            plots.draw_group_rates(own[own["rate"] == rate], names, about.models, ax, of=words)
            ax.set_yticklabels([])
            if rate == CALIBRATION:
                ax.axvline(0, color=plots.GREY, linewidth=0.8)
                ax.locator_params(axis="x", nbins=3)
            else:
                ax.set_xlim(-0.03, 1.03)
                ax.set_xticks([0, 0.5, 1])
        sizes = own.drop_duplicates("group").set_index("group")
        said = [f"{plots.shortened(name, 34)} ({sizes.loc[name, 'people']:,})" for name in names]
        line[0].set_yticklabels(said, fontsize=8)
        line[0].set_title(by.label)
    if CALIBRATION in panels:
        judged = rates[
            (rates["rate"] == CALIBRATION) & rates["judged"] & rates["attribute"].isin([by.name for by in about.shown])
        ]
        reach = 1.08 * float(np.nanmax(np.abs(judged[["low", "high"]].to_numpy()), initial=0.01))
        axes[0, -1].set_xlim(-reach, reach)
    for ax in axes[:-1].flat:
        ax.set_xlabel("")
    legend(canvas, axes)
    return canvas


def _gap_columns(measured: Measured, context: RunContext, *, most: int | None = None) -> Canvas:
    """Return what columns make the widest gap of each partition, the widest first: a panel a partition."""
    del context
    about, table = measured.about, measured.tables["fairness_gap_columns"]
    contrasts = [lines for _, lines in table[table["is_widest"]].groupby("attribute", sort=False)]
    contrasts = sorted(contrasts, key=lambda lines: -lines.loc[lines["column"] == ALL, "difference"].abs().max())[:most]
    across = min(2, len(contrasts))
    down = -(-len(contrasts) // across)
    canvas, axes = canvas_of(down, across, width=5.2 * across, height=0.6 + 2.7 * down)
    for ax, lines in zip(axes.flat, contrasts, strict=False):
        columns = [ALL, *_largest(lines)]
        plots.draw_gap(lines, columns, [about.labels[column] for column in columns], about.models, ax)
        first = lines.iloc[0]
        ax.set_title(f"{plots.shortened(first['group'], 44)}\n− {plots.shortened(first['against'], 44)}", fontsize=8.5)
        ax.set_xlabel(f"difference in mean contribution ({', '.join(dict.fromkeys(about.units.values()))})")
    legend(canvas, axes)
    return canvas


gap_columns, gap_columns_of_all = partial(_gap_columns, most=1), _gap_columns


def _largest(lines: pd.DataFrame) -> list[str]:
    """Return the columns that add most to a gap under any model."""
    parts = lines[lines["column"] != ALL]
    sizes = parts.assign(size=parts["difference"].abs()).groupby("column", sort=False)["size"].max()
    return list(sizes.sort_values(ascending=False, kind="stable").index[:MOST_COLUMNS])
