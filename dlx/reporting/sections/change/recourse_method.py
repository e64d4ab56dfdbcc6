"""How recourse was searched for, what was tried, and what was left as it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlx.audit.adverse_action import association
from dlx.audit.counterfactuals import Recourse
from dlx.audit.counterfactuals.plausibility import BOUND, CORRELATED
from dlx.context import RunContext
from dlx.model import Model
from dlx.reporting.phrases import listed, share
from dlx.rounding import rounded

SHOWN = 4  # columns that are named
GOES_ALONG = 0.3  # association from which on a column that stays should have moved with one that changes


def how_it_was_searched(setting: RunContext, found: Sequence[tuple[Model, Recourse]]) -> tuple[str, ...]:
    """Return the search, the meaning of plausible, the verification, and the columns held fixed, a paragraph each."""
    tried = [f"{np.mean([answer.evaluations for answer in one.answers]):,.0f} by {model.name}" for model, one in found]
    seconds = [f"{1000 * one.seconds / len(one.answers):.0f} ms by {model.name}" for model, one in found]
    return (
        "Sets of one column, then of two and of three are tried, over all combinations of observed values (of a number 20 in "
        "the allowed direction, then the nearest of all), as far as they are at most 100,000; a set that holds a smaller "
        "sufficient one is not counted. Where nothing is found, sets of all sizes are tried, and from the lowest risk each "
        f"column in turn over all observed values. Predictions a person: {listed(tried)}; CPU time: {listed(seconds)}.",
        "Possible is what real people have: a number between the 1 and 99 % quantiles of all and of those whom the model "
        "accepts, and between the schema's bounds; a column that goes no farther than the schema allows, or two standard "
        "deviations. " + _together(setting, found[0][1]) + _confined(setting, found[0][1]),
        f"Plausible is a changed person no farther from the fifth nearest training row than {rounded(found[0][1].limit, 1)}, "
        "which 95 % of the training rows keep among themselves, or than the person was already.",
        "Values are rounded as they are printed before they are tried, and each way is verified by a call of predict of its "
        "own, on the changed row alone: typed in as printed, it gives the risk beside it. Nothing in the search is random.",
        *_fixed(setting),
        *_goes_along(setting),
    )


def _together(setting: RunContext, one: Recourse) -> str:
    """Return which columns stay plausible together, and which change only together."""
    labels, pairs = setting.case.schema.labels, one.actions.correlations.pairs
    said = f"Of columns that go together (correlation of ranks above {share(CORRELATED)}) each stays plausible given the other"
    if not pairs:
        return f"{said}; here there are none."
    strongest = sorted(pairs, key=lambda pair: -abs(pair.correlation))[:4]
    named = [f"“{labels[p.one]}” with “{labels[p.other]}” ({share(p.correlation)})" for p in strongest]
    return f"{said}: {listed(named)}. From {share(BOUND)} on neither changes without the other{_held(setting, one)}."


def _held(setting: RunContext, one: Recourse) -> str:
    """Return which columns that may change stay as they are, since others that go with them may not."""
    features, may = setting.case.schema.features, set(one.actions.columns)
    tied = [pair[:2] for pair in one.actions.correlations.pairs if abs(pair.correlation) >= BOUND]
    held = [(a, b) for pair in tied for a, b in (pair, pair[::-1]) if a in may and b not in may]
    named = [f"“{features[a].label}” stays as it is, as “{features[b].label}” cannot be changed" for a, b in held]
    return f": {listed(named)}" if named else ""


def _confined(setting: RunContext, one: Recourse) -> str:
    """Return which columns keep to what real people have beside another; "" where there are none."""
    labels = setting.case.schema.labels
    pairs = dict.fromkeys(tuple(sorted((pair.given, pair.other))) for pair in one.actions.ranges)
    named = [f"“{labels[a]}” with “{labels[b]}”" for a, b in list(pairs)[:SHOWN]]
    return (
        f" Of columns of which one confines the other, both keep to what people have together: {listed(named)}."
        if pairs
        else ""
    )


def _fixed(setting: RunContext) -> tuple[str, ...]:
    """Return which columns nobody can change any more, and why."""
    why: dict[str, list[str]] = {}
    for feature in setting.case.schema.features:
        if feature.fixed:
            why.setdefault(feature.fixed, []).append(f"“{feature.label}”")
    shown = []
    for words, names in why.items():
        rest = [f"{len(names) - SHOWN} more"] if len(names) > SHOWN else []
        shown.append(f"{listed([*names[:SHOWN], *rest])} ({words})")
    return (f"Fixed: {'; '.join(shown)}.",) if shown else ()


def _goes_along(setting: RunContext) -> tuple[str, ...]:
    """Return which columns stay although they go together with one that changes."""
    schema, table = setting.case.schema, association(setting.case.train)
    pairs = [
        (float(table.loc[a.name, b.name]), a.label, b.label)
        for a in schema.features
        for b in schema.features
        if a.actionable and not b.actionable and not b.protected and table.loc[a.name, b.name] >= GOES_ALONG
    ]
    if not pairs:
        return ()
    named = [f"“{b}” with “{a}” ({share(strength)})" for strength, a, b in sorted(pairs, reverse=True)[:4]]
    text = f"Columns that cannot be changed stay as they are, though some might follow; these go together: {listed(named)}."
    actionable = {feature.name for feature in schema.features if feature.actionable}
    derived = [f"“{feature.label}”" for feature in schema.features if actionable & set(feature.derived_from)]
    return (f"{text} {listed(derived)} will be computed anew from what changes." if derived else text,)
