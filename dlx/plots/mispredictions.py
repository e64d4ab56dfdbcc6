"""Draws where a model is wrong, what pushed it, what its columns cost, and what a remedy changed."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from dlx.audit.mispredictions.confidence import FALSE_POSITIVE
from dlx.audit.mispredictions.slicing import SIGNIFICANT
from dlx.plots.looks import DOWN, GREY, GRID, INK, UNITS, UP, label_rows, shortened

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

WRAPPED = 62


def draw_slices(table: pd.DataFrame, ax: Axes, *, of: str) -> Axes:
    """Draw how much worse a model is in each slice: a dot with its interval, filled where it was found, a row a slice.

    Parameters
    ----------
    table : DataFrame
        The table of `Slices`: the slices to show.
    ax : Axes
        Where to draw.
    of : str
        What the difference is, in words.
    """
    y = np.arange(len(table))
    found = table["found"].to_numpy(dtype=bool)
    ax.axvline(0, color=GREY, linewidth=1)
    ax.hlines(y, table["low"], table["high"], color=[INK if is_found else GREY for is_found in found], linewidth=1.6)
    for some, face, label in (
        (found, INK, f"found: adjusted p at most {100 * SIGNIFICANT:g} %"),
        (~found, "white", "may be chance"),
    ):
        ax.plot(
            table["difference"][some],
            y[some],
            "o",
            color=INK if face == INK else GREY,
            markerfacecolor=face,
            markersize=6,
            label=label,
        )
    labels = [f"{words} ({rows:,})" for words, rows in zip(table["slice"], table["rows"], strict=True)]
    return label_rows(ax, ["\n".join(textwrap.wrap(label, WRAPPED)) for label in labels], of, fontsize=8)


def draw_pushes(table: pd.DataFrame, ax: Axes, *, most: int = 7) -> Axes:
    """Draw which columns pushed towards errors of one kind: the size with its interval, a row a column, the largest first.

    Red is a push towards more risk, blue one towards less, as everywhere.

    Parameters
    ----------
    table : DataFrame
        `pushes` of one model and kind.
    ax : Axes
        Where to draw.
    most : int
        Columns that are shown.
    """
    largest = np.argsort(-np.abs(table["push"].to_numpy()), kind="stable")[:most]
    unit = UNITS[table["scale"].iloc[0]]
    towards = 1 if table["kind"].iloc[0] == FALSE_POSITIVE else -1
    return _bars(table.iloc[largest], "push", ax, f"push towards the error ({unit})", towards)


def draw_losses(table: pd.DataFrame, ax: Axes, *, most: int = 8) -> Axes:
    """Draw what columns add to the mean loss of one part of the table: the size with its interval, a row a column.

    Parameters
    ----------
    table : DataFrame
        `loss_by_slice` of one part, columns only.
    ax : Axes
        Where to draw.
    most : int
        Columns that are shown, the largest ones.
    """
    largest = np.argsort(-np.abs(table["mean"].to_numpy()), kind="stable")[:most]
    return _bars(table.iloc[largest], "mean", ax, "part of the log loss: below 0 it helps (nats)")


def draw_before_after(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the importance of columns before and after a remedy: two dots with their intervals, a row a column.

    Parameters
    ----------
    table : DataFrame
        The lines of `before_after` that tell of explanations.
    ax : Axes
        Where to draw.
    """
    y = np.arange(len(table))
    ax.hlines(
        y, np.minimum(table["before"], table["after"]), np.maximum(table["before"], table["after"]), color=GRID, linewidth=4
    )
    for name, shift, colour, marker in (("before", -0.14, GREY, "o"), ("after", 0.14, INK, "D")):
        ax.hlines(y + shift, table[f"{name}_low"], table[f"{name}_high"], color=colour, linewidth=1.4)
        ax.plot(table[name], y + shift, marker, color=colour, markersize=5, label=name)
    ax.set_xlim(left=0)
    return label_rows(ax, [shortened(label) for label in table["of"]], table["quantity"].iloc[0])


def _bars(table: pd.DataFrame, size: str, ax: Axes, words: str, more: int = 1) -> Axes:
    y, sizes = np.arange(len(table)), table[size].to_numpy()
    ax.barh(y, sizes, color=[UP if more * one > 0 else DOWN for one in sizes], height=0.6)
    ax.hlines(y, table["low"], table["high"], color=INK, linewidth=1)
    ax.axvline(0, color=GREY, linewidth=1)
    return label_rows(ax, [shortened(label, 30) for label in table["label"]], words)
