"""Features, targets and schemas: what they accept, what they refuse, and in which words."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
import worlds
from hypothesis import given
from hypothesis import strategies as st

import dlx
from dlx.schema import Carried, Feature, Schema, SchemaError, Target, infer_schema, read_schema

pytestmark = pytest.mark.doors

TOML = """
[target]
name = "bad"
levels = [["0", "repaid"], ["1", "not repaid"]]
threshold = 0.2

[[feature]]
name = "amount"
unit = "EUR"

[[feature]]
name = "housing"
kind = "categorical"
levels = ["rent", "own"]
missing = true
"""


def spoiled(**columns):
    """The mixed table with a column changed."""
    return worlds.table("mixed")[:3].frame.assign(**columns)


def test_rows_survive_a_round_trip_through_the_words_of_the_table(world, case):
    schema = worlds.SCHEMAS[world]
    np.testing.assert_array_equal(schema.encode(schema.decode(case.rows)), case.rows)
    shuffled = schema.decode(case.rows, index=case.index)[[*reversed(schema.names)]].assign(more=1)
    np.testing.assert_array_equal(schema.encode(shuffled), case.rows)


@pytest.mark.parametrize("cells", [["1", "2", None], [1, 2, None], [1.0, 2.0, np.nan], pd.array([1, 2, None], dtype="Int64")])
def test_levels_are_known_however_a_table_spells_them(cells):
    coded = Feature("x", "categorical", levels=("1", "2"), missing=True).encode(pd.Series(cells))
    np.testing.assert_array_equal(coded, [0, 1, np.nan])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"housing": ["own", "castle", None]}, "housing', row id-1: unknown level 'castle'; known levels: 'rent'"),
        ({"age": [1.0, 2.0, np.nan]}, "'age' must not be missing, but is in row id-2; fill it in, or set missing"),
        ({"age": [1.0, np.inf, 3.0]}, "column 'age', row id-1: expected a finite number, got inf"),
        ({"age": ["1", "2", "old"]}, "column 'age', row id-2: expected a finite number, got 'old'"),
    ],
)  # fmt: skip
def test_cell_out_of_the_schema_is_an_error_that_names_column_row_and_remedy(columns, message):
    with pytest.raises(SchemaError, match=message):
        worlds.MIXED.encode(spoiled(**columns))


def test_table_without_a_column_or_with_one_twice_is_an_error():
    with pytest.raises(SchemaError, match="the table lacks 2 columns: income, sex; it has housing, age, idle"):
        worlds.MIXED.encode(spoiled().drop(columns=["income", "sex"]))
    twice = pd.concat([spoiled(), spoiled()[["age"]]], axis=1)
    with pytest.raises(SchemaError, match="columns of the same name: age"):
        worlds.MIXED.encode(twice)


@pytest.mark.parametrize("level", [-1, 0.5, 3])
def test_codes_of_no_level_are_refused(level):
    rows = worlds.people("mixed").copy()
    rows[0, 1] = level
    with pytest.raises(SchemaError, match=f"column 'housing' takes codes 0 to 2, got {level}; pass a DataFrame"):
        worlds.MIXED.check(rows)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Feature("x", "ordinal"), "kind must be 'numeric' or 'categorical', got 'ordinal'"),
        (lambda: Feature("x", "categorical"), "'x' is categorical and has no levels"),
        (lambda: Feature("x", "categorical", levels=("a", "a")), "names a level twice"),
        (lambda: Feature("x", "categorical", levels=("a", "b"), level_labels=("A",)), "2 levels and 1 level_labels"),
        (lambda: Feature("x", cuts=(3, 2)), r"cuts must be increasing numbers of a numeric column, got \[3, 2\]"),
        (lambda: Feature("x", cuts=("a",)), r"cuts must be a list of numbers, got \('a',\)"),
        (lambda: Feature("x", "categorical", levels=("a", "b"), cuts=(0,)), r"got \[0\] for a categorical one"),
        (lambda: Target("y", levels=("a",)), "is binary and needs 2 levels"),
        (lambda: Target("y", "multiclass", levels=("a", "b")), "is multiclass and needs 3 levels"),
        (lambda: Target("y", "ordinal", levels=("a", "b")), "must be 'binary', 'multiclass' or 'regression', got"),
        (lambda: Target("y", levels=("a", "b"), threshold=1.0), r"threshold must lie in \(0, 1\), got 1"),
        (lambda: Schema(()), "at least one feature"),
        (lambda: Schema((Feature("a"), Feature("a"))), "occur twice: 'a'"),
        (lambda: Schema((Feature("y"),), Target("y", levels=("0", "1"))), "occur twice: 'y'"),
    ],
)  # fmt: skip
def test_schema_that_contradicts_itself_is_refused(make, message):
    with pytest.raises(SchemaError, match=message):
        make()


def test_values_are_told_in_the_words_of_the_schema():
    housing, income = (
        Feature("h", "categorical", levels=("r", "o"), level_labels=("rents", "owns")),
        worlds.MIXED["income"],
    )
    assert housing.format(1.0) == "owns"
    assert [income.format(x) for x in (12345.0, 0.123456, np.nan)] == ["12,345 EUR", "0.1235 EUR", "missing"]
    with pytest.raises(SchemaError, match="no feature 'wage'; the features are income, housing"):
        worlds.MIXED["wage"]


def test_toml_and_dict_describe_a_schema_whole(tmp_path):
    path = tmp_path / "schema.toml"
    path.write_text(TOML, encoding="utf-8")
    schema = read_schema(path)
    assert schema.names == ("amount", "housing") and schema.target.positive == "not repaid"
    assert schema["amount"].unit == "EUR" and schema["housing"].missing and schema.target.threshold == 0.2
    assert Schema.from_dict(schema.to_dict()) == schema
    assert Schema.from_dict(schema.to_dict()).sha256 == schema.sha256 != worlds.MIXED.sha256


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("unit", "units", "Feature 'amount' has no field 'units'"),
        ("threshold = 0.2", "threshold = ", "cannot read the schema"),
        ("[target]", "[targets]", r"no \[target\]"),
        ('name = "amount"', "", "a Feature needs a name"),
        ('levels = ["rent", "own"]', "levels = [1, 2]", r"levels of 'housing' must be strings .*got 1"),
        ("[[feature]]\nname = \"amount\"\nunit = \"EUR\"\n\n[[feature]]", "[feature]", r"\[\[feature\]\]"),
        ("repaid", "repay\udce9", "cannot read the schema"),
    ],
)  # fmt: skip
def test_spoiled_schema_file_is_an_error_that_says_where(tmp_path, old, new, message):
    path = tmp_path / "schema.toml"
    path.write_text(TOML.replace(old, new), encoding="utf-8", errors="surrogateescape")
    with pytest.raises(SchemaError, match=message):
        read_schema(path)


def test_schema_is_inferred_from_a_table():
    table = pd.DataFrame(
        {"n": [1, 2, 3, None], "c": ["b", "a", "NA", "b"], "flag": [True, False, True, True], "y": [1, 0, 1, 0]}
    )
    schema = infer_schema(table, "y", positive="0")
    assert [(f.kind, f.levels, f.missing) for f in schema.features] == [
        ("numeric", (), True), ("categorical", ("NA", "a", "b"), False), ("categorical", ("False", "True"), False),
    ]  # fmt: skip
    assert schema.target.levels == ("1", "0")
    assert infer_schema(table.assign(y=[0, 1, 2, 10]), "y").target.levels == ("0", "1", "2", "10")
    assert infer_schema(pd.DataFrame({"x": range(30), "y": range(30)}), "y").target.kind == "regression"


@pytest.mark.parametrize(
    ("table", "positive", "message"),
    [
        ({"x": [1, 2]}, None, "no column 'y'; it has x"),
        ({"x": [1, 2], "y": [1, 1]}, None, "must have at least 2 different values, got 1"),
        ({"x": [1, 2], "y": [1, 0]}, "yes", "has no level 'yes'; it has '0', '1'"),
        ({"x": [None, None], "y": [1, 0]}, None, "column 'x' has no value at all; leave it out"),
    ],
)
def test_table_that_suggests_no_schema_is_an_error(table, positive, message):
    with pytest.raises(SchemaError, match=message):
        infer_schema(pd.DataFrame(table), "y", positive=positive)


def test_a_column_of_ids_is_not_taken_for_a_category():
    table = pd.DataFrame({"id": [f"C{i}" for i in range(60)], "x": range(60), "y": ["a", "b"] * 30})
    schema = infer_schema(table, "y")
    assert schema.names == ("x",)
    assert [(column.name, column.position, column.why) for column in schema.carried] == [("id", 0, "an id")]
    assert len(infer_schema(table, "y", keep=["id"])["id"].levels) == 60


def test_a_missing_outcome_is_named_with_its_row():
    with pytest.raises(SchemaError, match="target 'y' is missing in 1 row, first in row 7; leave these rows out"):
        Target("y", levels=("a", "b")).encode(pd.Series(["a", None, "b"], index=[5, 7, 9]))


def test_cuts_and_what_is_compared_are_words_that_no_model_depends_on(tmp_path):
    path, plain = tmp_path / "people.toml", tmp_path / "plain.toml"
    plain.write_text(TOML)
    path.write_text(TOML.replace("threshold", 'fairness_by = ["amount"]\nthreshold'))
    with pytest.raises(SchemaError, match=r"fairness_by names 'amount', which is not protected; set protected = true"):
        read_schema(path)
    path.write_text(path.read_text().replace('unit = "EUR"', 'unit = "EUR"\nprotected = true\ncuts = [100, 250.5]'))
    schema = read_schema(path)
    assert schema["amount"].cuts == (100.0, 250.5) and schema.target.fairness_by == ("amount",)
    assert schema.sha256 == read_schema(plain).sha256 and schema.codes == read_schema(plain).codes
    path.write_text(TOML.replace("threshold", 'fairness_by = ["sex"]\nthreshold'))
    with pytest.raises(SchemaError, match="fairness_by names 'sex', which is no feature; the features are"):
        read_schema(path)


@pytest.mark.parametrize(
    ("threshold", "reason", "said"),
    [(0.5, "", "one half, as nothing"), (0.3, "", "stated in the schema without a reason"), (0.3, "0.3: costs", "0.3: costs")],
)
def test_a_threshold_is_not_called_one_half_where_another_one_was_stated(threshold, reason, said):
    assert Target("y", levels=("no", "yes"), threshold=threshold, threshold_reason=reason).threshold_reason.startswith(said)


def test_what_the_law_protects_is_not_for_people_to_change(tmp_path):
    path = tmp_path / "people.toml"
    path.write_text(TOML.replace('unit = "EUR"', 'unit = "EUR"\nprotected = true\nactionable = true'))
    with pytest.raises(SchemaError, match="'amount' is protected and actionable"):
        read_schema(path)


# Types ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("actionable", '"no"', "actionable must be true or false, got 'no'"),
        ("missing", '"false"', "missing must be true or false, got 'false'"),
        ("protected", "1", "protected must be true or false, got 1"),
        ("unit", "3", "unit must be text, got 3"),
        ("label", "1979-05-27", "label must be text, got datetime.date"),
        ("description", '["a"]', r"description must be text, got \['a'\]"),
        ("cuts", "25", "cuts must be a list of numbers, got 25"),
        ("cuts", "[25, nan]", "cuts must be a list of numbers"),
        ("cuts", "[true, 2]", "cuts must be a list of numbers"),
        ("cuts", "[2, inf]", "cuts must be increasing numbers"),
        ("direction", '"upwards"', "direction must be 'any', 'up' or 'down', got 'upwards'"),
        ("kind", "1", "kind must be 'numeric' or 'categorical', got 1"),
        ("missing_label", '""', "missing_label must not be empty"),
        ("levels", '["a"]', "'amount' has levels, but its kind is numeric"),
        ("levels", '"ab"', "levels must be a list of texts, got 'ab'"),
        ("levels", '[["a", "A"], "b"]', "levels of 'amount' must be all strings or all pairs"),
        ("levels", '[["a", "A", "x"]]', "levels of 'amount' must be all strings or all pairs"),
        ("levels", '[["a", 1]]', "levels of 'amount' must be strings .*got 1"),
        ("levels", '[["a", "A"], ["b", "B"]]\nlevel_labels = ["a", "b"]', "gives labels in its levels and in level_labels"),
        ("level_reasons", '["x"]', "0 levels and 1 level_reasons"),
        ("actionble", "true", "has no field 'actionble'; did you mean 'actionable'"),
    ],
)
def test_keys_of_a_schema_file_have_their_types(tmp_path, key, value, said):
    path = tmp_path / "schema.toml"
    path.write_text(TOML.replace('unit = "EUR"', f"{key} = {value}"), encoding="utf-8")
    with pytest.raises(SchemaError, match=said) as refused:
        read_schema(path)
    assert "schema.toml" in str(refused.value) and "'amount'" in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("threshold = 0.2", 'threshold = "0.2"', "target 'bad': threshold must be a number, got '0.2'"),
        ("threshold = 0.2", "threshold = nan", "target 'bad': threshold must be a number, got nan"),
        ("threshold = 0.2", "threshold = true", "target 'bad': threshold must be a number, got True"),
        ("threshold = 0.2", 'adverse_action = "yes"', "adverse_action must be true or false"),
        ("threshold = 0.2", 'fairness_by = "sex"', "fairness_by must be a list of texts, got 'sex'"),
        ("threshold = 0.2", 'positive = "1"', "has no field 'positive'; the positive outcome is the last of 'levels'"),
        ("threshold = 0.2", 'kind = "regression"', "is a regression and has levels"),
        ('name = "bad"', 'name = ["bad"]', "name must be text"),
        ('[["0", "repaid"], ["1", "not repaid"]]', '["1", "1.0"]', "the same but for their spelling: '1' and '1.0'"),
        ('[["0", "repaid"], ["1", "not repaid"]]', '["yes", " "]', "has a level without text"),
        ("[target]", "[targt]\nx = 1\n[target]", "a schema has no 'targt'; it has .*did you mean 'target'"),
        ("[target]", "weights = 3\n[target]", "weights must be text, got 3"),
        ("[target]", "weights = 'amount'\n[target]", "'amount' weighs rows, and cannot be a feature"),
        ("threshold = 0.2", "costs = { false_alarm = 1 }", "costs are two numbers above 0"),
        ("threshold = 0.2", "costs = { false_alarm = 1, miss = 0 }", "costs are two numbers above 0"),
        ("threshold = 0.2", "threshold = 0.2\ncosts = { false_alarm = 1, miss = 5 }", "a threshold or costs"),
        ("[target]", "features = []\n[target]", "lists its features once"),
        (
            '[[feature]]\nname = "amount"',
            "[[carried]]\nname = 'a'\n[[feature]]\nname = \"amount\"",
            "needs position, a whole number",
        ),
    ],
)
def test_targets_and_tables_of_a_schema_file_are_checked(tmp_path, old, new, said):
    path = tmp_path / "schema.toml"
    assert old in TOML
    path.write_text(TOML.replace(old, new), encoding="utf-8")
    with pytest.raises(SchemaError, match=said) as refused:
        read_schema(path)
    assert "schema.toml" in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Feature("x", actionable="no"), "feature 'x': actionable must be true or false, got 'no'"),
        (lambda: Feature("", "numeric"), "name must not be empty"),
        (lambda: Feature(3), "name must be text, got 3"),
        (lambda: Feature("x", "categorical", levels="ab"), "levels must be a list of texts, got 'ab'"),
        (lambda: Feature("x", "categorical", levels=(1, 2)), "levels must be a list of texts"),
        (lambda: Feature("x", missing=None), "missing must be true or false, got None"),
        (lambda: Target("y", levels=("a", "b"), threshold=np.inf), r"threshold must lie in \(0, 1\), got inf"),
        (lambda: Target("y", levels=("a", "b"), level_labels=("A",)), "2 levels and 1 level_labels"),
        (lambda: Carried("id", -1), "position must be 0 or more"),
        (lambda: Carried("id", True), "position must be a whole number"),
        (lambda: Schema(("x",)), "features must be a list of values"),
        (lambda: Schema((Feature("x"),), target="y"), "target must be Target"),
    ],
)
def test_what_python_makes_has_the_same_types(make, said):
    with pytest.raises(SchemaError, match=said):
        make()


def test_lists_and_numpy_s_scalars_are_taken_for_what_they_are():
    made = Feature("x", "categorical", levels=["a", "b"], missing=np.bool_(True))
    assert made == Feature("x", "categorical", levels=("a", "b"), missing=True) and type(made.missing) is bool


SCALARS = st.one_of(st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.dates(), st.none(), st.just("no"))
ANYTHING = st.recursive(
    SCALARS, lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=3), some, max_size=2), max_leaves=5
)
LEVELED = st.sampled_from([{}, {"kind": "categorical", "levels": ["a", "b"]}])
ENTRIES = st.dictionaries(st.sampled_from([f.name for f in dataclasses.fields(Feature)] + ["x"]), ANYTHING, max_size=2)
TARGETS = st.dictionaries(st.sampled_from([f.name for f in dataclasses.fields(Target)] + ["x"]), ANYTHING, max_size=2)


@given(ANYTHING | st.builds(lambda a, b: {"name": "f"} | b | a, ENTRIES, LEVELED), TARGETS)
def test_whatever_describes_a_schema_makes_one_or_is_refused_in_a_line(entry, target):
    try:
        schema = Schema.from_dict({"feature": [entry, {"name": "g"}], "target": {"name": "t", "levels": ["0", "1"]} | target})
    except SchemaError as error:
        assert "\n" not in str(error)
    else:
        assert Schema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema
        assert len(schema.sha256) == 64


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"dtype": "int9"}, "no column of dtype 'int9' holds its values"),
        ({"dtype": "int64", "kind": "categorical", "levels": ["f", "m"]}, "no column of dtype 'int64' holds its values"),
        ({"kind": "categorical", "levels": ["f", "m"], "level_values": ["m", "f"]}, "the value of level 'f' cannot be 'm'"),
        ({"bounds": [1, 10**400]}, "bounds must be a list of numbers"),
    ],
)
def test_a_description_that_no_table_could_have_is_refused(entry, said):
    described = {"target": {"name": "y", "levels": ["0", "1"]}, "feature": [{"name": "a", **entry}]}
    with pytest.raises(SchemaError, match=f"feature 'a': {said}"):
        Schema.from_dict(described)
    assert Schema.from_dict(described | {"feature": [{"name": "a", "bounds": [1, 10**30]}]})["a"].bounds[1] == 1e30


def test_a_file_as_editors_write_it_is_read_and_one_without_a_bottom_is_not(tmp_path):
    path = tmp_path / "a.toml"
    text = "[target]\nname = 'y'\nlevels = ['0', '1']\n[[feature]]\nname = 'a'\n"
    path.write_text(text, encoding="utf-8-sig")
    assert read_schema(path).names == ("a",)
    path.write_text(f"{text}cuts = {'[' * 5_000}{']' * 5_000}")
    with pytest.raises(SchemaError, match="cannot read the schema"):
        read_schema(path)
    path.write_text("target = 'y'")
    with pytest.raises(SchemaError, match=r"says its target under \[target\]"):
        read_schema(path)


def test_what_is_printed_fits_in_three_lines_and_says_what_it_is():
    case = worlds.table("mixed")
    odd = Feature("a\nb", "categorical", levels=tuple(f"level {i}\n" for i in range(50)), missing=True, protected=True)
    for thing, said in [
        (case, "300 rows"),
        (case[:0], "0 rows"),
        (dataclasses.replace(case, outcomes=None), "unknown"),
        (worlds.table("numeric"), "300 rows"),
        (case.schema, "features: income, housing"),
        (odd, "50 levels: level 0, level 1"),
        (case.schema["income"], "numeric, EUR"),
        (case.schema.target, case.schema.target.level_labels[-1]),
    ]:
        assert said in repr(thing) and len(repr(thing).splitlines()) <= 3
        assert max(map(len, repr(thing).splitlines())) < 200


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("", 'weights = "wt"\n', "the schema's weights 'wt' is no column of the table; it has age, income, bad, weight$"),
        ("", 'weights = "weigth"\n', "the schema's weights 'weigth' is no column .* did you mean 'weight'"),
        ("", 'split = "time:wieght"\n', "the split goes by 'wieght', which is no column"),
        ('"bad"', '"bda"', "the schema's target 'bda' is no column of the table.*did you mean 'bad'"),
        ('[[feature]]\nname = "age"', '[[feature]]\nname = "agee"', "the table lacks 1 column: agee.*did you mean 'age'"),
        (
            '"age"\n',
            '"age"\nderived_from = ["incom"]\n',
            "derived from 'incom', which is no other feature; did you mean 'income'",
        ),
        ('"bad"\n', '"bad"\nfairness_by = ["agee"]\n', "fairness_by names 'agee', which is no feature.*did you mean 'age'"),
        (
            "[target]",
            '[[carried]]\nname = "wieght"\nposition = 2\n\n[target]',
            "carried column 'wieght' .*did you mean 'weight'",
        ),
    ],
)
def test_a_column_that_a_schema_names_and_the_table_has_not_is_refused(tmp_path, old, new, said):
    table = pd.DataFrame({"age": range(20, 60), "income": 9.5, "bad": ["n", "y"] * 20, "weight": 1})
    table.to_csv(tmp_path / "t.csv", index=False)
    text = '[target]\nname = "bad"\nlevels = ["n", "y"]\n\n[[feature]]\nname = "age"\n\n[[feature]]\nname = "income"\n'
    (tmp_path / "s.toml").write_text(text)
    assert dlx.read_table(tmp_path / "t.csv", schema=tmp_path / "s.toml").schema.columns == ("age", "income", "weight")
    (tmp_path / "s.toml").write_text(text.replace(old, new, 1) if old else new + text)
    with pytest.raises(SchemaError, match=said):
        dlx.read_table(tmp_path / "t.csv", schema=tmp_path / "s.toml")
