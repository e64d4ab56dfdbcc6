"""The page in a browser: from disk, without a network, for everybody, and on paper."""

from __future__ import annotations

from itertools import pairwise

import pytest
from axe_playwright_python.sync_playwright import Axe

from dlx.reporting.page import HERE
from dlx.reporting.prose import table_block
from dlx.reporting.sections import names

SECTIONS = (*names(), "sign")


@pytest.fixture
def page(bank_loan_opened):
    """The page on a wide screen, with nothing unfolded."""
    bank_loan_opened.emulate_media(media="screen")
    bank_loan_opened.set_viewport_size({"width": 1280, "height": 900})
    bank_loan_opened.evaluate("document.querySelectorAll('details').forEach(folded => { folded.open = false; })")
    return bank_loan_opened


def unfold(page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(folded => { folded.open = true; })")


def test_it_asks_for_nothing_but_itself_and_does_not_complain(page, bank_loan_page):
    assert [url for url in page.asked if not url.startswith("data:")] == [bank_loan_page.as_uri()]
    assert page.complaints == []


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_is_seen_and_reached_by_its_link(page, section):
    assert page.locator(f"#{section}").is_visible()
    assert page.locator(f"#{section}-title").inner_text().strip()
    page.locator(f'nav a[href="#{section}"]').click()
    page.wait_for_url(f"**#{section}")


def test_every_picture_shows_something_and_says_what(page):
    unfold(page)
    pictures = page.evaluate(
        "[...document.images].map(i => [i.complete, i.naturalWidth, i.naturalHeight, i.getBoundingClientRect().width, i.alt])"
    )
    assert len(pictures) > 8
    for complete, width, height, shown, alt in pictures:
        assert complete
        assert min(width, height) > 100
        assert shown > 100
        assert len(alt) > 40


def test_every_picture_has_ink(page):
    """Draw each picture on a canvas, and look for dark points."""
    ink = page.evaluate(
        """[...document.images].map(image => {
          const canvas = document.createElement("canvas");
          canvas.width = 300; canvas.height = 200;
          const context = canvas.getContext("2d");
          context.fillStyle = "white"; context.fillRect(0, 0, 300, 200);
          context.drawImage(image, 0, 0, 300, 200);
          const points = context.getImageData(0, 0, 300, 200).data;
          let dark = 0;
          for (let i = 0; i < points.length; i += 4) if (points[i] + points[i + 1] + points[i + 2] < 600) dark += 1;
          return dark / 60000;
        })"""
    )
    assert min(ink) > 0.005
    assert max(ink) < 0.9


def test_a_table_sorts_by_a_click_or_a_key_on_a_header_and_back(page):
    table = page.locator("table.sortable").first
    header = table.locator("thead th").nth(1)
    assert header.inner_text().startswith("ROC AUC")

    def column() -> list[float]:
        return [float(text.split()[0]) for text in table.locator("tbody tr td:nth-child(2)").all_inner_texts()]

    before = column()
    header.locator("button").click()
    assert column() == sorted(before)
    assert header.get_attribute("aria-sort") == "ascending"
    header.locator("button").press("Enter")
    assert column() == sorted(before, reverse=True)
    assert header.get_attribute("aria-sort") == "descending"
    table.locator("thead th").first.locator("button").click()
    names = table.locator("tbody th").all_inner_texts()
    assert names == sorted(names)
    assert header.get_attribute("aria-sort") is None


def test_numbers_sort_by_their_value_whatever_they_are_printed_with_and_gaps_come_last(browser):
    cells = ["−.25 (−.40 to −.10)", "–", "1,200", "+.005 (+.001 to +.010)", "∞", "−3", "16.6 %", "p < .001", "too few", "−∞"]
    shown = browser.new_page()
    html = table_block("numbers", ["n", "what"], [(str(i), cell) for i, cell in enumerate(cells)], "tables")
    shown.set_content(f"{html}<script>{(HERE / 'page.js').read_text()}</script>")
    second = shown.locator("thead th").nth(1).locator("button")
    order = ["−∞", "−3", "−.25 (−.40 to −.10)", "p < .001", "+.005 (+.001 to +.010)", "16.6 %", "1,200", "∞", "too few"]
    second.click()
    assert shown.locator("tbody td").all_inner_texts() == [*order, "–"]
    second.click()
    assert shown.locator("tbody td").all_inner_texts() == [*reversed(order), "–"]
    shown.close()


@pytest.mark.parametrize(("width", "folded"), [(1280, True), (1280, False), (360, False)])
def test_axe_finds_no_fault(page, width, folded):
    page.set_viewport_size({"width": width, "height": 800})
    if not folded:
        unfold(page)
    page.evaluate("window.scrollTo(0, 0)")
    found = Axe().run(page)
    assert found.response["violations"] == [], found.generate_report()


def test_a_narrow_screen_does_not_scroll_sideways(page):
    page.set_viewport_size({"width": 360, "height": 800})
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_an_address_that_is_longer_than_a_narrow_screen_is_broken(page):
    page.set_viewport_size({"width": 360, "height": 800})
    page.evaluate("document.querySelector('footer p').append(' https://example.org/' + 'long/'.repeat(60))")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.evaluate("document.querySelector('footer p').lastChild.remove()")


def test_the_page_is_read_in_order_by_its_headings(page):
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert max(after - before for before, after in pairwise(levels)) == 1


def test_on_paper_everything_is_unfolded_and_the_menu_is_gone(page, tmp_path):
    path = tmp_path / "page.pdf"
    page.pdf(path=path, format="A4")
    assert path.read_bytes()[:5] == b"%PDF-"
    assert path.stat().st_size > 50_000
    assert page.evaluate("[...document.querySelectorAll('details')].every(folded => folded.open)")
    page.emulate_media(media="print")
    assert not page.locator("nav.contents").is_visible()
    assert page.locator("dl.glossary").is_visible()


def test_on_paper_no_table_and_no_picture_is_cut(page):
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 720, "height": 1000})  # A4 without its margins
    unfold(page)
    sides = page.evaluate("[...document.querySelectorAll('table, img')].map(e => e.getBoundingClientRect().right)")
    assert max(sides) <= 720


def test_without_scripts_everything_can_still_be_read(browser, bank_loan_page):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(bank_loan_page.as_uri())
    for section in SECTIONS:
        assert page.locator(f"#{section}").is_visible()
    context.close()


def test_a_screenshot_is_not_blank(page, tmp_path):
    from PIL import Image

    path = tmp_path / "page.png"
    page.evaluate("window.scrollTo(0, 0)")
    page.screenshot(path=path)
    with Image.open(path) as image:
        assert image.size == (1280, 900)
        grey = image.convert("L").histogram()
    assert sum(grey[:128]) > 5_000
    assert sum(grey[240:]) > 0.5 * 1280 * 900


def test_nothing_was_complained_of_or_asked_for_in_the_end(bank_loan_opened):
    assert bank_loan_opened.complaints == []
    assert not [url for url in bank_loan_opened.asked if not url.startswith(("file:", "data:", "blob:"))]
