"""The figures about the explanations themselves: noise, causes, components, distance to the truth, randomised weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlx import plots
from dlx.comparison.causes import Disagreement
from dlx.model import Model
from dlx.reporting.canvas import Figure, canvas_of, embedded, legend
from dlx.reporting.evidence.words import budget_words, cause_sentence
from dlx.reporting.phrases import method_label, percent, share, top_columns
from dlx.reporting.study import Study
from dlx.stats import CERTAIN

if TYPE_CHECKING:
    import pandas as pd

MEASURES = {
    "relative_error": "distance from the\nShapley values",
    "rank_correlation": "rank correlation\nwith them",
    "feature_agreement": "share of their top\ncolumns that is named",
}


def noise_figure(study: Study) -> Figure | None:
    """Return how far methods agree between chance and noise floor, a panel a model."""
    tables = [(model, some) for model in study.models if (some := _top(study.harmony.against_noise(model))) is not None]
    tables = [(model, some) for model, some in tables if some["mean"].notna().all()]
    if not tables:
        return None
    heights = [0.34 * len(table) + 0.9 for _, table in tables]
    with plots.style():
        canvas, axes = canvas_of(len(tables), 1, width=9.6, height=sum(heights) + 0.5, height_ratios=heights, sharex=True)
        for (model, table), ax in zip(tables, axes.flat, strict=True):
            labels = [
                f"{method_label(a)} – {method_label(b)}" for a, b in zip(table["method"], table["other_method"], strict=True)
            ]
            plots.draw_noise(table, labels, ax, retrained=_retrained(study, model, table["floor_of"]))
            ax.set_title(model.name)
        for ax in axes.flat[:-1]:
            ax.set_xlabel("")
        legend(canvas, axes, columns=2)
        source = embedded(canvas)
    lines = [line for _, table in tables for line in table.itertuples()]
    worst = min(lines, key=lambda line: line.mean - line.floor)
    return Figure(
        source,
        f"Agreement of {len(lines)} pairs of methods on a band from chance to the noise floor. Furthest below its floor: "
        f"{method_label(worst.method)} and {method_label(worst.other_method)} of {worst.model}, {share(worst.mean)} against "
        f"{share(worst.floor)}.",
        f"Share of {top_columns(study.top)} that two methods both name (dot, with its {CERTAIN} interval), over "
        f"{lines[0].rows} people. The band ends at the noise floor: what the noisier of the two reaches "
        f"with itself against {study.harmony.depth.replicates} other backgrounds of the same size. A dot at or beyond the end "
        "of its band is no evidence of a difference, nor is one whose distance to it may be chance.",
        "agreement_against_noise",
    )


def errors_figure(study: Study) -> Figure | None:
    """Return how far each method is from the ground truth, a row a model and method; None where it gives nothing."""
    table = study.harmony.distances
    table = table.sort_values(
        "model", key=lambda names: names.map({m.name: i for i, m in enumerate(study.models)}), kind="stable"
    )
    rows = table.drop_duplicates(["model", "method", "options"])
    labels = [f"{line.model}: {method_label(line.method)}{_budget(line.options)}" for line in rows.itertuples()]
    with plots.style():
        canvas, axes = canvas_of(1, len(MEASURES), width=10.4, height=0.25 * len(rows) + 1.1, sharey=True)
        for (measure, words), ax in zip(MEASURES.items(), axes.flat, strict=True):
            plots.draw_distances(table[table["measure"] == measure], list(rows["method"]), labels, ax, of=words)
        axes.flat[0].set_xlim(left=0)
        axes.flat[0].xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
        source = embedded(canvas)
    some = table[table["measure"] == "relative_error"].dropna(subset=["mean"])
    if not len(some):
        return None
    few = min(study.panel, study.harmony.depth.noise_people)
    closest, furthest = some.loc[some["mean"].idxmin()], some.loc[some["mean"].idxmax()]
    return Figure(
        source,
        f"Distance of {len(rows)} explanations from the Shapley values. Closest: {method_label(closest['method'])} of "
        f"{closest['model']}, {percent(closest['mean'])}; furthest: {method_label(furthest['method'])} of {furthest['model']}, "
        f"{percent(furthest['mean'])}.",
        f"Mean over {study.panel} people, with its {CERTAIN} interval (shap's own budgets: {few}). Kernel, Tree and Linear "
        "SHAP set out to give these values; the other methods answer questions of their own, and their distance is not "
        "an error.",
        "errors",
    )


def causes_figure(found: Disagreement) -> Figure | None:
    """Return what the distance between two methods is made of; None where it is not defined for anybody."""
    table = found.to_frame()
    table = table[table["measure"] == "placed differently"]
    if not table["people"].iloc[0]:
        return None
    with plots.style():
        canvas, axes = canvas_of(1, 1, width=6.8, height=0.3 * len(table) + 0.9)
        plots.draw_causes(table, axes.flat[0])
        axes.flat[0].set_xlabel("share of the contributions that the two place differently")
        source = embedded(canvas)
    return Figure(
        source,
        cause_sentence(found),
        f"Mean over {table['people'].iloc[0]} people, with {CERTAIN} intervals. Each bar is a setting's part: its Shapley "
        f"value over all {2 ** len(found.switches)} combinations of settings, so that the parts add up to the whole.",
        "causes",
    )


def components_figure(study: Study) -> Figure | None:
    """Return the variance components, a panel a design."""
    designs = study.harmony.designs
    if not designs:
        return None
    with plots.style():
        canvas, axes = canvas_of(len(designs), 1, width=9.6, height=2.5 * len(designs) + 0.3)
        for (title, design), ax in zip(designs.items(), axes.flat, strict=True):
            plots.draw_components(design.components(seed=study.seed), design.by_person(), ax, seed=study.seed)
            ax.set_title(f"{title}: {', '.join(design.models)}")
        source = embedded(canvas)
    largest = [design.components(seed=study.seed).sort_values("share").iloc[-1] for design in designs.values()]
    parts = [f"{title}: {line['what']} ({percent(line['share'])})" for title, line in zip(designs, largest, strict=True)]
    return Figure(
        source,
        f"Variance components of the contributions. Largest: {'; '.join(parts)}.",
        "How much of the difference between explanations of the same person goes with what: standard deviation of the "
        f"contributions, summed over columns, with its {CERTAIN} interval over people; in brackets the share of the variance. "
        "A pale dot is one person.",
        "components",
    )


def sanity_figure(study: Study) -> Figure | None:
    """Return how explanations lose their resemblance as a net's layers are randomised, a panel a net."""
    table = study.harmony.sanity
    if not len(table):
        return None
    nets = [model.name for model in study.models if (table["model"] == model.name).any()]
    with plots.style():
        canvas, axes = canvas_of(1, len(nets), width=4.9 * len(nets), height=3.4, sharey=True)
        for name, ax in zip(nets, axes.flat, strict=True):
            some = table[table["model"] == name]
            plots.draw_sanity(some, {method: method_label(method) for method in some["method"]}, ax)
            ax.set_title(name)
            ax.label_outer()
        legend(canvas, axes)
        source = embedded(canvas)
    survived = table[table["survives"]].drop_duplicates(["model", "method"])
    survivors = [f"{method_label(line.method)} of {line.model}" for line in survived.itertuples()]
    last = table.sort_values("layers_random").groupby(["model", "method"], sort=False).tail(1)
    return Figure(
        source,
        "Share of the top columns that stay as layers are randomised; with all random it is "
        f"{share(last['feature_agreement'].min())} to {share(last['feature_agreement'].max())}.",
        "A net's layers are made random from the last to the first (Adebayo et al. 2018): an explanation of the net must fall "
        f"towards chance. {'Not so: ' + ', '.join(survivors) if survivors else 'All do'}.",
        "randomised_weights",
    )


def _retrained(study: Study, model: Model, methods: pd.Series) -> list[float] | None:
    """Return how far each of some methods agrees with itself when the model is trained with another seed."""
    again = {some.of.method: some for some in study.harmony.of(model, "training")}
    if not again:
        return None
    return [float(np.nanmean(again[method].metrics(study.top)["feature_agreement"])) for method in methods]


def _budget(options: str) -> str:
    words = budget_words(options)
    return {" with shap's default budget": ", shap's budget"}.get(words, ", 10 columns" if "cut to" in words else "")


def _top(table: pd.DataFrame | None) -> pd.DataFrame | None:
    return None if table is None else table[table["metric"] == "feature_agreement"].reset_index(drop=True)
