"""The sections of an audit, one a file: each asks one question of some models and tells the answer.

A section's file has ``section(setting, models) -> Section``.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

from dlx.context import RunContext
from dlx.errors import BugError, in_a_line, is_own_fault
from dlx.model import Model
from dlx.reporting.sections.blocks import Block, Folded, Heading, Listed, Section, Table, Words

__all__ = [
    "ORDER",
    "Block",
    "Folded",
    "Heading",
    "Listed",
    "Section",
    "Table",
    "UnfinishedError",
    "Words",
    "finished",
    "page_of",
    "sections",
]

ORDER: tuple[str, ...] = ("performance", "errors", "fairness", "change", "vulnerability")


def sections(setting: RunContext, models: Sequence[Model]) -> list[Section]:
    """Return every section about the models, in the order in which they are read, the checklist last.

    The models are asked as they are, because these are the ones that decide.

    Raises
    ------
    UnfinishedError
        If a section fails by a fault of dlx, once the others are made: these it holds.
    """
    from dlx.reporting.sections import checklist

    told: list[Section] = []
    faults: list[BugError] = []
    for name in ORDER:
        try:
            told.append(_told(name, setting, models))
        except BugError as fault:
            setting.narrator.say(str(fault))
            faults.append(fault)
    told.append(checklist.section(setting, models, told))
    if faults:
        raise UnfinishedError(told, faults) from faults[0]
    return told


def finished(setting: RunContext, models: Sequence[Model]) -> tuple[list[Section], UnfinishedError | None]:
    """Return the sections that could be made, and the fault of dlx that the others failed by."""
    try:
        return sections(setting, models), None
    except UnfinishedError as fault:
        return fault.finished, fault


def page_of(page: Path, fault: UnfinishedError | None) -> Path:
    """Return where a page is written to: one that lacks a section never takes the place of a whole one."""
    return page if fault is None else page.with_name(f"{page.stem}-unfinished{page.suffix}")


class UnfinishedError(BugError):
    """Sections of which one or more failed by a fault of dlx; the finished ones are kept."""

    def __init__(self, finished: Sequence[Section], faults: Sequence[BugError]) -> None:
        first = faults[0].__cause__
        assert first is not None
        super().__init__(" and ".join(fault.what for fault in faults), first)
        self.finished = list(finished)


def _told(name: str, setting: RunContext, models: Sequence[Model]) -> Section:
    """Return a section; one that cannot be told, because a model raises where others answer, says so and why."""
    module = importlib.import_module(f"{__name__}.{name}")
    try:
        told: Section = module.section(setting, models)
    except Exception as error:
        if is_own_fault(error):
            raise BugError(f"the section “{module.TITLE}”", error) from error
        why = in_a_line(error)
        setting.narrator.say(f"{module.TITLE} could not be told: {why}")
        return Section(name, module.TITLE, (), (Words((f"This could not be measured. {why}",)),))
    return told
