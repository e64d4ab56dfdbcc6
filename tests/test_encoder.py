"""Original columns to dense ones and back."""

from __future__ import annotations

import numpy as np
import pytest
import worlds

from dlx.encoder import Encoder
from dlx.schema import Feature, Schema

pytestmark = pytest.mark.doors


def test_dense_rows_are_what_the_docstring_says():
    schema = Schema(
        (
            Feature("n", missing=True),
            Feature("c", "categorical", levels=("a", "b"), missing=True),
            Feature("o", "categorical", levels=("low", "middle", "high"), ordered=True, missing=True),
            Feature("m"),
        )
    )
    encoder = Encoder(schema, center=[10, 0, 0, 0], scale=[2, 1, 1, 1])
    dense = encoder.transform(np.array([[14, 0, 0, 5], [np.nan, 1, 1, 6], [10, np.nan, 2, 7], [10, 0, np.nan, 7]]))
    expected = [
        [2, 0, 1, 0, 0, -0.5, -0.5, 0, 5],
        [0, 1, 0, 1, 0, 0.5, -0.5, 0, 6],
        [0, 0, 0, 0, 1, 0.5, 0.5, 0, 7],
        [0, 0, 1, 0, 0, 0, 0, 1, 7],
    ]
    np.testing.assert_array_equal(dense, expected)
    assert dense.dtype == np.float32 and encoder.width == 9 and encoder.widths == (2, 3, 3, 1)
    np.testing.assert_array_equal(encoder.owner, [0, 0, 1, 1, 1, 2, 2, 2, 3])


def test_every_dense_column_has_a_name():
    schema = Schema(
        (
            Feature("n", missing=True),
            Feature("c", "categorical", levels=("a", "b"), missing=True),
            Feature("o", "categorical", levels=("low", "middle", "high"), ordered=True, missing=True),
            Feature("only", "categorical", levels=("x",), ordered=True),
            Feature("m"),
        )
    )
    encoder = Encoder.fit(schema, np.zeros((2, 5)))
    assert encoder.names == (
        "n", "n is missing", "c = a", "c = b", "c is missing", "o > low", "o > middle", "o is missing", "only = x", "m",
    )  # fmt: skip
    assert len(encoder.names) == encoder.width


def test_identity_leaves_numbers_as_they_are():
    rows = np.array([[1.5, -2.0], [1e6, 0.25]])
    encoder = Encoder.identity(Schema((Feature("a"), Feature("b"))))
    np.testing.assert_array_equal(encoder.transform(rows), rows)
    np.testing.assert_array_equal(encoder.fold(rows), rows)


def test_fitted_encoder_standardises_what_is_known(world, case):
    encoder = worlds.encoder(world)
    dense = encoder.transform(case.rows)
    for i, feature in enumerate(case.schema.features):
        own = dense[:, encoder.starts[i]]
        if not feature.is_categorical:
            known = own[~np.isnan(case.rows[:, i])]
            np.testing.assert_allclose([known.mean(), known.std()], [0, 1], atol=1e-5)
            np.testing.assert_array_equal(own[np.isnan(case.rows[:, i])], 0)
        elif not feature.ordered:
            np.testing.assert_array_equal(dense[:, encoder.owner == i].sum(axis=1), 1)


def test_constant_and_unknown_columns_are_left_as_they_are():
    schema = Schema((Feature("constant"), Feature("unknown", missing=True)))
    encoder = Encoder.fit(schema, np.array([[3, np.nan], [3, np.nan]]))
    np.testing.assert_array_equal(encoder.transform(np.array([[4, 2.0]])), [[1, 2, 0]])


def test_fold_sums_with_signs_to_the_owner(world):
    encoder = worlds.encoder(world)
    dense = np.random.default_rng(0).normal(size=(3, encoder.width)).astype(np.float32)
    expected = [dense[:, encoder.owner == i].sum(axis=1, dtype=float) for i in range(len(encoder.schema))]
    np.testing.assert_allclose(encoder.fold(dense), np.transpose(expected))


@pytest.mark.parametrize("center", [[0.0], [0, 0, 0, 0, np.nan]])
def test_numbers_that_do_not_fit_are_refused(center):
    with pytest.raises(ValueError, match="center must be 5 finite numbers"):
        Encoder(worlds.NUMERIC, center, np.ones(5))
