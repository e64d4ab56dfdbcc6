"""Trees predict what the library that grew them predicts, and a damaged array is refused before anything walks it."""

from __future__ import annotations

import numpy as np
import pytest
import worlds
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from dlx.model import TreeModel
from dlx.trees import Trees, concatenate, float32_below

STUMP = {
    "feature": [0, -1, 1, -1, -1], "threshold": [0.5, 0, -1, 0, 0], "left": [1, -1, 3, -1, -1],
    "right": [2, -1, 4, -1, -1], "missing_left": [True, False, False, False, False], "value": [0, 1, 0, 2, 3],
    "cover": [9, 4, 5, 3, 2], "roots": [0],
}  # fmt: skip


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
        ("threshold", 0, 0.1, "must be float32 numbers; round them"),
        ("roots", 0, 1, "must start at node 0"),
    ],
)
def test_damaged_array_is_refused(array, position, number, message):
    arrays = {name: list(numbers) for name, numbers in STUMP.items()}
    arrays[array][position] = number
    with pytest.raises(ValueError, match=message):
        Trees(**arrays)


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


def test_trees_that_ask_a_column_that_the_table_lacks_are_refused():
    with pytest.raises(ValueError, match="the trees ask column 7 of a table of 5"):
        TreeModel(Trees(**{**STUMP, "feature": [0, -1, 7, -1, -1]}), worlds.NUMERIC)
