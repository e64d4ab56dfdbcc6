"""Explanations: frozen, sliced, told as tables, saved and loaded unharmed or not at all."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import worlds
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save_file

import dlx
from dlx.explanation import Explanation, ExplanationError, LocalAccuracy
from dlx.explanation_file import METADATA_KEY, _digest
from dlx.model import wrap
from dlx.schema import Feature, Schema
from dlx.schema.features import words_of

pytestmark = pytest.mark.doors


@pytest.fixture(scope="module")
def saved_bytes(tmp_path_factory):
    """A file of an explanation and what it held."""
    path = example().save(tmp_path_factory.mktemp("saved") / "e.safetensors")
    return SimpleNamespace(path=path, content=path.read_bytes())


@pytest.fixture
def explanation():
    return example()


def example():
    rng = np.random.default_rng(0)
    rows, values = worlds.people("mixed"), rng.normal(size=(5, 5))
    return Explanation(
        values=values, base_values=np.full(5, 0.5), outputs=0.5 + values.sum(axis=1) + [0, 0, 0, 0, 0.25], rows=rows,
        schema=worlds.MIXED, scale="logit", method="lime", implementation="lime 0.2", model="net", background_id="b",
        index=np.array(list("abcde")), options={"n_samples": np.int64(5), "kernel": None}, seed=np.int64(3),
        promise="none", standard_errors=np.abs(values),
    )  # fmt: skip


def test_derived_numbers_are_their_formulas(explanation):
    np.testing.assert_allclose(explanation.residuals, [0, 0, 0, 0, 0.25], atol=1e-12)
    np.testing.assert_allclose(explanation.importance, np.abs(explanation.values).mean(axis=0))
    assert explanation.rows_id == explanation[:].rows_id != explanation[::-1].rows_id


def test_nothing_changes_under_a_reader(explanation):
    values = np.zeros((5, 5))
    other = dataclasses.replace(explanation, values=values)
    values[0, 0] = 9
    assert other.values[0, 0] == 0
    for name in ("values", "base_values", "outputs", "rows", "standard_errors", "index"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(explanation, name)[0] = 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        explanation.values = values


@pytest.mark.parametrize("which", [2, -1, np.int64(0), slice(1, 4), [3, 0], np.arange(5) > 2])
def test_slices_carry_everything_along(explanation, which):
    some, where = explanation[which], np.atleast_1d(np.arange(5)[which])
    for name in ("values", "base_values", "outputs", "rows", "standard_errors", "index"):
        np.testing.assert_array_equal(getattr(some, name), getattr(explanation, name)[where])
    assert (some.method, some.options, some.background_id) == ("lime", explanation.options, "b")


def test_iteration_ends(explanation):
    assert [one.index[0] for one in explanation] == list("abcde")


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("values", np.zeros((5, 4)), r"values must be \[5, 5\], got \[5, 4\]"),
        ("base_values", np.zeros(4), r"base_values must be \[5\], got \[4\]"),
        ("outputs", np.zeros((5, 1)), r"outputs must be \[5\], got \[5, 1\]"),
        ("standard_errors", np.zeros(5), r"standard_errors must be \[5, 5\], got \[5\]"),
        ("index", np.arange(3), r"index must be \[5\], got \[3\]"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(explanation, name, array, message):
    with pytest.raises(ExplanationError, match=message):
        dataclasses.replace(explanation, **{name: array})


def test_frame_has_a_line_a_row_and_feature_in_words(explanation):
    frame = explanation.to_frame()
    assert len(frame) == 25 and list(frame["row"][:6]) == list("aaaaab")
    pd.testing.assert_series_equal(frame["contribution"], pd.Series(explanation.values.ravel()), check_names=False)
    assert list(frame["value"][:5]) == [f.format(x) for f, x in zip(worlds.MIXED.features, explanation.rows[0], strict=True)]
    assert list(frame["standard_error"]) == list(explanation.standard_errors.ravel())
    assert "standard_error" not in dataclasses.replace(explanation, standard_errors=None).to_frame()
    assert list(frame["feature"][:5]) == list(worlds.MIXED.names) and list(frame["label"][5:10]) == list(worlds.MIXED.labels)
    assert list(frame["output"][::5]) == list(explanation.outputs) and set(frame["model"]) == {"net"}


@given(
    st.lists(st.floats(-3e38, 3e38) | st.floats(-2e3, 2e3) | st.sampled_from([998.96, 999, 999.96, 0.00099995, -0.0, np.nan])),
    st.integers(0, 9),
)
def test_columns_are_put_into_words_as_single_values_are(numbers, digits):
    feature = Feature("x", unit="EUR", missing=True, special={"999": "none", "0.5": "half"})
    rounded = [round(x, digits) if abs(x) < 1e6 else x for x in numbers]
    column = np.array([*numbers, *rounded, 0.12345, 0.5, 0.50001, 12.345, 1e-310], dtype=float)
    different, which = words_of(feature, column)
    assert [different[i] for i in which] == [feature.format(x) for x in column]


def test_shap_explanation_holds_copies_for_its_plots(explanation):
    for_shap = explanation.to_shap()
    np.testing.assert_array_equal(for_shap.values, explanation.values)
    np.testing.assert_array_equal(for_shap.base_values, explanation.base_values)
    np.testing.assert_array_equal(for_shap.data, explanation.rows)
    assert list(for_shap.feature_names) == list(worlds.MIXED.labels)
    for_shap.values[0, 0] = 9
    assert explanation.values[0, 0] != 9


@pytest.mark.parametrize("index", [np.array(list("abcde")), np.arange(100, 105), None, pd.Index([*"abcd", "ü"])])
@pytest.mark.parametrize("with_errors", [True, False])
@pytest.mark.parametrize("kind", ["explanation", "parquet"])
def test_saved_explanation_is_loaded_unchanged(explanation, tmp_path, index, with_errors, kind):
    errors = explanation.standard_errors if with_errors else None
    explanation = dataclasses.replace(explanation, index=index, standard_errors=errors, extras={"r2": np.arange(5) / 7})
    path = explanation.save(tmp_path / "deep" / f"a.{kind}")
    loaded = Explanation.load(path)
    for field in dataclasses.fields(Explanation):
        np.testing.assert_equal(getattr(loaded, field.name), getattr(explanation, field.name))
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == loaded.save(tmp_path / f"again.{kind}").read_bytes()


def test_parquet_is_a_table_that_others_read_and_its_numbers_are_held_to_the_digest(explanation, tmp_path):
    explanation = dataclasses.replace(explanation, values=np.where(explanation.rows == 0, np.nan, explanation.values))
    failures = {int(row): "no" for row in np.flatnonzero(np.isnan(explanation.values).any(axis=1))}
    path = dataclasses.replace(explanation, failures=failures).save(tmp_path / "a.parquet")
    table, name = pd.read_parquet(path), worlds.MIXED.names[0]
    assert list(table["row"]) == list("abcde")
    np.testing.assert_array_equal(table[f"contribution/{name}"], explanation.values[:, 0])
    np.testing.assert_array_equal(table[f"value/{name}"], explanation.rows[:, 0])
    np.testing.assert_array_equal(table["output"], explanation.outputs)
    whole, same = path.read_bytes(), 0
    for position in range(0, len(whole), 211):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        try:
            loaded = Explanation.load(path)
        except ExplanationError as error:
            assert "a.parquet" in str(error) and "\n" not in str(error)
        else:
            same += 1  # the byte was of what is not read: names of rows, statistics
            np.testing.assert_array_equal(loaded.values, explanation.values)
            assert loaded.index.tolist() == explanation.index.tolist()
    assert same < len(whole) / 211 / 2
    pd.DataFrame({"x": [1.0]}).to_parquet(tmp_path / "net.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    for name, message in {"net": "holds no explanation", "text": "does not hold", "lacking": "cannot read"}.items():
        with pytest.raises(ExplanationError, match=message):
            Explanation.load(tmp_path / f"{name}.parquet")


def test_any_flipped_byte_is_found(explanation, tmp_path):
    path = explanation.save(tmp_path / "a.explanation")
    whole = path.read_bytes()
    for position in range(0, len(whole), 7):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        with pytest.raises(ExplanationError, match=r"a\.explanation"):
            Explanation.load(path)


@pytest.mark.parametrize("size", [0, 5, 700, -1])
def test_truncated_file_is_found(explanation, tmp_path, size):
    path = explanation.save(tmp_path / "a.explanation")
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ExplanationError, match=r"cannot read the explanation .*a\.explanation"):
        Explanation.load(path)


def test_what_is_no_explanation_is_an_error_that_names_the_file(tmp_path):
    (tmp_path / "text").write_text("hello")
    save_file({"weight": np.zeros(3)}, tmp_path / "net.safetensors")
    for name, message in {
        "text": "cannot read",
        "missing": "cannot read",
        "net.safetensors": "holds no explanation",
        ".": "cannot read",
    }.items():
        with pytest.raises(ExplanationError, match=message):
            Explanation.load(tmp_path / name)


@pytest.mark.parametrize(
    ("promise", "words", "limit"),
    [
        (LocalAccuracy(relative=1e-6), "adds up to within 1e-06 of the mean effect", 2e-6),
        (LocalAccuracy(relative=0.01), "adds up to within 1% of the mean effect", 0.02),
        (LocalAccuracy(), "does not promise to add up", np.inf),
    ],
)
def test_promise_is_a_number_and_words(promise, words, limit):
    assert str(promise) == words and promise.limit(mean_effect=2.0) == limit


def test_a_sampled_standard_error_of_0_without_seen_variation_says_so():
    schema = Schema(tuple(Feature(f"x{i}") for i in range(14)))
    rows, references = np.random.default_rng(0).normal(size=(2, 3, 14))
    rare = wrap(lambda t: (t.to_numpy().sum(axis=1) > 40).astype(float), schema, scale="value")  # of no mixture tried
    sampled = dlx.explain(rare, rows, method="shapley", background=references, scale="value", budget=90)
    assert (sampled.standard_errors == 0).all() and sampled.unvaried.all()
    assert set(sampled.to_frame()["note"]) == {"sampled, and no variation seen: that is no proof that there is none"}
    pair = wrap(lambda t: (t["x0"] + 3 * t["x1"] * t["x2"]).to_numpy(), schema, scale="value")  # mirror images cancel it
    assert dlx.explain(pair, rows, method="shapley", background=references, scale="value").unvaried.all()
    joint = wrap(lambda t: t.to_numpy().prod(axis=1), schema, scale="value")
    varied = dlx.explain(joint, rows, method="shapley", background=references, scale="value", budget=90)
    assert not varied.unvaried.any() and set(varied.to_frame()["note"]) == {""}
    few = Schema(schema.features[:3])
    exact = dlx.explain(
        wrap(lambda t: t.to_numpy().sum(axis=1), few, scale="value"),
        rows[:, :3],
        method="shapley",
        background=references[:, :3],
        scale="value",
    )
    assert not exact.unvaried.any()  # all combinations were tried: an error of 0 is one


# What is on disk is what it says -------------------------------------------------------------------------------------


def test_what_is_printed_fits_in_three_lines_and_says_what_was_explained(explanation):
    for some in (explanation, explanation[:0]):
        lines = repr(some).splitlines()
        assert len(lines) == 3 and explanation.method in lines[0] and explanation.scale in lines[0]
        assert f"{len(some)} rows" in lines[1] and explanation.schema.names[0] in lines[2]


LINE = r"^[^\n]{,1000}$"


def signed(path, said=None, **arrays):
    """Write an explanation anew, with other fields or arrays and the digest that fits; None leaves an array out."""
    with safe_open(str(path), framework="numpy") as file:
        text = file.metadata()[METADATA_KEY][64:]
        held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    text = text if said is None else said if isinstance(said, str) else json.dumps(json.loads(text) | said)
    held = {name: np.ascontiguousarray(array) for name, array in (held | arrays).items() if array is not None}
    save_file(held, path, metadata={METADATA_KEY: _digest(text, held) + text})
    return path


def field(name, value):
    return pytest.param({name: value}, id=f"{name}={str(value)[:20]}")


@pytest.mark.parametrize(
    "said",
    [
        *[field("scale", value) for value in ("odds", "", None, 1, ["logit"])],
        *[field(name, value) for name in ("method", "model", "implementation", "background_id") for value in (None, 3, [], {})],
        *[field("target", value) for value in (None, 3, ["a"])],
        *[field("index", value) for value in (None, 3, "abcde", [1, 2], [1, 2, 3, 4, "5"], [1.5] * 5, [2**70] * 5, {})],
        *[field("options", value) for value in (None, [], "a", 3)],
        *[field("seed", value) for value in (None, -1, 1.5, "0", True, 2**70)],
        *[field("seconds", value) for value in (None, -1, "0", float("nan"), float("inf"))],
        *[field("evaluations", value) for value in (None, -1, 0.5, "0")],
        *[field("promise", value) for value in (None, 1)],
        *[field("failures", value) for value in (None, [], {"5": ""}, {"-1": ""}, {"a": ""}, {"0": 3}, {"9" * 30: ""})],
        *[field("schema", value) for value in (None, [], {}, 3, {"features": [], "target": {}}, {"features": 3, "target": 4})],
        field("unknown", 1),
        "", "{", "null", "[]", "3", "[" * 100_000, '{"a": 1, "a": 2}', '{"seed": 1e999}', '"\\ud800"',
    ],
)  # fmt: skip
def test_forged_fields_are_one_line_even_if_the_digest_is_right(explanation, tmp_path, said):
    with pytest.raises(ExplanationError, match=LINE):
        Explanation.load(signed(explanation.save(tmp_path / "e.safetensors"), said))


@pytest.mark.parametrize(
    "arrays",
    [
        *[{name: None} for name in ("values", "base_values", "outputs", "rows")],
        *[{name: np.zeros(shape)} for name in ("values", "rows", "standard_errors") for shape in (0, (5, 4), (4, 5), (0, 5))],
        *[{name: np.zeros(shape)} for name in ("base_values", "outputs", "extras/r2") for shape in (0, 4, (5, 1))],
        *[{name: np.zeros((5, 5), dtype)} for name in ("values", "rows") for dtype in (np.float32, np.int64, bool)],
        *[{name: np.full(5, value)} for name in ("base_values", "outputs") for value in (np.nan, np.inf)],
        *[{"values": np.full((5, 5), value)} for value in (np.nan, np.inf, -np.inf)],
        {"standard_errors": np.full((5, 5), -1.0)},
        {"rows": np.full((5, 5), 99.5)},
        {"rows": np.full((5, 5), np.inf)},
        {"new": np.zeros(5)},
    ],
    ids=lambda arrays: " ".join(f"{name} {getattr(array, 'shape', '')}" for name, array in arrays.items()),
)  # fmt: skip
def test_forged_arrays_are_one_line_even_if_the_digest_is_right(explanation, tmp_path, arrays):
    with pytest.raises(ExplanationError, match=LINE):
        Explanation.load(signed(explanation.save(tmp_path / "e.safetensors"), None, **arrays))


def test_values_are_not_a_number_only_where_a_failure_says_so(explanation, tmp_path):
    values = explanation.values.copy()
    values[3] = np.nan
    failed = dataclasses.replace(explanation, values=values, failures={3: "no reason"}, extras={"r2": np.full(5, np.nan)})
    path = failed.save(tmp_path / "e.safetensors")
    assert Explanation.load(path).failures == {3: "no reason"}
    with pytest.raises(ExplanationError, match="its values must be finite, but for rows whose failure is told"):
        Explanation.load(signed(path, {"failures": {"2": "another"}}))


@pytest.mark.parametrize("other", ["folder", "pipe", "loop", "claim", "weights"])
def test_what_is_no_explanation_is_refused_without_waiting_for_it(tmp_path, other):
    path = tmp_path / "e.safetensors"
    if other == "folder":
        path.mkdir()
    elif other == "pipe":
        os.mkfifo(path)
    elif other == "loop":
        path.symlink_to(path)
    elif other == "claim":  # an exabyte, in a header
        header = b'{"values":{"dtype":"F64","shape":[1000000000,1000000000],"data_offsets":[0,8000000000000000000]}}'
        path.write_bytes(len(header).to_bytes(8, "little") + header)
    else:
        save_file({"values": np.zeros((5, 5))}, path)
    with pytest.raises(ExplanationError, match=LINE):
        Explanation.load(path)


def test_no_more_is_read_than_the_people_that_are_named(explanation, tmp_path):
    """A sparse file may hold a terabyte of zeros without taking any room."""
    path = explanation.save(tmp_path / "e.safetensors")
    with safe_open(str(path), framework="numpy") as file:
        metadata = file.metadata()
    size = 2**36
    entries = {
        "__metadata__": metadata,
        "values": {"dtype": "F64", "shape": [size // 40, 5], "data_offsets": [0, size // 40 * 40]},
    }
    header = json.dumps(entries).encode()
    with path.open("wb") as sparse:
        sparse.write(len(header).to_bytes(8, "little") + header)
        sparse.truncate(8 + len(header) + size // 40 * 40)
    with pytest.raises(ExplanationError, match=r"lacks base_values, outputs, rows"):
        Explanation.load(path)


@given(at=st.integers(0, 5_000), content=st.binary(max_size=60))
def test_no_bytes_are_a_traceback(saved_bytes, at, content):
    saved_bytes.path.write_bytes(saved_bytes.content[:at] + content + saved_bytes.content[at + len(content) :])
    with contextlib.suppress(ExplanationError):
        Explanation.load(saved_bytes.path)


def test_a_row_whose_name_is_a_huge_number_is_named_by_its_text(explanation, tmp_path):
    named = dataclasses.replace(explanation, index=[2**63 + i for i in range(len(explanation))])
    named.save(tmp_path / "a.safetensors")
    assert Explanation.load(tmp_path / "a.safetensors").index[0] == str(2**63)


def test_parts_are_concatenated_to_the_whole(explanation):
    parts = [dataclasses.replace(explanation[some], seconds=1.0, evaluations=3) for some in (slice(0, 2), [2], slice(3, None))]
    whole = Explanation.concatenate(parts)
    for name in ("values", "base_values", "outputs", "rows", "standard_errors", "index"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(explanation, name))
    assert (whole.seconds, whole.evaluations) == (3.0, 9)
    failed = dataclasses.replace(parts[1], failures={0: "why"}, standard_errors=None)
    joined = Explanation.concatenate([parts[0], failed])
    assert joined.failures == {2: "why"} and joined.standard_errors is None


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (lambda _: [], "nothing to concatenate"),
        (lambda one: [one, one[:1]], "of different rows, got one name twice"),
        (lambda one: [one[:1], dataclasses.replace(one[1:], scale="value")], "must share their scale, got 'logit' and 'value'"),
        (lambda one: [one[:1], dataclasses.replace(one[1:], options={})], "must share their options"),
    ],
)
def test_what_does_not_belong_together_is_not_concatenated(explanation, parts, message):
    with pytest.raises(ExplanationError, match=message):
        Explanation.concatenate(parts(explanation))


def test_rows_are_found_by_name_and_sorted(explanation):
    np.testing.assert_array_equal(explanation.of(["d", "b"]).values, explanation.values[[3, 1]])
    assert list(explanation.of("c").index) == ["c"] and list(explanation[explanation.outputs > 1].index) == [
        name for name, output in zip("abcde", explanation.outputs, strict=True) if output > 1
    ]
    with pytest.raises(ExplanationError, match="explains no row 'z'; it explains a, b, c, d, e"):
        explanation.of("z")
    assert (np.diff(explanation.sorted().outputs) <= 0).all()
    name = explanation.schema.names[2]
    by = explanation.sorted(name, rising=True)
    assert (np.diff(by.contributions[name]) >= 0).all() and set(by.index) == set("abcde")


def test_contributions_are_a_table_that_parquet_holds(explanation, tmp_path):
    table = explanation.contributions
    np.testing.assert_array_equal(table.to_numpy(), explanation.values)
    assert list(table.columns) == list(worlds.MIXED.names) and list(table.index) == list("abcde")
    table.to_parquet(tmp_path / "c.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "c.parquet"), table)


def test_a_notebook_shows_a_table_and_a_figure_that_no_name_breaks(explanation):
    evil = "<img src=x onerror=alert(1)>&\"'"
    schema = Schema((Feature("a", label=evil), *explanation.schema.features[1:]), worlds.TARGET)
    made = dataclasses.replace(explanation, schema=schema, index=np.array([evil, *"bcde"]), model=evil)
    for shown in (made._repr_html_(), dlx.compare([made, dataclasses.replace(made, method="shapley")])._repr_html_()):
        page = ElementTree.fromstring(shown)
        assert page.find(".//img") is None and page.find(".//table/caption").text
        assert page.find(".//svg").attrib["role"] == "img" and evil in "".join(page.itertext())
        assert {cell.attrib["scope"] for cell in page.iter("th")} == {"col", "row"}
    assert len(ElementTree.fromstring(made._repr_html_()).findall(".//tbody/tr")) == 5
