"""report() and audit_report(): a case and some models become a page, a second one with its evidence, and tables."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dlx.audit.counterfactuals import Range
from dlx.checkpoint import describe, find, load, obtain, refuse_unkept
from dlx.context import QUICK, THOROUGH, TRAINING_SEEDS, RunContext, default_models, fewer_people, is_black_box
from dlx.dataset import Dataset, shipped
from dlx.errors import DlxError, listed
from dlx.explanation import Explanation
from dlx.files import file_name
from dlx.model import AdditiveModel, Model, for_case, is_own, open_model
from dlx.plots import models_of_page
from dlx.progress import Narrator
from dlx.remedies import recipe_of
from dlx.reporting.diagnostics import diagnosed
from dlx.reporting.origin import origin_of
from dlx.reporting.page import explanations_of, write_report
from dlx.reporting.refusals import refuse_same_names, refuse_unreportable, unexplainable_models, without
from dlx.reporting.sections import UnfinishedError
from dlx.threads import one_thread
from dlx.training import name_of

__all__ = ["AUDITED_MODELS", "UnfinishedError", "audit_report", "default_models", "report"]

AUDITED_MODELS = ("mlp", "gradient_boosting", "logistic_regression", "decision_tree")
EARLY = replace(QUICK, name="quick: the first page of a thorough run")
Obtain = Callable[[str, int], Model]


def report(
    case: Dataset,
    *,
    models: Sequence[str | Model] | None = None,
    target: str | None = None,
    path: str | Path | None = None,
    seed: int = 0,
    people: int = 200,
    background: int = 100,
    audit: bool = True,
    thorough: bool = False,
    retrain: bool = False,
    device: str = "auto",
    checkpoints: str | Path | None = None,
    trusted: Sequence[str] = (),
    trained_on: Any = None,
    explanations: Sequence[Explanation] = (),
    people_in_page: str | None = None,
    into: str | None = None,
    command: str | None = None,
    narrator: Narrator | None = None,
) -> Path:
    """Write the comparison report of a case and return the path of its page.

    Pages and tables become the artifacts of a run of MLflow's by two lines::

        with mlflow.start_run():
            mlflow.log_artifacts("loans")  # the folder of the page

    Parameters
    ----------
    case : Dataset
        A shipped case or a table of your own, with outcomes of two or several classes, or values.
    models : sequence of str or Model
        Names of architectures, of which a shipped or trained checkpoint is used where there is one; models of your own as
        `dlx.model.open_model` takes them, "mine.py:model"; or models. By default those of `default_models`.
    target : str, optional
        Which of several classes the page tells of, "it or another"; the most frequent by default.
    path : str or Path, optional
        The page; ``<case>.html`` in the current folder by default, ``<case>-<class>.html`` of a class that was asked for.
        Beside it lie its evidence (``evidence.html`` for ``report.html``, else ``<page>-evidence.html``), its tables
        (``<page>-tables``) and the explanations (``<page>-explanations``), from where an interrupted or repeated run takes
        those that are done.
    seed : int
        Seed of the models, the people, the background and the methods.
    people : int
        How many test rows are explained by the fast methods; of more than 100 columns in proportion fewer.
    background : int
        How many training rows are the reference.
    audit : bool
        Whether the page also tells where the models err, whom they treat unfairly, what would change their answers and how
        explanations are fooled, as `audit_report` does: of two black boxes and the interpretable models, or of all where
        thorough.
    thorough : bool
        Measure everything: noise floors, causes and faithfulness for every black box, and the same
        architectures trained with five other seeds. Takes many minutes: a quick page is written first, and an interrupted
        run goes on where it stopped.
    retrain : bool
        Train the models anew even where there is a checkpoint.
    device : {"auto", "cpu", "cuda"}
        Where nets are asked, and trained, if they are; "auto" takes a GPU that is worth its start (`dlx.model.devices`).
    checkpoints : str or Path, optional
        The folder of trained models, and the only place to look; by default ./checkpoints, then the shipped ones.
    trusted, trained_on : sequence of str, Dataset, DataFrame, list or str
        Of models of your own that are given as text: types that a skops file may hold, and the rows that they were trained on,
        as `dlx.wrap` takes them.
    explanations : sequence of Explanation, optional
        Made by other tools (`Explanation.from_shap` and its kind) of these models, of all test rows and against the report's
        background, ``case.background(background, seed=seed)``: they are compared with those that dlx makes.
    people_in_page : {"0", "featured", "all"}, optional
        Whose rows the page may hold, so that they can be looked up and changed in it: nobody's, those of the people whom it
        tells of by name (the default for a table of your own), or those of the test rows, at most 2,000 (for a shipped case).
        The rows of the background are in it, too, unless it is "0".
    into : str, optional
        Where people want to be predicted: of a value a range, "100:150", ":150" or "200:", out of the top quarter by default;
        of one class of several another class, any by default.
    command : str, optional
        The command that the page names as its origin.
    narrator : Narrator, optional
        Says what is going on, on standard error.

    Raises
    ------
    SchemaError
        If the case has no outcomes of classes, or not the class.
    DlxError
        If there are no models, two of one name, nobody to explain, or an explanation that does not belong to the report.
    UnfinishedError
        If a section fails by a fault of dlx: the others are written to ``<page>-unfinished.html``.
    """
    if people < 1:
        raise DlxError(f"a report needs at least 1 person, got people={people}")
    page = Path(path) if path is not None else page_of(file_name(case.name), target)
    case = case_of_page(case, target, narrator or Narrator())
    models = default_models(case) if models is None else models
    asked: dict[str, Any] = {"seed": seed, "people": people, "background": background}
    wanted = range_or_class(case, into)
    made: dict[str, Any] = {"seed": seed, "retrain": retrain, "device": device, "checkpoints": checkpoints}
    found, obtained = _models(case, models, page, narrator, trusted, trained_on, **made)
    parts = ("models", "explanations", *(("audit",) if audit else ()))
    more: dict[str, Any] = {"thorough": thorough, "device": device, "checkpoints": checkpoints, "no-audit": not audit}
    more |= {"people-in-page": people_in_page, "range": into, "trust": list(trusted), "trained-on": trained_on}
    command = command or origin_of("report", case, models, page, brought=bool(explanations), **asked, **more)
    asked["people"] = fewer_people(people, len(case.schema))
    whom = people_in_page or ("all" if case.name in shipped() else "featured")
    written = partial(_written, case, found, parts, page, command, brought=explanations, people_in_page=whom, into=wanted)
    at_hand = _at_hand(case, found, checkpoints)
    if not thorough:
        return written(**asked, siblings=at_hand, narrator=narrator)
    written(**asked, budget=EARLY, siblings=at_hand, narrator=narrator)
    (narrator or Narrator()).say(f"{page} can be read; what is thorough is added to it when all is measured")
    return written(**asked, budget=THOROUGH, siblings=_siblings(case, found, obtained), narrator=narrator)


def audit_report(
    case: Dataset,
    *,
    models: Sequence[str | Model] | None = None,
    target: str | None = None,
    path: str | Path | None = None,
    seed: int = 0,
    background: int = 100,
    thorough: bool = False,
    device: str = "auto",
    checkpoints: str | Path | None = None,
    trusted: Sequence[str] = (),
    trained_on: Any = None,
    into: str | None = None,
    command: str | None = None,
    narrator: Narrator | None = None,
) -> Path:
    """Write the audit of a case and return the path of its page.

    Parameters
    ----------
    case : Dataset
        A shipped case or a table of your own, with outcomes of two or several classes.
    models : sequence of str or Model
        As of `report`; by default `default_models(case, AUDITED_MODELS)`. The interpretable ones (linear, a single tree) are
        what the others are compared with.
    path : str or Path, optional
        The page; ``<case>-audit.html`` in the current folder by default, ``<case>-audit-<class>.html`` as of `report`.
        Beside it lie ``<page>-evidence.html`` and ``<page>-tables``.
    thorough : bool
        Repeat what is random more often.
    target, seed, background, device, checkpoints, trusted, trained_on, into, command, narrator
        As of `report`, and so are the errors.
    """
    page = Path(path) if path is not None else page_of(f"{file_name(case.name)}-audit", target)
    case = case_of_page(case, target, narrator or Narrator())
    models = default_models(case, AUDITED_MODELS) if models is None else models
    wanted = range_or_class(case, into)
    made: dict[str, Any] = {"seed": seed, "device": device, "checkpoints": checkpoints}
    found, _ = _models(case, models, page, narrator, trusted, trained_on, **made)
    asked: dict[str, Any] = {"seed": seed, "background": background}
    budget = THOROUGH if thorough else QUICK
    more: dict[str, Any] = {"thorough": thorough, "device": device, "checkpoints": checkpoints, "range": into}
    more |= {"trust": list(trusted), "trained-on": trained_on}
    command = command or origin_of("audit", case, models, page, **asked, **more)
    return _written(case, found, ("models", "audit"), page, command, **asked, budget=budget, into=wanted, narrator=narrator)


def page_of(stem: str, target: str | None) -> Path:
    """Return the page of a class of several: "report.html", and "report-barolo.html" of one that was asked for."""
    return Path(f"{stem}.html" if target is None else f"{stem}-{file_name(target)}.html")


def case_of_page(case: Dataset, target: str | None, narrator: Narrator) -> Dataset:
    """Return the case that a page tells of: of several classes one, the most frequent of the rows if nobody said which."""
    several = case.schema.target
    if several.kind != "multiclass" or target is not None:
        return case if target is None else case.of_class(target)
    if case.outcomes is None:
        return case.of_class(several.levels[-1])
    level = several.levels[int(np.bincount(case.outcomes.astype(int)).argmax())]
    narrator.say(f"Told of {level}, the most frequent of {len(several.levels)} classes; --class asks for another")
    return case.of_class(level)


def range_or_class(case: Dataset, into: str | None) -> Range | str | None:
    """Return the range or the class that was asked for; None if nobody asked, and an error if there is no such one."""
    target, several = case.schema.target, case.several
    if into is None or target.is_value:
        return None if into is None else Range.of(into)
    if several is None:
        raise DlxError(f"a range is of a value, but {target.name!r} is {target.kind}; leave --range out")
    if into not in (others := [level for level in several.levels if level != target.positive]):
        raise DlxError(
            f"who is taken for {target.positive!r} may want into another class, one of {listed(others)}, got {into!r}"
        )
    return into


def _models(
    case: Dataset,
    models: Sequence[str | Model],
    page: Path,
    narrator: Narrator | None,
    trusted: Sequence[str],
    trained_on: Any,
    *,
    seed: int,
    retrain: bool = False,
    device: str,
    checkpoints: str | Path | None,
) -> tuple[list[Model], Obtain]:
    """Return the models of a page, and what obtains another one, or raise, before any is trained, if there can be no page."""
    refuse_unreportable(case, models, page)
    asked: dict[str, Any] = {"trusted": trusted, "trained_on": trained_on}
    opened = [open_model(model, case, **asked) if isinstance(model, str) and is_own(model) else model for model in models]
    given = [model if isinstance(model, str) else for_case(model, case) for model in opened]
    refuse_same_names([name_of(model, seed, {}) if isinstance(model, str) else model.name for model in given])
    ours = [model for model in given if isinstance(model, str)]
    refuse_unkept(case, ours, seed=seed, retrain=retrain, checkpoints=checkpoints)

    def obtained(architecture: str, seed: int) -> Model:
        how: dict[str, Any] = {"retrain": retrain, "device": device, "checkpoints": checkpoints}
        return obtain(case, architecture, seed=seed, narrator=narrator or Narrator(), **how).on(device)

    return [obtained(model, seed) if isinstance(model, str) else model.on(device) for model in given], obtained


def _written(case: Dataset, models: Sequence[Model], parts: Sequence[str], page: Path, command: str, **asked: Any) -> Path:
    """Write a page of the models that a method can explain, and return its path."""
    with one_thread(), models_of_page([model.name for model in models]):
        context = RunContext.of(case, models, keep=explanations_of(page), **asked)
        if "explanations" in parts and (mute := unexplainable_models(models, context.compatibility)):
            context = context.without(mute, without(models, mute, context.narrator))
        with contextlib.suppress(Exception):  # the section that asks for it meets the error again, and tells it
            if "explanations" in parts:  # what several sections share, which are made in processes of their own
                diagnosed(context)
            if "audit" in parts:
                _ = context.contributions, context.reason_rules
        return write_report(context, parts, page, command)


def _at_hand(case: Dataset, found: Sequence[Model], checkpoints: str | Path | None) -> dict[str, list[Model]]:
    """Return what was trained before as the additive models were, with other seeds, by the name of the model."""
    siblings = {}
    for model in found:
        made_by = recipe_of(model, case) if isinstance(model, AdditiveModel) else None
        if made_by is not None and not made_by.config:
            seeds = range(made_by.seed + 1, made_by.seed + TRAINING_SEEDS + 1)
            paths = [find(case.name, made_by.architecture, seed=seed, checkpoints=checkpoints) for seed in seeds]
            same = [path for path in paths if path is not None and describe(path)["data_sha256"] == case.sha256]
            siblings[model.name] = [load(path, case=case) for path in same]
    return siblings


def _siblings(case: Dataset, found: Sequence[Model], trained: Obtain) -> dict[str, list[Model]]:
    """Return black boxes and additive models that dlx trained with its defaults, with other seeds, by the name of the model."""
    some = [model for model in found if is_black_box(model) or isinstance(model, AdditiveModel)]
    recipes = {model.name: recipe_of(model, case) for model in some}
    return {
        name: [trained(made_by.architecture, made_by.seed + i) for i in range(1, TRAINING_SEEDS + 1)]
        for name, made_by in recipes.items()
        if made_by is not None and not made_by.config
    }
