"""The data check: flaws are found by their names, sound columns are not named, and each finding can be acted on."""

from __future__ import annotations

import ast
import shlex
from collections import Counter
from pathlib import Path

import flawed
import numpy as np
import pandas as pd
import pytest
import worlds

import dlx
from dlx.data_check import RULES
from dlx.data_check.codes import codes_of, far_cells, placeholders_of
from dlx.dataset import from_frame
from dlx.schema import infer_schema

RNG = np.random.default_rng(0)
SEEDS = range(1_000, 1_012)  # `experiments/data_check.md` has 200 others


@pytest.fixture(scope="session")
def tables(tmp_path_factory):
    """Some flawed tables, read from files, each with its check."""
    folder, made = tmp_path_factory.mktemp("flawed"), []
    for seed in SEEDS:
        table = flawed.flawed_table(seed)
        table.frame.to_csv(folder / f"table{seed}.csv", index=False)
        case = dlx.read_table(folder / f"table{seed}.csv", target="outcome", positive="yes")
        made.append((table, case, dlx.check(case)))
    return made


def checked(columns, outcome=None, **asked):
    """Return the check of a table of some columns, with an outcome that none of them tells."""
    table = pd.DataFrame(columns)
    table["y"] = np.random.default_rng(9).permutation(np.arange(len(table)) % 2) if outcome is None else outcome
    return dlx.check(from_frame(table, infer_schema(table, "y", **asked)))


def about(found, name):
    """Return the kinds of the findings about a column."""
    return {one.kind for one in found if name in one.columns}


# All of it -----------------------------------------------------------------------------------------------------------


def test_flaws_are_found_by_their_names_and_sound_columns_are_not_named(tables):
    missed, named, sound = [], [], 0
    for table, _, found in tables:
        said = {(one.kind, frozenset(one.columns)) for one in found}
        missed += [flaw for flaw in table.flaws if (flaw[0], frozenset(flaw[1])) not in said]
        fine = {*table.frame} - table.touched - {"outcome"}
        named += [one for one in found if fine & set(one.columns)]
        sound += len(fine)
    flaws = sum(len(table.flaws) for table, *_ in tables)
    assert len(missed) <= 0.05 * flaws, missed
    assert len(named) <= 0.05 * sound, [str(one) for one in named]


def test_the_generator_knows_nothing_of_the_check():
    tree = ast.parse(Path(flawed.__file__).read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not [name for name in imported if name.startswith("dlx")]


def test_each_kind_has_a_rule_and_an_example_that_stands_in_the_table(tables):
    for _, case, found in tables:
        frame = case.table.set_axis(case.index)
        for one in found:
            assert one.rule is RULES[one.kind]
            if len(one.columns) == 1 and one.columns[0] in frame:
                cell = frame.loc[one.row, one.columns[0]]
                assert one.value == (str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)), one
    assert {kind for *_, found in tables for kind in found.kinds} >= {flaw[0] for table, *_ in tables for flaw in table.flaws}


def test_what_is_measured_is_on_the_side_of_the_line_that_its_rule_says(tables):
    for *_, found in tables:
        for one in found:
            if not np.isnan(one.measure):
                assert one.measure >= one.rule.line if one.rule.is_least else one.measure <= one.rule.line, one


def test_what_must_be_decided_comes_first_and_a_frame_has_a_line_each(tables):
    for *_, found in tables:
        decide = [one.must_decide for one in found]
        assert decide == sorted(decide, reverse=True) and sum(decide) == len(found.to_decide)
        assert list(found.to_frame()["kind"]) == [one.kind for one in found]


# Special codes -------------------------------------------------------------------------------------------------------

MONTHS = RNG.gamma(2, 40, 400).round()
AGES = np.clip(RNG.normal(50, 15, 400).round(), 18, 92)


def with_codes(column, *codes, count=6):
    column = column.copy()
    column[: count * len(codes)] = np.repeat(codes, count)
    return column


@pytest.mark.parametrize(
    ("column", "codes"),
    [
        (with_codes(MONTHS, -9, -8, -7), [-9, -8, -7]),  # HELOC
        (with_codes(MONTHS, 9999), [9999]),
        (with_codes(MONTHS, -1, 9999, count=30), [-1, 9999]),
        (with_codes(AGES, 99), [99]),
        (with_codes(AGES, 997, 998, 999, count=2), [997, 998, 999]),
        (with_codes(np.clip(RNG.normal(220, 55, 400), 85, 600).round(), 0), [0]),  # cholesterol
        (with_codes(RNG.integers(1950, 2016, 400) * 1.0, 0, count=300), [0]),  # renovated in
        (with_codes(RNG.integers(1, 6, 400) * 1.0, 9), [9]),
        (with_codes(RNG.integers(0, 2, 400) * 1.0, 9), [9]),
        (with_codes(RNG.integers(0, 2, 400) * 1.0, -9), [-9]),
        (with_codes(RNG.normal(10, 9, 400).round(1), -999), [-999]),  # degrees of either sign
        (with_codes(100 * RNG.pareto(1.2, 4_000).round(2) + 1e4, 999_999, count=12), [999_999]),  # among millionaires
        (np.repeat([0, 1, 2, 3], [4, 200, 260, 20]) * 1.0, [0]),  # a code book that begins at 1
    ],
)
def test_codes_are_found(column, codes):
    assert codes_of(column) == codes


@pytest.mark.parametrize(
    "column",
    [
        MONTHS,
        AGES,
        np.clip(AGES, 18, 80),  # cut at the top
        np.where(RNG.random(400) < 0.6, 0, RNG.lognormal(6, 1, 400).round(2)),  # no second mortgage
        RNG.poisson(90, 400) * 1.0,  # 99 among others
        RNG.integers(0, 100, 4_000) * 1.0,
        np.array([9, 19, 49, 99, 199, 499, 999.0])[RNG.integers(0, 7, 400)],  # prices
        np.clip(RNG.normal(6, 2, 400).round(), 1, 7),  # a scale, piled at its end
        RNG.choice([-2, -1, 0, 1, 2], 400) * 1.0,
        RNG.poisson(3, 400) - 1.0,
        RNG.integers(0, 2, 400) * 1.0,
        RNG.geometric(0.3, 400) * 1.0,
        RNG.standard_t(3, 400).round(1),
        np.full(400, np.nan),
    ],
)
def test_sound_columns_have_no_codes(column):
    assert codes_of(column) == []


def test_placeholders_are_dates_far_from_all_others():
    days = np.datetime64("2019-01-01") + RNG.integers(0, 900, 300)
    births = np.datetime64("1940-01-01") + RNG.integers(0, 20_000, 300)
    births[:5] = np.datetime64("1970-01-01")  # others were born about that day
    assert not placeholders_of(days.astype(float)) and not placeholders_of(births.astype(float))
    days[:5], days[5:9] = np.datetime64("1900-01-01"), np.datetime64("9999-12-31")
    found = checked({"opened": days.astype(str), "born": births.astype(str)})
    assert about(found, "opened") == {"special code"} and not about(found, "born")
    (one,) = (one for one in found if "opened" in one.columns)
    assert "1900-01-01 in 5 rows, 9999-12-31 in 4 rows" in one.said and "--missing=1900-01-01" in one.remedy


# Cells far outside ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tail", [1.0, 1.5, 3.0])
def test_a_heavy_tail_is_no_fault(tail):
    columns = np.random.default_rng(1).pareto(tail, (300, 500))
    assert sum(bool(far_cells(column, line=0.03, columns=15)) for column in columns) <= 3


@pytest.mark.parametrize(
    ("column", "far"),
    [(AGES, 999), (AGES, -400), (RNG.integers(2015, 2024, 400) * 1.0, 20_191), (RNG.normal(0, 1, 400), -60), (MONTHS, 99_999)],
)
def test_a_slip_is_found(column, far):
    column = column.copy()
    column[[7, 8]] = far
    (found,) = far_cells(column, line=0.03, columns=15)
    assert sorted(found.rows) == [7, 8]


def test_flags_counts_and_what_is_nearly_always_0_have_no_far_cells():
    for column in (
        RNG.random(900) < 0.01,
        RNG.poisson(0.05, 900),
        np.arange(900) == 0,
        np.where(np.arange(900) < 30, 5.0, np.nan),
    ):
        assert far_cells(column.astype(float), line=0.03) == []


# Columns and rows ----------------------------------------------------------------------------------------------------


def test_ids_are_told_from_numbers_that_all_differ():
    n = 500
    found = checked(
        {
            "price": (RNG.lognormal(12, 0.4, n)).round(),
            "account": RNG.choice(9_000_000, n, replace=False) + 1_000_000,
            "number": np.cumsum(RNG.integers(1, 9, n)) + 40_000,
            "patient_id": RNG.permutation(np.repeat(np.arange(100), 5)) + 7,
            "height": RNG.normal(170, 9, n).round(2),
        }
    )
    assert [about(found, name) for name in ("account", "number", "patient_id")] == 3 * [{"id"}]
    assert not about(found, "price") and not about(found, "height")
    assert "--split group:patient_id" in next(one.remedy for one in found if "patient_id" in one.columns)


def test_people_who_share_an_id_are_no_finding_where_they_stay_together():
    columns = {"x": RNG.normal(size=300), "patient_id": np.repeat(np.arange(60), 5)}
    assert about(checked(columns), "patient_id") == {"id"}
    assert not about(checked(columns, split="group:patient_id"), "patient_id")


def test_a_pair_that_tells_is_found_and_no_honest_pair():
    n = 400
    due, flag = RNG.lognormal(6, 1, n).round(2), RNG.random(n) < 0.5
    y = RNG.random(n) < 0.3
    paid = np.where(y, due * RNG.uniform(0.2, 0.95, n), due).round(2)
    strong, other = y + RNG.normal(0, 0.55, n), y + RNG.normal(0, 0.55, n)  # AUC .9 each
    found = checked({"due": due, "paid": paid, "one": flag * 1, "two": (flag ^ y) * 1, "strong": strong, "other": other}, y * 1)
    pairs = {frozenset(one.columns) for one in found if one.kind == "leaking pair"}
    assert pairs == {frozenset(("due", "paid")), frozenset(("one", "two"))}


def test_a_gap_that_two_columns_share_makes_no_copy():
    smokes = RNG.random(400) < 0.3
    asked = np.where(smokes, RNG.gamma(2, 10, 400).round(), np.nan)
    found = checked({"cigarettes": np.where(smokes, RNG.integers(1, 9, 400) * 5, 0), "pack_years": asked})
    assert not {"copy", "near copy"} & set(found.kinds)


def test_codes_make_no_copies_of_columns_that_share_them():
    lacks = RNG.random(400) < 0.2
    found = checked({name: np.where(lacks, 9999, RNG.gamma(2, 20, 400).round()) for name in ("months", "trades")})
    assert about(found, "months") == {"special code"} == about(found, "trades")


def test_rows_that_repeat_themselves_are_found_unless_chance_makes_as_many():
    flags = {f"f{i}": (RNG.random(300) < 0.4) * 1 for i in range(5)}
    assert "duplicate rows" not in checked(flags).kinds  # of 64 kinds of rows
    table = pd.DataFrame(flags | {"income": RNG.lognormal(10, 1, 300).round(2)})
    outcome = np.arange(300) % 2
    assert "duplicate rows" not in checked(table, outcome).kinds
    again = pd.concat([table, table[:4]], ignore_index=True)
    found = [one for one in checked(again, np.append(outcome, outcome[:4])) if one.kind == "duplicate rows"]
    assert [one.count for one in found] == [4] and found[0].row == 300


def test_columns_that_shift_with_time_are_named_and_only_these():
    month = np.sort(RNG.integers(1, 25, 1_500))
    columns = {"month": month, "rate": 4 + month / 12 + RNG.normal(size=1_500), "age": RNG.normal(50, 10, 1_500)}
    columns["channel"] = np.where(RNG.random(1_500) < month / 30, "app", "branch")
    columns["asked"] = np.where(month > 20, np.nan, RNG.normal(size=1_500))
    by_time = {name for one in checked(columns, split="time:month") if one.kind == "shift" for name in one.columns}
    assert by_time == {"rate", "channel", "asked"}
    del columns["month"]
    assert "shift" not in checked(columns).kinds


def test_few_events_are_told_by_the_split_and_must_be_decided_where_they_are_hardly_any():
    for events, kinds in ((30, [True]), (100, [False]), (200, [])):
        outcome = np.random.default_rng(0).permutation(np.where(np.arange(800) < events, "yes", "no"))
        found = checked({"x": RNG.normal(size=800)}, outcome)
        assert [one.must_decide for one in found if one.kind == "few events"] == kinds


def test_a_dataset_without_table_outcomes_or_reading_is_checked_too():
    case = worlds.table("mixed")
    assert case.table is None and Counter(dlx.check(case).kinds) == Counter(["few events"])
    with pytest.raises(dlx.errors.DlxError, match="what is checked must be a Dataset, got DataFrame"):
        dlx.check(case.frame)


# The command ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def loans(tmp_path):
    """A table of loans, with a code, as CSV."""
    table = pd.DataFrame({"months": with_codes(MONTHS, -9), "age": AGES, "default": (np.arange(400) % 2)})
    table.to_csv(tmp_path / "loans.csv", index=False)
    return tmp_path / "loans.csv"


def test_dlx_check_ends_with_1_where_a_person_must_decide_and_with_2_at_a_mistake(run, refused, loans):
    ended = run("check", loans, "--target", "default")
    assert ended.status == 1
    said = " ".join(ended.out)
    assert "Special code" in said and "-9 in 6 rows" in said and "1 finding to decide" in said
    assert not [line for line in ended.err if "months" in line]  # all is said once
    assert run("check", loans, "--target", "default", "--special", "months=-9:no record").status == 0  # as it proposes
    assert run("check", "bank_loan").status == 0
    assert "no column 'defaults'" in refused("check", loans, "--target", "defaults")


def test_the_words_for_the_command_line_are_words_of_a_shell(tables):
    for *_, found in tables:
        for one in found:
            option = one.remedy[one.remedy.index("--") :] if "--" in one.remedy else ""
            assert len(shlex.split(option)) >= 2 or "=" in option or not option
