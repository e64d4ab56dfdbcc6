"""Errors, slices, pushes and the loss explained, against closed forms, brute force and planted truths."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pandas as pd
import pytest
import worlds
from scipy.special import expit
from scipy.stats import binom

import dlx
from dlx.audit.metrics import METRICS
from dlx.audit.mispredictions import (
    Decisions,
    Node,
    Slice,
    confident_errors,
    decisions_of,
    error_tree,
    explained_losses,
    loss_by_slice,
    overconfidence,
    pushes,
    slices,
)
from dlx.audit.mispredictions.errors import loss_model
from dlx.audit.mispredictions.slicing import Condition, candidates, chances
from dlx.dataset import Dataset, from_frame
from dlx.errors import DlxError
from dlx.model import BlackBox, NeuralModel
from dlx.schema import Feature, Schema, Target, infer_schema

SMALL = Schema(
    (
        Feature("age", label="Age", unit="years"),
        Feature("city", "categorical", label="City", levels=("a", "b", "c", "d")),
        Feature("grade", "categorical", label="Grade", levels=("low", "mid", "high"), ordered=True),
        Feature("income", label="Income", missing=True, missing_label="not told"),
    ),
    worlds.TARGET,
)


def people(seed: int, size: int = 400) -> Dataset:
    """Return people whose outcome depends on age and grade, by a known probability."""
    rng = np.random.default_rng(seed)
    rows = np.column_stack(
        [rng.integers(18, 80, size), rng.integers(4, size=size), rng.integers(3, size=size), rng.normal(size=size)]
    ).astype(float)
    rows[rng.random(size) < 0.2, 3] = np.nan
    return Dataset(SMALL, rows, (rng.random(size) < truth(rows)).astype(float))


def truth(rows: np.ndarray) -> np.ndarray:
    """Return the probability by which outcomes were drawn."""
    return expit((rows[:, 0] - 50) / 15 + rows[:, 2] - 1)


def by_truth(rows: Dataset, *, off: np.ndarray | None = None) -> Decisions:
    """Return the decisions of the true model, or of one that is off in some rows."""
    predicted = truth(rows.rows)
    return Decisions("model", rows, rows.outcomes, predicted if off is None else np.where(off, 1 - predicted, predicted))


def planted(rows: Dataset) -> np.ndarray:
    """Return who is in the planted slice: two cities, above 50."""
    return np.isin(rows.rows[:, 1], (1, 3)) & (rows.rows[:, 0] > 50)


def test_decisions_and_losses_are_what_they_say():
    rows = people(0, 4)
    judged = Decisions("m", rows, np.array([0, 0, 1, 1]), np.array([0.9, 0.1, 0.2, 0.5]))
    assert judged.wrong.tolist() == [True, False, True, False]
    assert judged.errors("false_positive").tolist() == [True, False, False, False]
    assert judged.errors("false_negative").tolist() == [False, False, True, False]
    assert judged.hits("false_positive").tolist() == [False, True, False, False]
    assert judged.hits("false_negative").tolist() == [False, False, False, True]
    np.testing.assert_allclose(judged.losses, -np.log([0.1, 0.9, 0.2, 0.5]))
    np.testing.assert_allclose(judged.measures["expected_loss"][3], math.log(2))
    assert judged.losses.mean() == pytest.approx(METRICS["log_loss"](judged.outcomes, judged.predicted))


def test_the_surest_errors_come_first_and_say_what_pushed_them():
    case, model = worlds.table("mixed"), worlds.model("boosted", "mixed")
    judged = decisions_of(model, case)
    explained = dlx.explain(model, case, method="tree_shap", background=case.rows[:9], scale="logit")
    worst = confident_errors(judged, most=4, explanation=explained)
    order = [row for row in np.argsort(-judged.losses) if judged.wrong[row]][:4]
    assert worst["person"].tolist() == case.index[order].tolist()
    assert worst["risk"].tolist() == judged.predicted[order].tolist()
    first, sign = order[0], 1 if judged.flagged[order[0]] else -1
    strongest = case.schema.features[int(np.argmax(sign * explained.values[first]))]
    value = case.rows[first, case.schema.position(strongest.name)]
    assert worst["pushed_by"][0].split("; ")[0] == f"{strongest.label}: {strongest.format(value)}"
    with pytest.raises(DlxError, match="of the people who were judged"):
        confident_errors(judged, explanation=dataclasses.replace(explained, rows=explained.rows[::-1]))


def test_a_column_of_ones_own_that_is_named_as_one_of_the_errors_stands_there_once():
    frame = pd.DataFrame({"risk": [0.1, 0.2, 0.3], "y": [0, 1, 1]})
    case = from_frame(frame, infer_schema(frame, "y"), name="named")
    table = confident_errors(Decisions("wrong", case, case.outcomes, 1 - case.outcomes))
    assert table.columns.is_unique and table["risk"].tolist() == [1.0, 0.0, 0.0]


def test_a_model_without_errors_has_no_confident_ones_and_no_pushes():
    case = worlds.table("numeric")
    perfect = Decisions("perfect", case, case.outcomes, np.where(case.outcomes == 1, 0.9, 0.1))
    assert len(confident_errors(perfect)) == 0
    explained = dlx.explain(
        worlds.model("linear", "numeric"), case, method="linear_shap", background=case.rows[:9], scale="logit"
    )
    assert len(pushes(perfect, explained)) == 0


def test_overconfidence_is_binomial_where_all_probabilities_are_alike():
    rows = people(1, 300)
    outcomes = (np.arange(300) < 25).astype(float)
    line = overconfidence(Decisions("m", rows, outcomes, np.full(300, 0.04))).iloc[0]
    assert (line["observed"], line["expected"]) == (25, pytest.approx(12))
    assert (line["low"], line["high"]) == tuple(binom.ppf((0.025, 0.975), 300, 0.04))
    assert line["p"] == pytest.approx(binom.sf(24, 300, 0.04), abs=2e-3)


def test_conditions_speak_the_words_of_the_schema_and_hold_where_they_say():
    age, city, _, income = SMALL.features
    rows = np.array([[30, 0, 0, np.nan], [31, 1, 0, 1.0], [60, 3, 0, -1.0]])
    told = {
        "Age over 30 years and up to 59 years": (Condition(age, 0, 30, 59), [False, True, False]),
        "City: a or b": (Condition(city, 1, levels=(0, 1)), [True, True, False]),
        "City: any but d": (Condition(city, 1, levels=(0, 1, 2)), [True, True, False]),
        "Income up to 0 or not told": (Condition(income, 3, high=0, missing=True), [True, False, True]),
        "Income not told": (Condition(income, 3, np.inf, np.inf, missing=True), [True, False, False]),
        "Income known": (Condition(income, 3), [False, True, True]),
    }
    for words, (condition, held) in told.items():
        assert condition.words == words
        assert condition.holds(rows).tolist() == held


def test_leaves_part_the_rows_of_each_tree_and_find_the_best_grouping_of_levels():
    rows = people(2)
    measure = planted(rows) + np.random.default_rng(0).normal(scale=0.1, size=len(rows))
    found = list(candidates(SMALL, rows.rows, measure, least=20))
    assert len(set(found)) == len(found)
    sizes = [Slice(leaf).holds(rows.rows).sum() for leaf in found]
    assert min(sizes) >= 20
    best = max(found, key=lambda leaf: measure[Slice(leaf).holds(rows.rows)].mean())
    np.testing.assert_array_equal(Slice(best).holds(rows.rows), planted(rows))
    assert Slice(best).words == "Age over 50 years; City: b or d"


def test_a_missing_value_can_be_a_slice():
    rows = people(3)
    missing = np.isnan(rows.rows[:, 3])
    found = [Slice(leaf) for leaf in candidates(SMALL, rows.rows, missing.astype(float), least=20)]
    assert any(one.words == "Income not told" and (one.holds(rows.rows) == missing).all() for one in found)


@pytest.mark.parametrize("of", ["loss", "risk"])
def test_a_planted_slice_is_found(of):
    discovery, test = people(4), people(5)
    searched = slices(by_truth(discovery, off=planted(discovery)), by_truth(test, off=planted(test)), of=of)
    first = searched.table.iloc[0]
    assert first["adjusted"] < 0.01
    found, real = searched.slices[0].holds(test.rows), planted(test)
    assert (found & real).sum() / (found | real).sum() > 0.8
    assert set(first["columns"].split(", ")) <= {"age", "city"}
    judged = by_truth(test, off=real)
    assert first["rows"] == found.sum()
    assert first["error_rate"] == judged.wrong[found].mean()
    assert first["error_rate_elsewhere"] == judged.wrong[~found].mean()
    expected = judged.residuals[found].mean() if of == "risk" else judged.losses[found].mean() - judged.losses[~found].mean()
    assert first["difference"] == pytest.approx(expected)
    assert first["low"] < first["difference"] < first["high"]


def test_without_a_slice_something_is_found_at_about_the_nominal_rate():
    """One search in twenty may find something; of 60, more than 8 have a probability below half a percent."""
    found = sum(len(slices(by_truth(people(i, 200)), by_truth(people(1000 + i, 200)), of="risk").found) > 0 for i in range(60))
    assert found <= 8


def test_losses_that_depend_on_no_column_are_higher_nowhere():
    """Outcomes of a fair coin, probabilities of no column: only chance parts the losses."""

    def by_chance(seed: int) -> Decisions:
        rows, rng = people(seed, 200), np.random.default_rng(seed)
        return Decisions("chance", rows, (rng.random(200) < 0.5).astype(float), rng.uniform(0.2, 0.8, 200))

    found = sum(len(slices(by_chance(i), by_chance(1000 + i), of="loss").found) > 0 for i in range(60))
    assert found <= 8


def test_chances_are_those_of_all_permutations_and_of_the_binomial():
    rows = people(6, 8)
    judged = Decisions("m", rows, np.array([1, 0, 1, 0, 0, 1, 1, 0]), np.full(8, 0.3))
    mask = np.array([True, True, True, False, False, False, False, False])
    losses = judged.losses
    every = [losses[list(some)].sum() for some in itertools.combinations(range(8), 3)]
    exact = np.mean(np.array(every) >= losses[mask].sum() - 1e-9)
    assert chances(judged, mask[None], "loss", 0)[0] == pytest.approx(exact, abs=0.02)
    off = abs(np.arange(4) - 3 * 0.3) >= abs(2 - 3 * 0.3) - 1e-9
    assert chances(judged, mask[None], "risk", 0)[0] == pytest.approx(binom.pmf(np.arange(4), 3, 0.3)[off].sum(), abs=0.02)


@pytest.mark.parametrize(
    ("discovery", "test", "of", "message"),
    [
        (by_truth(people(7)), by_truth(people(8)), "gain", "slices are of 'loss' or 'risk', got 'gain'"),
        (by_truth(people(7)), by_truth(people(7)), "loss", "of one model on different rows"),
        (by_truth(people(7)), dataclasses.replace(by_truth(people(8)), model="b"), "loss", "of one model on different rows"),
        (by_truth(people(7, 30)), by_truth(people(8)), "loss", "40 rows to be found and as many to be tested, got 30"),
    ],
)
def test_a_search_that_cannot_be_is_refused(discovery, test, of, message):
    with pytest.raises(DlxError, match=message):
        slices(discovery, test, of=of)


def test_one_class_no_outcomes_and_no_binary_target_are_refused():
    case, model = worlds.table("numeric"), worlds.model("linear", "numeric")
    with pytest.raises(DlxError, match="needs outcomes of both classes, got 0 positive of"):
        decisions_of(model, case[case.outcomes == 0])
    with pytest.raises(DlxError, match="needs outcomes of both classes, got none"):
        decisions_of(model, dataclasses.replace(case, outcomes=None))
    regression = dataclasses.replace(case.schema, target=Target("cost", kind="regression"))
    with pytest.raises(DlxError, match="needs a binary outcome"):
        decisions_of(model, dataclasses.replace(case, schema=regression))


def test_pushes_are_mean_differences_that_add_up_to_that_of_the_outputs():
    case, model = worlds.table("mixed"), worlds.model("linear", "mixed")
    judged = decisions_of(model, case)
    explained = dlx.explain(model, case, method="linear_shap", background=case.rows[:9], scale="logit")
    table = pushes(judged, explained)
    for kind, sign in (("false_positive", 1), ("false_negative", -1)):
        wrong, right = judged.errors(kind), judged.hits(kind)
        some = table[table["kind"] == kind].set_index("column")
        expected = explained.values[wrong].mean(axis=0) - explained.values[right].mean(axis=0)
        np.testing.assert_allclose(some.loc[list(case.schema.names), "difference"], expected)
        np.testing.assert_allclose(some["push"], sign * some["difference"])
        gap = explained.outputs[wrong].mean() - explained.outputs[right].mean()
        assert some["difference"].sum() == pytest.approx(gap)
        assert (some["low"] <= some["push"]).all()
        assert (some["push"] <= some["high"]).all()
        assert some["push"].is_monotonic_decreasing


def test_a_model_that_denies_nobody_has_no_pushes_to_false_positives():
    case, model = worlds.table("numeric"), worlds.model("linear", "numeric")
    explained = dlx.explain(model, case, method="linear_shap", background=case.rows[:9], scale="logit")
    nobody = Decisions("nobody", case, case.outcomes, np.full(len(case), 0.01))
    assert len(pushes(nobody, explained)) == 0


def brute_force(loss, row: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return Shapley values [columns] of a loss by all orders of the columns."""
    count = len(row)
    values = np.zeros(count)
    for order in itertools.permutations(range(count)):
        mixed = background.copy()
        before = loss(mixed).mean()
        for column in order:
            mixed[:, column] = row[column]
            after = loss(mixed).mean()
            values[column] += (after - before) / math.factorial(count)
            before = after
    return values


@pytest.mark.parametrize("kind", ["net", "boosted", "forest", "function"])
def test_the_loss_explained_is_the_brute_force_shapley_value_and_adds_up(kind):
    case, model = worlds.table("mixed"), worlds.model(kind, "mixed")
    judged, background = decisions_of(model, case[20:32]), case.rows[:5]
    explained = explained_losses(model, judged, background)
    np.testing.assert_allclose(explained.outputs, judged.losses, atol=1e-5)
    for i in (0, 7):
        outcome = judged.outcomes[i]

        def loss(rows, outcome=outcome):
            predicted = model.predict(rows, "probability")
            return -np.log(predicted if outcome == 1 else 1 - predicted)

        np.testing.assert_allclose(explained.values[i], brute_force(loss, judged.people.rows[i], background), atol=2e-5)
        assert explained.base_values[i] == pytest.approx(loss(background).mean(), abs=1e-5)
    np.testing.assert_allclose(explained.values.sum(axis=1), judged.losses - explained.base_values, atol=1e-5)


def test_the_loss_of_a_net_stays_a_net_and_a_probability_of_one_costs_a_finite_loss():
    case = worlds.table("numeric")
    assert isinstance(loss_model(worlds.model("net", "numeric"), 1), NeuralModel)
    sure = BlackBox(lambda table: np.ones(len(table)), case.schema, "sure", scales=("probability", "logit"))
    np.testing.assert_allclose(loss_model(sure, 0).predict(case[:2], "value"), -math.log(1e-15), rtol=0.01)


def test_losses_by_slice_are_means_and_a_part_without_people_has_no_line():
    case, model = worlds.table("mixed"), worlds.model("boosted", "mixed")
    judged = decisions_of(model, case[:40])
    explained = explained_losses(model, judged, case.rows[40:45])
    half = np.arange(40) < 20
    table = loss_by_slice(explained, {"half": half, "nobody": np.zeros(40, bool)}).set_index("column")
    assert set(table["slice"]) == {"half"}
    np.testing.assert_allclose(table.loc[list(case.schema.names), "mean"], explained.values[half].mean(axis=0))
    total = table.loc["(mean loss)", "mean"] - table.loc["(mean loss of the background)", "mean"]
    assert table.loc["(all columns)", "mean"] == pytest.approx(total)
    assert table.loc["(mean loss)", "mean"] == pytest.approx(judged.losses[half].mean())


def test_the_error_tree_parts_the_rows_it_was_grown_on_and_finds_what_was_planted():
    case = people(5, size=600)
    predicted = np.where((case.rows[:, 0] > 60) & (case.rows[:, 1] == 2), 1 - case.outcomes, case.outcomes).astype(float)
    nodes = error_tree(Decisions("planted", case, case.outcomes, predicted))
    inside = members_of(nodes, case.rows)
    below = [[i for i, node in enumerate(nodes) if node.above == place] for place in range(len(nodes))]
    for place, halves in enumerate(below):
        if halves:
            assert len(halves) == 2 and (inside[halves].sum(axis=0) == inside[place]).all()
    wrong = np.array([(predicted != case.outcomes)[mask].mean() for mask in inside])
    worst = int(wrong.argmax())
    assert wrong[worst] == 1 and inside[worst].sum() == (predicted != case.outcomes).sum()
    assert {nodes[worst].split.feature.name, nodes[nodes[worst].above].split.feature.name} == {"age", "city"}
    assert len(error_tree(Decisions("right", case, case.outcomes, case.outcomes))) == 1  # nothing is wrong: nothing parts


def members_of(nodes: list[Node], rows: np.ndarray) -> np.ndarray:
    """Return which rows are in which nodes, bool [nodes, rows]."""
    found = np.ones((len(nodes), len(rows)), bool)
    for place, node in enumerate(nodes[1:], start=1):
        found[place] = found[node.above] & node.split.holds(rows)
    return found
