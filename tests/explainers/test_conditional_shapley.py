"""Conditional Shapley values: closed forms, a known sampler, how a route is chosen, and what they are beside the others."""

from __future__ import annotations

import dataclasses

import numpy as np
import oracles
import pytest
import worlds

from dlx import explainers
from dlx.comparison import compare, disagreement, placed_by_dependence, replicate
from dlx.comparison.causes import Laboratory
from dlx.dataset import Dataset
from dlx.explainers import MethodError
from dlx.explanation import Explanation
from dlx.kernels.shapley import Game, conditional_values
from dlx.kernels.shapley.dependence import Dependence, copula_worth
from dlx.model import BlackBox
from dlx.runner import explain
from dlx.schema import Feature, Schema

METHOD = "conditional_shapley"
WEIGHTS = np.array([1.0, -2.0, 0.5, 1.5])
NUMBERS = Schema(tuple(Feature(f"x{i}") for i in range(4)), worlds.TARGET)


def correlated(columns, strength=0.7):
    return np.where(np.eye(columns, dtype=bool), 1.0, strength ** np.abs(np.subtract.outer(range(columns), range(columns))))


def normal(size, columns=4, seed=0):
    return np.random.default_rng(seed).multivariate_normal(np.zeros(columns), correlated(columns), size=size)


def model_of(score, schema=NUMBERS):
    return BlackBox(lambda table: score(table.to_numpy().astype(float)), schema, "score", scales=("logit",))


LINEAR = model_of(lambda x: x @ WEIGHTS)


def asked(model, rows, background, **options):
    return explain(model, rows, method=METHOD, background=background, scale=model.scales[0], **options)


def conditional_normal(known, row, covariance):
    """Return the mean and the covariance of the unknown ones of normal columns."""
    known = np.isin(np.arange(len(row)), list(known))
    slopes = covariance[np.ix_(~known, known)] @ np.linalg.inv(covariance[np.ix_(known, known)])
    return known, slopes @ row[known], covariance[np.ix_(~known, ~known)] - slopes @ covariance[np.ix_(known, ~known)]


def by_sampler(score, row, covariance, draws=4_000):
    """Return the Shapley values of E[f | x_S] of normal columns, by draws of which the distribution is known."""
    worth, noise = {}, np.random.default_rng(5).normal(size=(draws, len(row)))
    for some in oracles.coalitions(len(row)):
        known, mean, left = conditional_normal(some, row, covariance)
        rows = np.tile(row, (draws, 1))
        rows[:, ~known] = mean + noise[:, ~known] @ np.linalg.cholesky(left + 1e-12 * np.eye(len(left))).T
        worth[some] = score(rows).mean()
    return oracles.shapley_of_game(worth, len(row))


def off(found, expected):
    return np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)


# Closed forms


def test_linear_model_of_normal_columns_has_its_closed_form():
    rows, background = normal(6, seed=1), normal(1_000)
    middle, covariance, expected = background.mean(axis=0), np.cov(background, rowvar=False), []
    for row in rows - middle:
        worth = {}
        for some in oracles.coalitions(4):
            known, mean, _ = conditional_normal(some, row, covariance)
            worth[some] = WEIGHTS[known] @ row[known] + WEIGHTS[~known] @ mean
        expected.append(oracles.shapley_of_game(worth, 4))
    found = asked(LINEAR, rows, background)
    assert found.options["route"] == "copula"
    assert np.median(off(found.values, np.array(expected))) < 0.04
    assert np.median(off(rows * WEIGHTS, np.array(expected))) > 0.3  # the interventional ones


def test_model_of_normal_columns_has_the_values_of_a_known_sampler():
    def score(x):
        return np.tanh(x[:, 0] + x[:, 1]) + x[:, 1] * x[:, 2]

    rows = normal(4, seed=2)
    expected = np.array([by_sampler(score, row, correlated(4)) for row in rows])
    found = asked(model_of(score), rows, normal(1_000), route="copula")
    assert np.median(off(found.values, expected)) < 0.1
    interventional = asked(model_of(score), rows, normal(1_000), route="independence")
    assert np.median(off(interventional.values, expected)) > 0.4


def test_copies_share_their_credit_and_the_others_get_none():
    background, rows = normal(400), normal(5, seed=1)
    background[:, 1], rows[:, 1] = background[:, 0], rows[:, 0]
    background[:, 2:], rows[:, 2:] = np.random.default_rng(3).normal(size=(400, 2)), [[0.3, -0.2]] * 5
    found = asked(model_of(lambda x: 3 * x[:, 0]), rows, background)  # which reads one of the two
    size = np.abs(found.values[:, 0]).mean()
    np.testing.assert_allclose(found.values[:, 0], found.values[:, 1], atol=0.03 * size)
    assert np.abs(found.values[:, 2:]).max() < 0.2 * size
    np.testing.assert_allclose(found.values.sum(axis=1), 3 * rows[:, 0] - 3 * background[:, 0].mean(), atol=1e-9)


def test_columns_on_another_scale_say_the_same():
    def stretched(x):
        return np.column_stack([np.exp(x[:, 0]), x[:, 1] ** 3, *x[:, 2:].T])

    def shrunk(x):
        return np.column_stack([np.log(x[:, 0]), np.cbrt(x[:, 1]), *x[:, 2:].T]) @ WEIGHTS

    rows = background = normal(80)
    one = asked(LINEAR, rows, background, route="copula")
    other = asked(model_of(shrunk), stretched(rows), stretched(background), route="copula")
    np.testing.assert_allclose(one.values, other.values, atol=0.01)  # between two values, either is read as a line


def test_moved_rows_are_the_regression_on_what_is_known():
    dependence = Dependence(NUMBERS, normal(60), normal(60) @ WEIGHTS)
    known = np.array([True, False, True, False])
    r = dependence.correlation
    expected = np.linalg.solve(r[np.ix_(known, known)], r[np.ix_(known, ~known)])
    np.testing.assert_allclose(dependence.moves(known[None])[0][np.ix_(known, ~known)], expected, atol=1e-10)
    assert not dependence.moves(known[None])[0][:, known].any() and not dependence.moves(known[None])[0][~known].any()
    own = dependence.values_at(dependence.scores)
    np.testing.assert_array_equal(own, dependence.background)  # nothing known: the rows as they are
    np.testing.assert_allclose(dependence.scores_of(dependence.background[:1], np.array([0]))[0, 0], dependence.scores[0])


# Routes


def test_columns_that_do_not_go_together_are_taken_for_independent():
    case = worlds.table("numeric")
    found = asked(worlds.net("numeric"), case[100:105], case[:90])
    same = explain(worlds.net("numeric"), case[100:105], method=explainers.any_model(), background=case[:90], scale="logit")
    assert found.options["route"] == "independence"
    np.testing.assert_array_equal(found.values, same.values)
    assert compare([found, same]).agreement(2)["mean"].min() == pytest.approx(1)  # one unit, one background


def test_dependence_of_another_shape_is_left_to_neighbours():
    def crooked(size, seed):
        rng = np.random.default_rng(seed)
        rows = rng.normal(size=(size, 4))
        rows[:, 1] = np.abs(rows[:, 0]) + 0.05 * rng.normal(size=size)  # without a correlation
        return rows

    rows = crooked(5, 1)
    found = asked(model_of(lambda x: 3 * x[:, 1]), rows, crooked(300, 0))
    assert found.options["route"] == "neighbours"
    errors = {name: array[0] for name, array in found.extras.items() if name.startswith("held_out")}
    assert errors["held_out_neighbours"] < 0.8 * min(errors["held_out_copula"], errors["held_out_independence"])
    expected = 3 * (np.abs(rows[:, 0]) - np.sqrt(2 / np.pi)) / 2  # both tell it, and share
    assert np.corrcoef(found.values[:, 0], expected)[0, 1] > 0.9 and np.abs(found.values[:, 2:]).mean() < 0.3


def test_the_route_that_was_chosen_can_be_asked_for_and_gives_the_same():
    rows, background = normal(3, seed=1), normal(80)
    chosen = asked(LINEAR, rows, background)
    again = asked(LINEAR, rows, background, **chosen.options)
    np.testing.assert_array_equal(again.values, chosen.values)
    assert again.options == chosen.options == {"route": "copula", "budget": None}
    assert asked(LINEAR, rows, background[:20]).options["route"] == "independence"  # too few to tell
    one = Schema(NUMBERS.features[:1], worlds.TARGET)
    alone = asked(model_of(lambda x: x[:, 0], one), rows[:, :1], background[:, :1], route="copula")
    np.testing.assert_allclose(alone.values[:, 0], rows[:, 0] - background[:, 0].mean(), atol=1e-12)


@pytest.mark.parametrize("name", explainers.names_for(LINEAR))
def test_a_method_asks_about_as_often_as_it_says_before(name):
    asked_for = []
    model = model_of(lambda x: asked_for.append(len(x)) or np.tanh(x).sum(axis=1), Schema(tuple(map(Feature, "abcdefg"))))
    rows, background = normal(1, 7, seed=1), normal(60, 7)
    explain(model, rows, method=name, background=background, scale="logit", **explainers.quick_options(name, 7))
    checks = 2 * (len(rows) + len(background))  # explain's own predictions, and whether the model answers row by row
    assert 0.8 < (sum(asked_for) - checks) / explainers.evaluations_for(name, 7, 60) < 1.2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"route": "vine"}, "route must be one of independence, copula, neighbours"),
        ({"budget": 799}, "budget must be at least 800"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(MethodError, match=message):
        asked(LINEAR, normal(2), normal(80), **options)


# Gaps and levels, batches, errors


def together(size, seed):
    """Return the mixed table with a level and gaps that go along with a number."""
    rng = np.random.default_rng(seed)
    rows = np.resize(worlds.table("mixed").rows[rng.permutation(300)], (size, 5))
    rows[:, 1] = np.digitize(rows[:, 2] + 0.3 * rng.normal(size=size), [-0.5, 0.5])[:] * 2 % 3
    rows[:, 0] = np.where(rows[:, 2] > 0.8, np.nan, rows[:, 2] + 0.3 * rng.normal(size=size))
    return rows


@pytest.mark.parametrize("route", ["copula", "neighbours"])
@pytest.mark.parametrize("kind", ["net", "boosted", "function"])
def test_levels_and_gaps_add_up_whatever_the_batch(kind, route):
    model, rows, background = worlds.model(kind, "mixed"), together(4, 1), together(40, 0)
    found = asked(model, rows, background, route=route)
    np.testing.assert_allclose(found.base_values, model.predict(background, model.scales[0]).mean(), atol=1e-7)
    assert np.abs(found.residuals).max() < 1e-6
    np.testing.assert_allclose(
        asked(model, rows[::-1], background, route=route, batch_size=2).values[::-1], found.values, atol=1e-6
    )
    assert np.abs(found.values - asked(model, rows, background, route="independence").values).max() > 0.03


@pytest.mark.parametrize("route", [("copula", np.inf), ("neighbours", 0.2)])
def test_standard_errors_say_how_far_sampled_values_are_from_all_combinations(route):
    schema = Schema(tuple(Feature(f"x{i}") for i in range(9)), worlds.TARGET)
    model = model_of(lambda x: np.tanh(x[:, :4]).sum(axis=1) + x[:, 3] * x[:, 4] + x[:, 5] * x[:, 6] * x[:, 7], schema)
    game = Game(model, normal(6, 9, seed=1), normal(40, 9), "logit")
    exact, sampled = conditional_values(game, route, pairs=255), conditional_values(game, route, pairs=45)
    assert exact.enumerated.all() and not exact.standard_errors.any() and not sampled.enumerated.any()
    np.testing.assert_allclose(sampled.values.sum(axis=1), game.outputs() - game.references().mean(), atol=1e-9)
    z = np.abs(sampled.values - exact.values) / sampled.standard_errors
    assert (z < 2).mean() > 0.85 and np.sqrt(np.square(z).mean()) > 0.2
    assert np.median(off(sampled.values, exact.values)) < 0.1


def test_a_small_memory_gives_the_same_numbers(monkeypatch):
    background = normal(50)
    game, dependence = Game(LINEAR, normal(3, seed=1), background, "logit"), Dependence(NUMBERS, background, background[:, 0])
    members = np.eye(4, dtype=bool)
    whole = copula_worth(game, dependence, members, np.arange(50))
    monkeypatch.setattr("dlx.kernels.shapley.dependence.BLOCK_BYTES", 1_000)
    np.testing.assert_allclose(copula_worth(game, dependence, members, np.arange(50)), whole, rtol=0, atol=1e-12)


# Beside the other methods


def test_it_is_one_more_cause_of_a_disagreement():
    train = Dataset(NUMBERS, normal(120))
    laboratory = Laboratory(Dataset(NUMBERS, normal(3, seed=1)), train[:90], train)
    table = disagreement(LINEAR, "kernel_shap", METHOD, laboratory, k=2).to_frame().query("measure == 'placed differently'")
    parts = table.set_index("cause")["part"]
    assert parts.sum() == pytest.approx(table["naive"].iloc[0]) and parts["dependence"] > 0.6 * table["naive"].iloc[0]
    assert parts["methods"] < 0.02  # asked the same question
    assert placed_by_dependence(LINEAR, laboratory).min() > 0.05


def test_its_noise_is_measured_by_other_backgrounds_and_it_can_be_kept(tmp_path):
    background = Dataset(NUMBERS, normal(60))
    found = asked(LINEAR, Dataset(NUMBERS, normal(3, seed=1)), background)
    replicates = replicate(LINEAR, found, source="background", background=background, pool=background, count=2)
    assert {one.options["route"] for one in replicates.explanations} == {found.options["route"]}
    kept = Explanation.load(found.save(tmp_path / "a.safetensors"))
    assert kept.options == found.options and kept.extras.keys() == found.extras.keys()


def test_it_is_not_asked_where_pages_ask_what_a_prediction_is_made_of():
    assert explainers.having(TRUE_TO_DATA=True) == [METHOD]
    context = worlds.context(worlds.table("numeric"), worlds.net("numeric"), people=8, background=5)
    asked = set(dataclasses.replace(context).compatibility["method"])
    assert explainers.apart() == [METHOD, "ablation", "occlusion"] and not asked & set(explainers.apart())
