"""What the section measures: agreement of methods beside their own noise, causes, the distance to the exact answer, trust."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dlx import explainers
from dlx.comparison import METRICS, compare, noise_floor
from dlx.comparison.metrics import metrics_by_row
from dlx.comparison.noise import ALIKE, CHANCE, DIFFERENT, SOURCES
from dlx.context import RunContext
from dlx.explanation import Explanation
from dlx.model import Model
from dlx.plots import method_label
from dlx.reporting.diagnostics import Diagnostics, diagnosed
from dlx.reporting.sections import Measured, joined
from dlx.stats import LEVEL

TITLE, PLACE, TASKS = "Do the explanations hold", 30, ("binary", "regression")
COVERS = {"convergence": "distance_to_truth", "stability": "noise_floors"}
TOP = "feature_agreement"
ABOUT = ["agreement", "agreement_against_noise", "library_defaults", "noise_floors", "faithfulness", "stability", "causes"]
OWN = "the model's own"  # scale
ROUNDING = 1e-6  # of the length of exact contributions
BEYOND = {ALIKE: "alike", DIFFERENT: "apart", CHANCE: "apart"}  # findings that tell pairs apart, or not


def measure(context: RunContext) -> Measured:
    """Return how far methods agree about each model, beside what they agree with themselves, and whom to trust."""
    found, k = diagnosed(context), context.top
    of_model = [context.shown_of(model) for model in context.models]
    compared = [compare(explained) for explained in of_model if len(explained) > 1]
    across = [one for model in context.models if (one := _shapley(context, model)) is not None]
    designs = found.designs.items()
    tables = {
        "agreement": joined(one.agreement(k) for one in compared),
        "agreement_by_person": joined(one.agreement_by_row(k) for one in compared),
        "agreement_of_models": compare(across).agreement(k) if len(across) > 1 else pd.DataFrame(),
        "agreement_against_noise": joined(found.against_noise(m, source) for m in context.models for source in SOURCES),
        "noise_floors": joined(noise_floor(some, k=k) for some in found.replicates),
        "taken_away": pd.DataFrame(_taken_away(context)),
        "causes": joined(one.to_frame(seed=context.seed) for one in found.disagreements),
        "causes_by_person": joined(one.by_person() for one in found.disagreements),
        "components": joined(one.components(seed=context.seed).assign(design=title) for title, one in designs),
        "components_by_person": joined(one.by_person().assign(design=title) for title, one in designs),
        "distances": joined(one.distances(seed=context.seed).assign(design=title) for title, one in designs),
        "trust": found.trust,
        **found.tables,
    }
    tables["agreement_lights"] = pd.DataFrame([_lights(context, model, found, tables) for model in context.models])
    tables["beyond_noise"] = _beyond_noise(tables["agreement_against_noise"])
    tables["asked_alike"] = _asked_alike(tables["library_defaults"])
    tables["_metrics"] = pd.DataFrame([{"name": name, "label": metric.label} for name, metric in METRICS.items()])
    scale = OWN if context.case.schema.target.is_value else ""
    known = [method for method in explainers.with_library_defaults() if method not in explainers.apart()]
    tables["_defaults"] = pd.DataFrame([_default(method, scale) for method in known])
    for name in ABOUT:
        if len(table := tables[name]):
            about = table["model"] + ": " + table["method"].map(method_label)
            about += ", " + table["other_method"].map(method_label) if "other_method" in table else ""
            tables[f"_{name}"] = table.assign(about=about)
    facts = {"top": k, "panel": len(context.panel), "background": len(context.background), "certain": LEVEL}
    facts |= {"replicates": context.budget.replicates, "noise_people": min(context.budget.noise_people, len(context.panel))}
    return Measured(tables, facts, found)


def _shapley(context: RunContext, model: Model) -> Explanation | None:
    """Return the Shapley values of the panel, where a method gave them, and on the scale of the main model."""
    given = [method for method in context.methods_of(model) if explainers.method(method).IS_SHAPLEY]
    if not given or model.scales[0] != context.main.scales[0]:
        return None
    return context.on_panel[model.name, explainers.best_shapley(model, model.scales[0], given)]


def _taken_away(context: RunContext) -> list[dict[str, Any]]:
    """Return a line a method that takes columns away: how its falls compare with the Shapley values of the shown models."""
    lines: list[dict[str, Any]] = []
    for model in context.shown:
        exact = _shapley(context, model)
        if exact is None or not (effect := np.abs(exact.outputs - exact.base_values).mean()):
            continue
        for method in explainers.having(ONE_AT_A_TIME=True):
            made = context.explain(model, context.panel, method)
            line = {"model": exact.model, "method": method, "question": explainers.method(method).QUESTION}
            line["off"] = np.abs(made.residuals).mean() / effect
            shared = metrics_by_row(made.values, exact.values, context.top)
            lines.append(line | {name: float(pd.Series(shared[name]).mean()) for name in (TOP, "sign_agreement")})
    return lines


def _lights(context: RunContext, model: Model, found: Diagnostics, tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Return the numbers that sum a model's explanations up; NaN where nobody measured one.

    `stability`: the share of top columns that stays on another background, or where that was not measured with another seed,
    on average over the methods whose word counts; `distance`: from the exact Shapley values, of the furthest of these methods,
    or of those among them that set out to give Shapley values.
    """
    believed, is_shown = found.believed(model), model in context.shown
    line: dict[str, Any] = {"model": model.name, "is_shown": is_shown, "k": context.top}
    agreed = _of(tables["agreement"], model, metric=TOP)
    agreed = agreed.dropna(subset="mean") if len(agreed) else agreed
    line |= {"pairs": len(agreed), "agreement": np.nan, "chance": np.nan, "least": np.nan, "most": np.nan}
    if len(agreed):
        low, high = (agreed.loc[place] for place in (agreed["mean"].idxmin(), agreed["mean"].idxmax()))
        line |= {"agreement": agreed["mean"].mean(), "chance": low["chance"], "least": low["mean"], "most": high["mean"]}
        line |= {"least_method": low["method"], "least_other": low["other_method"]}
        line |= {"most_method": high["method"], "most_other": high["other_method"]}
        shared = ("agreement", "chance", "least", "most")
        line |= {f"{name}_columns": line[name] * context.top for name in shared}
    for source in ("seed", "background"):
        kept = _of(tables["noise_floors"], model, metric=TOP, source=source, method=believed)
        line["stability"] = float(kept["mean"].mean()) if len(kept) else line.get("stability", np.nan)
    errors = _of(tables["distance_to_truth"], model, measure="relative_error").dropna(subset="median").sort_values("median")
    line |= {"distance": np.nan, "closest": "", "furthest": "", "truth_error": 0.0}
    line |= {"closest_distance": np.nan, "furthest_distance": np.nan}
    if len(errors):
        line |= {"closest": errors["method"].iloc[0], "furthest": errors["method"].iloc[-1]}
        near, far = errors["median"].where(errors["median"] > ROUNDING, 0.0).iloc[[0, -1]]
        line |= {"closest_distance": near, "furthest_distance": far, "truth_error": errors["truth_error"].iloc[0]}
        mine = _of(errors, model, method=believed)
        aims = mine[mine["is_shapley"].astype(bool)]
        line["distance"] = (aims if len(aims) else mine)["median"].max()
    standing = _of(found.trust, model)["standing"]
    return line | {"methods": len(standing), "trusted": int((standing == "trusted").sum())}


def _beyond_noise(table: pd.DataFrame) -> pd.DataFrame:
    """Return a line a model: how many pairs of methods differ beyond the noise of other backgrounds."""
    if not len(table):
        return table
    some, lines = table[(table["metric"] == TOP) & (table["source"] == "background")], []
    for model, mine in some.groupby("model", sort=False):
        said = mine["finding"].map(BEYOND).dropna()
        line = {"model": model, "pairs": len(said), "apart": int((said == "apart").sum())}
        lines.append(line | {"people": mine["rows"].max(), "why": mine["finding"].iloc[0]})
    return pd.DataFrame(lines)


def _asked_alike(settings: pd.DataFrame) -> pd.DataFrame:
    """Return a line a model: what pairs place differently on average as their libraries come, and asked the same question."""
    if not len(settings):
        return settings
    some = settings[settings["measure"] == "placed differently"].dropna(subset="mean")
    means = some.pivot_table(index="model", columns="setting", values="mean", aggfunc="mean", sort=False)
    people = some.groupby("model", sort=False)["people"].max()
    both = means.rename(columns={"as the libraries come": "naive"}).assign(people=people).reset_index()
    return both.dropna() if {"naive", "aligned"} <= set(both) else both[:0]


def _default(method: str, scale: str) -> dict[str, Any]:
    """Return what a method's library gives somebody who sets nothing; where a value has one scale alone, that is said."""
    come: explainers.AsItComes = explainers.method(method).AS_IT_COMES
    kept = come.options.get("sampling", {}).get("n_features", "all")
    line = {"method": method, "background": come.background, "scale": scale or come.scale or OWN, "kept": str(kept)}
    return line | {"unit": "slopes of the surrogate" if "unit" in come.options else "contributions"}


def _of(table: pd.DataFrame, model: Model, **where: str | list[str]) -> pd.DataFrame:
    """Return the lines about a model whose columns have a value, or one of some; none of a table without lines."""
    for column, value in {"model": model.name, **where}.items():
        table = table[table[column].isin(value if isinstance(value, list) else [value])] if len(table) else table
    return table
