"""What stands on a page, as a reader and a spreadsheet see it."""

from __future__ import annotations

import html
import math
import re
from dataclasses import replace

from dlx.context import Budget, RunContext
from dlx.explainers import lime
from dlx.reporting.phrases import number_in
from dlx.reporting.sections import Links, section_of
from dlx.threads import one_thread

LINKS = Links("report-tables", "evidence.html")

QUICK = Budget("quick", 2, 2, 0.5, 2)


def light(patched, *, pictures=False):
    """Let a page ask for few people, few samples and, unless asked, no pictures: what is measured and told is the same."""
    come = lime.AS_IT_COMES
    few, more = come.options["sampling"] | {"n_samples": 500}, {"n_samples": 1_000}
    patched.setattr(lime, "AS_IT_COMES", replace(come, options=come.options | {"sampling": few}, aligned={"sampling": more}))
    patched.setattr("dlx.comparison.causes.CLOSE", 0.5)
    patched.setattr("dlx.reporting.QUICK", QUICK)
    patched.setitem(RunContext.of.__func__.__kwdefaults__, "budget", QUICK)
    if not pictures:
        patched.setattr("dlx.reporting.sections._drawn", lambda *_: "data:,")


def told_of(name, context):
    """Return a section, measured and told."""
    with one_thread():
        return section_of(name, context, LINKS)


def words_of(markup, *, tables=True):
    """Return the text of a page as one line, without the pictures; without the cells of its tables, where asked."""
    text = re.sub(r"(?s)<(style|script)\b.*?</\1>", " ", str(markup))
    text = text if tables else re.sub(r"(?s)<tbody>.*?</tbody>|<thead>.*?</thead>", " ", text)
    return " ".join(
        html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"</(p|li|td|th|h\d|figcaption|dd|dt|summary)>", " ", text))).split()
    )


def numbers_of(markup, tables):
    """Return the numbers of the prose, each compared with its cell: the value exactly, the words as they round it."""
    found = re.findall(r'<data value="([^"]*)" data-cell="([^"]*)">(.*?)</data>', str(markup))
    for value, address, shown in found:
        table, row, column = address.split("/")
        cell = float(tables[table][column].iloc[int(row)])
        assert float(value) == cell or math.isnan(cell), address
        printed = number_in(shown)
        if printed is not None and math.isfinite(cell):
            off = min(abs(printed - cell), abs(printed - 100 * cell))  # as it stands, or of a hundred
            assert off <= 0.51 * 10.0 ** -len(shown.partition(".")[2].strip(" %")), (address, shown, cell)
    return found


def tables_linked(markup):
    """Return the names of the tables that figures and tables of a page link to."""
    return set(re.findall(r"report-tables/(\w+)\.csv", str(markup)))


def until(page, is_so):
    """Wait until something is so; the page may evaluate no text itself."""
    for _ in range(500):
        if is_so():
            return
        page.wait_for_timeout(20)
    raise AssertionError("it never was")


SCRIPT = re.compile(r"<script.*?</script>", re.DOTALL)


def dead_links(page):
    """Return the links of a page and of its evidence that lead nowhere: to no place within, no file or place beside."""
    evidence = page.with_name("evidence.html" if page.stem == "report" else f"{page.stem}-evidence.html")
    texts = {path.name: SCRIPT.sub("", path.read_text()) for path in (page, evidence)}
    places = {name: set(re.findall(r'id="([^"]+)"', text)) for name, text in texts.items()}
    found = []
    for name, text in texts.items():
        for link in map(html.unescape, re.findall(r'href="([^"]*)"', text)):
            file, _, place = link.partition("#")
            here = (page.parent / file).exists() and not (file in texts and place and place not in places[file])
            if not (place in places[name] if not file else here):
                found.append((name, link))
    return found


ALLOWED = re.compile(  # no measurements: names of texts and statutes, years of papers, where an axis is cut
    r"SR 26-2|29 CFR 1607\.4|12 CFR 1002\.2|sha256|others, 20\d\d|"
    r"\b100 (people|who)\b|intercept 0|slope 1|(Right|Left) of 0|Below 0"
)


def unnumbered(page):
    """Return the bare numbers of a page: digits in its prose that are no cell of a table, code, or a text of the case."""
    text = re.sub(r"(?s)<(style|script|code|data|table|nav|footer|time)\b.*?</\1>", " ", str(page))
    text = re.sub(r'(?s)<(span|a|dl|p) class="(verbatim|term|glossary|run|verbatim [^"]*)".*?</\1>', " ", text)
    text = re.sub(r"(?s)<title>.*?</title>|<h1>.*?</h1>", " ", text)
    words = ALLOWED.sub(" ", words_of(text))
    return [words[max(0, found.start() - 40) : found.end() + 20] for found in re.finditer(r"\d+", words)]
