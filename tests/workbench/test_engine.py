"""The engine in the browser, held to Python: predictions of every kind of model."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import worlds
from browser_engine import plain
from forests import random_rows, random_trees
from playwright._impl._driver import compute_driver_executable
from torch import nn

import dlx
from dlx.background import gower
from dlx.encoder import Encoder
from dlx.model import BlackBox, LinearModel, NeuralModel, TreeModel
from dlx.schema import Feature, Schema
from dlx.trees import Reading
from dlx.workbench import writing
from dlx.workbench.writing import CannotBeWritten, written

CASES = ("bank_loan", "heart_attack")
MODELS = ("mlp", "resnet", "gradient_boosting", "random_forest", "decision_tree", "logistic_regression")
AWKWARD = Schema(
    (
        Feature("income", missing=True, special={-9: "refused", -8: "no record"}),
        Feature("housing", "categorical", levels=("rent", "own", "free"), missing=True),
        Feature("grade", "categorical", levels=("low", "middle", "high"), ordered=True, missing=True),
        Feature("only", "categorical", levels=("x",), ordered=True),
        Feature("flag", "categorical", levels=("0", "1"), level_values=(0, 1)),
        Feature("age"),
    ),
    worlds.TARGET,
)


@functools.cache
def case(name):
    return dlx.load(name)


@functools.cache
def model(name, kind):
    return dlx.load_model(name, kind)


def awkward_rows(size=60):
    """Rows with every level, special values and gaps."""
    rng = np.random.default_rng(3)
    rows = np.column_stack(
        [rng.normal(size=size), *(rng.integers(most, size=size) for most in (3, 3, 1, 2)), rng.normal(size=size)]
    )
    rows[::5, 0], rows[1::5, 0] = -9, -8
    for column in (0, 1, 2):
        rows[column + 2 :: 7, column] = np.nan
    return rows


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("name", CASES)
def test_predictions_are_those_of_python(ask, name, kind):
    rows, asked = case(name).test.rows, model(name, kind)
    theirs = asked.predict(rows, asked.scales[0])
    off = np.abs(ask("predictions", asked, rows=rows, scale=asked.scales[0]) - theirs) / np.maximum(1, np.abs(theirs))
    assert off.max() <= (1e-5 if isinstance(asked, NeuralModel) else 1e-12)


@pytest.mark.parametrize("kind", ["net", "smooth_net", "linear_net", "additive", "linear", "boosted", "forest"])
def test_small_models_of_every_kind(ask, world, kind):
    asked = worlds.model(kind, world)
    rows = worlds.table(world).rows
    for scale in asked.scales:
        np.testing.assert_allclose(ask("predictions", asked, rows=rows, scale=scale), asked.predict(rows, scale), atol=1e-5)


@pytest.mark.parametrize("keeps_codes", [False, True])
@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
def test_special_values_gaps_and_orders_are_encoded(ask, keeps_codes, precision):
    rows = awkward_rows()
    encoder = replace(Encoder.fit(AWKWARD, rows), keeps_codes=keeps_codes)
    torch.manual_seed(0)
    layers = [nn.Linear(encoder.width, 8), nn.ELU(), nn.BatchNorm1d(8), nn.Softplus(), nn.Linear(8, 5), nn.LeakyReLU(0.2)]
    net = NeuralModel(
        nn.Sequential(*layers, nn.Linear(5, 1), nn.Sigmoid()).to(precision), encoder, scales=("probability", "logit")
    )
    linear = LinearModel(np.random.default_rng(0).normal(size=encoder.width), 0.3, encoder)
    for asked in (net, linear):
        answer = ask("predictions", asked, rows=rows, scale="logit")
        np.testing.assert_allclose(answer, asked.predict(rows, "logit"), atol=2e-6 if asked is net else 1e-12)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_every_row_reaches_the_same_leaf(ask, precision):
    reading = Reading(precision, absent=[[0, 0.4, 0.6]], placed=[[1, -1.0, 0.1]])
    schema = Schema(tuple(Feature(f"x{i}", missing=True) for i in range(5)), worlds.TARGET)
    rows = random_rows(5, 400, sets=(3,), levels=40)
    asked = TreeModel(random_trees(4, count=30, sets=(3,), levels=40, reading=reading), schema)
    np.testing.assert_allclose(
        ask("predictions", asked, rows=rows, scale="logit"), asked.predict(rows, "logit"), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("cell", [(0, np.inf), (1, 3), (1, 0.5), (1, -1), (5, np.nan)])
def test_what_no_row_may_hold_is_refused(ask, cell):
    rows = awkward_rows()[:1]
    asked = LinearModel(np.ones(Encoder.fit(AWKWARD, rows).width), 0.0, Encoder.fit(AWKWARD, rows))
    assert isinstance(ask("predictions", asked, rows=rows, scale="logit"), list)
    rows[0, cell[0]] = cell[1]
    rows[np.isinf(rows)] = 1e39  # which JSON can hold
    assert AWKWARD.names[cell[0]] in ask("predictions", asked, rows=rows, scale="logit")
    assert "no scale value" in ask("predictions", asked, rows=awkward_rows()[:1], scale="value")


def test_the_interface_finds_people_as_near_to_each_other_as_python_does(tmp_path):
    """Gower's distance, of special values, gaps, levels, a column without a range, and a row beyond it."""
    rows = np.column_stack([awkward_rows(12)[:, :5], np.full(12, 7.0)])
    asked = np.vstack([rows[:4], [100, 2, 0, 0, 1, 9]])
    shutil.copytree(Path(writing.__file__).parent, tmp_path, dirs_exist_ok=True)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    columns = []
    for feature, column in zip(AWKWARD.features, rows.T, strict=True):
        known = feature.numbers(column)
        ends = {} if feature.is_categorical else {"low": float(np.nanmin(known)), "high": float(np.nanmax(known))}
        columns.append({"kind": feature.kind, "special": [[code] for code in feature.special_codes.tolist()], **ends})
    given = json.dumps({"columns": columns, "asked": plain(asked), "rows": plain(rows)})
    code = f"""import {{ gower }} from "{(tmp_path / "interface" / "seen.js").as_uri()}";
    const {{ columns, asked, rows }} = {given}, coded = (row) => row.map((code) => code ?? NaN);
    console.log(JSON.stringify(asked.map(coded).map((one) => rows.map(coded).map((other) => gower(columns, one, other)))));"""
    node = shutil.which("node") or compute_driver_executable()[0]
    done = subprocess.run([node, "--input-type=module"], input=code, capture_output=True, text=True, check=True)
    np.testing.assert_allclose(json.loads(done.stdout), gower(AWKWARD, asked, rows), rtol=1e-12)


def test_what_the_engine_could_not_evaluate_is_not_written():
    encoder = worlds.encoder("mixed")
    for asked in (
        worlds.model("function", "mixed"),
        NeuralModel(nn.Sequential(nn.Linear(encoder.width, 4), nn.GELU(), nn.Linear(4, 1)), encoder),
        NeuralModel(nn.Linear(encoder.width, 2), encoder),
    ):
        with pytest.raises(CannotBeWritten, match=asked.name):
            written(asked)
    assert isinstance(worlds.model("function", "mixed"), BlackBox)
