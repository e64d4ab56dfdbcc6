"""What stands on a page, as a reader and a spreadsheet see it."""

from __future__ import annotations

import html
import math
import re

from dlx.reporting.phrases import number_in
from dlx.reporting.sections import Links, tell
from dlx.threads import one_thread

LINKS = Links("report-tables", "evidence.html")


def told_of(name, context):
    """Return a section, measured and told."""
    with one_thread():
        return tell(name, context, LINKS)


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
            whole = cell * 100 if "%" in shown else cell
            assert abs(printed - whole) <= 0.51 * 10.0 ** -len(shown.partition(".")[2].strip(" %")), (address, shown, cell)
    return found


def tables_linked(markup):
    """Return the names of the tables that figures and tables of a page link to."""
    return set(re.findall(r"report-tables/(\w+)\.csv", str(markup)))
