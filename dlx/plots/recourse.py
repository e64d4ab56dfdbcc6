"""Draws what would change an answer: the columns of counterfactuals, the risk along them, how far reasons hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from dlx.plots.looks import GREY, INK, label_rows, model_looks, shortened

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def draw_recourse(table: pd.DataFrame, labels: Mapping[str, str], ax: Axes) -> Axes:
    """Draw how often a column is part of a counterfactual: a row a column, a dot with its interval a model.

    Parameters
    ----------
    table : DataFrame
        `Recourse.by_column()` of some models, one below the other.
    labels : mapping of str to str
        Name of each column.
    ax : Axes
        Where to draw.
    """
    return _shares(table, "column", labels, ax, "share of people with a counterfactual that changes the column")


def draw_reasons_given(table: pd.DataFrame, ax: Axes, *, of: str) -> Axes:
    """Draw how often each reason is given: a row a reason, a dot with its interval a model.

    Parameters
    ----------
    table : DataFrame
        `model`, `reason`, and the share given it: `estimate`, `low`, `high`.
    ax : Axes
        Where to draw.
    of : str
        What the share is of, for the axis.
    """
    return _shares(table, "reason", {words: shortened(words, 46) for words in table["reason"]}, ax, of)


def _shares(table: pd.DataFrame, by: str, labels: Mapping[str, str], ax: Axes, of: str) -> Axes:
    order = table.groupby(by, sort=False)["estimate"].mean().sort_values(ascending=False, kind="stable").index
    names = ("estimate", "low", "high")
    _dots(table.assign(column=table[by]), list(order), [labels[name] for name in order], ax, names)
    ax.set_xlim(-0.02, 1.02)
    ax.set_xlabel(of)
    ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    return ax


def draw_column_shifts(table: pd.DataFrame, labels: Mapping[str, str], ax: Axes, *, of: str) -> Axes:
    """Draw by how much the risk differs when one column is moved: a row a column and value, a dot with its interval a model.

    Parameters
    ----------
    table : DataFrame
        `column_shifts()` of some models, one below the other.
    labels : mapping of str to str
        Name of each column.
    ax : Axes
        Where to draw.
    of : str
        What the risk is, for the axis.
    """
    table = table.assign(row=table["column"] + "\n" + table["to"])
    order = table.groupby("row", sort=False)["change"].mean().sort_values(kind="stable").index
    shown = [shortened(f"{labels[name.split(chr(10))[0]]}: {name.split(chr(10))[1]}", 46) for name in order]
    scaled = table.assign(**{name: 100 * table[name] for name in ("change", "low", "high")}, column=table["row"])
    ax.axvline(0, color=GREY, linewidth=0.9)
    _dots(scaled, list(order), shown, ax, ("change", "low", "high"))
    ax.set_xlabel(f"difference of the {of}, percentage points")
    return ax


def draw_reason_stability(table: pd.DataFrame, labels: list[str], ax: Axes) -> Axes:
    """Draw how far pairs of sources give the same reasons: the share with the same set, and the mean overlap.

    Parameters
    ----------
    table : DataFrame
        Lines of `reason_stability()`.
    labels : list of str
        Name of each line.
    ax : Axes
        Where to draw.
    """
    y = np.arange(len(table))
    ax.plot(table["chance"], y, "|", color=INK, markersize=11, label="overlap by chance")
    for measure, label, colour, marker in (
        ("overlap", "reasons in common", INK, "o"),
        ("same", "the very same set", GREY, "s"),
    ):
        ax.hlines(y, table[f"{measure}_low"], table[f"{measure}_high"], color=colour, linewidth=1.4)
        ax.plot(table[measure], y, marker, color=colour, markersize=5.5, label=label)
    ax.set_xlim(0, 1.02)
    ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    return label_rows(ax, labels, "")


def _dots(table: pd.DataFrame, rows: list[str], shown: list[str], ax: Axes, names: tuple[str, str, str]) -> None:
    models = list(dict.fromkeys(table["model"]))
    looks = model_looks(models)
    for which, model in enumerate(models):
        some = table[table["model"] == model]
        y = np.array([rows.index(name) for name in some["column"]]) + 0.22 * (which - (len(models) - 1) / 2)
        colour, marker = looks[model]
        ax.hlines(y, some[names[1]], some[names[2]], color=colour, linewidth=1.4)
        ax.plot(some[names[0]], y, marker, color=colour, markersize=5, label=model)
    label_rows(ax, shown, "", grid="both")
