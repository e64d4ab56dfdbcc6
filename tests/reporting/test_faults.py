"""Faults of dlx itself: they fail, named, with what was finished kept; what a model or a library raises stays a sentence."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import worlds
from pages import dead_links, told_of, words_of

from dlx import reporting
from dlx.audit import preflight
from dlx.errors import BugError, DlxError, in_a_line, is_own_fault
from dlx.model import BlackBox
from dlx.progress import Narrator
from dlx.reporting.sections import Measured, UnfinishedError, names
from dlx.reporting.sections.effects.measure import About
from dlx.stats import share_interval

QUIET = Narrator(quiet=True)


def raised(function, *arguments):
    with pytest.raises(Exception) as caught:
        function(*arguments)
    return caught.value


def failing(error):
    def score(_):
        raise error

    return BlackBox(score, worlds.NUMERIC, "failing", scales=("probability", "logit"))


def test_whose_fault_an_error_is():
    people = worlds.table("numeric")[:3]
    assert is_own_fault(raised(share_interval, "one", 2))  # a TypeError in code of dlx
    assert not is_own_fault(raised(failing(KeyError("income")).predict, people, "probability"))  # the user's function
    assert not is_own_fault(raised(failing(TypeError("no")).predict, people, "logit"))
    assert not is_own_fault(raised(worlds.NUMERIC.position, "no name"))  # a refusal
    assert not is_own_fault(raised(np.zeros(2).reshape, 3))  # not in dlx at all
    assert in_a_line(DlxError("a rule\nmore")) == "a rule" and in_a_line(KeyError("x")) == "KeyError: 'x'"


def test_preflight_calls_a_method_not_valid_for_what_the_model_raises_and_fails_by_faults_of_dlx(monkeypatch):
    model, people = worlds.model("boosted", "numeric"), worlds.table("numeric")
    told = preflight(failing(KeyError("income")), people[:4], people[4:8], methods=["shapley"])
    assert told["verdict"].tolist() == ["not valid"] and "KeyError: 'income'" in told["reason"][0]
    monkeypatch.setattr("dlx.audit.compatibility.verdicts.explain", lambda *_, **__: share_interval("one", 2))
    with pytest.raises(TypeError):
        preflight(model, people[:4], people[4:8], methods=["shapley"])


def broken(*given):
    return given[99]


@pytest.fixture
def sections(monkeypatch):
    """Let an audit have a section that fails by a fault of dlx, and one that is finished."""
    monkeypatch.setattr("dlx.reporting.page.names", lambda *_: ["performance", "errors"])
    monkeypatch.setattr("dlx.reporting.sections.performance.measure.measure", broken)
    finished = Measured(facts={"test_rows": 7.0})
    monkeypatch.setattr("dlx.reporting.sections.errors.measure.measure", lambda _: finished)


@pytest.mark.usefixtures("sections")
def test_what_was_finished_is_kept_apart_and_no_page_lacks_a_section(tmp_path):
    case, page = worlds.table("numeric", 300), tmp_path / "audit.html"
    page.write_text("an earlier page", encoding="utf-8")
    with pytest.raises(UnfinishedError, match=r"the section “Performance” failed: IndexError.*This is a fault of dlx"):
        reporting.audit_report(case, models=[worlds.model("boosted", "numeric")], path=page, narrator=QUIET)
    assert page.read_text(encoding="utf-8") == "an earlier page"
    kept = (tmp_path / "audit-unfinished.html").read_text(encoding="utf-8")
    assert (
        "All 7 test rows have the same outcome" in words_of(kept)
        and "IndexError" not in kept
        and "could not be measured" not in kept
    )
    assert (tmp_path / "audit-unfinished-tables" / "checklist.csv").is_file()
    assert dead_links(tmp_path / "audit-unfinished.html") == [] and not (tmp_path / "audit-evidence.html").exists()


@pytest.mark.usefixtures("sections")
def test_the_command_fails_in_a_line_that_names_the_section_and_shows_the_traceback_where_asked(run):
    asked = ("audit", "bank_loan", "--model", "decision_tree", "--output", "out")
    ended = run(*asked)
    assert ended.status == 1 and not ended.out
    assert ended.err[-1].startswith("dlx: the section “Performance” failed: IndexError") and "fault of dlx" in ended.err[-1]
    with pytest.raises(UnfinishedError) as shown:
        cli(*asked, "--debug")
    assert isinstance(shown.value.__cause__.__cause__, IndexError)


def cli(*arguments):
    import sys

    from dlx import cli

    sys.argv = ["dlx", *arguments]
    cli.main()


def test_a_fault_in_a_step_of_a_command_names_the_step(run, monkeypatch):
    monkeypatch.setattr("dlx.reporting.page.names", lambda *_: [])
    monkeypatch.setattr("dlx.reporting.page._write", broken)
    ended = run("audit", "bank_loan", "--model", "decision_tree", "--output", "out")
    assert ended.status == 1
    assert ended.err[-1].startswith("dlx: the step “Drawing the page, out/audit.html” failed: IndexError")


def test_effects_remark_what_the_model_raises_and_fail_by_faults_of_dlx():
    model, people = failing(ValueError("nobody is that old")), worlds.table("numeric")[:3]
    about = About((model,), people, [])
    assert about.attempt("ALE of “age”", lambda: model.predict(people, "logit")) is None
    assert about.remarks == ["ALE of “age”: ValueError: nobody is that old"]
    with pytest.raises(BugError, match=r"ALE of “age” failed: TypeError.*fault of dlx"):
        about.attempt("ALE of “age”", lambda: share_interval("one", 2))


@pytest.mark.parametrize("name", names())
def test_a_section_that_cannot_be_told_says_why(name, monkeypatch):
    module = importlib.import_module(f"dlx.reporting.sections.{name}.measure")
    context = worlds.context(worlds.table("numeric"), worlds.model("boosted", "numeric"))

    def refused(_):
        raise DlxError("out of order")

    def raised_by_the_model(_):
        failing(KeyError("nothing")).predict(context.people, "probability")

    for asked, why in ((refused, "out of order"), (raised_by_the_model, "KeyError: 'nothing'")):
        monkeypatch.setattr(module, "measure", asked)
        told = told_of(name, context)
        assert told.title == module.TITLE and f"This could not be measured. {why}" in words_of(told.page)


@pytest.mark.parametrize("name", names())
def test_a_fault_of_dlx_in_a_section_is_no_sentence_but_a_failure_that_names_it(name, monkeypatch):
    module = importlib.import_module(f"dlx.reporting.sections.{name}.measure")
    monkeypatch.setattr(module, "measure", broken)
    with pytest.raises(BugError, match=f"{module.TITLE}” failed: IndexError.*fault of dlx"):
        told_of(name, worlds.context(worlds.table("numeric"), worlds.model("boosted", "numeric")))
