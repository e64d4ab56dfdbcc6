"""How recourse was searched for, what was tried, and what was left as it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlx.audit.reasons import association
from dlx.audit.recourse import Recourse
from dlx.model import Model
from dlx.reporting.phrases import listed, share
from dlx.reporting.setting import Setting

GOES_ALONG = 0.3  # association from which on a column that stays should have moved with one that changes


def how_it_was_searched(setting: Setting, found: Sequence[tuple[Model, Recourse]]) -> tuple[str, ...]:
    """Return the search, the meaning of plausible, the verification, and the columns held fixed, a paragraph each."""
    tried = [f"{np.mean([answer.evaluations for answer in one.answers]):,.0f} by {model.name}" for model, one in found]
    seconds = [f"{1000 * one.seconds / len(one.answers):.0f} ms by {model.name}" for model, one in found]
    return (
        "Sets of one column, then of two and of three are tried, over all combinations of observed values (of a number 20 in "
        "the allowed direction, then the nearest of all), as far as they are at most 100,000; a set that holds a smaller "
        "sufficient one is not counted. Where nothing is found, sets of all sizes are tried, and from the lowest risk each "
        f"column in turn over all observed values. Predictions a person: {listed(tried)}; CPU time: {listed(seconds)}.",
        f"Plausible is a changed person no farther from the fifth nearest training row than {found[0][1].limit:.1f}, which "
        "95 % of the training rows keep among themselves, or than the person was already.",
        "Each way is verified by a call of predict of its own, on the changed row alone. Nothing in the search is random.",
        *_goes_along(setting),
    )


def _goes_along(setting: Setting) -> tuple[str, ...]:
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
    return (f"Columns that cannot be changed stay as they are, though some might follow; these go together: {listed(named)}.",)
