"""audit_report(): where some models are wrong or unfair, what would change their answers, and how explanations are fooled."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from dlx.checkpoint.runs import obtain, refuse_unkept
from dlx.context import QUICK, THOROUGH, RunContext
from dlx.dataset import Dataset
from dlx.model import Model
from dlx.plots import models_of_page
from dlx.progress import Narrator
from dlx.reporting.page import LIBRARIES, page_parts, render_evidence, second_page
from dlx.reporting.phrases import article, threshold_percent
from dlx.reporting.prose import layout
from dlx.reporting.refusals import file_name, named, refuse_same_names, refuse_unreportable
from dlx.reporting.sections import Links, finished, page_of
from dlx.reporting.sections.blocks import Section
from dlx.reporting.tables import folder_of, write_page
from dlx.threads import one_thread

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_MODELS = ("mlp", "gradient_boosting", "logistic_regression", "decision_tree")


def audit_report(
    case: Dataset,
    *,
    models: Sequence[str | Model] = DEFAULT_MODELS,
    path: str | Path | None = None,
    seed: int = 0,
    background: int = 100,
    thorough: bool = False,
    device: str = "auto",
    checkpoints: str | Path | None = None,
    command: str | None = None,
    narrator: Narrator | None = None,
) -> Path:
    """Write the audit of a case and return the path of its page.

    Parameters
    ----------
    case : Dataset
        A shipped case or a table of your own, with a binary outcome.
    models : sequence of str or Model
        Names of architectures, or models. Those that can be read without a method (linear, a single tree) are what
        the others are compared with.
    path : str or Path, optional
        The page; ``<case>-audit.html`` in the current folder by default. Tables go to ``<page>-tables``.
    seed : int
        Seed of the models, the people, the background and everything random.
    background : int
        How many training rows are the reference of explanations.
    thorough : bool
        Repeat what is random more often.
    device : {"auto", "cpu", "cuda"}
        Where nets are trained, if they are.
    checkpoints : str or Path, optional
        The folder of trained models, and the only place to look; by default ./checkpoints, then the shipped ones.
    command : str, optional
        The command that the page names as its origin.
    narrator : Narrator, optional
        Says what is going on, on standard error.

    Raises
    ------
    SchemaError
        If the case has no binary outcome.
    DlxError
        If there are no models, or two of one name.
    UnfinishedError
        If a section fails by a fault of dlx: the others are written to ``<page>-unfinished.html``.
    """
    narrator = narrator or Narrator()
    page = Path(path) if path is not None else Path(f"{file_name(case.name)}-audit.html")
    refuse_unreportable(case, models, page)
    refuse_unkept(case, named(models), seed=seed, checkpoints=checkpoints)
    found = [
        obtain(case, model, seed=seed, device=device, checkpoints=checkpoints, narrator=narrator)
        if isinstance(model, str)
        else model
        for model in models
    ]
    refuse_same_names(found)
    with one_thread(), models_of_page([model.name for model in found]):
        context = RunContext.of(
            case,
            found,
            seed=seed,
            background=background,
            budget=THOROUGH if thorough else QUICK,
            keep=page.with_name(f"{page.stem}-explanations"),
            narrator=narrator,
        )
        told, fault = finished(context, found, links_of(page))
    written = page_of(page, fault)
    with narrator.step(f"Drawing the page, {written}"):
        names = [model.name for model in found]
        _write(case, told, written, command or f"dlx.audit_report(dlx.load({case.name!r}), models={names}, seed={seed})")
    if fault is not None:
        raise fault
    return page


def links_of(page: Path) -> Links:
    """Return where a page finds its tables and its evidence."""
    return Links(folder_of(page).name, second_page(page).name)


def tables_of(told: Sequence[Section]) -> dict[str, pd.DataFrame]:
    """Return the tables of all sections, by the name of their file."""
    return {name: table for section in told for name, table in section.tables.items()}


def _write(case: Dataset, told: Sequence[Section], page: Path, command: str) -> None:
    tables = tables_of(told)
    text = (
        layout()
        .get_template("audit.html.j2")
        .render(
            **page_parts(),
            title=case.card.title or case.name,
            card=case.card,
            sections=told,
            setup=_setup(case),
            command=command,
            tables_folder=folder_of(page).name,
            table_names=list(tables),
        )
    )
    title = case.card.title or case.name
    write_page(page, text, tables, {second_page(page): render_evidence(page, title, told, list(tables))})


def _setup(case: Dataset) -> list[tuple[str, str]]:
    target = case.schema.target
    versions = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    question = (
        f"The {target.risk}; from {threshold_percent(target)} on, {article(target.person)} is {target.flagged}, below that "
        f"{target.cleared}. The threshold is {target.threshold_reason}."
    )
    rows = f"{len(case):,} rows, {len(case.schema)} columns; judged on {len(case.test):,} test rows, which no model has seen."
    return [("Question", question), ("Data", rows), ("Versions", f"{versions}, Python {platform.python_version()}")]
