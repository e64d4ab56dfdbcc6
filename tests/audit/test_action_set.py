"""Ways out are printed as they were tried, are possible for a person, and lead past the threshold by a margin."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

import dlx
from dlx.audit.counterfactuals import ActionSet, RecourseError, column_shifts, denied, recourse
from dlx.audit.counterfactuals.action_set import ValueFormat
from dlx.audit.counterfactuals.generation import goal_of
from dlx.audit.counterfactuals.plausibility import Correlations
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import wrap
from dlx.schema import Feature, Schema, SchemaError, Target
from dlx.schema.table import Carried

TARGET = Target("y", levels=("0", "1"))


def typed(feature, text):
    """Return what somebody who reads a value types in."""
    if feature.is_categorical:
        return feature.levels[feature.level_labels.index(text)]
    return float(text.removesuffix(feature.unit).replace(",", ""))


def check_printed(model, people, ways):
    """Assert that each way, typed in as to_frame() shows it, gives the risk beside it, at most the goal."""
    frame, count = people.frame, 0
    for (person, _), lines in ways.to_frame().groupby(["person", "counterfactual"]):
        row = frame.loc[[person]].astype(object)
        for line in lines.itertuples():
            row[line.column] = typed(ways.schema[line.column], line.to)
        risk = model.predict(row, "probability")[0]
        assert risk == lines["new_risk"].iloc[0] and risk <= ways.goal <= ways.threshold
        count += 1
    return count


def incomes(scale=1.0, count=150, seed=0, **words):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"income": scale * rng.lognormal(1, 0.5, count), "rate": rng.random(count) / 1000})
    schema = Schema((Feature("income", actionable=True, direction="up", **words), Feature("rate", actionable=True)), TARGET)
    return dlx.from_frame(table.assign(y=rng.integers(0, 2, count)), schema)


@given(st.floats(1e-4, 1e7), st.floats(0.3, 0.6), st.sampled_from(["", "EUR", "%", "1/min"]))
def test_a_way_out_typed_in_as_printed_is_granted_whatever_the_scale(scale, quantile, unit):
    case = incomes(scale, unit=unit)
    line = float(np.quantile(case.rows[:, 0], quantile))
    rule = wrap(lambda t: np.where(t["income"] < line, 0.9, 0.1), case.schema, name="rule", scale="probability")
    people = denied(rule, case)[:4]
    ways = recourse(rule, people, observed=case)
    assert check_printed(rule, people, ways) == len(people)


def test_integers_are_printed_as_integers_and_others_in_their_own_resolution():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "count": rng.integers(0, 90_000, 200),
            "share": np.round(rng.random(200), 4),
            "money": np.round(rng.lognormal(5, 1, 200), 2).astype(np.float32),
            "long": rng.random(200) * 3e5,
            "tiny": rng.random(200) * 1e-6,
            "gaps": np.where(rng.random(200) < 0.2, np.nan, rng.integers(0, 9, 200)),
        }
    )
    case = dlx.from_frame(table, Schema(tuple(Feature(n, missing=n == "gaps") for n in table), TARGET))
    numerals = ValueFormat.of(case)
    assert numerals.decimals == (0, 4, 2, -2, 9, 0)
    assert numerals.text(0, 12345.0) == "12,345" and numerals.text(3, 123400.0) == "123,400" and numerals.text(5, 3.0) == "3"
    for i, column in enumerate(case.rows.T):
        for value in np.round(column[:40], numerals.decimals[i]):
            assert np.isnan(value) or typed(case.schema.features[i], numerals.text(i, value)) == value
    for value in (16129.871, 1e-9, 123456789.123, 5.0):
        assert float(numerals.text(0, value, exact=True).replace(",", "")) == value
    assert numerals.text(2, float(np.float32(97.26)), exact=True) == "97.26"
    assert numerals.text(0, 16129.871, exact=True) == "16,129.871" and numerals.text(0, 5.0, exact=True) == "5"


def test_levels_that_read_alike_are_printed_as_the_table_spells_them():
    alike = Feature("a", "categorical", levels=("1", "2"), level_labels=("yes", "yes"), missing=True)
    taken = Feature("b", "categorical", levels=("missing", "no"), missing=True)
    numerals = ValueFormat(Schema((alike, taken), TARGET), (0, 0))
    assert [numerals.text(0, value) for value in (0, 1, np.nan)] == ["1", "2", "(missing)"]
    assert [numerals.text(1, value) for value in (0, np.nan)] == ["missing", "(missing)"]


@pytest.mark.parametrize("name", ["mlp", "gradient_boosting"])
def test_the_ways_of_bank_loan_hold_as_printed_by_a_margin_within_the_range_of_real_people(name):
    case, model = dlx.load("bank_loan"), dlx.load_model("bank_loan", name)
    people = denied(model, case.test)[:20]
    ways = recourse(model, people, observed=case.train)
    assert check_printed(model, people, ways) > 30
    assert ways.goal == pytest.approx((0.9 / 5) / (1 + 0.9 / 5))
    low, high = np.quantile(case.train.rows, (0.01, 0.99), axis=0)
    for answer in ways.answers:
        for one in answer.counterfactuals:
            for i in (case.schema.position(n) for n in one.columns if not case.schema[n].is_categorical):
                assert low[i] <= one.row[i] <= high[i] and one.row[i] % 1 == 0
    asked = ways.to_frame().groupby("column")["to"].agg(set)
    assert asked["other_installment_plans"] == {"none"}
    assert not {"overdrawn (below 0 DM)", "no checking account"} & asked["status"]


def test_heart_attack_is_no_case_for_recourse_and_its_bounds_hold_where_one_asks_all_the_same():
    case, model = dlx.load("heart_attack"), dlx.load_model("heart_attack", "gradient_boosting")
    with pytest.raises(RecourseError, match="no recourse against what has come about already: a past heart attack is there"):
        recourse(model, denied(model, case.test)[:3], observed=case.train)
    future = dataclasses.replace(case.schema, target=dataclasses.replace(case.schema.target, past=False))
    case = dataclasses.replace(case, schema=future)
    ways = recourse(model, denied(model, case.test)[:5], observed=case.train)
    low, high = np.nanquantile(case.train.rows, (0.01, 0.99), axis=0)
    position, met = case.schema.position, 0
    for answer in ways.answers:
        for one in answer.counterfactuals:
            met += 1
            for i in (
                position(n) for n in one.columns if not case.schema[n].is_categorical and not np.isnan(one.row[position(n)])
            ):
                assert low[i] <= one.row[i] <= high[i]
            assert ("bmi" in one.columns) == ("waist_cm" in one.columns)
            change = one.row - answer.row
            assert abs(change[position("waist_cm")]) <= 15 and abs(change[position("hdl")]) <= 15
            assert not one.columns.count("sleep_hours") or 7 <= one.row[position("sleep_hours")] <= 9
    assert met


def test_the_past_and_what_is_derived_cannot_be_asked_for():
    case = dlx.load("credit_default")
    model = wrap(lambda t: np.full(len(t), 0.9), case.schema, name="strict", scale="probability")
    assert [feature.name for feature in case.schema.features if feature.actionable] == ["LIMIT_BAL"]
    with pytest.raises(RecourseError, match=r"column 'PAY_1' cannot be changed by anybody \(past\)"):
        recourse(model, case.test[:2], observed=case.train, actionable={"PAY_1": "down"})
    bank = dlx.load("bank_loan")
    with pytest.raises(RecourseError, match=r"'installment_rate' .*\(it follows from amount, duration\)"):
        ActionSet.of(bank.train, {"installment_rate": "down"})


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ({"fixed": "past", "actionable": True}, r"is fixed \(past\) and actionable"),
        ({"derived_from": ["b"], "actionable": True}, "is derived from b and actionable"),
        ({"bounds": [3]}, "bounds must be the lowest and the highest number"),
        ({"bounds": [3, 3]}, "bounds must be the lowest and the highest number"),
        ({"bounds": [0, "nine"]}, "bounds must be a list of numbers"),
        ({"bounds": [0, 1], "kind": "categorical", "levels": ["x"]}, "bounds must be .* for a categorical one"),
        ({"largest_change": -1}, "largest_change must be a number from 0 on"),
        ({"derived_from": "b"}, "derived_from must be a list of texts"),
        ({"reachable": ["x"]}, "reachable names 'x', which is no level; it has no levels"),
        ({"adverse_levels": ["z"], "kind": "categorical", "levels": ["x", "y"]}, "adverse_levels names 'z'.*'x', 'y'"),
        ({"adverse": "up"}, "adverse must be '', 'high' or 'low', got 'up'"),
        ({"adverse": "high", "kind": "categorical", "levels": ["x", "y", "z"]}, "levels without order"),
    ],
)
def test_a_schema_that_contradicts_itself_about_change_is_refused(field, problem):
    with pytest.raises(SchemaError, match=problem):
        Schema.from_dict({"features": [{"name": "a"} | field], "target": {"name": "y", "levels": ["0", "1"]}})


def test_what_may_be_asked_for_does_not_change_what_codes_mean():
    told = Feature("a", bounds=(0, 9), largest_change=2, derived_from=("b",), fixed="past", adverse="high")
    features, target = (told, Feature("b")), dataclasses.replace(TARGET, past=True)
    assert Schema(features, target).sha256 == Schema((Feature("a"), Feature("b")), TARGET).sha256
    assert Schema.from_dict(Schema(features, target).to_dict()) == Schema(features, target)


def one_number(values, **words):
    case = dlx.from_frame(pd.DataFrame({"x": values}), Schema((Feature("x", actionable=True, **words),), TARGET))
    rule = wrap(lambda t: np.where(t["x"] > np.median(values), 0.9, 0.1), case.schema, name="rule", scale="probability")
    return case, rule


def asked_for(case, rule, **asked):
    ways = recourse(rule, denied(rule, case), observed=case, **asked)
    return [(answer.row[0], one.row[0]) for answer in ways.answers for one in answer.counterfactuals]


def test_bounds_and_the_largest_change_of_the_schema_hold():
    values = np.arange(200.0)
    case, rule = one_number(values)
    free = asked_for(case, rule)
    assert max(was - now for was, now in free) < 2 * values.std() and len(free) == 100
    assert min(now for _, now in free) >= np.quantile(values[values <= np.median(values)], 0.01)
    assert asked_for(*one_number(values, largest_change=20.0)) == [(float(v), 98.0) for v in range(100, 119)]
    assert {now for _, now in asked_for(*one_number(values, bounds=(50, 80)))} == {80.0}
    assert asked_for(*one_number(values, direction="up")) == []


def test_nobody_is_asked_for_a_sign_that_hardly_anybody_has():
    bills = np.r_[np.linspace(1, 900, 390), np.linspace(-300, -1, 10)]
    case, _ = one_number(bills)
    below = wrap(lambda t: np.where(t["x"] > -0.5, 0.9, 0.1), case.schema, name="below", scale="probability")
    assert asked_for(case, below) == []
    case, _ = one_number(np.linspace(-900, 900, 400))
    below = wrap(lambda t: np.where(t["x"] > -0.5, 0.9, 0.1), case.schema, name="below", scale="probability")
    assert all(now < 0 for _, now in asked_for(case, below))


def two_numbers(correlation, *, other=True, count=600):
    rng = np.random.default_rng(0)
    waist = rng.normal(size=count)
    bmi = correlation * waist + np.sqrt(1 - correlation**2) * rng.normal(size=count)
    schema = Schema((Feature("waist", actionable=True, direction="down"), Feature("bmi", actionable=other)), TARGET)
    rows = np.column_stack([np.round(100 + 15 * waist), np.round(28 + 5 * bmi, 1)])
    case = Dataset(schema, rows, (rng.random(count) < 0.5).astype(float))
    return case, wrap(lambda t: (t["waist"] - 98) / 4, schema, name="rule", scale="logit")


@pytest.mark.parametrize("correlation", [0.9, -0.9, 0.97])
def test_columns_that_are_bound_together_change_together_and_stay_where_real_people_are(correlation):
    case, rule = two_numbers(correlation)
    people = denied(rule, case)[:60]
    ways = recourse(rule, people, observed=case)
    assert ways.found.mean() > 0.8
    center, spread = case.rows.mean(axis=0), case.rows.std(axis=0)
    inverse = np.linalg.inv(np.corrcoef(case.rows.T))

    def far(row):
        z = (row - center) / spread
        return z @ inverse @ z

    usual = np.quantile([far(row) for row in case.rows], 0.995)
    for answer in ways.answers:
        for one in answer.counterfactuals:
            change = one.row - answer.row
            assert set(one.columns) == {"waist", "bmi"} and change[0] * change[1] * correlation > 0
            assert far(one.row) <= max(usual, far(answer.row)) * 1.2
    assert check_printed(rule, people, ways) == ways.found.sum()


def test_a_column_that_is_bound_to_one_that_cannot_change_does_not_change():
    case, rule = two_numbers(0.95, other=False)
    ways = recourse(rule, denied(rule, case)[:10], observed=case)
    assert not ways.found.any() and all(answer.columns_that_may_change == 0 for answer in ways.answers)


def test_a_pair_that_goes_together_loosely_stays_plausible():
    case, rule = two_numbers(0.7, other=False)
    together = Correlations.of(case)
    (pair,) = together.pairs
    assert pair.correlation == pytest.approx(np.corrcoef(case.rows.T)[0, 1], abs=0.03)
    loose, rule_alone = two_numbers(0.1, other=False)
    ways = recourse(rule, denied(rule, case)[:60], observed=case)
    free = recourse(rule_alone, denied(rule_alone, loose)[:60], observed=loose)
    assert 0.4 < ways.found.mean() < free.found.mean()
    slope, offset = np.polyfit(case.rows[:, 1], case.rows[:, 0], 1)
    off = np.abs(case.rows[:, 0] - slope * case.rows[:, 1] - offset)
    for answer in ways.answers:
        for one in answer.counterfactuals:
            own, new = (abs(row[0] - slope * row[1] - offset) for row in (answer.row, one.row))
            assert new <= max(np.quantile(off, 0.998), own)


def test_nothing_is_said_of_a_pair_of_whom_one_value_is_missing():
    case, _ = two_numbers(0.95)
    schema = Schema(tuple(dataclasses.replace(f, missing=True) for f in case.schema.features), TARGET)
    rows = case.rows.copy()
    rows[::2, 1] = np.nan
    case = Dataset(schema, rows, None)
    rule = wrap(lambda t: (t["waist"] - 98) / 4, schema, name="rule", scale="logit")
    for answer in recourse(rule, denied(rule, case)[:30], observed=case).answers:
        for one in answer.counterfactuals:
            assert one.columns == (("waist",) if np.isnan(answer.row[1]) else ("waist", "bmi"))


def test_three_columns_that_are_bound_change_all_at_once():
    rng = np.random.default_rng(0)
    base = rng.normal(size=400)
    rows = np.round(np.column_stack([base, base, -base]) + 0.05 * rng.normal(size=(400, 3)), 2)
    schema = Schema(tuple(Feature(n, actionable=True) for n in "abc"), TARGET)
    case = Dataset(schema, rows, None)
    rule = wrap(lambda t: 3 * t["a"] - t["c"], schema, name="rule", scale="logit")
    ways = recourse(rule, denied(rule, case)[:20], observed=case, most_columns=1)
    assert ways.found.all()
    assert {one.columns for answer in ways.answers for one in answer.counterfactuals} == {("a", "b", "c")}


@pytest.mark.parametrize(("threshold", "margin"), [(0.05, 0.1), (0.5, 0.1), (1 / 6, 0.3), (0.5, 0.0)])
def test_a_way_out_leads_past_the_threshold_by_the_margin(threshold, margin):
    case = incomes()
    fitted = LogisticRegression().fit(case.rows[:, :1], case.rows[:, 0] < np.median(case.rows[:, 0]))
    rule = wrap(lambda t: fitted.predict_proba(t[["income"]].to_numpy())[:, 1], case.schema, name="rule", scale="probability")
    people = denied(rule, case, threshold=threshold)[:20]
    ways = recourse(rule, people, observed=case, threshold=threshold, margin=margin)
    risks = ways.to_frame()["new_risk"].to_numpy()
    assert (
        len(risks) and (risks / (1 - risks) <= (1 - margin) * threshold / (1 - threshold)).all() and (risks < threshold).all()
    )
    assert ways.goal == goal_of(threshold, margin)


@pytest.mark.parametrize("margin", [-0.1, 1.0, float("nan")])
def test_a_margin_out_of_range_is_refused(margin):
    case, rule = one_number(np.arange(50.0))
    with pytest.raises(RecourseError, match="margin is a share of the odds at the threshold, from 0 to below 1"):
        recourse(rule, denied(rule, case), observed=case, margin=margin)


def test_a_risk_that_just_misses_the_threshold_is_told_on_its_side():
    case, _ = one_number(np.arange(50.0))
    close = wrap(lambda t: np.full(len(t), 0.4999), case.schema, name="close", scale="probability")
    with pytest.raises(RecourseError, match=r"a probability of 0\.4999 by close, below 0\.5"):
        recourse(close, case[:1], observed=case)


def test_moving_one_column_for_the_mean_keeps_to_the_bounds_too():
    case, rule = one_number(np.arange(200.0), bounds=(70, 120))
    table = column_shifts(rule, case, observed=case).set_index("direction")
    assert table.loc["down", "to"] == "70" and table.loc["up", "to"] == "120"


def test_what_a_model_of_ones_own_reads_beside_the_features_stays_with_the_person():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"branch": rng.choice(["a", "b"], 200), "debt": rng.integers(0, 100, 200), "rate": rng.random(200)})
    schema = Schema((Feature("debt", actionable=True), Feature("rate")), TARGET, carried=(Carried("branch", 0, "an id"),))
    case = dlx.from_frame(table.assign(y=rng.integers(0, 2, 200)), schema)

    def rule(people):
        assert people["debt"].dtype == "int64"
        return np.where(people["debt"] > people["branch"].map({"a": 30, "b": 60}), 0.9, 0.1)

    model = wrap(rule, case, name="rule", scale="probability")
    people = denied(model, case)[:12]
    ways = recourse(model, people, observed=case)
    lines = {"a": 30, "b": 60}
    for branch, answer in zip(people.table["branch"], ways.answers, strict=True):
        assert all(lines[branch] - 4 <= one.row[0] <= lines[branch] for one in answer.counterfactuals)
    assert ways.found.mean() > 0.6 and set(rule(ways.best().table)) == {0.1}
    assert ways.transferability([model]).loc[0, "granted"] == 1
    assert column_shifts(model, case, observed=case).set_index("direction").loc["down", "change"] < 0


def confined(**columns):
    """Return people whose columns confine each other beside ten that are noise, and the features of the latter."""
    noise = {f"z{i}": np.random.default_rng(i).normal(size=600) for i in range(10)}
    return pd.DataFrame(columns | noise), [Feature(name) for name in noise]


@pytest.mark.parametrize(
    "shape", ["hours of a job", "job of hours", "region of a city", "code of a name", "distance to an age"]
)
def test_a_column_that_another_confines_keeps_to_it_whatever_the_shape(shape):
    rng = np.random.default_rng(0)
    job, city, age = rng.choice(["none", "clerk", "boss"], 600), rng.integers(0, 6, 600), rng.normal(50, 10, 600)
    jobs = Feature("given", "categorical", levels=("none", "clerk", "boss"))
    hours = np.where(job == "none", 0, rng.integers(20, 60, 600))
    values, features, denied_at, follows = {
        "hours of a job": ((job, hours), (jobs, Feature("moved", actionable=True)), lambda x: x < 30, None),
        "job of hours": (
            (hours, job),
            (Feature("given"), dataclasses.replace(jobs, name="moved", actionable=True)),
            lambda x: x == "none",
            lambda given, to: (given > 0) == (to != "none"),
        ),
        "region of a city": (
            (city.astype(str), (city // 2).astype(str)),
            (
                Feature("given", "categorical", levels=tuple("012345")),
                Feature("moved", "categorical", levels=tuple("012"), actionable=True),
            ),
            lambda x: x == "0",
            lambda given, to: int(given) // 2 == int(to),
        ),
        "code of a name": (
            (np.array(["x", "y", "z"])[city % 3], city % 3),
            (Feature("given", "categorical", levels=("x", "y", "z")), Feature("moved", actionable=True)),
            lambda x: x == 2,
            lambda given, to: "xyz".index(given) == float(to),
        ),
        "distance to an age": (
            (age, abs(age - 50)),
            (Feature("given"), Feature("moved", actionable=True)),
            lambda x: x > 5,
            lambda given, to: abs(abs(given - 50) - float(to)) < 4,
        ),
    }[shape]
    table, rest = confined(given=values[0], moved=values[1])
    table["y"] = rng.integers(0, 2, 600)
    case = dlx.from_frame(table, Schema((*features, *rest), TARGET))
    model = wrap(lambda x: np.where(denied_at(x["moved"]), 0.9, 0.1), case)
    people = denied(model, case)[:40]
    told = recourse(model, people, observed=case).to_frame()
    who = table.loc[told["person"]].reset_index(drop=True)
    if follows is None:  # who has no job works no hours; others may work more of them
        assert set(who["given"]) == {"clerk", "boss"} and (told["to"].astype(int) >= 30).all()
    else:
        assert all(follows(given, to) for given, to in zip(who["given"], told["to"], strict=True))


def test_columns_that_are_loosely_related_confine_nothing_and_a_column_without_values_stays_as_it_is():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"plan": rng.choice(["a", "b"], 300), "income": rng.normal(size=300), "empty": np.full(300, np.nan)})
    plan = Feature("plan", "categorical", levels=("a", "b"), actionable=True)
    features = (plan, Feature("income", actionable=True), Feature("empty", actionable=True, missing=True))
    case = dlx.from_frame(table.assign(y=rng.integers(0, 2, 300)), Schema(features, TARGET))
    actions = ActionSet.of(case)
    assert not actions.ranges and not len(actions.actions[2].values)
    with pytest.raises(RecourseError, match="has no rows; pass the training rows"):
        ActionSet.of(case[:0])


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"actionable": ["income"]}, "actionable maps columns to 'any', 'up' or 'down'"),
        ({"margin": "0.1"}, "got '0.1'"),
        ({"threshold": "0.5"}, "got '0.5'"),
        ({"wanted": 1.5}, "wanted and most_columns must be at least 1 and whole, got 1.5"),
        ({"most_columns": None}, "got 3 and None"),
        ({"model": len}, "wrap it first"),
    ],
)
def test_a_question_of_the_wrong_kind_is_refused_in_a_line(asked, problem):
    case = incomes()
    model = wrap(lambda x: np.full(len(x), 0.9), case)
    with pytest.raises(DlxError, match=problem):
        recourse(**{"model": model, "people": case[:3], "observed": case} | asked)


def test_people_and_those_whose_values_are_taken_have_the_same_columns():
    case = incomes()
    model = wrap(lambda x: np.full(len(x), 0.9), case)
    swapped = Schema(case.schema.features[::-1], TARGET)
    with pytest.raises(RecourseError, match="same columns and levels in one order"):
        recourse(model, case[:3], observed=Dataset(swapped, case.rows[:, ::-1], case.outcomes))
