"""Remedies for unequal treatment: weights that undo a bias, columns left out, and a table of what each changed."""

from __future__ import annotations

import dataclasses

import groups as people_of
import numpy as np
import pytest

from dlx.audit.fairness.groups import partition
from dlx.model import Provenance
from dlx.remedies import RemedyError
from dlx.remedies.mitigation import mitigations, reweighing
from dlx.remedies.recoding import recoding_of


def test_reweighing_makes_group_and_outcome_independent():
    rng = np.random.default_rng(0)
    groups = rng.integers(3, size=500)
    outcomes = (rng.random(500) < 0.2 + 0.25 * groups).astype(float)
    weights = reweighing(groups, outcomes)
    shares = [np.average(outcomes[groups == group], weights=weights[groups == group]) for group in range(3)]
    np.testing.assert_allclose(shares, outcomes.mean(), atol=1e-12)
    assert weights.sum() == pytest.approx(500)
    first = weights[(groups == 0) & (outcomes == 1)][0]
    together = ((groups == 0) & (outcomes == 1)).mean()
    assert first == pytest.approx((groups == 0).mean() * outcomes.mean() / together)


def test_a_table_without_columns_keeps_the_rest():
    case = people_of.case()
    left = recoding_of(case, drop=["sex", "height"]).reduced(case)
    assert left.schema.names == ("age", "income", "debt", "mixed") and left.schema.target.fairness_by == ("age",)
    np.testing.assert_array_equal(left.rows, case.rows[:, [1, 2, 3, 5]])
    with pytest.raises(RemedyError, match="'gender' is not"):
        recoding_of(case, drop=["gender"])
    with pytest.raises(RemedyError, match="at least one column"):
        recoding_of(case, drop=list(case.schema.names))


def test_remedies_lessen_a_planted_bias():
    case, by = people_of.case(), partition(people_of.case(), "sex")
    table = mitigations(case, people_of.model(), by, made_by=Provenance("gradient_boosting"), proxies=("height",))
    assert list(table["remedy"].unique()) == [
        "thresholds: equal odds",
        "thresholds: equal selection",
        "reweighed",
        "column dropped",
        "column and proxies dropped",
    ]
    ratio = table[table["measure"] == "selection_ratio"].set_index("remedy")
    assert (ratio["before"] == ratio["before"].iloc[0]).all() and ratio["before"].iloc[0] < 0.7
    assert ratio.loc[["reweighed", "column and proxies dropped"], "low"].gt(0).all()
    assert ratio.loc["thresholds: equal selection", "after"] > 0.8
    auc = table[table["measure"] == "auc"].set_index("remedy")["change"]
    assert auc["thresholds: equal odds"] == 0 and auc["column and proxies dropped"] < 0


def test_a_model_of_one_s_own_is_not_trained_again():
    case, by = people_of.case(), partition(people_of.case(), "sex")
    table = mitigations(case, people_of.model(), by)
    assert set(table["remedy"]) == {"thresholds: equal odds", "thresholds: equal selection"}


def test_a_remedy_that_cannot_be_had_says_why():
    case = people_of.case()
    by = partition(case, "age", cuts={"age": (18,)})
    table = mitigations(case, people_of.model(), by)
    assert table["objection"].str.startswith("thresholds for each group of age need two groups").all()
    assert table[["before", "after", "change"]].isna().all(axis=None)


def test_where_denial_is_the_adverse_act_the_share_cleared_counts():
    case = people_of.case()
    target = dataclasses.replace(case.schema.target, adverse_action=True)
    regulated = dataclasses.replace(case, schema=dataclasses.replace(case.schema, target=target))
    by = partition(case, "sex")
    flags = people_of.model().predict(case.test, "probability") >= 0.4
    shares = [1 - flags[by.codes(case.test) == group].mean() for group in (0, 1)]
    table = mitigations(regulated, people_of.model(), by)
    found = table[table["measure"] == "selection_ratio"]["before"].iloc[0]
    assert found == pytest.approx(min(shares) / max(shares), abs=1e-6)
