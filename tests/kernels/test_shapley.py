"""The games: exact values against brute force, and sampled ones against exact values and their own standard errors."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
import worlds
from columns import net, wide

from dlx.explainers import MethodError
from dlx.kernels.shapley import Game, designs, exact_values, sampled_values, shapley_of_table, tolerated_values
from dlx.kernels.shapley.exact import all_coalitions
from dlx.model import BlackBox
from dlx.runner import explain
from dlx.schema import Feature, Schema


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
    exact, sampled = exact_values(game), sampled_values(game, pairs=9, seed=0)
    monkeypatch.setattr("dlx.kernels.shapley.games.BLOCK_BYTES", 1_000)
    np.testing.assert_allclose(exact_values(game), exact, rtol=0, atol=1e-12)
    np.testing.assert_allclose(sampled_values(game, pairs=9, seed=0).values, sampled.values, rtol=0, atol=1e-12)


def test_a_game_given_whole():
    gloves = np.array([[0, 0, 0, 0, 0, 1, 1, 1.0]])  # a left glove (player 2) and two right ones
    gloves[0, all_coalitions(3).tolist().index([True, True, False])] = 0
    np.testing.assert_allclose(shapley_of_table(gloves), [[1 / 6, 1 / 6, 4 / 6]], rtol=0, atol=1e-15)
    np.testing.assert_allclose(shapley_of_table(np.array([[1.0, 5.0]])), [[4.0]])


@pytest.mark.parametrize("pairs", [1, 10, 25, 600])
def test_sampled_values_add_up_whatever_the_budget(pairs):
    model, people, background = wide(20)
    game = Game(model, people, background, "logit")
    found = sampled_values(game, pairs=pairs, seed=0)
    np.testing.assert_allclose(found.values.sum(axis=1), game.outputs() - game.references().mean(), atol=1e-10)
    assert found.evaluations == 4 * 8 * 2 * pairs and not found.enumerated.any()


def test_coalitions_of_many_players_are_chosen_as_those_of_few():
    players, count = 70, 200  # so that some are let go of
    candidates = designs._candidates(players, 260, np.random.default_rng(0))
    known = np.concatenate([np.ones((1, players), dtype=bool), candidates])
    covariance = designs.covariance_of_games(known, known) + designs.REST * np.eye(len(known))
    with_values, left = designs.covariance_of_values(known), []
    for choose in (designs._chosen, designs._chosen_of_many):
        some = choose(covariance, with_values, count + 1)
        assert len(set(some)) == count + 1 and some[0] == 0
        inverse, chosen = np.linalg.inv(covariance[np.ix_(some, some)]), with_values[:, some]
        left.append(designs.variance_of_value(players) - (chosen @ inverse * chosen).sum(axis=1))
    assert np.mean(left[1]) == pytest.approx(np.mean(left[0]), rel=0.01)


def test_games_of_hundreds_of_columns_share_designs_and_come_near_a_closed_form():
    rng = np.random.default_rng(0)
    rows, background, weights = rng.normal(size=(2, 352)), rng.normal(size=(3, 352)), rng.normal(size=352)
    rows[0, :25] = background[1, :25]  # 327 columns differ there
    model = BlackBox(
        lambda table: table.to_numpy() @ weights + table.to_numpy()[:, -3:].prod(axis=1),
        Schema(tuple(Feature(f"x{i}") for i in range(352)), worlds.TARGET),
        "product",
    )
    expected = np.mean(rows[:, None] - background, axis=1) * weights
    three = Game(
        BlackBox(lambda t: t.to_numpy().prod(axis=1), Schema(model.schema.features[-3:], worlds.TARGET), "three"),
        rows[:, -3:],
        background[:, -3:],
        "logit",
    )
    expected[:, -3:] += exact_values(three)
    designs._designed.cache_clear()
    found = sampled_values(Game(model, rows, background, "logit"), seed=0)
    assert designs._designed.cache_info().misses == 1  # of 384 players
    np.testing.assert_allclose(found.values.sum(axis=1), expected.sum(axis=1), atol=1e-8)
    off = np.linalg.norm(found.values - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert off.max() < 0.1


def test_a_game_without_interactions_is_known_from_few_coalitions():
    schema = Schema(tuple(Feature(f"x{i}") for i in range(20)), worlds.TARGET)
    model = BlackBox(lambda table: np.abs(table.to_numpy()) @ np.arange(20.0), schema, scales=("logit", "probability"))
    rows = np.random.default_rng(0).normal(size=(9, 20))
    found = sampled_values(Game(model, rows[:3], rows[3:], "logit"), pairs=30, seed=0)
    expected = (np.abs(rows[:3]) - np.abs(rows[3:]).mean(axis=0)) * np.arange(20)
    np.testing.assert_allclose(found.values, expected, atol=1e-4)
    assert found.standard_errors.max() < 1e-4


@pytest.mark.parametrize(
    ("case", "pairs"), [(wide(8), 10), (net(10), 30), (net(10), 100), (net(9, gain=3.0), 40), (net(12), 20)]
)
def test_standard_errors_are_honest(case, pairs):
    game = Game(*case, "logit")
    exact, covered = exact_values(game), []
    for seed in range(20):
        values, errors, *_ = sampled_values(game, pairs=pairs, seed=seed)
        covered.append((np.abs(values - exact) <= 2 * errors + 1e-9).mean())
    assert 0.9 <= np.mean(covered) <= 0.99


def test_more_coalitions_mean_smaller_errors():
    game = Game(*net(10), "logit")
    exact = exact_values(game)
    few, many = (
        np.mean([np.square(sampled_values(game, pairs=pairs, seed=seed).values - exact).mean() for seed in range(5)])
        for pairs in (25, 200)
    )
    assert few / many > 16  # 8 times the coalitions: the error falls about as fast as they grow, not with their root


def test_order_of_columns_and_of_rows_is_of_no_account():
    model, people, background = wide(9)
    game = Game(model, people, background, "logit")
    once = sampled_values(game, pairs=30, seed=3)
    some = sampled_values(Game(model, people[[2, 0]], background, "logit"), pairs=30, seed=3)
    np.testing.assert_allclose(some.values, once.values[[2, 0]], atol=1e-12)
    np.testing.assert_allclose(some.standard_errors, once.standard_errors[[2, 0]], atol=1e-12)


def test_a_game_with_few_coalitions_is_enumerated():
    model, people, background = wide(9)
    people[1:], background[1:] = people[0], background[0]
    people[1, :4] = background[0, :4]  # five columns differ: 15 pairs
    game = Game(model, people, background, "logit")
    found, exact = sampled_values(game, pairs=15, seed=0), exact_values(game)
    assert found.enumerated.tolist() == [False, True, False, False]
    np.testing.assert_allclose(found.values[1], exact[1], atol=1e-12)
    assert (found.standard_errors[1] == 0).all() and found.standard_errors[0].max() > 0
    assert found.evaluations == 8 * (3 * 2 * 15 + 30)


@pytest.mark.parametrize("tolerance", [0.1, 0.01, 1e-9])
def test_a_tolerance_is_kept(tolerance):
    game = Game(*net(14), "logit")
    found, exact = tolerated_values(game, tolerance=tolerance, seed=0), exact_values(game)
    length = np.linalg.norm(exact, axis=1)
    assert (np.linalg.norm(found.standard_errors, axis=1) <= tolerance * length * 1.1).all()
    assert (np.linalg.norm(found.values - exact, axis=1) <= 3 * tolerance * length + 1e-6).all()
    assert found.enumerated.all() == (tolerance < 1e-3)
    alone = tolerated_values(Game(game.model, game.rows[3:4], game.background, "logit"), tolerance=tolerance, seed=0)
    np.testing.assert_allclose(alone.values, found.values[3:4], atol=1e-6)


def test_a_tolerance_that_is_not_reached_ends():
    rough = BlackBox(lambda t: np.sign(t.to_numpy()).prod(axis=1), wide(20)[0].schema, scales=("logit", "probability"))
    game = Game(rough, *(rows[:1] for rows in wide(20)[1:]), "logit")
    found = tolerated_values(game, tolerance=1e-6, seed=0)
    assert np.isfinite(found.values).all() and not found.enumerated.any()


def test_too_many_columns_are_refused_before_any_work():
    model, people, background = wide(21)
    with pytest.raises(MethodError, match=r"differ, 20 at most, got 21; use shapley, which tries some of them"):
        explain(model, people, method="exact_shapley", background=background, scale="logit")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"budget": 111},
            r"budget must be at least 112, 2 \(columns \+ 1\) = 14 for each of 8 reference rows, got 111; raise it",
        ),
        ({"tolerance": 0}, "tolerance must be a share of the contributions between 0 and 1, got 0"),
        ({"tolerance": 1.0}, "tolerance must be a share of the contributions between 0 and 1, got 1.0"),
        ({"tolerance": 0.1, "budget": 999}, "pass a budget or a tolerance, not both; got budget=999 and tolerance=0.1"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    model, people, background = wide(6)
    with pytest.raises(MethodError, match=message):
        explain(model, people, method="shapley", background=background, scale="logit", **options)


def test_shapley_says_what_it_did():
    model, people, background = wide(10)
    asked = {"method": "shapley", "background": background, "scale": "logit"}
    sampled = explain(model, people, budget=8 * 30, **asked)
    assert not sampled.extras["enumerated"].any() and sampled.evaluations == 4 * 8 * 30 and sampled.standard_errors.min() > 0
    exact = explain(model, people, budget=8 * 1022, **asked)
    assert exact.extras["enumerated"].all() and exact.evaluations == 4 * 8 * 1022 and exact.standard_errors.max() == 0
    people[0, :8] = background[:, :8] = 1.0
    both = explain(model, people, budget=8 * 30, batch_size=1, **asked)
    assert both.extras["enumerated"].tolist() == [1, 0, 0, 0]


def test_constant_columns_get_nothing_and_duplicates_are_of_no_account():
    model, people, background = wide(12)
    people[:, 5] = background[:, 5] = 2.0
    asked = {"method": "shapley", "scale": "logit", "budget": 2 * 8 * 40}
    once = explain(model, people, background=background, **asked)
    assert (once.values[:, 5] == 0).all() and (once.standard_errors[:, 5] == 0).all()
    twice = explain(model, people[[0, 0, 1]], background=background, **asked)
    np.testing.assert_allclose(twice.values, once.values[[0, 0, 1]], atol=1e-12)
    doubled = explain(model, people, background=np.repeat(background, 2, axis=0), **asked)
    assert np.isfinite(doubled.values).all()


def test_one_column_gets_the_whole_difference():
    schema = Schema((Feature("x"),), worlds.TARGET)
    model = BlackBox(lambda table: table["x"] ** 2, schema, scales=("logit", "probability"))
    for method in ("exact_shapley", "shapley"):
        found = explain(model, np.array([[3.0]]), method=method, background=np.array([[0.0], [2.0]]), scale="logit")
        assert found.values.tolist() == [[7.0]] and found.standard_errors.tolist() == [[0.0]]
