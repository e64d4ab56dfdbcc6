"""What the section measures: recourse of the denied, how the risk goes with one column, the reasons of a denial."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from dlx.audit.adverse_action import ReasonMap, Source, association
from dlx.audit.classes import any_but, likeliest_classes
from dlx.audit.counterfactuals import Answer, Recourse, column_shifts, denied, recourse, recourse_into
from dlx.audit.counterfactuals.action_set import ORDINARY
from dlx.audit.counterfactuals.plausibility import BOUND, CORRELATED, NEIGHBOURS, ORDINARY_PEOPLE, Correlations
from dlx.background import sample
from dlx.context import TOP, RunContext
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import Model, decided
from dlx.reporting.phrases import amount, people_word
from dlx.reporting.sections import Measured, joined
from dlx.reporting.sections.change.reasons import measure_reasons
from dlx.rounding import percent_beside

TITLE, PLACE, TASKS, PART, IS_LONG = "What would change it", 50, ("binary", "regression"), "audit", True
COVERS = {"reasons": "reasons_given"}
MANY = 200  # denied people that are searched for, at most
FEW, WIDE = 25, 8  # as many where more columns than this can change: there are too many combinations for all
WANTED = 3  # ways a person
GOES_ALONG = 0.3  # association from which on a column that stays should have moved with one that changes


@dataclass(frozen=True, eq=False)
class About:
    """The names that the prose tells beside numbers."""

    people: str  # whom rows are about, as a plural
    looked_at: tuple[str, ...]  # models whose denials are looked at
    actionable: tuple[str, ...]  # labels of the columns that may change, with their direction
    derived: tuple[str, ...]  # labels of the columns that follow from those that change
    held: tuple[tuple[str, str], ...]  # columns that stay, since the one that each is bound to cannot change
    nobody: tuple[str, ...] = ()  # models that flag nobody
    against: tuple[str, ...] = ()  # columns on whose better side all models put a higher risk
    into: str = ""  # the class that they want to be taken for; "" where any other will do
    example: Mapping[str, str] = field(default_factory=dict)  # of recourse: model and person
    sources: tuple[Source, ...] = ()  # of the reasons that are shown: one a model and background
    background: str = ""  # whom those are compared with that the first page tells of
    review: Mapping[str, str] = field(default_factory=dict)  # header and column of the table for reviewers
    reasons_of: str = ""  # the person whose reasons depend most on the source
    merged: tuple[tuple[str, ...], ...] = ()  # columns that count as one reason
    protected: tuple[str, ...] = ()  # columns that are never printed
    wording: ReasonMap | None = None


def measure(context: RunContext) -> Measured:
    """Return what would change the answers of the black boxes, or of all models where none is; the others judge the changes.

    Of a value: what would bring people into the range that is wanted.
    """
    models, schema = context.audited_black_boxes, context.case.schema
    can_change = any(feature.actionable for feature in schema.features)
    tables, facts, about = _changing_columns(context)
    if schema.target.is_value:
        tables |= _into_range(context, facts, about, is_possible=can_change and not schema.target.past)
        return Measured(tables, facts, About(**about))
    if can_change:
        tables |= _shifts(context, models, about)
    if can_change and not schema.target.past:
        tables |= _recourse(context, facts, about)
    if schema.target.adverse_action:
        tables |= measure_reasons(context, models, facts, about)
    return Measured(tables, facts, About(**about))


def _changing_columns(context: RunContext) -> tuple[dict[str, pd.DataFrame], dict[str, float], dict[str, Any]]:
    """Return which columns go together, and which may change."""
    schema, train = context.case.schema, context.case.train
    may = {feature.name for feature in schema.features if feature.actionable}
    labels, pairs = schema.labels, sorted(Correlations.of(train).pairs, key=lambda pair: -abs(pair.correlation))
    pairs = [p for p in pairs if {schema.names[p.one], schema.names[p.other]} & may]
    tied = [both for p in pairs if abs(p.correlation) >= BOUND for both in ((p.one, p.other), (p.other, p.one))]
    strength = association(train) if may else pd.DataFrame()
    along = [
        (stays.label, moves.label, float(strength.loc[moves.name, stays.name]))
        for moves in schema.features
        for stays in schema.features
        if moves.actionable and not (stays.actionable or stays.protected) and strength.loc[moves.name, stays.name] >= GOES_ALONG
    ]
    whys = Counter(feature.fixed for feature in schema.features if feature.fixed).most_common()
    fixed = [(why, count, ", ".join(f.label for f in schema.features if f.fixed == why)) for why, count in whys]
    along.sort(key=lambda pair: -pair[2])
    together = [(labels[p.one], labels[p.other], p.correlation, abs(p.correlation) >= BOUND) for p in pairs]
    tables = {
        "correlated_columns": pd.DataFrame(together, columns=["one", "other", "correlation", "is_bound"]),
        "columns_fixed": pd.DataFrame(fixed, columns=["why", "columns", "labels"]),
        "columns_that_stay": pd.DataFrame(along, columns=["stays", "goes_with", "association"]),
    }
    arrows = {"any": "", "up": " (up)", "down": " (down)"}
    about = {
        "people": people_word(schema.target),
        "looked_at": tuple(model.name for model in context.audited_black_boxes),
        "actionable": tuple(f.label + arrows[f.direction] for f in schema.features if f.actionable),
        "derived": tuple(f.label for f in schema.features if may & set(f.derived_from)),
        "held": tuple((labels[a], labels[b]) for a, b in tied if schema.names[a] in may and schema.names[b] not in may),
    }
    facts = {"threshold": schema.target.threshold, "correlated": CORRELATED, "bound": BOUND}
    return tables, facts, about


def _shifts(context: RunContext, models: Sequence[Model], about: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Return how the risk of flagged people goes with each column they can change."""
    case = context.case
    flagged = [(model, denied(model, case.test)) for model in models]
    tables = [column_shifts(model, some, observed=case.train, seed=context.seed) for model, some in flagged if len(some)]
    if not tables or not len(table := pd.concat(tables, ignore_index=True)):
        return {}
    directed = np.array([case.schema[name].direction != "any" for name in table["column"]])
    table["label"] = [case.schema[name].label for name in table["column"]]
    table["points"], table["is_against"] = 100 * table["change"], directed & (table["low"] > 0)
    worse = table[table["is_against"]].groupby("column", sort=False)["model"].nunique()
    always = worse.index[worse == table["model"].nunique()]
    about["against"] = tuple(case.schema[name].label for name in always)
    points = table["points"].where(table["is_against"] & table["column"].isin(always))
    table["is_most"] = points.notna() & (points == points.max())
    return {"column_shifts": table}


def _recourse(context: RunContext, facts: dict[str, float], about: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Return what denied people can change so that they are not, or so that they are taken for another class."""
    case, into = context.case, context.into if isinstance(context.into, str) else ""
    models = {model.name: any_but(model, into) if into else model for model in context.audited_models}

    def flagged(model: Model) -> Dataset:
        return denied(models[model.name], denied(model, case.test))

    def search(model: Model, people: Dataset, **asked: Any) -> Recourse:
        return recourse(models[model.name], people, **asked)

    found, tables = _searched_for(context, about, flagged, search, models=models, called="denied")
    if not found:
        return {}
    about["into"] = into
    odds = [p / (1 - p) for p in (found[0].goal, found[0].threshold)]
    facts |= {"goal": found[0].goal, "margin": 1 - odds[0] / odds[1], **_facts_of(found)}
    if case.several is not None:
        tables["recourse_classes"] = _classes_then(context, found)
    return tables | _example_of(found, about, partial(percent_beside, threshold=found[0].threshold, decimals=1))


def _into_range(
    context: RunContext, facts: dict[str, float], about: dict[str, Any], *, is_possible: bool
) -> dict[str, pd.DataFrame]:
    """Return what people can change so that their prediction falls into the range of values that is wanted."""
    test, into = context.case.test, context.wanted
    facts |= {"low": into.low, "high": into.high, "is_asked": context.into is not None, "top": 1 - TOP}
    if not is_possible:
        return {}

    def outside(model: Model) -> Dataset:
        return test[~into.holds(model.predict(test, "value"))]

    models, search = {model.name: model for model in context.audited_models}, partial(recourse_into, into=into)
    found, tables = _searched_for(context, about, outside, search, models=models, called="outside")
    if not found:
        return {}
    facts |= _facts_of(found)
    tables["recourse_search"] = tables["recourse_search"].drop(columns="within_margin")
    return tables | _example_of(found, about, amount)


def _searched_for(
    context: RunContext,
    about: dict[str, Any],
    needing: Callable[[Model], Dataset],
    search: Callable[..., Recourse],
    *,
    models: Mapping[str, Model],
    called: str,
) -> tuple[list[Recourse], dict[str, pd.DataFrame]]:
    """Return the recourse from each model, as `search` finds it for some of the people who need it, and its tables."""
    case, lines, found = context.case, list[dict[str, Any]](), list[Recourse]()
    wide = sum(feature.actionable for feature in case.schema.features) > WIDE
    for model in context.audited_black_boxes:
        every = needing(model)
        people = sample(every, FEW if wide and not context.budget.is_thorough else MANY, seed=context.seed)
        if len(people):
            with context.narrator.step(f"Looking for recourse from {model.name}", "people") as update:
                found.append(search(model, people, observed=case.train, wanted=WANTED, progress=update))
            lines.append({"model": model.name, called: len(every)} | _searched(found[-1]))
    about["nobody"] = tuple(name for name in about["looked_at"] if name not in {one.model for one in found})
    others = (one.transferability([other for name, other in models.items() if name != one.model]) for one in found)
    return found, {
        "recourse": joined(one.summary(seed=context.seed) for one in found),
        "recourse_columns": joined(one.by_column() for one in found),
        "recourse_changes": joined(one.to_frame() for one in found),
        "recourse_boundary": joined(one.boundary() for one in found),
        "recourse_other_models": joined(others),
        "recourse_search": pd.DataFrame(lines),
    }


def _facts_of(found: Sequence[Recourse]) -> dict[str, float]:
    """Return what makes a change plausible, and how many ways were looked for."""
    facts = {"near": found[0].limit, "neighbours": NEIGHBOURS, "ordinary": ORDINARY_PEOPLE}
    return facts | {"from_quantile": ORDINARY[0], "to_quantile": ORDINARY[1], "wanted": WANTED}


def _classes_then(context: RunContext, found: Sequence[Recourse]) -> pd.DataFrame:
    """Return which class is the likeliest of those who would leave theirs, by models that answer for all classes."""
    by_name, tables = {model.name: model for model in context.audited_models}, []
    for one in found:
        with contextlib.suppress(DlxError):  # a model of this class alone
            tables.append(likeliest_classes(by_name[one.model], one.best()) if one.found.any() else None)
    return joined(tables)


def _searched(one: Recourse) -> dict[str, float]:
    """Return how many have recourse, how low the risk of the others gets, and what the search cost."""
    without, first = one.boundary(), [answer.counterfactuals[0] for answer in one.answers if answer.counterfactuals]
    rest = without[~without["only_implausible"].astype(bool)]
    return {
        "searched": len(one.answers),
        "median_risk": _median_having(one).risk if first else np.nan,
        "found": len(first),
        "columns": float(np.ceil(np.median([len(some.columns) for some in first]))) if first else np.nan,
        "without": len(without),
        "implausible": len(without) - len(rest),
        "out_of_reach": len(rest),
        "lowest": rest["lowest_risk"].min(),
        "highest": rest["lowest_risk"].max(),
        "within_margin": int((~decided(rest["lowest_risk"], one.threshold)).sum()),
        "is_exhaustive": bool((rest["exhausted_columns"] >= rest["columns_that_may_change"]).all()),
        "predictions": float(np.mean([answer.evaluations for answer in one.answers])),
        "milliseconds": 1000 * one.seconds / len(one.answers),
    }


def _median_having(one: Recourse) -> Answer:
    """Return the person in the middle: of median risk among those who have a way out."""
    having = sorted((answer for answer in one.answers if answer.counterfactuals), key=lambda answer: answer.risk)
    return having[len(having) // 2]


def _example_of(found: Sequence[Recourse], about: dict[str, Any], say: Callable[[float], str]) -> dict[str, pd.DataFrame]:
    """Return the ways of the person in the middle, by the first model from which there are any."""
    one = next((one for one in found if one.found.any()), None)
    if one is None:
        return {}
    answer, form, lines = _median_having(one), one.actions.format, []
    about["example"] = {"model": one.model, "person": str(answer.person)}
    for number, way in enumerate(answer.counterfactuals, 1):
        changes = []
        for i in map(one.schema.position, way.columns):
            own, to = form.text(i, np.round(answer.row[i], form.decimals[i])), form.text(i, way.row[i])
            own = form.text(i, answer.row[i], exact=True) if own == to else own  # or it would read as no change
            changes.append(f"{one.schema.labels[i]}: {own} → {to}")
        lines.append((number, "; ".join(changes), say(way.risk), way.distance))
    return {"_recourse_changes": pd.DataFrame(lines, columns=["way", "changes", "risk", "distance"])}
