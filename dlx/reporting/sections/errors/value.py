"""What the section measures of a value: who is predicted far off, in which parts of the table, and what pushed it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dlx import explainers
from dlx.audit.mispredictions import Predictions, largest_errors, predictions_of, pushes, slices
from dlx.audit.mispredictions.slicing import MOST_TESTED, SIGNIFICANT
from dlx.background import sample
from dlx.context import MOST_AUDITED, RunContext, is_black_box
from dlx.errors import DlxError
from dlx.model import Model
from dlx.remedies import Fixed, Remedy, known_remedy
from dlx.reporting.sections import Measured, joined
from dlx.reporting.sections.errors.measure import command_of, remedied
from dlx.stats import LEVEL

COVERS = ("slices", "error_causes", "remedies")
OF = {"risk": "error"}  # what a value has in place of it
WORST = 5  # people who are told of, of each model


@dataclass(frozen=True, eq=False)
class About:
    """What the prose and the figures need beside numbers."""

    models: tuple[str, ...]  # those that were looked into
    no_slices: dict[str, str]  # why a model has none
    remedy: Remedy | None  # None where none is known for the table
    fixed: dict[str, Fixed]  # the models that were trained again
    command: str  # that trains them so; "" for a table of one's own


def measure(context: RunContext) -> Measured:
    """Return where each black box is off; all models, if none is a black box."""
    test = context.case.test
    assert test.outcomes is not None
    facts = {"test_rows": float(len(test)), "certain": LEVEL, "significant": SIGNIFICANT, "most_tested": float(MOST_TESTED)}
    if len(np.unique(test.outcomes)) < 2:
        return Measured({}, facts)
    models = [model for model in context.told_of if is_black_box(model)] or context.told_of
    remedy, found, why, fixed = (
        known_remedy(context.case),
        list[dict[str, pd.DataFrame]](),
        dict[str, str](),
        dict[str, Fixed](),
    )
    with context.narrator.step("Finding where models err, and why", "models") as update:
        for model in models:
            more, mended = remedied(context, model, remedy)
            fixed |= {model.name: mended} if mended is not None else {}
            found.append(_of(context, model, why) | more)
            update(len(found), len(models))
    names = dict.fromkeys(name for one in found for name in one)
    tables = {f"errors_{name}": joined(one.get(name) for one in found) for name in names}
    about = About(tuple(model.name for model in models), why, remedy, fixed, command_of(context, fixed))
    return Measured({name: table for name, table in tables.items() if len(table)}, facts, about)


def _of(context: RunContext, model: Model, no_slices: dict[str, str]) -> dict[str, pd.DataFrame]:
    """Return the tables of one model, and note why it has no slices."""
    every, tables = predictions_of(model, context.case.test), dict[str, pd.DataFrame]()
    some = every[sample(np.arange(len(every)), context.fewer(MOST_AUDITED), seed=context.seed)]
    tables["largest"] = _largest(context, model, every)
    try:
        discovery = predictions_of(model, context.case.validation)
        searched = [slices(discovery, every, of=of, seed=context.seed) for of in ("loss", "risk")]
    except DlxError as error:
        no_slices[model.name] = str(error)
    else:
        tables["slices"] = joined(one.table.replace({"of": OF}) for one in searched)
        counts = [(one.model, OF.get(one.of, one.of), len(one.table), int(one.table["found"].sum())) for one in searched]
        tables["search"] = pd.DataFrame(counts, columns=["model", "of", "tested", "found"])
    pushed = pushes(some, context.contributions[model.name], seed=context.seed)
    tables["pushes"] = pushed.assign(is_clear=pushed["low"] > 0)
    return tables


def _largest(context: RunContext, model: Model, every: Predictions) -> pd.DataFrame:
    """Return the people who are predicted farthest off, and what pushed it."""
    at = np.argsort(-every.losses, kind="stable")[:WORST]
    some = every[at]
    explained = context.explain(model, some.people, explainers.best_shapley(model, model.scales[0]))
    found = largest_errors(some, explanation=explained)
    return found.assign(person=found["person"].astype(str))  # the name of a row, also where it is a number
