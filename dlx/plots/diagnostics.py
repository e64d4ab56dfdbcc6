"""Draws what is known of the explanations themselves: noise, causes, distance to the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlx.plots.looks import DOWN, GREY, INK, UP, label_rows, method_label, method_looks, percent_axis, signed, unit_of
from dlx.rounding import rounded

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

BAND = "#dbe7f1"


def draw_noise(table: pd.DataFrame, labels: Sequence[str], ax: Axes, *, retrained: Sequence[float] | None = None) -> Axes:
    """Draw how far pairs agree between chance and the noise floor (`against_noise` of one metric and source), a row each.

    `retrained` is what the noisier method of each pair reaches when the model is trained with another seed.
    """
    y = np.arange(len(table))
    chance, floor = table["chance"].to_numpy(), table["floor"].to_numpy()
    ax.barh(y, floor - chance, left=chance, height=0.62, color=BAND, label="between chance and noise floor")
    ax.hlines(y, table["floor_low"], table["floor_high"], color=GREY, linewidth=1.0)
    ax.plot(floor, y, "|", color=INK, markersize=11, label="noise floor: another background")
    if retrained is not None:
        ax.plot(retrained, y, "x", color=GREY, markersize=5, label="the same method, the model trained with another seed")
    ax.hlines(y, table["low"], table["high"], color=INK, linewidth=1.6)
    ax.plot(table["mean"], y, "o", color=INK, markersize=5.5, label="the two methods")
    ax.set_xlim(right=1.02)
    return label_rows(ax, labels, "share of the top columns that both name", grid=None)


def draw_distances(table: pd.DataFrame, rows: Sequence[str], labels: Sequence[str], ax: Axes, *, of: str) -> Axes:
    """Draw one measure of `distance_to_truth`, the mean with its interval: a row a model and method, which decides the marker.

    `rows` are the methods, `labels` the names of the rows, `of` what is measured, in words.
    """
    y = np.arange(len(table))
    looks = method_looks(rows)
    ax.hlines(y, table["low"], table["high"], color=GREY, linewidth=1.4)
    for place, (method, mean) in enumerate(zip(rows, table["mean"], strict=True)):
        ax.plot(mean, place, looks[method].marker, color=looks[method].colour, markersize=5.5)
    return label_rows(ax, labels, of, grid="both")


def draw_causes(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw what a distance between two methods is made of (`Disagreement.to_frame` of one measure), cause by cause."""
    parts = table["part"].to_numpy()
    whole = float(table["naive"].iloc[0])
    ends = whole - np.cumsum(parts[:-1])
    starts = np.r_[whole, ends[:-1]] if len(ends) else np.zeros(0)
    y = np.arange(len(parts) + 1)
    ax.barh(0, whole, color=GREY, height=0.62)
    ax.barh(y[1:-1], starts - ends, left=ends, color=[DOWN if part >= 0 else UP for part in parts[:-1]], height=0.62)
    ax.barh(y[-1], parts[-1], color=GREY, height=0.62)
    below, above = (table["high"] - table["part"])[:-1], (table["part"] - table["low"])[:-1]
    ax.hlines(y[1:-1], ends - below, ends + above, color=INK, linewidth=0.9)
    ax.hlines(y[-1], table["low"].iloc[-1], table["high"].iloc[-1], color=INK, linewidth=0.9)
    beside = [whole, *np.maximum.reduce([starts, ends, ends + above]), max(parts[-1], table["high"].iloc[-1])]
    for place, (end, text) in enumerate(zip(beside, [whole, *parts], strict=True)):
        shown = signed(-float(text), 1, 100) if 0 < place < len(parts) else rounded(float(text), 1, 100)
        ax.annotate(shown, (end, place), xytext=(5, 0), textcoords="offset points", va="center", fontsize=7)
    ax.set_xlim(0, 1.22 * max(whole, parts[-1], 0.01))
    percent_axis(ax)
    return label_rows(ax, ["as the libraries come", *table["what"]], "", grid=None)


def draw_components(table: pd.DataFrame, people: pd.DataFrame, ax: Axes, *, seed: int = 0) -> Axes:
    """Draw the size of each of `VarianceComponents.components`, and that of every person (`by_person`) as a pale dot.

    Negative components are shown as 0; `seed` is that of the jitter that keeps dots apart.
    """
    rng = np.random.default_rng(seed)
    for place, name in enumerate(table["component"]):
        dots = np.sqrt(np.maximum(people[name].to_numpy(), 0.0))
        jitter = place + rng.uniform(-0.22, 0.22, len(dots))
        ax.plot(dots, jitter, "o", color=GREY, alpha=0.35, markersize=3.5, markeredgewidth=0)
    y = np.arange(len(table))
    ax.hlines(y, table["size_low"], table["size_high"], color=INK, linewidth=1.8)
    ax.plot(table["size"], y, "D", color=INK, markersize=6)
    labels = [f"{what} ({rounded(float(share), 0, 100)} %)" for what, share in zip(table["what"], table["share"], strict=True)]
    ax.set_xlim(left=0)
    return label_rows(ax, labels, f"standard deviation of the contributions ({unit_of(table['scale'].iloc[0])})")


def draw_sanity(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw how far explanations still agree with a net's own as its layers are randomised (`sanity_check`), a line a method."""
    looks = method_looks(list(map(str, table["method"].unique())))
    for method, some in table.groupby("method", sort=False):
        x, y = np.r_[0, some["layers_random"]], np.r_[1.0, some["feature_agreement"]]
        colour, marker = looks[str(method)]
        ax.plot(x, y, marker + "-", color=colour, markersize=4.5, linewidth=1.4, label=method_label(str(method)))
    ax.axhline(table["chance"].iloc[0], color=GREY, linestyle=":", linewidth=1, label="by chance")
    ax.set_ylim(0, 1.03)
    ax.set_xticks(range(int(table["layers_random"].max()) + 1))
    ax.set_xlabel("layers made random, from the last")
    ax.set_ylabel("share of the top columns that stay")
    return ax
