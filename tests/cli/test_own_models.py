"""Models of the user's own on the command line: named beside ours, opened before any work, trusted when asked."""

from __future__ import annotations

import html
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pages import light

import dlx
from dlx import reporting
from dlx.audit.training_rows import seen_by
from dlx.cli import options
from dlx.model.model_files import UntrustedError

TARGET = ("--target", "churned", "--positive", "yes")
MINE = """
import numpy as np


def rule(table):
    return 1 / (1 + np.exp(-table["usage"] - (table["plan"] == "plus")))


nothing = None
"""


@pytest.fixture
def own(tmp_path) -> Path:
    """A small table of one's own, and a file of models beside it."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"usage": rng.normal(size=150).round(3), "plan": rng.choice(["basic", "plus"], size=150)})
    table["churned"] = np.where(table["usage"] + rng.normal(size=150) > 0, "yes", "no")
    table.to_csv(tmp_path / "own.csv", index=False)
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "other.py").write_text(MINE)
    return tmp_path / "own.csv"


def test_a_report_tells_of_a_model_of_one_s_own_beside_ours(run, own, monkeypatch):
    light(monkeypatch)
    few = ("--people", "6", "--background", "5", "--no-audit")
    command = ("report", "own.csv", *TARGET, "--model", "mine.py:rule", "--model", "logistic_regression", *few)
    ended = run(*command)
    assert (ended.status, ended.out) == (0, ["own/report.html"])
    page = html.unescape(Path("own/report.html").read_text())
    assert f"<code>dlx {' '.join(command)}</code>" in page
    assert "Nobody said which rows rule was trained on: it may have seen these people" in page
    table = pd.read_csv("own/report-tables/performance.csv")
    assert set(table["model"]) == {"rule", "logistic_regression"}
    assert own.is_file()


def test_what_a_model_of_one_s_own_was_trained_on_is_said_by_a_word_or_a_file(own, monkeypatch):
    monkeypatch.chdir(own.parent)
    case = dlx.read_table("own.csv", target="churned", positive="yes")
    pd.read_csv("own.csv").iloc[case.test.index[:7]].to_csv("some.csv", index=False)
    said = {one: seen_by(options.opened("mine.py:rule", case, None, one), case) for one in (None, "train", "some.csv")}
    assert [(one.standing, one.rows) for one in said.values()][1:] == [("unseen", 90), ("seen", 7)]
    assert said[None].standing == "unknown" and said["some.csv"].test_rows == 7
    assert options.opened("mlp", case, None, "train") == "mlp"


def test_python_takes_the_same_names_and_the_page_says_how_it_is_made_again(own, monkeypatch):
    monkeypatch.chdir(own.parent)
    asked = []
    monkeypatch.setattr(reporting, "_written", lambda *given, **_: asked.append((given[1], given[-1])))
    dlx.report(dlx.read_table("own.csv", target="churned", positive="yes"), models=["mine.py:rule"])
    [(models, line)] = asked
    assert [model.name for model in models] == ["rule"]
    assert line.startswith("dlx report own.csv --target churned --positive yes --model mine.py:rule --seed 0 --people 200")


def test_a_model_of_one_s_own_is_explained_and_named_in_the_file(run, own):
    command = ("explain", own, *TARGET, "--model", "mine.py:rule", "--method", "exact_shapley", "--people", "4")
    ended = run(*command, "--background", "6", "--scale", "logit")
    assert ended.out[-1] == "own/rule-exact_shapley-logit-0.safetensors"
    made, case = dlx.Explanation.load(ended.out[-1]), dlx.read_table(own, target="churned", positive="yes")
    people, background = case.test[:4].frame, case.background(6).frame  # the rule is additive: its closed form
    assert np.allclose(made.values[:, 0], people["usage"] - background["usage"].mean())
    plus = (people["plan"] == "plus").to_numpy() - (background["plan"] == "plus").mean()
    assert np.allclose(made.values[:, 1], plus)


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("report", "own.csv", *TARGET, "--model", "nosuch.onnx"), "there is no file nosuch.onnx"),
        (("audit", "own.csv", *TARGET, "--model", "nosuch.onnx"), "there is no file nosuch.onnx"),
        (("audit", "own.csv", *TARGET, "--model", "mlp", "--model", "mine.py:nothing"), "mine.py:nothing: a model must be"),
        (
            ("report", "own.csv", *TARGET, "--model", "mine.py:rule", "--model", "other.py:rule"),
            "got rule, rule",
        ),
        (
            ("fix", "own.csv", *TARGET, "--model", "mine.py:rule", "--drop", "plan"),
            "needs one that dlx trained on 'own'; rule is not",
        ),
        (("train", "own.csv", *TARGET, "--model", "mine.py:rule"), "mine.py:rule is yours"),
        (("explain", "own.csv", *TARGET, "--model", "mine.py:rul", "--method", "lime"), "did you mean 'rule'"),
    ],
)
def test_a_mistake_with_a_model_of_one_s_own_is_one_line_before_any_work(refused, monkeypatch, command, said):
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    assert said in refused(*command)


@pytest.mark.parametrize("command", ["report", "audit", "explain"])
def test_the_help_says_that_code_is_run(run, command):
    assert "whose code is run" in " ".join(" ".join(run(command, "--help").out).replace("│", "").split())


@pytest.mark.parametrize(
    ("at_terminal", "answer", "is_opened"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_types_of_a_skops_file_are_asked_for_at_a_terminal_only(monkeypatch, at_terminal, answer, is_opened):
    asked = []

    def open_model(text, case, *, trusted, trained_on):
        if "evil.Type" not in trusted:
            raise UntrustedError(Path(text), ["evil.Type"])
        return trusted

    monkeypatch.setattr("dlx.model.open_model", open_model)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: at_terminal))
    monkeypatch.setattr("typer.confirm", lambda text, **_: asked.append(text) or answer)
    if at_terminal and answer:
        assert options.opened("some.skops", None, ["good.Type"]) == ["good.Type", "evil.Type"]
    else:
        with pytest.raises(UntrustedError, match=r"--trust evil.Type"):
            options.opened("some.skops", None, None)
    assert len(asked) == at_terminal and all("\n  evil.Type\n" in text for text in asked)
    assert options.opened("some.skops", None, ["evil.Type"]) == ["evil.Type"]


CLASSES = """
import wines

forest, logistic = wines.forest(), wines.logistic()
"""


@pytest.fixture
def wine(tmp_path, monkeypatch) -> Path:
    """Wines of three cultivars, and a file of models of them beside it."""
    import wines

    wines.table().to_csv(tmp_path / "wine.csv", index=False)
    (tmp_path / "mine.py").write_text(CLASSES)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "wine.csv"


FEW = ("--target", "cultivar", "--model", "mine.py:logistic", "--background", "4")


def test_one_of_several_classes_is_explained_and_must_be_named(run, refused, wine, monkeypatch):
    import wines

    monkeypatch.setattr("sys.dont_write_bytecode", True)
    asked = ("explain", "wine.csv", *FEW, "--method", "kernel_shap", "--people", "2")
    assert "'cultivar' has 3 classes; say which with --class, one of barbera, barolo, grignolino" in refused(*asked)
    assert "got 'barol'; did you mean 'barolo'" in refused(*asked, "--class", "barol")
    made = dlx.Explanation.load(run(*asked, "--class", "barolo").out[-1])
    other = dlx.Explanation.load(run(*asked, "--class", "barbera").out[-1])
    assert (made.target, other.target) == ("barolo", "barbera")
    truth = wines.logistic().predict_proba(wines.wines().test.table[:2])
    np.testing.assert_allclose(made.outputs, truth[:, 1])
    paths = sorted(map(str, Path("wine").glob("*.safetensors")))
    assert "must share the target but do not (barbera and barolo)" in refused("compare", *paths, "--output", "tables")


@pytest.mark.parametrize(
    ("named", "page", "target"), [(None, "report", "grignolino"), ("barbera", "report-barbera", "barbera")]
)
def test_a_page_tells_of_the_most_frequent_class_or_of_the_one_that_is_named(run, wine, monkeypatch, named, page, target):
    asked = []
    monkeypatch.setattr(reporting, "_written", lambda *given, **_: asked.append(given) or given[3])
    ended = run("report", "wine.csv", *FEW, *(() if named is None else ("--class", named)))
    [(case, models, _, path, _)] = asked
    assert (str(path), case.schema.target.levels[1], models[0].target) == (f"wine/{page}.html", target, target)
    said = "Told of grignolino, the most frequent of 3 classes; --class asks for another"
    assert (said in ended.err) == (named is None)
    assert dlx.report(dlx.read_table(wine, target="cultivar"), models=["mine.py:logistic"], target=named).stem == (
        "wine" if named is None else "wine-barbera"
    )
    assert asked[1][4].endswith(f"--class {target} --seed 0 --people 200 --background 100")


def test_python_says_what_a_model_was_trained_on_and_whom_to_trust_as_the_command_does(own, monkeypatch):
    monkeypatch.chdir(own.parent)
    case, asked = dlx.read_table("own.csv", target="churned", positive="yes"), []
    monkeypatch.setattr(reporting, "_written", lambda *given, **_: asked.append((given[1], given[-1])))
    for make in (dlx.report, reporting.audit_report):
        make(case, models=["mine.py:rule"], trained_on="train", trusted=["mine.Kind"])
    for models, line in asked:
        assert seen_by(models[0], case).standing == "unseen"
        assert "--trained-on train" in line and "--trust mine.Kind" in line
    pd.read_csv("own.csv").iloc[case.test.index[:7]].to_csv("some.csv", index=False)
    model = dlx.wrap(lambda table: table["usage"] * 0 + 0.5, case, trained_on="some.csv")
    assert seen_by(model, case).test_rows == 7
    with pytest.raises(
        dlx.errors.DlxError, match="trained_on is 'train', for which the model must be wrapped with the Dataset"
    ):
        dlx.wrap(lambda table: table["usage"] * 0 + 0.5, case.schema, trained_on="train")
