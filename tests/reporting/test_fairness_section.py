"""The section on fairness: its sentences repeat its tables, and it has an answer where nobody can be compared."""

from __future__ import annotations

import dataclasses
import re

import groups as people_of
import numpy as np
import pytest
import worlds

from dlx import plots
from dlx.audit.adverse_action import grouping
from dlx.audit.fairness.groups import partition
from dlx.audit.fairness.rates import group_rates
from dlx.dataset import Dataset
from dlx.model import wrap
from dlx.reporting.canvas import Figure
from dlx.reporting.sections import checklist
from dlx.reporting.sections.blocks import Folded, Listed, Table, Words
from dlx.reporting.sections.fairness import section
from dlx.reporting.sections.fairness.evidence import architecture_of
from dlx.reporting.sections.fairness.words import change_words
from dlx.schema import Feature, Schema, Target

TABLES = {"rates", "gaps", "proxies", "carriers", "gap_columns", "remedies"}


def own_model():
    return people_of.saying(lambda table: 1.5 * table["debt"] + (table["sex"] == "m") - 0.8, ("logit", "probability"))


def told_of(case: Dataset, models, tmp_path):
    setting = worlds.context(case, background=20)
    return section(setting, models)


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    trees = people_of.model()
    return told_of(
        people_of.case(), [trees, own_model(), people_of.model("logistic_regression")], tmp_path_factory.mktemp("audit")
    )


def every(blocks, kind):
    """Return all blocks of a kind, folded ones too."""
    inside = [block for folded in blocks if isinstance(folded, Folded) for block in folded.blocks]
    return [block for block in (*blocks, *inside) if isinstance(block, kind)]


def text_of(told) -> str:
    parts = [sentence for block in every(told.blocks, Words) for sentence in block.sentences]
    return " ".join([*told.findings, *parts, *(item for block in every(told.blocks, Listed) for item in block.items)])


def test_it_has_all_tables_figures_and_evidence(told):
    assert set(told.tables) == {f"fairness_{name}" for name in TABLES}
    assert {figure.table for figure in every(told.blocks, Figure)} == {"fairness_rates", "fairness_gap_columns"}
    assert set(told.covers) == {"fairness", "proxies", "mitigation"} <= {key for *_, key in checklist.ITEMS}
    assert all(len(table.header) == len(line) for table in every(told.blocks, Table) for line in table.lines)
    assert "nan" not in text_of(told).lower()


def test_the_first_finding_is_the_widest_gap_of_a_model_that_cannot_be_read(told):
    gaps = told.tables["fairness_gaps"]
    known = gaps[(gaps["rate"] == "selection_rate") & gaps["attribute"].isin(("age", "sex")) & gaps["ratio"].notna()]
    known = known[known["model"] != "logistic_regression"]
    line = known.loc[known["ratio"].idxmin()]
    numbers = ", ".join(f"{line[name]:.2f}".lstrip("0") for name in ("ratio", "ratio_low", "ratio_high"))
    found = re.search(r"“(.+?)” has (\S+) \((\S+) to (\S+)\) times that of “(.+?)”", told.findings[0])
    assert (found[1], found[5]) == (line["lowest"], line["highest"])
    assert f"{found[2]}, {found[3]}, {found[4]}" == numbers


def test_columns_with_an_objection_are_named_with_it_and_not_compared(told):
    assert told.findings[1] == "By mixed no comparison is valid on this table."
    assert "Not compared by mixed: Its codes were mixed up." in text_of(told)
    assert not any("mixed" in attribute for attribute in told.tables["fairness_rates"]["attribute"])


def test_columns_that_the_target_does_not_name_and_pairs_are_in_the_tables(told):
    assert list(told.tables["fairness_gaps"]["attribute"].unique()) == ["age", "sex", "income", "age × sex"]
    assert set(told.tables["fairness_remedies"]["attribute"]) == {"age", "sex"}


def test_the_gaps_add_up_in_the_table(told):
    for _, lines in told.tables["fairness_gap_columns"].groupby(["model", "attribute", "group", "against"]):
        assert lines["difference"].iloc[:-1].sum() == pytest.approx(lines["difference"].iloc[-1], abs=1e-6)


def test_only_models_that_dlx_trains_are_trained_again(told):
    tried = told.tables["fairness_remedies"].groupby("model")["remedy"].nunique()
    assert tried.to_dict() == {"gradient_boosting": 5, "told": 2}
    assert architecture_of(people_of.model(), 0) == "gradient_boosting" and architecture_of(people_of.model(), 1) is None
    assert architecture_of(own_model(), 0) is None
    assert architecture_of(dataclasses.replace(own_model(), name="mlp"), 0) is None


def test_the_remedies_table_repeats_the_csv(told):
    (table,) = [table for table in every(told.blocks, Table) if table.caption.startswith("Remedies for sex")]
    csv = told.tables["fairness_remedies"]
    for model, remedy, *cells in table.lines:
        own = csv[(csv["attribute"] == "sex") & (csv["model"] == model) & (csv["remedy"] == remedy)]
        for cell, (_, line) in zip(cells, own.iterrows(), strict=True):
            assert cell == change_words(line, line["measure"])
            assert cell == "–" or float(re.match(r"[\d.]+", cell)[0]) == pytest.approx(line["before"], abs=0.006)


def test_a_table_without_protected_columns_is_told_so_in_a_sentence(tmp_path):
    case = people_of.case()
    features = tuple(dataclasses.replace(feature, protected=False) for feature in case.schema.features)
    target = dataclasses.replace(case.schema.target, fairness_by=())
    plain = dataclasses.replace(case, schema=dataclasses.replace(case.schema, features=features, target=target))
    told = told_of(plain, [people_of.model()], tmp_path)
    assert told.findings == ("No column is marked as protected: fairness was not examined.",)
    assert not told.covers and "set protected = true" in text_of(told)


def test_a_table_of_which_nothing_may_be_compared_gives_the_reasons(tmp_path):
    case = people_of.case()
    features = tuple(
        dataclasses.replace(feature, no_groups="Nobody asked." if feature.protected else "") for feature in case.schema.features
    )
    barred = dataclasses.replace(case, schema=dataclasses.replace(case.schema, features=features))
    told = told_of(barred, [people_of.model()], tmp_path)
    assert told.findings == ("No protected column of this table can be compared.",) and "sex: Nobody asked." in text_of(told)


def test_too_few_people_make_a_section_that_says_so(tmp_path):
    told = told_of(people_of.case()[:100], [people_of.model()], tmp_path)
    assert told.findings[0].startswith("By age and sex there are too few people to judge")
    assert told.findings[-1] == "No remedy was tried: no two groups can be judged."
    assert "fairness_remedies" not in told.tables and "nan" not in text_of(told).lower()


@pytest.mark.parametrize("risk", [0.1, 0.9])
def test_a_model_that_flags_nobody_or_everybody_makes_a_section(tmp_path, risk):
    flat = people_of.saying(lambda table: np.full(len(table), risk), ("probability", "logit"))
    told = told_of(people_of.case(), [flat], tmp_path)
    assert "nan" not in text_of(told).lower()
    assert any("is the same in every group" in finding for finding in told.findings)
    assert "highest for “" not in text_of(told)


def test_linear_models_are_explained_where_there_is_no_other(tmp_path):
    told = told_of(people_of.case(), [people_of.model("logistic_regression")], tmp_path)
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


def test_a_table_with_fewer_people_than_any_group_needs_makes_a_section(tmp_path):
    few = told_of(people_of.case(50), [own_model()], tmp_path)
    assert "too few people of any group to tell them from the rest" in text_of(few)


def test_both_rooms_name_the_same_stand_ins(tmp_path):
    rng = np.random.default_rng(0)
    age = rng.integers(20, 75, 400).astype(float)
    features = (Feature("age", protected=True), Feature("middle"), Feature("debt"))
    schema = Schema(features, Target("bad", levels=("no", "yes"), adverse_action=True, flagged="denied"))
    rows = np.column_stack([age, np.abs(age - 47), rng.normal(size=400)])
    case = Dataset(schema, rows, (rng.random(400) < 0.5).astype(float), name="lending")
    model = wrap(lambda table: 0.5 + 0.01 * (table["middle"] - 14) / 14, schema, name="own", scale="probability")
    told = told_of(case, [model], tmp_path)
    withheld = grouping(case.train).proxies
    assert set(withheld) == {"middle"}
    said = text_of(told)
    assert f"“middle” tells “{withheld['middle'].group}” with an AUC of" in said and "no column is a proxy" not in said
    line = told.tables["fairness_stand_ins"].set_index("column").loc["middle"]
    assert (line["group"], line["auc"]) == (withheld["middle"].group, withheld["middle"].auc)
