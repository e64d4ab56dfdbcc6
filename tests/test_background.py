"""Reference rows: k-means centres as shap has them, samples, and who is most like whom."""

from __future__ import annotations

import numpy as np
import pytest
import shap
import worlds

from dlx.background import gower, k_means, k_means_background, nearest, sample
from dlx.errors import DlxError
from dlx.schema import Feature, Schema


def test_a_sample_keeps_the_order_of_rows_and_is_all_of_few():
    rows = np.arange(20.0)[:, None]
    some = sample(rows, 7, seed=3)
    assert len(some) == 7 and (np.diff(some[:, 0]) > 0).all()
    assert sample(rows, 20) is rows


def test_centres_are_shaps():
    rows = np.round(np.random.default_rng(1).normal(size=(200, 4)), 2)
    expected = shap.kmeans(rows, 5)
    found, counts = k_means(rows, 5)
    np.testing.assert_allclose(np.sort(found, axis=0), np.sort(expected.data, axis=0))
    np.testing.assert_allclose(np.sort(counts / 200), np.sort(expected.weights))


def test_centres_cope_with_missing_values_and_refuse_too_many():
    rows = worlds.table("mixed").rows
    found, _ = k_means(rows, 4)
    assert not np.isnan(found).any()
    assert all(set(found[:, i]) <= set(rows[:, i]) for i in range(rows.shape[1]))
    with pytest.raises(DlxError, match="1 to 300 centres"):
        k_means(rows, 301)


def test_summary_is_that_of_shap_on_complete_data():
    rows = worlds.table("numeric").rows[:50]
    expected = shap.kmeans(rows, 10)
    found, counts = np.unique(k_means_background(rows, 10, 50, seed=0), axis=0, return_counts=True)
    order = np.lexsort(expected.data.T[::-1])
    np.testing.assert_allclose(found, expected.data[order])
    np.testing.assert_array_equal(counts, (expected.weights * 50).round()[order])  # shap scales its weights to 1


@pytest.mark.parametrize("size", [3, 9, 10, 37, 500])
def test_summary_has_as_many_rows_as_asked_for_in_proportion(size):
    rows = worlds.table("numeric").rows[:50]
    found, counts = np.unique(k_means_background(rows, 5, size, seed=0), axis=0, return_counts=True)
    whole, shares = np.unique(k_means_background(rows, 5, 50, seed=0), axis=0, return_counts=True)
    assert counts.sum() == size and len(found) == min(5, size)
    exact = [size * shares[(whole == row).all(axis=1)][0] / 50 for row in found]
    assert (np.abs(counts - exact) < 1).all()


def test_summary_holds_only_what_occurs_in_a_column_also_where_values_are_missing():
    rows = worlds.table("mixed").rows[:60].copy()
    rows[:20, 1] = np.nan  # a group of its own, whose mean of codes is no level
    found = k_means_background(rows, 10, 9, seed=0)
    assert found.shape == (9, 5) and all(np.isin(found[:, i], rows[:, i]).all() for i in range(5))
    worlds.MIXED.check(found)


def test_few_distinct_rows_are_their_own_summary_and_an_empty_column_stays_empty():
    rows = np.repeat([[1.0, 2.0], [3.0, 5.0]], [6, 3], axis=0)
    found, counts = np.unique(k_means_background(rows, 10, 3, seed=0), axis=0, return_counts=True)
    assert found.tolist() == [[1, 2], [3, 5]] and counts.tolist() == [2, 1]
    np.testing.assert_array_equal(k_means_background(np.array([[np.nan, 1.0], [np.nan, 2.0]]), 10, 2, seed=0)[:, 0], np.nan)


def test_gower_counts_missing_and_constant_columns():
    schema = Schema((Feature("a", missing=True), Feature("b", "categorical", levels=("u", "v"), missing=True), Feature("c")))
    background = np.array([[0.0, 0, 7], [4, 1, 7], [np.nan, np.nan, 7]])
    rows = np.array([[1.0, 1, 7], [np.nan, np.nan, 8]])
    expected = np.array([[0.25 + 1 + 0, 0.75 + 0 + 0, 1 + 1 + 0], [1 + 1 + 1, 1 + 1 + 1, 0 + 0 + 1]]) / 3
    np.testing.assert_allclose(gower(schema, rows, background), expected)
    assert nearest(schema, rows, background, 2).tolist() == [[1, 0], [2, 0]]
