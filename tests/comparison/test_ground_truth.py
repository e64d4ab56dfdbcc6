"""The ground truth: distances by hand, what is exact, what may be held against it, and every row without a number counted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import worlds

from dlx.comparison import AlignmentError, compare
from dlx.comparison.truth import MEASURES, distance_by_row, distance_to_truth, error_of, ground_truth
from dlx.errors import DlxError
from dlx.model import BlackBox
from dlx.runner import explain
from dlx.schema import Feature, Schema

TRUTH = worlds.said([[3, 4, 0], [0, -5, 12]], method="exact_shapley")
FOUND = worlds.said([[3, 0, 4], [0, -5, 12]], method="kernel_shap")
LOANS = np.array([9001, 17])


def table_of(explanation, its_truth, **options):
    return distance_to_truth([explanation], its_truth, **options).set_index("measure")


# The numbers


def test_errors_are_those_by_hand():
    by_row = distance_by_row(FOUND, TRUTH, k=2)
    np.testing.assert_allclose(by_row["relative_error"], [32**0.5 / 5, 0], atol=1e-15)
    np.testing.assert_allclose(by_row["rank_correlation"], [-1, 1])  # sizes 3, 4, 0 against 3, 0, 4
    np.testing.assert_allclose(by_row["feature_agreement"], [0.5, 1])
    np.testing.assert_allclose(by_row["top_hit"], [0, 1])
    table = table_of(FOUND, TRUTH, k=2)
    assert list(table.index) == list(MEASURES) and set(table["truth"]) == {"exact_shapley"} and table["is_shapley"].all()
    for measure in MEASURES:
        assert table.loc[measure, "mean"] == table.loc[measure, "median"] == pytest.approx(by_row[measure].mean())
    assert set(table["rows"]) == {2} and set(table["failed"]) == set(table["undefined"]) == {0}
    assert not table_of(dataclasses.replace(FOUND, method="lime"), TRUTH)["is_shapley"].any()


def test_median_and_mean_are_told_apart_and_the_interval_contains_the_mean():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(60, 4))
    off = truth + rng.lognormal(size=(60, 1)) * rng.normal(size=(60, 4))
    line = table_of(worlds.said(off), worlds.said(truth, method="shapley")).loc["relative_error"]
    by_hand = [np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in zip(off, truth, strict=True)]
    assert (line["median"], line["mean"]) == pytest.approx((np.median(by_hand), np.mean(by_hand)))
    assert line["median"] < line["low"] < line["mean"] < line["high"]
    pd.testing.assert_series_equal(line, table_of(worlds.said(off), worlds.said(truth, method="shapley")).loc["relative_error"])


def test_own_error_of_a_ground_truth_is_its_standard_error_as_a_share():
    spread = np.array([[0.3, 0.4, 0], [0, 0, 2.6]])  # a tenth and a fifth of the length
    sampled = dataclasses.replace(TRUTH, method="shapley", standard_errors=spread)
    assert error_of(sampled) == pytest.approx(0.15)
    assert set(table_of(FOUND, sampled)["truth_error"]) == {error_of(sampled)}
    assert error_of(TRUTH) == 0 == error_of(dataclasses.replace(TRUTH, standard_errors=np.zeros((2, 3))))
    failed = dataclasses.replace(sampled, values=[[3, 4, 0], [np.nan] * 3])
    assert error_of(failed) == pytest.approx(0.1)
    assert error_of(dataclasses.replace(sampled, values=np.zeros((2, 3)))) == 0


# What the truth is


def recorded(asked):
    def explain_nothing(model, rows, **how):
        asked.append(how)
        return TRUTH

    return explain_nothing


@pytest.mark.parametrize(
    ("width", "expected"),
    [(1, {"method": "exact_shapley"}), (16, {"method": "exact_shapley"}), (17, {"method": "shapley", "tolerance": 0.05})],
)
def test_ground_truth_is_exact_up_to_sixteen_columns(width, expected):
    schema = Schema(tuple(Feature(f"x{i}") for i in range(width)), worlds.TARGET)
    model, asked = BlackBox(lambda t: t["x0"], schema, scales=("logit",)), []
    ground_truth(model, np.ones((1, width)), background=None, scale="logit", seed=4, tolerance=0.05, explain=recorded(asked))
    assert asked == [expected | {"background": None, "scale": "logit", "seed": 4}]


def test_ground_truth_of_many_columns_says_how_sure_it_is():
    schema = Schema(tuple(Feature(f"x{i}") for i in range(17)), worlds.TARGET)
    model = BlackBox(lambda t: t["x0"] * t["x1"] * t["x3"] + t["x2"], schema, scales=("logit", "probability"))
    rows = np.random.default_rng(0).normal(size=(5, 17))
    found = ground_truth(model, rows[:2], background=rows[2:], scale="logit", tolerance=0.05)
    assert found.method == "shapley" and found.options == {"budget": None, "tolerance": 0.05} and 0 < error_of(found) < 0.05
    with pytest.raises(TypeError, match="tolerances"):
        ground_truth(model, rows[:2], background=rows[2:], scale="logit", tolerances=0.1)


def test_ground_truth_agrees_with_exact_methods_and_tells_how_far_the_others_are():
    case, model = worlds.table("mixed"), worlds.model("boosted", "mixed")
    shared = {"background": case[:9], "scale": "logit"}
    made = [explain(model, case[20:26], method=method, **shared) for method in ("tree_shap", "kernel_shap", "lime")]
    truth = ground_truth(model, case[20:26], **shared)
    table = compare(made, ground_truths=[truth]).distance_to_truth()
    pd.testing.assert_frame_equal(compare(made, judges=[truth]).errors(), table)  # the names of the version before
    found = table[table["measure"] == "relative_error"].set_index("method")
    assert list(found.index) == ["tree_shap", "kernel_shap", "lime"]
    assert (found["mean"][:2] < 1e-6).all() and found["mean"]["lime"] > 0.05
    assert found["is_shapley"].tolist() == [True, True, False] and set(found["truth_error"]) == {0}


@pytest.mark.parametrize(
    ("spoiled", "error", "message"),
    [
        ({"model": "trees"}, DlxError, "the ground truth must be of the same model: it is of trees, not of net"),
        (
            {"method": "lime"},
            DlxError,
            "a ground truth must be by shapley or exact_shapley, got lime; make one with dlx.comparison.ground_truth",
        ),
        ({"scale": "probability"}, AlignmentError, "must share the scale"),
        ({"background_id": "c"}, AlignmentError, "must share the background"),
        ({"index": LOANS}, AlignmentError, "must share the row names"),
        ({"rows": TRUTH.rows + 1}, AlignmentError, "must share the rows"),
    ],
)
def test_ground_truth_that_does_not_fit_is_refused(spoiled, error, message):
    with pytest.raises(error, match=message):
        distance_to_truth([FOUND], dataclasses.replace(TRUTH, **spoiled))
    if "model" not in spoiled:  # a comparison finds the ground truth of a model by its name
        with pytest.raises(error, match=message):
            compare(
                [FOUND, dataclasses.replace(FOUND, method="lime")], ground_truths=[dataclasses.replace(TRUTH, **spoiled)]
            ).distance_to_truth()


# In a comparison


def test_each_model_is_held_against_its_own_ground_truth():
    trees = dataclasses.replace(FOUND, model="trees", values=-FOUND.values)
    tree_truth = dataclasses.replace(TRUTH, model="trees", values=-FOUND.values)
    unknown = dataclasses.replace(FOUND, model="linear")
    table = compare([FOUND, trees, unknown], ground_truths=[tree_truth, TRUTH]).distance_to_truth(k=2)
    found = table[table["measure"] == "relative_error"].set_index("model")["mean"]
    assert found.to_dict() == {"net": pytest.approx(32**0.5 / 10), "trees": 0}


def test_comparison_without_a_ground_truth_says_how_to_get_one():
    other = dataclasses.replace(FOUND, method="lime")
    for truths in ([], [dataclasses.replace(TRUTH, model="trees")]):
        with pytest.raises(
            DlxError, match=r"no ground truth of these models; pass compare\(..., ground_truths=\[dlx.comparison.ground_truth\("
        ):
            compare([FOUND, other], ground_truths=truths).distance_to_truth()


# Rows without a number


def test_rows_without_a_truth_and_rows_that_failed_are_counted():
    truth = dataclasses.replace(TRUTH, **widened([[3, 4, 0], [0, 0, 0], [0, -5, 12], [1, 2, 3], [2, 2, 2]]))
    nothing = [np.nan] * 3
    found = dataclasses.replace(FOUND, **widened([[3, 4, 0], [1, 2, 3], nothing, [0, 0, 0], [2, 2, 3]]))
    table, by_row = table_of(found, truth, k=2), distance_by_row(found, truth, k=2)
    np.testing.assert_allclose(by_row["relative_error"], [0, np.nan, np.nan, 1, 1 / 12**0.5])
    assert table["rows"].to_dict() == {"relative_error": 3} | dict.fromkeys(list(MEASURES)[1:], 1)
    assert table["undefined"].to_dict() == {"relative_error": 1} | dict.fromkeys(list(MEASURES)[1:], 3)
    assert set(table["failed"]) == {1} and set(table[["rows", "undefined", "failed"]].sum(axis=1)) == {5}
    assert table.loc["relative_error", "median"] == pytest.approx(1 / 12**0.5)


@pytest.mark.parametrize("spoiled", [np.nan, np.inf])
@pytest.mark.parametrize("of_truth", [False, True])
def test_row_that_either_did_not_explain_has_failed(spoiled, of_truth):
    found, truth = FOUND, TRUTH
    if of_truth:
        truth = dataclasses.replace(TRUTH, values=[TRUTH.values[0], [0, spoiled, 12]])
    else:
        found = dataclasses.replace(FOUND, values=[FOUND.values[0], [0, spoiled, 12]])
    table = table_of(found, truth, k=2)
    assert set(table["rows"]) == {1} == set(table["failed"]) and set(table["undefined"]) == {0}
    assert table.loc["relative_error", "mean"] == pytest.approx(32**0.5 / 5)


def test_nobody_explained_gives_a_table_without_numbers():
    table = table_of(dataclasses.replace(FOUND, values=np.full((2, 3), np.nan)), TRUTH)
    assert table[["median", "mean", "low", "high"]].isna().all(axis=None)
    assert set(table["rows"]) == {0} and set(table["failed"]) == {2}


def widened(values):
    """Return the arrays of an explanation with more rows."""
    made = worlds.said(values)
    return {name: getattr(made, name) for name in ("values", "base_values", "outputs", "rows", "index")}


def test_one_feature_has_an_error_and_no_correlation():
    table = table_of(worlds.said([[2.0], [-1.0]]), worlds.said([[4.0], [1.0]], method="exact_shapley"))
    assert table["mean"].drop("rank_correlation").to_dict() == {"relative_error": 1.25, "feature_agreement": 1, "top_hit": 1}
    assert table.loc["rank_correlation", ["rows", "undefined"]].tolist() == [0, 2]


def test_more_top_features_than_there_are_is_all_of_them():
    assert table_of(FOUND, TRUTH, k=9)["mean"]["feature_agreement"] == 1
    with pytest.raises(DlxError, match="k must be at least 1, got 0"):
        distance_to_truth([FOUND], TRUTH, k=0)


def test_ties_for_the_first_place_are_a_hit_in_part():
    truth = worlds.said([[2, 2, 0]], method="exact_shapley")
    by_row = distance_by_row(worlds.said([[5, 1, 0]]), truth, k=1)
    assert by_row["top_hit"].tolist() == by_row["feature_agreement"].tolist() == [0.5]


def test_loan_ids_name_the_lines():
    found, truth = (dataclasses.replace(one, index=LOANS) for one in (FOUND, TRUTH))
    assert distance_by_row(found, truth)["row"].tolist() == [9001, 17]
    assert table_of(found, truth).drop(columns=["model"]).equals(table_of(FOUND, TRUTH).drop(columns=["model"]))
