"""Draws explanations, what they have in common, and effects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.errors import plural
from dlx.plots.looks import DOWN, GREY, INK, UNITS, UP, label_rows, method_looks, model_looks, shortened, signed
from dlx.rounding import rounded
from dlx.schema import Feature

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from dlx.comparison import Contrast
    from dlx.effects.partial import PartialDependence
    from dlx.effects.shap_interactions import Interactions
    from dlx.explanation import Explanation


HIGH, PALEST = "Greens", 0.3  # of a column's values, the darker the higher; red and blue are more and less risk


def draw_importance(table: pd.DataFrame, features: Sequence[str], ax: Axes, *, colours: dict[str, str] | None = None) -> Axes:
    """Draw mean |contribution| of some features, one row each, one marker a method.

    Parameters
    ----------
    table : DataFrame
        `Comparison.importance()` of one model.
    features : sequence of str
        Names of the features, the top one first.
    ax : Axes
        Where to draw.
    colours : dict of str to str, optional
        Colour of each method; by default the one that it has in every figure.
    """
    places = {name: place for place, name in enumerate(features)}
    labels = table.drop_duplicates("feature").set_index("feature")["label"]
    methods = list(table["method"].unique())
    looks = method_looks(methods)
    for offset, (method, some) in zip(_spread(len(methods)), table.groupby("method", sort=False), strict=True):
        some = some[some["feature"].isin(places)]
        y = some["feature"].map(places).to_numpy(dtype=float) + offset
        colour = looks[str(method)].colour if colours is None else colours[str(method)]
        ax.hlines(y, 0, some["importance"], color=colour, alpha=0.35, linewidth=1.2)
        ax.plot(some["importance"], y, looks[str(method)].marker, color=colour, markersize=4.5, label=str(method))
    ax.set_xlim(left=0)
    words = f"mean size of the contribution ({UNITS[table['scale'].iloc[0]]})"
    return label_rows(ax, [shortened(labels[name]) for name in features], words)


def draw_beeswarm(explanation: Explanation, features: Sequence[str], ax: Axes, *, seed: int = 0) -> Axes:
    """Draw one dot a person and feature: contribution across, dots stacked where many, value from blue (low) to red (high).

    Missing values are grey; unordered categories are too, since they have no low and high.
    """
    for place, name in enumerate(features):
        position = explanation.schema.position(name)
        x = explanation.values[:, position]
        y = place + _swarm(x, np.ptp(explanation.values), seed)
        ax.scatter(
            x,
            y,
            s=9,
            c=_value_colours(explanation.schema.features[position], explanation.rows[:, position]),
            linewidths=0,
            alpha=0.85,
            rasterized=True,
        )
    ax.axvline(0, color=GREY, linewidth=0.8, zorder=0)
    ax.set_yticks(range(len(features)), [shortened(explanation.schema[name].label) for name in features])
    ax.set_ylim(len(features) - 0.4, -0.6)
    ax.set_xlabel(f"contribution ({UNITS[explanation.scale]})")
    return ax


def draw_matrix(
    values: np.ndarray,
    labels: Sequence[str],
    ax: Axes,
    *,
    low: float,
    high: float = 1.0,
    digits: int = 2,
    of_shares: bool = True,
) -> Axes:
    """Draw a symmetric matrix [n, n] as a heat map with its numbers; `low` is the palest colour, for example chance.

    Shares are written as on the page, ".78".
    """
    ax.imshow(np.clip(values, low, high), vmin=low, vmax=high, cmap="Blues", aspect="equal")
    for i, j in np.ndindex(*values.shape):
        dark = (values[i, j] - low) / max(high - low, 1e-12) > 0.6
        text = rounded(float(values[i, j]), digits)
        text = text.removeprefix("0") if of_shares else text
        ax.text(j, i, text, ha="center", va="center", color="white" if dark else INK, fontsize=8)
    ax.set_xticks(range(len(labels)), labels, rotation=35, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(labels)), labels)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def draw_interactions(interactions: Interactions, features: Sequence[str], ax: Axes) -> Axes:
    """Draw how strongly some features interact, a heat map: mean |interaction|, with main effects on the diagonal.

    The colours end at the strongest interaction, since main effects are often larger by far.

    Parameters
    ----------
    interactions : Interactions
        `dlx.effects.interactions` of one model.
    features : sequence of str
        Names of the features, the top one first.
    ax : Axes
        Where to draw.
    """
    named = [interactions.schema.position(name) for name in features]
    strength = interactions.strength[np.ix_(named, named)]
    between = strength[~np.eye(len(named), dtype=bool)]
    high = float(between.max(initial=0.0)) or float(strength.max(initial=0.0))
    digits = int(np.clip(1 - np.floor(np.log10(high)), 2, 6)) if high > 0 else 2  # of the strongest, two that tell
    labels = [shortened(interactions.schema.features[i].label) for i in named]
    draw_matrix(strength, labels, ax, low=0.0, high=high, digits=digits, of_shares=False)
    ax.set_xlabel(f"mean size of the interaction, on the diagonal of the main effect ({UNITS[interactions.scale]})")
    return ax


def draw_waterfall(explanation: Explanation, row: int, features: Sequence[str], ax: Axes, *, residual: bool = True) -> Axes:
    """Draw how one person's output is reached: from the base value, feature by feature, the rest, and what is left over.

    Parameters
    ----------
    explanation : Explanation
        One method of one model.
    row : int
        Position of the person.
    features : sequence of str
        The features that get a bar of their own, the top one first; the others are summed.
    ax : Axes
        Where to draw.
    residual : bool
        Whether what the contributions leave out gets a bar.
    """
    named = [explanation.schema.position(name) for name in features]
    values = explanation.values[row]
    rest = values.sum() - values[named].sum()
    steps = [*values[named], rest, explanation.residuals[row]]
    labels = [shortened(explanation.schema.features[i].label) for i in named]
    labels += [plural(len(values) - len(named), "other column"), "not accounted for"]
    if not residual:
        steps, labels = steps[:-1], labels[:-1]
    ends = explanation.base_values[row] + np.cumsum(steps)
    starts = np.r_[explanation.base_values[row], ends[:-1]]
    colours = [
        GREY if label == "not accounted for" else UP if step > 0 else DOWN for step, label in zip(steps, labels, strict=True)
    ]
    ax.barh(range(len(steps)), steps, left=starts, color=colours, height=0.62)
    ax.vlines(ends[:-1], np.arange(len(steps) - 1) - 0.31, np.arange(len(steps) - 1) + 1.31, color=GREY, linewidth=0.6)
    ax.axvline(explanation.base_values[row], color=GREY, linewidth=0.8, linestyle=":")
    ax.axvline(explanation.outputs[row], color=INK, linewidth=0.9)
    for i, (start, end, step) in enumerate(zip(starts, ends, steps, strict=True)):
        ax.annotate(
            signed(float(step), 2),
            (max(start, end), i),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.4},
        )
    ax.set_yticks(range(len(steps)), labels)
    ax.set_ylim(len(steps) - 0.4, -0.6)
    ax.set_xlabel(UNITS[explanation.scale])
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
        The features that get a line of their own, the top one first; the others are summed.
    ax : Axes
        Where to draw.
    labels : sequence of str
        What the legend calls each.
    counting : sequence of bool
        Of which the bars are the mean.
    """
    schema, first = explanations[0].schema, explanations[0]
    named = [schema.position(name) for name in features]
    lines = [f"{schema.features[i].label}: {schema.features[i].format(first.rows[row, i])}" for i in named]
    values = np.array([[*one.values[row, named], np.delete(one.values[row], named).sum()] for one in explanations])
    if others := len(schema) - len(named):
        lines.append(plural(others, "other column"))
    y, values = np.arange(len(lines)), values[:, : len(lines)]
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
    ax.set_xlabel(f"contribution ({UNITS[first.scale]})")
    ax.grid(axis="x", color="#e4e7eb", linewidth=0.7)
    ax.set_axisbelow(True)
    return ax


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
    ax.set_yticks(y, [shortened(schema.features[i].label) for i in named])
    ax.set_ylim(len(named) - 0.4, -0.6)
    ax.set_xlabel(f"contribution, and difference as a bar ({UNITS[contrast.a.scale]})")
    ax.legend(frameon=False, fontsize=8, loc="best")
    return ax


def draw_partial_dependence(
    curves: Sequence[PartialDependence],
    ax: Axes,
    *,
    observed: np.ndarray | None = None,
    limits: tuple[float, float] | None = None,
) -> Axes:
    """Draw the mean output over a column's values, one line a model; a rug shows where the people are.

    Parameters
    ----------
    curves : sequence of PartialDependence
        Of one column.
    ax : Axes
        Where to draw.
    observed : ndarray [rows], optional
        The people's values.
    limits : pair of float, optional
        Ends of the axis of the output, to share it with other columns.
    """
    feature, looks = curves[0].feature, model_looks([curve.model for curve in curves])
    for curve in curves:
        colour, marker = looks[curve.model]
        if feature.is_categorical:
            x, known = np.arange(len(curve.grid)), np.ones(len(curve.grid), dtype=bool)
            ax.plot(curve.mean, x, marker, color=colour, markersize=5, label=curve.model)
        else:
            known = ~np.isnan(curve.grid)
            ax.plot(curve.grid[known], curve.mean[known], color=colour, linewidth=1.8, label=curve.model)
            if not known.all():
                ax.axhline(curve.mean[~known][0], color=colour, linewidth=1, linestyle=":")
    if feature.is_categorical:
        _label_levels(curves[0], ax)
    else:
        ax.set_xlabel(feature.unit or "value")
        ax.set_ylabel(UNITS[curves[0].scale])
        if observed is not None:
            known_values = observed[~np.isnan(observed)]
            ax.plot(
                known_values,
                np.full(len(known_values), 0.01),
                "|",
                color=GREY,
                markersize=6,
                alpha=0.5,
                transform=ax.get_xaxis_transform(),
                rasterized=True,
            )
    if limits is not None:
        (ax.set_xlim if feature.is_categorical else ax.set_ylim)(*limits)
    ax.set_title(shortened(feature.label, 40))
    return ax


def _label_levels(curve: PartialDependence, ax: Axes) -> None:
    ax.set_yticks(range(len(curve.grid)), [shortened(curve.feature.format(x), 30) for x in curve.grid])
    ax.set_ylim(len(curve.grid) - 0.5, -0.5)
    ax.set_xlabel(UNITS[curve.scale])
    ax.grid(axis="y", color="#e4e7eb", linewidth=0.7)
    ax.set_axisbelow(True)


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
    known = ~np.isnan(column)
    if known.any() and (feature.ordered or not feature.is_categorical):
        ranks = rankdata(column[known])
        place = (ranks - ranks.min()) / max(np.ptp(ranks), 1e-12)
        colours[known] = mpl.colormaps[HIGH](PALEST + (1 - PALEST) * place)
    return colours
