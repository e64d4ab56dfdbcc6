"""Files of every kind are read as they are, or refused in one line."""

from __future__ import annotations

import datetime
import decimal
import gzip
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
from written import OUTCOMES, ROWS, spelled, written

import dlx
from dlx import checkpoint
from dlx.dataset import read_frame
from dlx.schema import SchemaError

pytestmark = pytest.mark.doors


PLAIN = "age,pay,y\n" + "".join(f"{18 + i % 9},{i}.5,{'ab'[i % 2]}\n" for i in range(ROWS))


def read_bytes(tmp_path, content, file="odd.csv", **options):
    (tmp_path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    return dlx.read_table(tmp_path / file, target="y", **options)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PLAIN.replace(",", ";"), "separated by semicolons"),
        (PLAIN.replace(",", "\t"), "separated by tabs"),
        (PLAIN.replace(",", "|"), "separated by pipes"),
        ("sep=;\n" + PLAIN.replace(",", ";"), "separated by semicolons, 1 line above the header left out"),
        ("# made in May\n#\n" + PLAIN, "2 lines above the header left out"),
        (PLAIN.replace("\n", ",\n"), "a delimiter at the end of each line left out"),
        (PLAIN.replace("b\n", "b,\n").replace("a\n", "a,\n"), "a delimiter at the end of each line left out"),
        (PLAIN + ",,\n,,\n", "2 empty lines left out"),
        (PLAIN.replace("age,pay", "  age , pay"), "blanks around names left out: '  age ', ' pay'"),
        (PLAIN.encode("utf-16"), "UTF-16"),
        (PLAIN.replace(",b\n", ",ü\n").encode("latin-1"), "no UTF-8, read as Windows-1252"),
        (PLAIN.replace("\n", "\r"), ""),
        (PLAIN.replace("\n", "\r\n\r\n"), ""),
        (b"\xef\xbb\xbf" + PLAIN.encode(), ""),
        (PLAIN.replace("age", "#age"), ""),
    ],
)
def test_what_is_recognised_of_a_file_is_said(tmp_path, content, said):
    case = read_bytes(tmp_path, content)
    assert len(case) == ROWS and case.rows[:2].tolist() == [[18, 0.5], [19, 1.5]] and ", ".join(case.reading.file) == said
    last = case.schema.target.levels[1]
    guessed = f"y: outcome; positive is {last!r}, a guess, as it is the last in order: --positive says which"
    assert case.reading.lines() == [guessed, case.reading.summary]
    assert read_bytes(tmp_path, content, positive=last).reading.lines() == [case.reading.summary] * bool(said)


@pytest.mark.parametrize(
    ("content", "file", "options", "said"),
    [
        ("", "a.csv", {}, "cannot read .*a.csv: it is empty"),
        ("age,y\n", "a.csv", {}, "has no rows"),
        ("a;b,y\n1;2,3\n4;5,6\n", "a.csv", {}, "could be separated by commas and semicolons; say which: delimiter="),
        ("a b y\n1 2 3\n", "a.csv", {}, "no column 'y'; it has a b y; if it has more columns, name what separates them"),
        ('a,y\n"1,2\n', "a.csv", {}, "cannot read .*: unexpected end of data"),
        ('a,y\n"1"2,3\n', "a.csv", {}, "cannot read .*expected after"),
        (PLAIN.encode("utf-16-le"), "a.csv", {}, "holds NUL bytes; if it is UTF-16, say encoding="),
        (b"\x81\x8d," + PLAIN.encode(), "a.csv", {}, "neither UTF-8 nor Windows-1252; name its encoding"),
        (PLAIN.replace("a", "ä").encode("latin-1"), "a.csv", {"encoding": "utf-8"}, "it is not in utf-8"),
        (PLAIN, "a.csv", {"encoding": "klingon"}, "there is no encoding 'klingon'"),
        (PLAIN.encode() + "1,2,ü\n".encode() + b"1,2,\xfc\n", "a.csv", {}, "it is UTF-8 but for some bytes, first in line 43"),
        (PLAIN, "a.csv", {"delimiter": "::"}, "delimiter must be one character, or one of comma, semicolon"),
        ("age,pay,y\n1,2\n", "a.csv", {}, "line 2 has 2 fields, but the header has 3"),
        ("age,pay,y\n1,2,a\n1,2,a,\n", "a.csv", {}, "line 3 has 4 fields, but the header has 3"),
        ("# x\nage,pay,y\n1,2,a\n1,2\n", "a.csv", {}, "line 4 has 2 fields"),
        ("age, age,y\n1,2,a\n", "a.csv", {}, "columns of the same name: age; rename them"),
        (b"PAR1xxxxPAR1", "a.csv", {}, "is a parquet file, not the text that its suffix says"),
        (gzip.compress(PLAIN.encode()), "a.csv", {}, "is compressed by gzip, not the text"),
        (PLAIN, "a.csv.gz", {}, "cannot read .*a.csv.gz"),
        (PLAIN, "a.xlsx", {}, "cannot read .*a.xlsx"),
        (PLAIN, "a.parquet", {}, "cannot read .*a.parquet"),
        (PLAIN, "a.json", {}, r"must be a \.csv or a \.parquet"),
        (PLAIN, "a", {}, r"must be a \.csv or a \.parquet"),
        (PLAIN, "a.parquet", {"delimiter": ";"}, "has neither a delimiter nor an encoding"),
        ("<!DOCTYPE html><html></html>", "a.csv", {}, "is a web page"),
        (PLAIN, "bank_loan.csv", {}, "has the name of a shipped case"),
        (PLAIN, "Bank_Loan.csv", {}, "has the name of a shipped case"),
        (PLAIN, "a.csv", {"name": "../a"}, "a case's name must be fit for a folder"),
        (PLAIN, "a.csv", {"name": ""}, "a case's name must be fit for a folder"),
        (PLAIN, "a.csv", {"name": "heart_attack"}, "has the name of a shipped case"),
    ],
)
def test_a_file_that_is_none_is_one_line(tmp_path, content, file, options, said):
    with pytest.raises(SchemaError, match=said) as refused:
        read_bytes(tmp_path, content, file, **options)
    assert "\n" not in str(refused.value)


def test_a_folder_and_no_file_are_one_line(tmp_path):
    (tmp_path / "a.csv").mkdir()
    for name, said in (("a.csv", "is a folder; pass one file"), ("b.csv", "there is no file")):
        with pytest.raises(SchemaError, match=said):
            dlx.read_table(tmp_path / name, target="y")


def test_what_separates_and_encodes_can_be_said(tmp_path):
    case = read_bytes(
        tmp_path, PLAIN.replace(",", "^").replace("a\n", "ł\n").encode("cp1250"), delimiter="^", encoding="cp1250"
    )
    assert case.schema.target.levels == ("b", "ł") and case.rows[0].tolist() == [18, 0.5]
    assert read_bytes(tmp_path, PLAIN.replace(",", "\t"), delimiter="tab").rows[0].tolist() == [18, 0.5]


def test_archives_hold_one_file(tmp_path):
    for members in (1, 2):
        with zipfile.ZipFile(tmp_path / "a.csv.zip", "w") as archive:
            archive.writestr("__MACOSX/x", "")
            for i in range(members):
                archive.writestr(f"{i}.csv", PLAIN)
        if members == 1:
            assert len(dlx.read_table(tmp_path / "a.csv.zip", target="y")) == ROWS
    with pytest.raises(SchemaError, match=r"must hold one file, got 2: 0\.csv, 1\.csv"):
        dlx.read_table(tmp_path / "a.csv.zip", target="y")


def test_two_tables_never_share_a_name(tmp_path):
    names = {
        "loans.2023.csv": "loans.2023",
        "loans.2024.csv": "loans.2024",
        "loans.2024.CSV.GZ": "loans.2024",
        "x.y.z.tsv": "x.y.z",
        "Loans 2024.csv": "Loans 2024",
        "données.txt": "données",
        "my table (1).csv": "my table (1)",
    }
    for file, name in names.items():
        content = gzip.compress(PLAIN.encode()) if file.endswith("GZ") else PLAIN
        case = read_bytes(tmp_path, content, file)
        assert (case.name, case.source) == (name, str(tmp_path / file))
        assert case[:3].source == case.source and checkpoint.folder(case.name, "mlp").parent.name == name


def test_a_workbook_is_read_as_the_same_text(tmp_path):
    table = pd.DataFrame(
        {
            "zip": [f"{i % 20:04d}" for i in range(ROWS)],
            "n": [None, "NA", *range(ROWS - 2)],
            "r": np.arange(ROWS) / 4,
            "ok": [i % 3 == 0 for i in range(ROWS)],
            "when": pd.date_range("2024-01-01", periods=ROWS),
            "y": OUTCOMES,
        }
    )
    with pd.ExcelWriter(tmp_path / "a.XLSX", engine="openpyxl") as book:
        table.to_excel(book, sheet_name="loans", index=False)
        table.to_excel(book, sheet_name="more", index=False)
    case = dlx.read_table(tmp_path / "a.XLSX", target="y")
    assert case.schema.names == ("zip", "n", "r", "ok", "when") and case.schema["zip"].levels[1] == "0001"
    np.testing.assert_array_equal(case.rows[:, 2], table["r"])
    assert np.isnan(case.rows[:2, 1]).all() and case.schema["ok"].levels == ("False", "True")
    assert case.reading.file == ("the first of 2 sheets, 'loans'",) and case.schema["when"].date == "%Y-%m-%d"
    pd.DataFrame({"a": []}).to_excel(tmp_path / "b.xlsx", index=False)
    with pytest.raises(SchemaError, match="has no rows"):
        dlx.read_table(tmp_path / "b.xlsx", target="y")


def test_a_parquet_file_keeps_its_types(tmp_path):
    order = pd.CategoricalDtype(["low", "mid", "high"], ordered=True)
    table = pd.DataFrame(
        {
            "size": pd.Categorical(["mid", "low"] * 20, dtype=order),
            "n": pd.array([None, *range(1, ROWS)], dtype="Int64") % 9,
            "ok": pd.array([None, *([True, False] * 20)[1:]], dtype="boolean"),
            "cents": [decimal.Decimal(i) / 4 for i in range(ROWS)],
            "when": [datetime.date(2024, 1, 1 + i % 28) for i in range(ROWS)],
            "zip": [f"{i % 9:03d}" for i in range(ROWS)],
            "x": np.arange(ROWS, dtype="float32") / 7,
            "y": OUTCOMES,
        },
        index=pd.Index([f"L{i}" for i in range(ROWS)], name="loan"),
    )
    table.to_parquet(tmp_path / "a.parquet")
    case = dlx.read_table(tmp_path / "a.parquet", target="y")
    assert case.schema.names == ("size", "n", "ok", "cents", "when", "zip", "x") and list(case.index[:2]) == ["L0", "L1"]
    assert case.schema["size"].levels == ("low", "mid", "high") and case.schema["size"].ordered
    assert [f.dtype for f in case.schema.features] == ["category", "Int64", "boolean", "float64", "object", "str", "float32"]
    for name in ("size", "n", "ok", "when", "zip", "x"):
        pd.testing.assert_series_equal(case.frame[name], table[name], check_index=False)
    codes = dlx.read_table(tmp_path / "a.parquet", target="y", missing=["3", "low"])
    assert codes.frame["n"].isna().sum() == 1 + (table["n"] == 3).sum() and codes.frame["size"].isna().sum() == 20


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, b"x"])
def test_nested_columns_are_refused_by_name(tmp_path, value):
    pd.DataFrame({"x": range(9), "odd": [value] * 9, "y": [0, 1, 0] * 3}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(SchemaError, match=r"a\.parquet: column 'odd' holds .*, neither numbers nor levels"):
        dlx.read_table(tmp_path / "a.parquet", target="y")


def test_a_formula_that_no_program_has_computed_is_refused(tmp_path):
    import openpyxl

    pd.DataFrame({"x": range(ROWS), "y": OUTCOMES}).to_excel(tmp_path / "a.xlsx", index=False)
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    book.active["A3"] = "=1+1"
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(SchemaError, match=r"a\.xlsx: cell A3 is a formula that no program has computed"):
        dlx.read_table(tmp_path / "a.xlsx", target="y")


def test_a_workbook_without_its_library_says_what_to_install(tmp_path, monkeypatch):
    pd.DataFrame({"x": [1], "y": [0]}).to_excel(tmp_path / "a.xlsx", index=False)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(SchemaError, match=r"needs openpyxl: pip install 'dlx\[excel\]', or save the sheet as \.csv"):
        dlx.read_table(tmp_path / "a.xlsx", target="y")


def test_a_frame_is_read_without_deciding_anything(tmp_path):
    table = read_frame(written(tmp_path / "a.csv", {"a": spelled("NA"), "b": ["007", "1"] * 20, "c": ["1", ""] * 20}))
    assert table.dtypes.astype(str).tolist() == ["str", "str", "float64", "str"] and table["a"][7] == "NA"
