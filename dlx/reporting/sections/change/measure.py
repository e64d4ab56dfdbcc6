"""What the section measures: recourse of the denied, how the risk goes with one column, the reasons of a denial."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from dlx import explainers
from dlx.audit.adverse_action import (
    Denial,
    Grouping,
    ReasonMap,
    ReasonsError,
    Source,
    adverse_reasons,
    association,
    grouping,
    near_cutoff,
    reason_stability,
)
from dlx.audit.adverse_action.denials import MOST, to_frame
from dlx.audit.adverse_action.reason_groups import SAME_REASON
from dlx.audit.compatibility import preflight
from dlx.audit.counterfactuals import Recourse, column_shifts, denied, recourse
from dlx.audit.counterfactuals.action_set import ORDINARY
from dlx.audit.counterfactuals.plausibility import BOUND, CORRELATED, NEIGHBOURS, ORDINARY_PEOPLE, Correlations
from dlx.audit.fairness.proxies import PROXY_AUC
from dlx.background import sample
from dlx.comparison import Evidence, believed, distance_to_truth, trust
from dlx.comparison.trustworthiness import DISTRUSTED
from dlx.context import RunContext, is_black_box
from dlx.dataset import Dataset
from dlx.explanation import Explanation
from dlx.model import Model, decided
from dlx.reporting.phrases import people_word, says
from dlx.reporting.sections import Measured
from dlx.rounding import percent_beside
from dlx.stats import interval_of_share

TITLE, PLACE, TASKS = "What would change it", 40, ("binary",)
CUTOFF, EVERYBODY = "near the cutoff", "all applicants"
MANY = 200  # denied people that are searched for, at most
FEW, WIDE = 25, 8  # as many where more columns than this can change: there are too many combinations for all
EXPLAINED = 300  # denied people whose reasons are given, at most
WANTED = 3  # ways a person
GOES_ALONG = 0.3  # association from which on a column that stays should have moved with one that changes
SHOWN_REVIEWS = 8


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
    example: Mapping[str, Any] = field(default_factory=dict)  # of recourse: model and person
    sources: tuple[Source, ...] = ()  # of the reasons that are shown: one a model and background
    background: str = ""  # whom those are compared with that the first page tells of
    review: Mapping[str, str] = field(default_factory=dict)  # header and column of the table for reviewers
    reasons_of: str = ""  # the person whose reasons depend most on the source
    merged: tuple[tuple[str, ...], ...] = ()  # columns that count as one reason
    protected: tuple[str, ...] = ()  # columns that are never printed
    wording: ReasonMap | None = None


def measure(context: RunContext) -> Measured:
    """Return what would change the answers of the black boxes, or of all models where none is; the others judge the changes."""
    models = [model for model in context.told_of if is_black_box(model)] or context.told_of
    schema = context.case.schema
    can_change = any(feature.actionable for feature in schema.features)
    tables, facts, about = _columns(context, models)
    if can_change:
        tables |= _shifts(context, models, about)
    if can_change and not schema.target.past:
        tables |= _recourse(context, models, facts, about)
    if schema.target.adverse_action:
        tables |= _reasons(context, models, facts, about)
    return Measured(tables, facts, About(**about))


def _columns(context: RunContext, models: Sequence[Model]) -> tuple[dict[str, pd.DataFrame], dict[str, float], dict[str, Any]]:
    """Return which columns go together, and which may change."""
    schema, train = context.case.schema, context.case.train
    may = {feature.name for feature in schema.features if feature.actionable}
    pairs = [
        (schema.labels[p.one], schema.labels[p.other], p.correlation, abs(p.correlation) >= BOUND)
        for p in sorted(Correlations.of(train).pairs, key=lambda pair: -abs(pair.correlation))
        if {schema.names[p.one], schema.names[p.other]} & may
    ]
    whys = Counter(feature.fixed for feature in schema.features if feature.fixed).most_common()
    fixed = [(why, [feature.label for feature in schema.features if feature.fixed == why]) for why, _ in whys]
    named = {label: name for name, label in zip(schema.names, schema.labels, strict=True)}
    tied = [both for one, other, _, is_bound in pairs if is_bound for both in ((one, other), (other, one))]
    arrows = {"any": "", "up": " (up)", "down": " (down)"}
    about = {
        "people": people_word(schema.target),
        "looked_at": tuple(model.name for model in models),
        "actionable": tuple(f.label + arrows[f.direction] for f in schema.features if f.actionable),
        "derived": tuple(f.label for f in schema.features if may & set(f.derived_from)),
        "held": tuple((one, other) for one, other in tied if named[one] in may and named[other] not in may),
    }
    tables = {
        "correlated_columns": pd.DataFrame(pairs, columns=["one", "other", "correlation", "is_bound"]),
        "columns_fixed": pd.DataFrame(
            [(why, len(some), ", ".join(some)) for why, some in fixed], columns=["why", "columns", "labels"]
        ),
    }
    strength = association(train) if may else pd.DataFrame()
    along = [
        (stays.label, moves.label, float(strength.loc[moves.name, stays.name]))
        for moves in schema.features
        for stays in schema.features
        if moves.actionable and not (stays.actionable or stays.protected) and strength.loc[moves.name, stays.name] >= GOES_ALONG
    ]
    along.sort(key=lambda pair: -pair[2])
    tables["columns_that_stay"] = pd.DataFrame(along, columns=["stays", "goes_with", "association"])
    facts = {"threshold": schema.target.threshold, "correlated": CORRELATED, "bound": BOUND}
    return {name: table for name, table in tables.items() if len(table)}, facts, about


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
    worse = table[table["is_against"]].groupby("label", sort=False)["model"].nunique()
    about["against"] = tuple(worse.index[worse == table["model"].nunique()])
    points = table["points"].where(table["is_against"] & table["label"].isin(about["against"]))
    table["is_most"] = points.notna() & (points == points.max())
    return {"column_shifts": table}


def _recourse(
    context: RunContext, models: Sequence[Model], facts: dict[str, float], about: dict[str, Any]
) -> dict[str, pd.DataFrame]:
    case, lines = context.case, []
    wide = sum(feature.actionable for feature in case.schema.features) > WIDE
    found: list[Recourse] = []
    for model in models:
        flagged = denied(model, case.test)
        people = sample(flagged, FEW if wide and not context.budget.is_thorough else MANY, seed=context.seed)
        if len(people):
            with context.narrator.step(f"Looking for recourse from {model.name}", "people") as update:
                found.append(recourse(model, people, observed=case.train, wanted=WANTED, progress=update))
            lines.append({"model": model.name, "denied": len(flagged)} | _searched(found[-1]))
    about["nobody"] = tuple(model.name for model in models if model.name not in {one.model for one in found})
    if not found:
        return {}
    others = [one.transferability([m for m in context.told_of if m.name != one.model]) for one in found]
    odds = [p / (1 - p) for p in (found[0].goal, found[0].threshold)]
    facts |= {"goal": found[0].goal, "margin": 1 - odds[0] / odds[1], "near": found[0].limit, "neighbours": NEIGHBOURS}
    facts |= {"ordinary": ORDINARY_PEOPLE, "from_quantile": ORDINARY[0], "to_quantile": ORDINARY[1], "wanted": WANTED}
    tables = {
        "recourse": pd.concat([one.summary(seed=context.seed) for one in found], ignore_index=True),
        "recourse_columns": pd.concat([one.by_column() for one in found], ignore_index=True),
        "recourse_changes": pd.concat([one.to_frame() for one in found], ignore_index=True),
        "recourse_boundary": pd.concat([one.boundary() for one in found], ignore_index=True),
        "recourse_other_models": pd.concat(others, ignore_index=True),
        "recourse_search": pd.DataFrame(lines),
    }
    having = next((one for one in found if one.found.any()), None)
    return tables if having is None else tables | {"_recourse_changes": _example(having, about)}


def _searched(one: Recourse) -> dict[str, float]:
    """Return how many have recourse, how low the risk of the others gets, and what the search cost."""
    without, first = one.boundary(), [answer.counterfactuals[0] for answer in one.answers if answer.counterfactuals]
    rest = without[~without["only_implausible"].astype(bool)]
    return {
        "searched": len(one.answers),
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


def _example(one: Recourse, about: dict[str, Any]) -> pd.DataFrame:
    """Return the ways of the person in the middle: of median risk among those who have some."""
    having = sorted((answer for answer in one.answers if answer.counterfactuals), key=lambda answer: answer.risk)
    answer, form, lines = having[len(having) // 2], one.actions.format, []
    about["example"] = {"model": one.model, "person": answer.person}
    for number, way in enumerate(answer.counterfactuals, 1):
        changes = []
        for i in map(one.schema.position, way.columns):
            to = form.text(i, way.row[i])
            changes.append(f"{one.schema.labels[i]}: {form.text_beside(i, answer.row[i], to)} → {to}")
        lines.append((number, "; ".join(changes), percent_beside(way.risk, one.threshold, 1), way.distance))
    return pd.DataFrame(lines, columns=["way", "changes", "risk", "distance"])


def _reasons(
    context: RunContext, models: Sequence[Model], facts: dict[str, float], about: dict[str, Any]
) -> dict[str, pd.DataFrame]:
    wording, groups = ReasonMap.of(context.case.schema), grouping(context.case.train)
    schema = context.case.schema
    denials, unused = _denials(context, models, wording, groups)
    facts |= {"most_reasons": MOST, "background": len(context.background), "same_reason": SAME_REASON, "proxy": PROXY_AUC}
    about |= {"wording": wording, "protected": tuple(schema[name].label for name in groups.protected)}
    about |= {"merged": tuple(tuple(schema[name].label for name in some) for some in groups.merged())}
    tables = {"reasons_unused": unused, "reason_words": wording.to_frame(), "reason_proxies": groups.measured.to_frame()}
    proxies = tables["reason_proxies"]
    proxies["label"] = [schema[name].label for name in proxies["column"]]
    few = [(schema[some.column].label, some.name, some.inside.sum(), len(some.inside)) for some in groups.measured.unjudged]
    tables["reason_groups_too_small"] = pd.DataFrame(few, columns=["attribute", "group", "people", "of"])
    if denials:
        shown: dict[tuple[str, str], Source] = {}
        for source in denials:  # by the ground truth where it is not refuted, else by the first method
            if (source.model, source.background) not in shown or source.method == explainers.any_model():
                shown[source.model, source.background] = source
        about |= {"sources": tuple(shown.values()), "background": next(iter(shown.values())).background}
        made = [to_frame(some, **source._asdict()) for source, some in denials.items()]
        tables |= {"reasons": pd.concat(made, ignore_index=True)}
        tables |= _shown(context, {source: denials[source] for source in shown.values()}, about)
        if len(denials) > 1:
            printable = {group for group, name in zip(groups.group, groups.names, strict=True) if name not in groups.withheld}
            tables |= _stability(reason_stability(denials, groups=len(printable), seed=context.seed))
    return {name: table for name, table in tables.items() if len(table)}


def _denials(
    context: RunContext, models: Sequence[Model], wording: ReasonMap, groups: Grouping
) -> tuple[dict[Source, tuple[Denial, ...]], pd.DataFrame]:
    denials: dict[Source, tuple[Denial, ...]] = {}
    unused: dict[tuple[str, ...], None] = {}
    for model in models:
        people = denied(model, context.case.test)[:EXPLAINED]
        backgrounds = {EVERYBODY: context.background}
        with suppress(ReasonsError):  # nobody is granted, so nobody is near the cutoff
            backgrounds = {CUTOFF: near_cutoff(model, context.case.train)} | backgrounds
        if not len(people):
            continue
        with context.narrator.step(f"Giving reasons for what {model.name} denies"):
            for background, rows in backgrounds.items():
                kept, lost = _trusted(context, model, people, rows)
                unused |= {(method, model.name, background, why): None for method, why in lost}
                for one in kept:
                    made = adverse_reasons(one, rows, wording=wording, grouping=groups)
                    told = (d.reasons or d.flagged or d.review or d.joint_proxy for d in made)
                    if any(told):  # or nothing speaks against anybody
                        denials[Source(model.name, one.method, background)] = made
    return denials, pd.DataFrame(list(unused), columns=["method", "model", "background", "why"])


def _trusted(
    context: RunContext, model: Model, people: Dataset, background: Dataset
) -> tuple[list[Explanation], list[tuple[str, str]]]:
    """Return the explanations by methods that are not refuted, and why the others are.

    What is measured here is whether they add up and how far they are from the Shapley values, not their own noise: none has
    earned trust, see `dlx.comparison.trust`.
    """
    quick = [name for name in explainers.names_for(model) if explainers.method(name).COST != "high"]  # for many people
    fitting = explainers.by_preference(name for name in quick if not hasattr(explainers.method(name), "RESTS_ON"))
    compatibility = preflight(model, people, background, scale=model.scales[0], methods=fitting, seed=context.seed)
    is_lost = compatibility["verdict"] == "not valid"
    made = [context.explain(model, people, name, background=background) for name in compatibility.loc[~is_lost, "method"]]
    truth = [one for one in made if one.method == explainers.any_model()]
    held = [one for one in made if one not in truth]
    distances = distance_to_truth(held, truth[0]) if truth and held else None
    table = trust(made, Evidence(compatibility=compatibility, distances=distances))
    kept = [one for one, counts in zip(made, believed(table), strict=True) if counts] if made else []
    lost = [*zip(compatibility.loc[is_lost, "method"], compatibility.loc[is_lost, "reason"], strict=True)]
    return kept, lost + [(line.method, line.why) for line in table.itertuples() if line.standing == DISTRUSTED]


def _shown(context: RunContext, denials: Mapping[Source, tuple[Denial, ...]], about: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Return how often each reason is given, by the sources shown, what was withheld, and the reasons of one person."""
    schema, given, review, withheld = context.case.schema, [], [], []
    for source, some in denials.items():
        words = Counter(word for denial in some for word in {reason.words for reason in denial.reasons})
        columns = Counter(name for denial in some for name in denial.review)
        place = {"model": source.model, "background": source.background, "people": len(some)}
        for word in words:
            has = [any(reason.words == word for reason in denial.reasons) for denial in some]
            given.append(place | {"reason": word} | interval_of_share(np.array(has))._asdict())
        review += [
            place | {"column": schema[name].label, "words": schema[name].reason, "share": count / len(some)}
            for name, count in columns.items()
        ]
        place |= {"none": sum(not denial.reasons for denial in some)}
        place |= {what: float(np.mean([bool(getattr(d, what)) for d in some])) for what in ("flagged", "joint_proxy")}
        withheld.append(place)
    by_person = {source: {denial.person: denial for denial in some} for source, some in denials.items()}
    first = next(iter(by_person.values()))
    everywhere = [person for person in first if all(person in some for some in by_person.values())] or list(first)

    def in_common(person: Any) -> int:
        return len(frozenset.intersection(*(some[person].groups for some in by_person.values() if person in some)))

    person = min(everywhere, key=in_common)
    about["reasons_of"] = str(person)
    example = pd.DataFrame({"place": np.arange(1, MOST + 1)})
    for i, told in enumerate(by_person.values()):
        reasons = told[person].reasons if person in told else ()
        texts = [r.words if says(r.words, r.value) else f"{r.words} ({r.value})" for r in reasons]
        example[f"source_{i}"] = [*texts, *["–"] * (MOST - len(texts))]
    tables = {"reasons_given": pd.DataFrame(given), "reasons_for_review": pd.DataFrame(review)}
    if review:
        shown = [source for source in denials if source.background == about["background"]]
        tables["_reasons_for_review"], about["review"] = _review(tables["reasons_for_review"], shown)
    return tables | {"reasons_withheld": pd.DataFrame(withheld), "_reasons": example}


def _review(table: pd.DataFrame, sources: Sequence[Source]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the columns that most need a review, the share of each source in a column of its own, and the headers of these."""
    wide = table.groupby(["column", "words"], sort=False)["share"].sum().nlargest(SHOWN_REVIEWS).reset_index()
    headers = {"Column": "column", "Words": "words"}
    for i, source in enumerate(sources):
        own = table[(table["model"] == source.model) & (table["background"] == source.background)].set_index("column")["share"]
        wide[f"source_{i}"] = wide["column"].map(own).fillna(0.0)
        headers[source.model] = f"source_{i}|percent"
    return wide.drop(columns="share"), headers


def _stability(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the stability of reasons, and of each kind of choice the pair that agrees least and the one that agrees most."""
    if not len(table):  # nobody is denied by two sources that differ in one thing
        return {}
    ends = [
        {"differs": differs, "end": end, "pairs": len(some)} | some.loc[place, ["same", "same_low", "same_high"]].to_dict()
        for differs, some in table.groupby("differs", sort=False)
        for end, place in (("least", some["same"].idxmin()), ("most", some["same"].idxmax()))
    ]
    return {"reason_stability": table, "reason_stability_ends": pd.DataFrame(ends)}
