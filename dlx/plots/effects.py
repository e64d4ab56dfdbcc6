"""Draws what a model does as columns change: dependence of two kinds, people one by one, pairs, shuffled columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dlx.effects.accumulated import AccumulatedEffects
from dlx.effects.partial import PairDependence, PartialDependence, gaps, people_at
from dlx.effects.shapes import ShapeFunction
from dlx.plots.looks import COLOURS, GREY, GRID, INK, MORE, Look, label_rows, model_looks, shortened, unit_of
from dlx.schema import Feature

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

NOBODY = "#dfe2e6"
TICKS = 6
DODGE = 0.16
HOLLOW: dict[str, Any] = {"markerfacecolor": "white", "markersize": 5}  # a mark of ALE, or of columns shuffled together
WORSE = {
    "log_loss": "rise of the log loss",
    "auc": "drop of the ROC AUC",
    "absolute_error": "rise of the mean absolute error",
    "squared_error": "rise of the mean squared error",
}
MOST_TICKS = 20_000  # of a rug; of more people, every second or third is drawn


def draw_effects(
    curves: Sequence[PartialDependence],
    ax: Axes,
    *,
    accumulated: Sequence[AccumulatedEffects] = (),
    observed: np.ndarray | None = None,
    limits: tuple[float, float] | None = None,
) -> Axes:
    """Draw partial dependence (solid) and ALE (dashed) of one column, a colour a model; grey where nobody is.

    ALE is moved up to the mean output, so that both read as outputs. A number has a rug of the people and bands of the 95 %
    interval; a level has a dot for each, hollow for ALE, and how many people have it.

    Parameters
    ----------
    curves : sequence of PartialDependence
        Of one column, one a model.
    ax : Axes
        Where to draw.
    accumulated : sequence of AccumulatedEffects
        Of the same column, by some of the models.
    observed : ndarray [rows], optional
        The values of the people on whom the models were trained.
    limits : pair of float, optional
        Ends of the axis of the output, to share it with other columns.
    """
    feature = curves[0].feature
    looks = model_looks([*(curve.model for curve in curves), *(one.model for one in accumulated)])
    (_levels if feature.is_categorical else _numbers)(curves, accumulated, observed, looks, ax)
    if limits is not None:
        (ax.set_xlim if feature.is_categorical else ax.set_ylim)(*limits)
    ax.set_title(shortened(feature.label, 40))
    return ax


def _numbers(
    curves: Sequence[PartialDependence],
    accumulated: Sequence[AccumulatedEffects],
    observed: np.ndarray | None,
    looks: dict[str, Look],
    ax: Axes,
) -> None:
    feature, grid = curves[0].feature, curves[0].grid
    is_number = ~np.isnan(feature.numbers(grid))
    for curve in curves:
        known, colour, (low, high) = is_number, looks[curve.model].colour, curve.interval()
        ax.plot(curve.grid[known], curve.mean[known], color=colour, linewidth=1.8, label=curve.model)
        if np.isnan(curve.grid).any():
            ax.axhline(curve.mean[np.isnan(curve.grid)][0], color=colour, linewidth=1, linestyle=":")
        ax.fill_between(curve.grid[known], low[known], high[known], color=colour, alpha=0.1, linewidth=0)
    for one in accumulated:
        known, height = ~np.isnan(feature.numbers(one.values)), one.effects + one.mean_output
        ax.plot(one.values[known], height[known], "--", color=looks[one.model].colour, linewidth=1.4, label=f"{one.model}, ALE")
    if feature.special:
        _draw_special(curves, accumulated, looks, ax)
    _name_numbers(feature, grid, ax)
    ax.set_ylabel(unit_of(curves[0].scale))
    if observed is not None:
        numbers = feature.numbers(observed)
        rug = np.sort(numbers[~np.isnan(numbers)])
        rug, ground = rug[:: 1 + len(rug) // MOST_TICKS], dict[str, Any](color=GREY, transform=ax.get_xaxis_transform())
        ax.plot(rug, np.full(len(rug), 0.01), "|", markersize=6, alpha=0.5, rasterized=True, **ground)
        for start, end in gaps(numbers):
            ax.axvspan(start, end, color=NOBODY, linewidth=0, zorder=0)


def _draw_special(
    curves: Sequence[PartialDependence], accumulated: Sequence[AccumulatedEffects], looks: dict[str, Look], ax: Axes
) -> None:
    """Draw a dot for each special value beside the numbers, hollow for ALE, with what it means."""
    feature, grid = curves[0].feature, curves[0].grid
    which, places = _beside(feature, grid)
    for curve in curves:
        colour, marker = looks[curve.model]
        ax.plot(places, curve.mean[which], marker, color=colour, markersize=5)
        ax.vlines(places, *curve.interval()[:, which], color=colour, linewidth=1, alpha=0.6)
    for one in accumulated:
        there, (colour, marker) = np.isin(one.values, feature.special_codes), looks[one.model]
        where = places[_places(grid[which], one.values[there]).astype(int)]
        ax.plot(where, one.effects[there] + one.mean_output, marker, color=colour, **HOLLOW)


def _name_numbers(feature: Feature, grid: np.ndarray, ax: Axes) -> None:
    """Name the axis of a number, with dates as dates, and write above each special value of the grid what it means."""
    said: dict[str, Any] = {"rotation": 90, "ha": "right", "va": "top", "fontsize": 7.5, "color": GREY}
    for i, place in zip(*_beside(feature, grid), strict=True):
        ax.text(place, 0.98, shortened(feature.format(grid[i]), 28), transform=ax.get_xaxis_transform(), **said)
    ax.set_xlabel("date" if feature.date else feature.unit or "value")
    if feature.date:
        ax.locator_params(axis="x", nbins=4)
        ax.xaxis.set_major_formatter(lambda day, _: feature.format(round(day)))


def _name_levels(feature: Feature, grid: np.ndarray, ax: Axes, counts: np.ndarray | None = None) -> None:
    """Name the rows of the levels of a grid, the first on top, with how many people have each."""
    names = [textwrap.fill(feature.format(x), 28, max_lines=2, placeholder="…") for x in grid]
    if counts is not None:
        names = [f"{name} ({count:,})" for name, count in zip(names, counts, strict=True)]
    ax.set_yticks(range(len(grid)), names)
    ax.set_ylim(len(grid) - 0.5, -0.5)


def _beside(feature: Feature, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which values of a grid are special, and where these are drawn: to the right of its numbers."""
    numbers = feature.numbers(grid)
    known, which = numbers[~np.isnan(numbers)], np.flatnonzero(np.isin(grid, feature.special_codes))
    step = 0.08 * (float(np.ptp(known)) if len(known) > 1 else 1.0)
    return which, known.max(initial=0.0) + step * np.arange(1, len(which) + 1)


def _levels(
    curves: Sequence[PartialDependence],
    accumulated: Sequence[AccumulatedEffects],
    observed: np.ndarray | None,
    looks: dict[str, Look],
    ax: Axes,
) -> None:
    feature, grid = curves[0].feature, curves[0].grid
    for curve in curves:
        colour, marker = looks[curve.model]
        ax.plot(curve.mean, np.arange(len(grid)), marker, color=colour, markersize=5, label=curve.model)
        ax.hlines(np.arange(len(grid)), *curve.interval(), color=colour, linewidth=1, alpha=0.6)
    for one in accumulated:
        place, effect, (colour, marker) = _places(grid, one.values), one.effects + one.mean_output, looks[one.model]
        ax.plot(effect, place + DODGE, marker, color=colour, label=f"{one.model}, ALE", **HOLLOW)
    counts = curves[0].counts if observed is None else people_at(feature, grid, observed)
    for empty in np.flatnonzero(counts == 0) if counts is not None else ():
        ax.axhspan(empty - 0.5, empty + 0.5, color=NOBODY, linewidth=0, zorder=0)
    _name_levels(feature, grid, ax, counts)
    ax.set_xlabel(unit_of(curves[0].scale))
    ax.grid(axis="y", color=GRID, linewidth=0.7)
    ax.set_axisbelow(True)


def _places(grid: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return where each value is in the grid; NaN, which is not drawn, where it is not there: nobody lacks it."""
    alike = (values[:, None] == grid) | (np.isnan(values)[:, None] & np.isnan(grid))
    return np.where(alike.any(axis=1), alike.argmax(axis=1), np.nan)


def draw_centred_curves(
    curve: PartialDependence, ax: Axes, *, colour: str = COLOURS[0], people: int = 40, seed: int = 0
) -> Axes:
    """Draw how far some people's outputs move from the anchor (centred ICE), and the mean over all people.

    Parameters
    ----------
    curve : PartialDependence
        Of one column and model.
    ax : Axes
        Where to draw.
    colour : str
        Of the model.
    people : int
        How many are drawn, chosen at random.
    seed : int
        Seed of the choice, and of the jitter that keeps dots apart.
    """
    from matplotlib.collections import LineCollection

    rng = np.random.default_rng(seed)
    some, mean = curve.centred[np.sort(rng.permutation(len(curve.curves))[:people])], curve.centred.mean(axis=0)
    if curve.feature.is_categorical:
        places = np.tile(np.arange(len(curve.grid)), (len(some), 1))
        jitter = places + rng.uniform(-0.25, 0.25, places.shape)
        ax.plot(some.ravel(), jitter.ravel(), "o", color=colour, alpha=0.2, markersize=3, markeredgewidth=0, rasterized=True)
        ax.plot(mean, places[0] if len(some) else np.arange(len(mean)), "D", color=INK, markersize=5)
        ax.axvline(0, color=GREY, linewidth=0.8)
        _name_levels(curve.feature, curve.grid, ax)
        ax.locator_params(axis="x", nbins=6)
        ax.set_xlabel(f"change ({unit_of(curve.scale)})")
        return ax
    known = ~np.isnan(curve.feature.numbers(curve.grid))
    lines = np.dstack(np.broadcast_arrays(curve.grid[known], some[:, known]))
    ax.add_collection(LineCollection(list(lines), colors=colour, alpha=0.25, linewidths=0.8, rasterized=True))
    ax.plot(curve.grid[known], mean[known], color=INK, linewidth=2)
    for place, x in zip(*_beside(curve.feature, curve.grid), strict=True):
        ax.plot(np.full(len(some), x), some[:, place], "o", color=colour, alpha=0.2, markersize=3, rasterized=True)
        ax.plot(x, mean[place], "D", color=INK, markersize=5)
    ax.axhline(0, color=GREY, linewidth=0.8)
    _name_numbers(curve.feature, curve.grid, ax)
    ax.set_ylabel(f"change ({unit_of(curve.scale)})")
    return ax


def draw_shape(shape: ShapeFunction, ax: Axes, *, colour: str = COLOURS[0], limits: tuple[float, float] | None = None) -> Axes:
    """Draw what a column adds to the output of an additive model; the band is the range over its trainings.

    Parameters
    ----------
    shape : ShapeFunction
        Of one column.
    ax : Axes
        Where to draw.
    colour : str
        Of the model.
    limits : pair of float, optional
        Ends of the axis of the output, to share it with other columns.
    """
    feature, grid, own, ends = shape.feature, shape.grid, shape.curves[0], (shape.curves.min(axis=0), shape.curves.max(axis=0))
    adds, zero = f"adds ({unit_of(shape.scale)})", dict[str, Any](color=GREY, linewidth=0.8)
    ax.set_title(shortened(feature.label, 40))
    if feature.is_categorical:
        places = np.arange(len(grid))
        ax.hlines(places, *ends, color=colour, linewidth=5, alpha=0.3)
        ax.plot(own, places, "o", color=colour, markersize=5)
        ax.axvline(0, **zero)
        _name_levels(feature, grid, ax, shape.counts)
        ax.set_xlabel(adds)
        ax.set_xlim(limits)
        return ax
    known = ~np.isnan(feature.numbers(grid))
    ax.fill_between(grid[known], *(end[known] for end in ends), color=colour, alpha=0.25, linewidth=0)
    ax.plot(grid[known], own[known], color=colour, linewidth=1.8)
    which, places = _beside(feature, grid)
    ax.vlines(places, *(end[which] for end in ends), color=colour, linewidth=5, alpha=0.3)
    ax.plot(places, own[which], "o", color=colour, markersize=5)
    if np.isnan(grid).any():
        ax.axhline(own[np.isnan(grid)][0], color=colour, linewidth=1, linestyle=":")
    ax.axhline(0, **zero)
    _name_numbers(feature, grid, ax)
    ax.set_ylabel(adds)
    ax.set_ylim(limits)
    return ax


def draw_pair(
    pair: PairDependence, ax: Axes, *, part: Literal["mean", "beyond"] = "mean", limits: tuple[float, float] | None = None
) -> Axes:
    """Draw the two-way partial dependence of one model, or what the pair adds beyond both columns alone, as a heat map.

    Cells are equally large, one for each pair of values of the grid, and grey where nobody is nearest to them. `limits` are the
    ends of the colours, to share them with another model.
    """
    values = np.where(pair.counts > 0, pair.mean if part == "mean" else pair.beyond, np.nan)
    most = float(np.nanmax(np.abs(values), initial=0.0)) or 1.0
    ends = limits or ((-most, most) if part == "beyond" else (float(np.nanmin(values)), float(np.nanmax(values))))
    colours = MORE if part == "mean" else "RdBu_r"
    ax.set_facecolor(NOBODY)
    image = ax.imshow(values.T, origin="lower", aspect="auto", cmap=colours, vmin=ends[0], vmax=ends[1], interpolation="none")
    _ticks(ax.set_xticks, pair.feature, pair.grid, rotation=30, ha="right", rotation_mode="anchor")
    _ticks(ax.set_yticks, pair.other, pair.other_grid)
    ax.set_xlabel(shortened(pair.feature.label))
    ax.set_ylabel(shortened(pair.other.label, 28))
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.9)
    bar.set_label(f"{'mean output' if part == 'mean' else 'beyond both alone'} ({unit_of(pair.scale)})", fontsize=8)
    bar.outline.set_visible(False)
    ax.spines[:].set_visible(False)
    return ax


def _ticks(set_ticks: Any, feature: Feature, grid: np.ndarray, **look: Any) -> None:
    """Name the values of a grid: every level, a number here and there."""
    shown = np.arange(len(grid))
    if not feature.is_categorical and len(grid) > TICKS:
        shown = np.unique(np.linspace(0, len(grid) - 1, TICKS).round().astype(int))
        shown = np.union1d(shown, np.flatnonzero(np.isin(grid, feature.special_codes)))
    set_ticks(shown, [shortened(feature.format(grid[i]), 22) for i in shown], fontsize=7.5, **look)


def draw_permutation(table: pd.DataFrame, features: Sequence[str], ax: Axes) -> Axes:
    """Draw `permutation_importance` of some models, a row a feature, a marker a model; hollow: shuffled with its copies."""
    labels = table.drop_duplicates("feature").set_index("feature")["label"]
    models = list(table["model"].unique())
    looks = model_looks([str(model) for model in models])
    for i, (model, some) in enumerate(table.groupby("model", sort=False)):
        some = some.set_index("feature").loc[list(features)]
        y = np.arange(len(features)) + (i - (len(models) - 1) / 2) * 2 * DODGE
        colour, marker = looks[str(model)]
        ax.hlines(y, some["low"], some["high"], color=colour, linewidth=1.6)
        ax.plot(some["importance"], y, marker, color=colour, markersize=5, label=str(model))
        if "together" in some and some["together"].notna().any():
            ax.plot(some["together"], y, marker, color=colour, label=f"{model}, with its copies", **HOLLOW)
    ax.axvline(0, color=GREY, linewidth=0.8)
    worse = WORSE[table["metric"].iloc[0]]
    return label_rows(ax, [shortened(labels[name]) for name in features], f"{worse} when the column is shuffled")
