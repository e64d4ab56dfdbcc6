"""Small helpers of arrays: lengths of rows, and columns without holes."""

from __future__ import annotations

import numpy as np

from dlx.arrays import filled_by_column, row_norms


def test_lengths_of_rows():
    found = row_norms(np.array([[3.0, 4.0], [0, 0], [-1, 0], [np.nan, 1]]))
    np.testing.assert_array_equal(found, [5, 0, 1, np.nan])
    assert row_norms(np.zeros((0, 3))).shape == (0,)


def test_holes_are_filled_by_the_mean_of_what_is_known_in_the_column():
    rows = np.array([[1.0, np.nan, 5.0], [3.0, np.nan, np.nan], [np.nan, np.nan, 7.0]])
    before = rows.copy()
    np.testing.assert_array_equal(filled_by_column(rows), [[1, 0, 5], [3, 0, 6], [2, 0, 7]])
    np.testing.assert_array_equal(rows, before)
    np.testing.assert_array_equal(filled_by_column(rows[:1, :1]), [[1]])
