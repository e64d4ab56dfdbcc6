"""Each lesson runs small, its numbers stay, its exercises tell unattempted from wrong from right, its notebook is its own."""

from __future__ import annotations

import json
import re
import urllib.parse
from types import SimpleNamespace

import course
import pandas as pd
import pytest

import dlx
from dlx.context import RunContext
from dlx.progress import Narrator
from dlx.reporting.sections.performance.measure import added_to_what_is_known

SOURCES = course.sources()
STEMS = [source.stem for source in SOURCES]
WORDS_A_MINUTE = 200


@pytest.fixture(scope="module", params=SOURCES, ids=STEMS)
def source(request):
    return request.param


@pytest.fixture(scope="module")
def lesson(source):
    """A lesson that ran at its small size, exercises not answered."""
    return course.run(source)["lesson"]


def test_numbers_are_what_they_were(lesson):
    assert lesson.numbers
    assert not course.moved(lesson)


def test_exercises_tell_unattempted_from_wrong_from_right(lesson):
    exercises = course.exercises(lesson.source)
    assert len(exercises) == 3
    assert lesson.states == dict.fromkeys((1, 2, 3), "unattempted")
    calls = [cell.text for cell in course.cells(lesson.source) if cell.kind == "exercise"]
    for exercise, ((solution, mistakes), call) in enumerate(zip(exercises, calls, strict=True), 1):
        assert mistakes
        for cell, state in ((solution, "right"), *((mistake, "wrong") for mistake in mistakes)):
            names = dict(lesson.names)
            exec(cell.text, names)
            told = eval(call.splitlines()[-1], names)
            assert lesson.states[exercise] == state, cell.text
            assert state == "right" or cell.text.splitlines()[0].removeprefix("# ") in told
        for nonsense in ("no such answer", -1e9, None, [1, 2, 3, 4, 5, 6, 7]):
            lesson.check(exercise, nonsense)
            assert lesson.states[exercise] == "wrong"


def test_an_answer_before_its_cells_ran_is_told_so(lesson, monkeypatch):
    monkeypatch.setattr(lesson, "names", {})
    for exercise in (1, 2):
        assert "isn't there yet. Run the cells above first." in lesson.check(exercise, 17.6)
        assert lesson.states[exercise] == "unattempted"


def test_a_number_that_moved_is_named(lesson):
    name = min(lesson.numbers)
    lesson.numbers[name] += 1 + 2 * lesson.tolerances[name]
    lesson.record("new", 1.0)
    lines = course.moved(lesson)
    del lesson.numbers["new"]
    lesson.numbers[name] = course.kept(lesson.source)[name]
    assert len(lines) == 2 and all(any(of in line for line in lines) for of in (name, "new was None"))


def test_a_notebook_is_made_from_its_lesson_and_ran(source):
    kept = json.loads((course.HERE / f"{source.stem}.ipynb").read_text("utf-8"))
    made = course.notebook(source)["cells"]
    assert [(cell["cell_type"], "".join(cell["source"])) for cell in kept["cells"]] == [
        (cell["cell_type"], cell["source"]) for cell in made
    ]
    outputs = [output for cell in kept["cells"] for output in cell.get("outputs", [])]
    assert outputs and not [output for output in outputs if output["output_type"] in ("error", "stream")]


def test_a_lesson_takes_thirty_minutes(source):
    prose = " ".join(cell.text for cell in course.cells(source) if cell.kind in ("markdown", "hint"))
    said = int(re.search(r"\*\*(\d+) minutes\*\*", prose)[1])
    assert len(prose.split()) / WORDS_A_MINUTE < said <= 30
    headings = [line for cell in course.cells(source) for line in cell.text.splitlines() if re.match("##? ", line)]
    for part in ("# Lesson", "## By hand", "## When not to believe this", "dlx"):
        assert [line for line in headings if part in line], part


def test_the_timetable_is_that_of_the_lessons_and_its_path_takes_less_than_four_hours():
    readme = (course.HERE / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| \[\d+\. [^\]]+\]\((\w+)\.ipynb\) \|.*\| (\d+) \| (yes)? ?\|$", readme, flags=re.MULTILINE)
    openings = [source.read_text("utf-8")[:600] for source in SOURCES]
    minutes = [int(re.search(r"\*\*(\d+) minutes\*\*", text)[1]) for text in openings]
    on_path = ["· on the half-day path" in text for text in openings]
    told = [(stem, str(time), "yes" * is_on) for stem, time, is_on in zip(STEMS, minutes, on_path, strict=True)]
    assert rows == told
    assert 0 < sum(time for time, is_on in zip(minutes, on_path, strict=True) if is_on) < 240


def test_the_workbench_knows_who_and_what_a_lesson_links_to():
    texts = [source.read_text("utf-8") for source in SOURCES] + [(course.HERE / "README.md").read_text("utf-8")]
    asked = [dict(urllib.parse.parse_qsl(link)) for text in texts for link in re.findall(r"`#([^`]+)`", text)]
    people = {name for case in ("bank_loan", "heart_attack") for name in map(str, dlx.load(case).test.index)}
    assert len(asked) > 4
    for link in asked:
        assert link["person"] in people and set(link) <= {"person", "model", "method", "unit"}
        model = dlx.load_model("bank_loan", link["model"])
        assert link.get("method", "lime") in dlx.explainers.names_for(model)


def test_images_take_three_megabytes_at_most():
    kept = [json.loads((course.HERE / f"{stem}.ipynb").read_text("utf-8")) for stem in STEMS]
    outputs = [output.get("data", {}) for book in kept for cell in book["cells"] for output in cell.get("outputs", [])]
    assert 0 < sum(len(data.get(kind, "")) for data in outputs for kind in ("image/png", "image/svg+xml")) < 3e6


def table(page, name: str, **where: object) -> pd.DataFrame:
    """Return the lines of a report's table that are of somebody or something."""
    found = pd.read_csv(page.parent / "report-tables" / f"{name}.csv")
    for column, value in where.items():
        found = found[found[column] == value]
    assert len(found)
    return found


def test_lesson_3_says_what_the_report_says(bank_loan_page):
    """The same person, background and model: the page's tables hold what the lesson's first figure draws."""
    numbers = course.kept(course.LESSONS / "03_one_prediction.py")
    person = table(bank_loan_page, "people", row=522)
    assert numbers["risk of applicant 522"] == pytest.approx(person["risk_by_mlp"].item(), abs=1e-5)
    shares = table(bank_loan_page, "contributions", model="mlp", method="kernel_shap", row=522).set_index("feature")
    for name in ("status", "duration"):
        assert numbers[f"share of {name}, Kernel SHAP"] == pytest.approx(shares["contribution"][name], abs=1e-3)
        assert numbers[f"share of {name}"] == pytest.approx(shares["contribution"][name], abs=0.02)


def test_lesson_1_says_what_the_report_says(bank_loan_page):
    numbers = course.kept(course.LESSONS / "01_what_can_be_read.py")
    for name in ("mlp", "gradient_boosting"):
        area = table(bank_loan_page, "performance", model=name, metric="auc")["estimate"].item()
        assert numbers[f"AUC of {name}"] == pytest.approx(area, abs=2e-3)


def test_lesson_4_says_what_the_report_says(bank_loan_page):
    numbers = course.kept(course.LESSONS / "04_lime.py")
    shares = table(bank_loan_page, "contributions", model="mlp", method="lime", row=522).set_index("feature")["contribution"]
    for name in ("status", "duration"):
        assert numbers[f"LIME's share of {name}"] == pytest.approx(shares[name], abs=1e-4)


def test_lesson_6_says_what_the_report_says(bank_loan_page):
    numbers, line = (
        course.kept(course.LESSONS / "06_why_do_they_disagree.py"),
        table(bank_loan_page, "asked_alike", model="mlp"),
    )
    assert numbers["as the libraries come"] == pytest.approx(line["naive"].item(), abs=1e-4)
    assert numbers["aligned"] == pytest.approx(line["aligned"].item(), abs=1e-4)


def test_lesson_7_says_what_the_report_says(bank_loan_page):
    numbers = course.kept(course.LESSONS / "07_the_bank.py")
    near = {"model": "mlp", "background": "near the cutoff"}
    given = table(bank_loan_page, "reasons_given", reason="No savings, or savings that cannot be verified", **near)
    assert numbers["share told of no savings"] == pytest.approx(given["estimate"].item())
    assert numbers["share flagged"] == pytest.approx(table(bank_loan_page, "reasons_withheld", **near)["flagged"].item())
    ways = table(bank_loan_page, "recourse", model="mlp", measure="share_with_recourse")
    assert numbers["share with a way out"] == pytest.approx(ways["estimate"].item())
    gap = table(bank_loan_page, "fairness_gaps", model="mlp", attribute="age", rate="clearance_rate")
    assert numbers["ratio of young to older"] == pytest.approx(gap["ratio"].item())
    known = table(bank_loan_page, "fairness_proxies", attribute="age")
    assert numbers["others tell the young"] == pytest.approx(known["auc"].item())


def test_lesson_8_says_what_a_report_of_the_heart_says():
    numbers, case = course.kept(course.LESSONS / "08_the_heart.py"), dlx.load("heart_attack")
    known, facts = added_to_what_is_known(SimpleNamespace(case=case, seed=0), dlx.load_model(case, "logistic_regression"))
    assert known == ("Age", "Sex")
    assert numbers["age and sex alone"] == pytest.approx(facts["baseline_auc"])
    assert numbers["linear adds"] == pytest.approx(facts["added"])


def test_lesson_9_says_what_the_report_says(bank_loan_page):
    numbers = course.kept(course.LESSONS / "09_finding_and_fixing.py")
    trees = {"model": "gradient_boosting"}
    change = table(bank_loan_page, "errors_before_after", quantity="auc", **trees)
    assert numbers["rare levels merged, auc"] == pytest.approx(change["difference"].item())
    assert numbers["parts that stand out"] == table(bank_loan_page, "errors_slices", of="loss", **trees)["found"].sum()


def test_lesson_10_says_what_the_report_says(bank_loan_page):
    numbers = course.kept(course.LESSONS / "10_the_road_ahead.py")
    shown = table(bank_loan_page, "attacks_shown", way="LIME")
    assert numbers["real people judged by age alone"] == pytest.approx(shown["fidelity"].item())
    found = table(bank_loan_page, "attacks_found", defence="flip of the protected column").set_index("model")["estimate"]
    for name, model in (("fools lime", "fools LIME"), ("fools shap", "fools Kernel SHAP"), ("our net", "mlp")):
        assert numbers[f"flipped, {name}"] == pytest.approx(found[model], abs=0.03)


def context_of(name: str, models: list[str]) -> RunContext:
    """Return what a report of a case measures, of few people."""
    case = dlx.load(name)
    loaded = [dlx.load_model(case, model) for model in models]
    return RunContext.of(case, loaded, people=4, background=20, narrator=Narrator(quiet=True))


def test_lesson_1_compares_as_the_report_does():
    numbers = course.kept(course.LESSONS / "01_what_can_be_read.py")
    readable = ["logistic_regression", "decision_tree", "additive"]
    pairs = context_of("bank_loan", ["mlp", "gradient_boosting", *readable]).advantages
    areas = pairs[pairs["metric"] == "auc"]
    found = {f"advantage of {pair.model} over {pair.interpretable}": pair.advantage for pair in areas.itertuples()}
    assert len(found) == 6
    assert found == pytest.approx({name: numbers[name] for name in found}, abs=2e-3)


def test_lesson_5_explains_as_the_report_does():
    numbers = course.kept(course.LESSONS / "05_nets.py")
    context = context_of("heart_attack", ["mlp"])
    told = context.explain(context.main, context.people[:1], "integrated_gradients", scale="logit")
    assert told.index.tolist() == [98413]
    shares = dict(zip(told.schema.names, told.values[0], strict=True))
    for name in ("age", "stroke_history"):
        assert numbers[f"{name}: from real persons"] == pytest.approx(shares[name], abs=1e-3)
