"""Small helpers of arrays: columns without holes."""

from __future__ import annotations

import numpy as np

from dlx.arrays import filled_by_column


def test_holes_are_filled_by_the_mean_of_what_is_known_in_the_column():
    rows = np.array([[1.0, np.nan, 5.0], [3.0, np.nan, np.nan], [np.nan, np.nan, 7.0]])
    before = rows.copy()
    np.testing.assert_array_equal(filled_by_column(rows), [[1, 0, 5], [3, 0, 6], [2, 0, 7]])
    np.testing.assert_array_equal(rows, before)
    np.testing.assert_array_equal(filled_by_column(rows[:1, :1]), [[1]])
