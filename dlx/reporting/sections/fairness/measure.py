"""What the section measures: rates of groups and how far apart they are, proxies, the columns that make gaps, and remedies."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from dlx.audit.adverse_action.rules import strongest_proxies
from dlx.audit.fairness.groups import MIN_PEOPLE, Partition, compared, partition, protected_groups
from dlx.audit.fairness.proxies import FOLDS, PROXY_AUC, carriers, column_proxies, contrasts, explained_gap, proxy_strength
from dlx.audit.fairness.rates import (
    CLEARED,
    ERROR,
    EVENTS,
    MIN_CASES,
    OBSERVED,
    PREDICTED,
    SELECTED,
    SIZE,
    GroupMeasures,
    group_errors,
    group_rates,
)
from dlx.audit.fairness.thresholds import COST, FALSE_GAP, RATIO, TRUE_GAP
from dlx.background import sample
from dlx.context import MOST_AUDITED, RunContext
from dlx.model import Model
from dlx.plots import unit_of
from dlx.remedies import recipe_of
from dlx.remedies.mitigation import REWEIGHED, attempts
from dlx.reporting.sections import Measured, joined
from dlx.stats import LEVEL, spread

TITLE, PLACE, TASKS, PART = "Fairness", 70, ("binary", "regression"), "audit"
COVERS = {"fairness": "fairness_rates", "proxies": "fairness_proxies", "mitigation": "fairness_tried"}
FOUR_FIFTHS = 0.8  # of the highest group's rate, the usual mark
STRONGEST = 2  # proxies that are dropped with their column
CARRIERS = 3  # columns that are named beside a group
ALL = "all columns"


@dataclass(frozen=True, eq=False)
class About:
    """What the prose and the figures need beside numbers."""

    shown: tuple[Partition, ...]  # by which the page compares people
    others: tuple[Partition, ...]  # the other protected columns that may be compared
    refused: tuple[Partition, ...]  # by which nobody may be compared
    models: tuple[str, ...]  # those that were explained: black boxes, and the model to use
    favourable: str  # the rate that people want to be high, or the mean by which groups are compared
    word: str  # what it says of them: "granted"; "" of a value
    labels: dict[str, str]  # of the columns
    units: dict[str, str]  # of the contributions of each model
    mended: tuple[str, ...] = ()  # for which remedies were tried: the model to use, or all where thorough
    not_trained_again: tuple[str, ...] = ()  # those of them that no remedy could train again


def measure(context: RunContext) -> Measured:
    """Return how the models treat groups of people; no tables where there is no protected column to compare by."""
    target, use = context.case.schema.target, context.to_use[0]
    if target.is_value:
        return _of_value(context, use)
    models = list(dict.fromkeys([*context.audited_black_boxes, use]))
    rate, word = (CLEARED, target.cleared) if target.adverse_action else (SELECTED, target.flagged)
    about = _about_of(context, models, favourable=rate, word=word)
    facts = {"test_rows": len(context.case.test), "certain": LEVEL, "four_fifths": FOUR_FIFTHS, "proxy": PROXY_AUC}
    facts |= {"people": MIN_PEOPLE, "cases": MIN_CASES, "folds": FOLDS, "strongest": STRONGEST}
    if not about.shown:
        return Measured({}, facts, about)
    rates, gaps, intersections = _treatment(context, about, group_rates)
    tables = _explained_groups(context, models, about)
    judged = set(gaps.loc[gaps["lowest"] != "", "attribute"])
    mended_models = models if context.budget.is_thorough else [use]
    mended = _mended(context, mended_models, [by for by in about.shown if by.name in judged], tables["carriers"])
    shown = {"rates": rates, "gaps": gaps, "shown": _shown(about, rates, gaps)}
    tables = shown | tables | {"remedies": mended, "tried": _tried(mended)}
    again = set(mended.loc[mended["remedy"] == REWEIGHED, "model"]) if len(mended) else set()
    tried = tuple(model.name for model in mended_models)
    left = tuple(name for name in tried if name not in again)
    about = replace(about, mended=tried, not_trained_again=left)
    return Measured(_named(tables, about, intersections) | {"fairness_lights": _lowest(gaps, about.shown, rate)}, facts, about)


def _about_of(context: RunContext, models: Sequence[Model], *, favourable: str, word: str) -> About:
    """Return by what people are compared, and by what they must not be."""
    schema, every = context.case.schema, compared(context.case)
    fit = [by for by in every if not by.objection]
    shown = tuple(by for by in fit if not schema.target.fairness_by or by.name in schema.target.fairness_by)
    return About(
        shown=shown,
        others=tuple(by for by in fit if by not in shown),
        refused=tuple(by for by in every if by.objection),
        models=tuple(model.name for model in models),
        favourable=favourable,
        word=word,
        labels=dict(zip(schema.names, schema.labels, strict=True)) | {ALL: ALL},
        units={model.name: unit_of(model.scales[0]) for model in models},
    )


def _treatment(
    context: RunContext, about: About, compare: Callable[..., GroupMeasures]
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[Partition, ...]]:
    """Return what models make of each group, how far groups are apart, and the pairs of columns that part people, too.

    Pairs are of those columns shown of which two groups can be judged.
    """
    models, seed = context.audited_models, context.seed
    names = [model.name for model in models]

    def of(every: Sequence[Partition]) -> tuple[pd.DataFrame, pd.DataFrame]:
        pairs = list(itertools.product(every, models))  # the models of one after another, so that they share its resamples
        treated = context.each(
            pairs, "Comparing groups", "comparisons", lambda pair: compare(pair[1], context.case.test, pair[0], seed=seed)
        )
        ordered = sorted(treated, key=lambda one: names.index(one.model))
        return joined(one.to_frame() for one in ordered), joined(one.gaps() for one in ordered)

    rates, gaps = of([by for by in compared(context.case) if not by.objection])
    judged = set(gaps.loc[gaps["lowest"] != "", "attribute"])
    pairs = itertools.combinations([by.name for by in about.shown if by.name in judged], 2)
    if intersections := tuple(partition(context.case, *pair) for pair in pairs):
        more = of(intersections)
        rates, gaps = joined([rates, more[0]]), joined([gaps, more[1]])
    return rates, gaps, intersections


def _named(tables: dict[str, pd.DataFrame], about: About, intersections: Sequence[Partition]) -> dict[str, pd.DataFrame]:
    """Return the tables under the names of their CSVs, with the words for each partition, and parts of them to be shown."""
    labels = {by.name: by.label for by in (*about.shown, *about.others, *intersections)}
    tables = {name: table.assign(label=table["attribute"].map(labels)) for name, table in tables.items() if len(table)}
    kept = {f"fairness_{name}": table for name, table in tables.items()}
    kept["_fairness_gaps"] = tables["gaps"].assign(lowest=tables["gaps"]["lowest"].replace("", "too few"))
    if "carriers" in tables:
        strongest = tables["carriers"].groupby(["attribute", "group", "model"], sort=False).head(CARRIERS)
        kept["_fairness_carriers"] = strongest.assign(column_label=strongest["column"].map(about.labels))
    return kept


def _lowest(gaps: pd.DataFrame, shown: Sequence[Partition], rate: str) -> pd.DataFrame:
    """Return, of each model, the two groups whose favourable decisions have the smallest ratio, among those shown."""
    among = gaps[(gaps["rate"] == rate) & gaps["attribute"].isin([by.name for by in shown]) & gaps["ratio"].notna()]
    least = among.sort_values("ratio").drop_duplicates("model")
    renamed = least.rename(columns={"ratio": "value", "ratio_low": "low", "ratio_high": "high"})
    return renamed[["model", "attribute", "lowest", "highest", "value", "low", "high"]].reset_index(drop=True)


def _furthest_apart(
    about: About, models: Sequence[str], rates: pd.DataFrame, gaps: pd.DataFrame, by: str, others: Mapping[str, str]
) -> pd.DataFrame:
    """Return a line a partition shown and model: the two groups furthest apart in the favourable rate, and by how much.

    `by` is the "ratio" or the "difference"; `others` are rates of these groups by what their columns are called:
    {"share": "selection_rate"} gives "share_lowest" and "share_highest".
    """
    pairs = list(itertools.product([partition.name for partition in about.shown], models))
    table = gaps[gaps["rate"] == about.favourable].set_index(["attribute", "model"]).loc[pairs].reset_index()
    table = table[["attribute", "model", "lowest", "highest", by, f"{by}_low", f"{by}_high"]]
    known = rates.set_index(["attribute", "model", "group", "rate"])["estimate"]
    for end, (name, rate) in itertools.product(("lowest", "highest"), others.items()):
        groups = table[["attribute", "model", end]].assign(rate=rate)
        table[f"{name}_{end}"] = known.reindex(pd.MultiIndex.from_frame(groups)).to_numpy()
    return table


def _shown(about: About, rates: pd.DataFrame, gaps: pd.DataFrame) -> pd.DataFrame:
    """Return, of each partition shown and black box, the two groups furthest apart in the favourable rate, and outcomes."""
    others = {"share": about.favourable, "events": EVENTS}
    table = _furthest_apart(about, about.models, rates, gaps, "ratio", others)
    is_even = (table["ratio"] == 1) | table["ratio"].isna()
    found = [table["lowest"] == "", is_even, table["ratio_high"] < FOUR_FIFTHS, table["ratio_low"] > FOUR_FIFTHS]
    table.insert(2, "standing", np.select(found, ["few", "even", "below", "above"], "unclear"))
    ratios = table["ratio"].where((table["model"] == about.models[0]) & ~table["standing"].isin(("few", "even")))
    return table.assign(is_widest=ratios == ratios.min())


def _explained_groups(context: RunContext, models: Sequence[Model], about: About) -> dict[str, pd.DataFrame]:
    """Return how well the rest tells the groups, through which columns, and what the gaps in output are made of."""
    people, shown = sample(context.case.test, context.fewer(MOST_AUDITED), seed=context.seed), about.shown
    explained = [context.contributions[model.name] for model in models]
    told, carried, parts = [], [], list[pd.DataFrame]()
    with context.narrator.step("Proxies of protected columns and gaps of explanations", "columns") as update:
        for count, by in enumerate(shown, start=1):
            found = proxy_strength(context.case, by, seed=context.seed)
            told.append(found.assign(is_best=found["auc"] == found["auc"].max()))
            for group in found.loc[found["objection"] == "", "group"]:
                alone = column_proxies(context.case, by, group, seed=context.seed)
                carried += [carriers(one, alone, people.weights, seed=context.seed) for one in explained]
            of_each = [(group, against, explanation) for group, against in contrasts(people, by) for explanation in explained]
            gaps = [explained_gap(made, people, by, group, against, seed=context.seed) for group, against, made in of_each]
            parts += _widest_marked(gaps)
            update(count, len(shown))
    tables = {"proxies": joined(told), "carriers": joined(carried)}
    return tables | {"single_proxies": _single_proxies(context, about, tables["carriers"]), "gap_columns": joined(parts)}


def _widest_marked(gaps: Sequence[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Yield what columns add to gaps, those of the two groups marked that are furthest apart under any model."""
    widest = max(gaps, key=lambda one: abs(one["difference"].iloc[-1]), default=pd.DataFrame())
    for one in gaps:
        is_widest = one["group"].iloc[0] == widest["group"].iloc[0] and one["against"].iloc[0] == widest["against"].iloc[0]
        is_clear = ((one["low"] > 0) | (one["high"] < 0)) & (one["column"] != ALL)
        yield one.assign(is_widest=is_widest, is_clear=is_clear)


def _single_proxies(context: RunContext, about: About, carried: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that by themselves are a proxy, each with the group that it tells best.

    Of a protected number, the groups that reasons are held against are finer than those compared: a column may tell only one
    of these.
    """
    columns = ["attribute", "column", "group", "auc", "low", "high"]
    found = pd.DataFrame(columns=columns)
    if len(carried):
        ends = {name: (1 + carried[of]) / 2 for name, of in zip(columns[3:], ("tells", "tells_low", "tells_high"), strict=True)}
        strong = carried.assign(**ends).query("low > @PROXY_AUC").sort_values("low", ascending=False, kind="stable")
        found = strong.drop_duplicates(["attribute", "column"])[columns]
    known, train = set(zip(found["attribute"], found["column"], strict=True)), context.case.train
    groups = protected_groups(train)
    finer = [
        (by.name, column, proxy.group, proxy.auc, proxy.low, proxy.high)
        for by in about.shown
        for column, proxy in strongest_proxies(train, [g for g in groups if g.column == by.name and g.can_be_judged]).items()
        if proxy.low > PROXY_AUC and (by.name, column) not in known
    ]
    both = joined([table for table in (found, pd.DataFrame(finer, columns=columns)) if len(table)])
    return both.assign(column_label=both["column"].map(about.labels)) if len(both) else both


def _of_value(context: RunContext, use: Model) -> Measured:
    """Return how well the models predict groups of people; no tables where the table has no protected column to compare by."""
    test, models = context.case.test, list(dict.fromkeys([use, *context.audited_black_boxes]))
    about = _about_of(context, models, favourable=ERROR, word="")
    facts = {"test_rows": len(test), "certain": LEVEL, "proxy": PROXY_AUC, "people": MIN_PEOPLE, "folds": FOLDS}
    if not about.shown or test.outcomes is None or len(np.unique(test.outcomes)) < 2:
        return Measured({}, facts, replace(about, shown=()))
    means, gaps, intersections = _treatment(context, about, group_errors)
    tables = {"rates": means, "gaps": gaps, "shown": _shown_means(about, about.models, means, gaps)}
    tables |= _explained_groups(context, models, about)
    widest = _widest(about, means, gaps, spread(test.outcomes, test.weights))
    return Measured(_named(tables, about, intersections) | {"fairness_lights": widest}, facts, about)


def _shown_means(about: About, models: Sequence[str], means: pd.DataFrame, gaps: pd.DataFrame) -> pd.DataFrame:
    """Return, of each partition shown and model, the groups predicted too low and too high by most, beside each other."""
    others = {rate: rate for rate in (ERROR, SIZE, PREDICTED, OBSERVED)}
    table = _furthest_apart(about, models, means, gaps, "difference", others)
    is_clear = (table["difference_low"] > 0) | (table["difference_high"] < 0)
    table.insert(2, "standing", np.select([table["lowest"] == "", is_clear], ["few", "apart"], "even"))
    apart = table["difference"].where((table["model"] == models[0]) & (table["standing"] != "few"))
    errors = {end: table[f"{ERROR}_{end}"] for end in ("lowest", "highest")}
    sizes = {f"size_{end}": error.abs() for end, error in errors.items()}
    ways = {f"way_{end}": np.where(error > 0, "high", "low") for end, error in errors.items()}
    return table.assign(**sizes, is_widest=apart == apart.max(), **ways)


def _widest(about: About, means: pd.DataFrame, gaps: pd.DataFrame, spread: float) -> pd.DataFrame:
    """Return, of each model, the two groups furthest apart in mean error, among those shown; `value` in standard deviations."""
    told = _shown_means(about, list(dict.fromkeys(gaps["model"])), means, gaps).drop(columns="is_widest")
    told = told[told["standing"] != "few"].sort_values("difference", ascending=False).drop_duplicates("model")
    return told.assign(value=told["difference"] / spread).reset_index(drop=True)


def _mended(context: RunContext, models: Sequence[Model], judged: Sequence[Partition], carried: pd.DataFrame) -> pd.DataFrame:
    """Return what each remedy changes, with a mark where it lessens a gap by more than chance."""
    tasks = list[Callable[[], pd.DataFrame]]()
    for by, model in itertools.product(judged, models):
        lines = carried.query("attribute == @by.name and model == @model.name") if len(carried) else carried
        strongest = lines.sort_values("carried", ascending=False)["column"].drop_duplicates() if len(lines) else ()
        made_by = recipe_of(model, context.case)
        seed = context.seed if made_by is None else made_by.seed
        tasks += attempts(context.case, model, by, made_by=made_by, proxies=tuple(strongest[:STRONGEST]), seed=seed)
    tables = context.side_by_side(tasks, "Remedies for unequal treatment", "remedies")
    if not len(table := joined(tables)):
        return table
    closer = (table["measure"] == RATIO) & (table["low"] > 0)
    smaller = table["measure"].isin((TRUE_GAP, FALSE_GAP)) & (table["high"] < 0)
    return table.assign(is_less=closer | smaller)


def _tried(remedies: pd.DataFrame) -> pd.DataFrame:
    """Return, of each column and model, how many remedies were tried, how many lessen a gap, and the cheapest that does."""
    lines = []
    for (attribute, model), own in remedies.groupby(["attribute", "model"], sort=False) if len(remedies) else ():
        possible = own[own["measure"] != ""]
        lessen = possible.loc[possible["is_less"], "remedy"].unique()
        cost = possible[possible["measure"] == COST].set_index("remedy")
        best = cost.loc[lessen, "after"].idxmin() if len(lessen) else ""
        change = cost.loc[best, ["change", "low", "high"]] if best else (np.nan,) * 3
        lines.append((attribute, model, len(cost), len(lessen), best, *change))
    return pd.DataFrame(lines, columns=["attribute", "model", "tried", "lessen", "remedy", "change", "low", "high"])
