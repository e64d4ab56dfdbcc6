"""Recourse on the page: who could be granted by changing what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from dlx import plots
from dlx.audit.counterfactuals import Answer, Recourse, denied, recourse
from dlx.background import sample
from dlx.context import RunContext
from dlx.dataset import Dataset
from dlx.model import Model, decided
from dlx.reporting.canvas import Figure, canvas_of, embedded, legend
from dlx.reporting.phrases import (
    article,
    counted,
    interval,
    listed,
    model_words,
    percent,
    sentence,
    two_decimals,
)
from dlx.reporting.sections.blocks import Block, Folded, Heading, Listed, Table, Words
from dlx.reporting.sections.change.part import Part, people_word
from dlx.reporting.sections.change.recourse_method import how_it_was_searched
from dlx.rounding import percent_beside, rounded, threshold_in_percent
from dlx.schema import Target, plural

MANY = 200  # denied people that are searched for, at most
FEW, WIDE = 25, 8  # as many where more columns than this can change: there are too many combinations for all
WEAK = 0.8  # share of changes that another model accepts, below which a reader is told at once

Found = list[tuple[Model, Recourse]]


def recourse_part(setting: RunContext, models: Sequence[Model], others: Sequence[Model]) -> Part:
    """Return who of the flagged could change what, by some models, and what others say of it."""
    target = setting.case.schema.target
    if why_not := _why_not(setting):
        return Part(blocks=(_heading(target), Words((why_not,))), covers={"recourse": why_not} if target.past else {})
    found: Found = []
    nobody = []
    for model in models:
        people = _sample(setting, denied(model, setting.case.test))
        if not len(people):
            nobody.append(sentence(f"of the test rows, nobody is {target.flagged} by {model_words(model)}"))
            continue
        with setting.narrator.step(f"Looking for recourse from {model.name}", "people") as update:
            found.append((model, recourse(model, people, observed=setting.case.train, progress=update)))
    return _told(setting, found, others, nobody) if found else Part(blocks=(Words(tuple(nobody)),))


def _heading(target: Target) -> Heading:
    return Heading(f"What would keep {article(target.person)} from being {target.flagged}")


def _why_not(setting: RunContext) -> str:
    """Return why nobody can be told a way out; empty where somebody can."""
    schema, target = setting.case.schema, setting.case.schema.target
    if target.past:
        return sentence(
            f"no ways out are given: {target.event} is there already when the columns are measured, and no change of a column "
            "undoes it"
        )
    if any(feature.actionable for feature in schema.features):
        return ""
    why = Counter(feature.fixed for feature in schema.features if feature.fixed)
    fixed = "; ".join(f"{plural(count, 'column')}: {words}" for words, count in why.most_common())
    can = f"{article(target.person)} can change" + (f" ({fixed})" if fixed else "")
    return (
        f"No column of this table is marked as one that {can}, so no recourse can be given. Mark such columns with "
        "actionable = true in the schema."
    )


def _sample(setting: RunContext, people: Dataset) -> Dataset:
    actionable = sum(feature.actionable for feature in setting.case.schema.features)
    most = MANY if actionable <= WIDE or setting.budget.is_thorough else FEW
    return sample(people, most, seed=setting.seed)


def _told(setting: RunContext, found: Found, others: Sequence[Model], nobody: list[str]) -> Part:
    tables = {
        "recourse": pd.concat([one.summary(seed=setting.seed) for _, one in found], ignore_index=True),
        "recourse_columns": pd.concat([one.by_column() for _, one in found], ignore_index=True),
        "recourse_changes": pd.concat([one.to_frame() for _, one in found], ignore_index=True),
        "recourse_boundary": pd.concat([one.boundary() for _, one in found], ignore_index=True),
        "recourse_other_models": pd.concat(
            [one.transferability([m for m in others if m is not model]) for model, one in found]
        ),
    }
    moved = tables["recourse_other_models"]
    blocks: list[Block] = [
        _heading(setting.case.schema.target),
        Words((_question(setting, found[0][1].goal), *nobody)),
        _summary_table(setting, found, tables["recourse"]),
        Words(tuple(_boundary_sentence(setting, model, one) for model, one in found)),
    ]
    if any(one.found.any() for _, one in found):
        blocks += [_columns_figure(setting, tables["recourse_columns"])]
        blocks += [_example(setting, model, one) for model, one in found if one.found.any()][:1]
        blocks += _other_models(moved, [model.name for model in others])
    blocks.append(Folded("How it was searched for, and what stays as it is", (Listed(how_it_was_searched(setting, found)),)))
    finding = _finding(setting, *found[0], moved)
    evidence = (
        f"{finding} Only columns marked as actionable change, in their direction, within the range of real people; each change "
        "is verified by predict as it is printed."
    )
    return Part((finding,), tuple(blocks), tables, {"recourse": evidence})


def _question(setting: RunContext, goal: float) -> str:
    target, schema = setting.case.schema.target, setting.case.schema
    words = {"any": "", "up": " (up)", "down": " (down)"}
    named = [f"{feature.label}{words[feature.direction]}" for feature in schema.features if feature.actionable]
    odds, goal_odds = (p / (1 - p) for p in (target.threshold, goal))
    text = (
        f"For each {target.person} whose {target.risk} is {threshold_in_percent(target.threshold)} or more: the fewest columns "
        f"that would have to differ, and the nearest values, for it to be {_risk(goal, target.threshold)} or less, where the "
        f"odds are {percent(1 - goal_odds / odds)} below those of the threshold. What may change: {listed(named)}."
    )
    caution = (
        "" if target.adverse_action else " It is what the model would answer about somebody else, no advice on what to do."
    )
    return text + caution


def _summary_table(setting: RunContext, found: Found, summary: pd.DataFrame) -> Table:
    target = setting.case.schema.target
    measures: tuple[tuple[str, Callable[[float], str]], ...] = (
        ("share_with_recourse", percent),
        ("median_columns_changed", lambda x: "–" if np.isnan(x) else f"{x:g}"),
        ("mean_counterfactuals", lambda x: rounded(x, 1)),
        ("mean_distance", two_decimals),
    )
    lines = []
    for model, one in found:
        of = summary[summary["model"] == model.name].set_index("measure")[["estimate", "low", "high"]]
        cells = [_cell(of.loc[name], ("estimate", "low", "high"), show) for name, show in measures]
        lines.append((model.name, f"{len(one.answers):,}", *cells))
    caption = (
        f"Test {people_word(target)} who are {target.flagged}: how many have a way out, how many columns the easiest changes, "
        "how many ways there are (of three asked for), how far the easiest is, in standard deviations or steps; 95 % intervals"
    )
    return Table(
        caption, ("Model", "Looked at", "With a way", "Columns (median)", "Ways (mean)", "Distance (mean)"), tuple(lines)
    )


def _cell(line: pd.Series, names: tuple[str, str, str], show: Callable[[float], str]) -> str:
    estimate, low, high = (float(line[name]) for name in names)
    return interval(estimate, low, high, show)


def _boundary_sentence(setting: RunContext, model: Model, one: Recourse) -> str:
    target, without = setting.case.schema.target, one.boundary()
    if not len(without):
        return sentence(f"by {model_words(model)}, there is a way for everybody who was looked at")
    is_strange = without["only_implausible"].to_numpy(bool)
    parts = [f"by {model_words(model)}, no way was found for {counted(len(without))} of {len(one.answers)}"]
    if is_strange.any():
        who = "them" if is_strange.all() else counted(int(is_strange.sum()))
        parts.append(f"for {who} every change found to suffice makes a person unlike all real ones")
    rest = without[~is_strange]
    if len(rest):
        whom = "them" if len(rest) == len(without) else counted(len(rest))
        parts.append(f"for {whom} the {target.risk} does not go below {_bound(one, rest)}")
    return sentence("; ".join(parts))


def _bound(one: Recourse, rest: pd.DataFrame) -> str:
    """Return how low the risk of those without a way gets, how surely, and for how many that is below the threshold."""
    low, high = (_risk(risk, one.threshold) for risk in (rest["lowest_risk"].min(), rest["lowest_risk"].max()))
    is_known = (rest["exhausted_columns"] >= rest["columns_that_may_change"]).all()
    known = (
        "by all combinations of the values tried" if is_known else "the lowest found; there are too many combinations for all"
    )
    close = int((~decided(rest["lowest_risk"], one.threshold)).sum())
    within = f", {counted(close)} below the threshold but not by the margin" if close else ""
    return f"{low if low == high else f'a bound between {low} and {high}, another for each'} ({known}{within})"


def _columns_figure(setting: RunContext, columns: pd.DataFrame) -> Figure:
    labels = dict(zip(setting.case.schema.names, setting.case.schema.labels, strict=True))
    used = columns[columns["column"].isin(columns.loc[columns["estimate"] > 0, "column"]) & columns["estimate"].notna()]
    unused = [labels[name] for name in columns["column"].unique() if name not in set(used["column"])]
    with plots.style():
        canvas, axes = canvas_of(1, 1, width=8.2, height=0.34 * used["column"].nunique() + 1.4)
        plots.draw_recourse(used, labels, axes.flat[0])
        legend(canvas, axes)
        source = embedded(canvas)
    most = used.loc[used["estimate"].idxmax()]
    often = percent(most["estimate"])
    alt = f"How often each column is changed; most often {labels[most['column']]}, {often} by {most['model']}."
    caption = "Of those with a way out, the share of whom at least one of up to three ways changes the column; 95 % intervals."
    return Figure(source, alt, caption + (f" Never changed: {listed(unused)}." if unused else ""), "recourse_columns")


def _example(setting: RunContext, model: Model, one: Recourse) -> Table:
    """Return the ways of the person in the middle: of median risk among those who have some."""
    having = [answer for answer in one.answers if answer.counterfactuals]
    answer = sorted(having, key=lambda some: some.risk)[len(having) // 2]
    target = setting.case.schema.target
    caption = (
        f"One example by {model.name}: {target.person} {answer.person}, {target.risk} {_risk(answer.risk, one.threshold)}, "
        "the median of those with a way out"
    )
    return Table(caption, ("Way", "What would differ", "Risk then", "Distance"), _ways(one, answer))


def _risk(risk: float, threshold: float) -> str:
    """Return a risk with a decimal, more where it would read as on the other side of the threshold."""
    return percent_beside(risk, threshold, 1)


def _ways(one: Recourse, answer: Answer) -> tuple[tuple[str, ...], ...]:
    lines, form = [], one.actions.format
    for number, way in enumerate(answer.counterfactuals, 1):
        words = []
        for i in map(one.schema.position, way.columns):
            to = form.text(i, way.row[i])
            words.append(f"{one.schema.labels[i]}: {form.text_beside(i, answer.row[i], to)} → {to}")
        lines.append((str(number), "; ".join(words), _risk(way.risk, one.threshold), two_decimals(way.distance)))
    return tuple(lines)


def _other_models(moved: pd.DataFrame, order: Sequence[str]) -> list[Block]:
    """Return what each model says of the easiest changes that suffice for another."""
    if not (moved["people"] > 0).any():
        return []
    names = [name for name in order if name in set(moved["other"])]
    lines = []
    for model, some in moved.groupby("model", sort=False):
        by = some.set_index("other")
        cells = [_cell(by.loc[n], ("granted", "low", "high"), percent) if n in by.index else "–" for n in names]
        lines.append((str(model), *cells))
    text = "A change that suffices for one model need not for another, so what people are told hangs on the model."
    caption = (
        "Share of the easiest changes for a model (line) that another (column) accepts, of people it flags too; 95 % intervals"
    )
    return [Words((text,)), Table(caption, ("Found for", *names), tuple(lines))]


def _finding(setting: RunContext, model: Model, one: Recourse, moved: pd.DataFrame) -> str:
    target = setting.case.schema.target
    found, total = int(one.found.sum()), len(one.answers)
    flagged = len(denied(model, setting.case.test))
    drawn = "" if total == flagged else f" (drawn from {flagged})"
    whom = f"test {people_word(target)} who are {target.flagged}"
    if not found:
        return sentence(
            f"by {model_words(model)}, no way not to be {target.flagged} was found for any of {total}{drawn} {whom}"
        )
    who = f"all {total}" if found == total else f"{found} of {total}"
    text = f"By {model_words(model)}, {who}{drawn} {whom} would not be, were what they can change otherwise"
    ways = [len(answer.counterfactuals[0].columns) for answer in one.answers if answer.counterfactuals]
    if ways:
        median = int(np.ceil(np.median(ways)))
        text += f"; for at least half of them {'one column is' if median == 1 else f'{counted(median)} columns are'} enough"
    known = moved[(moved["model"] == model.name) & (moved["people"] > 0)]
    worst = known.loc[known["granted"].idxmin()] if len(known) else None
    if worst is not None and worst["granted"] < WEAK:
        text += f", but {worst['other']} accepts {percent(worst['granted'])} of these changes"
    return sentence(text)
