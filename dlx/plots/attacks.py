"""Draws how explanations are fooled: what defences measure, and how much of what methods evaluate is unreal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlx.plots.looks import GREY, INK, UP

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

BAND = "#f6e3e1"


def draw_detections(table: pd.DataFrame, ax: Axes, *, of: str) -> Axes:
    """Draw one defence's statistic: a row a model with its interval, and the side of the limit on which attacks are found.

    Parameters
    ----------
    table : DataFrame
        `Fooled.detections` of one defence, with a `label` each.
    ax : Axes
        Where to draw.
    of : str
        What is measured, in words.
    """
    y, limit, is_above = np.arange(len(table)), float(table["limit"].iloc[0]), table["found"].iloc[0] == "above"
    low_end = min(0.0, float(table["low"].min())) - 0.03
    ax.axvspan(limit if is_above else low_end, 1.03 if is_above else limit, color=BAND, label="attack found")
    ax.axvline(limit, color=GREY, linewidth=0.9, linestyle="--")
    for is_attacked, colour, marker, words in ((True, UP, "X", "attacked model"), (False, INK, "o", "audited model")):
        some = np.flatnonzero(table["is_attacked"] == is_attacked)
        ax.hlines(some, table["low"].iloc[some], table["high"].iloc[some], color=colour, linewidth=1.6)
        ax.plot(table["estimate"].iloc[some], some, marker, color=colour, markersize=6, label=words)
    ax.set_yticks(y, list(table["label"]))
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.set_xlim(low_end, 1.03)
    ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %".replace("-", "−"))
    ax.set_xlabel(of)
    return ax


def draw_off_manifold(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw how much of what each method evaluates could not be real: a bar a kind with its interval, real people first.

    Parameters
    ----------
    table : DataFrame
        `off_manifold_shares`.
    ax : Axes
        Where to draw.
    """
    y = np.arange(len(table))
    ax.barh(y, table["off_manifold"], height=0.62, color=[GREY, *[UP] * (len(table) - 1)])
    ax.hlines(y, table["low"], table["high"], color=INK, linewidth=1.2)
    ax.set_yticks(y, list(table["what"]))
    ax.set_ylim(len(table) - 0.4, -0.6)
    ax.set_xlim(0, 1.02)
    ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    ax.set_xlabel("share of what is evaluated that could not be a real person")
    return ax
