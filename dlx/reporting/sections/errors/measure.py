"""What the section measures: errors, slices, contributions to errors and to the loss, and a remedy, of each black box."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import pandas as pd

from dlx import architectures, cases, explainers
from dlx.audit.mispredictions import (
    Decisions,
    Slices,
    confident_errors,
    decisions_of,
    explained_losses,
    largest_errors,
    loss_by_slice,
    overconfidence,
    predictions_of,
    pushes,
    slices,
)
from dlx.audit.mispredictions.errors import FALSE_POSITIVE, KINDS, LEVELS
from dlx.audit.mispredictions.slicing import MOST_TESTED, SIGNIFICANT, Judged, Measure
from dlx.background import sample
from dlx.context import MOST_AUDITED, RunContext
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import Model
from dlx.plots import unit_of
from dlx.remedies import Fixed, Remedy, fix, known_remedy, recipe_of
from dlx.reporting.sections import Measured, joined
from dlx.stats import LEVEL, interval_of_share

TITLE, PLACE, TASKS, PART, IS_LONG = "Where the models err", 60, ("binary", "regression"), "audit", True
COVERS = {"slices": "errors_slices", "error_causes": "errors_pushes", "remedies": "errors_before_after"}
EVERYBODY = "everybody"
WORST = 5  # wrong decisions that are told of, of each model
LOSSES = 250, 1_000  # test rows whose loss is explained, quick and thorough
SEEDS = 5  # trainings of a net with and without the remedy, of a thorough report
Found = tuple[dict[str, pd.DataFrame], str]  # tables of a model by the names of their CSVs, and why it has no slices


@dataclass(frozen=True, eq=False)
class About:
    """What the prose and the figures need beside numbers."""

    units: dict[str, str]  # of the contributions of each model that was looked into
    no_slices: dict[str, str]  # why a model has none
    remedy: Remedy | None  # None where none is known for the table
    fixed: dict[str, Fixed]  # the models that were trained again
    command: str  # that trains them so; "" for a table of one's own

    @property
    def models(self) -> list[str]:
        """Those that were looked into."""
        return list(self.units)


def measure(context: RunContext) -> Measured:
    """Return where each black box is wrong, or far off (all models, if none is one), and what a remedy changes."""
    test, is_value = context.case.test, context.case.schema.target.is_value
    assert test.outcomes is not None
    facts: dict[str, float] = {"test_rows": len(test), "certain": LEVEL, "significant": SIGNIFICANT, "most_tested": MOST_TESTED}
    if len(np.unique(test.outcomes)) < 2:
        return Measured({}, facts)
    models, remedy = context.audited_black_boxes, known_remedy(context.case)
    found, no_slices, fixed = list[dict[str, pd.DataFrame]](), dict[str, str](), dict[str, Fixed]()
    with context.narrator.step("Finding where models err, and why", "models") as update:
        for model in models:
            tables, why = (_of_value if is_value else _of_decisions)(context, model)
            more, mended = _remedied(context, model, remedy)
            found.append(tables | more)
            no_slices |= {model.name: why} if why else {}
            fixed |= {model.name: mended} if mended is not None else {}
            update(len(found), len(models))
    if not is_value:
        facts |= {"little": LEVELS[1], "losses": min(context.fewer(LOSSES[context.budget.is_thorough]), len(test))}
    names = dict.fromkeys(name for one in found for name in one)
    units = {model.name: unit_of(model.scales[0]) for model in models}
    about = About(units, no_slices, remedy, fixed, _command_of(context, fixed))
    return Measured({f"errors_{name}": joined(one.get(name) for one in found) for name in names}, facts, about)


def _command_of(context: RunContext, fixed: Mapping[str, Fixed]) -> str:
    """Return the command that trains models so again; "" for a table of one's own."""
    if not fixed or context.case.name not in cases.names():
        return ""
    first = next(iter(fixed.values()))
    seed = f" --seed {first.made_by.seed}" if first.made_by.seed else ""
    chosen = " ".join(f"--model {one.made_by.architecture}" for one in fixed.values())
    return f"dlx fix {context.case.name} {chosen}{seed}"


def _remedied(context: RunContext, model: Model, remedy: Remedy | None) -> tuple[dict[str, pd.DataFrame], Fixed | None]:
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


def _of_value(context: RunContext, model: Model) -> Found:
    """Return where one model is off: the people who are predicted farthest off, slices, and what pushed errors."""
    every = predictions_of(model, context.case.test)
    some = every[np.argsort(-every.losses, kind="stable")[:WORST]]
    largest = largest_errors(some, explanation=_contributions_of(context, model, some))
    named = largest.assign(person=largest["person"].astype(str))  # the name of a row, also where it is a number
    _, tables, why = _sliced(context, every, lambda: predictions_of(model, context.case.validation))
    of_a_value = {name: table.replace({"of": {"risk": "error"}}) for name, table in tables.items()}
    return {"largest": named, **of_a_value, "pushes": _pushed(context, model, every)}, why


def _of_decisions(context: RunContext, model: Model) -> Found:
    """Return where one model decides wrongly."""
    decisions = decisions_of(model, context.case.test)
    searched, tables, why = _sliced(context, decisions, lambda: decisions_of(model, context.case.validation))
    sure = overconfidence(decisions, seed=context.seed)
    tables |= {"rates": _rates(decisions), "overconfidence": sure.assign(is_more=sure["observed"] > sure["high"])}
    tables |= {"confident": _confident(context, model, decisions), "pushes": _pushed(context, model, decisions)}
    return tables | {"losses": _losses(context, model, decisions, searched)}, why


def _sliced(
    context: RunContext, judged: Judged, discover: Callable[[], Judged]
) -> tuple[list[Slices], dict[str, pd.DataFrame], str]:
    """Return the slices of a model, found on other rows, their tables, and why there are none."""
    try:
        discovery = discover()
        searched = [slices(discovery, judged, of=of, seed=context.seed) for of in get_args(Measure)]
    except DlxError as error:
        return [], {}, str(error)
    counts = [(one.model, one.of, len(one.table), int(one.table["found"].sum())) for one in searched]
    tables = {"slices": joined(one.table for one in searched)}
    return searched, tables | {"search": pd.DataFrame(counts, columns=["model", "of", "tested", "found"])}, ""


def _pushed(context: RunContext, model: Model, judged: Judged) -> pd.DataFrame:
    """Return which columns pushed the wrong way, among the test rows whose contributions are known."""
    some = sample(np.arange(len(judged)), context.fewer(MOST_AUDITED), seed=context.seed)
    found = pushes(judged[some], context.contributions[model.name], seed=context.seed)
    return found.assign(is_clear=found["low"] > 0)


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
        surest = confident_errors(decisions[at], explanation=_contributions_of(context, model, decisions[at]))
    surest["person"] = surest["person"].astype(str)  # the name of a row, also where it is a number
    surest.insert(3, "decision", np.where(surest["kind"] == FALSE_POSITIVE, target.flagged, target.cleared))
    return surest


def _contributions_of(context: RunContext, model: Model, judged: Judged) -> Explanation:
    """Return Shapley values on the model's own scale, by the method that is exact and quick where there is one."""
    return context.explain(model, judged.people, explainers.best_shapley(model, model.scales[0]))


def _losses(context: RunContext, model: Model, decisions: Decisions, searched: Sequence[Slices]) -> pd.DataFrame:
    """Return the loss explained, of everybody and of the slices that were found."""
    few = context.fewer(LOSSES[context.budget.is_thorough])
    some = decisions[sample(np.arange(len(decisions)), few, seed=context.seed)]
    if len(np.unique(some.outcomes)) < 2:
        return pd.DataFrame()
    explained = explained_losses(model, some, context.background, seed=context.seed, explain=context.cache.explain)
    masks = {EVERYBODY: np.ones(len(some), dtype=bool)}
    masks |= {one.words: one.holds(some.people.rows) for tested in searched for one in tested.found}
    found = loss_by_slice(explained, masks, some.people.weights, seed=context.seed).assign(model=model.name)
    is_column = ~found["column"].str.startswith("(")
    return found.assign(helps=is_column & (found["high"] < 0), costs=is_column & (found["low"] > 0), is_column=is_column)
