"""A part of a section, before the parts are put together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dlx.reporting.sections.blocks import Block
from dlx.schema import Target

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Part:
    """What a part found, what is read, its numbers by the name of their CSV, and its evidence by the item of the checklist."""

    findings: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    covers: dict[str, str] = field(default_factory=dict)


def people_word(target: Target) -> str:
    """Return whom rows are about, as a plural."""
    return "people" if target.person == "person" else f"{target.person}s"
