"""The parts of a table: by time, groups, a column, a file of its own; copies and groups on one side; nothing else moves."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dlx
from dlx import training
from dlx.arrays import row_ids
from dlx.dataset import from_frame, parts, read_table
from dlx.schema import SchemaError, infer_schema

pytestmark = pytest.mark.doors
ROWS = 200


def loans(rows: int = ROWS, seed: int = 0) -> pd.DataFrame:
    """Loans of two years with a customer, a day, a name of the part, and an outcome."""
    rng = np.random.default_rng(seed)
    days = pd.Series(pd.to_datetime("2022-01-01") + pd.to_timedelta(rng.integers(0, 700, rows), unit="D"))
    part = np.where(np.arange(rows) % 5 == 0, "Test", np.where(np.arange(rows) % 5 == 1, "valid", "TRAIN"))
    table = pd.DataFrame({"pay": rng.normal(size=rows).round(3), "issued": days.dt.strftime("%d.%m.%Y"), "part": part})
    customers = rng.integers(0, 60, rows)
    return table.assign(customer=[f"c{one}" for one in customers], bad=(rng.random(rows) < 0.4).astype(int))


@pytest.fixture
def written(tmp_path):
    """Return a function that writes a table and reads it as a Dataset."""

    def read(table, **asked):
        path = tmp_path / "loans.csv"
        table.to_csv(path, index=False)
        return read_table(path, target="bad", **asked)

    return read


def positions(case):
    """Return the rows of the three parts, which together are all, once each."""
    parts = [part.index for part in case.splits]
    assert sorted(np.concatenate(parts)) == list(range(len(case)))
    return parts


@given(st.lists(st.integers(0, 12), min_size=40, max_size=80), st.integers(0, 5))
def test_time_is_never_split_across_a_day_and_goes_forward(days, seed):
    table = pd.DataFrame({"pay": np.arange(len(days)), "day": days, "lost": np.arange(len(days)) / 7})
    case = from_frame(table, infer_schema(table, "lost", split="time:day"))
    if len(set(days)) < 3:
        with pytest.raises(SchemaError, match="too few times"):
            case.split(seed)
        return
    parts = [table["day"].iloc[part.index] for part in case.split(seed)]
    for earlier, later in itertools.pairwise(parts):
        assert earlier.max() < later.min()
    counts = table["day"].value_counts().sort_index()
    nearest = min(abs(counts[day:].sum() - 0.2 * len(days)) for day in counts.index[1:])  # by brute force
    assert abs(len(parts[2]) - 0.2 * len(days)) == nearest


@pytest.mark.parametrize("spelled", ["%d.%m.%Y", "%Y-%m-%d", "%b %d, %Y", "%Y%m%d", "%Y-%m-%dT%H:%M:%S"])
def test_the_latest_fifth_is_tested_on_however_days_are_spelled(written, spelled):
    table = loans()
    days = pd.to_datetime(table["issued"], format="%d.%m.%Y")
    case = written(table.assign(issued=days.dt.strftime(spelled)), split="time:issued")
    train, validation, test = (days.iloc[part] for part in positions(case))
    assert train.max() < validation.min() and validation.max() < test.min()
    assert len(test) == pytest.approx(ROWS / 5, abs=3) and len(validation) == pytest.approx(ROWS / 5, abs=3)
    assert "issued" not in case.schema.names and case.reading["issued"].why == "what the split goes by"
    first = days[test.index].min().strftime(spelled)
    assert f"those from {first} on are tested on" in case.split_words


def test_no_group_is_in_two_parts_and_outcomes_are_spread(written):
    table = loans()
    case = written(table, split="group:customer")
    parts = [set(table["customer"].iloc[part]) for part in positions(case)]
    assert not any(one & other for one, other in itertools.combinations(parts, 2))
    for part in case.splits[1:]:
        assert len(part) == pytest.approx(ROWS / 5, abs=12)
        assert part.outcomes.mean() == pytest.approx(case.outcomes.mean(), abs=0.12)
    assert case.split(1).test.index.tolist() != case.test.index.tolist()
    assert case.reading.options[-2:] == ("--split", "group:customer")


def test_a_column_says_the_parts_and_lacking_validation_rows_are_drawn_from_the_training_rows(written):
    table = loans()
    parts = positions(written(table, split="column:part"))
    for part, spelled in zip(parts, ("TRAIN", "valid", "Test"), strict=True):
        assert set(table["part"].iloc[part]) == {spelled}
    case = written(table.assign(part=table["part"].replace("valid", "training")), split="column:part")
    assert case.test.index.tolist() == parts[2].tolist() and len(case.validation) == 40 and len(case.train) == 120


def test_rows_of_a_test_file_are_the_test_rows(written, tmp_path):
    table, later = loans(), loans(50, seed=1).assign(part="2023")
    later.to_csv(tmp_path / "later.csv", index=False)
    case = written(table.assign(part="2022"), test=tmp_path / "later.csv")
    np.testing.assert_array_equal(case.test.index, np.arange(ROWS, ROWS + 50))
    np.testing.assert_array_equal(case.test.outcomes, later["bad"])
    assert len(case.validation) == 50 and case.reading["part"].why == "a constant"  # as nothing is learnt from it
    assert case.reading.options[-2:] == ("--test", str(tmp_path / "later.csv"))
    assert case.split_words == "at random, by outcome, beside a test file of its own"
    pd.concat([later, table.iloc[[3, 9]].assign(part="2022")]).to_csv(tmp_path / "again.csv", index=False)
    again = written(table.assign(part="2022"), test=tmp_path / "again.csv")
    np.testing.assert_array_equal(again.test.index, [3, 9, *range(ROWS, ROWS + 52)])
    assert again.split_words.endswith("a test file of its own and 2 copies of its rows")
    by_time = written(table, test=tmp_path / "later.csv", split="time:issued")
    days = pd.to_datetime(table["issued"], format="%d.%m.%Y")
    assert days[by_time.train.index].max() < days[by_time.validation.index].min()


@given(st.integers(0, 2**16), st.integers(1, 60))
def test_copies_are_never_on_both_sides_and_without_them_nothing_moves(seed, copied):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame({"pay": rng.permutation(100) / 7, "bad": np.arange(100) % 2})
    schema = infer_schema(table, "bad")
    plain = from_frame(table, schema)
    from sklearn.model_selection import train_test_split

    _, test = train_test_split(np.arange(100), test_size=0.2, stratify=table["bad"], random_state=seed)
    np.testing.assert_array_equal(plain.split(seed).test.index, np.sort(test))
    twice = pd.concat([table, table.iloc[rng.integers(0, 100, copied)]], ignore_index=True)
    case = from_frame(twice, schema)
    parts = [set(twice["pay"].iloc[part.index]) for part in case.split(seed)]
    assert not any(one & other for one, other in itertools.combinations(parts, 2))
    np.testing.assert_array_equal(case.split(seed).test.index[:20], plain.split(seed).test.index)
    assert case.sha256 != plain.sha256


def test_rows_that_must_be_alike_are_drawn_one_by_one():
    table = pd.DataFrame({"a": np.arange(90) % 2, "b": np.arange(90) % 3, "bad": np.arange(90) // 3 % 2})
    case = from_frame(table, infer_schema(table, "bad"))
    assert [len(part) for part in case.splits] == [54, 18, 18]


@pytest.mark.parametrize(
    ("change", "asked", "message"),
    [
        ({}, {"split": "tim:issued"}, "a split must be random, time:COLUMN, .* got 'tim:issued'; did you mean 'time'"),
        ({}, {"split": "time"}, "a split must be random, time:COLUMN"),
        ({}, {"split": "time:isued"}, "goes by 'isued', which is no column; .*did you mean 'issued'"),
        ({}, {"split": "group:bad"}, "goes by 'bad', which is the target"),
        ({}, {"split": "time:customer"}, "the time 'customer', whose 'c.*' is no date that is read"),
        ({"issued": ["01.02.2022", ""] * 100}, {"split": "time:issued"}, "is missing in 100 rows, first in row 1"),
        ({"issued": "05/06/2022"}, {"split": "time:issued"}, "may be read as %d/%m/%Y or %m/%d/%Y"),
        ({"issued": ["2022-02-01", "2022-03-01"] * 100}, {"split": "time:issued"}, "by 'issued', which has too few times"),
        ({"customer": ["a", "b"] * 100}, {"split": "group:customer"}, "by 'customer', which has too few groups"),
        ({"part": "later"}, {"split": "column:part"}, "says 'later' in row 0; it must say train, validation or test"),
        ({"part": ["train", "test"] * 100, "bad": [0, 1] * 100}, {"split": "column:part"}, "of 75 rows, train has no rows"),
        ({}, {"split": "column:part", "test": "loans.csv"}, "and a test file both name the test rows"),
        ({}, {"split": "group:customer", "test": "later.csv"}, "is in the test file too, and no group may be on both sides"),
        ({}, {"test": "loans.csv"}, "every row is in the test file too, so that none is left"),
        ({}, {"test": "no.csv"}, "cannot read no.csv: there is no file"),
    ],
)  # fmt: skip
def test_split_that_cannot_be_says_why(written, tmp_path, monkeypatch, change, asked, message):
    monkeypatch.chdir(tmp_path)
    loans(50, seed=1).to_csv("later.csv", index=False)
    with pytest.raises(SchemaError, match=message):
        written(loans().assign(**change), **asked)


def test_schema_file_says_the_split_and_a_feature_may_be_what_it_goes_by(written, tmp_path):
    (tmp_path / "loans.toml").write_text(
        'split = "time:year"\n[target]\nname = "bad"\nlevels = ["0", "1"]\n'
        '[[feature]]\nname = "pay"\n[[feature]]\nname = "year"\n'
    )
    table = loans().assign(year=np.arange(ROWS) // 20)
    table.to_csv(tmp_path / "loans.csv", index=False)
    case = read_table(tmp_path / "loans.csv", schema=tmp_path / "loans.toml")
    assert case.schema.names == ("pay", "year") and set(case.test.rows[:, 1]) == {8, 9}
    at_random = read_table(tmp_path / "loans.csv", schema=tmp_path / "loans.toml", split="random")
    assert len(set(at_random.test.rows[:, 1])) > 2 and at_random.sha256 != case.sha256
    assert written(table, split="time:year", keep=["year"]).schema.names[-1] == "year"
    assert dlx.Schema.from_dict(case.schema.to_dict()) == case.schema


def test_of_large_parts_the_same_rows_are_read_by_training_and_reports(monkeypatch):
    table = loans(400).drop(columns=["issued", "part", "customer"])
    case = from_frame(table, infer_schema(table, "bad"))
    monkeypatch.setattr(parts, "USED", (50, 30, 20))
    monkeypatch.setattr(parts, "ENOUGH_OUTCOMES", 5)
    read = replace(case, is_limited=True).splits
    assert [len(part) for part in read] == [50, 30, 20] and len(case.train) > 200
    assert set(read.train.index) < set(case.train.index)
    whole = training.fit("gradient_boosting", case.train, case.validation).model
    same = training.fit("gradient_boosting", read.train, read.validation).model
    np.testing.assert_array_equal(whole.predict(case.test, "logit"), same.predict(case.test, "logit"))
    counts = np.arange(len(case.train))
    heavy = training.fit("gradient_boosting", case.train, case.validation, weights=1.0 + counts).model
    chosen = parts.rows_used(case.train, parts.TRAIN)
    light = training.fit("gradient_boosting", read.train, read.validation, weights=1.0 + counts[chosen]).model
    np.testing.assert_array_equal(heavy.predict(case.test, "logit"), light.predict(case.test, "logit"))
    plain = training.fit("decision_tree", case.train, case.validation).model
    assert np.isin(row_ids(case.train.rows), plain.trained_on).all()
    monkeypatch.setattr(parts, "ENOUGH_OUTCOMES", 30)  # of 40 in 100: 75 rows hold 30
    rare = replace(case, is_limited=True).train
    assert 70 <= len(rare) <= 80 and (rare.outcomes == 1).sum() >= 20
