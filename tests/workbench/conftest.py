"""The engine of the workbench, run by node, and pages with nothing but the workbench."""

from __future__ import annotations

import json

import pytest
from browser_engine import running_engine

from dlx.workbench import IN_PAGE, PAGE_STYLE, STYLE, book, joined

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>A workbench</title><meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
script-src 'unsafe-inline'; worker-src blob:"><style>{style}</style></head>
<body><main><h1>A workbench</h1><section id="ask"><h2>Ask</h2><details><summary>Look</summary>
<div id="workbench" class="workbench"></div></details></section></main>
<script type="application/json" id="workbench-book">{book}</script><script>{script}</script></body></html>
"""


@pytest.fixture(scope="session")
def ask():
    """Return a function of what is asked of a model, and with what (see `browser_engine.js`): the engine's answer."""
    with running_engine() as asked:
        yield asked


@pytest.fixture(scope="session")
def file_of(tmp_path_factory):
    """Return a function that writes a page with nothing but the workbench of a context, and returns its path."""

    def written(name, context, tables=None):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(type(context), "explanations", {})
            held = json.dumps(book(context, tables or {})).replace("<", "\\u003c")
        page = tmp_path_factory.mktemp("workbench") / f"{name}.html"
        style = PAGE_STYLE.read_text("utf-8") + STYLE.read_text("utf-8")
        page.write_text(PAGE.format(style=style, book=held, script=joined(IN_PAGE)), "utf-8")
        return page

    return written


@pytest.fixture
def complaints():
    """What pages complained of, which nobody may have after the test."""
    found = []
    yield found
    assert not found


@pytest.fixture
def opened(browser, complaints):
    """Return a function that opens a file at a link, once the workbench in it is filled."""
    pages = []

    def at(path, link="person="):
        page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
        page.set_default_timeout(10_000)
        pages.append(page)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(f"{path.as_uri()}#{link}", wait_until="load")
        page.wait_for_selector("#workbench[data-ready]")
        return page

    yield at
    for page in pages:
        page.close()
