"""What is known of the explanations themselves: noise, causes of disagreement, distance to the truth, and whom to trust."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

from dlx import explainers
from dlx.audit.performance import auc
from dlx.audit.readiness import preflight
from dlx.comparison import compare
from dlx.comparison import defaults as library_defaults
from dlx.comparison.causes import Disagreement, as_libraries_come, disagreement
from dlx.comparison.components import Crossed, crossed
from dlx.comparison.defaults import Laboratory
from dlx.comparison.faithfulness import faithfulness
from dlx.comparison.judgement import JUDGES, errors, judge
from dlx.comparison.noise import Replicates, noise_floor, replicate
from dlx.comparison.sanity import sanity_check
from dlx.comparison.stability import stability
from dlx.comparison.trust import Evidence, trust
from dlx.dataset import Dataset
from dlx.explanation import Explanation
from dlx.games import MOST_PLAYERS
from dlx.model import LinearModel, Model, NeuralModel, TreeModel
from dlx.progress import Narrator, Update
from dlx.reporting.depth import Depth
from dlx.reporting.kept import Keeper

if TYPE_CHECKING:
    import pandas as pd

TOP = 5
Pair = tuple[str, str]
Siblings = Mapping[str, Sequence[Model]]


@dataclass(frozen=True)
class Setting:
    """What every question is asked with.

    Parameters
    ----------
    case : Dataset
        All rows.
    panel, background : Dataset
        The people whom every method explains, and the reference rows.
    seed : int
        Seed of everything random.
    depth : Depth
        How much is measured.
    keeper : Keeper
        What explains.
    narrator : Narrator
        Says what is going on.
    """

    case: Dataset
    panel: Dataset
    background: Dataset
    seed: int
    depth: Depth
    keeper: Keeper
    narrator: Narrator

    def explain(self, model: Model, rows: Any, method: str, **asked: Any) -> Explanation:
        """Return an explanation on the model's own scale, unless another is asked for."""
        shared: dict[str, Any] = {"background": self.background, "scale": model.scales[0], "seed": self.seed}
        return self.keeper.explain(model, rows, method=method, **(shared | asked))


@dataclass(frozen=True)
class Harmony:
    """Everything that was measured of the explanations.

    Parameters
    ----------
    depth : Depth
        How much was asked.
    readiness : DataFrame
        Pre-flight of every model and method.
    judges : dict of str to Explanation
        Shapley values of each model, of the panel.
    errors : DataFrame
        How far each method is from its judge.
    replicates : list of Replicates
        Explanations of the first people of the panel, again.
    settings : DataFrame
        How far methods agree as their libraries come, and aligned.
    disagreements : list of Disagreement
        What a distance between two methods is made of.
    designs : dict of str to Crossed
        Models by methods by training seeds, under what they have in common.
    siblings : DataFrame
        ROC AUC of every training seed on the test rows.
    faithfulness, stability, sanity : DataFrame
        Empty in a quick report.
    trust : DataFrame
        A line a model and method.
    """

    depth: Depth
    readiness: pd.DataFrame
    judges: dict[str, Explanation]
    errors: pd.DataFrame
    replicates: list[Replicates]
    settings: pd.DataFrame
    disagreements: list[Disagreement]
    designs: dict[str, Crossed]
    siblings: pd.DataFrame
    faithfulness: pd.DataFrame
    stability: pd.DataFrame
    sanity: pd.DataFrame
    trust: pd.DataFrame
    _compared: dict[Pair, pd.DataFrame] = field(default_factory=dict)

    def of(self, model: Model, source: str) -> list[Replicates]:
        """Return the replicates of a model's explanations by a source."""
        return [some for some in self.replicates if some.of.model == model.name and some.source == source]

    def against_noise(self, model: Model, source: str = "background") -> pd.DataFrame | None:
        """Return how far the methods of a model agree between chance and noise floor; None where that was not measured."""
        key = (model.name, source)
        if key not in self._compared and len(some := self.of(model, source)) > 1:
            self._compared[key] = compare([r.of for r in some], replicates=some).against_noise(TOP)
        return self._compared.get(key)

    def is_trusted(self, model: Model, method: str) -> bool:
        """Whether nothing that was measured speaks against a method about a model."""
        line = self.trust[(self.trust["model"] == model.name) & (self.trust["method"] == method)]
        return bool(line["trusted"].iloc[0]) if len(line) else True


def ready(model: Model, setting: Setting) -> pd.DataFrame:
    """Return the pre-flight of a model, by all methods that a report may use."""
    methods = [method for method in explainers.names() if method not in JUDGES]
    return preflight(model, setting.panel, setting.background, methods=methods, seed=setting.seed)


def harmony(
    setting: Setting,
    models: Sequence[Model],
    shown: Sequence[Model],
    explanations: Mapping[Pair, Explanation],
    readiness: pd.DataFrame,
    siblings: Siblings,
) -> Harmony:
    """Return what is known of the explanations of some models.

    Parameters
    ----------
    setting : Setting
        What every question is asked with.
    models, shown : sequence of Model
        All models, and those that a quick report looks at more closely.
    explanations : mapping of (str, str) to Explanation
        Of each model by each method, the panel first.
    readiness : DataFrame
        Pre-flight of all models.
    siblings : mapping of str to sequence of Model
        The same architectures trained with other seeds, by the name of the model; may be empty.
    """
    opaque = [model for model in models if is_opaque(model)] or list(models)
    close = opaque if setting.depth.is_thorough else [model for model in shown if model in opaque][:1] or list(shown[:1])
    on_panel = {pair: made[: len(setting.panel)] for pair, made in explanations.items()}
    judges = _judges(setting, models)
    replicates = _replicates(setting, close, on_panel, siblings)
    checked = _checks(setting, close, on_panel)
    judged = _errors(setting, models, close, on_panel, judges)
    return Harmony(
        depth=setting.depth,
        readiness=readiness,
        judges=judges,
        replicates=replicates,
        settings=_settings(setting, close, on_panel),
        disagreements=_disagreements(setting, close, on_panel) if setting.depth.is_thorough else [],
        designs=_designs(setting, opaque, siblings) if setting.depth.is_thorough else {},
        siblings=_performance(setting, close, siblings),
        errors=judged,
        trust=_trust(models, on_panel, judged, replicates, readiness, checked),
        **checked,
    )


def is_opaque(model: Model) -> bool:
    """Whether a model cannot be read without a method: neither linear nor a single tree."""
    return not isinstance(model, LinearModel) and not (isinstance(model, TreeModel) and len(model.trees) == 1)


def _judges(setting: Setting, models: Sequence[Model]) -> dict[str, Explanation]:
    judges = {}
    for model in models:
        with setting.narrator.step(f"Judging {model.name} by Shapley values", "people") as update:

            def explain(one: Model, rows: Any, update: Update = update, **asked: Any) -> Explanation:
                return setting.keeper.explain(one, rows, progress=update, **asked)

            judges[model.name] = judge(
                model,
                setting.panel,
                background=setting.background,
                scale=model.scales[0],
                seed=setting.seed,
                explain=explain,
                rounds=setting.depth.judge_rounds,
            )
    return judges


def _replicates(
    setting: Setting, models: Sequence[Model], on_panel: Mapping[Pair, Explanation], siblings: Siblings
) -> list[Replicates]:
    found, depth = [], setting.depth
    for model in models:
        methods = [method for name, method in on_panel if name == model.name]
        total = len(methods) * 2 * depth.replicates
        with setting.narrator.step(f"Explaining {model.name} again, with other seeds and backgrounds", "times") as update:
            explain = _counting(setting.keeper.explain, update, total)
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


def _retrained(
    setting: Setting,
    model: Model,
    methods: Sequence[str],
    on_panel: Mapping[Pair, Explanation],
    siblings: Sequence[Model],
) -> list[Replicates]:
    if not siblings:
        return []
    found, people = [], setting.panel[: setting.depth.noise_people]
    with setting.narrator.step(f"Explaining {model.name} trained with other seeds", "times") as update:
        explain = _counting(setting.explain, update, len(methods) * len(siblings))
        for method in methods:
            of = on_panel[model.name, method][: setting.depth.noise_people]
            others = tuple(explain(sibling, people, method, **of.options) for sibling in siblings)
            found.append(Replicates(of, "training", others))
    return found


def _settings(setting: Setting, models: Sequence[Model], on_panel: Mapping[Pair, Explanation]) -> pd.DataFrame:
    import pandas as pd

    tables = []
    for model in models:
        if len(methods := _with_known_defaults(model, on_panel)) < 2:
            continue
        with setting.narrator.step(f"Explaining {model.name} as the libraries come", "explanations") as update:
            laboratory = _laboratory(setting, _counting(setting.keeper.explain, update, 2 * len(methods)))
            tables.append(as_libraries_come(model, methods, laboratory, k=TOP, seed=setting.seed))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _disagreements(setting: Setting, models: Sequence[Model], on_panel: Mapping[Pair, Explanation]) -> list[Disagreement]:
    found = []
    for model in models:
        pairs = list(combinations(_with_known_defaults(model, on_panel), 2))
        with setting.narrator.step(f"Finding why methods disagree about {model.name}", "pairs") as update:
            for done, (one, other) in enumerate(pairs):
                update(done, len(pairs))
                found.append(disagreement(model, one, other, _laboratory(setting, setting.keeper.explain), k=TOP))
            update(len(pairs), len(pairs))
    return found


def _designs(setting: Setting, models: Sequence[Model], siblings: Siblings) -> dict[str, Crossed]:
    """Return nets and trees by the methods that take any model, and the nets by all of theirs, each by training seeds."""
    scale = models[0].scales[0]
    alike = [model for model in models if siblings.get(model.name) and scale in model.scales]
    nets = [model for model in alike if isinstance(model, NeuralModel)]
    shapley = "exact_shapley" if len(setting.case.schema) <= MOST_PLAYERS else "shapley"
    found = {}
    for title, some, methods in (
        ("all models", alike, (shapley, "lime")),
        ("the nets", nets, ("integrated_gradients", "deeplift", shapley, "lime")),
    ):
        if len(some) < 2:
            continue
        people, runs = setting.panel[: setting.depth.noise_people], {}
        with setting.narrator.step(f"Crossing {title} with methods and training seeds", "times") as update:
            explain = _counting(setting.explain, update, sum(1 + len(siblings[m.name]) for m in some) * len(methods))
            for model in some:
                for seed, one in enumerate([model, *siblings[model.name]]):
                    for method in methods:
                        runs[model.name, method, seed] = explain(one, people, method, scale=scale)
        found[title] = crossed(runs)
    return found


def _checks(setting: Setting, models: Sequence[Model], on_panel: Mapping[Pair, Explanation]) -> dict[str, pd.DataFrame]:
    """Return faithfulness, stability and sanity of a thorough report, empty in a quick one."""
    import pandas as pd

    tables: dict[str, list[pd.DataFrame]] = {"faithfulness": [], "stability": [], "sanity": []}
    for model in models if setting.depth.is_thorough else ():
        made = [e for (name, _), e in on_panel.items() if name == model.name]
        with setting.narrator.step(f"Checking how faithful and stable explanations of {model.name} are", "methods") as update:
            tables["faithfulness"].append(faithfulness(model, made, setting.background, seed=setting.seed))
            for done, one in enumerate(made):
                update(done, len(made))
                few, some = one[: setting.depth.stability_people], one[: setting.depth.sanity_people]
                explain = setting.keeper.explain
                tables["stability"].append(stability(model, few, setting.background, explain=explain, seed=setting.seed))
                if isinstance(model, NeuralModel):
                    randomised = sanity_check(model, some, setting.background, explain=explain, k=TOP, seed=setting.seed)
                    tables["sanity"].append(randomised)
            update(len(made), len(made))
    return {name: pd.concat(some, ignore_index=True) if some else pd.DataFrame() for name, some in tables.items()}


def _trust(
    models: Sequence[Model],
    on_panel: Mapping[Pair, Explanation],
    judged: pd.DataFrame,
    replicates: Sequence[Replicates],
    readiness: pd.DataFrame,
    checked: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:
    import pandas as pd

    noise = [noise_floor(some, k=TOP) for some in replicates if some.source == "seed"]
    evidence = Evidence(
        readiness=readiness,
        errors=judged,
        noise=pd.concat(noise, ignore_index=True) if noise else None,
        faithfulness=_or_none(checked["faithfulness"]),
        sanity=_or_none(checked["sanity"]),
    )
    made = [e for model in models for (name, _), e in on_panel.items() if name == model.name]
    return trust(made, evidence)


def _or_none(table: pd.DataFrame) -> pd.DataFrame | None:
    return table if len(table) else None


def _errors(
    setting: Setting,
    models: Sequence[Model],
    close: Sequence[Model],
    on_panel: Mapping[Pair, Explanation],
    judges: Mapping[str, Explanation],
) -> pd.DataFrame:
    """Return how far each method is from its judge; where all is measured, Kernel SHAP on shap's own budgets too."""
    import pandas as pd

    tables = []
    for model in models:
        made = [e for (name, _), e in on_panel.items() if name == model.name]
        tables.append(errors(made, judges[model.name], k=TOP))
        if setting.depth.is_thorough and model in close and (model.name, "kernel_shap") in on_panel:
            few = setting.panel[: setting.depth.noise_people]
            with setting.narrator.step(f"Explaining {model.name} by Kernel SHAP on shap's own budgets", "times") as update:
                explain = _counting(setting.explain, update, 2)
                as_shap_comes = {"n_features": library_defaults.KEPT_COLUMNS}
                own = [explain(model, few, "kernel_shap", **asked) for asked in ({}, as_shap_comes)]
            tables.append(errors(own, judges[model.name][: len(few)], k=TOP))
    return pd.concat(tables, ignore_index=True)


def _with_known_defaults(model: Model, on_panel: Mapping[Pair, Explanation]) -> list[str]:
    return [method for method in library_defaults.methods() if (model.name, method) in on_panel]


def _laboratory(setting: Setting, explain: Callable[..., Explanation]) -> Laboratory:
    people = setting.panel[: setting.depth.settings_people]
    return Laboratory(people, setting.background, setting.case.train, setting.seed, explain)


def _performance(setting: Setting, models: Sequence[Model], siblings: Siblings) -> pd.DataFrame:
    import pandas as pd

    test = setting.case.test
    assert test.outcomes is not None
    lines = [
        {"model": model.name, "training_seed": seed, "auc": auc(test.outcomes, one.predict(test, "probability"))}
        for model in models
        if siblings.get(model.name)
        for seed, one in enumerate([model, *siblings[model.name]])
    ]
    return pd.DataFrame(lines, columns=["model", "training_seed", "auc"])


def _counting(function: Callable[..., Explanation], update: Update, total: int) -> Callable[..., Explanation]:
    """Return the function, which tells after each call how many there were."""
    done = 0

    def counted(*arguments: Any, **options: Any) -> Explanation:
        nonlocal done
        found = function(*arguments, **options)
        done += 1
        update(done, max(done, total))
        return found

    return counted
