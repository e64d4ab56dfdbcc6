"""The doors, with whatever comes: what goes in comes out, or is refused in one line, or dlx says what it did."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
import strategies
from doors import held_models, held_tables
from hypothesis import given, note
from hypothesis import strategies as st

from dlx.errors import DlxError
from dlx.schema import Feature, Schema, Target, read_schema

pytestmark = pytest.mark.doors


def is_one_line(sentence: str) -> bool:
    return bool(sentence.strip()) and "\n" not in sentence


@given(strategies.tables())
def test_a_table_is_what_its_file_says_or_is_refused_or_tells_what_was_done(table):
    note(repr(table))
    with tempfile.TemporaryDirectory() as folder:
        verdict = held_tables.held(table, Path(folder))
    assert verdict.faults == []


@given(strategies.estimators())
def test_a_fitted_estimator_is_itself_or_is_refused(fitted):
    note(repr(fitted))
    verdict = held_models.held(fitted)
    assert verdict.faults == [] and all(map(is_one_line, verdict.refusals))


@given(strategies.schemas(), st.data())
def test_rows_survive_the_words_of_any_schema(schema, data):
    codes = [st.integers(0, len(f.levels) - 1) if f.is_categorical else st.floats(-1e6, 1e6, width=32) for f in schema.features]
    cells = [st.one_of(code, st.just(np.nan)) if f.missing else code for f, code in zip(schema.features, codes, strict=True)]
    rows = np.array(data.draw(st.lists(st.tuples(*cells), min_size=1, max_size=5)), dtype=float)
    np.testing.assert_array_equal(schema.encode(schema.decode(rows)), rows)
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict(), allow_nan=False))) == schema


@given(strategies.schema_files())
def test_a_schema_file_means_what_it_says_or_is_refused(file):
    described, entry, key = file
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "schema.toml"
        path.write_text(strategies.toml(described), encoding="utf-8")
        try:
            schema = read_schema(path)
        except DlxError as error:
            assert is_one_line(str(error))
            return
    part = schema.target if entry is described["target"] else schema.features[0]
    read, said = getattr(part, key), entry[key]
    assert is_what_was_said(read, said, key, part)


def is_what_was_said(read: object, said: object, key: str, part: Feature | Target) -> bool:
    """Whether a field that was read is what the file holds, in its own type; an empty text may stand for its default."""
    default = next(field.default for field in dataclasses.fields(part) if field.name == key)
    if said in ("", []) and default in ("", ()):
        return True
    if isinstance(said, list):
        return isinstance(read, tuple) and all(one in said or one in [pair[0] for pair in said] for one in read)
    return type(read) is type(said) and read == said
