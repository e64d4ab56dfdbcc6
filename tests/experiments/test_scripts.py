"""The scripts of experiments: each says what it does, and the one that compares all models does."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
import values
import worlds
from cross_validate import cross_validate, markdown, summary

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
SCRIPTS = sorted(path for path in EXPERIMENTS.glob("*.py") if "\n    run(" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_says_what_it_does(monkeypatch, capsys, script):
    monkeypatch.setattr(sys, "argv", [str(script), "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script), run_name="__main__")
    assert ended.value.code == 0
    assert "usage:" in capsys.readouterr().out


def test_models_are_compared_on_the_same_folds():
    names, seen = ["decision_tree", "logistic_regression"], []
    folds = cross_validate(worlds.table("numeric"), names, 1, lambda done, total: seen.append((done, total)))
    assert folds.groupby("model").size().to_dict() == dict.fromkeys(names, 5)
    assert seen[-1] == (10, 10)
    table = summary(folds)
    assert set(table.index) == set(names) and (table["auc"] > 0.6).all()
    assert "| numeric | auc |" in markdown("numeric", table)


def test_models_of_a_value_are_compared_by_r2():
    folds = cross_validate(values.case(), ["decision_tree", "linear_regression"], 1, print)
    assert (folds["rmse"] > 40).all() and (folds["mae"] < folds["rmse"]).all()
    table = summary(folds)
    assert list(table.index) == ["linear_regression", "decision_tree"] and 0.4 < table["r2"].iloc[0] < 0.55
    assert "| diabetes | r2 | r2_sd |" in markdown("diabetes", table)
