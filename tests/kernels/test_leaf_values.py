"""Shapley values of trees, leaf by leaf, against brute force over all coalitions in float64."""

from __future__ import annotations

import dataclasses

import numpy as np
import oracles
import pytest
import worlds
from forests import random_rows, random_trees, trees_and_rows
from hypothesis import given

from dlx.explainers import _shap, tree_shap
from dlx.kernels.shapley import Game
from dlx.kernels.trees import (
    _loops,
    _plan,
    _sets,
    coalition_worth,
    coalitions,
    leaf_values,
    leaves,
    mixed_trees,
    mixing,
    patterns,
)
from dlx.model import Transformed, TreeModel
from dlx.runner import explain
from dlx.schema import Feature, Schema
from dlx.trees import Reading, concatenate

WAYS = {"tables": 2**62, "small tables": 8 * 2**11, "pairs": 0}


@pytest.fixture(autouse=True)
def compiled(monkeypatch):
    """The compiled loops, where nothing else is said; what they did not sum up to yet would be numpy's."""
    monkeypatch.setattr(leaves, "_is_compiled", lambda: True)


def holed(seed, size, width=5):
    """Rows that often share values with thresholds and with each other, and of which a fifth is missing."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(-2, 3, size=(size, width)) / 2 + rng.choice([0, 0.25], size=(size, width))
    return np.where(rng.random(rows.shape) < 0.2, np.nan, rows)


def model_of(trees, width=5):
    return TreeModel(trees, Schema(tuple(Feature(f"x{i}", missing=True) for i in range(width))), scales=("logit",))


def check(trees, rows, background, budget=leaves.BUDGET):
    expected = oracles.shapley(model_of(trees, rows.shape[1]), rows, background, "logit")
    values = leaf_values(trees, rows, background, budget=budget)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-10)
    if trees.path_columns.shape[1] <= patterns.MOST_COLUMNS:
        by_numpy = patterns.pattern_values(
            trees, trees.codes(rows), trees.codes(background), leaves.shares(patterns.MOST_COLUMNS)
        )
        np.testing.assert_allclose(by_numpy, values, rtol=0, atol=1e-12)
    for way in (_plan.PAIRS, _plan.SETS, _plan.TABLE):
        np.testing.assert_allclose(by_one_way(trees, rows, background, way), values, rtol=0, atol=1e-11)
    members = np.random.default_rng(0).random((20, rows.shape[1])) < 0.5
    worth = coalition_worth(trees, rows, background, members)
    if worth is not None:
        mixed = np.where(members[:, None, None], rows[:, None], background)
        mixed = trees.predict(mixed.reshape(-1, rows.shape[1])).reshape(mixed.shape[:3]).mean(axis=2).T
        np.testing.assert_allclose(worth, mixed, rtol=0, atol=1e-10 + 1e-14 * np.abs(mixed).max())
    check_pairs(model_of(trees, rows.shape[1]), "logit", rows, background, members)
    return values


def by_one_way(trees, rows, background, way):
    """Every leaf by pairs, or every tree by sets of references, or tables where they fit; whatever the plan would take."""
    nodes, weights = leaves._nodes(trees), leaves.shares(rows.shape[1])
    ours, theirs = (leaves._in_blocks(trees.codes(some), 1_024) for some in (rows, background))
    values = np.zeros(ours.shape)
    if way == _plan.SETS:
        _sets.add_by_sets(nodes, trees.roots.astype(np.int64), int(trees.depths.max()), ours, theirs, weights, values)
    else:
        how, chosen = np.full(len(nodes.feature), way, dtype=np.int8), np.flatnonzero(nodes.feature < 0)
        if way == _plan.TABLE:
            how, chosen, *_ = _plan.plan(nodes, 10**7, len(background), 2**26)
        _loops.add_values(nodes, chosen, how, ours, theirs, weights, values)
    return values.transpose(0, 2, 1).reshape(-1, rows.shape[1])[: len(rows)]


def check_pairs(model, scale, rows, background, members):
    """Coalitions of each person and reference, their columns in an order of their own, against mixed rows."""
    game, rng = Game(model, rows, background, scale), np.random.default_rng(1)
    people, references = np.divmod(np.arange(len(rows) * len(background)), len(background))
    players = rng.permuted(np.tile(np.arange(game.players), (len(people), 1)), axis=1)[:, : len(members.T)]
    assert (game.within if isinstance(model, Transformed) else game).trees is not None
    found, mixed = (ask(people, references, players, members) for ask in (game.pairs, game._mixed))
    np.testing.assert_allclose(found, mixed, rtol=1e-12, atol=1e-12)


# Brute force


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("seed", range(6))
def test_random_trees_that_ask_columns_again_with_missing_values(seed, way):
    values = check(random_trees(seed), holed(seed, 12), holed(seed + 1, 9), WAYS[way])
    assert np.abs(values).max() > 0.1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("sets", "levels"), [((0,), 6), ((1, 3), 40), ((0, 1, 2, 3, 4), 1000)])
def test_random_trees_that_split_columns_into_sets(sets, levels, way):
    trees = random_trees(2, depth=6, sets=sets, levels=levels)
    values = check(trees, random_rows(0, 10, sets=sets, levels=levels), random_rows(1, 8, sets=sets, levels=levels), WAYS[way])
    assert np.abs(values).max() > 0.1


@pytest.mark.parametrize("way", WAYS)
def test_rows_that_only_doubles_tell_apart(way):
    shape = {"thresholds": (0.1, 123456789.01, 1.7e9 + 0.5)}
    trees = random_trees(0, reading=Reading("float64"), **shape)
    check(trees, random_rows(0, 12, **shape), random_rows(1, 9, **shape), WAYS[way])


@given(trees_and_rows())
def test_any_trees_by_brute_force_and_by_shap(made):
    trees, rows = made
    values = check(trees, rows[:4], rows[4:9], leaves.BUDGET)
    by_shap, _ = _shap.shap_values(trees, rows[:4], rows[4:9])
    np.testing.assert_allclose(by_shap, values, rtol=0, atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
def test_a_target_of_a_milliard_costs_no_digits(way):
    trees = random_trees(1)
    moved = dataclasses.replace(trees, value=np.where(trees.feature < 0, trees.value + 2.0**30, 0.0))
    rows, background = holed(0, 8), holed(1, 6)
    kept = moved.value - 2.0**30  # what 2^30 leaves of each leaf
    expected = leaf_values(dataclasses.replace(trees, value=np.where(trees.feature < 0, kept, 0)), rows, background)
    np.testing.assert_allclose(leaf_values(moved, rows, background, budget=WAYS[way]), expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(_shap.shap_values(moved, rows, background)[0], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("make", [worlds.boosted, worlds.forest])
@pytest.mark.parametrize(("depth", "rounds"), [(1, 5), (4, 12), (8, 40), (14, 20)])
def test_grown_trees(make, depth, rounds, way, world):
    case, trees = worlds.table(world), make(world, depth=depth, rounds=rounds).trees
    check(trees, case.rows[40:50], case.rows[:20], WAYS[way])


@pytest.mark.parametrize("rows", [1, 30, 3000])
@pytest.mark.parametrize("references", [1, 7, 1100])
def test_every_way_that_the_plan_takes(rows, references):
    trees, some = random_trees(3, depth=9), holed(5, 4)
    background = np.tile(holed(6, min(references, 11)), (references // min(references, 11), 1))
    values = leaf_values(trees, np.tile(some, (rows, 1))[:rows], background)
    expected = oracles.shapley(model_of(trees), some, background[:11], "logit")[np.arange(rows) % 4]
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-10)


def test_numpy_sums_few_leaves_where_nothing_is_compiled(monkeypatch):
    trees, rows, background = random_trees(4), random_rows(0, 9), random_rows(1, 7)
    expected = leaf_values(trees, rows, background)
    monkeypatch.setattr(leaves, "_is_compiled", lambda: False)
    monkeypatch.setattr(leaves, "_of_chunk", None)
    np.testing.assert_allclose(leaf_values(trees, rows, background), expected, rtol=0, atol=1e-13)
    monkeypatch.setattr(leaves, "SMALL", 0)
    with pytest.raises(TypeError):
        leaf_values(trees, rows, background)


def test_ways_that_are_taken_depend_on_the_rows():
    nodes = leaves._nodes(random_trees(0, width=12, depth=9))
    taken = []
    for rows in (1, 100, 100_000):
        how, chosen, most, _ = _plan.plan(nodes, rows, 100, 2**26)
        taken.append(len(chosen))
        assert most == 9
        assert set(how[chosen]) == ({_plan.SETS} if rows == 1 else {_plan.TABLE} if rows > 100 else {1, 2})
    assert taken[0] == (nodes.parent < 0).sum() and taken[1] > taken[2]
    for rows in (1, 100, 100_000):
        how, chosen, *_ = _plan.plan(nodes, rows, 100, 0)
        assert _plan.TABLE not in how[chosen]


@pytest.mark.parametrize("way", WAYS)
def test_a_reference_row_and_duplicated_references(way):
    trees, background = random_trees(1), holed(2, 6)
    check(trees, background, background[:1], WAYS[way])
    once = check(trees, background, background, WAYS[way])
    np.testing.assert_allclose(leaf_values(trees, background, np.tile(background, (40, 1))), once, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(leaf_values(trees, background[2:3], background[2:3], budget=WAYS[way]), 0)


@pytest.mark.parametrize("way", WAYS)
def test_stumps_and_constants(way):
    stump = {
        "feature": [1, -1, -1], "threshold": [0.5, 0, 0], "left": [1, -1, -1], "right": [2, -1, -1],
        "missing_left": [True, False, False], "value": [0, -1, 3], "cover": [2, 1, 1],
    }  # fmt: skip
    stump = {name: np.array(array) for name, array in stump.items()}
    constant = {name: array[1:2] for name, array in stump.items()}
    rows = np.array([[0, 0.5], [0, 0.6], [0, np.nan]])
    found = leaf_values(
        concatenate([stump, constant, stump]), rows, np.array([[9, 0.0], [9, 9], [9, 9], [9, 9]]), budget=WAYS[way]
    )
    np.testing.assert_allclose(found, [[0, -6], [0, 2], [0, -6]], atol=1e-15)
    np.testing.assert_array_equal(leaf_values(concatenate([constant]), rows, rows, budget=WAYS[way]), 0)


def chain(width):
    """A tree of one long path through all columns, each of which ends it on the right."""
    inner = np.arange(width)
    left, right = np.full(2 * width + 1, -1), np.full(2 * width + 1, -1)
    left[2 * inner], right[2 * inner] = 2 * inner + 2, 2 * inner + 1
    feature, value = np.full(2 * width + 1, -1), np.zeros(2 * width + 1)
    feature[2 * inner], value[-1], value[2 * inner + 1] = inner, 1.0, 0.25
    shared = {"threshold": np.zeros(2 * width + 1), "missing_left": left > 0, "cover": np.ones(2 * width + 1)}
    return concatenate([{"feature": feature, "left": left, "right": right, "value": value, **shared}])


@pytest.mark.parametrize("way", WAYS)
def test_a_path_of_more_columns_than_any_table_or_word_has(way):
    width, trees = 150, chain(150)
    rows, reference = -np.ones((2, width)), -np.ones((1, width))
    rows[0, [40, 90, 149]], reference[0, [7, 120]] = 1, 1
    values = leaf_values(trees, rows, reference, budget=WAYS[way])
    outputs = trees.predict(rows) - trees.predict(reference)
    np.testing.assert_allclose(values.sum(axis=1), outputs, atol=1e-12)
    np.testing.assert_allclose(values[1, [7, 120]], 0.75 / 2, atol=1e-12)  # both are needed for the last leaf
    assert np.count_nonzero(values[1]) == 2 and np.count_nonzero(values[0]) <= 5
    some = [7, 40, 90, 120, 149]
    restricted = model_of(trees, width)

    def predict(reduced, scale):
        whole = np.tile(reference, (len(reduced), 1))
        whole[:, some] = reduced
        return restricted.predict(whole, scale)

    played = type("Played", (), {"predict": staticmethod(predict)})
    expected = oracles.shapley(played, rows[:, some], reference[:, some], "logit")
    np.testing.assert_allclose(values[:, some], expected, rtol=0, atol=1e-12)


def test_what_is_made_of_the_output_of_trees_reads_no_mixed_row_either():
    inner = dataclasses.replace(model_of(random_trees(3)), scales=("logit", "probability"))
    loss = Transformed(inner, "logit", lambda logits: np.logaddexp(0.0, logits), inner.schema, "loss")
    members = np.random.default_rng(0).random((20, 3)) < 0.5
    check_pairs(loss, "value", holed(1, 6), holed(2, 5), members)
    check_pairs(inner, "probability", holed(1, 6), holed(2, 5), members)


def test_rows_are_mixed_where_columns_or_leaves_are_too_many(monkeypatch):
    rows = np.zeros((3, 64))
    assert mixed_trees(chain(2), rows, rows) is None
    assert mixed_trees(chain(2), rows[:, :63], rows[:, :63]) is not None
    monkeypatch.setattr(mixing, "MOST_NUMBERS", 10)
    assert mixed_trees(chain(2), rows[:, :63], rows[:, :63]) is None


def test_coalitions_are_not_summed_over_paths_of_more_columns_than_a_table_has():
    worth = coalition_worth(chain(coalitions.MOST_COLUMNS + 1), *(np.zeros((2, 20)) for _ in range(2)), np.ones((1, 20), bool))
    assert worth is None


def test_shares_are_the_weights_of_the_unanimity_game():
    weights = leaves.shares(4)
    assert weights.shape == (5, 5) and (weights[0] == 0).all()
    np.testing.assert_allclose(weights[1], [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])
    np.testing.assert_allclose(weights[2:4, 1], [1 / 6, 1 / 12])
    assert leaves.shares(0).shape == (1, 1) and np.isfinite(leaves.shares(600)).all()


def test_ones_counts_bits():
    numbers = [0, 1, 2, 3, 2**16 - 1, 0b1011001, 2**32 - 1, 2**31]
    assert [_loops._ones(number) for number in numbers] == [number.bit_count() for number in numbers]


# What must not matter


@pytest.mark.parametrize("way", WAYS)
def test_order_and_chunks_of_rows_and_order_of_references_do_not_matter(way, monkeypatch):
    trees, rows, background = random_trees(4, count=9), holed(7, 50), holed(8, 13)
    whole = leaf_values(trees, rows, background, budget=WAYS[way])
    assert whole.tobytes() == leaf_values(trees, rows, background, budget=WAYS[way]).tobytes()
    order = np.random.default_rng(0).permutation(50)
    np.testing.assert_allclose(leaf_values(trees, rows[order], background[::-1]), whole[order], rtol=0, atol=1e-13)
    one_by_one = np.concatenate([leaf_values(trees, row[None], background) for row in rows])
    np.testing.assert_allclose(one_by_one, whole, rtol=0, atol=1e-13)
    monkeypatch.setattr(leaves, "CHUNK_NUMBERS", 8 * 5 * 3)  # three rows at a time
    np.testing.assert_allclose(leaf_values(trees, rows, background), whole, rtol=0, atol=1e-13)


def test_no_rows_and_given_arrays_are_left_alone():
    trees, rows = random_trees(0), holed(0, 5)
    assert leaf_values(trees, rows[:0], rows).shape == (0, 5)
    rows.flags.writeable = False
    assert leaf_values(trees, rows, rows).shape == (5, 5)


# As a method


def test_method_is_exact_and_shap_is_its_reference(world):
    model, rows, background = worlds.model("boosted", world), worlds.people(world), worlds.background(world)
    explained = explain(model, rows, method="tree_shap", background=background, scale="logit")
    expected = oracles.shapley(model, rows, background, "logit")
    np.testing.assert_allclose(explained.values, expected, rtol=0, atol=1e-10)
    np.testing.assert_array_equal(explained.base_values, model.predict(background, "logit").mean())
    assert np.abs(explained.residuals).max() < 1e-12
    by_shap = explain(model, rows, method="tree_shap", background=background, scale="logit", implementation="reference")
    np.testing.assert_allclose(by_shap.values, explained.values, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(by_shap.base_values, explained.base_values)


def path_dependent(trees, row):
    """Shapley values of one row, and the mean, where a column that is not known goes both ways, by the cover of each."""

    def expected(node, known):
        column, left, right = trees.feature[node], trees.left[node], trees.right[node]
        if column < 0:
            return trees.value[node]
        if column not in known:
            return np.average([expected(left, known), expected(right, known)], weights=trees.cover[[left, right]])
        return expected(left if trees.goes_left(codes, np.array([node]))[0, 0] else right, known)

    codes, width = trees.codes(row[None]), len(row)
    game = {known: sum(expected(int(root), known) for root in trees.roots) for known in oracles.coalitions(width)}
    return oracles.shapley_of_game(game, width), trees.base + game[frozenset()]


@pytest.mark.parametrize("sets", [(), (0,), (0, 2)])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_path_dependent_values_are_those_of_the_shares_of_training_rows(sets, precision):
    shape = {"sets": sets, "thresholds": (0.1, 1.7e9 + 0.5) if precision == "float64" else (-1, 0.5)}
    trees = random_trees(4, 3, 5, 3, levels=40, reading=Reading(precision), **shape)
    rows = random_rows(5, 6, 3, levels=40, **shape)
    made = tree_shap.reference(model_of(trees, 3), rows, rows, scale="logit", path_dependent=True)
    for row, values, base in zip(rows, made.values, made.base_values, strict=True):
        expected, mean = path_dependent(trees, row)
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-9)
        assert base == pytest.approx(mean, abs=1e-12)


def test_shap_is_given_trees_of_more_nodes_than_it_can_number():
    """A full tree of depth 15, of which shap's 16-bit numbers would point elsewhere."""
    size = 2**16 - 1
    inner, rng = np.arange(size // 2), np.random.default_rng(0)
    feature, left, right = (np.full(size, -1) for _ in range(3))
    feature[inner], left[inner], right[inner] = rng.integers(4, size=len(inner)), 2 * inner + 1, 2 * inner + 2
    shared = {"missing_left": np.zeros(size, dtype=bool), "cover": np.ones(size), "threshold": rng.normal(size=size)}
    value = np.where(feature < 0, rng.normal(size=size), 0)
    trees = concatenate([{"feature": feature, "left": left, "right": right, "value": value, **shared}])
    assert size > _shap.MOST_NODES
    rows, background = rng.normal(size=(2, 4)), rng.normal(size=(3, 4))
    values = check(trees, rows, background)
    np.testing.assert_allclose(_shap.shap_values(trees, rows, background)[0], values, rtol=0, atol=1e-5)
