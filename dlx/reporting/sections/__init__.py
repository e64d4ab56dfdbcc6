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

ORDER: tuple[str, ...] = ("vulnerability",)  # of performance, errors, fairness, change, vulnerability


def sections(setting: Setting, models: Sequence[Model]) -> list[Section]:
    """Return every section about the models, in the order in which they are read, the checklist last."""
    from dlx.reporting.sections import checklist

    told = [importlib.import_module(f"{__name__}.{name}").section(setting, models) for name in ORDER]
    return [*told, checklist.section(setting, models, told)]
