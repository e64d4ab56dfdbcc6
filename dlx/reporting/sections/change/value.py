"""What the section measures of a value: what people can change so that their prediction falls into a range of values."""

from __future__ import annotations

from typing import Any

import pandas as pd

from dlx.audit.counterfactuals import Range, Recourse, recourse_into
from dlx.audit.counterfactuals.action_set import ORDINARY
from dlx.audit.counterfactuals.plausibility import NEIGHBOURS, ORDINARY_PEOPLE
from dlx.background import sample
from dlx.context import TOP, RunContext, is_black_box
from dlx.model import Model
from dlx.reporting.phrases import amount
from dlx.reporting.sections import Measured
from dlx.reporting.sections.change.measure import FEW, MANY, WANTED, WIDE, About, changing_columns, example_of, searched

COVERS = ("recourse",)


def measure(context: RunContext) -> Measured:
    """Return what would bring people into the range by the black boxes, or by all models where none is."""
    models = [model for model in context.told_of if is_black_box(model)] or context.told_of
    schema, into = context.case.schema, context.wanted
    tables, facts, about = changing_columns(context, models)
    facts |= {"low": into.low, "high": into.high, "is_asked": float(context.into is not None), "top": 1 - TOP}
    if any(feature.actionable for feature in schema.features) and not schema.target.past:
        tables |= _recourse(context, models, into, facts, about)
    return Measured(tables, facts, About(**about))


def _recourse(
    context: RunContext, models: list[Model], into: Range, facts: dict[str, float], about: dict[str, Any]
) -> dict[str, pd.DataFrame]:
    case, lines, found = context.case, list[dict[str, Any]](), list[Recourse]()
    wide = sum(feature.actionable for feature in case.schema.features) > WIDE
    for model in models:
        outside = case.test[~into.holds(model.predict(case.test, "value"))]
        people = sample(outside, FEW if wide and not context.budget.is_thorough else MANY, seed=context.seed)
        if len(people):
            with context.narrator.step(f"Looking for recourse from {model.name}", "people") as update:
                found.append(recourse_into(model, people, observed=case.train, into=into, wanted=WANTED, progress=update))
            lines.append({"model": model.name, "outside": len(outside)} | searched(found[-1]))
    about["nobody"] = tuple(model.name for model in models if model.name not in {one.model for one in found})
    if not found:
        return {}
    others = [one.transferability([m for m in context.told_of if m.name != one.model]) for one in found]
    facts |= {"near": found[0].limit, "neighbours": NEIGHBOURS, "wanted": WANTED}
    facts |= {"ordinary": ORDINARY_PEOPLE, "from_quantile": ORDINARY[0], "to_quantile": ORDINARY[1]}
    tables = {
        "recourse": pd.concat([one.summary(seed=context.seed) for one in found], ignore_index=True),
        "recourse_columns": pd.concat([one.by_column() for one in found], ignore_index=True),
        "recourse_changes": pd.concat([one.to_frame() for one in found], ignore_index=True),
        "recourse_boundary": pd.concat([one.boundary() for one in found], ignore_index=True),
        "recourse_other_models": pd.concat(others, ignore_index=True),
        "recourse_search": pd.DataFrame(lines).drop(columns="within_margin"),
    }
    having = next((one for one in found if one.found.any()), None)
    return tables if having is None else tables | {"_recourse_changes": example_of(having, about, amount)}
