"""The command line: it teaches, does its work, and meets a mistake with one line."""

from __future__ import annotations

import dataclasses
import html
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pages import light

import dlx
import dlx.bulk
from dlx import cases, checkpoint, cli
from dlx.cli.printing import ALIVE

TREES = ("explain", "bank_loan", "--model", "gradient_boosting", "--method", "tree_shap", "--background", "8")
FEW = ("--people", "4")


@pytest.fixture(scope="session")
def explained(tmp_path_factory) -> dict[str, Path]:
    """Explanations of the same people on files: two that are aligned, and others that are not."""
    folder = tmp_path_factory.mktemp("explanations")
    case = dlx.load("bank_loan")
    trees = dlx.load_model("bank_loan", "gradient_boosting")
    other = dlx.load_model("bank_loan", "logistic_regression")
    asked = {"rows": case.test[:4], "background": case.background(8), "scale": "logit"}
    made = {
        "trees": dlx.explain(trees, method="tree_shap", **asked),
        "linear": dlx.explain(other, method="linear_shap", **asked),
        "background": dlx.explain(other, method="linear_shap", **asked | {"background": case.background(9)}),
        "people": dlx.explain(other, method="linear_shap", **asked | {"rows": case.test[4:8]}),
    }
    return {name: explanation.save(folder / f"{name}.safetensors") for name, explanation in made.items()}


@pytest.fixture
def people() -> pd.DataFrame:
    """Three applicants as a table, without the outcome."""
    return dlx.load("bank_loan").test[:3].frame


@pytest.fixture
def own(tmp_path) -> Path:
    """A small table of one's own, as CSV."""
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"usage": rng.normal(size=150).round(3), "plan": rng.choice(["basic", "plus"], size=150)})
    table["churned"] = np.where(table["usage"] + rng.normal(size=150) > 0, "yes", "no")
    path = tmp_path / "own.csv"
    table.to_csv(path, index=False)
    return path


def words(lines: list[str]) -> str:
    """Return lines as one, however they were broken."""
    return " ".join(" ".join(lines).split())


# Help ----------------------------------------------------------------------------------------------------------------


def test_help_names_the_commands_and_where_to_start(run):
    ended = run("--help")
    assert ended.status == 0
    for part in ("dlx report bank_loan", "list", "train", "explain", "compare", "report", "--debug"):
        assert part in words(ended.out)


@pytest.mark.parametrize("command", ["list", "check", "schema", "train", "explain", "compare", "report", "audit", "fix"])
def test_the_help_of_each_command_teaches_by_an_example(run, command):
    ended = run(command, "--help")
    assert ended.status == 0
    assert f"Example: dlx {command} " in words(ended.out)
    assert "Usage: dlx" in words(ended.out)


@pytest.mark.parametrize("command", ["list", "check", "schema", "train", "explain", "compare", "report", "audit", "fix"])
def test_debug_is_among_the_options_of_each_command(run, command):
    assert "--debug" in words(run(command, "--help").out)


def test_the_shell_completes_commands(tmp_path):
    asked = os.environ | {"_DLX_COMPLETE": "complete_bash", "COMP_WORDS": "dlx rep", "COMP_CWORD": "1"}
    done = subprocess.run([sys.executable, "-m", "dlx"], env=asked, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["report"]


def test_a_command_that_takes_longer_shows_life_at_once():
    command = [sys.executable, "-m", "dlx", "list", "models"]  # imports torch
    assert subprocess.run(command, capture_output=True, text=True, check=True).stderr == f"{ALIVE}\n"


def test_dlx_alone_shows_the_help(run):
    ended = run()
    assert ended.status == 2
    assert "dlx report bank_loan" in words(ended.out)


# Work ----------------------------------------------------------------------------------------------------------------


def test_list_shows_every_case_model_and_method(run):
    ended = run("list")
    assert ended.status == 0
    for name in (*dlx.cases(), *dlx.architectures(), *dlx.explainers.names(), "1,000", "5,255", "captum", "n_steps=50"):
        assert name in words(ended.out)


@pytest.mark.parametrize(("what", "name", "absent"), [("cases", "bank_loan", "mlp"), ("models", "mlp", "lime")])
def test_list_shows_one_kind(run, what, name, absent):
    out = words(run("list", what).out)
    assert name in out
    assert absent not in out


def test_explain_writes_an_explanation_and_its_table_and_ends_with_the_path(run, tmp_path):
    ended = run(*TREES, *FEW)
    assert ended.status == 0
    path = tmp_path / ended.out[-1]
    assert path == tmp_path / "bank_loan" / "gradient_boosting-tree_shap-logit-0.safetensors"
    explanation = dlx.Explanation.load(path)
    assert explanation.values.shape == (4, 20)
    assert np.abs(explanation.residuals).max() < 1e-6
    assert len(pd.read_csv(path.with_suffix(".csv"))) == 4 * 20
    assert "Checking account" in words(ended.out)
    assert sorted(entry.name for entry in path.parent.iterdir()) == [path.with_suffix(".csv").name, path.name]


def test_explain_takes_people_from_a_file_and_a_scale_an_option_and_a_folder(run, tmp_path, people):
    people.to_csv("people.csv", index=False)
    command = ("explain", "bank_loan", "--model", "mlp", "--method", "integrated_gradients", "--scale", "logit")
    ended = run(*command, "--people", "people.csv", "--option", "n_steps=70", "--output", "deep/er", "--background", 5)
    assert ended.status == 0
    explanation = dlx.Explanation.load(ended.out[-1])
    assert Path(ended.out[-1]).parent == Path("deep/er")
    assert len(explanation) == 3
    assert explanation.options["n_steps"] == 70


def test_explain_takes_a_folder_of_parquet_files_and_ends_with_that_of_its_results(run, tmp_path, people):
    (tmp_path / "people").mkdir()
    for name in ("a", "b"):
        people.to_parquet(tmp_path / "people" / f"{name}.parquet")
    ended = run(*TREES, "--people", tmp_path / "people", "--output", tmp_path / "why")
    assert ended.status == 0
    folder = Path(ended.out[-1])
    assert folder == tmp_path / "why" / "gradient_boosting-tree_shap-logit-0" and "6 rows explained" in words(ended.err)
    assert len(dlx.bulk.read(folder).to_table()) == 6 and "status" in words(ended.out)


def test_compare_writes_tables_and_ends_with_their_folder(run, explained):
    ended = run("compare", explained["trees"], explained["linear"], "--top", 3, "--output", "tables")
    assert ended.status == 0
    assert ended.out[-1] == "tables"
    assert sorted(path.stem for path in Path("tables").iterdir()) == ["agreement", "agreement_by_person", "importance"]
    agreement = pd.read_csv("tables/agreement.csv")
    assert set(agreement["k"]) == {3}
    for metric in agreement["metric"]:
        assert metric in words(ended.out)


def test_train_explain_and_report_a_table_of_one_s_own(run, own, monkeypatch):
    light(monkeypatch)
    target = ("--target", "churned", "--positive", "yes")
    ended = run("train", own, *target, "--model", "decision_tree", "--model", "logistic_regression")
    assert ended.status == 0
    assert Path(ended.out[-1]) == Path("checkpoints/own/logistic_regression-0")
    assert checkpoint.describe(ended.out[-1])["architecture"] == "logistic_regression"
    ended = run("explain", own, *target, "--model", "logistic_regression", "--method", "linear_shap", *FEW)
    assert Path(ended.out[-1]).is_file()
    command = ("report", own, *target, "--model", "logistic_regression", "--people", 6, "--background", 5, "--no-audit")
    ended = run(*command)
    assert ended.status == 0
    assert ended.out == ["own/report.html"]
    assert "Explaining logistic_regression by Linear SHAP" in words(ended.err)
    page = html.unescape(Path("own/report.html").read_text())
    assert f"<code>dlx {' '.join(map(str, command))}</code>" in page
    assert "Training" not in words(ended.err)


# Mistakes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "named", "remedy"),
    [
        (("report", "nosuch"), "'nosuch'", "bank_loan"),
        (("report", "nosuch.csv"), "nosuch.csv", "no file"),
        (("report", "bank_loan", "--model", "nosuch"), "'nosuch'", "gradient_boosting"),
        (("train", "bank_loan", "--model", "nosuch"), "'nosuch'", "gradient_boosting"),
        (("explain", "bank_loan", "--model", "nosuch", "--method", "lime"), "'nosuch'", "gradient_boosting"),
        (("explain", "bank_loan", "--model", "mlp", "--method", "nosuch"), "'nosuch'", "integrated_gradients"),
        (("explain", "bank_loan", "--model", "mlp", "--method", "tree_shap"), "mlp", "deeplift"),
        ((*TREES, "--seed", "77"), "gradient_boosting-77", "dlx train bank_loan --model gradient_boosting --seed 77"),
        ((*TREES, "--scale", "value"), "'value'", "'logit'"),
        ((*TREES, "--option", "n_setps=3"), "'n_setps'", "its options"),
        ((*TREES, "--option", "many"), "'many'", "name=number"),
        ((*TREES, "--people", "0"), "'0'", "a number from 1 on"),
        ((*TREES, "--people", "²"), "'²'", "a number from 1 on"),
        ((*TREES, "--people", "nosuch.csv"), "nosuch.csv", "no file"),
        ((*TREES, "--target", "age"), "bank_loan", "a table of your own"),
        (("report", "bank_loan", "--range", ":3"), "a range is of a value", "leave --range out"),
        (("list", "nosuch"), "'nosuch'", "cases, models or methods"),
        (("compare", "nosuch.safetensors", "nosuch.safetensors"), "nosuch.safetensors", ""),
    ],
)
def test_a_mistake_is_one_line_that_names_it_and_the_remedy(refused, command, named, remedy):
    line = refused(*command)
    assert named in line
    assert remedy in line


@pytest.mark.parametrize(
    ("command", "named", "remedy"),
    [
        ((*TREES, "--background", "0"), "--background", "dlx explain --help"),
        (("report", "bank_loan", "--people", "0"), "--people", "dlx report --help"),
        (("report",), "case", "dlx report --help"),
        (("explain", "bank_loan"), "--model", "dlx explain --help"),
        (("report", "bank_loan", "--modle", "mlp"), "--modle", "--model"),
        (("repot", "bank_loan"), "'repot'", "report"),
    ],
)
def test_a_mistyped_command_is_one_line_that_says_where_to_read(refused, command, named, remedy):
    line = refused(*command)
    assert named in line
    assert remedy in line


def test_a_number_out_of_range_never_ends_in_a_traceback(refused):
    for method, option in (("lime", "n_samples=0"), ("lime", "n_samples=1.5"), ("integrated_gradients", "n_steps=0")):
        command = ("explain", "bank_loan", "--model", "mlp", "--method", method, "--option", option, "--background", 5)
        assert option.partition("=")[0] in refused(*command, *FEW)


@pytest.mark.parametrize(
    ("spoil", "named", "remedy"),
    [
        (lambda t: t.drop(columns=["duration", "amount"]), "duration, amount", "it has"),
        (lambda t: t.assign(savings="a sock"), "'a sock'", "known levels"),
        (lambda t: t.assign(duration=[12, None, 12]), "'duration'", "fill it in"),
        (lambda t: t.assign(duration="long"), "'duration'", "a finite number"),
        (lambda t: t[:0], "people.csv", "no rows"),
    ],
)
def test_people_who_do_not_fit_the_schema_are_refused(refused, people, spoil, named, remedy):
    spoil(people).to_csv("people.csv", index=False)
    line = refused(*TREES, "--people", "people.csv")
    assert named in line
    assert remedy in line


def test_a_table_with_a_line_too_long_is_refused(refused, own):
    own.write_text(own.read_text() + "1,basic,yes,5\n")
    assert "own.csv: line 152 has 4 fields" in refused("report", own, "--target", "churned")


def test_a_table_of_one_s_own_needs_a_target_that_it_has(refused, own):
    assert "pass target=..., one of usage, plan, churned" in refused("report", own)
    assert "no column 'chruned'" in refused("report", own, "--target", "chruned")
    assert "no level 'maybe'" in refused("report", own, "--target", "churned", "--positive", "maybe")


def test_a_method_of_several_classes_is_told_which(refused, own):
    lines = own.read_text().splitlines()
    own.write_text("\n".join([f"{lines[0]},grade", *(f"{line},{i % 5}" for i, line in enumerate(lines[1:]))]) + "\n")
    assert "say which with --class" in refused("explain", own, "--target", "grade", "--model", "mlp", "--method", "lime")
    assert "its class must be one of '0'" in refused("fix", own, "--target", "grade", "--model", "mlp", "--class", "9")


def test_classes_and_values_are_trained_and_explained(run, own):
    lines = own.read_text().splitlines()
    more = (f"{line},{i % 3},{1 + i % 2}" for i, line in enumerate(lines[1:]))
    own.write_text("\n".join([f"{lines[0]},grade,times", *more]) + "\n")
    for outcome, model, metric, asked in (
        ("grade", "decision_tree", "macro_auc", ["--class", "2", "--method", "tree_shap"]),
        ("usage", "linear_regression", "rmse", ["--method", "linear_shap"]),
    ):
        named = [own, "--target", outcome, "--model", model]
        trained = run("train", *named)
        assert trained.status == 0 and any(metric in line for line in trained.out)
        explained = run("explain", *named, *asked, "--people", "5", "--background", "10")
        assert explained.status == 0 and "own" in explained.out[-1]
        assert run("train", *named, "--weights", "times", "--name", "weighed").status == 0
    of_class = run("fix", own, "--target", "grade", "--model", "decision_tree", "--class", "2", "--drop", "plan")
    assert of_class.status == 0 and "-2.csv" in words(of_class.out) and "it speaks for one class of 3" in of_class.out[-1]
    asked = ["--target", "usage", "--model", "linear_regression", "--weights", "times", "--name", "weighed"]
    fixed = run("fix", own, *asked, "--drop", "plan", "--recalibrate")
    assert fixed.status == 0 and {"Left out: plan", "Recalibrated on the validation rows"} <= {*fixed.out}
    assert any("rmse" in line for line in fixed.out) and "fixed-" in fixed.out[-1]
    assert "values of 'usage' cannot weigh the same" in run("fix", own, *asked, "--reweigh", "outcome").err[-1]


@pytest.mark.parametrize("file", ["weights.safetensors", "model.json", "manifest.json"])
@pytest.mark.parametrize("command", [(*TREES, *FEW), ("report", "bank_loan", "--model", "gradient_boosting", "--no-audit")])
def test_a_checkpoint_with_a_flipped_byte_is_refused_and_not_replaced(refused, tmp_path, file, command):
    shipped = checkpoint.shipped_root() / "bank_loan" / "gradient_boosting-0"
    copy = shutil.copytree(shipped, tmp_path / "checkpoints" / "bank_loan" / shipped.name)
    content = bytearray((copy / file).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / file).write_bytes(content)
    line = refused(*command)
    assert str(Path("checkpoints/bank_loan/gradient_boosting-0")) in line
    assert "altered" in line
    assert "make it with: dlx train bank_loan --model gradient_boosting" in line
    assert (copy / file).read_bytes() == content


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["trees"], "at least 2 explanations, got 1"),
        (["trees", "trees"], "given twice"),
        (["trees", "background"], "must share the background"),
        (["trees", "people"], "must share the rows"),
    ],
)
def test_explanations_that_are_not_aligned_are_refused(refused, explained, names, said):
    assert said in refused("compare", *(explained[name] for name in names), "--output", "tables")


@pytest.mark.parametrize("spoil", [lambda b: b[:100], lambda b: b[:-9] + bytes(9), lambda _: b"", lambda _: b"a,b\n1,2\n"])
def test_a_damaged_explanation_is_refused(refused, explained, tmp_path, spoil):
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(spoil(explained["linear"].read_bytes()))
    assert "damaged.safetensors" in refused("compare", explained["trees"], damaged)


@pytest.mark.parametrize("output", ["file", "file/below"])
def test_an_output_that_cannot_be_written_is_refused_before_the_work(refused, explained, tmp_path, output):
    (tmp_path / "file").write_text("mine")
    for command in (
        (*TREES, *FEW),
        ("compare", explained["trees"], explained["linear"]),
        ("report", "bank_loan", "--model", "gradient_boosting", "--no-audit"),
    ):
        line = refused(*command, "--output", output)
        assert f"cannot write to {output}" in line
        assert "--output" in line
    assert (tmp_path / "file").read_text() == "mine"


ASKED = {
    "train": ("train", "bank_loan", "--model", "decision_tree"),
    "explain": (*TREES, *FEW),
    "report": ("report", "bank_loan", "--model", "decision_tree", "--no-audit"),
    "audit": ("audit", "bank_loan", "--model", "decision_tree"),
    "fix": ("fix", "bank_loan", "--model", "decision_tree", "--drop", "age"),
}


@pytest.mark.parametrize("command", ASKED)
@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_of_models_that_cannot_be_one_is_refused_before_data_are_read(refused, tmp_path, monkeypatch, command, place):
    def never(_):
        raise AssertionError("read")

    (tmp_path / "file").write_text("mine")
    monkeypatch.setattr(cases, "load", never)
    line = refused(*ASKED[command], "--checkpoints", place)
    assert f"cannot write to {place}" in line and "--checkpoints" in line


def test_a_folder_of_models_that_is_given_is_the_only_one_that_is_looked_into(run, refused, tmp_path):
    line = refused(*TREES, *FEW, "--checkpoints", "nosuch")
    assert "there is no checkpoint nosuch/bank_loan/gradient_boosting-0" in line
    assert line.endswith("make it with: dlx train bank_loan --model gradient_boosting --checkpoints nosuch")
    ended = run("train", "bank_loan", "--model", "decision_tree", "--checkpoints", "mine")
    assert ended.out[-1] == "mine/bank_loan/decision_tree-0"
    tree = ("explain", "bank_loan", "--model", "decision_tree", "--method", "tree_shap", "--background", "8")
    assert run(*tree, *FEW, "--checkpoints", "mine").status == 0
    assert not (tmp_path / "checkpoints").exists()


def test_a_model_under_another_name_is_not_explained(run, refused, tmp_path):
    tree = checkpoint.shipped_root() / "bank_loan" / "decision_tree-0"
    shutil.copytree(tree, tmp_path / "checkpoints" / "bank_loan" / "gradient_boosting-0")
    line = refused(*TREES, *FEW)
    assert "holds the decision_tree of bank_loan, seed 0" in line and "not bank_loan/gradient_boosting-0" in line
    ended = run("train", "bank_loan", "--model", "gradient_boosting")
    assert ended.status == 0 and "training anew" in words(ended.err)
    assert run(*TREES, *FEW).status == 0


def test_what_train_finds_is_said(run, own):
    command = ("train", own, "--target", "churned", "--model", "decision_tree")
    assert run(*command).status == 0
    assert "is there already" in words(run(*command).err)
    lines = own.read_text().splitlines(keepends=True)
    own.write_text("".join(lines[:140]))
    assert "was trained on other data than own has now; training anew" in words(run(*command).err)


def test_a_model_of_another_split_explains_nobody_until_it_is_trained_anew(run, own):
    target, model = ("--target", "churned"), ("--model", "decision_tree")
    assert run("train", own, *target, *model).status == 0
    by_time = ("explain", own, *target, "--split", "time:usage", *model, "--method", "tree_shap", *FEW)
    line = words(run(*by_time).err)
    assert (
        "decision_tree-0 may have seen the test rows: it was trained on rows split at random, by outcome, not by usage" in line
    )
    ended = run(*shlex.split(line.partition("make it with: dlx ")[2]))
    assert ended.status == 0 and "rows split at random, by outcome, not by usage" in words(ended.err)
    assert run(*by_time).status == 0


def test_debug_shows_the_traceback_wherever_it_stands(run, monkeypatch):
    for command in (["--debug", "report", "nosuch"], ["report", "nosuch", "--debug"]):
        monkeypatch.setattr(sys, "argv", ["dlx", *command])
        with pytest.raises(dlx.schema.SchemaError, match="no case 'nosuch'"):
            cli.main()


def test_an_interrupt_says_what_to_do_and_ends_with_130(run, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cases, "load", interrupted)
    ended = run("report", "bank_loan")
    assert ended.status == 130
    assert ended.err == ["dlx: interrupted; what was finished is kept, and the same command goes on from there"]


def test_in_a_terminal_a_mistake_looks_the_same(tmp_path):
    def typed(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-c", "from dlx.cli import main; main()", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    ended = typed("report", "nosuch")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.replace(f"{ALIVE}\n", "").count("\n") == 1
    assert "Traceback" in typed("--debug", "report", "nosuch").stderr
    assert not list(tmp_path.iterdir())


# Tables of one's own -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (
            ("explain", "bank_loan", "-m", "mlp", "-m", "resnet", "--method", "lime"),
            "--model is taken once, but given 2 times",
        ),
        (("explain", "bank_loan", "-m", "mlp", "--method", "lime", "--method", "lime"), "--method is taken once"),
        (("report", "bank_loan", "--audit", "--no-audit"), "audit is taken once"),
        (("train", "bank_loan", "-m", "mlp", "-m", "mlp"), "--model mlp is given 2 times"),
        (("report", "bank_loan", "-m", "mlp", "-m", "mlp"), "--model mlp is given 2 times"),
        ((*TREES, "--option", "a=1", "--option", "a=2"), "--option a is given more than once"),
        (("fix", "bank_loan", "-m", "mlp", "--monotone", "age:up", "--monotone", "age:down"), "--monotone age is given more"),
        (("fix", "bank_loan", "-m", "mlp", "--drop", "age", "--drop", "age"), "--drop age is given 2 times"),
        (("fix", "bank_loan", "-m", "mlp", "--drop", "agee"), "did you mean 'age'"),
        (("report", "bank_lone"), "did you mean 'bank_loan'"),
        (("report", "bank_loan", "-m", "mpl"), "did you mean 'mlp'"),
        (("explain", "bank_loan", "-m", "mlp", "--method", "deeplfit"), "did you mean 'deeplift'"),
        ((*TREES, "--option", "n_setps=3"), "its options"),
        (("list", "case"), "did you mean 'cases'"),
        (("train", "bank_loan", "-m", "mlp", "--missing", "NA"), "--missing: options like --target"),
        (("train", "bank_loan", "-m", "mlp", "--delimiter", ";"), "a table of your own"),
    ],
)
def test_what_would_be_dropped_is_refused(refused, command, named):
    assert named in refused(*command)


def test_a_schema_is_written_edited_and_overridden(run, refused, own, tmp_path):
    table = pd.read_csv(own).assign(burden=[(-9, 3, 40)[i % 3] for i in range(150)], sex=[i % 2 for i in range(150)])
    table.to_csv("loans.csv", index=False)
    asked = ("--target", "churned", "--special", "burden=-9:no record", "--protected", "sex", "--drop", "plan")
    assert run("schema", "loans.csv", *asked, "-o", "s.toml").status == 0
    text = Path("s.toml").read_text()
    assert (
        'special = { "-9" = "no record" }\n' in text and "protected = true\n" in text and 'kind = "numeric"  # guessed' in text
    )
    assert "s.toml is there already" in refused("schema", "loans.csv", *asked, "-o", "s.toml")
    described = dlx.read_table("loans.csv", schema="s.toml").schema
    assert (
        described
        == dlx.read_table(
            "loans.csv", target="churned", special={"burden": {"-9": "no record"}}, protected=["sex"], drop=["plan"]
        ).schema
    )
    Path("s.toml").write_text(text.replace('name = "churned"', 'name = "churned"\nevent = "a lost customer"'))
    command = ("train", "loans.csv", "--schema", "s.toml", "--model", "logistic_regression")
    ended = run(*command, "--positive", "no", "--keep", "plan")
    assert ended.status == 0 and "positive is 'no', as asked for, in place of the schema's 'yes'" in words(ended.err)
    assert "plan: categorical; a feature, as asked for beside the schema" in words(ended.err)
    printed = words(run("schema", "loans.csv", "--schema", "s.toml").out)
    assert 'event = "a lost customer"' in printed and "# guessed" not in printed
    assert "'usage' weighs rows, and must hold positive numbers" in run(*command, "--weights", "usage").err[-1]
    assert "--special takes COLUMN=CODE:meaning" in refused("schema", "loans.csv", *asked[:2], "--special", "burden=x:none")


def test_the_help_of_dlx_schema_lists_every_key_that_a_file_may_have(run):
    from dlx.dataset.writing import TITLES, keys

    told = run("schema", "--help")
    listed = [name for key in keys() for name in key.names.split(", ")]
    for kind in TITLES.values():
        assert {field.name for field in dataclasses.fields(kind)} <= set(listed)
    assert {"split", "weights", "costs"} <= set(listed) and all(key.says for key in keys())
    assert told.status == 0 and set(listed) <= set(re.findall(r"\w+", " ".join(told.out)))


def test_how_a_table_was_read_is_printed_and_can_be_said(run, refused, own):
    table = pd.read_csv(own, dtype=str).assign(ticket=[f"T{i}" for i in range(150)])
    table.loc[7, "usage"] = "NA"
    table.to_csv("a.csv", sep=";", index=False)
    ended = run("train", "a.csv", "--target", "churned", "--model", "decision_tree")
    assert ended.status == 0
    assert ended.err[:3] == [
        "usage: numeric; missing: 'NA' in 1 row, first in row 7",
        "ticket: set aside, an id",
        "a.csv: 150 rows, 1 numeric, 1 categorical, 1 set aside, separated by semicolons",
    ]
    table.loc[7, "usage"] = "oops"
    table.to_csv("b.csv", sep="^", index=False, encoding="utf-16")
    command = ("train", "b.csv", "--target", "churned", "--model", "decision_tree")
    assert "the table has no column 'churned'" in refused(*command)
    assert "'oops' in 1 row, first in row 7" in refused(*command, "--delimiter", "^")
    assert run(*command, "--delimiter", "^", "--missing", "oops", "--name", "other", "--encoding", "utf-16").status == 0
    assert Path("checkpoints/other/decision_tree-0").is_dir()
    ended = run(
        "train",
        "b.csv",
        "--target",
        "churned",
        "--model",
        "decision_tree",
        "--delimiter",
        "^",
        "--categorical",
        "usage",
        "--keep",
        "ticket",
    )
    assert checkpoint.describe(ended.out[-1])["schema"]["features"][2]["name"] == "ticket"


def test_two_files_of_one_name_have_no_folder_in_common(run, own, tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "own.csv").write_text(own.read_text().replace("basic", "gold"))
    command = ("--target", "churned", "--model", "decision_tree")
    assert run("train", own, *command).status == 0
    assert run("train", "b/own.csv", *command, "--checkpoints", "others").status == 0
    explained = (*command, "--method", "tree_shap", *FEW)
    assert run("explain", own, *explained).status == 0
    ended = run("explain", "b/own.csv", *explained, "--checkpoints", "others")
    assert ended.status == 2 and "own holds what was made of own.csv, not of b/own.csv; pass --output" in ended.err[-1]
    assert run("explain", "b/own.csv", *explained, "--checkpoints", "others", "--output", "b").status == 0
