"""What the section measures of the reasons of a denial."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
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
    near_cutoff,
    reason_stability,
)
from dlx.audit.adverse_action.denials import MOST, to_frame, weights_of
from dlx.audit.adverse_action.rules import SAME_REASON
from dlx.audit.compatibility import preflight
from dlx.audit.counterfactuals import denied
from dlx.audit.fairness.proxies import PROXY_AUC
from dlx.comparison import Measurements, believed, distance_to_truth, trust
from dlx.comparison.trustworthiness import DISTRUSTED
from dlx.context import RunContext
from dlx.dataset import Dataset
from dlx.explanation import Explanation
from dlx.model import Model
from dlx.reporting.phrases import says
from dlx.stats import interval_of_share

CUTOFF, EVERYBODY = "near the cutoff", "all applicants"
EXPLAINED = 300  # denied people whose reasons are given, at most
SHOWN_REVIEWS = 8


def measure_reasons(
    context: RunContext, models: Sequence[Model], facts: dict[str, float], about: dict[str, Any]
) -> dict[str, pd.DataFrame]:
    """Return the reasons of those whom some models deny, and how far they can be relied on."""
    wording, groups = ReasonMap(context.case.schema), context.reason_rules.grouping
    schema = context.case.schema
    denials, unused = _denials(context, models, wording, groups)
    facts |= {"most_reasons": MOST, "background": len(context.background), "same_reason": SAME_REASON, "proxy": PROXY_AUC}
    about |= {"wording": wording, "protected": tuple(feature.label for feature in schema.features if feature.protected)}
    about |= {"merged": tuple(tuple(schema[name].label for name in some) for some in groups.merged())}
    tables = {"reasons_unused": unused, "reason_words": wording.to_frame()}
    tables["reason_proxies"] = pd.DataFrame(
        {"column": name, **proxy._asdict(), "is_proxy": name in groups.proxies, "label": schema[name].label}
        for name, proxy in groups.strongest.items()
    )
    few = [(schema[some.column].label, some.name, some.inside.sum(), len(some.inside)) for some in groups.unjudged]
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
            printable = {group for group, name in zip(groups.group, schema.names, strict=True) if name not in groups.withheld}
            asked: dict[str, Any] = {"groups": len(printable), "weights": _by_person(context.case.test), "seed": context.seed}
            tables |= _stability(reason_stability(denials, **asked))
    return tables


def _by_person(people: Dataset) -> dict[Any, float] | None:
    """Return what each person weighs, by the name of the row; None where all weigh the same."""
    return None if people.weights is None else dict(zip(people.index.tolist(), people.weights.tolist(), strict=True))


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
    some = set(explainers.names_for(model)).difference(explainers.apart())
    quick = [name for name in some if explainers.method(name).COST != "high"]  # for many people
    fitting = explainers.by_preference(name for name in quick if not hasattr(explainers.method(name), "RESTS_ON"))
    compatibility = preflight(model, people, background, scale=model.scales[0], methods=fitting, seed=context.seed)
    is_lost = compatibility["verdict"] == "not valid"
    made = [context.explain(model, people, name, background=background) for name in compatibility.loc[~is_lost, "method"]]
    truth = [one for one in made if one.method == explainers.any_model()]
    held = [one for one in made if one not in truth]
    distances = distance_to_truth(held, truth[0]) if truth and held else None
    table = trust(made, Measurements(compatibility=compatibility, distances=distances))
    kept = [one for one, counts in zip(made, believed(table), strict=True) if counts] if made else []
    lost = [*zip(compatibility.loc[is_lost, "method"], compatibility.loc[is_lost, "reason"], strict=True)]
    return kept, lost + [(line.method, line.why) for line in table.itertuples() if line.standing == DISTRUSTED]


def _shown(context: RunContext, denials: Mapping[Source, tuple[Denial, ...]], about: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Return how often each reason is given, by the sources shown, what was withheld, and the reasons of one person."""
    schema, given, review, withheld = context.case.schema, [], [], []
    by_person_weights = _by_person(context.case.test)
    for source, some in denials.items():
        weights = weights_of(some, by_person_weights)
        words = Counter(word for denial in some for word in dict.fromkeys(reason.words for reason in denial.reasons))
        columns = dict.fromkeys(name for denial in some for name in denial.review)
        place = {"model": source.model, "background": source.background, "people": len(some)}
        for word in words:
            has = [any(reason.words == word for reason in denial.reasons) for denial in some]
            given.append(place | {"reason": word} | interval_of_share(np.array(has), weights)._asdict())
        review += [
            place
            | {"column": name, "label": schema[name].label, "words": schema[name].reason}
            | {"share": np.average([name in denial.review for denial in some], weights=weights)}
            for name in columns
        ]
        place |= {"none": sum(not denial.reasons for denial in some)}
        for what in ("flagged", "joint_proxy"):
            place[what] = float(np.average([bool(getattr(denial, what)) for denial in some], weights=weights))
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
    wide = table.groupby(["column", "label", "words"], sort=False)["share"].sum().nlargest(SHOWN_REVIEWS).reset_index()
    headers = {"Column": "label", "Words": "words"}
    for i, source in enumerate(sources):
        own = table[(table["model"] == source.model) & (table["background"] == source.background)].set_index("column")["share"]
        wide[f"source_{i}"] = wide["column"].map(own).fillna(0.0)
        headers[source.model] = f"source_{i}|percent"
    return wide.drop(columns="share"), headers


def _stability(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the stability of reasons, and of each kind of choice the pair that agrees least and the one that agrees most."""
    if not len(table):  # nobody is denied by two sources that differ in one thing
        return {}
    interval = ["same", "same_low", "same_high"]
    ends = [
        {"differs": differs, "end": end, "pairs": len(some)}
        | some.sort_values(interval, kind="stable")[interval].iloc[place].to_dict()
        for differs, some in table.groupby("differs", sort=False)
        for end, place in (("least", 0), ("most", -1))
    ]
    return {"reason_stability": table, "reason_stability_ends": pd.DataFrame(ends)}
