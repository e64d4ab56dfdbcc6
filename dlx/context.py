"""RunContext: a case, some models and some people, and what was measured of them, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from dlx import explainers
from dlx.arrays import array_id, in_short, same
from dlx.audit import preflight
from dlx.audit.adverse_action import ReasonRules, grouping
from dlx.audit.counterfactuals import Range
from dlx.audit.scores import advantages, performance
from dlx.audit.training_rows import seen_by, seen_rows
from dlx.background import sample
from dlx.comparison import Laboratory
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.explanation import Explanation, ExplanationError
from dlx.explanation_cache import ExplanationCache
from dlx.model import AdditiveModel, LinearModel, Model, NeuralModel, TreeModel, decided
from dlx.plots import decimals_of_values
from dlx.processes import side_by_side
from dlx.progress import Narrator, Update
from dlx.stats import quantile
from dlx.threads import cores

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_MODELS = ("mlp", "resnet", "gradient_boosting", "random_forest", "additive", "logistic_regression", "decision_tree")
PANEL = 40
USUAL_COLUMNS, FEWEST = 100, 10  # of a table of more columns fewer people are asked about, but so many
FEWEST_AGAIN = 4  # and they are explained again so often
MOST_AUDITED = 1_200  # test rows whose contributions the audit looks at
MOST_TOP = 5
TOP = 0.75  # quantile of the training outcomes above which people are to be brought down, where no range was asked for
TRAINING_SEEDS = 5  # besides the model's own
PEOPLE_IN_PAGE = ("0", "featured", "all")
Pair = tuple[str, str]
Siblings = Mapping[str, Sequence[Model]]
Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True)
class Budget:
    """How many people and replicates each question is given.

    Parameters
    ----------
    name : str
        "quick" or "thorough".
    noise_people, replicates : int
        People whose explanations are made again, and how often.
    truth_tolerance : float
        Standard errors of sampled Shapley values, as a share of their length, that are good enough.
    settings_people : int
        People who are explained as the libraries come.
    stability_people, sanity_people : int
        People whose neighbours are explained, and who are explained by randomised nets.
    """

    name: str
    noise_people: int
    replicates: int
    truth_tolerance: float
    settings_people: int
    stability_people: int = 0
    sanity_people: int = 0

    @property
    def is_thorough(self) -> bool:
        """Whether everything is measured, of every black box."""
        return self.name == "thorough"

    def of_columns(self, columns: int) -> Budget:
        """Return the budget for a table of so many columns: of more than 100, less is made again in proportion."""
        again, as_they_come = (
            in_proportion(some, columns, at_least=FEWEST_AGAIN) for some in (self.replicates, self.settings_people)
        )
        return replace(self, replicates=again, settings_people=as_they_come)


QUICK = Budget("quick", noise_people=8, replicates=10, truth_tolerance=0.02, settings_people=6)
THOROUGH = Budget(
    "thorough", noise_people=20, replicates=20, truth_tolerance=0.01, settings_people=8, stability_people=10, sanity_people=12
)


@dataclass(frozen=True, eq=False)
class RunContext:
    """Everything that the sections of a report share: none measures again what another one has measured.

    Parameters
    ----------
    case : Dataset
        All rows.
    models : tuple of Model
        In the order in which they are shown.
    people : Dataset
        Test rows: the featured ones first, then others drawn at random. Fast methods explain all of them.
    featured : tuple of str
        Why the report tells of each of the first people by name: a "clear" or a "borderline" case, "wrong" or "disputed"; of a
        value "typical", "high" (predicted too high), "low" or "disputed".
    background : Dataset
        The reference rows of every method.
    seed : int
        Seed of everything random.
    budget : Budget
        How much is measured.
    cache : ExplanationCache
        Explains, and remembers what it explained.
    narrator : Narrator
        Says what is going on.
    siblings : mapping of str to sequence of Model
        The same architectures trained with other seeds, by the name of the model.
    left_out : mapping of str to str
        Why models have no place here, by name.
    brought : tuple of Explanation
        Of these models on the panel, made by other tools.
    people_in_page : {"0", "featured", "all"}
        Whose rows a page may hold: nobody's, those of the people whom it tells of by name, or all.
    into : Range or str, optional
        Where people want to be predicted: of a value a range, out of the top quarter of the training rows where nobody said; of
        one class of several another class, any where nobody said.
    """

    case: Dataset
    models: tuple[Model, ...]
    people: Dataset
    featured: tuple[str, ...]
    background: Dataset
    seed: int
    budget: Budget
    cache: ExplanationCache
    narrator: Narrator
    siblings: Siblings = field(default_factory=lambda: MappingProxyType({}))
    left_out: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    brought: tuple[Explanation, ...] = ()
    people_in_page: str = "all"
    into: Range | str | None = None
    _known: dict[str, Any] = field(default_factory=dict, repr=False)

    __repr__ = in_short

    @classmethod
    def of(
        cls,
        case: Dataset,
        models: Sequence[Model],
        *,
        seed: int = 0,
        people: int = 200,
        background: int = 100,
        budget: Budget = QUICK,
        siblings: Siblings = MappingProxyType({}),
        left_out: Mapping[str, str] = MappingProxyType({}),
        brought: Sequence[Explanation] = (),
        people_in_page: str = "all",
        into: Range | str | None = None,
        keep: Path | None = None,
        narrator: Narrator | None = None,
    ) -> RunContext:
        """Return the context of some models on a case: its people are drawn, nothing is measured yet.

        Parameters
        ----------
        case, models : Dataset, sequence of Model
            A table with outcomes, and models of different names.
        people : int
            How many test rows the fast methods explain; the slow ones explain the first `PANEL` of them.
        background : int
            How many training rows are the reference.
        brought : sequence of Explanation
            Made by other tools, of all who may be in the panel: of the test rows.
        keep : Path, optional
            Folder where finished explanations are kept, and taken from if nothing that made them has changed.
        seed, budget, siblings, left_out, people_in_page, into, narrator
            As of the class.
        """
        if people_in_page not in PEOPLE_IN_PAGE:
            raise DlxError(f"the people in a page must be one of {', '.join(PEOPLE_IN_PAGE)}, got {people_in_page!r}")
        narrator, case = narrator or Narrator(), replace(case, is_limited=True)
        chosen, explained = _people(case.test, *featured_models(models), people, seed)
        reference, cache = case.background(background, seed=seed), ExplanationCache(keep, narrator)
        shown = tuple(_aligned(one, explained[: fewer_people(PANEL, len(case.schema))], reference, models) for one in brought)
        budget, rest = budget.of_columns(len(case.schema)), (siblings, left_out, shown, people_in_page, into)
        return cls(case, tuple(models), explained, chosen, reference, seed, budget, cache, narrator, *rest)

    def without(self, mute: Mapping[str, str], models: Sequence[Model]) -> RunContext:
        """Return the context of fewer models, and why the others have no place in it."""
        names = ("seed", "budget", "siblings", "people_in_page", "into", "narrator")
        asked: dict[str, Any] = {name: getattr(self, name) for name in names} | {"left_out": mute, "keep": self.cache.folder}
        asked |= {"people": len(self.people), "background": len(self.background)}
        return RunContext.of(self.case, models, **asked, brought=[one for one in self.brought if one.model not in mute])

    def fewer(self, people: int) -> int:
        """Return how many people to explain instead of so many: in proportion fewer for a table of more than 100 columns."""
        return fewer_people(people, len(self.case.schema))

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """Return a cached value by its name; the first call makes it."""
        if name not in self._known:
            self._known[name] = make()
        return self._known[name]

    @property
    def main(self) -> Model:
        """The model that the page explains first: a net, where there is one."""
        return featured_models(self.models)[0]

    @property
    def other(self) -> Model | None:
        """The model that the main one is compared with person by person: trees, where there are any."""
        return featured_models(self.models)[1]

    @property
    def shown(self) -> list[Model]:
        """The main model and, where there is one, the other."""
        return [model for model in (self.main, self.other) if model is not None]

    @property
    def black_boxes(self) -> list[Model]:
        """The models that nobody can read without a method."""
        return [model for model in self.models if is_black_box(model)]

    @property
    def interpretable(self) -> list[Model]:
        """The interpretable models: linear and additive ones, and single trees."""
        return [model for model in self.models if not is_black_box(model)]

    @property
    def audited_models(self) -> list[Model]:
        """The models that the sections about errors, fairness and change look at: a few, among them the one to use."""
        few = (self.main, self.other, self.to_use[0])
        return [model for model in self.models if self.budget.is_thorough or model in few or not is_black_box(model)]

    @property
    def audited_black_boxes(self) -> list[Model]:
        """The black boxes among `audited_models`; all of these where none is a black box."""
        return [model for model in self.audited_models if is_black_box(model)] or self.audited_models

    @cached_property
    def panel(self) -> Dataset:
        """The people whom every method explains: the first of all."""
        return self.people[: self.fewer(PANEL)]

    @property
    def top(self) -> int:
        """How many columns of a person count as the most important: five, but no more than half of them."""
        return min(MOST_TOP, max(1, len(self.case.schema) // 2))

    def explain(self, model: Model, rows: Any, method: str, **asked: Any) -> Explanation:
        """Return an explanation on the model's own scale, unless another is asked for."""
        shared: dict[str, Any] = {"background": self.background, "scale": model.scales[0], "seed": self.seed}
        return self.cache.explain(model, rows, method=method, **(shared | asked))

    @cached_property
    def wanted(self) -> Range:
        """Where people want to be predicted: in the range that was asked for, else out of the top quarter of training rows."""
        outcomes = self.case.train.outcomes
        assert outcomes is not None
        top = float(quantile(outcomes, TOP, self.case.train.weights))
        return self.into if isinstance(self.into, Range) else Range(high=round(top, decimals_of_values(2)))  # as it is printed

    def laboratory(self, explain: Callable[..., Explanation]) -> Laboratory:
        """Return a `Laboratory` of some people, in which libraries explain them as they come."""
        people = self.panel[: self.budget.settings_people]
        return Laboratory(people, self.background, self.case.train, self.seed, explain)

    @cached_property
    def performance(self) -> pd.DataFrame:
        """Performance of every model on the test rows, as `dlx.audit.performance`."""
        import pandas as pd

        measure = partial(performance, people=self.case.test, seed=self.seed)
        return pd.concat(self.each(self.models, "Measuring performance", "models", measure), ignore_index=True)

    @cached_property
    def advantages(self) -> pd.DataFrame:
        """How much better black boxes predict than interpretable models on the test rows, as `dlx.audit.advantages`."""
        return advantages(self.black_boxes, self.interpretable, self.case.test, seed=self.seed)

    @cached_property
    def reason_rules(self) -> ReasonRules:
        """When a reason may be given and in which words, as the training rows tell, and as unusual beside the background."""
        return ReasonRules.of(self.case.schema, grouping(self.case.train), self.background)

    @cached_property
    def are_unseen(self) -> bool:
        """Whether no model has seen the test rows, as far as is known."""
        return all(seen_by(model, self.case).standing == "unseen" for model in self.models)

    @cached_property
    def seen_rows(self) -> pd.DataFrame:
        """What every model was trained on, and whether it knows the test rows too well, as `dlx.audit.training_rows`."""
        return seen_rows(self.models, self.case, seed=self.seed)

    @cached_property
    def to_use(self) -> tuple[Model, str]:
        """The model to use, and why: a black box only where it is better than the best interpretable model by two measures.

        Of classes these are the log loss and the AUC, of a value the root mean squared and mean absolute errors. A model that
        has seen the test rows, or knows them too well, is taken only where there is no other. Why is "better" (beyond chance),
        "interpretable" (no black box is better), or "alone" (there is nothing to compare with, or no outcomes to judge by).
        """
        if self.case.test.outcomes is None or not np.ptp(self.case.test.outcomes):
            return self.main, "alone"
        loss, also = ("rmse", "mae") if self.case.schema.target.is_value else ("log_loss", "auc")
        losses = self.performance[self.performance["metric"] == loss].set_index("model")["estimate"]
        flattered = self.seen_rows.query("standing == 'seen' or knows_too_well")["model"].tolist()
        judged = [model for model in self.models if model.name not in flattered] or self.models
        black_boxes, interpretable = (
            sorted((model for model in judged if model in some), key=lambda model: losses[model.name])
            for some in (self.black_boxes, self.interpretable)
        )
        if not black_boxes or not interpretable:
            return (black_boxes + interpretable)[0], "alone"
        table = self.advantages
        ahead = table[(table["interpretable"] == interpretable[0].name) & table["significant"] & (table["advantage"] > 0)]
        of_both = set.intersection(*(set(ahead.loc[ahead["metric"] == metric, "model"]) for metric in (loss, also)))
        rivals = [model for model in black_boxes if model.name in of_both]
        return (rivals[0], "better") if rivals else (interpretable[0], "interpretable")

    @cached_property
    def compatibility(self) -> pd.DataFrame:
        """Which methods fit which model, as `dlx.audit.preflight`; of those that take it, the ones that are worth asking."""
        import pandas as pd

        beside = {*explainers.ground_truths(), *explainers.apart()}

        def checked(model: Model) -> pd.DataFrame:
            others = set(explainers.names_for(model)) - set(explainers.worth_asking(model))
            methods = [method for method in explainers.names() if method not in beside | others]
            return preflight(model, self.panel, self.background, methods=methods, seed=self.seed)

        step = "Checking which methods fit which model"
        return pd.concat(
            self.side_by_side([partial(checked, model) for model in self.models], step, "models"), ignore_index=True
        )

    @cached_property
    def explanations(self) -> dict[Pair, Explanation]:
        """Every model by every method that fits it: of all people or, for slow methods, of the panel."""
        table = self.compatibility
        fitting = table[table["verdict"] != "not valid"]
        pairs = [(model, name) for model in self.models for name in fitting[fitting["model"] == model.name]["method"]]

        def quickness(pair: tuple[Model, str]) -> tuple[bool, bool]:
            facts = explainers.method(pair[1])
            return facts.EVALUATES != explainers.PATHS, facts.COST != "high"

        longest_first = sorted(pairs, key=quickness)
        tasks = [partial(self._explained, *pair) for pair in longest_first]
        found = dict(zip(longest_first, self.side_by_side(tasks, "Explaining every model", "explanations"), strict=True))
        return {(model.name, method): found[model, method] for model, method in pairs}

    @cached_property
    def on_panel(self) -> dict[Pair, Explanation]:
        """Every model by every method that fits it, of the panel."""
        return {pair: made[: len(self.panel)] for pair, made in self.explanations.items()}

    @cached_property
    def contributions(self) -> dict[str, Explanation]:
        """Shapley values of at most `MOST_AUDITED` test rows, by the name of the model: of black boxes and the model to use."""
        people = sample(self.case.test, self.fewer(MOST_AUDITED), seed=self.seed)
        models = list(dict.fromkeys([*self.audited_black_boxes, self.to_use[0]]))
        parts = [people[some] for some in np.array_split(np.arange(len(people)), min(cores(), len(people)))]
        best = {model: explainers.best_shapley(model, model.scales[0]) for model in models}
        tasks = [partial(self.explain, model, part, best[model]) for model in models for part in parts]
        found = iter(self.side_by_side(tasks, "Explaining test rows by the audited models", "parts"))
        return {model.name: Explanation.concatenate([next(found) for _ in parts]) for model in models}

    def methods_of(self, model: Model) -> list[str]:
        """Return the methods by which a model was explained."""
        return [method for name, method in self.explanations if name == model.name]

    def shown_of(self, model: Model) -> list[Explanation]:
        """Return the explanations of a model on the panel: those of dlx, then those of other tools."""
        ours = [self.on_panel[model.name, method] for method in self.methods_of(model)]
        return ours + [one for one in self.brought if one.model == model.name]

    def side_by_side(self, tasks: Sequence[Callable[[], Made]], step: str, unit: str) -> list[Made]:
        """Return what tasks return, as `dlx.processes.side_by_side`; one after another where they may call a user's code.

        Libraries whose threads have run, as LightGBM's, hang in a forked process.
        """
        is_users = [model.original is not None and model.provenance is None for model in self.models]
        if any(is_users) or any(one.again for one in self.brought):
            return [task() for task in tasks]
        return side_by_side(tasks, self.narrator, step, unit)

    def each(self, things: Sequence[Given], step: str, unit: str, make: Callable[[Given], Made]) -> list[Made]:
        """Return what is made of things one after another, and say how many there are."""
        made: list[Made] = []
        with self.narrator.step(step, unit) as update:
            for one in things:
                made.append(make(one))
                update(len(made), len(things))
        return made

    def _explained(self, model: Model, method: str) -> Explanation:
        people = self.panel if explainers.method(method).COST == "high" else self.people
        asked: dict[str, Any] = {"method": method, "background": self.background, "scale": model.scales[0]}
        asked |= {"seed": self.seed, **explainers.quick_options(method, len(self.case.schema))}
        label = f"Explaining {model.name} by {explainers.method(method).LABEL}"
        if (found := self.cache.find(model, people, **asked)) is not None:
            if self.cache.is_from_before(model, people, **asked):
                self.narrator.say(f"{label}: kept from an earlier run")
            return found
        with self.narrator.step(label, "people") as update:
            made = self.cache.explain(model, people, progress=update, **asked)
        if made.failures:
            row, why = next(iter(made.failures.items()))
            self.narrator.say(f"{label}: {len(made.failures)} of {len(made)} people failed, first {made.index[row]}: {why}")
        return made


def default_models(case: Dataset, models: Sequence[str] = DEFAULT_MODELS) -> list[str]:
    """Return the architectures that a page compares where nobody named any; of a value the linear one is linear regression."""
    linear = {"logistic_regression": "linear_regression"} if case.schema.target.is_value else {}
    return [linear.get(name, name) for name in models]


def fewer_people(people: int, columns: int) -> int:
    """Return how many people to explain instead of so many: in proportion fewer for a table of more than 100 columns."""
    return in_proportion(people, columns, at_least=FEWEST)


def in_proportion(count: int, columns: int, *, at_least: int) -> int:
    """Return a count, in proportion less for a table of more than 100 columns."""
    return count if columns <= USUAL_COLUMNS else min(count, max(at_least, count * USUAL_COLUMNS // columns))


def is_black_box(model: Model) -> bool:
    """Whether a model is a black box: neither linear, nor a sum over columns and pairs, nor a single tree."""
    return not isinstance(model, (LinearModel, AdditiveModel)) and not (isinstance(model, TreeModel) and len(model.trees) == 1)


def featured_models(models: Sequence[Model]) -> tuple[Model, Model | None]:
    """Return the two models to tell of: the first net and the first boosted (or other) trees, else the first two."""
    nets = [model for model in models if isinstance(model, NeuralModel) and is_black_box(model)]
    main = nets[0] if nets else models[0]
    rest = [model for model in models if model is not main]
    alike = [model for model in rest if model.scales[0] == main.scales[0]]
    for kind in (TreeModel, LinearModel, object):
        found = [model for model in alike if isinstance(model, kind) and not isinstance(model, NeuralModel)]
        if found:
            return main, found[0]
    return main, next(iter(alike or rest), None)


def counting(function: Callable[..., Explanation], update: Update, total: int) -> Callable[..., Explanation]:
    """Return a function that explains as another one, and reports after each call how many explanations were made."""
    done = 0

    def counted(*arguments: Any, **options: Any) -> Explanation:
        nonlocal done
        found = function(*arguments, **options)
        done += 1
        update(done, max(done, total))
        return found

    return counted


def _aligned(brought: Explanation, panel: Dataset, background: Dataset, models: Sequence[Model]) -> Explanation:
    """Return an explanation of another tool, of the panel; raise where it is of another model, scale or background."""
    what = f"{brought.method} of {brought.model}"
    model = next((model for model in models if model.name == brought.model), None)
    if model is None:
        raise DlxError(f"{what} explains no model of this report; it tells of {', '.join(model.name for model in models)}")
    if brought.method in explainers.names():
        raise DlxError(f"{what} has the name of a method that the report uses; give it another: method='my_shap'")
    if brought.target not in ("", model.target):
        raise DlxError(f"{what} explains {brought.target!r}, the report {model.target!r}; explain that")
    if brought.scale != model.scales[0]:
        raise DlxError(f"{what} is on the scale {brought.scale!r}, the report on {model.scales[0]!r}; explain it on that")
    if brought.background_id != array_id(background.rows):
        here = f"case.background({len(background)}, seed=...), with the report's seed"
        raise DlxError(f"{what} was made against another background than the report's; make it against {here}")
    try:
        of_panel = brought.of(panel.index)
    except ExplanationError as error:
        raise DlxError(f"{error}; a report needs its own people: explain all of case.test") from error
    if not same(of_panel.rows, panel.rows).all():
        raise DlxError(f"{what} explains other rows under the names of the report's people; explain case.test")
    return of_panel


def _people(test: Dataset, main: Model, other: Model | None, count: int, seed: int) -> tuple[tuple[str, ...], Dataset]:
    """Return the people to explain: the featured ones first, then others drawn at random, in the order of the table."""
    chosen = _featured(test, main, other)
    first = list(chosen.values())
    drawn = np.random.default_rng(seed).permutation(np.setdiff1d(np.arange(len(test)), first))
    room = max(0, min(count, len(test)) - len(first))
    return tuple(chosen), test[np.r_[first, drawn[:room]].astype(int)]


def _featured(people: Dataset, main: Model, other: Model | None) -> dict[str, int]:
    """Return the row of each kind of person that a report tells of: who stands out, and on whom two models differ most.

    Nobody is chosen twice. One is left out where the model errs so about nobody, the last where there is one model.
    """
    scores = (_standing_out_by_value if people.schema.target.is_value else _standing_out)(people, main)
    if other is not None:
        scale = main.scales[0] if main.scales[0] == other.scales[0] else "probability"
        scores["disputed"] = np.abs(main.predict(people, scale) - other.predict(people, scale))
    chosen: dict[str, int] = {}
    for key, score in scores.items():
        free = np.setdiff1d(np.flatnonzero(np.isfinite(score)), list(chosen.values()))
        if len(free):
            chosen[key] = int(free[score[free].argmax()])
    return chosen


def _standing_out(people: Dataset, main: Model) -> dict[str, np.ndarray]:
    """Return how clear, how borderline and how wrong each decision is, [rows] each."""
    threshold, risk = people.schema.target.threshold, main.predict(people, "probability")
    scores = {"clear": np.where(decided(risk, threshold), risk, -np.inf), "borderline": -np.abs(risk - threshold)}
    if people.outcomes is not None:
        is_wrong = decided(risk, threshold) != (people.outcomes == 1)
        scores["wrong"] = np.where(is_wrong, np.abs(risk - people.outcomes), -np.inf)
    return scores


def _standing_out_by_value(people: Dataset, main: Model) -> dict[str, np.ndarray]:
    """Return how typical each predicted value and its error are, and by how much it is too high and too low, [rows] each."""
    predicted = main.predict(people, "value")
    scores = {"typical": -np.abs(predicted - np.median(predicted))}
    if people.outcomes is not None:
        error = predicted - people.outcomes
        scores["typical"] -= np.abs(np.abs(error) - np.median(np.abs(error)))
        scores |= {"high": np.where(error > 0, error, -np.inf), "low": np.where(error < 0, -error, -np.inf)}
    return scores
