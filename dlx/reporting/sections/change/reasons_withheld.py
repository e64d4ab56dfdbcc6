"""What is not printed as a reason: protected columns, what stands in for them, what goes against its words."""

from __future__ import annotations

from collections import Counter

import numpy as np

from dlx.audit.adverse_action import Proxy
from dlx.audit.adverse_action.denials import Denial
from dlx.audit.fairness.groups import Group
from dlx.audit.fairness.proxies import PROXY_AUC
from dlx.context import RunContext
from dlx.reporting.phrases import counted, interval, listed, percent, sentence, share
from dlx.reporting.sections.blocks import Block, Table, Words
from dlx.reporting.sections.change.reasons_told import Given
from dlx.schema import Schema

SHOWN_FOR_REVIEW = 8
SHOWN_GROUPS = 3  # of a column, of which there are too few people


def withheld(setting: RunContext, given: Given) -> list[Block]:
    """Return what is never printed and why, how often it counted, and what a reviewer must look at."""
    said = [_protected(setting, given), *_too_few(setting, given), *_together(setting, given), *_empty(setting, given)]
    return [Words(tuple(said)), *_for_review(setting, given)]


def _protected(setting: RunContext, given: Given) -> str:
    schema, grouping = setting.case.schema, given.grouping
    if not grouping.protected:
        return "The schema marks no column as protected, so nothing is withheld; mark such columns with protected = true."
    proxies = [f"{schema[column].label} ({_proxy(schema, proxy)})" for column, proxy in grouping.proxies.items()]
    named = listed([schema[name].label for name in grouping.protected])
    return (
        f"Never printed: {named}, and columns that alone tell a group from the rest (AUC above {share(PROXY_AUC)} beyond "
        f"doubt, cross-validated, gaps and any shape of the column included): {listed(proxies) if proxies else 'none'}. They "
        f"moved the risk as much as a printed reason in {_shares(given, 'flagged')}: what is printed there is not all that "
        "counted, and a reviewer must know of it."
    )


def _too_few(setting: RunContext, given: Given) -> tuple[str, ...]:
    schema, few = setting.case.schema, given.grouping.measured.unjudged
    if not few:
        return ()
    columns = {name: [group for group in few if group.column == name] for name in dict.fromkeys(group.column for group in few)}
    named = listed([_named(schema[column].label, groups) for column, groups in columns.items()])
    return (f"What stands in for {named} cannot be told, as there are too few; it may be among what is printed.",)


def _named(label: str, groups: list[Group]) -> str:
    first = [
        f"“{group.name}” ({int(group.inside.sum()):,} of {len(group.inside):,} training rows)"
        for group in groups[:SHOWN_GROUPS]
    ]
    rest = len(groups) - len(first)
    return f"{listed([*first, *([f'{rest:,} more'] if rest else [])])} of {label}"


def _together(setting: RunContext, given: Given) -> tuple[str, ...]:
    schema = setting.case.schema
    counts = Counter(name for source in given.shown for denial in given.denials[source] for name in denial.joint_proxy)
    if not counts:
        return ()
    most = listed([f"“{schema[name].label}”" for name, _ in counts.most_common(3)])
    return (
        f"The columns printed for one {schema.target.person} are not a proxy together either: what would make them one was "
        f"left out in {_shares(given, 'joint_proxy')}, most often {most}.",
    )


def _empty(setting: RunContext, given: Given) -> tuple[str, ...]:
    target = setting.case.schema.target
    none = [
        f"{counted(count)} whom {source.model} denies ({source.background})"
        for source in given.shown
        if (count := sum(not denial.reasons for denial in given.denials[source]))
    ]
    if not none:
        return ()
    return (sentence(f"no reason can be printed for {listed(none)}: nobody can tell them why they are {target.flagged}"),)


def _for_review(setting: RunContext, given: Given) -> list[Block]:
    """Return how often each column counted against a person whose value speaks for them."""
    counts = {s: Counter(name for denial in given.denials[s] for name in denial.review) for s in given.shown}
    order = [name for name, _ in sum(counts.values(), Counter()).most_common(SHOWN_FOR_REVIEW)]
    if not order:
        return []
    schema, target = setting.case.schema, setting.case.schema.target
    lines = tuple(
        (schema[name].label, schema[name].reason, *(percent(counts[s][name] / len(given.denials[s])) for s in given.shown))
        for name in order
    )
    caption = (
        f"For review, never printed: what counted as much as a printed reason although the {target.person}'s value goes "
        "against the words, or, where the schema does not say which values are adverse, against the outcomes; share of the "
        "denied"
    )
    return [Table(caption, ("Column", "Words", *(f"{s.model}, {s.background}" for s in given.shown)), lines)]


def _proxy(schema: Schema, proxy: Proxy) -> str:
    told = interval(proxy.auc, proxy.low, proxy.high)
    return f"tells “{proxy.group}” of {schema[proxy.attribute].label}, AUC {told}"


def _shares(given: Given, what: str) -> str:
    """Return of how many of the denied something was withheld, by each model: the background where it is most."""
    shares: dict[str, list[float]] = {}
    for source in given.shown:
        some: tuple[Denial, ...] = given.denials[source]
        shares.setdefault(source.model, []).append(float(np.mean([bool(getattr(denial, what)) for denial in some])))
    return listed([f"{percent(max(some))} of what {model} denies" for model, some in shares.items()])
