"""What the section measures of a value: errors and predictions of groups, how far apart these are, proxies, and gaps."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from dlx.audit.fairness.groups import MIN_PEOPLE, Partition, compared, partition
from dlx.audit.fairness.proxies import FOLDS, PROXY_AUC
from dlx.audit.fairness.values import ERROR, OBSERVED, PREDICTED, SIZE, group_errors
from dlx.context import RunContext, is_black_box
from dlx.model import Model
from dlx.plots import unit_of
from dlx.reporting.sections import Measured, joined
from dlx.reporting.sections.fairness.measure import ALL, About, explained_groups, named_tables, single_proxies
from dlx.stats import LEVEL, spread

COVERS = ("proxies",)


def measure(context: RunContext) -> Measured:
    """Return how well the models predict groups of people; no tables where the table has no protected column to compare by."""
    case, target, every = context.case, context.case.schema.target, compared(context.case)
    fit = [by for by in every if not by.objection]
    shown = [by for by in fit if not target.fairness_by or by.name in target.fairness_by]
    others, refused = tuple(by for by in fit if by not in shown), tuple(by for by in every if by.objection)
    told, use = [model for model in context.told_of if is_black_box(model)] or context.told_of, context.to_use[0]
    models = [use, *(model for model in told if model is not use)]
    names, units = tuple(model.name for model in models), {model.name: unit_of(model.scales[0]) for model in models}
    labels = dict(zip(case.schema.names, case.schema.labels, strict=True)) | {ALL: ALL}
    facts = {"test_rows": float(len(case.test)), "certain": LEVEL, "proxy": PROXY_AUC}
    facts |= {"people": float(MIN_PEOPLE), "folds": float(FOLDS)}
    if not shown or case.test.outcomes is None or len(np.unique(case.test.outcomes)) < 2:
        return Measured({}, facts, About((), others, (), refused, names, ERROR, "", labels, units, (), ()))
    means, gaps = _treatment(context, context.told_of, fit)
    judged = set(gaps.loc[gaps["lowest"] != "", "attribute"])
    crossed = tuple(
        partition(case, *pair) for pair in itertools.combinations([by.name for by in shown if by.name in judged], 2)
    )
    if crossed:
        more = _treatment(context, context.told_of, crossed)
        means, gaps = joined([means, more[0]]), joined([gaps, more[1]])
    proxies, carried, parts = explained_groups(context, models, shown)
    tables = {"rates": means, "gaps": gaps, "shown": _shown(shown, names, means, gaps), "proxies": proxies}
    tables |= {"carriers": carried, "single_proxies": single_proxies(context, shown, carried, labels), "gap_columns": parts}
    about = About(tuple(shown), others, crossed, refused, names, ERROR, "", labels, units, (), ())
    widest = _widest(gaps, means, shown, spread(case.test.outcomes, case.test.weights))
    return Measured(named_tables(tables, about) | {"fairness_lights": widest}, facts, about)


def _treatment(context: RunContext, models: Sequence[Model], every: Sequence[Partition]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the means of each group, and how far groups are apart."""
    with context.narrator.step("Comparing groups", "comparisons") as update:
        treated = []
        for model, by in itertools.product(models, every):
            treated.append(group_errors(model, context.case.test, by, seed=context.seed))
            update(len(treated), len(models) * len(every))
    return joined(one.to_frame() for one in treated), joined(one.gaps() for one in treated)


def _shown(shown: Sequence[Partition], models: Sequence[str], means: pd.DataFrame, gaps: pd.DataFrame) -> pd.DataFrame:
    """Return, of each partition shown and model, the groups predicted too low and too high by most, beside each other."""
    lines = []
    for by, model in itertools.product(shown, models):
        gap = gaps[(gaps["model"] == model) & (gaps["attribute"] == by.name) & (gaps["rate"] == ERROR)].iloc[0]
        own = means[(means["model"] == model) & (means["attribute"] == by.name)].set_index(["rate", "group"])["estimate"]
        is_clear = gap["difference_low"] > 0 or gap["difference_high"] < 0
        line: dict[str, Any] = {
            "attribute": by.name,
            "model": model,
            "standing": "few" if not gap["lowest"] else "apart" if is_clear else "even",
        }
        line |= gap[["lowest", "highest", "difference", "difference_low", "difference_high"]].to_dict()
        for end, rate in itertools.product(("lowest", "highest"), (ERROR, SIZE, PREDICTED, OBSERVED)):
            line[f"{rate}_{end}"] = own.get((rate, gap[end]), np.nan)
        lines.append(line | {f"size_{end}": abs(line[f"{ERROR}_{end}"]) for end in ("lowest", "highest")})
    table = pd.DataFrame(lines)
    apart = table["difference"].where((table["model"] == models[0]) & (table["standing"] != "few"))
    ways = {f"way_{end}": np.where(table[f"{ERROR}_{end}"] > 0, "high", "low") for end in ("lowest", "highest")}
    return table.assign(is_widest=apart == apart.max(), **ways)


def _widest(gaps: pd.DataFrame, means: pd.DataFrame, shown: Sequence[Partition], spread: float) -> pd.DataFrame:
    """Return, of each model, the two groups furthest apart in mean error, among those shown; `value` in standard deviations."""
    told = _shown(shown, list(dict.fromkeys(gaps["model"])), means, gaps)
    told = told[told["standing"] != "few"].sort_values("difference", ascending=False).drop_duplicates("model")
    return told.assign(value=told["difference"] / spread).drop(columns="is_widest").reset_index(drop=True)
