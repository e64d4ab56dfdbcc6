"""What is never printed: a stand-in for a protected attribute, alone or with others, and a reason against its words."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import dlx
from dlx.arrays import array_id
from dlx.audit.adverse_action import ReasonMap, ReasonRules, ReasonsError, adverse_reasons, grouping
from dlx.audit.adverse_action.denials import to_frame
from dlx.audit.adverse_action.rules import adverse_side
from dlx.audit.fairness import column_proxies, partition
from dlx.audit.fairness.groups import protected_groups
from dlx.audit.fairness.proxies import MOST_TOGETHER, strengths_alone, strengths_together
from dlx.dataset import Dataset
from dlx.explanation import Explanation
from dlx.schema import Feature, Schema, Target

TARGET = Target("bad", levels=("no", "yes"), adverse_action=True, flagged="denied")
SEX = Feature("sex", "categorical", levels=("f", "m"), protected=True)
AGE = Feature("age", protected=True)
COUNT = 400


def with_sex(column, *, feature=None, count=COUNT, seed=0, others=()):
    """Return people with sex and age by lot, a column made of both, and other columns."""
    rng = np.random.default_rng(seed)
    sex, age = rng.integers(2, size=count).astype(float), rng.integers(20, 75, count).astype(float)
    made = SimpleNamespace(rng=rng, sex=sex, age=age)
    made.column = np.asarray(column(made), dtype=float)
    feature = feature or Feature("column", missing=True)
    columns = [sex, age, made.column, *(make(made) for _, make in others)]
    return Dataset(Schema((SEX, AGE, feature, *(f for f, _ in others)), TARGET), np.column_stack(columns), None)


STAND_INS = {
    "only women have a value": lambda p: np.where(p.sex == 0, p.rng.normal(size=COUNT), np.nan),
    "women never have a value": lambda p: np.where(p.sex == 1, p.rng.normal(size=COUNT), np.nan),
    "distance from 47": lambda p: abs(p.age - 47),
    "women in the middle": lambda p: p.rng.normal(size=COUNT) * np.where(p.sex == 0, 0.2, 2),
    "even and odd": lambda p: 2 * p.rng.integers(0, 8, COUNT) + p.sex,
    "age squared off": lambda p: (p.age - 47) ** 2 + p.rng.normal(size=COUNT),
    "waves": lambda p: np.floor(p.rng.random(COUNT) * 4) + np.where(p.sex == 0, 0, 0.5) + 0.2 * p.rng.random(COUNT),
    "flag of an age of 66": lambda p: p.age > 66,
    "flag of an age of 25": lambda p: p.age <= 25,
    "one value of women": lambda p: np.where((p.sex == 0) & (p.rng.random(COUNT) < 0.7), 7.0, p.rng.normal(size=COUNT)),
}


@pytest.mark.parametrize("kind", STAND_INS)
def test_whatever_the_shape_or_the_gaps_a_stand_in_is_withheld(kind):
    for seed in range(3):
        case = with_sex(STAND_INS[kind], seed=seed)
        found = grouping(case)
        assert "column" in found.withheld and found.proxies["column"].low > 0.7
        assert found.proxies["column"].attribute == ("age" if "age" in kind or "47" in kind else "sex")


def test_a_column_of_many_levels_is_withheld_if_each_is_of_one_group():
    streets = Feature("column", "categorical", levels=tuple(f"street {i}" for i in range(120)))
    own = with_sex(lambda p: 60 * p.sex + p.rng.integers(60, size=COUNT), feature=streets)
    mixed = with_sex(lambda p: 2 * p.rng.integers(60, size=COUNT) + p.sex, feature=streets)
    nothing = with_sex(lambda p: p.rng.integers(120, size=COUNT), feature=streets)
    assert "column" in grouping(own).proxies and "column" in grouping(mixed).proxies and not grouping(nothing).proxies


def test_columns_that_tell_nothing_are_no_proxies():
    noise = [(Feature(f"n{i}", missing=True), lambda p: np.where(p.rng.random(COUNT) < 0.3, np.nan, p.rng.normal(size=COUNT)))
             for i in range(12)]  # fmt: skip
    for seed in range(4):
        found = grouping(with_sex(lambda p: p.rng.normal(size=COUNT), seed=seed, others=noise))
        assert found.proxies == {} and found.joint_proxy(["column", "n1", "n2", "n3"]) is None


def test_a_group_of_few_people_is_said_to_be_too_small_to_tell():
    case = with_sex(lambda p: np.where(p.sex == 0, 1.0, np.nan))
    few = case[np.concatenate([np.flatnonzero(case.rows[:, 0] == 0)[:20], np.flatnonzero(case.rows[:, 0] == 1)])]
    found = grouping(few)
    assert [(group.column, group.name, group.inside.sum()) for group in found.unjudged] == [("sex", "f", 20)]
    assert "column" not in found.proxies  # neither a proxy nor safe


def test_both_rooms_have_one_measure():
    case = with_sex(lambda p: np.where(p.rng.random(COUNT) < 0.8, p.sex, 1 - p.sex))
    alone = grouping(case).proxies["column"]
    told = column_proxies(case, partition(case, "sex"), alone.group).set_index("column").loc["column"]
    assert (2 * alone.auc - 1, 2 * alone.low - 1) == pytest.approx((told["tells"], told["low"]))
    assert grouping(case).proxies == grouping(case).proxies


def test_the_measure_is_the_auc_of_cross_validated_rates():
    rng = np.random.default_rng(0)
    levels, inside = rng.integers(5, size=300).astype(float), rng.random(300) < 0.4
    fold, feature = np.random.default_rng(0).permutation(300) % 5, Feature("c", "categorical", levels=tuple("abcde"))
    scores = np.empty(300)
    for one in range(5):
        learned = fold != one
        for i in np.flatnonzero(~learned):
            like = learned & (levels == levels[i])
            wide = (inside[learned].sum() + 5 * inside[learned].mean()) / (learned.sum() + 5)
            scores[i] = (inside[like].sum() + 5 * wide) / (like.sum() + 5)
    (told,) = strengths_alone(feature, levels, inside[:, None])
    assert told.auc == pytest.approx(roc_auc_score(inside, scores))


def test_several_columns_are_judged_by_the_nearest_others():
    case = with_sex(lambda p: p.rng.normal(size=60), count=60)
    features, columns = case.schema.features[1:3], case.rows[:, 1:3]
    inside = case.rows[:, 0] == 1
    ranks = [2 * np.argsort(np.argsort(column, kind="stable"), kind="stable") / 60 for column in columns.T]
    ties = [2 * np.array([(column < v).sum() + ((column == v).sum() + 1) / 2 for v in column]) / 60 for column in columns.T]
    assert np.allclose(ranks[1], ties[1] - 2 / 60)
    distance = sum(abs(r[:, None] - r) for r in ties)
    weights = np.exp(-distance / 0.5) * (1 - np.eye(60))
    (told,) = strengths_together(features, columns, inside[:, None])
    assert told.auc == pytest.approx(roc_auc_score(inside, weights @ inside / weights.sum(axis=1)), abs=1e-3)
    many = np.random.default_rng(0).normal(size=(MOST_TOGETHER + 500, 2))
    (far,) = strengths_together(features, many, (many[:, 0] > 0)[:, None])
    assert far.auc > 0.9 and far.error > 0


def test_the_groups_of_a_protected_number_are_its_quarters_its_middle_its_tails_and_its_cuts():
    case = with_sex(lambda p: p.sex)
    cut = dataclasses.replace(AGE, cuts=(25,))
    groups = protected_groups(Dataset(Schema((cut, *case.schema.features[2:]), TARGET), case.rows[:, 1:], None))
    assert len(groups) == 8 and groups[0].name == "up to 25" and (groups[0].inside == (case.rows[:, 1] <= 25)).all()
    assert sum(150 < group.inside.sum() < 250 for group in groups) == 1  # the middle half
    assert sorted(min(group.inside.sum(), (~group.inside).sum()) for group in groups)[:2] >= [30, 30]  # tails of 10 %


@pytest.mark.parametrize("men", [0.1, 0.9])
def test_the_group_of_two_levels_is_the_rarer_one(men):
    rows = with_sex(lambda p: p.age).rows.copy()
    rows[:, 0] = np.arange(len(rows)) < men * len(rows)
    (group,) = protected_groups(Dataset(Schema((SEX,), TARGET), rows[:, :1], None))
    rarer = float(men < 0.5)
    assert group.name == SEX.levels[int(rarer)] and (group.inside == (rows[:, 0] == rarer)).all()


# reasons


def explained(case, values, rows):
    values = np.asarray(values, dtype=float)
    index = np.array([f"p{i}" for i in range(len(values))])
    made = Explanation(
        values, np.full(len(values), 0.1), 0.1 + values.sum(axis=1), rows, case.schema, "logit", "shapley", "dlx", "net", "b"
    )
    return dataclasses.replace(made, background_id=array_id(case.rows), index=index)


def printed(case, values, rows, **asked):
    made = explained(case, np.atleast_2d(values), np.atleast_2d(rows).astype(float))
    return adverse_reasons(made, case, wording=ReasonMap(case.schema), grouping=grouping(case), **asked)


def test_what_tells_a_protected_attribute_only_together_is_not_printed_together():
    flags = Feature("flag", "categorical", levels=("0", "1"))
    case = with_sex(
        lambda p: p.rng.integers(2, size=COUNT),
        feature=Feature("column", "categorical", levels=("0", "1")),
        others=[
            (flags, lambda p: (p.column != p.sex).astype(float)),
            (Feature("debt"), lambda p: p.rng.normal(size=COUNT)),
        ],
    )
    found = grouping(case)
    assert found.proxies == {} and found.joint_proxy(["column", "flag"]).attribute == "sex"
    first, second = printed(case, [[0, 0, 3, 2, 1], [0, 0, 1, 2, 3]], [[0, 40, 1, 1, 2], [0, 40, 1, 1, 2]])
    assert [reason.column for reason in first.reasons] == ["column", "debt"] and first.joint_proxy == ("flag",)
    assert [reason.column for reason in second.reasons] == ["debt", "flag"] and second.joint_proxy == ("column",)
    assert (to_frame([first])["joint_proxy"] == "flag").all()
    (alone,) = printed(case, [0, 0, 3, 2, 1], [0, 40, 1, 1, 2], most=1)
    assert [reason.column for reason in alone.reasons] == ["column"] and alone.joint_proxy == ()


def test_a_stand_in_is_flagged_and_the_next_reason_is_printed():
    case = with_sex(STAND_INS["only women have a value"], others=[(Feature("debt"), lambda p: p.rng.normal(size=COUNT))])
    (denial,) = printed(case, [0, 0, 5, 1], [0, 40, 1.3, 2])
    assert [reason.column for reason in denial.reasons] == ["debt"] and denial.flagged == ("column",)


def borrowers(*features, outcomes=None, count=COUNT, seed=0):
    rng = np.random.default_rng(seed)
    columns = [rng.integers(len(f.levels), size=count) if f.is_categorical else rng.normal(50, 10, count) for f in features]
    rows = np.column_stack(columns).astype(float)
    events = None if outcomes is None else (rng.random(count) < outcomes(rows)).astype(float)
    return Dataset(Schema(features, TARGET), rows, events)


@pytest.mark.parametrize(
    ("field", "high", "low"),
    [
        ({"adverse": "high", "reason": "Debts"}, "Debts", None),
        ({"adverse": "low", "reason": "Income"}, None, "Income"),
        ({"direction": "up", "reason": "Income"}, None, "Income"),
        ({"reason": "Insufficient income"}, None, "Insufficient income"),
        ({"reason": "Income insufficient for the amount"}, None, "Income insufficient for the amount"),
        ({"reason": "Limited credit history"}, None, "Limited credit history"),
        ({"reason": "Excessive obligations in relation to income"}, "Excessive obligations in relation to income", None),
        ({"reason": "Too many inquiries"}, "Too many inquiries", None),
        ({"reason": "Highest balance"}, "Highest balance", "Highest balance"),
        ({"reason": "No. of late payments"}, "No. of late payments", "No. of late payments"),
        ({"reason": "High school only"}, "High school only", "High school only"),
        ({"reason": "No savings"}, None, "No savings"),
        ({}, "x", "x"),
    ],
)  # fmt: skip
def test_a_reason_is_printed_only_on_the_side_of_which_its_words_are_true(field, high, low):
    case = borrowers(Feature("x", **field), Feature("other", reason="Other"))
    for value, words in ((70, high), (30, low)):
        (denial,) = printed(case, [2, 1], [value, 50])
        assert [reason.words for reason in denial.reasons] == ([words] if words else []) + ["Other"]
        assert denial.review == (() if words else ("x",))


def test_levels_are_printed_where_the_schema_calls_them_adverse():
    housing = Feature(
        "housing",
        "categorical",
        levels=("own", "rent", "free"),
        reason="Housing",
        adverse_levels=("rent",),
        level_reasons=("", "Rents", ""),
    )
    case = borrowers(housing, Feature("other"))
    told = [printed(case, [2, 1], [code, 50])[0] for code in range(3)]
    assert [denial.reasons[0].words for denial in told] == ["other", "Rents", "other"]
    assert [denial.review for denial in told] == [("housing",), (), ("housing",)]
    ladder = dataclasses.replace(housing, ordered=True, adverse="high", adverse_levels=())
    assert [ReasonRules.of(case.schema, grouping(case), case).goes_against(0, code) for code in range(3)] == [True, False, True]
    assert adverse_side(ladder) == "high" and adverse_side(dataclasses.replace(housing, reason="No housing")) == ""


def test_where_nothing_is_stated_the_outcomes_of_real_people_decide():
    purpose = Feature("purpose", "categorical", levels=("car", "boat", "kitchen"))
    case = borrowers(
        purpose, Feature("x"), outcomes=lambda rows: np.select([rows[:, 0] == 0, rows[:, 1] > 60], [0.1, 0.05], 0.5)
    )
    boat, car = printed(case, [[2, 1], [2, 1]], [[1, 50], [0, 50]])
    assert [reason.column for reason in boat.reasons] == ["purpose", "x"] and boat.reasons[0].value == "boat"
    assert [reason.column for reason in car.reasons] == ["x"] and car.review == ("purpose",)
    (high,) = printed(case, [1, 2], [1, 75])
    assert high.review == ("x",)


def test_missing_values_are_named_and_not_called_insufficient():
    income = Feature("income", missing=True, reason="Insufficient income", label="Income", missing_label="not told")
    case = borrowers(income, Feature("other"))
    (denial,) = printed(case, [2, 1], [np.nan, 50])
    assert (denial.reasons[0].words, denial.reasons[0].value) == ("Income", "not told")


def test_the_same_words_are_one_reason_and_are_printed_once():
    late = [
        Feature(name, "categorical", levels=("0", "1"), reason="Delinquent obligations", adverse="high")
        for name in ("may", "june")
    ]
    case = borrowers(*late, Feature("other"))
    assert grouping(case).merged() == [("may", "june")]
    (denial,) = printed(case, [1, 0.7, 0.2], [1, 1, 50])
    assert [(reason.words, reason.contribution) for reason in denial.reasons] == [
        ("Delinquent obligations", pytest.approx(1.7)),
        ("other", pytest.approx(0.2)),
    ]
    (other,) = printed(case, [1, 0.7, 0.2], [0, 1, 50])  # the larger part goes against the words, the other does not
    assert (other.reasons[0].column, other.reasons[0].contribution) == ("june", pytest.approx(0.7)) and other.review == ("may",)


def test_no_reason_of_bank_loan_is_absurd():
    case, model = dlx.load("bank_loan"), dlx.load_model("bank_loan", "mlp")
    people = case.test[model.decide(case.test)]
    background = case.background(50)
    made = dlx.explain(model, people, method="deeplift", background=background, scale="logit")
    denials = adverse_reasons(made, background, wording=ReasonMap(case.schema), grouping=grouping(case.train))
    table = to_frame(denials)
    said = set(zip(table["column"], table["value"], strict=True))
    absurd = {
        "installment_rate": ["less than 20 %"],
        "property": ["real estate"],
        "housing": ["owns"],
        "credit_history": ["no credits so far, or all paid back duly", "existing credits paid back duly so far"],
        "status": ["200 DM or more, or salary paid in for a year"],
        "telephone": ["in own name"],
    }
    assert not said & {(column, value) for column, values in absurd.items() for value in values}
    assert "Limited credit history" not in set(table["reason"]) and any("installment_rate" in d.review for d in denials)
    assert all(len({reason.words for reason in denial.reasons}) == len(denial.reasons) for denial in denials)


def test_who_is_between_the_mean_and_the_median_of_a_skewed_column_is_told_nothing_of_its_side():
    income = Feature("income", reason="Low income")
    skewed = np.random.default_rng(0).lognormal(0, 1, (COUNT, 1))
    case = Dataset(Schema((income, Feature("other")), TARGET), np.hstack([skewed, skewed[::-1]]), None)
    between = (skewed.mean() + np.median(skewed)) / 2
    told = [printed(case, [1, 0.5], [value, 1])[0].review for value in (0.9 * np.median(skewed), between, 1.1 * skewed.mean())]
    assert told == [(), ("income",), ("income",)]
    late = Feature("late", reason="Delinquent obligations")  # a flag that most people have is no less true of them
    flags = (np.arange(COUNT) % 10 < 7).astype(float)
    case = Dataset(Schema((late, Feature("other")), TARGET), np.column_stack([flags, skewed]), None)
    assert [ReasonRules.of(case.schema, grouping(case), case).goes_against(0, flag) for flag in (0.0, 1.0)] == [True, False]


def test_a_contribution_that_is_rounding_is_no_reason_and_flags_nothing():
    case = with_sex(lambda p: p.rng.normal(size=COUNT), others=((Feature("idle"), lambda p: p.rng.normal(size=COUNT)),))
    (denial,) = printed(case, [1e-9, 0, 2, 1e-12], case.rows[0])
    assert [reason.column for reason in denial.reasons] == ["column"] and not denial.flagged and not denial.review


def test_reasons_need_somebody_who_is_denied_whatever_the_threshold():
    case = with_sex(lambda p: p.rng.normal(size=COUNT))
    for target, made, problem in (
        (dataclasses.replace(TARGET, threshold=4e-6), {"scale": "probability", "outputs": np.array([3e-6])}, "is not denied"),
        (Target("bad", "regression", adverse_action=True), {}, "is of kind"),
    ):
        people = dataclasses.replace(case, schema=dataclasses.replace(case.schema, target=target))
        one = dataclasses.replace(explained(people, [[0.0, 0, 2]], people.rows[:1]), **made)
        with pytest.raises(ReasonsError, match=problem):
            adverse_reasons(one, people, wording=ReasonMap(people.schema), grouping=grouping(people))


def test_reasons_by_words_or_groups_of_other_columns_are_refused():
    case = with_sex(lambda p: p.rng.normal(size=COUNT))
    other = Dataset(Schema(case.schema.features[::-1], TARGET), case.rows[:, ::-1], None)
    made = explained(case, [[0.0, 0, 2]], case.rows[:1])
    for words, groups, problem in ((case, other, "the grouping must be of"), (other, case, "the wording must be of")):
        with pytest.raises(ReasonsError, match=problem):
            adverse_reasons(made, case, wording=ReasonMap(words.schema), grouping=grouping(groups))
    with pytest.raises(ReasonsError, match=r"got most=1\.5"):
        adverse_reasons(made, case, wording=ReasonMap(case.schema), grouping=grouping(case), most=1.5)
