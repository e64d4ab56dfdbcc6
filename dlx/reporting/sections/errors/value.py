"""What the section measures of a value: who is predicted far off, in which parts of the table, and what pushed it."""

from __future__ import annotations

import numpy as np

from dlx.audit.mispredictions import largest_errors, predictions_of
from dlx.context import RunContext
from dlx.model import Model
from dlx.reporting.sections import Measured
from dlx.reporting.sections.errors.measure import WORST, Found, contributions_of, looked_into, pushed, sliced

COVERS = ("slices", "error_causes", "remedies")
OF = {"risk": "error"}  # what a value has in place of it


def measure(context: RunContext) -> Measured:
    """Return where each black box is off; all models, if none is a black box."""
    return looked_into(context, _of)


def _of(context: RunContext, model: Model) -> Found:
    """Return where one model is off: the people who are predicted farthest off, slices, and what pushed errors."""
    every = predictions_of(model, context.case.test)
    some = every[np.argsort(-every.losses, kind="stable")[:WORST]]
    largest = largest_errors(some, explanation=contributions_of(context, model, some))
    named = largest.assign(person=largest["person"].astype(str))  # the name of a row, also where it is a number
    _, tables, why = sliced(context, every, lambda: predictions_of(model, context.case.validation))
    of_a_value = {name: table.replace({"of": OF}) for name, table in tables.items()}
    return {"largest": named, **of_a_value, "pushes": pushed(context, model, every)}, why
