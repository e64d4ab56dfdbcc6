"""Everything that a report tells, computed: who was explained, by what, and what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx import explainers
from dlx.audit import performance
from dlx.audit.reasons import Spoken
from dlx.comparison import Comparison, Contrast, compare, contrast, importance
from dlx.dataset import Dataset
from dlx.explanation import Explanation
from dlx.model import LinearModel, Model, NeuralModel, TreeModel
from dlx.progress import Narrator
from dlx.reporting.depth import QUICK, Depth
from dlx.reporting.diagnostics import Harmony, harmony, ready
from dlx.reporting.effects.study import PAIRED, Effects, effects_of
from dlx.reporting.kept import Keeper
from dlx.reporting.people import Chosen, choose
from dlx.reporting.refusals import mute_models, without
from dlx.reporting.setting import Setting, Siblings, is_opaque, top_of

if TYPE_CHECKING:
    import pandas as pd

SLOW = ("kernel_shap",)
PANEL = 40
KERNEL_COALITIONS = 512
OPTIONS: dict[str, dict[str, Any]] = {"kernel_shap": {"n_samples": KERNEL_COALITIONS}}


@dataclass(frozen=True)
class Study:
    """The people, the models, and what the methods say.

    Parameters
    ----------
    case : Dataset
        All rows.
    models : tuple of Model
        In the order in which they are shown.
    main, other : Model, Model or None
        The two that are told of person by person: a net and trees where there are both.
    people : Dataset
        Explained by the fast methods; those told of come first.
    panel : int
        The first so many people are explained by every method.
    chosen : list of Chosen
        Whom the report tells of; their positions are those in `people`.
    background : Dataset
        The reference rows of every method.
    explanations : dict of (str, str) to Explanation
        Of a model by a method, of `people` or, for slow methods, of the panel.
    performance : DataFrame
        Of every model on the test rows.
    effects : Effects
        What `main` and `other` do as columns change.
    harmony : Harmony
        What is known of the explanations themselves.
    seed : int
        Seed of everything random.
    left_out : mapping of str to str
        Why models have no place here, by name: no method that gives Shapley values could be asked about them.
    """

    case: Dataset
    models: tuple[Model, ...]
    main: Model
    other: Model | None
    people: Dataset
    panel: int
    chosen: list[Chosen]
    background: Dataset
    explanations: dict[tuple[str, str], Explanation]
    performance: pd.DataFrame
    effects: Effects
    harmony: Harmony
    seed: int
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def top(self) -> int:
        """How many columns of a person count as the most important."""
        return top_of(self.case)

    @cached_property
    def spoken(self) -> Spoken:
        """The words of reasons, and what is never told as one."""
        return Spoken.of(self.case.train, self.background)

    def tells_of(self, model: Model) -> bool:
        """Whether a model is one of the two that are told of, or can be read without a method."""
        return model in (self.main, self.other) or not is_opaque(model)

    def methods_of(self, model: Model) -> list[str]:
        """Return the methods by which a model was explained."""
        return [method for name, method in self.explanations if name == model.name]

    def on_panel(self, model: Model, method: str) -> Explanation:
        """Return the explanation of the panel."""
        return self.explanations[model.name, method][: self.panel]

    def importance(self, model: Model) -> pd.DataFrame:
        """Return the importance of every feature for a model, by each of its methods, over the panel."""
        import pandas as pd

        return pd.concat([importance(self.on_panel(model, method)) for method in self.methods_of(model)], ignore_index=True)

    def methods_compared(self, model: Model) -> Comparison | None:
        """Return the methods of one model side by side; None where there is only one."""
        explained = [self.on_panel(model, method) for method in self.methods_of(model)]
        return compare(explained) if len(explained) > 1 else None

    def models_compared(self) -> Comparison | None:
        """Return the Shapley values of all models whose own scale is the main one's; None where there is only one."""
        alike = [model for model in self.models if model.scales[0] == self.main.scales[0]]
        return compare([self.shapley(model) for model in alike]) if len(alike) > 1 else None

    def shapley(self, model: Model) -> Explanation:
        """Return the Shapley values of a model on the panel: exact where its method is, else Kernel SHAP's."""
        exact = [m for m in ("tree_shap", "linear_shap") if (model.name, m) in self.explanations]
        return self.on_panel(model, exact[0] if exact else "kernel_shap")

    def contrast(self) -> Contrast | None:
        """Return why the two main models differ about the panel; None where they have no common scale."""
        if self.other is None or self.other.scales[0] != self.main.scales[0]:
            return None
        return contrast(self.shapley(self.main), self.shapley(self.other))


def study(
    case: Dataset,
    models: Sequence[Model],
    *,
    seed: int = 0,
    people: int = 200,
    background: int = 100,
    depth: Depth = QUICK,
    siblings: Siblings = MappingProxyType({}),
    keep: Path | None = None,
    narrator: Narrator,
) -> Study:
    """Return everything that a report tells.

    Parameters
    ----------
    case : Dataset
        A table with a binary outcome.
    models : sequence of Model
        With different names.
    seed : int
        Seed of the sample of people, the background and the methods.
    people : int
        How many test rows the fast methods explain; the slow ones explain the first `PANEL` of them.
    background : int
        How many training rows are the reference.
    depth : Depth
        How much is measured of the explanations themselves.
    siblings : mapping of str to sequence of Model
        The same architectures trained with other seeds, by the name of the model.
    keep : Path, optional
        Folder where finished explanations are kept, and taken from if nothing that made them has changed.
    narrator : Narrator
        Says what is going on.
    """
    main, other = protagonists(models)
    chosen, explained = _sample(case.test, choose(case.test, main, other), people, seed)
    panel = explained[: min(PANEL, len(explained))]
    setting = Setting(case, panel, case.background(background, seed=seed), seed, depth, Keeper(keep, narrator), narrator)
    measured, readiness = _performance(models, setting), _readiness(models, setting)
    if mute := mute_models(models, readiness):
        asked: dict[str, Any] = {"seed": seed, "people": people, "background": background, "depth": depth}
        asked |= {"siblings": siblings, "keep": keep, "narrator": narrator}
        return replace(study(case, without(models, mute, narrator), **asked), left_out=mute)
    explanations = {
        (line.model, line.method): _explained(model, line.method, panel if line.method in SLOW else explained, setting)
        for model in models
        for line in readiness[(readiness["model"] == model.name) & (readiness["verdict"] != "not valid")].itertuples()
    }
    shown = [model for model in (main, other) if model is not None]
    return Study(
        case=case,
        models=tuple(models),
        main=main,
        other=other,
        people=explained,
        panel=len(panel),
        chosen=chosen,
        background=setting.background,
        explanations=explanations,
        performance=measured,
        effects=effects_of(setting, shown, explained, _top_of(explanations, shown)),
        harmony=harmony(setting, models, shown, explanations, readiness, siblings),
        seed=seed,
    )


def _performance(models: Sequence[Model], setting: Setting) -> pd.DataFrame:
    import pandas as pd

    measured = []
    with setting.narrator.step("Measuring performance", "models") as update:
        for i, model in enumerate(models):
            measured.append(performance(model, setting.case.test, seed=setting.seed))
            update(i + 1, len(models))
    return pd.concat(measured, ignore_index=True)


def _readiness(models: Sequence[Model], setting: Setting) -> pd.DataFrame:
    import pandas as pd

    tables = []
    with setting.narrator.step("Checking which methods fit which model", "models") as update:
        for i, model in enumerate(models):
            tables.append(ready(model, setting))
            update(i + 1, len(models))
    return pd.concat(tables, ignore_index=True)


def protagonists(models: Sequence[Model]) -> tuple[Model, Model | None]:
    """Return the two models to tell of: the first net and the first boosted (or other) trees, else the first two."""
    nets = [model for model in models if isinstance(model, NeuralModel)]
    main = nets[0] if nets else models[0]
    rest = [model for model in models if model is not main]
    alike = [model for model in rest if model.scales[0] == main.scales[0]]
    for kind in (TreeModel, LinearModel, object):
        found = [model for model in alike if isinstance(model, kind) and not isinstance(model, NeuralModel)]
        if found:
            return main, found[0]
    return main, next(iter(alike or rest), None)


def top_features(explanations: Sequence[Explanation], count: int) -> list[str]:
    """Return the features with the largest mean share of the importance over some explanations."""
    shares = [e.importance / max(e.importance.sum(), 1e-300) for e in explanations]
    order = np.argsort(-np.mean(shares, axis=0), kind="stable")
    return [explanations[0].schema.names[i] for i in order[:count]]


def _sample(test: Dataset, chosen: list[Chosen], count: int, seed: int) -> tuple[list[Chosen], Dataset]:
    """Return the people to explain: the chosen ones first, then others drawn at random, in the order of the table."""
    first = [one.position for one in chosen]
    others = np.setdiff1d(np.arange(len(test)), first)
    drawn = np.random.default_rng(seed).permutation(others)
    room = max(0, min(count, len(test)) - len(first))
    moved = [Chosen(i, one.key, one.title, one.rule) for i, one in enumerate(chosen)]
    return moved, test[np.r_[first, drawn[:room]].astype(int)]


def _explained(model: Model, method: str, people: Dataset, setting: Setting) -> Explanation:
    asked: dict[str, Any] = {"method": method, "background": setting.background, "scale": model.scales[0]}
    asked |= {"seed": setting.seed, **OPTIONS.get(method, {})}
    label = f"Explaining {model.name} by {explainers.method(method).LABEL}"
    if (found := setting.keeper.find(model, people, **asked)) is not None:
        setting.narrator.say(f"{label}: kept from an earlier run")
        return found
    with setting.narrator.step(label, "people") as update:
        made = setting.keeper.explain(model, people, progress=update, **asked)
    if made.failures:
        row, why = next(iter(made.failures.items()))
        setting.narrator.say(f"{label}: {len(made.failures)} of {len(made)} people failed, first {made.index[row]}: {why}")
    return made


def _top_of(explanations: dict[tuple[str, str], Explanation], models: Sequence[Model]) -> list[str]:
    """Return the columns that are most important to some models; in the schema's order where no method explains any."""
    made = [e for (name, _), e in explanations.items() if name in {model.name for model in models}]
    return top_features(made, PAIRED) if made else list(models[0].schema.names[:PAIRED])
