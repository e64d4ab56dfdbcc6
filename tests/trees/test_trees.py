"""Trees predict what the library that grew them predicts, and a damaged array is refused before anything walks it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import worlds
from forests import trees_and_rows
from hypothesis import given
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from dlx.errors import DlxError
from dlx.model import TreeModel
from dlx.trees import FEW_WALKS, MISSING, Reading, Trees, _added, _so_far, concatenate, float32_below

pytestmark = pytest.mark.doors

STUMP = {
    "feature": [0, -1, 1, -1, -1], "threshold": [0.5, 0, -1, 0, 0], "left": [1, -1, 3, -1, -1],
    "right": [2, -1, 4, -1, -1], "missing_left": [True, False, False, False, False], "value": [0, 1, 0, 2, 3],
    "cover": [9, 4, 5, 3, 2], "roots": [0],
}  # fmt: skip


@pytest.fixture(autouse=True, params=[0, FEW_WALKS], ids=["by numpy", "compiled"])
def walked_before(request, monkeypatch):
    monkeypatch.setitem(_so_far, "walks", request.param)


@pytest.mark.parametrize("depth", [3, 12])
def test_prediction_is_scikit_learns_with_missing_values(world, case, depth):
    seen, unseen = case.rows[:200].astype(np.float32), case.rows[200:].astype(np.float32)
    holed = np.where(np.random.default_rng(0).random(unseen.shape) < 0.3, np.nan, unseen) if world == "mixed" else unseen
    boosted = HistGradientBoostingClassifier(max_iter=40, max_depth=depth, min_samples_leaf=2).fit(seen, case.outcomes[:200])
    forest = RandomForestClassifier(30, max_depth=depth, random_state=0).fit(seen, case.outcomes[:200])
    for rows in (seen, unseen, holed):
        np.testing.assert_allclose(worlds.from_boosting(boosted).predict(rows), boosted.decision_function(rows), atol=2e-6)
    for rows in (seen, unseen):
        np.testing.assert_allclose(worlds.from_forest(forest).predict(rows), forest.predict_proba(rows)[:, 1], atol=1e-6)


def test_rows_at_below_and_above_a_threshold_and_missing_ones_go_where_they_should():
    rows = [[0.5, 0], [np.nextafter(np.float32(0.5), np.float32(1)), -1], [9, 0], [np.nan, 0], [9, np.nan]]
    np.testing.assert_array_equal(Trees(**STUMP, base=10).predict(np.array(rows)), [11, 12, 13, 11, 13])


def test_trees_survive_their_arrays_and_do_not_change():
    trees = worlds.boosted("mixed").trees
    rows = worlds.table("mixed").rows
    np.testing.assert_array_equal(Trees.from_arrays(trees.arrays()).predict(rows), trees.predict(rows))
    with pytest.raises(ValueError, match="read-only"):
        trees.value[0] = 1


# Sets, doubles and what counts as missing

SETS = {"set_start": [0, -1, 1, -1, -1], "set_size": [1, 0, 2, 0, 0], "words": [0b101, 0, 1 << 31]}  # 0 and 2; 63


def test_codes_in_a_set_go_left_and_all_others_right():
    trees = Trees(**STUMP, **SETS)
    for code, other, value in (
        (0, 0, 1),
        (2, 0, 1),
        (1, 63, 2),
        (3, 62, 3),
        (31, 64, 3),
        (32, 0, 3),
        (-1, 1e9, 3),
        (1e9, -1, 3),
    ):
        assert trees.predict(np.array([[code, other]])) == value
    assert trees.predict(np.array([[np.nan, 0.0]])) == 1  # missing_left
    assert trees.predict(np.array([[1.0, np.nan]])) == 3
    empty = Trees(**STUMP, **SETS | {"set_size": [0, 0, 0, 0, 0]})
    np.testing.assert_array_equal(empty.predict(np.array([[0.0, 0], [np.nan, 63]])), [3, 1])
    with pytest.raises(DlxError, match=r"column 1 is split into sets of codes, which are whole numbers, but holds 0\.5"):
        trees.predict(np.array([[0.0, 0], [0, 0.5]]))


def test_rows_are_read_in_the_precision_of_the_trees():
    at, above = 0.1, np.nextafter(0.1, 1)
    double = replace(Trees(**STUMP | {"threshold": [at, 0, -1, 0, 0]}), reading=Reading("float64"))
    rows = np.array([[at, 0], [above, 0], [float(np.float32(at)), 0]])  # float32(0.1) is above 0.1
    np.testing.assert_array_equal(double.predict(rows), [1, 3, 3])
    single = replace(double, reading=Reading("float32"))
    np.testing.assert_array_equal(single.predict(rows), [3, 3, 3])
    np.testing.assert_array_equal(single.in_float32().predict(rows), [3, 3, 3])
    huge = np.array([[0.0, 0], [0, -1e39]])
    assert double.predict(huge)[1] == 1
    with pytest.raises(DlxError, match=r"read float32, which ends at 3\.4e38, but column 1 holds -1e\+39; use"):
        single.predict(huge)


def test_numbers_may_count_as_missing_and_missing_ones_may_be_refused():
    trees = Trees(**STUMP, reading=Reading(absent=np.array([[0, 7, 8], [1, -1, -1]])))
    rows = np.array([[7.0, 0], [7.5, 0], [9, 0], [9, -1]])
    np.testing.assert_array_equal(trees.predict(rows), [1, 1, 3, 3])  # -1 would go left as a number
    assert (rows[0] == [7, 0]).all()
    complete = Trees(**STUMP, reading=Reading(takes_missing=False))
    with pytest.raises(DlxError, match="take no missing value, as in their library, but column 1 holds one; fill"):
        complete.predict(np.array([[0, 0], [0, 0], [0, np.nan]]))


@given(trees_and_rows())
def test_codes_go_where_rows_go(made):
    trees, rows = made
    codes, expected = trees.codes(rows), trees.predict(rows)
    np.testing.assert_array_equal(_added(trees.base, trees.value[trees._leaves(rows)]), expected)  # to the last bit
    assert codes.dtype == np.int32
    ranked = replace(trees, threshold=trees.limits, reading=Reading("float64"))
    np.testing.assert_array_equal(ranked.predict(np.where(codes == MISSING, np.nan, codes)), expected)
    kept = Trees.from_arrays(trees.arrays())
    np.testing.assert_array_equal(kept.predict(rows), expected)
    assert {name: array.dtype for name, array in kept.arrays().items()} == {n: a.dtype for n, a in trees.arrays().items()}


def test_arrays_of_an_earlier_version_are_trees_that_read_float32():
    trees = Trees(**STUMP)
    assert set(trees.arrays()) == {*STUMP, "base"}
    assert Trees.from_arrays(trees.arrays()).reading.precision == "float32"


def test_rounding_bounds_a_sum_in_float32():
    trees = replace(random_forest_of_leaves(400), base=1e3)
    bound = trees.rounding("float32")
    total = np.float32(trees.base)
    for leaf in trees.value.astype(np.float32):
        total += leaf
    off = abs(float(total) - float(trees.base + trees.value.sum()))
    assert 0 < off <= bound < 0.1
    assert trees.rounding("float64") < 1e-8


def random_forest_of_leaves(count):
    """A tree a leaf: constants, of which the sum rounds."""
    arrays = {name: np.full(count, -1) for name in ("feature", "left", "right")}
    rest = {"threshold": np.zeros(count), "missing_left": np.zeros(count, bool), "cover": np.ones(count)}
    return Trees(**arrays, **rest, value=np.random.default_rng(0).normal(size=count).astype(np.float32), roots=np.arange(count))


def test_rounding_a_threshold_moves_no_float32_row():
    threshold = np.random.default_rng(0).normal(size=2000) * 10.0 ** np.arange(-5, 5).repeat(200)
    rounded, nearest = float32_below(threshold), threshold.astype(np.float32)
    assert (rounded == rounded.astype(np.float32)).all()
    for row in (nearest, np.nextafter(nearest, np.float32(np.inf)), np.nextafter(nearest, np.float32(-np.inf))):
        np.testing.assert_array_equal(row <= rounded, row <= threshold)
    assert np.isfinite(float32_below(np.array([np.inf, 1e300]))).all()


@pytest.mark.parametrize(
    ("array", "position", "number", "message"),
    [
        ("left", 0, 0, "a child must come after its parent"),  # a cycle
        ("right", 2, 1, "a child must come after its parent"),
        ("left", 0, 5, "within its tree"),  # out of bounds
        ("right", 2, 2**31 - 1, "within its tree"),
        ("left", 1, 2, "a child must come after its parent"),  # a leaf with a child
        ("feature", 2, -2, "must ask a column, or be a leaf"),
        ("threshold", 0, np.nan, "thresholds of the trees must be finite"),
        ("value", 1, np.inf, "values of the trees must be finite"),
        ("right", 0, 1, "each node of the trees must have one parent"),
        ("set_start", 0, 1, "must lie within the words"),
        ("set_size", 0, 2, "must lie within the words"),
        ("set_size", 1, 1, "must lie within the words"),
        ("set_start", 1, 0, "must be split into sets by all of its nodes"),  # a leaf
        ("roots", 0, 1, "must start at node 0"),
    ],
)
def test_damaged_array_is_refused(array, position, number, message):
    arrays = {name: list(numbers) for name, numbers in STUMP.items()}
    arrays |= {"set_start": [0, -1, -1, -1, -1], "set_size": [1, 0, 0, 0, 0], "words": [5]}
    arrays[array][position] = number
    with pytest.raises(ValueError, match=message):
        Trees(**arrays)


def test_a_column_of_sets_and_thresholds_and_missing_numbers_of_no_column_are_refused():
    sets = {"set_start": [0, -1, -1, -1, -1], "set_size": [1, 0, 0, 0, 0], "words": [5]}
    with pytest.raises(ValueError, match="must be split into sets by all of its nodes, or by thresholds"):
        Trees(**STUMP | {"feature": [0, -1, 0, -1, -1]}, **sets)
    with pytest.raises(ValueError, match="must be of a column that the trees ask"):
        Trees(**STUMP, reading=Reading(absent=np.array([[2, 0, 0]])))
    for absent in ([[0.5, 0, 0]], [[-1, 0, 0]], [[0, np.nan, 0]]):
        with pytest.raises(ValueError, match="must be given as a column, and from where to where"):
            Reading(absent=np.array(absent))
    with pytest.raises(ValueError, match="one of float32, float64, got 'float16'"):
        Reading("float16")


def test_child_in_another_tree_and_arrays_of_other_lengths_are_refused():
    local = {name: np.array(numbers) for name, numbers in STUMP.items() if name != "roots"}
    arrays = concatenate([local, local]).arrays()
    arrays["right"] = np.where(np.arange(10) == 0, 7, arrays["right"])
    with pytest.raises(ValueError, match="within its tree"):
        Trees.from_arrays(arrays)
    with pytest.raises(ValueError, match="arrays of one length and a root"):
        Trees(**{**STUMP, "cover": [1.0]})
    with pytest.raises(ValueError, match="arrays of one length and a root"):
        Trees(**{**STUMP, "roots": []})
    with pytest.raises(ValueError, match="arrays of one length and a root"):
        Trees(**{**STUMP, "value": np.zeros((5, 2))})
    for name, array in (("feature", np.zeros(5)), ("value", np.array(["a"] * 5)), ("missing_left", np.zeros(5, int))):
        with pytest.raises(ValueError, match=f"the {name} of trees must be .*, but hold {array.dtype}"):
            Trees.from_arrays(concatenate([local]).arrays() | {name: array})
    with pytest.raises(ValueError, match="the value of trees must be float64, but are not there"):
        Trees.from_arrays({n: a for n, a in concatenate([local]).arrays().items() if n != "value"})
    for name, array in (("reading", np.array([2, 0])), ("reading", np.array([1])), ("base", np.empty(0))):
        with pytest.raises(ValueError, match="must have one base and two flags"):
            Trees.from_arrays(concatenate([local]).arrays() | {name: array})


def test_trees_that_ask_a_column_that_the_table_lacks_are_refused():
    with pytest.raises(ValueError, match="the trees ask column 7 of a table of 5"):
        TreeModel(Trees(**{**STUMP, "feature": [0, -1, 7, -1, -1]}), worlds.NUMERIC)
