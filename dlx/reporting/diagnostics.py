"""Diagnostics of the explanations: noise, causes of disagreement, distance to the truth, and whom to trust."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from dlx import explainers
from dlx.arrays import in_short
from dlx.audit.metrics import metrics_of
from dlx.comparison import (
    Disagreement,
    Measurements,
    Replicates,
    VarianceComponents,
    as_libraries_come,
    believed,
    compare,
    disagreement,
    distance_to_truth,
    faithfulness,
    ground_truth,
    noise_floor,
    one_by_one,
    placed_by_dependence,
    replicate,
    sanity_check,
    stability,
    trust,
    unaligned_settings,
    variance_components,
)
from dlx.context import Pair, RunContext, counting
from dlx.explanation import Explanation
from dlx.model import Model, NeuralModel
from dlx.plots import method_label
from dlx.redundancy import CORRELATED, copies
from dlx.reporting.sections import joined

PARITY_PEOPLE = 5
FEW_SEEDS = 3
TOGETHER, WIDEST = 400, 60  # training rows that tell how columns go together; columns of which that takes a second


@dataclass(frozen=True)
class Diagnostics:
    """Everything that was measured of the explanations; tables are empty where a quick run did not ask."""

    top: int  # columns of a person that count as the most important
    replicates: list[Replicates]  # explanations of the first people of the panel, again
    disagreements: list[Disagreement]
    designs: dict[str, VarianceComponents]  # models by methods by training seeds
    parity: pd.DataFrame  # of our kernels and the reference libraries
    trust: pd.DataFrame  # a line a model and method
    tables: dict[str, pd.DataFrame]  # all else, as the section on agreement has it
    _compared: dict[Pair, pd.DataFrame] = field(default_factory=dict)

    __repr__ = in_short

    def of(self, model: Model, source: str) -> list[Replicates]:
        """Return the replicates of a model's explanations by a source."""
        return [some for some in self.replicates if some.of.model == model.name and some.source == source]

    def against_noise(self, model: Model, source: str = "background") -> pd.DataFrame | None:
        """Return how far the methods of a model agree between chance and noise floor; None where that was not measured."""
        key = (model.name, source)
        if key not in self._compared and len(some := self.of(model, source)) > 1:
            self._compared[key] = compare([r.of for r in some], replicates=some).against_noise(self.top)
        return self._compared.get(key)

    def believed(self, model: Model) -> list[str]:
        """Return the methods whose word counts about a model: the trusted ones; where none is, those that nothing refutes."""
        table = self.trust[self.trust["model"] == model.name]
        return list(table["method"][believed(table)])

    def is_trusted(self, model: Model) -> bool:
        """Whether trust in any method about a model was earned, so that `believed` are the trusted ones."""
        return bool(self.trust.loc[self.trust["model"] == model.name, "trusted"].any())


def diagnosed(context: RunContext) -> Diagnostics:
    """Return what is known of the explanations of a context's models; measured for whoever asks first."""
    return context.once("diagnostics", lambda: _measured(context))


def _measured(context: RunContext) -> Diagnostics:
    models, shown = context.models, context.shown
    black_boxes, is_thorough = context.black_boxes or list(models), context.budget.is_thorough
    close = black_boxes if is_thorough else [model for model in shown if model in black_boxes][:1] or shown[:1]
    checked = close if is_thorough else []
    scores = _scores_of_siblings(context, [model for model in close if context.siblings.get(model.name)])
    parts: dict[str, list[Callable[[], Any]]] = {  # the longest first
        "designs": [partial(_designs, context, black_boxes)] if is_thorough else [],
        "disagreements": [partial(_disagreements, context, model) for model in checked],
        "checks": [partial(_checks, context, model) for model in checked],
        "settings": [partial(_as_they_come, context, model) for model in close],
        "parity": [partial(_parity, context)],
        "replicates": _made_again(context, close, shown, scores),
        "dependence": [partial(_dependence, context)],
        "ground_truths": [partial(_ground_truth, context, model) for model in models],
    }
    tasks = [task for some in parts.values() for task in some]
    answers = iter(context.side_by_side(tasks, "Explaining a few people again, and exactly", "times"))
    found = {name: [next(answers) for _ in some] for name, some in parts.items()}
    truths = {model.name: truth for model, truth in zip(models, found["ground_truths"], strict=True)}
    distances = _distances(context, checked, truths)
    checks = {name: joined(one[name] for one in found["checks"]) for name in ("faithfulness", "stability", "sanity")}
    noise = joined(noise_floor(some, k=context.top) for some in found["replicates"] if some.source == "seed")
    known = {"distances": distances, "noise": noise, "faithfulness": checks["faithfulness"], "sanity": checks["sanity"]}
    measured = {name: table if len(table) else None for name, table in known.items()}
    made = [made for model in models for made in _of(context, model)]
    disagreements = [one for some in found["disagreements"] for one in some]
    by_setting = [*(alone for _, alone in found["settings"]), *(one.by_setting() for one in disagreements)]
    tables = {
        "training_seeds": scores,
        "library_defaults": joined(ends for ends, _ in found["settings"]),
        "dependence": found["dependence"][0],
        "alignment": joined(by_setting),  # distances with settings aligned, each alone or in every combination
        "distance_to_truth": distances,
        "faithfulness": checks["faithfulness"],
        "stability": checks["stability"],
        "randomised_weights": checks["sanity"],
    }
    designs = {title: components for some in found["designs"] for title, components in some.items()}
    trusted = trust(made, Measurements(compatibility=context.compatibility, **measured))
    return Diagnostics(context.top, found["replicates"], disagreements, designs, found["parity"][0], trusted, tables)


def _ground_truth(context: RunContext, model: Model) -> Explanation:
    with context.narrator.step(f"Computing Shapley values of {model.name}", "people") as update:
        asked: dict[str, Any] = {"background": context.background, "scale": model.scales[0], "seed": context.seed}
        asked |= {"explain": partial(context.cache.explain, progress=update), "tolerance": context.budget.truth_tolerance}
        is_exact = not set(explainers.having(IS_THE_MODEL=True)).isdisjoint(context.methods_of(model))
        people = context.panel[: context.budget.noise_people] if is_exact else context.panel
        return ground_truth(model, people, **asked)


def _distances(context: RunContext, close: Sequence[Model], truths: Mapping[str, Explanation]) -> pd.DataFrame:
    """Return how far each method is from the ground truth; of some models, sampled Shapley values as the library comes too."""
    tables = []
    for model in context.models:
        truth = truths[model.name]
        tables.append(distance_to_truth([one[: len(truth)] for one in context.shown_of(model)], truth, k=context.top))
    for model in close:
        for method in explainers.having(IS_SHAPLEY=True, IS_RANDOM=True, LIBRARY="shap"):
            if (model.name, method) in context.on_panel:
                few, facts = context.panel[: context.budget.noise_people], explainers.method(method)
                what = f"Explaining {model.name} by {facts.LABEL} on {facts.LIBRARY}'s own budgets"
                with context.narrator.step(what, "times") as update:
                    explain = counting(context.explain, update, 2)
                    budgets = (dict[str, Any](), facts.AS_IT_COMES.options["sampling"])
                    own = [explain(model, few, method, **budget) for budget in budgets]
                tables.append(distance_to_truth(own, truths[model.name][: len(few)], k=context.top))
    return joined(tables)


def _made_again(
    context: RunContext, close: Sequence[Model], shown: Sequence[Model], scores: pd.DataFrame
) -> list[Callable[[], Replicates]]:
    """Return what explains some people again.

    By models that are looked at closely: with other seeds, other backgrounds, and after another training that went as well. By
    others that are shown with a few other seeds: enough to trust a method, or not to; by other tools with other seeds, where
    they came with a function that does. By the model to use, if it is none of these, by the method that comes first for it.
    """
    tasks, few, count = list[Callable[[], Replicates]](), context.budget.noise_people, context.budget.replicates

    def again(model: Model, of: Explanation, source: str, times: int = count) -> Callable[[], Replicates]:
        return partial(_replicated, context, model, of[:few], source, times)

    for model in close:
        tasks += [again(model, of, source) for of in _of(context, model) for source in ("seed", "background")]
        good = scores.loc[(scores["model"] == model.name) & scores["as_good"], "training_seed"]
        if siblings := [context.siblings[model.name][seed - 1] for seed in good if seed > 0]:
            tasks += [partial(_by_siblings, context, siblings, of[:few]) for of in _of(context, model)]
    for model in (model for model in shown if model not in close):
        tasks += [again(model, of, "seed", min(FEW_SEEDS, count)) for of in _of(context, model)]
    models = {model.name: model for model in context.models}
    tasks += [again(models[one.model], one, "seed") for one in context.brought if one.again]
    use = context.to_use[0]
    best = use.name, explainers.best_shapley(use, use.scales[0], context.methods_of(use))
    if use not in (*close, *shown) and best in context.on_panel:
        tasks += [again(use, context.on_panel[best], source) for source in ("seed", "background")]
    return tasks


def _replicated(context: RunContext, model: Model, of: Explanation, source: Any, count: int) -> Replicates:
    label = f"Explaining {model.name} by {method_label(of.method)} again, with another {source}"
    with context.narrator.step(label, "times") as update:
        asked: dict[str, Any] = {"background": context.background, "pool": context.case.train, "count": count}
        return replicate(model, of, source=source, explain=counting(context.cache.explain, update, count), **asked)


def _by_siblings(context: RunContext, siblings: Sequence[Model], of: Explanation) -> Replicates:
    label = f"Explaining {of.model} by {explainers.method(of.method).LABEL} trained with other seeds"
    with context.narrator.step(label, "times") as update:
        explain, people = counting(context.explain, update, len(siblings)), context.panel[: len(of)]
        return Replicates(of, "training", tuple(explain(sibling, people, of.method, **of.options) for sibling in siblings))


def _as_they_come(context: RunContext, model: Model) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the agreement of methods as their libraries come, and aligned; and with each setting aligned alone, if quick."""
    if len(methods := _with_known_defaults(context, model)) < 2:
        return pd.DataFrame(), pd.DataFrame()
    with context.narrator.step(f"Explaining {model.name} as the libraries come", "explanations") as update:
        laboratory = context.laboratory(counting(context.cache.explain, update, 2 * len(methods)))
        ends = as_libraries_come(model, methods, laboratory, k=context.top, seed=context.seed)
    if context.budget.is_thorough:  # every combination is measured
        return ends, pd.DataFrame()
    with context.narrator.step(f"Aligning how methods are asked about {model.name}, one setting at a time", "times") as update:
        total = sum(2 + len(unaligned_settings(method, model)) for method in methods)
        laboratory = context.laboratory(counting(context.cache.explain, update, total))
        return ends, one_by_one(model, methods, laboratory, k=context.top)


def _dependence(context: RunContext) -> pd.DataFrame:
    """Return how much of the main model's contributions lies elsewhere if true to the data, where columns go together."""
    case, model = context.case, context.main
    pairs = copies(case.schema, case.train.rows, beyond=CORRELATED) if len(case.schema) <= WIDEST else []
    if not pairs:
        return pd.DataFrame()
    with context.narrator.step(f"Explaining {model.name} true to the data", "times") as update:
        laboratory = context.laboratory(counting(context.cache.explain, update, 2))
        reference = case.background(TOGETHER, seed=context.seed)
        found = placed_by_dependence(model, replace(laboratory, background=reference))
    placed = found[~np.isnan(found)]  # of whom the model says something
    if not placed.any():
        return pd.DataFrame()
    most = max(pairs, key=lambda pair: abs(pair.strength))
    line: dict[str, object] = {"model": model.name, "one": case.schema[most.one].label, "other": case.schema[most.other].label}
    line |= {"r": most.strength if most.is_correlation else np.nan, "more": len(pairs) - 1, "placed": float(placed.mean())}
    return pd.DataFrame([line | {"people": len(placed), "references": len(reference)}])


def _disagreements(context: RunContext, model: Model) -> list[Disagreement]:
    """Return what the distance of each pair of methods is made of."""
    laboratory, pairs = context.laboratory(context.cache.explain), list(combinations(_with_known_defaults(context, model), 2))
    step = f"Finding why methods disagree about {model.name}"
    return context.each(pairs, step, "pairs", lambda pair: disagreement(model, *pair, laboratory, k=context.top))


def _designs(context: RunContext, models: Sequence[Model]) -> dict[str, VarianceComponents]:
    """Return nets and trees by the methods that take any model, and the nets by all of theirs, each by training seeds."""
    scale, siblings = models[0].scales[0], context.siblings
    alike = [model for model in models if siblings.get(model.name) and scale in model.scales]
    others = [name for name in explainers.reading(Model) if name not in explainers.apart()]
    surrogates = [name for name in others if not explainers.method(name).IS_SHAPLEY]
    any_model = [explainers.ground_truth_for(models[0], scale), *surrogates]
    of_nets = [*(name for name in explainers.reading(NeuralModel) if explainers.method(name).COST == "low"), *any_model]
    nets, found = [model for model in alike if isinstance(model, NeuralModel)], {}
    for title, some, methods in (("all models", alike, any_model), ("the nets", nets, of_nets)):
        if len(some) < 2:
            continue
        people = context.panel[: context.budget.noise_people]
        runs: dict[tuple[str, str, int], Explanation] = {}
        with context.narrator.step(f"Crossing {title} with methods and training seeds", "times") as update:
            explain = counting(context.explain, update, sum(1 + len(siblings[m.name]) for m in some) * len(methods))
            for model in some:
                for seed, one in enumerate([model, *siblings[model.name]]):
                    runs |= {(model.name, m, seed): explain(one, people, m, scale=scale) for m in methods}
        found[title] = variance_components(runs)
    return found


def _checks(context: RunContext, model: Model) -> dict[str, pd.DataFrame]:
    """Return faithfulness, stability and sanity of the explanations of a model."""
    tables: dict[str, list[pd.DataFrame]] = {"stability": [], "sanity": []}
    explain, background, budget, made = context.cache.explain, context.background, context.budget, _of(context, model)
    with context.narrator.step(f"Checking how faithful and stable explanations of {model.name} are", "methods") as update:
        faithful = faithfulness(model, made, background, seed=context.seed)
        for done, one in enumerate(made, 1):
            few, some = one[: budget.stability_people], one[: budget.sanity_people]
            tables["stability"].append(stability(model, few, background, explain=explain, seed=context.seed))
            if isinstance(model, NeuralModel):
                asked = {"k": context.top, "seed": context.seed}
                tables["sanity"].append(sanity_check(model, some, background, explain=explain, **asked))
            update(done, len(made))
    return {"faithfulness": faithful} | {name: joined(some) for name, some in tables.items()}


def _parity(context: RunContext) -> pd.DataFrame:
    """Return how far our kernels are from the reference libraries on a few people, for every model and method that has both.

    The difference is the largest of any contribution, and as a share of the mean size of all: so is that of the reference from
    itself with another seed, where it draws at random.
    """
    pairs = [(m, made) for m in context.models for made in _of(context, m) if explainers.has_reference(made.method, m)]
    lines, few = [], context.panel[:PARITY_PEOPLE]
    with context.narrator.step("Explaining a few people by the reference libraries", "times") as update:
        explain = counting(context.explain, update, len(pairs))
        for model, made in pairs:
            ours, asked = made[: len(few)], {"implementation": "reference", **made.options}
            theirs = explain(model, few, made.method, **asked)
            is_random = explainers.method(made.method).IS_RANDOM
            again = explain(model, few, made.method, seed=context.seed + 1, **asked) if is_random else theirs
            gap, itself = (np.abs(one.values - theirs.values) for one in (ours, again))
            size = np.abs(ours.values)
            line: dict[str, object] = {"model": model.name, "method": made.method, "scale": ours.scale}
            line |= {"implementation": ours.implementation, "reference": theirs.implementation, "people": len(few)}
            shares = [float(one.max() / size.mean()) if size.any() else np.nan for one in (gap, itself)]
            lines.append(line | {"largest_difference": gap.max(), "share": shares[0], "reference_itself": shares[1]})
    return pd.DataFrame(lines)


def _scores_of_siblings(context: RunContext, models: Sequence[Model]) -> pd.DataFrame:
    """Return the ROC AUC (of a value the R2) of each training seed on the test rows, and whether it is as good as the model's.

    The difference is over the same people, with a paired 95 % interval: as good is whom it contains 0 for.
    """
    test, target, lines = context.case.test, context.case.schema.target, []
    assert test.outcomes is not None
    name, metric = next(iter(metrics_of(target).items()))
    for model in models:
        own = model.predict(test, target.scale)
        for seed, one in enumerate([model, *context.siblings[model.name]]):
            theirs = one.predict(test, target.scale)
            difference = metric.gain(test.outcomes, theirs, own)
            line: dict[str, object] = {"model": model.name, "training_seed": seed, name: metric(test.outcomes, theirs)}
            line |= {"difference": difference.estimate, "low": difference.low, "high": difference.high}
            lines.append(line | {"as_good": not difference.excludes(0)})
    return pd.DataFrame(lines, columns=["model", "training_seed", name, "difference", "low", "high", "as_good"])


def _of(context: RunContext, model: Model) -> list[Explanation]:
    return [context.on_panel[model.name, method] for method in context.methods_of(model)]


def _with_known_defaults(context: RunContext, model: Model) -> list[str]:
    return [method for method in explainers.with_library_defaults() if (model.name, method) in context.on_panel]
