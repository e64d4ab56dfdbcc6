"""What the section measures of a value: errors and predictions of groups, how far apart these are, proxies, and gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from dlx.audit.fairness.groups import MIN_PEOPLE
from dlx.audit.fairness.proxies import FOLDS, PROXY_AUC
from dlx.audit.fairness.rates import ERROR, OBSERVED, PREDICTED, SIZE, group_errors
from dlx.context import RunContext
from dlx.reporting.sections import Measured
from dlx.reporting.sections.fairness.measure import About, about_of, explained_groups, furthest_apart, named_tables, treatment
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
    tables = {"rates": means, "gaps": gaps, "shown": _shown(about, about.models, means, gaps)}
    tables |= explained_groups(context, models, about)
    about = replace(about, crossed=crossed)
    widest = _widest(about, means, gaps, spread(test.outcomes, test.weights))
    return Measured(named_tables(tables, about) | {"fairness_lights": widest}, facts, about)


def _shown(about: About, models: Sequence[str], means: pd.DataFrame, gaps: pd.DataFrame) -> pd.DataFrame:
    """Return, of each partition shown and model, the groups predicted too low and too high by most, beside each other."""
    others = {rate: rate for rate in (ERROR, SIZE, PREDICTED, OBSERVED)}
    table = furthest_apart(about, models, means, gaps, "difference", others)
    is_clear = (table["difference_low"] > 0) | (table["difference_high"] < 0)
    table.insert(2, "standing", np.select([table["lowest"] == "", is_clear], ["few", "apart"], "even"))
    apart = table["difference"].where((table["model"] == models[0]) & (table["standing"] != "few"))
    errors = {end: table[f"{ERROR}_{end}"] for end in ("lowest", "highest")}
    sizes = {f"size_{end}": error.abs() for end, error in errors.items()}
    ways = {f"way_{end}": np.where(error > 0, "high", "low") for end, error in errors.items()}
    return table.assign(**sizes, is_widest=apart == apart.max(), **ways)


def _widest(about: About, means: pd.DataFrame, gaps: pd.DataFrame, spread: float) -> pd.DataFrame:
    """Return, of each model, the two groups furthest apart in mean error, among those shown; `value` in standard deviations."""
    told = _shown(about, list(dict.fromkeys(gaps["model"])), means, gaps).drop(columns="is_widest")
    told = told[told["standing"] != "few"].sort_values("difference", ascending=False).drop_duplicates("model")
    return told.assign(value=told["difference"] / spread).reset_index(drop=True)
