"""Cells that alone move a model, and what a person accepted: by closed forms, and as the command tells."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dlx
from dlx.dataset import from_frame
from dlx.errors import DlxError
from dlx.schema import infer_schema

N = 400
RNG = np.random.default_rng(3)
TABLE = pd.DataFrame(
    {"income": RNG.normal(50, 10, N).round(1), "age": RNG.normal(40, 9, N).round(), "plan": ["a", "b"] * (N // 2)}
)
TABLE.loc[[17, 40], "income"] = 9_999.0, 9_000.0
TABLE["y"] = np.where(RNG.random(N) < 0.5, "yes", "no")
CASE = from_frame(TABLE, infer_schema(TABLE, "y", positive="yes"))


def linear(table):
    return 0.1 * (table["income"] - 50) - 0.05 * (table["age"] - 40)


def moving(case, *models):
    return [one for one in dlx.check(case, models=models) if one.kind == "moving cell"]


@pytest.mark.parametrize("scale", ["logit", "probability"])
def test_a_cell_that_moves_a_model_is_found_with_what_it_predicts_of_it_and_of_the_end(scale):
    def asked(table):
        return linear(table) if scale == "logit" else 1 / (1 + np.exp(-linear(table).clip(-700, 700)))

    model = dlx.wrap(asked, CASE, name="mine", scale=scale)
    (one,) = moving(CASE, model)
    rest = TABLE.drop(index=[17, 40])
    spread = np.ptp(np.quantile(linear(TABLE), (0.01, 0.99)))
    end = rest["income"].max()
    cut = np.log(1 - 1e-6) - np.log(1e-6)  # of the log-odds of a probability
    before = min(linear(TABLE)[17], cut) if scale == "probability" else linear(TABLE)[17]
    after = linear(TABLE.assign(income=end))[17]
    assert (one.columns, one.count, one.row, one.value, one.must_decide) == (("income",), 2, 17, "9999", scale == "logit")
    assert one.measure == pytest.approx((before - after) / spread, rel=1e-6)
    assert f"of 9,999 it says {before:.3g} logit, of {end:g}, where nearly all others end, {after:.3g} logit" in one.said
    assert 'special = {"9999" = "code 9999"}' in one.remedy
    said = dataclasses.replace(CASE.schema["income"], special={"9999": "no answer", "9000": "refused"})
    features = (said, *CASE.schema.features[1:])
    assert not moving(from_frame(TABLE, dataclasses.replace(CASE.schema, features=features)), model)


def test_trees_and_models_that_do_not_read_the_column_are_not_moved():
    stump = dlx.wrap(lambda table: np.where(table["income"] > 50, 0.8, 0.3), CASE, name="stump")
    blind = dlx.wrap(lambda table: 0.05 * table["age"], CASE, name="blind", scale="logit")
    assert not moving(CASE, stump, blind)
    (one,) = moving(CASE, stump, dlx.wrap(linear, CASE, name="mine", scale="logit"))
    assert "alone moves mine" in one.said and "stump" not in one.said


def test_what_a_model_reads_beside_the_features_goes_along():
    table = TABLE.assign(code=[f"c{i}" for i in range(N)])
    case = from_frame(table, infer_schema(table, "y", positive="yes"))
    model = dlx.wrap(lambda t: linear(t) + 0 * t["code"].str.len(), case, name="mine", scale="logit")
    assert [one.row for one in moving(case, model)] == [17]
    with pytest.raises(DlxError, match="model must be a Model of dlx, got function"):
        dlx.check(case, models=[linear])


@pytest.mark.parametrize("tail", [0.5, 1.0])
def test_a_tail_that_is_no_slip_is_nothing_to_decide(tail):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        table = pd.DataFrame({"x": rng.lognormal(3, tail, N).round(1), "z": rng.normal(size=N), "y": ["yes", "no"] * (N // 2)})
        case = from_frame(table, infer_schema(table, "y"))
        scale = table["x"].std()
        model = dlx.wrap(lambda t, scale=scale: t["x"] / scale + t["z"], case, scale="logit")
        assert not [one for one in moving(case, model) if one.must_decide]


# What was accepted ---------------------------------------------------------------------------------------------------


def test_what_a_person_accepted_is_nothing_to_decide_and_is_told_with_the_reason(tmp_path):
    found = dlx.check(CASE)
    (one,) = found.to_decide
    assert one.to_accept == '"far cell: income" = "the reason"' and one.to_accept in str(one)
    said = {one.key: "a founder", "far cell: incom": "a slip", "moving cell: age": "not looked for without a model"}
    again = dlx.check(dataclasses.replace(CASE, schema=dataclasses.replace(CASE.schema, accepted=said)))
    assert not again.to_decide and again.summary.endswith("0 findings to decide, 0 to know, 1 accepted")
    assert [(one.accepted, one.to_accept) for one in again] == [("a founder", "")] and "Accepted: a founder" in str(again)
    assert again.not_found == ("The schema accepts 'far cell: incom', which is not found; did you mean 'far cell: income'?",)


def test_each_line_that_is_proposed_is_toml_that_accepts_its_finding(run, refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = TABLE.assign(**{'say "hi", ü': TABLE["age"]})
    table.to_csv("loans.csv", index=False)
    assert run("schema", "loans.csv", "--target", "y", "-o", "s.toml").status == 0
    Path("mine.py").write_text("def rule(t):\n    return 1 / (1 + 2.0 ** (50 - t['income']))\n")
    asked = ("check", "loans.csv", "--schema", "s.toml", "--model", "mine.py:rule")
    ended = run(*asked)
    lines = [line for line in ended.out if line.endswith(' = "the reason"')]
    assert ended.status == 1 and '"copy: age, say \\"hi\\", ü" = "the reason"' in lines and len(lines) == 2
    schema = Path("s.toml").read_text()
    Path("s.toml").write_text("\n".join([schema, "[accepted]", *lines]))
    ended = run(*asked)
    assert ended.status == 0 and f"{len(lines)} accepted" in ended.out[-1]
    assert "[accepted]" in run("schema", "loans.csv", "--schema", "s.toml", "--drop", "plan").out
    Path("s.toml").write_text(f'{schema}\n[accepted]\n"leak: age" = " "\n')
    assert "accepted names 'leak: age' without a reason; say why it is no fault" in refused(*asked)
    assert "there is no file nosuch.onnx" in refused(*asked[:-1], "nosuch.onnx")


def test_a_cell_that_moves_a_model_of_several_classes_is_found_by_the_class_that_it_moves_most():
    table = TABLE.assign(y=np.array(["x", "y", "z"])[np.arange(N) % 3])
    case = from_frame(table, infer_schema(table, "y"))

    def asked(rows):
        odds = np.column_stack([linear(rows).clip(-700, 700), np.zeros(len(rows)), np.zeros(len(rows))])
        return (
            np.exp(odds - odds.max(axis=1, keepdims=True)) / np.exp(odds - odds.max(axis=1, keepdims=True)).sum(axis=1)[:, None]
        )

    (one,) = moving(case, dlx.wrap(asked, case, name="mine"))
    assert "'income' alone moves mine of '" in one.said and one.columns == ("income",)
