"""The workbench of several classes, of a value, and of where a model errs, from a file on disk: held to Python and pandas."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
import values
import weighed
import wines
import worlds
from axe_playwright_python.sync_playwright import Axe
from pages import until

import dlx
from dlx import training
from dlx.audit.counterfactuals import Range, recourse_into
from dlx.audit.mispredictions import decisions_of, error_tree
from dlx.context import RunContext
from dlx.progress import Narrator
from dlx.reporting import case_of_page
from dlx.stats import interval_of_share

QUIET = Narrator(quiet=True)
BELOW = 150.0  # disease progression that is wanted


def context_of(case, models, **asked):
    return RunContext.of(case, models, people=5, background=10, narrator=QUIET, **asked)


@pytest.fixture(scope="module")
def wine():
    """The case of one class of three, and models that answer for all of them."""
    case = case_of_page(wines.wines(), None, QUIET)
    level = case.schema.target.levels[1]
    trained = [training.train(case, name).model for name in ("logistic_regression", "decision_tree")]
    return case, trained, context_of(case, [model.of(level) for model in trained])


@pytest.fixture(scope="module")
def wine_file(wine, file_of):
    return file_of("wine", wine[2])


@pytest.fixture(scope="module")
def value():
    """The context of a value, the range that is wanted, and the ways into it of some people."""
    models = [training.train(values.case(), name).model for name in ("gradient_boosting", "linear_regression")]
    context = context_of(values.case(), models, into=Range(high=BELOW))
    outside = values.case().test[~context.wanted.holds(models[0].predict(values.case().test, "value"))][:6]
    return context, recourse_into(models[0], outside, observed=values.case().train, into=context.wanted, wanted=2)


@pytest.fixture(scope="module")
def value_file(value, file_of):
    return file_of("value", value[0], {"recourse_changes": value[1].to_frame()})


@pytest.fixture(scope="module")
def bank():
    return dlx.load("bank_loan")


@pytest.fixture(scope="module")
def bank_models(bank):
    return [dlx.load_model(bank, name) for name in ("logistic_regression", "decision_tree")]


@pytest.fixture(scope="module")
def bank_file(bank, bank_models, file_of):
    return file_of("bank", context_of(bank, bank_models))


def answers(page):
    """The answers that are shown, by model, as they are printed last, without the unit."""
    lines = page.eval_on_selector_all(
        "#workbench .risk", "all => all.map(one => [...one.children].map(part => part.textContent))"
    )
    said = {name: told.split("→")[-1] for name, _, told in lines}
    return {name: float(re.search(r"[−\d.,]+", told)[0].replace("−", "-").replace(",", "")) for name, told in said.items()}


def listed(page):
    return int(page.locator("#workbench output").inner_text().split(" of ")[0].replace(",", ""))


def unfold(page, title):
    page.locator("#workbench summary", has_text=title).press("Enter")  # a click may miss what moves when an answer comes


def table(page, caption):
    """The rows of a table, by their first cells."""
    rows = page.locator("#workbench table", has_text=caption).locator("tbody tr")
    lines = rows.evaluate_all("all => all.map(one => [...one.children].map(part => part.textContent))")
    return {first: cells for first, *cells in lines}


def test_another_class_is_picked_and_every_model_answers_for_it(wine, wine_file, opened):
    case, trained, _ = wine
    page = opened(wine_file)
    for level in wines.LEVELS:
        page.locator("#choose-cultivar").select_option(level)
        page.locator("#workbench .prediction", has_text=level).wait_for()
        row = case.test.rows[case.test.index.tolist().index(int(page.locator("#workbench h3").first.inner_text().split()[-1]))]
        shown = answers(page)
        for model in trained:
            assert shown[model.name] == pytest.approx(100 * model.of(level).predict(row[None], "probability")[0], abs=0.6)
    told = case.schema.target.level_labels[1]
    until(page, lambda: ("class=" in page.url) == (wines.LEVELS[-1] != told))


def test_a_link_opens_a_class_and_what_is_changed_is_explained_for_it(wine, wine_file, opened):
    case, trained, context = wine
    name = case.test.index[0]
    page = opened(wine_file, f"class=barbera&person={name}&proline=400")
    page.wait_for_selector("#workbench .waterfall")
    assert "barbera" in page.locator("#workbench .prediction").inner_text()
    row = case.test.rows[:1].copy()
    row[0, case.schema.position("proline")] = 400
    model = trained[0].of("barbera")
    made = dlx.explain(model, row, method="linear_shap", background=context.background.rows, scale="logit")
    shown = page.locator("#workbench .waterfall tbody tr:not(.edge)").evaluate_all(
        "all => all.map(one => [one.querySelector('th').firstChild.textContent, one.querySelector('.number').textContent])"
    )
    for label, number in shown:
        assert float(number.replace("−", "-")) == pytest.approx(made.values[0, case.schema.labels.index(label)], abs=0.006)


def test_a_value_has_a_range_in_its_unit_and_filters_follow_it(value, value_file, opened):
    context, _ = value
    page = opened(value_file, "model=gradient_boosting")
    test, model = context.case.test, context.models[0]
    predicted = model.predict(test, "value")
    assert "points" in page.locator("#workbench .prediction").inner_text()
    assert not page.locator("#workbench summary", has_text="The threshold").count()
    page.locator("#choose-show").select_option("cleared")
    assert listed(page) == (predicted <= BELOW).sum()
    unfold(page, "The range")
    page.get_by_label("From").fill("100")
    page.get_by_label("From").press("Enter")
    inside = int(((predicted >= 100) & (predicted <= BELOW)).sum())
    until(page, lambda: listed(page) == inside)
    until(page, lambda: "range=100%3A150" in page.url)
    page.locator("#choose-show").select_option("")
    page.locator("#workbench table", has_text="Predicted and observed").wait_for()
    found = table(page, "Predicted and observed")
    is_in, was_in = ((some >= 100) & (some <= BELOW) for some in (predicted, test.outcomes))
    assert found["within 100 to 150 points"][:2] == [str((is_in & ~was_in).sum()), str((is_in & was_in).sum())]
    page.get_by_label("To", exact=True).fill("50")
    page.get_by_label("To", exact=True).press("Enter")
    page.wait_for_timeout(400)  # after which a link would be written
    assert "range=100%3A150" in page.url  # a range that goes down is none


def test_a_way_into_the_range_is_one_click(value, value_file, opened):
    _, found = value
    lines = found.to_frame()
    name, model = lines["person"].iloc[0], lines["model"].iloc[0]
    page = opened(value_file, f"person={name}&model={model}")
    page.wait_for_selector("#workbench .waterfall")
    assert answers(page)[model] > BELOW
    unfold(page, "Ways out")
    page.locator("#workbench .ways button").first.click()
    page.wait_for_selector("#workbench .risk .before")
    assert answers(page)[model] <= BELOW
    assert answers(page)[model] == pytest.approx(lines["new_prediction"].iloc[0], abs=0.6)


def test_a_part_of_the_error_tree_is_a_click_a_filter_and_a_cohort(bank, bank_models, bank_file, opened):
    model = bank_models[0]
    nodes = error_tree(decisions_of(model, bank.validation))
    inside = np.ones((len(nodes), len(bank.test)), bool)
    for place, node in enumerate(nodes[1:], start=1):
        inside[place] = inside[node.above] & node.split.holds(bank.test.rows)
    wrong = decisions_of(model, bank.test).wrong
    page = opened(bank_file, f"model={model.name}")
    unfold(page, "Cohorts")
    page.get_by_role("button", name="Where does").click()
    drawn = page.locator("#workbench .tree button")
    drawn.first.wait_for()
    assert drawn.count() == len(nodes) >= 5
    for place, said in enumerate(drawn.locator(".number").all_inner_texts()):
        share, people = re.match(r"(\d+) % of (\d+)", said).groups()
        assert int(people) == inside[place].sum() and ("too few" in said) == (inside[place].sum() < 30)
        assert int(share) == pytest.approx(100 * wrong[inside[place]].mean(), abs=0.51)
    drawn.nth(2).click()
    assert listed(page) == inside[2].sum()
    until(page, lambda: f"part={model.name}%3A2" in page.url)
    page.get_by_label("Name of the cohort").fill("erring")
    page.get_by_role("button", name="Keep").click()
    page.locator("#workbench table", has_text="Cohorts side by side").wait_for()
    found = table(page, "Cohorts side by side")
    assert found["People"] == [str(inside[2].sum()), str(len(bank.test))]
    right = ~wrong[inside[2]]
    assert found["Decided rightly"][0].startswith(f"{100 * right.mean():.0f} % (") and "to" in found["Decided rightly"][0]
    page.get_by_role("button", name="Only ").click()
    assert listed(page) == len(bank.test)
    page.locator("#choose-cohort").select_option("erring")
    assert listed(page) == inside[2].sum()
    until(page, lambda: "cohort=" in page.url and "part=" in page.url)
    again = opened(bank_file, page.url.partition("#")[2])
    assert listed(again) == inside[2].sum() and again.locator("#choose-cohort").input_value() == "erring"
    again.locator("#choose-against").select_option("cohort:erring")
    again.locator("#workbench .waterfall caption", has_text="cohort erring (").wait_for()  # of how many people


def test_changes_are_undone_step_by_step_reset_and_told_before_and_after(bank, bank_models, bank_file, opened):
    page = opened(bank_file, "person=522&model=logistic_regression")
    page.wait_for_selector("#workbench .waterfall")
    before = answers(page)
    unfold(page, "Change something")
    for label, typed in (("Length of the loan", "6"), ("Amount of the loan", "900")):
        field = page.get_by_label(label, exact=True)
        field.fill(typed)
        field.press("Enter")
        until(page, lambda said=f"={typed}": said in page.url)
    unfold(page, "Before and after")
    row = bank.test.rows[[bank.test.index.tolist().index(522)]]
    changed = row.copy()
    changed[0, bank.schema.position("duration")], changed[0, bank.schema.position("amount")] = 6, 900
    background = context_of(bank, bank_models).background
    made = dlx.explain(
        bank_models[0], np.vstack([row, changed]), method="linear_shap", background=background, scale="logit"
    ).values[:, bank.schema.position("duration")]
    page.wait_for_selector("#workbench .before-after")
    first = page.locator("#workbench .before-after tr.moved", has_text="Length").locator("td").all_inner_texts()
    assert [float(text.replace("−", "-")) for text in first[:2]] == pytest.approx(made.tolist(), abs=0.006)
    page.get_by_role("button", name="Undo").click()
    until(page, lambda: "amount" not in page.url)
    assert "duration=6" in page.url
    page.get_by_role("button", name="Undo").click()
    until(page, lambda: "duration" not in page.url)
    assert answers(page) == before and page.get_by_role("button", name="Undo").is_disabled()
    age = page.locator(f"#change-{bank.schema.position('age')}")
    age.fill("99")
    age.press("Enter")
    page.wait_for_selector("#workbench .objection")
    said = page.locator("#workbench .objection").all_inner_texts()
    assert any("Unlike anybody seen" in one for one in said) and any("nobody can be asked" in one for one in said)
    page.get_by_role("button", name="Reset").click()
    until(page, lambda: "age" not in page.url)
    assert answers(page) == before


def test_the_form_holds_to_what_a_person_could_change(bank, bank_file, opened):
    page = opened(bank_file, "person=522&possible=only")
    unfold(page, "Change something")
    page.wait_for_selector("#workbench .field")
    row = bank.test.rows[bank.test.index.tolist().index(522)]
    for place, (feature, code) in enumerate(zip(bank.schema.features, row, strict=True)):
        field = page.locator(f"#change-{place}")
        if feature.is_categorical:
            allowed = set(field.locator("option:not([disabled])").evaluate_all("all => all.map(one => Number(one.value))"))
            assert int(code) in allowed and not allowed & set(feature.forbidden_from(code))
            assert feature.actionable or allowed == {int(code)}
            if feature.direction == "up":
                assert min(allowed) == code
        else:
            assert field.is_disabled() == (not feature.actionable), feature.name
    duration = page.locator(f"#change-{bank.schema.position('duration')}")
    duration.fill("600")
    duration.press("Enter")
    page.wait_for_timeout(400)  # after which a link would be written
    assert "duration" not in page.url


def test_axe_finds_no_fault_in_what_a_click_opens(value_file, bank_file, opened):
    for path, link in (
        (value_file, "person=&c.bp=60"),
        (bank_file, "person=522&c.duration=6&cohort=name%3Done%26find%3Dage%253C30&tree=shown"),
    ):
        page = opened(path, link)
        page.wait_for_selector("#workbench .waterfall")
        page.evaluate("document.querySelectorAll('#workbench details').forEach(folded => { folded.open = true; })")
        page.wait_for_selector("#workbench .field")
        for width, scheme in ((1280, "dark"), (400, "light")):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            found = Axe().run(page, context="#ask")
            assert not found.violations_count, found.generate_report()


def test_the_keyboard_goes_through_all_in_the_order_of_the_page_and_keeps_its_place(bank_file, opened):
    page = opened(bank_file, "person=522")
    page.wait_for_selector("#workbench .waterfall")
    unfold(page, "Change something")
    page.wait_for_selector("#workbench .field")
    page.locator("#workbench-find").focus()
    every = "#workbench :is(a[href], button, input, select, summary, [tabindex='0']):not([disabled])"
    wanted = page.eval_on_selector_all(every, "all => all.filter(one => one.checkVisibility()).length")
    seen = []
    for _ in range(wanted):
        place = page.evaluate(f"[...document.querySelectorAll(`{every}`)].indexOf(document.activeElement)")
        seen.append(place)
        page.keyboard.press("Tab")
    assert -1 not in seen and seen == sorted(seen) and len(set(seen)) == wanted
    for place in ("#choose-model", "#choose-order"):
        page.locator(place).focus()
        page.keyboard.press("ArrowDown")
        page.wait_for_timeout(200)
        assert page.evaluate("'#' + document.activeElement.id") == place  # what was drawn again did not take it away


def test_a_link_holds_everything(bank_file, opened):
    link = (
        "person=522&model=decision_tree&method=shapley&unit=logit&against=cleared&threshold=0.3&find=age%3C40&sort=by%3Aage"
        "&decision=flagged&group=0%3A0&part=decision_tree%3A1&possible=only&tree=shown&c.duration=12"
        "&cohort=find%3Dage%253C30%26decision%3D%26group%3D%26part%3D%26name%3Dyoung"
    )
    page = opened(bank_file, link)
    page.wait_for_selector("#workbench .waterfall")
    assert sorted(page.url.partition("#")[2].split("&")) == sorted(link.split("&"))
    again = opened(bank_file, page.url.partition("#")[2])
    again.wait_for_selector("#workbench .waterfall")
    for place in (".prediction", "output", ".choices >> nth=0", ".choices >> nth=-1", ".list"):
        assert again.locator(f"#workbench {place}").inner_text() == page.locator(f"#workbench {place}").inner_text(), place
    strange = ("person=nobody", "model=none", "threshold=2", "sort=x", "c.age=old", "c.housing=tent", "group=9:9")
    again.evaluate(f"location.hash = '{'&'.join(strange)}'")
    again.locator("#workbench [role=status]", has_text="Nothing here is").wait_for()
    assert all(one in again.locator("#workbench [role=status]").inner_text() for one in strange)
    again.locator("#workbench output", has_text="200 of 200").wait_for()  # and all the rest is as it is opened


def test_what_is_typed_means_whom_pandas_means(bank, bank_file, opened):
    page = opened(bank_file)
    labels = {f.name: dict(zip(f.levels, f.level_labels, strict=True)) for f in bank.schema.features if f.is_categorical}
    table = bank.test.frame
    table = table.assign(**{name: table[name].astype(str).map(of) for name, of in labels.items()})
    for typed, meant in {
        "age>=30 age<40": (table["age"] >= 30) & (table["age"] < 40),
        "duration=24": table["duration"] == 24,
        "housing:own": table["housing"].str.contains("own"),
        "amount>3000 foreign_worker:yes": (table["amount"] > 3000) & (table["foreign_worker"] == "yes"),
    }.items():
        page.locator("#workbench-find").fill(typed)
        assert listed(page) == meant.sum() > 0, typed


def test_what_a_page_cannot_evaluate_is_said_and_the_rest_is_taken_along_as_numbers(file_of, opened):
    case, models = worlds.table("mixed"), [worlds.model("function", "mixed"), worlds.boosted("mixed")]
    context = context_of(case, models)
    page = opened(file_of("boxed", context), f"person=&c.age=1.5&model={models[0].name}")
    page.locator("#workbench .prediction", has_text="cannot say: ").wait_for()
    row = context.people.rows[:1].copy()
    row[0, case.schema.position("age")] = 1.5
    said = page.locator("#workbench .risk .number").all_inner_texts()
    assert said[0] == "cannot say"
    assert float(said[1].split("→")[-1].strip(" %")) == pytest.approx(100 * models[1].predict(row, "probability")[0], abs=0.6)
    unfold(page, "Change something")
    for typed in ("2", "1.5"):
        page.locator(f"#change-{case.schema.position('age')}").fill(typed)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/*c.age={typed}*")
        page.get_by_text("No method can tell of this person here.").wait_for()
        assert page.locator("#workbench .who > [aria-busy]").count() == 0  # nothing is on its way
    page.locator("#choose-model").select_option(models[1].name)
    page.locator("#workbench .waterfall caption", has_text="Exact").wait_for()
    unfold(page, "Take along")
    with page.expect_download() as taken:
        page.get_by_role("button", name="This person as CSV").click()
    lines = list(csv.reader(taken.value.path().read_text("utf-8-sig").splitlines()))
    made = dlx.explain(models[1], row, method="tree_shap", background=context.background.rows, scale="logit")
    assert [float(line[2]) for line in lines[1 : 1 + len(case.schema)]] == pytest.approx(made.values[0].tolist(), abs=1e-9)


def test_people_count_by_their_weights_in_tables_of_many(file_of, opened):
    case, model = weighed.weighted("binary"), weighed.model("binary")
    test = case.test
    flagged, had = model.predict(test, "probability") >= case.schema.target.threshold, test.outcomes == 1
    page = opened(file_of("weighed", context_of(case, [model])), "find=debt%3E3")
    is_in = test.rows[:, case.schema.position("debt")] > 3
    unfold(page, "The threshold")
    decided = table(page, "by their weights")
    for which, told in zip((flagged, ~flagged), list(decided.values())[:2], strict=True):
        cells = [is_in & which & had, is_in & which & ~had, is_in & which]
        assert [float(one) for one in told] == [test.weights[some].sum() for some in cells]
    women = is_in & (test.frame["sex"] == "f").to_numpy()
    granted = interval_of_share(~flagged[women], test.weights[women])
    by_sex = table(page, "who is")["f"]
    assert by_sex[0] == str(women.sum()) and by_sex[1].startswith(
        f"{100 * granted.estimate:.0f} % ({100 * granted.low:.0f} to {100 * granted.high:.0f})"
    )
    unfold(page, "Cohorts")
    page.get_by_role("button", name="Keep").click()
    page.locator("#workbench table", has_text="Cohorts side by side").wait_for()
    side = table(page, "Cohorts side by side")
    right = (flagged == had)[is_in]
    told = interval_of_share(right, test.weights[is_in])
    assert side["People"][0] == str(is_in.sum())
    assert side["Decided rightly"][0].startswith(f"{100 * told.estimate:.0f} % ({100 * told.low:.0f} to {100 * told.high:.0f})")
    risk = model.predict(test, "probability")
    mean = np.average(risk[is_in], weights=test.weights[is_in])
    assert next(value for name, value in side.items() if name.startswith("Mean"))[0].startswith(f"{100 * mean:.0f} %")
