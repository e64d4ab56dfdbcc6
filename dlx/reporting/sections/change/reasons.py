"""Reasons on the page: what the denied are told, whom they are compared with, and how far another choice changes it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from dlx import explainers
from dlx.audit.adverse_action import ReasonMap, ReasonsError, Source, adverse_reasons, grouping, near_cutoff, reason_stability
from dlx.audit.adverse_action.denials import MOST, Denial, to_frame
from dlx.audit.compatibility import preflight
from dlx.audit.counterfactuals import denied
from dlx.comparison import Evidence, believed, distance_to_truth, trust
from dlx.comparison.trustworthiness import DISTRUSTED
from dlx.context import RunContext
from dlx.dataset import Dataset
from dlx.explanation import Explanation
from dlx.model import Model
from dlx.reporting.phrases import listed, method_label, spaced
from dlx.reporting.sections.blocks import Block, Folded, Heading, Words
from dlx.reporting.sections.change.part import Part
from dlx.reporting.sections.change.reasons_told import (
    CUTOFF,
    EVERYBODY,
    Given,
    common,
    example,
    map_of_words,
    stability_figure,
    stability_words,
)
from dlx.reporting.sections.change.reasons_withheld import withheld

WHOM = {CUTOFF: "those near the cutoff", EVERYBODY: "all applicants"}
MANY = 300  # denied people whose reasons are given, at most


def reasons_part(setting: RunContext, models: Sequence[Model]) -> Part:
    """Return the reasons of the people whom some models deny; where nobody is denied a loan, why there are none."""
    target = setting.case.schema.target
    if not target.adverse_action:
        text = (
            f"To be {target.flagged} is no adverse action in the sense of 12 CFR 1002.2(c), no denial of credit or the like, "
            "so no adverse-action reasons are printed here."
        )
        return Part(blocks=(Heading("Reasons"), Words((text,))))
    given = _given(setting, models)
    if not given.denials:
        text = (
            f"Nobody of the test rows is {target.flagged}, every method is refuted, or no column speaks against anybody: "
            "there are no reasons to give."
        )
        return Part(blocks=(Heading("Reasons"), Words((text, *given.untrusted))))
    return _told(setting, given)


def _given(setting: RunContext, models: Sequence[Model]) -> Given:
    denials: dict[Source, tuple[Denial, ...]] = {}
    untrusted: dict[str, None] = {}
    wording, together = ReasonMap.of(setting.case.schema), grouping(setting.case.train)
    for model in models:
        people = denied(model, setting.case.test)[:MANY]
        if not len(people):
            continue
        with setting.narrator.step(f"Giving reasons for what {model.name} denies"):
            for background, rows in _backgrounds(setting, model).items():
                trusted, doubts = _trusted(setting, model, people, rows)
                untrusted |= dict.fromkeys(f"{doubt}, compared with {WHOM[background]}" for doubt in doubts)
                for one in trusted:
                    reasons = adverse_reasons(one, rows, wording=wording, grouping=together)
                    told = (d.reasons or d.flagged or d.review or d.joint_proxy for d in reasons)
                    if any(told):  # or nothing speaks against anybody
                        denials[Source(model.name, one.method, background)] = reasons
    return Given(denials, wording, together, tuple(untrusted))


def _backgrounds(setting: RunContext, model: Model) -> dict[str, Dataset]:
    try:
        return {CUTOFF: near_cutoff(model, setting.case.train), EVERYBODY: setting.background}
    except ReasonsError:  # nobody is granted, so nobody is near the cutoff
        return {EVERYBODY: setting.background}


def _trusted(setting: RunContext, model: Model, people: Dataset, background: Dataset) -> tuple[list[Explanation], list[str]]:
    """Return the explanations by methods whose word counts, and why that of the others does not.

    What is measured here is whether they add up and how far they are from the Shapley values, not their own noise: none has
    earned trust, see `dlx.comparison.trust`.
    """
    quick = [name for name in explainers.names_for(model) if explainers.method(name).COST != "high"]  # for many people
    fitting = explainers.by_preference(name for name in quick if not hasattr(explainers.method(name), "RESTS_ON"))
    compatibility = preflight(model, people, background, scale=model.scales[0], methods=fitting, seed=setting.seed)
    ready = compatibility.loc[compatibility["verdict"] != "not valid", "method"]
    made = [setting.explain(model, people, method, background=background) for method in ready]
    truth = [one for one in made if one.method == explainers.any_model()]
    held = [one for one in made if one not in truth]
    table = trust(
        made, Evidence(compatibility=compatibility, distances=distance_to_truth(held, truth[0]) if truth and held else None)
    )
    kept = [one for one, counts in zip(made, believed(table), strict=True) if counts] if made else []
    lost = compatibility[compatibility["verdict"] == "not valid"]
    why = [*zip(lost["method"], lost["reason"], strict=True)]
    why += [(line.method, line.why) for line in table.itertuples() if line.standing == DISTRUSTED]
    return kept, [f"{method_label(method)} of {model.name}: {spaced(reason)}" for method, reason in why]


def _told(setting: RunContext, given: Given) -> Part:
    tables = {
        "reasons": pd.concat([to_frame(some, **source._asdict()) for source, some in given.denials.items()], ignore_index=True),
        "reason_words": given.wording.to_frame(),
    }
    if len(proxies := given.grouping.measured.to_frame()):
        tables["reason_proxies"] = proxies
    blocks: list[Block] = [Heading("Reasons for a denial"), Words((_what(setting, given),))]
    if len(tables["reasons"]):
        blocks += [example(setting, given), common(given)]
    finding: tuple[str, ...] = ()
    if len(given.denials) > 1:
        stability = reason_stability(given.denials, groups=given.printable, seed=setting.seed)
        if len(stability):  # somebody is denied by two sources that differ in one thing
            tables["reason_stability"], finding = stability, stability_words(stability, given.grouping)
            blocks += [Words(finding), stability_figure(stability)]
    blocks += withheld(setting, given)
    blocks.append(Folded("The map of words, and which columns count as one", map_of_words(setting, given)))
    evidence = (
        f"Up to {MOST} reasons for each denied {setting.case.schema.target.person}, by methods not refuted, against both "
        f"reference groups of the commentary on 12 CFR 1002.9; map of words version {given.wording.version}, sha256 "
        f"{given.wording.sha256[:12]}. {' '.join(finding)}"
    )
    return Part(finding, tuple(blocks), tables, {"reasons": evidence.strip()})


def _what(setting: RunContext, given: Given) -> str:
    people = {source.model: len(some) for source, some in given.denials.items()}
    methods = {
        model: list(dict.fromkeys(method_label(source.method) for source in given.denials if source.model == model))
        for model in people
    }
    told = [f"by {listed(methods[model])} for the {count:,} whom {model} denies" for model, count in people.items()]
    return (
        f"At most {MOST} reasons each, what moved the risk up most, in the words of a fixed map and only where these are true "
        "of the person. The commentary on 12 CFR 1002.9(b)(2) lets a lender compare with applicants at or slightly above the "
        "cutoff, or with all applicants: here the "
        f"granted training rows nearest the threshold, or {len(setting.background)} training rows at random. Made "
        f"{'; '.join(told)}: methods that are not refuted by pre-flight or by their distance from the Shapley values; their "
        "own noise was not measured."
    )
