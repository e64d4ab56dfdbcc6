"""The games: exact values against brute force, and sampled ones against exact values and their own standard errors."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
import worlds

from dlx.explainers import MethodError
from dlx.games import Game, exact_values, sampled_values, shapley_of_table
from dlx.games.exact import all_coalitions
from dlx.model import BlackBox
from dlx.runner import explain
from dlx.schema import Feature, Schema


def wide(width):
    """A function of many columns with interactions, and rows for it."""
    schema = Schema(tuple(Feature(f"x{i}") for i in range(width)), worlds.TARGET)
    rng = np.random.default_rng(width)
    weights = rng.normal(size=width)

    def score(table):
        x = table.to_numpy()
        return x @ weights + np.tanh(x[:, 0] * x[:, 1] - x[:, -1]) * x[:, 2] + np.abs(x[:, 3])

    rows = rng.normal(size=(12, width))
    return BlackBox(score, schema, "wide", scales=("logit", "probability")), rows[:4], rows[4:]


@pytest.mark.parametrize("kind", ["linear", "boosted", "forest", "function"])  # these compute in float64
@pytest.mark.parametrize("scale", ["logit", "probability"])
def test_exact_values_equal_brute_force_in_float64(kind, scale, world):
    model, people, background = worlds.model(kind, world), worlds.people(world), worlds.background(world)
    if kind == "forest" and scale == "logit":
        model = worlds.model("boosted", world)  # the forest of the worlds is certain of some rows
    found = exact_values(Game(model, people, background, scale))
    np.testing.assert_allclose(found, oracles.shapley(model, people, background, scale), rtol=0, atol=1e-8)


def test_exact_values_of_eight_columns_equal_brute_force():
    model, people, background = wide(8)
    found = exact_values(Game(model, people, background, "logit"))
    np.testing.assert_allclose(found, oracles.shapley(model, people, background, "logit"), rtol=0, atol=1e-8)


def test_a_small_memory_gives_the_same_numbers(monkeypatch):
    model, people, background = wide(6)
    game = Game(model, people, background, "logit")
    exact, sampled = exact_values(game), sampled_values(game, rounds=3, seed=0)
    monkeypatch.setattr("dlx.games.coalitions.BLOCK_BYTES", 1_000)
    np.testing.assert_allclose(exact_values(game), exact, rtol=0, atol=1e-12)
    np.testing.assert_allclose(sampled_values(game, rounds=3, seed=0).values, sampled.values, rtol=0, atol=1e-12)


def test_a_game_given_whole():
    gloves = np.array([[0, 0, 0, 0, 0, 1, 1, 1.0]])  # a left glove (player 2) and two right ones
    gloves[0, all_coalitions(3).tolist().index([True, True, False])] = 0
    np.testing.assert_allclose(shapley_of_table(gloves), [[1 / 6, 1 / 6, 4 / 6]], rtol=0, atol=1e-15)
    np.testing.assert_allclose(shapley_of_table(np.array([[1.0, 5.0]])), [[4.0]])


def test_sampled_values_add_up_whatever_the_rounds():
    model, people, background = wide(20)
    game = Game(model, people, background, "logit")
    found = sampled_values(game, rounds=2, seed=0)
    np.testing.assert_allclose(found.values.sum(axis=1), game.outputs() - game.references().mean(), atol=1e-10)
    assert found.evaluations == 2 * 2 * 4 * 8 * 19


def test_standard_errors_are_honest():
    model, people, background = wide(8)
    game = Game(model, people, background, "logit")
    exact = exact_values(game)
    covered = []
    for seed in range(20):
        values, errors, _ = sampled_values(game, rounds=16, seed=seed)
        covered.append((np.abs(values - exact) <= 2 * errors + 1e-9).mean())
    assert 0.9 <= np.mean(covered) <= 0.99


def test_errors_fall_with_the_root_of_the_rounds():
    model, people, background = wide(8)
    game = Game(model, people, background, "logit")
    exact = exact_values(game)
    few, many = (
        np.mean([np.square(sampled_values(game, rounds=rounds, seed=seed).values - exact).mean() for seed in range(10)])
        for rounds in (4, 64)
    )
    assert 8 < few / many < 32  # 16 times the rounds, a sixteenth of the variance


def test_too_many_columns_are_refused_before_any_work():
    model, people, background = wide(21)
    with pytest.raises(MethodError, match=r"differ, 20 at most, got 21; use shapley, which tries some of them"):
        explain(model, people, method="exact_shapley", background=background, scale="logit")


def test_one_round_has_no_standard_error():
    model, people, background = wide(6)
    with pytest.raises(MethodError, match="rounds must be at least 2, so that there is a standard error; got 1"):
        explain(model, people, method="shapley", background=background, scale="logit", rounds=1)


def test_one_column_gets_the_whole_difference():
    schema = Schema((Feature("x"),), worlds.TARGET)
    model = BlackBox(lambda table: table["x"] ** 2, schema, scales=("logit", "probability"))
    for method in ("exact_shapley", "shapley"):
        found = explain(model, np.array([[3.0]]), method=method, background=np.array([[0.0], [2.0]]), scale="logit")
        assert found.values.tolist() == [[7.0]] and found.standard_errors.tolist() == [[0.0]]
