"""Models of several classes: of each a model of two, held to the user's own predict_proba."""

from __future__ import annotations

import numpy as np
import pytest
import wines
import worlds

import dlx
from dlx.comparison import faithfulness
from dlx.errors import DlxError


def test_a_model_of_all_classes_says_each_of_them():
    case, fitted = wines.wines(), wines.forest()
    model, truth = dlx.wrap(fitted, case), fitted.predict_proba(case.test.table)
    assert tuple(fitted.classes_) == wines.LEVELS
    np.testing.assert_allclose(model.probabilities(case.test), truth)
    for place, level in enumerate(wines.LEVELS):
        of_one, of_case = model.of(level), dlx.wrap(fitted, case.of_class(level))
        assert of_one.target == of_case.target == level and of_one.of(level) is of_one
        np.testing.assert_array_equal(of_one.predict(case.test, "probability"), truth[:, place])
        np.testing.assert_array_equal(of_case.predict(case.test, "probability"), truth[:, place])
        np.testing.assert_allclose(of_one.probabilities(case.test), truth)
    with pytest.raises(DlxError, match=r"answers for each of barbera, barolo, grignolino; say .*: model\.of\('grignolino'\)"):
        model.predict(case.test, "probability")


def test_a_model_of_one_class_is_not_that_of_another():
    case = wines.wines()
    model = dlx.wrap(lambda t: wines.forest().predict_proba(t)[:, 1], case.of_class("barolo"), name="mine")
    assert model.target == "barolo"
    with pytest.raises(
        DlxError, match=r"mine answers for 'barolo' alone; wrap it once more: dlx\.wrap\(\.\.\., target='barbera'\)"
    ):
        model.of("barbera")


def test_a_model_of_two_classes_has_both_probabilities():
    case, model = worlds.table("numeric"), worlds.linear("numeric")
    yes = model.predict(case, "probability")
    np.testing.assert_array_equal(model.probabilities(case), np.column_stack([1 - yes, yes]))


def test_an_explanation_of_a_class_adds_up_to_its_probability():
    case = wines.wines().of_class("barolo")
    model = dlx.wrap(wines.logistic(), case)
    made = dlx.explain(model, case.test[:2], method="kernel_shap", background=case.background(5), scale="probability")
    assert made.target == "barolo"
    np.testing.assert_allclose(made.base_values + made.values.sum(axis=1), model.predict(case.test[:2], "probability"))


def test_explain_asks_for_the_class_or_is_told():
    case, model = wines.wines(), wines.models()[0]
    asked = {"method": "exact_shapley", "background": case.background(5), "scale": "probability"}
    with pytest.raises(DlxError, match="timid answers for each of barbera, barolo, grignolino; say for which"):
        dlx.explain(model, case.test[:2], **asked)
    made, same = (
        dlx.explain(model, case.test[:2], target="barolo", **asked),
        dlx.explain(model.of("barolo"), case.test[:2], **asked),
    )
    assert made.target == "barolo"
    np.testing.assert_array_equal(made.values, same.values)
    with pytest.raises(DlxError, match="must share the target but do not"):
        dlx.compare([made, dlx.explain(model, case.test[:2], target="barbera", **asked)])
    with pytest.raises(DlxError, match=r"timid answers for 'barbera', but 'barolo' was explained; pass model\.of"):
        faithfulness(model.of("barbera"), [made], case.background(5))
