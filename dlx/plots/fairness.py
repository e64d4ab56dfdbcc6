"""Draws how groups are treated, and which columns make the gap between two of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlx.plots.looks import GREY, label_rows, model_looks, shortened

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

SPREAD = 0.5  # of the height of a row, for the marks of several models


def draw_group_rates(table: pd.DataFrame, groups: Sequence[str], models: Sequence[str], ax: Axes, *, of: str) -> Axes:
    """Draw one rate of each group: a row a group, a mark with its interval a model; "too few" where it cannot be judged.

    Parameters
    ----------
    table : DataFrame
        Lines of `GroupRates.to_frame()` of one rate and attribute.
    groups, models : sequence of str
        The rows, and whose marks to draw.
    ax : Axes
        Where to draw.
    of : str
        The rate, in words.
    """
    shifts, looks = _shifts(len(models)), model_looks(models)
    for which, model in enumerate(models):
        lines = table[table["model"] == model].set_index("group").reindex(groups)
        judged = lines["judged"].fillna(False).to_numpy(dtype=bool)
        y, known = np.arange(len(groups)) + shifts[which], lines[judged]
        colour, marker = looks[model]
        ax.hlines(y[judged], known["low"], known["high"], color=colour, linewidth=1.6)
        ax.plot(known["estimate"], y[judged], marker, color=colour, markersize=5, label=model)
        for place in np.flatnonzero(~judged) if which == 0 else ():
            ax.text(0.02, float(place), "too few", color=GREY, fontsize=8, va="center", transform=ax.get_yaxis_transform())
    return label_rows(ax, [shortened(group, 40) for group in groups], of)


def draw_gap(table: pd.DataFrame, columns: Sequence[str], labels: Sequence[str], models: Sequence[str], ax: Axes) -> Axes:
    """Draw what each column adds to the gap between two groups: a bar a column and model, with its interval.

    Parameters
    ----------
    table : DataFrame
        Lines of `explained_gap` of one pair of groups.
    columns, labels : sequence of str
        The columns to draw, from the top, and how people call them.
    models : sequence of str
        Whose bars to draw.
    ax : Axes
        Where to draw.
    """
    shifts, height = _shifts(len(models)), min(0.7, SPREAD * 1.3 / max(len(models) - 1, 1) if len(models) > 1 else 0.6)
    for which, model in enumerate(models):
        lines = table[table["model"] == model].set_index("column").reindex(columns)
        y, colour = np.arange(len(columns)) + shifts[which], model_looks(models)[model].colour
        ax.barh(y, lines["difference"], height=height * 0.75, color=colour, alpha=0.75, label=model)
        ax.hlines(y, lines["low"], lines["high"], color="#1c2530", linewidth=1.0)
    ax.axvline(0, color=GREY, linewidth=0.8)
    return label_rows(ax, [shortened(label, 30) for label in labels], "")


def _shifts(count: int) -> np.ndarray:
    return np.linspace(-SPREAD / 2, SPREAD / 2, count) if count > 1 else np.zeros(1)
