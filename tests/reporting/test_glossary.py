"""The glossary: each term explains itself where a section first uses it, and nowhere that a link would be wrong."""

from __future__ import annotations

import re

import pytest
from markupsafe import Markup

from dlx import explainers
from dlx.reporting.glossary import glossary_lines, linked


def links_of(html):
    """Return the terms that were linked: where to, and the word."""
    return re.findall(r'<a class="term" href="([^"]*)" title="[^"]+">([^<]*)</a>', html)


def test_the_first_use_of_a_term_in_a_section_links_to_its_entry_and_the_others_do_not():
    html = linked(Markup("<p>Log-odds add up. In log-odds, the Shapley values of two people differ.</p>"))
    assert links_of(html) == [("#term-log-odds", "Log-odds"), ("#term-shapley-value", "Shapley values")]
    assert re.sub(r"</?a[^>]*>", "", html) == "<p>Log-odds add up. In log-odds, the Shapley values of two people differ.</p>"
    assert links_of(linked(Markup("log-odds"), page="report.html")) == [("report.html#term-log-odds", "log-odds")]


@pytest.mark.parametrize("tag", ["a", "h2", "h3", "code", "td", "th", "data", "summary", "button"])
def test_headings_links_code_cells_and_numbers_stay_as_they_are(tag):
    html = Markup(f"<{tag} title='log-odds'>log-odds <b>and LIME</b></{tag}> and then log-odds")
    found = linked(html)
    assert found.startswith(f"<{tag} title='log-odds'>log-odds <b>and LIME</b></{tag}> and then <a ")
    assert links_of(found) == [("#term-log-odds", "log-odds")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Kernel SHAP and a kernel", ["Kernel SHAP"]),
        ("lime is a fruit, LIME a method", ["LIME"]),
        ("ale is a drink; ALE is not", ["ALE"]),
        ("backgrounds, proxies and a proxy", ["backgrounds", "proxies"]),
        ("its logit is a log-odds", ["logit"]),
        ("ungrounded, backgrounding, non-background, background-like", []),
        ("integrated gradients", ["integrated gradients"]),
    ],
)
def test_whole_words_in_any_spelling_are_found(text, words):
    assert [word for _, word in links_of(linked(Markup(text)))] == words


def test_every_entry_is_found_by_its_own_name_and_has_its_own_place():
    entries = glossary_lines()
    for term in entries:
        assert links_of(linked(Markup.escape(f"The {term.name}, {term.means}")))[0][0] == f"#{term.anchor}"
        assert term.means.endswith((".", "?")) and len(term.means.split()) <= 45
    assert len({term.anchor for term in entries}) == len(entries)
    assert {explainers.method(name).LABEL for name in explainers.names()} <= {term.name for term in entries}
