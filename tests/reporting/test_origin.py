"""The line that made a page asks for the same again: of the command, and of Python."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer

import dlx
from dlx import cli, reporting, training
from dlx.dataset import from_frame, read_table
from dlx.model import wrap
from dlx.reporting.origin import origin_of

OWN = 'it\'s "own" $HOME.csv'
READ = {
    "target": "lost it", "positive": "-1", "delimiter": ";", "encoding": "utf-8", "missing": ["-", "n a"], "keep": ["-b"],
    "categorical": ["ä"], "drop": ["c"], "protected": ["ä"], "split": "time:day of issue", "name": "a name",
}  # fmt: skip
TYPED = {"target", "positive", "delimiter", "encoding", "split", "name"}


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng, rows = np.random.default_rng(0), 120
    table = pd.DataFrame(
        {"a": rng.normal(size=rows).round(3), "-b": rng.integers(0, 9, rows), "c": 1.5, "ä": rng.integers(0, 3, rows)}
    )
    table["day of issue"] = pd.date_range("2023-01-01", periods=rows).strftime("%Y-%m-%d")
    table["lost it"] = np.where(table["a"] + rng.normal(size=rows) > 0, 1, -1)
    table.to_csv(OWN, sep=";", index=False)
    return OWN


def parsed(line):
    """Return the command of a line, and the options that the command line's own parser finds in it."""
    program, command, *words = shlex.split(line)
    assert program == "dlx"
    return command, typer.main.get_command(cli.app).commands[command].make_context(command, words).params


def test_a_call_of_python_is_a_command_that_reads_the_same_table(own):
    case = read_table(own, **READ)
    models = [training.train(case, name, seed=3).model for name in ("decision_tree", "logistic_regression")]
    asked = {"seed": 3, "people": 7, "background": 9, "thorough": False, "device": "auto", "checkpoints": Path("my models")}
    line = origin_of("report", case, models, Path("out folder/report.html"), **asked, **{"no-audit": True})
    command, options = parsed(line)
    assert command == "report" and options["case"] == OWN
    assert {name: options[name] if name in TYPED else list(options[name]) for name in READ} == READ
    assert options["model"] == ["decision_tree", "logistic_regression"] and options["checkpoints"] == Path("my models")
    assert [options[name] for name in ("seed", "people", "background", "audit", "thorough")] == [3, 7, 9, False, False]
    assert options["output"] == Path("out folder")
    again = read_table(options["case"], **{name: options[name] for name in READ})
    assert again.sha256 == case.sha256 and again.split_words == case.split_words


def test_the_command_that_was_typed_is_the_one_that_stands_on_the_page(own, run, monkeypatch):
    made = {}
    monkeypatch.setattr(reporting, "report", lambda data, **asked: made.update(asked, data=data) or "page")
    typed = [f"--{name}={value}" for name, values in READ.items() for value in ([values] if name in TYPED else values)]
    ended = run("report", OWN, *typed, "--model", "mlp", "--seed", 4, "--no-audit", "--output", "a folder")
    assert ended.status == 0
    command, options = parsed(made["command"])
    assert command == "report" and options["seed"] == made["seed"] == 4 and options["audit"] is made["audit"] is False
    assert made["path"] == options["output"] / "report.html" and made["models"] == options["model"]
    assert read_table(options["case"], **{name: options[name] for name in READ}).sha256 == made["data"].sha256


def test_what_no_command_takes_is_told_as_a_call(own):
    case = dlx.load("bank_loan")
    tree, asked = dlx.load_model(case, "decision_tree"), {"seed": 0, "background": 5, "device": "auto"}
    line = origin_of("audit", case, [tree], Path("bank_loan/audit.html"), **asked)
    assert line == "dlx audit bank_loan --model decision_tree --seed 0 --background 5"
    mine = wrap(lambda t: t["age"] / 100, case, name="mine")
    called = "dlx.reporting.audit_report(dlx.load('bank_loan'), models=['decision_tree', dlx.wrap(..., name='mine')], seed=0"
    assert origin_of("audit", case, [tree, mine], Path("audit.html"), **asked) == f"{called}, background=5)"
    named = origin_of("audit", case, ["mine.py:model", tree, "mlp"], Path("bank_loan/audit.html"), **asked)
    assert parsed(named)[1]["model"] == ["mine.py:model", "decision_tree", "mlp"]
    assert origin_of("audit", case, [tree], Path("audit.html"), **asked | {"seed": 1}).startswith("dlx.reporting")
    frame = from_frame(case.table, case.schema, name="own")
    assert "a Dataset of a table in memory" in origin_of("audit", frame, [], Path("audit.html"), **asked)
