"""The sections of an audit, one a file: each asks one question of some models and tells the answer.

A section's file has ``section(setting, models) -> Section``.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from dlx.model import Model
from dlx.reporting.sections.blocks import Block, Folded, Heading, Listed, Section, Table, Words
from dlx.reporting.setting import Setting

__all__ = ["ORDER", "Block", "Folded", "Heading", "Listed", "Section", "Table", "Words", "sections"]

ORDER: tuple[str, ...] = ("performance", "errors", "fairness", "change", "vulnerability")


def sections(setting: Setting, models: Sequence[Model]) -> list[Section]:
    """Return every section about the models, in the order in which they are read, the checklist last.

    The models are asked as they are, because these are the ones that decide.
    """
    from dlx.reporting.sections import checklist

    told = [_told(name, setting, models) for name in ORDER]
    return [*told, checklist.section(setting, models, told)]


def _told(name: str, setting: Setting, models: Sequence[Model]) -> Section:
    """Return a section; one that cannot be told, because a model raises where others answer, says so and why."""
    module = importlib.import_module(f"{__name__}.{name}")
    try:
        told: Section = module.section(setting, models)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        setting.narrator.say(f"{module.TITLE} could not be told: {why}")
        return Section(name, module.TITLE, (), (Words((f"This could not be measured. {why}",)),))
    return told
