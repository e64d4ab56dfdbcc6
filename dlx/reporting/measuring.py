"""Asks the questions: each function measures one thing about the explanations, in steps that the narrator tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx import explainers
from dlx.comparison import (
    Disagreement,
    Evidence,
    Replicates,
    as_libraries_come,
    disagreement,
    distance_to_truth,
    faithfulness,
    ground_truth,
    noise_floor,
    replicate,
    sanity_check,
    stability,
    trust,
    variance_components,
)
from dlx.comparison.components import VarianceComponents
from dlx.context import Pair, RunContext, Siblings, counting
from dlx.explanation import Explanation
from dlx.model import Model, NeuralModel
from dlx.progress import Update
from dlx.stats import auc, auc_difference

if TYPE_CHECKING:
    import pandas as pd

PARITY_PEOPLE = 5
FEW_SEEDS = 3


def ground_truths_of(setting: RunContext, models: Sequence[Model]) -> dict[str, Explanation]:
    """Return the Shapley values of each model, of the panel."""
    ground_truths = {}
    for model in models:
        with setting.narrator.step(f"Computing Shapley values of {model.name}", "people") as update:

            def explain(one: Model, rows: Any, update: Update = update, **asked: Any) -> Explanation:
                return setting.keeper.explain(one, rows, progress=update, **asked)

            ground_truths[model.name] = ground_truth(
                model,
                setting.panel,
                background=setting.background,
                scale=model.scales[0],
                seed=setting.seed,
                explain=explain,
                tolerance=setting.budget.truth_tolerance,
            )
    return ground_truths


def made_again(
    setting: RunContext, models: Sequence[Model], on_panel: Mapping[Pair, Explanation], siblings: Siblings
) -> list[Replicates]:
    """Return the explanations of some people again: with other seeds, other backgrounds, and models trained anew."""
    found, depth = [], setting.budget
    for model in models:
        methods = [method for name, method in on_panel if name == model.name]
        total = len(methods) * 2 * depth.replicates
        with setting.narrator.step(f"Explaining {model.name} again, with other seeds and backgrounds", "times") as update:
            explain = counting(setting.keeper.explain, update, total)
            for method in methods:
                of = on_panel[model.name, method][: depth.noise_people]
                for source in ("seed", "background"):
                    found.append(
                        replicate(
                            model,
                            of,
                            source=source,
                            background=setting.background,
                            pool=setting.case.train,
                            count=depth.replicates,
                            explain=explain,
                        )
                    )
        found += _retrained(setting, model, methods, on_panel, siblings.get(model.name, ()))
    return found


def seeded_again(setting: RunContext, models: Sequence[Model], on_panel: Mapping[Pair, Explanation]) -> list[Replicates]:
    """Return the explanations of some people with a few other seeds: enough to trust a method, or not to."""
    found, few = [], min(FEW_SEEDS, setting.budget.replicates)
    for model in models:
        made = [e[: setting.budget.noise_people] for (name, _), e in on_panel.items() if name == model.name]
        with setting.narrator.step(f"Explaining {model.name} again, with other seeds", "times") as update:
            explain = counting(setting.keeper.explain, update, len(made) * few)
            asked: dict[str, Any] = {"background": setting.background, "count": few, "explain": explain}
            found += [replicate(model, one, source="seed", **asked) for one in made]
    return found


def _retrained(
    setting: RunContext,
    model: Model,
    methods: Sequence[str],
    on_panel: Mapping[Pair, Explanation],
    siblings: Sequence[Model],
) -> list[Replicates]:
    if not siblings:
        return []
    found, people = [], setting.panel[: setting.budget.noise_people]
    with setting.narrator.step(f"Explaining {model.name} trained with other seeds", "times") as update:
        explain = counting(setting.explain, update, len(methods) * len(siblings))
        for method in methods:
            of = on_panel[model.name, method][: setting.budget.noise_people]
            others = tuple(explain(sibling, people, method, **of.options) for sibling in siblings)
            found.append(Replicates(of, "training", others))
    return found


def as_they_come(setting: RunContext, models: Sequence[Model], on_panel: Mapping[Pair, Explanation]) -> pd.DataFrame:
    """Return how far methods agree as their libraries come, and aligned."""
    import pandas as pd

    tables = []
    for model in models:
        if len(methods := _with_known_defaults(model, on_panel)) < 2:
            continue
        with setting.narrator.step(f"Explaining {model.name} as the libraries come", "explanations") as update:
            laboratory = setting.laboratory(counting(setting.keeper.explain, update, 2 * len(methods)))
            tables.append(as_libraries_come(model, methods, laboratory, k=setting.top, seed=setting.seed))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def causes_of(setting: RunContext, models: Sequence[Model], on_panel: Mapping[Pair, Explanation]) -> list[Disagreement]:
    """Return what the distance of each pair of methods is made of."""
    found = []
    for model in models:
        pairs = list(combinations(_with_known_defaults(model, on_panel), 2))
        with setting.narrator.step(f"Finding why methods disagree about {model.name}", "pairs") as update:
            for done, (one, other) in enumerate(pairs):
                update(done, len(pairs))
                found.append(disagreement(model, one, other, setting.laboratory(setting.keeper.explain), k=setting.top))
            update(len(pairs), len(pairs))
    return found


def crossed_designs(setting: RunContext, models: Sequence[Model], siblings: Siblings) -> dict[str, VarianceComponents]:
    """Return nets and trees by the methods that take any model, and the nets by all of theirs, each by training seeds."""
    scale = models[0].scales[0]
    alike = [model for model in models if siblings.get(model.name) and scale in model.scales]
    nets = [model for model in alike if isinstance(model, NeuralModel)]
    surrogates = [name for name in explainers.reading(Model) if not explainers.method(name).IS_SHAPLEY]
    any_model = [explainers.ground_truth_for(models[0], scale), *surrogates]
    quick = [name for name in explainers.reading(NeuralModel) if explainers.method(name).COST == "low"]
    found = {}
    for title, some, methods in (("all models", alike, any_model), ("the nets", nets, [*quick, *any_model])):
        if len(some) < 2:
            continue
        people, runs = setting.panel[: setting.budget.noise_people], {}
        with setting.narrator.step(f"Crossing {title} with methods and training seeds", "times") as update:
            explain = counting(setting.explain, update, sum(1 + len(siblings[m.name]) for m in some) * len(methods))
            for model in some:
                for seed, one in enumerate([model, *siblings[model.name]]):
                    for method in methods:
                        runs[model.name, method, seed] = explain(one, people, method, scale=scale)
        found[title] = variance_components(runs)
    return found


def checks_of(setting: RunContext, models: Sequence[Model], on_panel: Mapping[Pair, Explanation]) -> dict[str, pd.DataFrame]:
    """Return faithfulness, stability and sanity of a thorough report, empty in a quick one."""
    import pandas as pd

    tables: dict[str, list[pd.DataFrame]] = {"faithfulness": [], "stability": [], "sanity": []}
    for model in models if setting.budget.is_thorough else ():
        made = [e for (name, _), e in on_panel.items() if name == model.name]
        with setting.narrator.step(f"Checking how faithful and stable explanations of {model.name} are", "methods") as update:
            tables["faithfulness"].append(faithfulness(model, made, setting.background, seed=setting.seed))
            for done, one in enumerate(made):
                update(done, len(made))
                few, some = one[: setting.budget.stability_people], one[: setting.budget.sanity_people]
                explain = setting.keeper.explain
                tables["stability"].append(stability(model, few, setting.background, explain=explain, seed=setting.seed))
                if isinstance(model, NeuralModel):
                    asked = {"k": setting.top, "seed": setting.seed}
                    randomised = sanity_check(model, some, setting.background, explain=explain, **asked)
                    tables["sanity"].append(randomised)
            update(len(made), len(made))
    return {name: pd.concat(some, ignore_index=True) if some else pd.DataFrame() for name, some in tables.items()}


def parity_of(setting: RunContext, models: Sequence[Model], on_panel: Mapping[Pair, Explanation]) -> pd.DataFrame:
    """Return how far our kernels are from the reference libraries on a few people, for every model and method that has both.

    The difference is the largest of any contribution, and as a share of the mean size of all: so is that of the reference from
    itself with another seed, where it draws at random.
    """
    import pandas as pd

    both = [(name, method) for name, method in on_panel if explainers.has_reference(method)]
    pairs = [(model, method) for model in models for name, method in both if name == model.name]
    lines, few = [], setting.panel[:PARITY_PEOPLE]
    with setting.narrator.step("Explaining a few people by the reference libraries", "times") as update:
        explain = counting(setting.explain, update, 2 * len(pairs))
        for model, method in pairs:
            ours = on_panel[model.name, method][: len(few)]
            asked = {"implementation": "reference", **ours.options}
            theirs, again = (explain(model, few, method, seed=setting.seed + run, **asked) for run in (0, 1))
            gap, itself = (np.abs(one.values - theirs.values) for one in (ours, again))
            size = np.abs(ours.values)
            line: dict[str, object] = {"model": model.name, "method": method, "scale": ours.scale}
            line |= {"implementation": ours.implementation, "reference": theirs.implementation, "people": len(few)}
            shares = [float(one.max() / size.mean()) if size.any() else np.nan for one in (gap, itself)]
            line |= {"largest_difference": float(gap.max()), "share": shares[0], "reference_itself": shares[1]}
            lines.append(line)
    return pd.DataFrame(lines)


def trust_in(
    setting: RunContext,
    models: Sequence[Model],
    on_panel: Mapping[Pair, Explanation],
    distances: pd.DataFrame,
    replicates: Sequence[Replicates],
    compatibility: pd.DataFrame,
    checked: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:
    """Return which methods are trusted about which model, from all that was measured."""
    import pandas as pd

    noise = [noise_floor(some, k=setting.top) for some in replicates if some.source == "seed"]
    evidence = Evidence(
        compatibility=compatibility,
        distances=distances,
        noise=pd.concat(noise, ignore_index=True) if noise else None,
        faithfulness=_or_none(checked["faithfulness"]),
        sanity=_or_none(checked["sanity"]),
    )
    made = [e for model in models for (name, _), e in on_panel.items() if name == model.name]
    return trust(made, evidence)


def _or_none(table: pd.DataFrame) -> pd.DataFrame | None:
    return table if len(table) else None


def distances_of(
    setting: RunContext,
    models: Sequence[Model],
    close: Sequence[Model],
    on_panel: Mapping[Pair, Explanation],
    ground_truths: Mapping[str, Explanation],
) -> pd.DataFrame:
    """Return how far each method is from the ground truth; where all is measured, Kernel SHAP on shap's own budgets too."""
    import pandas as pd

    tables = []
    cut_by_library = explainers.having(IS_SHAPLEY=True, IS_RANDOM=True, LIBRARY="shap")
    for model in models:
        made = [e for (name, _), e in on_panel.items() if name == model.name]
        tables.append(distance_to_truth(made, ground_truths[model.name], k=setting.top))
        for method in cut_by_library if setting.budget.is_thorough and model in close else ():
            if (model.name, method) in on_panel:
                few, facts = setting.panel[: setting.budget.noise_people], explainers.method(method)
                with setting.narrator.step(
                    f"Explaining {model.name} by {facts.LABEL} on {facts.LIBRARY}'s own budgets", "times"
                ) as update:
                    explain = counting(setting.explain, update, 2)
                    budgets = (dict[str, Any](), facts.AS_IT_COMES.options["sampling"])
                    own = [explain(model, few, method, **budget) for budget in budgets]
                tables.append(distance_to_truth(own, ground_truths[model.name][: len(few)], k=setting.top))
    return pd.concat(tables, ignore_index=True)


def scores_of_siblings(setting: RunContext, models: Sequence[Model]) -> pd.DataFrame:
    """Return the ROC AUC of each training seed on the test rows, and whether it is as good as the model's.

    The difference is over the same people, with DeLong's paired 95 % interval: as good is whom it contains 0 for.
    """
    import pandas as pd

    test = setting.case.test
    assert test.outcomes is not None
    lines = []
    for model in models:
        own = model.predict(test, "probability")
        for seed, one in enumerate([model, *setting.siblings[model.name]]):
            theirs = one.predict(test, "probability")
            difference = auc_difference(test.outcomes, theirs, own)
            line: dict[str, object] = {"model": model.name, "training_seed": seed, "auc": auc(test.outcomes, theirs)}
            line |= {"difference": difference.estimate, "low": difference.low, "high": difference.high}
            lines.append(line | {"as_good": not difference.excludes(0)})
    return pd.DataFrame(lines, columns=["model", "training_seed", "auc", "difference", "low", "high", "as_good"])


def as_good(siblings: Siblings, scores: pd.DataFrame) -> Siblings:
    """Return the siblings that rank people as well as their model, as far as the test rows can tell."""
    found = {}
    for name, some in siblings.items():
        is_good = scores[(scores["model"] == name) & (scores["training_seed"] > 0)]["as_good"]
        found[name] = [one for one, good in zip(some, is_good, strict=True) if good]
    return found


def _with_known_defaults(model: Model, on_panel: Mapping[Pair, Explanation]) -> list[str]:
    return [method for method in explainers.with_library_defaults() if (model.name, method) in on_panel]
