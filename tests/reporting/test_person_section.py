"""The section on single people: whom it tells of, which reasons it gives, and never a protected attribute among them."""

from __future__ import annotations

import dataclasses
import html
import re

import numpy as np
import pytest
import worlds
from pages import numbers_of, told_of, words_of

import dlx
from dlx.context import QUICK, RunContext
from dlx.dataset import Dataset
from dlx.progress import Narrator
from dlx.reporting.sections.person.measure import measure, reasons
from dlx.rounding import percent_beside
from dlx.threads import one_thread

pytestmark = pytest.mark.usefixtures("few_samples")
FEW = dataclasses.replace(QUICK, noise_people=3, replicates=2, truth_tolerance=0.1, settings_people=3)
KEYS = ("clear", "borderline", "wrong", "disputed")


def context_of(case, *models, people=10, background=10):
    """Return the context of a small report."""
    asked = {"people": people, "background": background, "budget": FEW}
    return RunContext.of(case, models, narrator=Narrator(quiet=True), **asked)


@pytest.fixture(scope="module")
def bank_loan():
    """A small report of the loans: a net and boosted trees."""
    models = (dlx.load_model("bank_loan", name) for name in ("mlp", "gradient_boosting"))
    return context_of(dlx.load("bank_loan"), *models, background=20)


@pytest.fixture(scope="module")
def told(bank_loan):
    return told_of("person", bank_loan)


def parts_of(page):
    """Return the part of each person."""
    return dict(zip(KEYS, re.split(r'<h3 id="person-', str(page))[1:], strict=False))


def test_every_number_of_the_prose_is_a_cell_of_a_table(told):
    assert len(numbers_of(told.page, told.tables)) > 20
    assert [key for key in KEYS if f'id="person-{key}"' not in told.page] == []


def test_each_person_s_risks_decisions_and_outcome_are_those_of_the_table(told):
    people, target = told.tables["people"].set_index("told_as"), dlx.load("bank_loan").schema.target
    for key, part in parts_of(told.page).items():
        said = words_of(part)
        assert f"Applicant {people.loc[key, 'row']} " in said
        for model in ("mlp", "gradient_boosting"):
            risk = people.loc[key, f"risk_by_{model}"]
            decision = "denied" if risk >= target.threshold else "granted"
            assert f"{percent_beside(risk, target.threshold)} ({decision})" in said
        assert ("had a bad loan" in said) == (people.loc[key, "outcome"] == 1)


def test_the_four_people_obey_their_rules(told, bank_loan):
    test, threshold = bank_loan.case.test, bank_loan.case.schema.target.threshold
    net, trees = bank_loan.models
    risk = net.predict(test, "probability")
    wrong = np.where((risk >= threshold) != (test.outcomes == 1), np.abs(risk - test.outcomes), -np.inf)
    apart = np.abs(net.predict(test, "logit") - trees.predict(test, "logit"))
    expected: list[int] = []
    for score in (risk, -np.abs(risk - threshold), wrong, apart):
        expected.append(next(int(i) for i in np.argsort(-score, kind="stable") if i not in expected))
    told_as = told.tables["people"].query("told_as != ''")
    assert told_as["told_as"].tolist() == list(KEYS) and told_as["row"].tolist() == test.index[expected].tolist()


def test_what_divides_the_models_adds_up_and_names_the_largest_differences(told):
    line = told.tables["featured"].set_index("key").loc["disputed"]
    people = told.tables["people"].set_index("told_as")
    net, trees = (
        np.log(p / (1 - p)) for p in people.loc["disputed", ["risk_by_mlp", "risk_by_gradient_boosting"]].astype(float)
    )
    assert line["difference"] == pytest.approx(net - trees, abs=1e-9)
    assert line["base_difference"] + line["columns_difference"] == pytest.approx(line["difference"], abs=1e-6)
    contrast = told.tables["contrast"]
    contrast = contrast[contrast["row"] == people.loc["disputed", "row"]].set_index("label")["difference"]
    largest = contrast.reindex(contrast.abs().sort_values(ascending=False).index)[:3]
    said = html.unescape(str(told.page)).partition("What divides them")[2]
    assert re.findall(r"“<span class=\"verbatim\">(.*?)</span>” \(", said)[:3] == largest.index.tolist()


def test_protected_attributes_are_never_printed_as_reasons(told, bank_loan):
    protected = {words for f in bank_loan.case.schema.features if f.protected for words in (f.label, f.reason)}
    assert len(protected) > 2
    for position in range(len(bank_loan.panel)):
        given = [line for line in reasons(bank_loan, position) if line["given"] == "reason"]
        assert given and not protected & {line["words"] for line in given}
        assert all(0.6 * line["methods"] <= line["support"] <= line["methods"] for line in given)
    for part in parts_of(told.page).values():
        printed = set(re.findall(r'<li>\s*(?:<p>)?<strong><span class="verbatim">(.*?)</span></strong>', html.unescape(part)))
        assert printed and not protected & printed


@pytest.mark.parametrize("regulated", [True, False])
def test_a_protected_attribute_that_decides_is_withheld_where_reasons_are_regulated(regulated):
    mixed = worlds.table("mixed")
    schema = dataclasses.replace(mixed.schema, target=dataclasses.replace(worlds.TARGET, adverse_action=regulated))
    case = Dataset(schema, mixed.rows, mixed.outcomes, name="mixed")
    unfair = dlx.wrap(lambda t: 0.2 + 0.5 * (t["sex"] == "m") + 0.2 * (t["age"] > 0), schema, name="unfair")
    context = context_of(case, unfair, people=8, background=6)
    man = next(i for i in range(len(context.featured)) if context.people.rows[i, 3] == 1)
    part = list(parts_of(told_of("person", context).page).values())[man]
    assert ('<strong><span class="verbatim">sex</span></strong>' in part) != regulated
    assert ("never given as a reason: “sex” (raises the risk)" in words_of(part)) == regulated


def test_reasons_are_shared_by_enough_of_the_methods_whose_word_counts(told, bank_loan):
    counting = sorted(measure(bank_loan).about.counting)
    of_net = told.tables["contributions"].query("model == 'mlp'")
    contributions = of_net[of_net["method"].isin(counting)]
    for line in told.tables["consensus"].query("model == 'mlp'").itertuples():
        by_method = contributions.query("row == @line.row").pivot(index="method", columns="feature", values="contribution")
        assert line.methods == len(by_method)
        top = by_method.abs().rank(axis=1, ascending=False) <= 5
        for name in line.raises.split():
            assert (top[name] & (by_method[name] > 0)).sum() >= 0.6 * len(by_method)
        assert (by_method.abs().idxmax(axis=1) == line.first).sum() == line.first_votes


@pytest.mark.parametrize("kind", ["net", "forest", "linear", "function"])
def test_a_single_model_is_told_of_without_another(kind):
    told = told_of("person", context_of(worlds.table("mixed"), worlds.model(kind, "mixed"), people=6, background=8))
    assert told.tables["people"].query("told_as != ''")["told_as"].tolist() == ["clear", "borderline", "wrong"]
    assert "contrast" not in told.tables and "What divides them" not in told.page
    assert len(numbers_of(told.page, told.tables)) > 5


def test_two_models_without_a_common_scale_are_told_of_without_what_divides_them():
    models = worlds.model("forest", "mixed"), worlds.model("linear", "mixed")
    told = told_of("person", context_of(worlds.table("mixed"), *models, people=6, background=8))
    assert "Where forest and linear differ most" in words_of(told.page)
    assert "contrast" not in told.tables and "What divides them" not in told.page


def test_names_of_columns_and_people_do_no_harm():
    case = worlds.table("numeric")
    odd = dataclasses.replace(case.schema.features[0], label="<b>*a*</b> 50 $x$")
    schema = dataclasses.replace(case.schema, features=(odd, *case.schema.features[1:]))
    index = np.array([f"<row {i}>" for i in range(len(case))])
    case = Dataset(schema, case.rows, case.outcomes, index=index, name="odd")
    model = dlx.wrap(lambda t: 0.5 + 0.4 * np.tanh(t["age"]), schema, name="<model>")
    with one_thread():
        told = told_of("person", context_of(case, model, people=6, background=6))
    text = re.sub(r'src="[^"]*"', "", told.page + told.evidence)
    assert not re.search(r"<(b>|row|model)|<em>a", text) and "<b>*a*</b> 50 $x$" in html.unescape(text)
