"""The page of a value: whole, in the unit of the value, and each number that of its cell."""

from __future__ import annotations

import html
import re

import numpy as np
import pandas as pd
import pytest
import values
import worlds
from pages import dead_links, numbers_of, told_of, unnumbered, words_of
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

import dlx
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import wrap
from dlx.progress import Narrator
from dlx.reporting.sections import names
from dlx.reporting.sections.fairness.measure import measure

SECTIONS = names(task="regression")
OF_CLASSES = r"(?i)probabilit|log-odds|\brisk|\bevent|log loss|ROC AUC|flagged|denied|denial|false alarm|logit"
QUIET = Narrator(quiet=True)


@pytest.fixture(scope="module")
def tables(value_page):
    return {path.stem: pd.read_csv(path) for path in value_page.parent.glob("report-tables/*.csv")}


@pytest.fixture(scope="module")
def pages(value_page):
    return [path.read_text() for path in (value_page, value_page.with_name("evidence.html"))]


def test_no_section_is_missing_and_no_link_is_dead(value_page, pages):
    assert len(SECTIONS) >= 10
    assert [name for name in SECTIONS if f'<section id="{name}"' not in pages[0]] == []
    assert dead_links(value_page) == []
    assert len(re.findall('class="light (?:green|amber|red)"', pages[0])) == 6
    assert "could not be measured" not in pages[0] and not re.search(r"\bnan\b", words_of(pages[0] + pages[1]), re.IGNORECASE)


def test_every_number_of_the_prose_is_that_of_its_cell_and_none_is_bare(pages, tables):
    for page in pages:
        assert len(numbers_of(page, tables)) > 20
        assert unnumbered(page) == []


def test_the_page_speaks_of_a_value_in_its_unit_and_not_of_classes(pages):
    told = re.sub(r'(?s)<nav.*?</nav>|<section id="(sign|glossary|data)".*?</section>', " ", pages[0])
    assert [found[0] for found in re.finditer(OF_CLASSES, words_of(told))] == []
    words = words_of(told)
    for said in (
        "off by",
        "points on average",
        "How far off is a prediction?",
        "Predicted far too high",
        "Predicted far too low",
        "A typical person",
        "What would bring a prediction to at most 200.0 points",
        "nothing is decided by a value",
        "No remedy is known for this table",
        "above the median of the training rows or not",
    ):
        assert said in words, said


def test_scores_are_those_of_scikit_learn(tables):
    test, summary = values.case().test, tables["value_summary"].set_index("model")
    for kind in ("boosted", "ridge"):
        predicted = values.model(kind).predict(test, "value")
        for name, score in {"mae": mean_absolute_error, "rmse": root_mean_squared_error, "r2": r2_score}.items():
            assert summary.loc[kind, name] == pytest.approx(score(test.outcomes, predicted), rel=1e-9)
        assert summary.loc[kind, "guessed"] == pytest.approx(np.abs(test.outcomes - np.median(test.outcomes)).mean())


def test_the_people_are_those_of_the_rule_and_contributions_add_up(tables):
    test, boosted = values.case().test, values.model("boosted")
    error = boosted.predict(test, "value") - test.outcomes
    featured = tables["featured"].set_index("key")
    assert (
        featured.loc["high", "row"] == test.index[error.argmax()] and featured.loc["low", "row"] == test.index[error.argmin()]
    )
    assert (featured["likely_low"] < featured["likely_high"]).all()
    exact = tables["contributions"].query("model == 'boosted' and method == 'tree_shap'")
    sums = exact.groupby("row")["contribution"].sum()
    base = float(boosted.predict(values.case().background(10), "value").mean())
    for line in featured.itertuples():
        assert sums[line.row] + base == pytest.approx(line.predicted, abs=1e-6)


def test_changes_lead_into_the_range_that_was_asked_for(tables):
    assert (tables["recourse_changes"]["new_prediction"] <= 200).all() and (
        tables["recourse_changes"]["prediction"] > 200
    ).all()


def test_the_command_names_the_range(pages):
    assert "range=" not in pages[0] and "dlx.report(" in html.unescape(pages[0])


def test_a_table_without_protected_or_changeable_columns_says_so_once_a_section():
    schema = values.SCHEMA
    bare = Dataset(
        type(schema)(tuple(type(one)(one.name, one.kind, levels=one.levels) for one in schema.features), schema.target),
        values.case().rows,
        values.case().outcomes,
        name="bare",
    )
    linear = wrap(lambda table: 2.0 * table["bmi"] + table["bp"], bare.schema, name="linear")
    context = worlds.context(bare, linear)
    assert "marks no column as protected" in words_of(told_of("fairness", context).page)
    assert "so no recourse can be given" in words_of(told_of("change", context).page)


def test_values_that_are_all_alike_cannot_be_judged():
    case = values.case()
    alike = Dataset(case.schema, case.rows, np.full(len(case), 5.0), name="alike")
    context = worlds.context(alike, wrap(lambda table: table["bmi"].to_numpy(float), case.schema, name="linear"))
    assert "no model can be judged by them" in words_of(told_of("performance", context).page)
    assert "there are no errors to compare" in words_of(told_of("errors", context).page)
    assert "Attacks were not tried" in words_of(told_of("attacks", context).page)


def test_a_range_is_of_a_value_and_must_be_one(tmp_path):
    asked = {"path": tmp_path / "r.html", "narrator": QUIET}
    with pytest.raises(DlxError, match=r"a range is of a value, but 'outcome' is binary"):
        dlx.report(worlds.table("numeric"), models=[worlds.model("linear", "numeric")], into=":3", **asked)
    with pytest.raises(DlxError, match=r"a range is LOW:HIGH"):
        dlx.report(values.case(), models=[values.model("ridge")], into="3", **asked)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", [0, 1, 2])
def test_whichever_model_is_the_one_to_use_is_told_of(place):
    others = [wrap(lambda table, by=by: by * table["bmi"], values.case(), name=f"times {by}") for by in (4, 5)]
    context = worlds.context(values.case(), *others, values.model("boosted"))
    use = context.models[place]
    vars(context)["to_use"] = use, "better"
    assert use in context.audited_models and use.name in set(measure(context).tables["fairness_shown"]["model"])
