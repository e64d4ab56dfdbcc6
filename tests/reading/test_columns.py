"""Columns of a file are what their cells are, or refused in one line."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from written import ROWS, read, spelled, written

import dlx
from dlx.schema import SchemaError
from dlx.schema.cells import MARKS, look_at, number_of
from dlx.schema.numerals import is_ambiguous, numerals_of

pytestmark = pytest.mark.doors


def test_a_zip_code_has_its_levels_however_late_a_word_comes(tmp_path):
    rows = 20_000
    zips = [f"{i % 50:05d}" for i in range(rows - 50)] + ["abroad"] * 50
    pd.DataFrame({"zip": zips, "x": np.arange(rows) % 7, "y": np.arange(rows) % 2}).to_csv(tmp_path / "zip.csv", index=False)
    case = dlx.read_table(tmp_path / "zip.csv", target="y")
    assert len(case.schema["zip"].levels) == 51 and set(case.table["zip"]) == set(zips)


@pytest.mark.parametrize(
    "mark", ["NA", "N/A", "n/a", "NaN", "null", "NULL", "None", "?", "-", "--", ".", "#N/A", "missing", " "]
)
def test_a_mark_of_missing_among_numbers_is_missing_and_said(tmp_path, mark):
    case = read(tmp_path, pay=spelled(mark), when=spelled(mark, like=lambda i: f"2024-01-{i % 28 + 1:02d}"))
    assert not case.schema["pay"].is_categorical and np.flatnonzero(np.isnan(case.rows[:, 1])).tolist() == [7]
    assert np.flatnonzero(np.isnan(case.rows[:, 2])).tolist() == [7] and case.schema["when"].date == "%Y-%m-%d"
    for name in ("pay", "when"):
        assert case.reading[name].done[-1] == f"missing: {mark!r} in 1 row, first in row 7"
        assert pd.isna(case.table[name][7])
    assert any(line.startswith("pay: numeric; missing:") for line in case.reading.lines())


def test_every_mark_is_one_in_upper_case_too():
    assert all(mark == mark.lower() for mark in MARKS) and all(number_of(mark) is None for mark in MARKS)


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (
            "oops",
            r"nearly all numbers \(39 of 40 values\), but not 'oops' in 1 row, first in row 7; .*--missing.*--categorical",
        ),
        ("unknown", "'unknown' in 1 row, first in row 7"),
        ("1,234", "'1,234' in 1 row, first in row 7; write all numbers without separators"),
        ("12 EUR", "'12 EUR' in 1 row, first in row 7; write all numbers without separators"),
        ("5%", "write all numbers without"),
        ("007", "'007' in 1 row, first in row 7; .*leading zeros"),
        ("1_000", "'1_000' in 1 row"),
        ("0x1F", "'0x1F' in 1 row"),
        ("#REF!", "'#REF!' in 1 row"),
        ("inf", "row 7: numbers must be finite, got 'inf'"),
        ("-Infinity", "row 7: numbers must be finite"),
        ("1e400", "row 7: numbers must be finite, got '1e400'"),
        ("-1e39", "row 7: numbers must lie within 3.4e38, as models compute in float32"),
        ("9" * 5000, "row 7: numbers must be finite"),
        ("5" * 400 + "x" * 400, "nearly all numbers"),
    ],
)
def test_other_text_among_numbers_is_an_error_that_names_it(tmp_path, cell, said):
    with pytest.raises(SchemaError, match=f"column 'pay'.*{said}"):
        read(tmp_path, pay=spelled(cell))


@pytest.mark.parametrize("cell", ["1e-300", "5.4e-79", "-.5", "+3", "1.", "1E5", " 4 ", "\u22125", "3.4e38"])
def test_numbers_are_known_however_they_are_spelled(tmp_path, cell):
    case = read(tmp_path, pay=spelled(cell))
    assert case.rows[7, 1] == float(cell.replace("\u2212", "-")) and not case.schema["pay"].is_categorical


@pytest.mark.parametrize(
    ("spelling", "said", "unit"),
    [
        (lambda v: f"{v:,.0f}", "thousands are grouped by commas", ""),
        (lambda v: f"{v:,.2f}", "thousands are grouped by commas", ""),
        (lambda v: f"{v:,.2f}".replace(",", "'"), "thousands are grouped by apostrophes", ""),
        (lambda v: f"{v:,.0f}".replace(",", " "), "thousands are grouped by blanks", ""),
        (lambda v: f"{v:,.0f}".replace(",", "\u202f"), "thousands are grouped by blanks", ""),
        (lambda v: f"{v:.2f}".replace(".", ","), "decimal commas", ""),
        (lambda v: f"{v:,.2f}".translate({44: ".", 46: ","}), "decimal commas, and thousands are grouped by dots", ""),
        (lambda v: f"{v:.1f}%", "all with %", "%"),
        (lambda v: f"${v:,.2f}", "thousands are grouped by commas, all with $", "$"),
        (lambda v: f"{v:.2f} €".replace(".", ","), "decimal commas, all with €", "€"),
        (lambda v: f"{v:.0f} kg", "all with kg", "kg"),
        (lambda v: f"{v:.0f}km", "all with km", "km"),
    ],
)
def test_a_column_spelled_otherwise_throughout_is_read_as_numbers_and_said(tmp_path, spelling, said, unit):
    truth = [round(i * 137.25 + 3, 2) for i in range(ROWS)]
    case = read(tmp_path, pay=[spelling(value) for value in truth])
    digits = spelling(1.23).count("23") * 2 or spelling(1.5).count("5")
    np.testing.assert_allclose(case.rows[:, 1], truth, atol=0.51 if not digits else 10.0**-digits)
    assert case.reading["pay"].done == (said,) and case.schema["pay"].unit == unit


def test_commas_that_may_be_either_are_read_by_what_other_columns_show(tmp_path):
    either = [f"{1 + i},{500 + i}" for i in range(ROWS)]
    assert is_ambiguous(either) and numerals_of(either, decimal=",").values["1,500"] == 1.5
    columns = {"pay": either, "rate": [f"{i},5" for i in range(ROWS)]}
    shown = dlx.read_table(written(tmp_path / "a.csv", columns, delimiter=";"), target="y")
    assert shown.rows[0].tolist() == [1.5, 0.5]
    with pytest.raises(
        SchemaError, match="column 'pay' has numbers whose commas group thousands or are decimal marks: '1,500'"
    ):
        dlx.read_table(written(tmp_path / "b.csv", {"pay": either, "n": ["1"] * 39 + ["2"]}, delimiter=";"), target="y")
    assert dlx.read_table(written(tmp_path / "c.csv", {"pay": either}), target="y").rows[0, 0] == 1500


def test_dots_group_thousands_where_the_table_has_decimal_commas(tmp_path):
    columns = {"pay": [f"{1 + i}.{500 + i}" for i in range(ROWS)], "rate": [f"{i},5" for i in range(ROWS)]}
    assert dlx.read_table(written(tmp_path / "a.csv", columns, delimiter=";"), target="y").rows[0].tolist() == [1500, 0.5]
    assert dlx.read_table(written(tmp_path / "b.csv", {"pay": columns["pay"]}), target="y").rows[0].tolist() == [1.5]


def test_a_column_that_is_no_feature_is_read_as_it_looks_or_else_as_it_is_spelled(tmp_path):
    columns = {name: [f"{1 + i},25" for i in range(ROWS)] for name in ("pay", "weight", "left")}
    path = written(tmp_path / "a.csv", columns | {"odd": [*columns["pay"][1:], "total"]}, delimiter=";")
    case = dlx.read_table(path, target="y", weights="weight", drop=["left", "odd"])
    described = dlx.read_table(path, schema=case.schema)
    for one in (case, described):
        assert one.weights.tolist() == one.table["left"].tolist() == one.rows[:, 0].tolist()
        assert one.table["odd"].iloc[[0, -1]].tolist() == ["2,25", "total"]


@pytest.mark.parametrize(
    ("cells", "look"),
    [
        (["00123", "00456", "99501"], "codes"),
        (["0", "1", "2", "3+"] * 10, "words"),
        (["0", "1", "2", "3", "oops"], "words"),
        ([*map(str, range(30)), "oops"], "nearly numbers"),
        ([*map(str, range(30)), *["high"] * 25], "nearly numbers"),
        (["1.5", "2", "-3"], "numbers"),
        (["20230131"] * 3, "numbers"),
        ([f"2023{m:02d}{d:02d}" for m in range(1, 13) for d in (1, 9)], "dates"),
        (["2023-01-31", "1/2/24", "Dec-2011", "31.12.1999 23:59", "12:30"], "dates"),
        (["20-29", "30-39", "May", "1.2.3.4", "v1.2", "2023"], "words"),
        ([f"{i}%" if i % 2 else f"0.{i:02d}" for i in range(60)], "nearly numbers"),
        ([f"{i},000" if i % 2 else f"{i}.5" for i in range(60)], "nearly numbers"),
        ([f"10.0.{i}.1" for i in range(60)], "words"),
        ([f"{i}A" for i in range(60)], "words"),
        ([f"{100 + i}xx" for i in range(60)], "words"),
    ],
)
def test_a_column_is_what_its_values_look_like(cells, look):
    counts = pd.Series(cells).value_counts(sort=False).to_dict()
    assert look_at(counts).look == look


def test_what_a_word_means_can_be_said(tmp_path):
    cells, jobs = spelled("oops"), spelled("NA", like=lambda i: ["nurse", "cook"][i % 2])
    path = written(tmp_path / "a.csv", {"pay": cells, "job": jobs})
    assert np.isnan(dlx.read_table(path, target="y", missing=["oops"]).rows[7, 0])
    assert dlx.read_table(path, target="y", missing=["oops"]).schema["job"].levels == ("NA", "cook", "nurse")
    assert dlx.read_table(path, target="y", missing=["oops", "NA"]).schema["job"].levels == ("cook", "nurse")
    assert len(dlx.read_table(path, target="y", categorical=["pay"]).schema["pay"].levels) == ROWS
    with pytest.raises(SchemaError, match="'NA' in 1 row"):
        dlx.read_table(written(tmp_path / "b.csv", {"pay": spelled("NA")}), target="y", missing=[])
    minus = dlx.read_table(written(tmp_path / "c.csv", {"pay": spelled("-9")}), target="y", missing=["-9"])
    assert np.isnan(minus.rows[7, 0]) and minus.reading["pay"].done == ("missing: '-9' in 1 row, first in row 7",)
    with pytest.raises(SchemaError, match="missing must be a list of texts, got 'NA'"):
        dlx.read_table(path, target="y", missing="NA")


def test_words_stay_as_they_are_spelled_and_what_may_surprise_is_said(tmp_path):
    case = read(
        tmp_path,
        job=["None", "NA", " yes", "yes"] * 10,
        code=["00", "01", "10", "10", "10"] * 8,
        kids=["0", "1", "2", "3+", "1"] * 8,
    )
    assert case.schema["job"].levels == (" yes", "NA", "None", "yes")
    assert case.reading["job"].done == (
        "a level, not missing: 'None' in 10 rows, first in row 0, 'NA' in 10 rows, first in row 1",
        "levels apart only by blanks or case: ' yes', 'yes'",
    )
    assert case.reading["code"].done == ("codes with leading zeros",) and case.schema["code"].levels == ("00", "01", "10")
    assert case.reading["kids"].done == ("no numbers: '3+' in 8 rows, first in row 3",)
    assert [f.dtype for f in case.schema.features] == ["int64", "str", "str", "str"]


def test_truth_values_are_booleans_and_stay_them(tmp_path):
    case = read(tmp_path, a=["True", "False"] * 20, b=["TRUE", "FALSE"] * 20, c=spelled("NA", like=lambda i: str(i % 2 == 0)))
    assert [f.levels for f in case.schema.features[1:]] == [("False", "True")] * 3
    assert [str(case.frame[name].dtype) for name in "abc"] == ["bool", "bool", "object"] and case.frame["c"][0] is True


def test_letters_of_codes_are_no_unit(tmp_path):
    assert read(tmp_path, code=[f"{100 + i % 25}xx" for i in range(ROWS)]).schema.carried[0].why == "an id"
    assert read(tmp_path, term=[" 36 months", " 60 months"] * 20).schema["term"].levels == (" 36 months", " 60 months")


def test_what_describes_a_table_and_does_not_is_refused(tmp_path):
    rows = {"age": [str(i) for i in range(ROWS)]}
    path, other = written(tmp_path / "a.csv", rows), written(tmp_path / "b.csv", {"age": ["1,5"] * ROWS}, delimiter=";")
    with pytest.raises(SchemaError, match=r"cannot read .*a\.csv with the rows of .*b\.csv after its own: column 'age'"):
        dlx.read_table(path, target="y", test=other)
    with pytest.raises(SchemaError, match=r"special must say of each column what its codes mean.* got \{'age': 9\}"):
        dlx.read_table(path, target="y", special={"age": 9})
    with pytest.raises(SchemaError, match=r"schema must be a Schema, got str; make one: dlx\.infer_schema"):
        dlx.from_frame(dlx.read_table(path, target="y").frame, "y")
