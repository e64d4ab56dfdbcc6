"""What the section measures: errors, slices, contributions to errors and to the loss, and a remedy, of each black box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dlx import architectures, cases, explainers
from dlx.audit.mispredictions import (
    Decisions,
    Slices,
    confident_errors,
    decisions_of,
    explained_losses,
    loss_by_slice,
    overconfidence,
    pushes,
    slices,
)
from dlx.audit.mispredictions.errors import FALSE_POSITIVE, KINDS, LEVELS
from dlx.audit.mispredictions.slicing import MOST_TESTED, SIGNIFICANT
from dlx.background import sample
from dlx.context import MOST_AUDITED, RunContext, is_black_box
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import Model
from dlx.plots import unit_of
from dlx.remedies import Fixed, Remedy, fix, known_remedy, recipe_of
from dlx.reporting.sections import Measured
from dlx.stats import LEVEL, interval_of_share

TITLE, PLACE, TASKS, PART, IS_LONG = "Where the models err", 60, ("binary", "regression"), "audit", True
COVERS = ("slices", "error_causes", "remedies")
EVERYBODY = "everybody"
WORST = 5  # wrong decisions that are told of, of each model
LOSSES = 250, 1_000  # test rows whose loss is explained, quick and thorough
SEEDS = 5  # trainings of a net with and without the remedy, of a thorough report


@dataclass(frozen=True, eq=False)
class About:
    """What the prose and the figures need beside numbers."""

    models: tuple[str, ...]  # those that were looked into
    units: dict[str, str]  # of the contributions of each model
    no_slices: dict[str, str]  # why a model has none
    remedy: Remedy | None  # None where none is known for the table
    fixed: dict[str, Fixed]  # the models that were trained again
    command: str  # that trains them so; "" for a table of one's own


def measure(context: RunContext) -> Measured:
    """Return where each black box is wrong; all models, if none is a black box."""
    test = context.case.test
    assert test.outcomes is not None
    facts = {"test_rows": float(len(test)), "certain": LEVEL, "significant": SIGNIFICANT, "most_tested": float(MOST_TESTED)}
    if len(np.unique(test.outcomes)) < 2:
        return Measured({}, facts)
    models = [model for model in context.told_of if is_black_box(model)] or context.told_of
    remedy, found = known_remedy(context.case), []
    with context.narrator.step("Finding where models err, and why", "models") as update:
        for model in models:
            found.append(_Found.of(context, model, remedy))
            update(len(found), len(models))
    names = list(dict.fromkeys(name for one in found for name in one.tables))
    tables = {f"errors_{name}": [one.tables[name] for one in found if len(one.tables.get(name, ()))] for name in names}
    joined = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items() if parts}
    facts |= {"little": LEVELS[1], "losses": float(min(context.fewer(LOSSES[context.budget.is_thorough]), len(test)))}
    return Measured(joined, facts, _about(context, found, remedy))


def _about(context: RunContext, found: Sequence[_Found], remedy: Remedy | None) -> About:
    fixed = {one.model.name: one.fixed for one in found if one.fixed is not None}
    units = {one.model.name: unit_of(one.model.scales[0]) for one in found}
    no_slices = {one.model.name: one.no_slices for one in found if one.no_slices}
    return About(tuple(units), units, no_slices, remedy, fixed, command_of(context, fixed))


def command_of(context: RunContext, fixed: Mapping[str, Fixed]) -> str:
    """Return the command that trains models so again; "" for a table of one's own."""
    if not fixed or context.case.name not in cases.names():
        return ""
    first = next(iter(fixed.values()))
    seed = f" --seed {first.made_by.seed}" if first.made_by.seed else ""
    chosen = " ".join(f"--model {one.made_by.architecture}" for one in fixed.values())
    return f"dlx fix {context.case.name} {chosen}{seed}"


def remedied(context: RunContext, model: Model, remedy: Remedy | None) -> tuple[dict[str, pd.DataFrame], Fixed | None]:
    """Return what a remedy changes about a model that dlx trained, whatever its name, as tables, and that model."""
    if remedy is None or recipe_of(model, context.case) is None:
        return {}, None
    fixed = fix(context.case, model, remedy=remedy, device="cpu", narrator=context.narrator)
    change = fixed.before_after(background=len(context.background))
    clear = (change["low"] > 0) | (change["high"] < 0)
    tables = {"before_after": change.assign(model=model.name, is_clear=clear)}
    if context.budget.is_thorough and architectures.is_net(fixed.made_by.architecture):  # boosted trees depend on no seed
        tables["training_seeds"] = fixed.over_seeds(SEEDS).assign(model=model.name)
    return tables, fixed


@dataclass(frozen=True, eq=False)
class _Found:
    """Where one model is wrong: its tables, by the name of their CSV without the section's."""

    model: Model
    tables: dict[str, pd.DataFrame]
    no_slices: str
    fixed: Fixed | None

    @classmethod
    def of(cls, context: RunContext, model: Model, remedy: Remedy | None) -> _Found:
        decisions, tables = decisions_of(model, context.case.test), {}
        searched, why = _slices(context, model, decisions)
        some = _some(context, decisions, context.fewer(MOST_AUDITED))
        tables["rates"] = _rates(decisions)
        sure = overconfidence(decisions, seed=context.seed)
        tables["overconfidence"] = sure.assign(is_more=sure["observed"] > sure["high"])
        tables["confident"] = _confident(context, model, decisions)
        if searched:
            tables["slices"] = pd.concat([one.table for one in searched], ignore_index=True)
            counts = [(one.model, one.of, len(one.table), int(one.table["found"].sum())) for one in searched]
            tables["search"] = pd.DataFrame(counts, columns=["model", "of", "tested", "found"])
        pushed = pushes(some, context.contributions[model.name], seed=context.seed)
        tables["pushes"] = pushed.assign(is_clear=pushed["low"] > 0)
        tables["losses"] = _losses(context, model, decisions, searched)
        more, fixed = remedied(context, model, remedy)
        tables |= more
        return cls(model, tables, why, fixed)


def _some(context: RunContext, decisions: Decisions, most: int) -> Decisions:
    """Return the decisions about some people, drawn at random, in their order; about all, where there are no more."""
    return decisions[sample(np.arange(len(decisions)), most, seed=context.seed)]


def _rates(decisions: Decisions) -> pd.DataFrame:
    """Return how many people of each outcome were decided wrongly, and how many rightly."""
    lines = []
    for kind in KINDS:
        wrong, right = decisions.errors(kind), decisions.hits(kind)
        weights, those = decisions.people.weights, wrong | right
        share = interval_of_share(wrong[those], None if weights is None else weights[those])
        lines.append((decisions.model, kind, int(wrong.sum()), int(right.sum()), int((wrong | right).sum()), *share))
    return pd.DataFrame(lines, columns=["model", "kind", "wrong", "right", "of", "estimate", "low", "high"])


def _confident(context: RunContext, model: Model, decisions: Decisions) -> pd.DataFrame:
    """Return the surest errors, with the decision in the words of the case and what pushed it."""
    surest, target = confident_errors(decisions, most=WORST), context.case.schema.target
    at = np.flatnonzero(np.isin(decisions.people.index, surest["person"]))
    if len(at):
        surest = confident_errors(decisions[at], explanation=_contributions(context, model, decisions[at]))
    surest["person"] = surest["person"].astype(str)  # the name of a row, also where it is a number
    surest.insert(3, "decision", np.where(surest["kind"] == FALSE_POSITIVE, target.flagged, target.cleared))
    return surest


def _contributions(context: RunContext, model: Model, decisions: Decisions) -> Explanation:
    """Return Shapley values on the model's own scale, by the method that is exact and quick where there is one."""
    return context.explain(model, decisions.people, explainers.best_shapley(model, model.scales[0]))


def _slices(context: RunContext, model: Model, decisions: Decisions) -> tuple[tuple[Slices, ...], str]:
    try:
        discovery = decisions_of(model, context.case.validation)
        return tuple(slices(discovery, decisions, of=of, seed=context.seed) for of in ("loss", "risk")), ""
    except DlxError as error:
        return (), str(error)


def _losses(context: RunContext, model: Model, decisions: Decisions, searched: Sequence[Slices]) -> pd.DataFrame:
    """Return the loss explained, of everybody and of the slices that were found."""
    some = _some(context, decisions, context.fewer(LOSSES[context.budget.is_thorough]))
    if len(np.unique(some.outcomes)) < 2:
        return pd.DataFrame()
    explained = explained_losses(model, some, context.background, seed=context.seed, explain=context.keeper.explain)
    masks = {EVERYBODY: np.ones(len(some), dtype=bool)}
    masks |= {one.words: one.holds(some.people.rows) for tested in searched for one in tested.found}
    found = loss_by_slice(explained, masks, some.people.weights, seed=context.seed).assign(model=model.name)
    is_column = ~found["column"].str.startswith("(")
    return found.assign(helps=is_column & (found["high"] < 0), costs=is_column & (found["low"] > 0), is_column=is_column)
