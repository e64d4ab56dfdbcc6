"""The workbench in a page's own file, from disk: held to Python, to pandas, and to those who cannot use a mouse."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from pages import until

import dlx

MODELS = ("mlp", "gradient_boosting", "random_forest")


@pytest.fixture(scope="module")
def bank():
    return dlx.load("bank_loan")


@pytest.fixture(scope="module")
def models(bank):
    return {name: dlx.load_model(bank, name) for name in MODELS}


@pytest.fixture
def page(bank_loan_opened, bank_loan_page):
    """The page as it is opened."""
    bank_loan_opened.set_viewport_size({"width": 1280, "height": 900})
    bank_loan_opened.goto(bank_loan_page.as_uri(), wait_until="load")
    bank_loan_opened.locator(".doors a", has_text="A person").click()
    bank_loan_opened.wait_for_selector("#workbench[data-ready]")
    return bank_loan_opened


def at(page, link):
    """Follow a link into the page."""
    page.goto(f"{page.url.partition('#')[0]}#{link}", wait_until="load")
    page.reload(wait_until="load")
    page.wait_for_selector("#workbench[data-ready]")
    page.wait_for_selector("#workbench .waterfall")


def risks(page):
    """The risks that are shown, by model, as they are printed last."""
    lines = page.eval_on_selector_all(
        "#workbench .risk", "all => all.map(one => [...one.children].map(part => part.textContent))"
    )
    return {name: float(said.split("→")[-1].strip(" %").replace("−", "-")) / 100 for name, _, said in lines}


def unfold(page, title):
    page.locator("#workbench summary", has_text=title).click()


def names_in_list(page):
    box = page.locator("#workbench .list")
    count = int(page.locator("#workbench output").inner_text().split(" of ")[0].replace(",", ""))
    found = []
    for start in range(0, 30 * count, 300):
        box.evaluate("(box, top) => { box.scrollTop = top; box.dispatchEvent(new Event('scroll')); }", start)
        found += page.eval_on_selector_all("#workbench .one .name", "all => all.map(one => one.textContent)")
    return set(found), count


def test_a_person_is_found_and_changed_and_every_model_answers_as_in_python(page, bank, models):
    at(page, "person=522&duration=24&amount=2000")
    test = bank.test
    place = test.index.tolist().index(522)
    row = np.array(test.rows[place : place + 1])
    row[0, bank.schema.position("duration")], row[0, bank.schema.position("amount")] = 24, 2000
    shown = risks(page)
    for name, model in models.items():
        assert shown[name] == pytest.approx(float(model.predict(row, "probability")[0]), abs=0.006), name
    assert "changed" in page.locator("#workbench h3").first.inner_text()


def test_typing_another_value_changes_the_risk_at_once_and_taking_it_back_restores_it(page):
    at(page, "person=522")
    before = risks(page)
    unfold(page, "Change something")
    field = page.get_by_label("Length of the loan", exact=True)
    field.fill("6")
    field.press("Enter")
    page.wait_for_selector("#workbench .undo")
    assert risks(page)["mlp"] < before["mlp"] - 0.05
    page.wait_for_url("**/*c.duration=6*")
    page.locator("#workbench .undo").click()
    page.wait_for_selector("#workbench .undo", state="detached")
    assert risks(page) == before
    page.wait_for_url(lambda url: "duration" not in url)


def test_a_slider_is_pulled_by_mouse_and_keys_while_answers_come(page):
    at(page, "person=522")
    unfold(page, "Change something")
    slider, field = page.get_by_label("Length of the loan, slider"), page.get_by_label("Length of the loan", exact=True)
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    seen = [(float(field.input_value()), 0.0)]
    page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    for share in (0.2, 0.5, 0.8):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        until(page, lambda: float(field.input_value()) != seen[-1][0])
        seen.append((float(field.input_value()), risks(page)["mlp"]))
    page.mouse.up()
    assert sorted(seen[1:]) == seen[1:] and sorted(risk for _, risk in seen[1:]) == [risk for _, risk in seen[1:]]
    assert seen[-1][0] > 45 and seen[-1][1] > seen[1][1] + 0.05
    slider.press("ArrowLeft")
    slider.press("ArrowLeft")
    until(page, lambda: float(field.input_value()) == seen[-1][0] - 2)


def test_the_threshold_is_pulled(page):
    at(page, "person=522")
    unfold(page, "The threshold")
    slider = page.get_by_label("Threshold", exact=True)
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + box["height"] / 2)
    page.mouse.down()
    for share in (0.5, 0.8):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
    page.mouse.up()
    until(page, lambda: f"threshold={slider.input_value()}" in page.url)
    assert 0.75 < float(slider.input_value()) < 0.9


def test_filters_give_whom_pandas_gives(page, bank, models):
    table = bank.test.frame
    page.locator("#workbench-find").fill("age<30 duration>=24")
    found, count = names_in_list(page)
    wanted = table[(table["age"] < 30) & (table["duration"] >= 24)]
    assert count == len(wanted) and found == set(map(str, wanted.index))
    page.locator("#workbench-find").fill("")
    page.get_by_label("Show").select_option("wrong")
    risk, line = models["mlp"].predict(bank.test, "probability"), bank.schema.target.threshold
    _, count = names_in_list(page)
    assert count == int(((risk >= line) != (bank.test.outcomes == 1)).sum())
    page.get_by_label("Show").select_option("")
    page.locator("#workbench-find").fill("15")
    assert len(names_in_list(page)[0]) > 1  # 15, and others in whose names it stands
    page.locator("#workbench-find").press("Enter")
    assert page.locator("#workbench h3").first.inner_text() == "Applicant 15"
    page.locator("#workbench-find").fill("nothing>3")
    assert "no column nothing" in page.locator("#workbench output").inner_text()


def test_a_way_out_clicked_flips_the_decision_in_the_model_that_it_is_for(page, bank):
    held = json.loads(page.locator("#workbench-book").text_content())
    person, way = next((who, way) for who, ways in held["ways"].items() for way in ways if way["model"] == "mlp")
    at(page, f"person={person}")
    assert risks(page)["mlp"] >= round(bank.schema.target.threshold, 3) - 0.005
    unfold(page, "Ways out")
    page.locator("#workbench .ways button").first.click()
    page.wait_for_selector("#workbench .risk .before")
    assert risks(page)["mlp"] < bank.schema.target.threshold
    assert risks(page)["mlp"] == pytest.approx(way["risk"], abs=0.006)


def test_a_link_reopens_what_was_seen(page):
    at(page, "person=522&duration=12&method=shapley&model=gradient_boosting&threshold=0.4&decision=cleared")
    first = (page.locator("#workbench .prediction").inner_text(), risks(page), page.locator("#workbench output").inner_text())
    link = page.url.partition("#")[2]
    at(page, link)
    assert (
        page.locator("#workbench .prediction").inner_text(),
        risks(page),
        page.locator("#workbench output").inner_text(),
    ) == first
    assert first[0].startswith("gradient_boosting says") and "(denied)" in first[0]


def test_contributions_of_a_changed_person_are_shapley_values(page, bank, models):
    at(page, "person=522&duration=12&model=gradient_boosting")
    page.wait_for_function("document.querySelector('#workbench .waterfall caption').textContent.includes('Exact')")
    row = np.array(bank.test.rows[[bank.test.index.tolist().index(522)]])
    row[0, bank.schema.position("duration")] = 12
    made = dlx.explain(models["gradient_boosting"], row, method="tree_shap", background=bank.background(20), scale="logit")
    shown = page.eval_on_selector_all(
        "#workbench .waterfall tbody tr:not(.edge)",
        "all => all.map(one => [one.querySelector('th').firstChild.textContent, one.querySelector('.number').textContent])",
    )
    for label, number in shown[:-1]:
        value = made.values[0, bank.schema.labels.index(label)]
        assert float(number.replace("−", "-")) == pytest.approx(value, abs=0.006), label


def test_the_list_is_moved_through_by_keys(page):
    box = page.locator("#workbench .list")
    box.focus()
    names = json.loads(page.locator("#workbench-book").text_content())["people"]["names"]
    for key, place in (("End", -1), ("Home", 0), ("ArrowDown", 1)):
        page.keyboard.press(key)
        chosen = page.locator("#workbench .one[aria-selected=true] .name").inner_text()
        assert chosen == names[place]
        assert box.get_attribute("aria-activedescendant") == page.locator("#workbench .one[aria-selected=true]").get_attribute(
            "id"
        )


def test_a_threshold_moves_every_decision(page, bank, models):
    at(page, "person=522&threshold=0.5")
    unfold(page, "The threshold")
    page.wait_for_selector("#workbench .table td")
    cells = page.eval_on_selector_all(
        "#workbench .table >> nth=0 >> tbody td", "all => all.map(one => Number(one.textContent))"
    )
    flagged = models["mlp"].predict(bank.test, "probability") >= 0.5
    events = bank.test.outcomes == 1
    assert cells[:2] == [int((flagged & events).sum()), int((flagged & ~events).sum())]


def test_it_asks_nobody_and_does_not_complain(bank_loan_opened):
    page = bank_loan_opened
    assert {url.partition("#")[0] for url in page.asked if not url.startswith("blob:")} == {page.url.partition("#")[0]}
    assert not page.complaints


def test_contributions_are_kept_closely_and_weights_not_rounded(bank_loan_page):
    text = bank_loan_page.read_text(encoding="utf-8")
    held = json.loads(re.search(r'id="workbench-book">(.*?)</script>', text, re.S)[1])
    assert len(text) < 6e6
    for one in held["explanations"]:
        assert one["unit"] / 2 <= 0.001 * one["unit"] * 32_767  # half a step, of the largest


def contributions(page, said):
    """The contributions that are shown, by label, when the caption says something."""
    page.wait_for_function(
        "said => document.querySelector('#workbench .waterfall caption')?.textContent.includes(said)", arg=said
    )
    lines = page.eval_on_selector_all(
        "#workbench .waterfall tbody tr:not(.edge)",
        "all => all.map(one => [one.querySelector('th').firstChild.textContent, one.querySelector('.number').textContent])",
    )
    return {label: float(number.replace("−", "-")) for label, number in lines[:-1]}


def test_why_her_and_not_him_is_a_background_of_one_person(page, bank, models):
    at(page, "person=522&model=gradient_boosting&against=person:92")
    names = bank.test.index.tolist()
    row, other = (np.array(bank.test.rows[[names.index(name)]]) for name in (522, 92))
    made = dlx.explain(models["gradient_boosting"], row, method="tree_shap", background=other, scale="logit")
    for label, value in contributions(page, "applicant 92").items():
        assert value == pytest.approx(made.values[0, bank.schema.labels.index(label)], abs=0.006), label


def test_percent_points_are_shapley_values_of_the_probability(page, bank, models):
    at(page, "person=522&model=mlp&unit=probability&method=shapley")
    row = bank.test.rows[[bank.test.index.tolist().index(522)]]
    made = dlx.explain(models["mlp"], row, method="shapley", background=bank.background(20), scale="probability")
    shown = contributions(page, "percentage points")
    page.wait_for_timeout(700)
    for label, value in contributions(page, "percentage points").items():
        assert value == pytest.approx(100 * made.values[0, bank.schema.labels.index(label)], abs=1.0), label
    assert shown


def test_somebody_new_is_asked_about_and_a_row_is_pasted(page, bank, models):
    page.get_by_role("button", name="Somebody new").click()
    unfold(page, "Change something")
    row, schema = bank.test.rows[3], bank.schema
    texts = [str(code) if not f.is_categorical else f.levels[int(code)] for f, code in zip(schema.features, row, strict=True)]
    field = page.get_by_label("A row to paste")
    field.fill(";".join(texts))
    field.press("Enter")
    page.wait_for_selector("#workbench .undo")
    shown = risks(page)
    for name, model in models.items():
        assert shown[name] == pytest.approx(float(model.predict(row[None], "probability")[0]), abs=0.006), name
