"""Attacks on explainers: attacks that are gated, defences that are held against closed forms, refusals."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import worlds
from fooled import honest_net, related

import dlx
from dlx import attacks
from dlx.attacks import flipped_decisions, gradients, hidden_effects
from dlx.attacks.defences import carry_over, detection, off_manifold_shares
from dlx.attacks.fooling import ranks_of, shown
from dlx.attacks.scaffold import (
    Detector,
    Scaffold,
    Votes,
    decimals,
    default_cut,
    innocuous_model,
    lime_rows,
    mixed_rows,
    replaced_rows,
)
from dlx.background import k_means
from dlx.schema import Feature, Schema, SchemaError
from dlx.stats import Interval
from dlx.threads import one_thread


@pytest.fixture(autouse=True)
def _quiet_threads():
    with one_thread():
        yield


@functools.cache
def fooling_lime() -> attacks.Attack:
    return attacks.attack(related(), against="lime", background=related().background(60).rows)


def test_mixtures_keep_whole_columns_of_two_rows_in_the_shares_of_the_shapley_kernel():
    people, background = np.zeros((3, 6)), np.ones((2, 6))
    mixed = mixed_rows(people, background, 40_000, seed=0)
    kept = (mixed == 0).sum(axis=1)
    sizes = np.arange(1, 6)
    expected = 1 / (sizes * (6 - sizes))
    np.testing.assert_allclose(np.bincount(kept, minlength=6)[1:6] / 40_000, expected / expected.sum(), atol=0.01)


def test_replaced_rows_differ_in_one_column_and_only_by_observed_values():
    people = np.arange(50.0).reshape(10, 5)
    rows = replaced_rows(people, 200, 0, column=2)
    assert {tuple(row) for row in rows[:, [0, 1, 3, 4]]} <= {tuple(row) for row in people[:, [0, 1, 3, 4]]}
    assert set(rows[:, 2]) <= set(people[:, 2])


def test_decimals_are_those_of_the_record():
    assert decimals(np.array([[1.0, 1.5, np.nan], [2.0, 1.25, 0.125]])).tolist() == [0, 2, 3]


def test_votes_are_the_threshold_plus_the_mean_vote():
    schema = related().schema
    rows = related().rows[:50]
    model = Votes(schema, (4, 5), (0.0, 0.0), 4.0)
    threshold = np.log(schema.target.threshold / (1 - schema.target.threshold))
    expected = threshold + 2.0 * ((rows[:, 4] == 0) * 2 - 1) + 2.0 * ((rows[:, 5] == 0) * 2 - 1)
    np.testing.assert_allclose(model.predict(rows, "logit"), expected)
    biased = fooling_lime().scaffold.real
    assert (biased.decide(rows) == (rows[:, 8] == 0)).all()


def test_a_scaffold_is_one_model_where_rows_are_real_and_another_elsewhere():
    made = fooling_lime().scaffold
    rows = np.concatenate([related().test.rows, lime_rows(made.schema, related().train.rows, 200, 3)])
    is_real = made.detector.realness(rows) >= made.limit
    assert is_real[:150].mean() > 0.9 and is_real[-200:].mean() < 0.1
    expected = np.where(is_real, made.real.predict(rows, "logit"), made.elsewhere.predict(rows, "logit"))
    np.testing.assert_array_equal(made.predict(rows, "logit"), expected)


def test_the_attack_on_lime_is_valid_and_hides_the_column_from_ours_and_the_reference():
    made, case = fooling_lime(), related()
    agrees = made.scaffold.decide(case.test.rows) == made.scaffold.real.decide(case.test.rows)
    assert made.is_valid and made.fidelity.estimate == agrees.mean()
    assert made.scaffold.schema.names[made.column] == "sex"
    for implementation in ("dlx", "reference"):
        line = shown(made, case.test[:20], implementation=implementation)
        assert line["hidden"] >= 0.9 and line["first"] == 0
    honest = dlx.explain(made.scaffold.real, case.test[:20], method="lime", background=case.background(60), scale="logit")
    assert (ranks_of(honest, made.column) == 1).all()


@functools.cache
def fooled(*, full: bool) -> attacks.Fooled:
    case = related()
    return attacks.fool(case, [honest_net()], background=case.background(25).rows, people=case.test[:10], few=2, full=full)


@pytest.mark.parametrize("full", [False, True])
def test_the_attack_on_kernel_shap_hides_the_column_and_is_found_by_the_defences(full):
    made = fooled(full=full)
    line = made.shown[made.shown["way"].str.contains("k-means")].iloc[0]
    assert line["is_valid"] and line["hidden"] >= 0.9
    table = made.detections
    assert table["is_right"].all(), table.to_string()
    assert set(table["says"]) == {"attack found", "not found"}
    openly = table[table["model"] == "decides by sex"].iloc[0]
    assert openly["estimate"] == 1 and openly["says"] == "attack found"


def test_the_light_form_is_a_part_of_the_full_one():
    light, full = fooled(full=False), fooled(full=True)
    assert list(light.attacks) == ["LIME", "Kernel SHAP with k-means centres"] and not light.more
    assert set(full.more) == {"off_manifold", "hidden_effects"}
    for few, many, keys in (
        (light.shown, full.shown, ["way", "implementation"]),
        (light.detections, full.detections, ["demonstration", "model", "defence"]),
    ):
        few, many = few.set_index(keys), many.set_index(keys)
        assert few.equals(many.loc[few.index])


def test_a_net_is_attacked_by_its_gradients():
    case, net = worlds.table("numeric"), worlds.model("smooth_net", "numeric")
    made = attacks.fool(case, [net], background=case.background(20).rows, people=case.test[:5])
    gradient = made.detections[made.detections["demonstration"] == "fragile gradients"].set_index("is_attacked")
    assert gradient.loc[False, "model"] == net.name and gradient.loc[True, "model"] == f"{net.name}, rippled"


def test_an_attack_below_the_fidelity_is_reported_as_failed_and_never_shown():
    weak = dataclasses.replace(fooling_lime(), fidelity=Interval(0.9, 0.85, 0.94))
    line = shown(weak, related().test[:5])
    assert not line["is_valid"] and np.isnan(line["hidden"])


def test_flips_try_every_observed_value_on_real_rows():
    case, model = related(), honest_net()
    changed = flipped_decisions(model, case.test, "v0", among=case.train)
    other = case.test.rows.copy()
    other[:, 4] = 1 - other[:, 4]
    np.testing.assert_array_equal(changed, model.decide(case.test.rows) != model.decide(other))
    assert not flipped_decisions(model, case.test, "sex", among=case.train).any()


def centres_of(case):
    return k_means(case.train.rows, 10)[0]


def test_carry_over_is_high_for_one_function_and_low_for_a_function_that_differs_off_the_manifold():
    case = related()
    gate = attacks.Gate.fit(case, case.background(40).rows, centres_of(case))
    made_up = lime_rows(case.schema, case.train.rows, 2_000, 5)
    off = made_up[gate.is_off(gate.dense(made_up))]
    honest = carry_over(honest_net(), off, case.test.rows)
    assert honest.low > 0.9
    attacked = carry_over(fooling_lime().scaffold, off, case.test.rows)
    assert attacked.high < 0.5
    assert np.isnan(carry_over(honest_net(), off[:100], case.test.rows).estimate)
    with pytest.raises(attacks.AttackError, match="same output"):
        flat = dlx.wrap(lambda people: np.full(len(people), 0.4), case.schema, name="flat")
        carry_over(flat, off, case.test.rows)


def test_the_gate_lets_real_people_pass_and_turns_made_up_ones_away():
    case = related()
    background = case.background(40).rows
    gate = attacks.Gate.fit(case, background, centres_of(case))
    table = off_manifold_shares(gate, case, background).set_index("kind")
    assert table.loc["real people", "off_manifold"] < 0.15
    assert table.loc["random people", "off_manifold"] > 0.7
    assert (table["low"] <= table["off_manifold"]).all() and (table["off_manifold"] <= table["high"]).all()


def test_an_effect_is_hidden_from_partial_dependence_and_found_by_what_real_rows_show():
    case, model = related(), honest_net()
    made, column = attacks.hide_effect(model, case)
    rows = case.test.rows
    same = made.predict(rows, "logit") == model.predict(rows, "logit")
    line, found = hidden_effects.hidden_effect(model, case)
    assert line["fidelity"] == same.mean() and line["column"] == case.schema.names[column]
    assert found[0]["says"] == "not found"
    attacked = hidden_effects.effect_detection(made, case, column, is_attacked=True)
    assert attacked["estimate"] < 0.8 * found[0]["estimate"]
    with pytest.raises(attacks.AttackError, match="no effect to hide"):
        attacks.hide_effect(dlx.wrap(lambda people: np.full(len(people), 0.4), case.schema, name="flat"), case)


def test_a_column_of_which_nothing_is_known_has_no_effect():
    case = related()
    features = tuple(dataclasses.replace(feature, missing=True) for feature in case.schema.features)
    rows = np.where(np.arange(9) == 3, np.nan, case.rows)
    blank = dataclasses.replace(case, schema=dataclasses.replace(case.schema, features=features), rows=rows)
    model = dlx.wrap(lambda people: people["x0"] + 0.5 * people["x1"], blank.schema, name="honest", scale="logit")
    assert hidden_effects.effect_range(model, blank, 3, blank.rows) == 0


def test_gradient_times_input_of_a_linear_net_is_exact():
    model, background = worlds.model("linear_net", "numeric"), worlds.background("numeric")
    rows = worlds.people("numeric")
    expected = dlx.explain(model, rows, method="integrated_gradients", background=background, scale="logit").values
    np.testing.assert_allclose(gradients.gradient_times_input(model, rows, background), expected, atol=1e-5)


def test_a_ripple_moves_no_prediction_and_every_gradient():
    model, case = worlds.model("smooth_net", "numeric"), worlds.table("numeric")
    bad = attacks.rippled(model)
    moved = np.abs(bad.predict(case.rows, "logit") - model.predict(case.rows, "logit"))
    assert moved.max() <= gradients.RIPPLE * 1.01
    people, background = case.test[:6], case.background(20)
    clean, attacked = gradients.gradient_detections(model, case, people, background.rows)
    assert clean["says"] == "not found" and attacked["says"] == "attack found"
    kept = gradients.surviving_top(bad, case, people, background.rows)
    assert attacked["estimate"] == pytest.approx(kept.mean())


def test_detections_say_which_side_of_the_limit_a_model_is_on():
    def says(estimate, found):
        return detection("d", honest_net(), True, "flip", Interval(estimate, 0, 1), 0.5, found)["says"]

    assert [says(0.6, "above"), says(0.6, "below")] == ["attack found", "not found"]
    assert [says(0.4, "above"), says(0.4, "below")] == ["not found", "attack found"]
    assert says(np.nan, "above") == "not measured"


def test_the_protected_column_is_one_that_an_attack_can_decide_by():
    assert attacks.protected_column(related()) == "sex"
    assert attacks.protected_column(dlx.load("bank_loan")) == "age"
    assert attacks.protected_column(dlx.load("heart_attack")) == "sex"
    case = worlds.table("numeric")  # nothing is marked: a stand-in
    assert attacks.protected_column(case) == "age"
    assert (case.train.rows[:, 0] <= default_cut(case, 0)).mean() == pytest.approx(0.25, abs=0.01)


def test_a_case_that_cannot_be_attacked_is_refused():
    case = related()
    with pytest.raises(SchemaError, match="no feature 'faith'"):
        attacks.attack(case, against="lime", background=case.train.rows, protected="faith")
    with pytest.raises(attacks.AttackError, match="at least 100 rows"):
        attacks.attack(case[:80], against="lime", background=case.rows[:20])
    with pytest.raises(attacks.AttackError, match="both classes"):
        attacks.attack(case[case.outcomes == 1], against="lime", background=case.rows[:20])
    still = case.rows.copy()
    still[:, 8] = 0
    constant = dataclasses.replace(case, rows=still)
    with pytest.raises(attacks.AttackError, match="at least 2 values"):
        attacks.attack(constant, against="lime", background=constant.rows[:20], protected="sex")
    with pytest.raises(attacks.AttackError, match="unprotected column"):
        innocuous_model(
            Schema((Feature("only"), Feature("p", protected=True))), case.rows[:, [8, 8]], case.rows[:, [8, 8]], 0, 0.0
        )


def test_a_detector_tells_real_rows_from_rounded_and_mixed_ones():
    case = related()
    train = case.train.rows
    fake = mixed_rows(train, train[:5], 1_000, 0)
    detector = Detector.fit(train, fake, train[:5])
    mixed = mixed_rows(case.test.rows, train[:5], 500, 1)
    assert detector.realness(case.test.rows).mean() > 0.6 and detector.realness(mixed).mean() < 0.4
    odd = case.test.rows[:1] + np.r_[0.033, np.zeros(8)]
    assert detector.described(odd)[0, 9] == 1 and detector.described(case.test.rows[:1])[0, 9] == 0
    assert isinstance(Scaffold(honest_net(), honest_net(), detector, 0.5), dlx.Model)


def test_a_share_of_everybody_is_not_certain():
    sure = fooling_lime()
    line = shown(sure, related().test[:8])
    assert line["hidden"] == 1 and line["low"] < 0.8 and line["high"] == 1
    table = fooled(full=False).detections.set_index("model")
    assert table.loc["decides by sex", "estimate"] == 1 and table.loc["decides by sex", "low"] < 1
    assert table.loc["honest", "estimate"] == 0 and table.loc["honest", "high"] > 0
