"""The pages of a report: its sections on a page that everybody reads, and on a second one with the evidence."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.context import RunContext
from dlx.errors import BugError
from dlx.files import csv_text, recover, write_together
from dlx.plots import models_of_page
from dlx.reporting.frame import opening, sign
from dlx.reporting.glossary import glossary_data, glossary_lines, linked
from dlx.reporting.prose import layout
from dlx.reporting.sections import Links, Section, UnfinishedError, longest_first, names, section_of
from dlx.workbench import IN_PAGE, PAGE_STYLE, STYLE, book, joined

if TYPE_CHECKING:
    import pandas as pd

HERE = Path(__file__).parent
ASK = "ask"  # the section in whose place the workbench stands


def write_report(context: RunContext, parts: Sequence[str], page: Path, command: str) -> Path:
    """Write the pages of a report and the folder of its tables, all of them or none, and return the path of the first.

    Parameters
    ----------
    context : RunContext
        Case, models and people.
    parts : sequence of str
        As of `dlx.reporting.sections.names`.
    page : Path
        The first page.
    command : str
        What made the report, as it is typed.

    Raises
    ------
    UnfinishedError
        If a section fails by a fault of dlx: the others are written to ``<page>-unfinished.html``.
    """
    task = context.case.schema.target.kind if context.case.several is None else "class"
    finished, faults = _sections_of(context, names(parts, task), page)
    written = page
    if faults:
        written = page.with_name(f"{page.stem}-unfinished{page.suffix}")
        finished, _ = _sections_of(context, [one.key for one in finished], written)  # links lead to its neighbours
    with context.narrator.step(f"Drawing the page, {written}"), models_of_page([model.name for model in context.models]):
        _write(context, finished, written, command)
    if faults:
        raise UnfinishedError(finished, faults) from faults[0]
    return page


def _sections_of(context: RunContext, sections: Sequence[str], page: Path) -> tuple[list[Section], list[BugError]]:
    """Return the finished sections of a page, and the faults of dlx by which others failed."""
    links = Links(tables_of(page).name, second_page(page).name)

    def attempt(name: str) -> Section | BugError:
        try:
            return section_of(name, context, links)
        except BugError as fault:
            return fault

    order = longest_first(sections)
    tasks = [partial(attempt, name) for name in order]
    found = dict(zip(order, context.side_by_side(tasks, "Telling the sections", "sections"), strict=True))
    tried = [found[name] for name in sections]
    faults = [one for one in tried if isinstance(one, BugError)]
    for fault in faults:
        context.narrator.say(str(fault))
    return [one for one in tried if isinstance(one, Section)], faults


def second_page(page: Path) -> Path:
    """Return where the evidence of a page stands: evidence.html beside report.html, <name>-evidence.html beside another."""
    return page.with_name("evidence.html" if page.stem == "report" else f"{page.stem}-evidence.html")


def tables_of(page: Path) -> Path:
    """Return the folder of a page's tables."""
    return page.with_name(f"{page.stem}-tables")


def explanations_of(page: Path) -> Path:
    """Return the folder where a page keeps the explanations that it made."""
    return page.with_name(f"{page.stem}-explanations")


def _write(context: RunContext, finished: Sequence[Section], page: Path, command: str) -> None:
    links = Links(tables_of(page).name, second_page(page).name)
    signed = sign(context, finished, command, links)
    tables = {name: table for one in (*finished, signed) for name, table in one.tables.items()}
    backed = [(one, linked(one.evidence, page=page.name)) for one in (*finished, signed) if one.evidence]
    shared: dict[str, Any] = {"title": context.case.card.title or context.case.name, "table_names": list(tables)}
    shared |= {"style": PAGE_STYLE.read_text(encoding="utf-8"), "script": (HERE / "page.js").read_text(encoding="utf-8")}
    shared |= {"tables_folder": links.tables_folder, "second_page": links.second_page}
    first = shared | {"opening": linked(opening(context, finished)), "sections": [(one, linked(one.page)) for one in finished]}
    if any(one.key == ASK and one.about["rows"] for one in finished):
        held = book(context, tables, glossary_data())
        first |= {"book": json.dumps(held).replace("<", "\\u003c"), "workbench": joined(IN_PAGE)}
        first["style"] += STYLE.read_text(encoding="utf-8")
    first |= {"sign": signed.page, "glossary": glossary_lines(), "card": context.case.card}
    pages = {
        page: layout().get_template("report.html.j2").render(first),
        second_page(page): layout().get_template("evidence.html.j2").render(shared, sections=backed, main_page=page.name),
    }
    write_files(page, pages, tables)


def write_files(page: Path, pages: Mapping[Path, str], tables: Mapping[str, pd.DataFrame]) -> None:
    """Write pages and the folder of their tables, each a CSV of its name, all or none.

    The folder is the page's own: the tables that the page before links to go with it, and without such a page all that are
    CSV. Whatever else stands there stays.
    """
    recover(page)
    folder, earlier = tables_of(page), None
    if page.is_file():
        before = page.read_text(encoding="utf-8", errors="replace")
        earlier = set(map(html.unescape, re.findall(rf'"{re.escape(html.escape(folder.name))}/([^"/]+)"', before)))

    def is_ours(path: Path) -> bool:
        return path.suffix == ".csv" if earlier is None else path.name in earlier

    files = {f"{name}.csv": csv_text(table) for name, table in tables.items()}
    write_together({**pages, folder: files}, ours=is_ours)
