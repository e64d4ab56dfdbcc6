"""The glossary: terms of the trade in words that a loan officer understands, and links to them from where they are used."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from dlx import explainers
from dlx.reporting import phrases
from dlx.reporting.prose import as_html

TERMS = Path(__file__).with_suffix(".toml")
TAG = re.compile(r"(<[^>]*>)")
NAME = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)")
# Where no link may stand (links, buttons), or a reader looks for something else
LEFT_ALONE = {
    *("a", "button", "summary", "h1", "h2", "h3", "h4", "h5", "h6", "code", "pre", "data", "td", "th", "script", "style")
}


@dataclass(frozen=True)
class Term:
    """An entry of the glossary."""

    name: str
    means: str
    also: tuple[str, ...] = ()  # other spellings

    @property
    def anchor(self) -> str:
        """Where the entry stands: "term-log-odds"."""
        return "term-" + re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


@cache
def glossary_lines() -> tuple[Term, ...]:
    """Return all entries by the alphabet: those of ``glossary.toml``, and the methods by the question that each one answers."""
    written: Mapping[str, Mapping[str, str]] = tomllib.loads(TERMS.read_text(encoding="utf-8"))
    terms = [Term(name, entry["means"], tuple(entry.get("also", ()))) for name, entry in written.items()]
    methods = [explainers.method(name) for name in explainers.names()]
    terms += [Term(one.LABEL, f"A method of explaining. It asks: {one.QUESTION}") for one in methods]
    return tuple(sorted(terms, key=lambda term: term.name.lower()))


def glossary_data() -> list[dict[str, Any]]:
    """Return all entries as plain data, for the workbench: {name, also, means}."""
    return [{"name": term.name, "also": [*term.also], "means": term.means} for term in glossary_lines()]


def linked(html: Markup, *, page: str = "") -> Markup:
    """Return a section in which the first use of each term explains itself on hover, and links to its entry on a page.

    Headings, links, code, numbers and the cells of tables stay as they are.
    """
    parts, within, seen = TAG.split(str(html)), 0, set[str]()

    def link(found: re.Match[str]) -> str:
        term = next(terms[one] for one in map(phrases.within, (found[0], found[0].removesuffix("s"))) if one in terms)
        if term.name in seen:
            return found[0]
        seen.add(term.name)
        return f'<a class="term" href="{escape(page)}#{term.anchor}" title="{escape(term.means)}">{found[0]}</a>'

    terms, pattern = _spellings()
    for i, part in enumerate(parts):
        name = NAME.match(part) if i % 2 else None
        if name and name[1].lower() in LEFT_ALONE:
            within += -1 if part.startswith("</") else 1
        elif i % 2 == 0 and not within:
            parts[i] = pattern.sub(link, part)
    return as_html("".join(parts))


@cache
def _spellings() -> tuple[dict[str, Term], re.Pattern[str]]:
    """Return terms by spelling, and what finds any, the longest first, in the plural too, within a sentence or at its start."""
    terms = {phrases.within(word): term for term in glossary_lines() for word in (term.name, *term.also)}
    longest = sorted(terms, key=len, reverse=True)
    words = [re.escape(word) if word[0].isupper() else f"[{word[0]}{word[0].upper()}]{re.escape(word[1:])}" for word in longest]
    return terms, re.compile(rf"(?<![\w-])(?:{'|'.join(words)})s?(?![\w-])")
