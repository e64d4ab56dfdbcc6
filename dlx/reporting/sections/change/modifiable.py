"""How the risk goes with what people can change, on the page: in words that give no advice."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from dlx import plots
from dlx.audit.counterfactuals import column_shifts, denied
from dlx.audit.counterfactuals.plausibility import BOUND, Correlations
from dlx.context import RunContext
from dlx.model import Model
from dlx.reporting.canvas import Figure, canvas_of, embedded, legend
from dlx.reporting.phrases import listed, share, signed
from dlx.reporting.sections.blocks import Heading, Words
from dlx.reporting.sections.change.part import Part, people_word


def modifiable_part(setting: RunContext, models: Sequence[Model]) -> Part:
    """Return how the risk of flagged people goes with each column they can change, by some models."""
    case, target = setting.case, setting.case.schema.target
    if not any(feature.actionable for feature in case.schema.features):
        return Part()
    flagged = [(model, denied(model, case.test)) for model in models]
    tables = [column_shifts(model, some, observed=case.train, seed=setting.seed) for model, some in flagged if len(some)]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    if not len(table):
        return Part()
    against = _against(setting, table)
    words = (
        f"One column at a time, all others as they are: by how much the {target.risk} differs on average for "
        f"{people_word(target)} who are {target.flagged}.",
        "This is how the model's answer goes with a value among different people. It does not say what would happen to anybody "
        + (
            "whose value changed."
            if target.adverse_action
            else "whose value changed, and is no advice on treatment or behaviour."
        ),
        *_bound(setting, table),
        *against,
    )
    blocks = (Heading("How the risk goes with what people can change"), Words(words), _figure(setting, table))
    return Part(() if target.adverse_action else against[:1], blocks, {"modifiable": table})


def _bound(setting: RunContext, table: pd.DataFrame) -> tuple[str, ...]:
    """Return which columns are moved alone here although no way out would change them without another."""
    schema, moved = setting.case.schema, set(table["column"])
    named = [
        f"“{schema.labels[pair.one]}” and “{schema.labels[pair.other]}” ({share(pair.correlation)})"
        for pair in Correlations.of(setting.case.train).pairs
        if abs(pair.correlation) >= BOUND and {schema.names[pair.one], schema.names[pair.other]} & moved
    ]
    text = "go together in real people: one of them moved alone, as here, asks the model about people who hardly are."
    return (f"{listed(named)} {text}",) if named else ()


def _against(setting: RunContext, table: pd.DataFrame) -> tuple[str, ...]:
    """Return where all models put a higher risk on the side that the schema takes to be the better one."""
    schema, models = setting.case.schema, table["model"].nunique()
    one_way = table[[schema[name].direction != "any" for name in table["column"]]]
    worse = one_way[one_way["low"] > 0]
    names = [name for name, some in worse.groupby("column", sort=False) if some["model"].nunique() == models]
    if not names:
        return ()
    largest = worse.loc[worse.loc[worse["column"].isin(names), "change"].idxmax()]
    named = listed([f"“{schema[name].label}”" for name in names])
    all_models = "Both models put" if models == 2 else "The model puts" if models == 1 else "All models put"
    return (
        f"{all_models} a higher {schema.target.risk} on what is taken to be the better side of {named} (by up to "
        f"{signed(100 * largest['change'])} percentage points, “{schema[largest['column']].label}” by {largest['model']}): a "
        "sign of consequences taken for causes, and a reason not to read an association as an effect.",
    )


def _figure(setting: RunContext, table: pd.DataFrame) -> Figure:
    labels = dict(zip(setting.case.schema.names, setting.case.schema.labels, strict=True))
    target, rows = setting.case.schema.target, len(table[["column", "to"]].drop_duplicates())
    with plots.style():
        canvas, axes = canvas_of(1, 1, width=8.2, height=0.32 * rows + 1.4)
        plots.draw_modifiable(table, labels, axes.flat[0], of=target.risk)
        legend(canvas, axes)
        source = embedded(canvas)
    low = table.loc[table["change"].idxmin()]
    alt = (
        f"Mean difference of the {target.risk} for each column moved to a value; the lowest, {signed(100 * low['change'])} "
        f"percentage points, for {labels[low['column']]} at {low['to']} by {low['model']}."
    )
    caption = (
        f"Mean difference of the {target.risk}, were the value the training rows' quartile in the allowed direction, or the "
        f"last level: over test {people_word(target)} who are {target.flagged} and not there yet; 95 % intervals over them."
    )
    return Figure(source, alt, caption, "modifiable")
