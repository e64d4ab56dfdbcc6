"""Remedies: a fixed model says of original rows what the reduced one says of them reduced, and the table tells the truth."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
import worlds
from pages import told_of, words_of

import dlx
from dlx import architectures, checkpoint, reporting, training
from dlx.audit.recalibration import recalibrated
from dlx.audit.scores import performance
from dlx.dataset import Card, Dataset
from dlx.encoder import Encoder
from dlx.errors import DlxError
from dlx.model import BlackBox, NeuralModel
from dlx.remedies import Remedy, RemedyError, before_after, fix, known_remedy, recipe_of
from dlx.remedies.recoding import merged_feature, merged_levels, recoding_of
from dlx.schema import Feature, Schema, SchemaError
from dlx.training import TrainingError

LEVELS = Schema(
    (
        Feature("age", protected=True, unit="years"),
        Feature("town", "categorical", levels=("a", "b", "c", "d", "e", "f"), missing=True),
        Feature("grade", "categorical", levels=("1", "2", "3", "4", "5"), ordered=True, missing=True),
        Feature("sex", "categorical", levels=("f", "m"), protected=True),
        Feature("debt", missing=True),
    ),
    worlds.TARGET,
)
TOWNS, GRADES = (0.03, 0.5, 0.02, 0.4, 0.02, 0.03), (0.02, 0.4, 0.03, 0.5, 0.05)
SMALL = {"max_epochs": 3, "hidden": 8, "block_hidden": 8}
FAST = {
    name: {option: value for option, value in SMALL.items() if option in training.options(name)}
    for name in architectures.names("binary")
    if architectures.is_net(name)
}
FAST["tabm"] |= {"members": 4, "learning_rate": 0.03}  # its mean changes slowly


@pytest.fixture(scope="module")
def table() -> Dataset:
    """Return 500 people with rare towns and grades, and values missing in three columns."""
    rng = np.random.default_rng(11)
    size = 500
    rows = np.column_stack(
        [
            rng.integers(20, 70, size),
            rng.choice(6, size=size, p=TOWNS),
            rng.choice(5, size=size, p=GRADES),
            rng.integers(2, size=size),
            rng.normal(size=size),
        ]
    ).astype(float)
    for column in (1, 2, 4):
        rows[rng.random(size) < 0.1, column] = np.nan
    score = (rows[:, 0] - 45) / 10 + np.nan_to_num(rows[:, 2]) - 2 + 1.5 * (rows[:, 1] == 1) + rng.normal(size=size)
    rows[pd.DataFrame(rows).duplicated(), 0] += 1  # copies would go into one part
    return Dataset(LEVELS, rows, (score > 0.5).astype(float), name="people")


def rows_of_every_kind(table: Dataset) -> np.ndarray:
    """Return rows in which every level, and a missing value, comes with every other."""
    grid = np.array(np.meshgrid([25.0, 60.0], [*range(6), np.nan], [*range(5), np.nan], [0.0, 1.0], [-1.0, 1.0, np.nan]))
    return np.vstack([grid.reshape(5, -1).T, table.rows])


@pytest.mark.parametrize(
    ("counts", "groups"),
    [
        ([50, 3, 40, 60], [[0], [1, 2], [3]]),  # the smaller neighbour
        ([2, 3, 4, 60], [[0, 1, 2], [3]]),  # a group grows until it is large enough
        ([60, 50, 2], [[0], [1, 2]]),
        ([60, 2], [[0], [1]]),  # two groups remain, or nothing is merged
        ([50, 50, 50], [[0], [1], [2]]),
    ],
)
def test_ordered_levels_merge_with_the_smaller_neighbour(counts, groups):
    levels = tuple("abcdef"[: len(counts)])
    column = np.r_[np.repeat(np.arange(len(counts)), counts).astype(float), np.nan]
    assert merged_levels(Feature("x", "categorical", levels=levels, ordered=True), column, 8) == groups


@pytest.mark.parametrize(
    ("counts", "groups"),
    [
        ([50, 3, 40, 6], [[0], [2], [1, 3]]),
        ([50, 3, 40, 60], [[0], [3], [1, 2]]),  # one alone takes the next rarest along
        ([50, 2, 3, 20, 60], [[0], [3], [4], [1, 2]]),  # two that are too few together stay so
        ([60, 3], [[0], [1]]),
        ([50, 50, 50], [[0], [1], [2]]),
    ],
)
def test_rare_levels_without_an_order_become_one(counts, groups):
    feature = Feature("x", "categorical", levels=tuple("abcdef"[: len(counts)]))
    merged = merged_levels(feature, np.repeat(np.arange(len(counts)), counts).astype(float), 8)
    assert merged == groups
    assert merged_feature(feature, merged).levels == tuple(
        " / ".join(feature.levels[code] for code in group) for group in groups
    )


def test_reduced_rows_lack_the_columns_and_hold_the_merged_codes(table):
    recoded = recoding_of(table.train, drop=["debt", "sex"], merge=30)
    assert recoded.schema.names == ("age", "town", "grade")
    assert recoded.schema["town"].levels == ("b", "d", "a / c / e / f")
    assert recoded.schema["grade"].levels == ("1 / 2 / 3", "4 / 5")
    town = {name: code for code, level in enumerate(recoded.schema["town"].levels) for name in level.split(" / ")}
    reduced, towns = recoded.reduce(table.rows), table.rows[:, 1]
    for row, code in zip(reduced, towns, strict=True):
        assert (np.isnan(row[1]) and np.isnan(code)) or row[1] == town[LEVELS["town"].levels[int(code)]]
    assert recoded.reduced(table.test).outcomes.tolist() == table.test.outcomes.tolist()


@pytest.mark.parametrize("architecture", architectures.names("binary"))
def test_a_restored_model_says_of_original_rows_what_the_reduced_one_says_of_them_reduced(table, architecture):
    recoded = recoding_of(table.train, drop=["sex"], merge=30)
    train, validation = recoded.reduced(table.train), recoded.reduced(table.validation)
    reduced = training.fit(architecture, train, validation, device="cpu", config=FAST.get(architecture)).model
    model, rows = recoded.restored(reduced), rows_of_every_kind(table)
    assert type(model) is type(reduced)
    assert model.schema.names == LEVELS.names
    said, expected = model.predict(rows, "probability"), reduced.predict(recoded.reduce(rows), "probability")
    rounding = 1e-6 if architecture in FAST else 1e-12  # a net sums more zeros, in float32
    np.testing.assert_allclose(said, expected, rtol=0, atol=rounding)


def test_restored_trees_count_their_training_rows_and_give_a_left_out_column_nothing(table):
    recoded = recoding_of(table.train, drop=["sex"], merge=30)
    reduced = training.fit("gradient_boosting", recoded.reduced(table.train), recoded.reduced(table.validation)).model
    model = recoded.restored(reduced)
    trees = model.trees
    assert (trees.cover[trees.roots] == len(table.train)).all()
    inner = trees.feature >= 0
    np.testing.assert_array_equal(trees.cover[inner], trees.cover[trees.left[inner]] + trees.cover[trees.right[inner]])
    explained = dlx.explain(model, table.test, method="tree_shap", background=table.train.rows[:20], scale="logit")
    assert (explained.values[:, 3] == 0).all()


def test_a_recoding_that_changes_nothing_leaves_the_model_as_it_is(table):
    model = training.fit("decision_tree", table.train, table.validation).model
    assert recoding_of(table.train).restored(model) is model


def test_a_black_box_cannot_be_restored(table):
    recoded = recoding_of(table.train, drop=["sex"])
    with pytest.raises(RemedyError, match="nothing is known but what it predicts"):
        recoded.restored(BlackBox(len, recoded.schema))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"drop": ["foo", "bar"]}, "'foo', 'bar' is not; it has age, town"),
        ({"drop": list(LEVELS.names)}, "needs at least one column, but all 5 are to be left out"),
        ({"merge": 0}, "below a count of rows from 1 on, got 0"),
    ],
)
def test_a_recoding_that_cannot_be_is_refused(table, asked, message):
    with pytest.raises(RemedyError, match=message):
        recoding_of(table.train, **asked)


@pytest.mark.parametrize("direction", [1, -1])
def test_bound_trees_rise_or_fall_with_the_column(table, direction):
    bound = training.fit("gradient_boosting", table.train, table.validation, monotone={"debt": direction}).model
    rows = np.repeat(table.test.rows[:40], 30, axis=0)
    rows[:, 4] = np.tile(np.linspace(-3, 3, 30), 40)
    free = training.fit("gradient_boosting", table.train, table.validation).model
    steps, loose = (np.diff(model.predict(rows, "logit").reshape(40, 30), axis=1) for model in (bound, free))
    assert (direction * steps >= 0).all()
    assert not (direction * loose >= 0).all()


@pytest.mark.parametrize(
    ("architecture", "monotone", "error", "message"),
    [
        (
            "mlp",
            {"age": 1},
            TrainingError,
            "mlp cannot be bound to rise or fall with a column; of the models, additive, gradient_boosting can",
        ),
        ("gradient_boosting", {"age": 2}, TrainingError, r"1 \(up\) or -1 \(down\), got 2"),
        ("gradient_boosting", {"town": 1}, TrainingError, "levels without an order"),
        ("gradient_boosting", {"foo": 1}, SchemaError, "no feature 'foo'"),
    ],
)
def test_what_cannot_be_bound_is_refused(table, architecture, monotone, error, message):
    with pytest.raises(error, match=message):
        training.fit(architecture, table.train, table.validation, monotone=monotone)


def test_a_remedy_must_change_something_and_not_contradict_itself():
    with pytest.raises(RemedyError, match="must change something"):
        Remedy()
    with pytest.raises(RemedyError, match="'age' cannot be bound and left out at once"):
        Remedy(drop=("age",), monotone={"age": 1})
    assert Remedy(drop=("a",)).digest != Remedy(drop=("b",)).digest
    assert Remedy(drop=("a", "a"), because="x").digest == Remedy(drop=("a",)).digest


def fixed_of(table, architecture="gradient_boosting", **asked):
    before = training.train(table, architecture, device="cpu", config=FAST.get(architecture)).model
    return fix(table, before, device="cpu", **asked)


@pytest.mark.parametrize("architecture", ["gradient_boosting", "additive", "tabm"])
def test_a_fixed_model_is_kept_and_loaded_like_any_other(table, tmp_path, architecture):
    bound = {"age": 1} if architectures.can_be_monotone(architecture) else {}
    fixed = fixed_of(table, architecture, drop=["sex"], merge=30, monotone=bound, reweigh="outcome", recalibrate=True)
    path = fixed.save(tmp_path)
    config = FAST.get(architecture)
    loaded = checkpoint.load_model(table, architecture, config=config, checkpoints=tmp_path)
    assert type(loaded) is type(fixed.before) and loaded.name == f"{training.name_of(architecture, 0, config or {})} fixed"
    np.testing.assert_allclose(loaded.predict(table.test, "logit"), fixed.model.predict(table.test, "logit"), atol=1e-5)
    assert checkpoint.describe(path)["settings"]["remedy"] == fixed.remedy.to_dict()
    clauses = ("left out: sex", "merged in town: a with c", "bound to rise with: age", "weighted: outcomes", "recalibrated")
    clauses = [clause for clause in clauses if bound or not clause.startswith("bound")]
    assert all(any(words.startswith(clause) for words in fixed.words) for clause in clauses)
    if architecture == "additive":
        own = dlx.explain(loaded, table.test[:4], method="additive_shap", background=table.train.rows[:9], scale="logit")
        brute = dlx.explain(loaded, table.test[:4], method="exact_shapley", background=table.train.rows[:9], scale="logit")
        np.testing.assert_allclose(own.values, brute.values, atol=1e-5)


def test_recalibration_alone_trains_nothing_and_a_folded_net_is_the_recalibrated_one(table):
    fixed = fixed_of(table, "mlp", recalibrate=True)
    expected = recalibrated(fixed.before, table.validation, kind="platt")
    np.testing.assert_allclose(fixed.model.predict(table.test, "logit"), expected.predict(table.test, "logit"), atol=1e-5)
    assert [*map(type, fixed.model.network.modules())] == [*map(type, fixed.before.network.modules())]


def test_a_recalibrated_forest_cannot_be_kept(table, tmp_path):
    fixed = fixed_of(table, "random_forest", recalibrate=True)
    with pytest.raises(RemedyError, match="leave recalibration out to keep it"):
        fixed.save(tmp_path)


def test_weights_by_a_protected_column_are_reweighing_and_others_are_refused(table):
    plain, weighted = (fixed_of(table, reweigh=by).model.predict(table.test, "logit") for by in ("outcome", "sex"))
    assert np.abs(plain - weighted).max() > 1e-3
    with pytest.raises(DlxError, match="'town' is not"):
        fixed_of(table, reweigh="town")


def test_the_table_tells_what_performance_and_counting_tell_and_pairs_the_people(table):
    fixed = fixed_of(table, drop=["sex"])
    told = fixed.before_after(background=10, people=20)
    for name, model in (("before", fixed.before), ("after", fixed.model)):
        alone = performance(model, table.test).set_index("metric")["estimate"]
        accuracy = told[told["topic"] == "accuracy"].set_index("quantity")
        np.testing.assert_allclose(accuracy.loc[alone.index, name], alone)
        predicted = model.predict(table.test, "probability")
        women, outcomes = table.test.rows[:, 3] == 0, table.test.outcomes
        rates = told[told["of"] == "sex: f"].set_index("quantity")[name]
        assert rates["flagged"] == pytest.approx((predicted[women] >= 0.5).mean())
        assert rates["flagged of those without the event"] == pytest.approx((predicted[women & (outcomes == 0)] >= 0.5).mean())
        assert rates["missed of those with the event"] == pytest.approx((predicted[women & (outcomes == 1)] < 0.5).mean())
    known = told[told["note"] == ""]
    np.testing.assert_allclose(known["difference"], known["after"] - known["before"])
    assert (known["low"] <= known["high"]).all()
    sex = told[(told["topic"] == "explanations") & (told["of"] == "sex")].iloc[0]
    assert sex["before"] > 0 == sex["after"]


def test_seeds_train_both_models_anew_and_the_first_is_the_model_itself(table):
    fixed = fixed_of(table, "random_forest", drop=["sex"])
    told = fixed.over_seeds(2).set_index(["seed", "quantity"])
    assert told.loc[(0, "auc"), "after"] == performance(fixed.model, table.test).set_index("metric")["estimate"]["auc"]
    again = training.fit("random_forest", table.train, table.validation, seed=1).model
    assert told.loc[(1, "brier"), "before"] == performance(again, table.test).set_index("metric")["estimate"]["brier"]
    np.testing.assert_allclose(told["difference"], told["after"] - told["before"])


def test_a_model_compared_with_itself_differs_nowhere_and_by_nothing(table):
    model = training.fit("logistic_regression", table.train, table.validation).model
    told = before_after(model, dataclasses.replace(model, name="again"), table, background=10, people=10)
    known = told[told["note"] == ""]
    assert (known[["difference", "low", "high"]] == 0).all(axis=None)
    assert (known["before_low"] < known["before_high"]).all()


def test_a_group_of_few_is_too_few_to_judge(table):
    test = dataclasses.replace(table, rows=np.where(np.arange(500)[:, None] < 497, table.rows * [1, 1, 1, 0, 1], table.rows))
    model = training.fit("decision_tree", table.train, table.validation).model
    told = before_after(model, model, test, background=5, people=5)
    few = told[(told["of"] == "sex: m") & (told["topic"] == "fairness")]
    assert few["before"].isna().all()
    assert few["note"].str.contains("too few to judge").all()


def test_models_of_other_columns_or_that_read_what_is_left_out_are_not_compared(table):
    model = training.fit("decision_tree", table.train, table.validation).model
    with pytest.raises(RemedyError, match="must read the same columns"):
        before_after(model, worlds.model("linear", "mixed"), table)
    with pytest.raises(RemedyError, match="must not read the columns that are left out"):
        before_after(model, model, table, left_out=["age"])


def test_the_cards_of_the_headline_cases_name_their_remedy(table):
    heart = known_remedy(dlx.load("heart_attack"))
    assert heart.drop == ("stroke_history", "general_health", "total_chol", "insulin")
    bank = dlx.load("bank_loan")
    assert known_remedy(bank).merge == 30
    assert "purpose" in {bank.schema.names[i] for i in recoding_of(bank.train, merge=30).groups}


def test_a_table_of_ones_own_has_its_rare_levels_merged_or_no_remedy(table):
    assert known_remedy(table).merge == 15
    assert known_remedy(worlds.table("numeric")) is None
    with pytest.raises(RemedyError, match="names wonder, which a remedy does not have"):
        known_remedy(dataclasses.replace(table, card=Card(remedy={"wonder": 1})))


def test_dlx_fix_takes_the_remedy_of_the_card_and_keeps_the_model(run):
    ended = run("fix", "bank_loan", "--model", "gradient_boosting", "--background", "10", "--output", "out")
    assert ended.status == 0
    assert any("Merged in Purpose of the loan" in line for line in ended.out)
    assert ended.out[-2].endswith(".csv")
    folder = ended.out[-1]
    root = folder.rsplit("/", 2)[0]
    fixed = dlx.load_model("bank_loan", "gradient_boosting", checkpoints=root)
    case = dlx.load("bank_loan")
    rare = case.rows[:1].copy()
    purpose = case.schema.position("purpose")
    said = set()
    for level in ("vacation", "business"):  # two levels that were merged
        rare[0, purpose] = case.schema["purpose"].levels.index(level)
        said.add(float(fixed.predict(rare, "logit")[0]))
    assert len(said) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--drop", "foo"), "'foo' is not; it has status"),
        (("--monotone", "age"), "--monotone takes column:up or column:down, got 'age'"),
        (("--monotone", "age:up", "--drop", "age"), "cannot be bound and left out at once"),
        (("--model", "gpt"), "no model 'gpt'"),
    ],
)
def test_dlx_fix_refuses_what_cannot_be(refused, options, message):
    assert message in refused("fix", "bank_loan", "--model", "decision_tree", *options)


# whose models are trained again


def own_net(case, name="mlp"):
    """Return a net of the user's own, under a name of dlx's."""
    torch.manual_seed(0)
    width = Encoder.fit(case.schema, case.train.rows).width
    network = torch.nn.Sequential(torch.nn.Linear(width, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1))
    return NeuralModel(network, Encoder.fit(case.schema, case.train.rows), name)


def test_a_model_of_dlx_is_fixed_by_its_provenance_and_keeps_its_options(table):
    made = training.train(table, "decision_tree", seed=3, config={"max_depth": 2}).model
    fixed = fix(table, made, drop=["sex"])
    assert fixed.before is made and fixed.made_by == made.provenance
    assert fixed.settings["max_depth"] == 2 and (fixed.model.trees.feature < 0).sum() <= 4
    renamed = dataclasses.replace(made, name="the bank's")
    assert fix(table, renamed, drop=["sex"]).before is renamed
    again = fixed.over_seeds(2)
    assert sorted(set(again["seed"])) == [3, 4]


def test_a_model_of_ones_own_is_never_taken_for_one_of_dlx(table):
    net, boosted = own_net(table), training.train(table, "gradient_boosting").model
    wrapped = BlackBox(lambda t: t["age"] / 100, table.schema, "gradient_boosting", scales=("probability", "logit"))
    elsewhere = dataclasses.replace(boosted, provenance=dataclasses.replace(boosted.provenance, data_sha256="0" * 64))
    for model in (net, wrapped, elsewhere, dataclasses.replace(boosted, provenance=None)):
        with pytest.raises(RemedyError, match="needs one that dlx trained on"):
            fix(table, model, drop=["sex"])
        assert recipe_of(model, table) is None
    for architecture, model in (("gradient_boosting", wrapped), ("gradient_boosting", net), ("mlp", boosted)):
        with pytest.raises(RemedyError, match="needs one that dlx trained on"):
            fix(table, architecture, before=model, drop=["sex"])


def test_no_page_replaces_a_net_of_ones_own_by_one_of_dlx(tmp_path, monkeypatch):
    case = worlds.table("mixed", 300)
    case = dataclasses.replace(case, card=Card(remedy={"drop": [case.schema.names[0]]}))
    monkeypatch.setattr(training, "fit", lambda *_, **__: pytest.fail("a model was trained"))
    net = own_net(case)
    told, groups = (told_of(section, worlds.context(case, net, background=10)) for section in ("errors", "fairness"))
    assert "None of these models was trained by dlx" in words_of(told.page)
    assert "mlp: not trained by dlx on this table" in words_of(groups.evidence) or "fairness_remedies" not in groups.tables
    assert reporting._siblings(case, [net], lambda *_: pytest.fail("a sibling was trained")) == {}
