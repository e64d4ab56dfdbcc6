"""How long the pages of a report are: words, screens, and what axe finds, beside what they may be.

    uv run --locked --group test python experiments/page_budget.py bank_loan/report.html heart_attack/report.html

A page of a case has at most 6,000 words of text and 3,000 in table cells with everything unfolded, and opens within 15 screens
of 1280 x 800 and 25 of 400 x 800 (28 and 45 unfolded); its evidence has at most 8,000 words of text. The glossary does not
count.
"""

from __future__ import annotations

import argparse
import html
import re
import shutil
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, sync_playwright
from running import run

SCREEN = 800
WIDTHS = (1280, 400)
LIMITS = {
    "words": 6_000,
    "words in cells": 3_000,
    "words of the evidence": 8_000,
    "screens at 1280": 15,
    "screens at 400": 25,
    "unfolded at 1280": 28,
    "unfolded at 400": 45,
    "wider than the screen at 1280": 0,
    "wider than the screen at 400": 0,
    "faults by axe": 0,
}


def words(page: Path) -> tuple[int, int]:
    """Return the words of a page's text, without its glossary, and those in its table cells."""
    text = re.sub(r"(?s)<(style|script)\b.*?</\1>|<dl class=\"glossary\">.*?</dl>", " ", page.read_text(encoding="utf-8"))
    text = text[text.index("<body") :]
    cells = re.findall(r"(?s)<t[dh]\b[^>]*>(.*?)</t[dh]>", text)
    prose = re.sub(r"(?s)<t[dh]\b[^>]*>.*?</t[dh]>", " ", text)
    return counted(prose), sum(map(counted, cells))


def counted(markup: str) -> int:
    """Return how many words a reader sees in some HTML."""
    apart = re.sub(r"</(?:p|li|dt|dd|h\d|summary|figcaption|caption)>", " ", markup)
    return len(html.unescape(re.sub(r"<[^>]+>", "", apart)).split())


def measured(browser: Browser, page: Path) -> dict[str, int | float]:
    """Return every measure of the budget, of a page and its evidence."""
    evidence = page.with_name("evidence.html" if page.stem == "report" else f"{page.stem}-evidence.html")
    found: dict[str, int | float] = dict(zip(("words", "words in cells"), words(page), strict=True))
    found |= {"words of the evidence": words(evidence)[0], "faults by axe": 0}
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            shown = browser.new_page(viewport={"width": width, "height": SCREEN}, color_scheme=scheme)
            shown.goto(page.resolve().as_uri())
            if scheme == "light":
                found[f"screens at {width}"] = round(shown.evaluate("document.documentElement.scrollHeight") / SCREEN, 2)
            shown.evaluate("document.querySelectorAll('details').forEach(folded => { folded.open = true; })")
            shown.wait_for_selector("#workbench[data-ready], body:not(:has(#workbench))", state="attached")  # it fills itself
            if scheme == "light":
                found[f"unfolded at {width}"] = round(shown.evaluate("document.documentElement.scrollHeight") / SCREEN, 2)
                wide = shown.evaluate("document.documentElement.scrollWidth")
                found[f"wider than the screen at {width}"] = max(0, wide - width)
            found["faults by axe"] += Axe().run(shown).violations_count
            if scheme == "light":
                shown.emulate_media(media="print")
                found["faults by axe"] += Axe().run(shown).violations_count
            shown.close()
    return found


def main() -> int:
    """Print the measures of each page beside their limits; 1 where one is beyond its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", type=Path, help="report.html, beside its evidence.html")
    pages = parser.parse_args().pages
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        every = [measured(browser, page) for page in pages]
        browser.close()
    print("| | at most | " + " | ".join(map(str, pages)) + " |\n|---|---|" + "---|" * len(pages))
    for name, limit in LIMITS.items():
        print(f"| {name} | {limit:,} | " + " | ".join(f"{found[name]:,}" for found in every) + " |")
    return int(any(found[name] > limit for found in every for name, limit in LIMITS.items()))


if __name__ == "__main__":
    run(main)
