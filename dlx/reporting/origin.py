"""The line that made a page, to be run again: a command where one makes it, else a call in Python."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlx.dataset import Dataset, shipped
from dlx.dataset.opening import NAMELESS
from dlx.model import Model
from dlx.remedies import recipe_of
from dlx.training import name_of

FUNCTIONS = {"report": "report", "audit": "reporting.audit_report"}


def origin_of(
    command: str, case: Dataset, models: Sequence[str | Model], page: Path, *, brought: bool = False, **asked: Any
) -> str:
    """Return the command that makes a page, or the call where a table, a model or explanations have no name that it takes.

    What is asked are the options of `dlx report` or `dlx audit` by name; those that are None, false or "auto" are left out.
    """
    table = [case.source, *case.reading.options] if case.source else [case.name] if case.name in shipped() else []
    known = [model if isinstance(model, str) else _architecture(model, case, asked["seed"]) for model in models]
    is_said = isinstance(asked.get("trained-on"), (str, Path, type(None)))
    if not table or NAMELESS in table or brought or None in known or not is_said:
        return _call(FUNCTIONS[command], case, models, asked)
    words = ["dlx", command, *table]
    for name in known:
        words += ["--model", str(name)]
    if case.several is not None:
        words += ["--class", case.schema.target.levels[1]]
    for option, value in asked.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None and one is not False and one != "auto":
                words += [f"--{option}"] if one is True else [f"--{option}", str(one)]
    if page.name == f"{command}.html" and page.parent != Path(case.name):
        words += ["--output", str(page.parent)]
    return shlex.join(words)


def _architecture(model: Model, case: Dataset, seed: int) -> str | None:
    """Return the name by which dlx trains a model anew, or finds it; None where it has none."""
    made_by = recipe_of(model, case)
    if made_by is None or made_by.config or made_by.seed != seed or model.name != name_of(made_by.architecture, seed, {}):
        return None
    return made_by.architecture


def _call(function: str, case: Dataset, models: Sequence[str | Model], asked: Mapping[str, Any]) -> str:
    table = f"dlx.load({case.name!r})" if case.name in shipped() else f"a Dataset of {case.source or 'a table in memory'}"
    shown = (
        f"dlx.wrap(..., name={model.name!r})"
        if isinstance(model, Model) and model.provenance is None
        else repr(getattr(model, "name", model))
        for model in models
    )
    options = f", target={case.schema.target.levels[1]!r}" if case.several is not None else ""
    options += "".join(f", {name}={value!r}" for name, value in asked.items() if type(value) is int)
    return f"dlx.{function}({table}, models=[{', '.join(shown)}]{options})"
