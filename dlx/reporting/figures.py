"""The figures of the page: drawn by dlx.plots, turned to SVG that the page carries inside itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlx import explainers, plots
from dlx.comparison import Comparison
from dlx.errors import plural
from dlx.explanation import Explanation
from dlx.model import Model
from dlx.reporting.canvas import Figure, canvas_of, embedded, legend
from dlx.reporting.people import Chosen
from dlx.reporting.phrases import method_label, model_words, share, top_columns, two_decimals
from dlx.reporting.study import Study, top_features

SHOWN = 10
BARS = 8


def importance_figure(study: Study) -> Figure:
    """Return the importance of the top columns, a panel a model, a marker a method."""
    shown = [model for model in study.models if study.methods_of(model)]
    top = top_features([study.on_panel(model, method) for model in shown for method in study.methods_of(model)], SHOWN)
    columns = min(3, len(shown))
    lines = -(-len(shown) // columns)
    with plots.style():
        canvas, axes = canvas_of(
            lines, columns, width=3.5 * columns + 1.6, height=0.4 + lines * (0.29 * len(top) + 1.1), sharey=True
        )
        for model, ax in zip(shown, axes.flat, strict=False):
            plots.draw_importance(study.importance(model), top, ax)
            ax.set_title(model.name)
        legend(canvas, axes, methods=True)
        source = embedded(canvas)
    leaders = [
        f"{model.name}: {study.importance(model).sort_values('rank', kind='stable')['label'].iloc[0]}" for model in shown
    ]
    return Figure(
        source,
        f"Mean size of the contribution of {plural(len(top), 'column')}, by model and method. First: {'; '.join(leaders)}.",
        f"Mean size of the contribution over {study.panel} people, for {top_columns(len(top))}. Each model "
        "in its own unit: compare the order of columns across models, lengths only within one.",
        "importance",
    )


def beeswarm_figure(study: Study) -> Figure:
    """Return every person's contributions, for the two main models side by side."""
    shown = [(model, _widest_method(study, model)) for model in (study.main, study.other) if model is not None]
    explained = [study.explanations[model.name, method] for model, method in shown]
    top = top_features(explained, SHOWN)
    with plots.style():
        canvas, axes = canvas_of(1, len(shown), width=5.2 * len(shown) + 1.2, height=0.36 * len(top) + 1.2, sharey=True)
        for (model, method), explanation, ax in zip(shown, explained, axes.flat, strict=True):
            plots.draw_beeswarm(explanation, top, ax, seed=study.seed)
            ax.set_title(f"{model.name} by {method_label(method)}")
        source = embedded(canvas)
    people = listed_counts([len(e) for e in explained])
    return Figure(
        source,
        f"Contributions of {plural(len(top), 'column')} to every person's prediction, one dot a person, for "
        f"{' and '.join(model_words(model) for model, _ in shown)}.",
        f"One dot a person ({people}); right of the line the column raises the risk. Dark is a high value of the column "
        "(or a late level of an ordered one), pale a low one; grey is missing, or a level without an order.",
        "contributions",
    )


def methods_figure(study: Study) -> Figure | None:
    """Return how far the methods agree, a heat map a model."""
    compared = {model.name: c for model in study.models if (c := study.methods_compared(model)) is not None}
    if not compared:
        return None
    k = study.top
    chance = k / len(study.case.schema)
    columns = min(3, len(compared))
    lines = -(-len(compared) // columns)
    with plots.style():
        canvas, axes = canvas_of(lines, columns, width=3.7 * columns, height=3.5 * lines)
        for (name, comparison), ax in zip(compared.items(), axes.flat, strict=False):
            labels = [method_label(e.method) for e in comparison.explanations]
            plots.draw_matrix(_agreement_matrix(comparison, k), labels, ax, low=chance)
            ax.set_title(name)
        source = embedded(canvas)
    return Figure(
        source,
        f"Share of {top_columns(k)} that two methods both name, for each model; the table below has the numbers.",
        f"Share of {top_columns(k)} of a person that two methods both name, averaged over {study.panel} people. "
        f"1 is full agreement; the palest blue is chance, {share(chance)}.",
        "agreement",
    )


def models_figure(study: Study) -> Figure | None:
    """Return how far the models agree under one kind of explanation, Shapley values."""
    comparison = study.models_compared()
    if comparison is None:
        return None
    k = study.top
    with plots.style():
        canvas, axes = canvas_of(1, 1, width=4.6, height=3.9)
        labels = [e.model for e in comparison.explanations]
        plots.draw_matrix(_agreement_matrix(comparison, k), labels, axes.flat[0], low=k / len(study.case.schema))
        source = embedded(canvas)
    return Figure(
        source,
        f"Share of {top_columns(k)} that the Shapley values of two models both name.",
        f"Shapley values of each model (exact for trees and linear models, Kernel SHAP for nets), same people, same "
        f"background: share of {top_columns(k)} that two models both name.",
        "agreement_of_models",
    )


def waterfalls_figure(study: Study, chosen: Chosen) -> Figure:
    """Return one person's prediction built up by each method of the main model, and by the other model, on one axis."""
    shown = [(study.main, method) for method in study.methods_of(study.main)]
    if study.other is not None and study.other.scales[0] == study.main.scales[0]:
        shown.append((study.other, study.shapley(study.other).method))
    explained = [study.on_panel(model, method) for model, method in shown]
    bars = _bars_of(explained, chosen.position)
    falls_short = any(abs(e.residuals[chosen.position]) > 0.005 * np.abs(e.values[chosen.position]).sum() for e in explained)
    columns = min(3, len(shown))
    lines = -(-len(shown) // columns)
    with plots.style():
        canvas, axes = canvas_of(lines, columns, width=3.45 * columns + 1.7, height=lines * 3.1, sharex=True)
        for (model, method), explanation, ax in zip(shown, explained, axes.flat, strict=False):
            plots.draw_waterfall(explanation, chosen.position, bars, ax, residual=falls_short)
            ax.set_title(f"{model.name}: {method_label(method)}")
        for ax in axes.flat:
            ax.label_outer()
        for ax in axes[:, 1:].flat:
            ax.tick_params(labelleft=False)
        _widen(axes)
        source = embedded(canvas)
    reads = "; ".join(
        f"{model.name} by {method_label(method)} ends at {two_decimals(e.outputs[chosen.position])}"
        for (model, method), e in zip(shown, explained, strict=True)
    )
    return Figure(
        source,
        f"How each method builds this person's prediction up from the base value: {reads}.",
        "From the base value (dotted) to the model's output (line), column by column: red raises the risk, blue lowers it. "
        "All panels share one axis and one order of columns. “Not accounted for” is what the contributions leave out.",
        "contributions",
    )


def contrast_figure(study: Study, chosen: Chosen) -> Figure | None:
    """Return which columns make the two main models differ about one person."""
    compared = study.contrast()
    if compared is None:
        return None
    order = np.argsort(-np.abs(compared.values[chosen.position]), kind="stable")[:BARS]
    names = [study.case.schema.names[i] for i in order]
    with plots.style():
        canvas, axes = canvas_of(1, 1, width=6.6, height=0.33 * len(names) + 1.0)
        plots.draw_contrast(compared, chosen.position, names, axes.flat[0])
        source = embedded(canvas)
    return Figure(
        source,
        f"Columns on which {compared.a.model} and {compared.b.model} differ most about this person, first "
        f"{study.case.schema[names[0]].label}.",
        f"Contribution of each column in either model; the bar is the difference {compared.a.model} minus "
        f"{compared.b.model}, red where {compared.a.model} sees more risk.",
        "contrast",
    )


def listed_counts(counts: Sequence[int]) -> str:
    """Return "200 people" or "200 and 48 people"."""
    return " and ".join(str(count) for count in dict.fromkeys(counts)) + " people"


def _widest_method(study: Study, model: Model) -> str:
    """Return the method that explained most people; the first of them."""
    methods = study.methods_of(model)
    widest = [method for method in explainers.by_preference(methods) if explainers.exact_for(method, model, model.scales[0])]
    return widest[0] if widest else methods[0]


def _agreement_matrix(comparison: Comparison, k: int) -> np.ndarray:
    table = comparison.agreement(k)
    table = table[table["metric"] == "feature_agreement"]
    places = {(e.model, e.method): i for i, e in enumerate(comparison.explanations)}
    matrix = np.eye(len(places))
    for line in table.itertuples():
        i, j = places[line.model, line.method], places[line.other_model, line.other_method]
        matrix[i, j] = matrix[j, i] = line.mean
    return matrix


def _bars_of(explained: Sequence[Explanation], position: int) -> list[str]:
    return top_features([explanation[position] for explanation in explained], BARS)


def _widen(axes: np.ndarray) -> None:
    """Give the numbers at the end of the bars room on the shared axis."""
    low, high = axes.flat[0].get_xlim()
    axes.flat[0].set_xlim(low - 0.02 * (high - low), high + 0.16 * (high - low))
