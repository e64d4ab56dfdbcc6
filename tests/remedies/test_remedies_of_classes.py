"""A remedy of one class of several: all classes are learnt again without the column, and the class is told of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import wines

from dlx import training
from dlx.audit.fairness.groups import partition
from dlx.dataset import from_frame
from dlx.remedies import fix, mitigations


@pytest.mark.parametrize("architecture", ["decision_tree", "logistic_regression"])
def test_a_class_is_fixed_by_learning_all_classes_again(architecture):
    case = wines.wines().of_class("barolo")
    model = training.train(case, architecture).model
    fixed = fix(case, model.of("barolo"), drop=("proline",), device="cpu")
    table, schema = wines.table().drop(columns="proline"), case.whole.schema
    without = from_frame(table, replace(schema, features=tuple(one for one in schema.features if one.name != "proline")))
    rows = [without[part.index] for part in case.splits[:2]]
    again = training.fit(architecture, *rows, seed=0).model.of("barolo")
    np.testing.assert_allclose(
        fixed.model.predict(case.test, "logit"), again.predict(without[case.test.index], "logit"), atol=1e-9
    )
    assert fixed.model.target == "barolo" and not fixed.can_be_kept
    table = fixed.before_after(background=5, people=5)
    assert set(table["topic"]) == {"accuracy", "calibration", "explanations"}


def test_unequal_treatment_of_a_class_is_lessened_by_models_of_all_classes():
    whole = wines.wines()
    features = tuple(
        replace(one, protected=one.name == "hue", cuts=(1.0,) if one.name == "hue" else ()) for one in whole.schema.features
    )
    case = from_frame(wines.table(), replace(whole.schema, features=tuple(features))).of_class("barolo")
    made = training.train(case, "decision_tree")
    table = mitigations(case, made.model.of("barolo"), partition(case, "hue"), made_by=made.made_by)
    assert {"reweighed", "column dropped"} <= set(table["remedy"])
