"""Reasons: adverse ones only, in words that are true of the person, never a protected column; and how far they hold."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import dlx
from dlx.arrays import array_id
from dlx.audit.adverse_action import (
    ReasonMap,
    ReasonRules,
    ReasonsError,
    Source,
    adverse_reasons,
    association,
    grouping,
    near_cutoff,
    reason_stability,
)
from dlx.audit.adverse_action.denials import to_frame
from dlx.dataset import Dataset
from dlx.explanation import Explanation
from dlx.model import wrap
from dlx.schema import Feature, Schema, Target

SCHEMA = Schema(
    (
        Feature("length", reason="Length of the loan requested", unit="months"),
        Feature("amount", reason="Amount requested", direction="down", label="Amount"),
        Feature("savings", "categorical", levels=("none", "few", "many"), ordered=True, direction="up", label="Savings",
                reason="Insufficient savings", level_reasons=("No savings", "", "")),
        Feature("job", "categorical", levels=("a", "b", "c"), reason="Occupation"),
        Feature("district", "categorical", levels=("x", "y", "z"), reason="District"),
        Feature("age", protected=True, reason="Age"),
        Feature("color", "categorical", levels=("r", "g"), reason="Colour of the car"),
    ),
    Target("bad", levels=("no", "yes"), threshold=0.5, adverse_action=True, flagged="denied"),
)  # fmt: skip
LENGTH, AMOUNT, SAVINGS, JOB, DISTRICT, AGE, COLOR = range(7)


def people(count=400, seed=0):
    """Return people of whom length and amount go together, and district stands in for age."""
    rng = np.random.default_rng(seed)
    length, age = rng.normal(24, 6, count), rng.normal(40, 10, count)
    district = np.digitize(age + rng.normal(scale=2, size=count), (35, 45)).astype(float)
    columns = [
        length,
        100 * length + rng.normal(scale=300, size=count),
        rng.integers(3, size=count),
        rng.integers(3, size=count),
    ]
    return Dataset(SCHEMA, np.column_stack([*columns, district, age, rng.integers(2, size=count)]), None)


def explained(values, rows, background, *, scale="logit", base=0.1):
    values = np.asarray(values, dtype=float)
    outputs = base + values.sum(axis=1)
    index = np.array([f"p{i}" for i in range(len(values))])
    made = Explanation(values, np.full(len(values), base), outputs, rows, SCHEMA, scale, "shapley", "dlx", "net", "b")
    return dataclasses.replace(made, background_id=array_id(background.rows), index=index)


def reasons_of(values, row=None, **asked):
    background = people()
    rows = np.array([[30, 3000, 0, 1, 2, 50, 1]] if row is None else [row], dtype=float)
    options = {"wording": ReasonMap(SCHEMA), "grouping": grouping(background)} | asked
    (denial,) = adverse_reasons(explained([values], rows, background), background, **options)
    return denial


def test_association_is_that_of_scipy_and_of_the_analysis_of_variance():
    data = people()
    table, rows = association(data), data.rows
    assert np.allclose(table, table.T) and (np.diag(table) == 1).all() and table.to_numpy().max() <= 1
    assert table.loc["length", "amount"] == pytest.approx(abs(stats.spearmanr(rows[:, 0], rows[:, 1]).statistic))
    assert table.loc["savings", "color"] == pytest.approx(abs(stats.spearmanr(rows[:, 2], rows[:, 6]).statistic))
    chi2 = stats.chi2_contingency(pd.crosstab(rows[:, JOB], rows[:, DISTRICT]), correction=False).statistic
    assert table.loc["job", "district"] == pytest.approx(np.sqrt(chi2 / len(rows) / 2))
    h = stats.kruskal(*(rows[rows[:, DISTRICT] == level, AGE] for level in range(3))).statistic
    assert table.loc["district", "age"] == pytest.approx(np.sqrt(h / (len(rows) - 1)))


def test_association_leaves_out_what_is_missing_and_a_constant_column():
    schema = Schema((Feature("a", missing=True), Feature("b"), Feature("c")))
    rows = np.random.default_rng(0).normal(size=(50, 3))
    rows[:, 2], rows[10:, 0] = 1.0, np.nan
    table = association(Dataset(schema, rows, None))
    ranks = stats.rankdata(rows[:10, 0]), stats.rankdata(rows[:, 1])[:10]
    assert table.loc["a", "b"] == pytest.approx(abs(stats.pearsonr(*ranks).statistic))
    assert table.loc["c", "a"] == table.loc["c", "b"] == 0


def test_columns_that_go_together_are_one_and_a_stand_in_for_a_protected_one_is_a_proxy():
    found = grouping(people())
    assert found.merged() == [("length", "amount")]
    assert set(found.proxies) == {"district"} and found.proxies["district"][0] == "age"
    assert found.withheld == {"age", "district"}


def test_reasons_are_adverse_largest_first_and_four_at_most():
    denial = reasons_of([1.0, 0.5, 0.9, 0.3, 0, 0, 0.2])
    assert [reason.column for reason in denial.reasons] == ["length", "savings", "job", "color"]
    assert [reason.words for reason in denial.reasons][:2] == ["Length of the loan requested", "No savings"]
    assert reasons_of([1.0, 0, 0.9, -0.3, 0, 0, -0.2]).groups < denial.groups
    assert len(reasons_of([1, 1, 1, 1, 1, 1, 1], most=2).reasons) == 2


def test_columns_that_go_together_give_one_reason_of_their_signed_sum():
    denial = reasons_of([1.0, -0.4, 0.7, 0.1, 0, 0, 0])
    assert [(r.column, round(r.contribution, 9)) for r in denial.reasons] == [("savings", 0.7), ("length", 0.6), ("job", 0.1)]
    assert "length" not in [r.column for r in reasons_of([1.0, -1.2, 0.7, 0.1, 0, 0, 0]).reasons]
    assert reasons_of([0.2, 0.9, 0, 0, 0, 0, 0]).reasons[0].words == "Amount requested"


def test_a_protected_column_and_its_proxy_are_flagged_and_never_printed():
    denial = reasons_of([0.1, 0, 0.4, 0.3, 0.6, 2.0, 0.2])
    assert [reason.column for reason in denial.reasons] == ["savings", "job", "color", "length"]
    assert denial.flagged == ("age", "district")
    assert reasons_of([0.5, 0, 0.4, 0.3, 0.1, -2.0, 0.9]).flagged == ()  # below the fourth reason, or against denial
    table = to_frame([denial], model="net")
    assert set(table["reason"]) == {"No savings", "Occupation", "Colour of the car", "Length of the loan requested"}
    assert (table["flagged"] == "age district").all() and list(table["rank"]) == [1, 2, 3, 4]


def test_words_are_those_of_the_level_and_true_of_the_person():
    rules = ReasonRules(SCHEMA, grouping(people()), np.array([24, 800, 1.2, 1, 1, 40, 0.5]))
    assert rules.words(SAVINGS, 0) == "No savings"
    assert rules.words(SAVINGS, 1) == "Insufficient savings"
    assert rules.words(SAVINGS, 2) == "Savings"  # more than usual is not insufficient
    assert rules.words(AMOUNT, 900) == "Amount requested" and rules.words(AMOUNT, 700) == "Amount"
    assert rules.words(LENGTH, 1) == rules.words(LENGTH, np.nan) == "Length of the loan requested"
    many = reasons_of([0, 0, 1, 0.5, 0, 0, 0], row=[30, 3000, 2, 1, 2, 50, 1])
    assert [reason.words for reason in many.reasons] == ["Occupation"] and many.review == ("savings",)


def test_the_map_of_words_has_a_version_and_a_hash_of_every_word():
    one = ReasonMap(SCHEMA)
    other = Schema((dataclasses.replace(SCHEMA.features[0], reason="Another"), *SCHEMA.features[1:]), SCHEMA.target)
    newer = Schema(SCHEMA.features, dataclasses.replace(SCHEMA.target, reasons_version="2"))
    assert one.sha256 == ReasonMap(SCHEMA).sha256 and len(one.sha256) == 64
    assert len({one.sha256, ReasonMap(other).sha256, ReasonMap(newer).sha256}) == 3
    assert other.sha256 == SCHEMA.sha256  # words are no codes
    table = one.to_frame()
    assert set(table["version"]) == {"1"} and set(table["column"]) == set(SCHEMA.names)
    assert list(table.loc[table["column"] == "savings", "where"]) == ["any", "none", "better than usual"]


def test_those_near_the_cutoff_are_the_granted_of_the_highest_risk():
    data = people()
    model = wrap(lambda t: (t["length"] - 24) / 6, SCHEMA, name="rule", scale="logit")
    near, risk = near_cutoff(model, data), model.predict(data, "probability")
    granted = np.sort(risk[risk < 0.5])
    assert np.sort(model.predict(near, "probability")) == pytest.approx(granted[-100:]) and len(granted) > 100
    assert len(near_cutoff(model, data[:90])) == (risk[:90] < 0.5).sum()
    strict = Schema(SCHEMA.features, dataclasses.replace(SCHEMA.target, threshold=1e-6))
    with pytest.raises(ReasonsError, match="rule grants nobody of table at 1e-06"):
        near_cutoff(model, Dataset(strict, data.rows, None))


def test_reasons_are_refused_where_they_would_be_wrong():
    background, rows = people(), people(2, seed=1).rows
    asked = {"wording": ReasonMap(SCHEMA), "grouping": grouping(background)}
    good = explained([[1, 0, 0, 0, 0, 0, 0], [-1, 0, 0, 0, 0, 0, 0]], rows, background)
    with pytest.raises(ReasonsError, match="person p1 is not denied"):
        adverse_reasons(good, background, **asked)
    failed = explained([[1, 0, 0, 0, 0, 0, 0]] * 2, rows, background)
    failed = dataclasses.replace(failed, values=np.where([[True], [False]], failed.values, np.nan))
    with pytest.raises(ReasonsError, match="person p1 could not be explained"):
        adverse_reasons(failed, background, **asked)
    with pytest.raises(ReasonsError, match="the background is not the one of the explanation by shapley"):
        adverse_reasons(good[:1], people(seed=5), **asked)
    with pytest.raises(ReasonsError, match="at least 1 reason, got most=0"):
        adverse_reasons(good[:1], background, most=0, **asked)
    clinical = Schema(SCHEMA.features, Target("ill", levels=("no", "yes"), flagged="flagged"))
    with pytest.raises(ReasonsError, match=r"to be flagged is no adverse action in the sense of 12 CFR 1002.2\(c\)"):
        adverse_reasons(good[:1], Dataset(clinical, background.rows, None), **asked)


def denials(*values, scale="logit"):
    background = people()
    rows = people(len(values), seed=2).rows.copy()
    rows[:, SAVINGS] = 0
    asked = {"wording": ReasonMap(SCHEMA), "grouping": grouping(background), "most": 2}
    return adverse_reasons(explained(values, rows, background, scale=scale), background, **asked)


def test_stability_counts_the_same_sets_and_what_they_share():
    one = denials([1, 0, 0.5, 0, 0, 0, 0], [1, 0, 0.5, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0.5])
    other = denials([0.5, 0, 1, 0, 0, 0, 0], [1, 0, 0, 0.5, 0, 0, 0], [0, 0, 1, 0.5, 0, 0, 0])
    told = {Source("net", "shapley", "near"): one, Source("net", "shapley", "all"): other, Source("tree", "lime", "all"): one}
    table = reason_stability(told, groups=4)
    assert len(table) == 1 and tuple(table.loc[0, ["differs", "one", "other", "people"]]) == ("background", "near", "all", 3)
    line = table.loc[0]
    wilson = stats.binomtest(1, 3).proportion_ci(method="wilson")
    assert (line["same"], line["same_low"], line["same_high"]) == pytest.approx((1 / 3, wilson.low, wilson.high))
    assert (line["overlap"], line["first"], line["chance"]) == pytest.approx((0.5, 1 / 3, 0.5))
    with pytest.raises(ReasonsError, match="at least two sources of reasons, got 1"):
        reason_stability({Source("net", "shapley", "near"): one}, groups=4)


def test_stability_is_over_the_people_whom_both_deny():
    one, other = denials([1, 0, 0.5, 0, 0, 0, 0], [1, 0, 0.5, 0, 0, 0, 0]), denials([1, 0, 0.5, 0, 0, 0, 0])
    table = reason_stability({Source("net", "lime", "all"): one, Source("tree", "lime", "all"): other}, groups=4)
    assert table.loc[0, "people"] == 1 and table.loc[0, "same"] == 1 and np.isnan(table.loc[0, "overlap_low"])


def test_the_reasons_of_bank_loan_are_adverse_and_hold_no_protected_column():
    case = dlx.load("bank_loan")
    model = dlx.load_model(case, "gradient_boosting")
    some = case.test[model.decide(case.test)][:12]
    for background in (near_cutoff(model, case.train), case.background(50)):
        made = dlx.explain(model, some, method="tree_shap", background=background, scale="logit")
        for denial in adverse_reasons(made, background, wording=ReasonMap(case.schema), grouping=grouping(case.train)):
            assert 3 <= len(denial.reasons) <= 4 and all(reason.contribution > 0 for reason in denial.reasons)
            assert not any(case.schema[reason.column].protected for reason in denial.reasons)
            assert all(case.schema[name].protected for name in denial.flagged)
