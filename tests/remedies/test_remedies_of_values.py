"""Remedies of a value: columns left out, groups that weigh the same, predictions put on the line, and what that changed."""

from __future__ import annotations

import numpy as np
import pytest
import values
from sklearn.linear_model import LinearRegression
from sklearn.metrics import root_mean_squared_error

from dlx import checkpoint, training
from dlx.audit.recalibration import recalibrated
from dlx.audit.values import value_calibration
from dlx.errors import DlxError
from dlx.model import BlackBox
from dlx.remedies import RemedyError, fix

CASE = values.case()
QUICK = {"mlp": {"max_epochs": 3, "hidden": 8}, "random_forest": {"trees": 5}}


def trained(architecture):
    return training.train(CASE, architecture, device="cpu", config=QUICK.get(architecture)).model


@pytest.mark.parametrize("architecture", ["linear_regression", "gradient_boosting", "random_forest", "mlp"])
def test_recalibrated_values_are_on_the_line_of_least_squares_and_kept_as_their_kind(architecture, tmp_path):
    fixed = fix(CASE, trained(architecture), recalibrate=True, device="cpu")
    before, known = (fixed.before.predict(rows, "value")[:, None] for rows in (CASE.validation, CASE.test))
    line = LinearRegression().fit(before, CASE.validation.outcomes)
    after = fixed.model.predict(CASE.test, "value")
    np.testing.assert_allclose(after, line.predict(known), rtol=2e-5)
    on_validation = value_calibration(fixed.model, CASE.validation).set_index("quantity")["estimate"]
    assert on_validation["slope"] == pytest.approx(1, abs=1e-4) and on_validation["intercept"] == pytest.approx(0, abs=1e-2)
    fixed.save(tmp_path)
    again = checkpoint.load_model(CASE, architecture, config=QUICK.get(architecture), checkpoints=tmp_path)
    np.testing.assert_allclose(again.predict(CASE.test, "value"), after, rtol=1e-6)


def test_a_function_is_recalibrated_and_one_that_predicts_the_wrong_way_round_is_not():
    def double(table):
        return 20 * table["bmi"].to_numpy() + 7

    wide = BlackBox(double, CASE.schema, "wide", scales=("value",))
    line = LinearRegression().fit(wide.predict(CASE.validation, "value")[:, None], CASE.validation.outcomes)
    expected = line.predict(wide.predict(CASE.test, "value")[:, None])
    np.testing.assert_allclose(recalibrated(wide, CASE.validation).predict(CASE.test, "value"), expected)
    upside_down = BlackBox(lambda table: -double(table), CASE.schema, "upside", scales=("value",))
    with pytest.raises(DlxError, match=r"upside must predict more where more is observed, but the slope .* is -0"):
        recalibrated(upside_down, CASE.validation)


def test_before_and_after_are_in_the_unit_of_the_value():
    fixed = fix(CASE, trained("linear_regression"), drop=("s5",), reweigh="sex", recalibrate=True, device="cpu")
    table = fixed.before_after(background=10, people=20)
    assert set(table["topic"]) == {"accuracy", "calibration", "fairness", "explanations"}
    rmse, outcomes = table.query("quantity == 'rmse'").iloc[0], CASE.test.outcomes
    for name, model in (("before", fixed.before), ("after", fixed.model)):
        assert rmse[name] == pytest.approx(root_mean_squared_error(outcomes, model.predict(CASE.test, "value")))
    women = CASE.test.rows[:, CASE.schema.position("sex")] == 0
    told = table.query("quantity == 'mean error'").set_index("of").loc["sex: female"]
    assert told["after"] == pytest.approx((fixed.model.predict(CASE.test, "value") - outcomes)[women].mean())
    assert table.query("of == 's5' or of == 'Log triglycerides'")["after"].item() == 0


def test_values_do_not_weigh_the_same_and_a_bound_column_does_not_turn():
    with pytest.raises(RemedyError, match="values of 'progression' cannot weigh the same; reweigh a protected column's groups"):
        fix(CASE, trained("linear_regression"), reweigh="outcome")
    model, rows = fix(CASE, trained("gradient_boosting"), monotone={"bp": 1}).model, CASE.test.rows[:20]
    along = []
    for value in np.linspace(60, 130, 8):
        changed = rows.copy()
        changed[:, CASE.schema.position("bp")] = value
        along.append(model.predict(changed, "value"))
    assert (np.diff(along, axis=0) >= 0).all() and np.ptp(along) > 0
