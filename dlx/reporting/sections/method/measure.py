"""What the section measures: how many rows and people, on which budgets, which methods fit, and how near the libraries are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dlx import explainers
from dlx.context import USUAL_COLUMNS, RunContext
from dlx.dataset import Dataset
from dlx.explanation import Explanation
from dlx.plots import method_label
from dlx.reporting.diagnostics import diagnosed
from dlx.reporting.phrases import spaced
from dlx.reporting.sections import Measured

VALUE = ("mean", "least", "most")
TITLE, PLACE, TASKS = "How it was done", 90, ("binary", "regression")
COVERS = {"method": "method_facts"}


def measure(context: RunContext) -> Measured:
    """Return how the report was made, and which methods fit which model."""
    case = context.case
    scales: dict[str, list[str]] = {}  # the models that add up on each
    for model in context.models:
        scales.setdefault(model.scales[0], []).append(model.name)
    models = {model.name: model for model in context.models}
    routes = {model.name: model.route for model in context.models if model.route}  # what a wrapped one was read as, and why
    preflight = context.compatibility.assign(reason=context.compatibility["reason"].map(spaced))
    is_fit = [explainers.fits(line.method, models[line.model]) for line in preflight.itertuples()]
    tables = {
        "methods": pd.DataFrame([_line(made, context) for made in (*context.explanations.values(), *context.brought)]),
        "budgets": _budgets(context),
        "preflight": context.compatibility,
        "parity": diagnosed(context).parity,
        "_answers": _answers(context),
        "_preflight": preflight[is_fit].assign(
            instead=[method_label(name) if name else "" for name in preflight[is_fit]["fallback"]]
        ),
    }
    counts = {"rows": case, "train": case.train, "validation": case.validation, "test": case.test, "people": context.people}
    facts: dict[str, float] = {name: len(some) for name, some in counts.items()}
    facts |= {"columns": len(case.schema), "panel": len(context.panel), "background": len(context.background)}
    facts |= _of_outcomes(case) | {"seed": context.seed, "usual_columns": USUAL_COLUMNS}
    facts |= {"drawn": case.is_limited and sum(map(len, case.splits)) < len(case)}
    facts |= {"threshold": case.schema.target.threshold, "doubling": np.log(2)}
    return Measured(tables, facts, {"scales": scales, "routes": routes})


def _of_outcomes(case: Dataset) -> dict[str, float]:
    """Return how many events there are, or the mean and the range of values."""
    outcomes = np.array([np.nan]) if case.outcomes is None else case.outcomes
    if case.schema.target.is_value:
        numbers = np.average(outcomes, weights=case.weights), outcomes.min(), outcomes.max()
        return {name: float(number) for name, number in zip(VALUE, numbers, strict=True)}
    return {"events": float((outcomes == 1).sum()) if case.outcomes is not None else np.nan}


def _line(made: Explanation, context: RunContext) -> dict[str, Any]:
    """Return how a model was asked by a method, and how well the contributions add up."""
    return {
        "model": made.model,
        "method": made.method,
        "implementation": made.implementation,
        "scale": made.scale,
        "people": len(made),
        "background": len(context.background),
        "seed": made.seed,
        "options": made.options_words,
        "evaluations": made.evaluations,
        "promise": made.promise,
        "largest_residual": float(np.abs(made.residuals).max()),
        "mean_effect": float(np.abs(made.outputs - made.base_values).mean()),
    }


def _budgets(context: RunContext) -> pd.DataFrame:
    """Return a line a method and option that is a number: how much it was given for each person."""
    lines = [
        {"method": method, "option": option.removeprefix("n_"), "value": value}
        for (_, method), made in context.explanations.items()
        for option, value in made.options.items()
        if isinstance(value, int) and not isinstance(value, bool)
    ]
    return pd.DataFrame(lines, columns=["method", "option", "value"]).drop_duplicates(ignore_index=True)


def _answers(context: RunContext) -> pd.DataFrame:
    """Return a line a method: its question, by whom it is computed, of which models, and how well it promises to add up."""
    lines = []
    for method in explainers.by_preference(dict.fromkeys(method for _, method in context.explanations)):
        made = {name: one for (name, by), one in context.explanations.items() if by == method}
        facts, first = explainers.method(method), next(iter(made.values()))
        line = {"method": method, "question": facts.QUESTION, "library": first.implementation}
        others = [model.name for model in context.models if model.name not in made]
        all_but = f"all but {', '.join(others)}" if others else "all"
        line |= {"models": all_but if len(others) < len(made) > 1 else ", ".join(made)}
        lines.append(line | {"promised": np.nan if facts.PROMISE.relative is None else facts.PROMISE.relative})
    return pd.DataFrame(lines)
