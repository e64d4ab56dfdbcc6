"""Accumulated local effects: closed forms, the definition in plain loops, levels, missing values."""

from __future__ import annotations

import numpy as np
import pytest
import worlds

from dlx.dataset import Dataset
from dlx.effects import accumulated_local_effects, partial_dependence
from dlx.effects.accumulated import _accumulated, _steps, by_similarity, chain_of
from dlx.effects.partial import gaps, people_at
from dlx.errors import DlxError
from dlx.model import BlackBox
from dlx.schema import Feature, Schema, SchemaError, Target
from dlx.stats import resampled_counts, tails

LEVELS = ("a", "b", "c", "d")
SCHEMA = Schema(
    (
        Feature("x", missing=True),
        Feature("z"),
        Feature("grade", "categorical", levels=LEVELS, ordered=True, missing=True),
        Feature("kind", "categorical", levels=LEVELS, missing=True),
    ),
    Target("y", "regression"),
)
WORTH = np.array([1.0, -2.0, 5.0, 0.5])


def rows(count=200, *, seed=0, missing=0.0):
    """Return random rows; each of three columns is missing at random."""
    rng = np.random.default_rng(seed)
    made = np.column_stack([rng.normal(size=(count, 2)), rng.integers(4, size=(count, 2))]).astype(float)
    for column in (0, 2, 3):
        made[rng.random(count) < missing, column] = np.nan
    return made


def model(score):
    """Return a model of a function of coded rows [rows, columns]."""
    return BlackBox(lambda table: score(SCHEMA.encode(table)), SCHEMA, "score", scales=("value",))


def worth(codes, missing=9.0):
    """Return what each level is worth."""
    return np.where(np.isnan(codes), missing, WORTH[np.nan_to_num(codes).astype(int)])


def additive(coded):
    """Return a sum of one effect a column."""
    return 3 * np.nan_to_num(coded[:, 0], nan=7.0) - coded[:, 1] + worth(coded[:, 2]) + 2 * worth(coded[:, 3], -1.0)


def by_loops(score, people, column, edges):
    """Return ALEPlot's numbers of a column without missing values, person by person (Apley and Zhu 2020, eq. 15, 16)."""
    steps, counts = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1)
    for person in people:
        k = max(1, int((edges < person[column]).sum()))
        low, high = person.copy(), person.copy()
        low[column], high[column] = edges[k - 1], edges[k]
        steps[k - 1] += score(high[None])[0] - score(low[None])[0]
        counts[k - 1] += 1
    effects = np.r_[0, np.cumsum(steps / counts)]
    return effects - (counts * (effects[1:] + effects[:-1]) / 2).sum() / counts.sum()


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize(("feature", "known"), [("x", lambda v: 3 * np.nan_to_num(v, nan=7.0)), ("z", lambda v: -v)])
def test_a_sum_gives_each_number_its_slope(feature, known, missing):
    found = accumulated_local_effects(model(additive), rows(missing=missing), feature, scale="value")
    np.testing.assert_allclose(found.effects - found.effects[0], known(found.values) - known(found.values[0]), atol=1e-10)
    assert found.counts @ found.effects == pytest.approx(0, abs=1e-9)
    assert found.counts.sum() == 200
    assert np.isnan(found.values).sum() == (missing > 0 and feature == "x")


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize(("feature", "times", "lack"), [("grade", 1, 9.0), ("kind", 2, -1.0)])
def test_a_sum_gives_each_level_its_worth_less_the_mean(feature, times, lack, missing):
    people = rows(missing=missing)
    found = accumulated_local_effects(model(additive), people, feature, scale="value")
    own = times * worth(people[:, SCHEMA.position(feature)], lack)
    np.testing.assert_allclose(found.effects, times * worth(found.values, lack) - own.mean(), atol=1e-10)
    assert len(found.values) == 4 + (missing > 0)


def test_a_product_of_columns_that_go_together_gives_half_the_square():
    people = rows(4000)
    people[:, 1] = people[:, 0]
    product = model(lambda coded: coded[:, 0] * coded[:, 1])
    found = accumulated_local_effects(product, people, "x", scale="value", bins=100)
    inner = np.abs(found.values) < 2
    np.testing.assert_allclose(found.effects[inner], found.values[inner] ** 2 / 2 - 0.5, atol=0.05)
    flat = partial_dependence(product, people, "x", scale="value")  # the pair (x, -x) never occurs, and cancels
    assert np.ptp(flat.mean) < 0.1 * np.ptp(found.effects)


@pytest.mark.parametrize("bins", [1, 3, 20])
def test_a_product_equals_the_definition_in_loops(bins):
    def score(coded):
        return coded[:, 0] * coded[:, 1] + np.sin(3 * coded[:, 0]) * coded[:, 3]

    people = rows()
    found = accumulated_local_effects(model(score), people, "x", scale="value", bins=bins)
    assert len(found.values) == bins + 1
    np.testing.assert_allclose(found.effects, by_loops(score, people, 0, found.values), atol=1e-10)
    inside = [(people[:, 0] > low) & (people[:, 0] <= high) for low, high in zip(found.values, found.values[1:], strict=False)]
    inside[0] |= people[:, 0] == found.values[0]
    assert max(some.sum() for some in inside) - min(some.sum() for some in inside) <= 2


def test_a_step_between_levels_is_measured_on_the_people_of_both():
    people = rows()
    found = accumulated_local_effects(model(lambda c: worth(c[:, 2]) * c[:, 1]), people, "grade", scale="value")
    np.testing.assert_array_equal(found.values, [0, 1, 2, 3])
    for level in range(3):
        both = people[np.isin(people[:, 2], [level, level + 1]), 1]
        step = (WORTH[level + 1] - WORTH[level]) * both.mean()
        assert found.effects[level + 1] - found.effects[level] == pytest.approx(step, abs=1e-10)


def test_missing_is_one_step_from_the_median_by_those_who_lack_it_and_those_around_it():
    people = rows(missing=0.2)
    found = accumulated_local_effects(model(lambda c: worth(c[:, 2]) * c[:, 1]), people, "grade", scale="value")
    median = np.nanmedian(people[:, 2])
    some = np.isnan(people[:, 2]) | (people[:, 2] == median)
    step = (9.0 - WORTH[int(median)]) * people[some, 1].mean()
    assert found.effects[-1] - found.effects[int(median)] == pytest.approx(step, abs=1e-10)


def test_levels_without_an_order_stand_beside_those_with_alike_people():
    people = rows(400)
    place = np.array([2.0, 0.0, 3.0, 1.0])  # of a, b, c, d, along z
    people[:, 1] = place[people[:, 3].astype(int)] * 0.7 + people[:, 1]
    order = list(by_similarity(SCHEMA, people, 3))
    assert order in ([1, 3, 0, 2], [2, 0, 3, 1])
    found = accumulated_local_effects(model(additive), people, "kind", scale="value")
    assert list(found.values) == order
    people[people[:, 3] == 3, 3] = np.nan  # a missing level is a level as any other
    order = list(by_similarity(SCHEMA, people, 3))
    assert np.array_equal(order, [1, np.nan, 0, 2], equal_nan=True) or np.array_equal(order, [2, 0, np.nan, 1], equal_nan=True)


def test_resampled_people_give_what_a_table_of_them_gives():
    people, product = rows(40, missing=0.2), model(lambda c: worth(c[:, 2]) * c[:, 1])
    chain = chain_of(SCHEMA, people, 2, 20)
    steps = _steps(product, people, 2, chain, "value")
    weights = resampled_counts(40, seed=0) / 40
    effects = _accumulated(weights, steps, chain)
    checked = 0
    for weight, effect in zip(weights[:20], effects, strict=False):
        some = np.repeat(people, np.rint(weight * 40).astype(int), axis=0)
        if np.nanmedian(some[:, 2]) == np.nanmedian(people[:, 2]) and len(np.unique(some[~np.isnan(some[:, 2]), 2])) == 4:
            expected = accumulated_local_effects(product, some, "grade", scale="value").effects
            np.testing.assert_allclose(effect, expected, atol=1e-10)
            checked += 1
    assert checked > 5
    found = accumulated_local_effects(product, people, "grade", scale="value")
    np.testing.assert_allclose((found.low, found.high), np.quantile(effects, tails(40), axis=0))


def test_a_column_that_no_model_uses_has_no_effect(world):
    for kind in worlds.MODELS:
        found = accumulated_local_effects(worlds.model(kind, world), worlds.table(world), "idle", scale="probability")
        np.testing.assert_allclose(found.effects, 0, atol=1e-6)


def test_the_table_speaks_the_words_of_the_schema():
    found = accumulated_local_effects(model(additive), rows(missing=0.2), "grade", scale="value")
    frame = found.to_frame()
    assert list(frame["value"]) == [*LEVELS, "missing"]
    assert frame["people"].sum() == 200
    assert (frame["low"] <= frame["effect"]).all() and (frame["effect"] <= frame["high"]).all()
    assert frame["mean_output"].iloc[0] == pytest.approx(additive(rows(missing=0.2)).mean())


@pytest.mark.parametrize("value", [2.0, np.nan])
@pytest.mark.parametrize("feature", ["x", "grade", "kind"])
def test_one_value_is_one_point_without_effect(feature, value):
    people = rows(30)
    people[:, SCHEMA.position(feature)] = value
    found = accumulated_local_effects(model(additive), people, feature, scale="value")
    np.testing.assert_array_equal(found.values, [value])
    np.testing.assert_array_equal((found.effects, found.low, found.high), 0)


def test_a_category_of_one_level_and_a_single_person_have_no_effect():
    one = Schema((Feature("only", "categorical", levels=("a",)), Feature("x")), Target("y", "regression"))
    single = BlackBox(lambda table: table["x"], one, scales=("value",))
    found = accumulated_local_effects(single, np.array([[0.0, 1.0], [0.0, 2.0]]), "only", scale="value")
    assert found.effects.tolist() == [0.0]
    alone = accumulated_local_effects(model(additive), rows(1), "x", scale="value")
    assert alone.effects.tolist() == [0.0] and np.isnan(alone.low).all() and np.isnan(alone.high).all()


def test_bad_input_is_refused():
    with pytest.raises(SchemaError, match="no feature 'nosuch'"):
        accumulated_local_effects(model(additive), rows(), "nosuch", scale="value")
    with pytest.raises(DlxError, match="at least 1 row and 1 bin, got 200 and 0"):
        accumulated_local_effects(model(additive), rows(), "x", scale="value", bins=0)
    with pytest.raises(DlxError, match="at least 1 row and 1 bin, got 0 and 20"):
        accumulated_local_effects(model(additive), rows(0), "x", scale="value")


def test_rows_come_as_a_dataset_too():
    people = Dataset(SCHEMA, rows())
    one, other = (accumulated_local_effects(model(additive), some, "z", scale="value") for some in (people, people.frame))
    np.testing.assert_array_equal(one.effects, other.effects)


# Where people are ----------------------------------------------------------------------------------------------------


def test_gaps_are_where_nobody_is_but_not_between_even_values():
    crowd = np.r_[np.linspace(0, 1, 100), 5, 5.01, np.nan]
    assert gaps(crowd) == [(1.0, 5.0)]
    assert gaps(np.arange(5.0)) == [] == gaps(np.array([np.nan, 1.0])) == gaps(np.zeros(0))
    assert gaps(np.array([0.0, 1, 2, 3, 9])) == [(3.0, 9.0)]


def test_people_are_counted_at_the_nearest_value():
    number = Feature("x", missing=True, special={"-9": "no record"})
    grid = np.array([0.0, 10.0, np.nan])
    assert people_at(number, grid, np.array([1.0, 4.9, 5.1, np.nan, np.nan, 99])).tolist() == [2, 2, 2]
    assert people_at(number, grid[:2], np.array([1.0, np.nan])).tolist() == [1, 0]
    assert people_at(number, grid[2:], np.array([1.0, np.nan])).tolist() == [1]
    special = np.array([0.0, 10.0, -9.0, np.nan])
    assert people_at(number, special, np.array([1.0, -9, -9, np.nan])).tolist() == [1, 0, 2, 1]
    assert people_at(number, grid, np.array([-9.0, 3.0])).tolist() == [1, 0, 0]  # none of these is a special value
