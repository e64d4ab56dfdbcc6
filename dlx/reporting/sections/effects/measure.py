"""What the section measures: importance, partial dependence, ALE, pairs of columns, shuffled columns; refusals are remarks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from dlx.background import sample
from dlx.comparison import importance
from dlx.context import RunContext
from dlx.dataset import Dataset
from dlx.effects.accumulated import AccumulatedEffects, accumulated_local_effects
from dlx.effects.partial import MOST_LEVELS, PairDependence, PartialDependence, friedman_h, pair_dependence, partial_dependence
from dlx.effects.permutation import permutation_importance
from dlx.effects.shap_interactions import MOST_COLUMNS, Interactions, interactions
from dlx.effects.shapes import ShapeFunction, shape_functions
from dlx.errors import BugError, in_a_line, is_own_fault
from dlx.kernels.shapley.interactions import MOST_ENUMERATED, usual_coalitions
from dlx.model import AdditiveModel, LinearModel, Model, Scale
from dlx.plots import unit_of
from dlx.reporting.phrases import listed
from dlx.reporting.sections import Measured, joined
from dlx.reporting.sections.person.measure import by_share
from dlx.stats import LEVEL, ends_of, resampled_counts

TITLE, PLACE, TASKS, IS_LONG = "What the columns do", 20, ("binary", "regression"), True
SHOWN, PAIRED, IN_FIGURE = 6, 8, 10  # columns
LOCAL_PEOPLE, TEST_PEOPLE, PAIR_PEOPLE = 1_000, 1_500, 100
REFERENCES, MIXED_ROWS = 40, 5_000_000  # reference rows of the interactions, and the rows that these may cost
Found = TypeVar("Found")


@dataclass(eq=False)
class About:
    """What the figures draw: curves of columns, a list a column and in it one a model that could answer."""

    models: tuple[Model, ...]
    local: Dataset
    top: list[str]  # the most important columns of all models
    curves: list[list[PartialDependence]] = field(default_factory=list)
    accumulated: list[list[AccumulatedEffects]] = field(default_factory=list)
    surfaces: list[PairDependence] = field(default_factory=list)
    joint: Interactions | None = None
    shapes: list[ShapeFunction] = field(default_factory=list)  # of the model to use, else of the first that adds up columns
    has_pairs: bool = False  # whether that model adds up pairs of columns, too
    remarks: list[str] = field(default_factory=list)  # what could not be measured, and why

    def attempt(self, what: str, ask: Callable[[], Found]) -> Found | None:
        """Return an answer; None, with a remark, where a model refuses: what is asked here are rows that nobody has."""
        try:
            return ask()
        except Exception as error:  # a model may raise anything
            if is_own_fault(error):
                raise BugError(what, error) from error
            self.remarks.append(f"{what}: {in_a_line(error)}")
            return None

    def of_each(self, what: str, ask: Callable[..., Found], *given: Any, **asked: Any) -> list[Found]:
        """Return the answers of those models that have one to ``ask(model, *given, **asked)``."""
        answers = [self.attempt(f"{what} by {one.name}", partial(ask, one, *given, **asked)) for one in self.models]
        return [answer for answer in answers if answer is not None]


def measure(context: RunContext) -> Measured:
    """Return which columns matter to the models, and what the two that are told of do as columns change."""
    shown = tuple(context.shown)
    explained = [made for (name, _), made in context.on_panel.items() if name in {model.name for model in shown}]
    names, everything = context.case.schema.names, list(context.on_panel.values())
    features = [names[i] for i in by_share(explained)[:PAIRED]] if explained else list(names[:PAIRED])
    top = [names[i] for i in by_share(everything)[:IN_FIGURE]] if everything else features
    about = About(shown, sample(context.case.test, LOCAL_PEOPLE, seed=context.seed), top)
    told = [model for model in context.models if context.methods_of(model)]
    tables = {"importance": joined(importance(one) for model in told for one in context.shown_of(model))}
    tables |= {"most_important": pd.DataFrame([_most(context, model) for model in shown if model in told])}
    _curves(context, about, features[:SHOWN])
    tables |= _shuffled(context, about) | _pairs(context, about, features)
    facts = {"certain": LEVEL, "panel": len(context.panel), "people": len(context.people), "local": len(about.local)}
    facts |= {"background": len(context.background), "columns": len(features), "top": context.top, "in_figure": len(top)}
    many = [some[0].feature.name for some in about.curves if some[0].of_common_levels is not some[0]]
    facts |= {"many_levels": len(many), "common_levels": MOST_LEVELS}
    tables |= {"partial_dependence": joined([one.to_frame() for some in about.curves for one in some])}
    tables |= {"accumulated_local_effects": joined([one.to_frame() for some in about.accumulated for one in some])}
    tables |= {"effects_apart": _apart(about), "effects_hidden": _hidden(about)}
    if that_add := [model for model in context.models if isinstance(model, (AdditiveModel, LinearModel))]:
        drawn = context.to_use[0] if context.to_use[0] in that_add else that_add[0]
        about.shapes = shape_functions([drawn, *context.siblings.get(drawn.name, ())], context.people)
        about.has_pairs = isinstance(drawn, AdditiveModel)
    tables |= {"shape_functions": joined([one.to_frame() for one in about.shapes])}
    facts |= {"trainings": len(about.shapes[0].curves) if about.shapes else 0}
    if len(context.case.schema) > 1:
        about.joint = _interactions(context, about)
    if about.joint is not None:
        found = interaction_table(about.joint, seed=context.seed)
        tables |= {"interactions": found, "effects_between": _between(about.joint, found)}
    return Measured(tables, facts, about)


def _most(context: RunContext, model: Model) -> dict[str, Any]:
    """Return the three columns that move a model most, and how many methods put the first of them first."""
    explained, schema = [context.on_panel[model.name, method] for method in context.methods_of(model)], context.case.schema
    first, second, third = [*(schema.labels[i] for i in by_share(explained)[:3]), "", ""][:3]
    firsts = [schema.labels[int(one.importance.argmax())] for one in explained]
    line: dict[str, Any] = {"model": model.name, "first": first, "votes": firsts.count(first), "methods": len(firsts)}
    line |= {"second": second, "third": third}
    return line | {"is_constant": all(one.importance.max() < 1e-9 for one in explained)}


def _curves(context: RunContext, about: About, features: Sequence[str]) -> None:
    scales = context.main.scales
    scale: Scale = "probability" if "probability" in scales else scales[0]
    asked: dict[str, Any] = {"scale": scale, "seed": context.seed}
    with context.narrator.step("Measuring partial dependence and ALE", "columns") as update:
        for done, name in enumerate(features, 1):
            what = f"The partial dependence of “{context.case.schema[name].label}”"
            if curves := about.of_each(what, partial_dependence, context.people, name, scale=scale):
                about.curves.append(curves)
            what = f"ALE of “{context.case.schema[name].label}”"
            about.accumulated.append(about.of_each(what, accumulated_local_effects, about.local, name, **asked))
            update(done, len(features))


def _shuffled(context: RunContext, about: About) -> dict[str, pd.DataFrame]:
    """Return permutation importance, the first column of each model, and the columns that say the same or tell the outcome."""
    people = sample(context.case.test, context.fewer(TEST_PEOPLE), seed=context.seed)
    with context.narrator.step("Shuffling columns", "columns") as update:
        asked: dict[str, Any] = {"seed": context.seed, "progress": update}
        found = joined(about.of_each("Permutation importance", permutation_importance, people, **asked))
    if not len(found):
        return {}
    firsts = found.groupby("model", sort=False).head(1).copy()
    firsts["beyond"] = [int((found.loc[found["model"] == model, "low"] > 0).sum()) for model in firsts["model"]]
    firsts["columns"] = found["feature"].nunique()
    leaks = found.dropna(subset=["tells_outcome"]).drop_duplicates("feature")
    known = found[found["copies"] != ""]
    labels = dict(zip(found["feature"], found["label"], strict=True))
    copies: dict[frozenset[str], dict[str, Any]] = {}
    for line in known.to_dict("records"):  # the most important of a group comes first
        group = frozenset([line["feature"], *line["copies"].split(", ")])
        names = listed([f"“{label}”" for name, label in labels.items() if name in group])
        copies.setdefault(group, {str(name): value for name, value in line.items()} | {"columns": names})
    leaking = leaks.sort_values("tells_outcome", ascending=False)
    return {
        **{"permutation_importance": found, "accuracy_rests_on": firsts},
        **{"tells_outcome": leaking, "copied_columns": pd.DataFrame(list(copies.values()))},
    }


def _pairs(context: RunContext, about: About, features: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Return the strength of every pair of columns and of each model's strongest, and the surfaces of the first model's."""
    if len(features) < 2:
        return {}
    some = sample(about.local, PAIR_PEOPLE, seed=context.seed)
    with context.narrator.step("Measuring pairs of columns", "models") as update:
        seed = context.seed
        found = about.of_each("Friedman's H", lambda m: friedman_h(m, some, features, scale=m.scales[0], seed=seed))
        update(len(about.models), len(about.models))
        if not found:
            return {}
        pair, train = (found[0]["feature"][0], found[0]["other_feature"][0]), context.case.train
        about.surfaces += about.of_each(
            "The two-way partial dependence", lambda m: pair_dependence(m, some, pair, scale=m.scales[0], observed=train)
        )
    strongest = joined([table.head(1) for table in found])
    return {
        **{"friedman_h": joined(found), "strongest_pairs": strongest},
        **{"_friedman_h": joined([table.head(IN_FIGURE) for table in found])},
        "pair_dependence": joined([surface.to_frame() for surface in about.surfaces]),
    }


def _apart(about: About) -> pd.DataFrame:
    """Return for which column partial dependence and ALE of the main model are furthest apart: no line, or one."""
    mine = [one for some in about.curves for one in some if one.model == about.models[0].name]
    local = {one.feature.name: one for some in about.accumulated for one in some if one.model == about.models[0].name}
    lines = [distance(curve, local[curve.feature.name]) for curve in mine if curve.feature.name in local]
    return pd.DataFrame(sorted(lines, key=lambda line: -line["gap"])[:1])


def distance(curve: PartialDependence, local: AccumulatedEffects) -> dict[str, Any]:
    """Return where partial dependence and ALE, both centred, are furthest apart, how far, and the range of the former."""
    known = ~np.isnan(curve.grid)
    if curve.feature.is_categorical:
        code = {value: effect for value, effect in zip(local.values, local.effects, strict=True) if not np.isnan(value)}
        known &= np.isin(curve.grid, list(code))
        steps = np.array([code[value] for value in curve.grid[known]])
    else:
        known &= ~np.isnan(curve.feature.numbers(curve.grid))
        there = ~np.isnan(curve.feature.numbers(local.values))
        steps = np.interp(curve.grid[known], local.values[there], local.effects[there]) if there.any() else np.zeros(0)
    line: dict[str, Any] = {"model": curve.model, "label": curve.feature.label, "gap": 0.0, "swing": 0.0, "at": ""}
    if not len(steps):
        return line
    mean, weights = curve.mean[known], curve.counts[known] + 1e-12
    gap = np.abs(mean - np.average(mean, weights=weights) - steps + np.average(steps, weights=weights))
    at = curve.feature.format(curve.grid[known][gap.argmax()])
    return line | {"gap": float(gap.max()), "swing": float(np.ptp(mean)), "at": at}


def _hidden(about: About) -> pd.DataFrame:
    """Return the column of the main model whose mean effect has the wrong sign for the largest share of people."""
    lines: list[dict[str, Any]] = []
    for curve in (one for some in about.curves for one in some if one.model == about.models[0].name and len(one.grid) > 1):
        mean = np.average(curve.centred, axis=0, weights=curve.weights)
        at = int(np.abs(mean).argmax())
        line: dict[str, Any] = {"model": curve.model, "label": curve.feature.label, "move": mean[at], "size": abs(mean[at])}
        line |= {"start": curve.feature.format(curve.grid[curve.anchor]), "end": curve.feature.format(curve.grid[at])}
        against = np.average(curve.centred[:, at] * mean[at] < 0, weights=curve.weights)
        lines.append(line | {"against": float(against), "people": len(curve.curves)})
    return pd.DataFrame(sorted(lines, key=lambda line: -line["against"])[:1])


def _interactions(context: RunContext, about: About) -> Interactions | None:
    """Return the Shapley interactions of the main model, of as many people as they may cost; of many columns the top."""
    model, columns, people, background = context.main, len(context.case.schema), context.panel, context.background
    asked: dict[str, Any] = {"scale": model.scales[0], "seed": context.seed}
    if columns > MOST_COLUMNS:
        asked["columns"] = about.top
    else:
        each = 2**columns if columns <= MOST_ENUMERATED else 2 * usual_coalitions(columns)
        most = max(1, MIXED_ROWS // each)
        people = people[: min(len(people), most)]
        count = len(background) if context.budget.is_thorough else min(REFERENCES, most // len(people))
        background = sample(background, max(1, count), seed=context.seed)
    with context.narrator.step(f"Measuring interactions in {model.name}", "people") as update:
        asked |= {"background": background, "progress": update}
        return about.attempt(f"The interactions in {model.name}", lambda: interactions(model, people, **asked))


def interaction_table(joint: Interactions, *, seed: int = 0) -> pd.DataFrame:
    """Return a line a pair of columns, the strongest first, main effects (a column with itself) among them.

    `strength` is the mean size over people, with its 95 % bootstrap interval over them; of a pair it is one half, as in
    `Interactions.values`. `standard_error` is the mean over people of each one's sampling error, 0 where all combinations
    were tried.
    """
    first, second = np.triu_indices(len(joint.schema))
    values, people = joint.values[:, first, second], len(joint)
    low, high = ends_of(resampled_counts(people, seed=seed) / people @ np.abs(values), people=people)
    errors = np.zeros(len(first)) if joint.standard_errors is None else joint.standard_errors[:, first, second].mean(axis=0)
    names, labels = (np.array(words, dtype=object) for words in (joint.schema.names, joint.schema.labels))
    table = pd.DataFrame(
        {"model": joint.model, "feature": names[first], "other_feature": names[second], "label": labels[first]}
        | {"other_label": labels[second], "strength": np.abs(values).mean(axis=0), "low": low, "high": high}
        | {"mean": values.mean(axis=0), "standard_error": errors, "people": people, "scale": joint.scale}
    )
    return table.sort_values("strength", ascending=False, kind="stable", ignore_index=True)


def _between(joint: Interactions, table: pd.DataFrame) -> pd.DataFrame:
    """Return how much of the contributions lies in pairs, the strongest pair, and the main effect that hides most."""
    size = joint.strength
    alone = np.diag(size)
    shared = size.sum(axis=1) - alone
    top = [i for i in np.argsort(-size.sum(axis=1), kind="stable")[:IN_FIGURE] if size[i].sum() > 0]
    hidden = max(top, key=lambda i: shared[i] / size[i].sum(), default=0)
    pair = table[table["feature"] != table["other_feature"]].iloc[0]
    line = {name: pair[name] for name in ("model", "label", "other_label", "strength", "low", "high", "people", "scale")}
    line |= {"between": shared.sum() / max(size.sum(), 1e-300), "unit": unit_of(joint.scale)}
    line |= {"hides": joint.schema.features[hidden].label, "among": len(joint.schema)}
    line |= {"alone": alone[hidden], "shared": shared[hidden], "is_sampled": joint.standard_errors is not None, "error": np.nan}
    if joint.standard_errors is not None:
        line["error"] = float(np.median(joint.standard_errors[:, ~np.eye(len(joint.schema), dtype=bool)]))
    return pd.DataFrame([line])
