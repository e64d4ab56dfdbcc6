"""The comparison of the best net with the best other model: winners by validation rows, intervals of folds that overlap."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from additive_against_ebm import markdown as beside_ebm
from scipy.stats import ttest_1samp
from training_quality import corrected_interval, differences, markdown

LINES = [
    ("mlp", 0.50, 0.80),
    ("resnet", 0.40, 0.70),  # the better one where it counts, though not on the test rows
    ("random_forest", 0.45, 0.75),
    ("decision_tree", 0.60, 0.90),
]


def table(folds=2):
    """The lines of two folds of a case."""
    lines = [("loans", name, 0, fold, loss, auc + 0.01 * fold, 0.5) for fold in range(folds) for name, loss, auc in LINES]
    lines = pd.DataFrame(lines, columns=["case", "model", "repeat", "fold", "validation_loss", "auc", "log_loss"])
    again = lines[lines["model"] == "resnet"].assign(fit="again", auc=lambda some: some["auc"] + 0.02)
    return pd.concat([lines.assign(fit="first"), again], ignore_index=True)


def test_winners_are_chosen_on_validation_rows():
    found = differences(table())
    assert set(found["net"]) == {"resnet"} and set(found["other"]) == {"random_forest"}
    np.testing.assert_allclose(found[["first", "again"]], [[-0.05, -0.03]] * 2)
    text = markdown(table())
    assert "| loans | 2 | four fifths | -0.0500 |" in text and "no, by 0.0470 | resnet 2 | random_forest 2 |" in text
    assert "| loans | 2 | all | -0.0300 |" in text


def test_cases_of_a_value_stand_in_a_table_of_their_own():
    values = table().assign(case="pressure", model=lambda some: some["model"].replace("random_forest", "linear_regression"))
    both = pd.concat([table(), values.rename(columns={"auc": "r2"})], ignore_index=True)
    areas, squares = markdown(both).split("R², mean")
    assert "difference in AUC" in areas and "pressure" not in areas
    assert "difference in R²" in squares and "| pressure | 2 | all | -0.0300 |" in squares and "loans" not in squares


def test_the_interval_is_that_of_the_t_test_but_wider_by_the_shared_rows():
    values = np.random.default_rng(0).normal(size=50)
    mean, low, high = corrected_interval(values)
    plain = ttest_1samp(values, 0).confidence_interval(0.95)
    assert (high - low) / (plain.high - plain.low) == pytest.approx(((1 / 50 + 1 / 4) * 50) ** 0.5)
    assert mean == pytest.approx((low + high) / 2) == pytest.approx(values.mean())


def test_the_additive_net_stands_beside_the_ebm():
    scores = {"auc": 0.8, "brier": 0.1, "log_loss": 0.4, "seconds": 2.0, "pairs": 3}
    lines = [{"case": "loans", "model": model, "fold": fold} | scores for model in ("additive", "ebm") for fold in (1, 2)]
    text = beside_ebm(pd.DataFrame(lines))
    assert "| loans | 2 | 0.8000, 0.8000 | +0.0000 | +0.0000 to +0.0000 | 0.4000, 0.4000 | 2.0, 2.0 | 3.0, 3.0 |" in text
