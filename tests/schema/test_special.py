"""Special values: a code is a level beside the numbers, whatever number it is; one alone is treated as a missing value is."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
import worlds
from hypothesis import given, settings
from hypothesis import strategies as st

from dlx import training
from dlx.attacks.scaffold import values_to_try
from dlx.audit.adverse_action.rules import ReasonRules, association, grouping
from dlx.audit.counterfactuals import column_shifts, recourse
from dlx.audit.fairness.groups import partition, protected_groups
from dlx.audit.mispredictions.slicing import candidates
from dlx.background import ScaledManhattan, gower
from dlx.comparison.stability_metrics import neighbourhood
from dlx.dataset import Dataset, from_frame
from dlx.effects import accumulated_local_effects, partial_dependence
from dlx.effects.partial import pair_dependence
from dlx.encoder import Encoder
from dlx.errors import DlxError
from dlx.explainers import lime
from dlx.kernels.lime.neighbourhoods import Neighbourhood
from dlx.model import BlackBox, wrap
from dlx.redundancy import copies, leaks
from dlx.runner import explain
from dlx.schema import Feature, Schema, SchemaError, Target, read_schema
from dlx.schema.description import schema_of
from dlx.trees import Trees

NONE, UNUSABLE = "no record", "no usable record"
TARGET = Target("bad", levels=("0", "1"))


def schema(*codes: float, missing: bool = False, **said) -> Schema:
    """Return columns of which the first has special values."""
    meanings = (NONE, UNUSABLE, "condition not met")[: len(codes)]
    special = dict(zip(map(str, codes), meanings, strict=True))
    burden = Feature("burden", special=special, missing=missing, missing_label=NONE if missing else "missing", **said)
    return Schema((burden, Feature("age"), Feature("kind", "categorical", levels=("a", "b", "c"))), TARGET)


def case(*codes: float, nan: bool = False, count: int = 400, **said) -> Dataset:
    """Return people of whom a tenth has each code, or NaN in place of the first, in the first column."""
    rng = np.random.default_rng(3)
    rows = np.column_stack([rng.uniform(0, 100, count).round(1), rng.normal(40, 9, count).round(), rng.integers(3, size=count)])
    which = rng.integers(10, size=count)
    for place, code in enumerate(codes):
        rows[which == place, 0] = np.nan if nan and not place else code
    outcomes = (rng.random(count) < np.where(which == 0, 0.9, 0.1 + 0.4 * (rows[:, 0] > 70))).astype(float)
    return Dataset(schema(*codes[nan:], missing=nan, **said), rows, outcomes)


def steep(of: Dataset) -> BlackBox:
    """Return a model that says another thing of each code, and goes with the numbers and with age."""
    codes = of.schema.features[0].special_codes

    def score(table: pd.DataFrame) -> np.ndarray:
        burden = table["burden"].to_numpy(float)
        beside = np.isnan(burden) | np.isin(burden, codes)
        told = np.where(np.isnan(burden), 1.0, 0.0) + sum((burden == code) * float(i) for i, code in enumerate(codes, 1))
        return np.where(beside, 3.0 * told, burden / 50) - table["age"].to_numpy(float) / 20

    return BlackBox(score, of.schema, "steep", scales=("logit", "probability"))


def test_the_word_of_a_code_is_its_meaning():
    feature = schema(-9, -8.5).features[0]
    assert [feature.format(x) for x in (-9, -8.5, 12.25)] == [NONE, UNUSABLE, "12.25"]
    assert feature.special_codes.tolist() == [-9, -8.5] and feature.special == {"-9": NONE, "-8.5": UNUSABLE}
    assert feature == Feature("burden", special={-9: NONE, -8.5: UNUSABLE}) and hash(feature) == hash(
        schema(-9, -8.5).features[0]
    )
    column = np.array([1.0, -9, np.nan, -8.5])
    assert feature.beside(column).tolist() == [0, 1, 3, 2]
    np.testing.assert_array_equal(feature.numbers(column), [1, np.nan, np.nan, np.nan])


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ({"special": {"none": "no record"}}, "must be a number, as the table spells it, got 'none'"),
        ({"special": {"-9": "no", "-9.0": "none"}}, "names a special value twice"),
        ({"special": {"-9": "gone", "-8": "gone"}}, "needs a meaning of its own"),
        ({"special": {"-9": "missing"}, "missing": True}, "needs a meaning of its own"),
        ({"special": {"-9": " "}}, "needs a meaning of its own"),
        ({"special": {"inf": "endless"}}, "must be a number"),
        ({"special": {"0": "no"}, "kind": "categorical", "levels": ["0", "1"]}, "is categorical and has special values"),
        ({"special": ["-9"]}, "special must be a table of keys and values"),
    ],
)
def test_special_values_that_say_nothing_are_refused(said, rule):
    with pytest.raises(SchemaError, match=rule):
        schema_of({"target": {"name": "y", "levels": ["0", "1"]}, "feature": [{"name": "x", **said}]})


def test_a_file_and_json_say_the_same(tmp_path):
    path = tmp_path / "loans.toml"
    path.write_text(
        '[target]\nname = "bad"\nlevels = ["0", "1"]\n[[feature]]\nname = "x"\nspecial = {"-9" = "none", "999"="many"}\n'
    )
    read = read_schema(path)
    assert read["x"].special == {"-9": "none", "999": "many"}
    assert Schema.from_dict(read.to_dict()) == read
    assert read.sha256 != Schema((Feature("x"),), read.target).sha256, "codes mean another thing"


def test_without_special_values_nothing_moves():
    plain, described = schema(), schema().to_dict()
    assert Schema.from_dict(described).sha256 == plain.sha256
    assert plain.codes[0] == ["burden", "numeric", "", (), False, False], "as the hashes of shipped checkpoints have it"
    rows = case().rows
    assert plain.numbers(rows) is rows and plain.features[0].numbers(rows[:, 0]).base is rows


def as_missing(*codes: float) -> tuple[Dataset, Dataset]:
    """Return the same people twice: the first code as special, and as missing."""
    return case(*codes), case(*codes, nan=True)


def test_one_special_value_is_treated_as_a_missing_value_is():
    special, missing = as_missing(-9)
    one, other = Encoder.fit(special.schema, special.rows), Encoder.fit(missing.schema, missing.rows)
    np.testing.assert_array_equal(one.transform(special.rows), other.transform(missing.rows))
    assert one.names[:2] == ("burden", f"burden is {NONE}")
    for of in (
        gower,
        lambda schema, rows, _: np.stack([ScaledManhattan.fit(Dataset(schema, rows)).between(r, rows) for r in rows[:9]]),
    ):
        mine, its = (of(some.schema, some.rows[:50], some.rows) for some in (special, missing))
        np.testing.assert_allclose(mine, its, atol=1e-12)
    for some in (partial_dependence, accumulated_local_effects):
        mine, its = (some(steep(data), data.rows, "burden", scale="logit").to_frame() for data in (special, missing))
        pd.testing.assert_frame_equal(mine.drop(columns="code"), its.drop(columns="code"))
    mine, its = (pair_dependence(steep(data), data.rows, ("burden", "age"), scale="logit") for data in (special, missing))
    np.testing.assert_array_equal(mine.counts, its.counts)
    np.testing.assert_allclose(association(special), association(missing))
    assert [len(leaks(data.schema, data.rows, data.outcomes)) for data in (special, missing)] == [0, 0]
    mine, its = (
        [one.words for found in candidates(d.schema, d.rows, d.outcomes, least=20) for one in found] for d in as_missing(-9)
    )
    assert mine == its and any(NONE in words for words in mine)
    near, kept = (
        np.stack(some)
        for some in zip(*(neighbourhood(steep(d), d.rows[:20], d.rows, scale="logit") for d in (special, missing)), strict=True)
    )
    np.testing.assert_array_equal(np.where(near[0] == -9, np.nan, near[0]), near[1])
    np.testing.assert_array_equal(*kept)


CODES = st.lists(st.sampled_from([-9.0, -8, -7, 999, 50.05, 9999, -0.5, 1e6]), min_size=2, max_size=3, unique=True)


@settings(max_examples=12)
@given(CODES, CODES)
def test_the_number_that_a_code_is_does_not_matter(some, others):
    """Codes among the numbers, and at either end, give what other codes give."""
    count = min(len(some), len(others))
    mine, its = case(*some[:count], count=150), case(*others[:count], count=150)

    def of(data: Dataset) -> list:
        model, encoder = steep(data), Encoder.fit(data.schema, data.rows)
        drawn = Neighbourhood(data.schema, data.rows).draw(64, 0)
        plain = data.schema.numbers(drawn.rows)
        told = lime.attribute(model, data.rows[:3], data.rows, scale="logit", n_samples=64).values
        effects = [
            some(model, data.rows, "burden", scale="logit").to_frame().drop(columns="code")
            for some in (partial_dependence, accumulated_local_effects)
        ]
        tried = data.schema.numbers(
            np.tile(values_to_try(data.schema.features[0], data.rows[:, 0], most=5, tail=0.1)[:, None], 3)
        )
        between = ScaledManhattan.fit(data).between(data.rows[0], data.rows), gower(data.schema, data.rows[:9], data.rows)
        return [encoder.transform(data.rows), plain, drawn.bins, told, *between, np.sort(tried[:, 0]), *effects]

    for one, other in zip(of(mine), of(its), strict=True):
        if isinstance(one, np.ndarray):
            np.testing.assert_allclose(one, other, atol=1e-9)
        else:
            pd.testing.assert_frame_equal(one, other)


def test_a_special_value_is_a_category_in_distances():
    data = Dataset(schema(-9, -8), np.array([[0.0, 40, 0], [100, 40, 0], [-9, 40, 0], [-8, 40, 0]]))
    distance = ScaledManhattan.fit(data)
    between = np.stack([distance.between(row, data.rows) for row in data.rows])
    assert between[2, 3] == between[3, 2] == 1.0 and between[0, 1] == 2.0  # of two codes; of the lowest and highest number
    assert between[2, 0] == between[2, 1] == 2.0  # 1 for being none, 1 as the mean is from either end
    np.testing.assert_allclose(gower(data.schema, data.rows, data.rows)[2:, :2] * 3, 1.0)
    assert gower(data.schema, data.rows, data.rows)[2, 3] * 3 == 1.0


def test_the_packages_own_lime_gives_a_code_a_bin_too():
    data = case(-9, 999)
    model = steep(data)
    ours, theirs = (
        make(model, data.rows[:12], data.rows, scale="logit", n_samples=4_000).values
        for make in (lime.attribute, lime.reference)
    )
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.99
    codes = Neighbourhood(data.schema, data.rows).bins(data.rows)[:, 0]
    assert sorted(set(codes[data.rows[:, 0] == -9])) != sorted(set(codes[data.rows[:, 0] == 999]))


def test_groups_of_people_are_never_cut_at_a_code():
    data = case(-9, 999, protected=True, cuts=(50,))
    by = partition(data, "burden")
    assert by.groups == ("up to 50", "over 50", NONE, UNUSABLE)
    codes, column = by.codes(data), data.rows[:, 0]
    for group, members in enumerate(
        [(column >= 0) & (column <= 50), (column > 50) & (column < 999), column == -9, column == 999]
    ):
        np.testing.assert_array_equal(codes == group, members)
    groups = {group.name: group.inside for group in protected_groups(data)}
    np.testing.assert_array_equal(groups[NONE], column == -9)
    assert all(
        not inside[(column == -9) | (column == 999)].any() for name, inside in groups.items() if name.startswith("up to")
    )
    median = partition(case(-9, 999, protected=True), "burden").features[0].cuts[0]
    assert 0 < median < 100


def test_columns_that_share_their_codes_are_no_copies():
    """In HELOC most columns are -9 for the same people: this is no correlation of numbers."""
    rng = np.random.default_rng(0)
    rows, gone = rng.uniform(0, 100, (600, 2)), rng.random(600) < 0.3
    rows[gone] = -9_999
    with_special = Schema((Feature("a", special={"-9999": "none"}), Feature("b", special={"-9999": "none"})), TARGET)
    assert copies(Schema((Feature("a"), Feature("b")), TARGET), rows) and not copies(with_special, rows)
    assert association(Dataset(with_special, rows)).iloc[0, 1] < 0.2


@pytest.mark.parametrize("architecture", ["logistic_regression", "decision_tree", "random_forest", "gradient_boosting"])
def test_our_models_learn_what_a_code_means(architecture):
    """-9 has a risk of .9, while the risk of the lowest numbers, beside which it lies, is .1."""
    data = case(-9, -8, count=2_000)
    model = training.fit(architecture, data[:1_500], data[1_500:]).model
    people = np.tile([[-9.0, 40, 0], [-8, 40, 0], [1, 40, 0], [90, 40, 0]], (1, 1))
    none, unusable, low, high = model.predict(people, "probability")
    assert none > 0.65 and unusable < 0.35 and low < 0.25 and high > 0.3


@pytest.mark.parametrize("architecture", ["decision_tree", "random_forest", "gradient_boosting"])
@pytest.mark.parametrize("codes", [(999, 50.05), (50.05, -9)])
def test_trees_say_the_same_whatever_number_a_code_is(architecture, codes, tmp_path):
    plain, other = case(-9, -8, count=600), case(*codes, count=600)
    one, two = (training.fit(architecture, some[:400], some[400:]).model for some in (plain, other))
    np.testing.assert_array_equal(one.predict(plain.rows, "probability"), two.predict(other.rows, "probability"))
    kept = Trees.from_arrays(two.trees.arrays())
    np.testing.assert_array_equal(kept.predict(other.rows), two.trees.predict(other.rows))
    asked = {"method": "tree_shap", "background": other[:20], "scale": two.scales[0]}
    made = {name: explain(two, other[:30], implementation=name, **asked).values for name in ("dlx", "reference")}
    np.testing.assert_allclose(made["dlx"], made["reference"], atol=1e-6)
    is_code = np.isin(other[:30].rows[:, 0], codes)
    assert np.abs(made["dlx"][is_code, 0]).max() > 0


def test_nothing_is_bound_to_rise_with_codes():
    data = case(-9, count=200)
    with pytest.raises(DlxError, match="'burden' has special values, which have no order"):
        training.fit("gradient_boosting", data[:150], data[150:], monotone={"burden": 1})


def test_a_rare_code_has_a_bin_of_its_own_in_boosted_trees():
    """scikit-learn bins a column of many values by its quantiles: 25 of 20,000 people would share theirs with others."""
    rng = np.random.default_rng(1)
    rows = np.column_stack([rng.uniform(0, 100, 20_000), rng.normal(size=20_000), np.zeros(20_000)])
    rows[:25, 0] = -9
    outcomes = (rng.random(20_000) < 0.1).astype(float)
    outcomes[:25] = 1
    data = Dataset(schema(-9), rows, outcomes)
    model = training.fit("gradient_boosting", data, data[:100]).model
    code, beside = model.predict(np.array([[-9.0, 0, 0], [0.01, 0, 0]]), "probability")
    assert code > 0.6 and beside < 0.2


def test_a_wrapped_model_is_given_the_code():
    seen: list[np.ndarray] = []

    def predict(table: pd.DataFrame) -> np.ndarray:
        seen.append(table["burden"].to_numpy())
        return 1 / (1 + np.exp(-table["age"].to_numpy() / 20))

    data = case(-9, 999)
    model = wrap(predict, data, scale="probability")
    partial_dependence(model, data.rows, "burden", scale="probability")
    assert {-9.0, 999.0} <= set(np.concatenate(seen)) and not np.isnan(np.concatenate(seen)).any()
    numbers = Schema(data.schema.features[:2], TARGET)
    net = wrap(torch.nn.Linear(2, 1), numbers, scale="logit")
    np.testing.assert_array_equal(net.dense(data.rows[:, :2]), data.rows[:, :2].astype(np.float32))


def test_recourse_neither_enters_nor_leaves_a_special_value():
    data = case(-9, 5, actionable=True)
    model = BlackBox(lambda t: 1 / (1 + np.exp(-(t["burden"].to_numpy(float) - 40) / 10)), data.schema, scales=("probability",))
    turned = BlackBox(lambda t: 1 - model.function(t), data.schema, "turned", scales=("probability",))
    for some in (model, turned):
        people = data[some.predict(data, "probability") >= 0.5][:60]
        found = recourse(some, people, observed=data)
        own = people.rows[:, 0]
        is_code = np.isin(own, [-9, 5])
        assert not found.found[is_code].any() and found.found[~is_code].mean() > 0.5
        assert not np.isin([one.row[0] for answer in found.answers for one in answer.counterfactuals], [-9, 5]).any()
        shifts = column_shifts(some, people, observed=data)
        assert (shifts["people"] <= (~is_code).sum()).all() and not shifts["to"].isin([NONE, UNUSABLE]).any()


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.booleans())
def test_no_level_is_come_to_whose_people_all_have_another_special_value(seed, is_ordered, lacks):
    """Whoever has no loans has the code -9 for their burden; whoever has some has -8 now and then; gaps go along, too."""
    rng, count = np.random.default_rng(seed), 300
    loans, usual = rng.integers(3, size=count), rng.uniform(0, 100, count).round()
    burden = np.select([loans == 0, rng.random(count) < 0.2], [-9, -8], usual)
    delay = np.where(loans == 0, np.nan if lacks else -7, np.where(rng.random(count) < 0.2, -6, usual // 3))
    kinds = {"-9": "no loans", "-8": "unknown"}, {"-7": "no loans", "-6": "never"}
    of_loans = Feature("loans", "categorical", levels=("none", "one", "more"), ordered=is_ordered, actionable=True)
    numbers = [Feature(n, special=codes, actionable=True, missing=True) for n, codes in zip("bd", kinds, strict=True)]
    data = Dataset(Schema((of_loans, *numbers, Feature("x", actionable=True)), TARGET), np.c_[loans, burden, delay, usual])
    weights = rng.normal(size=6)

    def risk(table):
        told = np.column_stack([table["loans"].eq(level) for level in of_loans.levels] + [table[n] / 30 for n in "bdx"])
        return 1 / (1 + np.exp(-np.nan_to_num(told) @ weights + np.median(weights)))

    model, codes = BlackBox(risk, data.schema, scales=("probability",)), [f.special_codes for f in numbers]
    threshold = float(np.median(model.predict(data, "probability")))
    people = data[model.predict(data, "probability") >= threshold][:12]
    found = recourse(model, people, observed=data, threshold=threshold, margin=0.0)
    for answer in found.answers:
        for row in [*(one.row for one in answer.counterfactuals), answer.lowest_row]:
            for i, special in enumerate(codes, 1):
                was, now = answer.row[i], row[i]
                assert now == was if was in special else now not in special
            assert (row[0] == 0) == (row[1] == -9) and (row[2] == -7 or lacks or row[0] > 0)
    moves = column_shifts(model, people, observed=data).query("column == 'loans'")
    assert moves["people"].sum() <= 2 * (people.rows[:, 0] > 0).sum() and "none" not in moves["to"].to_numpy()


def test_forbidden_levels_are_not_gone_to():
    levels = ("never married", "married", "divorced")
    feature = Feature("status", "categorical", levels=levels, actionable=True, forbidden=[["divorced", "never married"]])
    assert feature.forbidden_from(2) == [0] and feature.forbidden_from(1) == [] and feature.forbidden_from(np.nan) == []
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.integers(3, size=300), rng.normal(size=300)]).astype(float)
    data = Dataset(Schema((feature, Feature("x")), TARGET), rows)
    model = BlackBox(lambda t: np.where(t["status"] == "never married", 0.1, 0.9), data.schema, scales=("probability",))
    people = data[rows[:, 0] > 0]
    found = recourse(model, people, observed=data)
    assert not found.found[people.rows[:, 0] == 2].any() and found.found[people.rows[:, 0] == 1].mean() > 0.9
    shifts = column_shifts(model, people, observed=data)
    assert shifts.set_index("to").loc["never married", "people"] == (people.rows[:, 0] == 1).sum()
    with pytest.raises(SchemaError, match="forbidden names 'widowed', which is no level"):
        dataclasses.replace(feature, forbidden=[["divorced", "widowed"]])


def test_a_reason_says_nothing_of_little_or_much_about_a_code():
    data = case(-9, -8, reason="Insufficient balance")
    rules = ReasonRules.of(data.schema, grouping(data), data)
    assert rules.words(0, -9.0) == "burden" and rules.words(0, 3.0) == "Insufficient balance"
    assert 0 < rules.usual[0] < 100


def test_a_reason_against_the_expected_direction_is_for_review():
    """Owners who are riskier in the data than tenants: the word is true of them, the direction is not the expected one."""
    plain = case(-9, reason="Burden of all credits")
    rules = {
        expected: ReasonRules.of(schema(-9, reason="Burden", expected=expected), grouping(plain), plain)
        for expected in ("", "up", "down")
    }
    usual = rules["up"].usual[0]
    assert [rules["up"].goes_against(0, usual + by) for by in (-30, 30)] == [True, False]
    assert [rules["down"].goes_against(0, usual + by) for by in (-30, 30)] == [False, True]
    assert not rules[""].goes_against(0, usual + 30) and not rules["up"].goes_against(0, -9)
    levels = {"kind": "categorical", "levels": ("none", "car", "house"), "ordered": True, "adverse_levels": ("none", "house")}
    owned = Dataset(Schema((Feature("property", expected="down", **levels),), TARGET), np.array([[0.0], [1], [2], [1]]))
    of_levels = ReasonRules.of(owned.schema, grouping(owned), owned)
    assert [of_levels.goes_against(0, code) for code in (0, 1, 2)] == [False, True, True]
    with pytest.raises(SchemaError, match="adverse where it is low, but the outcome is expected to go up"):
        Feature("x", adverse="low", expected="up")
    with pytest.raises(SchemaError, match="levels without order"):
        Feature("x", "categorical", levels=("a", "b", "c"), expected="up")


def test_a_table_with_codes_is_read_as_it_is():
    table = pd.DataFrame({"burden": [1, -9, 30], "bad": ["0", "1", "0"]})
    made = from_frame(table, Schema((Feature("burden", special={"-9": NONE}),), TARGET))
    assert made.rows[:, 0].tolist() == [1, -9, 30] and made.frame["burden"].tolist() == [1, -9, 30]
    assert worlds.table("numeric").schema.numbers(made.rows[:0]) is not None
