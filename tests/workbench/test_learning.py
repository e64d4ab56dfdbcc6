"""Learn and Take along, in a page's own file: terms, what plots say, methods step by step, alignment, pictures, paper."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe

import dlx
from dlx.comparison.causes import MEASURES, Disagreement
from dlx.reporting.glossary import glossary_lines
from dlx.workbench.contents import aligned_distances

DEMOS = {  # and how the figure of each is called
    "orders": "orders-of-columns",
    "path": "path",
    "references": "differences-from-references",
    "cloud": "cloud-of-lime",
    "everybody": "everybody-set-to-a-value",
}


@pytest.fixture(scope="module")
def opened(browser, bank_loan_page):
    page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce", has_touch=True)
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: page.complaints.append(f"error: {error}"))
    page.goto(bank_loan_page.as_uri(), wait_until="load")
    yield page
    assert not page.complaints
    page.close()


def at(page, link):
    """Follow a link into the page."""
    page.set_viewport_size({"width": 1280, "height": 900})
    page.evaluate("link => history.replaceState(null, '', link)", f"#{link}")
    page.reload(wait_until="load")
    page.wait_for_selector("#workbench[data-ready]")
    page.wait_for_selector("#workbench .waterfall")


def unfold(page, title):
    page.locator("#workbench summary", has_text=title).click()


def number(text):
    return float(text.replace("−", "-").replace(",", "").strip(" %"))


def demonstrate(page, demo):
    """Choose a method in the part that shows how it gets its answer, and wait for its figure."""
    page.locator(".learn .choices select").first.select_option(demo)
    page.wait_for_selector(f".learn [data-figure={DEMOS[demo]}] .steps-picture")


def to_the_end(page):
    """Go to the last step; what stands there: the words, and the numbers of the bars by label."""
    slider = page.get_by_label("Step", exact=True).locator("visible=true").last
    slider.press("End")
    bars = page.eval_on_selector_all(
        ".learn .steps-picture g:has(> .grid)",
        "all => all.map(one => [one.querySelector('title').textContent, one.querySelector('.number').textContent])",
    )
    return page.locator(".learn .step").inner_text(), {label: number(said) for label, said in bars}


def waterfall(page):
    lines = page.eval_on_selector_all(
        "#workbench .waterfall tbody tr:not(.edge)",
        "all => all.map(one => [one.querySelector('th').firstChild.textContent, one.querySelector('.number').textContent])",
    )
    return {label: number(said) for label, said in lines[:-1]}


def test_terms_explain_themselves_by_keyboard_mouse_and_touch(opened):
    at(opened, "person=522")
    means = {term.name: term.means for term in glossary_lines()}
    tip, terms = opened.locator("#workbench .tip"), opened.locator("#workbench .who button.term")
    first = terms.first
    for show in (first.focus, first.hover, first.tap):
        show()
        assert tip.is_visible() and first.get_attribute("aria-describedby") == "workbench-tip"
        assert means[first.get_attribute("data-term")] in tip.inner_text()
        opened.keyboard.press("Escape")
        assert tip.is_hidden() and first.get_attribute("aria-describedby") is None
        opened.locator("#workbench h3").first.focus()
        opened.mouse.move(0, 0)
    opened.set_viewport_size({"width": 360, "height": 700})
    for term in opened.locator("#workbench .who button.term >> visible=true").all():
        term.focus()
        box = tip.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 360


def test_every_term_of_the_trade_has_a_text_where_it_is_used(opened):
    at(opened, "person=522")
    opened.evaluate("document.querySelectorAll('#workbench details').forEach(folded => { folded.open = true; })")
    opened.wait_for_selector(".learn .steps-picture")
    found = set()
    for demo in DEMOS:
        demonstrate(opened, demo)
        to_the_end(opened)
        if demo == "cloud":
            opened.locator(".learn .steps input").fill("2")
        found |= set(opened.eval_on_selector_all("#workbench button.term", "all => all.map(one => one.dataset.term)"))
    at(opened, "person=522&duration=12&method=shapley")
    opened.wait_for_selector("#workbench .waterfall [data-term='noise band']")
    wanted = {"log-odds", "background", "Shapley value", "standard error", "ICE", "threshold", "partial dependence", "recourse"}
    assert found >= wanted | {"kernel width", "cohort", "contribution"}


def test_beside_each_plot_stands_what_it_says_and_what_not(opened):
    bank = dlx.load("bank_loan")
    at(opened, "person=522&model=mlp&method=deeplift")
    row, mlp = bank.test[[bank.test.index.tolist().index(522)]], dlx.load_model(bank, "mlp")
    made = dlx.explain(mlp, row, method="deeplift", background=bank.background(20), scale="logit").values[0]
    largest = int(np.abs(made).argmax())
    risks, contributions = opened.locator("#workbench .who .says").all_inner_texts()[:2]
    assert f"“{bank.schema.labels[largest]}” moves this prediction of mlp most: {made[largest]:+.2f} log-odds" in contributions
    assert "does not say that changing" in contributions and "all above the threshold of 17 %" in risks
    opened.evaluate("document.querySelectorAll('#workbench details').forEach(folded => { folded.open = true; })")
    opened.wait_for_selector("#workbench .form + * .says, #workbench .form ~ div .says")
    for figure in opened.locator("#workbench [data-figure]:not(.learn *)").all():
        beside = figure.locator("xpath=following-sibling::*[position() <= 3]/descendant-or-self::*[contains(@class, 'says')]")
        assert "does not say" in beside.first.inner_text()


@pytest.mark.parametrize(
    ("method", "demo"), [("deeplift", "references"), ("integrated_gradients", "path"), ("shapley", "orders")]
)
def test_a_method_step_by_step_ends_at_the_values_that_are_shown(opened, method, demo):
    at(opened, f"person=522&model=mlp&method={method}")
    unfold(opened, "How does this method get its answer?")
    opened.wait_for_selector(".learn .steps-picture")
    assert opened.locator(".learn .choices select").first.input_value() == demo
    words, bars = to_the_end(opened)
    shown = waterfall(opened)
    assert bars.keys() >= shown.keys()
    if demo == "orders":
        inside, of = map(int, re.search(r"(\d+) of (\d+) columns are within two standard errors", words).groups())
        assert inside >= 0.8 * of
    off = max(abs(bars[label] - value) for label, value in shown.items())
    assert off <= (0.15 if demo == "orders" else 0.011) * max(1, *map(abs, shown.values()))
    assert "the largest difference is" in words


def test_lime_step_by_step_ends_where_lime_does_and_says_how_sure_it_is(opened):
    at(opened, "person=522&model=mlp&method=lime")
    unfold(opened, "How does this method get its answer?")
    opened.wait_for_selector(".learn .steps-picture")
    words, bars = to_the_end(opened)
    inside, of = map(int, re.search(r"(\d+) of (\d+) columns are within two standard errors", words).groups())
    assert inside >= 0.8 * of and max(abs(bars[label] - value) for label, value in waterfall(opened).items()) < 0.2


def test_everybody_is_set_to_each_value_and_the_mean_is_pythons(opened):
    bank = dlx.load("bank_loan")
    at(opened, "person=522&model=gradient_boosting&unit=probability")
    unfold(opened, "How does this method get its answer?")
    opened.wait_for_selector(".learn .steps-picture", timeout=10_000)
    demonstrate(opened, "everybody")
    opened.locator(".learn").get_by_label("Column").select_option("duration")
    opened.wait_for_selector(".learn .step:has-text('Length of the loan')")
    words, _ = to_the_end(opened)
    rows = bank.background(20).rows.copy()
    place = bank.schema.position("duration")
    rows[:, place] = bank.train.rows[:, place].max()
    mean = dlx.load_model(bank, "gradient_boosting").predict(rows, "probability").mean()
    assert float(re.search(r"says (\d+) % on average", words)[1]) == pytest.approx(100 * mean, abs=0.51)


def test_steps_go_by_keys_and_play_only_where_motion_is_welcome(opened, browser, bank_loan_page):
    at(opened, "person=522&model=mlp&method=deeplift")
    unfold(opened, "How does this method get its answer?")
    opened.wait_for_selector(".learn .steps-picture")
    step = opened.locator(".learn .step")
    assert step.inner_text().startswith("1 of ") and not opened.get_by_role("button", name="Play").count()
    opened.locator(".learn .steps input").focus()
    opened.keyboard.press("ArrowRight")
    assert step.inner_text().startswith("2 of ")
    opened.get_by_role("button", name="Back", exact=True).press("Enter")
    assert step.inner_text().startswith("1 of ")
    moving = browser.new_page(reduced_motion="no-preference")
    moving.goto(f"{bank_loan_page.as_uri()}#person=522&method=deeplift")
    moving.wait_for_selector("#workbench .waterfall")
    unfold(moving, "How does this method get its answer?")
    moving.wait_for_selector(".learn .steps-picture")
    assert moving.locator(".learn .step").inner_text().startswith("1 of ")  # nothing moves by itself
    moving.get_by_role("button", name="Play").click()
    moving.wait_for_selector(".learn .step:has-text('2 of ')", timeout=5_000)
    moving.get_by_role("button", name="Pause").click()
    assert moving.get_by_role("button", name="Play").is_visible()
    moving.close()


def test_what_aligning_two_methods_leaves_of_their_disagreement_is_what_was_measured(opened, bank_loan_page):
    at(opened, "person=522&model=mlp")
    unfold(opened, "on one axis")
    folder, about = bank_loan_page.with_name("report-tables"), "model == 'mlp' and measure == 'placed differently'"
    means = pd.read_csv(folder / "library_defaults.csv").query(about).groupby("setting")["mean"].mean()
    alone = pd.read_csv(folder / "alignment.csv", keep_default_na=False).query(about)
    numbers = opened.locator(".alignment .risk .number")
    assert number(numbers.first.inner_text()) == pytest.approx(100 * means["as the libraries come"], abs=0.51)
    for name, box in zip(
        ("unit", "scale", "background"), opened.locator(".alignment input[type=checkbox]").all()[:3], strict=True
    ):  # together they were not measured: each is aligned alone
        box.check()
        touched = [name if name in settings.split() else "" for settings in alone["settings"]]
        some = alone[alone["aligned"] == touched]
        assert number(numbers.nth(1).inner_text()) == pytest.approx(100 * float(some["mean"].mean()), abs=0.51)
        assert opened.locator(".alignment input:checked").count() == 1
    opened.get_by_role("button", name="All of them").click()
    assert number(numbers.nth(1).inner_text()) == pytest.approx(100 * means["aligned"], abs=0.51)
    assert "does not say which of them is right" in opened.locator(".alignment .says").inner_text()


def test_each_setting_is_aligned_by_itself(browser, bank_loan_page, tmp_path):
    distances = dict.fromkeys(MEASURES, np.array([[0.9, 0.6, 0.7, 0.2]]))  # nothing aligned, the unit, the scale, both
    planted = Disagreement("mlp", "lime", "kernel_shap", ("unit", "scale"), distances, np.array([522]), 5)
    pairs = aligned_distances(planted.by_setting())
    placed = dict(zip(pairs[0]["aligned"], pairs[0]["placed"], strict=True))
    assert placed == {"": 0.9, "unit": 0.6, "scale": 0.7, "unit scale": 0.2}
    before, book, after = re.split(r'(?<=id="workbench-book">)(.*?)(?=</script>)', bank_loan_page.read_text(encoding="utf-8"))
    held = json.loads(book)
    held["alignment"]["pairs"] = pairs
    (tmp_path / "page.html").write_text(before + json.dumps(held).replace("<", "\\u003c") + after, encoding="utf-8")
    page = browser.new_page()
    page.goto(f"{(tmp_path / 'page.html').as_uri()}#person=522&model=mlp&method=deeplift")
    page.wait_for_selector("#workbench .waterfall")
    unfold(page, "on one axis")
    unit, scale = page.locator(".alignment input[type=checkbox]").all()
    now = page.locator(".alignment .risk .number").nth(1)
    for box, share in ((unit, "60 %"), (scale, "20 %"), (unit, "70 %")):
        box.click()
        assert now.inner_text() == share
    page.get_by_role("button", name="All of them").click()
    assert now.inner_text() == "20 %" and "share 80 %" in page.locator(".alignment .says").inner_text()
    page.close()


def test_any_figure_is_a_picture_that_needs_nothing_else_and_is_readable_on_white(opened):
    opened.emulate_media(color_scheme="dark")
    at(opened, "person=522&model=mlp&method=deeplift")
    opened.evaluate("document.querySelectorAll('#workbench details').forEach(folded => { folded.open = true; })")
    opened.wait_for_selector(".learn .steps-picture")
    figures = opened.locator("#workbench [data-figure]")
    assert figures.count() >= 5
    for figure in figures.all():
        name = figure.get_attribute("data-figure")
        with opened.expect_download() as saved:
            opened.get_by_role("button", name=f"Save “{name.replace('-', ' ')}” as SVG", exact=True).click()
        text = saved.value.path().read_text(encoding="utf-8")
        root = ElementTree.fromstring(text)
        assert saved.value.suggested_filename == f"bank_loan-522-{name}.svg" and root.tag.endswith("svg")
        assert not re.search(r"href|url\(|var\(|class=|<script|@import", text)
        said = "".join(root.itertext())
        assert root[0].get("fill") == "#ffffff" and len(said) > 20
        inks = {one.get("fill") for one in root.iter() if one.tag.endswith("text")}
        light = [ink for ink in inks if (found := re.findall(r"\d+", ink or "")) and min(map(int, found[:3])) > 140]
        assert not light, f"unreadable on white: {name}, {light}"
    opened.emulate_media(color_scheme="light")


def test_a_person_is_one_page_of_paper(opened, tmp_path):
    at(opened, "person=522&duration=12")
    unfold(opened, "Take along")
    opened.evaluate("window.print = () => {}")
    opened.get_by_role("button", name="This person on one page").click()
    opened.pdf(path=tmp_path / "one.pdf", prefer_css_page_size=True)
    raw = (tmp_path / "one.pdf").read_bytes()
    assert len(re.findall(rb"/Type\s*/Page[^s]", raw)) == 1
    assert not opened.locator("body > .sheet").count()  # once it is printed
    assert opened.locator("#workbench details[open]").count() == 1  # and the page is as it was


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (360, "light")])
def test_axe_finds_no_fault_in_what_can_be_learnt(opened, width, scheme):
    opened.emulate_media(color_scheme=scheme)
    at(opened, "person=522&model=mlp&method=deeplift")
    opened.set_viewport_size({"width": width, "height": 800})
    opened.evaluate("document.querySelectorAll('#workbench details').forEach(folded => { folded.open = true; })")
    opened.wait_for_selector(".learn .steps-picture")
    for demo in DEMOS if width == 360 else ("cloud",):
        demonstrate(opened, demo)
        to_the_end(opened)
        assert opened.evaluate("document.documentElement.scrollWidth") <= width
    opened.locator("#workbench button.term").first.focus()
    found = Axe().run(opened, context="#ask")
    opened.emulate_media(color_scheme="light")
    assert not found.violations_count, found.generate_report()
