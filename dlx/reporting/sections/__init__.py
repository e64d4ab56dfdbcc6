"""The sections of a page, a folder each; the folder is all that a section needs.

``<name>/measure.py`` has ``TITLE``, ``PLACE`` (sections are read in this order), ``TASKS`` (of which kinds of target it can
tell), perhaps ``PART`` (see `names`), ``IS_LONG`` (see `longest_first`) and ``COVERS`` (what it answers of the checklists in
`dlx.reporting.frame`, and by which table), and ``measure(context) -> Measured``: tables and numbers, no words.
``<name>/text.md.j2`` is the prose, Markdown and Jinja, in two blocks: ``page``, what everybody reads, and
``evidence``, which goes to the second page.
Where the prose of a value shares little with that of classes, it is ``value.md.j2``. In ``<name>/figures.py`` is a function a
figure, ``(measured, context) -> matplotlib Figure``, that is drawn where the prose says ``figure("<function>")``.

What the prose sees: ``context``, ``case``, ``target``, ``m`` (what was measured), ``words`` (of the task),
``unit`` (after a value; "" where it has none), ``unit_of(scale)``; ``line(table, column=value)``, ``lines(...)`` of the tables,
``fact(name)``; ``grid(table, columns, caption)``; ``{% call figure(name, alt=...) %}`` its
caption ``{% endcall %}``, ``{% call fold(summary) %}``, and ``evidence(words)``, a link to the section on the second page.
Filters are those of `dlx.reporting.prose`. A number has a cell of a table, or it is an error.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from dlx import plots
from dlx.arrays import in_short
from dlx.context import RunContext
from dlx.dataset import Dataset
from dlx.errors import BugError, in_a_line, is_own_fault
from dlx.reporting.canvas import embedded
from dlx.reporting.phrases import WORDS, WORDS_OF_A_CLASS
from dlx.reporting.prose import Line, Number, Tables, bare, cell, layout, markdown, one_block, rendered, table_block
from dlx.schema import Target

HERE = Path(__file__).parent
MOST_LINES = 100  # of a table on a page
DIGITS = 3  # of the spread of values, with which they are printed


@dataclass(frozen=True, eq=False)
class Measured:
    """What a section measured; a table without lines is none."""

    tables: dict[str, pd.DataFrame] = field(default_factory=dict)  # all numbers, by the name of their CSV; none of _name
    facts: Mapping[str, float] = field(default_factory=dict)  # single numbers of the prose: the table <section>_facts
    about: Any = None  # what the prose and the figures need beside numbers: models, groups, names

    __repr__ = in_short

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables", {name: table for name, table in self.tables.items() if len(table)})


@dataclass(frozen=True)
class Links:
    """Where a page finds its tables and the page of evidence, as seen from it."""

    tables_folder: str
    second_page: str


@dataclass(frozen=True)
class Section:
    """A finished section: its prose for both pages, and its tables."""

    key: str  # its anchor
    title: str
    page: Markup  # what everybody reads
    evidence: Markup  # what stands on the second page; "" where there is nothing
    tables: dict[str, pd.DataFrame]  # by the name of their CSV
    about: Any = None  # as of `Measured`


class UnfinishedError(BugError):
    """Sections of which one or more failed by a fault of dlx; the finished ones are kept."""

    def __init__(self, finished: Sequence[Any], faults: Sequence[BugError]) -> None:
        first = faults[0].__cause__
        assert first is not None
        super().__init__(" and ".join(fault.what for fault in faults), first)
        self.finished = list(finished)


def names(parts: Sequence[str] = ("models", "explanations", "audit"), task: str = "binary") -> list[str]:
    """Return the names of the sections, in the order in which they are read.

    Parameters
    ----------
    parts : sequence of str
        Of which parts of a report: about the models, about explanations (a section's PART by default), of an audit.
    task : str
        The kind of the target; "class" of one class of several, which is a binary one, and has a section on all together.
    """
    tasks = {"class", "binary"} if task == "class" else {task}
    found = {path.parent.name: _module(path.parent.name, "measure") for path in HERE.glob("*/text.md.j2")}
    asked = [name for name, one in found.items() if tasks & {*one.TASKS} and getattr(one, "PART", "explanations") in parts]
    return sorted(asked, key=lambda name: (found[name].PLACE, name))


def longest_first(sections: Sequence[str]) -> list[str]:
    """Return sections with those first that take longest to tell, the order in which to begin them side by side."""
    return sorted(sections, key=lambda name: not getattr(_module(name, "measure"), "IS_LONG", False))


def covered(section: Section) -> list[str]:
    """Return the items of the reviewers' checklists that a section covers: those whose table it measured."""
    answers: Mapping[str, str] = getattr(_module(section.key, "measure"), "COVERS", {})
    return [item for item, table in answers.items() if table in section.tables]


def section_of(name: str, context: RunContext, links: Links) -> Section:
    """Return a section, measured and written; one that a model or a library makes impossible says so and why.

    Raises
    ------
    BugError
        If it fails by a fault of dlx.
    """
    module = _module(name, "measure")
    try:
        with values_of(context.case):
            measured = context.once(f"section {name}", lambda: module.measure(context))
            return _written(name, module, context, measured, links)
    except Exception as error:
        if is_own_fault(error):
            raise BugError(f"the section “{module.TITLE}”", error) from error
        why = in_a_line(error)
        context.narrator.say(f"{module.TITLE} could not be measured: {why}")
        return Section(name, module.TITLE, markdown(f"This could not be measured. {escape(why)}"), Markup(""), {})


@contextlib.contextmanager
def values_of(case: Dataset) -> Iterator[None]:
    """Print values in the unit of a case's target inside the block, with three digits of their spread; nothing of classes."""
    target, outcomes = case.schema.target, case.outcomes
    if not target.is_value or outcomes is None:
        yield
        return
    spread = float(outcomes.std()) or float(np.abs(outcomes).max()) or 1.0
    with plots.values_of_page(target.unit or target.label, max(0, DIGITS - 1 - int(np.floor(np.log10(spread))))):
        yield


def unit_after(target: Target) -> Markup:
    """Return the unit of a value as it stands after a number; nothing where there is none."""
    return Markup("\u00a0{}").format(target.unit) if target.is_value and target.unit else Markup("")


def _written(name: str, module: ModuleType, context: RunContext, measured: Measured, links: Links) -> Section:
    tables = dict(measured.tables)
    if measured.facts:
        tables[f"{name}_facts"] = pd.DataFrame({"name": [*measured.facts], "value": [*map(float, measured.facts.values())]})
    is_apart = context.case.schema.target.is_value and (HERE / name / "value.md.j2").exists()
    template = f"sections/{name}/{'value' if is_apart else 'text'}.md.j2"
    blocks = rendered(template, _Page(name, context, measured, Tables(tables), links).words)
    written = {table: found for table, found in tables.items() if not table.startswith("_")}
    return Section(name, module.TITLE, blocks["page"], blocks.get("evidence", Markup("")), written, measured.about)


@dataclass(frozen=True, eq=False)
class _Page:
    """What a section's prose can say beside words."""

    name: str
    context: RunContext
    measured: Measured
    tables: Tables
    links: Links

    @property
    def words(self) -> dict[str, Any]:
        case, tables, target = self.context.case, self.tables, self.context.case.schema.target
        of_task = WORDS[target.scale] if case.several is None else WORDS_OF_A_CLASS
        said: dict[str, Any] = {"context": self.context, "case": case, "target": target, "m": self.measured, "words": of_task}
        said |= {"unit": unit_after(target), "unit_of": plots.unit_of, "line": tables.line, "lines": tables.lines}
        return said | {name: getattr(self, name) for name in ("fact", "figure", "grid", "fold", "evidence")}

    def fact(self, name: str) -> Number:
        found: Number = self.tables.line(f"{self.name}_facts", name=name)["value"]
        return found

    def figure(self, name: str, *, alt: Any, caller: Callable[[], str], table: str = "", folded: str = "") -> Markup:
        """Return a figure of ``figures.py``, with the caption that the call holds, and a link to the CSV of its numbers.

        With `folded`, a few words, it opens by a click on them.
        """
        source = _drawn(_module(self.name, "figures"), name, self.measured, self.context)
        macros: Any = layout().get_template("blocks.html.j2").module
        caption = markdown(str(caller()), inline=True)
        drawn = one_block(str(macros.picture(source, bare(alt), caption, table or name, self.links.tables_folder)))
        return self.fold(folded, lambda: drawn) if folded else drawn

    def grid(
        self,
        table: str,
        columns: Mapping[str, str],
        caption: Any,
        *,
        by: str = "",
        key: str = "metric",
        csv: str = "",
        **where: Any,
    ) -> Markup:
        """Return a table of the page.

        Parameters
        ----------
        table : str
            The table that it shows.
        columns : mapping of str to str
            Which cell stands below each header, as in `prose.cell`; with `by`, "auc: estimate|two" is of the line whose `key`
            is "auc".
        caption : str
            What the cells are, in which unit, over whom.
        by : str
            The columns that have one value in all lines of the table that become one here.
        csv : str
            The CSV that holds its numbers, where it is not the table's own.
        """
        groups: dict[Any, dict[str, Line]] = {}
        for place, line in enumerate(self.tables.lines(table, **where)):
            same = tuple(line[name] for name in by.split()) if by else place
            groups.setdefault(same, {})[" ".join(line[name] for name in key.split()) if by else ""] = line
        cells = [[_cell(group, spec) for spec in columns.values()] for group in groups.values()]
        named = csv or table.removeprefix("_")
        written = named if named in self.tables.tables else ""
        words = bare(caption)
        if len(cells) > MOST_LINES:
            words += f"; the first {MOST_LINES} of {len(cells):,} lines, the others are in the CSV"
        return one_block(table_block(words, list(columns), cells[:MOST_LINES], self.links.tables_folder, written))

    def fold(self, summary: str, caller: Callable[[], Any]) -> Markup:
        """Return prose that opens by a click on the summary."""
        return Markup("\n\n<details><summary>{}</summary>\n\n{}\n\n</details>\n\n").format(summary, caller())

    def evidence(self, words: str) -> Markup:
        """Return a link to the section on the second page."""
        return Markup('<a class="evidence" href="{}#{}">{}</a>').format(self.links.second_page, self.name, words)


def _cell(group: Mapping[Any, Line], spec: str) -> str:
    which, _, asked = spec.rpartition(": ")
    if not which:
        return cell(next(iter(group.values())), asked)
    return cell(group[which], asked) if which in group else "–"


def joined(tables: Iterable[pd.DataFrame | None]) -> pd.DataFrame:
    """Return tables one below the other; those that are empty or None have no place in it."""
    found = [table for table in tables if table is not None and len(table)]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _drawn(figures: ModuleType, name: str, measured: Any, context: RunContext) -> str:
    """Return the address of a figure that holds the figure itself."""
    with plots.style():
        return embedded(getattr(figures, name)(measured, context))


def _module(name: str, part: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}.{part}")
