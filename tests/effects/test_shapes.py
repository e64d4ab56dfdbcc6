"""Shape functions: an additive model's own attribution, drawn as curves, with the range of its trainings."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import worlds

import dlx
from dlx.effects import shape_functions
from dlx.errors import DlxError


def without_pairs(model):
    """The same net with no pair."""
    network = copy.deepcopy(model.network)
    network.chosen.fill_(network.columns)
    return dataclasses.replace(model, network=network)


def test_a_shape_function_is_what_the_column_is_given_by_the_models_own_method():
    model, rows = without_pairs(worlds.model("additive", "mixed")), worlds.table("mixed").rows[:60]
    own = dlx.explain(model, rows, method="additive_shap", background=rows, scale="logit")
    shapes = {shape.feature.name: shape for shape in shape_functions([model], rows)}
    for name in ("housing", "sex"):
        shape, place = shapes[name], model.schema.position(name)
        for value, adds in zip(shape.grid, shape.curves[0], strict=True):
            alike = np.isnan(rows[:, place]) if np.isnan(value) else rows[:, place] == value
            np.testing.assert_allclose(own.values[alike, place], adds, atol=1e-5)
    assert [shape.size for shape in shapes.values()] == sorted((s.size for s in shapes.values()), reverse=True)
    assert list(shapes)[-1] == "idle" and shapes["idle"].size == pytest.approx(0, abs=1e-6)


def test_the_band_is_the_range_over_trainings():
    trainings = [worlds.model("additive", "mixed", seed) for seed in range(3)]
    shape = shape_functions(trainings, worlds.table("mixed").rows[:30])[0]
    lines = shape.to_frame()
    assert len(shape.curves) == 3 and (lines["least"] <= lines["adds"]).all() and (lines["adds"] <= lines["most"]).all()
    np.testing.assert_allclose(shape.curves @ shape.counts, 0, atol=1e-4)


def test_no_model_has_no_shape():
    with pytest.raises(DlxError, match="pass at least one"):
        shape_functions([], worlds.table("mixed").rows)
