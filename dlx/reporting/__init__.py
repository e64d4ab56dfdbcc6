"""report(): a case and some models become one page, with its tables beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dlx.checkpoint.runs import obtain, refuse_unkept
from dlx.context import QUICK, THOROUGH, TRAINING_SEEDS, RunContext, is_black_box
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import Model
from dlx.plots import models_of_page
from dlx.progress import Narrator
from dlx.remedies import recipe_of
from dlx.reporting.auditing import audit_report, links_of, tables_of
from dlx.reporting.page import render, render_evidence, second_page
from dlx.reporting.refusals import file_name, mute_models, named, refuse_same_names, refuse_unreportable, without
from dlx.reporting.sections import finished, page_of
from dlx.reporting.sections.blocks import Section
from dlx.reporting.study import Study, study
from dlx.reporting.tables import folder_of, tables, write_page
from dlx.threads import one_thread

__all__ = ["DEFAULT_MODELS", "Study", "audit_report", "report", "study"]

DEFAULT_MODELS = ("mlp", "resnet", "gradient_boosting", "random_forest", "logistic_regression", "decision_tree")


def report(
    case: Dataset,
    *,
    models: Sequence[str | Model] = DEFAULT_MODELS,
    path: str | Path | None = None,
    seed: int = 0,
    people: int = 200,
    background: int = 100,
    audit: bool = True,
    thorough: bool = False,
    retrain: bool = False,
    device: str = "auto",
    checkpoints: str | Path | None = None,
    command: str | None = None,
    narrator: Narrator | None = None,
) -> Path:
    """Write the comparison report of a case and return the path of its page.

    Parameters
    ----------
    case : Dataset
        A shipped case or a table of your own, with a binary outcome.
    models : sequence of str or Model
        Names of architectures, or models; a shipped or trained checkpoint is used where there is one.
    path : str or Path, optional
        The page; ``<case>.html`` in the current folder by default. Tables go to ``<page>-tables``, explanations to
        ``<page>-explanations``, from where an interrupted or repeated run takes those that are done.
    seed : int
        Seed of the models, the people, the background and the methods.
    people : int
        How many test rows are explained by the fast methods.
    background : int
        How many training rows are the reference.
    audit : bool
        Whether the page also tells where the models err, whom they treat unfairly, what would change their answers and how
        explanations are fooled: as `audit_report`, of the two models that are told of and the interpretable ones, or of all
        where thorough. It takes about as long as the rest.
    thorough : bool
        Measure everything: noise floors, causes and faithfulness for every black box, and the same
        architectures trained with five other seeds. Takes many minutes; an interrupted run goes on where it stopped.
    retrain : bool
        Train the models anew even where there is a checkpoint.
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
        If there are no models, two of one name, or nobody to explain.
    UnfinishedError
        If a section fails by a fault of dlx: the others are written to ``<page>-unfinished.html``.
    """
    narrator = narrator or Narrator()
    page = Path(path) if path is not None else Path(f"{file_name(case.name)}.html")
    if people < 1:
        raise DlxError(f"a report needs at least 1 person, got people={people}")
    refuse_unreportable(case, models, page)
    refuse_unkept(case, named(models), seed=seed, retrain=retrain, checkpoints=checkpoints)

    def trained(architecture: str, seed: int) -> Model:
        return obtain(case, architecture, seed=seed, retrain=retrain, device=device, checkpoints=checkpoints, narrator=narrator)

    found = [trained(model, seed) if isinstance(model, str) else model for model in models]
    refuse_same_names(found)
    siblings = _siblings(case, found, trained) if thorough else {}
    with one_thread(), models_of_page([model.name for model in found]):
        context = _context(
            case,
            found,
            seed=seed,
            people=people,
            background=background,
            budget=THOROUGH if thorough else QUICK,
            siblings=siblings,
            keep=page.with_name(f"{page.stem}-explanations"),
            narrator=narrator,
        )
        told = study(context)
        audited, fault = finished(context, context.told_of, links_of(page)) if audit else ([], None)
    written = page_of(page, fault)
    with narrator.step(f"Drawing the page, {written}"), models_of_page([model.name for model in found]):
        _write(told, audited, written, command or _call(case, found, seed=seed, people=people, background=background))
    if fault is not None:
        raise fault
    return page


def _context(case: Dataset, models: Sequence[Model], *, narrator: Narrator, **asked: Any) -> RunContext:
    """Return the context of the models that a method can explain."""
    context = RunContext.of(case, models, narrator=narrator, **asked)
    if mute := mute_models(models, context.compatibility):
        return RunContext.of(case, without(models, mute, narrator), left_out=mute, narrator=narrator, **asked)
    return context


def _siblings(case: Dataset, found: Sequence[Model], trained: Callable[[str, int], Model]) -> dict[str, list[Model]]:
    """Return black boxes that dlx trained with its defaults, with other seeds, by the name of the model."""
    recipes = {model.name: recipe_of(model, case) for model in found if is_black_box(model)}
    return {
        name: [trained(made_by.architecture, made_by.seed + i) for i in range(1, TRAINING_SEEDS + 1)]
        for name, made_by in recipes.items()
        if made_by is not None and not made_by.config
    }


def _write(told: Study, audited: Sequence[Section], page: Path, command: str) -> None:
    found = tables(told) | tables_of(audited)
    text = render(told, audited, tables_folder=folder_of(page).name, table_names=list(found), command=command)
    title = told.case.card.title or told.case.name
    write_page(page, text, found, {second_page(page): render_evidence(page, title, audited, list(found))})


def _call(case: Dataset, models: Sequence[Model], **asked: int) -> str:
    """Return how a report of a case is asked for in Python."""
    numbers = ", ".join(f"{name}={number}" for name, number in asked.items())
    return f"dlx.report(dlx.load({case.name!r}), models={[model.name for model in models]}, {numbers})"
