"""Prose asks tables: each number knows its cell, and text of a table is nothing but text."""

from __future__ import annotations

import math
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pages import numbers_of, words_of

from dlx.reporting.prose import Number, Tables, environment, markdown

TABLE = pd.DataFrame({"model": ["net", "trees"], "estimate": [0.7812, -0.5], "low": [0.7, math.nan], "high": [0.9, math.nan]})
TABLES = Tables({"scores": TABLE})


def told(template: str, **words) -> str:
    """Return a template's HTML."""
    made = environment().from_string(template).render(line=TABLES.line, lines=TABLES.lines, **words)
    return str(markdown(made))


def test_a_number_is_printed_with_its_value_and_its_cell():
    shown = told('AUC {{ line("scores", model="net").estimate|share }}')
    assert shown == '<p>AUC <data value="0.7812" data-cell="scores/0/estimate">.78</data></p>\n'
    assert len(numbers_of(shown, {"scores": TABLE})) == 1


def test_an_interval_is_three_cells_and_an_estimate_without_ends_stands_alone():
    both = told('{% for one in lines("scores") %}{{ one|interval("two") }}; {% endfor %}')
    assert words_of(both) == "0.78 (0.70\u00a0to\u00a00.90); −0.50;".replace("\u00a0", " ")
    assert [cell for _, cell, _ in numbers_of(both, {"scores": TABLE})][1:3] == ["scores/0/low", "scores/0/high"]


@pytest.mark.parametrize("text", ["{{ three }}", "{{ 0.5|percent }}", "{{ lines('scores')|length }}"])
def test_a_number_without_a_cell_or_without_a_style_is_an_error(text):
    with pytest.raises(ValueError, match=r"has no (cell of a table|style)"):
        told(text, three=3)


@pytest.mark.parametrize("where", [{"model": "nobody"}, {}])
def test_a_line_that_is_not_the_only_one_is_an_error(where):
    with pytest.raises(ValueError, match="lines of 'scores' have"):
        TABLES.line("scores", **where)
    assert TABLES.lines("no such table") == []


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1))
def test_any_text_of_a_table_is_read_as_it_stands(text):
    shown = told("**{{ text }}** and {{ text }}", text=text)
    assert re.fullmatch(r"(?s)<p>.*</p>\n", shown) and set(re.findall(r"<(\w+)", shown)) <= {"p", "strong"}
    assert words_of(shown).count(" ".join(text.split())) >= 2 or not text.strip()


def test_numbers_of_tables_stay_numbers():
    found = TABLES.line("scores", model="net")["estimate"]
    assert isinstance(found, Number) and found == 0.7812 and found.cell == "scores/0/estimate"
