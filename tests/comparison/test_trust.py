"""Whom to trust: each check speaks against the method it should, in its words, and what trusted methods say together."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import worlds

from dlx.comparison.noise import Replicates
from dlx.comparison.trustworthiness import AGREEING_SHARE, SETTLED, Measurements, believed, consensus, trust
from dlx.explanation import Explanation

LIME = worlds.said([[3, -2, 1, 0], [1, 2, 3, 4]])
SHAP = dataclasses.replace(LIME, method="kernel_shap")
TREES = dataclasses.replace(LIME, model="trees")
ABOUT = [("net", "lime"), ("net", "kernel_shap"), ("trees", "lime")]


def table(of_shap, of_others, **shared) -> pd.DataFrame:
    """Return a table with a line for each of the three, one of them said to be different."""
    lines = [{"model": model, "method": method} | shared for model, method in ABOUT]
    for line in lines:
        line |= of_shap if (line["model"], line["method"]) == ("net", "kernel_shap") else of_others
    return pd.DataFrame(lines)


CHECKS = {
    "compatibility": (
        "pre-flight",
        table(
            {"verdict": "not valid", "reason": "the net has no gradients"}, {"verdict": "approximate", "reason": "some loss"}
        ),
        "pre-flight found it not valid: the net has no gradients",
    ),
    "sanity": (
        "randomised weights",
        table({"survives": True}, {"survives": False}),
        "its explanations outlive the randomisation of the net's weights",
    ),
    "noise": (
        "its own noise",
        table({"mean": 0.79}, {"mean": 0.8}, metric="feature_agreement", source="seed"),
        "with another seed only 79% of the top columns stay",
    ),
    "distances": (
        "distance to the truth",
        table({"median": 0.12}, {"median": 0.1}, measure="relative_error", is_shapley=True),
        "it is off by 12% from the Shapley values that it sets out to give",
    ),
    "faithfulness": (
        "faithfulness",
        table({"low": 0.0}, {"low": 0.2}, metric="sensitivity_n", chance=0.1),
        "its contributions tell no more of what the model answers when columns change than shuffled ones",
    ),
}


@pytest.mark.parametrize("check", CHECKS)
def test_each_check_speaks_against_the_method_it_should_and_no_other(check):
    name, measured, words = CHECKS[check]
    found = trust([LIME, SHAP, TREES], Measurements(**{check: measured}))
    assert found["standing"].tolist() == ["not refuted", "distrusted", "not refuted"] and not found["trusted"].any()
    assert found["why"][1] == words and found["why"][0] == found["why"][2]
    assert found["why"][0].startswith(f"nothing speaks against it ({name})")
    assert list(found["measured"]) == [name] * 3
    assert found[["model", "method"]].to_numpy().tolist() == [list(one) for one in ABOUT]


@pytest.mark.parametrize(
    ("check", "changes", "is_measured"),
    [
        ("noise", {"source": "background"}, False),  # that another background changes it is no fault of the method
        ("noise", {"metric": "rank_correlation"}, False),
        ("noise", {"chance": 1.0}, False),  # the top columns are all columns
        ("noise", {"mean": np.nan}, False),
        ("distances", {"is_shapley": False}, True),  # it does not set out to give them
        ("distances", {"measure": "top_hit"}, False),
        ("distances", {"median": np.nan, "mean": np.nan}, False),
        ("faithfulness", {"metric": "pgi"}, True),
        ("faithfulness", {"low": np.nan}, True),
    ],
)
def test_what_does_not_count_against_a_method(check, changes, is_measured):
    name, measured, _ = CHECKS[check]
    found = trust([SHAP], Measurements(**{check: measured.assign(**changes)}))
    seen = name if is_measured else "nothing was measured"
    assert found["standing"].tolist() == ["not refuted"] and found["why"][0].startswith(f"nothing speaks against it ({seen})")


def test_a_method_far_from_the_shapley_values_that_it_does_not_set_out_to_give_is_remarked_upon():
    errors = CHECKS["distances"][1].assign(measure="relative_error", is_shapley=False, median=0.48)
    found = trust([SHAP], Measurements(distances=errors))
    assert found["standing"].tolist() == ["not refuted"] and "answers another question: 48% away" in found["remark"].item()
    assert trust([SHAP], Measurements(distances=errors.assign(median=0.2)))["remark"].item() == ""
    assert trust([SHAP], Measurements(distances=errors.assign(options="n_samples=5")))["measured"].item() == ""


def test_all_that_speaks_against_a_method_is_said():
    found = trust([LIME, SHAP], Measurements(**{check: measured for check, (_, measured, _) in CHECKS.items()}))
    assert found["trusted"].tolist() == [True, False]
    names = ["pre-flight", "randomised weights", "its own noise", "distance to the truth", "faithfulness"]
    assert found["why"][0] == f"nothing speaks against it ({', '.join(names)})" and found["measured"][1] == ", ".join(names)
    assert found["why"][1] == "; ".join(
        CHECKS[check][2] for check in ("compatibility", "sanity", "noise", "distances", "faithfulness")
    )


def test_nothing_measured_is_not_trusted_but_not_refuted_and_says_so():
    elsewhere = Measurements(sanity=CHECKS["sanity"][1].query("model == 'trees'"))
    for measured in (Measurements(), elsewhere):
        found = trust([LIME, SHAP], measured)
        assert not found["trusted"].any() and set(found["standing"]) == {"not refuted"}
        assert set(found["why"]) == {
            "nothing speaks against it (nothing was measured); "
            "pre-flight and its own noise and distance to the truth not measured"
        }
        assert set(found["measured"]) == {""} and set(found["not_measured"]) == {
            "pre-flight, its own noise, distance to the truth"
        }


def measured_of(lost=0.0, away=0.1, *, noise=True) -> Measurements:
    """Return all that trust in LIME is earned by: what it leaves out, how far it is from the Shapley values, and its noise."""
    about = {"model": ["net"], "method": ["lime"]}
    return Measurements(
        compatibility=pd.DataFrame(about | {"verdict": ["approximate"], "lost": [lost], "reason": ["some is lost"]}),
        distances=pd.DataFrame(about | {"measure": ["relative_error"], "median": [away], "is_shapley": [False]}),
        noise=pd.DataFrame(about | {"metric": ["feature_agreement"], "source": ["seed"], "mean": [0.95]}) if noise else None,
    )


def test_trust_is_earned_by_three_measurements_and_says_which_is_lacking():
    found = trust([LIME], measured_of()).iloc[0]
    assert found["trusted"] and found["standing"] == "trusted" and found["not_measured"] == ""
    found = trust([LIME], measured_of(noise=False)).iloc[0]
    assert found["standing"] == "not refuted" and not found["trusted"] and found["not_measured"] == "its own noise"
    assert found["why"].endswith("; its own noise not measured")


@pytest.mark.parametrize(
    ("lost", "away", "expected"),
    [
        (1.05, 0.37, "distrusted"),
        (0.3, 0.26, "distrusted"),
        (1.05, 0.1, "distrusted"),
        (1.05, np.nan, "distrusted"),
        (0.2, 0.37, "trusted"),
        (0.9, 0.2, "trusted"),
        (np.nan, 0.37, "trusted"),
    ],
)
def test_contributions_that_neither_add_up_nor_are_shapley_values_are_not_trusted(lost, away, expected):
    found = trust([LIME], measured_of(lost, away)).iloc[0]
    assert found["standing"] == expected
    assert ("leave out" in found["why"]) == (expected == "distrusted")


def test_where_the_top_columns_are_all_columns_the_order_of_pairs_tells_the_noise():
    about = {"model": "net", "method": "lime", "source": "seed"}
    lines = [about | {"metric": "feature_agreement", "chance": 1.0, "mean": 1.0}]
    lines += [about | {"metric": "pairwise_rank_agreement", "chance": 0.5, "mean": 0.61}]
    measured = dataclasses.replace(measured_of(), noise=pd.DataFrame(lines))
    found = trust([LIME], measured).iloc[0]
    assert (found["standing"], found["why"]) == (
        "distrusted",
        "with another seed only 61% of the pairs of columns keep their order",
    )
    lines[1]["mean"] = 0.9
    assert trust([LIME], dataclasses.replace(measured, noise=pd.DataFrame(lines)))["trusted"].item()


def test_words_of_a_verdict_stand_on_its_side_of_the_line():
    noise = CHECKS["noise"][1].assign(mean=0.7996)
    assert "only 79.96% of the top columns" in trust([SHAP], Measurements(noise=noise))["why"].item()
    errors = CHECKS["distances"][1].assign(median=0.1001)
    assert "off by 10.01%" in trust([SHAP], Measurements(distances=errors))["why"].item()


def test_the_word_of_the_trusted_counts_and_where_there_are_none_that_of_the_not_refuted():
    table = trust([LIME, SHAP], measured_of())
    assert table["standing"].tolist() == ["trusted", "not refuted"] and believed(table).tolist() == [True, False]
    alone = trust([LIME, SHAP], Measurements(distances=CHECKS["distances"][1]))
    assert alone["standing"].tolist() == ["not refuted", "distrusted"] and believed(alone).tolist() == [True, False]
    assert believed(trust([LIME], measured_of(1.05, 0.37))).tolist() == [False]


def test_method_that_failed_on_somebody_is_not_trusted():
    failed = dataclasses.replace(LIME, values=[[3, -2, 1, 0], [np.nan] * 4])
    found = trust([failed, SHAP], Measurements(noise=CHECKS["noise"][1]))
    assert found["trusted"].tolist() == [False, False]
    assert found["why"][0] == "it failed on 1 of 2 people"


# What they say together of one person


def told(*rows, failed=()) -> list[Explanation]:
    """Return one explanation a row of contributions, each by a method of its own, the person in the second place."""
    made = []
    for i, row in enumerate(rows):
        values = [[9.0] * len(row), [np.nan] * len(row) if i in failed else row]
        made.append(worlds.said(values, method=f"method {i}"))
    return made


def again(of, *rows, source="seed") -> Replicates:
    others = tuple(dataclasses.replace(of, values=[of.values[0], row]) for row in rows)
    return Replicates(of, source, others)


def test_order_is_by_the_mean_share_whatever_the_unit():
    found = consensus(told([600, -300, 100, 0], [0.5, -0.1, 0.4, 0.0], [2, -6, 2, 0]), 1)
    np.testing.assert_allclose(found.share, [(0.6 + 0.5 + 0.2) / 3, -(0.3 + 0.1 + 0.6) / 3, (0.1 + 0.4 + 0.2) / 3, 0])
    assert found.order == (0, 1, 2, 3) and found.methods == 3
    assert found.first_votes == 2  # the third puts another column first
    assert found.kept_order == pytest.approx((2 / 3, 2 / 3, 1.0)) and found.settled == (False, False, True)


def test_methods_of_opposite_sign_take_from_each_other():
    found = consensus(told([3, 1], [-3, 1]), 1)
    assert found.order == (1, 0) and found.share.tolist() == pytest.approx([0, 0.25]) and found.first_votes == 0


def test_support_is_the_top_with_the_sign_of_the_mean():
    found = consensus(told([5, -4, 3, 0.1], [5, 4, -3, 0.1], [5, -4, 0.1, 3], [5, 0.1, 4, 3]), 1, k=2)
    assert found.support.tolist() == [4, 2, 1, 0]  # k = 2: column 1 twice with the sign that the mean has
    assert [found.is_reason(i) for i in range(4)] == [True, False, False, False]
    with_more = consensus(told([5, -4, 3, 0.1], [5, 4, -3, 0.1], [5, -4, 0.1, 3], [5, 0.1, 4, 3]), 1, k=3)
    assert with_more.support.tolist() == [4, 2, 2, 2]


@pytest.mark.parametrize("methods", [1, 2, 3, 4, 5, 10])
def test_a_reason_is_named_by_the_stated_share_of_methods(methods):
    for naming in range(methods + 1):
        found = consensus(told(*[[5, 4, 1]] * naming, *[[5, 1, 4]] * (methods - naming)), 1, k=2)
        assert found.support[1] == naming
        assert found.is_reason(1) == (naming / methods >= AGREEING_SHARE)


def test_ranks_that_flip_in_half_of_the_replicates_are_not_settled_and_the_first_is():
    (of,) = told([9, 4, 3.9, 1])
    flips = [[9 + i / 10, 4 - (i % 2) * 0.5, 3.7, 1] for i in range(20)]
    found = consensus([of], 1, replicates=[again(of, *flips)])
    assert found.order == (0, 1, 2, 3)
    assert found.kept_order == pytest.approx((1, 11 / 21, 1)) and found.settled == (True, False, True)


def test_order_is_settled_from_the_stated_share_on():
    (of,) = told([2, 1])
    for kept, settled in ((19, True), (18, False)):
        rows = [[2, 1]] * (kept - 1) + [[1, 2]] * (20 - kept)  # the one that is shown counts too
        assert consensus([of], 1, replicates=[again(of, *rows)]).settled == (settled,)
    assert SETTLED == 0.95


def test_replicates_of_others_of_fewer_people_or_that_failed_are_left_out():
    one, other = told([2, 1], [2, 1])
    flipped = again(other, [1, 2], [1, 2])
    assert consensus([one], 1, replicates=[flipped]).kept_order == (1,)
    assert consensus([one, other], 1, replicates=[flipped]).kept_order == (0.5,)
    only_first = Replicates(other[:1], "seed", tuple(one[:1] for one in flipped.explanations))
    assert consensus([one, other], 1, replicates=[only_first]).kept_order == (1,)
    half = again(other, [1, 2], [np.nan, 2])
    assert consensus([one, other], 1, replicates=[half]).kept_order == (pytest.approx(2 / 3),)


def test_explanations_that_failed_are_left_out():
    found = consensus(told([1, 2], [2, 1], [3, 1], failed=[0]), 1)
    assert found.methods == 2 and found.order == (0, 1) and found.first_votes == 2 and found.support.tolist() == [2, 2]
    assert consensus(told([1, 2], [2, 1], failed=[0, 1]), 1) is None
    assert consensus([], 0) is None
    assert consensus(told([1, 2], failed=[0]), 0).methods == 1  # another person


def test_an_explanation_that_gives_nothing_votes_for_nothing():
    found = consensus(told([2, 1, 0], [0, 0, 0]), 1)
    assert found.first_votes == 1 and found.methods == 2 and found.support.tolist() == [1, 1, 0]
    nothing = consensus(told([0, 0, 0]), 1)
    assert nothing.first_votes == 0 and nothing.support.tolist() == [0, 0, 0] and nothing.share.tolist() == [0, 0, 0]
    assert nothing.settled == (False, False) and not nothing.is_reason(0)


def test_ties_count_for_each_of_the_tied_and_settle_nothing():
    found = consensus(told([2, 2, 1], [3, 2, 1]), 1, k=1)
    assert found.order[0] == 0 and found.first_votes == 2
    assert found.kept_order[0] == 0.5 and found.support.tolist() == [2, 1, 0]


def test_one_feature_and_more_top_features_than_there_are():
    found = consensus(told([2.0], [1.0]), 1, k=5)
    assert (found.order, found.first_votes, found.kept_order, found.settled) == ((0,), 2, (), ())
    assert found.support.tolist() == [2] and found.is_reason(0)
