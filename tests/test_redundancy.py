"""Copies and leaks: what says the same is found whatever its shape, what does not is not, and importance is told with both."""

from __future__ import annotations

import numpy as np
import pytest
import worlds
from hypothesis import given
from hypothesis import strategies as some

from dlx.dataset import Dataset
from dlx.effects import permutation_importance
from dlx.model import wrap
from dlx.redundancy import copies, copies_by_column, leaks, warnings_by_column
from dlx.schema import Feature, Schema, Target

SIZE = 300
RNG = np.random.default_rng(0)
AGE = RNG.integers(18, 80, SIZE).astype(float)
INCOME = RNG.lognormal(size=SIZE)
TOWN = RNG.integers(0, 5, SIZE).astype(float)
PERMUTED = np.array([2.0, 0, 4, 1, 3])[TOWN.astype(int)]
MERCHANTS = SIZE // 3
MERCHANT = np.random.default_rng(2).integers(0, MERCHANTS, SIZE).astype(float)  # three people each
ZIP = np.array([70173.0, 10115, 20095, 50667, 80331])[TOWN.astype(int)]


def table(*columns):
    """Return the schema and rows of columns: numbers, or the levels of a category."""
    features, rows = [], []
    for place, (kind, column) in enumerate(columns):
        name = f"c{place}"
        levels = tuple(map(str, range(int(np.nanmax(column)) + 1)))
        is_number = kind == "number"
        missing = bool(np.isnan(column).any())
        features.append(
            Feature(name, missing=missing)
            if is_number
            else Feature(name, "categorical", levels=levels, missing=missing, ordered=kind == "ordered")
        )
        rows.append(column)
    return Schema(tuple(features), worlds.TARGET), np.column_stack(rows)


def gaps(column, share=0.3):
    return np.where(np.random.default_rng(1).random(len(column)) < share, np.nan, column)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("number", INCOME), ("number", 3 * INCOME + 1)),
        (("number", INCOME), ("number", -np.log(INCOME))),  # any rising or falling function
        (("number", INCOME), ("number", INCOME + 0.2 * RNG.normal(size=SIZE))),
        (("number", INCOME), ("number", gaps(INCOME))),
        (("number", AGE), ("number", 12 * AGE + RNG.integers(0, 12, SIZE))),
        (("number", AGE), ("number", (AGE - 48) ** 2)),  # no correlation at all
        (("number", AGE), ("ordered", np.digitize(AGE, [25, 35, 50, 65]).astype(float))),
        (("category", TOWN), ("category", PERMUTED)),
        (("category", TOWN), ("number", ZIP)),
        (("number", ZIP), ("category", PERMUTED)),
        (("category", MERCHANT), ("category", np.random.default_rng(3).permutation(MERCHANTS)[MERCHANT.astype(int)])),
        (
            ("category", np.where(AGE > 60, 1.0, 0.0)),
            ("number", np.where(AGE > 60, np.nan, INCOME * 0 + TOWN)),
        ),  # a gap that tells
    ],
)
def test_columns_that_say_the_same_are_found_whatever_their_shape(one, other):
    found = copies(*table(one, other))
    assert [(copy.one, copy.other) for copy in found] == [("c0", "c1")] and abs(found[0].strength) > 0.95
    schema, rows = table(other, one)
    assert len(copies(schema, rows)) == 1  # in the other order too
    again = np.random.default_rng(2).permutation(SIZE)
    assert len(copies(schema, rows[again])) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("number", INCOME), ("number", RNG.lognormal(size=SIZE))),
        (("number", INCOME), ("number", INCOME + 1.5 * RNG.normal(size=SIZE))),
        (("number", np.arange(SIZE) * 1.0), ("category", TOWN)),  # an id says nothing, though every town follows from it
        (("category", np.arange(SIZE) * 1.0), ("category", TOWN)),
        (("number", np.ones(SIZE)), ("number", np.ones(SIZE))),  # constants
        (("number", np.full(SIZE, np.nan)), ("number", INCOME)),
        (("category", TOWN), ("category", RNG.integers(0, 5, SIZE).astype(float))),
        (("number", gaps(INCOME, 0.95)), ("number", INCOME)),  # 15 people are too few to tell
    ],
)
def test_columns_that_do_not_are_not(one, other):
    schema = Schema((Feature("c0", missing=True), Feature("c1", missing=True)), worlds.TARGET)
    if np.isnan(one[1]).all():
        assert copies(schema, np.column_stack([one[1], other[1]])) == []
    else:
        assert copies(*table(one, other)) == []


@given(some.integers(0, 10_000), some.integers(40, 200))
def test_what_was_drawn_for_itself_is_never_a_copy(seed, size):
    rng = np.random.default_rng(seed)
    columns = [("number", rng.normal(size=size)), ("number", rng.lognormal(size=size).round(1))]
    columns += [("category", rng.integers(0, 4, size).astype(float)), ("category", (rng.random(size) < 0.1) * 1.0)]
    columns += [("category", rng.integers(0, size // 2, size).astype(float))]
    assert copies(*table(*columns)) == []


def test_a_copy_of_a_copy_is_one_too():
    found = copies(*table(("number", INCOME), ("number", AGE), ("number", np.log(INCOME)), ("number", -INCOME)))
    assert copies_by_column(found) == {"c0": ("c2", "c3"), "c2": ("c0", "c3"), "c3": ("c0", "c2")}


def outcomes(seed=0):
    return (np.random.default_rng(seed).random(SIZE) < 0.3).astype(float)


@pytest.mark.parametrize(
    "leak",
    [
        lambda y, rng: ("number", y * 100.0 + rng.normal(size=SIZE)),
        lambda y, rng: ("number", -5.0 * y + rng.normal(size=SIZE)),
        lambda y, rng: ("number", np.where(y == 1, rng.choice([-9.0, 9.0], SIZE), rng.normal(size=SIZE))),  # both ends
        lambda y, rng: ("category", np.where(y == 1, rng.integers(3, 5, SIZE), rng.integers(0, 3, SIZE)).astype(float)),
        lambda y, rng: ("number", np.where(y == 1, np.nan, rng.normal(size=SIZE))),  # only who has the outcome lacks it
    ],
)
def test_a_column_that_alone_tells_the_outcome_is_a_leak(leak):
    y, rng = outcomes(), np.random.default_rng(1)
    schema, rows = table(("number", rng.normal(size=SIZE) + y), leak(y, rng))
    found = leaks(schema, rows, y)
    assert [one.name for one in found] == ["c1"] and found[0].strength >= 0.98


def test_strong_columns_chance_and_few_outcomes_are_no_leak():
    y, rng = outcomes(), np.random.default_rng(1)
    strong, ids = ("number", rng.normal(size=SIZE) + 1.5 * y), ("category", np.arange(SIZE) * 1.0)
    assert leaks(*table(strong, ids, ("number", rng.normal(size=SIZE))), y) == []
    few = np.zeros(SIZE)
    few[:3] = 1
    assert leaks(*table(("number", few)), few) == []


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("regression", 3 * INCOME + 2),
        ("regression", np.digitize(INCOME, [0.5, 1.0, 2.0]) ** 3.0),
        ("multiclass", np.digitize(INCOME, [0.5, 2.0]).astype(float)),
    ],
)
def test_a_column_tells_numbers_and_several_outcomes_too(kind, outcome):
    target = Target("y", kind, levels=() if kind == "regression" else ("a", "b", "c"))
    schema, rows = table(("number", INCOME), ("number", AGE), ("number", outcome), ("number", gaps(-np.log(INCOME), 0.1)))
    schema = Schema(schema.features, target)
    found = {leak.name: leak.strength for leak in leaks(schema, rows, outcome)}
    assert {"c2"} <= set(found) and "c1" not in found and min(found.values()) >= 0.98
    assert leaks(schema, np.random.default_rng(3).permutation(rows), outcome) == []
    said = warnings_by_column(schema, rows, outcome)
    assert said["c2"][-1] == f"tells the outcome alone ({found['c2']:.3f}): known before it, or a part of it?"
    assert "nearly copies" in said["c3"][0] and "(r = -1.00)" in said["c3"][0] and "c1" not in said


# where importance is told


def doubled():
    """Return people with a number twice, and a model that reads half of either."""
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 600))
    schema = Schema((Feature("x"), Feature("again"), Feature("z")), worlds.TARGET)
    model = wrap(lambda t: t["x"] + t["again"] + 0.7 * t["z"], schema, scale="logit", name="half of each")
    chance = 1 / (1 + np.exp(-(2 * x + 0.7 * z)))
    return model, Dataset(schema, np.column_stack([x, x, z]), (rng.random(600) < chance).astype(float), name="doubled")


def test_copies_are_shuffled_together_as_well_as_alone():
    model, people = doubled()
    found = permutation_importance(model, people).set_index("feature")
    assert found["copies"].to_dict() == {"x": "again", "again": "x", "z": ""}
    x, z = found.loc["x"], found.loc["z"]
    assert x["together"] == found.loc["again", "together"] > 2 * x["importance"]
    assert x["together_low"] < x["together"] < x["together_high"] and np.isnan(z["together"])
    single = Schema((Feature("x"), Feature("z")), worlds.TARGET)
    alone = wrap(lambda t: 2 * t["x"] + 0.7 * t["z"], single, scale="logit")
    merged = permutation_importance(alone, Dataset(single, people.rows[:, [0, 2]], people.outcomes)).set_index("feature")
    assert x["together"] == pytest.approx(merged.loc["x", "importance"], abs=1e-9)  # as if the column stood there once
    only = permutation_importance(model, people, ["x"])
    assert only["together"][0] == x["together"]
