"""The figures of the section."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from dlx import plots
from dlx.context import RunContext
from dlx.plots import method_label
from dlx.reporting.canvas import panels
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
    table, chance, parts = measured.tables["agreement"], context.top / len(context.case.schema), []
    for model in context.models:
        if len(methods := [one.method for one in context.shown_of(model)]) > 1:
            matrix = _matrix(table[table["model"] == model.name], "method", methods)
            parts.append((model.name, partial(plots.draw_matrix, matrix, [method_label(m) for m in methods], low=chance)))
    return panels(parts, size=(3.7, 3.5), columns=3)


def agreement_of_models(measured: Measured, context: RunContext) -> Canvas:
    """Return how far the models agree under one kind of explanation, Shapley values."""
    table, chance = measured.tables["agreement_of_models"], context.top / len(context.case.schema)
    names = [m.name for m in context.models if m.name in {*table["model"], *table["other_model"]}]
    return panels([("", partial(plots.draw_matrix, _matrix(table, "model", names), names, low=chance))], size=(4.6, 3.9))


def _matrix(table: pd.DataFrame, what: str, names: Sequence[str]) -> np.ndarray:
    """Return the agreement of every two of some names, [names, names]."""
    places, matrix = {name: i for i, name in enumerate(names)}, np.eye(len(names))
    for line in table[table["metric"] == "feature_agreement"].to_dict("records"):
        i, j = places[line[what]], places[line[f"other_{what}"]]
        matrix[i, j] = matrix[j, i] = line["mean"]
    return matrix


def agreement_against_noise(measured: Measured, context: RunContext) -> Canvas:
    """Return how far methods agree between chance and noise floor, a panel a model."""
    table, parts, heights = measured.tables["agreement_against_noise"], [], []
    some = table[(table["metric"] == "feature_agreement") & (table["source"] == "background")].dropna(subset="mean")
    for model in context.models:
        mine = some[some["model"] == model.name].reset_index(drop=True)
        again = {some.of.method: some for some in measured.about.of(model, "training")}
        kept = [float(np.nanmean(again[m].metrics(context.top)["feature_agreement"])) for m in mine["floor_of"] if m in again]
        both = zip(mine["method"], mine["other_method"], strict=True)
        labels = [f"{method_label(one)} – {method_label(other)}" for one, other in both]
        if len(mine):
            parts.append((model.name, partial(plots.draw_noise, mine, labels, retrained=kept or None)))
            heights.append(0.34 * len(mine) + 0.9)
    canvas = panels(parts, size=(9.6, 0), room=(0, 0.5), heights=heights, sharex=True, legend_columns=2)
    for ax in canvas.axes[:-1]:
        ax.set_xlabel("")
    return canvas


def distance_to_truth(measured: Measured, context: RunContext) -> Canvas:
    """Return how far each method is from the ground truth, a row a model and method."""
    order = {model.name: place for place, model in enumerate(context.models)}
    table = measured.tables["distance_to_truth"].sort_values("model", key=lambda names: names.map(order), kind="stable")
    rows = table.drop_duplicates(["model", "method", "options"])
    options = rows["options"].where(rows.duplicated(["model", "method"], keep=False), "")
    named = zip(rows["model"], rows["method"], options, strict=True)
    labels = [f"{model}: {method_label(method)}{f', {more}' if more else ''}" for model, method, more in named]
    parts = [
        ("", partial(plots.draw_distances, table[table["measure"] == measure], list(rows["method"]), labels, of=words))
        for measure, words in MEASURES.items()
    ]
    canvas = panels(parts, size=(10.4 / len(parts), 0.25 * len(rows) + 1.1), columns=len(parts), sharey=True)
    canvas.axes[0].set_xlim(left=0)
    plots.percent_axis(canvas.axes[0])
    return canvas


def causes(measured: Measured, _context: RunContext) -> Canvas:
    """Return what the distance of each pair of methods is made of, a panel a pair."""
    table = measured.tables["causes"].query("measure == 'placed differently' and people > 0")
    parts, most = [], 1
    for (model, method, other), some in table.groupby(["model", "method", "other_method"]):
        parts.append((f"{model}: {method_label(method)}, {method_label(other)}", partial(plots.draw_causes, some)))
        most = max(most, len(some))
    return panels(parts, size=(5.2, 0.3 * most + 1.1), columns=2)


def components(measured: Measured, context: RunContext) -> Canvas:
    """Return the variance components, a panel a design."""
    seed, parts = context.seed, []
    for title, design in measured.about.designs.items():
        draw = partial(plots.draw_components, design.components(seed=seed), design.by_person(), seed=seed)
        parts.append((f"{title}: {', '.join(design.models)}", draw))
    return panels(parts, size=(9.6, 2.5), room=(0, 0.3))


def randomised_weights(measured: Measured, context: RunContext) -> Canvas:
    """Return how explanations lose their resemblance as a net's layers are randomised, a panel a net."""
    table, parts = measured.tables["randomised_weights"], []
    for model in context.models:
        if len(some := table[table["model"] == model.name]):
            parts.append((model.name, partial(plots.draw_sanity, some)))
    canvas = panels(parts, size=(4.9, 3.4), columns=len(parts), sharey=True, legend_columns=7)
    for ax in canvas.axes:
        ax.label_outer()
    return canvas
