"""Frames of other libraries: the same Dataset as of pandas', the same explanations, and read by models in their own kind."""

from __future__ import annotations

import datetime

import duckdb
import numpy as np
import pandas as pd
import polars
import pyarrow as pa
import pytest

import dlx
from dlx.dataset import from_frame
from dlx.schema import infer_schema
from dlx.schema.frames import as_pandas, in_kind, kind_of_frame

pytestmark = pytest.mark.doors
ROWS = 60


def held() -> pa.Table:
    """Loans with a gap in each kind of column."""
    gap = [i % 7 == 3 for i in range(ROWS)]
    columns = {
        "pay": pa.array(np.arange(ROWS) / 4, mask=np.array(gap)),
        "terms": pa.array([None if g else i % 5 for i, g in enumerate(gap)], pa.int32()),
        "plan": pa.array([None if g else "abc"[i % 3] for i, g in enumerate(gap)]),
        "owner": pa.array([None if g else i % 2 == 0 for i, g in enumerate(gap)]),
        "issued": pa.array([datetime.date(2020, 1, 1) + datetime.timedelta(days=i) for i in range(ROWS)]),
        "bad": pa.array([i % 3 == 0 for i in range(ROWS)]),
    }
    return pa.table(columns)


def as_kind(kind: str):
    """Return the loans as a frame of a library."""
    if kind == "duckdb":
        return duckdb.from_arrow(held())
    if kind.startswith("polars"):
        frame = polars.from_arrow(held())
        return frame.lazy() if kind == "polars lazy" else frame
    return held()


KINDS = ("pyarrow", "polars", "polars lazy", "duckdb")


@pytest.mark.parametrize("kind", KINDS)
def test_a_frame_of_any_kind_is_the_same_case(kind):
    frame, table = as_kind(kind), as_pandas(held())
    assert table["terms"].dtype == "Int32" and pd.isna(table["terms"][3])
    case, plain = (from_frame(one, infer_schema(one, "bad", split="time:issued")) for one in (frame, table))
    np.testing.assert_array_equal(case.rows, plain.rows)
    assert case.schema == plain.schema and case.sha256 == plain.sha256 and plain.frames == ""
    pd.testing.assert_frame_equal(case.table, plain.table)
    assert case.schema.names == ("pay", "terms", "plan", "owner") and len(case.test) == 12


@pytest.mark.parametrize("kind", ["pyarrow", "polars"])
def test_a_model_reads_frames_as_they_came(kind):
    frame = as_kind(kind)
    case = from_frame(frame, infer_schema(frame, "bad"))
    types = {
        name: frame.schema.field(name).type if kind == "pyarrow" else frame.schema[name] for name in ("pay", "terms", "owner")
    }
    library, met = type(frame), []

    def predict(rows):
        assert isinstance(rows, library)
        met.append(
            all((rows.schema.field(name).type if kind == "pyarrow" else rows.schema[name]) == types[name] for name in types)
        )
        terms = rows["terms"].to_numpy(zero_copy_only=False) if kind == "pyarrow" else rows["terms"].to_numpy()
        return 0.1 + np.nan_to_num(np.asarray(terms, dtype=float)) / 10

    model = dlx.wrap(predict, case)
    expected = predict(frame)
    np.testing.assert_allclose(model.predict(case, "probability"), expected)
    np.testing.assert_allclose(model.predict(frame, "probability"), expected)
    made = dlx.explain(model, frame[:3], method="shapley", background=frame[3:9], scale="probability")
    again = dlx.explain(model, case[:3], method="shapley", background=case[3:9], scale="probability")
    np.testing.assert_array_equal(made.values, again.values)
    assert np.mean(met) > 0.5, "a whole number that is mixed with none of its own stays whole"
    assert kind_of_frame(in_kind(case.table, kind)) == kind


def test_what_is_no_frame_is_left_alone():
    for thing in (np.zeros(3), [1, 2], None, "loans.csv", pd.Series([1])):
        assert as_pandas(thing) is thing and kind_of_frame(thing) == ""
