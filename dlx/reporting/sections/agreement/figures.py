"""The figures of the section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlx import plots
from dlx.context import RunContext
from dlx.reporting.canvas import canvas_of, legend
from dlx.reporting.phrases import method_label
from dlx.reporting.sections import Measured

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas

MEASURES = {
    "relative_error": "distance from the\nShapley values",
    "rank_correlation": "rank correlation\nwith them",
    "feature_agreement": "share of their top\ncolumns that is named",
}


def agreement(measured: Measured, context: RunContext) -> Canvas:
    """Return how far the methods agree, a heat map a model."""
    table, shown = measured.tables["agreement"], [m for m in context.models if len(context.methods_of(m)) > 1]
    columns = min(3, len(shown))
    lines = -(-len(shown) // columns)
    canvas, axes = canvas_of(lines, columns, width=3.7 * columns, height=3.5 * lines)
    for model, ax in zip(shown, axes.flat, strict=False):
        methods = context.methods_of(model)
        matrix = _matrix(table[table["model"] == model.name], "method", methods)
        plots.draw_matrix(matrix, [method_label(method) for method in methods], ax, low=_chance(context))
        ax.set_title(model.name)
    return canvas


def agreement_of_models(measured: Measured, context: RunContext) -> Canvas:
    """Return how far the models agree under one kind of explanation, Shapley values."""
    table = measured.tables["agreement_of_models"]
    names = [m.name for m in context.models if m.name in {*table["model"], *table["other_model"]}]
    canvas, axes = canvas_of(1, 1, width=4.6, height=3.9)
    plots.draw_matrix(_matrix(table, "model", names), names, axes.flat[0], low=_chance(context))
    return canvas


def agreement_against_noise(measured: Measured, context: RunContext) -> Canvas:
    """Return how far methods agree between chance and noise floor, a panel a model."""
    table = measured.tables["agreement_against_noise"]
    some = table[(table["metric"] == "feature_agreement") & (table["source"] == "background")].dropna(subset="mean")
    shown = [(model, mine) for model in context.models if len(mine := some[some["model"] == model.name])]
    heights = [0.34 * len(mine) + 0.9 for _, mine in shown]
    canvas, axes = canvas_of(len(shown), 1, width=9.6, height=sum(heights) + 0.5, height_ratios=heights, sharex=True)
    for (model, mine), ax in zip(shown, axes.flat, strict=True):
        both = zip(mine["method"], mine["other_method"], strict=True)
        again = {some.of.method: some for some in measured.about.of(model, "training")}
        kept = [float(np.nanmean(again[m].metrics(context.top)["feature_agreement"])) for m in mine["floor_of"] if m in again]
        labels = [f"{method_label(one)} – {method_label(other)}" for one, other in both]
        plots.draw_noise(mine.reset_index(drop=True), labels, ax, retrained=kept or None)
        ax.set_title(model.name)
    for ax in axes.flat[:-1]:
        ax.set_xlabel("")
    legend(canvas, axes, columns=2)
    return canvas


def distance_to_truth(measured: Measured, context: RunContext) -> Canvas:
    """Return how far each method is from the ground truth, a row a model and method."""
    order = {model.name: place for place, model in enumerate(context.models)}
    table = measured.tables["distance_to_truth"].sort_values("model", key=lambda names: names.map(order), kind="stable")
    rows = table.drop_duplicates(["model", "method", "options"])
    many = rows.duplicated(["model", "method"], keep=False)
    labels = [
        f"{line.model}: {method_label(line.method)}{f', {line.options}' if repeated else ''}"
        for line, repeated in zip(rows.itertuples(), many, strict=True)
    ]
    canvas, axes = canvas_of(1, len(MEASURES), width=10.4, height=0.25 * len(rows) + 1.1, sharey=True)
    for (measure, words), ax in zip(MEASURES.items(), axes.flat, strict=True):
        plots.draw_distances(table[table["measure"] == measure], list(rows["method"]), labels, ax, of=words)
    axes.flat[0].set_xlim(left=0)
    axes.flat[0].xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    return canvas


def causes(measured: Measured, _context: RunContext) -> Canvas:
    """Return what the distance of each pair of methods is made of, a panel a pair."""
    table = measured.tables["causes"]
    pairs = [some for _, some in table[table["measure"] == "placed differently"].groupby(["model", "method", "other_method"])]
    shown = [some for some in pairs if some["people"].iloc[0]]
    lines = -(-len(shown) // 2)
    canvas, axes = canvas_of(lines, 2, width=10.4, height=lines * (0.3 * max(map(len, shown), default=1) + 1.1))
    for some, ax in zip(shown, axes.flat, strict=False):
        plots.draw_causes(some, ax)
        first = some.iloc[0]
        ax.set_title(f"{first['model']}: {method_label(first['method'])}, {method_label(first['other_method'])}")
    return canvas


def components(measured: Measured, context: RunContext) -> Canvas:
    """Return the variance components, a panel a design."""
    designs = measured.about.designs
    canvas, axes = canvas_of(len(designs), 1, width=9.6, height=2.5 * len(designs) + 0.3)
    for (title, design), ax in zip(designs.items(), axes.flat, strict=True):
        plots.draw_components(design.components(seed=context.seed), design.by_person(), ax, seed=context.seed)
        ax.set_title(f"{title}: {', '.join(design.models)}")
    return canvas


def randomised_weights(measured: Measured, context: RunContext) -> Canvas:
    """Return how explanations lose their resemblance as a net's layers are randomised, a panel a net."""
    table = measured.tables["randomised_weights"]
    nets = [model.name for model in context.models if (table["model"] == model.name).any()]
    canvas, axes = canvas_of(1, len(nets), width=4.9 * len(nets), height=3.4, sharey=True)
    for name, ax in zip(nets, axes.flat, strict=True):
        some = table[table["model"] == name]
        plots.draw_sanity(some, {method: method_label(method) for method in some["method"]}, ax)
        ax.set_title(name)
        ax.label_outer()
    legend(canvas, axes)
    return canvas


def _matrix(table: pd.DataFrame, what: str, names: Sequence[str]) -> np.ndarray:
    """Return the agreement of every two of some names, [names, names]."""
    places, matrix = {name: i for i, name in enumerate(names)}, np.eye(len(names))
    for line in table[table["metric"] == "feature_agreement"].to_dict("records"):
        i, j = places[line[what]], places[line[f"other_{what}"]]
        matrix[i, j] = matrix[j, i] = line["mean"]
    return matrix


def _chance(context: RunContext) -> float:
    return context.top / len(context.case.schema)
