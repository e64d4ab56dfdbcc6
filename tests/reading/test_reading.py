"""Tables from files are read as they are, or refused in one line: held against a writer that knows the truth."""

from __future__ import annotations

import bz2
import csv
import datetime
import decimal
import gzip
import io
import lzma
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dlx
from dlx import checkpoint
from dlx.dataset import from_frame, read_frame, read_people
from dlx.errors import DlxError, did_you_mean
from dlx.schema import SchemaError, infer_schema
from dlx.schema.cells import MARKS, is_date, look_at, number_of, same_level
from dlx.schema.numerals import is_ambiguous, numerals_of

pytestmark = pytest.mark.doors

ROWS = 40

OUTCOMES = ["no", "yes"] * (ROWS // 2)


def written(path, columns, *, delimiter=",", encoding="utf-8", newline="\n", quoting=csv.QUOTE_MINIMAL):
    """Write columns of text and the outcomes as a file, and return its path."""
    sink = io.StringIO()
    writer = csv.writer(sink, delimiter=delimiter, lineterminator=newline, quoting=quoting)
    writer.writerow([*columns, "y"])
    writer.writerows(zip(*columns.values(), OUTCOMES, strict=True))
    content = sink.getvalue().encode(encoding)
    packed = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}
    path.write_bytes(packed.get(path.suffix.lower(), bytes)(content))
    return path


def read(tmp_path, name="loans.csv", **columns):
    """Return a table of columns of text, beside an ordinary one."""
    return dlx.read_table(written(tmp_path / name, {"age": [str(18 + i % 23) for i in range(ROWS)], **columns}), target="y")


def spelled(cell, of=7, like=lambda i: f"{i * 1.5:.1f}"):
    """Return a column of ordinary numbers with one odd cell."""
    return [cell if i == of else like(i) for i in range(ROWS)]


# What a writer wrote is what a reader reads -----------------------------------------------------------------------------

NUMBERS = st.one_of(
    st.integers(-(10**9), 10**9).map(lambda v: (float(v), str(v))),
    st.floats(-1e30, 1e30, allow_nan=False).map(lambda v: (v, repr(v))),
    st.floats(0, 1e6).map(lambda v: (float(f"{v:.2f}"), f"{v:.2f}")),
)
WORDS = st.text(st.characters(codec="latin-1", exclude_categories=("C",)), min_size=1, max_size=6).filter(
    lambda text: text.strip() and number_of(text) is None and not is_date(text)
)
CODES = st.integers(0, 60).map(lambda v: f"{v:05d}")


@st.composite
def tables(draw):
    """Return columns: what each cell means, and how it is spelled."""
    columns = {"first": [(float(i % 17), str(i % 17)) for i in range(ROWS)]}
    for name in ("a", "b b", "ü"):
        kind = draw(st.sampled_from(["numbers", "words", "codes", "truths"]))
        if kind == "numbers":
            cells = draw(st.lists(NUMBERS, min_size=ROWS, max_size=ROWS))
        elif kind == "words":
            levels = draw(st.lists(WORDS, min_size=2, max_size=5, unique_by=same_level))
            cells = [(one, one) for one in draw(st.lists(st.sampled_from(levels), min_size=ROWS, max_size=ROWS))]
        elif kind == "codes":
            cells = [(one, one) for one in draw(st.lists(CODES, min_size=ROWS, max_size=ROWS))]
        else:
            cells = [(one, str(one)) for one in draw(st.lists(st.booleans(), min_size=ROWS, max_size=ROWS))]
        gaps = draw(st.sets(st.integers(0, ROWS - 1), max_size=3))
        columns[name] = [(None, "") if i in gaps else cell for i, cell in enumerate(cells)]
    return columns


@given(
    columns=tables(),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"]),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    suffix=st.sampled_from([".csv", ".CSV", ".txt", ".csv.gz", ".tsv.xz", ".csv.bz2"]),
)
def test_what_was_written_is_read(tmp_path_factory, columns, delimiter, encoding, newline, quoting, suffix):
    texts = {name: [text for _, text in cells] for name, cells in columns.items()}
    path = tmp_path_factory.mktemp("tables") / f"loans{suffix}"
    written(path, texts, delimiter=delimiter, encoding=encoding, newline=newline, quoting=quoting)
    case = dlx.read_table(path, target="y", delimiter=delimiter, encoding=None if encoding != "latin-1" else encoding)
    assert case.name == "loans" and case.outcomes.tolist() == [0, 1] * (ROWS // 2)
    assert [line.name for line in case.reading] == [*columns, "y"]
    for name, cells in columns.items():
        found = (case.frame if name in case.schema.names else case.table)[name]
        for value, (truth, _) in zip(found, cells, strict=True):
            assert pd.isna(value) if truth is None else value == truth


@given(columns=tables())
def test_a_table_is_what_its_schema_makes_of_the_same_file(tmp_path_factory, columns):
    path = written(
        tmp_path_factory.mktemp("tables") / "loans.csv", {name: [text for _, text in c] for name, c in columns.items()}
    )
    case = dlx.read_table(path, target="y")
    again = dlx.read_table(path, schema=case.schema)
    np.testing.assert_array_equal(again.rows, case.rows)
    pd.testing.assert_frame_equal(again.table, case.table)
    pd.testing.assert_frame_equal(read_people(path, case).table, case.table)


@given(st.lists(st.text(max_size=8), min_size=1, max_size=60))
def test_a_column_of_anything_is_read_or_refused(tmp_path_factory, cells):
    cells = [cells[i % len(cells)].replace("\0", " ") for i in range(ROWS)]
    path = tmp_path_factory.mktemp("odd") / "odd.csv"
    written(path, {"age": [str(i % 9) for i in range(ROWS)], "odd": cells})
    try:
        case = dlx.read_table(path, target="y")
    except DlxError as error:
        assert "\n" not in str(error)
    else:
        assert len(case) == ROWS and {"odd", "age"} <= {*case.schema.names, *(c.name for c in case.schema.carried)}


@given(st.binary(max_size=300), st.sampled_from([".csv", ".csv.gz", ".csv.zip", ".tsv", ".xlsx", ".parquet", ".csv.xz"]))
def test_any_bytes_are_a_table_or_one_line(tmp_path_factory, content, suffix):
    path = tmp_path_factory.mktemp("bytes") / f"noise{suffix}"
    path.write_bytes(content)
    with pytest.raises(SchemaError) as refused:
        dlx.read_table(path, target="no such column")
    assert "\n" not in str(refused.value) and "noise" in str(refused.value)


# Numbers ----------------------------------------------------------------------------------------------------------------


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
    assert [(c.name, c.why) for c in case.schema.carried] == [("when", "a date or a time")]
    for name in ("pay", "when"):
        assert case.reading[name].done == (f"missing: {mark!r} in 1 row, first in row 7",)
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


# Columns that are no features -------------------------------------------------------------------------------------------


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


def test_copies_and_what_tells_the_outcome_are_named_and_kept(tmp_path):
    rng = np.random.default_rng(1)
    score = rng.normal(size=400)
    y = np.where(score + rng.normal(size=400) > 0, "yes", "no")
    table = pd.DataFrame(
        {
            "score": score.round(4),
            "points": (10 * score).round(3) + 7,
            "noisy": (score + 0.1 * rng.normal(size=400)).round(3),
            "job": rng.choice(["nurse", "cook", "clerk"], 400),
            "other": rng.normal(size=400).round(3),
            "decision": np.where(y == "yes", "rejected", "granted"),
            "settled": np.where(y == "yes", "", "1"),
            "y": y,
        }
    )
    table["job code"] = table["job"].map({"nurse": 3, "cook": 1, "clerk": 2})
    table.to_csv(tmp_path / "loans.csv", index=False)
    reading = dlx.read_table(tmp_path / "loans.csv", target="y").reading
    assert reading["points"].done in (("copies 'score'",), ("nearly copies 'score' (r = 1.00)",))
    assert reading["noisy"].done[0].startswith("nearly copies ") and reading["job code"].done == ("copies 'job'",)
    for name in ("decision",):
        assert reading[name].done[-1].startswith("tells the outcome alone (1.000)")
    assert not any(reading[name].done for name in ("score", "job", "other"))


# Files ------------------------------------------------------------------------------------------------------------------

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
    assert case.reading.lines() == ([case.reading.summary] if said else [])


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
    assert case.schema.names == ("zip", "n", "r", "ok") and case.schema["zip"].levels[1] == "0001"
    np.testing.assert_array_equal(case.rows[:, 2], table["r"])
    assert np.isnan(case.rows[:2, 1]).all() and case.schema["ok"].levels == ("False", "True")
    assert case.reading.file == ("the first of 2 sheets, 'loans'",) and case.schema.carried[0].why == "a date or a time"
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
    assert case.schema.names == ("size", "n", "ok", "cents", "zip", "x") and list(case.index[:2]) == ["L0", "L1"]
    assert case.schema["size"].levels == ("low", "mid", "high") and case.schema["size"].ordered
    assert [f.dtype for f in case.schema.features] == ["category", "Int64", "boolean", "float64", "str", "float32"]
    for name in ("size", "n", "ok", "zip", "x"):
        pd.testing.assert_series_equal(case.frame[name], table[name], check_index=False)
    codes = dlx.read_table(tmp_path / "a.parquet", target="y", missing=["3", "low"])
    assert codes.frame["n"].isna().sum() == 1 + (table["n"] == 3).sum() and codes.frame["size"].isna().sum() == 20


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, b"x"])
def test_nested_columns_are_refused_by_name(tmp_path, value):
    pd.DataFrame({"x": range(9), "odd": [value] * 9, "y": [0, 1, 0] * 3}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(SchemaError, match=r"a\.parquet: column 'odd' holds .*, neither numbers nor levels"):
        dlx.read_table(tmp_path / "a.parquet", target="y")


# What was said of the outcome, of a schema, of people -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "positive", "levels"),
    [
        (["0", "1"], None, ("0", "1")),
        (["0.0", "1.0"], None, ("0", "1")),
        (["1", "2"], "1", ("2", "1")),
        (["0.0", "1.0"], "0.0", ("1", "0")),
        (["True", "False"], None, ("False", "True")),
        (["TRUE", "FALSE"], "false", ("True", "False")),
        ([" no", " yes"], "no", (" yes", " no")),
        (["00", "01"], "00", ("01", "00")),
        (["-", "+"], "-", ("+", "-")),
        (["none", "some"], "none", ("some", "none")),
    ],
)
def test_outcomes_are_known_however_they_are_spelled(tmp_path, cells, positive, levels):
    path = tmp_path / "a.csv"
    path.write_text("x,y\n" + "".join(f"{i % 7},{cells[i % 2]}\n" for i in range(ROWS)))
    case = dlx.read_table(path, target="y", positive=positive)
    assert case.schema.target.levels == levels
    assert case.outcomes.tolist() == [
        float(levels.index(levels[0]) != levels.index(same_in(levels, cells[i % 2]))) for i in range(ROWS)
    ]


def same_in(levels, cell):
    """Return the level that a cell spells."""
    return next(level for level in levels if same_level(level) == same_level(cell) or level.lower() == cell.lower())


@pytest.mark.parametrize(
    ("cells", "options", "said"),
    [
        (["1"], {}, "must have at least 2 different values, got 1"),
        (["a", "", "b"], {}, "the target 'y' is missing in 13 rows, first in row 1; leave these rows out"),
        (["0", "NA", "1"], {}, "the target 'y' is missing in 13 rows, first in row 1; leave these rows out"),
        (["n/a", *"-+" * 20][:ROWS], {}, r"the target 'y' is missing: 'n/a' in 1 row"),
        (["n/a", *"ab" * 20][:ROWS], {}, r"the target 'y' is missing: 'n/a' in 1 row, first in row 0; .*missing=\[\]"),
        ([f"l{i}" for i in range(ROWS)], {}, "has 40 different values that are no numbers"),
        ([f"{i}.5" for i in range(ROWS)], {"positive": "1"}, "of which none can be the positive outcome '1'"),
        (["yes", "no"], {"positive": "yse"}, "has no level 'yse'; it has 'no', 'yes'; did you mean 'yes'"),
        (["yes", "no"], {"keep": ["y"]}, "'y' is the target and cannot be a feature too"),
        (["yes", "no"], {"keep": ["xx"]}, "no column 'xx'"),
        (["yes", "no"], {"categorical": ["Xy"]}, "no column 'Xy'; it has x, y"),
    ],
)
def test_outcomes_that_are_none_are_refused(tmp_path, cells, options, said):
    path = tmp_path / "a.csv"
    path.write_text("x,y\n" + "".join(f"{i % 7},{cells[i % len(cells)]}\n" for i in range(ROWS)))
    with pytest.raises(SchemaError, match=said):
        dlx.read_table(path, target="y", **options)


SCHEMA = """
[target]
name = "y"
levels = ["no", "yes"]
[[feature]]
name = "pay"
missing = true
[[feature]]
name = "code"
kind = "categorical"
levels = ["00", "1", "1.50", "x"]
"""


def described(tmp_path, codes, pay="1.5", text=SCHEMA, **options):
    (tmp_path / "s.toml").write_text(text)
    columns = {"pay": spelled(pay), "code": [codes[i % len(codes)] for i in range(ROWS)], "more": ["a", "b"] * 20}
    return dlx.read_table(written(tmp_path / "a.csv", columns), schema=tmp_path / "s.toml", **options)


def test_a_schema_says_what_columns_are(tmp_path):
    case = described(tmp_path, ["00", "1", "1.50", "x"], pay="NA")
    assert case.rows[:4, 1].tolist() == [0, 1, 2, 3] and np.isnan(case.rows[7, 0])
    assert [(c.name, c.position, c.why) for c in case.schema.carried] == [("more", 2, "not in the schema")]
    assert case.table["more"][0] == "a" and case.reading["pay"].done == ("missing: 'NA' in 1 row, first in row 7",)


@pytest.mark.parametrize(
    ("codes", "pay", "options", "said"),
    [
        (["00", "01"], "1", {}, "column 'code', row 1: unknown level '01'; known levels: '00', '1', '1.50', 'x'"),
        (["0"], "1", {}, "row 0: unknown level '0'"),
        (["1"], "oops", {}, "column 'pay', row 7: expected a finite number, got 'oops'"),
        (["1"], "1e39", {}, "column 'pay', row 7: numbers must lie within"),
        (["1"], "1", {"target": "pay"}, "the schema's target is 'y', not 'pay'"),
        (["1"], "1", {"positive": "no"}, "the schema's positive outcome is its last level, 'yes', not 'no'"),
        (["1"], "1", {"positive": "maybe"}, "not 'maybe'"),
        (["1"], "1", {"keep": ["more"]}, "a schema says itself what columns are"),
    ],
)
def test_what_contradicts_a_schema_is_refused(tmp_path, codes, pay, options, said):
    with pytest.raises(SchemaError, match=said):
        described(tmp_path, codes, pay, **options)


def test_what_agrees_with_a_schema_is_taken(tmp_path):
    assert described(tmp_path, ["1", "1.5"], target="y", positive="yes").rows[:2, 1].tolist() == [1, 2]


def test_people_are_read_as_the_table_was(tmp_path):
    columns = {
        "zip": [f"{i % 15:05d}" for i in range(ROWS)],
        "n": [str(i % 5) for i in range(ROWS)],
        "id": [f"C{i}" for i in range(ROWS)],
    }
    case = dlx.read_table(written(tmp_path / "a.csv", columns), target="y")
    (tmp_path / "p.csv").write_text("n;zip;id\n1.0;00012;C99\n;00001;C98\n")
    with pytest.raises(SchemaError, match="column 'n' must not be missing"):
        read_people(tmp_path / "p.csv", case)
    (tmp_path / "p.csv").write_text("n;zip;id\n1.0;00012;C99\n")
    people = read_people(tmp_path / "p.csv", case)
    assert people.rows.tolist() == [[12, 1]] and people.outcomes is None and people.table["id"].tolist() == ["C99"]


# Frames -----------------------------------------------------------------------------------------------------------------


def frame(**columns):
    """Return a table with an ordinary column and the outcomes."""
    return pd.DataFrame({"age": np.arange(ROWS) % 23, **columns, "y": OUTCOMES})


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


def test_near_names_are_suggested():
    assert did_you_mean("Incom", ["age", "income"]) == "; did you mean 'income'?"
    assert did_you_mean("zzz", ["age", "income"]) == ""
    for asked in (
        lambda: dlx.load("bank_lone"),
        lambda: dlx.load_model("bank_lone", "mlp"),
        lambda: dlx.load_model("bank_loan", "mlpp"),
        lambda: dlx.load("bank_loan").schema["amont"],
    ):
        with pytest.raises(DlxError, match=r"did you mean '(bank_loan|mlp|amount)'"):
            asked()


def test_a_frame_is_read_without_deciding_anything(tmp_path):
    table = read_frame(written(tmp_path / "a.csv", {"a": spelled("NA"), "b": ["007", "1"] * 20, "c": ["1", ""] * 20}))
    assert table.dtypes.astype(str).tolist() == ["str", "str", "float64", "str"] and table["a"][7] == "NA"


def test_two_files_of_one_name_do_not_overwrite_each_other(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        written(tmp_path / folder / "loans.csv", {"x": [str(i % (5 if folder == "a" else 7)) for i in range(ROWS)]})
    first, other = (dlx.read_table(f"{folder}/loans.csv", target="y") for folder in "ab")
    dlx.train(first, "decision_tree")
    with pytest.raises(DlxError, match=r"holds what was made of a/loans.csv, not of b/loans.csv; give one of the two another"):
        dlx.train(other, "decision_tree")
    dlx.train(dlx.read_table("b/loans.csv", target="y", name="other loans"), "decision_tree")
    assert dlx.load_model(first, "decision_tree").schema.names == ("x",)
    written(tmp_path / "a" / "loans.csv", {"x": [str(i % 6) for i in range(ROWS)]})  # its rows may change
    dlx.train(dlx.read_table("a/loans.csv", target="y"), "decision_tree")
    (tmp_path / "a" / "loans.csv").unlink()  # and what is gone overwrites nothing
    dlx.train(other, "decision_tree")


def test_whole_numbers_that_no_double_is_are_ids_or_refused(tmp_path):
    for digits in (17, 25, 400, 5000):
        ids = read(tmp_path, card=["7" * (digits - 2) + f"{i:02d}" for i in range(ROWS)])
        assert ids.schema.carried[0].why == "an id" and str(ids.table["card"][5]) == "7" * (digits - 2) + "05"
        with pytest.raises(SchemaError, match=r"column 'card', row 0: 7.* is a whole number beyond 2\*\*53"):
            read(tmp_path, card=["7" * (digits - 1) + str(i % 9) for i in range(ROWS)])


def test_a_formula_that_no_program_has_computed_is_refused(tmp_path):
    import openpyxl

    pd.DataFrame({"x": range(ROWS), "y": OUTCOMES}).to_excel(tmp_path / "a.xlsx", index=False)
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    book.active["A3"] = "=1+1"
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(SchemaError, match=r"a\.xlsx, cell A3: a formula that no program has computed"):
        dlx.read_table(tmp_path / "a.xlsx", target="y")


def test_a_workbook_without_its_library_says_what_to_install(tmp_path, monkeypatch):
    pd.DataFrame({"x": [1], "y": [0]}).to_excel(tmp_path / "a.xlsx", index=False)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(SchemaError, match=r"needs openpyxl: pip install 'dlx\[excel\]', or save the sheet as \.csv"):
        dlx.read_table(tmp_path / "a.xlsx", target="y")


def test_letters_of_codes_are_no_unit(tmp_path):
    assert read(tmp_path, code=[f"{100 + i % 25}xx" for i in range(ROWS)]).schema.carried[0].why == "an id"
    assert read(tmp_path, term=[" 36 months", " 60 months"] * 20).schema["term"].levels == (" 36 months", " 60 months")


def test_what_was_asked_for_as_missing_is_said_under_a_schema_too(tmp_path):
    case = described(tmp_path, ["1"], pay="-9", missing=["-9"])
    assert np.isnan(case.rows[7, 0]) and case.reading["pay"].done == ("missing: '-9' in 1 row, first in row 7",)


def test_what_may_surprise_in_a_typed_file_is_said_too(tmp_path):
    table = frame(
        rooms=spelled("None", like=lambda i: str(i % 5)), job=["nurse", "Nurse"] * 20, size=pd.Categorical(["?", "s"] * 20)
    )
    table.loc[[7, 8], "rooms"] = "None"
    table.to_parquet(tmp_path / "a.parquet")
    reading = dlx.read_table(tmp_path / "a.parquet", target="y").reading
    assert reading["rooms"].done[0] == "a level, not missing: 'None' in 2 rows, first in row 7"
    assert reading["job"].done[0] == "levels apart only by blanks or case: 'nurse', 'Nurse'"
    assert reading["size"].done[0].startswith("a level, not missing: '?' in 20 rows")
    case = dlx.read_table(tmp_path / "a.parquet", target="y", missing=["None"])
    assert case.schema["rooms"].missing and case.reading["rooms"].done[0] == "missing: 'None' in 2 rows"
