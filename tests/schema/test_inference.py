"""The schema that a table suggests, of a file or of Python's."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest
from written import ROWS, frame, read, written

import dlx
from dlx.dataset import from_frame
from dlx.schema import SchemaError, infer_schema

pytestmark = pytest.mark.doors


def test_columns_that_are_no_features_are_carried_along_and_named(tmp_path):
    rng = np.random.default_rng(0)
    rows, texts = (
        120,
        {
            "": map(str, range(120)),
            "sure": (f"{v:.9f}" for v in rng.normal(size=120)),
            "customer_no": map(str, rng.permutation(10**6)[:120]),
            "run": map(str, 500 + rng.permutation(120)),
            "card": (str(10**18 + int(v)) for v in rng.permutation(10**6)[:120]),
            "code": (f"K-{v}" for v in rng.permutation(10**6)[:120]),
            "note": (f"called {v} times in May" for v in rng.permutation(10**6)[:120]),
            "currency": ["EUR"] * 120,
            "empty": [""] * 120,
            "when": (f"{d % 28 + 1}.{d % 12 + 1}.2024" for d in range(120)),
            "salary": map(str, rng.permutation(10**6)[:120]),
            "shop_id": map(str, rng.integers(5, size=120)),
        },
    )
    table = pd.DataFrame({name: list(cells) for name, cells in texts.items()}).assign(y=["no", "yes"] * (rows // 2))
    table.to_csv(tmp_path / "loans.csv", index=False)
    case = dlx.read_table(tmp_path / "loans.csv", target="y")
    assert case.schema.names == ("sure", "salary", "shop_id")
    assert {column.name: column.why for column in case.schema.carried} == {
        "Unnamed: 0": "a saved index",
        "customer_no": "an id",
        "run": "an id",
        "card": "an id",
        "code": "an id",
        "note": "free text",
        "currency": "a constant",
        "empty": "no value at all",
        "when": "a date or a time",
    }
    assert [column.position for column in case.schema.carried] == [0, 2, 3, 4, 5, 6, 7, 8, 9]
    assert case.table["card"].tolist() == list(map(int, table["card"])) and len(case.table.columns) == 12
    told = case.reading.to_frame().set_index("column")["taken for"]
    assert told["run"] == "set aside" and told["salary"] == "numeric" and told["y"] == "outcome"
    kept = dlx.read_table(tmp_path / "loans.csv", target="y", keep=["customer_no"], categorical=["shop_id"])
    assert kept.schema["customer_no"].kind == "numeric" and kept.schema["shop_id"].levels == tuple("01234")
    assert kept[3:5].table.equals(kept.table.iloc[3:5])


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        ({"x": range(30)}, ("x",)),
        ({"number_credits": [i % 4 for i in range(30)]}, ("number_credits",)),
        ({"no_of_rooms": range(100, 130)}, ("no_of_rooms",)),
        ({"order": [30 - i for i in range(30)]}, ("order",)),
        ({"amount": np.arange(30) * 1.5}, ("amount",)),
        ({"month": list(range(1, 13)) * 2 + list(range(1, 7))}, ("month",)),
    ],
)
def test_sound_columns_are_features(columns, names):
    table = pd.DataFrame({"first": np.tile([3.5, 1.5, 2.5], 10), **columns, "y": [0, 1] * 15})
    schema = infer_schema(table, "y")
    assert schema.names == ("first", *names) and not schema.carried


def test_a_table_of_nothing_to_learn_from_is_refused(tmp_path):
    path = written(tmp_path / "ids.csv", {"id": [f"C{i}" for i in range(ROWS)], "when": ["2024-01-02"] * ROWS})
    with pytest.raises(SchemaError, match="no column is left to learn from: column 'id' is an id; leave it out"):
        dlx.read_table(path, target="y")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (pd.DataFrame(np.zeros((9, 2))).assign(y=[0, 1, 0] * 3), "column names must be text, got 0"),
        (frame().set_axis(pd.MultiIndex.from_product([["a"], ["age", "y"]]), axis=1), "got .* of several levels"),
        (frame().rename(columns={"age": ""}), "column names must be text, got ''"),
        (pd.concat([frame(), frame()[["age"]]], axis=1), "columns of the same name: age"),
        (frame(z=[1 + 1j] * ROWS), "column 'z' holds complex"),
        (frame(z=[[1]] * ROWS), "column 'z' holds list"),
        (frame(z=[b"a"] * ROWS), "column 'z' holds bytes"),
        (frame(z=[1, "NA"] * 20), r"mixes int \(1, row 0\) and str \('NA', row 1\)"),
        (frame(z=pd.Series([True, 1] * 20, dtype=object)), "mixes bool"),
        (frame(z=[f"{i}.25" for i in range(ROWS)]), "is text that spells numbers; convert it with pandas.to_numeric"),
        (frame(z=[f"{i},25" for i in range(ROWS)]), "is text that spells numbers"),
        (frame(z=["", "b"] * 20), "has a level without text"),
        (frame(z=["1", "1.0"] * 20), "the same but for their spelling: '1' and '1.0'"),
        (frame(z=np.array([2**60 + i % 7 for i in range(ROWS)])), r"is a whole number beyond 2\*\*53"),
        (frame(z=[np.inf, 1.0] * 20), "column 'z', row 0: expected a finite number, got inf"),
        (frame(z=[1e39, 1.0] * 20), "column 'z', row 0: expected a finite number of at most 3.4e38"),
        (frame()["age"], "a table must be a pandas DataFrame, got Series"),
    ],
)
def test_a_frame_that_is_no_table_is_one_line(table, said):
    with pytest.raises(SchemaError, match=said) as refused:
        from_frame(table, infer_schema(table, "y"))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "column",
    [
        pd.date_range("2024", periods=ROWS),
        pd.date_range("2024", periods=ROWS, tz="UTC"),
        pd.to_timedelta(range(ROWS)),
        pd.period_range("2024", periods=ROWS),
        [datetime.date(2024, 1, 1 + i % 28) for i in range(ROWS)],
        ["2024-01-02", "2024-01-03"] * 20,
        pd.Categorical(pd.date_range("2024", periods=2).tolist() * 20),
        [datetime.time(i % 24) for i in range(ROWS)],
    ],
)
def test_dates_of_a_frame_are_set_aside(column):
    schema = infer_schema(frame(z=column), "y")
    assert schema.names == ("age",) and schema.carried[0].why == "a date or a time"
    assert "z" in from_frame(frame(z=column), schema).table


@pytest.mark.parametrize(
    "column",
    [
        pd.array([None, 1, 2, 3] * 10, dtype="Int64"),
        pd.array([0.5, None] * 20, dtype="Float64"),
        pd.array(["a", None] * 20, dtype="string"),
        pd.array([None, 1] * 20, dtype="int64[pyarrow]"),
        np.arange(ROWS, dtype="float16"),
        np.arange(ROWS, dtype="int8") % 5,
        pd.Categorical(["b", "a"] * 20, ["b", "a", "c"], ordered=True),
        pd.Categorical([3, 1] * 20),
        [True, False] * 20,
        pd.Series([True, None] * 20, dtype=object),
        pd.arrays.SparseArray(np.arange(ROWS) % 3 * 1.0),
        np.array([0, 2**63] * 20, dtype="uint64"),
    ],
)
def test_a_frame_comes_back_with_its_dtypes(column):
    table = frame(z=column)
    pd.testing.assert_series_equal(from_frame(table, infer_schema(table, "y")).frame["z"], table["z"])


def test_a_number_is_no_date_of_a_schema():
    from dlx.schema import Feature

    for cells in (pd.date_range("2024", periods=2), pd.to_timedelta([1, 2]), ["2024-01-01", "1"], ["1_000", "1"]):
        with pytest.raises(SchemaError, match="row 0: expected a finite number"):
            Feature("x").encode(pd.Series(cells))


def test_whole_numbers_that_no_double_is_are_ids_or_refused(tmp_path):
    for digits in (17, 25, 400, 5000):
        ids = read(tmp_path, card=["7" * (digits - 2) + f"{i:02d}" for i in range(ROWS)])
        assert ids.schema.carried[0].why == "an id" and str(ids.table["card"][5]) == "7" * (digits - 2) + "05"
        with pytest.raises(SchemaError, match=r"column 'card', row 0: 7.* is a whole number beyond 2\*\*53"):
            read(tmp_path, card=["7" * (digits - 1) + str(i % 9) for i in range(ROWS)])
