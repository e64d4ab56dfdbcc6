"""Draws explanations, and what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.errors import plural
from dlx.plots.looks import (
    DOWN,
    GREY,
    GRID,
    INK,
    UP,
    decimals_of_values,
    heat_map,
    label_rows,
    method_label,
    method_looks,
    model_looks,
    shortened,
    signed,
    unit_of,
)
from dlx.rounding import rounded
from dlx.schema import Feature

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from dlx.comparison import Contrast
    from dlx.effects.shap_interactions import Interactions
    from dlx.explanation import Explanation


HIGH, PALEST = "Greens", 0.3  # of a column's values, the darker the higher; red and blue are more and less risk


def draw_importance(table: pd.DataFrame, features: Sequence[str], ax: Axes) -> Axes:
    """Draw the mean absolute contribution of some features of one model (`Comparison.importance`), a marker a method."""
    places = {name: place for place, name in enumerate(features)}
    labels = table.drop_duplicates("feature").set_index("feature")["label"]
    methods = list(table["method"].unique())
    looks = method_looks(methods)
    for offset, (method, some) in zip(_spread(len(methods)), table.groupby("method", sort=False), strict=True):
        some = some[some["feature"].isin(places)]
        y = some["feature"].map(places).to_numpy(dtype=float) + offset
        colour, marker = looks[str(method)]
        ax.hlines(y, 0, some["importance"], color=colour, alpha=0.35, linewidth=1.2)
        ax.plot(some["importance"], y, marker, color=colour, markersize=4.5, label=method_label(str(method)))
    ax.set_xlim(left=0)
    words = f"mean size of the contribution ({unit_of(table['scale'].iloc[0])})"
    return label_rows(ax, [shortened(labels[name]) for name in features], words)


def draw_beeswarm(explanation: Explanation, features: Sequence[str], ax: Axes, *, seed: int = 0) -> Axes:
    """Draw one dot a person and feature: contribution across, dots stacked where many, value from blue (low) to red (high).

    Missing values are grey; unordered categories are too, since they have no low and high.
    """
    for place, name in enumerate(features):
        i = explanation.schema.position(name)
        x, colours = explanation.values[:, i], _value_colours(explanation.schema.features[i], explanation.rows[:, i])
        y = place + _swarm(x, np.ptp(explanation.values), seed)
        ax.scatter(x, y, s=9, c=colours, linewidths=0, alpha=0.85, rasterized=True)
    ax.axvline(0, color=GREY, linewidth=0.8, zorder=0)
    labels = [shortened(explanation.schema[name].label) for name in features]
    return label_rows(ax, labels, f"contribution ({unit_of(explanation.scale)})", grid=None)


def draw_matrix(values: np.ndarray, labels: Sequence[str], ax: Axes, *, low: float) -> Axes:
    """Draw a symmetric matrix of shares [n, n] as a heat map with its numbers, as on the page, ".78".

    `low` is the palest colour, for example chance.
    """
    texts = [[rounded(float(value), 2).removeprefix("0") for value in line] for line in values]
    return heat_map((values - low) / max(1 - low, 1e-12), texts, labels, labels, ax)


def draw_interactions(interactions: Interactions, features: Sequence[str], ax: Axes) -> Axes:
    """Draw how strongly some features interact, a heat map: mean absolute values, with main effects on the diagonal.

    The colours end at the strongest interaction, since main effects are often larger by far.
    """
    named = [interactions.schema.position(name) for name in features]
    strength = interactions.strength[np.ix_(named, named)]
    between = strength[~np.eye(len(named), dtype=bool)]
    high = float(between.max(initial=0.0)) or float(strength.max(initial=0.0))
    digits = int(np.clip(1 - np.floor(np.log10(high)), 2, 6)) if high > 0 else 2  # of the strongest, two that tell
    labels = [shortened(interactions.schema.features[i].label) for i in named]
    heat_map(
        strength / max(high, 1e-12), [[rounded(float(size), digits) for size in line] for line in strength], labels, labels, ax
    )
    ax.set_xlabel(f"mean size of the interaction, on the diagonal of the main effect ({unit_of(interactions.scale)})")
    return ax


def draw_contributions(
    explanations: Sequence[Explanation],
    row: int,
    features: Sequence[str],
    ax: Axes,
    *,
    labels: Sequence[str],
    counting: Sequence[bool],
) -> Axes:
    """Draw what several methods say of one person, a marker each, on one axis; bars are the mean of those that count.

    Parameters
    ----------
    explanations : sequence of Explanation
        On one scale; markers of another model than the first are hollow.
    row : int
        Position of the person.
    features : sequence of str
        Names of the features that get a line of their own, the top one first; the others are summed.
    ax : Axes
        Where to draw.
    labels, counting : sequence of str, of bool
        What the legend calls each explanation, and whether it counts.
    """
    first, (lines, values) = explanations[0], _lines_of(explanations, row, features)
    y = np.arange(len(lines))
    if any(counting):
        mean = values[np.array(counting)].mean(axis=0)
        ax.barh(y, mean, color=[UP if size > 0 else DOWN for size in mean], height=0.46, alpha=0.28)
    methods, models = method_looks([one.method for one in explanations]), model_looks([one.model for one in explanations])
    for one, sizes, label, shift in zip(explanations, values, labels, 0.7 * _spread(len(explanations)), strict=True):
        is_first = one.model == first.model
        look = methods[one.method] if is_first else models[one.model]
        face = look.colour if is_first else "white"
        ax.plot(sizes, y + shift, look.marker, color=look.colour, markerfacecolor=face, markersize=4.5, label=label)
    for place, line in enumerate(lines):  # above its bar: beside it, half of a narrow figure would be words
        paper = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.4}
        ax.text(0, place - 0.4, shortened(line, 50), transform=ax.get_yaxis_transform(), va="center", fontsize=8, bbox=paper)
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_ylim(len(lines) - 0.6, -0.7)
    ax.set_xlabel(f"contribution ({unit_of(first.scale)})")
    ax.grid(axis="x", color=GRID, linewidth=0.7)
    ax.set_axisbelow(True)
    return ax


def _lines_of(explanations: Sequence[Explanation], row: int, features: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Return what a person has in some features, one line for the others, and the contributions [explanations, lines]."""
    schema, rows = explanations[0].schema, explanations[0].rows
    named = [schema.position(name) for name in features]
    lines = [f"{schema.features[i].label}: {schema.features[i].format(rows[row, i])}" for i in named]
    if others := len(schema) - len(named):
        lines.append(plural(others, "other column"))
    values = np.array([[*one.values[row, named], np.delete(one.values[row], named).sum()] for one in explanations])
    return lines, values[:, : len(lines)]


def draw_waterfall(explanation: Explanation, row: int, features: Sequence[str], ax: Axes) -> Axes:
    """Draw the way from the base value to one person's prediction, a step a feature, the others in one."""
    labels, (steps,) = _lines_of([explanation], row, features)
    start = float(explanation.base_values[row])
    levels, y, digits = start + np.cumsum([0.0, *steps]), np.arange(1, len(steps) + 1), decimals_of_values(2)
    ax.barh(y, steps, left=levels[:-1], color=[UP if step > 0 else DOWN for step in steps], height=0.56)
    ax.vlines(levels, np.arange(len(levels)), np.arange(len(levels)) + 1, color=GREY, linewidth=0.8)
    ax.plot(levels[[0, -1]], [0, len(levels)], "D", color=INK, markersize=5)
    room = 0.02 * (float(np.ptp(levels)) or 1.0)
    for place, step, before in zip(y.tolist(), steps, levels[:-1], strict=True):
        ax.text(max(before, before + step) + room, place, signed(step, digits), va="center", fontsize=8)
    for place, level in ((0, levels[0]), (len(levels), levels[-1])):
        ax.text(
            level + room, place, rounded(float(level), digits).replace("-", "−"), va="center", fontsize=8, fontweight="bold"
        )
    ends = min(levels) - 2 * room, max(levels) + 9 * room  # with room for the numbers
    ax.set_xlim(*ends)
    labels = ["the background's mean prediction", *map(shortened, labels), "the prediction"]
    return label_rows(ax, labels, unit_of(explanation.scale))


def draw_contrast(contrast: Contrast, row: int, features: Sequence[str], ax: Axes) -> Axes:
    """Draw which features make two models differ about one person: both contributions and their difference."""
    schema = contrast.a.schema
    named = [schema.position(name) for name in features]
    y = np.arange(len(named))
    difference = contrast.values[row, named]
    ax.barh(y, difference, color=[UP if d > 0 else DOWN for d in difference], height=0.55, alpha=0.55)
    looks = model_looks([contrast.a.model, contrast.b.model])
    for explanation in (contrast.a, contrast.b):
        look = looks[explanation.model]
        ax.plot(explanation.values[row, named], y, look.marker, color=look.colour, markersize=5, label=explanation.model)
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.legend(frameon=False, fontsize=8, loc="best")
    words = f"contribution, and difference as a bar ({unit_of(contrast.a.scale)})"
    return label_rows(ax, [shortened(schema.features[i].label) for i in named], words, grid=None)


def _spread(count: int) -> np.ndarray:
    return (np.arange(count) - (count - 1) / 2) * min(0.14, 0.7 / max(count, 1))


def _swarm(x: np.ndarray, spread: float, seed: int) -> np.ndarray:
    """Return offsets that stack dots of nearly the same x, alternating above and below."""
    order = np.random.default_rng(seed).permutation(len(x))
    bins = np.round((x - x.min()) / max(spread, 1e-12) * 120).astype(int)
    offsets = np.zeros(len(x))
    filled: dict[int, int] = {}
    for i in order:
        count = filled[bins[i]] = filled.get(bins[i], -1) + 1
        offsets[i] = (-1) ** count * ((count + 1) // 2)
    return 0.38 * offsets / max(np.abs(offsets).max(), 8)


def _value_colours(feature: Feature, column: np.ndarray) -> Any:
    import matplotlib as mpl
    from scipy.stats import rankdata

    colours = np.tile(np.array(mpl.colors.to_rgba(GREY)), (len(column), 1))
    known = ~np.isnan(feature.numbers(column))
    if known.any() and (feature.ordered or not feature.is_categorical):
        ranks = rankdata(column[known])
        place = (ranks - ranks.min()) / max(np.ptp(ranks), 1e-12)
        colours[known] = mpl.colormaps[HIGH](PALEST + (1 - PALEST) * place)
    return colours
