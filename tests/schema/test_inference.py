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
    assert case.schema.names == ("sure", "when", "salary", "shop_id")
    assert {column.name: column.why for column in case.schema.carried} == {
        "Unnamed: 0": "a saved index",
        "customer_no": "an id",
        "run": "an id",
        "card": "an id",
        "code": "an id",
        "note": "free text",
        "currency": "a constant",
        "empty": "no value at all",
    }
    assert [column.position for column in case.schema.carried] == [0, 2, 3, 4, 5, 6, 7, 8]
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
        (frame()["age"], "a table must be a DataFrame of pandas, .*, got Series"),
    ],
)
def test_a_frame_that_is_no_table_is_one_line(table, said):
    with pytest.raises(SchemaError, match=said) as refused:
        from_frame(table, infer_schema(table, "y"))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "column",
    [
        pd.to_timedelta(range(ROWS)),
        pd.period_range("2024", periods=ROWS),
        [f"{1 + i % 12}/{1 + i % 7}/2024" for i in range(ROWS)],  # a day may be a month
        [f"{1 + i % 28}.{1 + i % 12}." for i in range(ROWS)],
        pd.Categorical(pd.date_range("2024", periods=2).tolist() * 20),
        [datetime.time(i % 24) for i in range(ROWS)],
    ],
)
def test_times_that_are_no_day_or_more_than_one_are_set_aside(column):
    schema = infer_schema(frame(z=column), "y")
    is_either = isinstance(column, list) and column[0] == "1/1/2024"
    why = 'a date whose day may be its month (a schema says which: date = "%d/%m/%Y")' if is_either else "a date or a time"
    assert schema.names == ("age",) and schema.carried[0].why == why
    assert "z" in from_frame(frame(z=column), schema).table


DAYS = [datetime.date(2019, 11, 27) + datetime.timedelta(days=37 * i) for i in range(ROWS)]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(pd.to_datetime(DAYS)),
        pd.Series(pd.to_datetime(DAYS)).dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"),
        pd.Series(DAYS, dtype=object),
        pd.Series([int(f"{day:%Y%m%d}") for day in DAYS]),
        pd.Series(["", *(f"{day:%d.%m.%Y}" for day in DAYS[1:])]).replace("", np.nan),
        *(pd.Series([f"{day:{spelled}}" for day in DAYS]) for spelled in ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%y", "%b %d, %Y")),
    ],
)
def test_dates_are_days_since_1970_and_come_back_as_the_table_holds_them(column):
    case = from_frame(frame(z=column), infer_schema(frame(z=column), "y"))
    days = [(day - datetime.date(1970, 1, 1)).days for day in DAYS]
    known = column.notna().to_numpy()
    np.testing.assert_array_equal(case.rows[known, 1], np.array(days)[known])
    assert np.isnan(case.rows[~known, 1]).all()
    pd.testing.assert_series_equal(case.frame["z"], case.table["z"])
    feature = case.schema["z"]
    assert feature.format(case.rows[3, 1]) == DAYS[3].isoformat() and feature.unit == "days since 1970-01-01"
    assert feature.format(case.rows[3, 1] + 0.75) == f"{DAYS[3].isoformat()} 18:00"
    assert case.reading["z"].done == (f"dates, {feature.date}: days since 1970-01-01",)
    again = dlx.Schema.from_dict(case.schema.to_dict())
    np.testing.assert_array_equal(again.encode(case.frame), case.rows)


def test_a_model_of_one_s_own_reads_dates_as_the_table_holds_them():
    table = frame(z=[f"{day:%d.%m.%Y}" for day in DAYS])
    case = from_frame(table, infer_schema(table, "y"))
    model = dlx.wrap(lambda rows: pd.to_datetime(rows["z"], format="%d.%m.%Y").dt.year / 3000, case, scale="probability")
    np.testing.assert_allclose(model.predict(case, "probability"), [day.year / 3000 for day in DAYS])
    made = dlx.explain(model, case[:3], method="shapley", background=case[3:9], scale="probability")
    assert (made.values[:, 0] == 0).all() and (made.values[:, 1] != 0).any()


def test_a_cell_that_is_no_date_of_the_schema_is_named():
    from dlx.schema import Feature

    with pytest.raises(SchemaError, match=r"row 1: expected a date as %d\.%m\.%Y, got '2024-01-31'"):
        Feature("when", date="%d.%m.%Y").encode(pd.Series(["31.01.2024", "2024-01-31"]))
    with pytest.raises(SchemaError, match="has dates, which are numbers, but its kind is categorical"):
        Feature("when", kind="categorical", levels=("a", "b"), date="%Y")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.arange(ROWS) % 15, "regression"),
        (np.arange(ROWS) % 10, "multiclass"),
        (np.arange(ROWS) % 4 / 2, "regression"),
        (np.arange(ROWS) % 2 / 2, "binary"),
        ([f"class {i % 15}" for i in range(ROWS)], "multiclass"),
    ],
)
def test_many_numbers_are_values_to_predict_and_no_classes(values, kind):
    assert infer_schema(frame(z=values), "z").target.kind == kind


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
