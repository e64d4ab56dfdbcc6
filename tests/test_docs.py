"""The documentation has a page of each method, and its API names what there is; CI builds it with warnings as errors."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import dlx
from dlx import explainers

DOCS = Path(__file__).parents[1] / "experiments" / "docs"
API = re.findall(r"^   (dlx\.[\w.]+)$", (DOCS / "api.md").read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_each_method_has_a_page_with_its_facts_and_what_to_think_of_it():
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (DOCS / "methods").glob("*.md") if path.stem != "index"}
    assert sorted(pages) == explainers.names()
    for name, page in pages.items():
        assert page.startswith(f"# {explainers.method(name).LABEL}\n\n```{{facts}} {name}\n```\n")
        assert all(f"**{part}**" in page for part in ("Strengths.", "Weaknesses.", "When not."))
        assert "$$" in page or "](shapley.md)" in page


def test_every_name_of_everyday_use_is_in_the_api():
    assert {f"dlx.{name}" for name in dlx.__all__} <= set(API)


@pytest.mark.parametrize("name", API)
def test_the_api_names_what_there_is(name):
    room, _, last = name.rpartition(".")
    assert hasattr(importlib.import_module(room), last) or importlib.import_module(name)
