"""What a section of an audit is made of: words, tables and figures, in the order in which they are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from dlx.reporting.canvas import Figure

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Words:
    """Paragraphs, a string each."""

    kind: ClassVar[str] = "words"
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Listed:
    """A list of points."""

    kind: ClassVar[str] = "listed"
    items: tuple[str, ...]


@dataclass(frozen=True)
class Heading:
    """The name of a part of a section."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Table:
    """Cells as people read them; the caption says what they are, in which unit, over whom."""

    kind: ClassVar[str] = "table"
    caption: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Folded:
    """What only some readers want: blocks that open by a click on the summary."""

    kind: ClassVar[str] = "folded"
    summary: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Rendered:
    """A section that is told already, as HTML."""

    kind: ClassVar[str] = "rendered"
    markup: str


Block = Rendered | Words | Listed | Heading | Table | Figure | Folded


@dataclass(frozen=True)
class Section:
    """A question of an audit and its answer.

    Parameters
    ----------
    key, title : str
        The anchor, and the words above it.
    findings : tuple of str
        What the first lines of the page say of it, a full sentence each.
    blocks : tuple of Block
        What is read, in order.
    tables : dict of str to DataFrame
        All numbers, by the name of their CSV; a figure's `table` is one of these names.
    covers : dict of str to str
        The evidence for a reviewer's checklist: a sentence with the numbers, by the item of `checklist.ITEMS`.
    """

    key: str
    title: str
    findings: tuple[str, ...]
    blocks: tuple[Block, ...]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    covers: dict[str, str] = field(default_factory=dict)
    evidence: str = ""
