"""One class of several: the same rows in the same parts, with two outcomes and words that name the class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import wines

from dlx.dataset import from_frame, parts, read_people, read_table
from dlx.schema import SchemaError, Target, infer_schema


@pytest.mark.parametrize("level", wines.LEVELS)
def test_a_class_has_the_rows_and_the_parts_of_the_case(level):
    case, one = wines.wines(), wines.wines().of_class(level)
    assert one.schema.target.kind == "binary" and one.schema.target.levels == (f"not {level}", level)
    np.testing.assert_array_equal(one.outcomes, wines.named(case) == level)
    for seed in (0, 3):
        for mine, whole in zip(one.split(seed), case.split(seed), strict=True):
            np.testing.assert_array_equal(mine.index, whole.index)
            np.testing.assert_array_equal(mine.outcomes, wines.named(whole) == level)
    assert one.sha256 == case.sha256 == one.whole.sha256 and one.split_words == case.split_words
    np.testing.assert_array_equal(one.learnt_from, case.learnt_from)
    other = one.test[:5].of_class("barolo")  # from one class to another
    np.testing.assert_array_equal(other.outcomes, wines.named(case.test[:5]) == "barolo")
    assert case.whole is case and one.whole.schema == case.schema


def test_copies_groups_and_large_parts_are_split_as_those_of_all_classes(monkeypatch):
    table = pd.concat([wines.table(), wines.table().iloc[::3]], ignore_index=True).assign(cellar=lambda t: t.index % 40)
    for split in ("random", "group:cellar", "time:cellar"):
        case = from_frame(table, infer_schema(table, "cultivar", split=split))
        for mine, whole in zip(case.of_class("barbera").splits, case.splits, strict=True):
            np.testing.assert_array_equal(mine.index, whole.index)
    monkeypatch.setattr(parts, "USED", (50, 30, 20))
    monkeypatch.setattr(parts, "ENOUGH_OUTCOMES", 5)
    case = replace(from_frame(table, infer_schema(table, "cultivar")), is_limited=True)
    for mine, whole in zip(case.of_class("barbera").splits, case.splits, strict=True):
        assert len(mine) < 100
        np.testing.assert_array_equal(mine.index, whole.index)


def test_words_name_the_class_unless_the_schema_has_its_own():
    one = Target("grade", "multiclass", levels=("1", "2", "3"), person="wine", flagging="alarm").of_class("2")
    assert (one.event, one.flagged, one.cleared) == ("the outcome grade = 2", "taken for grade 2", "not taken for grade 2")
    assert (one.flagging, one.person, one.risk) == ("alarm", "wine", "probability of the outcome grade = 2")
    assert wines.wines().of_class("barolo").schema.target.flagged == "taken for barolo"


def test_what_is_no_class_is_refused():
    with pytest.raises(SchemaError, match=r"'cultivar' is multiclass: its class must be one of .*, got 'barrolo'; did you"):
        wines.wines().of_class("barrolo")
    with pytest.raises(SchemaError, match="'hue' is regression: its class must be one of several, got 'barolo'"):
        from_frame(wines.table(), infer_schema(wines.table(), "hue")).of_class("barolo")


def test_people_of_a_file_are_read_by_the_class_too(tmp_path):
    wines.table().to_csv(tmp_path / "wine.csv", index=False)
    case = read_table(tmp_path / "wine.csv", target="cultivar").of_class("barolo")
    people = read_people(tmp_path / "wine.csv", case)
    np.testing.assert_array_equal(people.outcomes, case.outcomes)
    assert people.schema.target == case.schema.target
