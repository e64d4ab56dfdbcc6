"""Black boxes against interpretable models: differences of scikit-learn's scores, paired, significant where they are there."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from dlx.audit.metrics import METRICS
from dlx.audit.scores import advantages, performance
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import wrap
from dlx.schema import Feature, Schema, Target

SCHEMA = Schema(tuple(map(Feature, ("good", "alike", "poor"))), Target("bad", levels=("no", "yes"), threshold=0.2))
GOOD, ALIKE, POOR = (wrap(lambda table, name=name: table[name], SCHEMA, name=name) for name in ("good", "alike", "poor"))
SCORES = {
    "auc": metrics.roc_auc_score,
    "average_precision": metrics.average_precision_score,
    "brier": metrics.brier_score_loss,
    "log_loss": metrics.log_loss,
    "cost": lambda y, p: np.where(y == 1, 4.0 * (p < 0.2), p >= 0.2).mean(),
}


def people(count=400, seed=0):
    rng = np.random.default_rng(seed)
    odds = rng.normal(-1, 2, size=count)
    noise = rng.normal(size=(2, count))
    rows = np.column_stack([odds, odds + 0.05 * noise[0], 0.2 * odds + 1.5 * noise[1]])
    return Dataset(SCHEMA, 1 / (1 + np.exp(-rows)), (rng.random(count) < 1 / (1 + np.exp(-odds))).astype(float), name="loans")


def test_estimates_are_those_of_scikit_learn_and_advantages_point_to_the_better_one():
    those = people()
    table = advantages([GOOD], [POOR], those).set_index("metric")
    assert list(table.index) == list(SCORES) == [*METRICS, "cost"]
    for name, score in SCORES.items():
        mine, theirs = score(those.outcomes, those.rows[:, 0]), score(those.outcomes, those.rows[:, 2])
        assert table.loc[name, ["estimate", "of_interpretable"]].tolist() == pytest.approx([mine, theirs], abs=1e-12)
        assert table.loc[name, "advantage"] == pytest.approx(abs(mine - theirs), abs=1e-12)
    assert table["significant"].all() and (table["low"] > 0).all()
    turned = advantages([POOR], [GOOD], those).set_index("metric")
    np.testing.assert_allclose(turned["advantage"], -table["advantage"])
    np.testing.assert_allclose(turned[["low", "high"]], -table[["high", "low"]], atol=2e-3)


def test_a_model_is_not_better_than_itself_or_than_its_like():
    table = advantages([GOOD], [GOOD, ALIKE], people())
    itself, alike = table[table["interpretable"] == "good"], table[table["interpretable"] == "alike"]
    assert (itself[["advantage", "low", "high"]] == 0).all(axis=None) and not itself["significant"].any()
    assert not alike.set_index("metric").loc[["auc", "brier", "log_loss"], "significant"].any()


def test_pairing_makes_the_interval_of_a_difference_narrower_than_that_of_either_model():
    those = people()
    paired = advantages([GOOD], [ALIKE], those).set_index("metric")
    alone = performance(GOOD, those).set_index("metric")
    for name in ("auc", "brier", "log_loss"):
        assert paired.loc[name, "high"] - paired.loc[name, "low"] < 0.3 * (alone.loc[name, "high"] - alone.loc[name, "low"])


def test_the_paired_interval_of_the_brier_score_is_that_of_the_normal_theory():
    those = people(2000)
    line = advantages([GOOD], [POOR], those).set_index("metric").loc["brier"]
    each = (those.rows[:, 2] - those.outcomes) ** 2 - (those.rows[:, 0] - those.outcomes) ** 2
    assert line["high"] - line["low"] == pytest.approx(2 * 1.96 * each.std() / 2000**0.5, rel=0.12)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(DlxError, match="a comparison needs a model and an interpretable one"):
        advantages([GOOD], [], people())
    one = Dataset(SCHEMA, np.full((3, 3), 0.5), np.ones(3), name="loans")
    with pytest.raises(DlxError, match="loans: the comparison of good needs outcomes of both classes, got 3 positive of 3"):
        advantages([GOOD], [POOR], one)
