"""What the section measures of a value: what people can change so that their prediction falls into a range of values."""

from __future__ import annotations

from functools import partial

from dlx.audit.counterfactuals import recourse_into
from dlx.context import TOP, RunContext
from dlx.dataset import Dataset
from dlx.model import Model
from dlx.reporting.phrases import amount
from dlx.reporting.sections import Measured
from dlx.reporting.sections.change.measure import About, changing_columns, example_of, facts_of, searched_for

COVERS = ("recourse",)


def measure(context: RunContext) -> Measured:
    """Return what would bring people into the range by the black boxes, or by all models where none is."""
    test, schema, into = context.case.test, context.case.schema, context.wanted
    tables, facts, about = changing_columns(context)
    facts |= {"low": into.low, "high": into.high, "is_asked": context.into is not None, "top": 1 - TOP}
    if any(feature.actionable for feature in schema.features) and not schema.target.past:

        def outside(model: Model) -> Dataset:
            return test[~into.holds(model.predict(test, "value"))]

        judges, search = {model.name: model for model in context.told_of}, partial(recourse_into, into=into)
        found, more = searched_for(context, about, outside, search, judges=judges, called="outside")
        if found:
            facts |= facts_of(found)
            more["recourse_search"] = more["recourse_search"].drop(columns="within_margin")
            tables |= more | example_of(found, about, amount)
    return Measured(tables, facts, About(**about))
