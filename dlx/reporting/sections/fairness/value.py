"""What the section measures of a value: errors and predictions of groups, how far apart these are, proxies, and gaps."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from dlx.audit.fairness.groups import MIN_PEOPLE, Partition
from dlx.audit.fairness.proxies import FOLDS, PROXY_AUC
from dlx.audit.fairness.rates import ERROR, OBSERVED, PREDICTED, SIZE, group_errors
from dlx.context import RunContext
from dlx.reporting.sections import Measured
from dlx.reporting.sections.fairness.measure import about_of, explained_groups, named_tables, treatment
from dlx.stats import LEVEL, spread

COVERS = ("proxies",)


def measure(context: RunContext) -> Measured:
    """Return how well the models predict groups of people; no tables where the table has no protected column to compare by."""
    test, models = context.case.test, list(dict.fromkeys([context.to_use[0], *context.audited]))
    about = about_of(context, models, favourable=ERROR, word="")
    facts = {"test_rows": len(test), "certain": LEVEL, "proxy": PROXY_AUC, "people": MIN_PEOPLE, "folds": FOLDS}
    if not about.shown or test.outcomes is None or len(np.unique(test.outcomes)) < 2:
        return Measured({}, facts, replace(about, shown=()))
    means, gaps, crossed = treatment(context, about, group_errors)
    tables = {"rates": means, "gaps": gaps, "shown": _shown(about.shown, about.models, means, gaps)}
    tables |= explained_groups(context, models, about)
    about = replace(about, crossed=crossed)
    widest = _widest(gaps, means, about.shown, spread(test.outcomes, test.weights))
    return Measured(named_tables(tables, about) | {"fairness_lights": widest}, facts, about)


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
