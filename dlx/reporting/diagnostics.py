"""What is known of the explanations themselves: noise, causes of disagreement, distance to the truth, and whom to trust."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dlx.comparison import Disagreement, Replicates, VarianceComponents, believed, compare
from dlx.context import Budget, Pair, RunContext
from dlx.explanation import Explanation
from dlx.model import Model
from dlx.reporting import measuring

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Harmony:
    """Everything that was measured of the explanations.

    Parameters
    ----------
    depth : Budget
        How much was asked.
    top : int
        How many columns of a person count as the most important.
    compatibility : DataFrame
        Pre-flight of every model and method.
    ground_truths : dict of str to Explanation
        Shapley values of each model, of the panel.
    distances : DataFrame
        How far each method is from the ground truth.
    parity : DataFrame
        How far our kernels are from the reference libraries, on a few people.
    replicates : list of Replicates
        Explanations of the first people of the panel, again.
    settings : DataFrame
        How far methods agree as their libraries come, and aligned.
    disagreements : list of Disagreement
        What a distance between two methods is made of.
    designs : dict of str to VarianceComponents
        Models by methods by training seeds, under what they have in common.
    siblings : DataFrame
        ROC AUC of every training seed on the test rows; explanations are made again by those that are as good.
    faithfulness, stability, sanity : DataFrame
        Empty in a quick report.
    trust : DataFrame
        A line a model and method.
    """

    depth: Budget
    top: int
    compatibility: pd.DataFrame
    ground_truths: dict[str, Explanation]
    distances: pd.DataFrame
    parity: pd.DataFrame
    replicates: list[Replicates]
    settings: pd.DataFrame
    disagreements: list[Disagreement]
    designs: dict[str, VarianceComponents]
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
            self._compared[key] = compare([r.of for r in some], replicates=some).against_noise(self.top)
        return self._compared.get(key)

    def believed(self, model: Model) -> list[str]:
        """Return the methods whose word counts about a model: the trusted ones; where none is, those that nothing refutes."""
        table = self.trust[self.trust["model"] == model.name]
        return list(table["method"][believed(table)])

    def is_trusted(self, model: Model) -> bool:
        """Whether trust in any method about a model was earned, so that `believed` are the trusted ones."""
        return bool(self.trust.loc[self.trust["model"] == model.name, "trusted"].any())


def harmony(context: RunContext) -> Harmony:
    """Return what is known of the explanations of a context's models; measured for whoever asks first."""
    return context.once("harmony", lambda: _measured(context))


def _measured(context: RunContext) -> Harmony:
    models, on_panel, compatibility = context.models, context.on_panel, context.compatibility
    shown = [model for model in (context.main, context.other) if model is not None]
    black_boxes, is_thorough = context.black_boxes or list(models), context.budget.is_thorough
    close = black_boxes if is_thorough else [model for model in shown if model in black_boxes][:1] or shown[:1]
    ground_truths = measuring.ground_truths_of(context, models)
    scores = measuring.scores_of_siblings(context, [model for model in close if context.siblings.get(model.name)])
    replicates = measuring.made_again(context, close, on_panel, measuring.as_good(context.siblings, scores))
    replicates += measuring.seeded_again(context, [model for model in shown if model not in close], on_panel)
    checked = measuring.checks_of(context, close, on_panel)
    distances = measuring.distances_of(context, models, close, on_panel, ground_truths)
    return Harmony(
        depth=context.budget,
        top=context.top,
        compatibility=compatibility,
        ground_truths=ground_truths,
        replicates=replicates,
        settings=measuring.as_they_come(context, close, on_panel),
        disagreements=measuring.causes_of(context, close, on_panel) if is_thorough else [],
        designs=measuring.crossed_designs(context, black_boxes, context.siblings) if is_thorough else {},
        siblings=scores,
        distances=distances,
        parity=measuring.parity_of(context, models, on_panel),
        trust=measuring.trust_in(context, models, on_panel, distances, replicates, compatibility, checked),
        **checked,
    )
