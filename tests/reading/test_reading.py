"""Tables from files are read as they are, or refused in one line: held against a writer that knows the truth."""

from __future__ import annotations

import csv

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from written import ROWS, described, frame, spelled, written

import dlx
from dlx.dataset import read_people
from dlx.errors import DlxError, did_you_mean
from dlx.schema import SchemaError
from dlx.schema.cells import DATE, number_of, same_level

pytestmark = pytest.mark.doors


NUMBERS = st.one_of(
    st.integers(-(10**9), 10**9).map(lambda v: (float(v), str(v))),
    st.floats(-1e30, 1e30, allow_nan=False).map(lambda v: (v, repr(v))),
    st.floats(0, 1e6).map(lambda v: (float(f"{v:.2f}"), f"{v:.2f}")),
)


WORDS = st.text(st.characters(codec="latin-1", exclude_categories=("C",)), min_size=1, max_size=6).filter(
    lambda text: text.strip() and number_of(text) is None and not DATE.fullmatch(text.strip())
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
        (["1"], "1", {"target": "mor"}, "the table has no column 'mor'; it has .*did you mean 'more'"),
        (["1"], "1", {"positive": "maybe"}, "the target 'y' has no outcome 'maybe'; it has 'no', 'yes'"),
        (["1"], "1", {"keep": ["mor"]}, "the table has no column 'mor'; it has .*did you mean 'more'"),
        (["1"], "1", {"keep": ["more"], "drop": ["more"]}, "'more' is asked for as two things at once"),
        (["1"], "1", {"drop": ["y"]}, "'y' is asked for as two things at once"),
        (["1"], "1", {"drop": ["code", "pay"]}, "no column of the schema is left to learn from"),
        (["1"], "1", {"drop": "code"}, "drop must be a list of columns"),
        (["1"], "1", {"special": {"code": {"1": "none"}}}, "is categorical and has special values"),
        (["1"], "1", {"protected": ["cod"]}, "no feature 'cod'; .*did you mean 'code'"),
    ],
)
def test_what_contradicts_a_schema_is_refused(tmp_path, codes, pay, options, said):
    with pytest.raises(SchemaError, match=said):
        described(tmp_path, codes, pay, **options)


def test_what_is_asked_for_beside_a_schema_has_the_last_word_and_is_noted(tmp_path):
    plain = described(tmp_path, ["1"])
    other = described(tmp_path, ["1"], positive="no", keep=["more"], protected=["pay"], special={"pay": {1: "one"}})
    assert other.schema.target.positive == "no" and np.array_equal(other.outcomes, 1 - plain.outcomes)
    assert other.schema["more"].levels and other.schema["pay"].protected and other.schema["pay"].special == {"1": "one"}
    assert other.reading["more"].done == ("a feature, as asked for beside the schema",)
    assert "special values, protected, as asked for beside the schema" in other.reading["pay"].done
    assert "positive is 'no', as asked for, in place of the schema's 'yes'" in str(other.reading["y"])
    assert {"--protected", "--special", "pay=1:one"} <= set(other.reading.options)
    moved = described(tmp_path, ["1"], target="more", categorical=["pay"], ids=["code"])
    assert moved.schema.target.name == "more" and moved.schema.names == ("pay",) and moved.schema["pay"].is_categorical
    assert [(c.name, c.why) for c in moved.schema.carried] == [
        ("code", "an id, as asked for"),
        ("y", "the target that the schema names"),
    ]
    assert "in place of the schema's 'y'" in str(moved.reading["more"]) and moved.table.columns.tolist() == ["pay", "code", "y"]


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
