"""Tables as people export them from spreadsheets and databases: read and told, or refused with a way out that works."""

import datetime
import shlex
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

import dlx
import dlx.cli
from dlx.errors import DlxError
from dlx.schema import Feature, Schema, SchemaError, Target

pytestmark = pytest.mark.doors

ROWS = 60
HEADER, LINES = "age,pay,y", [f"{18 + i % 9},{i * 7 % 60}.5,{'ab'[i % 2]}" for i in range(ROWS)]


def read(tmp_path, text, **options):
    path = tmp_path / "a.csv"
    path.write_text(text)
    return dlx.read_table(path, target="y", **options)


def column(tmp_path, spelled, **options):
    """Read a table whose column "odd" has such cells."""
    lines = [f"{line},{spelled(i)}" for i, line in enumerate(LINES)]
    return read(tmp_path, "\n".join([f"{HEADER},odd", *lines]), **options)


@pytest.mark.parametrize("title", ["Report of 2023\n\n", "Report of 2023,,\n,,\n", "Report,of 2023\n"])
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_title_above_the_header_is_named_and_can_be_removed(tmp_path, title, delimiter):
    text = "\n".join([HEADER, *LINES]).replace(",", delimiter)
    with pytest.raises(SchemaError, match=r"remove what is above|name what separates them") as refused:
        read(tmp_path, title.replace(",", delimiter) + text)
    if "name what separates" in str(refused.value):
        with pytest.raises(SchemaError, match=r"remove what is above"):
            read(tmp_path, title.replace(",", delimiter) + text, delimiter=delimiter)
    assert len(read(tmp_path, text)) == ROWS


@pytest.mark.parametrize("note", ["Source: the bank", "Total,9"])
def test_a_note_below_the_table_is_named(tmp_path, note):
    with pytest.raises(SchemaError, match=r"line 62 .*, but the header has 3; add the fields that it lacks, or remove it"):
        read(tmp_path, "\n".join([HEADER, *LINES, note]))


def test_a_backslash_is_no_quote(tmp_path):
    with pytest.raises(SchemaError, match=r"expected after.*in line 2; a quote within quotes is written twice"):
        column(tmp_path, lambda _: '"say \\"hi\\""')
    assert column(tmp_path, lambda i: f'"say ""hi"" {i % 2}"').schema["odd"].levels == ('say "hi" 0', 'say "hi" 1')


@pytest.mark.parametrize("error", ["#DIV/0!", "#VALUE!", "#NUM!", "Source: the bank, 2023"])
def test_what_holds_a_digit_and_is_no_number_may_be_missing(tmp_path, error):
    def spelled(i):
        return f'"{error}"' if i == 9 else i * 1.5

    with pytest.raises(SchemaError, match=r"but not '.*' in 1 row, first in row 9; correct it, pass missing=\["):
        column(tmp_path, spelled)
    assert np.isnan(column(tmp_path, spelled, missing=[error]).rows[9, 2])


@pytest.mark.parametrize("cell", ["inf", "1e400", "1e39"])
def test_a_number_out_of_range_may_be_missing(tmp_path, cell):
    def spelled(i):
        return cell if i == 9 else i * 1.5

    with pytest.raises(SchemaError, match=r"got '.*'; correct it, or name it as missing: missing="):
        column(tmp_path, spelled)
    assert np.isnan(column(tmp_path, spelled, missing=[cell]).rows[9, 2])


@pytest.mark.parametrize(
    "spelled",
    [
        lambda i: f"'{i * 1.5}",  # Excel's number stored as text
        lambda i: f'"=""{i * 1.5}"""',  # the same, as a formula
        lambda i: f"{i}{'-' if i % 4 == 0 else ''}",  # SAP's negative numbers
        lambda i: f"USD {i}",
        lambda i: f'"({i},000)"' if i % 4 else f'"{i},000"',
        lambda i: f"{i}{'kM'[i % 2]}",
        lambda i: f'" ${i},000.00 "' if i % 7 else " $-   ",  # Excel's accounting
        lambda i: "0" if i == 7 else f"{i}.5%",
    ],
)
def test_numbers_that_are_not_read_are_no_ids(tmp_path, spelled):
    with pytest.raises(SchemaError, match=r"column 'odd' (is nearly all numbers|spells numbers as) .*write all numbers"):
        column(tmp_path, spelled)


def test_a_null_of_a_dump_is_missing_among_numbers_and_told_among_words(tmp_path):
    assert np.isnan(column(tmp_path, lambda i: i * 1.5 if i % 9 else r"\N").rows[0, 2])
    words = column(tmp_path, lambda i: "fm"[i % 2] if i % 9 else r"\N")
    assert words.reading["odd"].done[0].startswith(r"a level, not missing: '\\N' in 7 rows")
    assert column(tmp_path, lambda i: "fm"[i % 2] if i % 9 else r"\N", missing=[r"\N"]).schema["odd"].missing


def test_times_beyond_a_day_are_times(tmp_path):
    assert column(tmp_path, lambda i: f"{i}:{i % 60:02}:00").reading["odd"].why == "a date or a time"


@pytest.mark.parametrize("outcomes", [["Yes", "yes", "No", "no"], ["Yes ", "Yes", "No"], ["a  b", "a b", "c"]])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_outcomes_apart_only_by_case_or_blanks_are_refused(tmp_path, outcomes, suffix):
    table = pd.DataFrame({"x": np.arange(ROWS) % 7, "y": [outcomes[i % len(outcomes)] for i in range(ROWS)]})
    path = tmp_path / f"a{suffix}"
    table.to_csv(path, index=False) if suffix == ".csv" else table.to_parquet(path)
    with pytest.raises(SchemaError, match=r"by blanks or case.*spell them alike, or name both in the levels of a schema"):
        dlx.read_table(path, target="y")
    target = Target("y", kind="binary" if len(outcomes) == 2 else "multiclass", levels=tuple(outcomes))
    assert len(dlx.read_table(path, schema=Schema((Feature("x"),), target))) == ROWS


def test_a_table_of_the_target_alone_is_refused(tmp_path):
    with pytest.raises(SchemaError, match=r"no column beside the target 'y'"):
        read(tmp_path, "y\n" + "a\nb\n" * 9)


def test_a_name_of_two_lines_is_told_in_one(tmp_path):
    case = read(tmp_path, "\n".join(['"age\n(years)",pay,y', *LINES]).replace("18,", "NA,"))
    assert case.schema.names[0] == "age\n(years)" and not any("\n" in line for line in case.reading.lines())


def test_people_without_outcomes_may_leave_their_column_empty(tmp_path):
    case = read(tmp_path, "\n".join([HEADER, *LINES]))
    (tmp_path / "b.csv").write_text("age,pay,y\n20,3.5,\n21,4.5,\n")
    people = dlx.dataset.read_people(tmp_path / "b.csv", case)
    assert people.outcomes is None and people.rows.tolist() == [[20, 3.5], [21, 4.5]]
    (tmp_path / "b.csv").write_text("age,pay,y\n20,3.5,a\n21,4.5,\n")
    with pytest.raises(SchemaError, match=r"the target 'y' is missing in 1 row"):
        dlx.dataset.read_people(tmp_path / "b.csv", case)


@pytest.mark.parametrize("word", ["Total", "grand total:", " Summe "])
def test_a_row_of_totals_is_no_data(tmp_path, word):
    lines = [f"{'nse'[i % 3]},{100 + i},{i * 3}" for i in range(ROWS)]
    text = "\n".join(["region,pay,y", *lines, f"{word},7777,5310"])
    with pytest.raises(
        SchemaError, match=r"row 60, the last, is one of totals: column 'region'.*remove it, or pass categorical"
    ):
        read(tmp_path, text)
    assert len(read(tmp_path, text, categorical=["region"]).schema["region"].levels) == 4
    assert len(read(tmp_path, text.rpartition("\n")[0])) == ROWS


def test_a_file_without_a_header_is_named(tmp_path):
    with pytest.raises(SchemaError, match=r"no column 'y'.*the first line must name the columns"):
        read(tmp_path, "\n".join(LINES))


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("phone", lambda i: f"+49 170 {1_000_000 + i * 7919}"),
        ("customer no", lambda i: "oops" if i == 7 else i * 7919),
        ("place", lambda i: f'"{i}.5, {i}.7"'),
    ],
)
def test_what_looks_like_numbers_and_is_named_as_an_id_is_one(tmp_path, name, spelled):
    text = "\n".join([f"{HEADER},{name}", *(f"{line},{spelled(i)}" for i, line in enumerate(LINES))])
    assert read(tmp_path, text).reading[name].why in ("an id", "free text")


def test_dots_that_may_group_thousands_are_told_as_what_they_are_read(tmp_path):
    def semicolons(spelled):
        text = "\n".join(["x;n;y", *(f"{i};{spelled(i)};{'ab'[i % 2]}" for i in range(ROWS))])
        return read(tmp_path, text).reading["n"].done

    assert semicolons(lambda i: f"{1 + i % 9}.{100 + i}") == ("dots read as decimal points: '1.100', '2.101', '3.102'",)
    assert semicolons(lambda i: f"0.{100 + i}") == () and semicolons(lambda i: f"0,{100 + i}") == ("decimal commas",)


def test_people_in_another_unit_are_refused(tmp_path):
    case = column(tmp_path, lambda i: f"{i} kg")
    path = tmp_path / "b.csv"
    for unit, said in {
        "lb": "got '20 lb'",
        "$": r"'odd' is in kg, but its values are in \$: '20 \$'",
        "kg": "",
        "": "",
    }.items():
        path.write_text(f"age,pay,odd\n20,3.5,20 {unit}\n21,4.5,30 {unit}\n")
        if said:
            with pytest.raises(SchemaError, match=said):
                dlx.dataset.read_people(path, case)
        else:
            assert dlx.dataset.read_people(path, case).rows[:, 2].tolist() == [20, 30]


@pytest.mark.parametrize("spelled", [lambda i: f"{i},5", lambda i: f"${i}.5", lambda i: f"{i}.5 kg", lambda i: f"{i}.5%"])
def test_one_person_is_read_as_the_table_was(tmp_path, spelled):
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["x;n;y", *(f"{i % 7};{spelled(i)};{'ab'[i % 2]}" for i in range(ROWS))]))
    case = dlx.read_table(path, target="y")
    assert case.rows[:, 1].tolist() == [i + 0.5 for i in range(ROWS)]
    path.write_text(f"x;n\n3;{spelled(9)}\n")
    assert dlx.dataset.read_people(path, case).rows.tolist() == [[3, 9.5]]


# Workbooks --------------------------------------------------------------------------------------------------------------


def workbook(path, change=lambda _: None):
    book = openpyxl.Workbook()
    for line in [HEADER, *LINES]:
        book.active.append([float(cell) if cell[0].isdecimal() else cell for cell in line.split(",")])
    change(book)
    book.save(path)
    return path


def test_the_first_sheet_that_is_shown_is_read(tmp_path):
    def hide(book):
        book.create_sheet("lists", 0).append(["a", "y"])
        book["lists"].sheet_state = "hidden"

    case = dlx.read_table(workbook(tmp_path / "a.xlsm", hide), target="y")
    assert len(case) == ROWS and case.reading.file == ()


def test_a_cover_sheet_is_named(tmp_path):
    path = workbook(tmp_path / "a.xlsx", lambda book: book.create_sheet("Cover", 0).append(["Report"]))
    with pytest.raises(SchemaError, match=r"has no rows; this is the first of 2 sheets, 'Cover': move that of the table"):
        dlx.read_table(path, target="y")
    path = workbook(tmp_path / "a.xlsx", lambda book: book.create_sheet("Other").append(["a"]))
    with pytest.raises(SchemaError, match=r"age, pay, y; this is the first of 2 sheets, 'Sheet': move that of the table"):
        dlx.read_table(path, target="outcome")


def test_a_cell_far_away_costs_no_time(tmp_path):
    path = workbook(tmp_path / "a.xlsx", lambda book: book.active.cell(200_000, 16_384, " "))
    assert len(dlx.read_table(path, target="y")) == ROWS


def test_a_workbook_that_its_library_cannot_open_is_one_line(tmp_path):
    path = workbook(tmp_path / "a.xlsx", lambda book: book.create_chartsheet("Chart", 0))
    with pytest.raises(SchemaError, match=r"cannot read .*; save its sheet as \.csv"):
        dlx.read_table(path, target="y")


# Typed files ------------------------------------------------------------------------------------------------------------


def typed(tmp_path, column, **options):
    table = pa.table({"x": np.arange(ROWS) % 7, "odd": column, "y": ["ab"[i % 2] for i in range(ROWS)]})
    parquet.write_table(table, tmp_path / "a.parquet")
    return dlx.read_table(tmp_path / "a.parquet", target="y", **options)


@pytest.mark.parametrize("kind", [pa.int64(), pa.uint64(), pa.decimal128(38, 0)])
def test_whole_numbers_with_gaps_are_not_confused(tmp_path, kind):
    held = pa.array([None if i % 9 == 0 else 2**60 + i for i in range(ROWS)], pa.int64()).cast(kind)
    with pytest.raises(SchemaError, match=r"1152921504606846977 is a whole number beyond 2\*\*53"):
        typed(tmp_path, held)
    case = typed(tmp_path, held, categorical=["odd"])
    assert len(case.schema["odd"].levels) == ROWS - 7 and "1152921504606846977" in case.schema["odd"].levels


@pytest.mark.parametrize("missing", [[""], [], ["NA"]])
def test_the_empty_text_of_a_typed_file_is_missing_where_it_is_asked_for(tmp_path, missing):
    with pytest.raises(SchemaError, match=r"has a level without text: .*; name it, or make .* missing: missing=\[''\]"):
        typed(tmp_path, pa.array(["", "u", " ", "v"] * 15))
    case = typed(tmp_path, pa.array(["", "u", " ", "v"] * 15), missing=missing)
    assert case.schema["odd"].levels == ("u", "v") and np.isnan(case.rows[::2, 1]).all()
    assert case.reading["odd"].done[0] == "missing: '', ' ' in 30 rows"


def test_few_numbers_in_text_of_a_typed_file_are_told(tmp_path):
    assert typed(tmp_path, pa.array(["1", "2", "3"] * 20)).reading["odd"].done == ("text that spells numbers, kept as levels",)


@pytest.mark.parametrize("there", [["yes", "no"], ["no", "yes"]])
def test_outcomes_without_an_order_are_sorted_whatever_comes_first(tmp_path, there):
    outcome = pa.array([there[i % 2] for i in range(ROWS)]).dictionary_encode()
    parquet.write_table(pa.table({"x": np.arange(ROWS) % 7, "y": outcome}), tmp_path / "a.parquet")
    assert dlx.read_table(tmp_path / "a.parquet", target="y").schema.target.levels == ("no", "yes")


def test_a_category_that_no_row_has_is_no_outcome():
    outcome = pd.Categorical(["no", "yes"] * 30, categories=["maybe", "yes", "no"])
    table = pd.DataFrame({"x": np.arange(ROWS) % 7, "y": outcome})
    assert dlx.infer_schema(table, "y").target.levels == ("no", "yes")
    table["y"] = outcome.as_ordered()
    assert dlx.infer_schema(table, "y").target.levels == ("yes", "no")


def test_times_of_a_typed_file_are_set_aside(tmp_path):
    held = pa.array([datetime.timedelta(hours=i) for i in range(ROWS)])
    assert typed(tmp_path, held).reading["odd"].why == "a date or a time"


# What is said can be followed -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": "y"}, ["--target", "y"]),
        ({"target": "y", "name": "other", "positive": "a", "keep": ["age"]}, None),
        ({"target": "y", "missing": ["-", "18"], "categorical": ["pay"], "delimiter": ","}, None),
        ({"target": "y", "missing": []}, ["--target", "y", "--missing", ""]),
    ],
)
def test_the_way_to_a_checkpoint_reads_the_table_as_it_was_read(tmp_path, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("\n".join([HEADER, *LINES]))
    case = dlx.read_table("a.csv", **options)
    with pytest.raises(DlxError, match="make it with: dlx train") as told:
        dlx.load_model(case, "mlp")
    said = shlex.split(str(told.value).partition("make it with: dlx train ")[2])
    assert words is None or said == ["a.csv", *words, "--model", "mlp"]
    got = []
    monkeypatch.setattr("dlx.checkpoint.train", lambda data, *_, **__: got.append(data))
    monkeypatch.setattr("sys.argv", ["dlx", "train", *said])
    monkeypatch.setattr("dlx.cli.print_metrics", lambda *_: None)
    with pytest.raises(SystemExit):
        dlx.cli.main()
    assert got[0].sha256 == case.sha256 and got[0].name == case.name


def test_a_schema_of_python_is_told_as_a_file_to_write(tmp_path):
    (tmp_path / "a.csv").write_text("\n".join([HEADER, *LINES]))
    case = dlx.read_table(tmp_path / "a.csv", target="y")
    described = dlx.read_table(tmp_path / "a.csv", schema=case.schema)
    assert described.reading.options == ("--schema", "SCHEMA.toml")


def test_a_file_of_nearly_that_name_is_suggested(tmp_path):
    (tmp_path / "loans.csv").touch()
    with pytest.raises(SchemaError, match=r"no file .*loan.csv; did you mean 'loans.csv'\?"):
        dlx.read_table(tmp_path / "loan.csv", target="y")


@pytest.mark.parametrize(
    ("word", "near"), [("logistic", "logistic_regression"), ("gradient", "gradient_boosting"), ("re", None)]
)
def test_the_beginning_of_a_name_is_enough_to_suggest_it(word, near):
    with pytest.raises(DlxError, match="no model") as refused:
        dlx.load_model("bank_loan", word)
    assert str(refused.value).endswith(f"did you mean {near!r}?") if near else "did you mean" not in str(refused.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"target": "y", "keep": "age"}, r"keep must be a list of columns, got 'age'; write \['age'\]"),
        ({"target": "y", "categorical": "age"}, "categorical must be a list of columns"),
        ({"schema": {"target": "y"}}, "schema must be a Schema or the path of a TOML file, got dict"),
    ],
)
def test_what_is_of_another_type_is_one_line(tmp_path, options, said):
    (tmp_path / "a.csv").write_text("\n".join([HEADER, *LINES]))
    with pytest.raises(SchemaError, match=said):
        dlx.read_table(tmp_path / "a.csv", **options)
    with pytest.raises(SchemaError, match=r"from a path, got DataFrame; pass one of Python's to dlx.dataset.from_frame"):
        dlx.read_table(pd.DataFrame({"x": [1]}), target="y")


def test_long_runs_of_digits_cost_no_time(tmp_path):
    assert column(tmp_path, lambda i: f"{'9' * 20_000}x{i}").reading["odd"].why == "an id"
