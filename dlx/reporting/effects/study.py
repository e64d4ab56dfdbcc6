"""Measures what the models do as columns change, for the report; what a model cannot answer becomes a remark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from dlx.background import sample
from dlx.context import RunContext
from dlx.dataset import Dataset
from dlx.effects import (
    AccumulatedEffects,
    PairDependence,
    PartialDependence,
    accumulated_local_effects,
    friedman_h,
    pair_dependence,
    partial_dependence,
    permutation_importance,
)
from dlx.effects.shap_interactions import Interactions, interactions
from dlx.errors import BugError, in_a_line, is_own_fault
from dlx.kernels.shapley.interactions import MOST_ENUMERATED, usual_coalitions
from dlx.model import Model, Scale

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 6
PAIRED = 8
LOCAL_PEOPLE = 1_000
TEST_PEOPLE = 1_500
PAIR_PEOPLE = 100
REFERENCES, MIXED_ROWS = 40, 5_000_000  # reference rows of the interactions, and the rows that these may cost
Found = TypeVar("Found")


@dataclass(frozen=True)
class Effects:
    """What the models do as columns change.

    Parameters
    ----------
    models : tuple of Model
        Those that are shown, the main one first.
    people, local : Dataset
        Over whom partial dependence and ALE are.
    curves, accumulated : list of list
        Partial dependence and ALE: a list a column, one entry a model that could answer.
    importance, pairs : DataFrame
        Permutation importance, and Friedman's H of every pair of the top columns, of all models shown; empty where no model
        could answer.
    surfaces : list of PairDependence
        Of the strongest pair of the first model in `pairs`, one a model.
    joint : Interactions or None
        Shapley interactions of the main model.
    references : int
        Reference rows of the interactions, some of the background.
    remarks : list of str
        What could not be measured, and why.
    """

    models: tuple[Model, ...]
    people: Dataset
    local: Dataset
    curves: list[list[PartialDependence]]
    accumulated: list[list[AccumulatedEffects]]
    importance: pd.DataFrame
    pairs: pd.DataFrame
    surfaces: list[PairDependence]
    joint: Interactions | None
    references: int
    remarks: list[str]


@dataclass(frozen=True)
class _Attempts:
    """Calls that may fail: what is asked here are rows that nobody has, and a model may refuse them."""

    remarks: list[str] = field(default_factory=list)

    def of(self, what: str, function: Callable[[], Found]) -> Found | None:
        """Return what a function returns; None, with a remark, where it raises."""
        try:
            return function()
        except Exception as error:  # a model may raise anything
            if is_own_fault(error):
                raise BugError(what, error) from error
            self.remarks.append(f"{what}: {in_a_line(error)}")
            return None


def effects_of(setting: RunContext, models: Sequence[Model], people: Dataset, features: Sequence[str]) -> Effects:
    """Return what some models do as columns change.

    Parameters
    ----------
    setting : RunContext
        What every question is asked with.
    models : sequence of Model
        The main one first.
    people : Dataset
        Over whom partial dependence is averaged.
    features : sequence of str
        Names of the columns, the most important first.
    """
    attempts = _Attempts()
    local = sample(setting.case.test, LOCAL_PEOPLE, seed=setting.seed)
    curves, accumulated = _alone(setting, models, people, local, features[:SHOWN], attempts)
    importance = _shuffled(setting, models, attempts)
    pairs, surfaces = _in_pairs(setting, models, local, features[:PAIRED], attempts)
    panel, references = _affordable(setting)
    joint = _joint(setting, models[0], panel, references, attempts)
    return Effects(
        tuple(models), people, local, curves, accumulated, importance, pairs, surfaces, joint, len(references), attempts.remarks
    )


def _alone(
    setting: RunContext, models: Sequence[Model], people: Dataset, local: Dataset, features: Sequence[str], attempts: _Attempts
) -> tuple[list[list[PartialDependence]], list[list[AccumulatedEffects]]]:
    scale: Scale = "probability" if "probability" in models[0].scales else models[0].scales[0]
    curves, accumulated = [], []
    with setting.narrator.step("Measuring partial dependence and ALE", "columns") as update:
        for i, feature in enumerate(features):
            label = f"of “{setting.case.schema[feature].label}”"

            def curve(model: Model, feature: str = feature) -> PartialDependence:
                return partial_dependence(model, people, feature, scale=scale)

            def steps(model: Model, feature: str = feature) -> AccumulatedEffects:
                return accumulated_local_effects(model, local, feature, scale=scale, seed=setting.seed)

            curves.append(_of_each(models, f"The partial dependence {label}", curve, attempts))
            accumulated.append(_of_each(models, f"ALE {label}", steps, attempts))
            update(i + 1, len(features))
    return [found for found in curves if found], accumulated


def _of_each(models: Sequence[Model], what: str, ask: Callable[[Model], Found], attempts: _Attempts) -> list[Found]:
    """Return the answers of those models that have one."""
    answers = [attempts.of(f"{what} by {model.name}", lambda model=model: ask(model)) for model in models]  # type: ignore[misc]
    return [answer for answer in answers if answer is not None]


def _shuffled(setting: RunContext, models: Sequence[Model], attempts: _Attempts) -> pd.DataFrame:
    import pandas as pd

    people = sample(setting.case.test, TEST_PEOPLE, seed=setting.seed)
    with setting.narrator.step("Shuffling columns", "columns") as update:

        def ask(model: Model) -> pd.DataFrame:
            return permutation_importance(model, people, seed=setting.seed, progress=update)

        found = _of_each(models, "Permutation importance", ask, attempts)
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _in_pairs(
    setting: RunContext, models: Sequence[Model], local: Dataset, features: Sequence[str], attempts: _Attempts
) -> tuple[pd.DataFrame, list[PairDependence]]:
    """Return the strength of every pair of columns, and the surfaces of the main model's strongest."""
    import pandas as pd

    if len(features) < 2:
        return pd.DataFrame(), []
    some = sample(local, PAIR_PEOPLE, seed=setting.seed)
    with setting.narrator.step("Measuring pairs of columns", "models") as update:

        def strengths(model: Model) -> pd.DataFrame:
            return friedman_h(model, some, features, scale=model.scales[0], seed=setting.seed)

        found = _of_each(models, "Friedman's H", strengths, attempts)
        update(len(models), len(models))
        if not found:
            return pd.DataFrame(), []
        pair = (found[0]["feature"][0], found[0]["other_feature"][0])

        def surface(model: Model) -> PairDependence:
            return pair_dependence(model, some, pair, scale=model.scales[0], observed=setting.case.train)

        surfaces = _of_each(models, "The two-way partial dependence", surface, attempts)
    return pd.concat(found, ignore_index=True), surfaces


def _joint(setting: RunContext, model: Model, people: Dataset, references: Dataset, attempts: _Attempts) -> Interactions | None:
    if len(setting.case.schema) < 2:
        return None
    with setting.narrator.step(f"Measuring interactions in {model.name}", "people") as update:

        def ask() -> Interactions:
            return interactions(model, people, background=references, scale=model.scales[0], seed=setting.seed, progress=update)

        return attempts.of(f"The interactions in {model.name}", ask)


def _affordable(setting: RunContext) -> tuple[Dataset, Dataset]:
    """Return as many people of the panel and reference rows as the interactions of all columns may cost."""
    columns = len(setting.case.schema)
    each = 2**columns if columns <= MOST_ENUMERATED else 2 * usual_coalitions(columns)
    most = max(1, MIXED_ROWS // each)
    people = setting.panel[: min(len(setting.panel), most)]
    references = len(setting.background) if setting.budget.is_thorough else min(REFERENCES, most // len(people))
    return people, sample(setting.background, max(1, references), seed=setting.seed)
