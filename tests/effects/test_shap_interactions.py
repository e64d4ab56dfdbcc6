"""Interactions: the definition in plain Python, closed forms, Shapley values as their sums, honest standard errors."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from math import comb, factorial

import numpy as np
import oracles
import pytest
import worlds
from columns import net, wide

from dlx.effects.shap_interactions import Interactions, interactions
from dlx.errors import DlxError
from dlx.kernels.shapley import Game, exact_values, interaction_values, interactions_among, interactions_of_table
from dlx.model import BlackBox, ScaleError
from dlx.schema import Feature, Schema, Target


def by_definition(worth, players):
    """Return the interaction values [players, players] of one game, a function of frozensets (Lundberg et al. 2020)."""
    everybody, values = frozenset(range(players)), np.zeros((players, players))
    for i, j in combinations(range(players), 2):
        others, total = everybody - {i, j}, 0.0
        for some in (frozenset(some) for size in range(players - 1) for some in combinations(others, size)):
            weight = factorial(len(some)) * factorial(players - len(some) - 2) / factorial(players - 1)
            total += weight * (worth(some | {i, j}) - worth(some | {i}) - worth(some | {j}) + worth(some))
        values[i, j] = values[j, i] = total / 2
    for i in range(players):
        others, shapley = everybody - {i}, 0.0
        for some in (frozenset(some) for size in range(players) for some in combinations(others, size)):
            weight = factorial(len(some)) * factorial(players - len(some) - 1) / factorial(players)
            shapley += weight * (worth(some | {i}) - worth(some))
        values[i, i] = shapley - values[i].sum()
    return values


def found(score, rows, background, **options):
    """Return the interactions of a function of an array [rows, columns]."""
    rows, background = np.array(rows, dtype=float), np.array(background, dtype=float)
    schema = Schema(tuple(Feature(f"x{i}") for i in range(rows.shape[1])), Target("y", "regression"))
    model = BlackBox(lambda table: score(table.to_numpy()), schema, "score", scales=("value",))
    return interactions(model, rows, background=background, scale="value", **options)


@pytest.mark.parametrize("players", [1, 2, 3, 5])
def test_a_game_given_whole_equals_the_definition(players):
    table = 100 + np.random.default_rng(players).normal(size=(3, 2**players))
    values = interactions_of_table(table)
    for one, worth in zip(values, table, strict=True):
        expected = by_definition(lambda some, worth=worth: worth[sum(1 << i for i in some)], players)
        np.testing.assert_allclose(one, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["boosted", "function"])
def test_values_of_models_equal_the_definition(kind, world):
    model, people, background = worlds.model(kind, world), worlds.people(world), worlds.background(world)
    values = interactions(model, people, background=background, scale="logit").values
    for row, one in zip(people, values, strict=True):

        @cache
        def worth(some, row=row):
            mixed = background.copy()
            mixed[:, list(some)] = row[list(some)]
            return model.predict(mixed, "logit").mean()

        np.testing.assert_allclose(one, by_definition(worth, 5), rtol=0, atol=1e-10)


@pytest.mark.parametrize("kind", worlds.MODELS)
def test_rows_sum_to_shapley_values_and_all_to_the_output(kind, world):
    model, people, background = worlds.model(kind, world), worlds.people(world), worlds.background(world)
    scale = "probability" if kind == "forest" else "logit"
    said = interactions(model, people, background=background, scale=scale)
    np.testing.assert_array_equal(said.values, said.values.swapaxes(1, 2))
    np.testing.assert_allclose(said.values.sum(axis=(1, 2)), said.outputs - said.base_values, rtol=0, atol=1e-6)
    np.testing.assert_allclose(said.outputs, model.predict(people, scale), rtol=0, atol=1e-6)
    np.testing.assert_allclose(said.values[:, worlds.IDLE], 0, atol=1e-6)
    assert said.standard_errors is None
    exact = exact_values(Game(model, people, background, scale))
    np.testing.assert_allclose(said.values.sum(axis=2), exact, rtol=0, atol=1e-6)
    np.testing.assert_allclose(exact, oracles.shapley(model, people, background, scale), rtol=0, atol=1e-5)


def test_a_product_is_shared_between_its_columns():
    said = found(lambda x: x[:, 0] * x[:, 1] + 5 * x[:, 2], [[3, 4, 1]], [[1, 2, 0]])
    np.testing.assert_allclose(said.values[0], [[4, 2, 0], [2, 2, 0], [0, 0, 5]], atol=1e-12)  # (3 - 1) (4 - 2) in halves


def test_columns_that_add_up_do_not_interact():
    rng = np.random.default_rng(0)
    rows, background = rng.normal(size=(4, 6)), rng.normal(size=(7, 6))
    said = found(lambda x: np.sin(x).sum(axis=1) + 1e6, rows, background)
    alone = np.sin(rows) - np.sin(background).mean(axis=0)
    np.testing.assert_allclose(said.values, alone[:, :, None] * np.eye(6), rtol=0, atol=1e-8)


def test_exclusive_or_hides_behind_shapley_values_of_nothing():
    said = found(lambda x: (x[:, 0] != x[:, 1]) * 1.0, [[1, 1]], [[0, 0]])
    np.testing.assert_allclose(said.values, [[[1, -1], [-1, 1]]], atol=1e-12)
    np.testing.assert_allclose(said.values.sum(axis=2), 0, atol=1e-12)


def test_of_three_columns_at_once_every_pair_has_its_part():
    said = found(lambda x: x.prod(axis=1), [[1, 1, 1]], [[0, 0, 0]])
    np.testing.assert_allclose(said.values[0], np.where(np.eye(3), 1 / 3 - 2 / 4, 1 / 4), atol=1e-12)


def test_one_column_has_a_main_effect_only():
    said = found(lambda x: x[:, 0] ** 2, [[3], [0]], [[0], [2]])
    assert said.values.tolist() == [[[7]], [[-2]]] and said.standard_errors is None
    assert len(said.to_frame()) == 2


@pytest.mark.parametrize("case", [wide(8), net(8, gain=2.0), net(8)])
def test_sampled_values_agree_with_exact_ones_within_their_standard_errors(case):
    game = Game(*case, "logit")
    exact = interaction_values(game)
    assert exact.enumerated.all() and (exact.standard_errors == 0).all()
    for seed in range(3):
        sampled = interaction_values(game, pairs=50, seed=seed)
        assert not sampled.enumerated.any() and sampled.evaluations == game.rows.shape[0] * len(game.background) * 100
        assert (np.abs(sampled.values - exact.values) <= 4 * sampled.standard_errors + 1e-9).all()
        np.testing.assert_array_equal(sampled.values, sampled.values.swapaxes(1, 2))


@pytest.mark.parametrize(("case", "pairs"), [(net(10), 60), (net(9, gain=3.0), 60), (net(10), 150)])
def test_standard_errors_are_honest(case, pairs):
    model, people, background = case
    game = Game(model, people[:3], background, "logit")
    off = ~np.eye(game.players, dtype=bool)
    exact, errors, deviations = interaction_values(game).values[:, off], [], []
    for seed in range(6):
        some = interaction_values(game, pairs=pairs, seed=seed)
        errors.append(np.abs(some.values[:, off] - exact))
        deviations.append(some.standard_errors[:, off])
    covered = np.mean(np.array(errors) <= 2 * np.array(deviations))
    assert covered >= 0.9
    assert np.square(deviations).mean() <= 2**2 * np.square(errors).mean()  # rather too large, but not by far


def test_errors_that_reference_rows_share_do_not_average_out():
    model, people, _ = net(8)
    game = Game(model, people[:2], np.random.default_rng(5).normal(size=(80, 8)), "logit")
    exact = interaction_values(game).values
    covered = []
    for seed in range(3):
        some = interaction_values(game, pairs=50, seed=seed)
        covered.append((np.abs(some.values - exact) <= 2 * some.standard_errors).mean())
        np.testing.assert_allclose(some.values.sum(axis=(1, 2)), exact.sum(axis=(1, 2)), rtol=0, atol=1e-10)
    assert np.mean(covered) >= 0.9


def test_more_coalitions_mean_smaller_errors():
    game = Game(*net(10), "logit")
    exact = interaction_values(game).values
    few, some, many = (np.square(interaction_values(game, pairs=n, seed=0).values - exact).mean() for n in (60, 150, 400))
    assert few > 4 * some > 16 * many


def test_several_designs_are_averaged(monkeypatch):
    game = Game(*net(8), "logit")
    exact = interaction_values(game).values
    monkeypatch.setattr("dlx.kernels.shapley.interactions.LARGEST_DESIGN", 40)
    found = interaction_values(game, pairs=75, seed=0)
    assert (np.abs(found.values - exact) <= 4 * found.standard_errors + 1e-9).all()


def test_pairs_without_higher_orders_are_known_from_few_coalitions():
    rng = np.random.default_rng(0)
    weight = np.triu(rng.normal(size=(13, 13)))
    rows, background = rng.normal(size=(2, 13)), rng.normal(size=(3, 13))
    said = found(lambda x: np.einsum("ni,ij,nj->n", x, weight, x) + 1e3, rows, background)
    gap = rows[:, None] - background[None]  # [people, references, columns]
    expected = (gap[..., :, None] * gap[..., None, :]).mean(axis=1) * (np.triu(weight, 1) + np.triu(weight, 1).T) / 2
    off = ~np.eye(13, dtype=bool)
    assert said.standard_errors.any() and said.evaluations == 2 * 3 * 2 * (64 + 3 * comb(13, 2))
    np.testing.assert_allclose(said.values[:, off], expected[:, off], rtol=0, atol=1e-3)


def test_thirteen_columns_are_sampled_and_repeat_whoever_else_is_asked():
    model, people, background = wide(13)
    steps = []
    said = interactions(model, people, background=background[:3], scale="logit", progress=lambda *step: steps.append(step))
    assert said.standard_errors.any() and said.standard_errors.max() > 0 and steps == [(4, 4)]
    alone = interactions(model, people[[2]], background=background[:3], scale="logit")
    np.testing.assert_allclose(alone.values, said.values[[2]], rtol=0, atol=1e-12)
    np.testing.assert_allclose(alone.standard_errors, said.standard_errors[[2]], rtol=0, atol=1e-9)
    other = interactions(model, people, background=background[:3], scale="logit", seed=1)
    assert np.abs(other.values - said.values).max() > 1e-6
    people[0, :5] = background[:, :5] = 1.0
    both = interactions(model, people, background=background[:3], scale="logit")
    assert (both.standard_errors[0] == 0).all() and both.standard_errors[1].any()


def test_columns_that_are_alike_have_nothing():
    model, people, background = wide(6)
    people[:, 5] = background[:, 5] = 2.0
    said = interactions(model, people, background=background, scale="logit")
    assert (said.values[:, 5] == 0).all() and (said.values[:, :, 5] == 0).all()
    assert (interactions(model, background[:1], background=background[:1], scale="logit").values == 0).all()


def test_tables_say_what_the_values_say():
    case, model = worlds.table("mixed")[20:24], worlds.model("function", "mixed")
    said = interactions(model, case, background=worlds.background("mixed"), scale="logit")
    table = said.to_frame()
    assert len(table) == 4 * 15 and list(table["row"].unique()) == list(case.index) == list(said.index)
    sums = table.groupby("row", sort=False)["contribution"].sum()
    np.testing.assert_allclose(sums, said.outputs - said.base_values, atol=1e-12)
    one = table.query("row == 'id-21' and feature == 'income' and other_feature == 'housing'").iloc[0]
    assert one["value"] == said.values[1, 0, 1] == one["contribution"] / 2
    strongest = np.argsort(-np.triu(said.strength, 1), axis=None)[:2]
    assert [np.unravel_index(place, said.strength.shape) for place in strongest] == [(0, 1), (2, 3)]
    assert len(said) == 4 and said.model == "function" and said.scale == "logit"
    assert "standard_error" in found(lambda x: x.prod(axis=1), np.ones((1, 6)), np.zeros((1, 6)), budget=44).to_frame()


def test_what_was_computed_does_not_change():
    said = found(lambda x: x.prod(axis=1), np.ones((1, 6)), np.zeros((1, 6)), budget=44)
    for array in (said.values, said.base_values, said.outputs, said.index, said.standard_errors):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"rows": np.zeros((0, 6))}, DlxError, "rows must have at least 1 row, got 0 rows"),
        ({"background": np.zeros((0, 6))}, DlxError, "background must have at least 1 row, got 0 rows"),
        ({"scale": "value"}, ScaleError, "wide has no scale 'value'; it has 'logit', 'probability'"),
        ({"seed": -1}, DlxError, "a seed must be 0 to 4294967295, got -1"),
        (
            {"budget": 351},
            DlxError,
            r"budget must be at least 352, columns \(columns \+ 1\) \+ 2 = 44 for each of 8 reference rows, got 351; raise it",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(changes, error, message):
    model, people, background = wide(6)
    asked = {"rows": people, "background": background, "scale": "logit"} | changes
    with pytest.raises(error, match=message):
        interactions(model, asked.pop("rows"), **asked)


def test_outputs_that_are_not_finite_are_refused():
    model, people, background = net(5)
    model.network[0].weight.data[:, 0] = np.nan
    with pytest.raises(DlxError, match="finite"):
        interactions(model, people, background=background, scale="logit")


def test_a_result_whose_arrays_do_not_fit_is_refused():
    schema = Schema((Feature("a"), Feature("b")))
    with pytest.raises(DlxError, match=r"values must be \[1, 2, 2\], got \[1, 2, 3\]"):
        Interactions(np.zeros((1, 2, 3)), [0], [0], schema, "logit", "m", [0])


def test_values_equal_shapiq_s():
    import shapiq

    table = np.random.default_rng(11).normal(size=2**6)
    game = shapiq.ExactComputer(n_players=6, game=lambda c: table[(c @ (1 << np.arange(6))).astype(int)])
    theirs = game("SII", 2).get_n_order_values(2)
    np.testing.assert_allclose(
        game("SV", 1).get_n_order_values(1), interactions_of_table(table[None])[0].sum(axis=1), atol=1e-9
    )
    ours = interactions_of_table(table[None])[0]
    off = ~np.eye(6, dtype=bool)
    np.testing.assert_allclose(2 * ours[off], theirs[off], rtol=0, atol=1e-9)


@pytest.mark.parametrize("case", [wide(8), net(8, gain=2.0)])
def test_values_of_a_few_columns_agree_with_exact_ones_within_their_standard_errors(case):
    game, few = Game(*case, "logit"), np.array([5, 0, 3])
    exact = interaction_values(game).values
    said = interactions_among(game, few, samples=400, seed=1)
    expected = exact[:, few[:, None], few]
    on = np.arange(len(few))
    expected[:, on, on] = exact.sum(axis=2)[:, few] - (expected.sum(axis=2) - expected[:, on, on])
    off = np.abs(said.values - expected) / np.maximum(said.standard_errors, 1e-9)
    assert np.mean(off < 2) > 0.85 and off.max() < 5
    assert said.standard_errors.max() < 0.2 * np.abs(exact.sum(axis=2)).max()


def test_of_more_columns_than_can_be_told_between_some_must_be_named():
    rng = np.random.default_rng(0)
    rows, background = rng.normal(size=(2, 70)), rng.normal(size=(5, 70))

    def score(x):
        return x[:, 3] * x[:, 60] + x.sum(axis=1)

    with pytest.raises(DlxError, match="between at most 64 columns, got 70; name some"):
        found(score, rows, background)
    said = found(score, rows, background, columns=["x60", "x3", "x7"])
    assert said.schema.names == ("x60", "x3", "x7") and len(said.to_frame()) == 2 * 6
    product = (rows[:, None, 3] - background[:, 3]) * (rows[:, None, 60] - background[:, 60])
    np.testing.assert_allclose(said.values[:, 0, 1], product.mean(axis=1) / 2, atol=1e-9)  # all references equally often
    np.testing.assert_allclose(said.values[:, 2], [[0, 0, x] for x in rows[:, 7] - background[:, 7].mean()], atol=1e-9)
