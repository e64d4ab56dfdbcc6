"""The vulnerability laboratory: attacks that are gated, defences that are held against closed forms, refusals."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
import worlds
from scipy.stats import spearmanr

import dlx
from dlx import attacks as lab
from dlx.attacks import copies, dependence, gradients, instability, samples
from dlx.attacks.attacking import default_cut, ranks_of, shown
from dlx.attacks.defences import flipped_decisions
from dlx.attacks.detector import Detector
from dlx.attacks.findings import Finding, findings_frame
from dlx.attacks.scaffold import (
    Scaffold,
    Votes,
    biased_model,
    decisions,
    group_words,
    innocuous_model,
    threshold_logit,
)
from dlx.dataset import Dataset
from dlx.reporting.canvas import Figure
from dlx.reporting.sections import vulnerability
from dlx.reporting.sections.vulnerability.words import _verdict
from dlx.schema import Feature, Schema, SchemaError
from dlx.stats import Interval
from dlx.threads import one_thread


@pytest.fixture(autouse=True)
def _quiet_threads():
    with one_thread():
        yield


@functools.cache
def related() -> Dataset:
    """Return people whose columns go together, so that whoever mixes them is noticed; `sex` is protected."""
    rng = np.random.default_rng(0)
    size, hidden = 900, rng.normal(size=900)
    noisy = [np.round(hidden + rng.normal(scale=0.25, size=size), 1) for _ in range(4)]
    votes = [rng.integers(2, size=size).astype(float) for _ in range(4)]
    sex = rng.integers(2, size=size).astype(float)
    features = [Feature(f"x{i}") for i in range(4)] + [Feature(f"v{i}", "categorical", levels=("a", "b")) for i in range(4)]
    features += [Feature("sex", "categorical", levels=("f", "m"), protected=True)]
    outcomes = (hidden + rng.normal(size=size) > 0).astype(float)
    return Dataset(Schema(tuple(features), worlds.TARGET), np.column_stack([*noisy, *votes, sex]), outcomes, name="related")


@functools.cache
def fooling_lime() -> lab.Attack:
    return lab.attack(related(), against="lime", background=related().background(60).rows)


def test_mixtures_keep_whole_columns_of_two_rows_in_the_shares_of_the_shapley_kernel():
    people, background = np.zeros((3, 6)), np.ones((2, 6))
    mixed = samples.mixtures(people, background, 40_000, seed=0)
    kept = (mixed == 0).sum(axis=1)
    sizes = np.arange(1, 6)
    expected = 1 / (sizes * (6 - sizes))
    np.testing.assert_allclose(np.bincount(kept, minlength=6)[1:6] / 40_000, expected / expected.sum(), atol=0.01)


def test_replaced_rows_differ_in_one_column_and_only_by_observed_values():
    people = np.arange(50.0).reshape(10, 5)
    rows = samples.replaced(people, 200, 0, column=2)
    assert {tuple(row) for row in rows[:, [0, 1, 3, 4]]} <= {tuple(row) for row in people[:, [0, 1, 3, 4]]}
    assert set(rows[:, 2]) <= set(people[:, 2])


def test_decimals_are_those_of_the_record():
    assert samples.decimals(np.array([[1.0, 1.5, np.nan], [2.0, 1.25, 0.125]])).tolist() == [0, 2, 3]


def test_votes_are_the_threshold_plus_the_mean_vote():
    schema = related().schema
    rows = related().rows[:50]
    model = Votes(schema, (4, 5), (0.0, 0.0), 4.0)
    expected = threshold_logit(schema) + 2.0 * ((rows[:, 4] == 0) * 2 - 1) + 2.0 * ((rows[:, 5] == 0) * 2 - 1)
    np.testing.assert_allclose(model.predict(rows, "logit"), expected)
    biased = biased_model(schema, 8, 0.0)
    assert (decisions(biased, rows) == (rows[:, 8] == 0)).all()
    assert group_words(schema["sex"], 0.0) == "sex: f"
    assert group_words(Feature("age", unit="years"), 27.0) == "age 27 years or less"


def test_a_scaffold_is_one_model_where_rows_are_real_and_another_elsewhere():
    made = fooling_lime().scaffold
    rows = np.concatenate([related().test.rows, samples.limes_samples(made.schema, related().train.rows, 200, 3)])
    is_real = made.detector.realness(rows) >= made.limit
    assert is_real[:150].mean() > 0.9 and is_real[-200:].mean() < 0.1
    expected = np.where(is_real, made.real.predict(rows, "logit"), made.elsewhere.predict(rows, "logit"))
    np.testing.assert_array_equal(made.predict(rows, "logit"), expected)


def test_the_attack_on_lime_is_valid_and_hides_the_column_from_ours_and_the_reference():
    made, case = fooling_lime(), related()
    agrees = decisions(made.scaffold, case.test.rows) == decisions(made.biased, case.test.rows)
    assert made.is_valid and made.fidelity.estimate == agrees.mean()
    assert made.scaffold.schema.names[made.column] == "sex"
    for implementation in ("dlx", "reference"):
        line = lab.shown(made, case.test[:20], case.background(60).rows, method="lime", implementation=implementation).iloc[0]
        assert line["hidden"] >= 0.9 and line["first"] == 0
    honest = dlx.explain(made.biased, case.test[:20], method="lime", background=case.background(60), scale="logit")
    assert (ranks_of(honest, made.column) == 1).all()


def test_the_attack_on_kernel_shap_hides_the_column_and_is_found_by_both_defences():
    case = related()
    made = lab.fool(case, [worlds_net()], background=case.background(25).rows, people=case.test[:10], few=2)
    line = made.shown[made.shown["way"].str.contains("k-means")].iloc[0]
    assert line["is_valid"] and line["hidden"] >= 0.9
    table = lab.findings_frame(made.findings)
    assert table["is_right"].all(), table.to_string()
    assert set(table["says"]) == {"attack found", "not found"}
    openly = table[table["model"] == "decides by sex"].iloc[0]
    assert openly["estimate"] == 1 and openly["says"] == "attack found"
    attacked = made.real_rows[made.real_rows["is_attacked"]].iloc[0]
    assert attacked["protected_first"] == 0 and attacked["protected_first_on_real_rows"] > 0.9


def worlds_net():
    """Return an honest model of the related table: smooth in its numbers, with one vote."""

    def score(people):
        return people["x0"] + 0.5 * people["x1"] + 0.3 * (people["v0"] == "a")

    return dlx.wrap(score, related().schema, name="honest", scale="logit")


def test_an_attack_below_the_fidelity_is_reported_as_failed_and_never_shown():
    weak = dataclasses.replace(fooling_lime(), fidelity=Interval(0.9, 0.85, 0.94))
    line = lab.shown(weak, related().test[:5], related().background(20).rows, method="lime").iloc[0]
    assert not line["is_valid"] and np.isnan(line["hidden"])
    assert line["finding"] == "attack failed: fidelity below 0.95"


def test_the_section_tells_what_was_fooled_and_found(tmp_path):
    case = related()
    told = vulnerability.section(setting(case, tmp_path), [worlds_net()])
    assert {"attacks_shown", "attacks_found", "settings", "credit_over_a_copy", "off_manifold", "lime_on_real_rows"} == set(
        told.tables
    )
    assert all(block.table in told.tables for block in told.blocks if isinstance(block, Figure))
    assert "keeps it out of the top 3" in told.findings[0]
    found = told.tables["attacks_found"]
    right = int(found[found["is_attacked"]]["is_right"].sum())
    assert told.findings[1].startswith(f"Defences found the attack in {right} of {found['is_attacked'].sum()} tests")
    assert set(told.covers) == {"robustness", "stability"}


def test_a_table_that_is_too_small_gets_a_sentence(tmp_path):
    small = related()[:90]
    told = vulnerability.section(setting(small, tmp_path), [worlds_net()])
    assert "at least 100 rows" in told.findings[0] and not told.tables


def setting(case, folder):
    return worlds.context(case, people=10, folder=folder)


def test_flips_try_every_observed_value_on_real_rows():
    case, model = related(), worlds_net()
    changed = flipped_decisions(model, case.test, "v0", among=case.train)
    other = case.test.rows.copy()
    other[:, 4] = 1 - other[:, 4]
    np.testing.assert_array_equal(changed, decisions(model, case.test.rows) != decisions(model, other))
    table = lab.flips(model, case, ("v0", "sex"))
    assert table["changed"].tolist() == [changed.mean(), 0.0]


def test_carry_over_is_high_for_one_function_and_low_for_a_function_that_differs_off_the_manifold():
    case = related()
    gate = lab.Gate.fit(case, case.background(40).rows)
    made_up = samples.limes_samples(case.schema, case.train.rows, 2_000, 5)
    honest = lab.carry_over(worlds_net(), gate, made_up, case.test.rows)
    assert honest.low > 0.9
    attacked = lab.carry_over(fooling_lime().scaffold, gate, made_up, case.test.rows)
    assert attacked.high < 0.5
    assert np.isnan(lab.carry_over(worlds_net(), gate, made_up[:100], case.test.rows).estimate)
    with pytest.raises(lab.VulnerabilityError, match="same output"):
        flat = dlx.wrap(lambda people: np.full(len(people), 0.4), case.schema, name="flat")
        lab.carry_over(flat, gate, made_up, case.test.rows)


def test_the_gate_lets_real_people_pass_and_turns_made_up_ones_away():
    case = related()
    background = case.background(40).rows
    gate = lab.Gate.fit(case, background)
    table = lab.off_manifold_shares(gate, case, background).set_index("kind")
    assert table.loc["real people", "off_manifold"] < 0.15
    assert table.loc["lime", "off_manifold"] > 0.7
    assert (table["low"] <= table["off_manifold"]).all() and (table["off_manifold"] <= table["high"]).all()


def test_lime_of_the_default_width_is_limes():
    case, model = related(), worlds_net()
    people, background = case.test[:4], case.background(60)
    expected = dlx.explain(model, people, method="lime", background=background, scale="logit").values
    np.testing.assert_allclose(instability.lime_of_width(model, people.rows, background.rows, width=1.0), expected, atol=1e-5)


def test_kept_top_is_the_share_of_the_same_columns():
    one, other = np.array([[3.0, 2.0, 1.0, 0.0]]), np.array([[3.0, 0.0, -1.0, 2.0]])
    assert instability.kept_top(one, other).tolist() == [2 / 3]
    assert instability.kept_top(one, other, is_signed=True).tolist() == [1 / 3]
    assert instability.kept_top(one, one).tolist() == [1.0]


def test_settings_are_held_against_the_noise_floor():
    case, model = related(), worlds_net()
    table = lab.lime_settings(model, case.test[:6], case.background(40))
    assert table["setting"].iloc[0] == "another seed" and not table["beyond_noise"].iloc[0]
    assert len(table) == 1 + len(instability.WIDTHS)
    backgrounds = lab.shap_backgrounds(model, case, case.test[:4], case.background(20))
    assert len(backgrounds) == 4 and backgrounds["same_top"].between(0, 1).all()


@pytest.mark.parametrize("kind", ["net", "linear", "boosted", "function"])
def test_a_model_with_a_copy_predicts_the_same_where_the_copy_is_exact(kind):
    model = worlds.model(kind, "numeric")
    rows = worlds.people("numeric")
    twin = copies.with_copy(model, 1)
    wide = np.column_stack([rows, rows[:, 1]])
    scale = model.scales[0]
    np.testing.assert_allclose(twin.predict(wide, scale), model.predict(rows, scale), atol=1e-5)
    wide[:, -1] += 1.0
    rows = rows.copy()
    rows[:, 1] += 0.5
    np.testing.assert_allclose(twin.predict(wide, scale), model.predict(rows, scale), atol=1e-5)


def test_credit_of_a_linear_net_is_halved_by_a_copy_and_restored_by_the_sum():
    model, case = worlds.model("linear_net", "numeric"), worlds.table("numeric")
    table = lab.spread_credit(model, case, case.test[:6], case.background(30)).set_index("method")
    exact = table.loc[["shapley", "integrated_gradients"]]
    np.testing.assert_allclose(exact["after"] / exact["before"], 0.5, atol=1e-3)
    np.testing.assert_allclose(exact["together"] / exact["before"], 1.0, atol=0.1)


def test_a_copied_column_is_found_by_the_rank_correlation():
    case = worlds.table("mixed")
    honest = lab.copy_finding("honest", case.schema, case.rows, is_attacked=False)
    complete = ~np.isnan(case.rows[:, 0])
    expected = abs(spearmanr(case.rows[complete, 0], case.rows[complete, 2]).statistic)
    assert honest.says == "not found"
    np.testing.assert_allclose(honest.measured.estimate, expected)
    wide = lab.rows_with_copy(case.rows, 2, spread=case.rows[:, 2].std())
    assert lab.copy_finding("copied", lab.schema_with_copy(case.schema, 2), wide, is_attacked=True).says == "attack found"


def test_an_effect_is_hidden_from_partial_dependence_and_found_by_what_real_rows_show():
    case, model = related(), worlds_net()
    made = lab.hide_effect(model, case)
    rows = case.test.rows
    same = made.scaffold.predict(rows, "logit") == model.predict(rows, "logit")
    assert made.fidelity.estimate == same.mean()
    honest = lab.dependence_finding(model, case, made.column, is_attacked=False)
    attacked = lab.dependence_finding(made.scaffold, case, made.column, is_attacked=True)
    assert honest.says == "not found" and attacked.measured.estimate < 0.8 * honest.measured.estimate
    with pytest.raises(lab.VulnerabilityError, match="no effect to hide"):
        lab.hide_effect(dlx.wrap(lambda people: np.full(len(people), 0.4), case.schema, name="flat"), case)


def test_the_curves_of_partial_dependence_are_dlxs_own():
    case, model = worlds.table("numeric"), worlds.model("boosted", "numeric")
    effect = dlx.partial_dependence(model, case.test, "age", scale="logit")
    found = dependence.curves(
        lambda rows: model.predict(rows, "logit"), case.test.rows, case.schema.position("age"), effect.grid
    )
    np.testing.assert_allclose(found, effect.curves)


def test_gradient_times_input_of_a_linear_net_is_exact():
    model, background = worlds.model("linear_net", "numeric"), worlds.background("numeric")
    rows = worlds.people("numeric")
    expected = dlx.explain(model, rows, method="integrated_gradients", background=background, scale="logit").values
    np.testing.assert_allclose(gradients.gradient_times_input(model, rows, background), expected, atol=1e-5)


def test_a_ripple_moves_no_prediction_and_every_gradient():
    model, case = worlds.model("smooth_net", "numeric"), worlds.table("numeric")
    bad = lab.rippled(model)
    moved = np.abs(bad.predict(case.rows, "logit") - model.predict(case.rows, "logit"))
    assert moved.max() <= gradients.RIPPLE * 1.01
    people, background = case.test[:6], case.background(20)
    clean, attacked = (
        lab.gradient_finding(net, case, people, background, method="gradient", is_attacked=net is bad) for net in (model, bad)
    )
    assert clean.says == "not found" and attacked.says == "attack found"


def test_findings_say_which_side_of_the_limit_a_model_is_on():
    def finding(estimate, is_high_bad):
        return lab.Finding("d", "m", True, "s", Interval(estimate, 0, 1), 0.5, is_high_bad)

    assert [finding(0.6, True).says, finding(0.6, False).says] == ["attack found", "not found"]
    assert [finding(0.4, True).says, finding(0.4, False).says] == ["not found", "attack found"]
    assert finding(np.nan, True).says == "not measured"


def test_the_protected_column_is_one_that_an_attack_can_decide_by():
    assert lab.protected_column(related()) == "sex"
    assert lab.protected_column(dlx.load("bank_loan")) == "age"
    assert lab.protected_column(dlx.load("heart_attack")) == "sex"
    case = worlds.table("numeric")  # nothing is marked: a stand-in
    assert lab.protected_column(case) == "age"
    assert (case.train.rows[:, 0] <= default_cut(case, 0)).mean() == pytest.approx(0.25, abs=0.01)


def test_a_case_that_cannot_be_attacked_is_refused():
    case = related()
    with pytest.raises(SchemaError, match="no feature 'faith'"):
        lab.attack(case, against="lime", background=case.train.rows, protected="faith")
    with pytest.raises(lab.VulnerabilityError, match="at least 100 rows"):
        lab.attack(case[:80], against="lime", background=case.rows[:20])
    with pytest.raises(lab.VulnerabilityError, match="both classes"):
        lab.attack(case[case.outcomes == 1], against="lime", background=case.rows[:20])
    still = case.rows.copy()
    still[:, 8] = 0
    constant = dataclasses.replace(case, rows=still)
    with pytest.raises(lab.VulnerabilityError, match="at least 2 values"):
        lab.attack(constant, against="lime", background=constant.rows[:20], protected="sex")
    with pytest.raises(lab.VulnerabilityError, match="unprotected column"):
        innocuous_model(
            Schema((Feature("only"), Feature("p", protected=True))), case.rows[:, [8, 8]], case.rows[:, [8, 8]], 0, 0.0
        )


def test_a_detector_tells_real_rows_from_rounded_and_mixed_ones():
    case = related()
    train = case.train.rows
    fake = samples.mixtures(train, train[:5], 1_000, 0)
    detector = Detector.fit(train, fake, train[:5])
    mixed = samples.mixtures(case.test.rows, train[:5], 500, 1)
    assert detector.realness(case.test.rows).mean() > 0.6 and detector.realness(mixed).mean() < 0.4
    odd = case.test.rows[:1] + np.r_[0.033, np.zeros(8)]
    assert detector.described(odd)[0, 9] == 1 and detector.described(case.test.rows[:1])[0, 9] == 0
    assert isinstance(Scaffold(worlds_net(), worlds_net(), detector, 0.5), dlx.Model)


def test_a_share_of_everybody_is_not_certain():
    sure = fooling_lime()
    line = shown(sure, related().test[:8], related().train.rows[:20], method="lime").iloc[0]
    assert line["hidden"] == 1 and line["low"] < 0.8 and line["high"] == 1
    flipped = lab.flips(sure.biased, related(), ("sex", "v0")).set_index("column")
    assert flipped.loc["sex", "changed"] == 1 and flipped.loc["sex", "low"] < 1
    assert flipped.loc["v0", "changed"] == 0 and flipped.loc["v0", "high"] > 0


def test_what_is_found_in_an_audited_model_is_not_called_wrong():
    table = findings_frame([Finding("a copied column", "audited", False, "largest correlation", Interval(1.0, 0.9, 1.0), 0.95)])
    assert "Found in audited ones, for a person to look into: a copied column (audited)" in _verdict(table)
