"""How methods get their answers, step by step: each ends at what Python's method gives, and what it says on the way holds."""

from __future__ import annotations

import numpy as np
import pytest
import worlds

import dlx
from dlx.effects import partial_dependence


def asked_about(world):
    return {"rows": worlds.people(world)[:3], "background": worlds.background(world), "scale": "logit"}


@pytest.mark.parametrize("kind", ["net", "boosted"])
def test_orders_add_up_to_shapley_values_within_their_errors(ask, world, kind):
    model, given = worlds.model(kind, world), asked_about(world)
    expected = dlx.explain(model, given["rows"], method="exact_shapley", background=given["background"], scale="logit")
    for made, row, values in zip(ask("orders", model, **given, count=400), given["rows"], expected.values, strict=True):
        assert made["prediction"] == pytest.approx(model.predict(row[None], "logit")[0], abs=1e-5)
        assert made["base"] == pytest.approx(model.predict(given["background"], "logit").mean(), abs=1e-5)
        for draw, added in zip(made["draws"], made["added"], strict=True):
            reference = given["background"][draw["reference"]]
            assert sorted(draw["order"]) == np.flatnonzero(row != reference).tolist()
            mixed = np.where(np.isin(np.arange(len(row)), draw["order"][:1]), row, reference)
            if draw["order"]:
                first = model.predict(np.stack([reference, mixed]), "logit")
                assert added[draw["order"][0]] == pytest.approx(first[1] - first[0], abs=1e-5)
        off = np.abs(np.array(made["values"]) - values)
        assert (off <= 4 * np.array(made["errors"]) + 1e-5).all() and off.max() < 0.35 * np.abs(values).max()


@pytest.mark.parametrize("kind", ["net", "smooth_net"])
def test_the_way_of_integrated_gradients_ends_at_them_and_adds_up_all_along(ask, world, kind):
    model, given = worlds.model(kind, world), asked_about(world)
    expected = dlx.explain(model, given["rows"], method="integrated_gradients", background=given["background"], scale="logit")
    for made, values in zip(ask("paths", model, **given), expected.values, strict=True):
        steps, outputs = np.array([list(step) for step in made["values"]]), np.array(made["outputs"])
        np.testing.assert_allclose(steps[-1], values, atol=1e-4 * np.abs(values).max())
        np.testing.assert_allclose(steps.sum(axis=1), outputs - outputs[0], atol=1e-5)


def test_differences_from_references_are_deeplift_in_the_mean(ask, world):
    model, given = worlds.model("net", world), asked_about(world)
    expected = dlx.explain(model, given["rows"], method="deeplift", background=given["background"], scale="logit")
    for made, values in zip(ask("differences", model, **given), expected.values, strict=True):
        each = np.array([one["values"] for one in made["references"]])
        np.testing.assert_allclose(each.mean(axis=0), values, atol=1e-4 * np.abs(values).max())
        np.testing.assert_allclose(
            each.sum(axis=1), made["prediction"] - np.array([one["output"] for one in made["references"]]), atol=1e-5
        )
        unit = made["unit"]
        assert unit["slope"] * (unit["to"] - unit["from"]) == pytest.approx(unit["ends"][1] - unit["ends"][0], abs=1e-6)


@pytest.mark.parametrize("kind", ["net", "boosted"])
def test_a_cloud_is_fitted_as_lime_does(ask, world, kind):
    model, given = worlds.model(kind, world), asked_about(world)
    expected = dlx.explain(model, given["rows"], method="lime", background=given["background"], scale="logit", n_samples=20_000)
    columns = [{"levels": len(one.levels), "special": one.special_codes.tolist()} for one in model.schema.features]
    made = ask("cloud", model, **given, columns=columns, count=4_000)
    values, errors = (np.array([one[name] for one in made]) for name in ("values", "errors"))
    assert (np.abs(values - expected.values) <= 4 * errors + 0.01 * np.abs(expected.values).max()).all()
    np.testing.assert_allclose([one["r2"] for one in made], expected.extras["surrogate_r2"], atol=0.06)
    np.testing.assert_allclose([one["base"] for one in made], expected.base_values, atol=0.1)


def test_everybody_set_to_a_value_is_partial_dependence(ask, world):
    model, given = worlds.model("boosted", world), asked_about(world)
    expected = partial_dependence(model, given["background"], model.schema.names[0], scale="logit")
    asked = dict(given, column=0, grid=expected.grid)
    for made, row in zip(ask("everybody", model, **asked), given["rows"], strict=True):
        np.testing.assert_allclose(made["mean"], expected.mean, atol=1e-9)
        np.testing.assert_allclose(made["people"], expected.curves, atol=1e-9)
        alone = np.where(np.arange(len(row)) == 0, expected.grid[:, None], row)
        np.testing.assert_allclose(made["own"], model.predict(alone, "logit"), atol=1e-9)
