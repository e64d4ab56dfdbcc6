"""Fairness: rates are fairlearn's and a plain count's, gaps add up, proxies are found, and small groups are not judged."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from fairlearn import metrics
from groups import SCHEMA, case, model, saying
from sklearn.metrics import roc_auc_score

from dlx.audit.fairness.groups import FairnessError, Partition, compared, partition
from dlx.audit.fairness.proxies import carriers, column_proxies, contrasts, explained_gap, proxy_strength
from dlx.audit.fairness.rates import Treated, group_rates
from dlx.audit.fairness.thresholds import fair_rule, trade_off
from dlx.dataset import Dataset
from dlx.runner import explain
from dlx.schema import Feature, Schema, SchemaError

# groups


def test_cuts_belong_to_the_group_below_and_missing_values_are_a_group():
    people = case()
    by = partition(people, "age")
    assert by.groups == ("up to 30 years", "over 30 years up to 50 years", "over 50 years")
    assert by.codes(people)[:3].tolist() == [0, 1, 2]
    expected = pd.cut(people.rows[:, 1], [-np.inf, 30, 50, np.inf]).codes
    np.testing.assert_array_equal(by.codes(people), expected)
    income = partition(people, "income", cuts={"income": (0.5,)})
    assert income.groups == ("up to 0.5", "over 0.5", "not told")
    np.testing.assert_array_equal(income.codes(people) == 2, np.isnan(people.rows[:, 2]))


def test_a_numeric_column_without_cuts_is_cut_at_the_median_of_the_training_rows():
    by = partition(case(), "income")
    assert by.features[0].cuts == (np.nanmedian(case().train.rows[:, 2]),)


def test_intersections_are_all_pairs_of_groups():
    by = partition(case(), "sex", "age")
    assert by.name == "sex × age" and len(by.groups) == 6 and by.groups[4] == "men · over 30 years up to 50 years"
    sex, age = (partition(case(), name).codes(case()) for name in ("sex", "age"))
    np.testing.assert_array_equal(by.codes(case()), 3 * sex + age)


def test_the_columns_that_the_target_names_are_compared_first():
    assert [by.name for by in compared(case())] == ["age", "sex", "income", "mixed"]


@pytest.mark.parametrize(
    ("columns", "error", "message"),
    [
        (("gender",), SchemaError, "no feature 'gender'; the features are sex, age"),
        (("debt",), FairnessError, "'debt' is not; protected: sex, age, income, mixed; set protected = true"),
        ((), FairnessError, "groups need at least one column"),
    ],
)
def test_only_protected_columns_of_the_table_make_groups(columns, error, message):
    with pytest.raises(error, match=message):
        partition(case(), *columns)


def test_a_table_that_lacks_the_column_cannot_be_grouped():
    other = Dataset(Schema((Feature("debt"),)), np.zeros((3, 1)))
    with pytest.raises(SchemaError, match="no feature 'sex'"):
        partition(case(), "sex").codes(other)


def test_groups_with_an_objection_are_not_compared():
    by = partition(case(), "mixed")
    assert by.objection == "Its codes were mixed up."
    with pytest.raises(FairnessError, match="must not be compared by mixed: Its codes were mixed up"):
        group_rates(model(), case().test, by)


# rates


@pytest.mark.parametrize("columns", [("sex",), ("age",), ("sex", "age")])
def test_rates_are_fairlearns_and_a_plain_count_s(columns):
    people, by = case().test, partition(case(), *columns)
    found = group_rates(model(), people, by).to_frame().pivot(index="group", columns="rate", values="estimate")
    predicted = model().predict(people, "probability")
    flags, groups = (predicted >= 0.4).astype(int), np.array(by.groups)[by.codes(people)]
    theirs = metrics.MetricFrame(
        metrics={"true_positive_rate": metrics.true_positive_rate, "selection_rate": metrics.selection_rate},
        y_true=people.outcomes,
        y_pred=flags,
        sensitive_features=groups,
    ).by_group
    pd.testing.assert_frame_equal(found[list(theirs)], theirs, check_names=False)
    table = pd.DataFrame({"group": groups, "y": people.outcomes, "d": flags, "p": predicted})
    for group, lines in table.groupby("group"):
        counted = {
            "selection_rate": lines["d"].mean(),
            "clearance_rate": 1 - lines["d"].mean(),
            "true_positive_rate": lines.loc[lines["y"] == 1, "d"].mean(),
            "false_positive_rate": lines.loc[lines["y"] == 0, "d"].mean(),
            "accuracy": (lines["d"] == lines["y"]).mean(),
            "calibration": lines["p"].mean() - lines["y"].mean(),
            "event_rate": lines["y"].mean(),
        }
        assert found.loc[group].to_dict() == pytest.approx(counted, abs=1e-12)


def test_gaps_are_fairlearns():
    people, by = case().test, partition(case(), "age")
    gaps = group_rates(model(), people, by).gaps().set_index("rate")
    flags = model().predict(people, "probability") >= 0.4
    told = {"y_true": people.outcomes, "y_pred": flags, "sensitive_features": by.codes(people)}
    assert gaps.loc["selection_rate", "difference"] == pytest.approx(metrics.demographic_parity_difference(**told))
    assert gaps.loc["selection_rate", "ratio"] == pytest.approx(metrics.demographic_parity_ratio(**told))
    both = gaps.loc[["true_positive_rate", "false_positive_rate"], "difference"]
    assert both.max() == pytest.approx(metrics.equalized_odds_difference(**told))


def test_intervals_are_those_of_the_binomial_and_of_a_mean():
    people, by = case(), partition(case(), "sex")
    rates = group_rates(model(), people, by)
    frame = rates.to_frame().set_index(["rate", "group"])
    for rate, size in (("selection_rate", "people"), ("true_positive_rate", "events")):
        for group in rates.groups:
            line = frame.loc[(rate, group)]
            error = np.sqrt(line["estimate"] * (1 - line["estimate"]) / line[size])
            assert (line["high"] - line["low"]) / (2 * 1.96 * error) == pytest.approx(1, abs=0.12)
    residuals = (model().predict(people, "probability") - people.outcomes)[people.rows[:, 0] == 1]
    line = frame.loc[("calibration", "men")]
    assert (line["high"] - line["low"]) / (2 * 1.96 * residuals.std() / np.sqrt(len(residuals))) == pytest.approx(1, abs=0.12)


def test_a_group_is_judged_with_enough_people_and_enough_of_the_outcome_in_question():
    codes = np.repeat([0, 1, 2], [29, 40, 40])
    outcomes = np.concatenate([np.arange(29) < 15, np.arange(40) < 9, np.arange(40) < 31]).astype(float)
    treated = Treated(codes, outcomes, np.zeros(109), np.zeros(109))
    assert "29 of 30 people" in treated.why_not("selection_rate", 0)
    assert treated.why_not("selection_rate", 1) == treated.why_not("false_positive_rate", 1) == ""
    assert treated.why_not("true_positive_rate", 1) == "too few to judge: 9 of 10 events"
    assert treated.why_not("calibration", 1) == "too few to judge: 9 of 10 events"
    assert treated.why_not("true_positive_rate", 2) == ""
    assert treated.why_not("false_positive_rate", 2) == "too few to judge: 9 of 10 people without the event"


@pytest.mark.parametrize(("risk", "selected"), [(0.1, 0.0), (0.9, 1.0)])
def test_where_nobody_or_everybody_is_flagged_intervals_still_have_a_width(risk, selected):
    rates = group_rates(saying(lambda table: np.full(len(table), risk)), case().test, partition(case(), "sex"))
    lines = rates.to_frame().query("rate == 'selection_rate'")
    assert (lines["estimate"] == selected).all()
    assert ((lines["high"] - lines["low"]).between(0.001, 0.05)).all()
    gap = rates.gaps().set_index("rate").loc["selection_rate"]
    assert gap["difference"] == 0 and gap["difference_low"] < 0 < gap["difference_high"]
    if selected:
        assert gap["ratio"] == 1 and gap["objection"] == ""
    else:
        assert np.isnan(gap["ratio"]) and gap["objection"] == "the rate is 0 in every group: no ratio"


def test_a_group_without_events_has_no_true_positive_rate():
    people = case().test
    outcomes = np.where(people.rows[:, 0] == 0, 0.0, people.outcomes)
    rates = group_rates(model(), dataclasses.replace(people, outcomes=outcomes), partition(case(), "sex"))
    line = rates.to_frame().query("rate == 'true_positive_rate' and group == 'women'").iloc[0]
    assert np.isnan(line[["estimate", "low", "high"]].to_numpy(dtype=float)).all()
    assert "0 of 10 events" in line["objection"] and not line["judged"]
    assert rates.gaps().set_index("rate").loc["true_positive_rate", "objection"] == "only 1 of 2 groups can be judged"


def test_one_class_leaves_the_rates_that_do_not_need_the_other():
    people = dataclasses.replace(case().test, outcomes=np.zeros(len(case().test)))
    gaps = group_rates(model(), people, partition(case(), "sex")).gaps().set_index("rate")
    assert gaps.loc["selection_rate", "objection"] == "" and gaps.loc["selection_rate", "ratio"] > 0
    assert gaps.loc[["true_positive_rate", "calibration"], "objection"].str.startswith("only 0 of 2").all()


def test_a_group_of_one_is_shown_and_not_judged():
    women = np.flatnonzero(case().test.rows[:, 0] == 0)
    rates = group_rates(
        model(), case().test[[*women, np.flatnonzero(case().test.rows[:, 0] == 1)[0]]], partition(case(), "sex")
    )
    assert rates.to_frame()["people"].unique().tolist() == [len(women), 1]
    assert not rates.to_frame().query("group == 'men'")["judged"].any()
    alone = group_rates(model(), case().test[women], partition(case(), "sex"))
    assert alone.groups == ("women",) and alone.gaps()["objection"].eq("only 1 of 1 groups can be judged").all()


@pytest.mark.parametrize("threshold", [0, 1, -0.1, 1.5])
def test_a_threshold_lies_between_0_and_1(threshold):
    with pytest.raises(FairnessError, match=r"threshold must lie in \(0, 1\), got"):
        group_rates(model(), case().test, partition(case(), "sex"), threshold=threshold)


def test_rates_need_outcomes():
    with pytest.raises(FairnessError, match="people: rates of groups need outcomes of two classes"):
        group_rates(model(), dataclasses.replace(case().test, outcomes=None), partition(case(), "sex"))


# resampling


# proxies


def test_a_column_that_tells_the_group_is_found_and_others_are_not():
    found = proxy_strength(case(), partition(case(), "sex"))
    assert len(found) == 1 and found["people"][0] == min(np.bincount(case().rows[:, 0].astype(int)))
    told = column_proxies(case(), partition(case(), "sex"), found["group"][0]).set_index("column")
    assert told.index[0] == "height" and "sex" not in told.index
    best_alone = roc_auc_score(case().rows[:, 0], case().rows[:, 4])
    assert found["low"][0] < best_alone < found["high"][0] + 0.03
    assert (told["low"]["height"] + 1) / 2 - 0.03 < best_alone < (told["high"]["height"] + 1) / 2 + 0.03
    assert told.drop(index="height")["low"].lt(0.05).all()


def test_each_group_of_several_is_told_from_the_rest_and_small_ones_are_not():
    people = dataclasses.replace(case(), rows=np.where(np.arange(6) == 1, np.minimum(case().rows, 52), case().rows))
    by = partition(people, "age", cuts={"age": (17, 30, 50)})
    found = proxy_strength(people, by).set_index("group")
    assert list(found.index) == ["over 17 years up to 30 years", "over 30 years up to 50 years", "over 50 years"]
    few = people[np.concatenate([np.arange(3), np.flatnonzero(people.rows[:, 1] > 50)])]
    assert proxy_strength(few, partition(few, "age", cuts={"age": (50,)}))["objection"].tolist() == [
        "too few to judge: 2 of 30 people"
    ]
    with pytest.raises(FairnessError, match="too few to judge: 2 of 30 people"):
        column_proxies(few, partition(few, "age", cuts={"age": (50,)}), "up to 50 years")
    with pytest.raises(FairnessError, match="sex has no group 'girls'; its groups: 'women', 'men'"):
        column_proxies(case(), partition(case(), "sex"), "girls")


def test_what_a_column_carries_is_what_it_tells_times_how_much_it_is_used():
    people, by = case().test, partition(case(), "sex")
    explanation = explain(model(), people, method="tree_shap", background=case().background(20), scale="logit")
    told = column_proxies(case(), by, "men")
    found = carriers(explanation, told).set_index("column")
    sizes = np.abs(explanation.values).mean(axis=0)
    for place, name in enumerate(SCHEMA.names):
        if name != "sex":
            tells = told.set_index("column")["tells"][name]
            assert found["importance"][name] == pytest.approx(sizes[place])
            assert found["carried"][name] == pytest.approx(sizes[place] * max(tells, 0))
    assert (found["carried_low"] <= found["carried"]).all() and found["carried"].is_monotonic_decreasing


# contributions


@pytest.mark.parametrize(
    ("architecture", "method"), [("gradient_boosting", "tree_shap"), ("mlp", "shapley"), ("logistic_regression", "linear_shap")]
)
def test_the_parts_add_up_to_the_gap_in_mean_logit(architecture, method):
    people, by = case().test, partition(case(), "sex", "age")
    explanation = explain(model(architecture), people, method=method, background=case().background(20), scale="logit")
    for group, against in contrasts(people, by):
        gap = explained_gap(explanation, people, by, group, against)
        codes, logits = by.codes(people), model(architecture).predict(people, "logit")
        expected = logits[codes == by.groups.index(group)].mean() - logits[codes == by.groups.index(against)].mean()
        assert gap["column"].iloc[-1] == "all columns" and gap["difference"].iloc[-1] == pytest.approx(expected, abs=1e-9)
        assert gap["difference"].iloc[:-1].sum() == pytest.approx(expected, abs=1e-6) and abs(gap["residual"].iloc[-1]) < 1e-6
        assert (gap["difference"].between(gap["low"] - 1e-12, gap["high"] + 1e-12)).all()


def test_the_parts_of_a_linear_model_are_its_coefficients_times_the_gap_of_the_columns():
    people, by, linear = case().test, partition(case(), "sex"), model("logistic_regression")
    explanation = explain(linear, people, method="linear_shap", background=case().background(20), scale="logit")
    gap = explained_gap(explanation, people, by, "men", "women").set_index("column").loc[list(people.schema.names)]
    dense = linear.encoder.transform(people.rows).astype(float)
    men = people.rows[:, 0] == 1
    parts = linear.coefficients * (dense[men].mean(axis=0) - dense[~men].mean(axis=0))
    expected = np.bincount(linear.encoder.owner, weights=parts)
    np.testing.assert_allclose(gap["difference"], expected, atol=1e-6)
    width = np.sqrt(sum(explanation.values[side, 3].var() / side.sum() for side in (men, ~men)))
    assert (gap["high"].iloc[3] - gap["low"].iloc[3]) / (2 * 1.96 * width) == pytest.approx(1, abs=0.12)


def test_a_gap_needs_two_groups_of_30_people_who_were_explained():
    people, by = case().test, partition(case(), "sex")
    explanation = explain(model(), people, method="tree_shap", background=case().background(20), scale="logit")
    with pytest.raises(FairnessError, match="explanation is of other rows"):
        explained_gap(explanation, people[::-1], by, "men", "women")
    with pytest.raises(FairnessError, match="sex has no group 'girls'"):
        explained_gap(explanation, people, by, "girls", "women")
    men = np.flatnonzero(people.rows[:, 0] == 1)
    few = people[[*np.flatnonzero(people.rows[:, 0] == 0), men[0]]]
    with pytest.raises(FairnessError, match="needs 30 people of either group, got 1 of 'men'"):
        explained_gap(explain(model(), few, method="tree_shap", background=few, scale="logit"), few, by, "men", "women")
    assert contrasts(few, by) == []


# thresholds


def rates_under(rule, people, rate):
    treated = rule.treat(people)
    return treated.rates(rate, np.unique(treated.codes).tolist())


def test_equal_odds_holds_on_the_people_it_was_fitted_on_at_the_least_cost():
    people, by = case(), partition(case(), "sex")
    rule = fair_rule(model(), people, by, constraint="equalized_odds")
    for rate in ("true_positive_rate", "false_positive_rate"):
        assert np.ptp(rates_under(rule, people, rate)) < 0.01
    plain = group_rates(model(), people, by).gaps().set_index("rate")
    assert plain.loc["false_positive_rate", "difference"] > 0.1

    def cost(flags):
        return (1.5 * people.outcomes * (1 - flags) + (1 - people.outcomes) * flags).mean()

    assert cost(rule.treat(people).flags) < min(cost(np.zeros(len(people))), cost(np.ones(len(people))))


def test_equal_selection_holds_and_the_chances_are_those_of_fairlearns_lots():
    people, by = case().validation, partition(case(), "age")
    rule = fair_rule(model(), people, by, constraint="demographic_parity")
    assert np.ptp(rates_under(rule, people, "selection_rate")) < 0.01
    treated = rule.treat(people)
    lots = [
        rule.optimizer.predict(treated.predicted[:, None], sensitive_features=treated.codes, random_state=seed)
        for seed in range(200)
    ]
    np.testing.assert_allclose(np.mean(lots, axis=0), treated.flags, atol=0.15)


def test_small_groups_keep_the_common_threshold_and_two_others_are_needed():
    people, by = case(), partition(case(), "age", cuts={"age": (18, 50)})
    rule = fair_rule(model(), people[:600], by, constraint="equalized_odds")
    assert rule.groups == ("over 18 years up to 50 years", "over 50 years")
    small = by.codes(people) == 0
    common = model().predict(people, "probability") >= 0.4
    np.testing.assert_array_equal(rule.treat(people).flags[small], common[small])
    with pytest.raises(
        FairnessError, match=r"need two groups of 30 people with 10 of each outcome .* got 1 of 2; merge groups"
    ):
        fair_rule(model(), people, partition(case(), "age", cuts={"age": (18,)}), constraint="equalized_odds")
    with pytest.raises(FairnessError, match="constraint must be one of equalized_odds, demographic_parity, got 'equal'"):
        fair_rule(model(), people, by, constraint="equal")


# before and after


def test_a_trade_off_repeats_plain_counts_and_nothing_changes_nothing():
    people, by = case().test, partition(case(), "sex")
    before = Treated(by.codes(people), people.outcomes, np.zeros(len(people)), model().predict(people, "probability"))
    flags = (before.predicted >= 0.25).astype(float)
    after = dataclasses.replace(before, flags=flags)
    table = trade_off(before, after, threshold=0.25).set_index("measure")
    missed, needless = (people.outcomes * (1 - flags)).mean(), ((1 - people.outcomes) * flags).mean()
    assert table.loc["cost", "before"] == pytest.approx(3 * people.outcomes.mean(), abs=1e-6)
    assert table.loc["cost", "after"] == pytest.approx(3 * missed + needless, abs=1e-6)
    shares = [flags[before.codes == group].mean() for group in (0, 1)]
    assert table.loc["selection_ratio", "after"] == pytest.approx(min(shares) / max(shares), abs=1e-6)
    assert np.isnan(table.loc["selection_ratio", "before"])  # nobody was flagged
    assert table.loc["auc", "before"] == pytest.approx(roc_auc_score(people.outcomes, before.predicted))
    same = trade_off(after, after, threshold=0.25)
    np.testing.assert_array_equal(same[["change", "low", "high"]], 0)


def test_a_trade_off_of_one_group_has_no_gaps():
    people = case().test[case().test.rows[:, 0] == 0]
    before = Treated(np.zeros(len(people), int), people.outcomes, np.ones(len(people)), np.full(len(people), 0.5))
    table = trade_off(before, before, threshold=0.5).set_index("measure")
    assert table["objection"].to_dict() == dict.fromkeys(("auc", "cost"), "") | dict.fromkeys(
        ("selection_ratio", "true_positive_gap", "false_positive_gap"), "only 1 group can be judged"
    )


def test_partitions_name_themselves():
    by = Partition((SCHEMA["sex"], SCHEMA["age"]))
    assert (by.name, by.label, by.columns, by.objection) == ("sex × age", "sex × age", ("sex", "age"), "")
