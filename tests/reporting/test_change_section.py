"""The section "What would change it": numbers of the run in words that hold, for any binary table."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
import worlds
from pages import numbers_of, told_of, words_of

import dlx
from dlx.audit.adverse_action import Source
from dlx.audit.counterfactuals import denied
from dlx.audit.counterfactuals.generation import goal_of
from dlx.dataset import Dataset
from dlx.model import wrap
from dlx.reporting.sections import covered
from dlx.schema import Feature, Schema, Target


def told(case, *models):
    return told_of("change", worlds.context(case, *models))


def said(section):
    """Return all words of a section, on both pages."""
    return f"{words_of(section.page)} {words_of(section.evidence)}"


@pytest.fixture(scope="module")
def bank():
    case = dlx.load("bank_loan")
    models = [dlx.load_model(case, name) for name in ("mlp", "gradient_boosting", "logistic_regression")]
    return case, models, told(case, *models)


@pytest.fixture(scope="module")
def heart():
    case = dlx.load("heart_attack")
    return case, told(case, dlx.load_model(case, "gradient_boosting"))


def test_every_number_of_the_prose_is_a_cell_of_a_table(bank, heart):
    for section in (bank[-1], heart[-1]):
        assert len(numbers_of(section.page + section.evidence, section.tables)) >= 1
        assert "nan" not in said(section).split()
        tables = re.findall(r'href="report-tables/(\w+).csv"', section.page + section.evidence)
        assert tables and set(tables) <= set(section.tables)
    assert len(numbers_of(bank[-1].page, bank[-1].tables)) >= 20


def test_the_pages_keep_to_their_words_and_figures(bank, heart):
    for section in (bank[-1], heart[-1]):
        cells = len(words_of(section.page).split()) - len(words_of(section.page, tables=False).split())
        assert len(words_of(section.page, tables=False).split()) <= 700 and cells <= 350
        assert section.page.count("<figure>") <= 2 and len(words_of(section.evidence, tables=False).split()) <= 1200


def test_most_denied_test_people_of_bank_loan_have_recourse_by_few_allowed_columns_and_the_others_are_counted(bank):
    case, models, part = bank
    changes = part.tables["recourse_changes"]
    allowed = {feature.name for feature in case.schema.features if feature.actionable}
    for model in models[:2]:
        some = changes[changes["model"] == model.name]
        boundary = part.tables["recourse_boundary"]
        without = set(boundary.loc[boundary["model"] == model.name, "person"])
        assert set(some["person"]) | without == set(denied(model, case.test).index) and not set(some["person"]) & without
        assert len(without) < 0.06 * some["person"].nunique()
        assert set(some["column"]) <= allowed
        assert (some["new_risk"] <= goal_of(case.schema.target.threshold)).all()
        easiest = some[some["counterfactual"] == 1].groupby("person").size()
        assert easiest.median() <= 3
    given, count = changes.loc[changes["model"] == models[0].name, "person"].nunique(), len(denied(models[0], case.test))
    assert f"By mlp, {count} applicants are denied; {given} of them would not be denied if they changed" in words_of(part.page)
    assert "from 16.7 % or more down to 15.3 % or less" in words_of(part.page)
    assert "The odds must be 10 % below those of the threshold" in words_of(part.evidence)


def test_changes_as_told_are_granted_by_predict(bank):
    case, models, part = bank
    changes = part.tables["recourse_changes"]
    model, frame = models[1], case.frame
    some = changes[changes["model"] == model.name]
    for (person, _), lines in list(some.groupby(["person", "counterfactual"]))[:40]:
        row = frame.loc[[person]].copy()
        for line in lines.itertuples():
            feature = case.schema[line.column]
            if feature.is_categorical:
                row[line.column] = feature.levels[feature.level_labels.index(line.to)]
            else:
                row[line.column] = float(line.to.replace(",", "").split()[0])
        risk = model.predict(row, "probability")[0]
        assert risk == pytest.approx(lines["new_risk"].iloc[0]) and risk <= goal_of(case.schema.target.threshold)


def test_no_protected_column_is_printed_as_a_reason_and_reviewers_are_told(bank):
    case, _, part = bank
    reasons = part.tables["reasons"]
    assert not any(case.schema[name].protected for name in reasons["column"].unique())
    assert (reasons["contribution"] > 0).all() and reasons["rank"].max() == 4
    assert set(reasons["background"]) == {"near the cutoff", "all applicants"}
    assert "Never printed: “Marital status and sex”, “Age” and “Foreign worker”" in words_of(part.page)
    assert set(part.tables["reason_stability"]["differs"]) == {"background", "method", "model"}
    for differs, clause in stability_of(part).items():  # over all lines of the table
        some = part.tables["reason_stability"][lambda t, d=differs: t["differs"] == d]
        ends = [float(share) / 100 for share in re.findall(r"([\d.]+) %", clause)]
        assert ends == pytest.approx([some["same"].min(), some["same"].max()], abs=0.0051)
        assert len(some) == part.tables["reason_stability_ends"].set_index("differs").loc[differs, "pairs"].iloc[0]


def stability_of(part):
    """Return what the page says of each choice that gives other reasons."""
    told = re.search(r"The set of reasons stays the same for (.*?)\. ", words_of(part.page))[1].split("; ")
    return dict(zip(("background", "method", "model"), told, strict=True))


def test_no_reason_goes_against_its_words_and_one_reason_has_one_wording(bank):
    _, _, part = bank
    reasons, text = part.tables["reasons"], said(part)
    for column, value in (
        ("installment_rate", "less than 20 %"),
        ("property", "real estate"),
        ("housing", "owns"),
        ("credit_history", "existing credits paid back duly so far"),
    ):
        assert not ((reasons["column"] == column) & (reasons["value"] == value)).any() and f"({value})" not in text
    assert "Limited credit history" not in text and "For review, never printed" in text
    assert reasons["review"].str.contains("installment_rate").any()
    assert not reasons.duplicated(["model", "method", "background", "person", "reason"]).any()
    most = part.tables["reasons_given"].query("model == 'mlp' and background == 'near the cutoff'")
    given = reasons.query("model == 'mlp' and method == 'shapley' and background == 'near the cutoff'")
    assert set(most["reason"]) == set(given["reason"])
    for line in most.itertuples():
        assert line.estimate == given.loc[given["reason"] == line.reason, "person"].nunique() / line.people


def test_the_stability_that_is_told_is_that_of_the_reasons(bank):
    _, _, part = bank
    table = part.tables["reason_stability"]
    sets = part.tables["reasons"].groupby(["model", "method", "background", "person"])["group"].agg(frozenset)
    ends = {}
    for line in table.to_dict("records"):
        sources = ({**line, line["differs"]: line[which]} for which in ("one", "other"))
        one, other = (sets.loc[tuple(source[name] for name in Source._fields)] for source in sources)
        both = one.index.intersection(other.index)
        same = sum(one[person] == other[person] for person in both)
        assert line["people"] == len(both) and line["same"] == pytest.approx(same / len(both))
        ends.setdefault(line["differs"], []).append((same / len(both), *wilson(same, len(both))))
    told = part.tables["reason_stability_ends"].groupby("differs")[["same", "same_low", "same_high"]]
    for differs, some in told:  # of the pair that agrees least and of the one that agrees most
        assert some.to_numpy() == pytest.approx(np.array([min(ends[differs]), max(ends[differs])]), abs=1e-6)
    assert "or have the same words: “Length of the loan” and “Amount of the loan”" in words_of(part.evidence)
    group = part.tables["reasons"].groupby("column")["group"].unique()
    assert all(len(some) == 1 for some in group) and group["amount"] == group["duration"] != group["status"]


def wilson(count, people, z=1.959964):
    share, over = count / people, 1 + z * z / people
    reach = z * np.sqrt(share * (1 - share) / people + z * z / (4 * people * people))
    return (share + z * z / (2 * people) - reach) / over, (share + z * z / (2 * people) + reach) / over


def test_a_clinical_table_gets_no_reasons_and_no_advice(heart):
    _, part = heart
    text = words_of(part.page)
    assert "Reasons in fixed words are not given" in text and "CFR" not in text and "reasons" not in part.tables
    assert "no advice on treatment or behaviour" in text
    assert text.startswith("How the risk goes with what people can change")
    assert not re.search(r"\byou should\b|\bshould (eat|stop|take)\b|\breduces? (the|your) risk\b", text.lower())
    assert "Total cholesterol" in text and "consequences taken for causes" in text
    assert "No ways out are given: a past heart attack is there already" in text
    assert not any(name.startswith("recourse") for name in part.tables)


def test_a_table_without_actionable_or_protected_columns_is_told_so():
    part = told(worlds.table("numeric"), worlds.model("boosted", "numeric"))
    assert "No column of this table is marked as one that a person can change" in words_of(part.page)
    assert set(part.tables) == {"change_facts"} and not words_of(part.evidence)


def test_a_table_of_the_past_says_why_nobody_can_change_it():
    case = dlx.load("credit_default")[:200]
    limit = dataclasses.replace(case.schema["LIMIT_BAL"], actionable=False, fixed="set by the bank")
    case = dataclasses.replace(case, schema=Schema((limit, *case.schema.features[1:]), case.schema.target))
    model = wrap(lambda table: np.full(len(table), 0.9), case.schema, name="strict", scale="probability")
    text = words_of(told(case, model).page)
    assert "a card holder can change (18 columns: past; 1 column: set by the bank), so no recourse can be given" in text


def lending(threshold=0.5, protected=False):
    features = tuple(
        dataclasses.replace(f, protected=protected and f.name == "debt", actionable=f.name == "amount")
        for f in worlds.NUMERIC.features
    )
    target = dataclasses.replace(worlds.TARGET, threshold=threshold, adverse_action=True, flagged="denied")
    data = worlds.table("numeric")
    return Dataset(Schema(features, target), data.rows, data.outcomes, name="lending")


def test_a_model_that_denies_nobody_is_told_so():
    case = lending()
    nobody = wrap(lambda table: np.full(len(table), 0.1), case.schema, name="mild", scale="probability")
    text = words_of(told(case, nobody).page)
    assert "Nobody of the test rows is denied by mild" in text and "There are no reasons to give" in text


def test_a_model_that_grants_nobody_compares_with_all_and_says_what_cannot_change():
    case = lending(threshold=0.01)
    strict = wrap(
        lambda table: 0.5 + 0.05 * np.tanh(table["amount"] + table["debt"]), case.schema, name="strict", scale="probability"
    )
    part = told(case, strict)
    assert part.tables["recourse"].set_index("measure").loc["share_with_recourse", "estimate"] == 0
    assert len(part.tables["recourse_boundary"]) == len(case.test)
    assert "By strict, 60 people are denied; no change was found that would keep any of them" in words_of(part.page)
    assert "no way for 60 of 60" in said(part) and "by all combinations of the values tried" in said(part)
    assert "nan" not in said(part).split()
    assert set(part.tables["reasons"]["background"]) == {"all applicants"}
    assert "The schema marks no column as protected" in words_of(part.page)


def test_a_model_that_says_the_same_of_everybody_has_no_reasons():
    case = lending()
    harsh = wrap(lambda table: np.full(len(table), 0.9), case.schema, name="harsh", scale="probability")
    part = told(case, harsh)
    assert "There are no reasons to give" in words_of(part.page) and "stays the same" not in words_of(part.page)
    assert "reasons" not in part.tables


def test_who_is_denied_for_a_protected_column_alone_is_counted_and_a_reviewer_told():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"sex": rng.choice(["f", "m"], 300), "a": rng.normal(size=300), "b": rng.normal(size=300)})
    table["y"] = ((table["sex"] == "f") & (rng.random(300) < 0.7)).astype(int)
    sex = Feature("sex", "categorical", levels=("f", "m"), protected=True)
    target = Target("y", levels=("0", "1"), adverse_action=True)
    case = dlx.from_frame(table, Schema((sex, Feature("a"), Feature("b")), target))
    model = wrap(lambda people: np.where(people["sex"] == "f", 0.7, 0.1), case, name="sexist")
    found = told(case, model)
    text, count = words_of(found.page), len(denied(model, case.test))
    assert "reasons" not in found.tables and f"No reason can be printed for {count} flagged by sexist" in text
    assert "as much as a printed reason for 100 % of those flagged by sexist" in text


def test_nothing_is_said_of_a_law_that_the_schema_does_not_name():
    case = Dataset(Schema((Feature("x"), Feature("y"))), np.random.default_rng(0).normal(size=(200, 2)), np.arange(200) % 2)
    part = told(case, wrap(lambda table: table["x"], case.schema, name="m", scale="logit"))
    words = words_of(part.page + part.evidence)
    assert "Reasons in fixed words are not given" in words and covered(part) == []
    assert not any(word in words for word in ("CFR", "adverse action", "denied", "denial", "applicant", "patient"))


def test_markup_in_names_stays_text():
    schema = Schema(
        (Feature("<b>x</b>", actionable=True, label="<i>$x$</i>"), Feature("y")),
        Target("t", levels=("n", "y"), adverse_action=True),
    )
    rows = np.random.default_rng(0).normal(size=(200, 2))
    case = Dataset(schema, rows, (rows[:, 0] + rows[:, 1] > 0).astype(float))
    model = wrap(lambda table: table["<b>x</b>"] + table["y"], schema, name="m", scale="logit")
    part = told(case, model)
    assert part.page.count("<figure>") == 2 and isinstance(part.tables["recourse"], pd.DataFrame)
    assert "<i>" not in part.page + part.evidence and "<i>$x$</i>" in words_of(part.page)


def test_what_is_told_of_the_size_of_a_group_is_its_own(bank):
    case, _, part = bank
    counts = {
        (level, int((case.train.rows[:, i] == code).sum()))
        for i, feature in enumerate(case.schema.features)
        for code, level in enumerate(feature.level_labels)
    }
    few = re.findall(r"“([^”]+)” of “[^”]+” \((\d+) of (\d+) training rows\)", words_of(part.evidence))
    assert ("yes", "26", "600") in few
    assert all((level, int(count)) in counts and int(rows) == len(case.train) for level, count, rows in few)


def test_a_method_that_is_not_used_is_named_once_for_each_group_that_people_are_compared_with(bank):
    _, _, part = bank
    unused = re.findall(
        r"(?:used: |; )(\w+) of (\w+), compared with (those near the cutoff|all applicants)", words_of(part.evidence)
    )
    assert len(set(unused)) == len(unused) == len(part.tables["reasons_unused"]) > 0


def test_columns_of_which_nobody_changes_one_alone_are_named_where_they_are_moved_alone(heart):
    _, part = heart
    assert "“Body mass index” and “Waist circumference” (.91) go together in real people" in words_of(part.evidence)


def test_nobody_is_said_to_be_trusted_whose_noise_was_not_measured(bank):
    _, _, part = bank
    assert "the methods that are not refuted" in said(part) and "trusted" not in said(part)
    assert "their own noise was not measured" in said(part)


def test_a_column_that_is_bound_to_one_that_nobody_can_change_is_said_to_stay():
    rng = np.random.default_rng(0)
    income = rng.normal(3000, 500, 300)
    features = (Feature("income", actionable=True, direction="up"), Feature("net"), Feature("debt", actionable=True))
    target = Target("bad", levels=("no", "yes"), adverse_action=True, flagged="denied")
    rows = np.column_stack([income, 0.9 * income + rng.normal(0, 10, 300), rng.normal(size=300)])
    case = Dataset(Schema(features, target), rows, (rng.random(300) < 0.5).astype(float), name="lending")
    model = wrap(lambda t: t["debt"] - (t["income"] - 3000) / 500, case.schema, name="own", scale="logit")
    part = told(case, model)
    assert "“income” stays as it is, because “net” cannot be changed" in words_of(part.evidence)
    assert set(part.tables["recourse_changes"]["column"]) == {"debt"}
