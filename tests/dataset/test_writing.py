"""A schema file that dlx writes: it reads back equal, whatever names and words a table has; its comments break nothing."""

from __future__ import annotations

import dataclasses
import tempfile
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st

import dlx
from dlx import cases
from dlx.dataset import Card, Dataset, from_frame, schema_text
from dlx.errors import DlxError
from dlx.schema import Carried, Schema, infer_schema, read_schema
from dlx.schema.description import read_described

AWKWARD = [
    "it's",
    'say "hi"',
    "new\nline",
    "tab\there",
    "\u00fcml\u00e4ut",
    "\u6f22\u5b57",
    "emoji \U0001f600",
    "\x7f\x85\u2028",
    "a\\b",
    "# no",
    "[x]",
    "'''",
    "=",
    "\x00\x1f",
]


def written(case: Dataset, tmp_path, **said) -> tuple[Schema, str]:
    """Return the schema that is read back from the file of a case, and its text."""
    path = tmp_path / "s.toml"
    path.write_bytes(schema_text(case, **said).encode())
    return read_schema(path), path.read_text(encoding="utf-8")


@given(strategies.schemas(), st.booleans(), st.lists(st.sampled_from(AWKWARD), max_size=2, unique=True))
def test_any_schema_reads_back_equal(tmp_path_factory, schema, is_guessed, carried):
    names = [name for name in carried if name not in (*schema.names, schema.target.name)]
    schema = dataclasses.replace(schema, carried=tuple(Carried(name, i, name) for i, name in enumerate(names)))
    rows = np.zeros((3, len(schema)))
    case = Dataset(schema, rows, name='of "mine"\n')
    read, text = written(case, tmp_path_factory.getbasetemp(), command="dlx schema 'a\nb'", stated={} if is_guessed else None)
    assert read == schema
    assert ("# guessed" in text) == is_guessed


@settings(max_examples=25)
@given(strategies.tables())
def test_a_table_that_is_read_is_read_alike_by_what_was_written_of_it(table):
    """Tables as people send them: cases where a schema says another thing of a cell than the look of its column are told."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = table.file.write(Path(folder))
            case = dlx.read_table(path, target=table.target.name, positive=table.positive)
        except DlxError:
            return
        schema, _ = written(case, Path(folder), stated={})
        assert schema == case.schema
        again = dlx.read_table(path, schema=schema)
    assert again.schema == case.schema
    np.testing.assert_array_equal(again.rows, case.rows)
    np.testing.assert_array_equal(again.outcomes, case.outcomes)


@pytest.mark.parametrize("word", AWKWARD)
def test_awkward_names_levels_and_words_survive(word, tmp_path):
    table = pd.DataFrame({word: [word, "b"] * 20, "n": range(0, 80, 2), "y": ["no", "yes"] * 20})
    schema = infer_schema(table, "y")
    features = [dataclasses.replace(schema[word], label=f"{word} as read", reason=word, missing_label=word, description=word)]
    features.append(
        dataclasses.replace(schema["n"], unit=word, special={"-9": f"{word}!"}, bounds=(-np.inf, 3.5), cuts=(1e-7,))
    )
    schema = dataclasses.replace(schema, features=tuple(features), target=dataclasses.replace(schema.target, event=word))
    card = Card(title=word, caveats=(word, "two " * 40), remedy={"drop": [word], "because": word})
    case = from_frame(table, schema, card=card)
    read, _ = written(case, tmp_path, command=word, stated={})
    assert read == case.schema
    assert dict(read_described(tmp_path / "s.toml")[1])["title"] == word


@pytest.mark.parametrize("name", cases.names())
def test_the_shipped_cases_read_back_equal(name, tmp_path):
    case = dlx.load(name)[:300]
    read, text = written(case, tmp_path)
    assert read == case.schema and "guessed" not in text
    card = Card(**read_described(tmp_path / "s.toml")[1])
    assert card == dataclasses.replace(case.card, remedy=card.remedy)
    assert tomllib.loads(text)["target"]["name"] == case.schema.target.name


def test_a_file_is_read_back_with_its_card_its_costs_and_its_words(tmp_path):
    table = pd.DataFrame({"id": range(100, 300), "x": [-9, 1, 2, 3] * 50, "flag": [0, 1] * 100, "bad": ["n", "y"] * 100})
    table.to_csv(tmp_path / "loans.csv", index=False)
    case = dlx.read_table(tmp_path / "loans.csv", target="bad", special={"x": {-9: "none"}}, protected=["flag"])
    text = schema_text(case, stated={"bad": ["levels"], "x": ["special"], "flag": ["protected"]})
    assert "# 1 to 3, median 2, 3 different; 50 '-9'" in text and "# 'n' 100, 'y' 100" in text
    path = tmp_path / "loans.toml"
    more = '[card]\ncaveats = ["Old."]\n[target]\ncosts = { false_alarm = 1, miss = 4 }\nperson = "customer"\n'
    path.write_text(text.replace("\n[target]\n", f"\n{more}"))
    again = dlx.read_table(tmp_path / "loans.csv", schema=path)
    assert again.card.caveats == ("Old.",) and again.schema.target.person == "customer"
    assert again.schema.target.threshold == 0.2 and "a false alarm costs 1 and a miss 4" in again.schema.target.threshold_reason
    np.testing.assert_array_equal(again.rows, case.rows)
    assert again.schema.features == case.schema.features and again.schema.carried == case.schema.carried
    path.write_text(text.replace("\n[target]\n", '\n[card]\ncaveat = ["Old."]\n[target]\n'))
    with pytest.raises(DlxError, match="card has no field 'caveat'; did you mean 'caveats'"):
        dlx.read_table(tmp_path / "loans.csv", schema=path)
