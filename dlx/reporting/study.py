"""Everything that a report tells, computed: who was explained, by what, and what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from dlx import explainers
from dlx.audit.adverse_action import ReasonRules
from dlx.comparison import Comparison, Contrast, compare, contrast, importance
from dlx.context import RunContext, is_black_box
from dlx.dataset import Dataset
from dlx.explanation import Explanation
from dlx.model import Model
from dlx.reporting.diagnostics import Harmony, harmony
from dlx.reporting.effects.study import PAIRED, Effects, effects_of
from dlx.reporting.people import Chosen, choose

if TYPE_CHECKING:
    import pandas as pd

PANEL = 40


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
    top : int
        How many columns of a person count as the most important.
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
    top: int
    left_out: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def reason_rules(self) -> ReasonRules:
        """The words of reasons, and what is never told as one."""
        return ReasonRules.of(self.case.train, self.background)

    def tells_of(self, model: Model) -> bool:
        """Whether a model is one of the two that are told of, or can be read without a method."""
        return model in (self.main, self.other) or not is_black_box(model)

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
        return self.on_panel(model, explainers.best_shapley(model, model.scales[0], self.methods_of(model)))

    def contrast(self) -> Contrast | None:
        """Return why the two main models differ about the panel; None where they have no common scale."""
        if self.other is None or self.other.scales[0] != self.main.scales[0]:
            return None
        return contrast(self.shapley(self.main), self.shapley(self.other))


def study(context: RunContext) -> Study:
    """Return everything that a report tells."""
    main, other = context.main, context.other
    chosen = choose(context.people[: len(context.featured)], main, other)
    explanations, shown = context.explanations, [model for model in (main, other) if model is not None]
    return Study(
        case=context.case,
        models=context.models,
        main=main,
        other=other,
        people=context.people,
        panel=len(context.panel),
        chosen=chosen,
        background=context.background,
        explanations=explanations,
        performance=context.performance,
        effects=effects_of(context, shown, context.people, _top_of(explanations, shown)),
        harmony=harmony(context),
        seed=context.seed,
        top=context.top,
        left_out=context.left_out,
    )


def top_features(explanations: Sequence[Explanation], count: int) -> list[str]:
    """Return the features with the largest mean share of the importance over some explanations."""
    shares = [e.importance / max(e.importance.sum(), 1e-300) for e in explanations]
    order = np.argsort(-np.mean(shares, axis=0), kind="stable")
    return [explanations[0].schema.names[i] for i in order[:count]]


def _top_of(explanations: dict[tuple[str, str], Explanation], models: Sequence[Model]) -> list[str]:
    """Return the columns that are most important to some models; in the schema's order where no method explains any."""
    made = [e for (name, _), e in explanations.items() if name in {model.name for model in models}]
    return top_features(made, PAIRED) if made else list(models[0].schema.names[:PAIRED])
