"""The section on fairness: its sentences repeat its tables, and it has an answer where nobody can be compared."""

from __future__ import annotations

import dataclasses
import re

import groups as people_of
import numpy as np
import pytest
import worlds
from pages import numbers_of, tables_linked, told_of, words_of

from dlx import plots
from dlx.audit.adverse_action import grouping
from dlx.audit.fairness.groups import partition
from dlx.audit.fairness.rates import group_rates
from dlx.context import QUICK, THOROUGH
from dlx.dataset import Dataset
from dlx.model import wrap
from dlx.reporting.sections import covered
from dlx.reporting.sections.fairness.measure import measure
from dlx.schema import Feature, Schema, Target

TABLES = {"rates", "gaps", "shown", "proxies", "single_proxies", "carriers", "gap_columns", "remedies", "tried", "lights"}


def own_model():
    return people_of.saying(lambda table: 1.5 * table["debt"] + (table["sex"] == "m") - 0.8, ("logit", "probability"))


def section_of(case, *models, budget=QUICK):
    return told_of("fairness", dataclasses.replace(worlds.context(case, *models, background=20), budget=budget))


@pytest.fixture(scope="module")
def told():
    return section_of(people_of.case(), people_of.model(), own_model(), budget=THOROUGH)


def test_every_number_of_the_prose_is_a_cell_of_a_table_and_the_page_is_short(told):
    assert len(numbers_of(told.page, told.tables)) > 15 and len(numbers_of(told.evidence, told.tables)) > 0
    assert len(words_of(told.page, tables=False).split()) < 500 and len(words_of(told.evidence, tables=False).split()) < 900
    assert set(told.tables) == {f"fairness_{name}" for name in (*TABLES, "facts")}
    assert str(told.page).count("<figure>") == 2 and str(told.evidence).count("<figure>") == 2
    assert tables_linked(told.page + told.evidence) <= set(told.tables)
    assert "nan" not in words_of(told.page + told.evidence).lower().split()


def test_the_page_tells_the_two_groups_furthest_apart_and_how_far(told):
    shown = told.tables["fairness_shown"]
    line = shown.loc[shown.loc[shown["model"] == "gradient_boosting", "ratio"].idxmin()]
    numbers = ", ".join(f"{line[name]:.2f}".lstrip("0") for name in ("ratio", "ratio_low", "ratio_high"))
    found = re.search(
        r"of “(.+?)”, .+? are flagged by \w+, of “(.+?)” .+? The ratio, (\S+) \((\S+) to (\S+)\), is", words_of(told.page)
    )
    assert (found[1], found[2]) == (line["lowest"], line["highest"])
    assert f"{found[3]}, {found[4]}, {found[5]}" == numbers
    gaps = told.tables["fairness_gaps"].query(
        "rate == 'selection_rate' and model == @line.model and attribute == @line.attribute"
    )
    assert gaps["ratio"].item() == line["ratio"]
    rates = told.tables["fairness_rates"].query("rate == 'selection_rate' and model == @line.model and group == @line.lowest")
    assert rates["estimate"].item() == line["share_lowest"]


def test_columns_with_an_objection_are_named_with_it_and_not_compared(told):
    assert "Not compared by mixed: Its codes were mixed up." in words_of(told.page)
    assert not any("mixed" in attribute for attribute in told.tables["fairness_rates"]["attribute"])


def test_columns_that_the_target_does_not_name_and_pairs_are_in_the_tables(told):
    assert list(told.tables["fairness_gaps"]["attribute"].unique()) == ["age", "sex", "income", "age × sex"]
    assert set(told.tables["fairness_remedies"]["attribute"]) == {"age", "sex"}


def test_the_gaps_add_up_in_the_table(told):
    for _, lines in told.tables["fairness_gap_columns"].groupby(["model", "attribute", "group", "against"]):
        assert lines["difference"].iloc[:-1].sum() == pytest.approx(lines["difference"].iloc[-1], abs=1e-6)


def test_only_a_gap_whose_interval_holds_zero_is_said_to_be_chance(told):
    widest, text = told.tables["fairness_gap_columns"].query("is_widest and column == 'all columns'"), words_of(told.page)
    for one in widest[widest["model"] == "gradient_boosting"].itertuples():
        said = re.search(rf"“{one.group}” lies \S+ \([^)]*\) log-odds from “{one.against}”( \(no more than chance\))?", text)
        assert (said[1] is not None) == (one.low <= 0 <= one.high)


def test_only_models_that_dlx_trains_are_trained_again(told):
    tried = told.tables["fairness_remedies"].groupby("model")["remedy"].nunique()
    assert tried.to_dict() == {"gradient_boosting": 5, "told": 2}
    assert "told: not trained by dlx on this table" in words_of(told.evidence)


def test_a_quick_report_tries_remedies_with_the_model_to_use():
    told = section_of(people_of.case(), people_of.model(), people_of.model("logistic_regression"))
    (use,) = set(told.tables["fairness_remedies"]["model"])
    assert told.tables["fairness_remedies"]["remedy"].nunique() == 5
    assert f"were tried with {use}." in words_of(told.page)
    assert set(told.tables["fairness_gap_columns"]["model"]) >= {"gradient_boosting", use}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_whichever_model_is_the_one_to_use_is_told_of(place):
    context = worlds.context(people_of.case(), people_of.model(), people_of.model("random_forest"), own_model())
    use = context.models[place]
    vars(context)["to_use"] = use, "better"
    assert use in context.audited_models and use.name in set(measure(context).tables["fairness_shown"]["model"])


def test_the_cheapest_remedy_is_one_that_lessens_a_gap_and_the_table_repeats_the_csv(told):
    csv = told.tables["fairness_remedies"]
    for _, one in told.tables["fairness_tried"].iterrows():
        own = csv[(csv["attribute"] == one["attribute"]) & (csv["model"] == one["model"])]
        less = own[
            ((own["measure"] == "selection_ratio") & (own["low"] > 0))
            | (own["measure"].str.endswith("gap") & (own["high"] < 0))
        ]
        assert one["lessen"] == less["remedy"].nunique() and one["tried"] == own["remedy"].nunique()
        cost = own[(own["measure"] == "cost") & own["remedy"].isin(less["remedy"])]
        assert one["remedy"] == (cost.loc[cost["after"].idxmin(), "remedy"] if len(cost) else "")
    first = csv[csv["measure"] == "cost"].iloc[0]
    assert f"{abs(first['change']):.3f}".lstrip("0") in words_of(told.evidence)


def test_a_table_without_protected_columns_is_told_so_in_a_sentence():
    case = people_of.case()
    features = tuple(dataclasses.replace(feature, protected=False) for feature in case.schema.features)
    target = dataclasses.replace(case.schema.target, fairness_by=())
    plain = dataclasses.replace(case, schema=dataclasses.replace(case.schema, features=features, target=target))
    told = section_of(plain, people_of.model())
    assert "Set protected = true" in words_of(told.page) and set(told.tables) == {"fairness_facts"} and not told.evidence
    assert covered(told) == []  # no reviewer is told that fairness was measured


def test_a_table_of_which_nothing_may_be_compared_gives_the_reasons():
    case = people_of.case()
    features = tuple(
        dataclasses.replace(feature, no_groups="Nobody asked." if feature.protected else "") for feature in case.schema.features
    )
    barred = dataclasses.replace(case, schema=dataclasses.replace(case.schema, features=features))
    text = words_of(section_of(barred, people_of.model()).page)
    assert text.startswith("No protected column of this table can be compared.") and "sex: Nobody asked." in text


def test_too_few_people_make_a_section_that_says_so():
    told = section_of(people_of.case()[:100], people_of.model())
    text = words_of(told.page)
    assert "Groups by age and sex are too small to judge." in text and "The ratio" not in text
    assert "No remedy was tried: no two groups can be judged." in text
    assert "fairness_remedies" not in told.tables and "nan" not in text.lower().split()


@pytest.mark.parametrize("risk", [0.1, 0.9])
def test_a_model_that_flags_nobody_or_everybody_makes_a_section(risk):
    flat = people_of.saying(lambda table: np.full(len(table), risk), ("probability", "logit"))
    text = words_of(section_of(people_of.case(), flat).page)
    assert "nan" not in text.lower().split()
    assert "is the same in every group that can be judged" in text and "The ratio" not in text


def test_linear_models_are_explained_where_there_is_no_other():
    told = section_of(people_of.case(), people_of.model("logistic_regression"))
    assert set(told.tables["fairness_gap_columns"]["method"]) == {"linear_shap"}


def test_the_drawing_has_a_mark_a_group_and_says_too_few():
    from matplotlib.figure import Figure as Canvas

    rates = group_rates(people_of.model(), people_of.case().test[:60], partition(people_of.case(), "age"))
    table = rates.to_frame().query("rate == 'true_positive_rate'")
    with plots.style():
        ax = plots.draw_group_rates(table, rates.groups, ["gradient_boosting"], Canvas().subplots(), of="rate")
    judged = table["judged"].to_numpy()
    assert [text.get_text() for text in ax.texts] == ["too few"] * (~judged).sum() and (~judged).any()
    (marks,) = [line for line in ax.lines if line.get_label() == "gradient_boosting"]
    np.testing.assert_array_equal(marks.get_xdata(), table["estimate"][judged])


def test_the_drawing_of_a_gap_has_a_bar_a_column_and_model(told):
    from matplotlib.figure import Figure as Canvas

    lines = told.tables["fairness_gap_columns"].query("attribute == 'sex'")
    columns = ["all columns", "debt", "sex"]
    with plots.style():
        ax = plots.draw_gap(lines, columns, columns, ["gradient_boosting", "told"], Canvas().subplots())
    expected = [
        lines.query("model == @m and column == @c")["difference"].iloc[0]
        for m in ("gradient_boosting", "told")
        for c in columns
    ]
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], expected)


def test_a_table_with_fewer_people_than_any_group_needs_makes_a_section():
    text = words_of(section_of(people_of.case(50), own_model()).page)
    assert "too small to judge" in text and "an AUC of" not in text


def test_both_rooms_name_the_same_stand_ins():
    rng = np.random.default_rng(0)
    age = rng.integers(20, 75, 400).astype(float)
    features = (Feature("age", protected=True), Feature("middle"), Feature("debt"))
    schema = Schema(features, Target("bad", levels=("no", "yes"), adverse_action=True, flagged="denied"))
    rows = np.column_stack([age, np.abs(age - 47), rng.normal(size=400)])
    case = Dataset(schema, rows, (rng.random(400) < 0.5).astype(float), name="lending")
    model = wrap(lambda table: 0.5 + 0.01 * (table["middle"] - 14) / 14, schema, name="own", scale="probability")
    told = section_of(case, model)
    withheld = grouping(case.train).proxies
    assert set(withheld) == {"middle"}
    said = words_of(told.page)
    assert f"middle alone tells “{withheld['middle'].group}” with" in said and "No column is a proxy by itself" not in said
    line = told.tables["fairness_single_proxies"].set_index("column").loc["middle"]
    assert (line["group"], line["auc"]) == (withheld["middle"].group, withheld["middle"].auc)
