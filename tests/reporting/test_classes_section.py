"""The page of one class of several: it says of which, has all classes together, and speaks of no denial."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import wines
import worlds
from pages import dead_links, numbers_of, told_of, unnumbered, words_of
from sklearn import metrics

from dlx.context import RunContext
from dlx.dataset import from_frame
from dlx.errors import DlxError
from dlx.model import wrap
from dlx.reporting import range_or_class, sections
from dlx.runner import explain
from dlx.schema import infer_schema

EVERY = sections.names(task="class")


@pytest.fixture(scope="module")
def told():
    case = wines.wines().of_class("barolo")
    alone = wrap(lambda table: wines.quick(1.0)(table)[:, 1], case, name="alone")
    return told_of("classes", worlds.context(case, *(model.of("barolo") for model in wines.models()), alone))


def test_every_number_of_the_section_is_a_cell(told):
    assert len(numbers_of(told.page, told.tables)) > 8 and len(numbers_of(told.evidence, told.tables)) > 1
    assert unnumbered(told.page) == [] and unnumbered(told.evidence) == []


def test_scores_over_all_classes_are_those_of_scikit_learn(told):
    scores = told.tables["class_performance"].set_index(["model", "metric"])["estimate"]
    truth, test = wines.named(wines.wines().test), wines.wines().test
    for model in wines.models():
        predicted = model.probabilities(test)
        named = np.array(wines.LEVELS)[predicted.argmax(axis=1)]
        found = scores[model.name]
        assert found["log_loss"] == pytest.approx(metrics.log_loss(truth, predicted, labels=wines.LEVELS))
        assert found["macro_auc"] == pytest.approx(metrics.roc_auc_score(truth, predicted, multi_class="ovr"))
        assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(truth, named))
        assert found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, named))
        written = told.tables["class_predictions"].query("model == @model.name")
        np.testing.assert_array_equal(written.filter(like="p_"), predicted)


def test_the_section_says_which_class_is_taken_for_which_and_who_has_no_place(told):
    table, words = told.tables["class_confusion"], words_of(told.page)
    for model in wines.models():
        wrong = table.query("model == @model.name and outcome != taken_for").sort_values("count", ascending=False).iloc[0]
        right = table.query("model == @model.name and outcome == taken_for")["count"].sum()
        said = f"{model.name} is right about {right} of 36 people"
        said += f"; most often it takes “{wrong['outcome']}” for “{wrong['taken_for']}”, {wrong['count']} of {wrong['of']}."
        assert said in words
    assert "alone has no place here: alone answers for 'barolo' alone" in words
    assert "the rest of the page tells of “barolo” against the others" in words
    rates = told.tables["class_rates"].iloc[0]
    assert (rates["class"], rates["model"]) == ("barbera", "timid") and f"of {rates['of']}" in words
    assert "too few" in words if told.tables["class_rates"]["too_few"].any() else "too few (" not in words


def test_many_classes_are_told_without_a_failure():
    rng = np.random.default_rng(0)
    classes = np.array([f"kind {chr(97 + i)}" for i in range(15)])
    code = np.repeat(np.arange(15), 12)
    table = pd.DataFrame({"x": code + rng.normal(size=180), "kind": classes[code]})
    case = from_frame(table, infer_schema(table, "kind"), name="kinds").of_class("kind c")

    def near(rows):
        close = np.exp(-np.abs(rows["x"].to_numpy()[:, None] - np.arange(15)))
        return close / close.sum(axis=1, keepdims=True)

    told = told_of("classes", worlds.context(case, wrap(near, case.whole).of("kind c")))
    words = words_of(told.page)
    assert "The 12 classes that are mistaken most" in words and "and others, of 36 test people" in words
    assert len(told.tables["class_confusion"]) == 225 and told.tables["class_rates"]["too_few"].all()


# The page ------------------------------------------------------------------------------------------------------------


def test_the_page_says_of_which_class_it_tells_and_how_to_see_another(wine_page):
    words = words_of(wine_page.read_text())
    assert "Of the classes barbera, barolo and grignolino, this page tells of grignolino against all others" in words
    assert "--class barbera, in Python target='barbera', makes the page of another" in words
    assert re.search(r"Of 100 people, \d+ are taken for grignolino", words)
    assert f"{(wines.named(wines.wines().test) == 'grignolino').sum()} of them with the outcome cultivar = grignolino" in words


@pytest.mark.parametrize("section", EVERY)
def test_every_section_of_a_class_is_there_and_none_failed(wine_page, section):
    assert wine_page.read_text().count(f'<section id="{section}"') == 1
    assert "could not be measured" not in wine_page.read_text()


def test_a_class_is_no_denial_and_every_number_has_its_cell(wine_page):
    tables = {
        path.stem: pd.read_csv(path, keep_default_na=False, na_values=[""]) for path in wine_page.parent.glob("*-tables/*")
    }
    for path in (wine_page, wine_page.with_name("evidence.html")):
        text = path.read_text()
        assert not re.search(r"denie|denial|applicant|granted|\bloan", words_of(text.replace("bank_loan", "")))
        assert len(numbers_of(text, tables)) > 20
        assert unnumbered(text) == []
    assert dead_links(wine_page) == []
    command = html.unescape(re.search(r"<code>(dlx\.report\(.*?)</code>", wine_page.read_text())[1])
    assert "target='grignolino'" in command


def test_who_leaves_a_class_goes_to_another_or_stays_the_likeliest_and_reasons_make_no_sense():
    case = wines.wines()
    features = tuple(replace(one, actionable=one.name in ("flavanoids", "proline")) for one in case.schema.features)
    target = replace(case.schema.target, person="wine")
    case = from_frame(wines.table(), replace(case.schema, features=features, target=target), name="wine").of_class("barolo")
    models = [wrap(wines.quick(1.0), case.whole, name="plain").of("barolo")]
    told = told_of("change", worlds.context(case, *models))
    words = words_of(told.page)
    assert "What would keep a wine from being taken for barolo" in words
    then, searched = told.tables["recourse_classes"], told.tables["recourse_search"].iloc[0]
    assert then["class"].tolist() == list(wines.LEVELS) and then["count"].sum() == searched["found"] > 0
    last = then[then["count"] > 0].iloc[-1]
    assert "Their likeliest class is then" in words and f"“{last['class']}” for {last['count']}." in words
    assert "Reasons in fixed words are not given" in words
    numbers_of(told.page, told.tables)


def test_who_leaves_a_class_may_ask_for_another_one():
    case = wines.wines()
    features = tuple(replace(one, actionable=one.name in ("flavanoids", "proline")) for one in case.schema.features)
    case = from_frame(wines.table(), replace(case.schema, features=features), name="wine").of_class("barolo")
    models = [wrap(wines.quick(scale), case.whole, name=name).of("barolo") for scale, name in ((1.0, "plain"), (0.5, "timid"))]
    told = told_of("change", replace(worlds.context(case, *models), into="grignolino"))
    words, searched = words_of(told.page), told.tables["recourse_search"].iloc[0]
    assert "of them would be over the threshold for grignolino" in words and searched["found"] > 0
    then = told.tables["recourse_classes"].query("model == 'plain'").set_index("class")["count"]
    assert then["grignolino"] == searched["found"]
    granted = told.tables["recourse_other_models"].query("model == 'plain' and other == 'timid'").iloc[0]
    assert 0 < granted["granted"] <= 1 and granted["people"] == searched["found"]
    numbers_of(told.page, told.tables)
    with pytest.raises(DlxError, match=r"taken for 'barolo' may want into another class, one of barbera, grignolino, got"):
        range_or_class(case, "merlot")


def test_an_explanation_of_another_class_has_no_place_on_the_page():
    case, model = wines.wines(), wines.models()[0]
    asked = {"background": case.background(4), "scale": "probability", "method": "exact_shapley"}
    made = replace(explain(model, case.test, target="barbera", **asked), method="mine")
    with pytest.raises(DlxError, match="mine of timid explains 'barbera', the report 'barolo'; explain that"):
        RunContext.of(case.of_class("barolo"), [model.of("barolo")], people=5, background=4, brought=[made])
