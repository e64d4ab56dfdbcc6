"""What the effects say, in sentences made from their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlx.effects.accumulated import AccumulatedEffects
from dlx.effects.partial import PartialDependence
from dlx.effects.shap_interactions import Interactions
from dlx.plots import UNITS
from dlx.redundancy import TELLS_ALL
from dlx.reporting.effects.study import Effects
from dlx.reporting.phrases import interval, listed, percent, three_decimals, top_columns
from dlx.rounding import side_true

if TYPE_CHECKING:
    import pandas as pd


def where_the_two_differ(effects: Effects) -> str:
    """Return for which column partial dependence and ALE of the main model are furthest apart, and how far."""
    curves = {c.feature.name: c for some in effects.curves for c in some if c.model == effects.models[0].name}
    local = {a.feature.name: a for some in effects.accumulated for a in some if a.model == effects.models[0].name}
    both = [(*distance(curves[name], local[name]), curves[name]) for name in curves if name in local]
    if not both:
        return ""
    gap, swing, at, curve = max(both, key=lambda found: found[0])
    return (
        f"Partial dependence and ALE of {curve.model} are furthest apart for “{curve.feature.label}”: by "
        f"{three_decimals(gap)} at {curve.feature.format(at)}, where the column moves the mean prediction by "
        f"{three_decimals(swing)} in all. Partial dependence also asks about people who cannot be, ALE only about small "
        "steps from people who are there: they part where the column goes together with others that matter."
    )


def distance(curve: PartialDependence, local: AccumulatedEffects) -> tuple[float, float, float]:
    """Return the largest distance of both, each less its mean over their common values, the curve's range, and where it is."""
    known = ~np.isnan(curve.grid)
    if curve.feature.is_categorical:
        code = {value: effect for value, effect in zip(local.values, local.effects, strict=True) if not np.isnan(value)}
        known &= np.isin(curve.grid, list(code))
        steps = np.array([code[value] for value in curve.grid[known]])
    else:
        there = ~np.isnan(local.values)
        steps = np.interp(curve.grid[known], local.values[there], local.effects[there]) if there.any() else np.zeros(0)
    if not len(steps):
        return 0.0, 0.0, np.nan
    mean, weights = curve.mean[known], None if curve.counts is None else curve.counts[known] + 1e-12
    gap = np.abs(mean - np.average(mean, weights=weights) - steps + np.average(steps, weights=weights))
    return float(gap.max()), float(np.ptp(mean)), float(curve.grid[known][gap.argmax()])


def whom_the_mean_hides(effects: Effects) -> str:
    """Return the column of the main model whose mean effect has the wrong sign for the largest share of people."""
    curves = [c for some in effects.curves for c in some if c.model == effects.models[0].name and len(c.grid) > 1]
    if not curves:
        return ""
    found = []
    for curve in curves:
        mean = curve.centred.mean(axis=0)
        at = int(np.abs(mean).argmax())
        found.append((float((curve.centred[:, at] * mean[at] < 0).mean()), at, curve))
    against, at, curve = max(found, key=lambda one: one[0])
    if not against:
        return f"Nobody's prediction by {curve.model} goes against the mean in any of these columns."
    move, words = curve.centred.mean(axis=0)[at], curve.feature.format
    return (
        f"The mean hides most for “{curve.feature.label}”: from {words(curve.grid[curve.anchor])} to {words(curve.grid[at])} "
        f"the prediction of {curve.model} {'rises' if move > 0 else 'falls'} by {three_decimals(abs(move))} on average, but "
        f"for {percent(against)} of {len(curve.curves)} people it goes the other way."
    )


def what_accuracy_rests_on(effects: Effects) -> str:
    """Return what shuffling the most important column costs each model, and how many columns matter beyond noise."""
    parts = []
    for model, some in effects.importance.groupby("model", sort=False):
        first, beyond = some.iloc[0], int((some["low"] > 0).sum())
        cost = interval(first["importance"], first["low"], first["high"], three_decimals, 0)
        parts.append(
            f"The accuracy of {model} rests most on “{first['label']}”: when it is shuffled, the log loss of "
            f"{three_decimals(first['baseline'])} rises by {cost}; for {beyond} of {len(some)} columns the rise is beyond noise"
        )
    return f"{'. '.join(parts)}." if parts else ""


def what_tells_the_outcome(importance: pd.DataFrame) -> str:
    """Return which columns alone tell the outcome, a sentence; "" where none does."""
    told = importance.dropna(subset=["tells_outcome"]).drop_duplicates("feature") if len(importance) else importance
    if not len(told):
        return ""
    told = told.sort_values("tells_outcome", ascending=False, kind="stable")
    named = listed([f"“{line.label}” (AUC {side_true(line.tells_outcome, TELLS_ALL, 2)})" for line in told.itertuples()])
    return (
        f"{named} alone {'tells' if len(told) == 1 else 'tell'} the outcome: is that known before the outcome is, or is it the "
        "outcome in other words? Until this is settled, take no other number of this page for the models' skill."
    )


def which_columns_say_the_same(importance: pd.DataFrame) -> str:
    """Return which columns are copies of each other, a sentence; "" where none are."""
    labels = dict(zip(importance["feature"], importance["label"], strict=True)) if len(importance) else {}
    groups = _copies(importance)
    if not groups:
        return ""
    named = "; ".join(listed([f"“{labels.get(name, name)}”" for name in group]) for group in groups)
    return (
        f"Columns that say the same, or follow from each other: {named}. What is given to one could as well be given to the "
        "other: read their importance together."
    )


def what_copies_cost(importance: pd.DataFrame) -> str:
    """Return what shuffling copies together costs each model, beside the most that one of them costs alone."""
    said = []
    for group in _copies(importance):
        rows = importance[importance["feature"].isin(group)]
        labels = dict(zip(rows["feature"], rows["label"], strict=True))
        costs = []
        for model, some in rows.groupby("model", sort=False):
            first = some.iloc[0]
            together = interval(first["together"], first["together_low"], first["together_high"], three_decimals, 0)
            alone = interval(first["importance"], first["low"], first["high"], three_decimals, 0)
            costs.append(f"{model} {together}, against at most {alone} alone")
        said.append(f"Shuffled together, {listed([f'“{labels[name]}”' for name in group])} cost {'; '.join(costs)}")
    return f"{'. '.join(said)}." if said else ""


def _copies(importance: pd.DataFrame) -> list[tuple[str, ...]]:
    """Return the groups of columns that are copies, each once."""
    known = importance[importance["copies"] != ""] if len(importance) else importance
    groups = {frozenset([line.feature, *line.copies.split(", ")]) for line in known.itertuples()}
    order = list(dict.fromkeys(known["feature"])) if len(known) else []
    return sorted((tuple(sorted(group, key=order.index)) for group in groups), key=lambda group: order.index(group[0]))


def which_pair_is_joined(effects: Effects) -> str:
    """Return the strongest pair of each model by the size of its interaction, with Friedman's H."""
    parts = []
    for model, some in effects.pairs.groupby("model", sort=False):
        first = some.iloc[0]
        parts.append(
            f"{model} joins “{first['label']}” and “{first['other_label']}” most: together they move the output by "
            f"{interval(first['size'], first['size_low'], first['size_high'], three_decimals)} {UNITS[first['scale']]} "
            f"(root mean square) beyond what each does alone, H = {interval(first['h'], first['h_low'], first['h_high'])}"
        )
    if not parts:
        return ""
    columns = len(set(effects.pairs["feature"]) | set(effects.pairs["other_feature"]))
    return f"Among all pairs of {top_columns(columns)}, {'; '.join(parts)}. H is 0 where a model adds two columns up."


def what_a_main_effect_hides(joint: Interactions, table: pd.DataFrame) -> tuple[str, str]:
    """Return how much of the main model's contributions is between columns, and for which column and pair."""
    size = joint.strength
    alone = np.diag(size)
    shared = size.sum(axis=1) - alone
    between = shared.sum() / max(size.sum(), 1e-300)
    pairs = table[table["feature"] != table["other_feature"]].iloc[0]
    top = [i for i in np.argsort(-size.sum(axis=1), kind="stable")[:10] if size[i].sum() > 0]
    hidden = max(top, key=lambda i: shared[i] / size[i].sum(), default=0)
    strongest = interval(pairs["strength"], pairs["low"], pairs["high"], three_decimals)
    unit = UNITS[joint.scale]
    first = (
        f"Split into what each column adds alone and what pairs add together, {percent(between)} of the size of all "
        f"contributions of {joint.model} lies in pairs. The strongest is “{pairs['label']}” with “{pairs['other_label']}”: "
        f"{strongest} {unit} for half of it, on average over {len(joint)} people."
    )
    second = (
        f"Among the top columns, the main effect of “{joint.schema.features[hidden].label}” hides most: it has a mean size of "
        f"{three_decimals(alone[hidden])} {unit}, the column's halves of pairs add up to {three_decimals(shared[hidden])}."
    )
    return first, second + _sampling(joint)


def _sampling(joint: Interactions) -> str:
    if joint.standard_errors is None:
        return ""
    off = ~np.eye(len(joint.schema), dtype=bool)
    error = float(np.median(joint.standard_errors[:, off]))
    return (
        f" Not all combinations of columns were tried: one person's pair has a standard error of {error:.2g} "
        "(median), which makes weak pairs look larger than they are."
    )
