"""The shipped cases: the counts that their cards claim, the words that people read, and the checksum."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dlx import cases
from dlx.schema import SchemaError

SHIPPED = sorted({path.name.split(".")[0] for path in cases.DATA.iterdir()})  # with their tables
# Columns whose names are words already: their labels may say no more.
PLAIN = {
    "age", "sex", "education", "savings", "housing", "telephone", "diabetes", "credit_history", "employment_duration",
    "other_installment_plans", "foreign_worker", "race_ethnicity", "vigorous_recreation", "moderate_recreation",
    "AGE", "SEX", "EDUCATION",
}  # fmt: skip

case = functools.cache(cases.load)


def column(name: str, feature: str) -> np.ndarray:
    """Return one column in the words of people, missing values included."""
    schema = case(name).schema
    return np.array([schema[feature].format(value) for value in case(name).rows[:, schema.position(feature)]])


def missing(name: str) -> dict[str, int]:
    """Return how many values are missing in the columns where some are."""
    counts = np.isnan(case(name).rows).sum(axis=0)
    return {feature: int(count) for feature, count in zip(case(name).schema.names, counts, strict=True) if count}


# The registry


def test_names_are_the_files_of_the_folder_and_import_none_of_them():
    folder = Path(cases.__file__).parent
    assert cases.names() == sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))
    code = "import sys, dlx.cases as d; d.names(); print([m for m in sys.modules if m.startswith('dlx.cases.')])"
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert listed.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["nosuch", "_hidden", "data", "../dataset", ""])
def test_unknown_case_is_an_error_that_lists_the_cases(name):
    with pytest.raises(SchemaError, match=rf"no case .*; the cases are {', '.join(cases.names())}; .*read_table"):
        cases.load(name)


# The files


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """A copy of the data folder that a test may spoil."""
    folder = shutil.copytree(cases.DATA, tmp_path / "data")
    monkeypatch.setattr(cases, "DATA", folder)
    return folder


@pytest.mark.parametrize("file", [path.name for path in cases.DATA.iterdir() if path.suffix != ".toml"])
def test_flipped_bit_is_found_before_the_table_is_parsed(copied, monkeypatch, file):
    content = bytearray((copied / file).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / file).write_bytes(content)
    monkeypatch.setattr(cases, "read_frame", lambda path: pytest.fail(f"parsed {path}"))
    with pytest.raises(SchemaError, match=rf"{file} must have the sha256 \w{{64}}, got \w{{64}}.*reinstall"):
        cases.load(file.split(".")[0])


def test_a_lacking_table_or_description_is_an_error_that_names_it(copied):
    (copied / "bank_loan.csv").unlink()
    with pytest.raises(SchemaError, match=r"one table bank_loan\.csv.*got 0; reinstall"):
        cases.load("bank_loan")
    (copied / "heart_disease.toml").write_text("[card", encoding="utf-8")
    with pytest.raises(SchemaError, match=r"cannot read .*heart_disease\.toml.*reinstall"):
        cases.load("heart_disease")


# All cases


@pytest.mark.parametrize(
    ("name", "rows", "features", "positives"),
    [
        ("bank_loan", 1_000, 20, 300),
        ("heart_attack", 5_255, 32, 254),
        ("heart_disease", 920, 13, 509),
        ("credit_default", 30_000, 23, 6_636),
    ],
)
def test_rows_features_and_positives(name, rows, features, positives):
    assert case(name).rows.shape == (rows, features)
    assert case(name).outcomes.sum() == positives
    assert set(case(name).outcomes) == {0, 1}
    assert case(name).name == name


@pytest.mark.parametrize("name", SHIPPED)
def test_a_value_may_be_missing_exactly_where_the_table_has_missing_values(name):
    assert set(missing(name)) == {feature.name for feature in case(name).schema.features if feature.missing}


@pytest.mark.parametrize("name", SHIPPED)
def test_features_speak_to_people(name):
    for feature in case(name).schema.features:
        assert feature.label[0].isupper(), feature.name
        assert feature.name in PLAIN or feature.label.lower() != feature.name.lower().replace("_", " "), feature.name
        assert feature.description.endswith("."), feature.name
        assert feature.reason, feature.name
        assert not feature.missing or feature.missing_label != "missing", feature.name
        assert "_" not in feature.label + feature.reason + "".join(feature.level_labels), feature.name
        if feature.is_categorical:
            assert not feature.unit, feature.name
            assert len(set(feature.level_labels)) == len(feature.levels), feature.name
            assert all(label.strip() and "..." not in label for label in feature.level_labels), feature.name
        else:
            assert feature.unit, feature.name


@pytest.mark.parametrize("name", SHIPPED)
def test_target_says_in_words_what_it_predicts_and_where_its_threshold_comes_from(name):
    target = case(name).schema.target
    assert target.kind == "binary"
    assert "num" not in target.label + target.event + target.risk
    assert target.label != target.name
    assert "nothing else was stated" not in target.threshold_reason


@pytest.mark.parametrize("name", SHIPPED)
def test_card_is_complete(name):
    card = case(name).card
    assert all([card.title, card.summary, card.source, card.citation, card.licence, card.notice])
    assert len(card.sha256) == 64
    assert len(card.caveats) >= 5 and all(caveat.endswith(".") for caveat in card.caveats)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_level_is_in_the_table_but_the_ones_that_only_september_has(name):
    schema = case(name).schema
    for position in schema.categorical:
        feature = schema.features[position]
        present = set(case(name).rows[:, position])
        absent = {level for code, level in enumerate(feature.levels) if code not in present}
        assert absent == ({"1"} if feature.name in ("PAY_5", "PAY_6") else set()), feature.name


@pytest.mark.parametrize("name", SHIPPED)
def test_protected_attributes_are_not_actionable_and_something_is(name):
    features = case(name).schema.features
    assert not [feature.name for feature in features if feature.protected and feature.actionable]
    assert any(feature.actionable for feature in features)
    assert any(feature.protected for feature in features)


@pytest.mark.parametrize(
    ("name", "feature", "levels"),
    [
        (
            "bank_loan",
            "savings",
            "unknown or no savings account | below 100 DM | 100 to 499 DM | 500 to 999 DM | 1,000 DM or more",
        ),
        (
            "bank_loan",
            "employment_duration",
            "unemployed | less than 1 year | 1 to 3 years | 4 to 6 years | 7 years or more",
        ),
        ("bank_loan", "installment_rate", "less than 20 % | 20 to 24 % | 25 to 34 % | 35 % or more"),
        ("bank_loan", "number_credits", "1 | 2 or 3 | 4 or 5 | 6 or more"),
        ("heart_attack", "general_health", "poor | fair | good | very good | excellent"),
        ("heart_attack", "smoke_now", "not at all | some days | every day"),
        ("heart_attack", "diabetes", "no | borderline | yes"),
        ("heart_disease", "slope", "rising | flat | falling"),
    ],
)
def test_ordered_levels_keep_their_natural_order(name, feature, levels):
    assert case(name).schema[feature].ordered
    assert " | ".join(case(name).schema[feature].level_labels) == levels


def test_which_features_are_ordered():
    ordered = {name: {f.name for f in case(name).schema.features if f.ordered} for name in SHIPPED}
    assert ordered["bank_loan"] == {
        "status", "savings", "employment_duration", "installment_rate", "present_residence", "property",
        "number_credits", "job", "people_liable",
    }  # fmt: skip
    assert ordered["heart_attack"] == {"education", "smoke_now", "diabetes", "general_health"}
    assert ordered["heart_disease"] == {"slope", "fbs"}
    assert ordered["credit_default"] == {f"PAY_{month}" for month in range(1, 7)}


# bank_loan


def test_bank_loan_groups():
    loans = case("bank_loan")
    young = loans.rows[:, loans.schema.position("age")] <= 25
    assert young.sum() == 190
    assert loans.outcomes[young].mean() == pytest.approx(0.421, abs=5e-4)
    assert loans.outcomes[~young].mean() == pytest.approx(0.272, abs=5e-4)
    foreign = column("bank_loan", "foreign_worker") == "yes"
    assert (foreign.sum(), loans.outcomes[foreign].sum()) == (37, 4)
    assert (column("bank_loan", "personal_status_sex") == "female, not single, or male, single").sum() == 310


def test_bank_loan_keeps_unknown_as_a_category_and_misses_nothing():
    assert missing("bank_loan") == {}
    assert (column("bank_loan", "savings") == "unknown or no savings account").sum() == 603
    assert (column("bank_loan", "other_debtors") == "none").sum() == 907


def test_bank_loan_directions_that_its_card_calls_surprising():
    bad, housing, owned = case("bank_loan").outcomes, column("bank_loan", "housing"), column("bank_loan", "property")
    assert [bad[housing == level].mean() for level in ("owns", "rents")] == pytest.approx([0.407, 0.261], abs=5e-4)
    assert bad[owned == "real estate"].mean() == pytest.approx(0.435, abs=5e-4)
    assert bad[owned == "unknown or none"].mean() == pytest.approx(0.213, abs=5e-4)


def test_bank_loan_target_denies_above_one_in_six():
    target = case("bank_loan").schema.target
    assert (target.positive, target.person, target.flagged, target.cleared) == ("bad", "applicant", "denied", "granted")
    assert target.threshold == 1 / 6


# heart_attack


def test_heart_attack_by_sex():
    attack, men = case("heart_attack").outcomes, column("heart_attack", "sex") == "male"
    assert (men.sum(), attack[men].sum(), attack[~men].sum()) == (2_536, 179, 75)
    assert attack[men].mean() == pytest.approx(0.071, abs=5e-4)
    assert attack[~men].mean() == pytest.approx(0.028, abs=5e-4)


def test_heart_attack_missing_values_with_the_codes_of_the_survey():
    assert missing("heart_attack") == {
        "education": 2 + 10, "marital": 5, "income_poverty_ratio": 695, "insured": 14, "bmi": 90, "waist_cm": 328,
        "sbp_mean": 268, "dbp_mean": 282, "pulse": 247, "total_chol": 328, "hdl": 328, "hba1c": 247, "diabetes": 4,
        "insulin": 1, "smoke_now": 3_053, "cigs_per_day": 4_312 + 2, "sedentary_min": 9 + 30, "sleep_hours": 43,
        "phq9": 440, "alcohol_g_day1": 521, "sat_fat_g_day1": 521, "fiber_g_day1": 521, "blood_lead": 244,
        "blood_cadmium": 244, "stroke_history": 8, "general_health": 375,
    }  # fmt: skip


def test_heart_attack_questions_that_were_not_asked():
    never = column("heart_attack", "smoked100") == "no"
    smokes = column("heart_attack", "smoke_now")
    asked = np.isin(smokes, ["some days", "every day"])
    cigarettes = column("heart_attack", "cigs_per_day") != "not asked: does not smoke now"
    assert np.array_equal(never, smokes == "not asked: never smoked 100 cigarettes")
    assert not (cigarettes & ~asked).any()
    assert (asked & ~cigarettes).sum() == 14


def test_heart_attack_numbers_are_plausible_and_no_code_is_left():
    rows, schema = case("heart_attack").rows, case("heart_attack").schema
    highest = {name: np.nanmax(rows[:, schema.position(name)]) for name in ("cigs_per_day", "sedentary_min", "phq9")}
    assert highest == {"cigs_per_day": 60, "sedentary_min": 1_320, "phq9": 25}
    assert not ((np.abs(rows) > 0) & (np.abs(rows) < 1e-6)).any()
    assert (rows[:, schema.position("age")] == 80).sum() == 382
    assert (rows[:, schema.position("income_poverty_ratio")] == 5).sum() == 800


def test_heart_attack_rows_are_named_by_the_survey_and_the_name_is_no_feature():
    people = case("heart_attack")
    assert people.index[0] == 93705 and len(set(people.index)) == len(people)
    assert "SEQN" not in people.schema.names


def test_heart_attack_carries_the_notice_and_is_never_a_denial():
    people = case("heart_attack")
    assert "statistical reporting and analysis only" in people.card.notice
    assert any("Cross-sectional" in caveat for caveat in people.card.caveats)
    target = people.schema.target
    assert (target.person, target.threshold) == ("person", 0.05)
    assert "deni" not in target.flagged + target.flagging


def test_heart_attack_cholesterol_runs_backwards_as_its_card_says():
    people = case("heart_attack")
    cholesterol = people.rows[:, people.schema.position("total_chol")]
    means = [np.nanmean(cholesterol[people.outcomes == outcome]) for outcome in (0, 1)]
    assert means == pytest.approx([189, 171], abs=0.5)


# blood_pressure


def test_blood_pressure_is_the_column_of_the_published_table():
    people = case("blood_pressure")
    published = pd.read_csv(cases.DATA / "heart_attack.csv", index_col="SEQN")["sbp_mean"].dropna()
    np.testing.assert_array_equal(people.outcomes, published)
    np.testing.assert_array_equal(people.index, published.index)
    assert not {"sbp_mean", "dbp_mean", "heart_attack"} & set(people.schema.names) and len(people.schema) == 30
    assert people.card.sha256 == case("heart_attack").card.sha256 and people.card.notice == case("heart_attack").card.notice


# heart_disease


def test_heart_disease_prevalence_by_site():
    patients = case("heart_disease")
    sites = ["cleveland", "hungarian", "switzerland", "va"]
    prevalence = [patients.outcomes[patients.extra["site"] == site].mean() for site in sites]
    assert prevalence == pytest.approx([0.459, 0.361, 0.935, 0.745], abs=1e-3)
    assert sorted(set(patients.train.extra["site"])) == sites
    assert "site" not in patients.schema.names


def test_heart_disease_zero_cholesterol_and_pressure_are_missing():
    patients = case("heart_disease")
    no_cholesterol = np.isnan(patients.rows[:, patients.schema.position("chol")])
    by_site = {site: int(no_cholesterol[patients.extra["site"] == site].sum()) for site in set(patients.extra["site"])}
    assert by_site == {"cleveland": 0, "hungarian": 23, "switzerland": 123, "va": 49 + 7}
    assert missing("heart_disease") == {
        "trestbps": 59 + 1, "chol": 30 + 172, "fbs": 90, "restecg": 2, "thalach": 55, "exang": 55, "oldpeak": 62,
        "slope": 309, "ca": 611, "thal": 486,
    }  # fmt: skip


def test_heart_disease_two_rows_are_duplicates():
    patients = case("heart_disease")
    frame = patients.frame.assign(site=patients.extra["site"], num=patients.outcomes)
    assert frame.duplicated().sum() == 2
    assert sorted(frame.site[frame.duplicated()]) == ["hungarian", "va"]


# credit_default


def test_credit_default_keeps_undocumented_codes_apart():
    education, marriage = column("credit_default", "EDUCATION"), column("credit_default", "MARRIAGE")
    assert np.char.startswith(education, "undocumented").sum() == 345
    assert (marriage == "undocumented (0)").sum() == 54
    assert missing("credit_default") == {}


def test_credit_default_duplicates_and_negative_bills():
    holders = case("credit_default")
    assert holders.frame.assign(default=holders.outcomes).duplicated().sum() == 35
    bills = [holders.schema.position(f"BILL_AMT{month}") for month in range(1, 7)]
    assert (holders.rows[:, bills] < 0).any(axis=1).sum() == 1_930


def test_credit_default_months_in_words():
    schema = case("credit_default").schema
    assert schema["PAY_1"].label == "Repayment status in September 2005"
    assert schema["BILL_AMT6"].label == "Bill in April 2005"
    for month in range(1, 7):
        assert schema[f"PAY_{month}"].levels == tuple(str(code) for code in range(-2, 9))
    assert schema["PAY_1"].level_labels[:5] == (
        "no consumption", "paid in full", "revolving credit", "1 month late", "2 months late",
    )  # fmt: skip
    assert {feature.name for feature in schema.features if feature.protected} == {"SEX", "MARRIAGE", "AGE"}
