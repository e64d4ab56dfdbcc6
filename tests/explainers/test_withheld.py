"""Columns taken away, one at a time or with their neighbours: held to brute force by predict, and to captum."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import worlds
from captum.attr import FeatureAblation, Occlusion

from dlx.explainers import MethodError
from dlx.model import BlackBox
from dlx.runner import explain
from dlx.schema import Feature, Schema

pytestmark = pytest.mark.battery

NUMBERS = Schema(tuple(Feature(f"x{i}") for i in range(3)), worlds.TARGET)
ROWS, BACKGROUND = np.ones((1, 3)), np.zeros((1, 3))


def run(method, model, rows, background, **options):
    return explain(model, rows, method=method, background=background, scale=model.scales[0], **options)


def by_hand(model, rows, background, window):
    """Return the mean fall of the windows that each column is in, a mixed row at a time."""
    columns, falls = rows.shape[1], [[[] for _ in row] for row in rows]
    for person, row in enumerate(rows):
        for start in range(columns - window + 1):
            mixed = np.tile(row, (len(background), 1))
            mixed[:, start : start + window] = background[:, start : start + window]
            fall = model.predict(row[None], model.scales[0])[0] - model.predict(mixed, model.scales[0]).mean()
            for column in range(start, start + window):
                falls[person][column].append(fall)
    return np.array([[np.mean(some) for some in one] for one in falls])


@pytest.mark.parametrize("kind", ["net", "boosted", "forest", "linear", "function"])
@pytest.mark.parametrize("window", [1, 2, 3])
def test_falls_are_what_predict_says(kind, window, world):
    model, rows, background = worlds.model(kind, world), worlds.people(world), worlds.background(world)
    expected = by_hand(model, rows, background, window)
    np.testing.assert_allclose(run("occlusion", model, rows, background, window=window).values, expected, atol=3e-7)
    if window == 1:
        np.testing.assert_allclose(run("ablation", model, rows, background).values, expected, atol=3e-7)


@pytest.mark.parametrize(("method", "kind"), [("ablation", "net"), ("occlusion", "net"), ("occlusion", "boosted")])
def test_the_reference_is_captum_and_says_the_same(method, kind, world):
    model, rows, background = worlds.model(kind, world), worlds.people(world), worlds.background(world)
    ours, theirs = (run(method, model, rows, background, implementation=made_by) for made_by in ("dlx", "reference"))
    assert theirs.implementation.startswith("captum") and np.abs(ours.values).max() > 0.1
    np.testing.assert_allclose(ours.values, theirs.values, atol=1e-6)
    np.testing.assert_allclose(ours.base_values, theirs.base_values, atol=1e-7)


def test_against_one_reference_row_it_is_what_users_of_captum_get():
    model, rows, background = worlds.model("net", "numeric"), worlds.people("numeric"), worlds.background("numeric")[:1]
    dense, baseline = model.dense(rows), model.dense(background)
    with torch.no_grad():
        alone = FeatureAblation(model.network).attribute(dense, baselines=baseline)
        together = Occlusion(model.network).attribute(dense, sliding_window_shapes=(2,), baselines=baseline)
    np.testing.assert_allclose(run("ablation", model, rows, background).values, alone.numpy(), atol=1e-6)
    np.testing.assert_allclose(run("occlusion", model, rows, background).values, together.numpy(), atol=1e-6)


def test_falls_are_no_parts_of_the_prediction():
    either = BlackBox(lambda t: np.maximum(t["x0"], t["x1"]), NUMBERS, scales=("value",))
    both = BlackBox(lambda t: t["x0"] * t["x1"], NUMBERS, scales=("value",))
    assert run("ablation", either, ROWS, BACKGROUND).values.tolist() == [[0, 0, 0]]  # the other one does the same work
    assert run("ablation", both, ROWS, BACKGROUND).values.tolist() == [[1, 1, 0]]  # what they do together counts twice
    assert run("occlusion", either, ROWS, BACKGROUND).values.tolist() == [[1, 0.5, 0]]
    assert run("occlusion", either, ROWS, BACKGROUND, window=9).values.tolist() == [[1, 1, 1]]  # all of them
    assert "does not promise to add up" in run("ablation", both, ROWS, BACKGROUND).promise


def test_a_window_of_no_column_is_refused():
    with pytest.raises(MethodError, match="window must be at least 1 column, got 0"):
        run("occlusion", worlds.model("net", "numeric"), worlds.people("numeric"), worlds.background("numeric"), window=0)
