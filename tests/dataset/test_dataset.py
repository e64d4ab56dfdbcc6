"""Tables from files, and splits: nothing shifted, filled or dropped in silence."""

from __future__ import annotations

import dataclasses
import gzip
import itertools
import lzma

import numpy as np
import pandas as pd
import pytest
import worlds

from dlx.dataset import Dataset, read_frame, read_table
from dlx.schema import Feature, Schema, SchemaError, Target

pytestmark = pytest.mark.doors

CSV = 'job,pay,bad\nNA,1.5,0\nNone,,1\n"nurse, night",3,0\nnull,4,1\n'


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".csv.xz", ".parquet"])
def test_file_is_read_as_it_is_spelled_and_only_an_empty_cell_is_missing(tmp_path, suffix):
    path = tmp_path / f"loans{suffix}"
    if suffix == ".parquet":
        pd.DataFrame({"job": ["NA", "None", "nurse, night", "null"], "pay": [1.5, None, 3, 4], "bad": [0, 1, 0, 1]}).to_parquet(
            path
        )
    else:
        compress = {".csv": bytes, ".csv.gz": gzip.compress, ".csv.xz": lzma.compress}[suffix]
        path.write_bytes(compress(b"\xef\xbb\xbf" + CSV.encode()))
    loans = read_table(path, target="bad")
    assert loans.name == "loans" and loans.schema["job"].levels == ("NA", "None", "null", "nurse, night")
    np.testing.assert_array_equal(loans.rows, [[0, 1.5], [1, np.nan], [3, 3], [2, 4]])
    np.testing.assert_array_equal(loans.outcomes, [0, 1, 0, 1])
    np.testing.assert_array_equal(read_table(path, schema=loans.schema).rows, loans.rows)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n3,4,5\n", "line 3 has 3 fields, but the header has 2; quote a value"),
        ("a,b\n1,2,3\n4,5,6\n", "line 2 has 3 fields, but the header has 2"),
        ("a,b\n1,2\n3\n", "line 3 has 1 field, but the header has 2"),
        ("a,b,a\n1,2,3\n", "columns of the same name: a; rename them"),
        ("a,b\n", "has no rows"),
        ("", "cannot read"),
        ("a,b\n1,\udcff\n", "cannot read"),
    ],
)
def test_malformed_csv_is_an_error_that_names_the_file(tmp_path, content, message):
    path = tmp_path / "odd.csv"
    path.write_text(content, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(SchemaError, match=rf"odd\.csv.*{message}|{message}.*odd\.csv"):
        read_frame(path)


@pytest.mark.parametrize(("name", "message"), [("no.csv", "there is no file"), ("a.xlsx", r"must be a \.csv or a \.parquet")])
def test_no_file_and_another_kind_of_file_are_errors(tmp_path, name, message):
    (tmp_path / "a.xlsx").write_text("x")
    with pytest.raises(SchemaError, match=f"{message}.*|{name}"):
        read_frame(tmp_path / name)


@pytest.mark.parametrize("suffix", [".parquet", ".csv.gz", ".csv.xz"])
@pytest.mark.parametrize("share", [0, 0.5])
def test_truncated_file_is_an_error(tmp_path, suffix, share):
    path = tmp_path / f"whole{suffix}"
    frame = worlds.table("numeric").frame
    frame.to_parquet(path) if suffix == ".parquet" else frame.to_csv(path, index=False)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(SchemaError, match="whole"):
        read_frame(path)


def test_table_without_schema_or_target_asks_for_one(tmp_path):
    path = tmp_path / "loans.csv"
    path.write_text(CSV)
    with pytest.raises(SchemaError, match=r"which column .* is the target.*one of job, pay, bad"):
        read_table(path)


@pytest.mark.parametrize("seed", [0, 5])
def test_splits_are_disjoint_complete_stratified_and_a_function_of_the_seed(seed):
    case = worlds.table("mixed")
    parts = case.split(seed)
    assert [len(part) for part in parts] == [180, 60, 60]
    ids = [set(part.index) for part in parts]
    assert set.union(*ids) == set(case.index) and not any(a & b for a, b in itertools.combinations(ids, 2))
    for part, again in zip(parts, case.split(seed), strict=True):
        assert part.outcomes.mean() == pytest.approx(case.outcomes.mean(), abs=0.5 / 60 + 0.01)
        np.testing.assert_array_equal(part.index, again.index)
        np.testing.assert_array_equal(part.rows, case.rows[np.isin(case.index, part.index)])
    assert set(case.split(seed + 1).test.index) != ids[2]


def test_split_that_cannot_be_is_an_error():
    schema = Schema((Feature("x"),))
    with pytest.raises(SchemaError, match="'table' has no outcomes"):
        Dataset(schema, np.zeros((9, 1))).split()
    with pytest.raises(SchemaError, match=r"'table' cannot be split .*, got 9 rows, of which 1 with the outcome '1'"):
        Dataset(schema, np.zeros((9, 1)), outcomes=np.eye(9)[0]).split()


def test_regression_is_split_without_strata():
    schema = Schema((Feature("x"),), Target("y", "regression"))
    assert len(Dataset(schema, np.zeros((50, 1)), outcomes=np.arange(50)).test) == 10


def test_background_is_drawn_from_the_training_rows_by_its_seed(case):
    drawn = case.background(20, seed=1)
    assert len(drawn) == len(set(drawn.index)) == 20 and set(drawn.index) <= set(case.train.index)
    np.testing.assert_array_equal(drawn.rows, case.background(20, seed=1).rows)
    assert set(drawn.index) != set(case.background(20, seed=2).index)
    assert len(case.background(10_000)) == len(case.train)
    with pytest.raises(ValueError, match="at least 1 row, got size=0"):
        case.background(0)


@pytest.mark.parametrize("which", [3, -1, np.int64(0), slice(2, 9, 3), [4, 1], np.arange(300) % 7 == 0])
def test_slices_carry_everything_along(case, which):
    some = Dataset(case.schema, case.rows, case.outcomes, case.index, extra={"site": np.arange(300)})[which]
    where = np.atleast_1d(np.arange(300)[which])
    np.testing.assert_array_equal(some.rows, case.rows[where])
    np.testing.assert_array_equal(some.outcomes, case.outcomes[where])
    np.testing.assert_array_equal(some.index, case.index[where])
    np.testing.assert_array_equal(some.extra["site"], where)


def test_iteration_ends_and_arrays_do_not_change(case):
    assert sum(len(one) for one in case[:7]) == 7
    with pytest.raises(IndexError):
        case[300]
    with pytest.raises(ValueError, match="read-only"):
        case.rows[0, 0] = 1
    with pytest.raises(SchemaError, match="outcomes must have one entry a row: 2 for 300 rows"):
        Dataset(case.schema, case.rows, outcomes=np.zeros(2))


def test_checksum_tells_rows_outcomes_and_schema_apart(case):
    def restated(**changes):
        features = tuple(dataclasses.replace(f, **changes) for f in case.schema.features)
        return Dataset(Schema(features, case.schema.target), case.rows, case.outcomes)

    others = [
        Dataset(case.schema, case.rows), Dataset(case.schema, case.rows, 1 - case.outcomes), case[::-1],
        restated(missing=True, ordered=True),
    ]  # fmt: skip
    assert len({case.sha256, *(other.sha256 for other in others)}) == 5
    assert case.sha256 == restated(label="x", reason="y", description="z").sha256
